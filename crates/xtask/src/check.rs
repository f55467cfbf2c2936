//! `cargo x check`: what a change must pass before it is worth testing.

use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::command::cargo;
use crate::{linters, terraform};

/// Each check: its name and its cargo arguments. All of them run, whatever the others say.
const CHECKS: [(&str, &[&str]); 3] = [
    ("formatting", &["fmt", "--all", "--check"]),
    ("lints", &["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]),
    ("documentation", &["doc", "--workspace", "--no-deps", "--quiet"]),
];

/// Runs all checks and names those that failed.
pub(crate) fn run() -> Result<ExitCode> {
    let mut failed = Vec::new();
    for (name, arguments) in CHECKS {
        println!("check: {name} (cargo {})", arguments.join(" "));
        let status = cargo(arguments)
            // Read by the documentation check alone.
            .env("RUSTDOCFLAGS", "-D warnings")
            .status()
            .context("start cargo")?;
        if !status.success() {
            failed.push(name);
        }
    }
    let mut linted = linters::run()?;
    terraform::run(&mut linted)?;
    failed.extend(linted.failed);
    for (name, why) in &linted.unchecked {
        println!("check: NOT CHECKED: {name}: {why}");
    }
    for (name, why) in &linted.skipped {
        println!("check: skipped: {name}: {why}");
    }
    if failed.is_empty() {
        println!("check: all {} passed", CHECKS.len() + linted.passed);
        return Ok(ExitCode::SUCCESS);
    }
    println!("check: FAILED: {}", failed.join(", "));
    Ok(ExitCode::FAILURE)
}
