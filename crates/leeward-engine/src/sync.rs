//! The supervisor: keeps cycles going through failovers, full disks and rotated passwords, and stops when asked to.

mod beside;

use std::sync::Arc;
use std::time::{Duration, Instant};

use leeward_core::fault::{Decision, Fault, FaultKind};
use leeward_core::lane::LaneState;
use leeward_core::name::{Side, TableName};
use leeward_core::port::{Control, Event, Lease, Servers, Source, Target};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::accept;
use crate::brake::Braking;
use crate::budget::Budget;
use crate::clock;
use crate::cycle::{self, CycleReport, Hands};
use crate::demote;
use crate::drift::{self, Looks};
use crate::errand::Errands;
use crate::lane::Lane;
use crate::lease::{self, Claim, Heartbeat};
use crate::pace::ScrubPace;
use crate::watch::Watch;

/// How often definitions are compared. One query a side; a changed table of which no rows come is found within this time.
const DRIFT_EVERY: Duration = Duration::from_secs(2);

/// Times as long as a look took until the next: where there are thousands of tables, it is a burden of five per cent.
const LOOK_SHARE: u32 = 20;

/// Cycles in a row that are given up because one table may not be as planned, before it is taken out without knowing why.
const DOUBTS_MAX: u32 = 3;

/// First and longest wait after a fault that passes by itself.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// How long faults may be tried again before the lane counts as blocked, so that status says why nothing moves.
const BLOCKED_AFTER: Duration = Duration::from_secs(10);

/// How long a stop waits for a cycle under way before the connection is dropped, which rolls back.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// How long `Until::LiveOnce` puts up with faults that pass by themselves.
const ONCE_PATIENCE: Duration = Duration::from_secs(60);

/// How long `Until::LiveOnce` waits for the fence before it says for whom: transactions of ordinary length are over.
const HOLDER_TOLD_AFTER: Duration = Duration::from_secs(3);

/// When a run ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Never: a long-running service.
    Stopped,
    /// After the first cycle that leaves every table live and was begun with a proved fence.
    LiveOnce,
}

/// How a lane is run.
#[derive(Debug, Clone)]
pub struct SyncOptions {
    /// The lane.
    pub lane: String,
    /// Who runs it.
    pub claim: Claim,
    /// Time from the start of one cycle to the start of the next.
    pub interval: Duration,
    /// When to end.
    pub until: Until,
    /// Rows in memory.
    pub budget: Budget,
}

/// Runs a lane until it is stopped or a person is needed.
pub async fn run(
    servers: Arc<dyn Servers>,
    options: &SyncOptions,
    watch: &dyn Watch,
    stop: &CancellationToken,
) -> Result<(), Fault> {
    let mut control = connect_control(servers.as_ref(), options, (watch, stop)).await?;
    let lease = lease::acquire(control.as_mut(), &options.lane, &options.claim, (&|| watch.waits(), stop)).await?;
    watch.leads(&lease);
    let heartbeat = Heartbeat::start(servers.clone(), lease.clone(), options.claim.ttl_s);
    let outcome = async {
        let lane = load(control.as_mut(), &options.lane).await?.within(&options.budget);
        let settings = &lane.plan.settings.scrub;
        let pace = ScrubPace::budget(settings.chunk_rows, settings.source_share, options.interval);
        let mut service = Service::new(servers.as_ref(), &lease, lane, pace);
        service.run(options, watch, (stop, heartbeat.lost())).await
    }
    .await;
    drop(heartbeat);
    // Best effort: a lease that cannot be given up lapses by itself.
    if let Ok(mut control) = servers.control().await {
        let _ = control.release(&lease).await;
    }
    match outcome {
        Err(fault) if fault.kind == FaultKind::Stopped => Ok(()),
        outcome => outcome,
    }
}

