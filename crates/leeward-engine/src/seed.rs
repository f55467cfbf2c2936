//! The seed: definitions first, marks noted before the first read, rows in parallel chunks, indexes and foreign keys after
//! them, and one comparison of every row at the end. Kill it at any moment and run it again: it goes on.

mod closing;
mod join;
mod loading;
mod tables;

use std::collections::BTreeMap;
use std::sync::Arc;

use leeward_core::class::Strategy;
use leeward_core::dump::DumpId;
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::fingerprint::fingerprint;
use leeward_core::lane::{LaneState, TableRecord, TableState};
use leeward_core::mark::Mark;
use leeward_core::name::{Side, TableName};
use leeward_core::plan::{Plan, PlannedTable};
use leeward_core::port::{Control, Event, Lease, Member, Servers, Shape, TablePart};
use leeward_core::survey::ObjectFacts;
use leeward_core::throttle::LoadLimit;
use tokio_util::sync::CancellationToken;

use crate::budget::Budget;
use crate::copy::{self, Book, Copy, Readers};
use crate::lane::{Lane, Looked};
use crate::lease::{self, Claim, Heartbeat};
use crate::look;
use crate::objects;
use crate::patience::Patience;
use crate::progress::{Progress, Tell};
use crate::throttle::Throttle;
pub use closing::COMPARING;

/// The phase in which tables are there and rows come.
pub const COPYING: &str = "copying rows";

/// What to do with tables that are on the target and were not put there by Leeward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Refuse before anything is changed.
    Refuse,
    /// Compare and repair them instead of copying.
    Adopt,
}

/// What to do when another process works on the lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    /// Wait until it is done.
    Wait,
    /// Help it with the copy, if it seeds; lead on if it is gone.
    Join,
}

/// When a seed is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Until {
    /// When every row has been compared with the source and the lane is live.
    Live,
    /// When every chunk is there: the rows come from a dump, and there is no source to compare them with.
    Loaded(Loaded),
}

/// What is loaded in place of the source's rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The dump. Another one cannot go on with its chunks.
    pub dump: DumpId,
    /// Rows of each of its tables.
    pub rows: BTreeMap<TableName, u64>,
    /// Whether it is one table alone, of which nothing is to be kept in step.
    pub alone: Option<Alone>,
}

/// One table that is restored by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alone {
    /// The name that it has in the dump, where it gets another. Its foreign keys then get others, too: theirs may be taken.
    pub was: Option<TableName>,
}

/// How a seed is run.
#[derive(Debug, Clone)]
pub struct SeedOptions {
    /// Who runs it.
    pub claim: Claim,
    /// Tables already there.
    pub found: Found,
    /// Other processes.
    pub others: Others,
    /// Chunks copied at once, over the policy's number.
    pub parallel: Option<usize>,
    /// How busy the source may be, over the policy's limit.
    pub max_source_load: Option<LoadLimit>,
    /// Rows in memory.
    pub budget: Budget,
    /// When it is done.
    pub until: Until,
}

impl SeedOptions {
    /// Returns how many chunks are copied at once, where people have said how many.
    fn fixed(&self, plan: &Plan) -> Option<usize> {
        self.parallel.or(plan.settings.seed.parallel)
    }

    /// Returns over how many connections tables are made and completed.
    fn parallel(&self, plan: &Plan) -> usize {
        self.fixed(plan).unwrap_or(copy::START).max(1)
    }

    /// Returns this process as one of those that share a copy.
    fn member(&self, plan: &Plan) -> Member {
        Member {
            name: self.claim.holder.clone(),
            parallel: self.parallel(plan),
            ttl_s: self.claim.ttl_s,
            plan: plan.hash.clone(),
        }
    }
}

/// What this process was in a seed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SeedRole {
    /// It held the lane's lease and brought the seed to its end.
    #[default]
    Led,
    /// It helped with the rows; another process has brought the seed to its end.
    Helped,
}

