//! Programs of Python's packages, installed into the project's cache, each into a folder of its own: their dependencies get in
//! nobody's way.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::lock;

/// Returns a program, installing it where it is missing and saying so on stderr. The package that holds it comes last, so that
/// where the program is, all of it is. Of several processes one installs.
///
/// # Errors
/// Where this machine has no Python with `venv`, or its packages cannot be had.
pub(super) fn program(name: &str, packages: &[&str]) -> Result<PathBuf> {
    let _lock = lock::exclusive(name)?;
    let folder = lock::cache_dir().join(name);
    let program = folder.join("bin").join(name);
    if !program.is_file() {
        eprintln!("installing {} …", packages.join(", "));
        succeed(Command::new("python3").args(["-m", "venv"]).arg(&folder), "make a place for Python's packages")?;
        for package in packages {
            let mut pip = Command::new(folder.join("bin").join("pip"));
            pip.args(["install", "--quiet", "--disable-pip-version-check", package]);
            succeed(&mut pip, &format!("install {package}"))?;
        }
    }
    Ok(program)
}

fn succeed(command: &mut Command, doing: &str) -> Result<()> {
    let output = command.output().with_context(|| doing.to_owned())?;
    ensure!(output.status.success(), "{doing}: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}
