//! How rows get to be what the cut holds: in one statement where nothing but their own keys can stand in the way, else by
//! DELETE and INSERT (ADR 0002, ADR 0026).
//!
//! `INSERT … ON DUPLICATE KEY UPDATE` updates whatever row it meets, by whichever unique index (T26). So it is used only
//! where the target itself has no unique index but that of the row key, which is looked at under the lock that keeps it
//! so; it writes the key's own columns too, since a key that differs by case alone is met and must be rewritten (T9); and
//! whatever it answers that is not exactly as expected is done again by DELETE and INSERT, which checks every count.

use leeward_core::fault::{Fault, FaultKind};
use leeward_core::name::{Side, TableName};
use leeward_core::plan::PlannedTable;
use leeward_core::row::{KeyCells, RowBatch};
use leeward_core::server::{Flavor, Version};
use leeward_core::table::Column;
use mysql_async::Row;

use super::{Slice, TEXT_ROW_BYTES, count_error_values, push_insert, rewrite, row_bytes, statement_end};
use crate::digest::text;
use crate::session::Session;
use crate::sql::{self, Form};

/// Rows of one statement. There is no list of keys in it, so it may be longer than a DELETE's: past some thousand narrow
/// rows the round trip between statements is no longer felt, and the bound in bytes holds for the others.
const STATEMENT_ROWS: usize = 2_000;

/// The MySQL version from which on new rows can be named. `VALUES()` in an update is deprecated there (since 8.0.20).
const ROW_ALIAS_SINCE: Version = Version(8, 0, 19);

/// What a row is called while it is written. Nobody has a table of this name in a database that is copied.
const NEW_ROW: &str = "`leeward new row`";

/// How the rows of a table are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// In one statement.
    Upsert(Proof),
    /// All of a batch deleted by key, then inserted.
    DeleteInsert,
}

/// What shows that as many rows are there as were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The keys are whole numbers: two of them are never one.
    Keys,
    /// Keys that differ on the source could be one on the target, so its rows are counted under them.
    Count,
}

/// The unique indexes of a table on the target: for each its columns, nothing for a part that is no whole column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uniques(Vec<(String, Vec<Option<String>>)>);

impl Uniques {
    /// Reads the answer of [`query`].
    pub fn read(rows: &[Row]) -> Uniques {
        let mut found: Vec<(String, Vec<Option<String>>)> = Vec::new();
        for row in rows {
            let name = text(row, 0).unwrap_or_default();
            let column = text(row, 1).filter(|_| text(row, 2).is_none()).map(str::to_owned);
            match found.last_mut().filter(|(last, _)| last == name) {
                Some((_, parts)) => parts.push(column),
                None => found.push((name.to_owned(), vec![column])),
            }
        }
        Uniques(found)
    }

    /// Returns whether there is one alone, of these columns.
    fn are_only(&self, key: &[&Column]) -> bool {
        let [(_, parts)] = self.0.as_slice() else { return false };
        let same = |(part, column): (&Option<String>, &&Column)| {
            part.as_ref().is_some_and(|part| part.eq_ignore_ascii_case(&column.name))
        };
        parts.len() == key.len() && parts.iter().zip(key).all(same)
    }
}

/// Returns the query for a table's unique indexes.
pub fn query(table: &TableName) -> String {
    format!(
        "SELECT INDEX_NAME,COLUMN_NAME,SUB_PART FROM information_schema.STATISTICS \
         WHERE TABLE_SCHEMA={} AND TABLE_NAME={} AND NON_UNIQUE=0 ORDER BY INDEX_NAME,SEQ_IN_INDEX",
        sql::literal(&table.schema),
        sql::literal(&table.table)
    )
}

impl Way {
    /// Returns how rows of a table are written, which has these unique indexes on the target.
    ///
    /// What stays with DELETE and INSERT: tables with another unique index on either side; with computed columns, whose
    /// values an update in place derives by other paths of the server; with MySQL's JSON, of which it takes `[1]` for
    /// unchanged when it is to become `[1.0]`. A partitioned table needs no exception: a duplicate is met in the partition
    /// of the new row alone, exactly where a DELETE by that key would look.
    pub fn of(table: &PlannedTable, uniques: &Uniques, flavor: Flavor) -> Way {
        let shape = &table.table;
        let Some(key) = shape.row_key() else { return Way::DeleteInsert };
        let alone = shape.keys.iter().filter(|index| index.unique).count() == 1 && uniques.are_only(&key);
        let plain = shape
            .columns
            .iter()
            .all(|column| column.generated.is_none() && (flavor == Flavor::MariaDb || sql::form(column) != Form::Json));
        if !alone || !plain {
            return Way::DeleteInsert;
        }
        let numbers = key.iter().all(|column| is_integer(column));
        Way::Upsert(if numbers { Proof::Keys } else { Proof::Count })
    }
}

