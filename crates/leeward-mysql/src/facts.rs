//! Collects what the preflight and the readiness checks look at. It judges nothing ([`leeward_core::doctor`],
//! [`leeward_core::readiness`]); whatever cannot be seen is unknown with its reason, and nothing here is an error.

mod accounts;
mod clock;

use std::collections::BTreeSet;

use chrono::NaiveDateTime;
use leeward_core::doctor::{ClockOffset, Route, SideFacts, SideSeen, TlsSeen, Unreached};
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::name::{SYSTEM_SCHEMAS, Side, TableName};
use leeward_core::readiness::{Counter, Dated, Seen, SideState};
use leeward_core::server::{Flavor, Observed, Version};
use leeward_core::survey::{ObjectKind, SchemaFacts};
use mysql_async::Row;

use crate::endpoint::{Endpoint, TlsMode};
use crate::session::Session;
use crate::sql;
use crate::survey::server::{self, Preamble};
use crate::survey::{self, HIDDEN, number, text, text_or_empty};

/// What a look for readiness is to cover.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The target's clock now, on whichever server the look is taken: what is seen carries this time.
    pub at: NaiveDateTime,
    /// Databases of the plan; those that do not exist are left out.
    pub schemas: &'a [String],
    /// Tables whose definitions are read word by word.
    pub planned: &'a [TableName],
}

/// What was seen of one side for readiness.
#[derive(Debug, Clone)]
pub struct Look {
    /// What the checks read, without anything that is hidden.
    pub state: SideState,
    /// Kinds of objects of which some may exist that the account is not shown, with their database. Nothing must be
    /// taken for gone because it is not in [`Look::state`] then.
    pub hidden: Vec<(ObjectKind, String)>,
    /// The server's clock against this machine's.
    pub clock: Observed<ClockOffset>,
}

/// From this version MariaDB's `COLLATIONS` lists a collation once for all character sets, and the full names stand
/// elsewhere (release notes of 10.10.1).
const COLLATIONS_WITHOUT_CHARSET_SINCE: Version = Version(10, 10, 1);

/// Looks at one side for the preflight, over a connection of its own.
pub async fn preflight(endpoint: &Endpoint, schemas: &[String]) -> SideSeen {
    let seen = async {
        let mut session = Session::open(endpoint, "doctor").await?;
        let facts = side_facts(&mut session, endpoint, schemas).await?;
        session.close().await;
        Ok::<SideFacts, Fault>(facts)
    };
    match seen.await {
        Ok(facts) => SideSeen::Reached(Box::new(facts)),
        Err(fault) => SideSeen::Unreached(Unreached::of(&fault, endpoint.side)),
    }
}

async fn side_facts(session: &mut Session, endpoint: &Endpoint, schemas: &[String]) -> Result<SideFacts, Fault> {
    let preamble = preamble(session).await?;
    let clock = observed(clock::offset(session).await);
    let list = list(schemas);
    let bytes = format!(
        "SELECT COALESCE(SUM(DATA_LENGTH+INDEX_LENGTH),0) FROM information_schema.TABLES WHERE TABLE_SCHEMA IN ({list})"
    );
    let used = format!(
        "SELECT DISTINCT COLLATION_NAME FROM information_schema.COLUMNS \
         WHERE TABLE_SCHEMA IN ({list}) AND COLLATION_NAME IS NOT NULL \
         UNION SELECT TABLE_COLLATION FROM information_schema.TABLES \
         WHERE TABLE_SCHEMA IN ({list}) AND TABLE_COLLATION IS NOT NULL \
         UNION SELECT DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME IN ({list})"
    );
    let data_bytes = observed(session.row("measure the databases", &bytes).await);
    let collations_used = observed(session.rows("list the collations in use", &used).await);
    let cipher = session.row("look at the connection's cipher", "SHOW SESSION STATUS LIKE 'Ssl_cipher'").await?;
    let free_bytes = free_bytes(session).await;
    let collations_known = observed(collations(session).await);
    unbroken(session)?;
    Ok(SideFacts {
        clock,
        schemas: Observed::Known(own_schemas(&preamble)),
        data_bytes: map(data_bytes, |row| row.and_then(|row| number(&row, 0)).unwrap_or(0)),
        free_bytes,
        tls: TlsSeen {
            mode: mode(endpoint.tls.mode).to_owned(),
            cipher: cipher.and_then(|row| text(&row, 1)).filter(|cipher| !cipher.is_empty()),
            route: route(&endpoint.host),
        },
        collations_known,
        collations_used: map(collations_used, |rows| names(&rows)),
        account: preamble.account,
        grants: Observed::Known(preamble.grants),
        server: preamble.server,
    })
}

