//! What a sweep has found and not repaired yet: table after table, so that one that cannot be repaired is undone alone.

use std::collections::VecDeque;

use leeward_core::brake::Would;
use leeward_core::digest::{Counts, Difference, Digest};
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::plan::PlannedTable;
use leeward_core::port::{Apply, Ask, Range, Told};
use leeward_core::row::{KeyCells, KeyRange};

use super::answers::{Answers, cut_off};
use super::field::Field;
use crate::apply::table_fault;
use crate::brake::Guard;
use crate::fill;
use crate::mend;
use crate::scrub::Bench;

/// What one round has found of one table.
#[derive(Debug, Default)]
pub struct Owing {
    /// The table, by its place in the sweep.
    pub field: usize,
    /// The rows that differ.
    pub found: Difference,
    /// The stretches that hold them, each with its digest in the cut.
    pub stretches: Vec<(KeyRange, Digest)>,
    /// Keys of rows that were taken out for a unique value.
    owed: Vec<KeyCells>,
}

impl Owing {
    /// Begins with nothing.
    pub fn of(field: usize) -> Owing {
        Owing { field, ..Owing::default() }
    }

    fn is_fetched(&self) -> bool {
        !self.found.missing.is_empty() || !self.found.changed.is_empty()
    }
}

/// All that is to be repaired.
#[derive(Default)]
pub struct Mending {
    /// In the order of tables; what one table owes stands together.
    queue: VecDeque<Owing>,
    /// The table since whose savepoint no other was written.
    open: Option<usize>,
}

impl Mending {
    /// Returns whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Adds what a round has found.
    pub fn add(&mut self, owing: Owing) {
        self.queue.push_back(owing);
    }

    /// Takes out what is to be repaired in the next round.
    pub fn take(&mut self) -> Vec<Owing> {
        std::mem::take(&mut self.queue).into()
    }

