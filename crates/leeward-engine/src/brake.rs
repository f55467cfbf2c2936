//! Where everything that deletes or overwrites rows of a table on the target asks first: repairs of the scrub, counts of
//! keys, tombstones. Deltas do not ask: they bring what the source's own clock or key shows to be newer, and delete
//! nothing (docs/adr/0013).

pub mod count;

use chrono::NaiveDateTime;
use leeward_core::brake::{BrakeCount, BrakeEvidence, CountState, KEYS_MAX, Would};
use leeward_core::lane::{QuarantineCause, ScrubRecord};
use leeward_core::row::KeyCells;

use crate::lane::Lane;
use crate::tombstone::Buried;

/// Whether the brake stops anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Braking {
    /// Past the policy's limit a person must agree.
    On,
    /// The copy is new, or a person asked for the repair.
    Off,
}

/// The brake in one cycle.
#[derive(Clone, Copy)]
pub struct Guard<'a> {
    /// The lane as last committed.
    pub lane: &'a Lane,
    /// Whether the brake is on.
    pub braking: Braking,
    /// The source's clock in the cut.
    pub cut_at: NaiveDateTime,
    /// The target's clock.
    pub target_at: NaiveDateTime,
    /// What tombstones have deleted in this cycle, which no record counts yet.
    pub buried: &'a [Buried],
}

impl Guard<'_> {
    /// Returns how many rows of a table may still be deleted or overwritten, with what its `scrub` record counts already:
    /// the limit holds from the beginning of one pass to that of the next.
    pub fn left(&self, table: usize, scrub: &ScrubRecord) -> u64 {
        match self.braking {
            Braking::Off => u64::MAX,
            Braking::On => {
                self.limit(table).saturating_add(self.released(table)).saturating_sub(self.spent(table, scrub))
            }
        }
    }

    /// Returns what is to be stored when the brake stops the table; nothing when the rows may be touched. Whoever may
    /// touch them counts them in the `scrub` record.
    pub fn stops(&self, table: usize, scrub: &ScrubRecord, would: &Would<'_>) -> Option<Box<BrakeEvidence>> {
        // A copy is never emptied without a person, however small it is, unless the policy says that the table may be.
        let emptied = would.empties() && !self.lane.tables[table].planned.may_be_empty;
        let allowed = match emptied && self.braking == Braking::On {
            true => self.released(table),
            false => self.left(table, scrub),
        };
        (would.rows() > allowed).then(|| Box::new(self.evidence((table, emptied), scrub, would)))
    }

    fn spent(&self, table: usize, scrub: &ScrubRecord) -> u64 {
        let buried = self.buried.iter().filter(|buried| buried.table == table).map(|buried| buried.rows);
        scrub.spent().saturating_add(buried.sum())
    }

    fn limit(&self, table: usize) -> u64 {
        self.lane.plan.settings.brake.limit(self.lane.tables[table].planned.rows_estimate)
    }

    fn released(&self, table: usize) -> u64 {
        self.lane.tables[table].record.released.map_or(0, |released| released.rows)
    }

    fn evidence(&self, (table, emptied): (usize, bool), scrub: &ScrubRecord, would: &Would<'_>) -> BrakeEvidence {
        let count = match would.whole {
            Some(rows) => BrakeCount {
                after: None,
                state: CountState::Whole,
                rows,
                deletes: would.deletes,
                overwrites: would.overwrites,
            },
            None => BrakeCount::default(),
        };
        BrakeEvidence {
            cycle: self.lane.record.cycle + 1,
            by: would.by,
            cut_at: self.cut_at,
            target_at: self.target_at,
            deletes: would.deletes,
            overwrites: would.overwrites,
            spent: self.spent(table, scrub),
            limit: if emptied { 0 } else { self.limit(table) },
            emptied,
            delete_keys: sample(would.delete_keys),
            overwrite_keys: sample(would.overwrite_keys),
            count,
        }
    }
}

/// Returns the first keys in the form in which they are stored.
pub fn sample(keys: &[KeyCells]) -> Vec<Vec<String>> {
    keys.iter().take(KEYS_MAX).map(KeyCells::to_hex).collect()
}

/// Returns how a table is quarantined for what the brake saw.
pub fn stop(lane: &Lane, table: usize, seen: &BrakeEvidence) -> (QuarantineCause, String, String) {
    let name = lane.tables[table].planned.name();
    (QuarantineCause::Brake, seen.sentence(name), seen.remedy(name))
}
