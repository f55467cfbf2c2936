//! How long a row that was deleted on the source stays on the target: one large table without soft deletes or
//! tombstones, so that only counting keys or comparing content can find it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use leeward_testkit::servers::Kind;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::figures::{Figure, Section, median, percentile};
use super::rig::Rig;
use super::tables::{DATABASE, fill_ledger};
use crate::binary::terminate;

/// Time between two deletes: no multiple of the interval or of the pace of counting, so that they fall on every part of a
/// pass.
const DELETE_EVERY: Duration = Duration::from_millis(1_730);

/// How often the target is looked at: the error of each figure.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How long a deleted row may stay: a whole pass over the content (15 min by default) and what it takes.
const GONE_MAX: Duration = Duration::from_secs(1_500);

/// How long `sync` may take to its first cycles.
const FIRST_MAX: Duration = Duration::from_secs(60);

/// Measures with the built-in policy.
pub(super) async fn measure(
    kind: Kind,
    (rows, runs, deletes): (u64, u32, u32),
    path: PathBuf,
    section: &mut Section,
) -> Result<()> {
    let rig = Rig::start(kind, path, DATABASE).await?;
    fill_ledger(&rig, rows).await?;
    rig.leeward.run(&["seed"]).await?;
    let mut sync = rig.leeward.start(&["sync"], &rig.log())?;
    tokio::time::timeout(FIRST_MAX, rig.cycles_pass(5)).await.context("wait for sync's first cycles")??;
    let (mut medians, mut tails, mut most) = (Vec::new(), Vec::new(), Vec::new());
    for run in 0..runs {
        let keys = (0..deletes).map(|at| key(u64::from(run * deletes + at), rows)).collect();
        let waits = delete(&rig, keys).await?;
        medians.push(median(&waits));
        tails.push(percentile(&waits, 0.95));
        most.push(percentile(&waits, 1.0));
    }
    terminate(&mut sync).await?;
    let figure = |what, values| Figure::new(&rig.server(), what, "s", values);
    section.add(figure("delete to gone, median of a run", medians));
    section.add(figure("delete to gone, 95th percentile of a run", tails));
    section.add(figure("delete to gone, longest of a run", most));
    section.note(&format!(
        "One table of {rows} rows (id, k, note CHAR(100), updated_at with an index), kept by merge; built-in policy, no \
         other writes. {deletes} deletes a run of one row each at keys spread over the table, one every {} ms: committed \
         on the source until the row is no longer seen on the target, looked at every {} ms.",
        DELETE_EVERY.as_millis(),
        LOOK_EVERY.as_millis()
    ));
    Ok(())
}

/// Returns the key of a delete. The step has no factor in common with any usual number of rows, so that no key comes
/// twice and neighbours lie far apart.
fn key(number: u64, rows: u64) -> u64 {
    1 + (number * 618_033_989 + 17) % rows
}

/// Deletes rows at their pace and returns how long each was still seen, in seconds.
async fn delete(rig: &Rig, keys: Vec<u64>) -> Result<Vec<f64>> {
    let mut source = rig.pair.source.connect().await?;
    let mut target = rig.pair.target.connect().await?;
    let count = keys.len();
    let mut keys = keys.into_iter();
    let mut under_way: Vec<(u64, Instant)> = Vec::new();
    let mut waits = Vec::new();
    let began = Instant::now();
    let mut next = began;
    while waits.len() < count {
        anyhow::ensure!(began.elapsed() < GONE_MAX, "{} deleted rows are still on the target", under_way.len());
        if Instant::now() >= next
            && let Some(key) = keys.next()
        {
            next += DELETE_EVERY;
            let sql = format!("DELETE FROM {DATABASE}.ledger WHERE id={key}");
            source.query_drop(sql).await.context("delete a row")?;
            under_way.push((key, Instant::now()));
        }
        let seen = still_there(&mut target, &under_way).await?;
        let now = Instant::now();
        under_way.retain(|(key, deleted)| {
            let is_there = seen.contains(key);
            if !is_there {
                waits.push((now - *deleted).as_secs_f64());
            }
            is_there
        });
        tokio::time::sleep(LOOK_EVERY).await;
    }
    source.disconnect().await.context("close a connection")?;
    target.disconnect().await.context("close a connection")?;
    Ok(waits)
}

async fn still_there(target: &mut Conn, under_way: &[(u64, Instant)]) -> Result<Vec<u64>> {
    if under_way.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<String> = under_way.iter().map(|(key, _)| key.to_string()).collect();
    let sql = format!("SELECT id FROM {DATABASE}.ledger WHERE id IN ({})", keys.join(","));
    target.query(sql).await.context("look for deleted rows")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_row_is_deleted_twice() {
        let mut keys: Vec<u64> = (0..1000).map(|number| key(number, 1_000_000)).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 1000);
        assert!(keys[0] >= 1 && keys[999] <= 1_000_000);
    }
}
