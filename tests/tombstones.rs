//! Deletes that the source writes down: they reach the target in the next cycle, without any comparison. Between the seed and
//! the end of each test no comparison is due, so that what is seen is the tombstones' doing alone.

use anyhow::Result;
use leeward_testkit::each_kind;
use leeward_testkit::servers::Kind;
use mysql_async::prelude::Queryable;

use crate::support::{Stage, eventually};

const SCHEMA: &str = "
    CREATE TABLE orders (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, n INT NOT NULL,
      updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), KEY updated (updated_at));
    CREATE TABLE orders_deleted (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, order_id INT NULL);
    CREATE TABLE codes (part VARCHAR(20) NOT NULL, no SMALLINT NOT NULL, n INT NOT NULL,
      updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), KEY updated (updated_at),
      PRIMARY KEY (part, no));
    CREATE TABLE codes_deleted (no SMALLINT NOT NULL, part VARCHAR(20) NOT NULL,
      at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), KEY at (at), PRIMARY KEY (part, no, at));
    CREATE TRIGGER orders_are_buried AFTER DELETE ON orders FOR EACH ROW INSERT INTO orders_deleted (order_id) VALUES (OLD.id);
    INSERT INTO orders (n) SELECT a.n FROM (SELECT 0 n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4) a
      JOIN (SELECT 0 n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4) b
      JOIN (SELECT 0 n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4) c;
    INSERT INTO codes (part, no, n) VALUES ('abc', 1, 1), ('abc', 2, 2), ('xyz', 1, 3), ('Straße', 1, 4);";

fn policy(brake: &str) -> String {
    format!(
        "{brake}[scrub]\npass_interval = \"4h\"\nreconcile_interval = \"4h\"\n\
         [[table]]\nmatch = \"*.orders\"\ntombstones = {{ table = \"DB.orders_deleted\", key = [\"order_id\"] }}\n\
         [[table]]\nmatch = \"*.codes\"\ntombstones = {{ table = \"DB.codes_deleted\", key = [\"part\", \"no\"] }}\n\
         [[table]]\nmatch = \"*.orders_deleted\"\nclass = \"insert_only\"\n\
         [[table]]\nmatch = \"*.codes_deleted\"\nclass = \"insert_only\"\nmark_column = \"at\"\n"
    )
}

async fn prepare(kind: Kind, name: &str, brake: &str) -> Result<Stage> {
    let stage = Stage::shared(kind, name).await?;
    stage.policy(&policy(brake).replace("DB", name))?;
    stage.on_source(SCHEMA).await?;
    stage.seed().await?;
    Ok(stage)
}

async fn count(stage: &Stage, rows: &str) -> Result<u64> {
    stage.target_value(&format!("SELECT COUNT(*) FROM {}.{rows}", stage.database)).await
}

