//! reladiff, a tool that compares tables across databases: installed from Python's packages into the project's cache, so that
//! it can be measured beside Leeward.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::python;

/// The version that the project's baseline was measured with.
const VERSION: &str = "0.6.0";

/// What is installed, in order: its driver comes first, so that where the program is, all of it is.
const PACKAGES: [&str; 2] = ["mysql-connector-python==26.10.0", "reladiff==0.6.0"];

/// The installed reladiff.
#[derive(Clone, Debug)]
pub struct Reladiff {
    program: PathBuf,
}

impl Reladiff {
    /// Returns the program, installing it where it is missing and saying so on stderr.
    ///
    /// # Errors
    /// Where this machine has no Python with `venv`, or its packages cannot be had.
    pub fn prepare() -> Result<Reladiff> {
        let program = python::programs("reladiff", &PACKAGES, "reladiff")?.join("reladiff");
        Ok(Reladiff { program })
    }

    /// Returns the exact version.
    pub fn version(&self) -> &str {
        VERSION
    }

    /// Returns a command that compares one table of both servers, as the administrator of both, by these columns beside its
    /// key `id`, with four threads on each side.
    pub fn compare(
        &self,
        sides: (SocketAddr, SocketAddr),
        (database, table): (&str, &str),
        columns: &[&str],
    ) -> Command {
        let url = |at: SocketAddr| format!("mysql://root@{at}/{database}");
        let mut command = Command::new(&self.program);
        command.args([&url(sides.0), table, &url(sides.1), table, "-k", "id", "-j", "4"]);
        command.args(columns.iter().flat_map(|column| ["-c", column]));
        command
    }
}
