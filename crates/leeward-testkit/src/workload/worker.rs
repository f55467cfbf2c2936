//! One writer: a connection that writes transactions at its share of the rate.
//!
//! Decides when a transaction is written and what an error means; what is written stands in the
//! files beside this one.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use chrono::NaiveDateTime;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::{Counters, Rows, SplitMix64, Traffic, Workload, four_tables, harbor, sakila, transfers};

/// How long one transaction may take. A server that vanished without a reset never answers, and the
/// driver has no time-out of its own; the longest honest wait is innodb_lock_wait_timeout, 50 s.
pub(super) const TRANSACTION_TIME_MAX: Duration = Duration::from_secs(60);

/// Answers of the server that mean "another writer was first": duplicate key (1062), lock wait (1205),
/// deadlock (1213), a foreign key (1451, 1452), MariaDB's record changed since last read (1020).
const CONFLICTS: [u16; 6] = [1020, 1062, 1205, 1213, 1451, 1452];

/// A writer's share of the workload.
pub(super) struct Writer {
    traffic: Vec<Traffic>,
    period: Duration,
    random: SplitMix64,
    counters: Arc<watch::Sender<Counters>>,
}

impl Writer {
    pub(super) fn new(workload: &Workload, index: usize, counters: Arc<watch::Sender<Counters>>) -> Self {
        let per_writer = f64::from(workload.connections) / f64::from(workload.transactions_per_s);
        Self {
            traffic: workload.traffic.clone(),
            period: Duration::from_secs_f64(per_writer),
            // Seeds that differ by one give unrelated sequences, the generator's purpose.
            random: SplitMix64::new(workload.seed.wrapping_add(index as u64)),
            counters,
        }
    }

    /// Writes until told to stop or until the connection fails; the reason goes to the counters.
    pub(super) async fn run(mut self, mut conn: Conn, mut stopped: watch::Receiver<bool>) {
        let mut ticks = interval(self.period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut turn = 0;
        loop {
            tokio::select! {
                biased;
                // An error means that the handle was dropped, which is a wish to stop as well.
                _ = stopped.wait_for(|stop| *stop) => break,
                _ = ticks.tick() => {}
            }
            let traffic = self.traffic[turn % self.traffic.len()].clone();
            turn += 1;
            if let Err(error) = self.write_one(&mut conn, &traffic).await {
                let failure = format!("{error:#}");
                self.counters.send_modify(|counters| counters.failures.push(failure));
                return;
            }
        }
        // The server may be gone by now; a connection that cannot say good-bye is closed anyway.
        let _ = timeout(TRANSACTION_TIME_MAX, conn.disconnect()).await;
    }

    /// Writes one transaction; a conflict is rolled back and counted, any other error is returned.
    async fn write_one(&mut self, conn: &mut Conn, traffic: &Traffic) -> Result<()> {
        let written = timeout(TRANSACTION_TIME_MAX, transaction(conn, traffic, &mut self.random))
            .await
            .context("wait for the server within the workload's time-out")?;
        match written {
            Ok((rows, at)) => self.counters.send_modify(|counters| counters.committed(rows, at)),
            Err(error) if is_conflict(&error) => {
                timeout(TRANSACTION_TIME_MAX, conn.query_drop("ROLLBACK"))
                    .await
                    .context("wait for a rollback")?
                    .context("roll back after a conflict")?;
                self.counters.send_modify(|counters| counters.conflicts += 1);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// Writes and commits one transaction; returns its rows and the server's clock just before COMMIT.
async fn transaction(conn: &mut Conn, traffic: &Traffic, random: &mut SplitMix64) -> Result<(Rows, NaiveDateTime)> {
    conn.query_drop("START TRANSACTION").await?;
    let rows = match traffic {
        Traffic::FourTables { database } => four_tables::write(conn, database, random).await,
        Traffic::Transfers { database } => transfers::write(conn, database, random).await,
        Traffic::Harbor { database } => harbor::write(conn, database, random).await,
        Traffic::Sakila => sakila::write(conn, random).await,
    }?;
    let at: NaiveDateTime = conn.query_first("SELECT NOW(6)").await?.context("read the source's clock")?;
    conn.query_drop("COMMIT").await?;
    Ok((rows, at))
}

fn is_conflict(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref::<mysql_async::Error>(),
        Some(mysql_async::Error::Server(answer)) if CONFLICTS.contains(&answer.code)
    )
}
