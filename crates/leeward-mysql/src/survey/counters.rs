//! Row writes of each table since the server started, as far as the server counts them.

use std::collections::BTreeMap;

use leeward_core::fault::{Fault, FaultKind};
use leeward_core::name::TableName;
use leeward_core::server::{Flavor, Observed};
use leeward_core::survey::WriteCounters;
use mysql_async::Row;

use super::cells::{number, text, text_or_empty};
use super::server::Preamble;
use crate::session::Session;
use crate::sql;

const DOING: &str = "read the write counters";

/// The counters of all tables, from one place.
pub(crate) enum Counters {
    /// `performance_schema`: a table that is not there was never opened since the start, so nothing was written to it.
    Complete(BTreeMap<TableName, [u64; 3]>, u64),
    /// MariaDB's `userstat` before 11.5 counts changed rows of all kinds together.
    Sums(BTreeMap<TableName, u64>, u64),
    /// They cannot be read.
    Unknown(String),
}

impl Counters {
    /// Returns what is known of a table.
    pub(crate) fn of(&self, name: &TableName) -> Observed<WriteCounters> {
        let counted = |[inserts, updates, deletes]: [u64; 3], over_seconds: u64| {
            Observed::Known(WriteCounters { inserts, updates, deletes, over_seconds })
        };
        match self {
            Counters::Complete(tables, uptime) => counted(tables.get(name).copied().unwrap_or_default(), *uptime),
            Counters::Sums(tables, uptime) => match tables.get(name).copied().unwrap_or(0) {
                0 => counted([0; 3], *uptime),
                rows => Observed::Unknown(format!("userstat counts {rows} changed rows, but not of which kind")),
            },
            Counters::Unknown(why) => Observed::Unknown(why.clone()),
        }
    }
}

/// Reads the counters of all tables of some databases: one round trip where they can be read.
pub(crate) async fn read(session: &mut Session, preamble: &Preamble, schemas: &[String]) -> Result<Counters, Fault> {
    let on = |name: &str| preamble.server.variables.get(name).is_some_and(|value| value == "ON" || value == "1");
    if schemas.is_empty() {
        return Ok(Counters::Unknown("no database was asked for".to_owned()));
    }
    let result = if on("performance_schema") {
        from_performance_schema(session, schemas).await
    } else if session.flavor() == Flavor::MariaDb && on("userstat") {
        from_userstat(session, schemas).await
    } else {
        let switch = match session.flavor() {
            Flavor::MariaDb => "performance_schema and userstat are off",
            Flavor::MySql => "performance_schema is off",
        };
        return Ok(Counters::Unknown(switch.to_owned()));
    };
    match result {
        Err(fault) if !session.is_broken() && is_denied(&fault) => {
            Ok(Counters::Unknown(format!("the write counters cannot be read: {}", fault.kind)))
        }
        result => result,
    }
}

/// 1109 is what MariaDB says of a table of `information_schema` that its version lacks.
fn is_denied(fault: &Fault) -> bool {
    matches!(fault.kind, FaultKind::MissingGrant(_) | FaultKind::TableMissing | FaultKind::TableChanged)
}

fn list(schemas: &[String]) -> String {
    schemas.iter().map(|schema| sql::literal(schema)).collect::<Vec<_>>().join(",")
}

async fn from_performance_schema(session: &mut Session, schemas: &[String]) -> Result<Counters, Fault> {
    let uptime = match session.flavor() {
        Flavor::MySql => "performance_schema.global_status",
        Flavor::MariaDb => "information_schema.GLOBAL_STATUS",
    };
    let query = format!(
        "SELECT (SELECT ENABLED FROM performance_schema.setup_instruments WHERE NAME='wait/io/table/sql/handler'),\
         (SELECT ENABLED FROM performance_schema.setup_consumers WHERE NAME='global_instrumentation');\
         SELECT LOWER(VARIABLE_NAME),VARIABLE_VALUE FROM {uptime} WHERE VARIABLE_NAME IN \
         ('Uptime','Performance_schema_table_handles_lost','Performance_schema_table_instances_lost');\
         SELECT OBJECT_SCHEMA,OBJECT_NAME,COUNT_INSERT,COUNT_UPDATE,COUNT_DELETE \
         FROM performance_schema.table_io_waits_summary_by_table \
         WHERE OBJECT_TYPE='TABLE' AND OBJECT_SCHEMA IN ({})",
        list(schemas)
    );
    let sets = session.sets(DOING, &query).await?;
    let [enabled, status, tables] = sets.as_slice() else {
        return Err(Fault::new(FaultKind::Unexpected, DOING).on(session.side()));
    };
    let counting = enabled
        .first()
        .is_some_and(|row| [text(row, 0), text(row, 1)].iter().all(|enabled| enabled.as_deref() == Some("YES")));
    if !counting {
        return Ok(Counters::Unknown("the instrument wait/io/table/sql/handler is off".to_owned()));
    }
    if status.iter().any(|row| text_or_empty(row, 0).ends_with("_lost") && number(row, 1) != Some(0)) {
        let why = "performance_schema has lost tables for want of memory, so that its counters are not complete";
        return Ok(Counters::Unknown(why.to_owned()));
    }
    let counts = |row: &Row| [2, 3, 4].map(|at| number(row, at).unwrap_or(0));
    Ok(Counters::Complete(tables.iter().map(|row| (name(row), counts(row))).collect(), uptime_of(status)))
}

async fn from_userstat(session: &mut Session, schemas: &[String]) -> Result<Counters, Fault> {
    let query = format!(
        "SELECT LOWER(VARIABLE_NAME),VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS \
         WHERE VARIABLE_NAME='UPTIME';\
         SELECT * FROM information_schema.TABLE_STATISTICS WHERE TABLE_SCHEMA IN ({})",
        list(schemas)
    );
    let sets = session.sets(DOING, &query).await?;
    let [status, tables] = sets.as_slice() else {
        return Err(Fault::new(FaultKind::Unexpected, DOING).on(session.side()));
    };
    let uptime = uptime_of(status);
    let at = |row: &Row, wanted: &str| {
        row.columns_ref().iter().position(|column| column.name_str().eq_ignore_ascii_case(wanted))
    };
    let kinds = ["ROWS_INSERTED", "ROWS_UPDATED", "ROWS_DELETED"];
    let by_kind = |row: &Row| kinds.map(|kind| at(row, kind).and_then(|at| number(row, at)));
    let told: Option<BTreeMap<TableName, [u64; 3]>> = tables
        .iter()
        .map(|row| match by_kind(row) {
            [Some(inserts), Some(updates), Some(deletes)] => Some((name(row), [inserts, updates, deletes])),
            _ => None,
        })
        .collect();
    if let Some(tables) = told {
        return Ok(Counters::Complete(tables, uptime));
    }
    let sum = |row: &Row| at(row, "ROWS_CHANGED").and_then(|at| number(row, at)).unwrap_or(u64::MAX);
    Ok(Counters::Sums(tables.iter().map(|row| (name(row), sum(row))).collect(), uptime))
}

fn name(row: &Row) -> TableName {
    TableName::new(text_or_empty(row, 0), text_or_empty(row, 1))
}

fn uptime_of(status: &[Row]) -> u64 {
    status.iter().find(|row| text_or_empty(row, 0) == "uptime").and_then(|row| number(row, 1)).unwrap_or(0)
}
