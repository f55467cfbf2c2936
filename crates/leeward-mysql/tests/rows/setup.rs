//! Servers, sessions and tables for these tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use leeward_core::digest::Digest;
use leeward_core::fault::Fault;
use leeward_core::name::Side;
use leeward_core::plan::PlannedTable;
use leeward_core::port::{Cut, Range, TakeRows};
use leeward_core::row::{KeyCells, KeyRange, RowBatch};
use leeward_core::table::Table;
use leeward_mysql::cut;
use leeward_mysql::endpoint::{Compression, Endpoint, FixedPassword, Timeouts, Tls, TlsMode};
use leeward_mysql::session::Session;
use leeward_mysql::survey::survey_over;
use leeward_testkit::servers::{Kind, Server, pair};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::sync::OnceCell;

use crate::catalogue::{Type, types};

/// The database that [`catalogue`] fills.
pub const CATALOGUE: &str = "rows_catalogue";

/// First id of the rows that hold a type's pairs of equal values.
pub const SAME_FROM: usize = 10_000;

/// An endpoint of the server's administrator, as the target: the tests write through it.
pub fn endpoint(server: &Server) -> Endpoint {
    Endpoint {
        side: Side::Target,
        host: server.host().to_owned(),
        port: server.port(),
        user: "root".to_owned(),
        password: Arc::new(FixedPassword::new("")),
        tls: Tls { mode: TlsMode::Disabled, ca_file: None, server_name: None },
        timeouts: Timeouts::default(),
        compression: Compression::Off,
        wire: Arc::default(),
    }
}

/// Keeps rows as they arrive.
struct Gathered(RowBatch);

#[async_trait]
impl TakeRows for Gathered {
    async fn take(&mut self, rows: RowBatch) -> std::result::Result<(), Fault> {
        (0..rows.rows()).for_each(|row| self.0.push_row_of(&rows, row));
        Ok(())
    }
}

/// The rows that a cut holds under these keys.
pub async fn rows_in(
    cut: &mut dyn Cut,
    table: &PlannedTable,
    keys: &[KeyCells],
) -> std::result::Result<RowBatch, Fault> {
    let mut gathered = Gathered(RowBatch::new(table.table.wire_columns().len()));
    cut.rows(table, keys, &mut gathered).await?;
    Ok(gathered.0)
}

/// A session of Leeward's own with a transaction in it, so that nothing of a test is written to the disk.
pub async fn open(server: &Server, database: &str) -> Result<Session> {
    let mut session = Session::open(&endpoint(server), "test").await?;
    session.run("use a database", format!("USE {database}")).await?;
    session.run("begin", "START TRANSACTION").await?;
    Ok(session)
}

/// A connection that takes literals as they are meant, and rows that only an older or laxer server would take.
pub async fn writer(server: &Server, database: &str) -> Result<Conn> {
    let mut conn = server.connect().await?;
    conn.query_drop("SET NAMES utf8mb4, time_zone='+00:00', foreign_key_checks=0").await?;
    conn.query_drop("SET sql_mode='STRICT_ALL_TABLES,ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO'").await?;
    conn.query_drop(format!("USE {database}")).await?;
    Ok(conn)
}

/// Makes a database anew and runs statements in it.
pub async fn database(server: &Server, name: &str, statements: &[&str]) -> Result<()> {
    let mut conn = server.connect().await?;
    conn.query_drop(format!("DROP DATABASE IF EXISTS {name}")).await?;
    conn.query_drop(format!("CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")).await?;
    conn.disconnect().await?;
    let mut conn = writer(server, name).await?;
    for statement in statements {
        let opening: String = statement.chars().take(120).collect();
        conn.query_drop(*statement).await.with_context(|| format!("run {opening}"))?;
    }
    conn.disconnect().await.context("close the connection")
}

/// Describes the tables of a database as a plan would hold them, by name.
pub async fn planned(session: &mut Session, database: &str) -> Result<BTreeMap<String, PlannedTable>> {
    let survey = survey_over(session, &[database.to_owned()]).await?;
    survey.tables.into_iter().map(|seen| Ok((seen.table.name.table.clone(), plan(seen.table)?))).collect()
}

/// Describes one table.
pub async fn planned_table(session: &mut Session, database: &str, table: &str) -> Result<PlannedTable> {
    planned(session, database).await?.remove(table).with_context(|| format!("{database}.{table} was surveyed"))
}

