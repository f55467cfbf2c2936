//! Endpoints to the servers of a test, and small questions to them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use leeward_core::fault::Fault;
use leeward_core::name::Side;
use leeward_mysql::endpoint::{Compression, Endpoint, FixedPassword, Timeouts, Tls, TlsMode};
use leeward_mysql::session::Session;
use leeward_testkit::proxy::Proxy;
use leeward_testkit::servers::{Kind, Server, pair};

/// How long a test waits for something that must come soon, on a machine that is busy with a build.
pub const SOON: Duration = Duration::from_secs(30);

pub fn no_tls() -> Tls {
    Tls { mode: TlsMode::Disabled, ca_file: None, server_name: None }
}

/// An endpoint of the server's administrator, in plain text.
pub fn endpoint(server: &Server, side: Side) -> Endpoint {
    Endpoint {
        side,
        host: server.host().to_owned(),
        port: server.port(),
        user: "root".to_owned(),
        password: Arc::new(FixedPassword::new("")),
        tls: no_tls(),
        timeouts: Timeouts::default(),
        compression: Compression::Off,
        wire: Arc::default(),
    }
}

/// The same through a proxy.
pub fn through(proxy: &Proxy, endpoint: &Endpoint) -> Endpoint {
    Endpoint { host: "127.0.0.1".to_owned(), port: proxy.address().port(), ..endpoint.clone() }
}

/// The shared target of a kind, and a new database on it.
pub async fn target(kind: Kind) -> Result<(Endpoint, String)> {
    static DATABASES: AtomicU32 = AtomicU32::new(0);
    let server = &pair(kind).await?.target;
    let database = format!("session_{}_{}", std::process::id(), DATABASES.fetch_add(1, Ordering::Relaxed));
    let endpoint = endpoint(server, Side::Target);
    let mut session = Session::open(&endpoint, "test").await?;
    session.run("make a database", &format!("CREATE DATABASE {database}")).await?;
    Ok((endpoint, database))
}

pub async fn source(kind: Kind) -> Result<Endpoint> {
    Ok(endpoint(&pair(kind).await?.source, Side::Source))
}

pub async fn count(session: &mut Session, table: &str) -> Result<u64> {
    let row = session.row("count", &format!("SELECT COUNT(*) FROM {table}")).await?;
    row.and_then(|row| row.get(0)).context("COUNT returns a row")
}

/// Waits until the server has no such thread, or none that executes a statement.
pub async fn wait_until_idle(endpoint: &Endpoint, thread_id: u64) -> Result<()> {
    let mut session = Session::open(endpoint, "test").await?;
    let sql = format!(
        "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID={thread_id} AND COMMAND NOT IN ('Sleep','Killed')"
    );
    let started = std::time::Instant::now();
    loop {
        let row = session.row("look at the threads", &sql).await?;
        if row.and_then(|row| row.get::<u64, _>(0)) == Some(0) {
            return Ok(());
        }
        ensure!(started.elapsed() < SOON, "thread {thread_id} still executes its statement");
    }
}

pub fn cause(fault: &Fault) -> String {
    fault.cause.as_ref().map(ToString::to_string).unwrap_or_default()
}
