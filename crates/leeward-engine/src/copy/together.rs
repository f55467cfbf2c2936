//! Small tables that are copied several at once: one round trip to the source and one transaction on the target for all of
//! them, where each would cost as much alone. An optimization and no more: what goes wrong with them together is tried
//! again with each alone, which tells whose fault it is.

use leeward_core::fault::{Decision, Fault, FaultKind};
use leeward_core::plan::PlannedTable;
use leeward_core::port::{ChunkOf, Most, Range};

use super::{Copy, Job, Pair, Shared, Work, committed, connect, settle};
use crate::patience::Patience;

/// Estimated bytes up to which a table is small, and of the tables that are copied together: they are held in memory, and a
/// second's work at 1 MiB/s. InnoDB gives each table 16 KiB at least.
const SMALL_BYTES: u64 = 1024 * 1024;

/// Tables copied together. At 70 ms to the source, four workers spend 0.6 ms on the way for each table, a tenth of what the
/// two servers do for one; twice as many would keep the locks of twice as many tables.
const TABLES_MAX: usize = 32;

/// What is read together is held back by no feed: so many times what was estimated is taken from the budget beforehand, and
/// reading is given up beyond it.
const GROWN_MAX: u64 = 2;

/// Estimated bytes of a row from which on its table is not small: two of them would be half of what may be read together.
const ROW_BYTES_MAX: u64 = 256 * 1024;

/// Returns whether a table is small, by its estimate: it is then likely to be copied with others.
pub fn is_small(table: &PlannedTable) -> bool {
    table.data_bytes <= SMALL_BYTES && table.row_bytes() < ROW_BYTES_MAX
}

/// Small tables that wait until there are enough of them.
#[derive(Default)]
pub(super) struct Waiting<'a> {
    job: Job<'a>,
    bytes: u64,
    rows: u64,
}

impl<'a> Waiting<'a> {
    /// Returns whether a table is to be copied with others, if one chunk holds it.
    pub(super) fn takes(copy: &Copy<'_>, table: &PlannedTable) -> bool {
        is_small(table) && table.data_bytes <= copy.chunk_bytes && table.rows_estimate <= copy.chunk_rows
    }

    /// Adds a whole table. Returns those that waited before, if it would be too much with them.
    pub(super) fn add(&mut self, copy: &Copy<'_>, work: Work<'a>) -> Option<Job<'a>> {
        let (bytes, rows) = (work.table.data_bytes, work.table.rows_estimate.max(1));
        let full = self.job.len() >= TABLES_MAX
            || self.bytes + bytes > SMALL_BYTES.min(copy.chunk_bytes)
            || self.rows + rows > copy.chunk_rows;
        let ready = if full { self.take() } else { None };
        (self.bytes, self.rows) = (self.bytes + bytes, self.rows + rows);
        self.job.push(work);
        ready
    }

    /// Returns those that wait.
    pub(super) fn take(&mut self) -> Option<Job<'a>> {
        let Waiting { job, .. } = std::mem::take(self);
        (!job.is_empty()).then_some(job)
    }
}

/// Copies chunks together. Returns those that have to be copied one by one: none, or all.
pub(super) async fn copy<'a>(
    copy: &Copy<'_>,
    shared: &Shared<'_>,
    pair: &mut Option<Pair>,
    job: Job<'a>,
) -> Result<Job<'a>, Fault> {
    let mut patience = Patience::new(copy.tell, copy.stop);
    loop {
        let mut read = Vec::new();
        let copied = tokio::select! {
            copied = try_all((copy, shared), pair, &job, &mut read) => copied,
            () = shared.halt.cancelled() => Err(Fault::new(FaultKind::Stopped, "copy rows")),
        };
        let fault = match copied {
            Ok(true) => {
                job.iter().zip(read).try_for_each(|(work, size)| settle(copy, shared, work, Ok(size)))?;
                return Ok(Vec::new());
            }
            Ok(false) => return Ok(job),
            Err(fault) => fault,
        };
        *pair = None;
        // The answer to COMMIT was lost: the record of any chunk tells of all.
        if fault.kind == FaultKind::OutcomeUnknown
            && let Some(first) = job.first()
            && committed(copy, &first.chunk, &mut patience).await?.is_some()
        {
            job.iter().zip(read).try_for_each(|(work, size)| settle(copy, shared, work, Ok(size)))?;
            return Ok(Vec::new());
        }
        match fault.decision() {
            Decision::Retry | Decision::Block { .. } => patience.wait(fault).await?,
            _ => return Ok(job),
        }
    }
}

/// Tries once, and notes rows and bytes of each chunk once they are read. Returns whether the chunks are small enough.
async fn try_all(
    (copy, shared): (&Copy<'_>, &Shared<'_>),
    pair: &mut Option<Pair>,
    job: &Job<'_>,
    read: &mut Vec<(u64, u64)>,
) -> Result<bool, Fault> {
    let (reader, loader) = connect(copy, pair).await?;
    let ranges: Vec<Range<'_>> =
        job.iter().map(|work| Range { table: work.table, keys: work.chunk.keys.clone() }).collect();
    let most = Most { bytes: GROWN_MAX * SMALL_BYTES, rows: copy.chunk_rows };
    let _held = copy.budget.take(most.bytes).await;
    let Some(rows) = reader.read_together(&ranges, most).await? else {
        *pair = None;
        return Ok(false);
    };
    read.extend(rows.iter().map(|batch| (batch.rows() as u64, batch.bytes() as u64)));
    let chunks: Vec<ChunkOf<'_>> =
        job.iter().map(|work| ChunkOf { table: work.table, chunk: &work.chunk, claim: None }).collect();
    shared.level.moved(rows.iter().map(|batch| batch.bytes() as u64).sum());
    loader.load_together(copy.lease, &chunks, rows).await?;
    Ok(true)
}
