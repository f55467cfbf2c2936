//! The first copy from a source 70 ms away, in turn with the same copy from one beside the target: a few large tables,
//! where the link has to stay full, and many small ones, where round trips would add up.

use std::path::PathBuf;

use anyhow::{Context, Result};
use leeward_testkit::servers::Kind;

use super::figures::{Figure, Section, Target};
use super::phases;
use super::process;
use super::rig::{ROUND_TRIP, Rig};
use super::seed::ensure_copied;
use super::tables::{DATABASE, fill_sbtest};

/// Small tables: enough for one round trip a table to cost more than a minute.
const SMALL_TABLES: u64 = 1_000;

/// Rows of each.
const SMALL_TABLE_ROWS: u64 = 100;

/// How many times its own time without a delay a seed may take, and how much longer than that, seconds.
const DELAY_RATIO_MAX: f64 = 1.1;
const DELAY_S_MAX: f64 = 1.0;

/// One copy of each.
struct Run {
    near_s: f64,
    far_s: f64,
    round_trips: f64,
}

/// Measures both shapes.
pub(super) async fn measure(
    kind: Kind,
    (tables, rows, runs): (u64, u64, u32),
    path: PathBuf,
    section: &mut Section,
) -> Result<()> {
    let mut rig = Rig::start(kind, path, DATABASE).await?;
    let near = rig.leeward.clone();
    let link = rig.slow_link().await?;
    for (tables, rows) in [(tables, rows), (SMALL_TABLES, SMALL_TABLE_ROWS)] {
        fill_sbtest(&rig, tables, rows).await?;
        let mut measured = Vec::new();
        for run in 0..runs {
            let mut one = Run { near_s: 0.0, far_s: 0.0, round_trips: 0.0 };
            // Which of the two comes first changes from run to run.
            for is_far in [run % 2 == 1, run % 2 == 0] {
                rig.clear_target().await?;
                let before = link.counters().round_trips;
                let leeward = if is_far { &rig.leeward } else { &near };
                let (taken, said) = process::hear(leeward.command(&["seed"])).await?;
                let wall_s = taken.wall_s;
                let place = if is_far { "far" } else { "near" };
                eprintln!("bench:     {place}: {wall_s:.1} s: {}", phases::text(&phases::spans(&said, wall_s)));
                ensure_copied(&rig, tables, rows).await.context("look at what was copied")?;
                if is_far {
                    (one.far_s, one.round_trips) = (wall_s, (link.counters().round_trips - before) as f64);
                } else {
                    one.near_s = wall_s;
                }
            }
            measured.push(one);
        }
        report(&rig.server(), &format!("{tables} tables of {rows} rows"), &measured, section);
    }
    section.note(&format!(
        "`leeward seed` from its start to its end, the comparison of every row included. The tables are those of `seed`. \
         Far is {} ms round-trip time to the source; Leeward stands beside the target. Round trips are counted over all \
         connections together, by the proxy.",
        ROUND_TRIP.as_millis()
    ));
    Ok(())
}

fn report(server: &str, shape: &str, runs: &[Run], section: &mut Section) {
    let figure = |what: &str, unit, value: fn(&Run) -> f64| {
        Figure::new(server, &format!("{what}, {shape}"), unit, runs.iter().map(value).collect())
    };
    section.add(figure("leeward seed, near", "s", |run| run.near_s));
    section.add(figure("leeward seed, far", "s", |run| run.far_s));
    let beyond = figure("far beyond 1.1 times near, run by run", "s", |run| run.far_s - DELAY_RATIO_MAX * run.near_s);
    section.add(beyond.within(Target::Median(DELAY_S_MAX)));
    section.add(figure("round trips to the source of leeward seed, far", "", |run| run.round_trips));
}
