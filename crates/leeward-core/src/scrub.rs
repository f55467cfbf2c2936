//! Decisions of the scrub: what a comparison says about the table's class.

use crate::class::Strategy;
use crate::digest::Counts;
use crate::mark::Contradiction;

/// Returns what a difference found inside a cut, after the delta was applied, says against the strategy. `deleted` and
/// `missing` rows are what `reconcile` is there for and contradict nothing.
pub fn contradictions(strategy: Strategy, found: Counts) -> Vec<Contradiction> {
    let mut against = Vec::new();
    let mut add = |rows: u64, contradiction| {
        if rows > 0 {
            against.push(contradiction);
        }
    };
    match strategy {
        Strategy::Watch => {
            add(found.missing, Contradiction::RowAdded);
            add(found.changed, Contradiction::RowChanged);
            add(found.extra, Contradiction::RowDeleted);
        }
        Strategy::Append => {
            add(found.missing, Contradiction::AddedBehindMark);
            add(found.changed, Contradiction::RowChanged);
            add(found.extra, Contradiction::RowDeleted);
        }
        Strategy::Merge => {
            add(found.missing, Contradiction::AddedBehindMark);
            add(found.changed, Contradiction::ChangedBehindClock);
        }
        Strategy::Reconcile => {}
    }
    against
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delete_contradicts_insert_only_but_not_merge() {
        let found = Counts { extra: 1, ..Counts::default() };
        assert_eq!(contradictions(Strategy::Append, found), [Contradiction::RowDeleted]);
        assert_eq!(contradictions(Strategy::Merge, found), []);
    }
}
