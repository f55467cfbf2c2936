//! The window of rows that a cycle reads again, and how rows that the target already holds are skipped.

use std::collections::HashMap;

use leeward_core::port::{Delta, DeltaStart, delta_start};
use leeward_core::row::RowBatch;
use sha2::{Digest as _, Sha256};

use crate::budget::Budget;
use crate::lane::{Lane, TableWork};

/// What remembering a row of a window takes.
const REMEMBERED_BYTES: u64 = 48;

/// Returns how many rows each of `tables` windows may remember: all of them together take as much as rows in memory may. A
/// larger window is simply applied again, which is idempotent: the bound costs work and never correctness.
pub fn remembered_max(budget: &Budget, tables: usize) -> usize {
    budget.holds(REMEMBERED_BYTES) / tables.max(1)
}

/// Fingerprints of the rows in the last applied window. The next window is a part of that one and of what is new, so
/// each cycle's fingerprints replace the last's.
#[derive(Debug, Clone, Default)]
pub struct AppliedRows {
    rows: HashMap<u128, u128>,
}

impl AppliedRows {
    /// Adds what another window of the same table held.
    pub fn extend(&mut self, other: AppliedRows) {
        self.rows.extend(other.rows);
    }

    /// Returns the rows of a batch that are not known to be on the target, and remembers them in `next`, up to
    /// `rows_max` in all.
    pub fn fresh(&self, rows: &RowBatch, key: &[usize], (next, rows_max): (&mut AppliedRows, usize)) -> RowBatch {
        rows.filter(|row| {
            let name = fingerprint(rows, row, key.iter().copied());
            let content = fingerprint(rows, row, 0..rows.width());
            if next.rows.len() < rows_max {
                next.rows.insert(name, content);
            }
            self.rows.get(&name) != Some(&content)
        })
    }
}

/// 128 bits of SHA-256 over cells with their lengths: a skipped row must be the same row, not probably the same.
fn fingerprint(rows: &RowBatch, row: usize, cells: impl Iterator<Item = usize>) -> u128 {
    let mut hash = Sha256::new();
    for at in cells {
        match rows.cell(row, at) {
            Some(cell) => {
                hash.update((cell.len() as u64 + 1).to_le_bytes());
                hash.update(cell);
            }
            None => hash.update(0u64.to_le_bytes()),
        }
    }
    let digest: [u8; 32] = hash.finalize().into();
    u128::from_le_bytes(digest[..16].try_into().expect("16 of 32 bytes"))
}

/// Rows of one window from which on a resting mark pays: it costs another look at the source's threads, about as much as
/// reading a thousand narrow rows and finding that the target holds them.
pub(crate) const RESTING_PAYS_ROWS: u64 = 1_000;

/// From where windows are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// From the marks.
    Mark,
    /// From the resting marks, which must be found to have held after the cut was opened.
    Rest,
}

/// Returns from where the next cut's windows are to be read.
pub fn from(lane: &Lane) -> From {
    let pays = |table: &TableWork| {
        let rows = lane.resting_pays_rows.min(rows_max(lane, table));
        table.is_active() && table.rested.is_some() && table.window_rows >= rows
    };
    match lane.tables.iter().any(pays) {
        true => From::Rest,
        false => From::Mark,
    }
}

/// Returns what to ask the next cut for, with the index of each table.
pub fn deltas(lane: &Lane, from: From) -> Vec<(usize, Delta<'_>)> {
    let wanted = lane.tables.iter().enumerate().filter(|(_, table)| table.is_active() && table.has_delta());
    wanted.map(|(at, table)| (at, delta(lane, table, from))).collect()
}

fn delta<'a>(lane: &'a Lane, table: &'a TableWork, from: From) -> Delta<'a> {
    let rested = table.rested.as_ref().filter(|_| from == From::Rest);
    let mark = rested.map_or(table.record.mark, |rested| table.record.mark.advanced_to(rested.mark));
    let from = table.behind.clone().unwrap_or_else(|| delta_start(mark));
    let column = table.planned.mark_column.as_deref().unwrap_or_default();
    Delta { table: &table.planned, column, from, rows_max: rows_max(lane, table) }
}

/// Rows of a table that one cycle reads: bounded by rows and, through the estimated row size, by bytes.
pub fn rows_max(lane: &Lane, table: &TableWork) -> u64 {
    let batch = &lane.plan.settings.batch;
    batch.rows_max.min(batch.bytes_max / table.planned.row_bytes()).max(1)
}

/// Returns where reading goes on after the last row of a delta that followed `column` and reached its limit.
pub fn resume_after(table: &TableWork, column: &str, last: &RowBatch) -> Option<DeltaStart> {
    let row = last.rows().checked_sub(1)?;
    let wire = table.planned.table.wire_columns();
    let position = wire.iter().position(|it| it.name.eq_ignore_ascii_case(column))?;
    let mark = last.cell(row, position)?;
    if ["datetime", "timestamp"].contains(&wire[position].data_type.as_str()) {
        let key = last.key(row, &table.planned.table.key_positions());
        return Some(DeltaStart::AfterRow { clock: mark.to_vec(), key });
    }
    std::str::from_utf8(mark).ok()?.parse().ok().map(DeltaStart::AfterId)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(cells: &[&str]) -> RowBatch {
        let mut batch = RowBatch::new(2);
        cells.iter().for_each(|cell| batch.push_cell(Some(cell.as_bytes())));
        batch
    }

    #[test]
    fn rows_of_the_last_window_are_skipped_unless_they_changed() {
        let (empty, mut first, mut second) = <(AppliedRows, AppliedRows, AppliedRows)>::default();
        assert_eq!(empty.fresh(&rows(&["1", "a", "2", "b"]), &[0], (&mut first, 9)).rows(), 2);
        let fresh = first.fresh(&rows(&["1", "a", "2", "c", "3", "d"]), &[0], (&mut second, 9));
        assert_eq!(fresh.rows(), 2);
        assert_eq!(fresh.cell(0, 1), Some(&b"c"[..]));
        assert_eq!(second.fresh(&rows(&["2", "b"]), &[0], (&mut AppliedRows::default(), 9)).rows(), 1);
    }
}
