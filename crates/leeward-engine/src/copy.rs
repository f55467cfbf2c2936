//! Copies chunks: a walker finds borders on the source, workers read a chunk and load it at the same time. A chunk is one
//! target transaction together with its record, so a kill at any moment loses at most the chunks in flight.

use std::collections::HashSet;
use std::sync::{Arc, Mutex as StdMutex};

use async_trait::async_trait;
use leeward_core::fault::{Decision, Fault, FaultKind};
use leeward_core::name::TableName;
use leeward_core::plan::PlannedTable;
use leeward_core::port::{
    Border, ChunkLoader, ChunkOf, ChunkReader, ChunkRecord, Control, Feed, Lease, LoadMode, Range, Servers, TakeRows,
};
use leeward_core::row::{KeyRange, RowBatch};
use tokio::sync::{Mutex, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::patience::Patience;
use crate::progress::{Progress, Tell};

/// Bytes between a reader and its loader. Four batches keep both busy; one wide row may stand alone beyond it.
const FEED_BYTES: usize = 1024 * 1024;

/// Bytes of a batch past which a row counts as wide. Only one worker at a time goes on past a wide row, because each
/// copy of it on the way (packet, row, batch, escaped text, packet) is as large again.
const WIDE_BYTES: usize = 2 * 1024 * 1024;

/// Mean bytes of a table's rows from which on its chunks are copied one at a time, over one pair of connections: a row
/// shows its width only when it has been read, by then every worker would hold one, and a connection keeps a buffer as
/// large as the widest row that it has carried.
const WIDE_ROW_BYTES: u64 = 256 * 1024;

/// What the copy works with.
pub struct Copy<'a> {
    /// The servers.
    pub servers: &'a dyn Servers,
    /// The right to write.
    pub lease: &'a Lease,
    /// Chunks copied at once.
    pub parallel: usize,
    /// Bytes and rows of a chunk.
    pub chunk_bytes: u64,
    /// Rows of a chunk at most.
    pub chunk_rows: u64,
    /// Who is told.
    pub tell: &'a dyn Tell,
    /// Ends the copy.
    pub stop: &'a CancellationToken,
}

/// What came of the copy.
#[derive(Debug, Default)]
pub struct Copied {
    /// Rows copied by this run.
    pub rows: u64,
    /// Bytes copied by this run.
    pub bytes: u64,
    /// Tables that could not be copied, each with why.
    pub failed: Vec<(TableName, Fault)>,
}

/// A chunk to copy.
type Work<'a> = (&'a PlannedTable, ChunkRecord);

/// What the workers share.
struct Shared<'a> {
    work: Mutex<mpsc::Receiver<Work<'a>>>,
    /// Held by whoever has come upon a wide row.
    wide: Semaphore,
    /// The connections over which tables of wide rows are copied.
    wide_pair: Mutex<Option<Pair>>,
    result: StdMutex<Copied>,
    failed: StdMutex<HashSet<TableName>>,
    halt: CancellationToken,
}

/// Copies tables, the largest first. `known` are the chunks that an earlier run wrote down.
pub async fn run(copy: &Copy<'_>, tables: &[&PlannedTable], known: Vec<ChunkRecord>) -> Result<Copied, Fault> {
    let parallel = copy.parallel.max(1);
    let (send, receive) = mpsc::channel(parallel);
    let shared = Shared {
        work: Mutex::new(receive),
        wide: Semaphore::new(1),
        wide_pair: Mutex::new(None),
        result: StdMutex::default(),
        failed: StdMutex::default(),
        halt: copy.stop.child_token(),
    };
    let workers = futures_util::future::join_all((0..parallel).map(|_| worker(copy, &shared)));
    let walk = async {
        let walked = walk(copy, tables, known, send, &shared).await;
        if walked.is_err() {
            shared.halt.cancel();
        }
        walked
    };
    let (walked, worked) = tokio::join!(walk, workers);
    walked?;
    worked.into_iter().collect::<Result<(), Fault>>()?;
    if copy.stop.is_cancelled() {
        return Err(Fault::new(FaultKind::Stopped, "copy rows"));
    }
    Ok(shared.result.into_inner().unwrap_or_default())
}

