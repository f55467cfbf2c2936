//! What stands between a row of the cut and the target: triggers, foreign keys, checks, unique indexes of every kind,
//! and packets that are too small. Each is a way in which writing a row has changed, lost or multiplied rows elsewhere.

use anyhow::Result;
use leeward_testkit::each_kind;
use leeward_testkit::servers::Kind;

use crate::support::{ROW_VALUE, Stage};

/// Leaves everything to deltas: the scrub must not help.
const NO_SCRUB: &str = "[scrub]\npass_interval = \"1d\"\nreconcile_interval = \"1d\"\n";

/// A column that the server keeps, and its index.
const CLOCK: &str = "updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
    KEY updated (updated_at)";

each_kind! {
    /// T28: a trigger that somebody made on the target while sync runs never runs for one of Leeward's writes. Its table
    /// waits, with the statement that drops it, and the others go on.
    async fn triggers_on_the_target_never_run_t28(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "triggered").await?;
        stage.policy(NO_SCRUB)?;
        stage
            .on_source(&format!(
                "CREATE TABLE watched (id INT NOT NULL PRIMARY KEY, n INT NOT NULL, {CLOCK});
                 CREATE TABLE other LIKE watched; INSERT INTO watched (id, n) VALUES (1, 1), (2, 2);
                 INSERT INTO other (id, n) VALUES (1, 1);"
            ))
            .await?;
        stage.seed().await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        stage
            .on_target(
                "CREATE TABLE ran (what VARCHAR(20)) ENGINE=MyISAM;
                 CREATE TRIGGER on_delete BEFORE DELETE ON watched FOR EACH ROW INSERT INTO ran VALUES ('delete');
                 CREATE TRIGGER `on insert` AFTER INSERT ON watched FOR EACH ROW INSERT INTO ran VALUES ('insert');",
            )
            .await?;
        stage.on_source("UPDATE watched SET n = 20 WHERE id = 2; INSERT INTO other (id, n) VALUES (2, 2);").await?;
        stage.table_is("watched", "quarantined").await?;
        stage.caught_up().await?;
        assert_eq!(stage.target_value::<u64>("SELECT COUNT(*) FROM triggered.ran").await?, 0);
        assert_eq!(stage.target_value::<u64>("SELECT COUNT(*) FROM triggered.other").await?, 2);
        assert_eq!(stage.target_value::<u64>("SELECT n FROM triggered.watched WHERE id = 2").await?, 2);
        let drop = "DROP TRIGGER `triggered`.`on insert`";
        stage.run(&["status"]).await?.exits(2).says(&[drop, "`on_delete`", "verify --repair"]);
        sync.stop().await?.exits(0);

        stage.on_target("DROP TRIGGER on_delete; DROP TRIGGER `on insert`; DROP TABLE ran;").await?;
        stage.run(&["verify", "--repair", "--tables", "triggered.watched"]).await?.exits(0);
        stage.sync_once().await?;
        stage.assert_equal().await
    }

    /// T28: neither does one that stands on a table which a seed takes over.
    async fn a_seed_writes_no_table_that_has_triggers_t28(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "adopt_triggers").await?;
        let table = "CREATE TABLE held (id INT NOT NULL PRIMARY KEY, n INT NOT NULL);";
        stage.on_source(&format!("{table} INSERT INTO held VALUES (1, 1), (2, 2);")).await?;
        stage.target().exec_script("CREATE DATABASE adopt_triggers CHARACTER SET utf8mb4;").await?;
        stage
            .on_target(&format!(
                "{table} CREATE TABLE ran (what VARCHAR(20)) ENGINE=MyISAM;
                 CREATE TRIGGER shouts BEFORE INSERT ON held FOR EACH ROW INSERT INTO ran VALUES ('insert');"
            ))
            .await?;
        stage.run(&["seed", "--adopt"]).await?.says(&["DROP TRIGGER `adopt_triggers`.`shouts`"]);
        assert_eq!(stage.target_value::<u64>("SELECT COUNT(*) FROM adopt_triggers.ran").await?, 0);
        stage.on_target("DROP TRIGGER shouts; DROP TABLE ran;").await?;
        stage.run(&["verify", "--repair"]).await?.exits(2);
        stage.assert_equal().await
    }

    /// T26: a value that changed hands stands in the way of a delta's rows, in indexes that no value can be looked up
    /// in, and keys change places too.
    async fn values_and_keys_change_hands_whatever_the_index_t26(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "any_index").await?;
        stage.policy(NO_SCRUB)?;
        let own = match kind {
            Kind::MySql => "UNIQUE KEY own ((LOWER(own)))",
            Kind::MariaDb => "UNIQUE KEY own (own)",
        };
        stage
            .on_source(&format!(
                "CREATE TABLE hands (id INT NOT NULL PRIMARY KEY, code TEXT NULL, n INT NULL, own LONGTEXT NULL,
                   half INT AS (n DIV 2) STORED, UNIQUE KEY code (code(4)), UNIQUE KEY half (half), {CLOCK});
                 CREATE TABLE kept (id INT NOT NULL PRIMARY KEY, own {} NULL, {own}, {CLOCK});
                 INSERT INTO hands (id, code, n) WITH RECURSIVE i AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM i
                   WHERE i < 40) SELECT i, CONCAT('c', 100 + i, '-{ROW_VALUE}'), 2 * i FROM i;
                 INSERT INTO kept (id, own) SELECT id, CONCAT('Own ', id) FROM hands;",
                if kind == Kind::MySql { "VARCHAR(200)" } else { "LONGTEXT" }
            ))
            .await?;
        stage.seed().await?;
        stage
            .on_source(
                "START TRANSACTION;
                 UPDATE hands SET code = NULL, n = NULL WHERE id IN (2, 3);
                 UPDATE hands SET code = 'c102 again', n = 5 WHERE id = 3;
                 UPDATE hands SET code = 'c103 again', n = 7 WHERE id = 2;
                 COMMIT;
                 DELETE FROM hands WHERE id = 5; UPDATE hands SET code = 'c105 taken', n = 11 WHERE id = 6;
                 UPDATE hands SET code = 'c106 taken', n = 13 WHERE id = 7;
                 UPDATE hands SET code = 'unseen', n = 2001, updated_at = updated_at WHERE id = 8;
                 UPDATE hands SET code = 'c108 taken', n = 17 WHERE id = 9;
                 START TRANSACTION;
                 UPDATE hands SET id = -10 WHERE id = 10; UPDATE hands SET id = 10 WHERE id = 11;
                 UPDATE hands SET id = 11 WHERE id = -10; UPDATE hands SET id = 1012 WHERE id = 12;
                 COMMIT;
                 DELETE FROM kept WHERE id = 1; UPDATE kept SET own = 'OWN 1' WHERE id = 2;
                 START TRANSACTION;
                 UPDATE kept SET own = NULL WHERE id = 4; UPDATE kept SET own = 'Own 4' WHERE id = 3;
                 UPDATE kept SET own = 'Own 3' WHERE id = 4; COMMIT;",
            )
            .await?;
        stage.sync_once().await?;
        let report = stage.compare().await?;
        // What was deleted and took no one's place is the scrub's to find; nothing may be missing or old.
        for table in ["hands", "kept"] {
            let found = report.table(&stage.database, table).expect("compared");
            assert_eq!((found.missing.count, found.different.count), (0, 0), "{report}");
        }
        Ok(())
    }

    /// T26: a value that moves on from row to row through the whole table, far beyond what is compared at once.
    async fn a_long_chain_of_unique_values_is_followed_to_its_end_t26(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "chain").await?;
        stage.policy("[brake]\nrows = 100000\n[scrub]\npass_interval = \"1s\"\nreconcile_interval = \"1s\"\n")?;
        stage
            .on_source(
                "/*!80000 SET SESSION cte_max_recursion_depth = 100000 */;
                 /*M!100000 SET SESSION max_recursive_iterations = 100000 */;
                 CREATE TABLE ranked (id INT NOT NULL PRIMARY KEY, place INT NOT NULL, UNIQUE KEY place (place));
                 INSERT INTO ranked WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 8000)
                   SELECT i, i FROM n;",
            )
            .await?;
        stage.seed().await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        stage.on_source("UPDATE ranked SET place = place + 1 ORDER BY place DESC;").await?;
        stage.scrubbed("ranked").await?;
        sync.stop().await?.exits(0);
        stage.assert_equal().await
    }
}
