//! `leeward sync`: the long-running service, or with `--once` the way to its first moment in step.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use leeward_core::fault::Fault;
use leeward_core::lane::LaneState;
use leeward_core::name::Side;
use leeward_core::port::{Lease, Servers};
use leeward_engine::budget::Budget;
use leeward_engine::cycle::CycleReport;
use leeward_engine::sync::{self, SyncOptions, Until};
use leeward_engine::watch::Watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::traffic::Ledger;
use super::witness::{Ending, Witness};
use super::{Desk, planning};
use crate::cli::SyncArgs;
use crate::config::mistake::Origin;
use crate::config::resolve::MetricsForm;
use crate::config::{Mistakes, Settings, SideSettings};
use crate::report::sync::SyncOutcome;
use crate::report::transfer::Transfer;
use crate::service::vitals::{Vitals, step_max};
use crate::service::{emf, http};
use crate::{Answer, Failure, report, shutdown, wire};

/// How often a lane that applies rows says so.
const BUSY_EVERY: Duration = Duration::from_secs(2);

/// How often a lane with nothing to do says that it lives: silence for longer than this means that it does not.
const QUIET_EVERY: Duration = Duration::from_secs(60);

/// Keeps the target in step until it is stopped.
///
/// # Errors
/// When a person must act before it can go on.
pub async fn run(desk: &Desk, args: &SyncArgs) -> Result<Answer, Failure> {
    let stop = shutdown::listen()?;
    let vitals = Arc::new(vitals(&desk.settings));
    let mut tellers = Tellers::start(&desk.settings, &vitals).await?;
    planning::refuse_same_server(desk).await?;
    let servers = wire::servers_for_rows(&desk.settings).await?;
    let lane = desk.settings.policy.settings().lane.clone();
    if let Some(path) = &args.plan {
        check_plan(desk, path).await?;
    }
    let options = SyncOptions {
        lane,
        claim: wire::claim(&desk.settings),
        interval: desk.settings.cycle_interval,
        until: if args.once { Until::LiveOnce } else { Until::Stopped },
        budget: Budget::new(desk.settings.memory_bytes),
    };
    let ledger = Ledger::new(&desk.settings, &options.lane, servers.clone()).await?;
    tellers.tasks.spawn(ledger.keep(tellers.stop.clone()));
    let log = Log::new(&options.lane, servers.clone());
    let told = Told { log, witness: Witness::start(&desk.settings, &options.lane).await?, vitals };
    let ran = sync::run(servers.clone(), &options, &told, &stop).await;
    tellers.finish().await;
    let Told { log, witness, vitals: _ } = told;
    witness.finish(if ran.is_ok() && args.once { Ending::InPeace } else { Ending::AtOnce }).await;
    ran?;
    if stop.is_cancelled() {
        tracing::info!("stopped; the lease is given back");
    }
    let transfer = Transfer::of(servers.as_ref(), (&wire::place(&desk.settings), &desk.settings.prices));
    let outcome = SyncOutcome { transfer, ..log.outcome() };
    report::write(desk.talk, &outcome, || outcome.text())?;
    Ok(Answer::Yes)
}

/// Refuses to run when the lane follows another plan than the one named.
async fn check_plan(desk: &Desk, path: &Path) -> Result<(), Failure> {
    let named = planning::read_file(path)?;
    let mut control = wire::control(&wire::endpoint(&desk.settings, Side::Target).await?).await?;
    let stored = if control.exists().await? { control.plan(&named.settings.lane).await? } else { None };
    let mut mistakes = Mistakes::default();
    if stored.is_none_or(|stored| stored.hash != named.hash) {
        let (lane, path) = (&named.settings.lane, path.display());
        let text = format!("lane {lane} follows another plan; run `leeward seed --plan {path}` first");
        mistakes.at(&Origin::Flag("plan".to_owned()), text);
    }
    Ok(mistakes.or(())?)
}

/// Whoever hears of a cycle.
struct Told {
    log: Log,
    witness: Witness,
    vitals: Arc<Vitals>,
}

impl Watch for Told {
    fn cycle(&self, report: &CycleReport) {
        self.witness.cycle();
        self.log.cycle(report);
        self.vitals.cycle(report);
    }

