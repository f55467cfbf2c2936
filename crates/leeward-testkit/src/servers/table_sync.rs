//! pt-table-sync of the Percona Toolkit, what most people repair copies with: found on this machine or installed from its
//! distribution's packages, so that it can be measured beside Leeward.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::programs::{find, found_or_installed};

/// The installed pt-table-sync.
#[derive(Clone, Debug)]
pub struct TableSync {
    version: String,
    program: PathBuf,
}

impl TableSync {
    /// Returns the program, installing it where it is missing and saying so on stderr.
    ///
    /// # Errors
    /// Where this machine has none and its packages carry none.
    pub fn prepare() -> Result<TableSync> {
        found_or_installed(&["percona-toolkit"], TableSync::find)
    }

    fn find() -> Result<Option<TableSync>> {
        let Some(program) = find("pt-table-sync") else { return Ok(None) };
        let output = Command::new(&program).arg("--version").output().context("ask pt-table-sync for its version")?;
        let said = String::from_utf8_lossy(&output.stdout);
        // `pt-table-sync 3.2.1`
        let version = said.split_whitespace().last().context("read pt-table-sync's version")?.to_owned();
        Ok(Some(TableSync { version, program }))
    }

    /// Returns the exact version, as it reports it.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Returns a command that makes one table of the target equal to the source's, as the administrator of both.
    pub fn execute(&self, sides: (SocketAddr, SocketAddr), table: (&str, &str)) -> Command {
        self.command("--execute", sides, table)
    }

    /// Returns a command that looks for differences of one table, prints what would resolve them and changes nothing.
    pub fn print(&self, sides: (SocketAddr, SocketAddr), table: (&str, &str)) -> Command {
        self.command("--print", sides, table)
    }

    fn command(&self, what: &str, sides: (SocketAddr, SocketAddr), (database, table): (&str, &str)) -> Command {
        let place = |at: SocketAddr| format!("h={},P={},u=root,D={database},t={table}", at.ip(), at.port());
        let mut command = Command::new(&self.program);
        // It asks for SHOW SLAVE STATUS otherwise, which MySQL has no more.
        command.args(["--no-check-slave", what, &place(sides.0), &place(sides.1)]);
        command
    }
}
