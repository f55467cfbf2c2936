//! Servers and sessions for these tests.

use std::sync::Arc;

use anyhow::{Context, Result};
use leeward_core::fault::Fault;
use leeward_core::name::{Side, TableName};
use leeward_core::survey::{Survey, TableSurvey};
use leeward_mysql::endpoint::{Compression, Endpoint, FixedPassword, Timeouts, Tls, TlsMode};
use leeward_mysql::session::Session;
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

/// Surveys databases over a session of its own.
pub async fn surveyed(endpoint: &Endpoint, schemas: &[&str]) -> Result<Survey, Fault> {
    let mut session = Session::open(endpoint, "test").await?;
    let schemas: Vec<String> = schemas.iter().map(|name| (*name).to_owned()).collect();
    survey(&mut session, &schemas).await
}

/// Returns a table of a survey.
pub fn table<'a>(survey: &'a Survey, schema: &str, name: &str) -> Result<&'a TableSurvey> {
    let name = TableName::new(schema, name);
    survey.tables.iter().find(|seen| seen.table.name == name).with_context(|| format!("{name} was surveyed"))
}
