//! A browser for tests that look at a page as a reader's would: Chromium, installed from the machine's own packages where it is
//! missing, as the database servers are.

use std::path::PathBuf;

use anyhow::Result;

use crate::servers::{find, found_or_installed};

/// The package, and the names under which distributions ship the program.
const PACKAGES: [&str; 1] = ["chromium"];
const PROGRAMS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// Returns the program. The first call on a machine without one may take minutes.
///
/// # Errors
/// When it is not there and cannot be installed.
pub fn program() -> Result<PathBuf> {
    found_or_installed(&PACKAGES, || Ok(PROGRAMS.iter().find_map(|name| find(name))))
}
