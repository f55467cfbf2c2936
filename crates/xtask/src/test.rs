//! `cargo x test`: prepares the database servers, runs every test of the workspace, and closes with
//! what was tested on which server, and what was not.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{ExitCode, ExitStatus, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;
use leeward_testkit::servers::{KINDS_VARIABLE, Kind, Programs, SKIPS_VARIABLE};

use crate::command::cargo;
use crate::tally::Tally;

/// What to test.
#[derive(Args)]
pub(crate) struct TestArgs {
    /// Tests on this kind of server only (mariadb, mysql); may be repeated. Without it MariaDB is
    /// tested always and MySQL where it can be had.
    #[arg(long = "kind", value_name = "KIND")]
    kinds: Vec<Kind>,

    /// Arguments for `cargo test`, such as `-p leeward-core` or part of a test's name.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "CARGO TEST ARGUMENTS")]
    cargo_arguments: Vec<String>,
}

/// A kind of server with its exact version, or the reason why it is not tested.
struct Candidate {
    kind: Kind,
    version: Result<String, String>,
}

/// Runs the tests; fails when one failed, when they could not be built, or when MariaDB or a kind
/// that was asked for cannot be had.
pub(crate) fn run(args: &TestArgs) -> Result<ExitCode> {
    let candidates = prepare(&args.kinds)?;
    let folder = tempfile::tempdir().context("create a folder for the list of skipped tests")?;
    let skips_file = folder.path().join("skips");
    let (status, mut tally) = run_cargo_test(args, &candidates, &skips_file)?;
    let skips = fs::read_to_string(&skips_file).unwrap_or_default();
    tally.subtract_skips(skips.lines().count() as u64);
    if !status.success() && tally.failed == 0 {
        // Tests that could not be built, or a test program that crashed, print no count.
        println!("cargo test ended with {status} before it could count a failure");
        tally.failed = 1;
    }
    println!();
    for candidate in &candidates {
        match &candidate.version {
            Ok(version) => println!("tested on {} {version}", candidate.kind),
            Err(reason) => println!("NOT TESTED on {}: {reason}", candidate.kind),
        }
    }
    for line in skips.lines() {
        println!("skipped: {}", line.replace('\t', " | "));
    }
    println!("{tally}");
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn prepare(wanted: &[Kind]) -> Result<Vec<Candidate>> {
    let mut candidates = Vec::new();
    for kind in Kind::ALL {
        let version = if !wanted.is_empty() && !wanted.contains(&kind) {
            Err("--kind leaves it out".to_string())
        } else {
            Programs::prepare(kind).map(|programs| programs.version().to_string()).map_err(|error| format!("{error:#}"))
        };
        if let Err(reason) = &version
            && (wanted.contains(&kind) || (wanted.is_empty() && kind == Kind::MariaDb))
        {
            bail!("{reason}");
        }
        candidates.push(Candidate { kind, version });
    }
    Ok(candidates)
}

/// Runs `cargo test`, passing its output on line by line and counting as it goes.
fn run_cargo_test(args: &TestArgs, candidates: &[Candidate], skips_file: &Path) -> Result<(ExitStatus, Tally)> {
    let kinds: Vec<&str> = candidates
        .iter()
        .filter(|candidate| candidate.version.is_ok())
        .map(|candidate| candidate.kind.slug())
        .collect();
    let mut command = cargo(&["test", "--no-fail-fast"]);
    // A package that is named is tested alone, as with cargo itself.
    if !args.cargo_arguments.iter().any(|argument| argument.starts_with("-p") || argument == "--package") {
        command.arg("--workspace");
    }
    let mut child = command
        .args(&args.cargo_arguments)
        .env(KINDS_VARIABLE, kinds.join(","))
        .env(SKIPS_VARIABLE, skips_file)
        .stdout(Stdio::piped())
        .spawn()
        .context("start cargo test")?;
    let output = child.stdout.take().context("read what cargo test prints")?;
    let mut tally = Tally::default();
    let mut screen = std::io::stdout().lock();
    for line in BufReader::new(output).split(b'\n') {
        let line = line.context("read what cargo test prints")?;
        let line = String::from_utf8_lossy(&line);
        tally.add_line(&line);
        writeln!(screen, "{line}").context("print")?;
    }
    drop(screen);
    let status = child.wait().context("wait for cargo test")?;
    Ok((status, tally))
}
