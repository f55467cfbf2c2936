//! Keys that change hands, rows that change unseen, and rows that only one side has: what a delta cannot or must not
//! get wrong, and what only the scrub can find.

use anyhow::Result;
use leeward_testkit::each_kind;

use crate::support::{ROW_VALUE, Stage};

/// A parent with a unique code and a clock, and children that hang on it by cascading foreign keys.
fn family() -> String {
    format!(
        "CREATE TABLE parent (id INT NOT NULL PRIMARY KEY, code VARCHAR(20) NULL, note VARCHAR(60) NOT NULL,
           updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
           UNIQUE KEY code (code), KEY updated (updated_at));
         CREATE TABLE child (parent_id INT NOT NULL, no INT NOT NULL, note VARCHAR(60) NOT NULL,
           PRIMARY KEY (parent_id, no),
           CONSTRAINT of_parent FOREIGN KEY (parent_id) REFERENCES parent (id) ON DELETE CASCADE ON UPDATE CASCADE);
         INSERT INTO parent (id, code, note) WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n
           WHERE i < 60) SELECT i, CONCAT('code ', i), '{ROW_VALUE}' FROM n;
         INSERT INTO child SELECT id, 1, '{ROW_VALUE}' FROM parent UNION ALL SELECT id, 2, '{ROW_VALUE}' FROM parent;"
    )
}

/// Compares all the time, and lets no brake hold up a small table's repairs.
const EAGER_SCRUB: &str = "[scrub]\npass_interval = \"1s\"\nreconcile_interval = \"1s\"\nsource_share = 0.5\n";

