//! Surveys a server: everything that the planner may base a decision on, in a number of round trips that hardly grows
//! with the number of tables. It decides nothing, changes nothing on the server, and returns no row values.
//!
//! Round trips: server 1. Then over three connections at once: replica 1 to 2, fence 1, write counters 1; shapes 1, foreign
//! keys' rules 1 per 500 tables where the server hides them, a look into the tables 1 per 500, how large ones would be read 1
//! per 500 columns; objects 3 plus 1 per 500.

mod batch;
mod cells;
mod clocks;
mod counters;
mod definitions;
mod objects;
mod reads;
pub mod server;
mod tables;

use std::collections::BTreeSet;

use leeward_core::fault::{Fault, FaultKind};
use leeward_core::name::TableName;
use leeward_core::readiness::TableWrites;
use leeward_core::server::{Observed, ServerFacts};
use leeward_core::survey::{ObjectFacts, SchemaFacts, Survey, TableSurvey};
use leeward_core::table::Table;
use mysql_async::Row;

use crate::ddl;
use crate::endpoint::Endpoint;
use crate::session::Session;
pub(crate) use batch::each;
pub(crate) use cells::{number, text, text_or_empty, time};
use counters::Counters;
pub(crate) use definitions::table_ddl;
pub use objects::HIDDEN;
use server::Preamble;
pub use tables::UNUSED_INDEX;
use tables::columns_and_keys;
pub(crate) use tables::{Catalog, SHAPE_SETS, shapes_of};

/// Surveys some databases over three connections, which ask for different things at once.
///
/// # Errors
/// Those of [`Session::open`]; `UnknownDatabase` naming all that are missing; `MissingGrant` for a table that may not be
/// read; what breaks a session. What can be unknown is [`leeward_core::server::Observed::Unknown`] and no error.
pub async fn survey(endpoint: &Endpoint, schemas: &[String]) -> Result<Survey, Fault> {
    let open = || Session::open(endpoint, "survey");
    let (mut of_server, mut of_tables, mut of_objects) = tokio::try_join!(open(), open(), open())?;
    let preamble = server::preamble(&mut of_server).await?;
    let chosen = server::chosen(&preamble, schemas, &of_server)?;
    let names = names(&chosen);
    let (server, tables, objects) = tokio::try_join!(
        server_seen(&mut of_server, &preamble, &names),
        tables_seen(&mut of_tables, &names, |_| true),
        objects::read(&mut of_objects, &preamble, &names),
    )?;
    tokio::join!(of_server.close(), of_tables.close(), of_objects.close());
    Ok(put_together(preamble, chosen, server, (tables, objects)))
}

/// Surveys some databases like [`survey`], one thing after the other.
///
/// # Errors
/// Those of [`survey`].
pub async fn survey_over(session: &mut Session, schemas: &[String]) -> Result<Survey, Fault> {
    survey_some(session, schemas, |_| true).await
}

/// Surveys some tables alone, as far as they exist: those that come into a plan later.
///
/// # Errors
/// Those of [`survey`].
pub(crate) async fn survey_tables(session: &mut Session, tables: &[TableName]) -> Result<Survey, Fault> {
    let schemas: BTreeSet<&str> = tables.iter().map(|name| name.schema.as_str()).collect();
    let schemas: Vec<String> = schemas.into_iter().map(str::to_owned).collect();
    survey_some(session, &schemas, |name| tables.contains(name)).await
}

async fn survey_some(
    session: &mut Session,
    schemas: &[String],
    wanted: impl Fn(&TableName) -> bool,
) -> Result<Survey, Fault> {
    let preamble = server::preamble(session).await?;
    let chosen = server::chosen(&preamble, schemas, session)?;
    let names = names(&chosen);
    let server = server_seen(session, &preamble, &names).await?;
    let seen = tables_seen(session, &names, wanted).await?;
    let objects = objects::read(session, &preamble, &names).await?;
    Ok(put_together(preamble, chosen, server, (seen, objects)))
}

fn names(schemas: &[SchemaFacts]) -> Vec<String> {
    schemas.iter().map(|schema| schema.name.clone()).collect()
}

/// What was seen of a server beside its tables.
struct ServerSeen {
    is_replica: Observed<bool>,
    fence: Observed<()>,
    counters: Counters,
}

async fn server_seen(session: &mut Session, preamble: &Preamble, schemas: &[String]) -> Result<ServerSeen, Fault> {
    Ok(ServerSeen {
        is_replica: server::is_replica(session, preamble).await?,
        fence: server::fence_sight(session, &preamble.grants).await?,
        counters: counters::read(session, preamble, schemas).await?,
    })
}

