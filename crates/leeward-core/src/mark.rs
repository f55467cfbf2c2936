//! Marks: how far a table is settled, and what contradicts its class. A mark never moves backwards, and never without
//! its rows: the two are written in one target transaction.

use chrono::{NaiveDateTime, Timelike};
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
    fn a_coarse_column_is_settled_only_to_the_start_of_its_tick() {
        let fence = at("2026-01-01 12:00:05.987654");
        assert_eq!(floor_to_precision(fence, 0), at("2026-01-01 12:00:05"));
        assert_eq!(floor_to_precision(fence, 3), at("2026-01-01 12:00:05.987"));
        assert_eq!(floor_to_precision(fence, 6), fence);
    }
}
