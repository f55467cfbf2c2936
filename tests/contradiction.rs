//! Tables that do not keep to their class: what is kept of that, what follows from it by policy, and what the next plan says.

use anyhow::{Context, Result};
use leeward_testkit::each_kind;
use leeward_testkit::servers::Kind;
use serde_json::Value;

use crate::support::{Stage, eventually};

/// A table that is said to be insert-only and yet has a clock; one that is said to be static; one whose clock lies.
const TABLES: &str = "
    CREATE TABLE ledger (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, n INT NOT NULL,
      updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), KEY updated (updated_at));
    CREATE TABLE journal (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, n INT NOT NULL);
    CREATE TABLE country (code CHAR(2) NOT NULL PRIMARY KEY, n INT NOT NULL);
    CREATE TABLE clocked LIKE ledger;
    INSERT INTO ledger (n) VALUES (1), (2), (3), (4); INSERT INTO journal (n) VALUES (1), (2), (3), (4);
    INSERT INTO country VALUES ('at', 1), ('ch', 2), ('de', 3); INSERT INTO clocked (n) VALUES (1), (2), (3), (4);";

/// What is done to them: none of it keeps to what was said.
const AGAINST: &str = "
    UPDATE ledger SET n = 20 WHERE id = 2; DELETE FROM journal WHERE id = 3; UPDATE journal SET n = 10 WHERE id = 1;
    INSERT INTO country VALUES ('fr', 4); UPDATE clocked SET n = n + 10, updated_at = updated_at WHERE id <= 2;";

fn declared(on_contradiction: &str, more: &str) -> String {
    format!(
        "on_contradiction = \"{on_contradiction}\"\n[scrub]\npass_interval = \"1s\"\nreconcile_interval = \"1s\"\n\
         [[table]]\nmatch = \"*.{{ledger,journal}}\"\nclass = \"insert_only\"\nstrategy = \"append\"\n{more}\
         [[table]]\nmatch = \"*.country\"\nclass = \"static\"\n"
    )
}

async fn prepare(kind: Kind, name: &str, on_contradiction: &str) -> Result<Stage> {
    let stage = Stage::shared(kind, name).await?;
    stage.policy(&declared(on_contradiction, ""))?;
    stage.on_source(TABLES).await?;
    stage.seed().await?;
    Ok(stage)
}

/// Waits until so many kinds of contradiction are stored of a table, and returns them.
async fn contradictions(stage: &Stage, table: &str, kinds: usize) -> Result<Vec<Value>> {
    eventually(&format!("{table} is contradicted"), async || {
        let record = stage.table_record(table).await?;
        let known = record["contradictions"].as_array().context("contradictions are listed")?;
        Ok((known.len() == kinds).then(|| known.clone()))
    })
    .await
}

/// Returns what status says of one table.
async fn told(stage: &Stage, table: &str) -> Result<Value> {
    let name = format!("{}.{table}", stage.database);
    let status = stage.status().await?;
    let tables = status["tables"].as_array().context("status lists tables")?;
    tables.iter().find(|line| line["name"] == name.as_str()).cloned().with_context(|| format!("{name} is not listed"))
}

async fn demoted(stage: &Stage, table: &str, strategy: &str) -> Result<()> {
    eventually(&format!("{table} is kept by {strategy}"), async || {
        let line = told(stage, table).await?;
        Ok((!line["demoted_from"].is_null() && line["strategy"] == strategy).then_some(()))
    })
    .await
}

