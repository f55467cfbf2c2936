//! Definitions that change while a lane runs: only the table concerned waits, its remedy is named, and it returns by
//! itself.

use anyhow::{Context, Result};
use leeward_testkit::each_kind;
use leeward_testkit::servers::Kind;

use crate::support::{Stage, eventually};

const TABLES: &str = "
    CREATE TABLE stays (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, n INT NOT NULL,
      updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), KEY updated (updated_at));
    CREATE TABLE goes LIKE stays;
    CREATE TABLE grows LIKE stays;
    INSERT INTO stays (n) VALUES (1), (2); INSERT INTO goes (n) VALUES (1), (2); INSERT INTO grows (n) VALUES (1), (2);";

async fn prepare(kind: Kind, name: &str) -> Result<Stage> {
    let stage = Stage::shared(kind, name).await?;
    stage.on_source(TABLES).await?;
    stage.seed().await?;
    Ok(stage)
}

/// Waits until a table is quarantined and status names a remedy that holds a text, and returns the remedy.
async fn remedy(stage: &Stage, table: &str, text: &str) -> Result<String> {
    eventually(&format!("{table} is quarantined with the remedy {text}"), async || {
        let line = stage.table_status(table).await?;
        let remedy = line["remedy"].as_str().unwrap_or_default().to_owned();
        Ok((line["state"] == "quarantined" && remedy.contains(text)).then_some(remedy))
    })
    .await
}

fn statement(remedy: &str) -> Result<String> {
    let (_, statement) =
        remedy.split_once("run on the target: ").with_context(|| format!("no statement in {remedy:?}"))?;
    Ok(format!("{statement};"))
}

async fn rows(stage: &Stage, table: &str) -> Result<u64> {
    stage.target_value(&format!("SELECT COUNT(*) FROM {}.{table}", stage.database)).await
}

each_kind! {
    /// A dropped table is the only one that waits. Its copy stays; created again as it was, it returns by itself.
    async fn a_table_dropped_in_mid_cycle_is_the_only_one_that_waits(kind: Kind) -> Result<()> {
        let stage = prepare(kind, "ddl_drop").await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        stage.on_source("DROP TABLE goes; INSERT INTO stays (n) VALUES (3);").await?;
        remedy(&stage, "goes", "leeward plan").await?;
        stage.on_source("INSERT INTO stays (n) VALUES (4);").await?;
        stage.caught_up().await?;
        assert_eq!((rows(&stage, "stays").await?, rows(&stage, "goes").await?), (4, 2));
        stage.run(&["status"]).await?.exits(2).says(&["ddl_drop.goes", "quarantined"]);
        assert_eq!(stage.table_status("stays").await?["state"], "live");
        stage.on_source("CREATE TABLE goes LIKE stays; INSERT INTO goes (n) VALUES (7);").await?;
        stage.table_is("goes", "live").await?;
        stage.caught_up().await?;
        sync.stop().await?.exits(0);
        stage.assert_equal().await
    }

    /// Columns that are added, changed and dropped on the source: status prints the ALTER; once it has been run on the
    /// target, the table catches up by itself (T12).
    async fn a_changed_definition_waits_for_the_alter_that_status_prints_t12(kind: Kind) -> Result<()> {
        let stage = prepare(kind, "ddl_alter").await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        let changes = [
            "ALTER TABLE grows ADD COLUMN colour VARCHAR(20) NOT NULL DEFAULT 'grey' AFTER id",
            "ALTER TABLE grows MODIFY COLUMN n BIGINT NOT NULL, ADD KEY of_colour (colour)",
            "ALTER TABLE grows DROP COLUMN colour",
        ];
        for change in changes {
            stage.on_source(&format!("{change}; INSERT INTO grows (n) VALUES (5); INSERT INTO stays (n) VALUES (5);")).await?;
            let said = remedy(&stage, "grows", "ALTER TABLE").await?;
            stage.run(&["status"]).await?.exits(2).says(&["ALTER TABLE"]);
            stage.caught_up().await?;
            stage.target().exec_script(&statement(&said)?).await?;
            stage.table_is("grows", "live").await?;
            stage.caught_up().await?;
        }
        sync.stop().await?.exits(0);
        stage.assert_equal().await?;
        stage.run(&["verify"]).await?.exits(0);
        Ok(())
    }

    /// An index keeps no row from being written: the table goes on, and status says what to run until it has been run, whichever
    /// process found it.
    async fn an_index_is_told_of_until_the_target_has_it_and_nothing_waits(kind: Kind) -> Result<()> {
        let stage = prepare(kind, "ddl_index").await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        stage.on_source("ALTER TABLE grows ADD KEY of_n (n); INSERT INTO grows (n) VALUES (5);").await?;
        let beside = async |stage: &Stage| Ok(stage.table_status("grows").await?["beside"].as_str().map(str::to_owned));
        let said = eventually("status tells of the index", async || beside(&stage).await).await?;
        sync.kill().await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        stage.run(&["status"]).await?.exits(0).says(&["ADD KEY `of_n`"]);
        assert_eq!(rows(&stage, "grows").await?, 3);
        stage.target().exec_script(&statement(&said)?).await?;
        let closed = async || Ok(beside(&stage).await?.is_none().then_some(()));
        eventually("status tells of nothing", closed).await?;
        let told: u32 = stage
            .target_value("SELECT COUNT(*) FROM leeward.event WHERE lane='ddl_index' AND text LIKE '%of_n%'")
            .await?;
        assert_eq!(told, 1, "each process says it again");
        sync.stop().await?.exits(0);
        stage.assert_equal().await
    }

    /// A new table is not copied silently and not forgotten silently: it is told of, and planned and seeded when asked.
    async fn a_table_that_the_plan_does_not_know_is_told_of(kind: Kind) -> Result<()> {
        let stage = prepare(kind, "ddl_new").await?;
        let mut sync = stage.start_sync()?;
        stage.caught_up().await?;
        stage.on_source("CREATE TABLE newcomer (id INT NOT NULL PRIMARY KEY); INSERT INTO newcomer VALUES (1);").await?;
        sync.says("ddl_new.newcomer").await?;
        sync.stop().await?.exits(0);
        stage.run(&["readiness"]).await?.exits(2).says(&["newcomer"]);
        stage.seed().await?;
        stage.sync_once().await?;
        stage.assert_equal().await
    }

    /// A table that somebody drops or changes on the target is not written into another shape.
    async fn a_definition_changed_on_the_target_waits_as_well(kind: Kind) -> Result<()> {
        let stage = prepare(kind, "ddl_target").await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        stage.on_target("ALTER TABLE grows DROP COLUMN n; DROP TABLE goes;").await?;
        let grows = remedy(&stage, "grows", "ALTER TABLE").await?;
        let goes = remedy(&stage, "goes", "CREATE TABLE").await?;
        stage.on_source("INSERT INTO stays (n) VALUES (9);").await?;
        stage.caught_up().await?;
        stage.target().exec_script(&statement(&grows)?).await?;
        stage.on_target(&statement(&goes)?).await?;
        stage.table_is("grows", "live").await?;
        stage.table_is("goes", "live").await?;
        stage.caught_up().await?;
        sync.stop().await?.exits(0);
        stage.assert_equal().await
    }
}
