//! Soft deletes that neither clock nor id of their table shows: the delta reads its rows once more, by the column that marks
//! them as deleted. That column is a clock of its own, with a mark of its own; it is written by the application, so a window
//! below what is proved is read again. All of it is asked for and applied with the other deltas of a cut.

use chrono::NaiveDateTime;
use leeward_core::mark::floor_to_precision;
use leeward_core::port::{Delta, DeltaStart};
use leeward_core::table::Column;

use crate::apply::DeltaOutcome;
use crate::delta::{AppliedRows, resume_after, rows_max};
use crate::lane::{Lane, TableWork, seconds};

/// The first moment that a TIMESTAMP can hold: before any mark, everything that was ever marked as deleted is read.
const BEGINNING: NaiveDateTime = chrono::DateTime::UNIX_EPOCH.naive_utc();

/// What will be true of a table's soft deletes once the cycle has been committed.
pub struct SoftNext {
    /// The table.
    pub table: usize,
    /// Its mark.
    pub mark: Option<NaiveDateTime>,
    /// Whether all up to the cut was read.
    pub at_cut: bool,
    /// What the window held.
    pub window: AppliedRows,
    behind: Option<DeltaStart>,
}

/// Returns what to ask the next cut for beside the deltas, with the index of each table.
pub fn deltas(lane: &Lane) -> Vec<(usize, Delta<'_>)> {
    let active = lane.tables.iter().enumerate().filter(|(_, table)| table.is_active() && table.has_delta());
    let wanted = active.filter_map(|(at, table)| {
        let (column, _) = column(table)?;
        let mark = table.record.soft_mark.unwrap_or(BEGINNING);
        let from = table.soft_behind.clone().unwrap_or(DeltaStart::Clock(mark));
        Some((at, Delta { table: &table.planned, column: &column.name, from, rows_max: rows_max(lane, table) }))
    });
    wanted.collect()
}

/// Returns the column by which soft deletes are read, and the seconds that are read again below its mark.
fn column(table: &TableWork) -> Option<(&Column, u64)> {
    let soft = table.planned.soft_delete.as_ref()?;
    Some((table.planned.table.column(&soft.column)?, soft.overlap_s?))
}

/// Returns the mark that a time of the source's clock stands for, before which every row is final.
pub fn mark(table: &TableWork, before: NaiveDateTime) -> Option<NaiveDateTime> {
    let (column, overlap_s) = column(table)?;
    Some(floor_to_precision(before - seconds(overlap_s), column.fsp))
}

/// Works out what came of the soft deletes of a cut.
pub fn after(lane: &Lane, tables: &[usize], limits: &[u64], outcomes: &mut [DeltaOutcome]) -> Vec<SoftNext> {
    let mut all = Vec::new();
    for ((&at, &limit), outcome) in tables.iter().zip(limits).zip(outcomes) {
        let table = &lane.tables[at];
        let proved = lane.settled.and_then(|(before, _)| mark(table, before));
        let held = SoftNext {
            table: at,
            mark: table.record.soft_mark,
            at_cut: false,
            window: AppliedRows::default(),
            behind: table.soft_behind.clone(),
        };
        let complete = outcome.complete.filter(|_| outcome.failed.is_none());
        all.push(match (complete, column(table)) {
            (Some(rows), Some((column, _))) if rows >= limit => {
                SoftNext { behind: resume_after(table, &column.name, &outcome.last), ..held }
            }
            // What was proved while the reading went on may lie where it had already passed.
            (Some(_), Some(_)) if table.soft_behind.is_some() => {
                SoftNext { mark: held.mark.max(table.soft_proved_at_start), behind: None, ..held }
            }
            (Some(_), Some(_)) => SoftNext {
                mark: held.mark.max(proved),
                at_cut: true,
                window: std::mem::take(&mut outcome.window),
                behind: None,
                ..held
            },
            _ => held,
        });
    }
    all
}

/// Takes over what has been committed.
pub fn adopt(lane: &mut Lane, next: Vec<SoftNext>) {
    for next in next {
        let proved = lane.settled.and_then(|(before, _)| mark(&lane.tables[next.table], before));
        let table = &mut lane.tables[next.table];
        if table.soft_behind.is_none() {
            table.soft_proved_at_start = proved;
        }
        table.soft_behind = if table.is_active() { next.behind } else { None };
    }
}
