//! Reads views, routines, triggers and events with their DDL. The server shows an account only what it may see, and
//! says nothing of the rest: so where a privilege is missing, one entry named `*` stands for all that may be hidden.
//!
//! Their text is read in utf8mb4 (the server converts it from the character set in which each was made); tables' DDL is
//! not, see [`super::definitions`].

use leeward_core::fault::Fault;
use leeward_core::grants::{Scope, needs};
use leeward_core::name::TableName;
use leeward_core::server::Observed;
use leeward_core::survey::{ObjectFacts, ObjectKind};
use mysql_async::Row;

use super::batch;
use super::cells::{text, text_or_empty};
use super::server::Preamble;
use crate::session::Session;
use crate::sql;

/// The name under which objects are reported that may exist but cannot be seen.
pub const HIDDEN: &str = "*";

const DOING: &str = "read views, routines, triggers and events";

/// Statements by which [`list`] asks for a database.
const LISTS: usize = 4;

fn list_queries(schema: &str) -> [String; LISTS] {
    let schema = sql::literal(schema);
    [
        format!(
            "SELECT TABLE_NAME,DEFINER,'','','',LENGTH(VIEW_DEFINITION)>0,'VIEW' FROM information_schema.VIEWS \
             WHERE TABLE_SCHEMA={schema}"
        ),
        format!(
            "SELECT ROUTINE_NAME,DEFINER,SQL_MODE,'','',1,ROUTINE_TYPE FROM information_schema.ROUTINES \
             WHERE ROUTINE_SCHEMA={schema}"
        ),
        format!(
            "SELECT TRIGGER_NAME,DEFINER,SQL_MODE,'',EVENT_OBJECT_TABLE,1,'TRIGGER' \
             FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA={schema}"
        ),
        format!(
            "SELECT EVENT_NAME,DEFINER,SQL_MODE,STATUS,'',1,'EVENT' FROM information_schema.EVENTS \
             WHERE EVENT_SCHEMA={schema}"
        ),
    ]
}

/// An object that was listed, before its DDL is known.
struct Listed {
    facts: ObjectFacts,
    /// The statement that shows its DDL and the column that holds it; nothing when it is known to be refused.
    show: Option<(String, usize)>,
}

/// Reads all objects of some databases, ordered by kind and name: one round trip for the lists, one for each 500
/// objects, and two to change the character set of answers and back.
pub(crate) async fn read(
    session: &mut Session,
    preamble: &Preamble,
    schemas: &[String],
) -> Result<Vec<ObjectFacts>, Fault> {
    let mut listed = list(session, schemas).await?;
    let shows: Vec<String> =
        listed.iter().filter_map(|object| object.show.as_ref().map(|(sql, _)| sql.clone())).collect();
    let answers = in_utf8mb4(session, &shows).await?;
    let mut answers = answers.into_iter();
    for object in &mut listed {
        let Some((_, column)) = object.show else { continue };
        if let Some(answer) = answers.next() {
            object.facts.ddl = ddl(answer, column, object.facts.kind);
        }
    }
    let mut objects: Vec<ObjectFacts> = listed.into_iter().map(|object| object.facts).collect();
    objects.extend(hidden(preamble, schemas));
    objects.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
    Ok(objects)
}

/// Executes the statements with answers in utf8mb4. The setting is taken back also after a fault, unless that broke the
/// session: left behind, it would convert rows that are read as bytes.
async fn in_utf8mb4(session: &mut Session, shows: &[String]) -> Result<Vec<Result<Vec<Row>, Fault>>, Fault> {
    if shows.is_empty() {
        return Ok(Vec::new());
    }
    session.run(DOING, "SET character_set_results=utf8mb4").await?;
    let answers = batch::each(session, DOING, shows).await;
    if !session.is_broken() {
        session.run(DOING, "SET character_set_results=binary").await?;
    }
    answers
}