/// Reads the tables; their write counters are still unknown here.
async fn tables_seen(
    session: &mut Session,
    schemas: &[String],
    wanted: impl Fn(&TableName) -> bool,
) -> Result<Vec<TableSurvey>, Fault> {
    let mut catalog = catalog(session, schemas).await?;
    catalog.tables.retain(|name, _| wanted(name));
    add_hidden_rules(session, &mut catalog).await?;
    let mut surveyed = look_into(session, catalog).await?;
    reads::add(session, &mut surveyed).await?;
    Ok(surveyed)
}

fn put_together(
    preamble: Preamble,
    schemas: Vec<SchemaFacts>,
    seen: ServerSeen,
    (mut tables, objects): (Vec<TableSurvey>, Vec<ObjectFacts>),
) -> Survey {
    for table in &mut tables {
        table.writes = seen.counters.of(&table.table.name);
    }
    let server = ServerFacts { is_replica: seen.is_replica, ..preamble.server };
    Survey { at: preamble.at, server, schemas, tables, objects, fence: seen.fence }
}

/// Reads what tells one server from another, whatever name it was reached by.
///
/// # Errors
/// What breaks the session.
pub async fn identity(session: &mut Session) -> Result<String, Fault> {
    Ok(server::preamble(session).await?.server.identity)
}

/// Reads the objects of some databases alone, for telling whether they changed.
///
/// # Errors
/// What breaks the session.
pub async fn objects(session: &mut Session, schemas: &[String]) -> Result<Vec<ObjectFacts>, Fault> {
    let preamble = server::preamble(session).await?;
    objects_as(session, &preamble, schemas).await
}

/// Reads the objects where the account's privileges are known already.
///
/// # Errors
/// What breaks the session.
pub(crate) async fn objects_as(
    session: &mut Session,
    preamble: &Preamble,
    schemas: &[String],
) -> Result<Vec<ObjectFacts>, Fault> {
    objects::read(session, preamble, schemas).await
}

/// Reads the write counters of some tables, where the server counts writes: one round trip.
///
/// # Errors
/// What breaks the session.
pub(crate) async fn writes(
    session: &mut Session,
    preamble: &Preamble,
    (schemas, tables): (&[String], &[TableName]),
) -> Result<Vec<TableWrites>, Fault> {
    let counters = counters::read(session, preamble, schemas).await?;
    Ok(tables.iter().map(|name| TableWrites { table: name.clone(), writes: counters.of(name) }).collect())
}

/// Reads the shapes of all base tables of some databases.
///
/// # Errors
/// What breaks the session.
pub(crate) async fn all_tables(session: &mut Session, schemas: &[String]) -> Result<Vec<Table>, Fault> {
    let mut catalog = catalog(session, schemas).await?;
    add_hidden_rules(session, &mut catalog).await?;
    Ok(catalog.tables.into_values().map(|(table, _)| table).collect())
}

/// Reads the shapes of some tables, as far as they exist, with their foreign keys.
///
/// # Errors
/// What breaks the session.
pub(crate) async fn describe(session: &mut Session, tables: &[TableName]) -> Result<Vec<Table>, Fault> {
    let schemas: BTreeSet<&str> = tables.iter().map(|name| name.schema.as_str()).collect();
    let schemas: Vec<String> = schemas.into_iter().map(str::to_owned).collect();
    let mut catalog = catalog(session, &schemas).await?;
    let wanted: BTreeSet<&TableName> = tables.iter().collect();
    catalog.tables.retain(|name, _| wanted.contains(name));
    add_hidden_rules(session, &mut catalog).await?;
    Ok(catalog.tables.into_values().map(|(table, _)| table).collect())
}

/// Reads the shapes of all tables with their foreign keys, the rules only where the server shows them.
async fn catalog(session: &mut Session, schemas: &[String]) -> Result<Catalog, Fault> {
    catalog_after(session, schemas, "").await.map(|(catalog, _)| catalog)
}

