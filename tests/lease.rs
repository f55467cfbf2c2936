//! One writer at a time: two processes on one lane, killed and frozen ones, and how soon another takes over.

use std::time::{Duration, Instant};

use anyhow::Result;
use leeward_testkit::each_kind;
use leeward_testkit::servers::Kind;
use mysql_async::prelude::Queryable;
use rustix::process::Signal;

use crate::support::{Running, Stage, eventually};

async fn prepared(kind: Kind, name: &str) -> Result<Stage> {
    let stage = Stage::shared(kind, name).await?;
    stage
        .on_source(
            "CREATE TABLE t (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, n INT NOT NULL,
               updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
               KEY updated (updated_at));
             INSERT INTO t (n) VALUES (1), (2), (3);",
        )
        .await?;
    stage.seed().await?;
    Ok(stage)
}

each_kind! {
    /// Of two processes one works and one waits; when the first is killed, the second takes over after the lease's life.
    async fn of_two_syncs_one_waits_and_takes_over_when_the_other_is_killed(kind: Kind) -> Result<()> {
        let stage = prepared(kind, "two_syncs").await?;
        let mut first = stage.start_sync()?;
        first.says("lease taken").await?;
        let mut second = stage.start_sync()?;
        second.says("another Leeward holds the lease").await?;
        stage.on_source("INSERT INTO t (n) VALUES (4);").await?;
        stage.caught_up().await?;
        assert!(!second.stderr().contains("lease taken"), "two processes work on one lane");
        first.kill().await?;
        stage.on_source("UPDATE t SET n = 40 WHERE n = 4;").await?;
        second.says("lease taken").await?;
        stage.caught_up().await?;
        second.stop().await?.exits(0);
        stage.assert_equal().await
    }

    /// A process that is stopped politely gives the lease back, and the one that waits need not wait for its life.
    async fn a_stopped_sync_hands_the_lease_over_at_once(kind: Kind) -> Result<()> {
        let stage = prepared(kind, "hand_over").await?;
        let arguments = ["sync", "--cycle-interval", "250ms", "--lease-ttl", "600s"];
        let mut first = stage.leeward(&arguments).start()?;
        first.says("lease taken").await?;
        let mut second = stage.leeward(&arguments).start()?;
        second.says("another Leeward holds the lease").await?;
        let asked = Instant::now();
        first.stop().await?.exits(0);
        assert!(asked.elapsed() < Duration::from_secs(15), "stopped after {} ms", asked.elapsed().as_millis());
        second.says("lease taken").await?;
        // One that still waits for the lease stops as well.
        let mut third = stage.leeward(&arguments).start()?;
        third.says("another Leeward holds the lease").await?;
        third.stop().await?.exits(0);
        stage.caught_up().await?;
        second.stop().await?.exits(0);
        let status = stage.status().await?;
        assert_eq!(status["worker"]["state"], "none", "{status:#}");
        stage.assert_equal().await
    }

    /// A frozen process loses the lease to another. When it wakes up it writes nothing and ends.
    async fn a_frozen_sync_loses_the_lease_and_writes_nothing_when_it_wakes(kind: Kind) -> Result<()> {
        let stage = prepared(kind, "frozen").await?;
        let mut first = stage.start_sync()?;
        stage.caught_up().await?;
        let mut second = stage.start_sync()?;
        second.says("another Leeward holds the lease").await?;
        first.signal(Signal::STOP)?;
        stage.on_source("INSERT INTO t (n) VALUES (4);").await?;
        second.says("lease taken").await?;
        stage.caught_up().await?;
        first.signal(Signal::CONT)?;
        eventually("the process that lost the lease has ended", async || Ok((!first.is_running()?).then_some(()))).await?;
        first.ended().await?.exits(1).says(&["lease"]);
        stage.on_source("UPDATE t SET n = n + 1;").await?;
        stage.caught_up().await?;
        second.stop().await?.exits(0);
        stage.assert_equal().await
    }

    /// Killed again and again in the middle of its work, a lane ends equal, and at no restart is a row doubled.
    async fn a_sync_killed_again_and_again_ends_equal(kind: Kind) -> Result<()> {
        let stage = prepared(kind, "sync_kill").await?;
        stage.on_source("CREATE TABLE log (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, n INT NOT NULL);").await?;
        for round in 0..3 {
            let mut sync = stage.start_sync()?;
            sync.says("lease taken").await?;
            let rows: Vec<String> = (0..500).map(|n| format!("({n})")).collect();
            stage.on_source(&format!("INSERT INTO t (n) VALUES {};", rows.join(","))).await?;
            stage.on_source(&format!("UPDATE t SET n = n + 1 WHERE id % 5 = {round};")).await?;
            if round > 0 {
                sync.says("lane moved on").await?;
            }
            sync.kill().await?;
        }
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        sync.stop().await?.exits(0);
        stage.on_source("DROP TABLE log;").await?;
        stage.assert_equal().await
    }

    /// The target is promoted while a cycle is about to be committed: it is rolled back, the process ends, and no other
    /// begins.
    async fn nothing_is_written_to_a_target_once_it_is_promoted(kind: Kind) -> Result<()> {
        let stage = prepared(kind, "promoted").await?;
        let arguments = ["sync", "--cycle-interval", "250ms", "--lease-ttl", "600s"];
        let mut sync = stage.leeward(&arguments).start()?;
        stage.caught_up().await?;
        let mut application = stage.target().connect().await?;
        application.query_drop("START TRANSACTION").await?;
        application.query_drop("SELECT * FROM promoted.t WHERE id = 1 FOR UPDATE").await?;
        stage.on_source("UPDATE t SET n = 100 WHERE id = 1;").await?;
        waits_for_a_lock(&stage, "promoted").await?;
        let promote = "UPDATE leeward.lease SET epoch = epoch + 1, promoted = 1 WHERE lane = 'promoted';";
        stage.target().exec_script(promote).await?;
        application.query_drop("COMMIT").await?;
        eventually("the process has ended", async || Ok((!sync.is_running()?).then_some(()))).await?;
        sync.ended().await?.exits(1).says(&["lease"]);
        application.disconnect().await?;
        assert_eq!(stage.target_value::<i64>("SELECT n FROM promoted.t WHERE id = 1").await?, 1);
        stage.run(&["sync", "--once"]).await?.exits(3).says(&["promoted"]);
        stage.run(&["seed"]).await?.exits(3).says(&["promoted"]);
        stage.run(&["verify", "--repair"]).await?.exits(3).says(&["promoted"]);
        assert_eq!(stage.target_value::<i64>("SELECT n FROM promoted.t WHERE id = 1").await?, 1);
        Ok(())
    }

    /// A process vanishes in the middle of a transaction, its connection stays open and its rows locked: the server ends
    /// it after a while, and the successor gets on.
    async fn the_locks_of_a_vanished_process_do_not_outlast_it_for_long(kind: Kind) -> Result<()> {
        let mut stage = prepared(kind, "vanished").await?;
        stage.target_url.push_str("?read_timeout=5s");
        let first = stage.start_sync()?;
        stage.caught_up().await?;
        let mut application = stage.target().connect().await?;
        application.query_drop("START TRANSACTION").await?;
        application.query_drop("SELECT * FROM vanished.t WHERE id = 1 FOR UPDATE").await?;
        stage.on_source("UPDATE t SET n = 100 WHERE id = 1;").await?;
        waits_for_a_lock(&stage, "vanished").await?;
        first.signal(Signal::STOP)?;
        // What it was about to write is written now, and stays locked by a transaction that nobody will end.
        application.query_drop("COMMIT").await?;
        application.disconnect().await?;
        another_gets_on(&stage, first).await
    }

    /// The same in the middle of renewing the lease: no cycle is under way, and what stays locked is the lease itself.
    async fn the_locks_of_a_process_that_vanished_with_the_lease_do_not_outlast_it_for_long(kind: Kind) -> Result<()> {
        let mut stage = prepared(kind, "renewing").await?;
        stage.target_url.push_str("?read_timeout=5s");
        let first = stage.leeward(&["sync", "--cycle-interval", "10m", "--lease-ttl", "6s"]).start()?;
        stage.caught_up().await?;
        let mut other = stage.target().connect().await?;
        other.query_drop("START TRANSACTION").await?;
        other.query_drop("SELECT * FROM leeward.lease WHERE lane = 'renewing' FOR UPDATE").await?;
        waits_for_a_lock(&stage, "leeward.lease").await?;
        first.signal(Signal::STOP)?;
        other.query_drop("COMMIT").await?;
        other.disconnect().await?;
        another_gets_on(&stage, first).await
    }
}

/// Starts another process beside one that is frozen, and sees it take over and get on.
async fn another_gets_on(stage: &Stage, frozen: Running) -> Result<()> {
    let mut other = stage.start_sync()?;
    other.says("lease taken").await?;
    stage.caught_up().await?;
    other.stop().await?.exits(0);
    frozen.kill().await?;
    stage.assert_equal().await
}

/// Waits until a statement on a table of the database waits for a row's lock on the target.
async fn waits_for_a_lock(stage: &Stage, database: &str) -> Result<()> {
    let sql = "SELECT COUNT(*) FROM information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT' AND trx_query LIKE";
    eventually("a row's lock is waited for", async || {
        Ok((stage.target_value::<u64>(&format!("{sql} '%{database}%'")).await? > 0).then_some(()))
    })
    .await
}
