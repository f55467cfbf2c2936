//! Stopping: the first SIGTERM or Ctrl-C asks politely, the second ends the process at once.

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Exit codes of a process that a signal ended, as shells count them: 128 + 2.
const KILLED_BY_SIGINT: i32 = 130;
/// 128 + 15.
const KILLED_BY_SIGTERM: i32 = 143;

/// Listens for signals from now on. The token is cancelled by the first; the second exits without waiting for anything:
/// the open transaction rolls back when its connection breaks, and the next process resumes from the last commit.
///
/// # Errors
/// When the process may not install signal handlers.
pub fn listen() -> anyhow::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let token = CancellationToken::new();
    let asked = token.clone();
    tokio::spawn(async move {
        next(&mut interrupt, &mut terminate).await;
        tracing::info!("stopping as asked; a second signal ends the process at once");
        asked.cancel();
        let code = next(&mut interrupt, &mut terminate).await;
        std::process::exit(code);
    });
    Ok(token)
}

async fn next(interrupt: &mut Signal, terminate: &mut Signal) -> i32 {
    tokio::select! {
        _ = interrupt.recv() => KILLED_BY_SIGINT,
        _ = terminate.recv() => KILLED_BY_SIGTERM,
    }
}
