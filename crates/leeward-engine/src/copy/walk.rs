//! The leader's part of a copy: finds chunks on the source, in turns over the largest tables, and hands them out to its own
//! workers or puts them up for other processes. The first borders of many tables are found in one round trip, and small tables are
//! handed out several at once.

use std::collections::{BTreeMap, VecDeque};

use leeward_core::fault::{Decision, Fault, FaultKind};
use leeward_core::name::TableName;
use leeward_core::plan::PlannedTable;
use leeward_core::port::{Border, ChunkReader, ChunkRecord, Control};
use leeward_core::row::{KeyCells, KeyRange};
use tokio::sync::mpsc;

use super::crew::Sharing;
use super::together::Waiting;
use super::{Book, Copy, Job, Shared, Work};
use crate::patience::Patience;
use crate::progress::{Progress, Tell};

/// Tables whose first borders are asked for at once, at most. The first tables are the largest, whose borders take the
/// source longest to find: there the walk begins with one for each worker, and goes on with twice as many each time.
const AHEAD_MAX: usize = 100;

/// A walk under way.
struct Walk<'w, 'a> {
    copy: &'w Copy<'w>,
    shared: &'w Shared<'a>,
    send: mpsc::Sender<Job<'a>>,
    control: Option<Box<dyn Control>>,
    reader: Option<Box<dyn ChunkReader>>,
    sharing: Sharing<'w>,
    /// Small tables that are to be copied together.
    waiting: Waiting<'a>,
}

/// Whether a chunk stands in the control schema already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    Yes,
    No,
}

/// Whether the walk goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    GoOn,
    Halt,
}

/// A table that is being walked.
struct Walked<'a> {
    table: &'a PlannedTable,
    /// Chunks that an earlier run has written down and not copied.
    known: VecDeque<ChunkRecord>,
    /// The first chunk, where it has been found already.
    first: Option<ChunkRecord>,
    /// The last chunk so far.
    last: Option<ChunkRecord>,
    /// Estimate of what has not been handed out.
    bytes_left: u64,
}

