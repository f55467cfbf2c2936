//! The hurricane: the source is gone from one moment to the next. What Leeward says then is taken
//! down word by word, because the next scene holds it to that.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use chrono::NaiveDateTime;
use tokio::process::Child;

use super::copy::{self, TableStatus};
use super::narrator::{Tone, clock, count, painted, prompt, say, span};
use super::stage::Stage;
use crate::binary::terminate;

/// Looks at the copy after the source has gone, one a second.
const LINES_AFTER: u32 = 3;

/// What Leeward claims.
pub(super) struct Loss {
    /// Every row written up to here is on the target.
    pub(super) cut_at: NaiveDateTime,
    /// Since when each table has been compared whole: deletes older than that are on the target.
    pub(super) tables: Vec<TableStatus>,
    /// The last commit that the application got an answer for, by the source's clock.
    pub(super) died_at: NaiveDateTime,
}

impl Loss {
    /// Returns since when every table has been compared whole.
    pub(super) fn verified_since(&self) -> NaiveDateTime {
        self.tables.iter().filter_map(|table| table.verified_since).min().unwrap_or(self.cut_at)
    }
}

/// Kills the source while it is written to and asks Leeward what was lost.
pub(super) async fn strike(stage: &mut Stage, mut sync: Child) -> Result<Loss> {
    say("Without a warning and in the middle of its transactions, the source is killed (SIGKILL).");
    let mut source = stage.source.take().context("there is a source to kill")?;
    tokio::task::block_in_place(|| source.kill_hard())?;
    drop(source);
    let mut shop = stage.shop.take().context("there is an application")?;
    let counters = shop.until_ended().await?;
    let died_at = counters.last_commit.context("the application has committed something")?;
    say(&format!(
        "us-east-1 is dark. The application had committed {} transactions; the last answer it got was for one of {}.",
        count(counters.transactions),
        painted(Tone::Heading, &clock(died_at))
    ));
    println!();
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    for _ in 0..LINES_AFTER {
        ticks.tick().await;
        copy::line(stage, &copy::status(stage).await?);
    }
    println!("\nsync does not give up; it tries again until a person decides:\n");
    print!("{}", painted(Tone::Quiet, &copy::log_tail(stage)));

    ask(stage, "status", ["nothing waits for a person", "a person is needed"]).await?;
    ask(stage, "readiness", ["the copy can take over", "the copy cannot take over"]).await?;
    let loss = statement(stage, died_at).await?;
    let status = terminate(&mut sync).await?;
    ensure!(status.success(), "`leeward sync` ended with {status} after SIGTERM");
    println!();
    say("sync was asked to stop (SIGTERM): it gave its lease back and ended with exit code 0.");
    Ok(loss)
}

/// Runs a command whose exit code is its answer, and says what yes and no mean.
async fn ask(stage: &Stage, subcommand: &str, [yes, no]: [&str; 2]) -> Result<()> {
    prompt(&format!("leeward {subcommand}"));
    let status = stage.leeward.show(&[subcommand]).await?;
    let (tone, words) = match status.code() {
        Some(0) => (Tone::Good, format!("exit code 0: {yes}")),
        Some(2) => (Tone::Bad, format!("exit code 2: {no}")),
        _ => bail!("`leeward {subcommand}` ended with {status}"),
    };
    println!("\n{}", painted(tone, &words));
    Ok(())
}

/// Returns what Leeward claims, from its answers as JSON.
async fn statement(stage: &Stage, died_at: NaiveDateTime) -> Result<Loss> {
    let (_, readiness) = stage.leeward.ask(&["readiness"]).await?;
    let status = copy::status(stage).await?;
    let cut_at = status.cut_at.context("the status names the last cut")?;
    let words = readiness["words"][0].as_str().context("readiness says what would be lost")?;
    let named = cut_at.format("%Y-%m-%d %H:%M:%S%.3f").to_string();
    ensure!(words.contains(&named), "readiness names another cut than status, which has {named}: {words}");
    println!();
    say(&format!(
        "So Leeward stands by this: every row written before {} is here as it was then (rows deleted, or changed \
         without their clock, as of the last comparison of their table). The application's last commit was at {}: {} \
         of work are lost, the measured recovery point, and not a moment more.",
        painted(Tone::Heading, &clock(cut_at)),
        clock(died_at),
        painted(Tone::Heading, &span(died_at - cut_at))
    ));
    Ok(Loss { cut_at, tables: status.tables, died_at })
}
