//! The full comparison: differences by key and never by value, on any copy, without writing a thing.

use anyhow::Result;
use leeward_testkit::each_kind;

use crate::support::{PASSWORD, ROW_VALUE, Stage};

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
}
