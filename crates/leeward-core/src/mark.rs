//! Marks: how far a table is settled, and what contradicts its class. A mark never moves forwards without its rows: the two
//! are written in one target transaction. It moves backwards where ids begin again or the source's clock was set back.

use chrono::{NaiveDate, NaiveDateTime, Timelike};
use serde::{Deserialize, Serialize};

/// How far a table is settled: everything below the mark is final on the source and present on the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Mark {
    /// Nothing is settled, or the strategy has no mark.
    #[default]
    None,
    /// Every row stamped *before* this source time is settled.
    Clock {
        /// Source clock, UTC.
        settled: NaiveDateTime,
    },
    /// Every row with an id up to and including this one is settled.
    Id {
        /// The highest settled AUTO_INCREMENT id.
        settled: u64,
    },
}

impl Mark {
    /// Returns the later of two marks of one kind. A mark of another kind, or none, replaces [`Mark::None`] only.
    pub fn advanced_to(self, candidate: Mark) -> Mark {
        match (self, candidate) {
            (Mark::None, candidate) => candidate,
            (Mark::Clock { settled: a }, Mark::Clock { settled: b }) => Mark::Clock { settled: a.max(b) },
            (Mark::Id { settled: a }, Mark::Id { settled: b }) => Mark::Id { settled: a.max(b) },
            (held, _) => held,
        }
    }

    /// Returns the earlier of two marks by clock. Any other mark, or none, stays what it is.
    pub fn lowered_to(self, other: Mark) -> Mark {
        match (self, other) {
            (Mark::Clock { settled: a }, Mark::Clock { settled: b }) => Mark::Clock { settled: a.min(b) },
            (held, _) => held,
        }
    }
}

/// Cuts a time down to a column's precision: a `DATETIME(0)` row written at 12:00:05.9 is stamped 12:00:05, so at a
/// fence of 12:00:05.3 rows stamped 12:00:05 are not final yet and only those below 12:00:05 are.
pub fn floor_to_precision(time: NaiveDateTime, fsp: u8) -> NaiveDateTime {
    let unit_ns = 10u32.pow(9 - u32::from(fsp.min(6)));
    time.with_nanosecond(time.nanosecond() / unit_ns * unit_ns).unwrap_or(time)
}

/// What a scrub has shown against a table's class or clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Contradiction {
    /// A row of a `static` or `insert_only` table was changed.
    RowChanged,
    /// A row of a `static` or `insert_only` table was deleted.
    RowDeleted,
    /// A row of a `static` table was added.
    RowAdded,
    /// A row changed without its clock column moving (T5).
    ChangedBehindClock,
    /// A row arrived below the settled id, or stamped below the settled time.
    AddedBehindMark,
}

impl Contradiction {
    /// Returns what was done to the rows, as a phrase that goes on after them.
    pub fn phrase(self) -> &'static str {
        match self {
            Contradiction::RowChanged => "changed",
            Contradiction::RowDeleted => "deleted",
            Contradiction::RowAdded => "added",
            Contradiction::ChangedBehindClock => "changed without their clock moving",
            Contradiction::AddedBehindMark => "added behind the mark",
        }
    }
}

/// What comparisons have shown against a table's class or clock: what, how often, when. No key and no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredContradicted")]
pub struct Contradicted {
    /// What.
    pub what: Contradiction,
    /// Rows, over all findings; 0 where an older Leeward has found them and did not count.
    pub rows: u64,
    /// The source's clock in the cut that showed it first.
    pub first_at: Option<NaiveDateTime>,
    /// The source's clock in the cut that showed it last.
    pub last_at: Option<NaiveDateTime>,
}

/// The stored forms: an older Leeward wrote the bare word.
#[derive(Deserialize)]
#[serde(untagged)]
enum StoredContradicted {
    Bare(Contradiction),
    Counted { what: Contradiction, rows: u64, first_at: Option<NaiveDateTime>, last_at: Option<NaiveDateTime> },
}

impl From<StoredContradicted> for Contradicted {
    fn from(stored: StoredContradicted) -> Self {
        match stored {
            StoredContradicted::Bare(what) => Contradicted { what, rows: 0, first_at: None, last_at: None },
            StoredContradicted::Counted { what, rows, first_at, last_at } => {
                Contradicted { what, rows, first_at, last_at }
            }
        }
    }
}

impl Contradicted {
    /// Adds a finding to what is known of a table. Each kind stands once.
    pub fn add(known: &mut Vec<Contradicted>, what: Contradiction, rows: u64, at: NaiveDateTime) {
        match known.iter_mut().find(|known| known.what == what) {
            Some(known) => {
                known.rows = known.rows.saturating_add(rows);
                known.first_at = known.first_at.or(Some(at));
                known.last_at = known.last_at.max(Some(at));
            }
            None => known.push(Contradicted { what, rows, first_at: Some(at), last_at: Some(at) }),
        }
    }

    /// Returns whether a person has let it pass: it was shown for the last time on that day (UTC) or before. What has no
    /// time is older than any day that a person can name.
    pub fn is_forgiven(&self, until: Option<NaiveDate>) -> bool {
        until.is_some_and(|until| self.last_at.is_none_or(|last| last.date() <= until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> NaiveDateTime {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").unwrap()
    }

    #[test]
    fn a_mark_never_moves_backwards() {
        let high = Mark::Clock { settled: at("2026-01-01 00:00:05") };
        let low = Mark::Clock { settled: at("2026-01-01 00:00:04") };
        assert_eq!(high.advanced_to(low), high);
        assert_eq!(low.advanced_to(high), high);
        assert_eq!(high.advanced_to(Mark::Id { settled: 9 }), high);
        assert_eq!(high.advanced_to(Mark::None), high);
    }

    #[test]
    fn contradictions_add_up_and_older_records_still_load() {
        let mut known: Vec<Contradicted> = serde_json::from_str("[\"row_changed\"]").unwrap();
        Contradicted::add(&mut known, Contradiction::RowChanged, 3, at("2026-01-02 00:00:00"));
        Contradicted::add(&mut known, Contradiction::RowChanged, 4, at("2026-01-05 00:00:00"));
        Contradicted::add(&mut known, Contradiction::RowDeleted, 1, at("2026-01-03 00:00:00"));
        assert_eq!((known.len(), known[0].rows), (2, 7));
        assert_eq!(known[0].first_at, Some(at("2026-01-02 00:00:00")));
        let stored = serde_json::to_string(&known).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Contradicted>>(&stored).unwrap(), known);
        let day = |day| NaiveDate::from_ymd_opt(2026, 1, day);
        assert!(known[0].is_forgiven(day(5)) && !known[0].is_forgiven(day(4)) && !known[0].is_forgiven(None));
    }

    #[test]
    fn a_coarse_column_is_settled_only_to_the_start_of_its_tick() {
        let fence = at("2026-01-01 12:00:05.987654");
        assert_eq!(floor_to_precision(fence, 0), at("2026-01-01 12:00:05"));
        assert_eq!(floor_to_precision(fence, 3), at("2026-01-01 12:00:05.987"));
        assert_eq!(floor_to_precision(fence, 6), fence);
    }
}
