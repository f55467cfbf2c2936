//! Unique values that change hands: swaps, cycles, chains, and values freed by rows that are gone, through every kind of
//! unique index and key. Rows arrive in any order and any number at a time; none may be lost, and none may be taken out
//! that the source still has.

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use leeward_core::digest::Difference;
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::name::Side;
use leeward_core::plan::PlannedTable;
use leeward_core::port::{Cut, CutPart, CutRequest, Range, Source, TakePart};
use leeward_core::row::{KeyCells, KeyRange};
use leeward_mysql::apply;
use leeward_mysql::cut::{self, MySqlSource};
use leeward_mysql::endpoint::Endpoint;
use leeward_mysql::session::Session;
use leeward_testkit::servers::{Kind, pair};

use crate::setup::{database, endpoint, open, planned_table, rows_in};

/// A unique index: the columns that it stands on, and what they hold for a value, a number from 1 to 26.
struct Index {
    columns: &'static str,
    unique: &'static str,
    cells: fn(row: u32, value: u32) -> String,
    not_on: Option<Kind>,
}

/// A row key: its columns, and what they hold for a row's number.
struct Key {
    columns: &'static str,
    primary: &'static str,
    /// The columns that are written.
    named: &'static str,
    cells: fn(row: u32) -> String,
    not_on: Option<Kind>,
}

fn letter(value: u32) -> char {
    char::from(b'`' + value as u8)
}

/// The same letter in another case, with or without a blank, from one row to the next.
fn spelled(row: u32, value: u32) -> String {
    let letter = letter(value);
    if row.is_multiple_of(2) { format!("'{}'", letter.to_uppercase()) } else { format!("'{letter} '") }
}

const INDEXES: [Index; 11] = [
    Index { columns: "u VARCHAR(20) NULL", unique: "(u)", cells: |_, v| format!("'{}'", letter(v)), not_on: None },
    Index {
        columns: "u VARCHAR(20) NULL, n INT NOT NULL",
        unique: "(n,u)",
        cells: |_, v| format!("'{}',7", letter(v)),
        not_on: None,
    },
    // Equal in their first letters alone.
    Index {
        columns: "u TEXT NULL",
        unique: "(u(3))",
        cells: |row, v| format!("'{0}{0}{0}{row}'", letter(v)),
        not_on: None,
    },
    Index {
        columns: "u VARBINARY(20) NULL",
        unique: "(u(2))",
        cells: |row, v| format!("CONCAT(CHAR({v},0),{row})"),
        not_on: None,
    },
    Index { columns: "u VARCHAR(20) COLLATE utf8mb4_general_ci NULL", unique: "(u)", cells: spelled, not_on: None },
    Index {
        columns: "n INT NULL, g INT AS (n DIV 2) STORED",
        unique: "(g)",
        cells: |row, v| (2 * v + row % 2).to_string(),
        not_on: None,
    },
    Index {
        columns: "n INT NULL, g INT AS (n DIV 2) VIRTUAL",
        unique: "(g)",
        cells: |row, v| (2 * v + row % 2).to_string(),
        not_on: None,
    },
    Index { columns: "f FLOAT NULL", unique: "(f)", cells: |_, v| format!("-{v}.1e-9"), not_on: None },
    Index {
        columns: "at DATETIME(6) NULL, b BIT(9) NULL",
        unique: "(at,b)",
        cells: |_, v| format!("'2025-01-01 00:00:00.0000{v:02}',{v}"),
        not_on: None,
    },
    Index {
        columns: "u VARCHAR(20) COLLATE utf8mb4_bin NULL",
        unique: "((LOWER(u)))",
        cells: |row, v| spelled(row, v).replace(' ', ""),
        not_on: Some(Kind::MariaDb),
    },
    // Kept as a hash.
    Index {
        columns: "u LONGTEXT NULL",
        unique: "(u)",
        cells: |_, v| format!("REPEAT('{}',5000)", letter(v)),
        not_on: Some(Kind::MySql),
    },
];

