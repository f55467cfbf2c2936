//! Convergence: random transactions on the tables of a sample while processes are killed and links are cut. Whatever
//! happened, every live state on the way is one that the source had, and in the end both sides are equal.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use leeward_testkit::each_kind;
use leeward_testkit::proxy::{Direction, Link, Proxy};
use leeward_testkit::sample;
use leeward_testkit::workload::{self, Traffic, Workload};
use mysql_async::Opts;

use crate::support::{Running, Stage, assert_live_states_are_whole};

/// The kinds of blow; each is followed by a recovery that is waited for.
const BLOWS: u64 = 8;

/// What can go wrong.
async fn strike(blow: u64, stage: &Stage, sync: Running, links: (&Proxy, &Proxy)) -> Result<Running> {
    let (source, target) = links;
    match blow {
        0 => {
            sync.kill().await?;
            return stage.start_sync();
        }
        1 => source.reset_all(),
        2 => target.reset_all(),
        3 => target.cut_before_answer("COMMIT"),
        4 => target.cut_before_request("COMMIT"),
        5 => source.cut_after_bytes(Direction::ToClient, 20_000),
        6 => target.cut_after_bytes(Direction::ToServer, 20_000),
        _ => {
            sync.stop().await?.exits(0);
            return stage.start_sync();
        }
    }
    Ok(sync)
}

each_kind! {
    /// The workload spans three databases; its transactions span tables of every strategy.
    async fn whatever_breaks_every_live_state_is_whole_and_both_sides_end_equal(kind: Kind) -> Result<()> {
        let mut stage = Stage::shared(kind, "storm").await?;
        stage.policy(
            "[[table]]\nmatch = \"{storm,storm_books}.{a,b,transfer}\"\nclass = \"insert_only\"\n\
             [scrub]\npass_interval = \"3s\"\nreconcile_interval = \"1s\"\nsource_share = 0.5\n",
        )?;
        let (books, harbor) = ("storm_books".to_owned(), "storm_harbor".to_owned());
        stage.add_database(&books).await?;
        stage.add_database(&harbor).await?;
        let traffic = vec![
            Traffic::FourTables { database: stage.database.clone() },
            Traffic::Transfers { database: books.clone() },
            Traffic::Harbor { database: harbor.clone() },
        ];
        let mut conn = stage.source().connect().await?;
        for one in &traffic {
            one.prepare(&mut conn).await?;
        }
        sample::load_harbor_as(&mut conn, &harbor).await?;
        conn.disconnect().await.context("close the connection")?;
        let load = Workload { traffic, transactions_per_s: 20, connections: 2, seed: 2012 };
        let running = workload::start(Opts::from_url(&stage.source().admin_url())?, load).await?;
        let source = stage.source_through(Link::with_round_trip(Duration::from_millis(10))).await?;
        let target = stage.target_through(Link::default()).await?;
        stage.seed().await?;
        let mut sync = stage.start_sync()?;
        for blow in 0..BLOWS {
            assert_live_states_are_whole(&stage, &books, 2).await?;
            sync = strike(blow, &stage, sync, (&source, &target)).await?;
            stage.caught_up().await?;
        }
        let done = running.stop().await?;
        ensure!(done.failures.is_empty(), "the workload did not work: {done:?}");
        stage.caught_up().await?;
        stage.all_scrubbed().await?;
        sync.stop().await?.exits(0);
        stage.assert_equal().await?;
        stage.run(&["verify"]).await?.exits(0);
        Ok(())
    }
}
