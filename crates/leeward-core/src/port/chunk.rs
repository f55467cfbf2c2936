//! Chunks of a copy: what is noted of one, and who reads and loads it.

use async_trait::async_trait;

use super::{Border, Claim, Lease, Range, TakeRows};
use crate::fault::Fault;
use crate::name::TableName;
use crate::plan::PlannedTable;
use crate::row::{KeyCells, KeyRange, RowBatch};

/// One chunk of the seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkRecord {
    /// The table.
    pub table: TableName,
    /// Number within the table, from 0.
    pub seq: u32,
    /// The key range in border form.
    pub keys: KeyRange,
    /// Whether this is the table's last one.
    pub last: bool,
    /// Whether its rows are on the target.
    pub done: bool,
    /// Rows copied.
    pub rows: u64,
    /// Bytes copied.
    pub bytes: u64,
}

/// Reads chunks of the source, each in a short statement of its own. One connection.
#[async_trait]
pub trait ChunkReader: Send {
    /// Reads a range and hands its rows on: in key order, but for those that are wide (see [`TakeRows::wide_from`]), which come
    /// last.
    async fn read(&mut self, range: &Range<'_>, take: &mut dyn TakeRows) -> Result<(), Fault>;

    /// Reads several ranges in one round trip, each into a batch of its own, in order. Returns nothing when they hold more
    /// than `most`: they are not as small as they were thought to be.
    async fn read_together(&mut self, ranges: &[Range<'_>], most: Most) -> Result<Option<Vec<RowBatch>>, Fault>;

    /// Finds the border `rows` rows after `after`; nothing when the table ends before.
    async fn border(&mut self, border: &Border<'_>) -> Result<Option<KeyCells>, Fault>;

    /// Finds borders of many tables in few round trips; one that cannot be found costs no other one.
    async fn borders(&mut self, borders: &[Border<'_>]) -> Result<Vec<Result<Option<KeyCells>, Fault>>, Fault>;
}

/// How much may be held in memory at once, of what several ranges hold together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Most {
    /// Bytes of cells.
    pub bytes: u64,
    /// Rows.
    pub rows: u64,
}

/// Loads chunks into the target, each in one transaction together with its record. One connection.
#[async_trait]
pub trait ChunkLoader: Send {
    /// Loads the rows that arrive on `rows` and commits them with `chunk` marked done, or nothing at all. Returns rows
    /// and bytes loaded. [`ClaimLost`](crate::fault::FaultKind::ClaimLost) when the chunk is another's by now. [`RowsRefused`](crate::fault::FaultKind::RowsRefused) when the
    /// server did not take a bulk load exactly as it was sent: read the chunk again and load it with [`LoadMode::Careful`].
    async fn load(
        &mut self,
        lease: &Lease,
        chunk: ChunkOf<'_>,
        mode: LoadMode,
        rows: RowFeed,
    ) -> Result<(u64, u64), Fault>;

    /// Loads several chunks that are nobody's claim, all rows of each, in one transaction: all of them or none. Whatever is
    /// against one of them is against all.
    async fn load_together(&mut self, lease: &Lease, chunks: &[ChunkOf<'_>], rows: Vec<RowBatch>) -> Result<(), Fault>;
}

/// A chunk and its table.
#[derive(Debug, Clone, Copy)]
pub struct ChunkOf<'a> {
    /// The table.
    pub table: &'a PlannedTable,
    /// The chunk.
    pub chunk: &'a ChunkRecord,
    /// The claim on it, where several processes share the copy; nothing where the lease alone is the right to load it.
    pub claim: Option<Claim>,
}

/// How a chunk is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadMode {
    /// As one stream, where the server allows it. The chunk's rows must not be on the target.
    Bulk,
    /// Row by row in multi-row statements, taking out rows that stand in the way of a unique index.
    Careful,
}

/// Rows on their way from a reader to a loader; bounded by its implementation.
#[async_trait]
pub trait Feed: Send {
    /// Returns the next rows, nothing at the end of the chunk. An error rolls the chunk back.
    async fn next(&mut self) -> Result<Option<RowBatch>, Fault>;
}

/// A boxed [`Feed`].
pub type RowFeed = Box<dyn Feed>;