const KEYS: [Key; 14] = [
    Key { columns: "id INT", primary: "(id)", named: "id", cells: |row| row.to_string(), not_on: None },
    Key {
        columns: "id BIGINT UNSIGNED",
        primary: "(id)",
        named: "id",
        cells: |row| (u64::MAX - u64::from(row)).to_string(),
        not_on: None,
    },
    Key {
        columns: "a INT, b VARCHAR(9)",
        primary: "(b,a)",
        named: "a,b",
        cells: |row| format!("{},'{}'", row % 3, letter(row)),
        not_on: None,
    },
    Key {
        columns: "id VARCHAR(9) COLLATE utf8mb4_general_ci",
        primary: "(id)",
        named: "id",
        cells: |row| spelled(row, row),
        not_on: None,
    },
    Key {
        columns: "id VARCHAR(9) CHARACTER SET utf16",
        primary: "(id)",
        named: "id",
        cells: |row| format!("'{},;'", letter(row)),
        not_on: None,
    },
    Key { columns: "id BINARY(4)", primary: "(id)", named: "id", cells: |row| format!("X'{row:02X}00'"), not_on: None },
    Key {
        columns: "id VARBINARY(4)",
        primary: "(id)",
        named: "id",
        cells: |row| format!("X'{row:02X}00'"),
        not_on: None,
    },
    Key {
        columns: "id ENUM('z','y','x','w','v','u','t','s','r','q','p','o')",
        primary: "(id)",
        named: "id",
        cells: |row| row.to_string(),
        not_on: None,
    },
    Key {
        columns: "id BIT(16)",
        primary: "(id)",
        named: "id",
        cells: |row| (row * 256 + 92).to_string(),
        not_on: None,
    },
    Key {
        columns: "id DATETIME(6)",
        primary: "(id)",
        named: "id",
        cells: |row| format!("'2025-01-01 00:00:00.0000{row:02}'"),
        not_on: None,
    },
    Key { columns: "id DECIMAL(12,3)", primary: "(id)", named: "id", cells: |row| format!("-{row}.500"), not_on: None },
    Key { columns: "id DOUBLE", primary: "(id)", named: "id", cells: |row| format!("-{row}.1e-9"), not_on: None },
    Key { columns: "id FLOAT", primary: "(id)", named: "id", cells: |row| format!("{row}.1"), not_on: None },
    Key {
        columns: "base INT, id INT AS (base+1) STORED NOT NULL",
        primary: "(id)",
        named: "base",
        cells: |row| row.to_string(),
        not_on: Some(Kind::MariaDb),
    },
];

/// Rows with their values; 0 stands for NULL. Rows 1 and 2 swap, 3 to 5 go round, 6 is deleted and 7 takes what it held,
/// a new row takes what 7 held, 8 gets a value and 9 loses one that 8 gets, 10 and 11 change keys.
const BEFORE: [(u32, u32); 11] =
    [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 6), (7, 7), (8, 0), (9, 9), (10, 10), (11, 11)];
const AFTER: [(u32, u32); 11] =
    [(1, 2), (2, 1), (3, 4), (4, 5), (5, 3), (7, 6), (12, 7), (8, 9), (9, 0), (10, 11), (11, 10)];

/// One table's statements.
struct Case {
    table: String,
    before: String,
    after: String,
}

