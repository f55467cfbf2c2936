//! Peak memory of the first copy: with many rows, and with rows of 16 MiB.

use std::path::PathBuf;

use anyhow::Result;
use leeward_testkit::servers::Kind;

use super::figures::{Figure, Section, Target};
use super::process;
use super::rig::Rig;
use super::seed::PEAK_MIB_MAX;
use super::tables::{DATABASE, SBTEST_TABLES, fill_sbtest, fill_wide};

/// Rows of 16 MiB: more than twice what may be in memory, so that keeping them all would show.
const WIDE_ROWS: u32 = 40;

/// Peak memory that a seed of such rows may take, MiB: several of them are under way at a time.
const WIDE_PEAK_MIB_MAX: f64 = 256.0;

/// Measures both tables' seeds.
pub(super) async fn measure(kind: Kind, (rows, runs): (u64, u32), path: PathBuf, section: &mut Section) -> Result<()> {
    let rig = Rig::start(kind, path, DATABASE).await?;
    fill_sbtest(&rig, SBTEST_TABLES, rows).await?;
    let what = format!("peak memory of leeward seed, {SBTEST_TABLES} tables of {rows} rows");
    section.add(peaks(&rig, runs, what).await?.within(Target::EveryRun(PEAK_MIB_MAX)));
    rig.clear_target().await?;
    fill_wide(&mut rig.filler().await?, WIDE_ROWS).await?;
    let what = format!("peak memory of leeward seed, {WIDE_ROWS} rows of 16 MiB");
    section.add(peaks(&rig, runs, what).await?.within(Target::EveryRun(WIDE_PEAK_MIB_MAX)));
    section.note(
        "Resident memory at its highest (VmHWM), read every 10 ms. Rows of 16 MiB hold one LONGBLOB of 16 MiB less \
         1 KiB with every byte value in it; max_allowed_packet is 64 MiB on both servers.",
    );
    Ok(())
}

async fn peaks(rig: &Rig, runs: u32, what: String) -> Result<Figure> {
    let mut values = Vec::new();
    for _ in 0..runs {
        rig.clear_target().await?;
        values.push(process::run(rig.leeward.command(&["seed"])).await?.peak_mib);
    }
    Ok(Figure::new(&rig.server(), &what, "MiB", values))
}
