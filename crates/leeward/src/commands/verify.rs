//! `leeward verify`: the full comparison, and the repair that a person asks for.

mod evidence;

use globset::{Glob, GlobSet, GlobSetBuilder};
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::name::{Side, TableName};
use leeward_core::plan::{LeftOutReason, Plan, PlannedTable};
use leeward_core::port::Control;
use leeward_engine::budget::Budget;
use leeward_engine::repair::{self, RepairReport};
use leeward_engine::verify;

use serde::Serialize;

use super::beside::Ends;
use super::{Desk, planning};
use crate::cli::VerifyArgs;
use crate::config::Mistakes;
use crate::config::mistake::Origin;
use crate::progress::{Show, Work};
use crate::report::file;
use crate::report::text::Paint;
use crate::report::transfer::Transfer;
use crate::report::verify::VerifyOutcome;
use crate::report::words;
use crate::{Answer, Failure, report, shutdown, wire};

/// Compares both sides. The answer is no when anything differs or could not be compared.
///
/// # Errors
/// Whatever keeps the comparison from being finished.
pub async fn run(desk: &Desk, args: &VerifyArgs) -> Result<Answer, Failure> {
    let stop = shutdown::listen()?;
    let globs = globs(&args.tables)?;
    writable(args)?;
    let servers = wire::servers(&desk.settings).await?;
    let target = wire::endpoint(&desk.settings, Side::Target).await?;
    let mut control = wire::control(&target).await?;
    let marks = control.exists().await?;
    let plan = plan(desk, args, marks.then_some(control.as_mut())).await?;
    drop(control);
    let chosen: Vec<&PlannedTable> =
        plan.tables.iter().filter(|table| globs.is_empty() || globs.is_match(table.name().to_string())).collect();
    if chosen.is_empty() {
        let mut mistakes = Mistakes::default();
        mistakes.missing("no planned table matches; `leeward plan` lists them".to_owned());
        return Err(mistakes.into());
    }
    let bytes = chosen.iter().map(|table| table.data_bytes).sum();
    let show = Show::start(&desk.screen, Work::Compare, bytes);
    if args.repair {
        let names: Vec<TableName> = chosen.iter().map(|table| table.name().clone()).collect();
        let (claim, budget) = (wire::claim(&desk.settings), Budget::new(desk.settings.memory_bytes));
        // Who the servers are is asked while the connections are made. Nothing is written before it is known.
        let connecting = async { repair::connect(servers.as_ref()).await.map_err(unfinished) };
        let connected = tokio::try_join!(planning::refuse_same_server(desk), connecting).map(|((), both)| both);
        let chosen = (plan.settings.lane.as_str(), names.as_slice());
        let repaired = match connected {
            Ok(both) => {
                repair::run((&servers, both), chosen, (&claim, &budget), show.as_ref(), &stop).await.map_err(unfinished)
            }
            Err(failure) => Err(failure),
        };
        show.finish();
        let repaired = repaired?;
        let transfer = Transfer::of(servers.as_ref(), (&wire::place(&desk.settings), &desk.settings.prices));
        report::write(desk.talk, &Repaired { report: &repaired, transfer: &transfer }, || {
            let line = transfer.as_ref().map_or(String::new(), |transfer| format!("\n{}", transfer.line(None)));
            repaired_text(&repaired) + &line
        })?;
        let untouched = |table: &repair::RepairedTable| table.rows_repaired == 0 && table.still_waiting.is_none();
        return Ok(if repaired.tables.iter().all(untouched) { Answer::Yes } else { Answer::No });
    }
    // Who the servers are is asked meanwhile: until it is known nothing is shown, and nothing is written anyway.
    let (kept, following) = Ends::look(desk, &target).await.follow(marks).await;
    let comparing =
        async { verify::run(servers.as_ref(), &chosen, following, show.as_ref(), &stop).await.map_err(unfinished) };
    let found = tokio::try_join!(planning::refuse_same_server(desk), comparing).map(|((), found)| found);
    show.finish();
    let found = found?;
    // What the policy leaves out was not meant to be compared; what Leeward cannot keep was.
    let unmeant = plan.left_out.iter().any(|left| left.reason != LeftOutReason::ByPolicy);
    let whole = found.is_equal() && (!unmeant || !globs.is_empty());
    let transfer = Transfer::of(servers.as_ref(), (&wire::place(&desk.settings), &desk.settings.prices));
    if let Some(path) = &args.evidence {
        evidence::save(desk, path, &found).await?;
    }
    let outcome = VerifyOutcome::new(found, &plan.left_out, kept, transfer);
    report::write(desk.talk, &outcome, || outcome.text(Paint::of_stdout(desk.talk)))?;
    Ok(if whole { Answer::Yes } else { Answer::No })
}