fn is_integer(column: &Column) -> bool {
    ["tinyint", "smallint", "mediumint", "int", "bigint"].contains(&column.data_type.as_str())
}

/// Makes the target hold exactly these rows under their keys, in the open transaction. Returns the keys of other rows
/// that were taken out.
///
/// # Errors
/// `RowsRefused` where the target does not hold what was sent, `UniqueConflict`, and those of [`Session::run`].
pub async fn write(
    session: &mut Session,
    table: &PlannedTable,
    rows: &RowBatch,
    way: Way,
) -> Result<Vec<KeyCells>, Fault> {
    let Way::Upsert(proof) = way else { return super::write(session, table, rows).await };
    let mut owed = Vec::new();
    let rows_max = match proof {
        Proof::Keys => STATEMENT_ROWS,
        Proof::Count => super::STATEMENT_ROWS,
    };
    let mut from = 0;
    while from < rows.rows() {
        let upto = statement_end(rows, from, rows_max);
        if !upsert(session, table, (rows, from, upto), proof).await? {
            rewrite(session, table, (rows, from, upto), &mut owed).await?;
        }
        from = upto;
    }
    Ok(owed)
}

/// Writes some rows in one statement. Returns whether all is exactly as it should be; otherwise nothing is lost, since each
/// row that the statement has changed is one that is to be written.
async fn upsert(session: &mut Session, table: &PlannedTable, some: Slice<'_>, proof: Proof) -> Result<bool, Fault> {
    const DOING: &str = "write rows";
    let (rows, from, upto) = some;
    let long = upto - from == 1 && row_bytes(rows, from) > TEXT_ROW_BYTES;
    if long || count_error_values(table, some) > 0 {
        return Ok(false);
    }
    let mut query = Vec::new();
    push_insert(&mut query, table, some, ("INSERT INTO", session.flavor()));
    query.extend_from_slice(update_clause(table, session.flavor(), session.version()).as_bytes());
    if proof == Proof::Count {
        let (key, positions) = (table.table.row_key().unwrap_or_default(), table.table.key_positions());
        let keys: Vec<KeyCells> = (from..upto).map(|row| rows.key(row, &positions)).collect();
        query.extend_from_slice(format!(";SELECT COUNT(*) FROM {} WHERE ", sql::table(table.name())).as_bytes());
        sql::push_keys(&mut query, &key, &keys);
    }
    let (outcome, counted) = match session.change_and_read(DOING, &query).await {
        Ok(answer) => answer,
        // The statement has changed nothing then. Some indexes cannot be met so (MariaDB's WITHOUT OVERLAPS: 1235), and a
        // value that is refused is refused once more, by the statement that tells of it.
        Err(fault) if matches!(fault.kind, FaultKind::UniqueConflict | FaultKind::Server(_)) => return Ok(false),
        Err(fault) => return Err(fault),
    };
    let sent = (upto - from) as u64;
    // The server says how many rows it took, but for a single one. It counts 1 for a row that is new, 2 for one that was
    // changed, 0 for one that was as it should be.
    let took = sent == 1 || outcome.info.starts_with(&format!("Records: {sent} "));
    let as_sent = took && outcome.affected <= 2 * sent && outcome.warnings == 0;
    let there = match proof {
        Proof::Keys => true,
        Proof::Count => counted.first().and_then(|row| text(row, 0)?.parse().ok()) == Some(sent),
    };
    if as_sent && !there {
        // Two keys of the source are one on the target: whichever row is written last would stand for both.
        return Err(Fault::new(FaultKind::RowsRefused, DOING).on(Side::Target).of(table.name()));
    }
    Ok(as_sent)
}

/// Returns the end of an INSERT that makes the row that it meets the same as the new one, column by column.
fn update_clause(table: &PlannedTable, flavor: Flavor, version: Version) -> String {
    let named = flavor == Flavor::MySql && version >= ROW_ALIAS_SINCE;
    let assignment = |column: &&Column| {
        let name = sql::ident(&column.name);
        match named {
            true => format!("{name}={NEW_ROW}.{name}"),
            false => format!("{name}=VALUES({name})"),
        }
    };
    let assignments = table.table.written_columns().iter().map(assignment).collect::<Vec<_>>().join(",");
    let alias = if named { format!(" AS {NEW_ROW}") } else { String::new() };
    format!("{alias} ON DUPLICATE KEY UPDATE {assignments}")
}
