//! Facts about a server as a whole, and about the databases asked for. All that needs no special privilege comes in one
//! round trip; whether the server is a replica, and whether its transactions can be seen, take one each.

use std::collections::BTreeMap;

use chrono::NaiveDateTime;
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::grants::{Grants, SchemaNames, Scope};
use leeward_core::name::SYSTEM_SCHEMAS;
use leeward_core::readiness::VARIABLES;
use leeward_core::server::{Flavor, Observed, ServerFacts};
use leeward_core::survey::SchemaFacts;
use mysql_async::Row;

use super::cells::{number, text_or_empty, time};
use crate::fault::codes;
use crate::replication::REPLICA_SINCE;
use crate::session::Session;
use crate::sql;

/// Variables that are looked at here, beside those that checks compare. Names that a server does not know are simply not
/// in its answer.
const FURTHER_VARIABLES: [&str; 4] = ["group_replication_group_name", "performance_schema", "userstat", "wsrep_on"];

/// What one round trip tells of a server.
#[derive(Debug)]
pub(crate) struct Preamble {
    /// The server's clock, UTC.
    pub at: NaiveDateTime,
    /// All but whether it is a replica, which is still unknown here.
    pub server: ServerFacts,
    /// `CURRENT_USER()`.
    pub account: String,
    /// Privileges of that account and its active roles.
    pub grants: Grants,
    /// Every database that the account can see.
    pub schemas: Vec<SchemaFacts>,
}

const DOING: &str = "read the server's facts";

/// Reads what needs no special privilege.
pub(crate) async fn preamble(session: &mut Session) -> Result<Preamble, Fault> {
    let identity = match session.flavor() {
        Flavor::MySql => "@@server_uuid",
        // MariaDB has no such id. Its start time is left out, so that a plan outlives a restart.
        Flavor::MariaDb => "LEFT(SHA2(CONCAT_WS('|',@@hostname,@@port,@@datadir,@@server_id),256),32)",
    };
    let names: Vec<String> = VARIABLES.iter().chain(&FURTHER_VARIABLES).map(|name| sql::literal(name)).collect();
    let query = format!(
        "SELECT UTC_TIMESTAMP(6),{identity},CURRENT_USER();\
         SHOW GLOBAL VARIABLES WHERE Variable_name IN ({});\
         SHOW GRANTS;\
         SELECT SCHEMA_NAME,DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA",
        names.join(",")
    );
    let sets = session.sets(DOING, &query).await?;
    let unexpected = || Fault::new(FaultKind::Unexpected, DOING).on(session.side());
    let [head, variables, grants, schemas] = sets.as_slice() else { return Err(unexpected()) };
    let head = head.first().ok_or_else(unexpected)?;
    let variables = variables_of(variables);
    let names = match variables.get("partial_revokes").map(String::as_str) {
        Some("ON" | "1") => SchemaNames::Literal,
        _ => SchemaNames::Patterns,
    };
    let lines: Vec<String> = grants.iter().map(|row| text_or_empty(row, 0)).collect();
    Ok(Preamble {
        at: time(head, 0).ok_or_else(unexpected)?,
        account: text_or_empty(head, 2),
        grants: Grants::parse(&lines).with_schema_names(names),
        schemas: schemas.iter().map(schema_facts).collect(),
        server: ServerFacts {
            flavor: session.flavor(),
            version: session.version(),
            version_text: session.version_text().to_owned(),
            identity: text_or_empty(head, 1),
            is_replica: Observed::Unknown("not looked at".to_owned()),
            variables,
        },
    })
}

fn schema_facts(row: &Row) -> SchemaFacts {
    SchemaFacts { name: text_or_empty(row, 0), collation: text_or_empty(row, 1) }
}

fn variables_of(rows: &[Row]) -> BTreeMap<String, String> {
    rows.iter().map(|row| (text_or_empty(row, 0).to_lowercase(), text_or_empty(row, 1))).collect()
}

