//! `cargo x`: everything a developer or the CI runs, one file per subcommand.
//!
//! It holds no logic of Leeward's and is not shipped.

mod bench;
mod binary;
mod check;
mod command;
mod demo;
mod kinds;
mod linters;
mod servers;
mod simulate;
mod tally;
mod terraform;
mod test;
mod torture;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Tasks of the Leeward project.
#[derive(Parser)]
#[command(name = "cargo x", bin_name = "cargo x", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Shows everything once: two regions, a slow link, a hurricane, and the proof.
    Demo(demo::DemoArgs),
    /// Checks formatting, lints, documentation, and what is not Rust: Dockerfile, Terraform, alert rules; warnings are errors.
    Check,
    /// Runs every test, on every kind of database server that can be had.
    Test(test::TestArgs),
    /// Hunts for a schedule of crashes, late commits and the like that breaks a promise of the engine.
    Simulate(simulate::SimulateArgs),
    /// Runs the binary under hostile traffic and faults, and judges every commit on the target.
    Torture(torture::TortureArgs),
    /// Measures what Leeward takes, from seed to deletes, and can write the figures into docs/benchmarks.md.
    Bench(bench::BenchArgs),
    /// Installs the database servers that tests use, or leaves a pair of them running.
    Servers(servers::ServersArgs),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().task {
        Task::Demo(args) => demo::run(&args),
        Task::Check => check::run(),
        Task::Test(args) => test::run(&args),
        Task::Simulate(args) => simulate::run(&args),
        Task::Torture(args) => torture::run(&args),
        Task::Bench(args) => bench::run(&args),
        Task::Servers(args) => servers::run(&args),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("cargo x: {error:#}");
        ExitCode::FAILURE
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }
}