async fn list(session: &mut Session, schemas: &[String]) -> Result<Vec<Listed>, Fault> {
    let queries: Vec<String> = schemas.iter().flat_map(|schema| list_queries(schema)).collect();
    if queries.is_empty() {
        return Ok(Vec::new());
    }
    let sets = session.sets(DOING, &queries.join(";")).await?;
    let mut listed = Vec::new();
    for (schema, sets) in schemas.iter().zip(sets.chunks(LISTS)) {
        listed.extend(sets.iter().flatten().map(|row| object(schema, row)));
    }
    Ok(listed)
}

fn object(schema: &str, row: &Row) -> Listed {
    let name = TableName::new(schema, text_or_empty(row, 0));
    let word = text_or_empty(row, 6);
    let (kind, column) = match word.as_str() {
        "VIEW" => (ObjectKind::View, 1),
        "FUNCTION" => (ObjectKind::Function, 2),
        "TRIGGER" => (ObjectKind::Trigger, 2),
        "EVENT" => (ObjectKind::Event, 3),
        _ => (ObjectKind::Procedure, 2),
    };
    let (ddl, show) = if word.starts_with("PACKAGE") {
        (Observed::Unknown("it is a package of MariaDB's Oracle mode, which Leeward does not copy".to_owned()), None)
    } else if text(row, 5).as_deref() != Some("1") {
        (refused(kind), None)
    } else {
        (refused(kind), Some((format!("SHOW CREATE {word} {}", sql::table(&name)), column)))
    };
    let facts = ObjectFacts {
        kind,
        on_table: text(row, 4).filter(|table| !table.is_empty()).map(|table| TableName::new(schema, table)),
        name,
        definer: text_or_empty(row, 1),
        ddl,
        sql_mode: text_or_empty(row, 2),
        status: text_or_empty(row, 3),
    };
    Listed { facts, show }
}

/// Reads the answer to a SHOW CREATE: NULL stands for a body that may not be seen.
fn ddl(answer: Result<Vec<Row>, Fault>, column: usize, kind: ObjectKind) -> Observed<String> {
    match answer {
        Ok(rows) => rows.first().and_then(|row| text(row, column)).map_or(refused(kind), Observed::Known),
        Err(fault) => Observed::Unknown(format!("its DDL cannot be read: {}", fault.kind)),
    }
}

fn refused(kind: ObjectKind) -> Observed<String> {
    let why = match kind {
        ObjectKind::View => "its DDL is not shown without the privilege SHOW VIEW",
        ObjectKind::Function | ObjectKind::Procedure => {
            "its body is not shown without SHOW_ROUTINE or SELECT on all databases (MariaDB: SELECT on mysql.proc, or \
             SHOW CREATE ROUTINE)"
        }
        ObjectKind::Trigger => "its DDL is not shown without the privilege TRIGGER",
        ObjectKind::Event => "its DDL is not shown without the privilege EVENT",
    };
    Observed::Unknown(why.to_owned())
}

/// Returns an entry for each kind of object that the account would not be shown.
fn hidden(preamble: &Preamble, schemas: &[String]) -> Vec<ObjectFacts> {
    let grants = &preamble.grants;
    let routines = needs::routine_need(&preamble.server);
    let mut found = Vec::new();
    for schema in schemas {
        let scope = Scope::Schema(schema.clone());
        let mut add = |kind: ObjectKind, need: &str| {
            found.push(ObjectFacts {
                kind,
                name: TableName::new(schema, HIDDEN),
                definer: String::new(),
                on_table: None,
                ddl: Observed::Unknown(format!("whether there are any is not shown without {need}")),
                sql_mode: String::new(),
                status: String::new(),
            });
        };
        if !grants.has("TRIGGER", &scope) {
            add(ObjectKind::Trigger, &format!("the privilege TRIGGER on {schema}"));
        }
        if !grants.has("EVENT", &scope) {
            add(ObjectKind::Event, &format!("the privilege EVENT on {schema}"));
        }
        let all_routines = grants.missing(std::slice::from_ref(&routines)).is_empty() || grants.has("EXECUTE", &scope);
        if !all_routines {
            let needed = format!("{} ON {}", routines.privileges.join(", "), routines.on);
            add(ObjectKind::Function, &needed);
            add(ObjectKind::Procedure, &needed);
        }
    }
    found
}
