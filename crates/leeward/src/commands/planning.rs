//! Where a plan comes from: a survey of the source and the policy, or a file that was made from them before.

use std::path::Path;

use leeward_core::name::Side;
use leeward_core::plan::{FenceMode, PLAN_FORMAT, Plan};
use leeward_core::planner::{self, StaleEffect};
use leeward_core::port::Control;
use leeward_core::server::Observed;
use leeward_core::survey::Survey;
use leeward_core::table::Table;

use super::Desk;
use crate::config::Mistakes;
use crate::{Failure, wire};

/// Larger than the plan of tens of thousands of tables.
const PLAN_BYTES_MAX: u64 = 256 << 20;

/// Surveys the source. What scrubs have shown against tables is added from the control schema, where there is one.
///
/// # Errors
/// Whatever keeps the source from being surveyed.
pub async fn survey(desk: &Desk) -> Result<Survey, Failure> {
    let mut survey = look(desk, &desk.settings.databases).await?;
    if desk.settings.target.is_some() {
        let target = wire::endpoint(&desk.settings, Side::Target).await?;
        match wire::control(&target).await {
            Ok(mut control) => add_contradictions(desk, control.as_mut(), &mut survey).await?,
            Err(fault) => tracing::warn!(%fault, "planned without what earlier comparisons showed"),
        }
    }
    Ok(survey)
}

/// Refuses a source that is its own target by another address: it would be compared with itself and found equal. A side
/// that cannot be asked is told of by the work that follows.
///
/// # Errors
/// The mistake, and whatever keeps a password from being had.
pub async fn refuse_same_server(desk: &Desk) -> Result<(), Failure> {
    let source = wire::endpoint(&desk.settings, Side::Source).await?;
    let target = wire::endpoint(&desk.settings, Side::Target).await?;
    let (there, here) = tokio::join!(wire::identity(&source), wire::identity(&target));
    if let (Ok(there), Ok(here)) = (there, here)
        && there == here
    {
        let mut mistakes = Mistakes::default();
        mistakes.missing(format!(
            "source and target are the same server, though it is reached as {}:{} and as {}:{}: give the server in \
             the other region as the target",
            source.host, source.port, target.host, target.port
        ));
        return Err(mistakes.into());
    }
    Ok(())
}

async fn look(desk: &Desk, databases: &[String]) -> Result<Survey, Failure> {
    let source = wire::endpoint(&desk.settings, Side::Source).await?;
    Ok(wire::survey(&source, databases).await?)
}

async fn add_contradictions(desk: &Desk, control: &mut dyn Control, survey: &mut Survey) -> Result<(), Failure> {
    if !control.exists().await? {
        return Ok(());
    }
    for record in control.tables(&desk.settings.policy.settings().lane).await? {
        if let Some(seen) = survey.tables.iter_mut().find(|seen| seen.table.name == record.name) {
            seen.contradictions = record.contradictions;
        }
    }
    Ok(())
}

/// Plans what was surveyed.
///
/// # Errors
/// All rules of the policy that cannot be obeyed.
pub fn plan(desk: &Desk, survey: &Survey) -> Result<Plan, Failure> {
    planner::plan(&desk.settings.policy, survey).map_err(|mistakes| {
        let mut all = Mistakes::default();
        mistakes.iter().for_each(|mistake| all.missing(mistake.to_string()));
        Failure::Mistakes(all)
    })
}

/// Reads a plan from a file, and refuses one by which rows could be missed or refused now.
///
/// # Errors
/// An unreadable, changed or stale plan: mistakes that name every table that changed and how. Whatever keeps the source
/// from being surveyed.
pub async fn read(desk: &Desk, path: &Path) -> Result<(Plan, Survey), Failure> {
    let plan = read_file(path)?;
    let databases: Vec<String> = plan.schemas.iter().map(|schema| schema.name.clone()).collect();
    let survey = look(desk, &databases).await?;
    let tables: Vec<Table> = survey.tables.iter().map(|seen| seen.table.clone()).collect();
    let mut mistakes = Mistakes::default();
    for stale in plan.stale_against(&tables) {
        let how = format!("{} {}", stale.name, stale.how.join(", "));
        match stale.effect {
            StaleEffect::Wrong => {
                mistakes.missing(format!("{} is stale, run `leeward plan` again: {how}", path.display()));
            }
            StaleEffect::Outdated => tracing::warn!("the plan is older than the source: {how}"),
        }
    }
    if let (FenceMode::Proved, Observed::Unknown(why)) = (&plan.fence, &survey.fence) {
        mistakes.missing(format!(
            "{} counts on seeing the source's open transactions, but {why}: grant PROCESS ON *.* (`leeward doctor` prints \
             the statement), or run `leeward plan` again for a plan that does without",
            path.display()
        ));
    }
    Ok(mistakes.or((plan, survey))?)
}

/// Reads a plan that `leeward plan --out` has written, whole and unchanged.
///
/// # Errors
/// An unreadable or changed plan.
pub fn read_file(path: &Path) -> Result<Plan, Failure> {
    let unreadable = |error: std::io::Error| refuse(path, &error.to_string());
    if std::fs::metadata(path).map_err(unreadable)?.len() > PLAN_BYTES_MAX {
        return Err(refuse(path, "it is too large to be a plan"));
    }
    let text = std::fs::read(path).map_err(unreadable)?;
    let value: serde_json::Value =
        serde_json::from_slice(&text).map_err(|error| refuse(path, &format!("it is not JSON: {error}")))?;
    let format = value.get("format").and_then(serde_json::Value::as_u64);
    if format != Some(u64::from(PLAN_FORMAT)) {
        let why = format!("its format is not {PLAN_FORMAT}, the one of this leeward; run `leeward plan` again");
        return Err(refuse(path, &why));
    }
    let plan: Plan =
        serde_json::from_value(value).map_err(|error| refuse(path, &format!("it is not a plan: {error}")))?;
    if plan.hash != plan.computed_hash() {
        return Err(refuse(path, "it was changed after it was made; change the policy and run `leeward plan` again"));
    }
    Ok(plan)
}

fn refuse(path: &Path, why: &str) -> Failure {
    let mut mistakes = Mistakes::default();
    mistakes.missing(format!("the plan {} cannot be used: {why}", path.display()));
    Failure::Mistakes(mistakes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_no_plan_is_a_mistake_and_not_a_fault() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.json");
        for (text, why) in [("", "not JSON"), ("{}", "its format"), ("{\"format\":1}", "not a plan")] {
            std::fs::write(&path, text).unwrap();
            let Err(Failure::Mistakes(mistakes)) = read_file(&path) else { panic!("{text} is taken for a plan") };
            assert!(mistakes.to_string().contains(why), "{mistakes}");
        }
        assert!(matches!(read_file(&folder.path().join("nowhere")), Err(Failure::Mistakes(_))));
    }
}
