//! Decisions of the scrub: what a comparison says about the table's class, and where the brake stands.

use serde::{Deserialize, Serialize};

use crate::class::Strategy;
use crate::digest::Difference;
use crate::mark::Contradiction;

/// The limit past which a person must agree before a scrub overwrites or deletes (invariant 8).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Brake {
    /// Rows of one table that one pass may delete or overwrite in any case.
    pub rows_max: u64,
    /// Share of the table's rows (0 to 1) that one pass may delete or overwrite, where that is more.
    pub share_max: f64,
}

impl Brake {
    /// Returns how many rows a pass over a table of `rows` may touch.
    pub fn limit(&self, rows: u64) -> u64 {
        let share = (rows as f64 * self.share_max).floor();
        self.rows_max.max(share as u64)
    }
}

/// Returns what a difference found inside a cut, after the delta was applied, says against the strategy. `deleted` and
/// `missing` rows are what `reconcile` is there for and contradict nothing.
pub fn contradictions(strategy: Strategy, found: &Difference) -> Vec<Contradiction> {
    let mut against = Vec::new();
    let mut add = |rows: &[_], contradiction| {
        if !rows.is_empty() {
            against.push(contradiction);
        }
    };
    match strategy {
        Strategy::Watch => {
            add(&found.missing, Contradiction::RowAdded);
            add(&found.changed, Contradiction::RowChanged);
            add(&found.extra, Contradiction::RowDeleted);
        }
        Strategy::Append => {
            add(&found.missing, Contradiction::AddedBehindMark);
            add(&found.changed, Contradiction::RowChanged);
            add(&found.extra, Contradiction::RowDeleted);
        }
        Strategy::Merge => {
            add(&found.missing, Contradiction::AddedBehindMark);
            add(&found.changed, Contradiction::ChangedBehindClock);
        }
        Strategy::Reconcile => {}
    }
    against
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::KeyCells;

    #[test]
    fn the_brake_takes_the_larger_of_rows_and_share() {
        let brake = Brake { rows_max: 100, share_max: 0.01 };
        assert_eq!(brake.limit(0), 100);
        assert_eq!(brake.limit(1_000_000), 10_000);
    }

    #[test]
    fn a_delete_contradicts_insert_only_but_not_merge() {
        let found = Difference { extra: vec![KeyCells(vec![])], ..Difference::default() };
        assert_eq!(contradictions(Strategy::Append, &found), [Contradiction::RowDeleted]);
        assert_eq!(contradictions(Strategy::Merge, &found), []);
    }
}
