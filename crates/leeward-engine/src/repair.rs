//! `verify --repair`: brings chosen tables of a seeded lane back to the source, with the brake released because a person
//! asked for it. It is the cycle with a full comparison, so rows, repairs and marks commit together as always.

use std::sync::Arc;
use std::time::Duration;

use leeward_core::fault::{Fault, FaultKind};
use leeward_core::lane::{QuarantineCause, ScrubRecord, TableState};
use leeward_core::name::{Side, TableName};
use leeward_core::port::{Event, LeaseAnswer, Servers, Source, Target};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::apply::table_fault;
use crate::brake::Braking;
use crate::budget::Budget;
use crate::cycle::{self, Hands};
use crate::lane::Lane;
use crate::lease::{Claim, Heartbeat};
use crate::pace::ScrubPace;
use crate::progress::{Progress, Tell};
use crate::sync;

/// Wait between cycles while a transaction on the source holds the fence.
const FENCE_WAIT: Duration = Duration::from_millis(250);

/// What a repair did.
#[must_use]
#[derive(Debug, Clone, Default, Serialize)]
pub struct RepairReport {
    /// Each table with the rows that were rewritten and those that were deleted.
    pub tables: Vec<RepairedTable>,
    /// Rows compared.
    pub rows_compared: u64,
}

/// One table.
#[derive(Debug, Clone, Serialize)]
pub struct RepairedTable {
    /// Its name.
    pub name: TableName,
    /// Rows added, rewritten or deleted.
    pub rows_repaired: u64,
    /// Why it still waits for a person, if it does.
    pub still_waiting: Option<String>,
}

/// The connections of a repair.
pub type Connected = (Box<dyn Source>, Box<dyn Target>);

/// Connects to both sides, and writes nothing.
pub async fn connect(servers: &dyn Servers) -> Result<Connected, Fault> {
    tokio::try_join!(servers.source(), servers.target())
}

/// Repairs tables. Refuses while another process holds the lease: that one repairs by itself, up to the brake.
pub async fn run(
    (servers, (mut source, mut target)): (&Arc<dyn Servers>, Connected),
    (lane, chosen): (&str, &[TableName]),
    (claim, budget): (&Claim, &Budget),
    tell: &dyn Tell,
    stop: &CancellationToken,
) -> Result<RepairReport, Fault> {
    let mut control = servers.control().await?;
    let lease = match control.acquire(lane, &claim.holder, claim.ttl_s).await? {
        LeaseAnswer::Granted(lease) => lease,
        LeaseAnswer::HeldBy { holder, .. } => {
            let why = format!("{holder} is syncing this lane and repairs what it finds up to the brake; stop it first");
            return Err(Fault::new(FaultKind::Refused(why), "repair").on(Side::Target));
        }
        LeaseAnswer::Promoted => {
            let why = "the target has been promoted: no Leeward may write it".to_owned();
            return Err(Fault::new(FaultKind::Refused(why), "repair").on(Side::Target));
        }
    };
    let heartbeat = Heartbeat::start(servers.clone(), lease.clone(), claim.ttl_s);
    let work = async {
        let mut lane = sync::load(control.as_mut(), lane).await?.within(budget);
        let events = readmit(&mut lane, chosen);
        let records: Vec<_> = lane.tables.iter().map(|table| &table.record).collect();
        control.record(&lease, &lane.record, &records, &events).await?;
        let mut pace = ScrubPace::sweep();
        let mut report = RepairReport::default();
        tell.tell(Progress::Phase(format!("comparing and repairing {} tables", chosen.len())));
        while !lane.all_live() {
            if stop.is_cancelled() {
                return Err(Fault::new(FaultKind::Stopped, "repair"));
            }
            let mut hands = Hands {
                source: source.as_mut(),
                target: target.as_mut(),
                lease: &lease,
                pace: &mut pace,
                braking: Braking::Off,
            };
            let cycle = match cycle::run(&mut lane, &mut hands).await {
                Ok(cycle) => cycle,
                Err(fault) => {
                    take_out(&mut lane, fault)?;
                    continue;
                }
            };
            report.rows_compared += cycle.rows_compared;
            add(&mut report, &cycle.repairs);
            if !lane.fence_proved && !lane.all_live() {
                tokio::time::sleep(FENCE_WAIT).await;
            }
        }
        finish(&mut report, &lane, chosen);
        Ok(report)
    };
    let report = tokio::select! {
        report = work => report,
        () = heartbeat.lost().cancelled() => Err(Fault::new(FaultKind::LeaseLost, "repair").on(Side::Target)),
    };
    drop(heartbeat);
    if let Ok(mut control) = servers.control().await {
        let _ = control.release(&lease).await;
    }
    report
}

/// Sets the chosen tables back to before their first comparison. Those whose definitions differ stay out.
fn readmit(lane: &mut Lane, chosen: &[TableName]) -> Vec<Event> {
    let mut events = Vec::new();
    for at in 0..lane.tables.len() {
        let name = lane.tables[at].planned.name().clone();
        if !chosen.contains(&name) {
            continue;
        }
        match &lane.tables[at].record.state {
            TableState::Quarantined { cause, .. } if stays_out(*cause) => {}
            TableState::Quarantined { .. } => {
                let planned = lane.tables[at].planned.clone();
                events.push(lane.readmit(at, planned));
            }
            _ => {
                lane.tables[at].record.state = TableState::CatchingUp;
                lane.tables[at].record.scrub = ScrubRecord::default();
            }
        }
    }
    events
}

/// Takes a table out whose definition turns out to be another than planned; any other fault ends the repair.
fn take_out(lane: &mut Lane, fault: Fault) -> Result<(), Fault> {
    let fault = table_fault(fault)?;
    let at = lane.tables.iter().position(|table| Some(table.planned.name()) == fault.table.as_ref());
    let Some(at) = at else { return Err(fault) };
    let (cause, reason, remedy) = crate::scrub::stop_for(&fault);
    lane.quarantine(at, cause, &reason, &remedy);
    Ok(())
}

fn stays_out(cause: QuarantineCause) -> bool {
    matches!(cause, QuarantineCause::DefinitionDrift | QuarantineCause::Dropped | QuarantineCause::Unsupported)
}

fn add(report: &mut RepairReport, repairs: &[(TableName, u64)]) {
    for (name, rows) in repairs {
        match report.tables.iter_mut().find(|table| table.name == *name) {
            Some(table) => table.rows_repaired += rows,
            None => {
                report.tables.push(RepairedTable { name: name.clone(), rows_repaired: *rows, still_waiting: None });
            }
        }
    }
}

fn finish(report: &mut RepairReport, lane: &Lane, chosen: &[TableName]) {
    for table in lane.tables.iter().filter(|table| chosen.contains(table.planned.name())) {
        add(report, &[(table.planned.name().clone(), 0)]);
        if let (TableState::Quarantined { reason, remedy, .. }, Some(line)) =
            (&table.record.state, report.tables.iter_mut().find(|line| line.name == *table.planned.name()))
        {
            line.still_waiting = Some(format!("{reason}; {remedy}"));
        }
    }
    report.tables.sort_by(|a, b| a.name.cmp(&b.name));
}