/// Looks at one side for readiness, over a connection of its own: some sixteen round trips, and one more for each 500
/// tables, objects and accounts. What the account may not see is unknown, with the GRANT that would show it.
///
/// # Errors
/// When the server cannot be reached, or the connection breaks on the way: half a look proves nothing and must not stand
/// in the place of an older whole one.
pub async fn look(endpoint: &Endpoint, scope: Scope<'_>) -> Result<Look, Fault> {
    let mut session = Session::open(endpoint, "readiness").await?;
    let clock = observed(clock::offset(&mut session).await);
    let (state, hidden) = side_state(&mut session, scope).await?;
    unbroken(&session)?;
    session.close().await;
    Ok(Look { state, hidden, clock })
}

/// Returns whether a server answers: nothing else is asked of it.
///
/// # Errors
/// Those of [`Session::open`].
pub async fn knock(endpoint: &Endpoint) -> Result<(), Fault> {
    Session::open(endpoint, "knock").await?.close().await;
    Ok(())
}

async fn side_state(
    session: &mut Session,
    Scope { at, schemas, planned }: Scope<'_>,
) -> Result<(SideState, Vec<(ObjectKind, String)>), Fault> {
    let preamble = preamble(session).await?;
    let there: Vec<String> =
        schemas.iter().filter(|name| preamble.schemas.iter().any(|schema| schema.name == **name)).cloned().collect();
    let mut hidden = Vec::new();
    let objects = survey::objects_as(session, &preamble, &there).await.map(|mut objects| {
        // Whether anything is hidden is proved from the privileges by each check, and not from these entries.
        for object in objects.extract_if(.., |object| object.name.table == HIDDEN) {
            hidden.push((object.kind, object.name.schema));
        }
        objects
    });
    let plugins = "SELECT PLUGIN_NAME FROM information_schema.PLUGINS \
                   WHERE PLUGIN_TYPE='AUTHENTICATION' AND PLUGIN_STATUS='ACTIVE'";
    let writes = match session.side() {
        Side::Source => seen(at, survey::writes(session, &preamble, (&there, planned)).await),
        Side::Target => Observed::Unknown("it is asked of the source alone".to_owned()),
    };
    let state = SideState {
        writes,
        schemas: seen(at, Ok(own_schemas(&preamble))),
        tables: seen(at, survey::all_tables(session, &there).await),
        ddl: seen(at, definitions(session, planned).await),
        objects: seen(at, objects),
        counters: seen(at, counters(session, &there).await),
        accounts: seen(at, accounts::read(session, preamble.grants.schema_names()).await),
        auth_plugins: seen(at, session.rows("list the authentication plugins", plugins).await.map(|rows| names(&rows))),
        collations: seen(at, collations(session).await),
        account: seen(at, Ok(preamble.account)),
        grants: seen(at, Ok(preamble.grants)),
        server: seen(at, Ok(preamble.server)),
    };
    Ok((state, hidden))
}

/// Reads what needs no special privilege, and whether the server is a replica.
async fn preamble(session: &mut Session) -> Result<Preamble, Fault> {
    let mut preamble = server::preamble(session).await?;
    preamble.server.is_replica = match server::is_replica(session, &preamble).await {
        Ok(is_replica) => is_replica,
        Err(fault) if session.is_broken() => return Err(fault),
        Err(fault) => Observed::Unknown(fault.to_string()),
    };
    Ok(preamble)
}

/// Tells a connection that broke from an answer that was refused.
fn unbroken(session: &Session) -> Result<(), Fault> {
    match session.is_broken() {
        false => Ok(()),
        true => Err(Fault::new(FaultKind::Unreachable, "look at the server").on(session.side())),
    }
}

fn seen<T>(at: NaiveDateTime, result: Result<T, Fault>) -> Seen<T> {
    map(observed(result), |value| Dated { at, value })
}

