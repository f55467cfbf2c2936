//! The full comparison of one sysbench-like table, in turn with the same digest asked of both servers by hand and with other
//! tools that compare, beside the source and over a slow link.

use std::path::PathBuf;

use anyhow::{Context, Result};
use leeward_testkit::proxy::Proxy;
use leeward_testkit::servers::{Kind, Reladiff, TableSync};
use tokio::process::Command;

use super::digest;
use super::figures::{Figure, Section, Target};
use super::process::{self, Taken};
use super::rig::{ROUND_TRIP, Rig};
use super::seed::PEAK_MIB_MAX;
use super::tables::{DATABASE, fill_sbtest};
use crate::binary::Leeward;

/// One table: what is done once a run weighs more than over several.
const TABLES: u64 = 1;

/// Its name, and its columns beside the key.
const TABLE: &str = "sbtest1";
const COLUMNS: [&str; 3] = ["k", "c", "pad"];

/// Time of a verification beside the bare query's that is good enough.
const BARE_RATIO_MAX: f64 = 1.15;

/// Round trips by which a verification over the slow link may take longer.
const ROUND_TRIPS_MAX: f64 = 3.0;

/// What is measured in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Bare,
    Ranged,
    Leeward(Place),
    Reladiff(Place),
    TableSync(Place),
}

/// Where the source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Near,
    Far,
}

/// What a run works with.
struct Bench {
    rig: Rig,
    rows: u64,
    near: Leeward,
    /// The rig's own connections to the source go over it.
    link: Proxy,
    bare: String,
    ranged: String,
    reladiff: Option<Reladiff>,
    table_sync: Option<TableSync>,
}

/// One way, once.
struct Run {
    way: Way,
    taken: Taken,
    /// Over the slow link.
    round_trips: f64,
}

/// Measures all ways, run by run, each run in another order.
pub(super) async fn measure(kind: Kind, (rows, runs): (u64, u32), path: PathBuf, section: &mut Section) -> Result<()> {
    let (reladiff, table_sync) = tools(kind).await?;
    let mut rig = Rig::start(kind, path, DATABASE).await?;
    fill_sbtest(&rig, TABLES, rows).await?;
    rig.leeward.run(&["seed"]).await?;
    let bare = digest::bare_query(&rig, TABLE).await?;
    let ranged = digest::in_ranges(&bare, rows);
    let near = rig.leeward.clone();
    let link = rig.slow_link().await?;
    let bench = Bench { rig, rows, near, link, bare, ranged, reladiff, table_sync };
    let mut ways = bench.ways();
    let mut measured = Vec::new();
    for _ in 0..runs {
        for &way in &ways {
            let before = bench.link.counters().round_trips;
            let taken = bench.compare(way).await.with_context(|| format!("compare by {way:?}"))?;
            eprintln!("bench:     {way:?}: {:.2} s", taken.wall_s);
            let round_trips = (bench.link.counters().round_trips - before) as f64;
            measured.push(Run { way, taken, round_trips });
        }
        ways.rotate_left(1);
    }
    bench.report(&measured, section);
    bench.note(section);
    Ok(())
}

/// Returns the tools to compare with, as far as they can be had, and says which cannot.
async fn tools(kind: Kind) -> Result<(Option<Reladiff>, Option<TableSync>)> {
    let prepared = tokio::task::spawn_blocking(move || {
        // It hashes by MD5(), which MySQL 9.7 has no more (T38).
        let reladiff = (kind == Kind::MariaDb).then(Reladiff::prepare).transpose();
        let reladiff = reladiff.inspect_err(|error| println!("NOT MEASURED beside reladiff: {error:#}"));
        let table_sync =
            TableSync::prepare().inspect_err(|error| println!("NOT MEASURED beside pt-table-sync: {error:#}"));
        (reladiff.ok().flatten(), table_sync.ok())
    });
    prepared.await.context("look for the tools")
}

impl Bench {
    fn ways(&self) -> Vec<Way> {
        use Place::{Far, Near};
        let all = [
            Way::Bare,
            Way::Leeward(Near),
            Way::Reladiff(Near),
            Way::TableSync(Near),
            Way::Ranged,
            Way::Leeward(Far),
            Way::Reladiff(Far),
            Way::TableSync(Far),
        ];
        let can_go = |way: &Way| match way {
            Way::Reladiff(_) => self.reladiff.is_some(),
            Way::TableSync(_) => self.table_sync.is_some(),
            _ => true,
        };
        all.into_iter().filter(can_go).collect()
    }

