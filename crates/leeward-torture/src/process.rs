//! The real binary as processes: one that ends by itself and is waited for, or one that keeps running and is killed,
//! frozen, woken or stopped.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// How long one command may take before it counts as hung: a seed of everything while traffic goes on.
const COMMAND_MAX: Duration = Duration::from_secs(240);

/// How long a polite stop may take: Leeward itself gives a cycle 10 s.
const STOP_MAX: Duration = Duration::from_secs(30);

/// Bytes of a log that are looked at; a process says little.
const LOG_TAIL_BYTES: usize = 4_000;

/// Everything that stays the same from call to call.
#[derive(Debug, Clone)]
pub(crate) struct Binary {
    pub(crate) path: PathBuf,
    /// Where it runs: a folder without a `leeward.toml`.
    pub(crate) folder: PathBuf,
    pub(crate) variables: Vec<(&'static str, String)>,
}

impl Binary {
    /// Its environment is empty but for what is given. It is killed when its handle is dropped.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.path);
        command.args(arguments).current_dir(&self.folder).env_clear().envs(self.variables.iter().cloned());
        command.stdin(Stdio::null()).process_group(0).kill_on_drop(true);
        command
    }

    /// Runs a command to its end. Returns its exit code and what it wrote to stdout and stderr.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Result<(i32, String, String)> {
        let output = timeout(COMMAND_MAX, self.command(arguments).output()).await;
        let Ok(output) = output else {
            bail!("`leeward {}` still runs after {} s", arguments.join(" "), COMMAND_MAX.as_secs());
        };
        let output = output.context("start leeward")?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok((output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr)))
    }

    /// Runs a command with `--output json`. Returns its answer, whatever its exit code.
    pub(crate) async fn ask(&self, arguments: &[&str]) -> Result<Value> {
        let (_, answer, said) = self.run(&[arguments, &["--output", "json"]].concat()).await?;
        let what = || format!("read the answer of `leeward {}`: {}", arguments.join(" "), last_line(&said));
        serde_json::from_str(&answer).with_context(what)
    }

    /// Starts a command that keeps running; what it says goes into a file.
    pub(crate) fn start(&self, arguments: &[&str], log: PathBuf) -> Result<Process> {
        let out = File::create(&log).context("create a log file")?;
        let also = out.try_clone().context("share a log file")?;
        let child = self.command(arguments).stdout(out).stderr(also).spawn().context("start leeward")?;
        let number = child.id().map(u32::cast_signed).context("find its process id")?;
        let pid = Pid::from_raw(number).context("find its process id")?;
        Ok(Process { child, pid, log })
    }
}

/// A process that keeps running.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pid: Pid,
    log: PathBuf,
}

impl Process {
    pub(crate) fn id(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(self.pid, signal).context("signal leeward")
    }

    /// Kills it with SIGKILL and waits until it is gone.
    pub(crate) async fn kill(mut self) -> Result<()> {
        self.child.kill().await.context("kill leeward")
    }

    /// Asks it to stop, and returns how it ended.
    pub(crate) async fn stop(mut self) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        self.ended(STOP_MAX).await
    }

    /// Waits until it ends by itself.
    pub(crate) async fn ended(&mut self, wait_max: Duration) -> Result<ExitStatus> {
        match timeout(wait_max, self.child.wait()).await {
            Ok(status) => status.context("wait for leeward"),
            Err(_) => bail!("leeward still runs {} s after it should have ended", wait_max.as_secs()),
        }
    }

    /// Returns how it ended, if it has.
    pub(crate) fn has_ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().context("look at leeward")
    }

    /// Returns the last line that it wrote.
    pub(crate) fn last_words(&self) -> String {
        last_line(&tail(&self.log))
    }

    /// Returns whether it wrote a text lately.
    pub(crate) fn said(&self, text: &str) -> bool {
        tail(&self.log).contains(text)
    }
}

fn tail(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(LOG_TAIL_BYTES)..]).into_owned()
}

fn last_line(text: &str) -> String {
    text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().trim().to_owned()
}