/// Wraps a table as a plan would hold it: read from a stored one, so that what plans come to hold beside need not be
/// known here.
pub fn plan(table: Table) -> Result<PlannedTable> {
    let stored = serde_json::json!({
        "table": table, "class": "upd_del", "strategy": "reconcile", "mark_column": null, "confidence": "low",
        "reasons": [], "advice": [], "rows_estimate": 1, "data_bytes": 1,
    });
    serde_json::from_value(stored).context("read a planned table")
}

/// The three ways in which rows are compared: a whole table, a range of it, and row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Digest of the whole table.
    pub whole: Digest,
    /// Digest of the range; of the whole table where it has no key.
    pub range: Digest,
    /// Hash of each row of the range; nothing where the table has no key.
    pub rows: Vec<(KeyCells, u128)>,
}

impl Seen {
    /// Fails unless all three ways tell the other apart.
    pub fn ensure_differs(&self, other: &Seen, what: &str) -> Result<()> {
        ensure!(self.whole != other.whole, "{what}: unseen by the digest of the table");
        ensure!(self.range != other.range, "{what}: unseen by the digest of the range");
        ensure!(self.rows != other.rows || self.rows.is_empty(), "{what}: unseen in the list of row hashes");
        Ok(())
    }
}

/// Looks at a table in its session's transaction.
pub async fn look(session: &mut Session, table: &PlannedTable, keys: KeyRange) -> Result<Seen> {
    let whole = Range { table, keys: KeyRange::default() };
    let range = Range { table, keys };
    let mut digests = cut::digests(session, &[whole, range.clone()]).await?.into_iter();
    let mut next = || digests.next().context("a digest for each range");
    let (whole, part) = (next()??, next()??);
    let rows = match table.has_key() {
        true => cut::row_hashes(session, &range).await?.into_iter().map(|row| (row.key, row.hash)).collect(),
        false => Vec::new(),
    };
    Ok(Seen { whole, range: part, rows })
}

/// Returns the range of a whole number key after `after` and up to `upto`.
pub fn between(after: i64, upto: i64) -> KeyRange {
    let key = |number: i64| Some(KeyCells(vec![number.to_string().into_bytes()]));
    KeyRange { after: key(after), upto: key(upto) }
}

fn create(at: usize, one: &Type) -> String {
    format!("CREATE TABLE t{at} (id INT PRIMARY KEY, v {0} NULL, w {0} NULL)", one.declared)
}

/// Makes a database with the catalogue's tables, two columns of each type, and no rows.
pub async fn empty_catalogue(server: &Server, name: &str, types: &[Type]) -> Result<()> {
    let made: Vec<String> = types.iter().enumerate().map(|(at, one)| create(at, one)).collect();
    database(server, name, &made.iter().map(String::as_str).collect::<Vec<_>>()).await
}

/// Returns a family's types with their tables on the shared source, `t0`, `t1` …, made at the first call: row 0 to be
/// changed at will, a row for each value from 1 on, one without a value after them, and from [`SAME_FROM`] on two rows
/// for each pair of equal values.
pub async fn catalogue(kind: Kind) -> Result<Vec<Type>> {
    static MARIADB: OnceCell<()> = OnceCell::const_new();
    static MYSQL: OnceCell<()> = OnceCell::const_new();
    let cell = match kind {
        Kind::MariaDb => &MARIADB,
        Kind::MySql => &MYSQL,
    };
    let types = types(kind);
    cell.get_or_try_init(|| fill(kind, &types)).await?;
    Ok(types)
}

async fn fill(kind: Kind, types: &[Type]) -> Result<()> {
    let source = &pair(kind).await?.source;
    let mut statements = Vec::new();
    for (at, one) in types.iter().enumerate() {
        statements.push(create(at, one));
        let (nothing, values) = (["NULL".to_owned()], &one.values);
        let mut rows: Vec<String> = nothing.iter().chain(values).chain(&nothing).cloned().collect();
        rows = rows.iter().enumerate().map(|(id, value)| format!("({id},{value},NULL)")).collect();
        let pairs = one.same.iter().flat_map(|(one, other)| [one, other]);
        rows.extend(pairs.enumerate().map(|(id, value)| format!("({},{value},NULL)", SAME_FROM + id)));
        statements.push(format!("INSERT INTO t{at} VALUES {}", rows.join(",")));
    }
    let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
    database(source, CATALOGUE, &statements).await
}
