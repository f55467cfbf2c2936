//! The census: rows that were deleted on the source leave the target within seconds, though no content is compared.

use anyhow::{Result, ensure};
use leeward_testkit::each_kind;
use leeward_testkit::servers::Kind;
use mysql_async::prelude::Queryable;

use crate::support::{Stage, eventually};

/// Content is compared once, at the end of the seed; keys are counted every second.
const POLICY: &str = "[scrub]\npass_interval = \"1d\"\nreconcile_interval = \"1d\"\nkeys_interval = \"1s\"\n\
     source_share = 1.0\n";

/// Keys of several shapes: a number, a text that ignores case, two parts of different character sets, raw bytes.
const TABLES: &str = "
    CREATE TABLE by_number (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, note INT,
      updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), KEY (updated_at));
    CREATE TABLE by_text (code VARCHAR(40) NOT NULL PRIMARY KEY, note INT,
      updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), KEY (updated_at));
    CREATE TABLE by_parts (a VARCHAR(20) CHARACTER SET latin1 NOT NULL, b VARCHAR(20) CHARACTER SET utf8mb4 NOT NULL,
      c INT NOT NULL, note INT,
      updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
      PRIMARY KEY (a, b, c), KEY (updated_at));
    CREATE TABLE by_bytes (id BINARY(4) NOT NULL PRIMARY KEY, note INT,
      updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), KEY (updated_at));";

/// Fills the tables with this many rows each.
const ROWS: u32 = 3_000;

async fn fill(stage: &Stage) -> Result<()> {
    let mut conn = stage.source_conn().await?;
    for some in (1..=ROWS).collect::<Vec<_>>().chunks(500) {
        let rows = |row: &dyn Fn(u32) -> String| some.iter().map(|n| row(*n)).collect::<Vec<_>>().join(",");
        conn.query_drop(format!("INSERT INTO by_number (note) VALUES {}", rows(&|n| format!("({n})")))).await?;
        let texts = rows(&|n| format!("('Key {n} ä', {n})"));
        conn.query_drop(format!("INSERT INTO by_text (code, note) VALUES {texts}")).await?;
        let parts = rows(&|n| format!("('é{}', 'ж{}', {n}, {n})", n % 7, n % 11));
        conn.query_drop(format!("INSERT INTO by_parts (a, b, c, note) VALUES {parts}")).await?;
        let bytes = rows(&|n| format!("(0x{n:06x}00, {n})"));
        conn.query_drop(format!("INSERT INTO by_bytes (id, note) VALUES {bytes}")).await?;
    }
    conn.disconnect().await?;
    Ok(())
}

async fn seeded(kind: Kind, name: &str, policy: &str) -> Result<Stage> {
    let stage = Stage::shared(kind, name).await?;
    stage.policy(policy)?;
    stage.on_source(TABLES).await?;
    fill(&stage).await?;
    stage.seed().await?;
    Ok(stage)
}

async fn counts(stage: &Stage) -> Result<(u32, u32, u32, u32)> {
    let count = |table: &str| format!("(SELECT COUNT(*) FROM {}.{table})", stage.database);
    let all = ["by_number", "by_text", "by_parts", "by_bytes"].map(count).join(",");
    stage.target_value(&format!("SELECT {all}")).await
}

