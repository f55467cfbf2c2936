//! Runs a server under a tiny shell that kills it when this process is gone, however it went.
//!
//! The kernel's own "signal on parent's death" fires when the *thread* that started the server
//! ends, and tests run in threads that come and go. The shell instead reads a pipe whose other end
//! only this process holds: end of file means that nobody is left to use the server.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// How long a server may take to stand still; one thread in a long system call delays the rest.
const FREEZE_MAX: Duration = Duration::from_secs(10);

/// `$1` log file, `$2` folder to remove after an orphan (or empty), then the server's own words.
const SCRIPT: &str = r#"
log=$1; scratch=$2; shift 2
exec 3<&0
"$@" </dev/null >>"$log" 2>&1 3<&- &
server=$!
echo "$server"
exec >/dev/null
(
  read -r _ <&3
  if [ -n "$scratch" ]; then : >"$scratch/orphaned"; fi
  kill -KILL "$server"
) &
watcher=$!
wait "$server"
status=$?
kill "$watcher" 2>/dev/null
if [ -n "$scratch" ] && [ -e "$scratch/orphaned" ]; then
  for folder in "$scratch"/data/*/; do umount "$folder" 2>/dev/null; done
  rm -rf "$scratch"
fi
exit "$status"
"#;

/// A server process and the shell that watches over it.
pub(super) struct Watched {
    shell: Child,
    server: Pid,
    /// Closed by the kernel when this process ends; the shell waits for that.
    _lifeline: ChildStdin,
}

impl Watched {
    /// Starts a command. Its output is appended to `log`; `orphan_dir` is removed if this process
    /// ends before the server.
    pub(super) fn spawn(command: &Command, log: &Path, orphan_dir: Option<&Path>) -> Result<Watched> {
        let mut shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "leeward-testkit-watchdog"])
            .arg(log)
            .arg(orphan_dir.unwrap_or(Path::new("")))
            .arg(command.get_program())
            .args(command.get_args())
            // A Ctrl-C at the terminal must reach this process, which then ends the servers in
            // its own order, and not all of them at once.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // An inherited stderr would keep the reader of a test's output waiting.
            .stderr(Stdio::null())
            .spawn()
            .context("start a shell to run the server")?;
        let lifeline = shell.stdin.take().context("hold the shell's standard input")?;
        let stdout = shell.stdout.take().context("read the shell's standard output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).context("read the server's process number")?;
        let number: i32 = line.trim().parse().context("parse the server's process number")?;
        let server = Pid::from_raw(number).context("the server has a process number")?;
        Ok(Watched { shell, server, _lifeline: lifeline })
    }

    /// Sends a signal to the server itself.
    pub(super) fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(self.server, signal).with_context(|| format!("send {signal:?} to the server"))
    }

    /// Stops every thread of the server and waits until the last of them stands still: the signal
    /// alone leaves some of them a moment to answer.
    pub(super) fn freeze(&self) -> Result<()> {
        self.signal(Signal::STOP)?;
        let deadline = Instant::now() + FREEZE_MAX;
        while !self.stands_still()? {
            if Instant::now() >= deadline {
                bail!("freeze the server: it still runs after {} s", FREEZE_MAX.as_secs());
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn stands_still(&self) -> Result<bool> {
        let tasks = format!("/proc/{}/task", self.server.as_raw_nonzero());
        for task in fs::read_dir(&tasks).context("list the server's threads")? {
            // A thread that ended meanwhile runs no more.
            let Ok(stat) = fs::read_to_string(task?.path().join("stat")) else { continue };
            // The state follows the program's name, which stands in parentheses.
            let state = stat.rsplit_once(") ").map(|(_, rest)| rest);
            if !state.is_some_and(|state| state.starts_with('T')) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Tells whether the server has ended, without waiting.
    pub(super) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.shell.try_wait().context("look after the server's process")
    }

    /// Waits until the server has ended.
    pub(super) fn wait_ended(&mut self, wait_max: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + wait_max;
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                bail!("wait for the server to end: still running after {} s", wait_max.as_secs());
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Returns the end of a server's error log.
pub(super) fn log_tail(log: &Path) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    super::apt::tail(&String::from_utf8_lossy(&bytes))
}
