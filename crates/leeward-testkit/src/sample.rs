//! Sample databases: the project's own `harbor` and the public `sakila` where it is found.
//!
//! Loads and locates, nothing more: it does not create users, choose a server or touch any other
//! database. Both loaders drop and rebuild the database that they load.

mod script;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

pub use script::statements;

/// The scripts of `harbor`, in the order in which they must run.
const HARBOR_SCRIPTS: [(&str, &str); 3] = [
    ("schema.sql", include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/sample/schema.sql"))),
    ("data.sql", include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/sample/data.sql"))),
    ("programs.sql", include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/sample/programs.sql"))),
];

/// The name under which the scripts of `harbor` create their database.
pub const HARBOR: &str = "harbor";

/// The name under which the scripts of `sakila` create their database.
pub const SAKILA: &str = "sakila";

/// The environment variable that names the folder of `sakila`.
const SAMPLE_DIR_VARIABLE: &str = "LEEWARD_SAMPLE_DIR";

/// Where `sakila` lies beside a checkout, seen from the root of the workspace.
const SAMPLE_DIR_BESIDE: &str = "../shared/data/sakila";

/// Loads `harbor` under its own name, replacing a database of that name.
///
/// Changes session settings of `conn` (time zone, default database): use a connection of its own.
pub async fn load_harbor(conn: &mut Conn) -> Result<()> {
    load_harbor_as(conn, HARBOR).await
}

/// Loads `harbor` under another name, so that tests on one server do not meet.
///
/// Fails when `database` is not a plain name of letters, digits and underscores.
pub async fn load_harbor_as(conn: &mut Conn, database: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    ensure!(
        !database.is_empty() && database.chars().all(plain),
        "the sample's database name is not a plain name: {database}"
    );
    for (name, script) in HARBOR_SCRIPTS {
        let renamed = statements(script).into_iter().map(|statement| renamed(statement, database)).collect();
        run(conn, renamed).await.with_context(|| format!("load {name} of harbor"))?;
    }
    Ok(())
}

/// Returns the folder that holds `schema.sql` and `data.sql` of sakila, if there is one.
///
/// `LEEWARD_SAMPLE_DIR` decides alone when it is set, so that a mistyped path is not replaced by
/// another sample without a word; otherwise the folder beside the checkout is tried.
pub fn locate_sakila() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(SAMPLE_DIR_BESIDE);
    let dir = std::env::var_os(SAMPLE_DIR_VARIABLE).map_or_else(beside, PathBuf::from);
    let complete = dir.join("schema.sql").is_file() && dir.join("data.sql").is_file();
    complete.then_some(dir)
}

/// Loads `sakila` from `dir`, replacing a database of that name.
///
/// Changes session settings of `conn` (default database): use a connection of its own.
pub async fn load_sakila(conn: &mut Conn, dir: &Path) -> Result<()> {
    conn.query_drop("SET NAMES utf8mb4").await?;
    conn.query_drop("SET time_zone = '+00:00'").await?;
    for name in ["schema.sql", "data.sql"] {
        let script =
            tokio::fs::read_to_string(dir.join(name)).await.with_context(|| format!("read {name} of sakila"))?;
        run(conn, statements(&script)).await.with_context(|| format!("load {name} of sakila"))?;
    }
    // The script switches autocommit off and leaves it so.
    conn.query_drop("SET autocommit = 1").await?;
    Ok(())
}

/// Runs the statements of `script` one after the other on `conn`; stops at the first error.
pub async fn run_script(conn: &mut Conn, script: &str) -> Result<()> {
    run(conn, statements(script)).await
}

async fn run(conn: &mut Conn, statements: Vec<String>) -> Result<()> {
    let count = statements.len();
    for (index, statement) in statements.into_iter().enumerate() {
        let opening = opening_words(&statement);
        conn.query_drop(statement)
            .await
            .with_context(|| format!("run statement {} of {count} ({opening} …)", index + 1))?;
    }
    Ok(())
}

/// Returns the first words of a statement: enough to find it, too few to show a row's values.
fn opening_words(statement: &str) -> String {
    let words: Vec<&str> = statement.split_whitespace().take(3).collect();
    words.join(" ")
}

/// Puts another database name into the three statements of `harbor` that say it.
fn renamed(statement: String, database: &str) -> String {
    for opening in ["DROP DATABASE IF EXISTS ", "CREATE DATABASE ", "USE "] {
        let named = format!("{opening}{HARBOR}");
        if let Some(rest) = statement.strip_prefix(&named) {
            return format!("{opening}{database}{rest}");
        }
    }
    statement
}