    /// Repairs what a round before has found, with the rows as they arrive from the cut. Whatever comes after rows that were
    /// taken out for a unique value waits until these have been looked at, for which the cut must be free; it is fetched again
    /// in the next round.
    pub async fn repair(
        &mut self,
        (apply, guard): (&mut dyn Apply, Guard<'_>),
        fields: &mut [Field<'_>],
        owing: Vec<Owing>,
        answers: &mut Answers,
    ) -> Result<Option<Owing>, Fault> {
        let mut unsettled = None;
        let mut waiting = VecDeque::new();
        for mut one in owing {
            let field = &mut fields[one.field];
            if unsettled.is_some() || field.is_given_up() {
                if one.is_fetched() {
                    answers.skip().await?;
                }
                waiting.extend((!field.is_given_up()).then_some(one));
                continue;
            }
            match self.write(apply, guard, field, (&mut one, answers)).await? {
                Ok(()) if one.owed.is_empty() => {
                    let proved = prove(apply, field.planned, &one.stretches).await;
                    self.judge((apply, guard), field, proved).await?;
                }
                Ok(()) => unsettled = Some(one),
                Err(fault) => self.judge((apply, guard), field, Err(fault)).await?,
            }
        }
        // Before what this round finds.
        self.queue = waiting;
        Ok(unsettled)
    }

    /// Looks at the rows that were taken out, now that the cut is free, and proves the stretches.
    pub async fn settle(
        &mut self,
        bench: &mut Bench<'_>,
        fields: &mut [Field<'_>],
        unsettled: Owing,
    ) -> Result<(), Fault> {
        let field = &mut fields[unsettled.field];
        let planned = field.planned;
        if field.is_given_up() {
            return Ok(());
        }
        let mut settled = mend::settle(bench, planned, &mut field.compared, unsettled.owed).await;
        if settled.is_ok() && field.compared.stop.is_none() {
            settled = prove(bench.apply, planned, &unsettled.stretches).await;
        }
        self.judge((bench.apply, bench.guard), field, settled).await
    }

    /// Writes the rows of one table. The outer fault ends the cycle, the inner one is the table's.
    async fn write(
        &mut self,
        apply: &mut dyn Apply,
        guard: Guard<'_>,
        field: &mut Field<'_>,
        (one, answers): (&mut Owing, &mut Answers),
    ) -> Result<Result<(), Fault>, Fault> {
        if self.open != Some(one.field) {
            apply.savepoint().await?;
            self.open = Some(one.field);
        }
        let mut written = match may(guard, field, &one.found) {
            // A row whose key differs from its old one only in case goes first, or it would take the new one with it (T9).
            true => apply.delete(field.planned, &one.found.extra).await.map(|_| ()),
            false => Ok(()),
        };
        while one.is_fetched() {
            match answers.next().await? {
                Told::Rows { rows, .. } if written.is_ok() && field.compared.stop.is_none() => {
                    written = apply.write(field.planned, &rows).await.map(|owed| one.owed.extend(owed));
                }
                Told::Rows { .. } => {}
                Told::End { .. } => break,
                Told::Failed { fault, .. } => {
                    written = written.and(Err(fault));
                    break;
                }
                Told::Digest { .. } | Told::Listed { .. } => return Err(cut_off()),
            }
        }
        Ok(written)
    }

    /// Undoes what was written of a table, if it was the last.
    pub async fn undo(&mut self, apply: &mut dyn Apply, field: usize) -> Result<(), Fault> {
        if self.open == Some(field) {
            apply.undo_to_savepoint().await?;
            self.open = None;
        }
        Ok(())
    }

    /// Undoes a table that has failed or was stopped.
    async fn judge(
        &mut self,
        (apply, guard): (&mut dyn Apply, Guard<'_>),
        field: &mut Field<'_>,
        outcome: Result<(), Fault>,
    ) -> Result<(), Fault> {
        if let Err(fault) = outcome {
            let fault = table_fault(fault)?;
            field.compared = crate::scrub::Compared::failed(guard.lane, field.compared.table, &fault);
        }
        if field.compared.stop.is_some() {
            apply.undo_to_savepoint().await?;
            self.open = None;
            field.todo.clear();
        }
        Ok(())
    }
}

/// Asks the brake and the policy, and takes note of what differs.
fn may(guard: Guard<'_>, field: &mut Field<'_>, found: &Difference) -> bool {
    if found.is_empty() {
        return true;
    }
    let lost = fill::lost_plainly(&guard.lane.tables[field.compared.table], found);
    let counts = Counts { changed: lost.len() as u64, ..found.counts() };
    let would = Would { delete_keys: &found.extra, overwrite_keys: lost, ..counts.would(None) };
    let may = field.compared.may(guard, &would) && field.compared.note(guard.lane, found.counts());
    if may {
        field.compared.scrub.rows_filled += found.counts().changed - counts.changed;
    }
    may
}

/// Proves that the target now equals the cut in these stretches.
async fn prove(apply: &mut dyn Apply, table: &PlannedTable, stretches: &[(KeyRange, Digest)]) -> Result<(), Fault> {
    let ranges: Vec<Range<'_>> = stretches.iter().map(|(keys, _)| Range { table, keys: keys.clone() }).collect();
    let healed = apply.digests(&ranges).await?;
    for ((_, expected), healed) in stretches.iter().zip(healed) {
        if healed? != *expected {
            return Err(Fault::new(FaultKind::RowsRefused, "compare repaired rows again").of(table.name()));
        }
    }
    Ok(())
}

/// Returns what the cut is asked for so that these can be repaired.
pub fn asks<'a>(fields: &[Field<'a>], owing: &[Owing]) -> Vec<Ask<'a>> {
    let fetched = owing.iter().filter(|one| one.is_fetched());
    fetched
        .map(|one| {
            let keys = one.found.missing.iter().chain(&one.found.changed).cloned().collect();
            Ask::Rows { table: fields[one.field].planned, keys }
        })
        .collect()
}
