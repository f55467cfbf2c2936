//! Rows that the target holds in an older form. Some changes leave nothing that a clock could show: a
//! deleted row, a change by a foreign key, a table without a clock. Leeward finds these by comparing,
//! and names for each table since when everything has been compared. Such a row is in order when the
//! source did hold it in just this form after that time; anything else would be a loss.

use anyhow::{Context, Result};
use leeward_testkit::compare::{Presence, RowsRead, SchemaState, TableReport};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row, Value};

/// What the differences of one table are.
#[derive(Debug, Default)]
pub(super) struct Judgement {
    /// Rows that the next comparison would have put right.
    pub(super) stale: u64,
    /// What nothing explains, in words.
    pub(super) wrong: Vec<String>,
}

/// How Leeward keeps a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeping {
    /// By clock or id: every row that is new or has a new clock must be there.
    ByClock,
    /// By comparison alone.
    ByComparison,
}

/// What the witness shows of a table.
#[derive(Debug)]
struct Shape {
    table: String,
    /// Key expressions in the order in which the comparison shows them; empty without a key.
    key: Vec<String>,
    /// Columns that the server sets when a row changes.
    clocks: Vec<String>,
}

/// Judges each difference between the target and the source at the cut. `history` shows the source
/// after each transaction since every row was last compared; its last entry is the cut.
pub(super) async fn judge(
    report: &TableReport,
    keeping: Keeping,
    target: &mut Conn,
    history: &mut [Conn],
) -> Result<Judgement> {
    let mut judgement = Judgement::default();
    let name = format!("{}.{}", report.database, report.table);
    let comparable = report.presence == Presence::Both
        && report.schema != SchemaState::Different
        && report.rows_read == RowsRead::Compared;
    if !comparable {
        judgement.wrong.push(format!("{report}"));
        return Ok(judgement);
    }
    let shape = Shape::read(target, report).await?;
    if shape.key.is_empty() {
        // Rows without a key cannot be told apart: the table as a whole must be one the source had.
        let rows = report.missing.count + report.extra.count;
        let found = keeping == Keeping::ByComparison && shape.is_in(target, history, "").await?;
        judgement.add(found, rows, || format!("{name}: {rows} rows differ"));
        return Ok(judgement);
    }
    for (what, rows) in [("missing", &report.missing), ("left over", &report.extra), ("different", &report.different)] {
        let unnamed = rows.count.saturating_sub(rows.keys.len() as u64);
        judgement.add(unnamed == 0, 0, || format!("{name}: {unnamed} more rows are {what} than can be looked at"));
        for key in &rows.keys {
            let here = format!(" WHERE ({}) = {key}", shape.key.join(", "));
            let may_be_older = match (what, keeping) {
                (_, Keeping::ByComparison) | ("left over", _) => true,
                ("different", Keeping::ByClock) => shape.clocks_agree(target, history, &here).await?,
                _ => false,
            };
            let found = may_be_older && shape.is_in(target, history, &here).await?;
            judgement.add(found, 1, || format!("{name} {key} is {what}"));
        }
    }
    Ok(judgement)
}

impl Judgement {
    fn add(&mut self, explained: bool, rows: u64, words: impl FnOnce() -> String) {
        if explained {
            self.stale += rows;
        } else {
            self.wrong.push(words());
        }
    }
}

impl Shape {
    async fn read(conn: &mut Conn, report: &TableReport) -> Result<Shape> {
        let columns: Vec<(String, String, String, String)> = conn
            .exec(
                "SELECT COLUMN_NAME, DATA_TYPE, COLUMN_KEY, EXTRA FROM information_schema.COLUMNS \
                 WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION",
                (&report.database, &report.table),
            )
            .await
            .context("read a table's columns")?;
        let mut shape = Shape {
            table: format!("{}.{}", quoted(&report.database), quoted(&report.table)),
            key: Vec::new(),
            clocks: Vec::new(),
        };
        for (column, data_type, key, extra) in columns {
            let column = quoted(&column);
            if key == "PRI" {
                shape.key.push(column.clone());
                // The comparison shows such a member by name and by number.
                if ["enum", "set"].contains(&data_type.to_ascii_lowercase().as_str()) {
                    shape.key.push(format!("{column} + 0"));
                }
            }
            if extra.to_ascii_lowercase().contains("on update") {
                shape.clocks.push(column);
            }
        }
        Ok(shape)
    }

    /// Tells whether the source ever held what the target holds.
    async fn is_in(&self, target: &mut Conn, history: &mut [Conn], here: &str) -> Result<bool> {
        let held = rows(target, &format!("SELECT * FROM {}{here}", self.table)).await?;
        for moment in history.iter_mut().rev() {
            if rows(moment, &format!("SELECT * FROM {}{here}", self.table)).await? == held {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Tells whether a row's clock is the same on the target and at the cut: then the change between
    /// them touched no clock. A table without such a column has no clock to touch.
    async fn clocks_agree(&self, target: &mut Conn, history: &mut [Conn], here: &str) -> Result<bool> {
        let (Some(cut), false) = (history.last_mut(), self.clocks.is_empty()) else { return Ok(false) };
        let select = format!("SELECT {} FROM {}{here}", self.clocks.join(", "), self.table);
        Ok(rows(target, &select).await? == rows(cut, &select).await?)
    }
}

/// Reads rows in an order of their own, so that two readings can be compared.
async fn rows(conn: &mut Conn, select: &str) -> Result<Vec<Vec<Value>>> {
    let rows: Vec<Row> = conn.query(select).await.context("read rows that differ")?;
    let mut rows: Vec<Vec<Value>> = rows.into_iter().map(Row::unwrap).collect();
    rows.sort_by_cached_key(|row| format!("{row:?}"));
    Ok(rows)
}

fn quoted(identifier: &str) -> String {
    format!("`{}`", identifier.replace('`', "``"))
}
