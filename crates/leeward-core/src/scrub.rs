//! Decisions of the scrub: what a comparison says about the table's class.

use crate::class::{Class, Confidence, Strategy};
use crate::digest::Counts;
use crate::mark::{Contradicted, Contradiction};
use crate::plan::PlannedTable;

/// Returns what a difference found inside a cut, after the delta was applied, says against the plan's line of the table, with
/// the number of rows each.
pub fn contradictions(planned: &PlannedTable, found: Counts) -> Vec<(Contradiction, u64)> {
    let (added, changed) = match planned.strategy {
        Strategy::Append => (Contradiction::AddedBehindMark, Contradiction::RowChanged),
        Strategy::Merge => (Contradiction::AddedBehindMark, Contradiction::ChangedBehindClock),
        Strategy::Watch | Strategy::Reconcile => (Contradiction::RowAdded, Contradiction::RowChanged),
    };
    let seen = [(added, found.missing), (changed, found.changed), (Contradiction::RowDeleted, found.extra)];
    seen.into_iter().filter(|(what, rows)| *rows > 0 && contradicts(planned, *what)).collect()
}

/// Returns whether something that comparisons have shown speaks against how a table is taken to change, or to be followed.
fn contradicts(planned: &PlannedTable, what: Contradiction) -> bool {
    let follows = matches!(planned.strategy, Strategy::Append | Strategy::Merge);
    match (planned.class, what) {
        (Class::InsertOnly, Contradiction::RowDeleted) if planned.holds_tombstones => false,
        (Class::Static, _) => true,
        (Class::InsertOnly, Contradiction::RowAdded) => false,
        (Class::InsertOnly | Class::UpdDel, Contradiction::AddedBehindMark) => follows,
        (Class::InsertOnly, _) => true,
        (Class::UpdDel, Contradiction::ChangedBehindClock) => planned.strategy == Strategy::Merge,
        // Its rows are marked and stay, it was said.
        (Class::UpdDel, Contradiction::RowDeleted) => planned.soft_delete.is_some(),
        (Class::UpdDel, _) => false,
    }
}

impl PlannedTable {
    /// Returns whether something that was shown counts against this line of the plan.
    pub fn is_contradicted_by(&self, shown: &Contradicted) -> bool {
        contradicts(self, shown.what) && !shown.is_forgiven(self.forgiven_until)
    }

    /// Returns how sure the plan still is, after what comparisons have shown since it was made.
    pub fn confidence_after(&self, shown: &[Contradicted]) -> Confidence {
        match shown.iter().any(|shown| self.is_contradicted_by(shown)) {
            true => Confidence::Low,
            false => self.confidence,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mark::Contradiction::{AddedBehindMark, ChangedBehindClock, RowAdded, RowChanged, RowDeleted};
    use crate::name::TableName;
    use crate::table::Table;

    fn planned(class: Class, strategy: Strategy) -> PlannedTable {
        let table = Table {
            name: TableName::new("shop", "orders"),
            engine: "InnoDB".into(),
            collation: String::new(),
            columns: Vec::new(),
            keys: Vec::new(),
            foreign_keys: Vec::new(),
            partitioned: false,
        };
        PlannedTable::plain(table, class, strategy)
    }

    #[test]
    fn what_a_difference_contradicts_follows_from_class_and_strategy() {
        let found = Counts { missing: 1, changed: 2, extra: 3 };
        let cases = [
            (Class::Static, Strategy::Watch, vec![(RowAdded, 1), (RowChanged, 2), (RowDeleted, 3)]),
            (Class::InsertOnly, Strategy::Append, vec![(AddedBehindMark, 1), (RowChanged, 2), (RowDeleted, 3)]),
            (Class::InsertOnly, Strategy::Merge, vec![(AddedBehindMark, 1), (ChangedBehindClock, 2), (RowDeleted, 3)]),
            (Class::InsertOnly, Strategy::Reconcile, vec![(RowChanged, 2), (RowDeleted, 3)]),
            (Class::UpdDel, Strategy::Merge, vec![(AddedBehindMark, 1), (ChangedBehindClock, 2)]),
            (Class::UpdDel, Strategy::Append, vec![(AddedBehindMark, 1)]),
            (Class::UpdDel, Strategy::Reconcile, vec![]),
        ];
        for (class, strategy, against) in cases {
            assert_eq!(contradictions(&planned(class, strategy), found), against, "{class} {strategy}");
        }
    }

    #[test]
    fn confidence_falls_with_what_counts_and_a_person_has_not_forgiven() {
        let at = chrono::DateTime::UNIX_EPOCH.naive_utc();
        let shown = [Contradicted { what: RowDeleted, rows: 1, first_at: Some(at), last_at: Some(at) }];
        let mut append = planned(Class::InsertOnly, Strategy::Append);
        assert_eq!(append.confidence_after(&shown), Confidence::Low);
        assert_eq!(planned(Class::UpdDel, Strategy::Merge).confidence_after(&shown), Confidence::High);
        append.forgiven_until = Some(at.date());
        assert_eq!(append.confidence_after(&shown), Confidence::High);
    }
}
