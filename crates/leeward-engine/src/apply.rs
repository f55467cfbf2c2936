//! Writes the rows of a cut into the open target transaction as they arrive, so that memory stays bounded whatever the
//! cut holds.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::NaiveDateTime;
use leeward_core::class::Strategy;
use leeward_core::fault::{Decision, Fault, FaultKind};
use leeward_core::lane::TableState;
use leeward_core::plan::PlannedTable;
use leeward_core::port::{Apply, Cut, CutPart, Event, TakePart, TakeRows};
use leeward_core::row::{KeyCells, RowBatch};
use leeward_core::table::Table;

use crate::budget::Budget;
use crate::delta::{AppliedRows, remembered_max};
use crate::lane::{Lane, TableWork};
use crate::tombstone::Named;

/// Rounds of fetching rows that were taken out for a unique value. Each round's rows come from one cut, in which the
/// index holds, so a chain ends after as many rounds as it has links outside the window.
const OWED_ROUNDS_MAX: usize = 64;

/// Bytes of a cell past which it is not kept of the last row of a delta: no clock, id or key is as long.
const KEPT_CELL_BYTES: usize = 64 * 1024;

/// Takes a cut's parts in.
pub struct Applying<'a> {
    apply: &'a mut dyn Apply,
    tables: &'a [TableWork],
    /// For each delta of the request, its table.
    delta_tables: &'a [usize],
    /// What came of each delta.
    pub outcomes: Vec<DeltaOutcome>,
    /// What came of each border.
    pub borders: Vec<BorderOutcome>,
    /// Rows taken out for a unique value, with their table.
    pub owed: Vec<(usize, KeyCells)>,
    /// Keys of deleted rows, named by tombstones.
    pub named: Named,
    /// The source's clock in the cut.
    pub at: Option<NaiveDateTime>,
    /// What the cut has told of tables' definitions.
    pub described: Vec<Table>,
    touched: Option<usize>,
    /// Rows of each window that are remembered at most.
    remembered_max: usize,
}

/// What came of one delta.
#[derive(Debug, Default)]
pub struct DeltaOutcome {
    /// Rows read, once all have been.
    pub complete: Option<u64>,
    /// Rows written.
    pub applied: u64,
    /// What the window held.
    pub window: AppliedRows,
    /// The last row, from which reading goes on when the limit was reached, without its long cells.
    pub last: RowBatch,
    /// Why the table could not be brought to the cut.
    pub failed: Option<Fault>,
}

/// What came of one border.
#[derive(Debug)]
pub enum BorderOutcome {
    /// Not answered.
    Unknown,
    /// The range reaches to here, or to the end.
    At(Option<KeyCells>),
    /// It could not be found.
    Failed(Fault),
}

impl<'a> Applying<'a> {
    /// Gets ready for as many deltas and borders as were asked for.
    pub fn new(
        apply: &'a mut dyn Apply,
        (tables, budget): (&'a [TableWork], &Budget),
        delta_tables: &'a [usize],
        borders: usize,
    ) -> Applying<'a> {
        Applying {
            apply,
            remembered_max: remembered_max(budget, delta_tables.len()),
            tables,
            delta_tables,
            outcomes: delta_tables.iter().map(|_| DeltaOutcome::default()).collect(),
            borders: (0..borders).map(|_| BorderOutcome::Unknown).collect(),
            owed: Vec::new(),
            named: Named::new(tables),
            at: None,
            described: Vec::new(),
            touched: None,
        }
    }

    /// Gets ready to take the same deltas once more from the same cut, begun further back.
    pub fn again(&mut self) {
        for outcome in &mut self.outcomes {
            (outcome.complete, outcome.applied) = (None, 0);
            outcome.window = AppliedRows::default();
            outcome.last = RowBatch::default();
        }
    }

    async fn rows(&mut self, delta: usize, rows: RowBatch) -> Result<(), Fault> {
        let at = self.delta_tables[delta];
        let table = &self.tables[at];
        let outcome = &mut self.outcomes[delta];
        if outcome.failed.is_some() {
            return Ok(());
        }
        let key = table.planned.table.key_positions();
        let fresh = table.applied.fresh(&rows, &key, (&mut outcome.window, self.remembered_max));
        outcome.last = last_row(&rows);
        // They may be as large as the rows that are written now.
        drop(rows);
        if fresh.is_empty() {
            return Ok(());
        }
        if self.touched != Some(delta) {
            self.apply.savepoint().await?;
            self.touched = Some(delta);
        }
        match self.apply.write(&table.planned, &fresh).await {
            Ok(owed) => {
                self.owed.extend(owed.into_iter().map(|key| (at, key)));
                self.named.take(at, &fresh);
                outcome.applied += fresh.rows() as u64;
            }
            Err(fault) => {
                outcome.failed = Some(table_fault(fault)?);
                self.apply.undo_to_savepoint().await?;
                self.owed.retain(|(table, _)| *table != at);
                self.named.forget(at);
            }
        }
        Ok(())
    }
}

