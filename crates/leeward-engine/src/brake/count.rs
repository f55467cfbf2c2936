//! The count over a table that the brake holds. What stopped it was one range, or counts alone; whoever is to agree wants to
//! know what the whole table stands to lose. So it is compared on, slice by slice at the scrub's pace, and nothing of it
//! is changed. Rows that the source has changed since the stop are counted as well: the table stands still.

use leeward_core::brake::{BrakeEvidence, CountState, KEYS_MAX};
use leeward_core::digest::{Counts, Difference, Digest};
use leeward_core::fault::Fault;
use leeward_core::port::Range;
use leeward_core::row::KeyCells;

use crate::fill;
use crate::pace::RANGE_ROWS_MAX;
use crate::scrub::Bench;

/// Rows of a range whose hashes are listed, some 100 bytes each. Of a range that holds more on the target (where the source
/// lacks most of them) only the surplus is counted.
const LISTED_MAX: u64 = RANGE_ROWS_MAX * 2;

/// Takes one more range into the count.
pub async fn go_on(
    bench: &mut Bench<'_>,
    (table, seen): (usize, &mut BrakeEvidence),
    range: &Range<'_>,
    (source, target): (&Digest, &Digest),
) -> Result<(), Fault> {
    let mut found = Counts::default();
    if target.rows > LISTED_MAX {
        found.extra = target.rows.saturating_sub(source.rows);
    } else if source != target {
        let (there, here) = tokio::join!(bench.cut.row_hashes(range), bench.apply.row_hashes(range));
        let (there, here) = (there?, here?);
        if range.table.has_key() {
            let differs = Difference::between(&there, &here);
            let lost = fill::lost(bench, range, table, &differs).await?;
            found = Counts { changed: lost.len() as u64, ..differs.counts() };
            add_keys(&mut seen.delete_keys, &differs.extra);
            add_keys(&mut seen.overwrite_keys, &lost);
        } else {
            found = Counts::without_keys(&there, &here);
            found = fill::lost_without_keys(bench, range, table, found).await?;
        }
    }
    let count = &mut seen.count;
    count.rows.source += source.rows;
    count.rows.target += target.rows;
    count.deletes += found.extra;
    count.overwrites += found.changed;
    count.after = range.keys.upto.as_ref().map(KeyCells::to_hex);
    if range.keys.upto.is_none() {
        count.state = CountState::Whole;
    }
    Ok(())
}

/// Adds keys to a sample that is not full yet. What stopped the table stands in it already.
fn add_keys(sample: &mut Vec<Vec<String>>, keys: &[KeyCells]) {
    for key in keys.iter().map(KeyCells::to_hex) {
        if sample.len() >= KEYS_MAX {
            return;
        }
        if !sample.contains(&key) {
            sample.push(key);
        }
    }
}
