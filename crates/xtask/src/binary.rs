//! The real `leeward` binary: built by cargo, run as child processes, as an operator would run it.
//!
//! Nothing of Leeward is linked into this program; what the demo shows and the benchmarks measure is
//! what is shipped.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::process::{Child, Command};

use crate::command::cargo;

/// How the binary is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Quick to build, slow to run.
    Dev,
    /// As it is shipped.
    Release,
}

/// Builds the binary and returns its path. Cargo's own progress goes to stderr.
pub(crate) fn build(profile: Profile) -> Result<PathBuf> {
    let mut command = cargo(&["build", "--package", "leeward", "--message-format", "json-render-diagnostics"]);
    if profile == Profile::Release {
        command.arg("--release");
    }
    let output = command.stderr(Stdio::inherit()).output().context("start cargo build")?;
    ensure!(output.status.success(), "build leeward: cargo build ended with {}", output.status);
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == "leeward")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .context("find the path of leeward in what cargo build said")
}

/// Everything that stays the same from call to call.
#[derive(Clone, Debug)]
pub(crate) struct Leeward {
    /// The binary.
    pub(crate) path: PathBuf,
    /// Where it runs: a folder without a `leeward.toml`.
    pub(crate) folder: PathBuf,
    /// The source, as Leeward sees it.
    pub(crate) source_url: String,
    /// The target.
    pub(crate) target_url: String,
    /// Databases in scope, comma-separated.
    pub(crate) databases: String,
    /// The policy file.
    pub(crate) policy: PathBuf,
}

impl Leeward {
    /// Returns a call of the binary. It is killed when its handle is dropped, and Ctrl-C at the
    /// terminal does not reach it: whoever starts it also ends it.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.path);
        for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("LEEWARD_")) {
            command.env_remove(name);
        }
        command
            .args(arguments)
            .current_dir(&self.folder)
            .env("LEEWARD_SOURCE_URL", &self.source_url)
            .env("LEEWARD_TARGET_URL", &self.target_url)
            .env("LEEWARD_DATABASES", &self.databases)
            .env("LEEWARD_POLICY", &self.policy)
            .env("LEEWARD_LOG_FORMAT", "text")
            .stdin(Stdio::null())
            .process_group(0)
            .kill_on_drop(true);
        command
    }

    /// Runs a command whose output goes where this program's goes.
    pub(crate) async fn show(&self, arguments: &[&str]) -> Result<ExitStatus> {
        self.command(arguments).status().await.with_context(|| format!("start {}", self.path.display()))
    }

    /// Runs a command with `--output json` and returns its exit code and its answer.
    ///
    /// # Errors
    /// When it prints no JSON; what it said on stderr is in the message.
    pub(crate) async fn ask(&self, arguments: &[&str]) -> Result<(i32, Value)> {
        let output = self.command(arguments).args(["--output", "json"]).output().await.context("start leeward")?;
        let said = String::from_utf8_lossy(&output.stderr);
        let answer = serde_json::from_slice(&output.stdout)
            .with_context(|| format!("read the answer of `leeward {}`: {}", arguments.join(" "), said.trim()))?;
        Ok((output.status.code().unwrap_or(-1), answer))
    }

    /// Runs a command to its end without a word.
    ///
    /// # Errors
    /// When its exit code is not 0; what it said is in the message.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Result<()> {
        let output = self.command(arguments).output().await.context("start leeward")?;
        if !output.status.success() {
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            bail!("`leeward {}` ended with {}: {}", arguments.join(" "), output.status, said.trim());
        }
        Ok(())
    }

    /// Starts a command that keeps running; everything it says is appended to `log`.
    pub(crate) fn start(&self, arguments: &[&str], log: &Path) -> Result<Child> {
        let log = std::fs::File::options().create(true).append(true).open(log).context("open a log file")?;
        let also = log.try_clone().context("open a log file")?;
        self.command(arguments).stdout(log).stderr(also).spawn().context("start leeward")
    }
}

/// Asks a process to stop, as a container's runtime would, and waits until it has.
pub(crate) async fn terminate(child: &mut Child) -> Result<ExitStatus> {
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        kill_process(pid, Signal::TERM).context("send SIGTERM")?;
    }
    child.wait().await.context("wait for leeward to stop")
}
