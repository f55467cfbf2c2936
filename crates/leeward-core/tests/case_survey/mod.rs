//! The short form in which a golden case writes its survey down. A column is one line as in DDL; whatever is left out
//! is what a well-kept MySQL 8.4 in UTC would show. Made for reading, so a slip in a case panics with the text at fault.

use std::collections::BTreeMap;

use chrono::NaiveDateTime;
use leeward_core::mark::Contradicted;
use leeward_core::name::TableName;
use leeward_core::server::{Flavor, Observed, ServerFacts, Version};
use leeward_core::survey::{
    Access, ClockEvidence, ObjectFacts, ObjectKind, ReadEvidence, SchemaFacts, Survey, TableSurvey, WriteCounters,
};
use leeward_core::table::{Column, ForeignKey, Generated, Key, KeyPart, Nullability, Table};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[serde(default = "mysql")]
    flavor: Flavor,
    #[serde(default = "mysql_version")]
    version: String,
    /// Whether the source is a replica, or why that is not known.
    #[serde(default = "no")]
    replica: Answer,
    /// Why the fence cannot be proved, if so.
    #[serde(default)]
    no_fence: Option<String>,
    #[serde(default = "utc")]
    variables: BTreeMap<String, String>,
    schemas: Vec<String>,
    tables: BTreeMap<String, CaseTable>,
    #[serde(default)]
    objects: Vec<CaseObject>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseTable {
    #[serde(default = "innodb")]
    engine: String,
    columns: Vec<String>,
    #[serde(default)]
    keys: Vec<String>,
    #[serde(default)]
    foreign_keys: Vec<String>,
    rows: u64,
    /// Rows counted; all of them unless the case says otherwise.
    seen: Option<u64>,
    bytes: u64,
    update_time: Option<NaiveDateTime>,
    #[serde(default = "unread")]
    writes: CaseWrites,
    #[serde(default)]
    clocks: BTreeMap<String, CaseClock>,
    /// What EXPLAIN says of columns; by the keys unless the case says otherwise.
    #[serde(default)]
    reads: BTreeMap<String, Observed<Access>>,
    #[serde(default)]
    contradictions: Vec<Contradicted>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum CaseWrites {
    /// Inserts, updates, deletes, and the seconds over which they were counted.
    Counted(u64, u64, u64, u64),
    Unknown(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseClock {
    #[serde(default = "no")]
    nulls: Answer,
    #[serde(default = "no")]
    future: Answer,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Known(bool),
    Unknown(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseObject {
    kind: ObjectKind,
    name: String,
    on_table: Option<String>,
    /// Its DDL; nothing means that it could not be read.
    ddl: Option<String>,
}

fn mysql() -> Flavor {
    Flavor::MySql
}

fn mysql_version() -> String {
    "8.4.3".into()
}

fn innodb() -> String {
    "InnoDB".into()
}

fn no() -> Answer {
    Answer::Known(false)
}

fn utc() -> BTreeMap<String, String> {
    BTreeMap::from([("time_zone".to_owned(), "UTC".to_owned())])
}

fn unread() -> CaseWrites {
    CaseWrites::Unknown("performance_schema is off".into())
}

impl Answer {
    fn observed(&self) -> Observed<bool> {
        match self {
            Answer::Known(value) => Observed::Known(*value),
            Answer::Unknown(why) => Observed::Unknown(why.clone()),
        }
    }
}

/// Reads a case's `survey.json`.
pub fn read(text: &str) -> Survey {
    let case: Case = serde_json::from_str(text).expect("survey.json in the short form");
    let schema = |name: &String| SchemaFacts { name: name.clone(), collation: "utf8mb4_0900_ai_ci".into() };
    Survey {
        at: "2026-11-03T10:00:00".parse().expect("a time"),
        server: ServerFacts {
            flavor: case.flavor,
            version: Version::parse(&case.version).expect("a version"),
            version_text: case.version.clone(),
            identity: "case".into(),
            is_replica: case.replica.observed(),
            variables: case.variables.clone(),
        },
        schemas: case.schemas.iter().map(schema).collect(),
        tables: case.tables.iter().map(|(name, table)| table_survey(name, table)).collect(),
        objects: case.objects.iter().map(object).collect(),
        fence: case.no_fence.map_or(Observed::Known(()), Observed::Unknown),
    }
}

fn table_name(text: &str) -> TableName {
    let (schema, table) = text.split_once('.').expect("database.table");
    TableName::new(schema, table)
}

fn table_survey(name: &str, case: &CaseTable) -> TableSurvey {
    let table = Table {
        name: table_name(name),
        engine: case.engine.clone(),
        collation: "utf8mb4_0900_ai_ci".into(),
        columns: case.columns.iter().map(|text| column(text)).collect(),
        keys: case.keys.iter().map(|text| key(text)).collect(),
        foreign_keys: case.foreign_keys.iter().map(|text| foreign_key(text)).collect(),
        partitioned: false,
    };
    let clocks = case.clocks.iter().map(|(column, clock)| ClockEvidence {
        column: column.clone(),
        has_nulls: clock.nulls.observed(),
        has_future: clock.future.observed(),
        index: None,
    });
    TableSurvey {
        clocks: clocks.collect(),
        reads: reads(&table, case),
        rows_estimate: case.rows,
        rows_at_least: case.seen.unwrap_or(case.rows),
        data_bytes: case.bytes,
        index_bytes: 0,
        update_time: case.update_time,
        create_time: None,
        writes: match &case.writes {
            CaseWrites::Counted(inserts, updates, deletes, over_seconds) => Observed::Known(WriteCounters {
                inserts: *inserts,
                updates: *updates,
                deletes: *deletes,
                over_seconds: *over_seconds,
            }),
            CaseWrites::Unknown(why) => Observed::Unknown(why.clone()),
        },
        contradictions: case.contradictions.clone(),
        table,
    }
}

/// Lets the server use each index that begins with a column.
fn reads(table: &Table, case: &CaseTable) -> Vec<ReadEvidence> {
    let by_keys = |column: &Column| {
        let begins = |key: &&Key| key.parts.first().is_some_and(|part| part.column.as_ref() == Some(&column.name));
        let index = table.keys.iter().find(begins).map(|key| key.name.clone());
        Observed::Known(index.map_or(Access::Scan, Access::Index))
    };
    let evidence = |column: &Column| ReadEvidence {
        column: column.name.clone(),
        access: case.reads.get(&column.name).cloned().unwrap_or_else(|| by_keys(column)),
    };
    table.columns.iter().map(evidence).collect()
}

/// Reads `name type [unsigned] [not null] [default X] [on update now] [auto_increment] [virtual|stored] [invisible]`.
fn column(text: &str) -> Column {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [name, full_type, rest @ ..] = words.as_slice() else { panic!("a column: {text}") };
    let says = |phrase: &str| format!(" {} ", rest.join(" ")).contains(&format!(" {phrase} "));
    let data_type = full_type.split('(').next().unwrap_or_default().to_owned();
    let digits: String = full_type.chars().filter(char::is_ascii_digit).collect();
    let temporal = ["datetime", "timestamp", "time"].contains(&data_type.as_str());
    let default = rest.iter().position(|word| *word == "default").map(|at| match rest[at + 1] {
        "now" => "CURRENT_TIMESTAMP".to_owned(),
        constant if constant.starts_with(|c: char| c.is_ascii_digit()) => constant.replace('_', " "),
        function => function.to_owned(),
    });
    Column {
        name: (*name).to_owned(),
        column_type: if says("unsigned") { format!("{full_type} unsigned") } else { (*full_type).to_owned() },
        charset: None,
        collation: rest.iter().position(|word| *word == "collate").map(|at| rest[at + 1].to_owned()),
        nullable: if says("not null") { Nullability::NotNull } else { Nullability::Nullable },
        default,
        fsp: if temporal { digits.parse().unwrap_or(0) } else { 0 },
        auto_increment: says("auto_increment"),
        on_update_now: says("on update now"),
        generated: match (says("virtual"), says("stored")) {
            (true, _) => Some(Generated::Virtual),
            (_, true) => Some(Generated::Stored),
            _ => None,
        },
        invisible: says("invisible"),
        data_type,
    }
}

/// Reads `PRIMARY (a, b)`, `UNIQUE name (a(10))` or `INDEX name (a)`.
fn key(text: &str) -> Key {
    let (head, parts) = text.split_once('(').unwrap_or_else(|| panic!("a key: {text}"));
    let parts = parts.trim_end().strip_suffix(')').unwrap_or_else(|| panic!("a key: {text}"));
    let head: Vec<&str> = head.split_whitespace().collect();
    Key {
        name: head.last().unwrap_or_else(|| panic!("a key: {text}")).to_string(),
        unique: head[0] != "INDEX",
        method: "BTREE".into(),
        parts: parts.split(',').map(|part| key_part(part.trim())).collect(),
    }
}

fn key_part(text: &str) -> KeyPart {
    match text.trim_end_matches(')').split_once('(') {
        Some((column, chars)) => KeyPart { column: Some(column.to_owned()), prefix_chars: chars.parse().ok() },
        None => KeyPart { column: Some(text.to_owned()), prefix_chars: None },
    }
}

/// Reads `name (a) shop.parent (b) [ON DELETE rule] [ON UPDATE rule]`.
fn foreign_key(text: &str) -> ForeignKey {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [name, column, parent, parent_column, ..] = words.as_slice() else { panic!("a foreign key: {text}") };
    let rule = |verb: &str| {
        let after = text.split_once(verb).map(|(_, after)| after.trim_start());
        let rules = ["CASCADE", "SET NULL", "RESTRICT"];
        let rule = after.and_then(|after| rules.into_iter().find(|rule| after.starts_with(rule)));
        rule.unwrap_or("NO ACTION").to_owned()
    };
    let bare = |text: &str| vec![text.trim_matches(['(', ')']).to_owned()];
    ForeignKey {
        name: (*name).to_owned(),
        columns: bare(column),
        parent: table_name(parent),
        parent_columns: bare(parent_column),
        on_delete: rule("ON DELETE"),
        on_update: rule("ON UPDATE"),
    }
}

fn object(case: &CaseObject) -> ObjectFacts {
    ObjectFacts {
        kind: case.kind,
        name: table_name(&case.name),
        definer: "app@%".into(),
        on_table: case.on_table.as_deref().map(table_name),
        ddl: match &case.ddl {
            Some(ddl) => Observed::Known(ddl.clone()),
            None => Observed::Unknown("no SHOW VIEW or TRIGGER privilege".into()),
        },
        sql_mode: String::new(),
        status: String::new(),
    }
}