fn case(key: &Key, index: &Index) -> Case {
    let named: Vec<&str> = index.columns.split(", ").filter(|column| !column.contains(" AS (")).collect();
    let names: Vec<&str> = named.iter().filter_map(|column| column.split(' ').next()).collect();
    let row = |&(row, value): &(u32, u32)| {
        let nothing = names.iter().map(|name| if *name == "n" && names.len() > 1 { "7" } else { "NULL" });
        let cells = if value == 0 { nothing.collect::<Vec<_>>().join(",") } else { (index.cells)(row, value) };
        format!("({},{cells})", (key.cells)(row))
    };
    let insert = |rows: &[(u32, u32)]| {
        let rows = rows.iter().map(row).collect::<Vec<_>>().join(",");
        format!("INSERT INTO t ({},{}) VALUES {rows}", key.named, names.join(","))
    };
    Case {
        table: format!(
            "CREATE TABLE t ({}, {}, PRIMARY KEY {}, UNIQUE KEY u {})",
            key.columns, index.columns, key.primary, index.unique
        ),
        before: insert(&BEFORE),
        after: insert(&AFTER),
    }
}

/// Takes a cut's parts for nothing.
struct Nothing;

#[async_trait]
impl TakePart for Nothing {
    async fn take(&mut self, _: CutPart) -> Result<(), Fault> {
        Ok(())
    }
}

/// Writes rows some at a time and settles what was taken out, as the engine does. Returns how many were taken out.
async fn bring(
    cut: &mut dyn Cut,
    target: &mut Session,
    table: &PlannedTable,
    (wanted, at_once): (&[KeyCells], usize),
) -> Result<usize> {
    let (mut owed, mut taken_out) = (Vec::new(), 0);
    for some in wanted.chunks(at_once) {
        owed.extend(apply::write(target, table, &rows_in(cut, table, some).await?).await?);
    }
    for _ in 0..=BEFORE.len() {
        taken_out += owed.len();
        let rows = rows_in(cut, table, &owed).await?;
        owed = apply::write(target, table, &rows).await?;
        if owed.is_empty() {
            return Ok(taken_out);
        }
    }
    anyhow::bail!("{} rows are owed without end", owed.len())
}

/// Brings one table to the source in every order and at every pace.
async fn ensure_brought(kind: Kind, name: &str, case: &Case) -> Result<()> {
    let servers = pair(kind).await?;
    database(&servers.source, name, &[&case.table, &case.after]).await?;
    database(&servers.target, name, &[&case.table, &case.before]).await?;
    let (mut source, mut target) = (open(&servers.source, name).await?, open(&servers.target, name).await?);
    let table = planned_table(&mut source, name, "t").await?;
    let all = Range { table: &table, keys: KeyRange::default() };
    let reader = Endpoint { side: Side::Source, ..endpoint(&servers.source) };
    let mut reader = MySqlSource::connect(&reader).await?;
    let mut cut = reader.cut(&CutRequest::default(), &mut Nothing).await?;
    let there = cut.row_hashes(&all).await?;
    let before = cut::row_hashes(&mut target, &all).await?;
    let mut wanted: Vec<KeyCells> = there.iter().map(|row| row.key.clone()).collect();
    let mut taken_out = 0;
    for _ in 0..2 {
        for at_once in [1, 2, 5, wanted.len()] {
            taken_out += bring(cut.as_mut(), &mut target, &table, (&wanted, at_once)).await?;
            let here = cut::row_hashes(&mut target, &all).await?;
            let found = Difference::between(&there, &here);
            ensure!(found.missing.is_empty() && found.changed.is_empty(), "{} at once: rows are lost", at_once);
            let old = |key: &KeyCells| before.iter().any(|row| row.key == *key);
            ensure!(found.extra.iter().all(old), "{at_once} at once: rows of nobody");
            apply::delete(&mut target, &table, &found.extra).await?;
            let digests = (
                cut.digests(std::slice::from_ref(&all)).await?,
                cut::digests(&mut target, std::slice::from_ref(&all)).await?,
            );
            ensure!(digests.0[0].as_ref().ok() == digests.1[0].as_ref().ok(), "{at_once} at once: not equal");
            target.run("start over", "ROLLBACK AND CHAIN").await?;
        }
        wanted.reverse();
    }
    ensure!(taken_out > 0, "no row was ever in the way");
    Ok(())
}

