//! `leeward status`: what is written down on the target, and what waits for a person. The source is not asked.

use leeward_core::fault::FaultKind;
use leeward_core::lane::{LaneState, TableRecord, TableState};
use leeward_core::name::Side;
use leeward_core::port::Control;
use leeward_mysql::endpoint::Endpoint;

use super::{Desk, traffic};
use crate::report::status::{StatusFacts, StatusReport};
use crate::report::text::Paint;
use crate::{Answer, Failure, report, wire};

/// Events that fit on a screen; the control schema keeps more.
const EVENTS_SHOWN: u32 = 10;

/// Prints the status. The answer is no when a person must act.
///
/// # Errors
/// When the target cannot be read.
pub async fn run(desk: &Desk) -> Result<Answer, Failure> {
    let target = wire::endpoint(&desk.settings, Side::Target).await?;
    let report = report(&target, &desk.settings.policy.settings().lane).await?;
    report::write(desk.talk, &report, || report.text(Paint::of_stdout(desk.talk)))?;
    Ok(if report.needs_nobody() { Answer::Yes } else { Answer::No })
}

/// Reads the status of a lane over a connection of its own.
///
/// # Errors
/// When the target cannot be read.
pub async fn report(target: &Endpoint, lane: &str) -> Result<StatusReport, Failure> {
    let mut facts = read(wire::control(target).await?.as_mut(), lane).await?;
    if facts.lane.as_ref().is_some_and(|lane| lane.state == LaneState::Seeding) {
        facts.helpers = match wire::claims(target).await?.crew(lane).await {
            Ok(crew) => crew.members,
            // The seed is that of a Leeward before copies could be shared.
            Err(fault) if fault.kind == FaultKind::TableMissing => 0,
            Err(fault) => return Err(fault.into()),
        };
    }
    Ok(StatusReport::new(facts))
}

/// Says of a table that the brake holds that somebody has agreed, so that nobody is asked twice.
async fn note_agreements(control: &mut dyn Control, lane: &str, tables: &mut [TableRecord]) -> Result<(), Failure> {
    if tables.iter().all(|table| table.brake.is_none()) {
        return Ok(());
    }
    for (_, agreed) in control.acceptances(lane).await? {
        let waits = |table: &&mut TableRecord| {
            table.name == agreed.table && table.brake.as_ref().is_some_and(|seen| seen.cycle == agreed.cycle)
        };
        if let Some(table) = tables.iter_mut().find(waits)
            && let TableState::Quarantined { remedy, .. } = &mut table.state
        {
            *remedy = format!("{} has agreed to it; `leeward sync` takes that up", agreed.by);
        }
    }
    Ok(())
}

async fn read(control: &mut dyn Control, lane: &str) -> Result<StatusFacts, Failure> {
    let now = control.now().await?;
    if !control.exists().await? {
        return Ok(StatusFacts::nothing(now));
    }
    let mut tables = control.tables(lane).await?;
    note_agreements(control, lane, &mut tables).await?;
    Ok(StatusFacts {
        now,
        lane: control.lane(lane).await?,
        plan: control.plan(lane).await?,
        tables,
        lease: control.lease_holder(lane).await?,
        events: control.events(lane, EVENTS_SHOWN).await?,
        chunks: control.chunks(lane).await?,
        helpers: 0,
        traffic: traffic::read(control, lane).await?,
    })
}
