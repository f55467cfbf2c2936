//! The first copy of four sysbench-like tables, in turn with `mysqldump | mysql` on the same servers.
//! Both read the source without a delay: where the servers stand side by side, the dump is at its best.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use leeward_testkit::servers::{ClientProgram, Kind};
use mysql_async::prelude::Queryable;
use tokio::process::Command;

use super::figures::{Figure, Section, Target};
use super::peak;
use super::rig::Rig;
use super::tables::{DATABASE, SBTEST_TABLES, fill_sbtest};

/// Peak memory that a seed may take, MiB.
pub(super) const PEAK_MIB_MAX: f64 = 256.0;

/// Measures both, run by run.
pub(super) async fn measure(kind: Kind, (rows, runs): (u64, u32), path: PathBuf, section: &mut Section) -> Result<()> {
    let rig = Rig::start(kind, path, DATABASE).await?;
    fill_sbtest(&rig, SBTEST_TABLES, rows).await?;
    let (mut dumps, mut seeds, mut peaks, mut ratios) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..runs {
        rig.clear_target().await?;
        let dump_s = dump_and_load(&rig).await?;
        ensure_copied(&rig, rows).await?;
        rig.clear_target().await?;
        let seed = peak::run(rig.leeward.command(&["seed"])).await?;
        ensure_copied(&rig, rows).await?;
        dumps.push(dump_s);
        seeds.push(seed.wall_s);
        peaks.push(seed.peak_mib);
        ratios.push(seed.wall_s / dump_s);
    }
    let server = rig.server();
    let figure = |what, unit, values| Figure::new(&server, what, unit, values);
    section.add(figure("mysqldump into mysql", "s", dumps));
    section.add(figure("leeward seed", "s", seeds));
    let ratio = figure("leeward seed / mysqldump into mysql, run by run", "times", ratios);
    section.add(ratio.within(Target::Median(1.0)));
    section.add(figure("peak memory of leeward seed", "MiB", peaks).within(Target::EveryRun(PEAK_MIB_MAX)));
    section.note(&format!(
        "{SBTEST_TABLES} tables of {rows} rows each: id, k, c CHAR(120), pad CHAR(60), an index on k. `leeward seed` also \
         surveys, plans, builds indexes after the rows, and at its end compares every row of both sides; \
         mysqldump into mysql does none of this and compares nothing. Source, target and client share the machine; no \
         delay, no TLS; binary log on and every commit durable on both servers."
    ));
    Ok(())
}

/// Copies the way everybody can; returns the seconds it took.
async fn dump_and_load(rig: &Rig) -> Result<f64> {
    let mut dump = rig.pair.source.client_command(ClientProgram::Dump)?;
    dump.args(["--single-transaction", "--quick"]);
    if rig.pair.source.kind() == Kind::MySql {
        // Otherwise the dump wants to set the target's GTIDs, which only an empty server allows.
        dump.arg("--set-gtid-purged=OFF");
    }
    dump.args(["--databases", DATABASE]);
    let load = rig.pair.target.client_command(ClientProgram::Shell)?;
    let began = Instant::now();
    let mut dump = Command::from(dump)
        .stdout(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .context("start mysqldump")?;
    let rows: Stdio = dump.stdout.take().context("read what mysqldump writes")?.try_into()?;
    let mut load =
        Command::from(load).stdin(rows).process_group(0).kill_on_drop(true).spawn().context("start mysql")?;
    let (dumped, loaded) = tokio::try_join!(dump.wait(), load.wait()).context("wait for mysqldump and mysql")?;
    ensure!(dumped.success() && loaded.success(), "mysqldump ended with {dumped}, mysql with {loaded}");
    Ok(began.elapsed().as_secs_f64())
}

/// A fast copy of too few rows would be no result.
async fn ensure_copied(rig: &Rig, rows: u64) -> Result<()> {
    let mut conn = rig.pair.target.connect().await?;
    for number in 1..=SBTEST_TABLES {
        let found: Option<u64> = conn.query_first(format!("SELECT COUNT(*) FROM {DATABASE}.sbtest{number}")).await?;
        ensure!(found == Some(rows), "sbtest{number} has {found:?} rows on the target and {rows} on the source");
    }
    conn.disconnect().await.context("close a connection")
}
