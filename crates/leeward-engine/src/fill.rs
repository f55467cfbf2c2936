//! Rows that differ as a matter of course, and are overwritten without asking the brake: those of a table that is new, and
//! those that lack no more than what new columns hold. Whatever else differs in a row was the copy's to protect, also while
//! its columns change: a table that was dropped and made again under its old name comes back like one that was altered.

use leeward_core::digest::{Counts, Difference};
use leeward_core::fault::Fault;
use leeward_core::lane::{JoinsFrom, TableState};
use leeward_core::plan::PlannedTable;
use leeward_core::port::Range;
use leeward_core::row::KeyCells;

use crate::lane::TableWork;
use crate::scrub::Bench;

/// Returns the changed rows of a difference that would lose something by being overwritten.
pub async fn lost(
    bench: &mut Bench<'_>,
    range: &Range<'_>,
    table: usize,
    found: &Difference,
) -> Result<Vec<KeyCells>, Fault> {
    match asked_about(&bench.guard.lane.tables[table]) {
        Asked::Nothing => Ok(Vec::new()),
        Asked::Columns(known) if !found.changed.is_empty() => {
            let range = Range { table: &known, keys: range.keys.clone() };
            let (there, here) = tokio::join!(bench.cut.row_hashes(&range), bench.apply.row_hashes(&range));
            Ok(Difference::between(&there?, &here?).changed)
        }
        Asked::Columns(_) | Asked::Everything => Ok(found.changed.clone()),
    }
}

/// Returns whether what its changed rows would lose is known without another look at both sides.
pub fn is_plain(work: &TableWork) -> bool {
    !matches!(asked_about(work), Asked::Columns(_))
}

/// Returns the changed rows that would lose something, of a table that [`is_plain`].
pub fn lost_plainly<'a>(work: &TableWork, found: &'a Difference) -> &'a [KeyCells] {
    match asked_about(work) {
        Asked::Nothing => &[],
        Asked::Columns(_) | Asked::Everything => &found.changed,
    }
}

/// Returns the same of a table whose rows cannot be told apart.
pub async fn lost_without_keys(
    bench: &mut Bench<'_>,
    range: &Range<'_>,
    table: usize,
    found: Counts,
) -> Result<Counts, Fault> {
    match asked_about(&bench.guard.lane.tables[table]) {
        Asked::Nothing => Ok(Counts { changed: 0, ..found }),
        Asked::Columns(known) => {
            let range = Range { table: &known, keys: range.keys.clone() };
            let (there, here) = tokio::join!(bench.cut.row_hashes(&range), bench.apply.row_hashes(&range));
            Ok(Counts::without_keys(&there?, &here?))
        }
        Asked::Everything => Ok(found),
    }
}

/// Which differences of a changed row the brake is asked about.
enum Asked {
    /// None: the copy is new.
    Nothing,
    /// Those in the columns that this table still has.
    Columns(Box<PlannedTable>),
    /// All.
    Everything,
}

fn asked_about(work: &TableWork) -> Asked {
    let new = &work.record.new_columns;
    if matches!(work.record.state, TableState::Joining { from: JoinsFrom::Source }) {
        return Asked::Nothing;
    }
    if new.is_empty() {
        return Asked::Everything;
    }
    let mut known = Box::new(work.planned.clone());
    let key: Vec<String> =
        work.planned.table.row_key().unwrap_or_default().iter().map(|part| part.name.clone()).collect();
    known.table.columns.retain(|column| key.contains(&column.name) || !new.contains(&column.name));
    Asked::Columns(known)
}
