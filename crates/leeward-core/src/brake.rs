//! The brake: the limit past which a person must agree before rows are deleted or overwritten on the target
//! (invariant 8), what it saw when it stopped a table, and what a person has agreed to.

use chrono::NaiveDateTime;
use serde::{Deserialize, Serialize};

use crate::digest::Counts;
use crate::name::TableName;
use crate::row::KeyCells;

/// Keys of one kind that are stored as evidence: enough to see which rows they are, few enough that a record stays small.
pub const KEYS_MAX: usize = 100;

/// The limit past which a person must agree.
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

/// Who would delete or overwrite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BrakedBy {
    /// The scrub, which compares content.
    Comparison,
    /// The census, which counts keys.
    Census,
    /// Rows of a tombstone table.
    Tombstones,
}

/// Rows of a whole table on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BothSides {
    /// Rows in the cut.
    pub source: u64,
    /// Rows on the target.
    pub target: u64,
}

/// What would be done to one table in this cycle.
#[derive(Debug, Clone, Copy)]
pub struct Would<'a> {
    /// By whom.
    pub by: BrakedBy,
    /// Rows that would be deleted.
    pub deletes: u64,
    /// Rows that would be overwritten.
    pub overwrites: u64,
    /// Keys of those that would be deleted; empty where only their number is known.
    pub delete_keys: &'a [KeyCells],
    /// Keys of those that would be overwritten; empty where only their number is known.
    pub overwrite_keys: &'a [KeyCells],
    /// Rows of the whole table, where the whole table was looked at.
    pub whole: Option<BothSides>,
}

impl Counts {
    /// Returns what making the target equal would do to rows that it holds, found by a comparison.
    pub fn would(self, whole: Option<BothSides>) -> Would<'static> {
        Would {
            by: BrakedBy::Comparison,
            deletes: self.extra,
            overwrites: self.changed,
            delete_keys: &[],
            overwrite_keys: &[],
            whole,
        }
    }
}

impl Would<'_> {
    /// Returns how many rows would be deleted or overwritten.
    pub fn rows(&self) -> u64 {
        self.deletes.saturating_add(self.overwrites)
    }

    /// Returns whether the copy of a table would be emptied because the source's table is empty: what TRUNCATE, a DELETE
    /// without WHERE, and a table that was dropped and made anew look like.
    pub fn empties(&self) -> bool {
        self.whole.is_some_and(|rows| rows.source == 0 && rows.target > 0) && self.deletes > 0
    }
}

/// What the brake saw when it stopped a table. Its keys are data of the user: they are shown where a person asks for
/// them, and stand in no event, log or status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrakeEvidence {
    /// Number of the cycle that stopped the table; names the evidence.
    pub cycle: u64,
    /// Who would have deleted or overwritten.
    pub by: BrakedBy,
    /// The source's clock in the cut.
    pub cut_at: NaiveDateTime,
    /// The target's clock.
    pub target_at: NaiveDateTime,
    /// Rows that would have been deleted at once.
    pub deletes: u64,
    /// Rows that would have been overwritten at once.
    pub overwrites: u64,
    /// Rows that the same pass had deleted or overwritten before.
    pub spent: u64,
    /// Rows that the policy lets one pass delete or overwrite; 0 where the source's table is empty.
    pub limit: u64,
    /// Whether the source's table is empty, so that the whole copy would have been deleted.
    pub emptied: bool,
    /// Keys of rows that would be deleted, the first [`KEYS_MAX`], each cell in hex.
    pub delete_keys: Vec<Vec<String>>,
    /// Keys of rows that would be overwritten, the first [`KEYS_MAX`], each cell in hex.
    pub overwrite_keys: Vec<Vec<String>>,
    /// What comparing the whole table has come to since; nothing is changed by it.
    pub count: BrakeCount,
}

/// The count over a whole table that goes on, slice by slice, after the brake has stopped it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BrakeCount {
    /// Where it stands: cells of the last border in hex; nothing before the first slice and after the last.
    pub after: Option<Vec<String>>,
    /// How far it has come.
    pub state: CountState,
    /// Rows looked at on both sides.
    pub rows: BothSides,
    /// Rows that would be deleted.
    pub deletes: u64,
    /// Rows that would be overwritten.
    pub overwrites: u64,
}