/// Returns the databases asked for, in that order and each once.
///
/// # Errors
/// `UnknownDatabase` with the names of all that are missing.
pub(crate) fn chosen(preamble: &Preamble, asked: &[String], session: &Session) -> Result<Vec<SchemaFacts>, Fault> {
    let folded = preamble.server.variables.get("lower_case_table_names").is_some_and(|mode| mode != "0");
    if asked.is_empty() {
        let own = |schema: &&SchemaFacts| !SYSTEM_SCHEMAS.contains(&schema.name.to_lowercase().as_str());
        return Ok(preamble.schemas.iter().filter(own).cloned().collect());
    }
    let (mut found, mut missing): (Vec<SchemaFacts>, Vec<&str>) = (Vec::new(), Vec::new());
    for name in asked {
        let same =
            |there: &&SchemaFacts| there.name == *name || (folded && there.name.to_lowercase() == name.to_lowercase());
        match preamble.schemas.iter().find(same) {
            Some(schema) if found.iter().any(|other| other.name == schema.name) => {}
            Some(schema) => found.push(schema.clone()),
            None => missing.push(name),
        }
    }
    if missing.is_empty() {
        return Ok(found);
    }
    let why = format!("{} can see no such database; without any privilege on it, it is not shown", preamble.account);
    Err(Fault::new(FaultKind::UnknownDatabase(missing.join(", ")), "look for the databases asked for")
        .on(session.side())
        .because(why))
}

/// Looks whether the server applies a stream of changes itself, so that its clock can lie before rows that are still to
/// come. A replica whose threads are stopped counts as one where that can be seen.
pub(crate) async fn is_replica(session: &mut Session, preamble: &Preamble) -> Result<Observed<bool>, Fault> {
    let variable = |name: &str| preamble.server.variables.get(name).map(String::as_str).unwrap_or_default();
    if variable("wsrep_on") == "ON" || !variable("group_replication_group_name").is_empty() {
        return Ok(Observed::Known(true));
    }
    let status = match session.flavor() {
        // Of all connections; the plain form shows one.
        Flavor::MariaDb => "SHOW ALL SLAVES STATUS",
        Flavor::MySql if session.version() >= REPLICA_SINCE => "SHOW REPLICA STATUS",
        Flavor::MySql => "SHOW SLAVE STATUS",
    };
    match session.rows(LOOK_FOR_REPLICATION, status).await {
        Ok(rows) => Ok(Observed::Known(!rows.is_empty())),
        Err(fault) if matches!(fault.kind, FaultKind::MissingGrant(_)) => by_threads(session, &preamble.grants).await,
        Err(fault) => Err(fault),
    }
}

const LOOK_FOR_REPLICATION: &str = "look for replication";

/// Looks for the threads of a running replica, which whoever holds PROCESS can see.
async fn by_threads(session: &mut Session, grants: &Grants) -> Result<Observed<bool>, Fault> {
    if !grants.has("PROCESS", &Scope::Global) {
        let why = "neither PROCESS nor the right to see a replica's state (MariaDB: SLAVE MONITOR, MySQL: REPLICATION \
                   CLIENT) is granted";
        return Ok(Observed::Unknown(why.to_owned()));
    }
    // InnoDB's own threads carry the same user on older MariaDB.
    let threads = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER='system user' AND COMMAND<>'Daemon'";
    match session.row(LOOK_FOR_REPLICATION, threads).await {
        Ok(row) => Ok(Observed::Known(row.and_then(|row| number(&row, 0)).unwrap_or(0) > 0)),
        Err(fault) if session.is_broken() => Err(fault),
        Err(fault) => Ok(Observed::Unknown(format!("the process list cannot be read: {}", fault.kind))),
    }
}

/// Looks whether open transactions of other accounts can be seen, without which the fence proves nothing.
pub(crate) async fn fence_sight(session: &mut Session, grants: &Grants) -> Result<Observed<()>, Fault> {
    if !grants.has("PROCESS", &Scope::Global) {
        let why = "PROCESS is not granted, so other accounts' transactions cannot be seen";
        return Ok(Observed::Unknown(why.to_owned()));
    }
    let trial = "SELECT COUNT(*) FROM information_schema.INNODB_TRX";
    match session.row("look at the open transactions", trial).await {
        Ok(_) => Ok(Observed::Known(())),
        // A statement is running whose text cannot be shown: that passes with the statement.
        Err(fault) if fault.kind == FaultKind::Server(codes::CANNOT_CONVERT_STRING) => Ok(Observed::Known(())),
        Err(fault) if session.is_broken() => Err(fault),
        Err(fault) => Ok(Observed::Unknown(format!("INNODB_TRX cannot be read: {}", fault.kind))),
    }
}
