//! The first copy of sysbench-like tables, in turn with the tools that everybody has and with the servers' bare limit,
//! on the same servers. All read the source without a delay: where the servers stand side by side, the others are at
//! their best.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use leeward_testkit::servers::{Kind, Mydumper, Server};
use mysql_async::prelude::Queryable;

use super::figures::{Figure, Section, Target};
use super::meter::Meter;
use super::process::{self, Taken};
use super::rig::Rig;
use super::tables::{DATABASE, fill_sbtest};
use super::{bare, peers, phases};

/// Peak memory that a seed may take, MiB.
pub(super) const PEAK_MIB_MAX: f64 = 64.0;

/// Processor time of Leeward that is good enough, beside that of both servers, percent.
const CPU_PERCENT_MAX: f64 = 15.0;

/// What is measured in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Mysqldump,
    Mydumper,
    Bare,
    Leeward,
}

/// One copy.
struct Run {
    way: Way,
    taken: Taken,
    /// Processor time of both servers.
    servers_cpu_s: f64,
}

/// All copies, run by run, and the lengths of Leeward's phases.
#[derive(Default)]
struct Runs {
    copies: Vec<Run>,
    phases: Vec<phases::Spans>,
}

/// Measures all ways, run by run, each run in another order.
pub(super) async fn measure(
    kind: Kind,
    (tables, rows, runs): (u64, u64, u32),
    path: PathBuf,
    section: &mut Section,
) -> Result<()> {
    let mydumper = mydumper(kind).await?;
    let rig = Rig::start(kind, path, DATABASE).await?;
    fill_sbtest(&rig, tables, rows).await?;
    let mut ways = vec![Way::Mysqldump, Way::Bare, Way::Leeward];
    if mydumper.is_some() {
        ways.insert(1, Way::Mydumper);
    }
    let mut meters = [Meter::start(&rig.pair.source).await?, Meter::start(&rig.pair.target).await?];
    let mut measured = Runs::default();
    for _ in 0..runs {
        for &way in &ways {
            rig.clear_target().await?;
            let before = cpu_s(&mut meters).await?;
            let taken = match way {
                Way::Mysqldump => peers::mysqldump(&rig).await?,
                Way::Mydumper => peers::mydumper(&rig, mydumper.as_ref().context("mydumper is there")?).await?,
                Way::Bare => bare::copy(&rig, tables, rows).await?,
                Way::Leeward => {
                    let (taken, said) = process::hear(rig.leeward.command(&["seed"])).await?;
                    measured.phases.push(phases::spans(&said, taken.wall_s));
                    taken
                }
            };
            let servers_cpu_s = cpu_s(&mut meters).await? - before;
            ensure_copied(&rig, tables, rows).await.with_context(|| format!("look at what {way:?} has copied"))?;
            eprintln!("bench:     {way:?}: {:.1} s", taken.wall_s);
            measured.copies.push(Run { way, taken, servers_cpu_s });
        }
        ways.rotate_left(1);
    }
    for meter in meters {
        meter.stop().await?;
    }
    measured.report(&rig, section);
    note(mydumper.as_ref(), (tables, rows), section);
    Ok(())
}

/// Returns Debian's mydumper; nothing on MySQL, or where it cannot be had, which is said then.
async fn mydumper(kind: Kind) -> Result<Option<Mydumper>> {
    if kind == Kind::MySql {
        return Ok(None);
    }
    let prepared = tokio::task::spawn_blocking(Mydumper::prepare).await.context("find mydumper")?;
    Ok(prepared.inspect_err(|error| println!("NOT MEASURED beside mydumper: {error:#}")).ok())
}

/// Returns the processor time that both servers have had so far.
async fn cpu_s([source, target]: &mut [Meter; 2]) -> Result<f64> {
    Ok(source.read().await?.cpu_s + target.read().await?.cpu_s)
}

impl Runs {
    fn of(&self, way: Way, value: impl Fn(&Run) -> f64) -> Vec<f64> {
        self.copies.iter().filter(|run| run.way == way).map(value).collect()
    }

    /// Returns Leeward's time over another way's, run by run; nothing for a way that was not gone.
    fn ratios(&self, way: Way) -> Vec<f64> {
        let (ours, theirs) = (self.of(Way::Leeward, |run| run.taken.wall_s), self.of(way, |run| run.taken.wall_s));
        ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect()
    }

    /// Returns how long each seed took up to its last phase, which the other ways do not have.
    fn without_comparing(&self) -> impl Iterator<Item = f64> {
        let before_last = |spans: &phases::Spans| spans.iter().rev().skip(1).map(|(_, span_s)| span_s).sum();
        self.phases.iter().map(before_last)
    }

