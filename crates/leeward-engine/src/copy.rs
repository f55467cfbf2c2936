//! Copies chunks: a walker finds borders on the source, workers read a chunk and load it at the same time. A chunk is one
//! target transaction together with its record, so a kill at any moment loses at most the chunks in flight. Other
//! processes may share the copy: see `crew`.

mod ahead;
mod crew;
mod feed;
mod level;
mod together;
mod walk;

use std::collections::HashSet;
use std::sync::Mutex as StdMutex;

use leeward_core::fault::{Decision, Fault, FaultKind};
use leeward_core::name::TableName;
use leeward_core::plan::PlannedTable;
use leeward_core::port::{
    ChunkLoader, ChunkOf, ChunkReader, ChunkRecord, Claim, Lease, LoadMode, Member, Range, Servers,
};
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

use crate::budget::Budget;
use crate::patience::Patience;
use crate::progress::{Progress, Tell};
use crate::throttle::Throttle;
pub use ahead::Readers;
use crew::Role;
pub use crew::help;
use feed::feed;
use level::Level;
pub use level::START;
pub use together::is_small;

/// What the copy works with.
pub struct Copy<'a> {
    /// The servers.
    pub servers: &'a dyn Servers,
    /// The right to write.
    pub lease: &'a Lease,
    /// Chunks copied at once, where people have said how many.
    pub parallel: Option<usize>,
    /// Bytes and rows of a chunk.
    pub chunk_bytes: u64,
    /// Rows of a chunk at most.
    pub chunk_rows: u64,
    /// Who is told.
    pub tell: &'a dyn Tell,
    /// Ends the copy.
    pub stop: &'a CancellationToken,
    /// This process, where others may share the copy.
    pub member: Option<&'a Member>,
    /// What keeps chunks from being begun.
    pub throttle: &'a Throttle,
    /// Rows in memory.
    pub budget: &'a Budget,
    /// Where chunks are written down.
    pub book: Book,
    /// Connections to the source that are there already.
    pub readers: Readers,
}

/// Where it is written down which chunks there are and which are copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Book {
    /// In the control schema on the target.
    Control,
    /// Nowhere: the loader notes them as it likes, and knows whether it has loaded one.
    Loader,
}

/// What came of the copy.
#[derive(Debug, Default)]
pub struct Copied {
    /// Rows copied by this run.
    pub rows: u64,
    /// Bytes copied by this run.
    pub bytes: u64,
    /// Rows copied by other processes meanwhile.
    pub rows_elsewhere: u64,
    /// Chunks copied at once, at most.
    pub at_once: usize,
    /// Tables that could not be copied, each with why.
    pub failed: Vec<(TableName, Fault)>,
}

/// A chunk to copy, with the claim on it where it was shared.
struct Work<'a> {
    table: &'a PlannedTable,
    chunk: ChunkRecord,
    claim: Option<Claim>,
}

/// Chunks that are handed out at once: one, or several small ones that are nobody's claim.
type Job<'a> = Vec<Work<'a>>;

/// What the workers share.
struct Shared<'a> {
    work: Mutex<mpsc::Receiver<Job<'a>>>,
    result: StdMutex<Copied>,
    failed: StdMutex<HashSet<TableName>>,
    /// Claims on chunks that are waiting or being copied.
    held: StdMutex<Vec<Claim>>,
    /// Tables of the chunks that are waiting or being copied by this process, one for each chunk.
    under_way: StdMutex<Vec<TableName>>,
    level: Level,
    /// No more work comes.
    drained: CancellationToken,
    halt: CancellationToken,
}

impl<'a> Shared<'a> {
    fn new(copy: &Copy<'_>, work: mpsc::Receiver<Job<'a>>) -> Shared<'a> {
        Shared {
            work: Mutex::new(work),
            result: StdMutex::default(),
            failed: StdMutex::default(),
            held: StdMutex::default(),
            under_way: StdMutex::default(),
            level: Level::new(copy.parallel, copy.budget.workers_max()),
            drained: CancellationToken::new(),
            halt: copy.stop.child_token(),
        }
    }

    fn has_failed(&self, table: &PlannedTable) -> bool {
        self.failed.lock().expect("no panic while held").contains(table.name())
    }

    /// Takes one table out of the copy, if the fault is the table's alone.
    fn fail_table(&self, table: &PlannedTable, fault: Fault) -> Result<(), Fault> {
        let fault = crate::apply::table_fault(fault.of(table.name()))?;
        if self.failed.lock().expect("no panic while held").insert(table.name().clone()) {
            self.result.lock().expect("no panic while held").failed.push((table.name().clone(), fault));
        }
        Ok(())
    }

    /// Counts chunks in that are handed out.
    fn set_out(&self, job: &Job<'_>) {
        let tables = job.iter().map(|work| work.table.name().clone());
        self.under_way.lock().expect("no panic while held").extend(tables);
    }

    /// Counts a chunk out that was copied or given up.
    fn arrive(&self, table: &PlannedTable) {
        let mut tables = self.under_way.lock().expect("no panic while held");
        if let Some(at) = tables.iter().position(|name| name == table.name()) {
            tables.swap_remove(at);
        }
    }

    /// Returns how many chunks of a table are waiting or being copied by this process.
    fn under_way(&self, table: &PlannedTable) -> usize {
        self.under_way.lock().expect("no panic while held").iter().filter(|name| *name == table.name()).count()
    }

    fn failed(&self) -> Vec<TableName> {
        self.failed.lock().expect("no panic while held").iter().cloned().collect()
    }

    fn held(&self) -> Vec<Claim> {
        self.held.lock().expect("no panic while held").clone()
    }

    fn hold(&self, claim: Claim) {
        self.held.lock().expect("no panic while held").push(claim);
    }

    fn let_go(&self, claim: Option<Claim>) {
        self.held.lock().expect("no panic while held").retain(|held| Some(*held) != claim);
    }
}

