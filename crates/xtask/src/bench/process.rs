//! Runs commands to their end and tells how long it took, and how much memory and processor time they had.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};

use super::meter::cpu_s;

/// How often a process is looked at. What it has taken never falls, so only what happens in the last
/// interval of its life can be missed.
const READ_EVERY: Duration = Duration::from_millis(10);

/// What a command took.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Taken {
    pub(super) wall_s: f64,
    /// Peak resident memory (VmHWM), MiB.
    pub(super) peak_mib: f64,
    /// Processor time, of the user and of the system.
    pub(super) cpu_s: f64,
}

/// A line that a command said on stderr.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// When, since the command began.
    pub(super) at_s: f64,
    pub(super) text: String,
}

impl Taken {
    /// Returns what this command and another one took that ran after it.
    pub(super) fn then(self, next: Taken) -> Taken {
        Taken {
            wall_s: self.wall_s + next.wall_s,
            peak_mib: self.peak_mib.max(next.peak_mib),
            cpu_s: self.cpu_s + next.cpu_s,
        }
    }
}

/// Runs a command that must succeed.
pub(super) async fn run(command: Command) -> Result<Taken> {
    run_ending(command, &[0]).await
}

/// Runs a command that must end with one of these exit codes.
pub(super) async fn run_ending(command: Command, codes: &[i32]) -> Result<Taken> {
    Ok(hear_ending(command, codes).await?.0)
}

/// Runs a command that must succeed, and returns what it said as well.
pub(super) async fn hear(command: Command) -> Result<(Taken, Vec<Line>)> {
    hear_ending(command, &[0]).await
}

async fn hear_ending(mut command: Command, codes: &[i32]) -> Result<(Taken, Vec<Line>)> {
    let began = Instant::now();
    let heard = to_end(spawn(&mut command)?, began, codes).await;
    heard.with_context(|| format!("run {}", name(&command)))
}

/// Runs two commands that must succeed; the second reads what the first writes.
pub(super) async fn pipe(mut first: Command, mut second: Command) -> Result<Taken> {
    let began = Instant::now();
    let mut writes = spawn(&mut first)?;
    let written: Stdio = writes.stdout.take().context("read what the first command writes")?.try_into()?;
    let reads = spawn(second.stdin(written))?;
    // A command keeps what it gave its child, and so the first would not notice that the second has ended.
    second.stdin(Stdio::null());
    let ((one, _), (other, _)) = tokio::try_join!(to_end(writes, began, &[0]), to_end(reads, began, &[0]))
        .with_context(|| format!("run {} into {}", name(&first), name(&second)))?;
    Ok(Taken {
        wall_s: one.wall_s.max(other.wall_s),
        peak_mib: one.peak_mib + other.peak_mib,
        cpu_s: one.cpu_s + other.cpu_s,
    })
}

fn spawn(command: &mut Command) -> Result<Child> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
    command.spawn().with_context(|| format!("start {}", name(command)))
}

fn name(command: &Command) -> String {
    command.as_std().get_program().to_string_lossy().into_owned()
}

async fn to_end(mut child: Child, began: Instant, codes: &[i32]) -> Result<(Taken, Vec<Line>)> {
    let id = child.id().context("the process has a number")?;
    let stderr = child.stderr.take().context("read what it says")?;
    let mut taken = Taken::default();
    let ended = async { tokio::try_join!(async { Ok(child.wait_with_output().await?) }, lines(stderr, began)) };
    tokio::pin!(ended);
    let (output, said) = loop {
        tokio::select! {
            ended = &mut ended => break ended.context("wait for its end")?,
            () = tokio::time::sleep(READ_EVERY) => taken = read(id).unwrap_or(taken),
        }
    };
    taken.wall_s = began.elapsed().as_secs_f64();
    let texts: Vec<&str> = said.iter().map(|line| line.text.as_str()).collect();
    let expected = output.status.code().is_some_and(|code| codes.contains(&code));
    ensure!(expected, "it ended with {}: {}", output.status, texts.join("\n").trim());
    ensure!(taken.peak_mib > 0.0, "read its peak memory: it ended at once");
    Ok((taken, said))
}

async fn lines(stderr: ChildStderr, began: Instant) -> Result<Vec<Line>> {
    let mut segments = BufReader::new(stderr).split(b'\n');
    let mut said = Vec::new();
    while let Some(text) = segments.next_segment().await.context("read what it says")? {
        said.push(Line { at_s: began.elapsed().as_secs_f64(), text: String::from_utf8_lossy(&text).into_owned() });
    }
    Ok(said)
}

/// Returns what a process has taken so far; nothing when it has just ended.
fn read(id: u32) -> Option<Taken> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let peak_kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    let cpu_s = cpu_s(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?)?;
    Some(Taken { wall_s: 0.0, peak_mib: peak_kib as f64 / 1024.0, cpu_s })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::null());
        command
    }

    #[tokio::test]
    async fn both_ends_of_a_pipe_are_counted() {
        let busy = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
        let alone = run(shell(busy)).await.unwrap();
        let piped = pipe(shell(&format!("{busy}; echo done")), shell(&format!("read word; {busy}"))).await.unwrap();
        assert!(alone.cpu_s > 0.0 && piped.cpu_s > 0.0, "{alone:?}, {piped:?}");
        assert!(piped.peak_mib > 1.5 * alone.peak_mib, "two processes of the same kind: {piped:?} beside {alone:?}");
    }

    #[tokio::test]
    async fn a_command_that_fails_is_an_error_with_what_it_said() {
        let error = run(shell("echo no such table >&2; exit 3")).await.unwrap_err();
        assert!(format!("{error:#}").contains("no such table"), "{error:#}");
        assert!(pipe(shell("kill -STOP $$"), shell("exit 1")).await.is_err(), "a writer without a reader is ended");
    }

    #[test]
    fn one_after_the_other_takes_the_time_of_both_and_the_memory_of_the_larger() {
        let taken = |wall_s, peak_mib, cpu_s| Taken { wall_s, peak_mib, cpu_s };
        assert_eq!(taken(1.0, 9.0, 0.5).then(taken(2.0, 4.0, 0.25)), taken(3.0, 9.0, 0.75));
    }
}
