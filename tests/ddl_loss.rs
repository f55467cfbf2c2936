//! What the copy is the last to hold while definitions change: nothing of it goes without a person.

use anyhow::{Result, ensure};
use leeward_testkit::each_kind;
use leeward_testkit::servers::Kind;
use mysql_async::prelude::Queryable;
use rustix::process::Signal;

use crate::support::{Stage, eventually};

const POLICY: &str = "ddl = \"apply\"\n[brake]\nrows = 5\nshare = 0.0\n\
                      [scrub]\npass_interval = \"3s\"\nreconcile_interval = \"1s\"\nsource_share = 0.5\n";

const COLUMNS: &str = "id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, n INT NOT NULL,
    updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), KEY updated (updated_at)";

/// Makes a table of 20 rows with a further column, and another that nobody touches, and copies both.
async fn prepare(kind: Kind, name: &str) -> Result<Stage> {
    let stage = Stage::shared(kind, name).await?;
    stage.policy(POLICY)?;
    let rows: Vec<String> = (1..=20).map(|n| format!("({n},'kept')")).collect();
    stage
        .on_source(&format!(
            "CREATE TABLE t ({COLUMNS}, v VARCHAR(10)); CREATE TABLE other ({COLUMNS});
             INSERT INTO t (n, v) VALUES {}; INSERT INTO other (n) VALUES (1);",
            rows.join(",")
        ))
        .await?;
    stage.seed().await?;
    Ok(stage)
}

/// Waits until the table is quarantined and status says so in such words.
async fn waits(stage: &Stage, words: &str) -> Result<()> {
    let name = format!("{}.t", stage.database);
    eventually(&format!("t waits: {words}"), async || {
        let status = stage.status().await?;
        let line =
            status["tables"].as_array().and_then(|all| all.iter().find(|line| line["name"] == name.as_str()).cloned());
        let Some(line) = line else { return Ok(None) };
        let said =
            format!("{}; {}", line["reason"].as_str().unwrap_or_default(), line["remedy"].as_str().unwrap_or_default());
        Ok((line["state"] == "quarantined" && said.contains(words)).then_some(()))
    })
    .await
}

async fn kept(stage: &Stage, condition: &str) -> Result<()> {
    let sql = format!("SELECT COUNT(*) FROM {}.t WHERE {condition}", stage.database);
    let rows: u64 = stage.target_value(&sql).await?;
    ensure!(rows == 20, "{rows} rows of the copy are as they were");
    Ok(())
}