#[async_trait]
impl TakePart for Applying<'_> {
    async fn take(&mut self, part: CutPart) -> Result<(), Fault> {
        match part {
            CutPart::Opened { at } => self.at = Some(at),
            CutPart::Rows { delta, rows } => self.rows(delta, rows).await?,
            CutPart::Complete { delta, rows } => self.outcomes[delta].complete = Some(rows),
            // Locked away for the moment: neither read nor at fault, so not at this cut.
            CutPart::Failed { fault, .. } if fault.kind == FaultKind::Conflict => {}
            CutPart::Failed { delta, fault } => self.outcomes[delta].failed = Some(fault),
            CutPart::BorderAt { border, upto } => self.borders[border] = BorderOutcome::At(upto),
            CutPart::BorderFailed { fault, .. } if fault.kind == FaultKind::Conflict => {}
            CutPart::BorderFailed { border, fault } => self.borders[border] = BorderOutcome::Failed(fault),
            CutPart::Described(tables) => self.described.extend(tables),
        }
        Ok(())
    }
}

/// Returns the fault if it concerns one table alone; anything else ends the cycle.
pub fn table_fault(fault: Fault) -> Result<Fault, Fault> {
    match fault.decision() {
        Decision::Quarantine { .. } => Ok(fault),
        _ => Err(fault),
    }
}

/// Looks again at rows that were taken out for a unique value: in the cut they have changed, and are written anew, or
/// they are gone, and stay out.
pub async fn settle_owed(
    cut: &mut dyn Cut,
    apply: &mut dyn Apply,
    table: &TableWork,
    mut owed: Vec<KeyCells>,
) -> Result<(), Fault> {
    for _ in 0..OWED_ROUNDS_MAX {
        if owed.is_empty() {
            return Ok(());
        }
        owed = write_from_cut(cut, apply, table, &owed).await?;
    }
    Err(Fault::new(FaultKind::UniqueConflict, "write rows whose unique values changed hands").of(table.planned.name()))
}

/// Fetches rows by key from the cut and writes them as they arrive. Returns the keys of rows that they displaced.
pub async fn write_from_cut(
    cut: &mut dyn Cut,
    apply: &mut dyn Apply,
    table: &TableWork,
    keys: &[KeyCells],
) -> Result<Vec<KeyCells>, Fault> {
    let mut writing = Writing::of(apply, &table.planned);
    cut.rows(&table.planned, keys, &mut writing).await?;
    writing.end()
}

/// Writes rows into the open target transaction as they arrive. A fault is told at the end, so that the reading goes on to
/// its own: a view that is left in the middle of an answer is lost.
pub struct Writing<'a> {
    apply: &'a mut dyn Apply,
    table: &'a PlannedTable,
    displaced: Result<Vec<KeyCells>, Fault>,
}

impl<'a> Writing<'a> {
    /// Begins to write rows of a table.
    pub fn of(apply: &'a mut dyn Apply, table: &'a PlannedTable) -> Writing<'a> {
        Writing { apply, table, displaced: Ok(Vec::new()) }
    }

    /// Returns the keys of rows that were displaced, or what kept rows from being written.
    pub fn end(self) -> Result<Vec<KeyCells>, Fault> {
        self.displaced
    }
}

#[async_trait]
impl TakeRows for Writing<'_> {
    async fn take(&mut self, rows: RowBatch) -> Result<(), Fault> {
        if let Ok(displaced) = &mut self.displaced {
            match self.apply.write(self.table, &rows).await {
                Ok(more) => displaced.extend(more),
                Err(fault) => self.displaced = Err(fault),
            }
        }
        Ok(())
    }
}

/// Returns the last of some rows without its long cells.
fn last_row(rows: &RowBatch) -> RowBatch {
    let mut last = RowBatch::new(rows.width());
    if let Some(row) = rows.rows().checked_sub(1) {
        let kept = |at| rows.cell(row, at).filter(|cell: &&[u8]| cell.len() <= KEPT_CELL_BYTES);
        (0..rows.width()).for_each(|at| last.push_cell(kept(at)));
    }
    last
}

/// Returns an event for each table of which a delta has written more rows than the brake would let a comparison touch: it
/// stops no delta, but the moment should be found again. What goes on with a backlog was told when that began.
pub fn bulk(lane: &Lane, delta_tables: &[usize], outcomes: &[DeltaOutcome]) -> Vec<Event> {
    let told = delta_tables.iter().zip(outcomes).filter_map(|(&table, outcome)| {
        let work = &lane.tables[table];
        let fresh = work.record.state == TableState::Live && work.behind.is_none();
        let many = outcome.applied > lane.plan.settings.brake.limit(work.planned.rows_estimate);
        (fresh && many && work.planned.strategy == Strategy::Merge).then(|| {
            let name = work.planned.name().clone();
            let text =
                format!("{} rows of {name} were added or rewritten in one cycle, as its clock says", outcome.applied);
            Event { kind: "bulk".into(), table: Some(name), text }
        })
    });
    told.collect()
}

/// Looks again at the rows that deltas took out for a unique value, table by table. Without a savepoint of its own a
/// table's rows can no longer be undone alone, so a fault ends the cycle.
pub async fn settle_all_owed(
    cut: &mut dyn Cut,
    apply: &mut dyn Apply,
    lane: &Lane,
    owed: Vec<(usize, KeyCells)>,
) -> Result<(), Fault> {
    let mut by_table: BTreeMap<usize, Vec<KeyCells>> = BTreeMap::new();
    for (table, key) in owed {
        by_table.entry(table).or_default().push(key);
    }
    for (table, keys) in by_table {
        settle_owed(cut, apply, &lane.tables[table], keys).await?;
    }
    Ok(())
}
