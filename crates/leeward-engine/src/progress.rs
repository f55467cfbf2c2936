//! What long work tells the person who waits for it.

use leeward_core::name::TableName;

/// One piece of news.
#[derive(Debug, Clone)]
pub enum Progress {
    /// A new phase began.
    Phase(String),
    /// A table's copy began or goes on.
    TableStarted {
        /// Which.
        name: TableName,
        /// Estimated rows in all.
        rows_estimate: u64,
        /// Estimated bytes in all.
        bytes_estimate: u64,
        /// Rows that an earlier run has copied.
        rows_done: u64,
        /// Bytes that an earlier run has copied.
        bytes_done: u64,
    },
    /// Rows of a table were committed on the target.
    Rows {
        /// Which table.
        name: TableName,
        /// How many rows.
        rows: u64,
        /// How many bytes.
        bytes: u64,
    },
    /// Rows of some table were committed by another process that shares the copy.
    Elsewhere {
        /// How many rows.
        rows: u64,
        /// How many bytes.
        bytes: u64,
    },
    /// A table's rows have all been copied.
    TableDone {
        /// Which.
        name: TableName,
    },
    /// How many chunks are copied at once has changed.
    AtOnce {
        /// How many.
        chunks: usize,
    },
    /// Something a person should know.
    Note(String),
}

/// Takes news. Called from many tasks; must not block.
pub trait Tell: Send + Sync {
    /// Takes one piece of news.
    fn tell(&self, news: Progress);
}