each_kind! {
    /// Rows of every key shape are deleted, one of them and its neighbour's opposite (a row is added in its place, so that
    /// the number stays the same), and a key changes its case alone (T5, T9, T37).
    async fn deleted_rows_leave_within_seconds_whatever_their_key_t5_t9_t37(kind: Kind) -> Result<()> {
        let stage = seeded(kind, "census", POLICY).await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        stage
            .on_source(
                "DELETE FROM by_number WHERE id IN (1, 2, 1500, 3000);
                 INSERT INTO by_number (note) VALUES (1), (2);
                 DELETE FROM by_text WHERE note IN (7, 8);
                 UPDATE by_text SET code = UPPER(code) WHERE note = 9;
                 DELETE FROM by_parts WHERE note BETWEEN 100 AND 120;
                 DELETE FROM by_bytes WHERE note IN (1, 256);
                 UPDATE by_bytes SET id = 0xffffff00 WHERE note = 300;",
            )
            .await?;
        eventually("deleted rows have left", async || {
            Ok((counts(&stage).await? == (ROWS - 2, ROWS - 2, ROWS - 21, ROWS - 2)).then_some(()))
        })
        .await?;
        stage.caught_up().await?;
        stage.assert_equal().await?;
        let record = stage.table_record("by_parts").await?;
        ensure!(record["keys"]["rows_deleted"] == 21 && record["keys"]["found_within_ms"].is_u64(), "{record:#}");
        ensure!(stage.status().await?["tables"][0]["deletes_as_of"].is_string(), "status tells how old deletes may be");
        sync.stop().await?.exits(0);
        Ok(())
    }

    /// A process that begins while a transaction is open compares at once: what stood on the target when it began was proved.
    async fn deleted_rows_leave_though_the_process_began_behind_a_long_transaction_t2(kind: Kind) -> Result<()> {
        let stage = seeded(kind, "census_held", &POLICY.replace("1d", "2s")).await?;
        let mut long = stage.source_conn().await?;
        long.query_drop("START TRANSACTION").await?;
        long.query_drop("INSERT INTO by_number (note) VALUES (0)").await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        stage.on_source("DELETE FROM by_text WHERE note IN (7, 8); UPDATE by_parts SET note = note + 10000").await?;
        eventually("deleted rows have left", async || Ok((counts(&stage).await?.1 == ROWS - 2).then_some(()))).await?;
        stage.scrubbed("by_parts").await?;
        long.query_drop("COMMIT").await?;
        long.disconnect().await?;
        stage.caught_up().await?;
        stage.assert_equal().await?;
        sync.stop().await?.exits(0);
        Ok(())
    }

    /// T6: rows past a mark that an open transaction holds are on the target when the process is killed, and are deleted
    /// while nobody runs. Whoever begins again at the mark never sees them; counting the keys does.
    async fn rows_deleted_while_nobody_runs_leave_afterwards_t6(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "census_downtime").await?;
        stage.policy(POLICY)?;
        stage.on_source(TABLES).await?;
        fill(&stage).await?;
        stage.seed().await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        let mut long = stage.source_conn().await?;
        long.query_drop("START TRANSACTION").await?;
        long.query_drop("INSERT INTO by_number (note) VALUES (0)").await?;
        stage.on_source("INSERT INTO by_text (code, note) VALUES ('late', -1), ('later', -2);").await?;
        stage.caught_up().await?;
        ensure!(counts(&stage).await?.1 == ROWS + 2, "rows past the mark are not there: the test proves nothing");
        sync.kill().await?;
        stage.on_source("DELETE FROM by_text WHERE note < 0; DELETE FROM by_bytes WHERE note = 5;").await?;
        long.query_drop("ROLLBACK").await?;
        long.disconnect().await?;
        let sync = stage.start_sync()?;
        eventually("deleted rows have left", async || {
            Ok((counts(&stage).await? == (ROWS, ROWS, ROWS, ROWS - 1)).then_some(()))
        })
        .await?;
        stage.caught_up().await?;
        sync.stop().await?.exits(0);
        stage.assert_equal().await
    }

    /// A table that is too large for one look is counted range by range, with the pass stored between cycles.
    async fn a_table_of_many_rows_is_counted_in_ranges(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "census_large").await?;
        stage.policy(POLICY)?;
        stage.on_source(&TABLES[..TABLES.find("CREATE TABLE by_text").unwrap_or_default()]).await?;
        let mut conn = stage.source_conn().await?;
        conn.query_drop("INSERT INTO by_number (note) VALUES (1)").await?;
        for _ in 0..19 {
            conn.query_drop("INSERT INTO by_number (note) SELECT note + 1 FROM by_number").await?;
        }
        stage.seed().await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        conn.query_drop("DELETE FROM by_number WHERE id IN (SELECT id FROM (SELECT MAX(id) id FROM by_number) last)").await?;
        conn.query_drop("DELETE FROM by_number ORDER BY id LIMIT 3").await?;
        conn.disconnect().await?;
        eventually("a count stands between two ranges", async || {
            Ok(stage.table_record("by_number").await?["keys"]["after"].is_array().then_some(()))
        })
        .await?;
        eventually("deleted rows have left", async || {
            let sql = format!("SELECT COUNT(*) FROM {}.by_number", stage.database);
            Ok((stage.target_value::<u32>(&sql).await? == (1 << 19) - 4).then_some(()))
        })
        .await?;
        sync.stop().await?.exits(0);
        stage.assert_equal().await
    }
}
