//! How the cost grows with the work: a seed and a comparison of ten times the rows, and a seed of a hundred times the tables.
//! What grows faster than the work does is found here before somebody's database finds it.

use std::path::PathBuf;

use anyhow::{Context, Result};
use leeward_testkit::servers::Kind;

use super::digest;
use super::figures::{Figure, Section, Target, median};
use super::process::{self, Taken};
use super::rig::Rig;
use super::seed::{PEAK_MIB_MAX, ensure_copied};
use super::tables::{DATABASE, SBTEST_TABLES, fill_sbtest};

/// How many times the rows the larger one has.
const ROWS_TIMES: u64 = 10;

/// Tables of the smaller and of the larger one with few rows each.
const TABLES: [u64; 2] = [10, 1_000];

/// Rows of each of those.
const TABLE_ROWS: u64 = 100;

/// Cost of a row or of a table in the larger one beside that in the smaller that is good enough: linear within 10 %.
const GROWTH_MAX: f64 = 1.1;

/// One shape's seeds and comparisons.
struct Grown {
    /// What grows: all rows, or all tables.
    size: u64,
    seeds: Vec<Taken>,
    verifies: Vec<Taken>,
    /// The digest query alone, on both servers at once.
    digests: Vec<Taken>,
}

/// The runs of one command.
type Runs = fn(&Grown) -> &[Taken];

impl Grown {
    fn seeds(&self) -> &[Taken] {
        &self.seeds
    }

    fn verifies(&self) -> &[Taken] {
        &self.verifies
    }

    fn digests(&self) -> &[Taken] {
        &self.digests
    }
}

/// Measures both sizes of both shapes. `rows` is what the smaller one holds in all its tables.
pub(super) async fn measure(kind: Kind, (rows, runs): (u64, u32), path: PathBuf, section: &mut Section) -> Result<()> {
    let rig = Rig::start(kind, path, DATABASE).await?;
    let mut by_rows = Vec::new();
    for rows in [rows, ROWS_TIMES * rows] {
        by_rows.push(grown(&rig, (SBTEST_TABLES, rows / SBTEST_TABLES), (rows, runs)).await?);
    }
    let mut by_tables = Vec::new();
    for tables in TABLES {
        by_tables.push(grown(&rig, (tables, TABLE_ROWS), (tables, runs)).await?);
    }
    report(&rig.server(), "rows", &by_rows, section);
    report(&rig.server(), "tables", &by_tables, section);
    section.note(&format!(
        "{SBTEST_TABLES} tables of `seed` with so many rows in all, and tables of {TABLE_ROWS} rows each. `leeward seed` and \
         `leeward verify` from their start to their end, no delay. Growth is the cost of one row or table in the larger \
         one beside that in the smaller: 1 is linear, less means that what does not grow is shared by more. The bare digest \
         query is the one that `leeward verify` sends, for all ranges one after the other: what grows in it grows in the \
         servers."
    ));
    Ok(())
}

async fn grown(rig: &Rig, (tables, rows): (u64, u64), (size, runs): (u64, u32)) -> Result<Grown> {
    fill_sbtest(rig, tables, rows).await?;
    let mut grown = Grown { size, seeds: Vec::new(), verifies: Vec::new(), digests: Vec::new() };
    let mut query = None;
    for _ in 0..runs {
        rig.clear_target().await?;
        let seed = process::run(rig.leeward.command(&["seed"])).await?;
        ensure_copied(rig, tables, rows).await.context("look at what was copied")?;
        let query = match &query {
            Some(query) => query,
            None => query.insert(digests_of(rig, tables, rows).await?),
        };
        let verify = process::run(rig.leeward.command(&["verify"])).await?;
        let digest = digest::both_sides(rig, query, tables * rows).await?;
        eprintln!(
            "bench:     {tables} tables of {rows} rows: seed {:.1} s, verify {:.1} s, bare digests {:.1} s",
            seed.wall_s, verify.wall_s, digest.wall_s
        );
        grown.seeds.push(seed);
        grown.verifies.push(verify);
        grown.digests.push(digest);
    }
    Ok(grown)
}

/// Returns the digests of all tables in ranges, one after the other.
async fn digests_of(rig: &Rig, tables: u64, rows: u64) -> Result<String> {
    let first = digest::bare_query(rig, "sbtest1").await?;
    let of = |number: u64| digest::in_ranges(&first.replace("`sbtest1`", &format!("`sbtest{number}`")), rows);
    Ok((1..=tables).map(of).collect::<Vec<_>>().join(";"))
}

fn report(server: &str, unit: &str, both: &[Grown], section: &mut Section) {
    let [small, large] = both else { return };
    let growth_of = |what: &str, runs: Runs, section: &mut Section| {
        let wall = |grown| runs(grown).iter().map(|taken| taken.wall_s).collect::<Vec<_>>();
        for grown in both {
            section.add(Figure::new(server, &format!("{what}, {} {unit}", grown.size), "s", wall(grown)));
        }
        let cost = |grown: &Grown, wall_s: f64| wall_s / grown.size as f64;
        let base = cost(small, median(&wall(small)));
        let growth = wall(large).into_iter().map(|wall_s| cost(large, wall_s) / base).collect();
        Figure::new(server, &format!("growth of {what} by {unit}"), "times", growth)
    };
    for (command, runs) in [("leeward seed", Grown::seeds as Runs), ("leeward verify", Grown::verifies)] {
        let growth = growth_of(command, runs, section);
        section.add(growth.within(Target::Median(GROWTH_MAX)));
        let what = format!("peak memory of {command}, {} {unit}", large.size);
        let peaks = runs(large).iter().map(|taken| taken.peak_mib).collect();
        section.add(Figure::new(server, &what, "MiB", peaks).within(Target::EveryRun(PEAK_MIB_MAX)));
    }
    let growth = growth_of("bare digest query, both servers at once", Grown::digests, section);
    section.add(growth);
}
