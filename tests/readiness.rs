//! Doctor and readiness: what they say of servers as they are, and that nothing that is not ready passes for it. Each on
//! servers of its own: the accounts of a server are part of the verdict.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use leeward_testkit::each_kind;
use leeward_testkit::proxy::Link;
use serde_json::Value;

use crate::support::{PASSWORD, Running, Stage, eventually};

const OBJECTS: &str = "
    CREATE TABLE orders (
        id INT AUTO_INCREMENT PRIMARY KEY, customer_id INT NOT NULL,
        updated_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
        KEY (updated_at));
    INSERT INTO orders (customer_id) VALUES (1), (2), (3);
    CREATE VIEW customers AS SELECT DISTINCT customer_id FROM orders;
    CREATE FUNCTION next_id (id INT) RETURNS INT DETERMINISTIC RETURN id + 1;
    CREATE TRIGGER guard BEFORE INSERT ON orders FOR EACH ROW SET NEW.customer_id = ABS(NEW.customer_id);
    CREATE EVENT sweep ON SCHEDULE EVERY 1 DAY DO DELETE FROM orders WHERE customer_id < 0;";

/// Returns the verdict as a program reads it.
async fn verdict(stage: &Stage) -> Result<Value> {
    stage.run(&["readiness", "--output", "json"]).await?.json()
}

fn check<'a>(verdict: &'a Value, id: &str) -> Result<&'a Value> {
    let all = verdict["checks"].as_array().context("the verdict lists its checks")?;
    all.iter().find(|check| check["id"] == id).with_context(|| format!("the verdict holds no {id}"))
}

/// Fails unless one check blocks the verdict, and the verdict is good again once its cause is taken away.
async fn blocks(stage: &Stage, id: &str, (cause, cure): (&str, &str)) -> Result<()> {
    stage.on_target(cause).await.with_context(|| format!("bring about {id}"))?;
    let seen = verdict(stage).await?;
    ensure!(seen["verdict"] == "NOT_READY" && check(&seen, id)?["status"] == "fail", "{id} after {cause}: {seen:#}");
    stage.run(&["readiness"]).await?.exits(2).says(&["NOT_READY", "These block (1)", id, "fix: on the target:"]);
    stage.on_target(cure).await?;
    stage.run(&["readiness"]).await?.exits(0).says(&["READY_WITH_WARNINGS"]);
    Ok(())
}

/// Seeds and keeps a database with objects of every kind.
async fn keep(stage: &Stage) -> Result<Running> {
    stage.on_source(OBJECTS).await?;
    stage.seed().await?;
    let sync = stage.start_sync()?;
    stage.caught_up().await?;
    Ok(sync)
}

