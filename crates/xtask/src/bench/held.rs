//! A transaction that stays open on the source while others write: what each cycle reads and how long it takes, before, at
//! the beginning and at the end. Neither may grow with the time that the transaction lasts.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use leeward_testkit::servers::Kind;
use leeward_testkit::workload::{self, Traffic, Workload};
use mysql_async::Opts;
use mysql_async::prelude::Queryable;

use super::figures::{Figure, Section, Target};
use super::rig::Rig;
use super::tables::{DATABASE, create_database};
use crate::binary::terminate;

/// How long cycles are watched at each point.
const WINDOW: Duration = Duration::from_secs(10);

/// Transactions of the four tables a second, of 201 rows each: about 200 rows a second.
const TRANSACTIONS_PER_S: u32 = 1;

/// How much more a cycle may read at the end than at the beginning.
const GROWTH_MAX: f64 = 2.0;

/// How long `sync` may take to its first cycles, and to bring what the transaction wrote.
const ARRIVES_MAX: Duration = Duration::from_secs(60);

/// The mean cycle of one window.
struct Cycles {
    rows_read: f64,
    wall_s: f64,
}

/// Measures with the shortest interval, so that cycles which take longer can be seen to.
pub(super) async fn measure(
    kind: Kind,
    (hold_s, runs): (u64, u32),
    path: PathBuf,
    section: &mut Section,
) -> Result<()> {
    let rig = Rig::start(kind, path, DATABASE).await?;
    let mut conn = rig.pair.source.connect().await?;
    create_database(&mut conn).await?;
    let traffic = Traffic::FourTables { database: DATABASE.to_owned() };
    traffic.prepare(&mut conn).await?;
    conn.query_drop(format!(
        "CREATE TABLE {DATABASE}.journal_held (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, n INT NOT NULL)"
    ))
    .await
    .context("create the held table")?;
    let workload = Workload { traffic: vec![traffic], transactions_per_s: TRANSACTIONS_PER_S, connections: 1, seed: 1 };
    let opts = Opts::from_url(&rig.pair.source.admin_url()).context("parse a server's URL")?;
    let writing = workload::start(opts, workload).await?;
    rig.leeward.run(&["seed"]).await?;
    let arguments = ["sync", "--cycle-interval", "100ms", "--log-level", "debug", "--log-format", "json"];
    let mut sync = rig.leeward.start(&arguments, &rig.log())?;
    tokio::time::timeout(ARRIVES_MAX, rig.cycles_pass(10)).await.context("wait for sync's first cycles")??;
    let mut windows: [Vec<Cycles>; 3] = Default::default();
    let mut arrived_s = Vec::new();
    for _ in 0..runs {
        windows[0].push(watch(&rig).await?);
        conn.query_drop("BEGIN").await.context("begin a transaction")?;
        conn.query_drop(format!("INSERT INTO {DATABASE}.journal_held (n) VALUES (1)")).await.context("hold a row")?;
        let held = Instant::now();
        windows[1].push(watch(&rig).await?);
        let rest = Duration::from_secs(hold_s).saturating_sub(held.elapsed() + WINDOW);
        tokio::time::sleep(rest).await;
        windows[2].push(watch(&rig).await?);
        let id = conn.last_insert_id().context("the held row has an id")?;
        conn.query_drop("COMMIT").await.context("commit the held row")?;
        arrived_s.push(arrival(&rig, id).await?);
    }
    terminate(&mut sync).await?;
    writing.stop().await?;
    conn.disconnect().await.context("close a connection")?;
    report(&rig.server(), (windows, arrived_s), section);
    section.note(&format!(
        "{} rows a second are written in four tables, while another transaction that has inserted one row stays open for \
         {hold_s} s. Each figure is the mean over the cycles of {} s: before it, at its beginning, at its end; \
         with the shortest interval (100 ms), below which no time of a cycle shows. A cycle that read everything since the transaction began would read {} rows \
         at its end.",
        TRANSACTIONS_PER_S * 201,
        WINDOW.as_secs(),
        hold_s * u64::from(TRANSACTIONS_PER_S) * 201
    ));
    Ok(())
}

fn report(server: &str, (windows, arrived_s): ([Vec<Cycles>; 3], Vec<f64>), section: &mut Section) {
    let figure = |what: &str, unit, values| Figure::new(server, what, unit, values);
    for (when, window) in ["before the transaction", "at its beginning", "at its end"].iter().zip(&windows) {
        let of = |value: fn(&Cycles) -> f64| window.iter().map(value).collect();
        section.add(figure(&format!("rows read by a cycle, {when}"), "", of(|cycles| cycles.rows_read)));
        section.add(figure(&format!("wall time of a cycle, {when}"), "s", of(|cycles| cycles.wall_s)));
    }
    let [_, first, last] = &windows;
    let growth = |value: fn(&Cycles) -> f64| {
        first.iter().zip(last).map(|(first, last)| value(last) / value(first).max(f64::MIN_POSITIVE)).collect()
    };
    let (read, wall) = (growth(|cycles| cycles.rows_read.max(1.0)), growth(|cycles| cycles.wall_s));
    section.add(figure("rows read, end / beginning, run by run", "times", read).within(Target::Median(GROWTH_MAX)));
    section.add(figure("wall time, end / beginning, run by run", "times", wall).within(Target::Median(GROWTH_MAX)));
    section.add(figure("commit of the held row to its arrival", "s", arrived_s));
}

/// Returns the mean of the cycles that are committed within a window.
async fn watch(rig: &Rig) -> Result<Cycles> {
    let log = rig.log();
    let before = cycles_read(&log)?.len();
    let began = Instant::now();
    tokio::time::sleep(WINDOW).await;
    let wall_s = began.elapsed().as_secs_f64();
    let read = cycles_read(&log)?.split_off(before);
    ensure!(!read.is_empty(), "sync committed no cycle within {} s", WINDOW.as_secs());
    let cycles = read.len() as f64;
    Ok(Cycles { rows_read: read.iter().sum::<u64>() as f64 / cycles, wall_s: wall_s / cycles })
}

/// Returns how many rows each cycle has read so far, as the log tells.
fn cycles_read(log: &Path) -> Result<Vec<u64>> {
    let text = fs::read_to_string(log).context("read the log of sync")?;
    Ok(text.lines().filter_map(rows_read).collect())
}

fn rows_read(line: &str) -> Option<u64> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    let fields = line.get("fields").unwrap_or(&line);
    (fields["message"] == "cycle committed").then(|| fields["rows_read"].as_u64())?
}

/// Waits until the held row is on the target and returns how long that took, in seconds.
async fn arrival(rig: &Rig, id: u64) -> Result<f64> {
    let committed = Instant::now();
    let mut target = rig.pair.target.connect().await?;
    let sql = format!("SELECT 1 FROM {DATABASE}.journal_held WHERE id={id}");
    while target.query_first::<u8, _>(&sql).await.context("look for the held row")?.is_none() {
        ensure!(committed.elapsed() < ARRIVES_MAX, "what the transaction wrote does not arrive");
        tokio::time::sleep(Duration::from_millis(4)).await;
    }
    target.disconnect().await.context("close a connection")?;
    Ok(committed.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_cycles_that_tell_what_they_read_are_counted() {
        assert_eq!(rows_read(r#"{"level":"DEBUG","message":"cycle committed","rows_read":7}"#), Some(7));
        assert_eq!(rows_read(r#"{"level":"DEBUG","message":"cycle committed","lag_ms":7}"#), None);
        assert_eq!(rows_read("no JSON"), None);
    }
}
