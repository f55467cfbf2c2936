//! Bulk inserts side by side into one table: with `innodb_autoinc_lock_mode=2` their ids interleave, and the smaller ones
//! may be committed last, or never.

use anyhow::{Context, Result};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::actor::Cue;
use super::{HostileCounters, draw_ms};
use crate::workload::{SplitMix64, quoted};

/// Rows to choose from; a bulk insert takes some of them.
const NUMBERS: u64 = 1_000;

/// Fewest rows of one bulk insert.
const ROWS_MIN: u64 = 100;

/// Creates the table and the numbers that fill it.
pub(super) async fn create(conn: &mut Conn, database: &str) -> Result<()> {
    let database = quoted(database);
    for statement in [
        format!("CREATE DATABASE IF NOT EXISTS {database} CHARACTER SET utf8mb4"),
        format!("CREATE TABLE IF NOT EXISTS {database}.number (n INT NOT NULL PRIMARY KEY) ENGINE=InnoDB"),
        format!(
            "INSERT IGNORE INTO {database}.number WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n \
             WHERE i < {NUMBERS}) SELECT i FROM n"
        ),
        format!(
            "CREATE TABLE IF NOT EXISTS {database}.pour (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, \
             part INT NOT NULL, n INT NOT NULL, filler VARCHAR(400) NOT NULL, \
             created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)) ENGINE=InnoDB"
        ),
    ] {
        conn.query_drop(statement).await.context("create the table of bulk inserts")?;
    }
    Ok(())
}

/// Runs two bulk inserts at once; they end one after the other, and one of them may be undone.
pub(super) async fn round(
    conn: &mut Conn,
    database: &str,
    mut random: SplitMix64,
    cue: &mut Cue,
) -> Result<HostileCounters> {
    let database = quoted(database);
    let mut pour = |part: u64| {
        let rows = ROWS_MIN + random.below(NUMBERS - ROWS_MIN);
        format!(
            "INSERT INTO {database}.pour (part, n, filler) SELECT {part}, n, REPEAT('{:08x}', {}) \
             FROM {database}.number LIMIT {rows}",
            random.next_u64() as u32,
            random.below(50)
        )
    };
    let (first, second) = (pour(1), pour(2));
    let lingers = draw_ms(&mut random, (0, 3_000));
    let undone = random.below(4) == 0;
    let mut other = cue.connect().await?;
    conn.query_drop("START TRANSACTION").await?;
    other.query_drop("START TRANSACTION").await?;
    let (one, two) = tokio::join!(conn.query_drop(first), other.query_drop(second));
    one?;
    two?;
    let rows = conn.affected_rows() + other.affected_rows();
    other.query_drop("COMMIT").await?;
    cue.pause(lingers).await;
    conn.query_drop(if undone { "ROLLBACK" } else { "COMMIT" }).await?;
    other.disconnect().await?;
    let mut played = HostileCounters { transactions: 1, rows, bulk: 1, ..HostileCounters::default() };
    if undone {
        (played.rows, played.rolled_back) = (rows - conn.affected_rows().min(rows), 1);
    } else {
        played.transactions = 2;
    }
    Ok(played)
}
