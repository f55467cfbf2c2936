//! From a commit on the source to the same row on the target, 70 ms away, while the source is
//! written to. A probe of its own writes and looks; it does not ask Leeward.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use leeward_testkit::servers::{Kind, Server};
use leeward_testkit::workload::{self, Traffic, Workload};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};

use super::figures::{Figure, Section, Target, median, percentile};
use super::rig::{ROUND_TRIP, Rig};
use super::tables::{DATABASE, create_database};
use crate::binary::terminate;

/// Probes of one run. They take a minute, which is more than a hundred cycles.
const PROBES: u64 = 300;

/// Time between two probes: no multiple of the interval, so that they fall on every part of a cycle.
const PROBE_EVERY: Duration = Duration::from_millis(197);

/// How often the target is looked at: the error of each figure.
const LOOK_EVERY: Duration = Duration::from_millis(4);

/// Median lag that is good enough, seconds.
const LAG_S_MAX: f64 = 1.0;

/// Transactions of the four tables a second, of 201 rows each.
const TRANSACTIONS_PER_S: u32 = 5;

/// How long `sync` may take to bring the first probe.
const FIRST_MAX: Duration = Duration::from_secs(60);

/// How long all probes of a run may take.
const RUN_MAX: Duration = Duration::from_secs(300);

/// Measures with the default interval.
pub(super) async fn measure(kind: Kind, runs: u32, path: PathBuf, section: &mut Section) -> Result<()> {
    let mut rig = Rig::start(kind, path, DATABASE).await?;
    let mut conn = rig.pair.source.connect().await?;
    create_database(&mut conn).await?;
    let traffic = Traffic::FourTables { database: DATABASE.to_owned() };
    traffic.prepare(&mut conn).await?;
    conn.query_drop(format!(
        "CREATE TABLE {DATABASE}.journal_probe (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, n INT NOT NULL)"
    ))
    .await
    .context("create the probe's table")?;
    let workload = Workload { traffic: vec![traffic], transactions_per_s: TRANSACTIONS_PER_S, connections: 2, seed: 1 };
    let writing = workload::start(opts(&rig.pair.source)?, workload).await?;
    writing.until(|done| done.transactions >= 10).await?;
    let link = rig.slow_link().await?;
    rig.leeward.run(&["seed"]).await?;
    let mut sync = rig.leeward.start(&["sync"], &rig.log())?;
    // The first probe waits until sync is up; it is not counted.
    tokio::time::timeout(FIRST_MAX, probes(&rig, 1)).await.context("wait for sync's first cycle")??;
    let (mut medians, mut tails) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let lags = tokio::time::timeout(RUN_MAX, probes(&rig, PROBES)).await.context("wait for the probes")??;
        medians.push(median(&lags));
        tails.push(percentile(&lags, 0.95));
    }
    terminate(&mut sync).await?;
    drop(link);
    writing.stop().await?;
    let figure = |what, values| Figure::new(&rig.server(), what, "s", values);
    section.add(figure("commit to commit, median of a run", medians).within(Target::Median(LAG_S_MAX)));
    section.add(figure("commit to commit, 95th percentile of a run", tails));
    section.note(&format!(
        "{PROBES} probes a run, one every {} ms: a row committed on the source until it is seen on the target, looked at \
         every {} ms. Beside them {TRANSACTIONS_PER_S} transactions a second of the four tables, {} rows a second; {} ms \
         round-trip time, default interval (500 ms).",
        PROBE_EVERY.as_millis(),
        LOOK_EVERY.as_millis(),
        TRANSACTIONS_PER_S * 201,
        ROUND_TRIP.as_millis()
    ));
    Ok(())
}

/// Writes probes at their pace and returns how long each took to arrive, in seconds.
async fn probes(rig: &Rig, count: u64) -> Result<Vec<f64>> {
    let mut source = rig.pair.source.connect().await?;
    let mut target = rig.pair.target.connect().await?;
    let mut under_way: VecDeque<(u64, Instant)> = VecDeque::new();
    let mut lags = Vec::new();
    let mut written = 0;
    let mut next = Instant::now();
    while lags.len() < usize::try_from(count)? {
        if written < count && Instant::now() >= next {
            next += PROBE_EVERY;
            under_way.push_back(write(&mut source).await?);
            written += 1;
        }
        let arrived = newest(&mut target).await?;
        let now = Instant::now();
        while let Some((_, committed)) = under_way.pop_front_if(|(id, _)| *id <= arrived) {
            lags.push((now - committed).as_secs_f64());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    source.disconnect().await.context("close a connection")?;
    target.disconnect().await.context("close a connection")?;
    Ok(lags)
}

/// Commits one row and returns its id and when the commit was answered.
async fn write(source: &mut Conn) -> Result<(u64, Instant)> {
    source.query_drop(format!("INSERT INTO {DATABASE}.journal_probe (n) VALUES (1)")).await.context("write a probe")?;
    let id = source.last_insert_id().context("the probe has an id")?;
    Ok((id, Instant::now()))
}

async fn newest(target: &mut Conn) -> Result<u64> {
    let newest: Option<Option<u64>> =
        target.query_first(format!("SELECT MAX(id) FROM {DATABASE}.journal_probe")).await.context("look for probes")?;
    Ok(newest.flatten().unwrap_or(0))
}

fn opts(server: &Server) -> Result<Opts> {
    Opts::from_url(&server.admin_url()).context("parse a server's URL")
}
