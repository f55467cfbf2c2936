//! Long work that a running lane has done beside its cycles: ALTERs on the target, and the first copy of a table that is
//! new. Each is done over connections of its own, and its outcome is taken in between two cycles; killed at any moment,
//! it is begun anew by whoever runs the lane next, since what it works from is stored or seen again.

mod loss;

use std::future::Future;
use std::pin::Pin;

use leeward_core::fault::{Fault, FaultKind};
use leeward_core::fence::Observation;
use leeward_core::name::{Side, TableName};
use leeward_core::plan::{FenceMode, PlannedTable};
use leeward_core::policy::SeedSettings;
use leeward_core::port::{Indexes, Lease, Servers, Shape, TablePart};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::budget::Budget;
use crate::copy::{self, Book, Copy, Readers};
use crate::drift::Alter;
use crate::look;
use crate::progress::{Progress, Tell};
use crate::throttle::Throttle;
pub use loss::Loss;

/// Chunks copied at once beside a running lane: one is read while the other is written, and cycles go between.
const PARALLEL: usize = 2;

/// What came of an errand.
pub enum Done {
    /// An ALTER has ended.
    Altered {
        /// The table.
        table: TableName,
        /// Statements that were run.
        ran: Vec<String>,
        /// Why the others were not.
        fault: Option<Fault>,
    },
    /// The source was looked at before the first read of new tables.
    Noted {
        /// The tables.
        tables: Vec<TableName>,
        /// What was seen.
        seen: Result<Observation, Fault>,
    },
    /// New tables were filled.
    Filled {
        /// Each table.
        tables: Result<Vec<Filled>, Fault>,
    },
}

/// What came of filling one table.
pub struct Filled {
    /// The table.
    pub name: TableName,
    /// Rows and bytes that its copy holds: statistics of a table that has just been made say nothing yet.
    pub size: (u64, u64),
    /// Why it could not be filled.
    pub fault: Option<Fault>,
}

type Errand<'a> = Pin<Box<dyn Future<Output = Done> + Send + 'a>>;

/// The errands under way: at most one that alters and one that fills.
#[derive(Default)]
pub struct Errands<'a> {
    altering: Option<Errand<'a>>,
    filling: Option<Errand<'a>>,
    done: Vec<Done>,
}

impl<'a> Errands<'a> {
    /// Returns whether an ALTER is under way.
    pub fn is_altering(&self) -> bool {
        self.altering.is_some()
    }

    /// Returns whether new tables are being filled.
    pub fn is_filling(&self) -> bool {
        self.filling.is_some()
    }

    /// Begins an ALTER.
    pub fn alter(&mut self, servers: &'a dyn Servers, lease: &'a Lease, alter: Alter) {
        self.altering = Some(Box::pin(async move {
            let mut ran = Vec::new();
            let fault = run_alter(servers, lease, &alter, &mut ran).await.err();
            Done::Altered { table: alter.table, ran, fault }
        }));
    }

    /// Begins to look from where the deltas of new tables will go on: before their first read.
    pub fn note(&mut self, servers: &'a dyn Servers, fence: FenceMode, tables: Vec<PlannedTable>) {
        self.filling = Some(Box::pin(async move {
            let appended = |table: &&PlannedTable| table.strategy == leeward_core::class::Strategy::Append;
            let probes: Vec<&PlannedTable> = tables.iter().filter(appended).collect();
            let seen = look::fresh(servers, &fence, &probes).await.map(|looked| looked.seen);
            Done::Noted { tables: tables.iter().map(|table| table.name().clone()).collect(), seen }
        }));
    }

    /// Begins to fill new tables whose marks are stored.
    pub fn fill(
        &mut self,
        servers: &'a dyn Servers,
        lease: &'a Lease,
        (settings, budget, tables): (SeedSettings, Budget, Vec<PlannedTable>),
    ) {
        self.filling = Some(Box::pin(async move {
            Done::Filled { tables: fill(servers, lease, (&settings, &budget), &tables).await }
        }));
    }

    /// Does the main work, with errands beside it.
    pub async fn beside<T>(&mut self, main: impl Future<Output = T>) -> T {
        let mut main = std::pin::pin!(main);
        loop {
            tokio::select! {
                biased;
                done = &mut main => return done,
                done = step(&mut self.altering) => {
                    self.altering = None;
                    self.done.push(done);
                }
                done = step(&mut self.filling) => {
                    self.filling = None;
                    self.done.push(done);
                }
            }
        }
    }

    /// Returns what has ended since the last call.
    pub fn take_done(&mut self) -> Vec<Done> {
        std::mem::take(&mut self.done)
    }
}

