//! The project's cache folder and the file locks that let only one process at a time install or
//! build something in it.

use std::fs::{self, File};
use std::path::PathBuf;

use anyhow::{Context, Result};

/// Returns `.cache/` at the root of the project, which git ignores. Deleting it costs one download.
pub(super) fn cache_dir() -> PathBuf {
    crate::servers::workspace_root().join(".cache")
}

/// Waits for the exclusive right to build `name` in the cache folder; it ends when the file is
/// dropped, or with the process.
pub(super) fn exclusive(name: &str) -> Result<File> {
    let dir = cache_dir();
    fs::create_dir_all(&dir).with_context(|| format!("create {}", dir.display()))?;
    let path = dir.join(format!("{name}.lock"));
    let file = File::create(&path).with_context(|| format!("create {}", path.display()))?;
    file.lock().with_context(|| format!("lock {}", path.display()))?;
    Ok(file)
}
