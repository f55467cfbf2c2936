//! Narrows ranges that differ to the rows that do, in few round trips: many ranges are cut into parts and digested in one
//! query, and only parts that differ are listed row by row.

use leeward_core::digest::Difference;
use leeward_core::fault::Fault;
use leeward_core::name::Side;
use leeward_core::port::{Border, Cut, Range};
use leeward_core::row::KeyRange;

use super::pass::{Differing, RANGE_ROWS_MAX};
use super::{KEYS_MAX, Views};

/// Ranges narrowed in one go.
const RANGES_AT_ONCE: usize = 16;

/// Parts of one range: a sixteenth of it is listed where few rows differ.
const PARTS: u64 = 16;

/// Rows below which a range is listed as it is: a few hundred KiB.
const PART_ROWS_MIN: u64 = 1_000;

/// Rows of the parts that one query lists, about 100 bytes a row in memory on each side. A single part may have more,
/// but no more than a range and [`KEYS_MAX`] together.
const LIST_ROWS_MAX: u64 = RANGE_ROWS_MAX;

/// Returns the rows of one table that differ in these ranges; nothing when they are too many to be named.
pub(super) async fn to_rows(views: &mut Views<'_>, differing: &[Differing<'_>]) -> Result<Option<Difference>, Fault> {
    let mut found = Difference::default();
    for some in differing.chunks(RANGES_AT_ONCE) {
        let mut parts = Vec::new();
        for range in some {
            cut_up(views.target.as_mut(), range, &mut parts).await.map_err(|fault| fault.on(Side::Target))?;
        }
        let (there, here) = tokio::join!(views.source.digests(&parts), views.target.digests(&parts));
        let digests = there?.into_iter().zip(here?);
        let (mut listed, mut listed_rows) = (Vec::new(), 0);
        for (part, (there, here)) in parts.into_iter().zip(digests) {
            let there = there.map_err(|fault| fault.on(Side::Source))?;
            let here = here.map_err(|fault| fault.on(Side::Target))?;
            if there == here {
                continue;
            }
            if there.rows.abs_diff(here.rows) >= KEYS_MAX as u64 {
                return Ok(None);
            }
            let rows = there.rows.max(here.rows);
            if listed_rows + rows > LIST_ROWS_MAX {
                list(views, &std::mem::take(&mut listed), &mut found).await?;
                listed_rows = 0;
            }
            if found.rows() >= KEYS_MAX {
                return Ok(None);
            }
            listed.push(part);
            listed_rows += rows;
        }
        list(views, &listed, &mut found).await?;
    }
    Ok(Some(found).filter(|found| found.rows() < KEYS_MAX))
}

/// Cuts a range into parts by the target's borders, which cost no long round trip. Its rows were counted in the same
/// view, so each border lies inside of it.
async fn cut_up<'a>(
    target: &mut dyn Cut,
    Differing { range, target_rows }: &Differing<'a>,
    parts: &mut Vec<Range<'a>>,
) -> Result<(), Fault> {
    let rows = target_rows.div_ceil(PARTS).max(PART_ROWS_MIN);
    let mut after = range.keys.after.clone();
    for _ in 1..target_rows.div_ceil(rows) {
        let border = Border { table: range.table, after: after.clone(), rows };
        let Some(upto) = target.border(&border).await? else { break };
        parts.push(Range { table: range.table, keys: KeyRange { after, upto: Some(upto.clone()) } });
        after = Some(upto);
    }
    parts.push(Range { table: range.table, keys: KeyRange { after, upto: range.keys.upto.clone() } });
    Ok(())
}

/// Lists the rows of some ranges of one table on both sides and adds what differs.
async fn list(views: &mut Views<'_>, ranges: &[Range<'_>], found: &mut Difference) -> Result<(), Fault> {
    if ranges.is_empty() {
        return Ok(());
    }
    let (there, here) = tokio::join!(views.source.row_hashes_in(ranges), views.target.row_hashes_in(ranges));
    let there = there.map_err(|fault| fault.on(Side::Source))?;
    let here = here.map_err(|fault| fault.on(Side::Target))?;
    let part = Difference::between(&there, &here);
    found.missing.extend(part.missing);
    found.changed.extend(part.changed);
    found.extra.extend(part.extra);
    Ok(())
}