impl<'a> Walked<'a> {
    fn after(table: &'a PlannedTable, chunks: Vec<ChunkRecord>, first: Option<ChunkRecord>) -> Walked<'a> {
        let last = chunks.last().cloned();
        let done: u64 = chunks.iter().filter(|chunk| chunk.done).map(|chunk| chunk.bytes).sum();
        let known = chunks.into_iter().filter(|chunk| !chunk.done).collect();
        Walked { table, known, first, last, bytes_left: table.data_bytes.saturating_sub(done) }
    }
}

/// What came of a table's turn.
enum Step {
    Placed,
    Ended,
    Halted,
}

/// Finds chunks and hands them out, until all that other processes have taken are copied as well. Returns how many rows
/// have been copied since this process began, if it was not alone.
pub(super) async fn run<'a>(
    copy: &Copy<'_>,
    (tables, known): (&[&'a PlannedTable], Vec<ChunkRecord>),
    send: mpsc::Sender<Job<'a>>,
    shared: &Shared<'a>,
) -> Result<Option<u64>, Fault> {
    let mut order = tables.to_vec();
    order.sort_by_key(|table| (std::cmp::Reverse(table.data_bytes), table.name()));
    let sharing = Sharing::new(copy, &known);
    let (known, waiting) = (by_table(known), Waiting::default());
    let mut walk = Walk { copy, shared, send, control: None, reader: None, sharing, waiting };
    if walk.tables(&order, known).await? == Next::Halt {
        return Ok(None);
    }
    let waiting = walk.waiting.take();
    if walk.place(waiting.unwrap_or_default(), Written::No).await? == Next::Halt {
        return Ok(None);
    }
    walk.sharing.gather(tables, &walk.send, shared).await
}

fn by_table(chunks: Vec<ChunkRecord>) -> BTreeMap<TableName, Vec<ChunkRecord>> {
    let mut tables = BTreeMap::<TableName, Vec<ChunkRecord>>::new();
    for chunk in chunks {
        tables.entry(chunk.table.clone()).or_default().push(chunk);
    }
    tables
}

/// Returns the chunk of a table if it is the only one and still to be copied.
fn whole(chunks: &[ChunkRecord], first: Option<&ChunkRecord>) -> Option<ChunkRecord> {
    match (chunks, first) {
        ([], Some(first)) => Some(first),
        ([only], _) => Some(only),
        _ => None,
    }
    .filter(|chunk| chunk.last && !chunk.done)
    .cloned()
}

/// Tells of tables whose copy begins or goes on.
pub(super) fn tell_started(tell: &dyn Tell, table: &PlannedTable, chunks: &[ChunkRecord]) {
    let done = chunks.iter().filter(|chunk| chunk.done && chunk.table == *table.name());
    let (rows_done, bytes_done) = done.fold((0, 0), |sum, chunk| (sum.0 + chunk.rows, sum.1 + chunk.bytes));
    tell.tell(Progress::TableStarted {
        name: table.name().clone(),
        rows_estimate: table.rows_estimate,
        bytes_estimate: table.data_bytes,
        rows_done,
        bytes_done,
    });
}

impl<'a> Walk<'_, 'a> {
    /// Walks the tables in turns, several at a time: loads into one table wait for each other on the target, and each has
    /// its rows in key order.
    async fn tables(
        &mut self,
        order: &[&'a PlannedTable],
        mut known: BTreeMap<TableName, Vec<ChunkRecord>>,
    ) -> Result<Next, Fault> {
        let (mut rest, mut ahead) = (order, self.shared.level.now().min(AHEAD_MAX));
        let mut open: Vec<Walked<'a>> = Vec::new();
        loop {
            // Finding a border is work for the source, too.
            self.copy.throttle.pass(&self.shared.halt).await;
            // As many chunks are copied as there are workers, and as many more wait for them.
            while open.len() < 2 * self.shared.level.now() && !rest.is_empty() {
                let (some, later) = rest.split_at(ahead.min(rest.len()));
                (rest, ahead) = (later, (ahead * 2).min(AHEAD_MAX));
                if self.open(some, &mut known, &mut open).await? == Next::Halt {
                    return Ok(Next::Halt);
                }
            }
            let Some(at) = self.turn(&open) else { return Ok(Next::GoOn) };
            match self.step(&mut open[at]).await? {
                Step::Placed => {}
                Step::Ended => drop(open.remove(at)),
                Step::Halted => return Ok(Next::Halt),
            }
        }
    }

    /// Takes tables up. Small ones wait for others to be copied with.
    async fn open(
        &mut self,
        some: &[&'a PlannedTable],
        known: &mut BTreeMap<TableName, Vec<ChunkRecord>>,
        open: &mut Vec<Walked<'a>>,
    ) -> Result<Next, Fault> {
        let fresh: Vec<&PlannedTable> =
            some.iter().copied().filter(|table| !known.contains_key(table.name())).collect();
        let mut firsts = self.first_chunks(&fresh).await?;
        for &table in some {
            let chunks = known.remove(table.name()).unwrap_or_default();
            let first = firsts.remove(table.name());
            tell_started(self.copy.tell, table, &chunks);
            match whole(&chunks, first.as_ref()).filter(|_| Waiting::takes(self.copy, table)) {
                Some(chunk) => {
                    let ready = self.waiting.add(self.copy, Work { table, chunk, claim: None });
                    if self.place(ready.unwrap_or_default(), Written::No).await? == Next::Halt {
                        return Ok(Next::Halt);
                    }
                }
                None => open.push(Walked::after(table, chunks, first)),
            }
        }
        Ok(Next::GoOn)
    }

    /// Returns whose turn it is: the table of which the fewest chunks are on their way; of those the one with most to come.
    fn turn(&self, open: &[Walked<'_>]) -> Option<usize> {
        let rank = |at: &usize| (self.shared.under_way(open[*at].table), std::cmp::Reverse(open[*at].bytes_left));
        (0..open.len()).min_by_key(rank)
    }

    /// Finds a table's next chunk and hands it out. Each step moves past at least one row of the table, and the source ends
    /// the walk. A border is written down before its chunk is copied, so that the next run cuts the table at the same
    /// places.
    async fn step(&mut self, walked: &mut Walked<'a>) -> Result<Step, Fault> {
        let table = walked.table;
        if self.shared.has_failed(table) {
            return Ok(Step::Ended);
        }
        let (chunk, written) = match walked.known.pop_front() {
            Some(chunk) => (chunk, Written::Yes),
            None if walked.last.as_ref().is_some_and(|chunk| chunk.last) => return Ok(Step::Ended),
            None => {
                let found = match walked.first.take() {
                    Some(first) => Ok(first),
                    None => self.next_chunk(table, walked.last.as_ref()).await,
                };
                match found {
                    Ok(chunk) => (chunk, Written::No),
                    Err(fault) => {
                        self.shared.fail_table(table, fault)?;
                        return Ok(Step::Ended);
                    }
                }
            }
        };
        if written == Written::No {
            walked.last = Some(chunk.clone());
        }
        walked.bytes_left = walked.bytes_left.saturating_sub(self.copy.chunk_bytes);
        match self.place(vec![Work { table, chunk, claim: None }], written).await? {
            Next::GoOn => Ok(Step::Placed),
            Next::Halt => Ok(Step::Halted),
        }
    }

    /// Hands chunks to a worker of this process as soon as there is room, or puts them up when there is none and others
    /// help.
    async fn place(&mut self, job: Job<'a>, written: Written) -> Result<Next, Fault> {
        if job.is_empty() {
            return Ok(Next::GoOn);
        }
        let room = loop {
            self.sharing.look(self.shared).await;
            match self.send.clone().try_reserve_owned() {
                Ok(room) => break room,
                Err(mpsc::error::TrySendError::Closed(_)) => return Ok(Next::Halt),
                Err(mpsc::error::TrySendError::Full(_)) => {}
            }
            if self.sharing.wants_more() {
                for work in &job {
                    self.sharing.offer(&work.chunk).await?;
                }
                return Ok(Next::GoOn);
            }
            tokio::select! {
                room = self.send.clone().reserve_owned() => match room {
                    Ok(room) => break room,
                    Err(_) => return Ok(Next::Halt),
                },
                () = self.sharing.time_to_look() => {}
                () = self.shared.halt.cancelled() => return Ok(Next::Halt),
            }
        };
        if written == Written::No {
            let chunks: Vec<ChunkRecord> = job.iter().map(|work| work.chunk.clone()).collect();
            self.write_down(&chunks).await?;
        }
        self.shared.set_out(&job);
        room.send(job);
        Ok(Next::GoOn)
    }

    /// Writes chunks down before they are copied. Written twice, because an answer was lost, they are the same chunks.
    async fn write_down(&mut self, chunks: &[ChunkRecord]) -> Result<(), Fault> {
        let Copy { servers, lease, tell, stop, book, .. } = *self.copy;
        if book == Book::Loader {
            return Ok(());
        }
        let mut patience = Patience::new(tell, stop);
        loop {
            let written = match &mut self.control {
                Some(control) => control.add_chunks(lease, chunks).await,
                None => match servers.control().await {
                    Ok(fresh) => self.control.insert(fresh).add_chunks(lease, chunks).await,
                    Err(fault) => Err(fault),
                },
            };
            let Err(fault) = written else { return Ok(()) };
            self.control = None;
            patience.wait(fault).await?;
        }
    }

    async fn next_chunk(&mut self, table: &PlannedTable, last: Option<&ChunkRecord>) -> Result<ChunkRecord, Fault> {
        let border = self.border(table, last);
        let upto = if table.has_key() { self.find_border(&border).await? } else { None };
        Ok(chunk_upto(&border, last, upto))
    }

    fn border<'t>(&self, table: &'t PlannedTable, last: Option<&ChunkRecord>) -> Border<'t> {
        let rows = (self.copy.chunk_bytes / table.row_bytes()).clamp(1, self.copy.chunk_rows);
        Border { table, after: last.and_then(|chunk| chunk.keys.upto.clone()), rows }
    }

    /// Finds the first chunks of tables. One that cannot be found is left out: its table's own turn tells why.
    async fn first_chunks(&mut self, tables: &[&PlannedTable]) -> Result<BTreeMap<TableName, ChunkRecord>, Fault> {
        let borders: Vec<Border<'_>> = tables.iter().map(|table| self.border(table, None)).collect();
        let (asked, whole): (Vec<_>, Vec<_>) = borders.into_iter().partition(|border| border.table.has_key());
        let mut found: BTreeMap<TableName, ChunkRecord> = BTreeMap::new();
        found.extend(whole.iter().map(|border| (border.table.name().clone(), chunk_upto(border, None, None))));
        // One alone is asked for as well in its own turn.
        if asked.len() < 2 {
            return Ok(found);
        }
        let answers = self.find_borders(&asked).await?;
        for (border, answer) in asked.iter().zip(answers) {
            if let Ok(upto) = answer {
                found.insert(border.table.name().clone(), chunk_upto(border, None, upto));
            }
        }
        Ok(found)
    }

    async fn find_borders(&mut self, borders: &[Border<'_>]) -> Result<Vec<Result<Option<KeyCells>, Fault>>, Fault> {
        let mut patience = Patience::new(self.copy.tell, self.copy.stop);
        loop {
            let found = match self.reader().await {
                Ok(reader) => reader.borders(borders).await,
                Err(fault) => Err(fault),
            };
            match found {
                Err(fault) if fault.decision() == Decision::Retry => {
                    self.reader = None;
                    patience.wait(fault).await?;
                }
                // Too many of them fail: each table finds out by itself whether it is one.
                Err(_) => return Ok(Vec::new()),
                found => return found,
            }
        }
    }

    async fn reader(&mut self) -> Result<&mut dyn ChunkReader, Fault> {
        if self.reader.is_none() {
            self.reader = Some(self.copy.readers.reader(self.copy.servers).await?);
        }
        match &mut self.reader {
            Some(reader) => Ok(reader.as_mut()),
            None => Err(Fault::new(FaultKind::Unexpected, "find borders")),
        }
    }

    async fn find_border(&mut self, border: &Border<'_>) -> Result<Option<KeyCells>, Fault> {
        let mut patience = Patience::new(self.copy.tell, self.copy.stop);
        loop {
            let found = match self.reader().await {
                Ok(reader) => reader.border(border).await,
                Err(fault) => Err(fault),
            };
            match found {
                Err(fault) if fault.decision() == Decision::Retry => {
                    self.reader = None;
                    patience.wait(fault).await?;
                }
                found => return found,
            }
        }
    }
}

/// Returns the chunk after `last` up to the border that was found; up to the table's end where there was none.
fn chunk_upto(border: &Border<'_>, last: Option<&ChunkRecord>, upto: Option<KeyCells>) -> ChunkRecord {
    ChunkRecord {
        table: border.table.name().clone(),
        seq: last.map_or(0, |chunk| chunk.seq + 1),
        last: upto.is_none(),
        keys: KeyRange { after: border.after.clone(), upto },
        done: false,
        rows: 0,
        bytes: 0,
    }
}
