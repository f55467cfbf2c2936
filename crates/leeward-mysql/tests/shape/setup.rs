//! Servers and sessions for these tests.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use leeward_core::fault::Fault;
use leeward_core::fingerprint::fingerprint;
use leeward_core::name::{Side, TableName};
use leeward_core::port::{Definition, Shapes};
use leeward_core::survey::{Survey, TableSurvey};
use leeward_mysql::endpoint::{Compression, Endpoint, FixedPassword, Timeouts, Tls, TlsMode};
use leeward_mysql::shape::ServerShapes;
use leeward_mysql::survey::survey;
use leeward_testkit::servers::{Kind, Server, pair};

/// An endpoint of the server's administrator, in plain text.
pub fn endpoint(server: &Server, side: Side) -> Endpoint {
    Endpoint {
        side,
        host: server.host().to_owned(),
        port: server.port(),
        user: "root".to_owned(),
        password: Arc::new(FixedPassword::new("")),
        tls: Tls { mode: TlsMode::Disabled, ca_file: None, server_name: None },
        timeouts: Timeouts::default(),
        compression: Compression::Off,
        wire: Arc::default(),
    }
}

/// Both ends of the shared pair.
pub async fn ends(kind: Kind) -> Result<(Endpoint, Endpoint)> {
    let pair = pair(kind).await?;
    Ok((endpoint(&pair.source, Side::Source), endpoint(&pair.target, Side::Target)))
}

/// The same server as another account.
pub fn account(endpoint: &Endpoint, user: &str) -> Endpoint {
    Endpoint { user: user.to_owned(), password: Arc::new(FixedPassword::new("pw")), ..endpoint.clone() }
}

/// Runs a script of plain statements on a server.
pub async fn script(server: &Server, sql: &str) -> Result<()> {
    let mut conn = server.connect().await?;
    leeward_testkit::sample::run_script(&mut conn, sql).await?;
    conn.disconnect().await.context("close the connection")
}

/// Surveys databases over sessions of its own.
pub async fn surveyed(endpoint: &Endpoint, schemas: &[&str]) -> Result<Survey, Fault> {
    let schemas: Vec<String> = schemas.iter().map(|name| (*name).to_owned()).collect();
    survey(endpoint, &schemas).await
}

/// Returns the fingerprints of definitions by name.
pub fn prints(definitions: &[Definition]) -> BTreeMap<TableName, String> {
    definitions.iter().map(|one| (one.table.name.clone(), fingerprint(&one.table))).collect()
}

/// Returns a table of a survey.
pub fn table<'a>(survey: &'a Survey, schema: &str, name: &str) -> Result<&'a TableSurvey> {
    let name = TableName::new(schema, name);
    survey.tables.iter().find(|seen| seen.table.name == name).with_context(|| format!("{name} was surveyed"))
}

/// Looks until the second of the last change is over, when times tell of every further one.
pub async fn settled(shapes: &mut ServerShapes, schemas: &[String]) -> Result<Arc<[Definition]>> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let seen = shapes.definitions(schemas).await?;
        if seen.iter().all(|one| one.since.is_some()) {
            return Ok(seen);
        }
        ensure!(Instant::now() < deadline, "the second never ends: {seen:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