/// What a seed did.
#[must_use]
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct SeedReport {
    /// What this process was.
    pub role: SeedRole,
    /// Tables on the target now.
    pub tables: usize,
    /// Rows copied by this run.
    pub rows: u64,
    /// Bytes copied by this run.
    pub bytes: u64,
    /// Rows that other processes have copied meanwhile.
    pub rows_elsewhere: u64,
    /// Chunks that this process copied at once, at most.
    pub at_once: usize,
    /// Rows that the closing comparison added, rewrote or deleted.
    pub rows_repaired: u64,
    /// Rows compared by it.
    pub rows_compared: u64,
    /// Seconds in which nothing was begun because the source was busier than it may be.
    pub waited_s: u64,
    /// Tables left for a person: name, reason, remedy.
    pub quarantined: Vec<(String, String, String)>,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// A seed under way.
struct Seed<'a> {
    servers: &'a Arc<dyn Servers>,
    options: &'a SeedOptions,
    tell: &'a dyn Tell,
    stop: &'a CancellationToken,
    throttle: &'a Throttle,
    lease: Lease,
    lane: Lane,
    report: SeedReport,
}

/// Seeds the target by a plan. Nothing is changed before the source's load has been seen, where it is limited.
pub async fn run(
    servers: &Arc<dyn Servers>,
    (plan, objects): (Plan, &[ObjectFacts]),
    options: &SeedOptions,
    tell: &dyn Tell,
    stop: &CancellationToken,
) -> Result<SeedReport, Fault> {
    let limit = options.max_source_load.unwrap_or(plan.settings.seed.max_source_load);
    let throttle = Throttle::begin(servers.as_ref(), limit, tell).await?;
    let (halt, ended) = (stop.child_token(), CancellationToken::new());
    let seeding = async {
        let report = seed(servers, (plan, objects), options, (tell, &halt, &throttle)).await;
        ended.cancel();
        report
    };
    let watching = async {
        let fault = throttle.keep(servers.as_ref(), tell, &halt).await;
        halt.cancel();
        fault
    };
    match tokio::join!(seeding, ended.run_until_cancelled(watching)) {
        // What ended the seed is what the watch met, not the stop that followed.
        (Err(_), Some(Err(fault))) if !stop.is_cancelled() => Err(fault),
        (report, _) => report.map(|report| SeedReport { waited_s: throttle.waited().as_secs(), ..report }),
    }
}

/// Refuses what [`run`] would refuse, for whoever has much to do before it.
///
/// # Errors
/// `Refused`, and those of the connections.
pub async fn refuse(servers: &dyn Servers, plan: &Plan, options: &SeedOptions) -> Result<(), Fault> {
    let (mut shape, mut control) = tokio::try_join!(servers.shape(), servers.control())?;
    refuse_foreign_tables(shape.as_mut(), control.as_mut(), plan, options).await.map(drop)
}

async fn seed(
    servers: &Arc<dyn Servers>,
    (plan, objects): (Plan, &[ObjectFacts]),
    options: &SeedOptions,
    (tell, stop, throttle): (&dyn Tell, &CancellationToken, &Throttle),
) -> Result<SeedReport, Fault> {
    let mut shape = servers.shape().await?;
    let mut control = servers.control().await?;
    let mut existing = refuse_foreign_tables(shape.as_mut(), control.as_mut(), &plan, options).await?;
    control.migrate().await?;
    let mut report = SeedReport::default();
    let lease = match options.others {
        Others::Wait => lease::acquire(control.as_mut(), &plan.settings.lane, &options.claim, (&|| {}, stop)).await?,
        Others::Join => {
            let ours =
                join::until_ours(servers.as_ref(), (&plan, options), (tell, stop, throttle), &mut report).await?;
            let Some(lease) = ours else { return Ok(report) };
            lease
        }
    };
    let heartbeat = Heartbeat::start(servers.clone(), lease.clone(), options.claim.ttl_s);
    let work = async {
        if options.others == Others::Join {
            // The connections have been idle, and another process has led, for as long as it took.
            (shape, control) = tokio::try_join!(servers.shape(), servers.control())?;
            existing = refuse_foreign_tables(shape.as_mut(), control.as_mut(), &plan, options).await?;
        }
        if let Until::Loaded(loaded) = &options.until {
            let before = loading::look(shape.as_mut(), control.as_mut(), &plan, loaded).await?;
            loading::prepare(control.as_mut(), (&lease, before), loaded).await?;
        }
        let lane = take_up(control.as_mut(), plan, (&lease, objects, tell)).await?.within(&options.budget);
        let mut seed = Seed { servers, options, tell, stop, throttle, lease: lease.clone(), lane, report };
        seed.run(shape.as_mut(), (&existing, objects)).await?;
        Ok(seed.report)
    };
    let report = tokio::select! {
        report = work => report,
        () = heartbeat.lost().cancelled() => Err(Fault::new(FaultKind::LeaseLost, "seed").on(Side::Target)),
    };
    drop(heartbeat);
    if let Ok(mut control) = servers.control().await {
        let _ = control.release(&lease).await;
    }
    report
}

