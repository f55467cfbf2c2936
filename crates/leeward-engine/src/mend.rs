//! Makes rows of the target equal to the cut's, in the apply transaction, once the brake has let it.

use leeward_core::brake::Would;
use leeward_core::digest::{Counts, Difference};
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::plan::PlannedTable;
use leeward_core::port::{Border, Range};
use leeward_core::row::{KeyCells, KeyRange};

use crate::apply::{Writing, settle_owed, write_from_cut};
use crate::fill;
use crate::pace::RANGE_ROWS_MAX;
use crate::scrub::{Bench, Compared};

/// Mends the rows of a range that were found to differ.
pub async fn rows(
    bench: &mut Bench<'_>,
    range: &Range<'_>,
    compared: &mut Compared,
    found: &Difference,
) -> Result<(), Fault> {
    bench.apply.delete(range.table, &found.extra).await?;
    let owed = rewrite_differing(bench, compared.table, found).await?;
    settle(bench, range.table, compared, owed).await
}

/// Looks at the rows that were taken out for a unique value.
pub async fn settle(
    bench: &mut Bench<'_>,
    table: &PlannedTable,
    compared: &mut Compared,
    owed: Vec<KeyCells>,
) -> Result<(), Fault> {
    let work = &bench.guard.lane.tables[compared.table];
    match settle_owed(bench.cut, bench.apply, work, owed).await {
        Err(fault) if fault.kind == FaultKind::UniqueConflict => rewrite_all_differing(bench, table, compared).await,
        settled => settled,
    }
}

/// Writes the cut's rows that the target lacks or holds otherwise. Returns the keys of rows that stood in their way.
async fn rewrite_differing(bench: &mut Bench<'_>, table: usize, found: &Difference) -> Result<Vec<KeyCells>, Fault> {
    // A row whose key differs from its old one only in case is gone from the wanted keys' sight otherwise (T9).
    let wanted: Vec<KeyCells> = found.missing.iter().chain(&found.changed).cloned().collect();
    write_from_cut(bench.cut, bench.apply, &bench.guard.lane.tables[table], &wanted).await
}

/// Rewrites all rows of a table that differ, range by range: unique values have moved on through more rows than can be
/// followed one by one. Nothing is owed at the end, for a row that stands in the way of another differs itself, and is
/// written in its turn; or it is gone from the source.
async fn rewrite_all_differing(
    bench: &mut Bench<'_>,
    table: &PlannedTable,
    compared: &mut Compared,
) -> Result<(), Fault> {
    let mut after = None;
    // Each turn moves past a range of the source or ends at the table's end.
    loop {
        let border = Border { table, after: after.clone(), rows: RANGE_ROWS_MAX };
        let upto = bench.cut.border(&border).await?;
        let range = Range { table, keys: KeyRange { after, upto: upto.clone() } };
        let found = differing(bench, &range).await?;
        if !found.is_empty() {
            let lost = fill::lost(bench, &range, compared.table, &found).await?;
            let counts = Counts { changed: lost.len() as u64, ..found.counts() };
            let would = Would { overwrite_keys: &lost, ..counts.would(None) };
            if !compared.may(bench.guard, &would) || !compared.note(bench.guard.lane, found.counts()) {
                return Ok(());
            }
            compared.scrub.rows_filled += found.counts().changed - counts.changed;
            rewrite_differing(bench, compared.table, &found).await?;
        }
        after = upto;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// Returns the rows of a range that the target lacks or holds otherwise. What only the target has is left to the pass that
/// comes there.
async fn differing(bench: &mut Bench<'_>, range: &Range<'_>) -> Result<Difference, Fault> {
    let asked = std::slice::from_ref(range);
    let (source, target) = tokio::join!(bench.cut.digests(asked), bench.apply.digests(asked));
    let (source, target) = (source?.pop().transpose()?, target?.pop().transpose()?);
    if source == target {
        return Ok(Difference::default());
    }
    let (there, here) = tokio::join!(bench.cut.row_hashes(range), bench.apply.row_hashes(range));
    Ok(Difference { extra: Vec::new(), ..Difference::between(&there?, &here?) })
}

/// Replaces a small table without a key: its rows cannot be told apart, so neither can the differing ones.
pub async fn whole(bench: &mut Bench<'_>, range: &Range<'_>) -> Result<(), Fault> {
    // The planner admitted it by size; twice its limit leaves room to grow until the next plan.
    let rows_max = bench.guard.lane.plan.settings.keyless.rows_max * 2;
    bench.apply.clear(range.table).await?;
    let mut writing = Writing::of(&mut *bench.apply, range.table);
    bench.cut.all_rows(range.table, rows_max, &mut writing).await?;
    writing.end().map(|_| ())
}