    fn report(&self, rig: &Rig, section: &mut Section) {
        let server = rig.server();
        let mut add = |what: &str, unit, values, target| {
            let figure = Figure::new(&server, what, unit, values);
            section.add(match target {
                Some(target) => figure.within(target),
                None => figure,
            });
        };
        let with_mydumper = rig.pair.source.kind() == Kind::MariaDb;
        let ways = Way::ALL.into_iter().filter(|&way| way != Way::Mydumper || with_mydumper);
        for way in ways.clone() {
            add(way.words(), "s", self.of(way, |run| run.taken.wall_s), None);
        }
        for (phase, values) in phases::columns(&self.phases) {
            add(&format!("leeward seed, of it {phase}"), "s", values, None);
        }
        for (way, most) in ways.clone().filter_map(|way| Some((way, way.ratio_max()?))) {
            let what = format!("leeward seed / {}, run by run", way.words());
            add(&what, "times", self.ratios(way), Some(Target::Median(most)));
        }
        let copying = self.without_comparing().zip(self.of(Way::Bare, |run| run.taken.wall_s));
        let what = format!("leeward seed without its comparison / {}, run by run", Way::Bare.words());
        add(&what, "times", copying.map(|(ours, theirs)| ours / theirs).collect(), None);
        for way in ways.clone() {
            let what = format!("processors that servers and client kept busy, {}", way.words());
            add(&what, "", self.of(way, |run| (run.taken.cpu_s + run.servers_cpu_s) / run.taken.wall_s), None);
        }
        for way in ways.clone() {
            let what = format!("processor time of both servers, {}", way.words());
            add(&what, "s", self.of(way, |run| run.servers_cpu_s), None);
        }
        let share = self.of(Way::Leeward, |run| 100.0 * run.taken.cpu_s / run.servers_cpu_s);
        let what = "processor time of leeward seed beside that of both servers";
        add(what, "%", share, Some(Target::Median(CPU_PERCENT_MAX)));
        for way in ways.filter(|&way| way != Way::Bare) {
            let target = (way == Way::Leeward).then_some(Target::EveryRun(PEAK_MIB_MAX));
            add(&format!("peak memory of {}", way.words()), "MiB", self.of(way, |run| run.taken.peak_mib), target);
        }
    }
}

impl Way {
    const ALL: [Way; 4] = [Way::Mysqldump, Way::Mydumper, Way::Bare, Way::Leeward];

    fn words(self) -> &'static str {
        match self {
            Way::Mysqldump => "mysqldump into mysql",
            Way::Mydumper => "mydumper, then myloader",
            Way::Bare => "bare OUTFILE, then LOAD DATA",
            Way::Leeward => "leeward seed",
        }
    }

    /// Returns the time of a seed beside this way's that is good enough.
    fn ratio_max(self) -> Option<f64> {
        match self {
            Way::Mysqldump => Some(0.4),
            Way::Mydumper => Some(0.65),
            Way::Bare => Some(1.0),
            Way::Leeward => None,
        }
    }
}

fn note(mydumper: Option<&Mydumper>, (tables, rows): (u64, u64), section: &mut Section) {
    section.note(&format!(
        "{tables} tables of {rows} rows each: id, k, c CHAR(120), pad CHAR(60), an index on k. `leeward seed` also \
         surveys, plans, builds indexes after the rows, and at its end compares every row of both sides; \
         the others do none of this but the indexes, and compare nothing. Source, target and client share the machine; no \
         delay, no TLS; binary log on and every commit durable on both servers. The order changes from run to run."
    ));
    section.note(
        "The bare limit is what the servers do by themselves: `SELECT … INTO OUTFILE` on the source, files of 100000 rows; \
         when all are written `LOAD DATA INFILE` on the target; when all are loaded the indexes; four connections \
         each. It has no client, and needs a file system that both servers share. Memory is that of the client \
         processes at its highest: of both where two run at once, of the larger where one follows the other.",
    );
    if let Some(mydumper) = mydumper {
        section.note(&format!(
            "mydumper {}, as it calls itself, of the distribution's packages: four threads to dump and four to load, \
             `--enable-binlog`. It is measured on MariaDB alone: it does not know the newer MySQL, whose columns with \
             computed defaults its dumps leave out.",
            mydumper.version()
        ));
    }
}

/// A fast copy of too few rows, or without the indexes, would be no result.
pub(super) async fn ensure_copied(rig: &Rig, tables: u64, rows: u64) -> Result<()> {
    ensure!(
        keys(&rig.pair.source).await? == keys(&rig.pair.target).await?,
        "the target has other keys than the source"
    );
    let mut conn = rig.pair.target.connect().await?;
    for number in 1..=tables {
        let found: Option<u64> = conn.query_first(format!("SELECT COUNT(*) FROM {DATABASE}.sbtest{number}")).await?;
        ensure!(found == Some(rows), "sbtest{number} has {found:?} rows on the target and {rows} on the source");
    }
    conn.disconnect().await.context("close a connection")
}

async fn keys(server: &Server) -> Result<Vec<(String, String, String)>> {
    let mut conn = server.connect().await?;
    let columns = "table_name, index_name, column_name";
    let query = format!(
        "SELECT {columns} FROM information_schema.statistics WHERE table_schema='{DATABASE}' ORDER BY {columns}"
    );
    let keys = conn.query(query).await.context("read the keys")?;
    conn.disconnect().await.context("close a connection")?;
    Ok(keys)
}