fn observed<T>(result: Result<T, Fault>) -> Observed<T> {
    match result {
        Ok(value) => Observed::Known(value),
        Err(fault) => Observed::Unknown(fault.to_string()),
    }
}

fn map<T, U>(observed: Observed<T>, change: impl FnOnce(T) -> U) -> Observed<U> {
    match observed {
        Observed::Known(value) => Observed::Known(change(value)),
        Observed::Unknown(why) => Observed::Unknown(why),
    }
}

/// Returns a list for `IN`, which may not be empty; no database has an empty name.
fn list(schemas: &[String]) -> String {
    if schemas.is_empty() {
        return sql::literal("");
    }
    schemas.iter().map(|schema| sql::literal(schema)).collect::<Vec<_>>().join(",")
}

fn names(rows: &[Row]) -> BTreeSet<String> {
    rows.iter().map(|row| text_or_empty(row, 0)).collect()
}

fn own_schemas(preamble: &Preamble) -> Vec<SchemaFacts> {
    let own = |schema: &&SchemaFacts| !SYSTEM_SCHEMAS.contains(&schema.name.to_lowercase().as_str());
    preamble.schemas.iter().filter(own).cloned().collect()
}

async fn collations(session: &mut Session) -> Result<BTreeSet<String>, Fault> {
    let query = match session.flavor() {
        Flavor::MariaDb if session.version() >= COLLATIONS_WITHOUT_CHARSET_SINCE => {
            "SELECT FULL_COLLATION_NAME FROM information_schema.COLLATION_CHARACTER_SET_APPLICABILITY"
        }
        _ => "SELECT COLLATION_NAME FROM information_schema.COLLATIONS",
    };
    session.rows("list the collations", query).await.map(|rows| names(&rows))
}

async fn definitions(session: &mut Session, planned: &[TableName]) -> Result<Vec<(TableName, String)>, Fault> {
    let existing = survey::existing(session, planned).await?;
    survey::table_ddl(session, &existing).await
}

async fn counters(session: &mut Session, schemas: &[String]) -> Result<Vec<Counter>, Fault> {
    let query = format!(
        "SELECT TABLE_SCHEMA,TABLE_NAME,AUTO_INCREMENT FROM information_schema.TABLES \
         WHERE TABLE_SCHEMA IN ({}) AND AUTO_INCREMENT IS NOT NULL",
        list(schemas)
    );
    let rows = session.rows("read the AUTO_INCREMENT counters", &query).await?;
    let counter = |row: &Row| {
        let table = TableName::new(text_or_empty(row, 0), text_or_empty(row, 1));
        number(row, 2).map(|next| Counter { table, next })
    };
    Ok(rows.iter().filter_map(counter).collect())
}

/// MariaDB tells where the plugin `disks` is installed; nothing else does.
async fn free_bytes(session: &mut Session) -> Observed<u64> {
    if session.flavor() == Flavor::MySql {
        return Observed::Unknown("MySQL tells no free space by SQL; on RDS see FreeStorageSpace".to_owned());
    }
    // Of the mounted paths that the data directory lies under, the longest is its own. KiB.
    let query = "SELECT Available*1024 FROM information_schema.DISKS \
                 WHERE @@datadir LIKE CONCAT(TRIM(TRAILING '/' FROM Path),'/%') ORDER BY LENGTH(Path) DESC LIMIT 1";
    match session.row("look at the free space", query).await {
        Ok(row) => match row.and_then(|row| number(&row, 0)) {
            Some(bytes) => Observed::Known(bytes),
            None => Observed::Unknown("the plugin disks does not list the data directory's disk".to_owned()),
        },
        Err(_) => Observed::Unknown(
            "MariaDB tells no free space without its plugin `disks` and the privilege FILE; on RDS see FreeStorageSpace"
                .to_owned(),
        ),
    }
}

fn mode(mode: TlsMode) -> &'static str {
    match mode {
        TlsMode::Disabled => "disabled",
        TlsMode::Required => "required",
        TlsMode::VerifyCa => "verify-ca",
        TlsMode::VerifyIdentity => "verify-identity",
    }
}

fn route(host: &str) -> Route {
    let loopback = host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    if loopback || host.eq_ignore_ascii_case("localhost") { Route::Loopback } else { Route::Network }
}