each_kind! {
    /// A deleted row is gone in the next cycle. A tombstone is no order: a row that is there in the cut stays, whether it was
    /// inserted again, under another spelling of its key (T9), or never deleted at all.
    async fn a_tombstone_takes_its_row_along_in_the_next_cycle(kind: Kind) -> Result<()> {
        let stage = prepare(kind, "stones", "").await?;
        stage.run(&["plan"]).await?.exits(0).says(&["deleted rows are named by stones.orders_deleted (order_id)"]);
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        stage.on_source("DELETE FROM orders WHERE id IN (3, 4);").await?;
        stage.caught_up().await?;
        stage.assert_equal().await?;
        assert_eq!(count(&stage, "orders").await?, 123);
        stage.on_source(
            "START TRANSACTION; DELETE FROM orders WHERE id IN (5, 6); INSERT INTO orders (id, n) VALUES (5, 500); COMMIT;
             INSERT INTO orders (id, n) VALUES (3, 300);
             INSERT INTO orders_deleted (order_id) VALUES (7), (99999), (NULL);
             START TRANSACTION; DELETE FROM codes WHERE part IN ('abc', 'Straße');
             INSERT INTO codes_deleted (part, no) VALUES ('ABC', 1), ('abc', 2), ('Straße', 1);
             INSERT INTO codes (part, no, n) VALUES ('Abc', 1, 10); COMMIT;",
        ).await?;
        stage.caught_up().await?;
        stage.assert_equal().await?;
        assert_eq!((count(&stage, "orders").await?, count(&stage, "codes").await?), (123, 2));
        let record = stage.table_record("orders").await?;
        assert_eq!((&record["scrub"]["rows_buried"], &record["scrub"]["rows_deleted"]), (&3.into(), &0.into()));
        stage.on_source("DELETE FROM orders_deleted;").await?;
        sync.stop().await?.exits(0);
        stage.run(&["verify", "--repair"]).await?;
        stage.run(&["verify"]).await?.exits(0);
        Ok(())
    }

    /// A tombstone whose transaction commits late, below tombstones that were read already, still takes its row (T2).
    async fn a_tombstone_that_commits_late_takes_its_row_t2(kind: Kind) -> Result<()> {
        let stage = prepare(kind, "stones_late", "").await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        let mut late = stage.source_conn().await?;
        late.query_drop("START TRANSACTION").await?;
        late.query_drop("DELETE FROM orders WHERE id = 1").await?;
        stage.on_source("DELETE FROM orders WHERE id = 2;").await?;
        stage.caught_up().await?;
        assert_eq!((count(&stage, "orders WHERE id = 1").await?, count(&stage, "orders WHERE id = 2").await?), (1, 0));
        stage.caught_up().await?;
        late.query_drop("COMMIT").await?;
        late.disconnect().await?;
        stage.caught_up().await?;
        stage.assert_equal().await?;
        sync.stop().await?.exits(0);
        Ok(())
    }

    /// Killed again and again between reading tombstones and committing what they do: no delete is lost, none is done twice.
    async fn a_kill_loses_no_tombstone(kind: Kind) -> Result<()> {
        let stage = prepare(kind, "stones_kill", "").await?;
        for round in 0..6u32 {
            let sync = stage.start_sync()?;
            let first = round * 10 + 1;
            stage.on_source(&format!(
                "DELETE FROM orders WHERE id BETWEEN {first} AND {}; INSERT INTO orders (id, n) VALUES ({first}, 1);", first + 4
            )).await?;
            if round % 2 == 0 {
                eventually("the first rows are gone", async || {
                    Ok((count(&stage, &format!("orders WHERE id = {}", first + 1)).await? == 0).then_some(()))
                }).await?;
            }
            sync.kill().await?;
        }
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        stage.assert_equal().await?;
        assert_eq!(stage.table_record("orders").await?["scrub"]["rows_deleted"], 0);
        sync.stop().await?.exits(0);
        Ok(())
    }

    /// More tombstones than the brake allows stop the table before a row is gone, at once or in slices, and go on after a
    /// person has agreed.
    async fn tombstones_past_the_brake_wait_for_a_person(kind: Kind) -> Result<()> {
        let stage = prepare(kind, "stones_brake", "[brake]\nrows = 10\nshare = 0.0\n").await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        stage.on_source("DELETE FROM orders WHERE id <= 40;").await?;
        stage.table_is("orders", "quarantined").await?;
        assert_eq!(count(&stage, "orders").await?, 125);
        stage.run(&["status"]).await?.exits(2).says(&["its tombstones would delete 40 rows", "leeward accept stones_brake.orders"]);
        stage.run(&["accept", "*.orders"]).await?.exits(0);
        stage.table_is("orders", "live").await?;
        stage.caught_up().await?;
        stage.assert_equal().await?;
        for (id, left) in [(41, 81), (46, 77), (51, 77)] {
            stage.on_source(&format!("DELETE FROM orders WHERE id BETWEEN {id} AND {id} + 3;")).await?;
            stage.caught_up().await?;
            assert_eq!(count(&stage, "orders").await?, left);
        }
        stage.table_is("orders", "quarantined").await?;
        stage.run(&["status"]).await?.exits(2).says(&["delete 4 rows of stones_brake.orders after 8 in the same pass"]);
        sync.stop().await?.exits(0);
        Ok(())
    }
}