/// Copies tables, the largest first. `known` are the chunks that an earlier run wrote down.
pub async fn run(copy: &Copy<'_>, tables: &[&PlannedTable], known: Vec<ChunkRecord>) -> Result<Copied, Fault> {
    let (send, receive) = mpsc::channel(copy.parallel.unwrap_or(level::START).max(1));
    let shared = Shared::new(copy, receive);
    let find = async {
        let found = walk::run(copy, (tables, known), send, &shared).await;
        if found.is_err() {
            shared.halt.cancel();
        }
        found
    };
    let ended = CancellationToken::new();
    let copying = async {
        let (found, worked) = tokio::join!(find, workers(copy, &shared));
        ended.cancel();
        found.and_then(|rows| worked.map(|()| rows))
    };
    let (copied, _, ()) =
        tokio::join!(copying, crew::keep(copy, Role::Leader, &shared, &ended), shared.level.seek(copy, &ended));
    let rows = copied?;
    if copy.stop.is_cancelled() {
        return Err(Fault::new(FaultKind::Stopped, "copy rows"));
    }
    let at_once = shared.level.widest();
    let mut result = Copied { at_once, ..shared.result.into_inner().unwrap_or_default() };
    result.rows_elsewhere = rows.unwrap_or(0).saturating_sub(result.rows);
    Ok(result)
}

/// Copies what is handed out until no more comes.
async fn workers(copy: &Copy<'_>, shared: &Shared<'_>) -> Result<(), Fault> {
    let workers = (0..shared.level.workers_max()).map(|number| worker(copy, shared, number));
    let faults = futures_util::future::join_all(workers).await.into_iter().filter_map(Result::err);
    // What ended the copy is what one of them met, not the stop that the others then saw.
    let first = faults.min_by_key(|fault| fault.kind == FaultKind::Stopped);
    first.map_or(Ok(()), Err)
}

/// Works while its number is below the level, and holds connections only then.
async fn worker(copy: &Copy<'_>, shared: &Shared<'_>, number: usize) -> Result<(), Fault> {
    let mut pair: Option<Pair> = None;
    loop {
        if number >= shared.level.now() {
            pair = None;
            tokio::select! {
                () = shared.level.until(number, true) => {}
                () = shared.drained.cancelled() => return Ok(()),
                () = shared.halt.cancelled() => return Ok(()),
            }
        }
        // While borders are still being found. What goes wrong is found out again, and waited for, with a chunk.
        let _ = shared.halt.run_until_cancelled(connect(copy, &mut pair)).await;
        let job = tokio::select! {
            job = async { shared.work.lock().await.recv().await } => job,
            () = shared.level.until(number, false) => continue,
            () = shared.halt.cancelled() => None,
        };
        let Some(job) = job else {
            shared.drained.cancel();
            return Ok(());
        };
        let _busy = shared.level.busy();
        let worked = copy_job(copy, shared, &mut pair, job).await;
        if worked.is_err() {
            shared.halt.cancel();
            return worked;
        }
    }
}

async fn copy_job(
    copy: &Copy<'_>,
    shared: &Shared<'_>,
    pair: &mut Option<Pair>,
    mut job: Job<'_>,
) -> Result<(), Fault> {
    if job.len() > 1 {
        copy.throttle.pass(&shared.halt).await;
        job = together::copy(copy, shared, pair, job).await?;
    }
    for work in job {
        if shared.has_failed(work.table) {
            shared.arrive(work.table);
            shared.let_go(work.claim);
            continue;
        }
        copy.throttle.pass(&shared.halt).await;
        let copied = copy_chunk(copy, shared, pair, &work).await;
        settle(copy, shared, &work, copied)?;
    }
    Ok(())
}

