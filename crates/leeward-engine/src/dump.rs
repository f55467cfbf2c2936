//! A dump: the source's rows, chunk by chunk, into a store of objects. The chunks are found, read and handed on as those of
//! a seed are; the manifest that makes them a dump is written last. Nothing is written on either server.

mod abandoned;
mod archive;
pub(crate) mod codec;
mod servers;
mod sink;
mod views;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDateTime;
use leeward_core::dump::{
    Begun, DUMP_FORMAT, DumpId, DumpKind, DumpedChunk, DumpedTable, Manifest, Moment, Resumed, numbers, resume, tag,
};
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::fingerprint::fingerprint;
use leeward_core::name::{Side, TableName};
use leeward_core::plan::{LeftOutReason, Plan, PlannedTable};
use leeward_core::port::{ChunkRecord, Lease, Locks, Servers};
use leeward_core::survey::ObjectFacts;
use leeward_core::throttle::LoadLimit;
use tokio_util::sync::CancellationToken;

use crate::budget::Budget;
use crate::copy::{self, Book, Copied, Copy, Readers};
use crate::patience::Patience;
use crate::progress::{Progress, Tell};
use crate::throttle::Throttle;
pub use archive::Archive;
use servers::IntoStore;
use sink::{Notes, Sink};
use views::Views;

/// What a dump is to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shows {
    /// One moment of all tables.
    OneMoment(Locks),
    /// Each chunk as it is when it is read.
    Spread(Begin),
}

/// Where a dump of no single moment begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// Anew.
    Anew,
    /// Where the newest unfinished one of the lane was left.
    WhereItWasLeft,
}

/// Who makes a dump.
#[derive(Debug, Clone)]
pub struct Maker {
    /// Leeward's version.
    pub leeward: String,
    /// The source's version as it prints it.
    pub server: String,
    /// What no other process has.
    pub process: String,
    /// Reads this machine's clock (UTC).
    pub clock: fn() -> NaiveDateTime,
}

/// How a dump is made.
#[derive(Debug, Clone)]
pub struct DumpOptions {
    /// What for.
    pub kind: DumpKind,
    /// What it is to show.
    pub shows: Shows,
    /// Chunks read at once, over the policy's number.
    pub parallel: Option<usize>,
    /// How busy the source may be, over the policy's limit.
    pub max_source_load: Option<LoadLimit>,
    /// Rows in memory.
    pub budget: Budget,
    /// By whom.
    pub maker: Maker,
}

