//! mydumper and myloader, the fastest of the usual tools: found on this machine or installed from its distribution's
//! packages, so that they can be measured beside Leeward. It chooses no option but how a server is reached.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::Server;
use super::programs::{find, found_or_installed};

/// The programs of one installed mydumper.
#[derive(Clone, Debug)]
pub struct Mydumper {
    version: String,
    dump: PathBuf,
    load: PathBuf,
}

impl Mydumper {
    /// Returns the programs, installing them where they are missing and saying so on stderr.
    ///
    /// # Errors
    /// Where this machine has none and its packages carry none.
    pub fn prepare() -> Result<Mydumper> {
        found_or_installed(&["mydumper"], Mydumper::find)
    }

    fn find() -> Result<Option<Mydumper>> {
        let (Some(dump), Some(load)) = (find("mydumper"), find("myloader")) else { return Ok(None) };
        let output = Command::new(&dump).arg("--version").output().context("ask mydumper for its version")?;
        let version = version_in(&String::from_utf8_lossy(&output.stdout)).context("read mydumper's version")?;
        Ok(Some(Mydumper { version, dump, load }))
    }

    /// Returns the exact version, as mydumper reports it.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Returns a command that dumps from a private server as its administrator; what and where to are still to be added.
    pub fn dump(&self, source: &Server) -> Command {
        connected(&self.dump, source)
    }

    /// Returns a command that loads a dump into a private server as its administrator.
    pub fn load(&self, target: &Server) -> Command {
        connected(&self.load, target)
    }
}

/// Over TCP, as root without a password.
fn connected(program: &PathBuf, server: &Server) -> Command {
    let mut command = Command::new(program);
    command.args([format!("--host={}", server.host()), format!("--port={}", server.port()), "--user=root".to_owned()]);
    command
}

/// Reads `mydumper 0.10.1, built against MySQL 10.11.6` and `mydumper v1.0.1-3, built …`.
fn version_in(text: &str) -> Option<String> {
    let word = text.split_whitespace().nth(1)?;
    Some(word.trim_start_matches('v').trim_end_matches(',').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_either_line() {
        assert_eq!(version_in("mydumper 0.10.1, built against MySQL 10.11.6\n").as_deref(), Some("0.10.1"));
        assert_eq!(version_in("mydumper v1.0.1-3, built against MariaDB\n").as_deref(), Some("1.0.1-3"));
        assert_eq!(version_in("mydumper"), None);
    }
}
