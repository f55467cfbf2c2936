//! Tables that are followed by the rows that changed: what the delta writes, whatever stands under the keys already, and what
//! the plan says of looks that would read a whole table.

use anyhow::Result;
use leeward_testkit::each_kind;

use crate::support::{ROW_VALUE, Stage};

/// Leaves everything to deltas: the scrub must not help.
const NO_SCRUB: &str = "[scrub]\npass_interval = \"1d\"\nkeys_interval = \"1d\"\nreconcile_interval = \"1d\"\n";

/// A column that the server keeps, and its index.
const CLOCK: &str = "updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
    KEY updated (updated_at)";

/// Numbers from 1 on, as a table `n` of `i`.
const NUMBERS: &str = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 600) SELECT";

each_kind! {
    /// Rows that are new, changed and touched without a change, under keys of every build, arrive in one cycle. A key that
    /// differs by case or accent is the same row to the server, and is rewritten to the last byte (T9); neither children nor
    /// a clock of the target's own is touched (T26, T27).
    async fn changed_rows_arrive_whatever_their_key_t9_t26_t27(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "merged").await?;
        stage.policy(NO_SCRUB)?;
        stage
            .on_source(&format!(
                "CREATE TABLE numbered (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, n INT NULL, note VARCHAR(60) NOT NULL
                   COLLATE utf8mb4_general_ci, at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE
                   CURRENT_TIMESTAMP(3), {CLOCK});
                 CREATE TABLE named (name VARCHAR(30) COLLATE utf8mb4_general_ci NOT NULL PRIMARY KEY, n INT NOT NULL, {CLOCK});
                 CREATE TABLE paired (a INT NOT NULL, b CHAR(10) COLLATE utf8mb4_general_ci NOT NULL, c BINARY(2) NOT NULL,
                   n DOUBLE NULL, PRIMARY KEY (b, a, c), {CLOCK});
                 CREATE TABLE computed (id INT NOT NULL PRIMARY KEY, n INT NOT NULL, twice INT AS (n * 2) STORED,
                   thrice INT AS (n * 3) VIRTUAL, KEY thrice (thrice), {CLOCK});
                 CREATE TABLE parted (id BIGINT UNSIGNED NOT NULL, region INT NOT NULL, n INT NOT NULL, doc LONGTEXT NULL,
                   PRIMARY KEY (id, region), {CLOCK}) PARTITION BY RANGE (region) (PARTITION low VALUES LESS THAN (3),
                   PARTITION high VALUES LESS THAN MAXVALUE);
                 CREATE TABLE listed (id INT NOT NULL PRIMARY KEY, state ENUM('new','Old') NOT NULL, flags SET('a','b') NULL,
                   bits BIT(9) NULL, doc JSON NULL, {CLOCK});
                 CREATE TABLE unique_too (id INT NOT NULL PRIMARY KEY, code VARCHAR(20) NOT NULL, UNIQUE KEY code (code),
                   {CLOCK});
                 CREATE TABLE child (id INT NOT NULL PRIMARY KEY, numbered_id INT NOT NULL, CONSTRAINT of_numbered FOREIGN KEY
                   (numbered_id) REFERENCES numbered (id) ON DELETE CASCADE ON UPDATE CASCADE);
                 INSERT INTO numbered (n, note) {NUMBERS} i, 'Note' FROM n;
                 INSERT INTO named (name, n) {NUMBERS} CONCAT('name ', i), i FROM n;
                 INSERT INTO paired (a, b, c, n) {NUMBERS} i % 7, CONCAT('b', i), 'c', i FROM n;
                 INSERT INTO computed (id, n) {NUMBERS} i, i FROM n;
                 INSERT INTO parted (id, region, n, doc) {NUMBERS} i, i % 5, i, '{ROW_VALUE}' FROM n;
                 INSERT INTO listed (id, state, flags, bits, doc) {NUMBERS} i, 'new', 'a', i % 512, '[1]' FROM n;
                 SET sql_mode = ''; UPDATE listed SET state = 'none of them' WHERE id = 1;
                 INSERT INTO unique_too (id, code) {NUMBERS} i, CONCAT('code ', i) FROM n;
                 INSERT INTO child SELECT id, id FROM numbered;"
            ))
            .await?;
        stage.seed().await?;
        stage
            .on_source(&format!(
                "UPDATE numbered SET n = -n, at = at WHERE id % 3 = 0; UPDATE numbered SET note = 'nóte ' WHERE id % 3 = 1;
                 UPDATE numbered SET updated_at = NOW(6), at = at WHERE id % 3 = 2; UPDATE numbered SET n = NULL WHERE id = 6;
                 INSERT INTO numbered (id, n, note) VALUES (-5, 1, ''), (1000, 2, 'new'); UPDATE numbered SET note = 'NOTE',
                   at = at WHERE id = 2;
                 UPDATE named SET name = UPPER(name) WHERE n % 2 = 0; UPDATE named SET name = REPLACE(name, 'a', 'á') WHERE n = 3;
                 INSERT INTO named (name, n) VALUES ('late', 1000);
                 UPDATE paired SET b = UPPER(b), n = -0e0 WHERE a = 3; UPDATE paired SET n = n / 3 WHERE a = 4;
                 UPDATE computed SET n = n + 1; INSERT INTO computed (id, n) VALUES (1000, 5);
                 UPDATE parted SET n = -n WHERE region IN (1, 4); UPDATE parted SET doc = NULL WHERE region = 2;
                 UPDATE parted SET doc = REPEAT('{ROW_VALUE}', 3000) WHERE id = 8;
                 SET sql_mode = ''; UPDATE listed SET bits = 3 WHERE id < 40; UPDATE listed SET doc = '[1.0]' WHERE id = 50;
                 UPDATE listed SET state = 'none of them' WHERE id = 60; UPDATE listed SET state = 'Old', flags = '' WHERE id = 1;
                 START TRANSACTION; UPDATE unique_too SET code = 'away' WHERE id = 1;
                 UPDATE unique_too SET code = 'code 1' WHERE id = 2; UPDATE unique_too SET code = 'code 2' WHERE id = 1; COMMIT;
                 UPDATE unique_too SET code = UPPER(code) WHERE id > 500;"
            ))
            .await?;
        stage.sync_once().await?;
        stage.assert_equal().await
    }

    /// An index that only the target has could stand in the way of any row. Nothing is written past it that would cost
    /// another row, and whoever made it is told (T26).
    async fn an_index_of_the_target_alone_costs_no_row_t26(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "merged_beside").await?;
        stage.policy(NO_SCRUB)?;
        stage
            .on_source(&format!(
                "CREATE TABLE codes (id INT NOT NULL PRIMARY KEY, code INT NOT NULL, {CLOCK});
                 INSERT INTO codes (id, code) {NUMBERS} i, i FROM n;"
            ))
            .await?;
        stage.seed().await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        stage.on_target("CREATE UNIQUE INDEX code ON codes (code);").await?;
        stage.on_source("UPDATE codes SET code = 8 WHERE id = 7;").await?;
        stage.table_is("codes", "quarantined").await?;
        sync.stop().await?.exits(0);
        assert_eq!(stage.target_value::<u64>("SELECT COUNT(*) FROM merged_beside.codes").await?, 600);
        stage.on_target("DROP INDEX code ON codes;").await?;
        stage.run(&["verify", "--repair"]).await?;
        stage.sync_once().await?;
        stage.assert_equal().await
    }

    /// T11: that an index finds the rows of a delta is what the source itself says. Where it would read the whole table, the
    /// plan warns, with the statement to run; after that it does not.
    async fn a_plan_warns_where_a_delta_would_read_a_whole_table_t11(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "merged_unindexed").await?;
        let rule = |table: &str| {
            format!(
                "[[table]]\nmatch = \"merged_unindexed.{table}\"\nclass = \"upd_del\"\nstrategy = \"merge\"\n\
                 mark_column = \"updated_at\"\n"
            )
        };
        stage.policy(&format!("[classify]\nwhole_rows_max = 100\n{}{}", rule("plain"), rule("proved")))?;
        let clock = "updated_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6)";
        stage
            .on_source(&format!(
                "CREATE TABLE plain (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, n INT NOT NULL, {clock});
                 CREATE TABLE proved LIKE plain; CREATE INDEX by_clock ON proved (updated_at);
                 CREATE TABLE added (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, n INT NOT NULL);
                 INSERT INTO plain (n) {NUMBERS} i FROM n; INSERT INTO proved (n) SELECT n FROM plain;
                 INSERT INTO added (n) SELECT n FROM plain; ANALYZE TABLE plain, proved, added;"
            ))
            .await?;
        let warned = stage.run(&["plan"]).await?.exits(0).says(&[
            "merged_unindexed.plain: every cycle reads the whole table",
            "CREATE INDEX `leeward_updated_at` ON `merged_unindexed`.`plain` (`updated_at`)",
        ]);
        assert!(!warned.stdout.contains("merged_unindexed.proved: "), "{}", warned.stdout);
        assert!(!warned.stdout.contains("merged_unindexed.added: "), "{}", warned.stdout);
        stage
            .on_source("CREATE INDEX `leeward_updated_at` ON `merged_unindexed`.`plain` (`updated_at`); ANALYZE TABLE plain;")
            .await?;
        let plan = stage.run(&["plan"]).await?.exits(0).stdout;
        assert!(!plan.contains("CREATE INDEX") && !plan.contains("could not be proved"), "{plan}");
        Ok(())
    }
}
