//! What stands between a row of the cut and the target: triggers, foreign keys, checks, unique indexes of every kind,
//! and packets that are too small. Each is a way in which writing a row has changed, lost or multiplied rows elsewhere.

use anyhow::{Context, Result};
use leeward_testkit::each_kind;
use leeward_testkit::servers::Kind;
use mysql_async::prelude::Queryable;

use crate::support::{ROW_VALUE, Stage, eventually};

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

    /// T5, T26: parents of every kind are rewritten, moved and deleted, and the target cascades nothing: children change
    /// when the source's children have, and not before.
    async fn foreign_keys_cascade_on_the_source_alone_t5_t26(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "cascades").await?;
        stage.policy(NO_SCRUB)?;
        stage
            .on_source(&format!(
                "CREATE TABLE person (id INT NOT NULL PRIMARY KEY, boss INT NULL, team INT NULL, {CLOCK},
                   CONSTRAINT boss FOREIGN KEY (boss) REFERENCES person (id) ON DELETE SET NULL);
                 CREATE TABLE team (id INT NOT NULL PRIMARY KEY, lead_id INT NULL, name VARCHAR(20) NOT NULL, {CLOCK});
                 ALTER TABLE person ADD CONSTRAINT in_team FOREIGN KEY (team) REFERENCES team (id) ON DELETE CASCADE;
                 ALTER TABLE team ADD CONSTRAINT led_by FOREIGN KEY (lead_id) REFERENCES person (id) ON DELETE CASCADE;
                 CREATE TABLE badge (no INT NOT NULL PRIMARY KEY, person_id INT NULL,
                   CONSTRAINT of_person FOREIGN KEY (person_id) REFERENCES person (id) ON DELETE CASCADE ON UPDATE CASCADE);
                 CREATE TABLE desk (no INT NOT NULL PRIMARY KEY, team_id INT NULL,
                   CONSTRAINT of_team FOREIGN KEY (team_id) REFERENCES team (id) ON DELETE SET NULL ON UPDATE SET NULL);
                 INSERT INTO person (id) VALUES (1), (2), (3), (4), (5); INSERT INTO team (id, lead_id, name) VALUES
                   (1, 1, 'one'), (2, 2, 'two'), (3, NULL, 'three');
                 UPDATE person SET boss = id - 1, team = 1 + id % 2 WHERE id > 1;
                 INSERT INTO badge VALUES (1, 1), (2, 2), (3, 3), (4, 4), (5, 5);
                 INSERT INTO desk VALUES (1, 1), (2, 2), (3, 3);"
            ))
            .await?;
        stage.seed().await?;
        // Rewritten on the target by DELETE and INSERT: nothing of it may reach badges and desks there.
        stage
            .on_source(
                "UPDATE team SET name = CONCAT(name, '!'); UPDATE person SET boss = NULL WHERE id IN (2, 3);
                 START TRANSACTION; INSERT INTO person (id, team) VALUES (10, 3); UPDATE team SET lead_id = 10 WHERE id = 3;
                 COMMIT;",
            )
            .await?;
        stage.sync_once().await?;
        stage.assert_equal().await?;
        // Deleted and moved on the source, where children follow without a clock of their own.
        stage.on_source("DELETE FROM person WHERE id = 4; UPDATE person SET id = 30 WHERE id = 3;").await?;
        stage.sync_once().await?;
        let report = stage.compare().await?;
        let badge = report.table(&stage.database, "badge").expect("compared");
        assert_eq!((badge.missing.count, badge.extra.count, badge.different.count), (0, 1, 1), "{report}");
        stage.policy("[scrub]\npass_interval = \"1s\"\nreconcile_interval = \"1s\"\n")?;
        stage.run(&["verify", "--repair"]).await?.exits(2);
        stage.assert_equal().await
    }

    /// T27, T39: what a table fills in, computes or checks by itself is as the source has it: rows that went around a
    /// CHECK, defaults that are expressions, counters at 0, computed columns in keys.
    async fn definitions_that_think_for_themselves_change_nothing_t27_t39(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "thinking").await?;
        stage.policy(NO_SCRUB)?;
        let (check, unchecked) = match kind {
            // Whoever writes can switch it off.
            Kind::MariaDb => ("CHECK (n < 100)", "SET check_constraint_checks = 0;"),
            Kind::MySql => ("CHECK (n < 100) NOT ENFORCED", ""),
        };
        let rows = |id: i32, n: i32| {
            format!(
                "{unchecked} SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO'; INSERT INTO thinking VALUES ({id}, {n}, '2001-01-01', \
                 'named', DEFAULT, '2001-01-01 01:01:01.123456', NOW(6));
                 INSERT INTO computed (base, note) VALUES ({id}, 'x');"
            )
        };
        stage
            .on_source(&format!(
                "CREATE TABLE thinking (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, n INT NOT NULL DEFAULT (1 + 1),
                   due DATETIME NOT NULL, name VARCHAR(60) NOT NULL DEFAULT (CONCAT('at ', CURRENT_TIMESTAMP(6))),
                   twice INT AS (n * 2) STORED, made_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
                   updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
                   KEY updated (updated_at), CONSTRAINT sane {check});
                 CREATE TABLE computed (base INT NOT NULL, note VARCHAR(20) NULL, id INT AS (base + 1000) STORED {},
                   UNIQUE KEY id (id), {CLOCK});",
                // MariaDB takes no computed column for a row's key.
                if kind == Kind::MySql { "NOT NULL" } else { ", PRIMARY KEY (base)" }
            ))
            .await?;
        stage.on_source(&rows(0, 500)).await?;
        stage.seed().await?;
        stage.assert_equal().await?;
        stage.on_source(&rows(-7, 700)).await?;
        stage
            .on_source(&format!(
                "{unchecked} UPDATE thinking SET n = 900, made_at = '2003-03-03', updated_at = NOW(6) WHERE id = 0;
                 UPDATE computed SET note = 'y';"
            ))
            .await?;
        stage.sync_once().await?;
        stage.assert_equal().await?;
        stage.run(&["verify"]).await?.exits(0);
        Ok(())
    }

    /// T24: a row beyond the target's `max_allowed_packet` stops its own table, with what to do, and arrives once that is
    /// done. One just below it is sent in parts. The copy's stream knows no such limit.
    async fn a_row_too_large_for_the_target_waits_for_a_larger_packet_t24(kind: Kind) -> Result<()> {
        let mut stage = Stage::own(kind, "packets").await?;
        stage.target().exec_script("SET GLOBAL max_allowed_packet = 4194304;").await?;
        let table = |name: &str| format!("CREATE TABLE {name} (id INT NOT NULL PRIMARY KEY, body LONGBLOB NULL, {CLOCK});");
        stage
            .on_source(&format!(
                "{} {} {} INSERT INTO early (id, body) VALUES (1, 'small'), (2, REPEAT('x', 6000000));
                 INSERT INTO late (id, body) VALUES (1, 'small'); INSERT INTO small (id) VALUES (1);",
                table("early"), table("late"), table("small")
            ))
            .await?;
        stage.seed().await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        assert_eq!(stage.target_value::<u64>("SELECT SUM(LENGTH(body)) FROM packets.early").await?, 6_000_005);
        stage
            .on_source(
                "UPDATE early SET body = REPEAT('w', 6000000) WHERE id = 2;
                 INSERT INTO late (id, body) VALUES (2, REPEAT('y', 3900000)), (3, REPEAT('z', 5000000));
                 INSERT INTO small (id, body) VALUES (2, REPEAT('v', 3900000));",
            )
            .await?;
        stage.table_is("early", "quarantined").await?;
        stage.table_is("late", "quarantined").await?;
        stage.caught_up().await?;
        assert_eq!(stage.target_value::<u64>("SELECT COUNT(*) FROM packets.small").await?, 2);
        let remedy = "raise max_allowed_packet on the target";
        stage.run(&["status"]).await?.exits(2).says(&["packets.early", "packets.late", remedy]);
        sync.stop().await?.exits(0);
        stage.target().exec_script("SET GLOBAL max_allowed_packet = 67108864;").await?;
        stage.run(&["verify", "--repair"]).await?.exits(0);
        stage.assert_equal().await?;
        let pair = stage.pair_mut()?;
        pair.source.stop()?;
        pair.target.stop()
    }

    /// T29: a column whose name changes in case alone is one column to the server: no row is lost on the way.
    async fn a_column_renamed_in_case_alone_loses_no_row_t29(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "case_renamed").await?;
        stage
            .on_source(&format!(
                "CREATE TABLE orders (id INT NOT NULL PRIMARY KEY, orderID INT NULL, {CLOCK});
                 INSERT INTO orders (id, orderID) VALUES (1, 10), (2, 20), (3, 30);"
            ))
            .await?;
        stage.seed().await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        stage
            .on_source(
                "ALTER TABLE orders CHANGE orderID OrderId INT NULL; INSERT INTO orders (id, OrderId) VALUES (4, 40);
                 UPDATE orders SET OrderId = 11 WHERE id = 1;",
            )
            .await?;
        eventually("the rows have arrived", async || {
            let sql = "SELECT COUNT(*) FROM case_renamed.orders WHERE orderid IN (11, 40)";
            Ok((stage.target_value::<u64>(sql).await? == 2).then_some(()))
        })
        .await?;
        stage.table_is("orders", "live").await?;
        stage.on_target("ALTER TABLE orders CHANGE orderID OrderId INT NULL;").await?;
        stage.on_source("UPDATE orders SET OrderId = 12 WHERE id = 1;").await?;
        stage.caught_up().await?;
        sync.stop().await?.exits(0);
        stage.assert_equal().await
    }

    /// T7: somebody's transaction on the target wants a row that Leeward holds while Leeward waits for one of its own. The
    /// server undoes all that Leeward has written in this cycle; the next one writes it again.
    async fn a_deadlock_on_the_target_costs_a_cycle_and_no_row_t7(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "deadlocked").await?;
        stage.policy(NO_SCRUB)?;
        stage
            .on_source(&format!(
                "CREATE TABLE first (id INT NOT NULL PRIMARY KEY, n INT NOT NULL, {CLOCK}); CREATE TABLE second LIKE first;
                 INSERT INTO first (id, n) VALUES (1, 1); INSERT INTO second (id, n) VALUES (1, 1), (2, 2);"
            ))
            .await?;
        stage.seed().await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        let mut other = stage.target().connect().await?;
        // Who has written most is not the one that is undone.
        other
            .query_drop(
                "USE deadlocked; START TRANSACTION; INSERT INTO second (id, n) WITH RECURSIVE n AS (SELECT 1000 AS i UNION ALL
                   SELECT i + 1 FROM n WHERE i < 1900) SELECT i, i FROM n; SELECT n FROM second WHERE id = 2 FOR UPDATE",
            )
            .await?;
        stage.on_source("START TRANSACTION; UPDATE first SET n = 10; UPDATE second SET n = 20; COMMIT;").await?;
        let waits = "SELECT COUNT(*) FROM information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT'
                     AND trx_query LIKE '%deadlocked%second%'";
        eventually("Leeward waits for the row", async || {
            Ok((stage.target_value::<u64>(waits).await? > 0).then_some(()))
        })
        .await?;
        other.query_drop("SELECT n FROM first WHERE id = 1 FOR UPDATE").await.context("Leeward is the one that is undone")?;
        other.query_drop("ROLLBACK").await?;
        other.disconnect().await?;
        stage.caught_up().await?;
        sync.stop().await?.exits(0);
        stage.assert_equal().await
    }
}