leeward_testkit::each_kind! {
    /// `INSERT … ON DUPLICATE KEY UPDATE` fails on such swaps, and `REPLACE` loses the third row (T26).
    async fn values_change_hands_through_every_kind_of_index_t26(kind: Kind) -> Result<()> {
        for (at, index) in INDEXES.iter().enumerate().filter(|(_, index)| index.not_on != Some(kind)) {
            let case = case(&KEYS[0], index);
            ensure_brought(kind, &format!("rows_index_{at}"), &case).await.with_context(|| case.table.clone())?;
        }
        Ok(())
    }

    /// Whatever the key is made of, the row in the way is named by it to the last bit (T9, T21, T23).
    async fn rows_of_every_kind_of_key_are_moved_out_of_the_way_t9_t21_t23_t26(kind: Kind) -> Result<()> {
        for (at, key) in KEYS.iter().enumerate().filter(|(_, key)| key.not_on != Some(kind)) {
            let case = case(key, &INDEXES[0]);
            ensure_brought(kind, &format!("rows_key_{at}"), &case).await.with_context(|| case.table.clone())?;
        }
        Ok(())
    }
    /// Two kinds of index do not say which row is in the way. The table then waits for a person, as it was.
    async fn what_cannot_be_moved_is_refused_and_nothing_is_lost_t26(kind: Kind) -> Result<()> {
        let (columns, before, after) = match kind {
            Kind::MySql => ("j JSON NULL, UNIQUE KEY u ((CAST(j->'$[*]' AS UNSIGNED ARRAY)))", "(1,'[201,1]'),(2,'[3]')", "(1,'[4]'),(2,'[1,9]')"),
            Kind::MariaDb => (
                "a DATE, b DATE, PERIOD FOR p (a,b), UNIQUE KEY u (n, p WITHOUT OVERLAPS), n INT",
                "(1,'2025-01-01','2025-02-01',7),(2,'2025-02-01','2025-03-01',7)",
                "(1,'2024-01-01','2024-02-01',7),(2,'2025-01-01','2025-03-01',7)",
            ),
        };
        let table = format!("CREATE TABLE t (id INT PRIMARY KEY, {columns})");
        let servers = pair(kind).await?;
        database(&servers.source, "rows_unmoved", &[&table, &format!("INSERT INTO t VALUES {after}")]).await?;
        database(&servers.target, "rows_unmoved", &[&table, &format!("INSERT INTO t VALUES {before}")]).await?;
        let mut target = open(&servers.target, "rows_unmoved").await?;
        let table = planned_table(&mut target, "rows_unmoved", "t").await?;
        let all = Range { table: &table, keys: KeyRange::default() };
        let before = cut::row_hashes(&mut target, &all).await?;
        let reader = Endpoint { side: Side::Source, ..endpoint(&servers.source) };
        let mut reader = MySqlSource::connect(&reader).await?;
        let mut cut = reader.cut(&CutRequest::default(), &mut Nothing).await?;
        let rows = rows_in(cut.as_mut(), &table, &[KeyCells(vec![b"2".to_vec()])]).await?;
        target.run("set a savepoint", "SAVEPOINT leeward_table").await?;
        let refused = apply::write(&mut target, &table, &rows).await;
        ensure!(refused.as_ref().is_err_and(|fault| fault.kind == FaultKind::UniqueConflict), "{refused:?}");
        target.run("undo one table", "ROLLBACK TO SAVEPOINT leeward_table").await?;
        ensure!(cut::row_hashes(&mut target, &all).await? == before);
        // Together they can change hands.
        let rows = rows_in(cut.as_mut(), &table, &["1", "2"].map(|key| KeyCells(vec![key.into()]))).await?;
        ensure!(apply::write(&mut target, &table, &rows).await?.is_empty());
        ensure!(cut::row_hashes(&mut target, &all).await? == cut.row_hashes(&all).await?);
        Ok(())
    }
}
