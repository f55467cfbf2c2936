//! What a view is asked for many things at once: the comparison of large parts of tables in few round trips.

use async_trait::async_trait;

use super::Range;
use crate::digest::{Digest, RowHash};
use crate::fault::Fault;
use crate::plan::PlannedTable;
use crate::row::{KeyCells, RowBatch};

/// One thing that is asked for.
#[derive(Debug, Clone)]
pub enum Ask<'a> {
    /// The digest of a range.
    Digest(Range<'a>),
    /// The row hashes of a range of a table with a key, in the order of the key.
    List {
        /// The range.
        range: Range<'a>,
        /// Rows after which the list ends, wherever the range does.
        rows_max: u64,
    },
    /// The rows with these keys; keys that the view does not hold are left out.
    Rows {
        /// The table.
        table: &'a PlannedTable,
        /// The keys.
        keys: Vec<KeyCells>,
    },
}

/// What is answered, in the order in which it was asked.
#[derive(Debug)]
pub enum Told {
    /// The digest of a range.
    Digest {
        /// Which ask this answers.
        ask: usize,
        /// The digest.
        digest: Digest,
    },
    /// Some row hashes of a list. They are all that the view holds between the end of those before and `upto`.
    Listed {
        /// Which ask this answers.
        ask: usize,
        /// The rows.
        rows: Vec<RowHash>,
        /// The last one's key in border form; nothing where the range has ended.
        upto: Option<KeyCells>,
        /// The digest of everything that this list has held so far.
        digest: Digest,
    },
    /// Some rows with the keys that were given.
    Rows {
        /// Which ask this answers.
        ask: usize,
        /// The rows.
        rows: RowBatch,
    },
    /// Everything of an ask has been told.
    End {
        /// Which ask.
        ask: usize,
    },
    /// An ask could not be answered, which concerns its table alone; the others go on.
    Failed {
        /// Which ask.
        ask: usize,
        /// Why.
        fault: Fault,
    },
}

/// Takes answers as they arrive.
#[async_trait]
pub trait TakeTold: Send {
    /// Takes one. An error ends the reading.
    async fn take(&mut self, told: Told) -> Result<(), Fault>;
}
