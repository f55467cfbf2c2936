//! A cycle in which nothing has happened, over 300 tables whose source is 70 ms away: how often it
//! waits for the wire, and how long it takes. Round trips are counted by the proxy, not by Leeward.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use leeward_testkit::proxy::Proxy;
use leeward_testkit::servers::Kind;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::figures::{Figure, Section, Target};
use super::rig::{ROUND_TRIP, Rig};
use super::tables::{DATABASE, create_database};
use crate::binary::terminate;

/// Tables with a clock, kept by `merge`.
const CLOCKED_TABLES: u32 = 200;

/// Tables that are only added to, kept by `append`.
const JOURNAL_TABLES: u32 = 100;

/// Cycles of one run. What is done every few seconds (looking for changed definitions) is in them
/// several times.
const CYCLES_PER_RUN: u64 = 40;

/// Cycles before the first run, in which `sync` looks around.
const CYCLES_BEFORE: u64 = 10;

/// Round trips to the source that a quiet cycle may take.
const ROUND_TRIPS_MAX: f64 = 6.0;

/// How long the cycles of one run may take before something is wrong.
const RUN_MAX: Duration = Duration::from_secs(180);

/// Measures with the default interval, for the round trips, and with the shortest, for the time.
pub(super) async fn measure(kind: Kind, runs: u32, path: PathBuf, section: &mut Section) -> Result<()> {
    let mut rig = Rig::start(kind, path, DATABASE).await?;
    fill(&mut rig.filler().await?).await?;
    rig.leeward.run(&["seed"]).await?;
    let link = rig.slow_link().await?;
    let usual = cycles(&rig, &link, runs, &["sync"]).await?;
    // An interval shorter than a cycle leaves no pause between two cycles.
    let hurried = cycles(&rig, &link, runs, &["sync", "--cycle-interval", "100ms"]).await?;
    let server = rig.server();
    let figure = |what, unit, runs: &[Cycles], value: fn(&Cycles) -> f64| {
        Figure::new(&server, what, unit, runs.iter().map(value).collect())
    };
    let round_trips = figure("round trips to the source in a quiet cycle", "", &usual, |run| run.round_trips);
    section.add(round_trips.within(Target::Median(ROUND_TRIPS_MAX)));
    section.add(figure("bytes to the source in a quiet cycle", "KiB", &usual, |run| run.kib_up));
    section.add(figure("bytes from the source in a quiet cycle", "KiB", &usual, |run| run.kib_down));
    section.add(figure("wall time of a quiet cycle", "s", &hurried, |run| run.wall_s));
    section.note(&format!(
        "{} tables ({CLOCKED_TABLES} merge, {JOURNAL_TABLES} append) of 20 rows, nothing written; {} ms round-trip time. \
         Each run is the mean over {CYCLES_PER_RUN} cycles, with all that sync does beside them (fence, looks at the \
         definitions). Round trips, bytes: default interval; wall time: cycles without a pause between them.",
        CLOCKED_TABLES + JOURNAL_TABLES,
        ROUND_TRIP.as_millis()
    ));
    Ok(())
}

async fn fill(conn: &mut Conn) -> Result<()> {
    create_database(conn).await?;
    for number in 0..CLOCKED_TABLES + JOURNAL_TABLES {
        let id = "id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, note VARCHAR(60) NOT NULL";
        let (table, clock) = if number < CLOCKED_TABLES {
            let clock = ", updated_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) \
                         ON UPDATE CURRENT_TIMESTAMP(6), KEY updated (updated_at)";
            (format!("clocked_{number}"), clock)
        } else {
            (format!("journal_{number}"), "")
        };
        conn.query_drop(format!("CREATE TABLE {DATABASE}.{table} ({id}{clock}) ENGINE=InnoDB")).await?;
        let rows: Vec<String> = (0..20).map(|row| format!("('row {row}')")).collect();
        conn.query_drop(format!("INSERT INTO {DATABASE}.{table} (note) VALUES {}", rows.join(","))).await?;
    }
    Ok(())
}

/// The mean cycle of one run.
struct Cycles {
    round_trips: f64,
    kib_up: f64,
    kib_down: f64,
    wall_s: f64,
}

async fn cycles(rig: &Rig, link: &Proxy, runs: u32, arguments: &[&str]) -> Result<Vec<Cycles>> {
    let mut sync = rig.leeward.start(arguments, &rig.log())?;
    let mut conn = rig.pair.target.connect().await?;
    let before = Rig::cycle(&mut conn).await?;
    wait_for_cycle(&mut conn, before + CYCLES_BEFORE).await?;
    let mut measured = Vec::new();
    for _ in 0..runs {
        // A cycle that has just been committed is where counting begins and ends.
        let first = Rig::cycle(&mut conn).await? + 1;
        let began = wait_for_cycle(&mut conn, first).await?;
        let start = link.counters();
        let ended = wait_for_cycle(&mut conn, first + CYCLES_PER_RUN).await?;
        let end = link.counters();
        let per_cycle = |from: u64, to: u64| (to - from) as f64 / CYCLES_PER_RUN as f64;
        measured.push(Cycles {
            round_trips: per_cycle(start.round_trips, end.round_trips),
            kib_up: per_cycle(start.bytes_to_server, end.bytes_to_server) / 1024.0,
            kib_down: per_cycle(start.bytes_to_client, end.bytes_to_client) / 1024.0,
            wall_s: (ended - began).as_secs_f64() / CYCLES_PER_RUN as f64,
        });
    }
    terminate(&mut sync).await?;
    conn.disconnect().await.context("close a connection")?;
    Ok(measured)
}

/// Waits until a cycle has been committed and returns when that was seen.
async fn wait_for_cycle(conn: &mut Conn, cycle: u64) -> Result<Instant> {
    let reached = async {
        while Rig::cycle(conn).await? < cycle {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        anyhow::Ok(Instant::now())
    };
    tokio::time::timeout(RUN_MAX, reached).await.context("wait for cycles: sync does not move")?
}