each_kind! {
    /// T26: swapped and freed unique values, in one transaction and over several, arrive without losing a third row,
    /// and rewriting a parent deletes none of its children.
    async fn unique_values_change_hands_without_losing_a_row_t26(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "unique_hands").await?;
        // The scrub must not help.
        stage.policy("[scrub]\npass_interval = \"1d\"\nkeys_interval = \"1d\"\nreconcile_interval = \"1d\"\n")?;
        stage.on_source(&family()).await?;
        stage.seed().await?;
        stage
            .on_source(
                "START TRANSACTION;
                 UPDATE parent SET code = NULL WHERE id = 2;
                 UPDATE parent SET code = 'code 2' WHERE id = 3;
                 UPDATE parent SET code = 'code 3' WHERE id = 2;
                 COMMIT;
                 DELETE FROM child WHERE parent_id = 60;
                 DELETE FROM parent WHERE id = 4;
                 INSERT INTO parent (id, code, note) VALUES (1004, 'code 4', 'freed by a deleted row');
                 UPDATE parent SET code = 'moved on' WHERE id = 5;
                 UPDATE parent SET code = 'code 5' WHERE id = 6;
                 UPDATE parent SET code = 'code 6' WHERE id = 7;
                 UPDATE parent SET code = 'unseen', updated_at = updated_at WHERE id = 8;
                 UPDATE parent SET code = 'code 8' WHERE id = 9;
                 UPDATE parent SET note = 'rewritten, children stay' WHERE id BETWEEN 10 AND 20;",
            )
            .await?;
        stage.sync_once().await?;
        let report = stage.compare().await?;
        let parent = report.table(&stage.database, "parent").expect("compared");
        assert!(parent.is_equal(), "{report}");
        // Deleted children are the scrub's to find; none may be missing.
        let child = report.table(&stage.database, "child").expect("compared");
        assert_eq!((child.missing.count, child.different.count), (0, 0), "{report}");
        Ok(())
    }

    /// T5: a changed primary key, a row changed behind the clock's back, deletes and cascades leave no trace in any
    /// delta. The scrub finds them all, and a row that somebody wrote on the target too (T37).
    async fn the_scrub_finds_what_no_delta_can_see_t5_t37(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "unseen").await?;
        stage.policy(EAGER_SCRUB)?;
        stage.on_source(&family()).await?;
        stage.seed().await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        stage
            .on_source(
                "UPDATE parent SET id = 1001 WHERE id = 1;
                 UPDATE parent SET note = 'behind the clock', updated_at = updated_at WHERE id = 2;
                 DELETE FROM parent WHERE id IN (3, 4);
                 UPDATE child SET note = 'no clock' WHERE parent_id = 5;",
            )
            .await?;
        stage
            .on_target(
                "INSERT INTO parent (id, code, note) VALUES (777, 'rogue', 'written on the target');
                 INSERT INTO child VALUES (6, 77, 'written on the target');
                 DELETE FROM child WHERE parent_id = 7;
                 UPDATE parent SET note = 'damaged' WHERE id = 8;",
            )
            .await?;
        stage.scrubbed("parent").await?;
        stage.scrubbed("child").await?;
        stage.caught_up().await?;
        sync.stop().await?.exits(0);
        stage.assert_equal().await?;
        let record = stage.table_record("parent").await?;
        assert!(record["contradictions"].to_string().contains("changed_behind_clock"), "{record:#}");
        Ok(())
    }

    /// T9: 'A' and 'a' are one key in a collation that ignores case; the row must arrive as it is now, once.
    async fn a_key_that_changes_only_in_case_arrives_as_it_is_t9(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "case_only").await?;
        stage.policy(EAGER_SCRUB)?;
        stage
            .on_source(
                "CREATE TABLE cased (code VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL,
                   n INT NOT NULL, updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
                   ON UPDATE CURRENT_TIMESTAMP(6), PRIMARY KEY (code), KEY updated (updated_at));
                 CREATE TABLE cased_clockless (code VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL
                   PRIMARY KEY, n INT NOT NULL);
                 INSERT INTO cased (code, n) VALUES ('A', 1), ('b', 2), ('É', 3), ('padded', 4), ('z', 5);
                 INSERT INTO cased_clockless SELECT code, n FROM cased;",
            )
            .await?;
        stage.seed().await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        for table in ["cased", "cased_clockless"] {
            stage
                .on_source(&format!(
                    "UPDATE {table} SET code = 'a' WHERE code = 'A'; UPDATE {table} SET code = 'e' WHERE code = 'É';
                     UPDATE {table} SET code = 'padded  ' WHERE code = 'padded';
                     DELETE FROM {table} WHERE code = 'b'; INSERT INTO {table} (code, n) VALUES ('B', 20);"
                ))
                .await?;
        }
        stage.caught_up().await?;
        let code: String =
            stage.target_value(&format!("SELECT code FROM {}.cased WHERE n = 1", stage.database)).await?;
        assert_eq!(code, "a", "the delta alone must bring it");
        stage.scrubbed("cased").await?;
        stage.scrubbed("cased_clockless").await?;
        sync.stop().await?.exits(0);
        stage.assert_equal().await
    }

    /// T27, T39: columns that the server stamps by itself keep the source's values: after the copy, after a delta and
    /// after a repair.
    async fn stamps_are_the_sources_and_never_the_time_of_writing_t27_t39(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "stamps").await?;
        stage.policy(EAGER_SCRUB)?;
        stage
            .on_source(
                "CREATE TABLE stamped (id INT NOT NULL PRIMARY KEY, n INT NOT NULL,
                   created_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
                   touched_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
                   updated_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
                   doubled INT GENERATED ALWAYS AS (n * 2) STORED, KEY updated (updated_at));
                 INSERT INTO stamped (id, n, created_at, touched_at, updated_at) VALUES
                   (1, 1, '2001-02-03 04:05:06.789012', '2002-03-04 05:06:07', '2003-04-05 06:07:08.901234'),
                   (2, 2, '2011-02-03 04:05:06.789012', '2012-03-04 05:06:07', '2013-04-05 06:07:08.901234'),
                   (3, 3, '2021-02-03 04:05:06.789012', '2022-03-04 05:06:07', '2023-04-05 06:07:08.901234');",
            )
            .await?;
        stage.seed().await?;
        stage.assert_equal().await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        stage.on_source("UPDATE stamped SET n = 10, touched_at = '1999-01-01 00:00:00' WHERE id = 1;").await?;
        stage.caught_up().await?;
        stage.assert_equal().await?;
        stage.on_target("UPDATE stamped SET n = 666 WHERE id = 2;").await?;
        stage.scrubbed("stamped").await?;
        sync.stop().await?.exits(0);
        stage.assert_equal().await
    }
}