/// Refuses a file of evidence that cannot be written, before anything is compared.
fn writable(args: &VerifyArgs) -> Result<(), Mistakes> {
    let mut mistakes = Mistakes::default();
    if let Some(why) = args.evidence.as_deref().and_then(file::unwritable) {
        mistakes.at(&Origin::Flag("evidence".to_owned()), why);
    }
    mistakes.or(())
}

/// Stopped as asked is done as asked elsewhere; here it is no answer, and must not be taken for "equal".
fn unfinished(fault: Fault) -> Failure {
    match fault.kind {
        FaultKind::Stopped => Failure::Machine(anyhow::anyhow!(
            "stopped before the comparison was finished: the tables are not known to be equal"
        )),
        _ => Failure::Fault(fault),
    }
}

/// Returns the plan to compare by: the file's, the one stored on the target, or one made now, so that a target that
/// Leeward did not build can be compared too.
async fn plan(desk: &Desk, args: &VerifyArgs, control: Option<&mut dyn Control>) -> Result<Plan, Failure> {
    if let Some(path) = &args.plan {
        return Ok(planning::read(desk, path).await?.0);
    }
    let lane = &desk.settings.policy.settings().lane;
    let stored = match control {
        Some(control) => control.plan(lane).await?,
        None => None,
    };
    match stored {
        Some(plan) => Ok(plan),
        None if args.repair => {
            let mut mistakes = Mistakes::default();
            mistakes.missing(format!(
                "--repair needs a target that Leeward has seeded, and lane {lane} has not been; for a copy made \
                 otherwise run `leeward seed --adopt` first"
            ));
            Err(mistakes.into())
        }
        None => planning::plan(desk, &planning::survey(desk).await?),
    }
}

/// Returns what selects tables; an empty set selects all of them.
fn globs(patterns: &[String]) -> Result<GlobSet, Mistakes> {
    let mut mistakes = Mistakes::default();
    let mut set = GlobSetBuilder::new();
    let origin = Origin::Flag("tables".to_owned());
    for pattern in patterns {
        match Glob::new(pattern) {
            Ok(glob) => {
                set.add(glob);
            }
            Err(error) => mistakes.at(&origin, error.to_string()),
        }
    }
    let set = set.build().unwrap_or_else(|error| {
        mistakes.at(&origin, error.to_string());
        GlobSet::empty()
    });
    mistakes.or(set)
}

/// What a repair did, and what has passed over the wire for it.
#[derive(Serialize)]
struct Repaired<'a> {
    #[serde(flatten)]
    report: &'a RepairReport,
    transfer: &'a Option<Transfer>,
}

fn repaired_text(repaired: &RepairReport) -> String {
    let mut lines = Vec::new();
    for table in &repaired.tables {
        let name = words::printable(&table.name.to_string());
        match &table.still_waiting {
            Some(why) => lines.push(format!("! {name}: {} rows repaired; {why}", words::count(table.rows_repaired))),
            None => lines.push(format!("  {name}: {} rows repaired", words::count(table.rows_repaired))),
        }
    }
    lines.push(format!("{} rows compared", words::count(repaired.rows_compared)));
    lines.join("\n")
}
