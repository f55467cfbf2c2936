//! The leader's part of a copy: finds chunks on the source, the largest table first, and hands them out to its own workers
//! or puts them up for other processes.

use leeward_core::fault::{Decision, Fault};
use leeward_core::plan::PlannedTable;
use leeward_core::port::{Border, ChunkReader, ChunkRecord, Control};
use leeward_core::row::{KeyCells, KeyRange};
use tokio::sync::mpsc;

use super::crew::Sharing;
use super::{Copy, Shared, Work};
use crate::patience::Patience;
use crate::progress::{Progress, Tell};

/// A walk under way.
struct Walk<'w, 'a> {
    copy: &'w Copy<'w>,
    shared: &'w Shared<'a>,
    send: mpsc::Sender<Work<'a>>,
    control: Option<Box<dyn Control>>,
    reader: Option<Box<dyn ChunkReader>>,
    sharing: Sharing<'w>,
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

/// Finds chunks and hands them out, until all that other processes have taken are copied as well. Returns how many rows
/// have been copied since this process began, if it was not alone.
pub(super) async fn run<'a>(
    copy: &Copy<'_>,
    (tables, known): (&[&'a PlannedTable], Vec<ChunkRecord>),
    send: mpsc::Sender<Work<'a>>,
    shared: &Shared<'a>,
) -> Result<Option<u64>, Fault> {
    let mut order = tables.to_vec();
    order.sort_by_key(|table| (std::cmp::Reverse(table.data_bytes), table.name()));
    let sharing = Sharing::new(copy, &known);
    let mut walk = Walk { copy, shared, send, control: None, reader: None, sharing };
    for table in order {
        let chunks = known.iter().filter(|chunk| chunk.table == *table.name()).cloned().collect();
        if walk.table(table, chunks).await? == Next::Halt {
            return Ok(None);
        }
    }
    walk.sharing.gather(tables, &walk.send, shared).await
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
    /// Walks a table. A border is written down before its chunk is copied, so that the next run cuts the table at the same
    /// places.
    async fn table(&mut self, table: &'a PlannedTable, chunks: Vec<ChunkRecord>) -> Result<Next, Fault> {
        tell_started(self.copy.tell, table, &chunks);
        let mut last = chunks.last().cloned();
        for chunk in chunks.into_iter().filter(|chunk| !chunk.done) {
            if self.place(table, chunk, Written::Yes).await? == Next::Halt {
                return Ok(Next::Halt);
            }
        }
        // Each turn moves past at least one row of the table, and the source ends the walk.
        while last.as_ref().is_none_or(|chunk| !chunk.last) && !self.shared.has_failed(table) {
            let next = match self.next_chunk(table, last.as_ref()).await {
                Ok(next) => next,
                Err(fault) => {
                    self.shared.fail_table(table, fault)?;
                    break;
                }
            };
            last = Some(next.clone());
            if self.place(table, next, Written::No).await? == Next::Halt {
                return Ok(Next::Halt);
            }
        }
        Ok(Next::GoOn)
    }

    /// Hands a chunk to a worker of this process as soon as there is room, or puts it up when there is none and others
    /// help.
    async fn place(&mut self, table: &'a PlannedTable, chunk: ChunkRecord, written: Written) -> Result<Next, Fault> {
        let room = loop {
            self.sharing.look(self.shared).await;
            match self.send.clone().try_reserve_owned() {
                Ok(room) => break room,
                Err(mpsc::error::TrySendError::Closed(_)) => return Ok(Next::Halt),
                Err(mpsc::error::TrySendError::Full(_)) => {}
            }
            if self.sharing.wants_more() {
                self.sharing.offer(&chunk).await?;
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
            self.write_down(&chunk).await?;
        }
        room.send(Work { table, chunk, claim: None });
        Ok(Next::GoOn)
    }

    /// Writes a chunk down before it is copied. Written twice, because an answer was lost, it is the same chunk.
    async fn write_down(&mut self, chunk: &ChunkRecord) -> Result<(), Fault> {
        let Copy { servers, lease, tell, stop, .. } = *self.copy;
        let mut patience = Patience::new(tell, stop);
        loop {
            let written = match &mut self.control {
                Some(control) => control.add_chunks(lease, std::slice::from_ref(chunk)).await,
                None => match servers.control().await {
                    Ok(fresh) => self.control.insert(fresh).add_chunks(lease, std::slice::from_ref(chunk)).await,
                    Err(fault) => Err(fault),
                },
            };
            let Err(fault) = written else { return Ok(()) };
            self.control = None;
            patience.wait(fault).await?;
        }
    }

    async fn next_chunk(&mut self, table: &PlannedTable, last: Option<&ChunkRecord>) -> Result<ChunkRecord, Fault> {
        let after = last.and_then(|chunk| chunk.keys.upto.clone());
        let rows = (self.copy.chunk_bytes / table.row_bytes()).clamp(1, self.copy.chunk_rows);
        let border = Border { table, after: after.clone(), rows };
        let upto = if table.has_key() { self.find_border(&border).await? } else { None };
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

    async fn find_border(&mut self, border: &Border<'_>) -> Result<Option<KeyCells>, Fault> {
        let mut patience = Patience::new(self.copy.tell, self.copy.stop);
        loop {
            let found = match &mut self.reader {
                Some(reader) => reader.border(border).await,
                None => match self.copy.servers.reader().await {
                    Ok(fresh) => self.reader.insert(fresh).border(border).await,
                    Err(fault) => Err(fault),
                },
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
