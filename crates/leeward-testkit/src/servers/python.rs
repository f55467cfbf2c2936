//! Programs from Python's packages, each installed into a place of its own in the project's cache.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::{apt, lock};

/// Returns the folder of the programs of `name`, installing the packages in this order where `program` is missing and
/// saying so on stderr.
///
/// # Errors
/// Where this machine has no Python with `venv`, or the packages cannot be had.
pub fn programs(name: &str, packages: &[&str], program: &str) -> Result<PathBuf> {
    let _lock = lock::exclusive(name)?;
    let folder = lock::cache_dir().join(name);
    let programs = folder.join("bin");
    if !programs.join(program).is_file() {
        eprintln!("installing {} …", packages.join(", "));
        let place =
            || succeed(Command::new("python3").args(["-m", "venv"]).arg(&folder), "make a place for Python's packages");
        // Debian keeps `venv` apart from Python itself.
        place().or_else(|_| apt::install(&["python3", "python3-venv"]).and_then(|()| place()))?;
        for package in packages {
            let mut pip = Command::new(programs.join("pip"));
            pip.args(["install", "--quiet", "--disable-pip-version-check", package]);
            succeed(&mut pip, &format!("install {package}"))?;
        }
    }
    Ok(programs)
}

fn succeed(command: &mut Command, doing: &str) -> Result<()> {
    let output = command.output().with_context(|| doing.to_owned())?;
    ensure!(output.status.success(), "{doing}: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}
