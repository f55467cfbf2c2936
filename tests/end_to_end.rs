//! The main job from one end to the other: plan, seed, sync, verify, status, readiness, on the sample databases.

use anyhow::{Context, Result};
use leeward_testkit::each_kind;
use leeward_testkit::sample;
use leeward_testkit::servers::skip;

use crate::support::Stage;

/// Runs the main job on a database that is loaded already.
async fn main_job(stage: &Stage) -> Result<()> {
    let plan = stage.run(&["plan", "--out", "plan.json"]).await?.exits(0);
    plan.says(&["upd_del", "merge", "reconcile", "fence: proved"]);
    stage.run(&["seed", "--plan", "plan.json"]).await?.exits(0);
    stage.assert_equal().await?;
    stage.sync_once().await?;
    stage.assert_equal().await?;
    stage.run(&["verify"]).await?.exits(0);
    let status = stage.status().await?;
    assert_eq!(status["lane"]["state"], "live", "{status:#}");
    Ok(())
}

/// Fails unless the target has the source's views and routines, and no trigger or event that runs (T28).
async fn assert_objects(stage: &Stage) -> Result<()> {
    for (list, name) in [("VIEWS", "TABLE_NAME"), ("ROUTINES", "ROUTINE_NAME")] {
        let schema = if list == "VIEWS" { "TABLE_SCHEMA" } else { "ROUTINE_SCHEMA" };
        let sql =
            format!("SELECT {name} FROM information_schema.{list} WHERE {schema}='{}' ORDER BY 1", stage.database);
        let mut found = Vec::new();
        for server in [stage.source(), stage.target()] {
            let mut conn = server.connect().await?;
            found.push(crate::support::query::<String>(&mut conn, &sql).await?);
            conn.disconnect().await?;
        }
        assert!(!found[0].is_empty(), "the sample has no {list}");
        assert_eq!(found[0], found[1], "{list}");
    }
    let database = &stage.database;
    let triggers = format!("SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA='{database}'");
    assert_eq!(stage.target_value::<u64>(&triggers).await?, 0, "triggers are live on the target");
    let events =
        format!("SELECT COUNT(*) FROM information_schema.EVENTS WHERE EVENT_SCHEMA='{database}' AND STATUS='ENABLED'");
    assert_eq!(stage.target_value::<u64>(&events).await?, 0, "events are live on the target");
    Ok(())
}

each_kind! {
    /// The project's own sample: every class of table, every type of column, hostile names.
    async fn harbor_goes_through_the_main_job_without_a_difference(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "harbor_main").await?;
        let mut conn = stage.source().connect().await?;
        sample::load_harbor_as(&mut conn, &stage.database).await?;
        conn.disconnect().await?;
        main_job(&stage).await?;
        assert_objects(&stage).await
    }

    /// The public sample, where it is found.
    async fn sakila_goes_through_the_main_job_without_a_difference(kind: Kind) -> Result<()> {
        let Some(folder) = sample::locate_sakila() else {
            return skip("sakila_goes_through_the_main_job", kind, "the sample sakila is not on this machine");
        };
        let stage = Stage::shared(kind, sample::SAKILA).await?;
        let mut conn = stage.source().connect().await?;
        sample::load_sakila(&mut conn, &folder).await.context("load sakila")?;
        conn.disconnect().await?;
        main_job(&stage).await?;
        assert_objects(&stage).await
    }
}