/// Takes in what came of a chunk. An error ends the copy. The claim on a chunk that failed is no longer renewed, so that it
/// comes to another process in time.
fn settle(
    copy: &Copy<'_>,
    shared: &Shared<'_>,
    work: &Work<'_>,
    copied: Result<(u64, u64), Fault>,
) -> Result<(), Fault> {
    let name = work.table.name();
    shared.arrive(work.table);
    match copied {
        Ok((rows, bytes)) => {
            let mut result = shared.result.lock().expect("no panic while held");
            result.rows += rows;
            result.bytes += bytes;
            shared.level.arrived();
            copy.tell.tell(Progress::Rows { name: name.clone(), rows, bytes });
            if work.chunk.last {
                copy.tell.tell(Progress::TableDone { name: name.clone() });
            }
        }
        Err(fault) if fault.kind == FaultKind::ClaimLost => {
            let (seq, lost) = (work.chunk.seq, "went to another process meanwhile, or was taken back");
            let text = format!("chunk {seq} of {name} {lost}; nothing of it was kept");
            copy.tell.tell(Progress::Note(text));
        }
        Err(fault) => shared.fail_table(work.table, fault)?,
    }
    shared.let_go(work.claim);
    Ok(())
}

/// A reader and a loader that work hand in hand.
type Pair = (Box<dyn ChunkReader>, Box<dyn ChunkLoader>);

async fn copy_chunk(
    copy: &Copy<'_>,
    shared: &Shared<'_>,
    pair: &mut Option<Pair>,
    work: &Work<'_>,
) -> Result<(u64, u64), Fault> {
    let mut mode = LoadMode::Bulk;
    let mut patience = Patience::new(copy.tell, copy.stop);
    loop {
        let copied = tokio::select! {
            copied = try_chunk(copy, shared, pair, work, mode) => copied,
            () = shared.halt.cancelled() => {
                *pair = None;
                return Err(Fault::new(FaultKind::Stopped, "copy rows"));
            }
        };
        match copied {
            // The answer to COMMIT was lost: the chunk's own record tells.
            Err(fault) if fault.kind == FaultKind::OutcomeUnknown => {
                *pair = None;
                if let Some(done) = committed(copy, &work.chunk, &mut patience).await? {
                    return Ok(done);
                }
                patience.wait(fault).await?;
            }
            Err(fault) if fault.kind == FaultKind::RowsRefused && mode == LoadMode::Bulk => mode = LoadMode::Careful,
            // What was loaded is another's to load; trying again would not give it back.
            Err(fault) if fault.kind == FaultKind::ClaimLost => {
                *pair = None;
                return Err(fault);
            }
            Err(fault) if matches!(fault.decision(), Decision::Retry | Decision::Block { .. }) => {
                *pair = None;
                patience.wait(fault).await?;
            }
            Err(fault) => {
                *pair = None;
                return Err(fault);
            }
            Ok(copied) => return Ok(copied),
        }
    }
}

/// Reads back what became of a chunk whose COMMIT was not answered.
async fn committed(
    copy: &Copy<'_>,
    chunk: &ChunkRecord,
    patience: &mut Patience<'_>,
) -> Result<Option<(u64, u64)>, Fault> {
    if copy.book == Book::Loader {
        return Ok(None);
    }
    let chunks = loop {
        let read = match copy.servers.control().await {
            Ok(mut control) => control.chunks(&copy.lease.lane).await,
            Err(fault) => Err(fault),
        };
        match read {
            Ok(chunks) => break chunks,
            Err(fault) => patience.wait(fault).await?,
        }
    };
    let stored = chunks.into_iter().find(|stored| stored.table == chunk.table && stored.seq == chunk.seq);
    Ok(stored.filter(|stored| stored.done).map(|stored| (stored.rows, stored.bytes)))
}

/// Connects what is not connected.
async fn connect<'p>(copy: &Copy<'_>, pair: &'p mut Option<Pair>) -> Result<&'p mut Pair, Fault> {
    if pair.is_none() {
        *pair = Some(tokio::try_join!(copy.readers.reader(copy.servers), copy.servers.loader())?);
    }
    pair.as_mut().ok_or_else(|| Fault::new(FaultKind::Unexpected, "copy rows"))
}

async fn try_chunk(
    copy: &Copy<'_>,
    shared: &Shared<'_>,
    pair: &mut Option<Pair>,
    work: &Work<'_>,
    mode: LoadMode,
) -> Result<(u64, u64), Fault> {
    let (reader, loader) = connect(copy, pair).await?;
    let (mut sender, feed) = feed(copy.budget, &shared.level);
    let Work { table, chunk, claim } = work;
    let range = Range { table, keys: chunk.keys.clone() };
    let read = async {
        let read = reader.read(&range, &mut sender).await;
        sender.end(read).await
    };
    let load = loader.load(copy.lease, ChunkOf { table, chunk, claim: *claim }, mode, feed);
    let (read, loaded) = tokio::join!(read, load);
    // A failed read makes the load fail too; its own fault says more.
    match read {
        Err(Some(fault)) => Err(fault),
        Ok(()) | Err(None) => loaded,
    }
}
