//! `cargo x torture`: the real binary between two private servers, under hostile traffic, while processes are killed, links
//! cut and servers crashed; every commit on the target is judged, and in the end both sides must be equal.
//!
//! It prints and records what came of a run. How a run is made stands in the crate `leeward-torture`, which `cargo x test`
//! uses for a short one.

mod record;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use leeward_testkit::servers::{Kind, workspace_root};
use leeward_torture::{Echo, Form, Options, Report};
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

use crate::binary::{self, Profile};
use crate::kinds;

/// What to run.
#[derive(Args)]
pub(crate) struct TortureArgs {
    /// Draws the traffic and the faults: the same seed gives the same choices in the same order. How these meet is the
    /// machine's doing, so a failure does not always come again.
    #[arg(long, value_name = "N")]
    seed: u64,

    /// Minutes of faults for each kind of server; beginning and end come on top.
    #[arg(long, value_name = "M", value_parser = clap::value_parser!(u64).range(1..=600))]
    minutes: u64,

    /// Kind of server: mariadb or mysql. Without it every kind that can be had, one after the other.
    #[arg(long, value_name = "KIND")]
    kind: Option<Kind>,

    /// Writes the reports to this file as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Appends the runs to the table in docs/proof.md, good or not.
    #[arg(long)]
    record: bool,

    /// Uses this binary instead of building one.
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,

    /// Tells the run on stderr as it goes; its log is written either way.
    #[arg(long)]
    verbose: bool,
}

/// Runs. Ctrl-C or SIGTERM ends it at any moment and takes everything down; nothing is recorded then.
///
/// # Errors
/// When a run cannot be begun. What a run finds wrong is its result: the exit code is then 1.
pub(crate) fn run(args: &TortureArgs) -> Result<ExitCode> {
    let binary = match &args.binary {
        Some(path) => path.canonicalize().context("find the binary")?,
        None => binary::build(Profile::Dev)?,
    };
    let runtime = tokio::runtime::Runtime::new().context("start a runtime")?;
    let outcome = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
        tokio::select! {
            ran = run_all(args, binary) => ran,
            _ = tokio::signal::ctrl_c() => Ok(ExitCode::FAILURE),
            _ = terminate.recv() => Ok(ExitCode::FAILURE),
        }
    });
    // An installation under way must not hold back an interrupted run.
    runtime.shutdown_background();
    outcome
}

async fn run_all(args: &TortureArgs, binary: PathBuf) -> Result<ExitCode> {
    let mut reports = Vec::new();
    for kind in kinds::choose(args.kind, "TORTURED").await? {
        let name = format!("torture/{}-{}", kind.slug(), args.seed);
        let options = Options {
            kind,
            seed: args.seed,
            length: Duration::from_secs(args.minutes * 60),
            form: Form::Long,
            binary: binary.clone(),
            logs: workspace_root().join("target").join(name),
            echo: if args.verbose { Echo::On } else { Echo::Off },
        };
        let report = leeward_torture::run(&options).await.with_context(|| format!("torture {kind}"))?;
        println!("{report}\n");
        if args.record {
            record::append(&report)?;
        }
        reports.push(report);
    }
    if let Some(path) = &args.json {
        let all: Vec<Value> = reports.iter().map(Report::json).collect();
        let text = serde_json::to_string_pretty(&all).context("write the reports as JSON")?;
        fs::write(path, text + "\n").with_context(|| format!("write {}", path.display()))?;
    }
    Ok(if reports.iter().all(Report::is_good) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
