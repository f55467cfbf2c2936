//! One side of a comparison: a connection inside one consistent read view.
//!
//! Sets everything that changes how a value reads: time zone, character set of results, isolation.

use anyhow::{Context, Result};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};

/// A connection inside `START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY`.
///
/// The read view is as old as the snapshot, whatever is committed later; a table altered since then
/// cannot be read (error 1412).
#[derive(Debug)]
pub struct Snapshot {
    pub(super) conn: Conn,
}

impl Snapshot {
    /// Connects and takes the snapshot.
    pub async fn open(opts: &Opts) -> Result<Self> {
        let mut conn = Conn::new(opts.clone()).await.context("connect")?;
        let session = [
            "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
            "SET time_zone = '+00:00'",
            // Names of tables and columns are sent in utf8mb4; NULL returns every text as the bytes
            // that are stored, in the character set of its column.
            "SET NAMES utf8mb4",
            "SET character_set_results = NULL",
            "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
        ];
        for statement in session {
            conn.query_drop(statement).await.context("take a consistent snapshot")?;
        }
        Ok(Self { conn })
    }

    /// Ends the read view and the connection.
    pub async fn close(self) -> Result<()> {
        self.conn.disconnect().await.context("close a snapshot")
    }
}