/// Loads a lane that has been seeded.
pub async fn load(control: &mut dyn Control, name: &str) -> Result<Lane, Fault> {
    let Some(plan) = control.plan(name).await? else {
        let why = format!("lane {name} has no stored plan on the target; run `leeward seed` first");
        return Err(Fault::new(FaultKind::Refused(why), "load the lane").on(Side::Target));
    };
    let record = control.lane(name).await?;
    if record.as_ref().is_none_or(|record| record.state == LaneState::Seeding) {
        let why =
            format!("lane {name} has not been seeded to its end; run `leeward seed`, which goes on where it stopped");
        return Err(Fault::new(FaultKind::Refused(why), "load the lane").on(Side::Target));
    }
    let tables = control.tables(name).await?;
    Ok(Lane::new(plan, record, tables))
}

async fn connect_control(
    servers: &dyn Servers,
    options: &SyncOptions,
    (watch, stop): (&dyn Watch, &CancellationToken),
) -> Result<Box<dyn Control>, Fault> {
    let began = clock::now();
    let mut wait = BACKOFF.0;
    loop {
        match open_control(servers).await {
            Ok(control) => return Ok(control),
            Err(fault) if fault.decision() == Decision::Retry && patient(options.until, began) => {
                watch.waits();
                warn!(fault = fault.explained(), "target not reachable yet; trying again");
                pause(wait, stop).await?;
                wait = (wait * 2).min(BACKOFF.1);
            }
            Err(fault) => return Err(fault),
        }
    }
}

async fn open_control(servers: &dyn Servers) -> Result<Box<dyn Control>, Fault> {
    let mut control = servers.control().await?;
    if !control.exists().await? {
        let why = "the target has no control schema `leeward`; run `leeward seed` first".to_owned();
        return Err(Fault::new(FaultKind::Refused(why), "open the control schema").on(Side::Target));
    }
    control.migrate().await?;
    Ok(control)
}

fn patient(until: Until, since: Instant) -> bool {
    until == Until::Stopped || clock::since(since) < ONCE_PATIENCE
}

async fn pause(wait: Duration, stop: &CancellationToken) -> Result<(), Fault> {
    tokio::select! {
        () = tokio::time::sleep(wait) => Ok(()),
        () = stop.cancelled() => Err(Fault::new(FaultKind::Stopped, "wait")),
    }
}

/// The connections of a running lane.
struct Connected {
    source: Box<dyn Source>,
    target: Box<dyn Target>,
    looks: Looks,
    looked: Option<Instant>,
    /// How long after a look the next is made.
    look_every: Duration,
}

/// Faults in a row.
struct Trouble {
    since: Instant,
    wait: Duration,
    stored: bool,
}

/// A lane under way: its memory and its connections. [`run`] turns it on a timer; a simulator turns it by hand.
pub struct Service<'a> {
    servers: &'a dyn Servers,
    lease: &'a Lease,
    /// The lane.
    pub lane: Lane,
    /// How much each cycle compares.
    pub pace: ScrubPace,
    connected: Option<Connected>,
    trouble: Option<Trouble>,
    /// Whether the answer to a COMMIT was lost and what came of it is still to be read back.
    unsure: bool,
    /// What happened with the fallbacks that were taken and are not stored yet.
    unstored: Vec<Event>,
    /// What looks at definitions have come to.
    memory: drift::Memory,
    /// When new tables that could not be filled are tried again.
    fill_again: Option<Instant>,
    /// The table whose definition made the last cycles be given up, and how many.
    doubt: Option<(TableName, u32)>,
}

