//! A source and a target shared by all tests of one test binary: each test makes databases of its
//! own, with names of its own. A test that stops a server starts one for itself.

use std::env;

use anyhow::{Context, Result};
use tokio::sync::OnceCell;

use super::{Kind, Server, ServerOptions};

/// Names the server to use as the source, instead of a private one.
pub const SOURCE_URL_VARIABLE: &str = "LEEWARD_TEST_SOURCE_URL";

/// Names the server to use as the target, instead of a private one.
pub const TARGET_URL_VARIABLE: &str = "LEEWARD_TEST_TARGET_URL";

/// Two servers of one family.
pub struct Pair {
    /// Where tests put what is to be copied.
    pub source: Server,
    /// Where Leeward puts it.
    pub target: Server,
}

impl Pair {
    /// Starts two private servers, for one test alone.
    pub async fn start(kind: Kind, options: ServerOptions) -> Result<Pair> {
        let (source, target) = tokio::try_join!(Server::start(kind, options.clone()), Server::start(kind, options))?;
        Ok(Pair { source, target })
    }
}

/// Returns the servers that the tests of this process share, starting them at the first call.
///
/// Being shared, they cannot be stopped or changed. They end with the process.
pub async fn pair(kind: Kind) -> Result<&'static Pair> {
    static MARIADB: OnceCell<Pair> = OnceCell::const_new();
    static MYSQL: OnceCell<Pair> = OnceCell::const_new();
    let cell = match kind {
        Kind::MariaDb => &MARIADB,
        Kind::MySql => &MYSQL,
    };
    cell.get_or_try_init(|| shared_pair(kind)).await
}

async fn shared_pair(kind: Kind) -> Result<Pair> {
    if let Some(given) = given_pair().await?
        && given.source.kind() == kind
        && given.target.kind() == kind
    {
        return Ok(given);
    }
    Pair::start(kind, ServerOptions::default()).await
}

/// Returns the pair named in the environment, or `None` unless both servers are named.
async fn given_pair() -> Result<Option<Pair>> {
    let (Ok(source), Ok(target)) = (env::var(SOURCE_URL_VARIABLE), env::var(TARGET_URL_VARIABLE)) else {
        return Ok(None);
    };
    let source = Server::given(&source).await.with_context(|| format!("use {SOURCE_URL_VARIABLE}"))?;
    let target = Server::given(&target).await.with_context(|| format!("use {TARGET_URL_VARIABLE}"))?;
    Ok(Some(Pair { source, target }))
}
