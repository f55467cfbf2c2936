//! Runs a command to its end and tells how long it took and how much memory it had at most.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

/// How often the peak is read. It never falls, so only what happens in the last interval of a
/// process's life can be missed.
const READ_EVERY: Duration = Duration::from_millis(10);

/// What a command took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    pub(super) wall_s: f64,
    /// Peak resident memory (VmHWM), MiB.
    pub(super) peak_mib: f64,
}

/// Runs a command that must succeed.
pub(super) async fn run(mut command: Command) -> Result<Taken> {
    let began = Instant::now();
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().context("start leeward")?;
    let status = format!("/proc/{}/status", child.id().context("the process has a number")?);
    let mut peak_kib = 0;
    let ended = child.wait_with_output();
    tokio::pin!(ended);
    let output = loop {
        tokio::select! {
            output = &mut ended => break output.context("wait for leeward")?,
            () = tokio::time::sleep(READ_EVERY) => peak_kib = peak_kib.max(read_peak_kib(&status).unwrap_or(0)),
        }
    };
    let wall_s = began.elapsed().as_secs_f64();
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "leeward ended with {}: {}", output.status, said.trim());
    ensure!(peak_kib > 0, "read the peak memory of leeward: it ended at once");
    Ok(Taken { wall_s, peak_mib: peak_kib as f64 / 1024.0 })
}

fn read_peak_kib(path: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
