//! `ddl = "apply"`: tables that appear, change names or change places while the lane goes on.

use anyhow::{Result, ensure};
use leeward_testkit::each_kind;
use leeward_testkit::servers::Kind;

use crate::support::{Stage, Writer, ends_equal, eventually};

const TABLES: &str = "
    CREATE TABLE stays (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, n INT NOT NULL,
      updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), KEY updated (updated_at));
    CREATE TABLE item LIKE stays; INSERT INTO stays (n) VALUES (1), (2); INSERT INTO item (n) VALUES (1), (2), (3);";

async fn prepare(kind: Kind, name: &str, more: &str) -> Result<Stage> {
    let stage = Stage::shared(kind, name).await?;
    stage.policy(&format!(
        "ddl = \"apply\"\n{more}\n[scrub]\npass_interval = \"3s\"\nreconcile_interval = \"1s\"\nsource_share = 0.5\n"
    ))?;
    stage.on_source(TABLES).await?;
    stage.seed().await?;
    Ok(stage)
}

/// Waits until a table that may not be known yet is in one of these states.
async fn comes_to(stage: &Stage, table: &str, states: &[&str]) -> Result<()> {
    let states = states.join("','");
    let sql = format!(
        "SELECT COUNT(*) FROM leeward.table_state WHERE lane='{}' AND table_name='{table}' AND state IN ('{states}')",
        stage.database
    );
    eventually(
        &format!("{table} is {states}"),
        async || Ok((stage.target_value::<u64>(&sql).await? == 1).then_some(())),
    )
    .await
}

/// Returns how often the lane was anything but live since it began to be.
async fn times_not_live(stage: &Stage) -> Result<u64> {
    let sql = format!(
        "SELECT COUNT(*) FROM leeward.event WHERE lane='{}' AND kind='lane_state' AND text LIKE 'catching up%'",
        stage.database
    );
    stage.target_value(&sql).await
}

