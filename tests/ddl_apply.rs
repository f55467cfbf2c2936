//! `ddl = "apply"`: what can lose nothing is made on the target by Leeward itself while the other tables go on; everything
//! else waits for a person, with the reason.

use anyhow::{Context, Result, ensure};
use leeward_testkit::each_kind;
use leeward_testkit::servers::Kind;
use mysql_async::prelude::Queryable;

use crate::support::{Stage, Writer, assert_same_definitions, ends_equal, eventually};

const TABLES: &str = "
    CREATE TABLE stays (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, n INT NOT NULL,
      updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), KEY updated (updated_at));
    CREATE TABLE grows (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, n INT NOT NULL, v VARCHAR(10), e ENUM('a','b'),
      updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), KEY updated (updated_at));
    INSERT INTO stays (n) VALUES (1), (2); INSERT INTO grows (n, v, e) VALUES (1, 'x', 'a'), (2, 'y', 'b'), (3, NULL, NULL);";

/// Writes to both tables that survive whatever is done to `grows`.
const WRITES: [&str; 4] = [
    "INSERT INTO stays (n) VALUES ({n})",
    "INSERT INTO grows (n) VALUES ({n})",
    "UPDATE grows SET n = n + 1 WHERE id % 7 = {n} % 7",
    "DELETE FROM grows WHERE id = {n} - 40",
];

/// Comparisons often enough for a test to wait for them.
const SCRUB: &str = "[scrub]\npass_interval = \"3s\"\nreconcile_interval = \"1s\"\nsource_share = 0.5\n";

async fn prepare(kind: Kind, name: &str, tables: &str) -> Result<Stage> {
    let stage = Stage::shared(kind, name).await?;
    stage.policy(&format!("ddl = \"apply\"\n{SCRUB}"))?;
    stage.on_source(tables).await?;
    stage.seed().await?;
    Ok(stage)
}

/// Waits until a table is quarantined with such a reason and remedy, and returns the remedy.
async fn waits(stage: &Stage, table: &str, (reason, remedy): (&str, &str)) -> Result<String> {
    eventually(&format!("{table} waits: {reason}; {remedy}"), async || {
        let line = stage.table_status(table).await?;
        let has = |key: &str, text: &str| line[key].as_str().unwrap_or_default().contains(text);
        let found = line["state"] == "quarantined" && has("reason", reason) && has("remedy", remedy);
        Ok(found.then(|| line["remedy"].as_str().unwrap_or_default().to_owned()))
    })
    .await
}

/// Waits until the event of an ALTER that was run holds a text.
async fn applied(stage: &Stage, text: &str) -> Result<()> {
    let text = text.replace('\'', "''");
    let sql = format!(
        "SELECT COUNT(*) FROM leeward.event WHERE lane='{}' AND kind='ddl_applied' AND text LIKE '%{text}%'",
        stage.database
    );
    eventually(&format!("{text} was applied"), async || Ok((stage.target_value::<u64>(&sql).await? > 0).then_some(())))
        .await
}

