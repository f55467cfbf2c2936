//! Looks at the source's threads: the first of a seed, one before each cut, and one after a cut that was read from resting
//! marks.

use std::time::Duration;

use chrono::NaiveDateTime;
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::fence::Observation;
use leeward_core::name::Side;
use leeward_core::plan::{FenceMode, PlannedTable};
use leeward_core::port::{Cut, CutRequest, Look, Servers, Source};
use tracing::warn;

use crate::apply::Applying;
use crate::clock;
use crate::delta::{self, From};
use crate::lane::{Lane, Looked};
use crate::soft;

/// Shortest time between two looks at the source's threads. InnoDB renews its answer only when nobody has read it for
/// 100 ms, so a lane in a hurry would keep its own looks, and those of every other lane on the server, stale for ever.
const LOOK_EVERY: Duration = Duration::from_millis(120);

/// How often a look that was not fresh is repeated before the first read. Each wait in between is longer than the last by
/// [`LOOK_STEP`], so that two lanes on one server do not keep step.
const LOOKS_MAX: u32 = 50;
const LOOK_STEP: Duration = Duration::from_millis(13);

/// Looks in a row that were not fresh before a person is told: half a minute at the default interval.
const STALE_LOOKS_TOLD: u64 = 60;

/// Why no look may be fresh.
const NO_FRESH_LOOK: &str = "information_schema.INNODB_TRX gives no fresh answer; either another session reads it faster \
    than every 100 ms, and must be slowed down, or statements with emoji or binary values run without a pause, which MySQL \
    cannot show";

/// Returns what has to be looked at.
fn kind(fence: &FenceMode) -> Look {
    match fence {
        FenceMode::Proved => Look::Threads,
        FenceMode::Window { .. } => Look::ClockOnly,
    }
}

/// Looks at the source freshly, before the first read of new tables.
pub(crate) async fn fresh(servers: &dyn Servers, fence: &FenceMode, probes: &[&PlannedTable]) -> Result<Looked, Fault> {
    let mut source = servers.source().await?;
    for look_no in 0..LOOKS_MAX {
        if let Some(looked) = once(source.as_mut(), (probes, kind(fence))).await? {
            return Ok(looked);
        }
        tokio::time::sleep(LOOK_EVERY + LOOK_STEP * look_no).await;
    }
    Err(Fault::new(FaultKind::Refused(NO_FRESH_LOOK.into()), "look at the source's open transactions").on(Side::Source))
}

/// Finds out whether the source can be looked at. Nothing where the look was not fresh.
pub(crate) async fn sight(servers: &dyn Servers, fence: &FenceMode) -> Result<Option<Looked>, Fault> {
    once(servers.source().await?.as_mut(), (&[], kind(fence))).await
}

async fn once(source: &mut dyn Source, (probes, kind): (&[&PlannedTable], Look)) -> Result<Option<Looked>, Fault> {
    let asked = clock::now();
    let seen = source.observe(probes, kind).await?;
    Ok(seen.map(|seen| Looked { seen, asked, answered: clock::now() }))
}

/// Waits until the source's threads may be looked at again.
pub(crate) async fn until_due(lane: &Lane) {
    let wait = lane.looked.map_or(Duration::ZERO, |looked| LOOK_EVERY.saturating_sub(clock::since(looked)));
    if !wait.is_zero() {
        clock::pause(wait).await;
    }
}

/// Looks at the threads after a cut was read from resting marks. Where a transaction that they rest on has ended, or that
/// cannot be told, everything is read again from the marks, in the same cut: it may show that transaction's rows. Returns
/// the look, which proves nothing of this cut but may be the next cycle's first.
pub async fn read_what_has_moved(
    lane: &Lane,
    cut: &mut dyn Cut,
    applying: &mut Applying<'_>,
) -> Result<Option<Looked>, Fault> {
    until_due(lane).await;
    let asked = clock::now();
    let seen = cut.observe(&lane.probes(), Look::Threads).await?;
    let answered = clock::now();
    let holds = |seen: &Observation| lane.tables.iter().all(|table| table.rested.iter().all(|one| one.on.holds(seen)));
    if !seen.as_ref().is_some_and(holds) {
        applying.again();
        let deltas = delta::deltas(lane, From::Mark).into_iter().chain(soft::deltas(lane));
        let deltas = deltas.map(|(_, delta)| delta).collect();
        cut.read(&CutRequest { deltas, ..CutRequest::default() }, applying).await?;
    }
    Ok(seen.map(|seen| Looked { seen, asked, answered }))
}

/// Looks at the source's threads, if it is time, and returns its clock. A look that was not fresh proves nothing and moves
/// no mark.
pub async fn observe(lane: &mut Lane, source: &mut dyn Source) -> Result<NaiveDateTime, Fault> {
    if let Some(looked) = lane.rest.look_after.take() {
        lane.observe(&looked);
        return Ok(looked.seen.now);
    }
    let last_cut = lane.record.cut_at.unwrap_or(NaiveDateTime::MIN);
    if lane.looked.is_some_and(|looked| clock::since(looked) < LOOK_EVERY) {
        return Ok(last_cut);
    }
    let looked = once(source, (&lane.probes(), kind(&lane.plan.fence))).await?;
    lane.looked = Some(clock::now());
    match looked {
        Some(looked) => {
            lane.stale_looks = 0;
            lane.observe(&looked);
            Ok(looked.seen.now)
        }
        None => {
            lane.stale_looks += 1;
            if lane.stale_looks.is_multiple_of(STALE_LOOKS_TOLD) {
                warn!(looks = lane.stale_looks, "no mark can be proved: {NO_FRESH_LOOK}");
            }
            Ok(last_cut)
        }
    }
}