    async fn compare(&self, way: Way) -> Result<Taken> {
        let source = |place| async move {
            match place {
                Place::Near => self.rig.pair.source.address().await,
                Place::Far => Ok(self.link.address()),
            }
        };
        let target = self.rig.pair.target.address().await?;
        let tools = (self.reladiff.as_ref(), self.table_sync.as_ref());
        let table = (DATABASE, TABLE);
        match (way, tools) {
            (Way::Bare, _) => digest::both_sides(&self.rig, &self.bare, self.rows).await,
            (Way::Ranged, _) => digest::both_sides(&self.rig, &self.ranged, self.rows).await,
            (Way::Reladiff(place), (Some(reladiff), _)) => {
                let command = reladiff.compare((source(place).await?, target), table, &COLUMNS);
                process::run(Command::from(command)).await
            }
            (Way::TableSync(place), (_, Some(table_sync))) => {
                process::run(Command::from(table_sync.print((source(place).await?, target), table))).await
            }
            (Way::Leeward(Place::Far), _) => process::run(self.rig.leeward.command(&["verify"])).await,
            _ => process::run(self.near.command(&["verify"])).await,
        }
    }

    fn report(&self, runs: &[Run], section: &mut Section) {
        let of = |way: Way, value: fn(&Run) -> f64| -> Vec<f64> {
            runs.iter().filter(|run| run.way == way).map(value).collect()
        };
        let wall = |way| of(way, |run| run.taken.wall_s);
        let by_run = |one: Way, other: Way, of: fn((f64, f64)) -> f64| -> Vec<f64> {
            wall(one).into_iter().zip(wall(other)).map(of).collect()
        };
        let ratio = |one, other| by_run(one, other, |(one, other)| one / other);
        let server = self.rig.server();
        let figure = |what: &str, unit, values| Figure::new(&server, what, unit, values);
        let (near, far) = (Way::Leeward(Place::Near), Way::Leeward(Place::Far));
        for way in self.ways() {
            section.add(figure(&way.words(), "s", wall(way)));
        }
        for way in self.ways() {
            let what = format!("{} / {}, run by run", way.ours().words(), way.words());
            let ratios = figure(&what, "times", ratio(way.ours(), way));
            match way.ratio_max() {
                Some(most) => section.add(ratios.within(Target::Median(most))),
                None if way == Way::Ranged => section.add(ratios),
                None => {}
            }
        }
        let longer = figure("far less near, run by run", "s", by_run(far, near, |(far, near)| far - near));
        section.add(longer.within(Target::Median(ROUND_TRIPS_MAX * ROUND_TRIP.as_secs_f64())));
        let round_trips = of(far, |run| run.round_trips);
        section.add(figure("round trips to the source of leeward verify, far", "", round_trips));
        let peaks = of(near, |run| run.taken.peak_mib);
        section.add(figure("peak memory of leeward verify", "MiB", peaks).within(Target::EveryRun(PEAK_MIB_MAX)));
    }

    fn note(&self, section: &mut Section) {
        let rows = self.rows;
        section.note(&format!(
            "{TABLES} table of {rows} rows: id, k, c CHAR(120), pad CHAR(60), an index on k; both sides equal. The bare \
             query is the digest that `leeward verify` sends, taken from the source's general log, over the whole table \
             in one statement, on both servers at once; servers do it faster in ranges, so that is shown as well, with \
             borders that need not be looked for. `leeward verify` is the whole command, from its start to its end. The \
             order changes from run to run; far is {} ms round-trip time.",
            ROUND_TRIP.as_millis()
        ));
        if let Some(table_sync) = &self.table_sync {
            let version = table_sync.version();
            section.note(&format!("pt-table-sync {version} with `--print --no-check-slave`."));
        }
        if let Some(reladiff) = &self.reladiff {
            section.note(&format!(
                "reladiff {} over all columns with four threads a side. It is measured on MariaDB alone: it hashes by \
             MD5(), which MySQL 9.7 does not have.",
                reladiff.version()
            ));
        }
    }
}

impl Way {
    /// Returns how it is called in a table.
    fn words(self) -> String {
        let (name, place) = match self {
            Way::Bare => return "bare digest query, both servers at once".to_owned(),
            Way::Ranged => return "the same in ranges of 20000 rows".to_owned(),
            Way::Leeward(place) => ("leeward verify", place),
            Way::Reladiff(place) => ("reladiff", place),
            Way::TableSync(place) => ("pt-table-sync --print", place),
        };
        let far = if place == Place::Far { ", far" } else { "" };
        format!("{name}{far}")
    }

    /// Returns Leeward's way to be compared with it.
    fn ours(self) -> Way {
        match self {
            Way::Reladiff(place) | Way::TableSync(place) => Way::Leeward(place),
            _ => Way::Leeward(Place::Near),
        }
    }

    /// Returns the time of a verification beside this way's that is good enough.
    fn ratio_max(self) -> Option<f64> {
        match self {
            Way::Bare => Some(BARE_RATIO_MAX),
            Way::Reladiff(Place::Near) => Some(0.3),
            Way::Reladiff(Place::Far) => Some(0.4),
            Way::TableSync(Place::Near) => Some(0.25),
            Way::TableSync(Place::Far) => Some(0.01),
            Way::Ranged | Way::Leeward(_) => None,
        }
    }
}
