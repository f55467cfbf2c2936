//! XA transactions that are prepared and then belong to no connection, until another one finishes them.

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::actor::Cue;
use super::{HostileCounters, Pace, draw_ms};
use crate::workload::{SplitMix64, transfers};

/// How the ids of these transactions begin, so that they are told from those of others.
const PREFIX: &str = "hostile-";

/// One in so many is rolled back.
const ROLLED_BACK_ONE_IN: u64 = 4;

/// How often the end is tried: right after a connection has gone, its transaction is not free yet, and a server that is
/// away comes back within a minute.
const TRIES_MAX: u32 = 120;

/// Numbers the transactions of this process; an id may not be used twice at one time.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// Prepares a transfer, leaves it alone, and has another connection commit it or roll it back.
pub(super) async fn round(
    conn: &mut Conn,
    books: &str,
    mut random: SplitMix64,
    cue: &mut Cue,
) -> Result<HostileCounters> {
    let most_ms = if cue.pace == Pace::Long { 20_000 } else { 4_000 };
    let alone = draw_ms(&mut random, (500, most_ms));
    let end = if random.below(ROLLED_BACK_ONE_IN) == 0 { "ROLLBACK" } else { "COMMIT" };
    let id = format!("'{PREFIX}{}-{}'", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let mut preparing = cue.connect().await?;
    preparing.query_drop(format!("XA START {id}")).await?;
    let rows = transfers::write(&mut preparing, books, &mut random).await?;
    preparing.query_drop(format!("XA END {id}")).await?;
    preparing.query_drop(format!("XA PREPARE {id}")).await?;
    preparing.disconnect().await?;
    cue.pause(alone).await;
    finish(conn, &format!("XA {end} {id}"), cue).await?;
    let mut played = HostileCounters { prepared: 1, ..HostileCounters::default() };
    if end == "COMMIT" {
        (played.transactions, played.rows) = (1, rows.inserted + rows.updated);
    } else {
        played.rolled_back = 1;
    }
    Ok(played)
}

async fn finish(conn: &mut Conn, statement: &str, cue: &mut Cue) -> Result<()> {
    let mut other = None;
    for _ in 1..TRIES_MAX {
        let on = other.as_mut().unwrap_or(&mut *conn);
        match on.query_drop(statement).await {
            Ok(()) => return Ok(()),
            // Still with its old connection, or gone with one that was cut.
            Err(mysql_async::Error::Server(_)) => {}
            // The server is away: the transaction is still there when it is back.
            Err(_) => other = cue.connect().await.ok(),
        }
        tokio::time::sleep(std::time::Duration::from_millis(250)).await;
        if cue.is_over() {
            break;
        }
    }
    let on = other.as_mut().unwrap_or(conn);
    Ok(on.query_drop(statement).await?)
}

/// Commits every such transaction that is left.
pub(super) async fn finish_all(conn: &mut Conn) -> Result<()> {
    let left: Vec<(u64, u64, u64, String)> = conn.query("XA RECOVER").await.context("list prepared transactions")?;
    for (_, _, _, id) in left.iter().filter(|(_, _, _, id)| id.starts_with(PREFIX)) {
        conn.query_drop(format!("XA COMMIT '{id}'")).await.context("commit a prepared transaction")?;
    }
    Ok(())
}
