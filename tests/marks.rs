//! Marks and ties: no row is lost because it became visible late, or shares its clock with more rows than a batch holds.

use std::time::Duration;

use anyhow::{Context, Result};
use leeward_testkit::each_kind;
use leeward_testkit::proxy::Link;
use leeward_testkit::servers::{Kind, ServerOptions};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::support::{ROW_VALUE, Stage, eventually};

/// A table followed by its id and one followed by its clock, with a row each.
fn followed_tables() -> String {
    format!(
        "CREATE TABLE by_id (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, note VARCHAR(60) NOT NULL);
         CREATE TABLE by_clock (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, note VARCHAR(60) NOT NULL,
           updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
           KEY updated (updated_at));
         INSERT INTO by_id (note) VALUES ('{ROW_VALUE}'), ('{ROW_VALUE}');
         INSERT INTO by_clock (note) VALUES ('{ROW_VALUE}'), ('{ROW_VALUE}');"
    )
}

/// Says that one of them is insert-only, and lets no scrub find during the test what a delta missed.
const FOLLOWED_POLICY: &str = "[[table]]\nmatch = \"*.by_id\"\nclass = \"insert_only\"\n\
     [scrub]\npass_interval = \"1d\"\nkeys_interval = \"1d\"\nreconcile_interval = \"1d\"\n";

/// One row into each of the tables.
fn insert_both() -> String {
    format!("INSERT INTO by_id (note) VALUES ('{ROW_VALUE}'); INSERT INTO by_clock (note) VALUES ('{ROW_VALUE}')")
}

async fn followed_stage(stage: &Stage) -> Result<()> {
    stage.policy(FOLLOWED_POLICY)?;
    stage.on_source(&followed_tables()).await?;
    stage.seed().await?;
    let status = stage.status().await?;
    let strategies: Vec<_> =
        status["tables"].as_array().context("tables")?.iter().map(|t| t["strategy"].clone()).collect();
    assert!(strategies.contains(&"append".into()) && strategies.contains(&"merge".into()), "{status:#}");
    Ok(())
}

async fn rows(stage: &Stage) -> Result<(u64, u64)> {
    let database = &stage.database;
    stage
        .target_value(&format!(
            "SELECT (SELECT COUNT(*) FROM {database}.by_id), (SELECT COUNT(*) FROM {database}.by_clock)"
        ))
        .await
}

/// Bytes that are no text in any character set of many bytes.
const NO_TEXT: &[u8] = b"\xff\xfe\xc3(\xf0\x90";

