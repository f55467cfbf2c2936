//! The linters of what is not Rust: the Dockerfile, Terraform, alert rules. They come from other places than cargo's, so one that
//! cannot be had is named as such; it counts neither as passed nor as failed.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use leeward_testkit::servers::{linters, workspace_root};

/// One call of a linter.
struct Lint {
    name: &'static str,
    program: fn() -> Result<PathBuf>,
    arguments: &'static [&'static str],
}

/// All of them run, whatever the others say.
const LINTS: [Lint; 5] = [
    Lint { name: "Dockerfile", program: linters::hadolint, arguments: &["Dockerfile"] },
    Lint {
        name: "Dockerfile's security",
        program: linters::checkov,
        arguments: &["--quiet", "--compact", "--skip-download", "--framework", "dockerfile", "--file", "Dockerfile"],
    },
    Lint {
        name: "Terraform's security",
        program: linters::checkov,
        // Without --skip-download it would ask its maker's servers for guidelines.
        arguments: &["--quiet", "--compact", "--skip-download", "--framework", "terraform", "--directory", "infra"],
    },
    Lint {
        name: "alert rules",
        program: linters::promtool,
        arguments: &["check", "rules", "infra/prometheus/alerts.yml"],
    },
    Lint {
        name: "tests of alert rules",
        program: linters::promtool,
        arguments: &["test", "rules", "infra/prometheus/alerts_test.yml"],
    },
];

/// What came of the linters.
#[derive(Default)]
pub(crate) struct Linted {
    /// How many found nothing.
    pub(crate) passed: usize,
    /// Those that found something, which they have said themselves.
    pub(crate) failed: Vec<&'static str>,
    /// Those that could not be had, and why.
    pub(crate) unchecked: Vec<(&'static str, String)>,
    /// Those that need what is never fetched and is not here, and what that is.
    pub(crate) skipped: Vec<(&'static str, String)>,
}

impl Linted {
    /// Notes what came of one.
    pub(crate) fn note(&mut self, name: &'static str, has_passed: bool) {
        match has_passed {
            true => self.passed += 1,
            false => self.failed.push(name),
        }
    }
}

/// Runs all linters.
pub(crate) fn run() -> Result<Linted> {
    let mut linted = Linted::default();
    for lint in LINTS {
        let program = match (lint.program)() {
            Ok(program) => program,
            Err(error) => {
                linted.unchecked.push((lint.name, format!("{error:#}")));
                continue;
            }
        };
        let tool = program.file_name().unwrap_or_default().to_string_lossy();
        println!("check: {} ({tool} {})", lint.name, lint.arguments.join(" "));
        let status = Command::new(&program)
            .args(lint.arguments)
            .current_dir(workspace_root())
            .stdin(Stdio::null())
            .status()
            .with_context(|| format!("start {tool}"))?;
        linted.note(lint.name, status.success());
    }
    Ok(linted)
}
