//! Tests of hostile traffic against a real server: every part does its work, and nothing surprises.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use mysql_async::Opts;
use mysql_async::prelude::Queryable;

use super::{Hostile, HostileCounters, Pace, Places, finish_prepared, prepare};
use crate::sample::load_harbor_as;
use crate::servers::{Server, ServerOptions};
use crate::workload::{books, four_tables_rows};

/// How long every part may take to have done its work once.
const ALL_PLAYED_MAX: Duration = Duration::from_secs(120);

fn places() -> Places {
    let name = |what: &str| format!("hostile_{what}");
    Places {
        books: name("books"),
        four: name("four"),
        sample: name("sample"),
        shapes: name("shapes"),
        bulk: name("bulk"),
        mass: name("mass"),
    }
}

fn everybody_played(done: &HostileCounters) -> bool {
    let counts = [done.late, done.waited, done.prepared, done.bulk, done.emptied, done.ddl, done.rolled_back];
    counts.iter().all(|count| *count > 0) && done.transactions > 200
}

crate::each_kind! {
    /// A server of its own: locks, prepared transactions and DDL would be in the way of other tests.
    async fn hostile_traffic_plays_every_part_and_leaves_nothing_behind(kind: Kind) -> Result<()> {
        let options = ServerOptions { extra_args: vec!["--innodb-autoinc-lock-mode=2".to_owned()], ..ServerOptions::default() };
        let server = Server::start(kind, options).await?;
        let mut conn = server.connect().await?;
        load_harbor_as(&mut conn, &places().sample).await?;
        prepare(&mut conn, &places()).await?;
        let hostile = Hostile::start(&Opts::from_url(&server.admin_url())?, &places(), 7, Pace::Short);
        let began = Instant::now();
        while !everybody_played(&hostile.counters()) {
            ensure!(began.elapsed() < ALL_PLAYED_MAX, "not everybody has played: {:?}", hostile.counters());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let done = hostile.stop().await?;
        assert_eq!(done.surprises, Vec::<String>::new(), "{done:?}");
        assert!(done.refused < done.transactions * 3 && done.lost == 0, "{done:?}");
        finish_prepared(&mut conn).await?;
        assert!(books(&mut conn, &places().books).await?.is_balanced());
        assert!(four_tables_rows(&mut conn, &places().four).await?.is_whole());
        let left: Vec<mysql_async::Row> = conn.query("XA RECOVER").await?;
        assert!(left.is_empty(), "{left:?}");
        eprintln!("{done:?}");
        Ok(())
    }
}
