//! What comparing costs the source: processor time, rows read, and what a stream of small queries feels of it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use leeward_testkit::servers::Kind;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::figures::{Figure, Section, Target, median, percentile};
use super::meter::Meter;
use super::rig::Rig;
use super::tables::{DATABASE, fill_ledger};
use crate::binary::terminate;

/// Length of one run: several times what a pass over the keys and the rest after it take.
const WINDOW: Duration = Duration::from_secs(20);

/// Time between two small queries.
const QUERY_EVERY: Duration = Duration::from_millis(10);

/// How long `sync` may take to its first cycles.
const FIRST_MAX: Duration = Duration::from_secs(60);

/// What the built-in policy allows (`scrub.source_share`).
const SOURCE_SHARE: f64 = 0.10;

/// How much is compared, in the words of the tables, and the rules that bring it about.
const WAYS: [(&str, &str); 3] = [
    ("nothing compared", "[scrub]\npass_interval = \"30d\"\nkeys_interval = \"30d\"\n"),
    ("built-in policy", ""),
    ("comparing without a pause", "[scrub]\npass_interval = \"1s\"\nkeys_interval = \"1s\"\n"),
];

/// One run of one way.
struct Run {
    cpu_s_per_min: f64,
    rows_per_min: f64,
    query_ms: f64,
    query_ms_tail: f64,
}

/// Measures all ways; each has a plan and so a copy of its own.
pub(super) async fn measure(kind: Kind, (rows, runs): (u64, u32), path: PathBuf, section: &mut Section) -> Result<()> {
    let rig = Rig::start(kind, path, DATABASE).await?;
    fill_ledger(&rig, rows).await?;
    let mut idle_cpu_s = f64::NAN;
    for (way, rules) in WAYS {
        rig.clear_target().await?;
        rig.policy(rules)?;
        let measured = compare(&rig, rows, runs).await?;
        let figure = |what: &str, unit, value: fn(&Run) -> f64| {
            let what = format!("{what}, {way}");
            Figure::new(&rig.server(), &what, unit, measured.iter().map(value).collect())
        };
        section.add(figure("processor time of the source", "s/min", |run| run.cpu_s_per_min));
        if rules.contains("30d") {
            idle_cpu_s = median(&measured.iter().map(|run| run.cpu_s_per_min).collect::<Vec<_>>());
        } else {
            let share = measured.iter().map(|run| (run.cpu_s_per_min - idle_cpu_s) / 60.0).collect();
            let what = format!("share of one core that comparing takes, {way}");
            section.add(Figure::new(&rig.server(), &what, "", share).within(Target::Median(SOURCE_SHARE)));
        }
        section.add(figure("rows read along an index", "/min", |run| run.rows_per_min));
        section.add(figure("a small query, median", "ms", |run| run.query_ms));
        section.add(figure("a small query, 95th percentile", "ms", |run| run.query_ms_tail));
    }
    section.note(&format!(
        "One table of {rows} rows (id, k, note CHAR(100), updated_at with an index), kept by merge, nothing written. Each \
         run is {} s of `sync` at the default interval, with one SELECT by primary key every {} ms beside it. \
         `nothing compared` is the same with both intervals at 30 days: fence, cut and delta, and the small queries, are in \
         it too, so the share is the difference to its median. `comparing without a pause` has both intervals at 1 s: a \
         pass over content and one over keys are always under way, and the budget alone holds them back. Processor time \
         is the whole server's, by /proc; the budget (`source_share`) is kept by the time that answers take.",
        WINDOW.as_secs(),
        QUERY_EVERY.as_millis()
    ));
    Ok(())
}

async fn compare(rig: &Rig, rows: u64, runs: u32) -> Result<Vec<Run>> {
    rig.leeward.run(&["seed"]).await?;
    let mut sync = rig.leeward.start(&["sync"], &rig.log())?;
    // The first cycles look around.
    tokio::time::timeout(FIRST_MAX, rig.cycles_pass(10)).await.context("wait for sync's first cycles")??;
    let mut meter = Meter::start(&rig.pair.source).await?;
    let mut conn = rig.pair.source.connect().await?;
    let mut measured = Vec::new();
    for _ in 0..runs {
        let (before, began) = (meter.read().await?, Instant::now());
        let queries_ms = query(&mut conn, rows).await?;
        let (after, minutes) = (meter.read().await?, began.elapsed().as_secs_f64() / 60.0);
        measured.push(Run {
            cpu_s_per_min: (after.cpu_s - before.cpu_s) / minutes,
            rows_per_min: (after.rows_read - before.rows_read) / minutes,
            query_ms: median(&queries_ms),
            query_ms_tail: percentile(&queries_ms, 0.95),
        });
    }
    meter.stop().await?;
    conn.disconnect().await.context("close a connection")?;
    terminate(&mut sync).await?;
    Ok(measured)
}

/// Asks small queries for the length of a window and returns how long each took, in milliseconds.
async fn query(conn: &mut Conn, rows: u64) -> Result<Vec<f64>> {
    let mut ticks = tokio::time::interval(QUERY_EVERY);
    // A query that comes late is asked late: the load stays the same however slow the answers are.
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let (began, mut took) = (Instant::now(), Vec::new());
    let mut number = 0_u64;
    while began.elapsed() < WINDOW {
        ticks.tick().await;
        number += 1;
        let key = 1 + number * 7_919 % rows;
        let asked = Instant::now();
        let found: Option<i64> =
            conn.query_first(format!("SELECT k FROM {DATABASE}.ledger WHERE id={key}")).await.context("ask")?;
        took.push(asked.elapsed().as_secs_f64() * 1000.0);
        found.context("a small query finds its row")?;
    }
    Ok(took)
}
