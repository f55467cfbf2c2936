//! The tables that random statements are made for, read from `information_schema`, so that every table and every column
//! is met, those that a DDL has just added too.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::column::{Column, Filled};
use crate::servers::Kind;
use crate::workload::quoted;

/// Tables of the sample that are declared insert-only, and to which the traffic mostly keeps.
const ADDED_TO: [&str; 4] = ["audit_trail", "cart_tombstone", "ledger_entry", "payment"];

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference {
    pub(super) columns: Vec<String>,
    /// The quoted name of the table that is referred to.
    pub(super) parent: String,
    pub(super) parent_columns: Vec<String>,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape {
    /// The quoted name, with its database.
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
    /// Columns of the primary key; empty without one.
    pub(super) key: Vec<String>,
    /// Columns of the other unique indexes.
    pub(super) uniques: Vec<Vec<String>>,
    pub(super) references: Vec<Reference>,
    /// Rows as last counted.
    pub(super) rows: u64,
    pub(super) is_added_to: bool,
}

impl Shape {
    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Returns whether a column belongs to the primary key.
    pub(super) fn is_key(&self, column: &Column) -> bool {
        self.key.contains(&column.name)
    }

    /// Returns whether a column belongs to any unique index.
    pub(super) fn is_unique(&self, column: &Column) -> bool {
        self.is_key(column) || self.uniques.iter().flatten().any(|name| *name == column.name)
    }

    /// Returns whether columns are computed from others: a value that does not fit is then another server's trouble, so
    /// only strict sessions write such tables.
    pub(super) fn is_computed(&self) -> bool {
        self.columns.iter().any(|column| column.filled == Filled::Expression)
    }
}

/// Reads every table of some databases, in the order of their names.
pub(super) async fn read(conn: &mut Conn, databases: &[String]) -> Result<Vec<Shape>> {
    let mut shapes = Vec::new();
    for database in databases {
        shapes.extend(read_database(conn, database).await?);
    }
    Ok(shapes)
}

async fn read_database(conn: &mut Conn, database: &str) -> Result<Vec<Shape>> {
    let tables: Vec<String> = conn
        .exec(
            "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_TYPE = 'BASE TABLE' \
             ORDER BY TABLE_NAME",
            (database,),
        )
        .await?;
    let json = json_columns(conn, database).await?;
    let mut columns = columns(conn, database, &json).await?;
    let mut uniques = uniques(conn, database).await?;
    let mut references = references(conn, database).await?;
    let mut shapes = Vec::new();
    for table in tables {
        let mut indexes = uniques.remove(&table).unwrap_or_default();
        let name = format!("{}.{}", quoted(database), quoted(&table));
        let rows: Option<u64> = conn.query_first(format!("SELECT COUNT(*) FROM {name}")).await?;
        shapes.push(Shape {
            columns: columns.remove(&table).unwrap_or_default(),
            key: indexes.remove("PRIMARY").unwrap_or_default(),
            uniques: indexes.into_values().collect(),
            references: references.remove(&table).unwrap_or_default(),
            rows: rows.unwrap_or(0),
            is_added_to: ADDED_TO.contains(&table.as_str()),
            name,
        });
    }
    Ok(shapes)
}

type Numbers = (Option<u64>, Option<u64>, Option<u64>, Option<u64>);

async fn columns(conn: &mut Conn, database: &str, json: &[(String, String)]) -> Result<BTreeMap<String, Vec<Column>>> {
    type Words = (String, String, String, String, String, String, Option<String>);
    let words = "TABLE_NAME, COLUMN_NAME, LOWER(DATA_TYPE), COLUMN_TYPE, IS_NULLABLE, LOWER(EXTRA), COLUMN_DEFAULT";
    let numbers = "CAST(CHARACTER_MAXIMUM_LENGTH AS UNSIGNED), CAST(NUMERIC_PRECISION AS UNSIGNED), \
                   CAST(NUMERIC_SCALE AS UNSIGNED), CAST(DATETIME_PRECISION AS UNSIGNED)";
    let from = "information_schema.COLUMNS WHERE TABLE_SCHEMA = ? ORDER BY TABLE_NAME, ORDINAL_POSITION";
    let named: Vec<Words> = conn.exec(format!("SELECT {words} FROM {from}"), (database,)).await?;
    let sized: Vec<Numbers> = conn.exec(format!("SELECT {numbers} FROM {from}"), (database,)).await?;
    let mut columns: BTreeMap<String, Vec<Column>> = BTreeMap::new();
    // A DDL between the two would shift them; the statements made of that are refused, and the next reading is right.
    for (words, numbers) in named.into_iter().zip(sized) {
        let (table, name, data_type, column_type, nullable, extra, default) = words;
        let is_json = json.iter().any(|(of, column)| *of == table && *column == name);
        let clock = default.is_some_and(|text| text.to_ascii_lowercase().contains("current_timestamp"));
        let (length, precision, scale, fsp) = numbers;
        let (precision, scale) = (precision.unwrap_or(0), scale.unwrap_or(0));
        let column = Column {
            length: if data_type == "bit" { precision } else { length.unwrap_or(0) },
            digits: (precision.saturating_sub(scale), scale),
            fsp: fsp.unwrap_or(0),
            is_nullable: nullable == "YES",
            filled: filled(&extra, clock),
            is_touched: extra.contains("on update"),
            data_type: if is_json { "json".to_owned() } else { data_type },
            column_type,
            name,
        };
        columns.entry(table).or_default().push(column);
    }
    Ok(columns)
}

fn filled(extra: &str, clock: bool) -> Filled {
    // MySQL says `default_generated` of a default that is an expression, which is no generated column.
    if extra.contains("virtual generated") || extra.contains("stored generated") {
        Filled::Expression
    } else if extra.contains("auto_increment") {
        Filled::Counter
    } else if clock || extra.contains("on update") {
        Filled::Clock
    } else {
        Filled::Traffic
    }
}

/// Returns the columns that MariaDB keeps as text and checks to be JSON.
async fn json_columns(conn: &mut Conn, database: &str) -> Result<Vec<(String, String)>> {
    let version: Option<String> = conn.query_first("SELECT VERSION()").await?;
    if Kind::of_version(&version.unwrap_or_default()) == Kind::MySql {
        return Ok(Vec::new());
    }
    let sql = "SELECT TABLE_NAME, CONSTRAINT_NAME FROM information_schema.CHECK_CONSTRAINTS \
               WHERE CONSTRAINT_SCHEMA = ? AND CHECK_CLAUSE LIKE 'json_valid%'";
    conn.exec(sql, (database,)).await.context("read the columns that hold JSON")
}

/// Returns the unique indexes by table and name.
async fn uniques(conn: &mut Conn, database: &str) -> Result<BTreeMap<String, BTreeMap<String, Vec<String>>>> {
    let sql = "SELECT TABLE_NAME, INDEX_NAME, COLUMN_NAME FROM information_schema.STATISTICS \
               WHERE TABLE_SCHEMA = ? AND NON_UNIQUE = 0 ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX";
    let parts: Vec<(String, String, String)> = conn.exec(sql, (database,)).await?;
    let mut indexes: BTreeMap<String, BTreeMap<String, Vec<String>>> = BTreeMap::new();
    for (table, index, column) in parts {
        indexes.entry(table).or_default().entry(index).or_default().push(column);
    }
    Ok(indexes)
}

async fn references(conn: &mut Conn, database: &str) -> Result<BTreeMap<String, Vec<Reference>>> {
    let sql = "SELECT TABLE_NAME, CONSTRAINT_NAME, COLUMN_NAME, REFERENCED_TABLE_NAME, REFERENCED_COLUMN_NAME \
               FROM information_schema.KEY_COLUMN_USAGE WHERE TABLE_SCHEMA = ? AND REFERENCED_TABLE_NAME IS NOT NULL \
               ORDER BY TABLE_NAME, CONSTRAINT_NAME, ORDINAL_POSITION";
    let parts: Vec<(String, String, String, String, String)> = conn.exec(sql, (database,)).await?;
    let mut found: BTreeMap<(String, String), Reference> = BTreeMap::new();
    for (table, constraint, column, parent, parent_column) in parts {
        let parent = format!("{}.{}", quoted(database), quoted(&parent));
        let reference = found.entry((table, constraint)).or_insert_with(|| Reference {
            columns: Vec::new(),
            parent,
            parent_columns: Vec::new(),
        });
        reference.columns.push(column);
        reference.parent_columns.push(parent_column);
    }
    let mut by_table: BTreeMap<String, Vec<Reference>> = BTreeMap::new();
    for ((table, _), reference) in found {
        by_table.entry(table).or_default().push(reference);
    }
    Ok(by_table)
}
