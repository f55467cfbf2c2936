//! Deletes that the source itself writes down: rows of a tombstone table name the keys of deleted rows of another table.
//! What a cut's delta brings of them is deleted on the target in the same transaction, so a delete takes one cycle.
//!
//! A tombstone is no order: the cut is asked first, and what it still holds (inserted again) stays. So a tombstone can be
//! read twice, or too early, without harm; one that is read too early leaves its row to the scrub.

use std::collections::BTreeMap;

use leeward_core::brake::{BrakeEvidence, BrakedBy, Would};
use leeward_core::fault::Fault;
use leeward_core::row::{KeyCells, RowBatch};

use crate::apply::{settle_owed, table_fault, write_from_cut};
use crate::brake;
use crate::lane::{Lane, Stop, TableWork};
use crate::scrub::{Bench, stop_for};

/// Keys named by the tombstones of one cut. Bounded by the rows that a delta reads.
#[derive(Default)]
pub struct Named {
    /// For each tombstone table, the tables whose rows it names and where their keys stand in its rows.
    places: BTreeMap<usize, Vec<(usize, Vec<usize>)>>,
    /// Each table with a key, and the tombstone table that named it.
    keys: Vec<(usize, KeyCells, usize)>,
}

impl Named {
    /// Gets ready for the tombstone tables of a lane. Tables that wait are left alone: they are compared whole before they
    /// count again.
    pub fn new(tables: &[TableWork]) -> Named {
        let mut named = Named::default();
        for (at, table) in tables.iter().enumerate().filter(|(_, table)| table.is_active()) {
            let Some(tombstones) = &table.planned.tombstones else { continue };
            let Some(of) = tables.iter().position(|table| *table.planned.name() == tombstones.table) else { continue };
            let wire = tables[of].planned.table.wire_columns();
            let place = |name: &String| wire.iter().position(|column| column.name.eq_ignore_ascii_case(name));
            if let Some(places) = tombstones.key.iter().map(place).collect::<Option<Vec<usize>>>() {
                named.places.entry(of).or_default().push((at, places));
            }
        }
        named
    }

    /// Takes in rows that have been written on the target. A tombstone without a whole key names no row.
    pub fn take(&mut self, table: usize, rows: &RowBatch) {
        for (of, places) in self.places.get(&table).into_iter().flatten() {
            let whole = |row: &usize| places.iter().all(|&at| rows.cell(*row, at).is_some());
            self.keys.extend((0..rows.rows()).filter(whole).map(|row| (*of, rows.key(row, places), table)));
        }
    }

    /// Forgets what rows of a tombstone table have named, because they were undone.
    pub fn forget(&mut self, table: usize) {
        self.keys.retain(|(_, _, by)| *by != table);
    }

    fn by_table(self) -> BTreeMap<usize, Vec<KeyCells>> {
        let mut keys: BTreeMap<usize, Vec<KeyCells>> = BTreeMap::new();
        for (table, key, _) in self.keys {
            keys.entry(table).or_default().push(key);
        }
        for keys in keys.values_mut() {
            keys.sort();
            keys.dedup();
        }
        keys
    }
}

/// What tombstones did to one table.
pub struct Buried {
    /// The table.
    pub table: usize,
    /// Rows deleted.
    pub rows: u64,
    /// Why the table is taken out, if it is; nothing was deleted then.
    pub stop: Option<Stop>,
    /// What the brake saw, if it stopped the table.
    pub brake: Option<Box<BrakeEvidence>>,
}

/// Deletes the rows that tombstones have named and that the cut does not hold, up to the brake.
pub async fn bury(bench: &mut Bench<'_>, named: Named) -> Result<Vec<Buried>, Fault> {
    let mut all = Vec::new();
    for (table, keys) in named.by_table() {
        bench.apply.savepoint().await?;
        let mut buried = Buried { table, rows: 0, stop: None, brake: None };
        match bury_of(bench, table, &keys).await {
            Ok(rows) => buried.rows = rows,
            Err(fault) => buried.stop = Some(stop_for(&table_fault(fault)?)),
        }
        let would = Would {
            by: BrakedBy::Tombstones,
            deletes: buried.rows,
            overwrites: 0,
            delete_keys: &keys,
            overwrite_keys: &[],
            whole: None,
        };
        let lane = bench.guard.lane;
        if let Some(seen) = bench.guard.stops(table, &lane.tables[table].record.scrub, &would) {
            buried.stop = Some(brake::stop(lane, table, &seen));
            buried.brake = Some(seen);
        }
        if buried.stop.is_some() {
            bench.apply.undo_to_savepoint().await?;
            buried.rows = 0;
        }
        all.push(buried);
    }
    Ok(all)
}

/// Deletes, and returns how many rows are gone for good. Which keys are the same is the servers' to say (T9): what the cut
/// still holds under one of them is taken out first and written anew, so that it is not counted.
async fn bury_of(bench: &mut Bench<'_>, table: usize, keys: &[KeyCells]) -> Result<u64, Fault> {
    let lane: &Lane = bench.guard.lane;
    let work = &lane.tables[table];
    let held = bench.cut.row_hashes_of(&work.planned, keys).await?;
    let held: Vec<KeyCells> = held.into_iter().map(|row| row.key).collect();
    bench.apply.delete(&work.planned, &held).await?;
    let gone = bench.apply.delete(&work.planned, keys).await?;
    let owed = write_from_cut(bench.cut, bench.apply, work, &held).await?;
    settle_owed(bench.cut, bench.apply, work, owed).await?;
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tombstone_without_a_whole_key_names_no_row_and_undone_ones_are_forgotten() {
        let mut named = Named { places: BTreeMap::from([(1, vec![(0, vec![1])])]), keys: Vec::new() };
        let mut rows = RowBatch::new(2);
        for cell in [Some(&b"1"[..]), Some(b"7"), Some(b"2"), None, Some(b"3"), Some(b"7")] {
            rows.push_cell(cell);
        }
        named.take(1, &rows);
        named.take(2, &rows);
        assert_eq!(named.keys.len(), 2);
        let mut undone = Named { places: BTreeMap::new(), keys: named.keys.clone() };
        undone.forget(1);
        assert!(undone.by_table().is_empty());
        assert_eq!(named.by_table(), BTreeMap::from([(0, vec![KeyCells(vec![b"7".to_vec()])])]));
    }
}
