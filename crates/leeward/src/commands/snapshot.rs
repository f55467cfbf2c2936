//! `leeward snapshot`: dumps in a row, with what is kept of them.

use std::time::Duration;

use leeward_core::dump::{ABANDONED_AFTER, DumpId, DumpKind, Keep, Unfinished, Whole, newest_age_s};
use leeward_core::fault::{Fault, FaultKind};
use leeward_engine::dump::DumpReport;
use leeward_engine::snapshot;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::dump::DumpOutcome;
use super::{Desk, dump};
use crate::cli::{SnapshotAction, SnapshotArgs, SnapshotListArgs, SnapshotVerifyArgs};
use crate::config::Mistakes;
use crate::config::store::StoreUrl;
use crate::progress::{Show, Work};
use crate::report::transfer::Leg;
use crate::report::words;
use crate::{Answer, Failure, report, shutdown};

/// Takes snapshots, lists or proves them.
///
/// # Errors
/// Whatever keeps a snapshot from being taken, or the store from being read.
pub async fn run(desk: &Desk, args: &SnapshotArgs) -> Result<Answer, Failure> {
    match &args.action {
        Some(SnapshotAction::List(args)) => list(desk, args).await,
        Some(SnapshotAction::Verify(args)) => verify(desk, args).await,
        None => take(desk, args).await,
    }
}

/// What one snapshot did.
#[derive(Debug, serde::Serialize)]
struct SnapshotReport {
    #[serde(flatten)]
    dump: DumpReport,
    /// Snapshots that were taken away.
    removed: Vec<DumpId>,
    /// Dumps that were taken away because they were not finished, and nothing was written for them for long.
    abandoned: Vec<DumpId>,
    transfer: Option<Leg>,
}

async fn take(desk: &Desk, args: &SnapshotArgs) -> Result<Answer, Failure> {
    let stop = shutdown::listen()?;
    let Some(to) = &args.to else {
        let mut mistakes = Mistakes::default();
        mistakes.missing("say where snapshots are kept: --to s3://BUCKET/PREFIX or --to file:///PATH".to_owned());
        return Err(mistakes.into());
    };
    let Some(every) = args.every else {
        one(desk, (to, args), &stop).await?;
        return Ok(Answer::Yes);
    };
    let mut times = tokio::time::interval_at(Instant::now(), every);
    // One that takes longer than the interval is followed by the next at once, not by all that were missed.
    times.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut has_one = false;
    while stop.run_until_cancelled(times.tick()).await.is_some() {
        match one(desk, (to, args), &stop).await {
            Ok(()) => has_one = true,
            Err(Failure::Fault(fault)) if fault.kind == FaultKind::Stopped => break,
            // What does not work from the start is for whoever started it; later the next one may well succeed.
            Err(failure) if !has_one => return Err(failure),
            Err(failure) => tracing::error!(next_in_s = every.as_secs(), "the snapshot failed: {}", said(&failure)),
        }
    }
    Ok(Answer::Yes)
}

fn said(failure: &Failure) -> String {
    match failure {
        Failure::Fault(fault) => fault.to_string(),
        Failure::Machine(error) => format!("{error:#}"),
        Failure::Mistakes(mistakes) => mistakes.to_string(),
    }
}

/// Takes one snapshot, and then what its retention takes away.
async fn one(desk: &Desk, (to, args): (&StoreUrl, &SnapshotArgs), stop: &CancellationToken) -> Result<(), Failure> {
    let DumpOutcome { report: dump, transfer } = dump::make(desk, to, (&args.how, DumpKind::Snapshot), stop).await?;
    let archive = dump::archive(desk, to).await?;
    let keep = Keep { last: args.keep.map(usize::from), for_s: args.keep_for.map(|span| span.as_secs()) };
    let lane = &desk.settings.policy.settings().lane;
    let removed = match keep == Keep::default() {
        true => Vec::new(),
        false => snapshot::prune(&archive, lane, keep, dump::now()).await?,
    };
    let abandoned = archive.remove_abandoned(lane, dump::now()).await?;
    let report = SnapshotReport { dump, removed, abandoned, transfer };
    report::write(desk.talk, &report, || {
        let mut text = dump::text(&report.dump, report.transfer.as_ref());
        let ids = |ids: &[DumpId]| ids.iter().map(DumpId::as_str).collect::<Vec<&str>>().join(", ");
        if !report.removed.is_empty() {
            text.push_str(&format!("\nTaken away by retention: {}.", ids(&report.removed)));
        }
        if !report.abandoned.is_empty() {
            let (ids, days) = (ids(&report.abandoned), ABANDONED_AFTER.num_days());
            text.push_str(&format!(
                "\nTaken away because they were never finished and have got nothing for {days} days: {ids}."
            ));
        }
        text
    })?;
    Ok(())
}

