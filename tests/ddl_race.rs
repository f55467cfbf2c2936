//! Definitions that change between two looks: no cycle commits rows that were read by an older one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use leeward_testkit::each_kind;
use leeward_testkit::proxy::Link;
use mysql_async::prelude::Queryable;

use crate::support::{Stage, Writer, eventually};

/// Columns that are added one after the other while rows are written.
const CHANGES: u64 = 12;

const TABLE: &str = "CREATE TABLE t (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, gen INT NOT NULL,
    updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), KEY updated (updated_at));
    CREATE TABLE other LIKE t; INSERT INTO t (gen) VALUES (0);";

each_kind! {
    /// A row of generation n was written when the table had n further columns. Whoever looks at the target never sees one
    /// in a table with fewer: it would lack what the source gave it.
    async fn no_row_arrives_by_an_older_definition_t12(kind: Kind) -> Result<()> {
        let mut stage = Stage::shared(kind, "race_add").await?;
        stage.policy("ddl = \"apply\"\n[scrub]\npass_interval = \"2s\"\nsource_share = 0.5\n")?;
        stage.on_source(TABLE).await?;
        stage.seed().await?;
        let _slow = stage.source_through(Link::with_round_trip(Duration::from_millis(20))).await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await.with_context(|| sync.stderr())?;
        let mut reader = stage.target().connect().await?;
        let over = Arc::new(AtomicBool::new(false));
        let ended = over.clone();
        let looks = tokio::spawn(async move {
            let mut looks = 0u64;
            while !ended.load(Ordering::Relaxed) {
                // The rows come first: columns that come in between only help.
                let newest: Option<u64> = reader.query_first("SELECT COALESCE(MAX(gen), 0) FROM race_add.t").await?;
                let sql = "SELECT COUNT(*) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA='race_add' \
                           AND TABLE_NAME='t' AND COLUMN_NAME LIKE 'c%'";
                let columns: Option<u64> = reader.query_first(sql).await?;
                let (newest, columns) = (newest.context("rows")?, columns.context("a count")?);
                ensure!(newest <= columns, "a row of generation {newest} in a table with {columns} columns");
                looks += 1;
            }
            reader.disconnect().await?;
            Ok::<u64, anyhow::Error>(looks)
        });
        for change in 1..=CHANGES {
            let rows = format!("INSERT INTO t (gen, c{change}) VALUES ({change}, {change});").repeat(3);
            stage.on_source(&format!("ALTER TABLE t ADD COLUMN c{change} INT NOT NULL DEFAULT 0; {rows}")).await?;
            if change % 3 == 0 {
                eventually("the target has followed", async || {
                    let newest: u64 = stage.target_value("SELECT MAX(gen) FROM race_add.t").await?;
                    Ok((newest == change).then_some(()))
                })
                .await
                .with_context(|| sync.stderr())?;
            }
        }
        over.store(true, Ordering::Relaxed);
        ensure!(looks.await?? > 50, "the reader hardly looked");
        stage.table_is("t", "live").await?;
        stage.caught_up().await.with_context(|| sync.stderr())?;
        sync.stop().await?.exits(0);
        stage.assert_equal().await
    }

    /// A table that is rebuilt again and again as it was may cost cycles, and quarantines nothing (1412).
    async fn a_rebuild_that_changes_nothing_takes_no_table_out_t12(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "race_rebuild").await?;
        stage.policy("ddl = \"apply\"\n[scrub]\npass_interval = \"1s\"\nsource_share = 0.5\n")?;
        stage.on_source(TABLE).await?;
        stage.seed().await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        let rebuild = Writer::start(&stage, &["OPTIMIZE TABLE t"]).await?;
        let writer = Writer::start(&stage, &["INSERT INTO t (gen) VALUES ({n})", "INSERT INTO other (gen) VALUES ({n})"]).await?;
        for _ in 0..5 {
            stage.caught_up().await?;
        }
        ensure!(rebuild.stop().await? > 3, "hardly rebuilt");
        writer.stop().await?;
        stage.caught_up().await?;
        let out: u64 = stage
            .target_value("SELECT COUNT(*) FROM leeward.event WHERE lane='race_rebuild' AND kind='quarantine'")
            .await?;
        ensure!(out == 0, "a table was taken out:\n{}", sync.stderr());
        sync.stop().await?.exits(0);
        stage.assert_equal().await
    }

    /// A text that is converted to another character set would arrive as other letters.
    async fn no_text_arrives_in_another_character_set(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "race_charset").await?;
        stage.policy("ddl = \"apply\"\n")?;
        stage
            .on_source(
                "CREATE TABLE t (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, v VARCHAR(20) CHARACTER SET latin1,
                 updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), KEY u (updated_at));
                 INSERT INTO t (v) VALUES ('é');",
            )
            .await?;
        stage.seed().await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        stage.on_source("ALTER TABLE t MODIFY v VARCHAR(20) CHARACTER SET utf8mb4; INSERT INTO t (v) VALUES ('é'), ('é');").await?;
        stage.table_is("t", "quarantined").await?;
        stage.on_source("UPDATE t SET v = 'é', updated_at = NOW(6);").await?;
        let wrong: u64 = stage.target_value("SELECT COUNT(*) FROM race_charset.t WHERE HEX(CONVERT(v USING utf8mb4)) <> 'C3A9'").await?;
        ensure!(wrong == 0, "{wrong} rows arrived as other letters");
        sync.stop().await?.exits(0);
        Ok(())
    }
}
