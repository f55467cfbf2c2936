//! Looks into the tables themselves, a little: counts rows up to a bound and looks for NULL and future values in the
//! columns that could be clocks. Every look is bounded: by an index, or by a number of rows. What that does not settle
//! stays unknown.

use leeward_core::server::Observed;
use leeward_core::survey::ClockEvidence;
use leeward_core::table::{Column, Key, Nullability, Table};
use mysql_async::Row;

use super::cells::number;
use crate::sql;

/// Rows that are really looked at in each table. Enough to call a table small, few enough that a thousand tables take a
/// second; also the bound of `rows_at_least`.
const ROWS_LOOKED_AT_MAX: u64 = 1000;

/// A stamp counts as future from this many seconds after the server's clock: rows may be committed between the reading
/// of the clock and of the table, and an application's clock is never quite the server's.
const FUTURE_AFTER_S: u32 = 60;

/// Returns the one statement that looks into a table.
pub(crate) fn query(table: &Table) -> String {
    let name = sql::table(&table.name);
    let columns = candidates(table);
    let mut selected = vec!["COUNT(*)".to_owned()];
    for column in &columns {
        let quoted = sql::ident(&column.name);
        let future = format!("{quoted}>NOW(6)+INTERVAL {FUTURE_AFTER_S} SECOND");
        match index_on(table, column) {
            Some(key) => {
                let among = format!("FROM {name} FORCE INDEX ({})", sql::ident(&key.name));
                selected.push(format!("(SELECT EXISTS(SELECT 1 {among} WHERE {quoted} IS NULL))"));
                selected.push(format!("(SELECT EXISTS(SELECT 1 {among} WHERE {future}))"));
            }
            None => {
                selected.push(format!("COALESCE(MAX({quoted} IS NULL),0)"));
                selected.push(format!("COALESCE(MAX({future}),0)"));
            }
        }
    }
    let inner: Vec<String> = columns.iter().map(|column| sql::ident(&column.name)).collect();
    let inner = if inner.is_empty() { "1".to_owned() } else { inner.join(",") };
    format!("SELECT {} FROM (SELECT {inner} FROM {name} LIMIT {}) x", selected.join(","), ROWS_LOOKED_AT_MAX + 1)
}

/// Reads the answer to [`query`]: rows counted, up to the bound, and what was seen of each candidate.
pub(crate) fn read(table: &Table, row: &Row) -> (u64, Vec<ClockEvidence>) {
    let counted = number(row, 0).unwrap_or(0);
    let whole = counted <= ROWS_LOOKED_AT_MAX;
    let evidence = candidates(table).into_iter().enumerate().map(|(at, column)| {
        let index = index_on(table, column);
        let seen = |at: usize| match number(row, at) {
            Some(0) if whole || index.is_some() => Observed::Known(false),
            Some(0) | None => Observed::Unknown(format!(
                "{} has no index, and only {ROWS_LOOKED_AT_MAX} rows were looked at without one",
                column.name
            )),
            Some(_) => Observed::Known(true),
        };
        let has_nulls = match column.nullable {
            Nullability::NotNull => Observed::Known(false),
            Nullability::Nullable => seen(1 + 2 * at),
        };
        let index = index.map(|key| key.name.clone());
        ClockEvidence { column: column.name.clone(), has_nulls, has_future: seen(2 + 2 * at), index }
    });
    (counted.min(ROWS_LOOKED_AT_MAX), evidence.collect())
}

/// Columns that can hold a clock's stamps: a stored date with a time of day.
pub(super) fn candidates(table: &Table) -> Vec<&Column> {
    let temporal = |column: &&Column| matches!(column.data_type.as_str(), "datetime" | "timestamp");
    table.columns.iter().filter(temporal).filter(|column| column.generated.is_none()).collect()
}

/// Returns an index that begins with the column and that the optimizer uses.
fn index_on<'a>(table: &'a Table, column: &Column) -> Option<&'a Key> {
    table.keys.iter().find(|key| {
        let begins = key.parts.first().is_some_and(|part| part.column.as_deref() == Some(column.name.as_str()));
        begins && key.method == "BTREE"
    })
}
