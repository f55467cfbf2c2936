//! The real binary as a process: run to its end or left running, watched through its exit code, stdout and stderr.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use super::wait::eventually;
use super::{PASSWORD, ROW_VALUE};

/// How long one command may take before it counts as hung.
const COMMAND_MAX: Duration = Duration::from_secs(150);

/// How often a process's peak memory is read. It never falls, so only what happens in the last moment of a process can be
/// missed.
const PEAK_EVERY: Duration = Duration::from_millis(10);

/// Prints of a failed command that are shown; enough for the fault and what led to it.
const SHOWN_LINES: usize = 40;

/// A command about to be started. Its environment is empty but for what is given.
pub struct Leeward {
    command: Command,
}

impl Leeward {
    /// Prepares the binary, to be started in `folder`.
    pub fn new(arguments: &[&str], folder: &Path) -> Leeward {
        let mut command = Command::new(env!("CARGO_BIN_EXE_leeward"));
        command.args(arguments).current_dir(folder).env_clear();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        Leeward { command }
    }

    /// Sets a variable of its environment.
    pub fn env(mut self, name: &str, value: &str) -> Leeward {
        self.command.env(name, value);
        self
    }

    /// Starts it and leaves it running.
    pub fn start(mut self) -> Result<Running> {
        let mut child = self.command.spawn().context("start leeward")?;
        let stdout = Lines::read(child.stdout.take().context("read its stdout")?);
        let stderr = Lines::read(child.stderr.take().context("read its stderr")?);
        let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed())).context("find its process id")?;
        Ok(Running { child, pid, stdout, stderr })
    }

    /// Runs it to its end.
    pub async fn run(self) -> Result<Ran> {
        self.start()?.ended().await
    }
}

/// Lines as they arrive.
struct Lines {
    seen: Arc<Mutex<Vec<String>>>,
    reader: JoinHandle<()>,
}

impl Lines {
    fn read(pipe: impl AsyncRead + Unpin + Send + 'static) -> Lines {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let into = seen.clone();
        let reader = tokio::spawn(async move {
            let mut lines = BufReader::new(pipe).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                into.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        Lines { seen, reader }
    }

    fn text(&self) -> String {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }
}

/// A process of leeward's that has not been waited for.
pub struct Running {
    child: Child,
    pid: Pid,
    stdout: Lines,
    stderr: Lines,
}

impl Running {
    /// Returns what it has written to stderr so far.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Waits until stderr holds a text.
    pub async fn says(&mut self, text: &str) -> Result<()> {
        eventually(&format!("leeward says {text:?}"), async || {
            if self.stderr().contains(text) {
                return Ok(Some(()));
            }
            ensure!(self.is_running()?, "leeward ended before it said {text:?}:\n{}", self.stderr());
            Ok(None)
        })
        .await
    }

    /// Returns its process id.
    pub fn id(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Returns whether it still runs.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait().context("look at leeward")?.is_none())
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(self.pid, signal).context("signal leeward")
    }

    /// Kills it with SIGKILL and waits until it is gone.
    pub async fn kill(mut self) -> Result<()> {
        self.child.kill().await.context("kill leeward")?;
        self.ended().await?;
        Ok(())
    }

    /// Asks it to stop and waits for its end.
    pub async fn stop(self) -> Result<Ran> {
        self.signal(Signal::TERM)?;
        self.ended().await
    }

    /// Waits for its end. Returns also how much memory was resident at its highest (VmHWM), in bytes.
    pub async fn ended_with_peak(self) -> Result<(Ran, u64)> {
        let id = self.id();
        let ended = self.ended();
        tokio::pin!(ended);
        let mut peak = 0;
        let mut look = tokio::time::interval(PEAK_EVERY);
        loop {
            tokio::select! {
                ended = &mut ended => {
                    ensure!(peak > 0, "its peak memory was not seen");
                    return Ok((ended?, peak));
                }
                _ = look.tick() => peak = peak_bytes(id).unwrap_or(peak),
            }
        }
    }

    /// Waits for its end.
    pub async fn ended(mut self) -> Result<Ran> {
        let waited = tokio::time::timeout(COMMAND_MAX, self.child.wait()).await;
        let Ok(status) = waited else {
            bail!("leeward still runs after {} s; it said:\n{}", COMMAND_MAX.as_secs(), tail(&self.stderr()));
        };
        let status = status.context("wait for leeward")?;
        (&mut self.stdout.reader).await.context("read its stdout")?;
        (&mut self.stderr.reader).await.context("read its stderr")?;
        let ran = Ran { status, stdout: self.stdout.text(), stderr: self.stderr.text() };
        ran.holds_no_secret()?;
        Ok(ran)
    }
}

/// What came of a command.
pub struct Ran {
    status: ExitStatus,
    /// The result.
    pub stdout: String,
    /// Talk and progress.
    pub stderr: String,
}

impl Ran {
    /// Fails unless the exit code is this one; returns itself, to be looked at further.
    #[track_caller]
    pub fn exits(self, code: i32) -> Ran {
        assert_eq!(
            self.status.code(),
            Some(code),
            "{}\nstdout:\n{}\nstderr:\n{}",
            self.status,
            tail(&self.stdout),
            tail(&self.stderr)
        );
        self
    }

    /// Returns both outputs.
    pub fn text(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr)
    }

    /// Fails unless either output holds all of these.
    #[track_caller]
    pub fn says(self, texts: &[&str]) -> Ran {
        for text in texts {
            assert!(self.text().contains(text), "{text:?} is not said:\n{}", tail(&self.text()));
        }
        self
    }

    /// Reads stdout as JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.stdout).with_context(|| format!("read JSON from stdout:\n{}", tail(&self.stdout)))
    }

    /// No output of any command in any test may hold a password or a row's value.
    fn holds_no_secret(&self) -> Result<()> {
        for secret in [PASSWORD, ROW_VALUE] {
            ensure!(!self.text().contains(secret), "the output holds {secret:?}:\n{}", tail(&self.text()));
        }
        Ok(())
    }
}

/// Returns the peak of a process's resident memory; nothing when it has just ended.
fn peak_bytes(id: i32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
}