impl<'a> Service<'a> {
    /// Takes a loaded lane up. Nothing is connected yet.
    pub fn new(servers: &'a dyn Servers, lease: &'a Lease, lane: Lane, pace: ScrubPace) -> Service<'a> {
        Service {
            servers,
            lease,
            lane,
            pace,
            connected: None,
            trouble: None,
            unsure: false,
            unstored: Vec::new(),
            memory: drift::Memory::default(),
            fill_again: None,
            doubt: None,
        }
    }

    async fn run(
        &mut self,
        options: &SyncOptions,
        watch: &dyn Watch,
        (stop, lost): (&CancellationToken, &CancellationToken),
    ) -> Result<(), Fault> {
        let mut untold_since = (options.until == Until::LiveOnce).then(clock::now);
        let mut errands = Errands::default();
        while !stop.is_cancelled() {
            let began = clock::now();
            let proved_before = self.lane.fence_proved;
            let turn = async {
                tokio::select! {
                    turn = self.turn() => turn,
                    () = stopped_for_long(stop) => Err(Fault::new(FaultKind::Stopped, "finish the cycle")),
                    () = lost.cancelled() => Err(Fault::new(FaultKind::LeaseLost, "run the lane").on(Side::Target)),
                }
            };
            let turn = match errands.beside(turn).await {
                Ok(report) => self.take_errands(errands.take_done()).await.map(|()| report),
                Err(fault) => Err(fault),
            };
            match turn {
                Ok(report) => {
                    log(&report);
                    watch.cycle(&report);
                    self.begin_errands(&mut errands);
                    let live = report.state == LaneState::Live && proved_before && self.is_settled(&errands);
                    if options.until == Until::LiveOnce && live {
                        return Ok(());
                    }
                    if !proved_before && untold_since.is_some_and(|since| clock::since(since) >= HOLDER_TOLD_AFTER) {
                        untold_since = None;
                        tell_holder(&self.lane);
                    }
                    let left = options.interval.saturating_sub(clock::since(began));
                    if report.state == LaneState::Live || !self.lane.fence_proved || !self.lane.is_behind() {
                        errands.beside(pause(left, stop)).await?;
                    }
                }
                Err(fault) => {
                    watch.endures(&fault);
                    let wait = self.endure(fault, options.until).await?;
                    errands.beside(pause(wait, stop)).await?;
                }
            }
        }
        Ok(())
    }

    /// Takes fallbacks that are due and stores the plan with them. What could not be stored is tried again in the next turn.
    async fn take_fallbacks(&mut self) -> Result<(), Fault> {
        self.unstored.extend(demote::take_fallbacks(&mut self.lane));
        if self.unstored.is_empty() {
            return Ok(());
        }
        let mut control = self.servers.control().await?;
        let tables: Vec<_> = self.lane.tables.iter().map(|table| &table.record).collect();
        let records = (&self.lane.record, tables.as_slice(), self.unstored.as_slice());
        control.store_plan(self.lease, &self.lane.plan, Some(records)).await?;
        self.unstored.drain(..).for_each(|event| warn!(kind = event.kind, "{}", event.text));
        Ok(())
    }

    /// Connects where needed, looks for drift when it is time, and runs one cycle.
    pub async fn turn(&mut self) -> Result<CycleReport, Fault> {
        if self.unsure {
            self.read_back().await?;
        }
        self.take_fallbacks().await?;
        let connected = match &mut self.connected {
            Some(connected) => connected,
            None => self.connected.insert(connect(self.servers).await?),
        };
        if connected.looked.is_none_or(|looked| clock::since(looked) >= connected.look_every) {
            let began = clock::now();
            let drift = drift::look(&mut self.lane, &mut connected.looks, &mut self.memory).await?;
            connected.looked = Some(clock::now());
            connected.look_every = DRIFT_EVERY.max(clock::since(began) * LOOK_SHARE);
            if drift.changed || !drift.events.is_empty() {
                let mut control = self.servers.control().await?;
                let (lane, events) = (&self.lane.record, drift.events.as_slice());
                let tables: Vec<_> = self.lane.tables.iter().map(|table| &table.record).collect();
                match drift.changed {
                    true => control.store_plan(self.lease, &self.lane.plan, Some((lane, &tables, events))).await?,
                    false => control.record(self.lease, lane, &tables, events).await?,
                }
            }
            drift.events.iter().for_each(|event| warn!(kind = event.kind, "{}", event.text));
            if self.lane.tables.iter().any(|table| table.held_by_brake().is_some()) {
                take_up_acceptances(self.servers, self.lease, &mut self.lane).await?;
            }
        }
        let mut hands = Hands {
            source: connected.source.as_mut(),
            target: connected.target.as_mut(),
            lease: self.lease,
            pace: &mut self.pace,
            braking: Braking::On,
        };
        let report = cycle::run(&mut self.lane, &mut hands).await?;
        (self.trouble, self.doubt) = (None, None);
        if report.events.iter().any(|event| event.kind == "quarantine") {
            // The fault that a cycle met does not say which ALTER would help; the next look does.
            connected.looked = None;
        }
        Ok(report)
    }

    /// Does what a turn's fault calls for and returns how long to wait before the next, or the fault when it ends the run.
    pub async fn endure(&mut self, fault: Fault, until: Until) -> Result<Duration, Fault> {
        // Before the next cycle definitions are looked at: a table that has changed may be why this one failed.
        self.look_soon();
        if self.doubts(&fault) {
            info!(fault = %fault, "the cycle was given up; looking at definitions");
            return Ok(Duration::ZERO);
        }
        // A conflict leaves the connections whole, and with them what the fence has seen.
        if fault.kind != FaultKind::Conflict {
            self.connected = None;
        }
        if fault.kind == FaultKind::OutcomeUnknown {
            self.unsure = true;
            if self.read_back().await.unwrap_or(false) {
                return Ok(Duration::ZERO);
            }
        }
        let decision = fault.decision();
        let trouble =
            self.trouble.get_or_insert_with(|| Trouble { since: clock::now(), wait: BACKOFF.0, stored: false });
        let (wait, since, stored) = (trouble.wait, trouble.since, trouble.stored);
        trouble.wait = (wait * 2).min(BACKOFF.1);
        match decision {
            Decision::Halt { .. } => return Err(fault),
            Decision::Quarantine { .. } => self.quarantine(&fault).await?,
            Decision::Block { .. } if until == Until::LiveOnce => return Err(fault),
            Decision::Retry if !patient(until, since) => return Err(fault),
            Decision::Block { remedy } if !stored => {
                error!(fault = fault.explained(), remedy, "lane blocked; it goes on by itself once this is remedied");
                self.store_blocked(&fault, &remedy).await;
            }
            Decision::Retry if clock::since(since) >= BLOCKED_AFTER && !stored => {
                error!(fault = fault.explained(), "lane blocked; trying again until it passes");
                self.store_blocked(&fault, &format!("wait, or look at why: {fault}")).await;
            }
            Decision::Retry | Decision::Block { .. } => {
                warn!(fault = fault.explained(), wait_ms = wait.as_millis(), "trying again")
            }
        }
        Ok(wait)
    }

    fn look_soon(&mut self) {
        if let Some(connected) = &mut self.connected {
            connected.looked = None;
        }
    }

    /// Returns whether a fault only says that a table may not be as planned: a look tells. Where looks find nothing again and
    /// again, it is a fault like others.
    fn doubts(&mut self, fault: &Fault) -> bool {
        let Some(table) = fault.table.as_ref() else { return false };
        if !matches!(fault.kind, FaultKind::TableChanged | FaultKind::TableMissing) {
            return false;
        }
        let before = self.doubt.take().filter(|(known, _)| known == table).map_or(0, |(_, times)| times);
        self.doubt = Some((table.clone(), before + 1));
        before < DOUBTS_MAX
    }

    /// Reads back whether the cycle whose COMMIT was not answered happened. If it did, this process's memory is one
    /// cycle behind the target: the lane is loaded anew. Until this has been read nothing may be written.
    async fn read_back(&mut self) -> Result<bool, Fault> {
        let mut control = self.servers.control().await?;
        let lane = load(control.as_mut(), &self.lane.record.lane).await?;
        let committed = lane.record.cycle > self.lane.record.cycle;
        if committed {
            info!(cycle = lane.record.cycle, "the commit without an answer had happened");
            self.lane.go_on_with(lane);
        }
        self.unsure = false;
        Ok(committed)
    }

    async fn quarantine(&mut self, fault: &Fault) -> Result<(), Fault> {
        let at = self.lane.tables.iter().position(|table| Some(table.planned.name()) == fault.table.as_ref());
        let Some(at) = at else { return Ok(()) };
        let (cause, reason, remedy) = crate::scrub::stop_for(fault);
        let event = self.lane.quarantine(at, cause, &reason, &remedy);
        warn!(kind = event.kind, "{}", event.text);
        let mut control = self.servers.control().await?;
        control.record(self.lease, &self.lane.record, &[&self.lane.tables[at].record], &[event]).await
    }

    /// Stores why nothing moves, where the target can be reached at all and no newer record may lie there.
    async fn store_blocked(&mut self, fault: &Fault, remedy: &str) {
        if self.unsure {
            return;
        }
        let state = LaneState::Blocked { reason: fault.to_string(), remedy: remedy.to_owned() };
        let record = leeward_core::lane::LaneRecord { state, ..self.lane.record.clone() };
        let event = Event { kind: "lane_state".into(), table: None, text: format!("blocked: {fault}; {remedy}") };
        let Ok(mut control) = self.servers.control().await else { return };
        if control.record(self.lease, &record, &[], &[event]).await.is_ok()
            && let Some(trouble) = &mut self.trouble
        {
            trouble.stored = true;
            self.lane.record.state = record.state;
        }
    }
}