/// What a dump did.
#[must_use]
#[derive(Debug, Clone, serde::Serialize)]
pub struct DumpReport {
    /// Which.
    pub id: DumpId,
    /// Where it is.
    pub place: String,
    /// What it shows of the source.
    pub moment: Moment,
    /// Tables in it.
    pub tables: usize,
    /// Rows in it.
    pub rows: u64,
    /// Bytes of their cells.
    pub bytes: u64,
    /// Bytes of its objects.
    pub stored_bytes: u64,
    /// Rows of it that an earlier run had stored.
    pub rows_kept: u64,
    /// Chunks read at once, at most.
    pub at_once: usize,
    /// Seconds in which nothing was begun because the source was busier than it may be.
    pub waited_s: u64,
    /// Tables that are not in it although the policy does not exclude them, with what would help.
    pub left_out: Vec<(String, String)>,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// Dumps what is planned.
///
/// # Errors
/// `MomentLost` when the views of its moment broke. Whatever keeps a table from being read: a dump that lacks one is none.
pub async fn run(
    servers: &dyn Servers,
    archive: &Archive,
    (plan, objects): (Plan, &[ObjectFacts]),
    options: &DumpOptions,
    (tell, stop): (&dyn Tell, &CancellationToken),
) -> Result<DumpReport, Fault> {
    let limit = options.max_source_load.unwrap_or(plan.settings.seed.max_source_load);
    let throttle = Throttle::begin(servers, limit, tell).await?;
    let (halt, ended) = (stop.child_token(), CancellationToken::new());
    let dumping = async {
        let mut dump = Dump { servers, archive, options, tell, stop: &halt, throttle: &throttle, notes: Vec::new() };
        let report = dump.run(plan, objects).await;
        ended.cancel();
        report
    };
    let watching = async {
        let fault = throttle.keep(servers, tell, &halt).await;
        halt.cancel();
        fault
    };
    match tokio::join!(dumping, ended.run_until_cancelled(watching)) {
        // What ended the dump is what the watch met, not the stop that followed.
        (Err(_), Some(Err(fault))) if !stop.is_cancelled() => Err(fault),
        (report, _) => report.map(|report| DumpReport { waited_s: throttle.waited().as_secs(), ..report }),
    }
}

/// Returns a dump by which a seed can copy what is planned: one that an interrupted seed has left, whole or not, or a new one. It
/// promises no moment, since the seed compares every row afterwards.
///
/// # Errors
/// Those of [`run`].
pub async fn for_seed(
    servers: &dyn Servers,
    archive: &Archive,
    (plan, objects): (&Plan, &[ObjectFacts]),
    options: DumpOptions,
    (tell, stop): (&dyn Tell, &CancellationToken),
) -> Result<Manifest, Fault> {
    for id in archive.whole_ids().await?.iter().rev() {
        let manifest = archive.manifest(Some(id)).await?;
        if manifest.kind == DumpKind::Seed && manifest.plan.hash == plan.hash {
            let text = format!("copying from {id}, which an earlier run has dumped to {}", archive.place());
            tell.tell(Progress::Note(text));
            return Ok(manifest);
        }
    }
    let was_left = |begun: &Begun| begun.kind == DumpKind::Seed && begun.plan.hash == plan.hash;
    let begin = match archive.unfinished().await?.iter().any(was_left) {
        true => Begin::WhereItWasLeft,
        false => Begin::Anew,
    };
    let options = DumpOptions { kind: DumpKind::Seed, shows: Shows::Spread(begin), ..options };
    let made = run(servers, archive, (plan.clone(), objects), &options, (tell, stop)).await?;
    archive.manifest(Some(&made.id)).await
}

/// A dump under way.
struct Dump<'a> {
    servers: &'a dyn Servers,
    archive: &'a Archive,
    options: &'a DumpOptions,
    tell: &'a dyn Tell,
    stop: &'a CancellationToken,
    throttle: &'a Throttle,
    notes: Vec<String>,
}

/// What is read from and what is there already.
struct Start {
    begun: Begun,
    views: Option<Arc<Views>>,
    parallel: Option<usize>,
    resumed: Resumed,
}

