//! Asks the source by EXPLAIN how it would answer what every cycle asks: whether an index finds the rows of a delta, or the
//! whole table is read (T11). The question is the cycles' own, from where a quiet one begins: past every row.
//!
//! Nothing is executed. It costs one short statement for each column that could be followed, hundreds of them in each round
//! trip, and none for tables of few rows, which are cheap to read whole and which servers do read whole.

use chrono::{NaiveDate, NaiveDateTime};
use leeward_core::fault::Fault;
use leeward_core::port::DeltaStart;
use leeward_core::server::Observed;
use leeward_core::survey::{Access, ReadEvidence, TableSurvey};
use leeward_core::table::{Column, Table};
use mysql_async::Row;

use super::{batch, clocks, text};
use crate::cut::rows_from;
use crate::session::Session;

const DOING: &str = "ask how tables would be read";

/// The default `rows_max` of a batch, which is the question's LIMIT. Another one hardly moves the server's choice: there is
/// nothing past every row.
const ROWS_MAX: u64 = 20_000;

/// Rows below which a server may rather read a table than an index, and nobody minds.
const ROWS_MIN: u64 = 100;

/// Adds to each table what the server says of the columns that could be followed.
///
/// # Errors
/// What breaks the session. A refusal leaves it unknown how a table is read.
pub(super) async fn add(session: &mut Session, tables: &mut [TableSurvey]) -> Result<(), Fault> {
    let (mut places, mut questions) = (Vec::new(), Vec::new());
    for (at, seen) in tables.iter().enumerate() {
        if seen.table.transactional() && seen.rows_at_least >= ROWS_MIN {
            let columns = followed(&seen.table);
            questions.extend(columns.iter().map(|column| question(&seen.table, column)));
            places.extend(columns.iter().map(|column| (at, column.name.clone())));
        }
    }
    let told = match batch::each(session, DOING, &questions).await {
        Err(fault) if session.is_broken() => return Err(fault),
        Err(fault) => vec![Observed::Unknown(fault.to_string()); places.len()],
        Ok(answers) => answers.into_iter().map(|answer| told(answer.as_deref())).collect(),
    };
    for ((at, column), access) in places.into_iter().zip(told) {
        tables[at].reads.push(ReadEvidence { column, access });
    }
    Ok(())
}

/// Columns by which new rows could be found: those that may be a clock, and the counter.
fn followed(table: &Table) -> Vec<&Column> {
    let counter = table.auto_increment().filter(|column| past_every(column).is_some() && column.generated.is_none());
    clocks::candidates(table).into_iter().chain(counter).collect()
}

/// Returns the question for one column. Its format is named: the default is another one from server to server (T40).
fn question(table: &Table, column: &Column) -> Vec<u8> {
    let from = past_every(column).map_or(DeltaStart::Clock(LATE), DeltaStart::AfterId);
    let mut question = b"EXPLAIN FORMAT=TRADITIONAL ".to_vec();
    question.extend(rows_from(table, &column.name, &from, ROWS_MAX));
    question
}

/// A time past every stamp that still fits a TIMESTAMP, which ends in January 2038.
const LATE: NaiveDateTime =
    NaiveDate::from_ymd_opt(2037, 12, 31).expect("a day").and_hms_opt(0, 0, 0).expect("a time of day");

/// Returns the last whole number but one that a column can hold: past the last one the server would see that there is
/// nothing to be read.
fn past_every(column: &Column) -> Option<u64> {
    let bits = match column.data_type.as_str() {
        "tinyint" => 8,
        "smallint" => 16,
        "mediumint" => 24,
        "int" => 32,
        "bigint" => 64,
        _ => return None,
    };
    let signed = u32::from(!column.column_type.contains("unsigned"));
    Some((u64::MAX >> (64 - bits + signed)) - 1)
}

/// Reads one answer: the way to the one table of the question.
fn told(answer: Result<&[Row], &Fault>) -> Observed<Access> {
    let rows = match answer {
        Ok(rows) => rows,
        Err(fault) => return Observed::Unknown(fault.to_string()),
    };
    let cell = |name: &str| {
        let row = rows.first()?;
        let at = row.columns_ref().iter().position(|column| column.name_str().eq_ignore_ascii_case(name))?;
        text(row, at)
    };
    match (cell("type").as_deref(), cell("key")) {
        (Some("range" | "ref" | "const" | "eq_ref"), Some(index)) => Observed::Known(Access::Index(index)),
        // `index` walks a whole index in its order.
        (Some("ALL" | "index"), _) => Observed::Known(Access::Scan),
        (Some(other), _) => Observed::Unknown(format!("the server calls the access {other}")),
        (None, _) => Observed::Unknown("the server tells of no access".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(column_type: &str) -> Column {
        let data_type = column_type.split(' ').next().expect("a type");
        let column = serde_json::json!({
            "name": "id", "data_type": data_type, "column_type": column_type, "charset": null, "collation": null,
            "nullable": "not_null", "default": null, "fsp": 0, "auto_increment": true, "on_update_now": false,
            "generated": null, "invisible": false,
        });
        serde_json::from_value(column).expect("a column")
    }

    #[test]
    fn a_question_begins_past_every_row_that_there_can_be() {
        let past = |column_type: &str| past_every(&column(column_type));
        assert_eq!(past("tinyint"), Some(126));
        assert_eq!(past("mediumint unsigned"), Some(16_777_214));
        assert_eq!(past("int"), Some(2_147_483_646));
        assert_eq!(past("bigint"), Some(9_223_372_036_854_775_806));
        assert_eq!(past("bigint unsigned"), Some(u64::MAX - 1));
        assert_eq!(past("double"), None);
    }
}
