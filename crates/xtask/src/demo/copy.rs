//! The copy at work: `leeward sync` in the background and what the audience sees of it, one line a
//! second, taken from `leeward status --output json`.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use chrono::NaiveDateTime;
use serde_json::Value;
use tokio::process::Child;

use super::narrator::{clock, count, prompt, say};
use super::stage::Stage;

/// Lines of the watch. Long enough to see that the lag does not grow, short enough to stay for.
const LINES: u32 = 15;

/// How long the first complete copy may take to be live: the seed has just compared everything.
const LIVE_WAIT_MAX: Duration = Duration::from_secs(30);

/// How often the state is looked at while waiting for it.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What `leeward status` says of the lane.
pub(super) struct Status {
    /// `live`, `catching_up`, `blocked` …
    pub(super) state: String,
    /// The source's clock at the last applied cut.
    pub(super) cut_at: Option<NaiveDateTime>,
    pub(super) lag_ms: Option<u64>,
    pub(super) cycle: u64,
    pub(super) rows_applied: u64,
    pub(super) tables: Vec<TableStatus>,
}

/// What it says of one table.
pub(super) struct TableStatus {
    /// `database.table`.
    pub(super) name: String,
    pub(super) strategy: String,
    /// Since when every row has been compared, by the source's clock.
    pub(super) verified_since: Option<NaiveDateTime>,
}

/// Starts `leeward sync` in the background.
pub(super) fn start(stage: &Stage) -> Result<Child> {
    prompt("leeward sync &");
    stage.leeward.start(&["sync"], &stage.log())
}

/// Waits until the lane is live, then shows the lag once a second.
pub(super) async fn watch(stage: &Stage) -> Result<()> {
    let live = tokio::time::timeout(LIVE_WAIT_MAX, until_live(stage)).await;
    live.with_context(|| format!("wait for the lane to be live; sync says:\n{}", log_tail(stage)))??;
    say("Each line is one look at the copy. A cut is one consistent view of the source; the target goes from one cut \
         to the next in one transaction, so between the tables nothing is ever half-done.");
    println!("\n  last commit there   the cut here        behind   cycle   rows applied   state");
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    for _ in 0..LINES {
        ticks.tick().await;
        line(stage, &status(stage).await?);
    }
    Ok(())
}

async fn until_live(stage: &Stage) -> Result<()> {
    while status(stage).await?.state != "live" {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// Shows one look at the copy.
pub(super) fn line(stage: &Stage, status: &Status) {
    let written = stage.shop.as_ref().and_then(|shop| shop.counters().last_commit);
    let time = |at: Option<NaiveDateTime>| at.map_or("-".to_owned(), clock);
    let lag = status.lag_ms.map_or("-".to_owned(), |ms| format!("{:.2} s", ms as f64 / 1000.0));
    println!(
        "  {:<18}  {:<18} {:>8}  {:>6}  {:>13}   {}",
        time(written),
        time(status.cut_at),
        lag,
        status.cycle,
        count(status.rows_applied),
        status.state
    );
}

/// Asks the binary for the status. It answers also when the answer is no (exit code 2).
pub(super) async fn status(stage: &Stage) -> Result<Status> {
    let (code, answer) = stage.leeward.ask(&["status"]).await?;
    ensure!(code == 0 || code == 2, "`leeward status` ended with {code}");
    let lane = &answer["lane"];
    let tables = answer["tables"].as_array().context("read the tables of the status")?;
    Ok(Status {
        state: lane["state"].as_str().unwrap_or("unknown").to_owned(),
        cut_at: moment(&lane["cut_at"]),
        lag_ms: lane["lag_ms"].as_u64(),
        cycle: lane["cycle"].as_u64().unwrap_or(0),
        rows_applied: tables.iter().filter_map(|table| table["rows_applied"].as_u64()).sum(),
        tables: tables.iter().map(table_status).collect(),
    })
}

fn table_status(table: &Value) -> TableStatus {
    TableStatus {
        name: table["name"].as_str().unwrap_or_default().to_owned(),
        strategy: table["strategy"].as_str().unwrap_or_default().to_owned(),
        verified_since: moment(&table["verified_since"]),
    }
}

fn moment(value: &Value) -> Option<NaiveDateTime> {
    value.as_str()?.parse().ok()
}

/// Returns the last lines that the process in the background wrote.
pub(super) fn log_tail(stage: &Stage) -> String {
    const LINES_SHOWN: usize = 6;
    let text = std::fs::read_to_string(stage.log()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(LINES_SHOWN);
    lines[from..].iter().map(|line| format!("  {line}\n")).collect()
}
