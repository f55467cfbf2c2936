//! The kinds of server that a task runs on, one after the other.

use anyhow::{Context, Result};
use leeward_testkit::servers::{Kind, Programs};

/// Returns the kind that was asked for, or all; MySQL is left out loudly where it cannot be had. `done` is what is not
/// done on it then, in capitals.
pub(crate) async fn choose(wanted: Option<Kind>, done: &str) -> Result<Vec<Kind>> {
    let mut kinds = Vec::new();
    for kind in Kind::ALL {
        if wanted.is_some_and(|wanted| wanted != kind) {
            continue;
        }
        match tokio::task::spawn_blocking(move || Programs::prepare(kind)).await.context("find a server")? {
            Ok(_) => kinds.push(kind),
            Err(error) if wanted.is_none() && kind == Kind::MySql => println!("NOT {done} on {kind}: {error:#}"),
            Err(error) => return Err(error),
        }
    }
    Ok(kinds)
}