impl Dump<'_> {
    async fn run(&mut self, plan: Plan, objects: &[ObjectFacts]) -> Result<DumpReport, Fault> {
        let start = match self.options.shows {
            Shows::OneMoment(locks) => self.one_moment(plan, locks).await?,
            Shows::Spread(Begin::Anew) => self.spread(plan).await?,
            Shows::Spread(Begin::WhereItWasLeft) => self.go_on(&plan).await?,
        };
        let Start { begun, views, parallel, resumed } = start;
        let is_spread = matches!(begun.moment, Moment::Spread { .. });
        let notes = if is_spread { Notes::Taken } else { Notes::None };
        let process = tag(&self.options.maker.process);
        let sink = Sink::new((self.archive, &begun.id), notes, numbers(&begun.plan), process);
        self.tell.tell(Progress::Phase(format!("dumping rows to {} as {}", self.archive.place(), begun.id)));
        let copied = self.copy(&begun.plan, &sink, views, (parallel, resumed.chunks)).await?;
        if is_spread {
            // A chunk that was read by another definition than the others has other columns.
            self.check_shapes(&begun.plan.tables.iter().collect::<Vec<_>>()).await?;
        }
        let rows_kept = resumed.kept.iter().map(|(_, chunk)| chunk.rows).sum();
        let chunks = resumed.kept.into_iter().chain(sink.written());
        let manifest = self.manifest(begun, chunks, objects)?;
        self.publish(&manifest).await?;
        Ok(self.report(&manifest, &copied, rows_kept))
    }

    /// Opens views of one moment.
    async fn one_moment(&mut self, plan: Plan, locks: Locks) -> Result<Start, Fault> {
        self.tell_unfinished(&plan).await?;
        let parallel = self.options.parallel.or(plan.settings.seed.parallel).unwrap_or(copy::START).max(1);
        let names: Vec<&TableName> = plan.tables.iter().map(PlannedTable::name).collect();
        // One more than read chunks, so that borders are found meanwhile. One alone reads and finds in turns.
        let wanted = if parallel == 1 { 1 } else { parallel + 1 };
        let moment = self.servers.one_moment(wanted, &names, locks).await?;
        let readers = moment.readers.len();
        if wanted > 1 && readers == 1 {
            let why = match locks {
                Locks::Never => "no lock was to be taken".to_owned(),
                Locks::Brief => moment.notes.join("; "),
            };
            self.note(format!("all is read over one connection, which is slower: {why}"));
        }
        let shown = Moment::One { at: moment.at, by: moment.by, readers };
        let begun = self.begin(plan, shown).await?;
        let parallel = Some(readers.saturating_sub(1).max(1));
        Ok(Start { begun, views: Some(Views::new(moment.readers)), parallel, resumed: Resumed::default() })
    }

    async fn spread(&mut self, plan: Plan) -> Result<Start, Fault> {
        self.tell_unfinished(&plan).await?;
        // A view that is closed at once tells the source's clock.
        let from = self.servers.one_moment(1, &[], Locks::Never).await?.at;
        let begun = self.begin(plan, Moment::Spread { from }).await?;
        Ok(Start { begun, views: None, parallel: self.options.parallel, resumed: Resumed::default() })
    }

    /// Takes up the newest unfinished dump of the lane that promises no single moment, by the plan that it followed.
    async fn go_on(&mut self, plan: &Plan) -> Result<Start, Fault> {
        let unfinished = self.archive.unfinished().await?;
        let mut of_lane = unfinished.into_iter().filter(|begun| begun.plan.settings.lane == plan.settings.lane);
        let found = of_lane.rfind(|begun| {
            let is_ours = begun.kind != DumpKind::Seed || begun.plan.hash == plan.hash;
            matches!(begun.moment, Moment::Spread { .. }) && begun.kind == self.options.kind && is_ours
        });
        let Some(begun) = found else {
            let why = format!(
                "no unfinished dump of lane {} that can be gone on with is at {}: one of a single moment begins anew",
                plan.settings.lane,
                self.archive.place()
            );
            return Err(Fault::new(FaultKind::Refused(why), "go on with a dump"));
        };
        self.check_shapes(&begun.plan.tables.iter().collect::<Vec<_>>()).await?;
        let resumed = resume(self.archive.kept(&begun.id).await?);
        self.note(format!("going on with {}: {} chunks are there", begun.id, resumed.kept.len()));
        Ok(Start { begun, views: None, parallel: self.options.parallel, resumed })
    }

    /// Says what was left of earlier dumps: it takes room, and nobody but a person knows whether it is still under way.
    async fn tell_unfinished(&mut self, plan: &Plan) -> Result<(), Fault> {
        for begun in self.archive.unfinished().await? {
            if begun.plan.settings.lane == plan.settings.lane {
                let can = match begun.moment {
                    Moment::One { .. } => "cannot be gone on with, since its moment is gone",
                    Moment::Spread { .. } => "can be gone on with by --resume",
                };
                self.note(format!("{} was begun and not finished, or is under way elsewhere; it {can}", begun.id));
            }
        }
        Ok(())
    }

    /// Reads the definitions, which must be those of the plan, and writes down that the dump has begun.
    async fn begin(&self, plan: Plan, moment: Moment) -> Result<Begun, Fault> {
        let tables: Vec<&PlannedTable> = plan.tables.iter().collect();
        self.check_shapes(&tables).await?;
        let names: Vec<TableName> = tables.iter().map(|table| table.name().clone()).collect();
        let mut ddl: BTreeMap<TableName, String> =
            self.servers.shapes(Side::Source).await?.table_ddl(&names).await?.into_iter().collect();
        let text = |name: &TableName| {
            let missing = || Fault::new(FaultKind::TableMissing, "read its definition").on(Side::Source).of(name);
            ddl.remove(name).ok_or_else(missing)
        };
        let ddl = names.iter().map(text).collect::<Result<Vec<String>, Fault>>()?;
        let maker = &self.options.maker;
        let id = DumpId::new((maker.clock)(), &maker.process);
        let begun = Begun { format: DUMP_FORMAT, id, kind: self.options.kind, moment, plan, ddl };
        self.archive.begin(&begun).await?;
        Ok(begun)
    }

    async fn check_shapes(&self, planned: &[&PlannedTable]) -> Result<(), Fault> {
        let names: Vec<TableName> = planned.iter().map(|table| table.name().clone()).collect();
        let now = self.servers.shapes(Side::Source).await?.describe(&names).await?;
        let now: BTreeMap<&TableName, String> = now.iter().map(|table| (&table.name, fingerprint(table))).collect();
        let changed = |table: &&&PlannedTable| now.get(table.name()) != Some(&fingerprint(&table.table));
        let changed: Vec<String> = planned.iter().filter(changed).map(|table| table.name().to_string()).collect();
        if changed.is_empty() {
            return Ok(());
        }
        let how = format!("the definition changed of {}", changed.join(", "));
        Err(Fault::new(FaultKind::StalePlan(how), "dump").on(Side::Source))
    }

    async fn copy(
        &self,
        plan: &Plan,
        sink: &Arc<Sink>,
        views: Option<Arc<Views>>,
        (parallel, known): (Option<usize>, Vec<ChunkRecord>),
    ) -> Result<Copied, Fault> {
        let servers = IntoStore { servers: self.servers, views, sink: sink.clone() };
        // Nothing on a server is written, so there is nothing to hold a lease of.
        let lease = Lease { lane: plan.settings.lane.clone(), epoch: 0 };
        let copy = Copy {
            servers: &servers,
            lease: &lease,
            parallel: parallel.or(plan.settings.seed.parallel),
            chunk_bytes: plan.settings.seed.chunk_bytes,
            chunk_rows: plan.settings.seed.chunk_rows,
            tell: self.tell,
            stop: self.stop,
            member: None,
            throttle: self.throttle,
            budget: &self.options.budget,
            book: Book::Loader,
            readers: Readers::default(),
        };
        let mut copied = copy::run(&copy, &plan.tables.iter().collect::<Vec<_>>(), known).await?;
        match copied.failed.pop() {
            Some((_, fault)) => Err(fault),
            None => Ok(copied),
        }
    }

    fn manifest(
        &self,
        begun: Begun,
        chunks: impl Iterator<Item = (TableName, DumpedChunk)>,
        objects: &[ObjectFacts],
    ) -> Result<Manifest, Fault> {
        let mut by_table = BTreeMap::<TableName, Vec<DumpedChunk>>::new();
        chunks.for_each(|(table, chunk)| by_table.entry(table).or_default().push(chunk));
        let Begun { id, kind, moment, plan, ddl, .. } = begun;
        let table = |(planned, ddl): (&PlannedTable, String)| {
            let chunks = by_table.remove(planned.name()).unwrap_or_default();
            DumpedTable::of(planned, ddl, chunks).map_err(|why| {
                Fault::new(FaultKind::Unexpected, format!("put the dump together: {why}")).of(planned.name())
            })
        };
        let tables = plan.tables.iter().zip(ddl).map(table).collect::<Result<Vec<_>, Fault>>()?;
        let maker = &self.options.maker;
        let manifest = Manifest {
            format: DUMP_FORMAT,
            hash: String::new(),
            id,
            kind,
            leeward: maker.leeward.clone(),
            server: maker.server.clone(),
            moment,
            ended_at: (maker.clock)(),
            plan,
            tables,
            objects: objects.to_vec(),
        };
        Ok(manifest.sealed())
    }

    /// What took hours is not given up for a store that is away for a minute.
    async fn publish(&self, manifest: &Manifest) -> Result<(), Fault> {
        let mut patience = Patience::new(self.tell, self.stop);
        loop {
            match self.archive.publish(manifest).await {
                Ok(()) => return Ok(()),
                Err(fault) => patience.wait(fault).await?,
            }
        }
    }

    fn note(&mut self, text: String) {
        self.tell.tell(Progress::Note(text.clone()));
        self.notes.push(text);
    }

    fn report(&mut self, manifest: &Manifest, copied: &Copied, rows_kept: u64) -> DumpReport {
        let (rows, bytes, stored_bytes) = manifest.totals();
        let left_out = manifest.plan.left_out.iter().filter(|left| left.reason != LeftOutReason::ByPolicy);
        DumpReport {
            id: manifest.id.clone(),
            place: self.archive.place().to_owned(),
            moment: manifest.moment.clone(),
            tables: manifest.tables.len(),
            rows,
            bytes,
            stored_bytes,
            rows_kept,
            at_once: copied.at_once,
            waited_s: 0,
            left_out: left_out.map(|left| (left.name.to_string(), left.remedy.clone())).collect(),
            notes: std::mem::take(&mut self.notes),
        }
    }
}