each_kind! {
    /// New tables of each strategy, bound to old ones by foreign keys in both directions, are filled beside a lane that
    /// stays live, and written all the while.
    async fn new_tables_are_filled_while_the_lane_stays_live(kind: Kind) -> Result<()> {
        let stage = prepare(kind, "new_filled", "").await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        let before = times_not_live(&stage).await?;
        let rows: Vec<String> = (1..=20_000).map(|n| format!("({n})")).collect();
        let made = format!(
            "CREATE TABLE fresh (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, n INT NOT NULL, item INT NULL,
               updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
               KEY updated (updated_at), CONSTRAINT fresh_item FOREIGN KEY (item) REFERENCES item (id));
             INSERT INTO fresh (n) VALUES {0};
             CREATE TABLE plain (id INT NOT NULL PRIMARY KEY, v TEXT); INSERT INTO plain VALUES (1, 'a'), (2, NULL);
             CREATE TABLE keyless (a INT, b TEXT); INSERT INTO keyless VALUES (1, 'x'), (1, 'x'), (NULL, NULL);
             ALTER TABLE item ADD COLUMN fresh INT NULL,
               ADD CONSTRAINT item_fresh FOREIGN KEY (fresh) REFERENCES fresh (id);",
            rows.join(",")
        );
        let writes = [
            "INSERT INTO stays (n) VALUES ({n})",
            "INSERT INTO fresh (n, item) VALUES ({n}, 1)",
            "UPDATE fresh SET n = n + 1 WHERE id <= 5000 AND id % 50 = {n} % 50",
            "INSERT INTO plain VALUES ({n} + 100, 'w')",
        ];
        let writer = Writer::start(&stage, &writes).await?;
        stage.on_source(&made).await?;
        for table in ["fresh", "plain", "keyless"] {
            comes_to(&stage, table, &["live"]).await?;
        }
        writer.stop().await?;
        ensure!(times_not_live(&stage).await? == before, "the lane stayed live:\n{}", sync.stderr());
        ends_equal(&stage, sync).await
    }

    /// While a table is being filled the target is not ready, and says why.
    async fn a_target_whose_new_table_is_not_filled_is_not_ready(kind: Kind) -> Result<()> {
        let stage = prepare(kind, "new_ready", "").await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        // A transaction that was open before the table came keeps it from being proved.
        let mut open = stage.source_conn().await?;
        mysql_async::prelude::Queryable::query_drop(&mut open, "START TRANSACTION; INSERT INTO stays (n) VALUES (7)").await?;
        stage.on_source("CREATE TABLE fresh LIKE stays; INSERT INTO fresh (n) VALUES (1);").await?;
        comes_to(&stage, "fresh", &["joining"]).await?;
        stage.run(&["readiness"]).await?.exits(2).says(&["new_ready.fresh"]);
        stage.run(&["status"]).await?.says(&["new_ready.fresh", "joining"]);
        mysql_async::prelude::Queryable::query_drop(&mut open, "COMMIT").await?;
        open.disconnect().await?;
        comes_to(&stage, "fresh", &["live"]).await?;
        ends_equal(&stage, sync).await
    }

    /// What cannot be kept is told of as left out; what belongs to a schema change tool is left alone.
    async fn new_tables_that_cannot_be_kept_are_told_of(kind: Kind) -> Result<()> {
        let stage = prepare(kind, "new_left", "").await?;
        let mut sync = stage.start_sync()?;
        stage.caught_up().await?;
        stage.on_source("CREATE TABLE old_engine (id INT PRIMARY KEY) ENGINE=MyISAM; CREATE TABLE _item_gho LIKE item;").await?;
        sync.says("new_left.old_engine is new on the source and is left out").await?;
        sync.says("new_left._item_gho is new on the source and is left out").await?;
        stage.run(&["readiness"]).await?.exits(2).says(&["old_engine"]);
        stage.on_source("DROP TABLE old_engine; DROP TABLE _item_gho;").await?;
        eventually("both leave the plan", async || {
            let left = stage.status().await?["left_out"].as_array().map_or(0, Vec::len);
            Ok((left == 0).then_some(()))
        })
        .await?;
        ends_equal(&stage, sync).await
    }

    /// The new name is a new table; the old copy stays for a person, who is told the statement.
    async fn a_renamed_table_is_taken_in_under_its_new_name(kind: Kind) -> Result<()> {
        let stage = prepare(kind, "new_name", "").await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        stage.on_source("RENAME TABLE item TO thing; INSERT INTO thing (n) VALUES (9);").await?;
        comes_to(&stage, "thing", &["live"]).await?;
        comes_to(&stage, "item", &["quarantined"]).await?;
        stage.on_target("DROP TABLE item;").await?;
        ends_equal(&stage, sync).await
    }

    /// What gh-ost does: a ghost is made, filled and changed, then both names are swapped at once, under writes.
    async fn a_table_swapped_by_a_schema_change_tool_goes_on(kind: Kind) -> Result<()> {
        let stage = prepare(kind, "new_swap", "").await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        let writer = Writer::start(&stage, &["INSERT INTO stays (n) VALUES ({n})"]).await?;
        stage
            .on_source(
                "CREATE TABLE _item_gho LIKE item; ALTER TABLE _item_gho ADD COLUMN c INT NOT NULL DEFAULT 4, MODIFY n BIGINT;
                 INSERT INTO _item_gho (id, n, updated_at) SELECT id, n, updated_at FROM item; UPDATE item SET n = n + 1;
                 REPLACE INTO _item_gho (id, n, updated_at) SELECT id, n, updated_at FROM item;
                 RENAME TABLE item TO _item_del, _item_gho TO item; INSERT INTO item (n, c) VALUES (8, 8);",
            )
            .await?;
        eventually("the swapped table is as on the source", async || {
            let sql = "SELECT COUNT(*) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA='new_swap' AND TABLE_NAME='item' AND COLUMN_NAME='c'";
            Ok((stage.target_value::<u64>(sql).await? == 1).then_some(()))
        })
        .await?;
        stage.on_source("DROP TABLE _item_del;").await?;
        writer.stop().await?;
        ends_equal(&stage, sync).await
    }

    /// Killed between any two steps of taking a table in, the next process goes on.
    async fn whoever_is_killed_while_a_table_is_taken_in_the_next_one_goes_on(kind: Kind) -> Result<()> {
        let stage = prepare(kind, "new_kill", "").await?;
        let mut sync = stage.start_sync()?;
        stage.caught_up().await?;
        let rows: Vec<String> = (1..=3_000).map(|n| format!("({n})")).collect();
        let moments = ["is taken in", "is being copied while", "has been copied and is compared"];
        for (round, moment) in moments.iter().enumerate() {
            let made = format!("CREATE TABLE fresh{round} LIKE stays; INSERT INTO fresh{round} (n) VALUES {};", rows.join(","));
            stage.on_source(&made).await?;
            sync.says(moment).await?;
            sync.kill().await?;
            sync = stage.start_sync()?;
        }
        ends_equal(&stage, sync).await
    }
}