/// What is at an address.
#[derive(Debug, serde::Serialize)]
struct ListReport {
    place: String,
    whole: Vec<Whole>,
    unfinished: Vec<Unfinished>,
    /// By lane: how many seconds ago its newest whole dump showed the source.
    newest_age_s: Vec<(String, u64)>,
}

async fn list(desk: &Desk, args: &SnapshotListArgs) -> Result<Answer, Failure> {
    let archive = dump::archive(desk, &args.from).await?;
    let whole = archive.whole().await?;
    let unfinished = archive.standing().await?;
    let mut lanes: Vec<&str> = whole.iter().map(|dump| dump.lane.as_str()).collect();
    lanes.sort_unstable();
    lanes.dedup();
    let now = dump::now();
    let age = |lane: &&str| Some(((*lane).to_owned(), newest_age_s(&whole, lane, now)?));
    let newest_age_s = lanes.iter().filter_map(age).collect();
    let report = ListReport { place: archive.place().to_owned(), newest_age_s, whole, unfinished };
    report::write(desk.talk, &report, || list_text(&report))?;
    Ok(Answer::Yes)
}

fn list_text(report: &ListReport) -> String {
    let mut lines = Vec::new();
    for dump in &report.whole {
        let kind = match dump.kind {
            DumpKind::Dump => "dump",
            DumpKind::Snapshot => "snapshot",
            DumpKind::Seed => "of a seed",
        };
        lines.push(format!(
            "{}  {kind} of lane {}: {} tables, {} rows, {} stored",
            dump.id,
            words::printable(&dump.lane),
            dump.tables,
            words::count(dump.rows),
            words::bytes(dump.stored_bytes)
        ));
        lines.push(format!("  {}", dump::moment_text(&dump.moment)));
    }
    for begun in &report.unfinished {
        let at = begun.written_at.map_or("at an unknown time".to_owned(), |at| format!("at {} UTC", dump::time(at)));
        lines.push(format!("{}  not finished, of lane {}", begun.id, words::printable(&begun.lane)));
        lines.push(format!("  the last of it was written {at}"));
    }
    for (lane, age_s) in &report.newest_age_s {
        let age = words::span(Duration::from_secs(*age_s));
        lines.push(format!("The newest whole one of lane {} is {age} old.", words::printable(lane)));
    }
    if report.whole.is_empty() {
        lines.push(format!("No whole dump is at {}.", report.place));
    }
    lines.join("\n")
}

async fn verify(desk: &Desk, args: &SnapshotVerifyArgs) -> Result<Answer, Failure> {
    let stop = shutdown::listen()?;
    let archive = dump::archive(desk, &args.from).await?;
    let manifest = archive.manifest(args.id.as_ref()).await?;
    let show = Show::start(&desk.screen, Work::Compare, manifest.totals().2);
    let verified = snapshot::verify(&archive, &manifest, (show.as_ref(), &stop)).await.map_err(unfinished);
    show.finish();
    let verified = verified?;
    report::write(desk.talk, &verified, || {
        let (id, objects, bytes) = (&verified.id, verified.objects, words::bytes(verified.stored_bytes));
        if verified.damaged_objects == 0 {
            return format!("Dump {id} is whole: {objects} objects, {bytes}, each with its length and SHA-256.");
        }
        let mut lines = vec![format!("Dump {id} is damaged: {} of {objects} objects.", verified.damaged_objects)];
        lines.extend(verified.damaged.iter().map(|damage| {
            format!("! {} (table {}): {}", damage.object, words::printable(&damage.table.to_string()), damage.why)
        }));
        lines.join("\n")
    })?;
    Ok(if verified.damaged_objects == 0 { Answer::Yes } else { Answer::No })
}

/// Stopped as asked is no proof.
fn unfinished(fault: Fault) -> Failure {
    match fault.kind {
        FaultKind::Stopped => Failure::Machine(anyhow::anyhow!("stopped before the dump was read to its end")),
        _ => Failure::Fault(fault),
    }
}
