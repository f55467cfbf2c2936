//! Tables that lose all or most of their rows at once, by mistake or on purpose, and are filled again a while later: what
//! the brake is for.

use anyhow::{Context, Result};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::actor::Cue;
use super::{HostileCounters, Pace, draw_ms};
use crate::workload::{SplitMix64, quoted};

/// Rows of each table when it is full: several times what the brake lets pass.
const ROWS: u64 = 1_500;

/// The tables: one with a clock, one without.
const TABLES: [&str; 2] = ["dated", "undated"];

/// Creates and fills the tables.
pub(super) async fn create(conn: &mut Conn, database: &str) -> Result<()> {
    let clock = ", updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), \
                 KEY updated (updated_at)";
    let database = quoted(database);
    conn.query_drop(format!("CREATE DATABASE IF NOT EXISTS {database} CHARACTER SET utf8mb4")).await?;
    for (table, clock) in TABLES.into_iter().zip([clock, ""]) {
        conn.query_drop(format!(
            "CREATE TABLE IF NOT EXISTS {database}.{table} (id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, \
             n INT NOT NULL, note VARCHAR(40) NOT NULL{clock}) ENGINE=InnoDB"
        ))
        .await
        .context("create a table that will be emptied")?;
        fill(conn, &format!("{database}.{table}")).await?;
    }
    Ok(())
}

/// Adds rows until the table is full.
async fn fill(conn: &mut Conn, table: &str) -> Result<u64> {
    let rows: Option<u64> = conn.query_first(format!("SELECT COUNT(*) FROM {table}")).await?;
    let wanted = ROWS.saturating_sub(rows.unwrap_or(0));
    if wanted == 0 {
        return Ok(0);
    }
    // MySQL's own limit of recursion is 1,000.
    conn.query_drop(format!(
        "INSERT INTO {table} (n, note) WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 40) \
         SELECT a.i * b.i, CONCAT('row ', a.i, '/', b.i) FROM n AS a JOIN n AS b LIMIT {wanted}"
    ))
    .await
    .context("fill a table that will be emptied")?;
    Ok(conn.affected_rows())
}

/// Empties a table, wholly or nearly, or changes it whole behind its clock, and fills it again later.
pub(super) async fn round(
    conn: &mut Conn,
    database: &str,
    mut random: SplitMix64,
    cue: &mut Cue,
) -> Result<HostileCounters> {
    let table = TABLES[random.below(2) as usize];
    let most_ms = if cue.pace == Pace::Long { 20_000 } else { 6_000 };
    let empty_for = draw_ms(&mut random, (1_000, most_ms));
    let name = format!("{}.{table}", quoted(database));
    let statement = match random.below(5) {
        0 | 1 => format!("TRUNCATE TABLE {name}"),
        2 => format!("DELETE FROM {name}"),
        3 => format!("DELETE FROM {name} WHERE id % 10 < 8"),
        _ if table == "dated" => format!("UPDATE {name} SET n = n + 1, updated_at = updated_at"),
        _ => format!("UPDATE {name} SET n = n + 1"),
    };
    conn.query_drop(statement).await?;
    let mut rows = conn.affected_rows();
    cue.pause(empty_for).await;
    rows += fill(conn, &name).await?;
    Ok(HostileCounters { transactions: 2, rows, emptied: 1, ..HostileCounters::default() })
}