/// Finds chunks and hands them out. A border is written down before its chunk is copied, so that the next run cuts the
/// table at the same places.
async fn walk<'a>(
    copy: &Copy<'_>,
    tables: &[&'a PlannedTable],
    known: Vec<ChunkRecord>,
    send: mpsc::Sender<Work<'a>>,
    shared: &Shared<'_>,
) -> Result<(), Fault> {
    let mut order = tables.to_vec();
    order.sort_by_key(|table| (std::cmp::Reverse(table.data_bytes), table.name()));
    let (mut control, mut reader) = (None, None);
    for table in order {
        let chunks: Vec<ChunkRecord> = known.iter().filter(|chunk| chunk.table == *table.name()).cloned().collect();
        tell_started(copy.tell, table, &chunks);
        let mut last = chunks.last().cloned();
        for chunk in chunks.into_iter().filter(|chunk| !chunk.done) {
            if !hand_out(&send, (table, chunk), shared).await {
                return Ok(());
            }
        }
        // Each turn moves past at least one row of the table, and the source ends the walk.
        while last.as_ref().is_none_or(|chunk| !chunk.last) {
            if has_failed(shared, table) {
                break;
            }
            let next = match next_chunk(copy, &mut reader, table, last.as_ref()).await {
                Ok(next) => next,
                Err(fault) => {
                    fail_table(shared, table, fault)?;
                    break;
                }
            };
            write_down(copy, &mut control, &next).await?;
            if !hand_out(&send, (table, next.clone()), shared).await {
                return Ok(());
            }
            last = Some(next);
        }
    }
    Ok(())
}

/// Writes a chunk down before it is copied. Written twice, because an answer was lost, it is the same chunk.
async fn write_down(copy: &Copy<'_>, control: &mut Option<Box<dyn Control>>, chunk: &ChunkRecord) -> Result<(), Fault> {
    let mut patience = Patience::new(copy.tell, copy.stop);
    loop {
        let written = match control {
            Some(control) => control.add_chunks(copy.lease, std::slice::from_ref(chunk)).await,
            None => match copy.servers.control().await {
                Ok(fresh) => control.insert(fresh).add_chunks(copy.lease, std::slice::from_ref(chunk)).await,
                Err(fault) => Err(fault),
            },
        };
        let Err(fault) = written else { return Ok(()) };
        *control = None;
        patience.wait(fault).await?;
    }
}

fn tell_started(tell: &dyn Tell, table: &PlannedTable, chunks: &[ChunkRecord]) {
    let done = chunks.iter().filter(|chunk| chunk.done);
    let (rows_done, bytes_done) = done.fold((0, 0), |sum, chunk| (sum.0 + chunk.rows, sum.1 + chunk.bytes));
    tell.tell(Progress::TableStarted {
        name: table.name().clone(),
        rows_estimate: table.rows_estimate,
        bytes_estimate: table.data_bytes,
        rows_done,
        bytes_done,
    });
}

/// Returns whether the work was taken; not when the copy is being halted.
async fn hand_out<'a>(send: &mpsc::Sender<Work<'a>>, work: Work<'a>, shared: &Shared<'_>) -> bool {
    tokio::select! {
        sent = send.send(work) => sent.is_ok(),
        () = shared.halt.cancelled() => false,
    }
}

async fn next_chunk(
    copy: &Copy<'_>,
    reader: &mut Option<Box<dyn ChunkReader>>,
    table: &PlannedTable,
    last: Option<&ChunkRecord>,
) -> Result<ChunkRecord, Fault> {
    let after = last.and_then(|chunk| chunk.keys.upto.clone());
    let rows = (copy.chunk_bytes / table.row_bytes()).clamp(1, copy.chunk_rows);
    let border = Border { table, after: after.clone(), rows };
    let upto = if table.has_key() { find_border(copy, reader, &border).await? } else { None };
    Ok(ChunkRecord {
        table: table.name().clone(),
        seq: last.map_or(0, |chunk| chunk.seq + 1),
        last: upto.is_none(),
        keys: KeyRange { after, upto },
        done: false,
        rows: 0,
        bytes: 0,
    })
}

