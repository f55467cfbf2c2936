//! Definitions that change while everything else goes on: columns, indexes, defaults, whole tables.

use anyhow::{Context, Result};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::HostileCounters;
use crate::workload::{SplitMix64, quoted};

/// The tables that are there from the beginning.
const TABLES: [&str; 3] = ["bent", "grown", "shrunk"];

/// Tables of the sample that get columns and indexes as well: with partitions, with a BINARY key, without any key, with a
/// full-text index, with many character sets.
const OF_SAMPLE: [&str; 5] = ["cart", "customer_note", "meter", "texts", "voucher"];

/// Columns that are added, with what a row without a value gets.
const ADDED: [&str; 6] = [
    "INT NOT NULL DEFAULT 7",
    "VARCHAR(30) NOT NULL DEFAULT 'grey'",
    "DECIMAL(20,6) NULL",
    "TIMESTAMP(3) NULL DEFAULT NULL",
    "VARBINARY(40) NULL",
    "ENUM('low','middle','high') NOT NULL DEFAULT 'middle'",
];

/// Creates the tables.
pub(super) async fn create(conn: &mut Conn, database: &str) -> Result<()> {
    let database = quoted(database);
    conn.query_drop(format!("CREATE DATABASE IF NOT EXISTS {database} CHARACTER SET utf8mb4")).await?;
    for table in TABLES {
        conn.query_drop(create_table(&format!("{database}.{table}"))).await.context("create a table to be changed")?;
        conn.query_drop(format!("INSERT INTO {database}.{table} (n, note) VALUES (1, 'first'), (2, 'second')"))
            .await
            .context("fill a table to be changed")?;
    }
    Ok(())
}

fn create_table(name: &str) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {name} (id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, n INT NOT NULL, \
         note VARCHAR(40) NOT NULL, \
         updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), \
         KEY updated (updated_at)) ENGINE=InnoDB"
    )
}

/// Changes one definition.
pub(super) async fn round(
    conn: &mut Conn,
    (shapes, sample): (&str, &str),
    mut random: SplitMix64,
) -> Result<HostileCounters> {
    // A transaction may hold the table for a minute, and everybody queues behind an ALTER that waits for it.
    conn.query_drop("SET SESSION lock_wait_timeout = 4").await?;
    let (database, table) = if random.below(3) == 0 {
        (sample, OF_SAMPLE[random.below(OF_SAMPLE.len() as u64) as usize])
    } else {
        (shapes, TABLES[random.below(TABLES.len() as u64) as usize])
    };
    let name = format!("{}.{}", quoted(database), quoted(table));
    let number = random.below(4);
    let choice = random.below(12);
    let added = ADDED[random.below(ADDED.len() as u64) as usize];
    let place = ["", " FIRST"][random.below(2) as usize];
    let statement = match choice {
        0..=3 => format!("ALTER TABLE {name} ADD COLUMN x{number} {added}{place}"),
        4 | 5 => format!("ALTER TABLE {name} DROP COLUMN x{number}"),
        6 if database == shapes => {
            format!("ALTER TABLE {name} MODIFY COLUMN note VARCHAR({}) NOT NULL", 40 + 40 * number)
        }
        7 if database == shapes => {
            format!("ALTER TABLE {name} MODIFY COLUMN n {} NOT NULL", ["INT", "BIGINT"][number as usize % 2])
        }
        6..=8 => format!("ALTER TABLE {name} ADD KEY i{number} (x{number})"),
        9 => format!("ALTER TABLE {name} DROP KEY i{number}"),
        10 => create_table(&format!("{}.new{number}", quoted(shapes))),
        _ => format!("DROP TABLE IF EXISTS {}.new{number}", quoted(shapes)),
    };
    conn.query_drop(statement).await?;
    Ok(HostileCounters { ddl: 1, ..HostileCounters::default() })
}
