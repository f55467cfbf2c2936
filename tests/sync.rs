//! Keeping step under load and over a slow link: the target is a state of the source at every moment, and equal to it in
//! the end.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use leeward_testkit::each_kind;
use leeward_testkit::proxy::Link;
use leeward_testkit::sample;
use leeward_testkit::workload::{self, Traffic, Workload};
use mysql_async::Opts;
use mysql_async::prelude::Queryable;

use crate::support::{Stage, assert_live_states_are_whole};

/// From one coast to the other and back.
const ROUND_TRIP: Duration = Duration::from_millis(70);

/// States of the target that must be seen to be whole while rows keep arriving.
const STATES_SEEN: usize = 12;

/// Says of the tables without a clock how they change: judged by its size alone a small one is compared whole from time to
/// time, and its rows arrive later than those of the others.
const DECLARED: &str = "[[table]]\nmatch = \"*.{a,b,transfer}\"\nclass = \"insert_only\"\n";

/// Loads what is written to, and the sample.
async fn prepare(stage: &mut Stage) -> Result<Vec<Traffic>> {
    let (books, harbor) = (format!("{}_books", stage.database), format!("{}_harbor", stage.database));
    stage.policy(DECLARED)?;
    stage.add_database(&books).await?;
    stage.add_database(&harbor).await?;
    let mut conn = stage.source().connect().await?;
    let traffic = vec![
        Traffic::FourTables { database: stage.database.clone() },
        Traffic::Transfers { database: books },
        Traffic::Harbor { database: harbor.clone() },
    ];
    for one in &traffic {
        one.prepare(&mut conn).await?;
    }
    sample::load_harbor_as(&mut conn, &harbor).await?;
    conn.disconnect().await.context("close the connection")?;
    Ok(traffic)
}

each_kind! {
    /// Seeded under load, synced under load over a slow link: every state seen while the lane is live is one that the
    /// source had, though transactions span tables and databases. When the load ends, both sides are equal.
    async fn a_live_target_is_a_state_of_the_source_at_every_moment_t30(kind: Kind) -> Result<()> {
        let mut stage = Stage::shared(kind, "under_load").await?;
        let traffic = prepare(&mut stage).await?;
        let load = Workload { traffic, transactions_per_s: 30, connections: 3, seed: 7 };
        let running = workload::start(Opts::from_url(&stage.source().admin_url())?, load).await?;
        let _proxy = stage.source_through(Link::with_round_trip(ROUND_TRIP)).await?;
        stage.seed().await?;
        let sync = stage.start_sync()?;
        assert_live_states_are_whole(&stage, "under_load_books", STATES_SEEN).await?;
        let done = running.stop().await?;
        ensure!(done.failures.is_empty() && done.transactions > 100, "the workload did not work: {done:?}");
        sync.stop().await?.exits(0);
        stage.sync_once().await?;
        // Deletes have no trace in a delta.
        stage.run(&["verify", "--repair"]).await?;
        stage.assert_equal().await?;
        stage.run(&["verify"]).await?.exits(0);
        Ok(())
    }

    /// SIGTERM in the middle of the load: the process ends with 0 at once, and the target is a whole state.
    async fn a_stop_under_load_is_quick_and_leaves_a_whole_state(kind: Kind) -> Result<()> {
        let mut stage = Stage::shared(kind, "load_stop").await?;
        let mut conn = stage.source().connect().await?;
        let books_database = format!("{}_books", stage.database);
        stage.policy(DECLARED)?;
        stage.add_database(&books_database).await?;
        let traffic =
            vec![Traffic::FourTables { database: stage.database.clone() }, Traffic::Transfers { database: books_database }];
        for one in &traffic {
            one.prepare(&mut conn).await?;
        }
        conn.disconnect().await?;
        stage.seed().await?;
        let load = Workload { traffic, transactions_per_s: 40, connections: 2, seed: 11 };
        let running = workload::start(Opts::from_url(&stage.source().admin_url())?, load).await?;
        for _ in 0..3 {
            let sync = stage.start_sync()?;
            stage.caught_up().await?;
            let asked = std::time::Instant::now();
            sync.stop().await?.exits(0);
            assert!(asked.elapsed() < Duration::from_secs(12), "stopped after {} ms", asked.elapsed().as_millis());
            assert_live_states_are_whole(&stage, "load_stop_books", 1).await?;
        }
        running.stop().await?;
        stage.sync_once().await?;
        stage.assert_equal().await
    }

    /// The README's first words: one run that catches up and ends.
    async fn sync_once_ends_when_everything_is_in_step(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "once").await?;
        stage.run(&["sync", "--once"]).await?.exits(3).says(&["leeward seed"]);
        stage.on_source("CREATE TABLE t (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, n INT NOT NULL,
            updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
            KEY updated (updated_at));").await?;
        stage.seed().await?;
        for n in 0..3 {
            stage.on_source(&format!("INSERT INTO t (n) VALUES ({n}), ({n}); UPDATE t SET n = n + 100;")).await?;
            stage.sync_once().await?;
            stage.assert_equal().await?;
        }
        Ok(())
    }

    /// A transaction that stays open on the source keeps `--once` waiting, because no mark can be proved past it. It says
    /// whose it is, and ends when that ends.
    async fn sync_once_says_whose_open_transaction_it_waits_for(kind: Kind) -> Result<()> {
        let stage = Stage::own(kind, "once_held").await?;
        stage.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, n INT NOT NULL); INSERT INTO t VALUES (1, 1);").await?;
        stage.seed().await?;
        let mut holder = stage.source_conn().await?;
        holder.query_drop("START TRANSACTION").await?;
        holder.query_drop("UPDATE t SET n = 2 WHERE id = 1").await?;
        let mut sync = stage.leeward(&["sync", "--once", "--cycle-interval", "250ms"]).start()?;
        sync.says("root@localhost").await?;
        assert!(sync.is_running()?);
        holder.query_drop("COMMIT").await?;
        sync.ended().await?.exits(0);
        holder.disconnect().await?;
        Ok(())
    }
}
