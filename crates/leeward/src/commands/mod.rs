//! The subcommands, one file each. This one reads the configuration for all of them and starts the runtime.

mod accept;
mod doctor;
mod dump;
mod healthcheck;
mod load;
mod plan;
mod planning;
mod readiness;
mod seed;
mod snapshot;
pub mod status;
mod sync;
mod traffic;
mod verify;
mod witness;

use anyhow::Context;

use crate::cli::{Cli, Command, SnapshotArgs};
use crate::config::raw::{self, Environment, Surroundings};
use crate::config::{Mistakes, Need, Needs, Settings, Talk, resolve};
use crate::telemetry::Screen;
use crate::{Answer, Failure, wire};

/// What every command works with.
pub struct Desk {
    /// The checked configuration.
    pub settings: Settings,
    /// How results are written.
    pub talk: Talk,
    /// Where progress is shown.
    pub screen: Screen,
}

/// Does what was typed.
///
/// # Errors
/// Whatever kept it from being done.
pub fn run(cli: &Cli, talk: Talk, screen: &Screen, environment: &Environment) -> Result<Answer, Failure> {
    let directory = wire::directory()?;
    let settings = settings(cli, Surroundings { environment, directory: &directory })?;
    if let Some(path) = &settings.file_path {
        tracing::debug!(path = %path.display(), "configuration file read");
    }
    for warning in &settings.warnings {
        tracing::warn!("{warning}");
    }
    let desk = Desk { settings, talk, screen: screen.clone() };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("start the runtime")?;
    runtime.block_on(dispatch(&cli.command, &desk))
}

async fn dispatch(command: &Command, desk: &Desk) -> Result<Answer, Failure> {
    match command {
        Command::Doctor => doctor::run(desk).await,
        Command::Plan(args) => plan::run(desk, args).await,
        Command::Seed(args) => seed::run(desk, args).await,
        Command::Dump(args) => dump::run(desk, args).await,
        Command::Load(args) => load::run(desk, args).await,
        Command::Snapshot(args) => snapshot::run(desk, args).await,
        Command::Restore(args) => load::restore(desk, args).await,
        Command::Sync(args) => sync::run(desk, args).await,
        Command::Healthcheck(_) => healthcheck::run(desk).await,
        Command::Status => status::run(desk).await,
        Command::Accept(args) => accept::run(desk, args).await,
        Command::Verify(args) => verify::run(desk, args).await,
        Command::Readiness(args) => readiness::run(desk, args).await,
    }
}

fn settings(cli: &Cli, surroundings: Surroundings<'_>) -> Result<Settings, Mistakes> {
    let raw = raw::gather(&cli.flags(), surroundings)?;
    resolve::resolve(raw, needs(&cli.command), surroundings.environment)
}

/// Which servers a command cannot do without. `status`, `accept` and `readiness` must work when the source's region is gone.
fn needs(command: &Command) -> Needs {
    match command {
        Command::Doctor | Command::Seed(_) | Command::Sync(_) | Command::Verify(_) => {
            Needs { source: Need::Must, target: Need::Must }
        }
        Command::Plan(_) | Command::Dump(_) | Command::Snapshot(SnapshotArgs { action: None, .. }) => {
            Needs { source: Need::Must, target: Need::IfGiven }
        }
        Command::Snapshot(_) => Needs { source: Need::IfGiven, target: Need::IfGiven },
        Command::Load(_) | Command::Restore(_) => Needs { source: Need::IfGiven, target: Need::Must },
        // What a check is about can be asked from anywhere.
        Command::Readiness(args) if args.explain.is_some() => Needs { source: Need::IfGiven, target: Need::IfGiven },
        Command::Status | Command::Accept(_) | Command::Readiness(_) => {
            Needs { source: Need::IfGiven, target: Need::Must }
        }
        Command::Healthcheck(_) => Needs { source: Need::IfGiven, target: Need::IfGiven },
    }
}