each_kind! {
    async fn a_kept_pair_is_ready_and_whatever_is_wrong_with_it_makes_it_not_so(kind: Kind) -> Result<()> {
        let stage = Stage::own(kind, "ready").await?;
        stage.run(&["readiness"]).await?.exits(2).says(&["NOT_READY", "run `leeward seed`", "everything would be lost"]);
        stage.run(&["doctor"]).await?.exits(0).says(&["work can begin"]);
        let sync = keep(&stage).await?;
        stage.run(&["readiness"]).await?.exits(0).says(&["READY_WITH_WARNINGS", "do not apply to self-managed"]);
        let seen = verdict(&stage).await?;
        for id in ["SYNC-01", "SYNC-03", "SYNC-05", "DATA-01", "SCH-01", "SCH-04", "SCH-05", "ACC-01", "PAR-01"] {
            ensure!(check(&seen, id)?["status"] == "pass", "{id}: {seen:#}");
        }
        let live = "CREATE TRIGGER live BEFORE INSERT ON orders FOR EACH ROW SET NEW.customer_id = 0";
        blocks(&stage, "SCH-04", (live, "DROP TRIGGER live")).await?;
        let event = "CREATE EVENT live ON SCHEDULE EVERY 1 DAY DO SELECT 1";
        blocks(&stage, "SCH-05", (event, "DROP EVENT live")).await?;
        let account = format!("CREATE USER shop IDENTIFIED BY '{PASSWORD}'; GRANT UPDATE ON ready.* TO shop");
        blocks(&stage, "ACC-04", (&account, "ALTER USER shop ACCOUNT LOCK")).await?;
        // A role that is an account of its own, too: somebody may log in with it while it is not locked.
        let role = format!("CREATE USER team IDENTIFIED BY '{PASSWORD}'; GRANT team TO shop");
        stage.on_target("DROP USER shop; CREATE USER shop ACCOUNT LOCK").await?;
        if stage.on_target(&role).await.is_ok() {
            blocks(&stage, "ACC-04", ("GRANT INSERT ON ready.* TO team", "ALTER USER team ACCOUNT LOCK")).await?;
        }
        stage.on_source("CREATE TABLE newcomer (id INT PRIMARY KEY)").await?;
        stage.run(&["readiness"]).await?.exits(2).says(&["SYNC-05", "newcomer", "run `leeward plan`"]);
        stage.on_source("DROP TABLE newcomer").await?;
        stage.run(&["readiness"]).await?.exits(0);
        sync.stop().await?.exits(0);
        // The policy given now judges, not the one that the plan was made by.
        stage.policy("[objectives]\nrpo = \"1s\"")?;
        eventually("the last cut is older than the objective", async || {
            let seen = verdict(&stage).await?;
            Ok((check(&seen, "SYNC-01")?["status"] == "fail" && seen["verdict"] == "NOT_READY").then_some(()))
        })
        .await
    }

    async fn without_the_source_the_verdict_rests_on_what_was_last_seen_of_it(kind: Kind) -> Result<()> {
        let mut stage = Stage::own(kind, "silent").await?;
        let proxy = stage.source_through(Link::default()).await?;
        let sync = keep(&stage).await?;
        let known = "SELECT COUNT(*) FROM leeward.fact WHERE name='source:silent'";
        ensure!(stage.target_value::<u64>(known).await? == 1, "the seed has stored what it saw of the source");
        proxy.stall();
        let began = Instant::now();
        let seen = verdict(&stage).await?;
        // Time to notice (5 s) and to ask the target, on a busy machine.
        ensure!(began.elapsed() < Duration::from_secs(15), "a dead source delays the answer: {:?}", began.elapsed());
        for id in ["SCH-01", "SCH-04", "ACC-01", "PAR-01"] {
            let check = check(&seen, id)?;
            ensure!(check["status"] == "pass" && check["evidence"]["age_s"].is_i64(), "{id}: {check:#}");
        }
        ensure!(check(&seen, "SYNC-01")?["actual"].is_string() && seen["rpo"]["measured_s"].is_f64(), "{seen:#}");
        let since = eventually("the running lane has noticed the silence", async || {
            let seen = verdict(&stage).await?;
            let words = seen["words"].as_array().context("the verdict has words")?.clone();
            Ok(words.into_iter().find(|word| word.to_string().contains("has not answered since")))
        })
        .await?;
        ensure!(since.to_string().contains("if it died then, the writes of at most"), "{since}");
        proxy.resume();
        stage.caught_up().await?;
        let words = verdict(&stage).await?["words"].to_string();
        ensure!(!words.contains("not answer"), "it answers again: {words}");
        sync.stop().await?.exits(0);
        Ok(())
    }

    async fn objects_that_change_on_the_source_are_reported_and_kept(kind: Kind) -> Result<()> {
        let stage = Stage::own(kind, "objects").await?;
        keep(&stage).await?.stop().await?.exits(0);
        stage.on_source("
            CREATE OR REPLACE VIEW customers AS SELECT customer_id AS id FROM orders GROUP BY customer_id;
            DROP TRIGGER guard; CREATE EVENT second ON SCHEDULE EVERY 1 DAY DO SELECT 1").await?;
        let mut sync = stage.start_sync()?;
        sync.says("trigger objects.guard is gone on the source").await?;
        sync.stop().await?.exits(0);
        let status = stage.run(&["status"]).await?;
        status.says(&["view objects.customers has changed on the source", "event objects.second is new on the source"]);
        stage.run(&["readiness"]).await?.says(&["SCH-03", "view objects.customers differs"]);
        let seen = verdict(&stage).await?;
        for id in ["SCH-04", "SCH-05"] {
            ensure!(check(&seen, id)?["status"] == "pass", "{id}: {seen:#}");
        }
        // Brought over by a person's command, never by a cycle.
        stage.seed().await?;
        ensure!(check(&verdict(&stage).await?, "SCH-03")?["status"] != "fail", "the view was brought over");
        Ok(())
    }

    async fn doctor_examines_each_side_whatever_the_other_does(kind: Kind) -> Result<()> {
        let mut stage = Stage::own(kind, "doctor").await?;
        let direct = stage.target_url.clone();
        let proxy = stage.target_through(Link::default()).await?;
        proxy.refuse().await?;
        stage.run(&["doctor"]).await?.exits(2).says(&[
            "ok    the source answers",
            "FAIL  the target answers",
            "check host and port in --target-url",
            "ok    the source's account may do what it needs",
            "not ready to begin",
        ]);
        stage.target_url = direct;
        stage.source().create_account("poor", PASSWORD, "USAGE").await?;
        stage.source_url = stage.source().url("poor", PASSWORD);
        let found = stage.run(&["doctor", "--output", "json"]).await?.exits(2);
        found.json()?["findings"].as_array().context("findings are listed")?;
        stage.run(&["doctor"]).await?.exits(2).says(&["GRANT PROCESS ON *.* TO `poor`@`%`;"]);
        stage.target_url = stage.source_url.clone();
        stage.run(&["doctor"]).await?.exits(3).says(&["same server"]);
        Ok(())
    }
}
