//! `cargo x bench`: what Leeward costs, measured with the release build on private servers: medians
//! of several runs, beside the tools that everybody has where there are some.
//!
//! It prints what it saw, and with `--write` puts the same lines into docs/benchmarks.md. It does not
//! judge the machine: whoever publishes a figure sees to it that nothing else runs.

mod bare;
mod chart;
mod deletes;
mod digest;
mod document;
mod figures;
mod growth;
mod held;
mod lag;
mod machine;
mod memory;
mod merge;
mod meter;
mod peers;
mod phases;
mod process;
mod quiet;
mod repair;
mod rig;
mod scrub;
mod seed;
mod tables;
mod verify;
mod wan;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use leeward_testkit::servers::Kind;
use tokio::signal::unix::{SignalKind, signal};

use crate::binary::{self, Profile};
use crate::kinds;
use figures::Section;

/// What to measure, and how thoroughly.
#[derive(Args)]
pub(crate) struct BenchArgs {
    /// Cases to measure; all of them when none is named.
    #[arg(value_enum)]
    cases: Vec<Case>,

    /// Kind of server: mariadb or mysql. Without it both are measured.
    #[arg(long, value_name = "KIND")]
    kind: Option<Kind>,

    /// Rows in each table of `seed` and `wan` (750000 unless given), in each of the four of `memory` and in the one of
    /// `verify`, `repair`, `merge`, `deletes` and `scrub`, and in all tables of the smaller database of `growth` (1000000
    /// unless given); fewer for a trial.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1_000..=1_000_000))]
    rows: Option<u64>,

    /// Tables of `seed`, and the large ones of `wan`.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=64))]
    tables: u64,

    /// Runs of each measurement; the median is reported.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    runs: u32,

    /// Rows deleted in each run of `deletes`.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    deletes: u32,

    /// Seconds for which `held` keeps a transaction open.
    #[arg(long, value_name = "SECONDS", default_value_t = 40, value_parser = clap::value_parser!(u64).range(20..=3_600))]
    hold: u64,

    /// Puts the figures into docs/benchmarks.md, in place of the older ones of the same cases.
    #[arg(long)]
    write: bool,
}

/// Something to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Case {
    /// The first copy, beside `mysqldump | mysql`, mydumper and the servers' bare limit.
    Seed,
    /// The first copy, 70 ms away, of a few large tables and of many small ones.
    Wan,
    /// A cycle with nothing to do, over 300 tables, 70 ms away.
    Quiet,
    /// From a commit on the source to the same on the target, 70 ms away.
    Lag,
    /// Peak memory of the first copy.
    Memory,
    /// The full comparison, beside the bare digest query, and 70 ms away.
    Verify,
    /// Differences scattered over a table, beside pt-table-sync, and 70 ms away.
    Repair,
    /// Changed rows of a table with a clock in one cycle, beside the bare statements.
    Merge,
    /// From a delete on the source to the row's end on the target, without anything that tells of deletes.
    Deletes,
    /// What comparing costs the source.
    Scrub,
    /// Cycles behind a transaction that stays open.
    Held,
    /// Ten times the rows, a hundred times the tables: seed and comparison.
    Growth,
}

impl Case {
    const ALL: [Case; 12] = [
        Case::Seed,
        Case::Wan,
        Case::Quiet,
        Case::Lag,
        Case::Memory,
        Case::Verify,
        Case::Repair,
        Case::Merge,
        Case::Deletes,
        Case::Scrub,
        Case::Held,
        Case::Growth,
    ];

    fn slug(self) -> &'static str {
        match self {
            Case::Seed => "seed",
            Case::Wan => "wan",
            Case::Quiet => "quiet",
            Case::Lag => "lag",
            Case::Memory => "memory",
            Case::Verify => "verify",
            Case::Repair => "repair",
            Case::Merge => "merge",
            Case::Deletes => "deletes",
            Case::Scrub => "scrub",
            Case::Held => "held",
            Case::Growth => "growth",
        }
    }
}

