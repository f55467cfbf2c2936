//! `leeward plan`: what Leeward would do with each table, and why. Nothing is changed on either server.

use std::path::Path;

use anyhow::Context;
use leeward_core::plan::Plan;
use leeward_core::plan_text;

use super::{Desk, planning};
use crate::cli::PlanArgs;
use crate::{Answer, Failure, report};

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
    report::write(desk.talk, &plan, || plan_text::render(&plan))?;
    Ok(Answer::Yes)
}

/// Writes the whole file or leaves what was there.
fn save(plan: &Plan, path: &Path) -> anyhow::Result<()> {
    let json = serde_json::to_string_pretty(plan)? + "\n";
    Ok(report::file::save(path, json.as_bytes())?)
}