each_kind! {
    /// What `DROP TABLE` and a migration run on the wrong server look like: the copy keeps rows and columns.
    async fn a_table_made_again_with_fewer_columns_takes_nothing_from_its_copy(kind: Kind) -> Result<()> {
        let stage = prepare(kind, "loss_fewer").await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        stage.on_source(&format!("DROP TABLE t; CREATE TABLE t ({COLUMNS}); INSERT INTO other (n) VALUES (2);")).await?;
        waits(&stage, "made again").await?;
        waits(&stage, "run on the target: ALTER TABLE").await?;
        kept(&stage, "v = 'kept'").await?;
        stage.caught_up().await?;
        // A person who knows better runs the statement; then the brake asks about the rows.
        stage.on_target("ALTER TABLE t DROP COLUMN v;").await?;
        waits(&stage, "leeward accept loss_fewer.t").await?;
        kept(&stage, "TRUE").await?;
        sync.stop().await?.exits(0);
        Ok(())
    }

    /// A column that came is no reason to overwrite what the other columns hold.
    async fn a_table_made_again_with_one_more_column_meets_the_brake(kind: Kind) -> Result<()> {
        let stage = prepare(kind, "loss_more").await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        // Stamps of long ago, so that comparing alone shows what has become of the rows.
        let rows: Vec<String> = (1..=20).map(|n| format!("({n},'other','2001-01-01')")).collect();
        stage
            .on_source(&format!(
                "DROP TABLE t; CREATE TABLE t ({COLUMNS}, v VARCHAR(10), more INT NOT NULL DEFAULT 7);
                 INSERT INTO t (n, v, updated_at) VALUES {};",
                rows.join(",")
            ))
            .await?;
        waits(&stage, "leeward accept loss_more.t").await?;
        kept(&stage, "v = 'kept'").await?;
        sync.stop().await?.exits(0);
        stage.run(&["accept", "loss_more.t"]).await?.exits(0);
        let sync = stage.start_sync()?;
        stage.table_is("t", "live").await?;
        stage.all_scrubbed().await?;
        sync.stop().await?.exits(0);
        stage.assert_equal().await
    }

    /// What a new column holds is brought past the brake, and the brake is at its full limit afterwards.
    async fn filling_a_new_column_leaves_the_brake_as_it_was(kind: Kind) -> Result<()> {
        let stage = prepare(kind, "loss_brake").await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        stage.on_source("ALTER TABLE t ADD COLUMN c INT; UPDATE t SET c = id, updated_at = updated_at;").await?;
        eventually("the column is filled", async || {
            let filled: Option<u64> = stage.target_value("SELECT COUNT(*) FROM information_schema.COLUMNS \
                WHERE TABLE_SCHEMA='loss_brake' AND TABLE_NAME='t' AND COLUMN_NAME='c'").await?;
            if filled != Some(1) {
                return Ok(None);
            }
            let filled: u64 = stage.target_value("SELECT COUNT(*) FROM loss_brake.t WHERE c = id").await?;
            Ok((filled == 20).then_some(()))
        })
        .await?;
        stage.table_is("t", "live").await?;
        stage.on_source("DELETE FROM t WHERE id <= 3;").await?;
        eventually("three rows are deleted", async || {
            Ok((stage.target_value::<u64>("SELECT COUNT(*) FROM loss_brake.t").await? == 17).then_some(()))
        })
        .await?;
        let stopped: u64 = stage
            .target_value("SELECT COUNT(*) FROM leeward.event WHERE lane='loss_brake' AND text LIKE '%the brake allows%'")
            .await?;
        ensure!(stopped == 0, "the brake stopped it:\n{}", sync.stderr());
        stage.on_source("DELETE FROM t WHERE id <= 12;").await?;
        waits(&stage, "leeward accept loss_brake.t").await?;
        sync.stop().await?.exits(0);
        Ok(())
    }

    /// Both sides were altered while nobody looked: what the new column holds was never compared.
    async fn what_was_altered_on_both_sides_is_compared_before_it_counts(kind: Kind) -> Result<()> {
        let stage = prepare(kind, "loss_both").await?;
        stage.on_target("ALTER TABLE t ADD COLUMN c INT NOT NULL DEFAULT 1;").await?;
        stage.on_source("ALTER TABLE t ADD COLUMN c INT NOT NULL DEFAULT 2;").await?;
        stage.on_target("ALTER TABLE t ALTER COLUMN c SET DEFAULT 2;").await?;
        stage.sync_once().await?;
        let equal: u64 = stage.target_value("SELECT COUNT(*) FROM loss_both.t WHERE c = 2").await?;
        ensure!(equal == 20, "{equal} rows hold what the source's do");
        stage.assert_equal().await
    }

    /// A process that slept through the loss of its lease changes no definition when it wakes up.
    async fn a_process_that_wakes_up_after_another_took_over_alters_nothing(kind: Kind) -> Result<()> {
        let stage = prepare(kind, "loss_sleep").await?;
        let mut first = stage.start_sync()?;
        stage.caught_up().await?;
        // A reader keeps the ALTER from being run, so that the first process still has it before it.
        let mut reader = stage.target().connect().await?;
        reader.query_drop("START TRANSACTION").await?;
        let rows: Vec<u64> = reader.query("SELECT COUNT(*) FROM loss_sleep.t").await?;
        ensure!(rows == [20]);
        stage.on_source("ALTER TABLE t ADD COLUMN c INT;").await?;
        first.says("altering on the target").await?;
        first.signal(Signal::STOP)?;
        let mut second = stage.start_sync()?;
        eventually("the second process has the lease", async || {
            let epoch: u64 = stage.target_value("SELECT epoch FROM leeward.lease WHERE lane='loss_sleep'").await?;
            let taken: u64 = stage
                .target_value("SELECT COUNT(*) FROM leeward.lease WHERE lane='loss_sleep' AND renewed_at > UTC_TIMESTAMP(6) - INTERVAL 5 SECOND")
                .await?;
            Ok((epoch > 2 && taken == 1).then_some(()))
        })
        .await?;
        // What the second would do is taken away, so that only the first could alter.
        stage.on_source("ALTER TABLE t DROP COLUMN c;").await?;
        second.says("is caught up and compared again").await?;
        reader.query_drop("COMMIT").await?;
        reader.disconnect().await?;
        first.signal(Signal::CONT)?;
        first.ended().await?;
        let columns: u64 = stage
            .target_value("SELECT COUNT(*) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA='loss_sleep' AND COLUMN_NAME='c'")
            .await?;
        ensure!(columns == 0, "the process that had lost its lease has altered the table");
        second.stop().await?.exits(0);
        stage.assert_equal().await
    }
}
