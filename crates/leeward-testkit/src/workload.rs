//! Write workloads for the demo, the tests and the benchmarks.
//!
//! Writes to one server over its own connections at a steady rate until it is stopped or the server
//! goes away. It knows nothing of Leeward and does not judge what arrives on the other side.

mod four_tables;
mod harbor;
pub mod hostile;
mod random;
mod sakila;
#[cfg(test)]
mod tests;
mod transfers;
mod worker;

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use chrono::NaiveDateTime;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder};
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use four_tables::{FourTablesRows, four_tables_rows};
pub use random::SplitMix64;
pub use transfers::{Books, books};

/// One kind of transaction that a workload writes, and the database in which it writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Traffic {
    /// One row in `a`, 100 in `b`, 95 in `c` and 5 in `d`, in one transaction.
    FourTables {
        /// The database that holds (or gets) the four tables.
        database: String,
    },
    /// Money moved between `checking` and `savings`; the sum never changes.
    Transfers {
        /// The database that holds (or gets) the accounts.
        database: String,
    },
    /// Inserts, updates and deletes on the sample `harbor`.
    Harbor {
        /// The database into which the sample was loaded.
        database: String,
    },
    /// Inserts, updates and deletes on the sample `sakila`, in the database of that name.
    Sakila,
}

impl Traffic {
    /// Creates what the traffic needs, where it is not there yet: the four tables or the accounts.
    ///
    /// The samples are not loaded here; their absence shows as an error of the first transaction.
    pub async fn prepare(&self, conn: &mut Conn) -> Result<()> {
        match self {
            Self::FourTables { database } => four_tables::create(conn, database).await,
            Self::Transfers { database } => transfers::create(conn, database).await,
            Self::Harbor { .. } | Self::Sakila => Ok(()),
        }
    }

    /// Returns the traffic that fits the sample on the server, if one is loaded.
    pub async fn of_loaded_sample(conn: &mut Conn) -> Result<Option<Self>> {
        let found: Vec<String> = conn
            .query(
                "SELECT LOWER(TABLE_SCHEMA) FROM information_schema.TABLES \
                 WHERE (TABLE_SCHEMA, TABLE_NAME) IN (('sakila', 'rental'), ('harbor', 'order'))",
            )
            .await
            .context("look for a sample database")?;
        let has = |name: &str| found.iter().any(|database| database == name);
        Ok(if has(crate::sample::SAKILA) {
            Some(Self::Sakila)
        } else if has(crate::sample::HARBOR) {
            let database = crate::sample::HARBOR.to_owned();
            Some(Self::Harbor { database })
        } else {
            None
        })
    }
}

/// What to write, how fast, and over how many connections.
#[derive(Debug, Clone)]
pub struct Workload {
    /// The kinds of traffic; each connection takes them in turn, one transaction of each.
    pub traffic: Vec<Traffic>,
    /// Transactions per second over all connections together; at least 1. When the server is too
    /// slow for the rate, ticks are skipped, not stored up.
    pub transactions_per_s: u32,
    /// Connections that write at the same time; at least 1.
    pub connections: u32,
    /// The seed: the same seed makes the same choices on each connection.
    pub seed: u64,
}

/// What a workload has done so far. Rows are those the statements reported; rows changed by
/// triggers and by cascading foreign keys are not counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// Transactions whose COMMIT was answered.
    pub transactions: u64,
    /// Rows inserted by those transactions.
    pub rows_inserted: u64,
    /// Rows updated by those transactions.
    pub rows_updated: u64,
    /// Rows deleted by those transactions.
    pub rows_deleted: u64,
    /// Transactions that the server refused for a conflict (deadlock, lock wait, duplicate key);
    /// they were rolled back and not repeated.
    pub conflicts: u64,
    /// The source's own UTC clock, read inside the latest committed transaction.
    pub last_commit: Option<NaiveDateTime>,
    /// Connections that ended early, with the reason of each; at most one entry a connection.
    pub failures: Vec<String>,
}

impl Counters {
    fn committed(&mut self, rows: Rows, at: NaiveDateTime) {
        self.transactions += 1;
        self.rows_inserted += rows.inserted;
        self.rows_updated += rows.updated;
        self.rows_deleted += rows.deleted;
        self.last_commit = self.last_commit.max(Some(at));
    }
}

/// Rows that one transaction changed.
#[derive(Debug, Clone, Copy, Default)]
struct Rows {
    inserted: u64,
    updated: u64,
    deleted: u64,
}

/// A workload at work. Dropping it stops the writers without waiting for them.
#[derive(Debug)]
pub struct Running {
    counters: watch::Receiver<Counters>,
    stop: watch::Sender<bool>,
    writers: JoinSet<()>,
}

impl Running {
    /// Returns the counters as they are now.
    pub fn counters(&self) -> Counters {
        self.counters.borrow().clone()
    }

    /// Waits until the counters satisfy `enough`; returns them, or an error when every writer ended
    /// before.
    pub async fn until(&self, enough: impl Fn(&Counters) -> bool) -> Result<Counters> {
        let mut counters = self.counters.clone();
        let reached = counters.wait_for(enough).await.map(|counters| counters.clone());
        reached.with_context(|| format!("wait for the workload, which ended: {:?}", self.counters()))
    }

    /// Lets every writer finish its transaction, closes the connections and returns the counters.
    ///
    /// A writer whose server has vanished without a word ends by its time-out, after a minute.
    pub async fn stop(mut self) -> Result<Counters> {
        // The writers may all be gone already; then nobody needs to be told.
        let _ = self.stop.send(true);
        self.until_ended().await
    }

    /// Waits until every writer has ended by itself, which happens only when the server fails them.
    pub async fn until_ended(&mut self) -> Result<Counters> {
        while let Some(ended) = self.writers.join_next().await {
            ended.context("join a workload writer")?;
        }
        Ok(self.counters())
    }
}

/// Starts to write; returns once every connection is open.
///
/// `opts` names the server. Fails when it cannot be reached or the workload makes no sense; later
/// failures end the writer concerned and stand in [`Counters::failures`].
pub async fn start(opts: Opts, workload: Workload) -> Result<Running> {
    ensure!(
        !workload.traffic.is_empty() && workload.connections > 0 && workload.transactions_per_s > 0,
        "a workload needs traffic, a connection and a rate"
    );
    let (counted, counters) = watch::channel(Counters::default());
    let counted = Arc::new(counted);
    let (stop, stopped) = watch::channel(false);
    let mut conns = Vec::new();
    for _ in 0..workload.connections {
        conns.push(open(&opts).await.context("open a workload connection")?);
    }
    let mut writers = JoinSet::new();
    for (index, conn) in conns.into_iter().enumerate() {
        let writer = worker::Writer::new(&workload, index, Arc::clone(&counted));
        writers.spawn(writer.run(conn, stopped.clone()));
    }
    Ok(Running { counters, stop, writers })
}

/// Opens a connection with the session that all traffic expects.
async fn open(opts: &Opts) -> Result<Conn, mysql_async::Error> {
    let session =
        ["SET time_zone = '+00:00'", "SET NAMES utf8mb4", "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"];
    let opts = OptsBuilder::from_opts(opts.clone()).setup(session.map(str::to_owned).to_vec());
    Conn::new(opts).await
}

/// Quotes an identifier.
fn quoted(identifier: &str) -> String {
    format!("`{}`", identifier.replace('`', "``"))
}