async fn step(errand: &mut Option<Errand<'_>>) -> Done {
    match errand {
        Some(errand) => errand.await,
        None => std::future::pending().await,
    }
}

async fn run_alter(servers: &dyn Servers, lease: &Lease, alter: &Alter, ran: &mut Vec<String>) -> Result<(), Fault> {
    if let Some(loss) = &alter.first {
        loss.check(servers, lease).await?;
    }
    let mut shape = servers.shape().await?;
    shape.guard(lease).await?;
    for statement in &alter.statements {
        info!(table = %alter.table, "altering on the target: {}", statement.sql);
        shape.alter(&alter.table, statement, alter.rows).await?;
        ran.push(statement.sql.clone());
    }
    Ok(())
}

/// Makes, copies and completes tables, like a seed.
async fn fill(
    servers: &dyn Servers,
    lease: &Lease,
    (settings, budget): (&SeedSettings, &Budget),
    tables: &[PlannedTable],
) -> Result<Vec<Filled>, Fault> {
    let mut shape = servers.shape().await?;
    shape.guard(lease).await?;
    let names: Vec<TableName> = tables.iter().map(|table| table.name().clone()).collect();
    let ddl = servers.shapes(Side::Source).await?.table_ddl(&names).await?;
    let chunks = servers.control().await?.chunks(&lease.lane).await?;
    let loaded = |name: &TableName| chunks.iter().any(|chunk| chunk.done && chunk.table == *name);
    let existing = shape.existing(&names).await?;
    let untouched: Vec<TableName> = existing.iter().filter(|name| !loaded(name)).cloned().collect();
    let foreign = shape.filled(&untouched).await?;
    let mut outcomes: Vec<(TableName, Option<Fault>)> = Vec::new();
    let mut made = Vec::new();
    for table in tables {
        let name = table.name();
        let text = ddl.iter().find(|(of, _)| of == name).map(|(_, text)| text.as_str());
        match make(shape.as_mut(), name, (text, existing.contains(name), foreign.contains(name))).await {
            Ok(()) => made.push(table),
            Err(fault) => outcomes.push((name.clone(), Some(crate::apply::table_fault(fault.of(name))?))),
        }
    }
    let (stop, throttle) = (CancellationToken::new(), Throttle::off());
    let copy = Copy {
        servers,
        lease,
        parallel: Some(settings.parallel.map_or(PARALLEL, |parallel| parallel.min(PARALLEL))),
        chunk_bytes: settings.chunk_bytes,
        chunk_rows: settings.chunk_rows,
        tell: &Quiet,
        stop: &stop,
        member: None,
        throttle: &throttle,
        budget,
        book: Book::Control,
        readers: Readers::default(),
    };
    let known = chunks.into_iter().filter(|chunk| names.contains(&chunk.table)).collect();
    let copied = copy::run(&copy, &made, known).await?;
    outcomes.extend(copied.failed.into_iter().map(|(name, fault)| (name, Some(fault))));
    for table in made {
        let name = table.name();
        if outcomes.iter().any(|(of, _)| of == name) {
            continue;
        }
        let Some((_, text)) = ddl.iter().find(|(of, _)| of == name) else { continue };
        let completed = shape.complete_table(name, text, TablePart::Indexes).await;
        let fault = completed.err().map(|fault| crate::apply::table_fault(fault.of(name))).transpose()?;
        outcomes.push((name.clone(), fault));
    }
    let chunks = servers.control().await?.chunks(&lease.lane).await?;
    let size = |name: &TableName| {
        let copied = chunks.iter().filter(|chunk| chunk.done && chunk.table == *name);
        copied.fold((0, 0), |(rows, bytes), chunk| (rows + chunk.rows, bytes + chunk.bytes))
    };
    Ok(outcomes.into_iter().map(|(name, fault)| Filled { size: size(&name), name, fault }).collect())
}

async fn make(
    shape: &mut dyn Shape,
    name: &TableName,
    (text, exists, foreign): (Option<&str>, bool, bool),
) -> Result<(), Fault> {
    let Some(text) = text else {
        return Err(Fault::new(FaultKind::TableMissing, format!("read the definition of {name}")).on(Side::Source));
    };
    if foreign {
        let doing = format!("fill {name}, which holds rows on the target that Leeward did not put there");
        return Err(Fault::new(FaultKind::RowsRefused, doing).on(Side::Target));
    }
    match exists {
        true => Ok(()),
        false => shape.create_table(name, text, Indexes::AfterRows).await,
    }
}

/// Passes on what a person should know, and no progress: status shows the chunks.
struct Quiet;

impl Tell for Quiet {
    fn tell(&self, progress: Progress) {
        if let Progress::Note(text) = progress {
            info!("{text}");
        }
    }
}
