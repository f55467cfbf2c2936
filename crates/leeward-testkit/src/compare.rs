//! The independent comparison of two servers: every row, by value and type, without Leeward's digest.
//!
//! Reads both sides in full over the binary protocol and compares in this process, so it shares no
//! SQL, no hash and no mistake with what it judges. It is exact before it is fast; it writes nothing
//! and never shows a value that is not part of a key.

mod encode;
mod json;
mod report;
mod rows;
mod snapshot;
mod table;
#[cfg(test)]
mod tests;

use anyhow::{Context, Result, ensure};
use mysql_async::Opts;

pub use report::{Differences, Presence, Report, RowsRead, SchemaState, TableReport};
pub use snapshot::Snapshot;

use rows::{ROWS_PER_PASS_MAX, compare_rows, count_rows};
use table::{Table, list_tables};

/// Whether table definitions are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaCheck {
    /// The output of SHOW CREATE TABLE must agree, but for AUTO_INCREMENT and the order of indexes.
    Compared,
    /// Only rows count; for servers of different kinds, whose SHOW CREATE TABLE differs in form.
    LeftOut,
}

/// What is compared.
#[derive(Debug, Clone)]
pub struct Scope {
    /// Databases, of the same names on both sides; each must hold a table on one side at least.
    pub databases: Vec<String>,
    /// Whether definitions are compared as well as rows.
    pub schema: SchemaCheck,
}

impl Scope {
    /// Returns a scope of whole databases, definitions included.
    pub fn databases<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self { databases: names.into_iter().map(str::to_owned).collect(), schema: SchemaCheck::Compared }
    }
}

/// Compares two servers, each under one consistent snapshot taken now.
///
/// Differences stand in the report; an error means that the comparison itself could not be made.
pub async fn servers(source: &Opts, target: &Opts, scope: &Scope) -> Result<Report> {
    let mut source = Snapshot::open(source).await.context("open the source")?;
    let mut target = Snapshot::open(target).await.context("open the target")?;
    let report = snapshots(&mut source, &mut target, scope).await?;
    source.close().await?;
    target.close().await?;
    Ok(report)
}

/// Compares two snapshots that the caller opened, for example before and after an event.
pub async fn snapshots(source: &mut Snapshot, target: &mut Snapshot, scope: &Scope) -> Result<Report> {
    let mut report = Report::default();
    for database in &scope.databases {
        let of_source = list_tables(&mut source.conn, database).await.context("list the source's tables")?;
        let of_target = list_tables(&mut target.conn, database).await.context("list the target's tables")?;
        // Two empty databases are equal, and say nothing: a mistyped name must not pass.
        ensure!(!of_source.is_empty() || !of_target.is_empty(), "neither side has a table in database {database}");
        for name in of_source.union(&of_target) {
            let presence = match (of_source.contains(name), of_target.contains(name)) {
                (true, false) => Presence::SourceOnly,
                (false, _) => Presence::TargetOnly,
                (true, true) => Presence::Both,
            };
            let compared = match presence {
                Presence::Both => compare_table(source, target, (database, name), scope.schema).await,
                Presence::SourceOnly => count_alone(source, (database, name), presence).await,
                Presence::TargetOnly => count_alone(target, (database, name), presence).await,
            };
            let compared = compared.with_context(|| format!("compare {database}.{name}"))?;
            report.tables.push(compared);
        }
    }
    Ok(report)
}

/// Compares a table that both sides have.
async fn compare_table(
    source: &mut Snapshot,
    target: &mut Snapshot,
    name: (&str, &str),
    schema_check: SchemaCheck,
) -> Result<TableReport> {
    let mut report = TableReport::new(name, Presence::Both);
    let of_source = Table::read(&mut source.conn, name).await?;
    let of_target = Table::read(&mut target.conn, name).await?;
    report.schema = match schema_check {
        SchemaCheck::LeftOut => SchemaState::LeftOut,
        SchemaCheck::Compared if of_source.definition == of_target.definition => SchemaState::Equal,
        SchemaCheck::Compared => SchemaState::Different,
    };
    if of_source.rows_can_be_compared_with(&of_target) {
        compare_rows(source, target, &of_source, &mut report, ROWS_PER_PASS_MAX).await?;
    } else {
        report.source_rows = count_rows(&mut source.conn, name).await?;
        report.target_rows = count_rows(&mut target.conn, name).await?;
        report.rows_read = RowsRead::ColumnsDiffer;
    }
    Ok(report)
}

/// Counts the rows of a table that one side lacks.
async fn count_alone(side: &mut Snapshot, name: (&str, &str), presence: Presence) -> Result<TableReport> {
    let mut report = TableReport::new(name, presence);
    let rows = count_rows(&mut side.conn, name).await?;
    match presence {
        Presence::TargetOnly => report.target_rows = rows,
        Presence::SourceOnly | Presence::Both => report.source_rows = rows,
    }
    Ok(report)
}
