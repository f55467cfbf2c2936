//! The full comparison: differences by key and never by value, on any copy, without writing a thing.

use std::time::{Duration, Instant};

use anyhow::Result;
use leeward_testkit::each_kind;
use leeward_testkit::proxy::Link;
use mysql_async::prelude::Queryable;
use serde_json::Value;

use crate::support::{PASSWORD, ROW_VALUE, Stage, eventually};

const TABLES: &str = "
    CREATE TABLE plain (id INT NOT NULL PRIMARY KEY, note VARCHAR(60) NOT NULL);
    CREATE TABLE paired (part VARCHAR(10) NOT NULL, no INT NOT NULL, at TIMESTAMP(6) NULL, x DOUBLE NULL, PRIMARY KEY (part, no));
    CREATE TABLE keyless (n INT NULL, note VARCHAR(60) NULL);";

fn rows() -> String {
    format!(
        "INSERT INTO plain VALUES (1, '{ROW_VALUE}'), (2, '{ROW_VALUE}'), (3, '{ROW_VALUE}'), (4, 'same');
         INSERT INTO paired VALUES ('a', 1, '2026-01-01 00:00:00.000001', 0.1), ('B', 2, NULL, NULL);
         INSERT INTO keyless VALUES (1, NULL), (1, NULL), (2, '{ROW_VALUE}');"
    )
}

/// One of each kind of difference.
fn damage() -> String {
    format!(
        "DELETE FROM plain WHERE id = 1; UPDATE plain SET note = 'damaged {ROW_VALUE}' WHERE id = 2;
         INSERT INTO plain VALUES (777, '{ROW_VALUE}');
         UPDATE paired SET at = '2026-01-01 00:00:00.000002' WHERE no = 1;"
    )
}

