//! The survey: what was seen on the source, and when. It holds no row values, only shapes, counts and times.

use chrono::NaiveDateTime;
use serde::{Deserialize, Serialize};

use crate::mark::Contradicted;
use crate::name::TableName;
use crate::server::{Observed, ServerFacts};
use crate::table::Table;

/// Everything that the planner may base a decision on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survey {
    /// The source's clock (UTC) when the survey was made.
    pub at: NaiveDateTime,
    /// The server.
    pub server: ServerFacts,
    /// Databases asked for, in order.
    pub schemas: Vec<SchemaFacts>,
    /// Base tables, ordered by name.
    pub tables: Vec<TableSurvey>,
    /// Views, routines, triggers and events, ordered by kind and name.
    pub objects: Vec<ObjectFacts>,
    /// Whether the fence can be proved here, or why not (no PROCESS privilege, `INNODB_TRX` unreadable …).
    pub fence: Observed<()>,
}

/// One database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaFacts {
    /// Its name.
    pub name: String,
    /// Default collation, which names the character set too.
    pub collation: String,
}

/// One base table with what is known of its use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSurvey {
    /// Its shape.
    pub table: Table,
    /// Estimated rows. Zero is not believed (T35): see `rows_at_least`.
    pub rows_estimate: u64,
    /// Rows that were really counted, up to a small bound: 0 means the table was seen empty.
    pub rows_at_least: u64,
    /// Bytes of rows (clustered index), estimated.
    pub data_bytes: u64,
    /// Bytes of secondary indexes, estimated.
    pub index_bytes: u64,
    /// `UPDATE_TIME`, where the server keeps it (lost at restart).
    pub update_time: Option<NaiveDateTime>,
    /// `CREATE_TIME`.
    pub create_time: Option<NaiveDateTime>,
    /// Writes counted by `performance_schema` or MariaDB's `userstat`, two samples apart.
    pub writes: Observed<WriteCounters>,
    /// What was seen in each column that could be a clock.
    pub clocks: Vec<ClockEvidence>,
    /// How the server would find the newest rows by each column that could be followed. Empty for a table of few rows.
    #[serde(default)]
    pub reads: Vec<ReadEvidence>,
    /// What scrubs have shown of it since it was last planned.
    pub contradictions: Vec<Contradicted>,
}

/// Row writes of one table. Lifetime counters reset at a server restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteCounters {
    /// Rows inserted since the server started.
    pub inserts: u64,
    /// Rows updated since the server started.
    pub updates: u64,
    /// Rows deleted since the server started.
    pub deletes: u64,
    /// Seconds over which they were counted (the server's uptime).
    pub over_seconds: u64,
}

/// What was seen of a temporal column that might say when a row last changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockEvidence {
    /// The column.
    pub column: String,
    /// Whether some rows hold NULL; unknown where looking would have meant a table scan.
    pub has_nulls: Observed<bool>,
    /// Whether some rows lie after the source's clock.
    pub has_future: Observed<bool>,
    /// Name of an index that starts with the column.
    pub index: Option<String>,
}

/// How the server would find the newest rows by a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadEvidence {
    /// The column.
    pub column: String,
    /// What the server says; unknown where it could not be asked.
    pub access: Observed<Access>,
}

/// The way to some rows of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// By this index.
    Index(String),
    /// Through all of the table.
    Scan,
}

/// A view, routine, trigger or event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectFacts {
    /// What it is.
    pub kind: ObjectKind,
    /// Where it lives and what it is called.
    pub name: TableName,
    /// `user@host` it runs as.
    pub definer: String,
    /// The table a trigger stands on.
    pub on_table: Option<TableName>,
    /// Its DDL, or why it could not be read (SHOW VIEW, TRIGGER, EVENT, routine privileges).
    pub ddl: Observed<String>,
    /// `sql_mode` under which it was made.
    pub sql_mode: String,
    /// An event's status as the server prints it; empty for others.
    pub status: String,
}

/// What an [`ObjectFacts`] is. Order is the order in which they are created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectKind {
    /// Stored function.
    Function,
    /// Stored procedure.
    Procedure,
    /// View.
    View,
    /// Trigger; staged, never live on a target that is being synced (T28).
    Trigger,
    /// Event; staged.
    Event,
}