async fn find_border(
    copy: &Copy<'_>,
    reader: &mut Option<Box<dyn ChunkReader>>,
    border: &Border<'_>,
) -> Result<Option<leeward_core::row::KeyCells>, Fault> {
    let mut patience = Patience::new(copy.tell, copy.stop);
    loop {
        let found = match reader {
            Some(reader) => reader.border(border).await,
            None => match copy.servers.reader().await {
                Ok(fresh) => reader.insert(fresh).border(border).await,
                Err(fault) => Err(fault),
            },
        };
        match found {
            Err(fault) if fault.decision() == Decision::Retry => {
                *reader = None;
                patience.wait(fault).await?;
            }
            found => return found,
        }
    }
}

async fn worker(copy: &Copy<'_>, shared: &Shared<'_>) -> Result<(), Fault> {
    let mut pair: Option<Pair> = None;
    loop {
        let work = tokio::select! {
            work = async { shared.work.lock().await.recv().await } => work,
            () = shared.halt.cancelled() => None,
        };
        let Some((table, chunk)) = work else { return Ok(()) };
        if has_failed(shared, table) {
            continue;
        }
        let copied = if table.row_bytes() >= WIDE_ROW_BYTES {
            copy_chunk(copy, shared, &mut *shared.wide_pair.lock().await, (table, &chunk)).await
        } else {
            copy_chunk(copy, shared, &mut pair, (table, &chunk)).await
        };
        match copied {
            Ok((rows, bytes)) => {
                let mut result = shared.result.lock().expect("no panic while held");
                result.rows += rows;
                result.bytes += bytes;
                copy.tell.tell(Progress::Rows { name: table.name().clone(), rows, bytes });
                if chunk.last {
                    copy.tell.tell(Progress::TableDone { name: table.name().clone() });
                }
            }
            Err(fault) => {
                let ended = fail_table(shared, table, fault);
                if ended.is_err() {
                    shared.halt.cancel();
                    return ended;
                }
            }
        }
    }
}

fn has_failed(shared: &Shared<'_>, table: &PlannedTable) -> bool {
    shared.failed.lock().expect("no panic while held").contains(table.name())
}

/// Takes one table out of the copy, if the fault is the table's alone.
fn fail_table(shared: &Shared<'_>, table: &PlannedTable, fault: Fault) -> Result<(), Fault> {
    let fault = crate::apply::table_fault(fault.of(table.name()))?;
    if shared.failed.lock().expect("no panic while held").insert(table.name().clone()) {
        shared.result.lock().expect("no panic while held").failed.push((table.name().clone(), fault));
    }
    Ok(())
}

/// A reader and a loader that work hand in hand.
type Pair = (Box<dyn ChunkReader>, Box<dyn ChunkLoader>);