/// Returns the planned tables that are on the target already and not Leeward's, or refuses, before anything is changed.
async fn refuse_foreign_tables(
    shape: &mut dyn Shape,
    control: &mut dyn Control,
    plan: &Plan,
    options: &SeedOptions,
) -> Result<Vec<TableName>, Fault> {
    if let Until::Loaded(loaded) = &options.until {
        loading::look(shape, control, plan, loaded).await?;
    }
    let names: Vec<TableName> = plan.tables.iter().map(|table| table.name().clone()).collect();
    let existing = shape.existing(&names).await?;
    let ours: Vec<TableName> = if control.exists().await? {
        let records = control.tables(&plan.settings.lane).await?;
        records.into_iter().filter(|record| record.state != TableState::Planned).map(|record| record.name).collect()
    } else {
        Vec::new()
    };
    let foreign: Vec<TableName> = existing.into_iter().filter(|name| !ours.contains(name)).collect();
    if foreign.is_empty() || options.found == Found::Adopt {
        return Ok(foreign);
    }
    Err(refusal(&foreign, &options.until))
}

fn refusal(foreign: &[TableName], until: &Until) -> Fault {
    let instead = match until {
        Until::Live => "drop them, or run `leeward seed --adopt` to compare and repair them instead",
        Until::Loaded(Loaded { alone: None, .. }) => "or drop them",
        Until::Loaded(_) => "drop it, or restore it under another name with --as",
    };
    let shown: Vec<String> = foreign.iter().take(10).map(ToString::to_string).collect();
    let more = foreign.len().saturating_sub(shown.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let why = format!(
        "the target already holds {} table(s) that Leeward did not put there: {}{more}. Nothing was changed. Point \
         Leeward at an empty target, {instead}",
        foreign.len(),
        shown.join(", ")
    );
    Fault::new(FaultKind::Refused(why), "seed").on(Side::Target)
}

/// Takes the lane up. A copy that an earlier run has begun goes on by the plan that it followed, so that its chunks and
/// marks keep their meaning; otherwise the new plan is stored, where it differs.
async fn take_up(
    control: &mut dyn Control,
    plan: Plan,
    (lease, objects, tell): (&Lease, &[ObjectFacts], &dyn Tell),
) -> Result<Lane, Fault> {
    let name = plan.settings.lane.clone();
    let tables = control.tables(&name).await?;
    let copying = tables.iter().any(|table| table.state == TableState::Seeding);
    let stored = control.plan(&name).await?;
    let plan = match stored {
        Some(stored) if stored.hash == plan.hash => stored,
        Some(stored) if copying && same_shapes(&stored, &plan) => {
            let text = "going on by the plan of the run that was interrupted; a changed policy takes effect with the \
                        next seed";
            tell.tell(Progress::Note(text.to_owned()));
            stored
        }
        _ => {
            control.store_plan(lease, &plan, None).await?;
            plan
        }
    };
    let schemas: Vec<String> = plan.schemas.iter().map(|schema| schema.name.clone()).collect();
    control.store_objects(&schemas, objects).await?;
    let record = control.lane(&name).await?;
    let tables = control.tables(&name).await?;
    Ok(Lane::new(plan, record, tables))
}

fn same_shapes(stored: &Plan, fresh: &Plan) -> bool {
    let shapes = |plan: &Plan| {
        plan.tables.iter().map(|table| (table.name().clone(), fingerprint(&table.table))).collect::<Vec<_>>()
    };
    shapes(stored) == shapes(fresh)
}

impl Seed<'_> {
    /// Each step connects to the control schema anew: the target ends connections that are silent for as long as a step may
    /// take.
    async fn run(
        &mut self,
        shape: &mut dyn Shape,
        (existing, objects): (&[TableName], &[ObjectFacts]),
    ) -> Result<(), Fault> {
        let servers = self.servers.clone();
        let missing = self.to_be_seeded(existing);
        let parallel = self.options.fixed(&self.lane.plan);
        let workers_max = self.options.budget.workers_max();
        let until = self.options.until.clone();
        let noting = async {
            match &until {
                Until::Live => self.note_marks(existing).await,
                Until::Loaded(_) => self.begin_load().await,
            }
        };
        let connecting = async {
            Ok(match missing.is_empty() {
                true => Readers::default(),
                false => Readers::connect(servers.as_ref(), parallel, workers_max).await,
            })
        };
        let (ddl, (), readers) = tokio::try_join!(tables::read_ddl(servers.as_ref(), &missing), noting, connecting)?;
        self.create_tables(shape, &ddl).await?;
        self.copy_rows(readers).await?;
        self.finish_tables(&ddl, TablePart::Indexes, "building secondary indexes").await?;
        match &until {
            Until::Loaded(Loaded { alone: Some(Alone { was: Some(was) }), .. }) => {
                self.foreign_keys_beside(&ddl, was).await?;
            }
            _ => self.finish_tables(&ddl, TablePart::ForeignKeys, "adding foreign keys").await?,
        }
        match &until {
            Until::Live => self.close_the_gap().await?,
            Until::Loaded(loaded) => self.end_load(loaded).await?,
        }
        if objects.iter().any(objects::is_seeded) {
            self.phase("creating routines and views");
            self.report.notes.extend(objects::create(self.servers.as_ref(), objects).await?);
        }
        if matches!(until, Until::Loaded(_)) {
            self.note_what_stays_behind(objects);
        }
        self.report.tables = self.lane.tables.iter().filter(|table| table.is_active()).count();
        for table in &self.lane.tables {
            if let TableState::Quarantined { reason, remedy, .. } = &table.record.state {
                let name = table.planned.name().to_string();
                self.report.quarantined.push((name, reason.clone(), remedy.clone()));
            }
        }
        Ok(())
    }

    fn phase(&self, text: &str) {
        self.tell.tell(Progress::Phase(text.to_owned()));
    }

    /// Notes, before the first read, from where deltas will go on. The mark is proved only when a barrier drawn then has
    /// been retired, which the closing comparison waits for: it looks at every row in cuts opened after that. The barrier is
    /// drawn here, so that the first look after the copy may retire it.
    async fn note_marks(&mut self, existing: &[TableName]) -> Result<(), Fault> {
        // What was loaded from a dump has its rows, and no mark yet.
        let is_loaded = |record: &TableRecord| {
            record.state == TableState::CatchingUp && record.mark == Mark::None && record.noted_at.is_none()
        };
        let is_fresh = |record: &TableRecord| record.state == TableState::Planned || is_loaded(record);
        let fresh: Vec<usize> =
            (0..self.lane.tables.len()).filter(|&at| is_fresh(&self.lane.tables[at].record)).collect();
        if fresh.is_empty() {
            // An interrupted seed ends by looking at threads as well: find out now whether they can be seen.
            let looked = look::sight(self.servers.as_ref(), &self.lane.plan.fence).await?;
            looked.iter().for_each(|looked| self.draw_barrier(looked));
            return Ok(());
        }
        self.phase("noting where the copy starts");
        let appended = |at: &&usize| self.lane.tables[**at].planned.strategy == Strategy::Append;
        let probes: Vec<&PlannedTable> =
            fresh.iter().filter(appended).map(|&at| &self.lane.tables[at].planned).collect();
        let looked = look::fresh(self.servers.as_ref(), &self.lane.plan.fence, &probes).await?;
        self.draw_barrier(&looked);
        let Looked { seen, .. } = looked;
        for &at in &fresh {
            let table = &mut self.lane.tables[at];
            let adopted = existing.contains(table.planned.name()) || is_loaded(&table.record);
            table.note_mark(&seen);
            table.record.state = if adopted { TableState::CatchingUp } else { TableState::Seeding };
        }
        self.lane.record.state = LaneState::Seeding;
        let records: Vec<&TableRecord> = fresh.iter().map(|&at| &self.lane.tables[at].record).collect();
        let text = format!("seed of {} tables began", fresh.len());
        let event = Event { kind: "lane_state".into(), table: None, text };
        self.servers.control().await?.record(&self.lease, &self.lane.record, &records, &[event]).await
    }

    fn draw_barrier(&mut self, looked: &Looked) {
        self.lane.looked = Some(looked.answered);
        self.lane.observe(looked);
    }

    fn seeding(&self) -> Vec<usize> {
        let seeding = |at: &usize| self.lane.tables[*at].record.state == TableState::Seeding;
        (0..self.lane.tables.len()).filter(seeding).collect()
    }

    fn quarantine(&mut self, at: usize, fault: Fault) -> Result<(), Fault> {
        let fault = crate::apply::table_fault(fault)?;
        let (cause, reason, remedy) = crate::scrub::stop_for(&fault);
        let event = self.lane.quarantine(at, cause, &reason, &remedy);
        self.tell.tell(Progress::Note(event.text));
        Ok(())
    }

    async fn copy_rows(&mut self, readers: Readers) -> Result<(), Fault> {
        let seeding = self.seeding();
        if seeding.is_empty() {
            return Ok(());
        }
        self.phase(COPYING);
        let (plan, member) = (&self.lane.plan, self.options.member(&self.lane.plan));
        self.clear_claims().await?;
        let known = self.servers.control().await?.chunks(&plan.settings.lane).await?;
        let copy = Copy {
            servers: self.servers.as_ref(),
            lease: &self.lease,
            parallel: self.options.fixed(&self.lane.plan),
            chunk_bytes: plan.settings.seed.chunk_bytes,
            chunk_rows: plan.settings.seed.chunk_rows,
            tell: self.tell,
            stop: self.stop,
            member: Some(&member),
            throttle: self.throttle,
            budget: &self.options.budget,
            book: Book::Control,
            readers,
        };
        let tables: Vec<&PlannedTable> = seeding.iter().map(|&at| &self.lane.tables[at].planned).collect();
        let copied = copy::run(&copy, &tables, known).await?;
        self.report.rows += copied.rows;
        self.report.bytes += copied.bytes;
        self.report.rows_elsewhere = copied.rows_elsewhere;
        self.report.at_once = copied.at_once;
        for (name, fault) in copied.failed {
            if let Some(at) = self.lane.tables.iter().position(|table| *table.planned.name() == name) {
                self.quarantine(at, fault)?;
            }
        }
        Ok(())
    }

    /// Takes back what earlier leaders have put up, before it is read which chunks are done: from here on no load of those
    /// who helped them can be committed.
    async fn clear_claims(&self) -> Result<(), Fault> {
        let mut patience = Patience::new(self.tell, self.stop);
        loop {
            let cleared = match self.servers.claims().await {
                Ok(mut claims) => claims.clear(&self.lease).await,
                Err(fault) => Err(fault),
            };
            let Err(fault) = cleared else { return Ok(()) };
            patience.wait(fault).await?;
        }
    }
}
