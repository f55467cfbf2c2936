//! Long transactions on the source: they delay nobody's rows, their own arrive whole, and a cycle costs no more the
//! longer they last.

use anyhow::{Context, Result, ensure};
use leeward_testkit::each_kind;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::support::{Running, Stage, eventually};

/// Tables that a transaction writes at its beginning, one that it writes at its end, and one that others fill meanwhile.
const TABLES: &str = "
    CREATE TABLE by_id (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, round INT);
    CREATE TABLE by_clock (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, round INT NOT NULL,
      updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), KEY (updated_at));
    CREATE TABLE closed (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, round INT NOT NULL,
      updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), KEY (updated_at));
    CREATE TABLE filler (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, note VARCHAR(60) NOT NULL,
      updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), KEY (updated_at));
    INSERT INTO by_id (round) VALUES (0); INSERT INTO by_clock (round) VALUES (0); INSERT INTO closed (round) VALUES (0);
    INSERT INTO filler (note) VALUES ('a');";

/// No scrub finds during the test what a delta missed.
const POLICY: &str = "[[table]]\nmatch = \"*.by_id\"\nclass = \"insert_only\"\n\
     [scrub]\npass_interval = \"1d\"\nkeys_interval = \"1d\"\nreconcile_interval = \"1d\"\n";

/// Rows that others write while a transaction is open; far more than a cycle may read of them again and again.
const FILLED: u64 = 4_000;

/// How often a transaction is opened and closed.
const ROUNDS: u32 = 4;

async fn fill(conn: &mut Conn) -> Result<()> {
    let rows = vec!["('b')"; 500].join(",");
    for _ in 0..FILLED / 500 {
        conn.query_drop(format!("INSERT INTO filler (note) VALUES {rows}")).await?;
    }
    // The id of the open transaction's row is passed by.
    conn.query_drop("INSERT INTO by_id (round) VALUES (NULL)").await?;
    Ok(())
}

/// Returns the rows that each cycle has read so far, as the log tells.
fn rows_read(sync: &Running) -> Vec<u64> {
    let read = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        let fields = line.get("fields").unwrap_or(&line);
        (fields["message"] == "cycle committed").then(|| fields["rows_read"].as_u64())?
    };
    sync.stderr().lines().filter_map(read).collect()
}

/// Waits until this many further cycles have each read less than was filled.
async fn cycles_rest(sync: &Running, cycles: usize) -> Result<()> {
    eventually("cycles rest on the open transaction", async || {
        let read = rows_read(sync);
        Ok(read.iter().rev().take(cycles).all(|rows| *rows < FILLED / 2).then_some(()))
    })
    .await
    .with_context(|| format!("rows read: {:?}", rows_read(sync)))
}

/// Looks at every state of the target that it can catch, and fails at one that shows half of a transaction.
async fn watch_until_closed(stage: &Stage, round: u32) -> Result<()> {
    let mut conn = stage.target().connect().await?;
    let (database, lane) = (&stage.database, &stage.database);
    let sql = format!(
        "SELECT (SELECT COUNT(round) FROM {database}.by_id), (SELECT COUNT(*) FROM {database}.by_clock), \
         (SELECT COUNT(*) FROM {database}.closed), \
         (SELECT cycle FROM leeward.lane WHERE lane='{lane}')"
    );
    eventually("the transaction has arrived", async || {
        let (by_id, by_clock, closed, cycle): (u32, u32, u32, u64) = conn.query_first(&sql).await?.context("counts")?;
        let whole = by_id == closed && by_clock == closed;
        ensure!(whole, "cycle {cycle} shows a part of a transaction: {by_id} and {by_clock} opened, {closed} closed");
        Ok((closed == round + 1).then_some(()))
    })
    .await?;
    conn.disconnect().await.context("close the connection")
}