impl BenchArgs {
    /// Returns the rows of a case's tables. Those of `seed` and `wan` are six million together in eight tables.
    fn rows(&self, case: Case) -> u64 {
        let usual = if matches!(case, Case::Seed | Case::Wan) { 750_000 } else { 1_000_000 };
        self.rows.unwrap_or(usual)
    }
}

/// Measures. Ctrl-C or SIGTERM ends it at any moment and takes the servers down; nothing is written
/// then.
///
/// # Errors
/// When a case cannot be measured. A target that is missed is a result, not an error.
pub(crate) fn run(args: &BenchArgs) -> Result<ExitCode> {
    if args.write {
        ensure!(args.runs >= 3, "a figure that is written down is the median of three runs or more");
    }
    let path = binary::build(Profile::Release)?;
    let runtime = tokio::runtime::Runtime::new().context("start a runtime")?;
    let outcome = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
        tokio::select! {
            measured = measure_all(args, &path) => measured,
            _ = tokio::signal::ctrl_c() => Ok(ExitCode::FAILURE),
            _ = terminate.recv() => Ok(ExitCode::FAILURE),
        }
    });
    // An installation under way must not hold back an interrupted benchmark.
    runtime.shutdown_background();
    outcome
}

async fn measure_all(args: &BenchArgs, path: &Path) -> Result<ExitCode> {
    let cases = if args.cases.is_empty() { Case::ALL.to_vec() } else { args.cases.clone() };
    let kinds = kinds::choose(args.kind, "MEASURED").await?;
    // Looked at once: later on the load is our own.
    let machine = machine::describe();
    println!("{machine}");
    for case in cases {
        let mut section = Section::new(case.slug(), &command_line(args, case), &machine);
        for &kind in &kinds {
            eprintln!("bench: {} on {kind} …", case.slug());
            measure(case, kind, args, path.to_path_buf(), &mut section)
                .await
                .with_context(|| format!("measure {} on {kind}", case.slug()))?;
        }
        println!("\n{}", section.text());
        if args.write {
            document::write(&section)?;
            chart::draw()?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn measure(case: Case, kind: Kind, args: &BenchArgs, path: PathBuf, section: &mut Section) -> Result<()> {
    let (rows, runs) = (args.rows(case), args.runs);
    match case {
        Case::Seed => seed::measure(kind, (args.tables, rows, runs), path, section).await,
        Case::Wan => wan::measure(kind, (args.tables, rows, runs), path, section).await,
        Case::Quiet => quiet::measure(kind, runs, path, section).await,
        Case::Lag => lag::measure(kind, runs, path, section).await,
        Case::Memory => memory::measure(kind, (rows, runs), path, section).await,
        Case::Verify => verify::measure(kind, (rows, runs), path, section).await,
        Case::Repair => repair::measure(kind, (rows, runs), path, section).await,
        Case::Merge => merge::measure(kind, (rows, runs), path, section).await,
        Case::Deletes => deletes::measure(kind, (rows, runs, args.deletes), path, section).await,
        Case::Scrub => scrub::measure(kind, (rows, runs), path, section).await,
        Case::Held => held::measure(kind, (args.hold, runs), path, section).await,
        Case::Growth => growth::measure(kind, (rows, runs), path, section).await,
    }
}

/// Returns the command that measures one case again.
fn command_line(args: &BenchArgs, case: Case) -> String {
    let mut words = vec!["cargo x bench".to_owned(), case.slug().to_owned()];
    if let Some(kind) = args.kind {
        words.push(format!("--kind {}", kind.slug()));
    }
    if !matches!(case, Case::Quiet | Case::Lag | Case::Held) {
        words.push(format!("--rows {}", args.rows(case)));
    }
    match case {
        Case::Seed | Case::Wan => words.push(format!("--tables {}", args.tables)),
        Case::Deletes => words.push(format!("--deletes {}", args.deletes)),
        Case::Held => words.push(format!("--hold {}", args.hold)),
        _ => {}
    }
    words.push(format!("--runs {}", args.runs));
    words.join(" ")
}
