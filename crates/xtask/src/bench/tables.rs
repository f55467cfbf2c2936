//! Tables to measure with. They are filled by SQL on the source itself: sending four million rows
//! would take longer than measuring them.

use anyhow::{Context, Result};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::rig::Rig;

/// The database of all tables of the benchmarks.
pub(super) const DATABASE: &str = "bench_rows";

/// Tables of the sysbench-like schema.
pub(super) const SBTEST_TABLES: u64 = 4;

/// Rows written by one statement; keeps one transaction's undo small.
const ROWS_PER_STATEMENT: u64 = 100_000;

/// Creates an empty database on the source.
pub(super) async fn create_database(conn: &mut Conn) -> Result<()> {
    for statement in
        [format!("DROP DATABASE IF EXISTS {DATABASE}"), format!("CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4")]
    {
        conn.query_drop(statement).await.context("create the benchmark's database")?;
    }
    Ok(())
}

/// Creates and fills tables as sysbench has them.
pub(super) async fn fill_sbtest(rig: &Rig, tables: u64, rows: u64) -> Result<()> {
    create_database(&mut rig.filler().await?).await?;
    numbers(&mut rig.filler().await?).await?;
    // Two at a time: more would only take turns on two cores.
    tokio::try_join!(fill_some(rig, (1..=tables).step_by(2), rows), fill_some(rig, (2..=tables).step_by(2), rows))?;
    let mut conn = rig.filler().await?;
    conn.query_drop(format!("DROP TABLE {DATABASE}.numbers")).await.context("drop the numbers")
}

/// The numbers from 0, as many as one statement writes.
async fn numbers(conn: &mut Conn) -> Result<()> {
    let digit = "(SELECT 0 n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 \
                 UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)";
    let digits: Vec<String> = (0..5).map(|place| format!("{digit} d{place}")).collect();
    let number = "d0.n + 10 * d1.n + 100 * d2.n + 1000 * d3.n + 10000 * d4.n";
    conn.query_drop(format!("CREATE TABLE {DATABASE}.numbers (n INT NOT NULL PRIMARY KEY)")).await?;
    conn.query_drop(format!("INSERT INTO {DATABASE}.numbers SELECT {number} FROM {}", digits.join(", ")))
        .await
        .context("write the numbers")
}

async fn fill_some(rig: &Rig, numbers: impl Iterator<Item = u64>, rows: u64) -> Result<()> {
    let mut conn = rig.filler().await?;
    for number in numbers {
        fill_one(&mut conn, number, rows).await?;
    }
    conn.disconnect().await.context("close a connection")
}

/// Returns the statement that creates a table of sysbench: id, k, c CHAR(120), pad CHAR(60). What stands in `keys` follows
/// its primary key.
pub(super) fn sbtest(number: u64, keys: &str) -> String {
    format!(
        "CREATE TABLE {DATABASE}.sbtest{number} (id INT NOT NULL AUTO_INCREMENT, k INT NOT NULL DEFAULT 0, \
         c CHAR(120) CHARACTER SET latin1 NOT NULL DEFAULT '', pad CHAR(60) CHARACTER SET latin1 NOT NULL DEFAULT '', \
         PRIMARY KEY (id){keys}) ENGINE=InnoDB"
    )
}

/// Returns the definition of its index.
pub(super) fn sbtest_key(number: u64) -> String {
    format!("KEY k_{number} (k)")
}

async fn fill_one(conn: &mut Conn, number: u64, rows: u64) -> Result<()> {
    let table = format!("{DATABASE}.sbtest{number}");
    let keys = format!(", {}", sbtest_key(number));
    conn.query_drop(sbtest(number, &keys)).await.context("create a table")?;
    let mut done = 0;
    while done < rows {
        let take = ROWS_PER_STATEMENT.min(rows - done);
        conn.query_drop(format!(
            "INSERT INTO {table} (id, k, c, pad) \
             SELECT {done} + n + 1, CRC32(n * 7 + {done}) % {rows}, \
             CONCAT(SHA2({done} + n, 256), LEFT(SHA2(n - {done}, 256), 55)), LEFT(SHA2(n * 3 + {done}, 256), 59) \
             FROM {DATABASE}.numbers WHERE n < {take} ORDER BY n"
        ))
        .await
        .context("fill a table")?;
        done += take;
    }
    conn.query_drop(format!("ANALYZE TABLE {table}")).await.context("analyse a table")
}

/// Creates and fills the table `ledger`, which has a clock: kept by merge.
pub(super) async fn fill_ledger(rig: &Rig, rows: u64) -> Result<()> {
    let mut conn = rig.filler().await?;
    create_database(&mut conn).await?;
    numbers(&mut conn).await?;
    conn.query_drop(format!(
        "CREATE TABLE {DATABASE}.ledger (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, k INT NOT NULL, \
         note CHAR(100) CHARACTER SET latin1 NOT NULL, updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) \
         ON UPDATE CURRENT_TIMESTAMP(6), KEY updated (updated_at)) ENGINE=InnoDB"
    ))
    .await
    .context("create the ledger")?;
    for done in (0..rows).step_by(ROWS_PER_STATEMENT as usize) {
        let take = ROWS_PER_STATEMENT.min(rows - done);
        conn.query_drop(format!(
            "INSERT INTO {DATABASE}.ledger (id, k, note, updated_at) SELECT {done} + n + 1, n, \
             CONCAT(SHA2({done} + n, 256), LEFT(SHA2(n - {done}, 256), 36)), \
             '2026-01-01' + INTERVAL {done} + n SECOND FROM {DATABASE}.numbers WHERE n < {take} ORDER BY n"
        ))
        .await
        .context("fill the ledger")?;
    }
    conn.query_drop(format!("DROP TABLE {DATABASE}.numbers")).await.context("drop the numbers")?;
    conn.query_drop(format!("ANALYZE TABLE {DATABASE}.ledger")).await.context("analyse the ledger")?;
    conn.disconnect().await.context("close a connection")
}

/// Creates and fills a table of wide rows: `count` of 16 MiB less 1 KiB each, every byte value in them.
pub(super) async fn fill_wide(conn: &mut Conn, count: u32) -> Result<()> {
    create_database(conn).await?;
    conn.query_drop(format!("CREATE TABLE {DATABASE}.wide (id INT NOT NULL PRIMARY KEY, body LONGBLOB NOT NULL)"))
        .await?;
    for id in 0..count {
        // 32 bytes, repeated up to 16 MiB less 1 KiB.
        conn.query_drop(format!(
            "INSERT INTO {DATABASE}.wide VALUES ({id}, REPEAT(UNHEX(SHA2('{id}', 256)), {}))",
            (16 * 1024 - 1) * 1024 / 32
        ))
        .await
        .context("write a wide row")?;
    }
    Ok(())
}
