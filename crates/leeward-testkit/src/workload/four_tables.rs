//! The four tables of the demo: for each row in `a`, 100 rows in `b`, 95 in `c` and 5 in `d`.
//!
//! All rows of one turn are written in one transaction, so the counts keep these ratios in every
//! state that the source ever had: a target that shows others was between two cuts.

use anyhow::{Context, Result};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::{Rows, SplitMix64, quoted};

/// Rows written for one row of `a`, table by table.
const ROWS_PER_A: [(&str, u64); 3] = [("b", 100), ("c", 95), ("d", 5)];

/// Rows in the four tables, read by one statement and therefore in one read view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FourTablesRows {
    /// Rows in `a`.
    pub a: u64,
    /// Rows in `b`.
    pub b: u64,
    /// Rows in `c`.
    pub c: u64,
    /// Rows in `d`.
    pub d: u64,
}

impl FourTablesRows {
    /// Returns whether these counts can be a state that the source had.
    pub fn is_whole(&self) -> bool {
        [self.b, self.c, self.d] == ROWS_PER_A.map(|(_, rows)| rows * self.a)
    }
}

/// Counts the rows of the four tables on any server, in one read view.
pub async fn four_tables_rows(conn: &mut Conn, database: &str) -> Result<FourTablesRows> {
    let database = quoted(database);
    let counts = ["a", "b", "c", "d"].map(|table| format!("(SELECT COUNT(*) FROM {database}.{table})"));
    let (a, b, c, d) = conn
        .query_first(format!("SELECT {}", counts.join(", ")))
        .await
        .context("count the four tables")?
        .context("count the four tables: no answer")?;
    Ok(FourTablesRows { a, b, c, d })
}

/// Creates the database and the four tables where they are missing.
///
/// `a` and `b` are insert-only, `c` and `d` have a clock: two tables for each strategy.
pub(super) async fn create(conn: &mut Conn, database: &str) -> Result<()> {
    let database = quoted(database);
    let created = "created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)";
    let updated = "updated_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) \
                   ON UPDATE CURRENT_TIMESTAMP(6), KEY updated (updated_at)";
    let id = "id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY";
    let of_a = "a_id BIGINT UNSIGNED NOT NULL, KEY of_a (a_id)";
    let tables = [
        format!("a ({id}, note VARCHAR(60) NOT NULL, {created})"),
        format!("b ({id}, {of_a}, n INT NOT NULL, note VARCHAR(60) NOT NULL, {created})"),
        format!("c ({id}, {of_a}, n INT NOT NULL, note VARCHAR(60) NOT NULL, {updated})"),
        format!("d ({id}, {of_a}, n INT NOT NULL, note VARCHAR(60) NOT NULL, {updated})"),
    ];
    conn.query_drop(format!("CREATE DATABASE IF NOT EXISTS {database} CHARACTER SET utf8mb4"))
        .await
        .context("create the database of the four tables")?;
    for table in tables {
        let statement = format!("CREATE TABLE IF NOT EXISTS {database}.{table} ENGINE=InnoDB");
        conn.query_drop(statement).await.context("create one of the four tables")?;
    }
    Ok(())
}

/// Writes one row of `a` and its 200 rows in the others.
pub(super) async fn write(conn: &mut Conn, database: &str, random: &mut SplitMix64) -> Result<Rows> {
    let database = quoted(database);
    conn.query_drop(format!("INSERT INTO {database}.a (note) VALUES ('{:016x}')", random.next_u64())).await?;
    let a_id = conn.last_insert_id().context("read the id of the row in a")?;
    let mut inserted = 1;
    for (table, rows) in ROWS_PER_A {
        let values: Vec<String> = (0..rows).map(|n| format!("({a_id},{n},'{:016x}')", random.next_u64())).collect();
        let statement = format!("INSERT INTO {database}.{table} (a_id, n, note) VALUES {}", values.join(","));
        conn.query_drop(statement).await?;
        inserted += conn.affected_rows();
    }
    Ok(Rows { inserted, ..Rows::default() })
}