/// Looks what people have agreed to, and stores that it was taken up before anything is done about it.
async fn take_up_acceptances(servers: &dyn Servers, lease: &Lease, lane: &mut Lane) -> Result<(), Fault> {
    let mut control = servers.control().await?;
    let events = accept::take_up(lane, control.as_mut()).await?;
    if events.is_empty() {
        return Ok(());
    }
    let tables: Vec<_> = lane.tables.iter().map(|table| &table.record).collect();
    control.record(lease, &lane.record, &tables, &events).await?;
    events.iter().for_each(|event| info!(kind = event.kind, "{}", event.text));
    Ok(())
}

/// Says whose open transaction keeps the marks from being proved: without it, `--once` does not end.
fn tell_holder(lane: &Lane) {
    if let Some(holder) = lane.record.holders.first() {
        let thread = holder.thread.map_or(String::new(), |thread| format!(" (thread {thread})"));
        warn!("in step but for proof: waiting for a transaction of {}{thread} on the source to end", holder.account);
    }
}

async fn stopped_for_long(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(STOP_PATIENCE).await;
}

async fn connect(servers: &dyn Servers) -> Result<Connected, Fault> {
    let (source, target, there, here, shape) = tokio::try_join!(
        servers.source(),
        servers.target(),
        servers.shapes(Side::Source),
        servers.shapes(Side::Target),
        servers.shape(),
    )?;
    let looks = Looks { source: there, target: here, shape };
    Ok(Connected { source, target, looks, looked: None, look_every: DRIFT_EVERY })
}

fn log(report: &CycleReport) {
    for event in &report.events {
        match event.kind.as_str() {
            "repair" | "lane_state" => info!(kind = event.kind, "{}", event.text),
            _ => warn!(kind = event.kind, "{}", event.text),
        }
    }
    tracing::debug!(
        cycle = report.cycle,
        cut_at = %report.cut_at,
        rows_read = report.rows_read,
        rows_applied = report.rows_applied,
        rows_compared = report.rows_compared,
        rows_repaired = report.rows_repaired(),
        took_ms = report.took.as_millis() as u64,
        "cycle committed"
    );
}
