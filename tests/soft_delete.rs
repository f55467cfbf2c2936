//! Rows that are marked as deleted and stay: the mark reaches the target in the next cycle, also where neither clock nor id of
//! the table shows it.

use anyhow::{Context, Result};
use leeward_testkit::each_kind;
use leeward_testkit::servers::Kind;
use mysql_async::prelude::Queryable;

use crate::support::{Stage, eventually};

/// One table that is followed by its ids, one by a clock that the application keeps, one by a clock that the server keeps.
const SCHEMA: &str = "
    CREATE TABLE parcels (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, n INT NOT NULL, deleted_at DATETIME(6) NULL,
      KEY deleted (deleted_at));
    CREATE TABLE invoices (id INT NOT NULL PRIMARY KEY, n INT NOT NULL, updated_at DATETIME(6) NOT NULL,
      deleted_at TIMESTAMP(6) NULL, KEY updated (updated_at), KEY deleted (deleted_at));
    CREATE TABLE orders (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, is_deleted TINYINT NOT NULL DEFAULT 0,
      updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), KEY updated (updated_at));
    INSERT INTO parcels (n) SELECT a.n FROM (SELECT 0 n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4) a
      JOIN (SELECT 0 n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4) b
      JOIN (SELECT 0 n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4) c
      JOIN (SELECT 0 n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3) d;
    INSERT INTO invoices SELECT id, n, '2026-01-01 00:00:00', NULL FROM parcels WHERE id <= 50;
    INSERT INTO orders (id) SELECT id FROM parcels WHERE id <= 20;";

fn policy(pass: &str) -> String {
    format!(
        "[scrub]\npass_interval = \"{pass}\"\nreconcile_interval = \"{pass}\"\n[fence]\nunproven_overlap = \"2s\"\n[batch]\nrows_max = 40\n\
         [[table]]\nmatch = \"*.parcels\"\nclass = \"insert_only\"\nsoft_delete = \"deleted_at\"\n\
         [[table]]\nmatch = \"*.invoices\"\nmark_column = \"updated_at\"\nsoft_delete = \"deleted_at\"\n\
         [[table]]\nmatch = \"*.orders\"\nsoft_delete = \"is_deleted\"\n"
    )
}

async fn prepare(kind: Kind, name: &str, pass: &str) -> Result<Stage> {
    let stage = Stage::shared(kind, name).await?;
    stage.policy(&policy(pass))?;
    stage.on_source(SCHEMA).await?;
    stage.seed().await?;
    Ok(stage)
}

async fn marked(stage: &Stage, table: &str) -> Result<u64> {
    stage.target_value(&format!("SELECT COUNT(*) FROM {}.{table} WHERE deleted_at IS NOT NULL", stage.database)).await
}

each_kind! {
    /// Neither a new id nor a moved `updated_at` announces these marks. They arrive in the next cycle, from a transaction
    /// that commits late too (T2), and more of them with one stamp than a batch holds (T3).
    async fn a_mark_of_deletion_arrives_in_the_next_cycle_t2_t3(kind: Kind) -> Result<()> {
        let stage = prepare(kind, "soft", "4h").await?;
        stage.run(&["plan"]).await?.exits(0).says(&[
            "soft deletes are read by deleted_at as well",
            "a soft delete (is_deleted) moves updated_at, which the server keeps",
        ]);
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        let mut late = stage.source_conn().await?;
        late.query_drop("START TRANSACTION").await?;
        late.query_drop("UPDATE parcels SET deleted_at = UTC_TIMESTAMP(6) WHERE id = 1").await?;
        stage.on_source(
            "UPDATE parcels SET deleted_at = UTC_TIMESTAMP(6) WHERE id IN (2, 3);
             UPDATE invoices SET deleted_at = CURRENT_TIMESTAMP(6) WHERE id = 7;
             UPDATE orders SET is_deleted = 1 WHERE id = 9;",
        ).await?;
        stage.caught_up().await?;
        assert_eq!((marked(&stage, "parcels").await?, marked(&stage, "invoices").await?), (2, 1));
        assert_eq!(stage.target_value::<u64>("SELECT SUM(is_deleted) FROM soft.orders").await?, 1);
        stage.caught_up().await?;
        late.query_drop("COMMIT").await?;
        late.disconnect().await?;
        stage.caught_up().await?;
        stage.assert_equal().await?;
        stage.on_source(
            "SET @now = UTC_TIMESTAMP(6); UPDATE parcels SET deleted_at = @now WHERE id BETWEEN 100 AND 400;
             INSERT INTO parcels (n) VALUES (77);",
        ).await?;
        stage.caught_up().await?;
        stage.assert_equal().await?;
        assert_eq!(stage.table_record("parcels").await?["scrub"]["rows_repaired"], 0);
        sync.stop().await?.exits(0);
        Ok(())
    }

    /// Killed over and over, no mark is lost.
    async fn a_kill_loses_no_mark_of_deletion(kind: Kind) -> Result<()> {
        let stage = prepare(kind, "soft_kill", "4h").await?;
        for round in 0..6u64 {
            let sync = stage.start_sync()?;
            let first = round * 80 + 1;
            stage.on_source(&format!(
                "UPDATE parcels SET deleted_at = UTC_TIMESTAMP(6) WHERE id BETWEEN {first} AND {first} + 69;
                 UPDATE invoices SET deleted_at = CURRENT_TIMESTAMP(6) WHERE id = {round} + 1;"
            )).await?;
            if round % 2 == 0 {
                eventually("the first marks arrive", async || {
                    Ok((marked(&stage, "parcels").await? > round * 70).then_some(()))
                }).await?;
            }
            sync.kill().await?;
        }
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        stage.assert_equal().await?;
        sync.stop().await?.exits(0);
        Ok(())
    }

    /// A row that is really deleted contradicts what was said, and is told of.
    async fn a_hard_delete_contradicts_a_soft_one(kind: Kind) -> Result<()> {
        let stage = prepare(kind, "soft_hard", "1s").await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        stage.on_source("DELETE FROM orders WHERE id = 3;").await?;
        let found = eventually("the delete is found", async || {
            let record = stage.table_record("orders").await?;
            let known = record["contradictions"].as_array().context("contradictions are listed")?;
            Ok(known.first().cloned())
        }).await?;
        assert_eq!((&found["what"], &found["rows"]), (&"row_deleted".into(), &1.into()));
        stage.run(&["status"]).await?.exits(0).says(&["soft_hard.orders is not as sure as planned"]);
        stage.caught_up().await?;
        stage.assert_equal().await?;
        sync.stop().await?.exits(0);
        Ok(())
    }
}