/// Reads the shapes like [`catalog`], in one round trip with a statement that is executed first and makes one result set.
pub(crate) async fn catalog_after(
    session: &mut Session,
    schemas: &[String],
    first: &str,
) -> Result<(Catalog, Vec<Row>), Fault> {
    const DOING: &str = "read the shapes of tables";
    let flavor = session.flavor();
    let mut catalog = Catalog::default();
    let queries: String =
        schemas.iter().map(|schema| columns_and_keys(schema, flavor) + &tables::foreign_keys(schema)).collect();
    if queries.is_empty() {
        return Ok((catalog, Vec::new()));
    }
    let mut sets = session.sets(DOING, (first.to_owned() + &queries).trim_end_matches(';')).await?;
    let each = SHAPE_SETS + tables::FOREIGN_KEY_SETS;
    if sets.len() != schemas.len() * each + usize::from(!first.is_empty()) {
        return Err(Fault::new(FaultKind::Unexpected, DOING).on(session.side()));
    }
    let before = if first.is_empty() { Vec::new() } else { sets.remove(0) };
    for (schema, sets) in schemas.iter().zip(sets.chunks(each)) {
        catalog.add_shapes(schema, &sets[..SHAPE_SETS]);
        catalog.add_foreign_keys(schema, &sets[SHAPE_SETS..]);
    }
    Ok((catalog, before))
}

/// Reads the rules of foreign keys from DDL, where the server keeps them from accounts that hold no more than SELECT
/// (MariaDB): a cascade that nobody knows of would make a clock look trustworthy (T5).
pub(crate) async fn add_hidden_rules(session: &mut Session, catalog: &mut Catalog) -> Result<(), Fault> {
    for (name, text) in table_ddl(session, &catalog.without_rules()).await? {
        let Some((table, _)) = catalog.tables.get_mut(&name) else { continue };
        let Ok(ddl) = ddl::split(&text) else { continue };
        for key in &mut table.foreign_keys {
            if let Some((on_delete, on_update)) = ddl.foreign_key_rules(&key.name) {
                (key.on_delete, key.on_update) = (on_delete, on_update);
            }
        }
    }
    Ok(())
}

async fn look_into(session: &mut Session, catalog: Catalog) -> Result<Vec<TableSurvey>, Fault> {
    let looks: Vec<String> = catalog.tables.values().map(|(table, _)| clocks::query(table)).collect();
    let answers = batch::each(session, "look into the tables", &looks).await?;
    let mut surveyed = Vec::with_capacity(catalog.tables.len());
    for ((name, (table, usage)), answer) in catalog.tables.into_iter().zip(answers) {
        let (rows_at_least, clocks) = match answer {
            Ok(rows) => rows.first().map(|row| clocks::read(&table, row)).unwrap_or_default(),
            Err(fault) if is_gone(&fault) => continue,
            Err(fault) if table.transactional() => return Err(fault.of(&name)),
            // A broken MyISAM table or a remote engine without its server: it is left out of the plan in any case.
            Err(_) => (0, Vec::new()),
        };
        surveyed.push(TableSurvey {
            writes: Observed::Unknown("not looked at".to_owned()),
            table,
            rows_estimate: usage.rows_estimate,
            rows_at_least,
            data_bytes: usage.data_bytes,
            index_bytes: usage.index_bytes,
            update_time: usage.update_time,
            create_time: usage.create_time,
            clocks,
            reads: Vec::new(),
            contradictions: Vec::new(),
        });
    }
    Ok(surveyed)
}

/// A table dropped or changed while the survey ran is left to the next one.
fn is_gone(fault: &Fault) -> bool {
    matches!(fault.kind, FaultKind::TableMissing | FaultKind::TableChanged)
}

/// Returns the names of the base tables that exist among some, as the server spells them.
///
/// # Errors
/// What breaks the session.
pub(crate) async fn existing(session: &mut Session, wanted: &[TableName]) -> Result<Vec<TableName>, Fault> {
    const DOING: &str = "look which tables exist";
    let schemas: BTreeSet<&str> = wanted.iter().map(|name| name.schema.as_str()).collect();
    let query = |schema: &&str| {
        let schema = crate::sql::literal(schema);
        format!(
            "SELECT TABLE_SCHEMA,TABLE_NAME FROM information_schema.TABLES \
             WHERE TABLE_SCHEMA={schema} AND TABLE_TYPE NOT LIKE '%VIEW'"
        )
    };
    let queries: Vec<String> = schemas.iter().map(query).collect();
    if queries.is_empty() {
        return Ok(Vec::new());
    }
    let sets = session.sets(DOING, &queries.join(";")).await?;
    let there: BTreeSet<TableName> =
        sets.iter().flatten().map(|row| TableName::new(text_or_empty(row, 0), text_or_empty(row, 1))).collect();
    Ok(wanted.iter().filter(|name| there.contains(name)).cloned().collect())
}