each_kind! {
    /// With `demote` a table goes on by the fallback that the plan has printed, without waiting for a person: rows are set
    /// right, the lane stays live, and the next change arrives by the new strategy. Killed in between, it still does.
    async fn a_contradicted_table_goes_on_by_the_fallback_of_the_plan(kind: Kind) -> Result<()> {
        let stage = prepare(kind, "contra_demote", "demote").await?;
        stage.run(&["plan"]).await?.exits(0).says(&[
            "if that is contradicted: upd_del, merge by updated_at, confidence high",
            "if that is contradicted: upd_del, append by id, confidence low",
            "if that is contradicted: upd_del, reconcile, confidence low",
        ]);
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        stage.on_source(AGAINST).await?;
        let found = contradictions(&stage, "ledger", 1).await?;
        assert_eq!((&found[0]["what"], &found[0]["rows"]), (&"row_changed".into(), &1.into()));
        assert!(found[0]["first_at"].is_string() && found[0]["last_at"].is_string(), "{found:?}");
        sync.kill().await?;
        let sync = stage.start_sync()?;
        demoted(&stage, "ledger", "merge").await?;
        contradictions(&stage, "journal", 2).await?;
        demoted(&stage, "journal", "append").await?;
        demoted(&stage, "country", "reconcile").await?;
        let clocked = contradictions(&stage, "clocked", 1).await?;
        assert_eq!((&clocked[0]["what"], &clocked[0]["rows"]), (&"changed_behind_clock".into(), &2.into()));
        assert_eq!(told(&stage, "clocked").await?["confidence"], "low");
        stage.caught_up().await?;
        stage.all_scrubbed().await?;
        stage.assert_equal().await?;

        let applied = async || -> Result<u64> {
            stage.table_record("ledger").await?["rows_applied"].as_u64().context("rows_applied is a number")
        };
        let before = applied().await?;
        stage.on_source("UPDATE ledger SET n = 400 WHERE id = 4; INSERT INTO journal (n) VALUES (5);").await?;
        stage.caught_up().await?;
        assert_eq!(stage.target_value::<i32>("SELECT n FROM contra_demote.ledger WHERE id = 4").await?, 400);
        assert!(applied().await? > before, "the change came by the clock");
        stage.run(&["status"]).await?.exits(0).says(&[
            "contra_demote.ledger was planned as insert_only, which did not hold: it is kept as upd_del by merge",
            "contra_demote.clocked is not as sure as planned",
        ]);
        stage.run(&["readiness", "--output", "json"]).await?.says(&["contra_demote.ledger (insert_only to upd_del)"]);
        sync.stop().await?.exits(0);
        stage.run(&["plan"]).await?.exits(0).says(&[
            "declared insert_only, but comparisons have found 1 row (last 20",
            "declared static, but comparisons have found 1 row (last 20",
            "comparisons have found 2 rows (last 20",
        ]);
        stage.seed().await?;
        assert!(told(&stage, "ledger").await?["demoted_from"].is_null());
        stage.sync_once().await?;
        stage.assert_equal().await
    }

    /// With `repair` the rows are set right and the table goes on as before, less sure. What a person has forgiven no
    /// longer counts, and the plan is what was declared.
    async fn repair_lowers_the_confidence_until_a_person_forgives(kind: Kind) -> Result<()> {
        let stage = prepare(kind, "contra_repair", "repair").await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        stage.on_source(AGAINST).await?;
        contradictions(&stage, "ledger", 1).await?;
        contradictions(&stage, "journal", 2).await?;
        contradictions(&stage, "country", 1).await?;
        stage.all_scrubbed().await?;
        stage.assert_equal().await?;
        let line = told(&stage, "ledger").await?;
        assert_eq!((&line["strategy"], &line["confidence"]), (&"append".into(), &"low".into()));
        stage.run(&["status"]).await?.exits(0).says(&["contra_repair.ledger is not as sure as planned (insert_only, confidence low now): 1 rows changed"]);
        stage.run(&["readiness", "--output", "json"]).await?.says(&["changed against their class"]);
        sync.stop().await?.exits(0);
        let plan = stage.run(&["plan"]).await?.exits(0);
        plan.says(&["what was measured beats"]);
        stage.policy(&declared("repair", "forgiven_until = 2099-12-31\n"))?;
        stage.seed().await?;
        let line = told(&stage, "ledger").await?;
        assert_eq!((&line["strategy"], &line["contradictions"]), (&"append".into(), &serde_json::json!([])));
        Ok(())
    }

    /// With `quarantine` nothing of the table is touched until somebody has looked.
    async fn quarantine_leaves_a_contradicted_table_to_a_person(kind: Kind) -> Result<()> {
        let stage = prepare(kind, "contra_ask", "quarantine").await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        stage.on_source("UPDATE ledger SET n = 20 WHERE id = 2;").await?;
        stage.table_is("ledger", "quarantined").await?;
        assert_eq!(stage.target_value::<i32>("SELECT n FROM contra_ask.ledger WHERE id = 2").await?, 2);
        assert_eq!(contradictions(&stage, "ledger", 1).await?[0]["rows"], 1);
        stage.caught_up().await?;
        stage.run(&["status"]).await?.exits(2).says(&["its class insert_only rules out", "leeward plan"]);
        sync.stop().await?.exits(0);
        stage.run(&["seed"]).await?.exits(2).says(&["leeward verify --repair"]);
        // By its clock, which the new plan follows, the row comes before anything is compared.
        stage.run(&["verify", "--repair"]).await?;
        stage.sync_once().await?;
        stage.assert_equal().await
    }
}