each_kind! {
    /// A copy that Leeward did not build, compared by an account that may only read: nothing of Leeward's appears on
    /// either server.
    async fn a_foreign_copy_is_compared_without_writing_anything(kind: Kind) -> Result<()> {
        let mut stage = Stage::own(kind, "foreign_copy").await?;
        stage.target().exec_script("CREATE DATABASE foreign_copy CHARACTER SET utf8mb4;").await?;
        stage.on_source(&format!("{TABLES}{}", rows())).await?;
        stage.on_target(&format!("{TABLES}{}", rows())).await?;
        stage.target().create_account("reader", PASSWORD, "SELECT").await?;
        stage.target_url = stage.target().url("reader", PASSWORD);
        stage.run(&["verify"]).await?.exits(0);
        stage.on_target(&damage()).await?;
        let ran = stage.run(&["verify", "--output", "json"]).await?.exits(2);
        let found = ran.json()?.to_string();
        for key in ["\"1\"", "\"2\"", "\"777\"", "a,1"] {
            assert!(found.contains(key), "{key} is not listed: {found}");
        }
        assert!(!found.contains("\"4\""), "{found}");
        stage.run(&["verify"]).await?.exits(2).says(&["foreign_copy.plain", "777", "foreign_copy.paired"]);
        stage.run(&["verify", "--tables", "foreign_copy.keyless"]).await?.exits(0);
        stage.run(&["verify", "--tables", "foreign_copy.nothing*"]).await?.exits(3);
        stage.run(&["verify", "--repair"]).await?.exits(3).says(&["--adopt"]);
        for server in [stage.source(), stage.target()] {
            let mut conn = server.connect().await?;
            let schemas = "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME='leeward'";
            assert!(crate::support::query::<String>(&mut conn, schemas).await?.is_empty(), "a control schema was made");
            conn.disconnect().await?;
        }
        Ok(())
    }

    /// What was found is set right when a person asks for it, beyond the brake too, and then both sides are equal.
    async fn repair_makes_the_target_equal(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "repair").await?;
        stage.policy("[brake]\nrows = 1\nshare = 0.0\n")?;
        stage.on_source(&format!("{TABLES}{}", rows())).await?;
        stage.seed().await?;
        stage.run(&["verify"]).await?.exits(0);
        stage.on_target(&damage()).await?;
        stage.on_target("DELETE FROM keyless WHERE n = 2;").await?;
        stage.run(&["verify"]).await?.exits(2).says(&["repair.plain", "repair.keyless"]);
        stage.run(&["verify", "--repair"]).await?.exits(2);
        stage.assert_equal().await?;
        stage.run(&["verify"]).await?.exits(0);
        stage.run(&["verify", "--repair"]).await?.exits(0);
        Ok(())
    }

    /// A mistake on the source is not copied within the minute: past the brake the table waits, and status says why;
    /// `verify --repair` is the person's word.
    async fn the_brake_holds_a_mass_delete_until_a_person_agrees(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "brake").await?;
        stage.policy("[brake]\nrows = 10\nshare = 0.05\n[scrub]\npass_interval = \"1s\"\n")?;
        stage
            .on_source(
                "CREATE TABLE emptied (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, n INT NOT NULL,
                   updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
                   KEY updated (updated_at));
                 CREATE TABLE other LIKE emptied; INSERT INTO other (n) VALUES (1);
                 INSERT INTO emptied (n) WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 100)
                   SELECT i FROM n;",
            )
            .await?;
        stage.seed().await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        stage.on_source("DELETE FROM emptied; INSERT INTO other (n) VALUES (2);").await?;
        stage.table_is("emptied", "quarantined").await?;
        stage.caught_up().await?;
        assert_eq!(stage.target_value::<u64>("SELECT COUNT(*) FROM brake.emptied").await?, 100);
        assert_eq!(stage.target_value::<u64>("SELECT COUNT(*) FROM brake.other").await?, 2);
        stage.run(&["status"]).await?.exits(2).says(&["brake", "leeward accept brake.emptied"]);
        sync.stop().await?.exits(0);
        stage.run(&["verify", "--repair"]).await?.exits(2);
        stage.sync_once().await?;
        stage.assert_equal().await
    }

    /// Changes that checksums of this field have missed: the same change in an even number of rows (T14), a value that
    /// moves over a column's border or turns from NULL to nothing (T15), duplicates that cancel each other (T16), a
    /// microsecond (T17), the last bit of a float (T18), the sign of a zero, trailing zero bytes (T21).
    async fn differences_that_checksums_have_missed_are_found_t14_to_t21(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "missed").await?;
        stage
            .on_source(
                "CREATE TABLE statuses (id INT NOT NULL PRIMARY KEY, status VARCHAR(10) NOT NULL, flag TINYINT NOT NULL);
                 INSERT INTO statuses WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 40)
                   SELECT i, 'pending', 0 FROM n;
                 CREATE TABLE borders (id INT NOT NULL PRIMARY KEY, a VARCHAR(10) NULL, b VARCHAR(10) NULL);
                 INSERT INTO borders VALUES (1, 'x0', 'y'), (2, NULL, 'z'), (3, 'p', NULL);
                 CREATE TABLE doubles (n INT NULL); INSERT INTO doubles VALUES (1), (1), (2), (2), (3);
                 CREATE TABLE moments (id INT NOT NULL PRIMARY KEY, at DATETIME(6) NULL, t TIME(3) NULL);
                 INSERT INTO moments VALUES (1, '2026-01-01 00:00:00.000001', '00:00:00.001'), (2, NULL, NULL);
                 CREATE TABLE floats (id INT NOT NULL PRIMARY KEY, f FLOAT NULL, d DOUBLE NULL);
                 INSERT INTO floats VALUES (1, 0.0105162523686885830, 0.1), (2, 0, 0), (3, NULL, NULL);
                 CREATE TABLE bytes (id INT NOT NULL PRIMARY KEY, b VARBINARY(8) NULL, c BINARY(4) NULL);
                 INSERT INTO bytes VALUES (1, x'6100', x'61'), (2, x'61', x'62');",
            )
            .await?;
        stage.seed().await?;
        stage.run(&["verify"]).await?.exits(0);
        let changes = [
            ("statuses", "UPDATE statuses SET status = 'shipped' WHERE id <= 8"),
            ("borders", "UPDATE borders SET a = 'x', b = '0y' WHERE id = 1"),
            ("borders", "UPDATE borders SET a = '' WHERE id = 2"),
            ("doubles", "UPDATE doubles SET n = 9 WHERE n = 1"),
            ("moments", "UPDATE moments SET at = '2026-01-01 00:00:00.000002' WHERE id = 1"),
            ("moments", "UPDATE moments SET t = '00:00:00.002' WHERE id = 1"),
            ("floats", "UPDATE floats SET f = 0.0105162998661398890 WHERE id = 1"),
            ("floats", "UPDATE floats SET d = 0.30000000000000004 - 0.2 WHERE id = 1"),
            ("floats", "UPDATE floats SET d = -0e0 WHERE id = 2"),
            ("bytes", "UPDATE bytes SET b = x'61' WHERE id = 1"),
            ("bytes", "UPDATE bytes SET c = x'61000001' WHERE id = 1"),
        ];
        for (table, change) in changes {
            stage.on_target(&format!("{change};")).await?;
            let difference = stage.compare().await?;
            let name = format!("missed.{table}");
            if difference.is_equal() {
                // A server that stores the same bits for both has nothing to be found.
                continue;
            }
            stage.run(&["verify", "--tables", &name]).await?.exits(2).says(&[&name]);
            stage.run(&["verify", "--repair", "--tables", &name]).await?.exits(2);
            stage.assert_equal().await?;
        }
        Ok(())
    }

    /// Many ranges, each with a few rows that differ: at the table's ends, at the ranges' borders, in a key of two parts.
    /// Exactly these are named.
    async fn in_large_tables_exactly_the_rows_that_differ_are_named(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "verify_large").await?;
        stage
            .on_source(&format!(
                "CREATE TABLE many (id BIGINT UNSIGNED NOT NULL PRIMARY KEY, note VARCHAR(60) NOT NULL);
                 INSERT INTO many SELECT 3 * i, '{ROW_VALUE}' FROM ({}) n;
                 CREATE TABLE worded (word VARCHAR(20) NOT NULL, n INT NOT NULL, x INT NOT NULL, PRIMARY KEY (word, n));
                 INSERT INTO worded SELECT CONCAT('Word ', i % 700), i, i FROM ({}) n;
                 CREATE TABLE same LIKE worded; INSERT INTO same SELECT * FROM worded;
                 ANALYZE TABLE many, worded, same;",
                numbers(70_000),
                numbers(45_000)
            ))
            .await?;
        stage.seed().await?;
        stage.run(&["verify"]).await?.exits(0);
        stage
            .on_target(&format!(
                "DELETE FROM many WHERE id IN (3, 60000, 210000); INSERT INTO many VALUES (1, ''), (60001, ''), (900000, '');
                 UPDATE many SET note = 'damaged {ROW_VALUE}' WHERE id IN (6, 59997, 60003, 209997);
                 UPDATE worded SET x = -1 WHERE n % 5000 = 0; DELETE FROM worded WHERE n = 7;"
            ))
            .await?;
        let found = stage.run(&["verify", "--output", "json"]).await?.exits(2).json()?;
        let outcome = |name: &str| {
            let tables = found["tables"].as_array().expect("tables are listed").iter();
            let mut named = tables.filter(|table| table["name"].to_string().contains(name));
            named.next().expect("the table is listed")["outcome"].clone()
        };
        let keys = |outcome: &Value, kind: &str| {
            let keys = outcome[kind].as_array().expect("keys are listed").iter();
            let mut keys: Vec<String> = keys.filter_map(|key| key.as_str().map(str::to_owned)).collect();
            keys.sort();
            keys
        };
        let many = outcome("many");
        assert_eq!(keys(&many, "missing"), ["210000", "3", "60000"]);
        assert_eq!(keys(&many, "changed"), ["209997", "59997", "6", "60003"]);
        assert_eq!(keys(&many, "extra"), ["1", "60001", "900000"]);
        let worded = outcome("worded");
        assert_eq!(keys(&worded, "missing"), ["Word 7,7"]);
        let mut changed: Vec<String> = (1..=9).map(|n| n * 5000).map(|n| format!("Word {},{n}", n % 700)).collect();
        changed.sort();
        assert_eq!(keys(&worded, "changed"), changed);
        assert_eq!(keys(&worded, "extra"), [""; 0]);
        assert_eq!(outcome("same")["outcome"], "equal");
        Ok(())
    }

    /// Scattered over several tables: missing, changed and extra rows, keys of two parts and keys that differ in case alone (T9),
    /// unique values that have changed hands (T26), wide rows, an ENUM as key, a table without one, a surplus in one place,
    /// and few differences in a large table.
    async fn scattered_differences_of_every_shape_are_repaired_t9_t26(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "scattered").await?;
        stage
            .on_source(&format!(
                "CREATE TABLE many (id INT NOT NULL PRIMARY KEY, k INT NOT NULL, note VARCHAR(60) NOT NULL, KEY (k));
                 INSERT INTO many SELECT i, i, '{ROW_VALUE}' FROM ({large}) n;
                 CREATE TABLE few LIKE many; INSERT INTO few SELECT * FROM many;
                 CREATE TABLE surplus LIKE many; INSERT INTO surplus SELECT * FROM many WHERE id % 5000 = 0;
                 CREATE TABLE worded (word VARCHAR(20) NOT NULL, n INT NOT NULL, x INT NOT NULL, PRIMARY KEY (word, n))
                   CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;
                 INSERT INTO worded SELECT CONCAT('Word ', i % 700), i, i FROM ({small}) n;
                 CREATE TABLE cased (word VARCHAR(20) NOT NULL PRIMARY KEY, x INT NOT NULL)
                   CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;
                 INSERT INTO cased SELECT CONCAT('Key ', i), i FROM ({small}) n;
                 CREATE TABLE passed (id INT NOT NULL PRIMARY KEY, email VARCHAR(40) NOT NULL, UNIQUE KEY (email));
                 INSERT INTO passed SELECT i, CONCAT('m', i) FROM ({small}) n;
                 CREATE TABLE wide (id INT NOT NULL PRIMARY KEY, body MEDIUMTEXT NOT NULL);
                 INSERT INTO wide SELECT i, REPEAT('w', 200000) FROM ({small}) n WHERE i <= 20;
                 CREATE TABLE sized (size ENUM('small', 'medium', 'a large one') NOT NULL, n INT NOT NULL, x INT NOT NULL,
                   PRIMARY KEY (size, n));
                 INSERT INTO sized SELECT 1 + i % 3, i, i FROM ({small}) n;
                 CREATE TABLE keyless (n INT NULL, note VARCHAR(60) NULL);
                 INSERT INTO keyless SELECT i % 10, '{ROW_VALUE}' FROM ({small}) n WHERE i <= 100;
                 ANALYZE TABLE many, few, surplus, worded, cased, passed, wide, sized;",
                large = numbers(40_000),
                small = numbers(12_000)
            ))
            .await?;
        stage.seed().await?;
        stage
            .on_target(&format!(
                "UPDATE many SET note = 'damaged {ROW_VALUE}' WHERE id % 83 = 1; DELETE FROM many WHERE id % 1000 IN (3, 999);
                 INSERT INTO many SELECT -i, i, '' FROM ({extra}) n;
                 UPDATE few SET k = -1 WHERE id IN (1, 5001, 23456, 40000); DELETE FROM few WHERE id = 30000;
                 INSERT IGNORE INTO surplus SELECT i, i, '' FROM ({large}) n;
                 UPDATE worded SET x = -1 WHERE n % 90 = 0; DELETE FROM worded WHERE n % 500 = 7;
                 INSERT INTO worded SELECT CONCAT('Word ', i), -i, i FROM ({extra}) n;
                 UPDATE cased SET word = UPPER(word) WHERE x % 50 = 0; UPDATE cased SET x = -x WHERE x % 70 = 0;
                 UPDATE passed SET email = CONCAT('x', id) WHERE id % 40 < 2;
                 UPDATE passed SET email = CONCAT('m', id + 1) WHERE id % 40 = 0;
                 UPDATE passed SET email = CONCAT('m', id - 1) WHERE id % 40 = 1 AND id > 1;
                 UPDATE wide SET body = REPEAT('v', 100000) WHERE id % 3 = 0; DELETE FROM wide WHERE id % 7 = 0;
                 UPDATE sized SET x = -1 WHERE n % 60 = 0; DELETE FROM sized WHERE n % 700 = 5;
                 DELETE FROM keyless WHERE n = 3; INSERT INTO keyless VALUES (77, NULL);",
                large = numbers(40_000),
                extra = numbers(60)
            ))
            .await?;
        let repaired = stage.run(&["verify", "--repair", "--output", "json"]).await?.exits(2).json()?;
        for table in repaired["tables"].as_array().expect("tables are listed") {
            assert!(table["rows_repaired"].as_u64() > Some(0) && table["still_waiting"].is_null(), "{table}");
        }
        let rows = |name: &str| {
            let mut tables = repaired["tables"].as_array().expect("tables are listed").iter();
            let table = tables.find(|table| table["name"].to_string().contains(name)).expect("the table is listed");
            table["rows_repaired"].as_u64()
        };
        assert_eq!(rows("few"), Some(5));
        assert_eq!(rows("surplus"), Some(40_000 - 8));
        stage.assert_equal().await?;
        stage.run(&["verify", "--repair"]).await?.exits(0);
        Ok(())
    }

    /// Where nearly all rows are missing, both sides are counted: a list of keys would help nobody.
    async fn a_target_that_lacks_most_rows_is_counted(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "verify_lacking").await?;
        stage
            .on_source(&format!(
                "CREATE TABLE lacking (id INT NOT NULL PRIMARY KEY);
                 INSERT INTO lacking SELECT i FROM ({}) n; ANALYZE TABLE lacking;",
                numbers(50_000)
            ))
            .await?;
        stage.seed().await?;
        stage.on_target("DELETE FROM lacking WHERE id NOT IN (20, 30000);").await?;
        let found = stage.run(&["verify", "--output", "json"]).await?.exits(2).json()?;
        let outcome = &found["tables"][0]["outcome"];
        assert_eq!(outcome["outcome"], "different_counts", "{found}");
        assert_eq!((&outcome["source_rows"], &outcome["target_rows"]), (&Value::from(50_000), &Value::from(2)));
        Ok(())
    }

    /// The far side is waited for a handful of times, however many tables and ranges there are.
    async fn a_comparison_waits_for_the_source_a_few_times_only(kind: Kind) -> Result<()> {
        let mut stage = Stage::shared(kind, "verify_trips").await?;
        let small: Vec<String> = (0..60).map(|n| format!("CREATE TABLE small_{n} (id INT NOT NULL PRIMARY KEY);")).collect();
        stage
            .on_source(&format!(
                "{} INSERT INTO small_7 VALUES (1); CREATE TABLE large (id INT NOT NULL PRIMARY KEY);
                 INSERT INTO large SELECT i FROM ({}) n; ANALYZE TABLE large;",
                small.concat(),
                numbers(100_000)
            ))
            .await?;
        stage.seed().await?;
        let link = stage.source_through(Link::with_round_trip(Duration::ZERO)).await?;
        stage.run(&["verify"]).await?.exits(0);
        // Two log-ins of up to five each, the view, and queries for the 66 ranges.
        let round_trips = link.counters().round_trips;
        assert!(round_trips <= 16, "{round_trips} round trips");
        Ok(())
    }

    /// T25: a row that the source changes faster than the target follows is neither equal nor different. While nobody
    /// follows, that is not known; beside a sync no lag is told for a difference.
    async fn rows_that_keep_moving_are_neither_equal_nor_different_t25(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "verify_moving").await?;
        stage
            .on_source(&format!(
                "CREATE TABLE hot (id INT NOT NULL PRIMARY KEY, n BIGINT NOT NULL,
                   updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
                   KEY updated (updated_at));
                 INSERT INTO hot (id, n) SELECT i, 0 FROM ({}) n;",
                numbers(50)
            ))
            .await?;
        stage.seed().await?;
        let mut writer = stage.source_conn().await?;
        let write = async {
            loop {
                writer.query_drop("UPDATE hot SET n = n + 1 WHERE id = 7").await?;
            }
        };
        let look = async {
            let alone = stage.run(&["verify", "--output", "json"]).await?.exits(2).json()?;
            assert_eq!(alone["tables"][0]["outcome"], serde_json::json!({"outcome": "moving", "rows": 1}), "{alone}");
            let sync = stage.start_sync()?;
            stage.caught_up().await?;
            let beside = stage.run(&["verify", "--output", "json"]).await?.json()?;
            let outcome = beside["tables"][0]["outcome"]["outcome"].as_str().unwrap_or_default();
            assert!(["equal", "moving"].contains(&outcome), "{beside}");
            sync.stop().await?.exits(0);
            Ok(())
        };
        // The one that ends is the one that looks.
        tokio::select! { wrote = write => wrote, looked = look => looked }
    }

    /// A table that stays locked is not known to be equal; the others are compared all the same. A stop is obeyed while
    /// the lock is waited for.
    async fn a_locked_table_holds_up_no_other_and_no_stop_t25(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "verify_locked").await?;
        stage
            .on_source(
                "CREATE TABLE locked (id INT NOT NULL PRIMARY KEY); CREATE TABLE open (id INT NOT NULL PRIMARY KEY);
                 INSERT INTO locked VALUES (1); INSERT INTO open VALUES (1);",
            )
            .await?;
        stage.seed().await?;
        let mut conn = stage.source_conn().await?;
        conn.query_drop("LOCK TABLES locked WRITE").await?;
        // A view's lock wait follows from the read time-out: 5 s.
        let hurried = ["verify", "--source-read-timeout", "1s"];
        stage.run(&hurried).await?.exits(2).says(&["verify_locked.locked", "locked for longer", "run `leeward verify`"]);
        let found = stage.run(&[&hurried[..], &["--output", "json"]].concat()).await?.exits(2).json()?;
        let outcomes: Vec<&Value> = (0..2).map(|at| &found["tables"][at]["outcome"]["outcome"]).collect();
        assert_eq!(outcomes, ["failed", "equal"], "{found}");
        let waiting = stage.leeward(&["verify"]).start()?;
        let mut looker = stage.source_conn().await?;
        eventually("the comparison waits for the lock", async || {
            let waits = "SELECT COUNT(*) FROM information_schema.PROCESSLIST
                         WHERE STATE LIKE '%metadata lock%' AND INFO LIKE '%verify_locked%'";
            let waits: Option<u64> = looker.query_first(waits).await?;
            Ok((waits > Some(0)).then_some(()))
        })
        .await?;
        let asked = Instant::now();
        let ran = waiting.stop().await?;
        // The lock is waited for 20 s.
        assert!(asked.elapsed() < Duration::from_secs(10), "it took {:?} to stop", asked.elapsed());
        ran.exits(1).says(&["not known to be equal"]);
        conn.query_drop("UNLOCK TABLES").await?;
        conn.disconnect().await?;
        looker.disconnect().await?;
        stage.run(&["verify"]).await?.exits(0);
        Ok(())
    }
}

/// Returns a query for the numbers from 1 in column `i`, however deep the server lets a query recur.
fn numbers(count: u32) -> String {
    let digit = "(SELECT 0 d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL \
                 SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)";
    let number = "1 + a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d";
    format!("SELECT {number} i FROM {digit} a, {digit} b, {digit} c, {digit} e, {digit} f WHERE {number} <= {count}")
}