each_kind! {
    /// T2: the rows that a transaction has stamped long ago and those that it has stamped just now become visible in one
    /// commit, though cycles read only the newest rows while it is open.
    async fn a_long_transaction_arrives_whole_and_makes_no_cycle_dearer_t2(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "held").await?;
        stage.policy(POLICY)?;
        stage.on_source(TABLES).await?;
        stage.seed().await?;
        let sync = stage
            .leeward(&["sync", "--cycle-interval", "200ms", "--log-level", "debug", "--log-format", "json"])
            .start()?;
        stage.caught_up().await?;
        let (mut long, mut others) = (stage.source_conn().await?, stage.source_conn().await?);
        for round in 1..=ROUNDS {
            long.query_drop("START TRANSACTION").await?;
            long.query_drop(format!("INSERT INTO by_id (round) VALUES ({round})")).await?;
            long.query_drop(format!("INSERT INTO by_clock (round) VALUES ({round})")).await?;
            fill(&mut others).await?;
            stage.caught_up().await?;
            let filled: u64 = stage.target_value(&format!("SELECT COUNT(*) FROM {}.filler", stage.database)).await?;
            ensure!(filled == FILLED * u64::from(round) + 1, "rows of others wait for the open transaction: {filled}");
            cycles_rest(&sync, 5).await?;
            long.query_drop(format!("INSERT INTO closed (round) VALUES ({round})")).await?;
            let watched = watch_until_closed(&stage, round);
            let commit = async { long.query_drop("COMMIT").await.context("commit the long transaction") };
            tokio::try_join!(watched, commit)?;
        }
        stage.caught_up().await?;
        stage.assert_equal().await?;
        sync.stop().await?.exits(0);
        long.disconnect().await?;
        others.disconnect().await?;
        Ok(())
    }

    /// T2: processes are killed one after the other, and each finds another transaction open. None lives to see every one end
    /// that was open when it began; still the mark follows, for each goes on with the barrier of the one before.
    async fn a_mark_moves_on_though_no_process_outlives_the_transactions_that_it_finds_t2(kind: Kind) -> Result<()> {
        let stage = Stage::own(kind, "handed_on").await?;
        stage.policy(POLICY)?;
        stage.on_source(TABLES).await?;
        stage.seed().await?;
        let mut sync = stage.start_sync()?;
        stage.caught_up().await?;
        let mut open = opened(&stage).await?;
        for _ in 0..ROUNDS {
            held_by(&stage, &open).await?;
            let next = opened(&stage).await?;
            sync.kill().await?;
            let before = stage.table_record("by_clock").await?["mark"].clone();
            sync = stage.start_sync()?;
            stage.caught_up().await?;
            held_by(&stage, &open).await?;
            let mut ended = std::mem::replace(&mut open, next);
            ended.query_drop("COMMIT").await?;
            ended.disconnect().await?;
            eventually("the mark moves on", async || {
                Ok((stage.table_record("by_clock").await?["mark"] != before).then_some(()))
            })
            .await?;
        }
        open.query_drop("COMMIT").await?;
        open.disconnect().await?;
        stage.caught_up().await?;
        stage.assert_equal().await?;
        sync.stop().await?.exits(0);
        Ok(())
    }
}

/// Opens a transaction and writes.
async fn opened(stage: &Stage) -> Result<Conn> {
    let mut conn = stage.source_conn().await?;
    conn.query_drop("START TRANSACTION").await?;
    conn.query_drop("INSERT INTO by_clock (round) VALUES (1)").await?;
    Ok(conn)
}

/// Waits until the stored barrier is held by this connection's transaction.
async fn held_by(stage: &Stage, conn: &Conn) -> Result<()> {
    let sql = format!("SELECT record FROM leeward.lane WHERE lane='{}'", stage.database);
    let thread = serde_json::json!({ "Thread": conn.id() });
    eventually("the open transaction holds the stored barrier", async || {
        let record: serde_json::Value = serde_json::from_str(&stage.target_value::<String>(&sql).await?)?;
        let held_by = record["barrier"]["held_by"].as_array();
        Ok(held_by.is_some_and(|held_by| held_by.iter().any(|one| one[0] == thread)).then_some(()))
    })
    .await
}
