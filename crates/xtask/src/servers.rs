//! `cargo x servers`: installs what tests, demo and benchmarks run on, or leaves a pair of servers
//! up to play with.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use leeward_testkit::servers::{Kind, Pair, Programs, ServerOptions};
use tokio::signal::unix::{SignalKind, signal};

/// Which servers, and what to do with them.
#[derive(Args)]
pub(crate) struct ServersArgs {
    /// Kind of server (mariadb, mysql); without it both are prepared, and MariaDB is started.
    #[arg(long, value_name = "KIND", global = true)]
    kind: Option<Kind>,

    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Clone, Copy, Subcommand)]
enum Action {
    /// Starts a source and a target, prints their URLs, and stops them at Ctrl-C.
    Start,
}

/// The account that `start` makes on each side; it protects nothing but loopback.
const ACCOUNT: &str = "leeward";

/// Prepares or starts servers.
pub(crate) fn run(args: &ServersArgs) -> Result<ExitCode> {
    match args.action {
        None => Ok(prepare(args.kind)),
        Some(Action::Start) => {
            let runtime = tokio::runtime::Runtime::new().context("start a runtime")?;
            runtime.block_on(start(args.kind.unwrap_or(Kind::MariaDb)))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn prepare(wanted: Option<Kind>) -> ExitCode {
    let mut outcome = ExitCode::SUCCESS;
    for kind in Kind::ALL {
        if wanted.is_some_and(|wanted| wanted != kind) {
            continue;
        }
        match Programs::prepare(kind) {
            Ok(programs) => println!("{kind} {} is ready", programs.version()),
            Err(error) => {
                println!("{kind} cannot be had here: {error:#}");
                // Tests go on without MySQL unless it was asked for.
                if kind == Kind::MariaDb || wanted.is_some() {
                    outcome = ExitCode::FAILURE;
                }
            }
        }
    }
    outcome
}

async fn start(kind: Kind) -> Result<()> {
    let pair = Pair::start(kind, ServerOptions::default()).await?;
    pair.source.create_reader(ACCOUNT, ACCOUNT, &["TRIGGER", "EVENT"]).await?;
    pair.target.create_rds_like_admin(ACCOUNT, ACCOUNT).await?;
    println!("# {kind} {}, twice; Ctrl-C stops both and removes their data.", pair.source.version());
    println!("# Accounts as on RDS: a reader on the source, a master user on the target.");
    println!("export LEEWARD_SOURCE_URL='{}'", pair.source.url(ACCOUNT, ACCOUNT));
    println!("export LEEWARD_TARGET_URL='{}'", pair.target.url(ACCOUNT, ACCOUNT));
    println!("# The administrator of each side, who can load data:");
    println!("#   source {}", pair.source.admin_url());
    println!("#   target {}", pair.target.admin_url());
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.context("listen for Ctrl-C"),
        _ = terminate.recv() => Ok(()),
    }
}
