//! `cargo x simulate`: runs the engine against databases in memory, schedule after schedule, until one breaks a promise.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;

use crate::command::cargo;

/// What to simulate.
#[derive(Args)]
pub(crate) struct SimulateArgs {
    /// The seed to begin with. Alone, it runs that one schedule, and tells and shrinks it if it fails.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Hunts for this long.
    #[arg(long, value_name = "S", conflicts_with = "schedules")]
    seconds: Option<u64>,

    /// Hunts through this many schedules.
    #[arg(long, value_name = "N")]
    schedules: Option<u64>,

    /// Breaks Leeward on purpose; `--break list` names the ways. The hunt is then expected to fail.
    #[arg(long = "break", value_name = "NAME")]
    broken: Option<String>,

    /// Leaves a hazard out, such as `crash`; `--without list` names them. May be repeated.
    #[arg(long, value_name = "HAZARD")]
    without: Vec<String>,
}

/// Passes the arguments on to the simulator, which is built with optimization in every profile.
pub(crate) fn run(args: &SimulateArgs) -> Result<ExitCode> {
    let mut command = cargo(&["run", "--quiet", "--package", "leeward-sim", "--"]);
    let numbers = [("--seed", args.seed), ("--seconds", args.seconds), ("--schedules", args.schedules)];
    for (name, number) in numbers {
        if let Some(number) = number {
            command.arg(name).arg(number.to_string());
        }
    }
    if args.seed.is_none() && args.seconds.is_none() && args.schedules.is_none() {
        command.args(["--seconds", "30"]);
    }
    for (name, words) in [("--break", args.broken.as_slice()), ("--without", &args.without)] {
        for word in words {
            command.arg(name).arg(word);
        }
    }
    let status = command.status().context("start the simulator")?;
    Ok(status.code().map_or(ExitCode::FAILURE, |code| ExitCode::from(code as u8)))
}
