//! Ranges of a table: each row lies in exactly one, whatever the key is made of and in whatever order the server has it,
//! and a range reads no row but its own.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use leeward_core::plan::PlannedTable;
use leeward_core::port::{Border, Range};
use leeward_core::row::{KeyCells, KeyRange};
use leeward_mysql::cut;
use leeward_mysql::session::Session;
use leeward_testkit::servers::{Kind, pair};

use crate::setup::{database, open, planned_table};

/// A key's columns, the key itself, and rows of it that lie where a border is easily got wrong.
struct Keyed {
    columns: &'static str,
    key: &'static str,
    rows: &'static [&'static str],
    only: Option<Kind>,
}

const fn on_both(columns: &'static str, key: &'static str, rows: &'static [&'static str]) -> Keyed {
    Keyed { columns, key, rows, only: None }
}

const fn on(kind: Kind, columns: &'static str, rows: &'static [&'static str]) -> Keyed {
    Keyed { columns, key: "PRIMARY KEY (id)", rows, only: Some(kind) }
}

const ID: &str = "PRIMARY KEY (id)";

const KEYS: [Keyed; 30] = [
    // Above 2^63 a signed number has gone round.
    on_both(
        "id BIGINT UNSIGNED",
        ID,
        &["0", "1", "9223372036854775807", "9223372036854775808", "18446744073709551614", "18446744073709551615"],
    ),
    on_both("id BIGINT", ID, &["-9223372036854775808", "-1", "0", "1", "9223372036854775807"]),
    // Ticks of 100 ns: nearly all numbers between the least and the largest are nobody's.
    on_both("id BIGINT", ID, &["1", "637000000000000000", "637000000000000001", "638000000000000000"]),
    on_both("id INT(8) UNSIGNED ZEROFILL", ID, &["0", "9", "10", "100", "4294967295"]),
    on_both("a INT, b INT", "PRIMARY KEY (a,b)", &["-1,5", "0,-5", "0,0", "0,5", "1,-5", "1,0", "2,-9"]),
    on_both(
        "a TINYINT UNSIGNED, b BIGINT UNSIGNED, c INT",
        "PRIMARY KEY (c,a,b)",
        &["0,18446744073709551615,0", "1,0,0", "255,1,0", "0,0,1", "0,9223372036854775808,1", "7,7,-1"],
    ),
    on_both("x INT NULL, id INT NOT NULL", "UNIQUE KEY u (id)", &["NULL,3", "1,1", "1,2", "NULL,-4"]),
    // The server's order is not that of the bytes.
    on_both(
        "id VARCHAR(9) COLLATE utf8mb4_general_ci",
        ID,
        &["''", "'_'", "'a'", "'ab'", "'B'", "'c'", "'D'", "'É'", "'f'", "'Z'", "'ß'", "'it''s'", "'\\\\'", "'%'"],
    ),
    on_both("id VARCHAR(9) COLLATE utf8mb4_unicode_ci", ID, &["'a'", "'Ä b'", "'z'", "'ö'", "'🚢'", "'中'", "'1'"]),
    on_both("id VARCHAR(9) COLLATE utf8mb4_bin", ID, &["'a'", "'A'", "'b'", "'B'", "'é'", "'🚢'", "'a\\0'", "'a\\n'"]),
    on_both("id CHAR(9) CHARACTER SET latin1 COLLATE latin1_swedish_ci", ID, &["'a'", "'B'", "'é'", "'z'", "'ö'"]),
    on_both("id VARCHAR(9) CHARACTER SET utf16", ID, &["'a'", "'B'", "'ż'", "'🚢'", "',;'"]),
    on_both("id VARCHAR(9) CHARACTER SET gbk", ID, &["'a'", "'b'", "'中'", "'文'", "'國'"]),
    on_both("a VARCHAR(9), b INT", "PRIMARY KEY (a,b)", &["'a',2", "'A',10", "'b',-1", "'B',1", "'',0"]),
    on_both("id VARBINARY(8)", ID, &["X''", "X'00'", "X'0000'", "X'61'", "X'6100'", "X'6120'", "X'5C27'", "X'FF'"]),
    on_both("id BINARY(4)", ID, &["X''", "X'61'", "X'6120'", "X'61000001'", "X'5C'", "X'27'", "X'FFFFFFFF'"]),
    // By number, while they print names and bytes.
    on_both("id ENUM('z','m','A','é')", ID, &["'z'", "'m'", "'A'", "'é'"]),
    on_both("id SET('z','b','a')", ID, &["''", "'z'", "'a'", "'z,b'", "'z,b,a'"]),
    on_both("id BIT(64)", ID, &["0", "1", "255", "256", "23452", "18446744073709551615"]),
    on_both("id DECIMAL(30,10)", ID, &["-99999999999999999999.9999999999", "-0.0000000001", "0", "0.0000000001", "10"]),
    on_both("id DOUBLE", ID, &["-1e300", "-5e-324", "0", "0.1", "0.30000000000000004", "0.3", "9007199254740993"]),
    on_both("id FLOAT", ID, &["-1e30", "0", "0.1", "0.2", "0.0105162523686885830", "16777216"]),
    on_both("id DATETIME(6)", ID, &["'1000-01-01'", "'2025-01-01'", "'2025-01-01 00:00:00.000001'", "'9999-12-31'"]),
    on_both("id TIMESTAMP(3)", ID, &["'1970-01-01 00:00:01'", "'2024-10-27 00:30:00'", "'2024-10-27 01:30:00.001'"]),
    on_both("id TIME(6)", ID, &["'-838:59:59'", "'-00:00:00.000001'", "'00:00:00'", "'100:00:00'", "'99:00:00'"]),
    on_both("id DATE, y YEAR", "PRIMARY KEY (y,id)", &["'2025-01-01',1901", "'2024-12-31',2155", "'1000-01-01',2155"]),
    on(Kind::MySql, "id VARCHAR(9) COLLATE utf8mb4_0900_ai_ci", &["'a'", "'a '", "'B'", "'é'", "'z'"]),
    on(Kind::MariaDb, "id VARCHAR(9) COLLATE utf8mb4_nopad_bin", &["'a'", "'a '", "'A'", "'B'"]),
    on(Kind::MariaDb, "id UUID", &["'00000000-0000-1000-8000-000000000001'", "'ffffffff-0000-1000-0000-000000000000'"]),
    on(Kind::MariaDb, "id INET6", &["'::'", "'::1'", "'1::'", "'::ffff:1.2.3.4'", "'ffff::'"]),
];

/// Cuts a table into ranges of so many rows as seed and verify do, and returns each range's keys.
async fn cut_up(
    session: &mut Session,
    table: &PlannedTable,
    (size, rows): (usize, usize),
) -> Result<Vec<Vec<KeyCells>>> {
    let (mut after, mut ranges) = (None, Vec::new());
    // One more where the last range is full: only the next question shows that it was the last.
    for _ in 0..=rows / size {
        let border = Border { table, after: after.clone(), rows: size as u64 };
        let upto = cut::find_border(session, &border).await?;
        let range = Range { table, keys: KeyRange { after, upto: upto.clone() } };
        let listed: Vec<KeyCells> = cut::row_hashes(session, &range).await?.into_iter().map(|row| row.key).collect();
        let digest = cut::digests(session, &[range]).await?.pop().context("a digest")??;
        ensure!(digest.rows == listed.len() as u64, "{} rows are listed, {} digested", listed.len(), digest.rows);
        ranges.push(listed);
        if upto.is_none() {
            return Ok(ranges);
        }
        after = upto;
    }
    anyhow::bail!("{rows} rows were cut into more than {} ranges of {size}", ranges.len())
}

async fn ensure_each_row_in_one_range(kind: Kind, at: usize, keyed: &Keyed) -> Result<()> {
    let (source, name) = (&pair(kind).await?.source, format!("rows_border_{at}"));
    let rows: Vec<String> = keyed.rows.iter().map(|row| format!("({row})")).collect();
    let made = format!("CREATE TABLE t ({}, {})", keyed.columns, keyed.key);
    database(source, &name, &[&made, &format!("INSERT INTO t VALUES {}", rows.join(","))]).await?;
    let mut session = open(source, &name).await?;
    let table = planned_table(&mut session, &name, "t").await?;
    ensure!(table.has_key(), "it has a key");
    for size in 1..=rows.len() + 1 {
        let ranges = cut_up(&mut session, &table, (size, rows.len())).await.with_context(|| format!("by {size}"))?;
        let (last, full) = ranges.split_last().context("at least one range")?;
        ensure!(full.iter().all(|range| range.len() == size) && last.len() < size, "ranges of {size}: {ranges:?}");
        let keys: BTreeSet<&KeyCells> = ranges.iter().flatten().collect();
        let listed = ranges.iter().map(Vec::len).sum::<usize>();
        ensure!((keys.len(), listed) == (rows.len(), rows.len()), "by {size}, {} keys, {listed} listed", keys.len());
    }
    Ok(())
}

/// Columns, their key, and the cells of a row by its number.
type Served = (&'static str, &'static str, fn(u32) -> String);

/// Keys that an index serves.
const SERVED: [Served; 12] = [
    ("id INT", ID, |row| row.to_string()),
    ("id BIGINT UNSIGNED", ID, |row| (u64::MAX - u64::from(row)).to_string()),
    ("a INT, b INT", "PRIMARY KEY (a,b)", |row| format!("{},{}", row / 50, row)),
    ("x INT, id INT NOT NULL", "UNIQUE KEY u (id)", |row| format!("1,{row}")),
    ("id VARCHAR(20) COLLATE utf8mb4_general_ci", ID, |row| format!("'Key {row:05}'")),
    ("id VARCHAR(20) CHARACTER SET utf16, b INT", "PRIMARY KEY (id,b)", |row| format!("'é{}',{row}", row / 50)),
    ("id VARBINARY(8)", ID, |row| format!("X'{row:06X}00'")),
    ("id DATETIME(6)", ID, |row| format!("'2025-01-01 00:00:00.{row:06}'")),
    ("id TIMESTAMP(3), b INT", "PRIMARY KEY (b,id)", |row| format!("'2025-01-01 00:00:00',{row}")),
    ("id DECIMAL(20,4)", ID, |row| format!("-{row}.5")),
    ("id DOUBLE", ID, |row| format!("{row}e-3")),
    ("id BINARY(16)", ID, |row| format!("UNHEX(LPAD(HEX({row}),32,'0'))")),
];

/// Rows of a table, far more than of a range and of a fetch by key.
const ROWS: u32 = 8_000;

/// Rows that the session has read so far, by index or not.
async fn rows_read(session: &mut Session) -> Result<u64> {
    let sets = session.rows("read the counters", "SHOW SESSION STATUS LIKE 'Handler_read%'").await?;
    let counts = sets.iter().filter_map(|row| row.get::<String, _>(1)?.parse::<u64>().ok());
    Ok(counts.sum())
}

/// Runs a query and returns how many rows it read, less what looking at the counters costs.
async fn cost(session: &mut Session, query: Vec<u8>) -> Result<(usize, u64)> {
    let (first, second) = (rows_read(session).await?, rows_read(session).await?);
    let found = session.rows("read rows", query).await?.len();
    let third = rows_read(session).await?;
    Ok((found, (third - second).saturating_sub(second - first)))
}

leeward_testkit::each_kind! {
    /// Numbers past 2^63, composite and sparse keys (T8); letters in the server's order, not in that of their bytes (T9);
    /// trailing zero bytes (T21); names that are ordered by number (T23).
    async fn every_row_lies_in_exactly_one_range_t8_t9_t21_t23(kind: Kind) -> Result<()> {
        for (at, keyed) in KEYS.iter().enumerate().filter(|(_, keyed)| keyed.only.is_none_or(|only| only == kind)) {
            ensure_each_row_in_one_range(kind, at, keyed).await.with_context(|| keyed.columns)?;
        }
        Ok(())
    }

    /// The range optimizer falls back to a scan of the whole table with no more than a warning. What was read is counted,
    /// for a range and for as many keys as are fetched at once.
    async fn a_range_and_a_fetch_read_their_own_rows_alone_t11(kind: Kind) -> Result<()> {
        let (source, name) = (&pair(kind).await?.source, "rows_served");
        for (columns, key, row) in SERVED {
            let rows: Vec<String> = (0..ROWS).map(|number| format!("({})", row(number))).collect();
            let made = format!("CREATE TABLE t ({columns}, {key})");
            database(source, name, &[&made, &format!("INSERT INTO t VALUES {}", rows.join(","))]).await?;
            let mut session = open(source, name).await?;
            let table = planned_table(&mut session, name, "t").await?;
            let first = Border { table: &table, after: None, rows: 3_000 };
            let after = cut::find_border(&mut session, &first).await?;
            let next = Border { table: &table, after: after.clone(), rows: 20 };
            let range = Range { table: &table, keys: KeyRange { after, upto: cut::find_border(&mut session, &next).await? } };
            let (_, read) = cost(&mut session, leeward_mysql::digest::query(&range)).await?;
            ensure!(read < 100, "{columns}: {read} rows were read for a range of 20");

            let keys: Vec<KeyCells> = cut::row_hashes(&mut session, &Range { table: &table, keys: KeyRange::default() })
                .await?.into_iter().map(|row| row.key).step_by(16).collect();
            let mut query = format!("SELECT * FROM {name}.t WHERE ").into_bytes();
            leeward_mysql::sql::push_keys(&mut query, &table.table.row_key().context("a key")?, &keys);
            let (found, read) = cost(&mut session, query).await?;
            ensure!(found == 500 && read < 2_000, "{columns}: {read} rows were read for {found} keys");
        }
        Ok(())
    }
}