/// How far a [`BrakeCount`] has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CountState {
    /// It goes on.
    #[default]
    Running,
    /// The whole table has been looked at.
    Whole,
    /// The table could not be looked at any further.
    GivenUp,
}

impl BrakeEvidence {
    /// Returns how many rows are known to be at stake: what a person who agrees to this evidence agrees to.
    pub fn rows(&self) -> u64 {
        let at_once = self.deletes.saturating_add(self.overwrites);
        at_once.max(self.count.deletes.saturating_add(self.count.overwrites))
    }

    /// Returns what was seen as a sentence, without keys.
    pub fn sentence(&self, table: &TableName) -> String {
        let BrakeEvidence { deletes, overwrites, spent, limit, .. } = self;
        let who = match self.by {
            BrakedBy::Comparison => "a comparison",
            BrakedBy::Census => "a count of keys",
            BrakedBy::Tombstones => "its tombstones",
        };
        if self.emptied {
            return format!("{table} is empty on the source, and {who} would delete all {deletes} rows of the copy");
        }
        let before = match spent {
            0 => String::new(),
            spent => format!(" after {spent} in the same pass"),
        };
        let what = match (deletes, overwrites) {
            (deletes, 0) => format!("delete {deletes} rows"),
            (0, overwrites) => format!("overwrite {overwrites} rows"),
            (deletes, overwrites) => format!("delete {deletes} and overwrite {overwrites} rows"),
        };
        format!("{who} would {what} of {table}{before}; the brake allows {limit}")
    }

    /// Returns what to do about it.
    pub fn remedy(&self, table: &TableName) -> String {
        format!(
            "find out what happened to {table} on the source. `leeward accept` shows which rows; if they are to go, run \
             `leeward accept {table}`; if not, the copy still holds them"
        )
    }
}

/// What a person has agreed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acceptance {
    /// The table.
    pub table: TableName,
    /// The evidence, see [`BrakeEvidence::cycle`].
    pub cycle: u64,
    /// Rows that were seen and may be deleted or overwritten.
    pub rows: u64,
    /// Who: account and host.
    pub by: String,
}

/// How far the brake is released for one table, by an [`Acceptance`] that has been taken up. It ends with the first whole
/// pass, or when the brake stops the table again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {
    /// The evidence that was agreed to.
    pub cycle: u64,
    /// Rows that may be deleted or overwritten beyond the limit.
    pub rows: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_brake_takes_the_larger_of_rows_and_share() {
        let brake = Brake { rows_max: 100, share_max: 0.01 };
        assert_eq!(brake.limit(0), 100);
        assert_eq!(brake.limit(1_000_000), 10_000);
    }

    #[test]
    fn a_table_is_emptied_only_where_all_of_it_was_looked_at() {
        let would = |whole| Would {
            by: BrakedBy::Comparison,
            deletes: 3,
            overwrites: 0,
            delete_keys: &[],
            overwrite_keys: &[],
            whole,
        };
        assert!(would(Some(BothSides { source: 0, target: 3 })).empties());
        assert!(!would(Some(BothSides { source: 1, target: 4 })).empties());
        assert!(!would(None).empties());
    }

    #[test]
    fn evidence_says_what_was_seen_and_what_is_at_stake() {
        let at = chrono::DateTime::UNIX_EPOCH.naive_utc();
        let mut seen = BrakeEvidence {
            cycle: 7,
            by: BrakedBy::Comparison,
            cut_at: at,
            target_at: at,
            deletes: 30,
            overwrites: 4,
            spent: 5,
            limit: 10,
            emptied: false,
            delete_keys: vec![],
            overwrite_keys: vec![],
            count: BrakeCount::default(),
        };
        let name = TableName::new("shop", "orders");
        let text = "a comparison would delete 30 and overwrite 4 rows of shop.orders after 5 in the same pass; the brake allows 10";
        assert_eq!(seen.sentence(&name), text);
        assert!(seen.remedy(&name).contains("`leeward accept shop.orders`"));
        assert_eq!(seen.rows(), 34);
        seen.count.deletes = 300;
        assert_eq!(seen.rows(), 300);
        (seen.emptied, seen.overwrites) = (true, 0);
        assert!(seen.sentence(&name).contains("would delete all 30 rows of the copy"));
    }
}
