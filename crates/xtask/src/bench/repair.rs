//! Differences scattered over one sysbench-like table, found and repaired: beside pt-table-sync, and over a slow link.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use leeward_testkit::proxy::Proxy;
use leeward_testkit::servers::{Kind, Server, TableSync};
use mysql_async::prelude::Queryable;
use tokio::process::Command;

use super::figures::{Figure, Section, Target};
use super::process::{self, Taken};
use super::rig::{ROUND_TRIP, Rig};
use super::tables::{DATABASE, fill_sbtest};
use crate::binary::Leeward;

/// The only table.
const TABLE: &str = "sbtest1";

/// Time of a repair beside pt-table-sync's that is good enough.
const PEER_RATIO_MAX: f64 = 0.1;

/// Round trips by which a repair over the slow link may take longer.
const ROUND_TRIPS_MAX: f64 = 10.0;

/// What is measured in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    TableSync,
    Near,
    Far,
}

/// What a run works with.
struct Bench {
    rig: Rig,
    near: Leeward,
    /// Its own connections go over the slow link.
    _link: Proxy,
    table_sync: Option<TableSync>,
}

/// Measures all ways, run by run, each run in another order.
pub(super) async fn measure(kind: Kind, (rows, runs): (u64, u32), path: PathBuf, section: &mut Section) -> Result<()> {
    let prepared = tokio::task::spawn_blocking(TableSync::prepare).await.context("find pt-table-sync")?;
    let table_sync = prepared.inspect_err(|error| println!("NOT MEASURED beside pt-table-sync: {error:#}")).ok();
    let mut rig = Rig::start(kind, path, DATABASE).await?;
    fill_sbtest(&rig, 1, rows).await?;
    rig.leeward.run(&["seed"]).await?;
    let near = rig.leeward.clone();
    let link = rig.slow_link().await?;
    let mut ways = vec![Way::TableSync, Way::Near, Way::Far];
    ways.retain(|way| *way != Way::TableSync || table_sync.is_some());
    let bench = Bench { rig, near, _link: link, table_sync };
    let mut taken: Vec<(Way, Taken)> = Vec::new();
    for _ in 0..runs {
        for &way in &ways {
            bench.damage(taken.len()).await?;
            let took = bench.repair(way).await?;
            ensure!(bench.is_equal().await?, "{way:?} has left differences");
            eprintln!("bench:     {way:?}: {:.1} s", took.wall_s);
            taken.push((way, took));
        }
        ways.rotate_left(1);
    }
    bench.report(&taken, section);
    let by = match &bench.table_sync {
        Some(table_sync) => format!("pt-table-sync {} with `--execute --no-check-slave`", table_sync.version()),
        None => "pt-table-sync could not be had".to_owned(),
    };
    section.note(&format!(
        "1 table of {rows} rows: id, k, c CHAR(120), pad CHAR(60), an index on k. Before each run 1 % of the target's rows \
         are changed and 0.1 % deleted, and 0.1 % of the source's are deleted, all spread evenly: every range differs. \
         `leeward verify --repair` is the whole command: a comparison of all rows, a repair of those that differ, and a \
         comparison of what was repaired. {by}. The order changes from run to run; far is {} ms round-trip time.",
        ROUND_TRIP.as_millis()
    ));
    Ok(())
}

impl Bench {
    /// Makes rows differ that have not differed before.
    async fn damage(&self, number: usize) -> Result<()> {
        let number = number as u64;
        let (changed, lost, gone) = ((7 + number) % 100, (13 + number * 3) % 1_000, (500 + number * 3) % 1_000);
        let target = format!(
            "UPDATE {DATABASE}.{TABLE} SET c=CONCAT('x',LEFT(c,50),{number}) WHERE id%100={changed};\
             DELETE FROM {DATABASE}.{TABLE} WHERE id%1000={lost}"
        );
        run(&self.rig.pair.target, &target).await?;
        run(&self.rig.pair.source, &format!("DELETE FROM {DATABASE}.{TABLE} WHERE id%1000={gone}")).await
    }

    async fn repair(&self, way: Way) -> Result<Taken> {
        let repair = ["verify", "--repair"];
        let pair = &self.rig.pair;
        match (way, &self.table_sync) {
            (Way::TableSync, Some(table_sync)) => {
                let sides = (pair.source.address().await?, pair.target.address().await?);
                let command = table_sync.execute(sides, (DATABASE, TABLE));
                process::run_ending(Command::from(command), &[CHANGED]).await
            }
            (Way::Far, _) => process::run_ending(self.rig.leeward.command(&repair), &[CHANGED]).await,
            _ => process::run_ending(self.near.command(&repair), &[CHANGED]).await,
        }
    }

    async fn is_equal(&self) -> Result<bool> {
        let (source, target) = tokio::try_join!(sums(&self.rig.pair.source), sums(&self.rig.pair.target))?;
        Ok(source == target)
    }

    fn report(&self, taken: &[(Way, Taken)], section: &mut Section) {
        let of = |way: Way, value: fn(&Taken) -> f64| -> Vec<f64> {
            taken.iter().filter(|(of, _)| *of == way).map(|(_, taken)| value(taken)).collect()
        };
        let wall = |way| of(way, |taken| taken.wall_s);
        let server = self.rig.server();
        let figure = |what: &str, unit, values| Figure::new(&server, what, unit, values);
        if self.table_sync.is_some() {
            section.add(figure("pt-table-sync", "s", wall(Way::TableSync)));
            let pairs = wall(Way::Near).into_iter().zip(wall(Way::TableSync));
            let ratios = pairs.map(|(ours, theirs)| ours / theirs).collect();
            let ratios = figure("leeward verify --repair / pt-table-sync, run by run", "times", ratios);
            section.add(ratios.within(Target::Median(PEER_RATIO_MAX)));
        }
        section.add(figure("leeward verify --repair", "s", wall(Way::Near)));
        section.add(figure("leeward verify --repair, far", "s", wall(Way::Far)));
        let longer = wall(Way::Far).into_iter().zip(wall(Way::Near)).map(|(far, near)| far - near).collect();
        let longer = figure("far less near, run by run", "s", longer);
        section.add(longer.within(Target::Median(ROUND_TRIPS_MAX * ROUND_TRIP.as_secs_f64())));
        section.add(figure("peak memory of leeward verify --repair", "MiB", of(Way::Near, |taken| taken.peak_mib)));
    }
}

/// How both end when they have found and resolved differences.
const CHANGED: i32 = 2;

async fn run(server: &Server, sql: &str) -> Result<()> {
    let mut conn = server.connect().await?;
    conn.query_drop(sql).await.context("make rows differ")?;
    conn.disconnect().await.context("close a connection")
}

/// Returns the number of rows, and a sum over their contents that is no digest of Leeward's.
async fn sums(server: &Server) -> Result<Vec<(u64, u64)>> {
    let mut conn = server.connect().await?;
    let query =
        format!("SELECT COUNT(*),CAST(SUM(CRC32(CONCAT_WS('#',id,k,c,pad))) AS UNSIGNED) FROM {DATABASE}.{TABLE}");
    let sums = conn.query(query).await.context("sum a table up")?;
    conn.disconnect().await.context("close a connection")?;
    Ok(sums)
}
