//! `leeward plan`: what Leeward would do with each table, and why. Nothing is changed on either server.

use std::path::Path;

use anyhow::Context;
use leeward_core::cost::{self, Estimate};
use leeward_core::plan::Plan;
use leeward_core::plan_text;
use leeward_core::seed_advice;
use serde::Serialize;

use super::{Desk, planning};
use crate::cli::PlanArgs;
use crate::{Answer, Failure, report, wire};

/// Prints the plan, and writes it where asked.
///
/// # Errors
/// When the source cannot be surveyed, the policy cannot be obeyed, or the file cannot be written.
pub async fn run(desk: &Desk, args: &PlanArgs) -> Result<Answer, Failure> {
    let survey = planning::survey(desk).await?;
    let plan = planning::plan(desk, &survey)?;
    if let Some(path) = &args.out {
        save(&plan, path).with_context(|| format!("write the plan to {}", path.display()))?;
    }
    let advice = seed_advice::text(plan.settings.platform);
    let cost = cost::estimate(&plan, &survey, &wire::place(&desk.settings), &desk.settings.prices);
    let outcome = PlanOutcome { seed_advice: seed_advice::lines(plan.settings.platform), plan, cost };
    report::write(desk.talk, &outcome, || {
        let parts = [plan_text::render(&outcome.plan), outcome.cost.text(), advice];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
    })?;
    Ok(Answer::Yes)
}

/// The plan, and what goes with it. As JSON it is a plan all the same, which `seed --plan` takes.
#[derive(Serialize)]
struct PlanOutcome {
    #[serde(flatten)]
    plan: Plan,
    cost: Estimate,
    seed_advice: Vec<String>,
}

/// Writes the whole file or leaves what was there.
fn save(plan: &Plan, path: &Path) -> anyhow::Result<()> {
    let json = serde_json::to_string_pretty(plan)? + "\n";
    Ok(report::file::save(path, json.as_bytes())?)
}