each_kind! {
    /// Each change is made on the target while both tables are written, and the other table never waits.
    async fn changes_that_lose_nothing_are_made_on_the_target(kind: Kind) -> Result<()> {
        let stage = prepare(kind, "apply_each", TABLES).await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        let writer = Writer::start(&stage, &WRITES).await?;
        for (change, said) in [
            ("ADD COLUMN c VARCHAR(20) NOT NULL DEFAULT 'grey' AFTER id", "ADD COLUMN `c`"),
            ("MODIFY COLUMN n BIGINT NOT NULL, MODIFY COLUMN v VARCHAR(40)", "MODIFY COLUMN `v`"),
            ("MODIFY COLUMN e ENUM('a','b','c')", "'c'"),
            ("RENAME COLUMN c TO colour", "RENAME COLUMN `c` TO `colour`"),
            ("ADD KEY of_colour (colour), ADD KEY two (n, colour)", "ADD KEY `of_colour`"),
            ("DROP KEY two, COMMENT 'it grows'", "DROP KEY `two`"),
            ("ALTER COLUMN colour SET DEFAULT 'red'", "DEFAULT 'red'"),
            ("ADD COLUMN g INT AS (n + 1) VIRTUAL, ADD KEY (g)", "ADD COLUMN `g`"),
            ("DROP COLUMN v", "DROP COLUMN `v`"),
        ] {
            stage.on_source(&format!("ALTER TABLE grows {change};")).await?;
            applied(&stage, said).await.with_context(|| change.to_owned())?;
            stage.caught_up().await?;
        }
        ensure!(writer.stop().await? > 100, "the writer hardly wrote");
        let waited: u64 = stage
            .target_value("SELECT COUNT(*) FROM leeward.event WHERE lane='apply_each' AND kind='quarantine' AND table_name='stays'")
            .await?;
        ensure!(waited == 0, "the other table went on");
        ends_equal(&stage, sync).await
    }

    /// What no ALTER can be trusted with is printed with the reason, and returns once a person has run it.
    async fn what_could_lose_something_waits_for_a_person(kind: Kind) -> Result<()> {
        let stage = prepare(kind, "apply_person", TABLES).await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        for (change, why) in [
            ("MODIFY COLUMN n SMALLINT NOT NULL", "may not fit"),
            ("MODIFY COLUMN v VARCHAR(10) CHARACTER SET latin1", "collation"),
            ("MODIFY COLUMN v INT", "another kind"),
            ("DROP PRIMARY KEY, ADD PRIMARY KEY (id, n)", "row key"),
        ] {
            let clean = "UPDATE grows SET v = NULL;";
            stage.on_source(&format!("{clean} ALTER TABLE grows {change}; INSERT INTO grows (n) VALUES (9);")).await?;
            let remedy = waits(&stage, "grows", (why, "run on the target: ALTER TABLE")).await?;
            stage.on_source("INSERT INTO stays (n) VALUES (9);").await?;
            stage.caught_up().await?;
            stage.run(&["status"]).await?.exits(2).says(&["ALTER TABLE"]);
            let (_, statement) = remedy.split_once("run on the target: ").context("a statement")?;
            stage.target().exec_script(&format!("UPDATE {0}.grows SET v = NULL; {statement};", stage.database)).await?;
            stage.table_is("grows", "live").await?;
        }
        ends_equal(&stage, sync).await
    }

    /// A reader that holds a table on the target delays the ALTER, and no cycle.
    async fn a_reader_on_the_target_delays_the_alter_and_not_the_lane(kind: Kind) -> Result<()> {
        let stage = prepare(kind, "apply_reader", TABLES).await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        let mut reader = stage.target().connect().await?;
        reader.query_drop("START TRANSACTION").await?;
        let rows: Vec<u64> = reader.query("SELECT COUNT(*) FROM apply_reader.grows").await?;
        ensure!(rows == [3]);
        stage.on_source("ALTER TABLE grows ADD COLUMN c INT; INSERT INTO grows (n, c) VALUES (4, 4);").await?;
        waits(&stage, "grows", ("is added", "somebody holds the table on the target")).await?;
        stage.on_source("INSERT INTO stays (n) VALUES (9);").await?;
        stage.caught_up().await?;
        reader.query_drop("COMMIT").await?;
        reader.disconnect().await?;
        applied(&stage, "ADD COLUMN `c`").await?;
        ends_equal(&stage, sync).await
    }

    /// The new column's values differ in every row, far past the brake: they were never Leeward's to protect.
    async fn a_new_column_is_filled_in_every_row(kind: Kind) -> Result<()> {
        let stage = prepare(kind, "apply_fill", TABLES).await?;
        let rows: Vec<String> = (0..3_000).map(|n| format!("({n})")).collect();
        stage.on_source(&format!("INSERT INTO grows (n) VALUES {};", rows.join(","))).await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        let change = "ALTER TABLE grows ADD COLUMN made DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), ADD COLUMN x INT; \
                      UPDATE grows SET x = id, updated_at = updated_at;";
        stage.on_source(change).await?;
        applied(&stage, "ADD COLUMN `made`").await?;
        ends_equal(&stage, sync).await
    }

    /// Rows that the source has deleted still stand on the target when the unique index comes: it waits until the scrub
    /// has found them.
    async fn a_unique_index_waits_for_rows_that_are_gone_on_the_source(kind: Kind) -> Result<()> {
        let stage = prepare(kind, "apply_unique", TABLES).await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        let change = "INSERT INTO grows (n, v) VALUES (7, 'twice'), (8, 'twice');";
        stage.on_source(change).await?;
        stage.caught_up().await?;
        stage.on_source("DELETE FROM grows WHERE n = 7; ALTER TABLE grows ADD UNIQUE KEY u (v);").await?;
        eventually("the index is there", async || {
            let sql = "SELECT COUNT(*) FROM information_schema.STATISTICS WHERE TABLE_SCHEMA='apply_unique' \
                       AND INDEX_NAME='u'";
            Ok((stage.target_value::<u64>(sql).await? == 1).then_some(()))
        })
        .await?;
        ends_equal(&stage, sync).await
    }

    /// Indexes for which the server must keep rows from being written are built while the table waits.
    async fn an_index_that_cannot_be_built_beside_writes_is_built_while_the_table_waits(kind: Kind) -> Result<()> {
        let stage = prepare(kind, "apply_text", TABLES).await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        stage.on_source("ALTER TABLE grows ADD FULLTEXT KEY f (v);").await?;
        applied(&stage, "FULLTEXT").await?;
        ends_equal(&stage, sync).await
    }

    /// The usual order of a careful person: the target first.
    async fn a_change_made_on_the_target_by_hand_is_accepted(kind: Kind) -> Result<()> {
        let stage = prepare(kind, "apply_hand", TABLES).await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        stage.on_target("ALTER TABLE grows ADD COLUMN c INT NULL;").await?;
        waits(&stage, "grows", ("on the target only", "DROP COLUMN `c`")).await?;
        stage.on_source("ALTER TABLE grows ADD COLUMN c INT NULL; INSERT INTO grows (n, c) VALUES (5, 5);").await?;
        stage.table_is("grows", "live").await?;
        ends_equal(&stage, sync).await
    }

    /// An index that somebody made on the target for a report is not the source's to drop.
    async fn an_index_of_the_target_alone_is_left_alone(kind: Kind) -> Result<()> {
        let stage = prepare(kind, "apply_report", TABLES).await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        stage.on_target("ALTER TABLE grows ADD KEY report (n);").await?;
        stage.on_source("ALTER TABLE grows ADD COLUMN c INT; INSERT INTO grows (n, c) VALUES (4, 4);").await?;
        applied(&stage, "ADD COLUMN `c`").await?;
        stage.table_is("grows", "live").await?;
        stage.on_target("ALTER TABLE grows DROP KEY report;").await?;
        ends_equal(&stage, sync).await
    }

    /// One table may be changed by Leeward where the others are reported, and the other way round.
    async fn a_rule_decides_for_its_table(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "apply_rule").await?;
        stage.policy(&format!("[[table]]\nmatch = \"apply_rule.grows\"\nddl = \"apply\"\n{SCRUB}"))?;
        stage.on_source(TABLES).await?;
        stage.seed().await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        stage.on_source("ALTER TABLE grows ADD COLUMN c INT; ALTER TABLE stays ADD COLUMN c INT;").await?;
        applied(&stage, "ADD COLUMN `c`").await?;
        let remedy = waits(&stage, "stays", ("is added", "run on the target: ALTER TABLE")).await?;
        let (_, statement) = remedy.split_once("run on the target: ").context("a statement")?;
        stage.target().exec_script(&format!("{statement};")).await?;
        ends_equal(&stage, sync).await
    }

    /// One run, started for it, takes the change over before it ends.
    async fn sync_once_ends_when_the_change_has_been_made(kind: Kind) -> Result<()> {
        let stage = prepare(kind, "apply_once", TABLES).await?;
        stage.on_source("ALTER TABLE grows ADD COLUMN c INT, DROP COLUMN e; INSERT INTO grows (n, c) VALUES (4, 4);").await?;
        stage.sync_once().await?;
        assert_same_definitions(&stage).await?;
        stage.assert_equal().await
    }

    /// Killed between any two steps, the next process goes on.
    async fn whoever_is_killed_in_a_change_the_next_one_goes_on(kind: Kind) -> Result<()> {
        let stage = prepare(kind, "apply_kill", TABLES).await?;
        let rows: Vec<String> = (0..5_000).map(|n| format!("({n},'x')")).collect();
        stage.on_source(&format!("INSERT INTO grows (n, v) VALUES {};", rows.join(","))).await?;
        let mut sync = stage.start_sync()?;
        stage.caught_up().await?;
        // Deletes of a time in which nobody looked would be the brake's to stop.
        let writer = Writer::start(&stage, &WRITES[..3]).await?;
        // What it says in turn, from before the first ALTER to after the last.
        let moments = [
            "looking at definitions",
            "the definition of apply_kill.grows differs",
            "altering on the target",
            "was altered on the target",
            "is caught up and compared again",
            "ADD KEY",
        ];
        for (round, moment) in moments.iter().enumerate() {
            let change = format!("ADD COLUMN c{round} INT NOT NULL DEFAULT {round}, ADD KEY k{round} (c{round})");
            stage.on_source(&format!("ALTER TABLE grows {change};")).await?;
            sync.says(moment).await?;
            sync.kill().await?;
            sync = stage.start_sync()?;
        }
        writer.stop().await?;
        ends_equal(&stage, sync).await
    }

    /// A copy is never dropped by Leeward; the statement is named, and a table that is gone on both sides leaves the plan.
    async fn a_dropped_table_is_kept_and_its_drop_is_named(kind: Kind) -> Result<()> {
        let stage = prepare(kind, "apply_drop", TABLES).await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        stage.on_source("DROP TABLE grows; INSERT INTO stays (n) VALUES (9);").await?;
        let drop = "DROP TABLE `apply_drop`.`grows`";
        waits(&stage, "grows", ("gone on the source", drop)).await?;
        stage.caught_up().await?;
        ensure!(stage.target_value::<u64>("SELECT COUNT(*) FROM apply_drop.grows").await? == 3);
        stage.target().exec_script(&format!("{drop};")).await?;
        eventually("it leaves the plan", async || {
            let status = stage.status().await?;
            Ok((status["tables"].as_array().is_some_and(|tables| tables.len() == 1)).then_some(()))
        })
        .await?;
        stage.run(&["status"]).await?.exits(0);
        ends_equal(&stage, sync).await
    }
}