async fn copy_chunk(
    copy: &Copy<'_>,
    shared: &Shared<'_>,
    pair: &mut Option<Pair>,
    (table, chunk): (&PlannedTable, &ChunkRecord),
) -> Result<(u64, u64), Fault> {
    let mut mode = LoadMode::Bulk;
    let mut patience = Patience::new(copy.tell, copy.stop);
    loop {
        let copied = tokio::select! {
            copied = try_chunk(copy, shared, pair, (table, chunk), mode) => copied,
            () = shared.halt.cancelled() => {
                *pair = None;
                return Err(Fault::new(FaultKind::Stopped, "copy rows"));
            }
        };
        match copied {
            // The answer to COMMIT was lost: the chunk's own record tells.
            Err(fault) if fault.kind == FaultKind::OutcomeUnknown => {
                *pair = None;
                if let Some(done) = committed(copy, chunk, &mut patience).await? {
                    return Ok(done);
                }
                patience.wait(fault).await?;
            }
            Err(fault) if fault.kind == FaultKind::RowsRefused && mode == LoadMode::Bulk => mode = LoadMode::Careful,
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

async fn try_chunk(
    copy: &Copy<'_>,
    shared: &Shared<'_>,
    pair: &mut Option<Pair>,
    (table, chunk): (&PlannedTable, &ChunkRecord),
    mode: LoadMode,
) -> Result<(u64, u64), Fault> {
    let (reader, loader) = match pair {
        Some(pair) => pair,
        None => {
            let fresh = tokio::try_join!(copy.servers.reader(), copy.servers.loader())?;
            pair.insert(fresh)
        }
    };
    let (mut sender, feed) = feed(&shared.wide);
    let range = Range { table, keys: chunk.keys.clone() };
    let read = async {
        let read = reader.read(&range, &mut sender).await;
        sender.end(read).await
    };
    let load = loader.load(copy.lease, ChunkOf { table, chunk }, mode, feed);
    let (read, loaded) = tokio::join!(read, load);
    // A failed read makes the load fail too; its own fault says more.
    match read {
        Err(Some(fault)) => Err(fault),
        Ok(()) | Err(None) => loaded,
    }
}

/// The reader's end of a feed. `None` as an error means that the loader has gone, whose fault counts.
struct Sender<'a> {
    rows: mpsc::Sender<Sent>,
    bytes: Arc<Semaphore>,
    wide: &'a Semaphore,
    /// Held from the first wide row to the chunk's end.
    permit: Option<tokio::sync::SemaphorePermit<'a>>,
}

/// One message of a feed.
enum Sent {
    Rows(RowBatch, tokio::sync::OwnedSemaphorePermit),
    End,
    Failed,
}

struct Receiver {
    rows: mpsc::Receiver<Sent>,
    ended: bool,
}

fn feed(wide: &Semaphore) -> (Sender<'_>, Box<dyn Feed>) {
    let (send, receive) = mpsc::channel(16);
    let sender = Sender { rows: send, bytes: Arc::new(Semaphore::new(FEED_BYTES)), wide, permit: None };
    (sender, Box::new(Receiver { rows: receive, ended: false }))
}

impl Sender<'_> {
    async fn end(&mut self, read: Result<(), Fault>) -> Result<(), Option<Fault>> {
        let message = if read.is_ok() { Sent::End } else { Sent::Failed };
        let sent = self.rows.send(message).await;
        match (read, sent) {
            (Err(fault), _) if fault.kind == FaultKind::Stopped => Err(None),
            (Err(fault), _) => Err(Some(fault)),
            (Ok(()), Err(_)) => Err(None),
            (Ok(()), Ok(())) => Ok(()),
        }
    }
}

#[async_trait]
impl TakeRows for Sender<'_> {
    async fn take(&mut self, rows: RowBatch) -> Result<(), Fault> {
        let gone = || Fault::new(FaultKind::Stopped, "hand rows on");
        if rows.bytes() > WIDE_BYTES && self.permit.is_none() {
            self.permit = self.wide.acquire().await.ok();
        }
        let bytes = rows.bytes().clamp(1, FEED_BYTES) as u32;
        let permit = self.bytes.clone().acquire_many_owned(bytes);
        let permit = tokio::select! {
            permit = permit => permit.map_err(|_| gone())?,
            () = self.rows.closed() => return Err(gone()),
        };
        self.rows.send(Sent::Rows(rows, permit)).await.map_err(|_| gone())
    }
}

#[async_trait]
impl Feed for Receiver {
    async fn next(&mut self) -> Result<Option<RowBatch>, Fault> {
        if self.ended {
            return Ok(None);
        }
        match self.rows.recv().await {
            Some(Sent::Rows(rows, _permit)) => Ok(Some(rows)),
            Some(Sent::End) => {
                self.ended = true;
                Ok(None)
            }
            // The reader failed or was dropped: what has been loaded is not the whole chunk.
            Some(Sent::Failed) | None => Err(Fault::new(FaultKind::Unreachable, "read a chunk to its end")),
        }
    }
}