    fn waits(&self) {
        self.vitals.waits();
    }

    fn leads(&self, lease: &Lease) {
        self.vitals.leads(lease);
    }

    fn endures(&self, fault: &Fault) {
        self.vitals.endures(fault);
    }
}

/// Returns vital signs that allow, unless people say otherwise, for the waits that are configured: each is a pause without a step.
fn vitals(settings: &Settings) -> Vitals {
    let of_side = |side: &SideSettings| side.timeouts.connect + side.timeouts.read;
    let servers: Duration = settings.source.iter().chain(&settings.target).map(of_side).sum();
    let objectives = settings.policy.settings();
    let step_max = settings.step_max.unwrap_or_else(|| step_max(settings.cycle_interval + servers));
    Vitals::new(&objectives.lane, objectives.rpo_s, step_max)
}

/// What tells machines of a running sync, beside its cycles.
struct Tellers {
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Tellers {
    /// Takes the address, if one is configured, and starts to tell. It comes before all else that a sync does: an address in
    /// use is found before anything is changed, and a server that lets the start wait makes no process look hung.
    async fn start(settings: &Settings, vitals: &Arc<Vitals>) -> Result<Tellers, Failure> {
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        if let Some(address) = settings.listen {
            let listener = http::listen(address).await?;
            let target = wire::endpoint(settings, Side::Target).await?;
            tracing::info!(%address, "listening: /live /ready /status.json /metrics");
            tasks.spawn(http::serve(listener, Arc::new(http::Told::new(vitals.clone(), &target)), stop.clone()));
        }
        if settings.metrics == MetricsForm::Emf {
            tasks.spawn(emf::tell(vitals.clone(), stop.clone()));
        }
        Ok(Tellers { stop, tasks })
    }

    /// Ends them: no more is answered, and the last numbers are written.
    async fn finish(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Says in the log what cycles did: every one at debug level, a change of state at once, and the rest summed up.
struct Log {
    summary: Mutex<Summary>,
    servers: Arc<dyn Servers>,
}

struct Summary {
    state: Option<LaneState>,
    told: Instant,
    since_told: SyncOutcome,
    total: SyncOutcome,
}

impl Log {
    fn new(lane: &str, servers: Arc<dyn Servers>) -> Log {
        let (since_told, total) = (SyncOutcome::new(lane), SyncOutcome::new(lane));
        Log { summary: Mutex::new(Summary { state: None, told: Instant::now(), since_told, total }), servers }
    }

    fn outcome(self) -> SyncOutcome {
        self.summary.into_inner().unwrap_or_else(PoisonError::into_inner).total
    }
}

impl Watch for Log {
    fn cycle(&self, report: &CycleReport) {
        let mut summary = self.summary.lock().unwrap_or_else(PoisonError::into_inner);
        summary.total.add(report);
        summary.since_told.add(report);
        // Two machines' clocks: good enough for a person who watches. Readiness measures.
        let lag_ms = (chrono::Utc::now().naive_utc() - report.cut_at).num_milliseconds();
        let (cycle, cut_at) = (report.cycle, report.cut_at);
        tracing::debug!(cycle, %cut_at, lag_ms, rows_applied = report.rows_applied, "cycle committed");

        let has_changed = summary.state.as_ref() != Some(&report.state);
        let every = if summary.since_told.rows_applied > 0 { BUSY_EVERY } else { QUIET_EVERY };
        if !has_changed && summary.told.elapsed() < every {
            return;
        }
        let SyncOutcome { cycles, rows_applied, rows_compared, rows_repaired, ref lane, .. } = summary.since_told;
        let state = match report.state {
            LaneState::Live => "live",
            LaneState::CatchingUp => "catching up",
            LaneState::Seeding => "seeding",
            LaneState::Blocked { .. } => "blocked",
        };
        let source_bytes_read = self.servers.passed(Side::Source).map_or(0, |passed| passed.read);
        tracing::info!(
            lane, state, cycle, %cut_at, lag_ms, cycles, rows_applied, rows_compared, rows_repaired, source_bytes_read,
            "lane moved on"
        );
        let lane = lane.clone();
        summary.state = Some(report.state.clone());
        summary.told = Instant::now();
        summary.since_told = SyncOutcome::new(&lane);
    }
}