each_kind! {
    /// A client may send any bytes. MySQL shows nobody's transactions while it cannot show the text of one's statement (error
    /// 3854); the lane stays live all the same, and the rows that commit late arrive.
    async fn a_statement_of_any_bytes_does_not_stop_the_lane_t2(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "any_bytes").await?;
        followed_stage(&stage).await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        let mut holder = stage.source_conn().await?;
        holder.query_drop("START TRANSACTION").await?;
        holder.query_drop("UPDATE by_id SET note = 'held' WHERE id = 1").await?;
        let mut waiting = Vec::new();
        for client in ["utf8mb4", "latin1", "binary"] {
            let mut conn = stage.source_conn().await?;
            conn.query_drop(format!("SET character_set_client = {client}")).await?;
            conn.query_drop("START TRANSACTION").await?;
            conn.query_drop("INSERT INTO by_id (note) VALUES ('late')").await?;
            let statement = [b"DELETE FROM by_id WHERE id = 1 AND LENGTH(_binary'", NO_TEXT, b"') > 0"].concat();
            waiting.push(tokio::spawn(async move {
                conn.query_drop(statement).await?;
                conn.query_drop("COMMIT").await?;
                conn.disconnect().await
            }));
        }
        let mut onlooker = stage.source().connect().await?;
        let list = if kind == Kind::MySql { "performance_schema" } else { "information_schema" };
        let waits = format!("SELECT COUNT(*) FROM {list}.processlist WHERE info LIKE 'DELETE FROM by_id%'");
        eventually("three statements wait for the row", async || {
            Ok((onlooker.query_first(&waits).await? >= Some(3u64)).then_some(()))
        })
        .await?;
        for _ in 0..4 {
            stage.caught_up().await?;
        }
        holder.query_drop("ROLLBACK").await?;
        for one in waiting {
            one.await??;
        }
        holder.disconnect().await?;
        onlooker.disconnect().await?;
        stage.caught_up().await?;
        assert_eq!(rows(&stage).await?.0, 5, "rows that were committed late are missing");
        let log = sync.stop().await?.exits(0);
        assert!(!log.stderr.contains("lane blocked"), "{}", log.stderr);
        Ok(())
    }

    /// T2: A takes an id and a clock value, B takes later ones and commits first. B's rows arrive at once, A's when it
    /// commits, though the head passed them long ago; a gap that a rollback leaves holds nothing up.
    async fn rows_that_commit_late_below_the_mark_arrive_t2(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "late_commit").await?;
        followed_stage(&stage).await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        let (mut a, mut b) = (stage.source_conn().await?, stage.source_conn().await?);
        a.query_drop("START TRANSACTION").await?;
        a.query_drop(insert_both()).await?;
        a.query_drop("UPDATE by_clock SET note = 'changed late' WHERE id = 1").await?;
        b.query_drop("START TRANSACTION").await?;
        b.query_drop(insert_both()).await?;
        b.query_drop("ROLLBACK").await?;
        b.query_drop(insert_both()).await?;
        // Several cycles pass over the open transaction: a mark that is not proved would have moved past it.
        for _ in 0..4 {
            stage.caught_up().await?;
        }
        assert_eq!(rows(&stage).await?, (3, 3), "an open transaction delays the rows of others");
        a.query_drop("COMMIT").await?;
        stage.caught_up().await?;
        assert_eq!(rows(&stage).await?, (4, 4), "rows that were committed late are missing");
        stage.assert_equal().await?;
        sync.stop().await?.exits(0);
        a.disconnect().await?;
        b.disconnect().await?;
        Ok(())
    }

    /// T2: a process that starts anew while the transaction is open knows from the stored marks what it must read again.
    async fn rows_that_commit_late_arrive_though_the_process_was_killed_in_between_t2(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "late_kill").await?;
        followed_stage(&stage).await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        let mut a = stage.source_conn().await?;
        a.query_drop("START TRANSACTION").await?;
        a.query_drop(insert_both()).await?;
        stage.on_source(&insert_both()).await?;
        stage.caught_up().await?;
        sync.kill().await?;
        a.query_drop("COMMIT").await?;
        a.disconnect().await?;
        stage.on_source(&insert_both()).await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        sync.stop().await?.exits(0);
        stage.assert_equal().await
    }

    /// T2: a prepared XA transaction belongs to no connection and survives them all. A server of its own, because a
    /// prepared transaction that a failed test leaves behind would hold every other test's fence.
    async fn rows_of_a_prepared_transaction_arrive_when_it_commits_t2(kind: Kind) -> Result<()> {
        let stage = Stage::own(kind, "prepared").await?;
        followed_stage(&stage).await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        let mut a = stage.source_conn().await?;
        for statement in ["XA START 'late'", &insert_both(), "XA END 'late'", "XA PREPARE 'late'"] {
            a.query_drop(statement).await?;
        }
        a.disconnect().await?;
        stage.on_source(&insert_both()).await?;
        for _ in 0..4 {
            stage.caught_up().await?;
        }
        assert_eq!(rows(&stage).await?, (3, 3), "a prepared transaction delays the rows of others");
        stage.on_source("XA COMMIT 'late';").await?;
        stage.caught_up().await?;
        sync.stop().await?.exits(0);
        stage.assert_equal().await
    }

    /// T3: more rows share one `updated_at` of whole seconds than a batch holds. `>` would lose some, `>=` would never
    /// get past them.
    async fn ties_larger_than_a_batch_are_read_to_their_end_t3(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "ties").await?;
        stage.policy("[batch]\nrows_max = 40\n[scrub]\npass_interval = \"1d\"\nkeys_interval = \"1d\"\n")?;
        stage
            .on_source(&format!(
                "CREATE TABLE tied (part CHAR(3) NOT NULL, id INT NOT NULL, note VARCHAR(60) NOT NULL,
                   updated_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
                   PRIMARY KEY (part, id), KEY updated (updated_at));
                 INSERT INTO tied (part, id, note) WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n
                   WHERE i < 500) SELECT ELT(i % 3 + 1, 'a', 'B', 'c'), i, '{ROW_VALUE}' FROM n;"
            ))
            .await?;
        stage.seed().await?;
        stage.on_source("UPDATE tied SET note = 'first', updated_at = '2026-01-01 00:00:00';").await?;
        stage.on_source("UPDATE tied SET note = 'second';").await?;
        stage.sync_once().await?;
        stage.assert_equal().await?;
        // Once more with a process that was killed in the middle of a tie.
        stage.on_source("UPDATE tied SET note = 'third';").await?;
        let sync = stage.start_sync()?;
        let arrived = format!("SELECT COUNT(*) FROM {}.tied WHERE note = 'third'", stage.database);
        eventually("a part of the tie has arrived", async || {
            let rows: u64 = stage.target_value(&arrived).await?;
            Ok((rows > 0).then_some(()))
        })
        .await?;
        sync.kill().await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        sync.stop().await?.exits(0);
        stage.assert_equal().await
    }

    /// T2 with T3: while a backlog is read in many batches, a row that is older than all of it commits. The mark may
    /// not move past it though everything was proved final in the meantime.
    async fn rows_that_commit_late_while_a_backlog_is_read_arrive_t2_t3(kind: Kind) -> Result<()> {
        let mut stage = Stage::shared(kind, "late_backlog").await?;
        stage.policy("[batch]\nrows_max = 30\n[scrub]\npass_interval = \"1d\"\nkeys_interval = \"1d\"\n")?;
        stage
            .on_source(&format!(
                "CREATE TABLE busy (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, note VARCHAR(60) NOT NULL,
                   updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
                   KEY updated (updated_at));
                 INSERT INTO busy (note) WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 900)
                   SELECT '{ROW_VALUE}' FROM n;"
            ))
            .await?;
        stage.seed().await?;
        let _proxy = stage.source_through(Link::with_round_trip(Duration::from_millis(20))).await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        let mut a = stage.source_conn().await?;
        a.query_drop("START TRANSACTION").await?;
        a.query_drop("INSERT INTO busy (note) VALUES ('late')").await?;
        stage.on_source("UPDATE busy SET note = 'backlog' WHERE id <= 800;").await?;
        let arrived = format!("SELECT COUNT(*) FROM {}.busy WHERE note = 'backlog'", stage.database);
        eventually("a part of the backlog has arrived", async || {
            let rows: u64 = stage.target_value(&arrived).await?;
            Ok((rows >= 90).then_some(()))
        })
        .await?;
        a.query_drop("COMMIT").await?;
        let rows: u64 = stage.target_value(&arrived).await?;
        assert!(rows < 800, "the backlog was read before the late row committed: the test proves nothing");
        stage.caught_up().await?;
        sync.stop().await?.exits(0);
        a.disconnect().await?;
        stage.assert_equal().await
    }

    /// T2: bulk inserts take ids a few at a time where `innodb_autoinc_lock_mode` is 2, so ids of two that run at once
    /// and those of single rows lie between each other, and the lowest become visible last. A server of its own, for
    /// MariaDB has another default.
    async fn rows_of_bulk_inserts_whose_ids_interleave_arrive_t2(kind: Kind) -> Result<()> {
        let extra_args = vec!["--innodb-autoinc-lock-mode=2".to_owned()];
        let stage = Stage::own_with(kind, "bulk_ids", ServerOptions { extra_args, ..ServerOptions::default() }).await?;
        followed_stage(&stage).await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        // A row every half second, each with the next id of its handful.
        let slow = "INSERT INTO by_id (note) WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 9) \
                    SELECT CONCAT('bulk ', i, SLEEP(0.5)) FROM n";
        let bulk = async |mut conn: Conn| -> Result<()> {
            conn.query_drop(slow).await?;
            conn.disconnect().await.context("close the connection")
        };
        let (one, other) = (stage.source_conn().await?, stage.source_conn().await?);
        let single = async {
            for _ in 0..6 {
                stage.on_source(&insert_both()).await?;
                stage.caught_up().await?;
            }
            anyhow::Ok(())
        };
        tokio::try_join!(bulk(one), bulk(other), single)?;
        stage.caught_up().await?;
        sync.stop().await?.exits(0);
        stage.assert_equal().await?;
        let between = "SELECT COUNT(*) FROM bulk_ids.by_id one JOIN bulk_ids.by_id bulk ON bulk.note LIKE 'bulk%'
            AND one.note NOT LIKE 'bulk%' AND one.id > bulk.id";
        assert!(stage.target_value::<u64>(between).await? > 0, "no id lies between: the test proves nothing");
        Ok(())
    }

    /// T41: a statement that waits for a table has fixed its clock before its transaction begins. The lock lets others
    /// read, so marks move on while it waits; then its transaction stays open for some cycles.
    async fn rows_of_a_statement_that_waited_for_a_table_arrive_t41(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "late_lock").await?;
        followed_stage(&stage).await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        let (mut locker, mut waiting) = (stage.source_conn().await?, stage.source_conn().await?);
        let cycles = async || -> Result<()> {
            for _ in 0..4 {
                stage.on_source("INSERT INTO by_id (note) VALUES ('meanwhile');").await?;
                stage.caught_up().await?;
            }
            Ok(())
        };
        locker.query_drop("LOCK TABLES by_clock READ").await?;
        let thread = waiting.id();
        let insert = async {
            let slow = "INSERT INTO by_clock (note) SELECT 'late' UNION ALL SELECT CONCAT('later', SLEEP(5))";
            waiting.query_drop(slow).await.context("insert behind the lock")
        };
        let watch = async {
            let mut looker = stage.source_conn().await?;
            let waits = format!("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID = {thread} AND STATE LIKE '%lock%'");
            eventually("the statement waits", async || {
                let waits: Option<u64> = looker.query_first(&waits).await?;
                Ok((waits > Some(0)).then_some(()))
            })
            .await?;
            looker.disconnect().await?;
            cycles().await?;
            locker.query_drop("UNLOCK TABLES").await?;
            cycles().await
        };
        tokio::try_join!(insert, watch)?;
        stage.caught_up().await?;
        assert_eq!(rows(&stage).await?.1, 4, "rows of the statement that waited are missing");
        sync.stop().await?.exits(0);
        locker.disconnect().await?;
        waiting.disconnect().await?;
        stage.assert_equal().await
    }
}
