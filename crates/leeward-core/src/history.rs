//! How much would have been lost, over time: the worst of each minute for a day, and of each hour for ninety days. Pure;
//! `leeward-mysql` keeps the samples beside the lane's record, readiness shows them.
//!
//! A sample is the age that the last consistent cut had reached when the next one took its place, which is the most that a
//! dying source would have cost in between. An hour without a cut leaves no sample of its own: the next cut's tells.

use chrono::{DateTime, NaiveDateTime};

/// How finely samples are kept. Each grain is a ring of slots, so that their number is bounded without anything being
/// deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grain {
    /// One slot a minute for a day: an RPO is wanted in seconds or minutes, and a breach must be told to the minute.
    Minute,
    /// One slot an hour for ninety days, which is the time between two drills.
    Hour,
}

/// The worst age within one slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// The target's clock at the start of the slot.
    pub at: NaiveDateTime,
    /// The oldest that the last consistent cut became, milliseconds.
    pub worst_ms: u64,
}

impl Grain {
    /// Both, the finer first.
    pub const ALL: [Grain; 2] = [Grain::Minute, Grain::Hour];

    /// Returns the width of a slot in seconds, by which the grain is stored.
    pub fn seconds(self) -> i64 {
        match self {
            Grain::Minute => 60,
            Grain::Hour => 3_600,
        }
    }

    /// Returns how many slots there are. 3,600 rows for a lane in all, some 300 KiB with their index.
    pub fn slots(self) -> i64 {
        match self {
            Grain::Minute => 24 * 60,
            Grain::Hour => 90 * 24,
        }
    }

    /// Returns the number of the slot that a time falls into, and the time at which it began.
    pub fn slot(self, at: NaiveDateTime) -> (i64, NaiveDateTime) {
        let number = at.and_utc().timestamp().div_euclid(self.seconds());
        (number.rem_euclid(self.slots()), starting(number * self.seconds()))
    }
}

/// Returns the worst of each span of `seconds`, oldest first, from `from` on. Spans begin at whole multiples since 1970; one
/// without a sample is left out.
pub fn condensed(samples: &[Sample], seconds: i64, from: NaiveDateTime) -> Vec<Sample> {
    let mut spans = std::collections::BTreeMap::new();
    for sample in samples.iter().filter(|sample| sample.at >= from) {
        let start = sample.at.and_utc().timestamp().div_euclid(seconds) * seconds;
        let worst = spans.entry(start).or_insert(0);
        *worst = sample.worst_ms.max(*worst);
    }
    spans.into_iter().map(|(start, worst_ms)| Sample { at: starting(start), worst_ms }).collect()
}

/// Returns the time so many seconds after 1970. Only ever asked for times made from such.
fn starting(seconds: i64) -> NaiveDateTime {
    DateTime::from_timestamp(seconds, 0).unwrap_or_default().naive_utc()
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn at(seconds: i64) -> NaiveDateTime {
        starting(1_795_860_000 + seconds)
    }

    #[test]
    fn a_slot_comes_round_after_the_whole_ring_and_not_before() {
        for grain in Grain::ALL {
            let ring = TimeDelta::seconds(grain.seconds() * grain.slots());
            let (slot, began) = grain.slot(at(59));
            assert_eq!(grain.slot(at(59) + ring), (slot, began + ring));
            let slots: std::collections::BTreeSet<i64> =
                (0..grain.slots()).map(|n| grain.slot(at(59) + TimeDelta::seconds(n * grain.seconds())).0).collect();
            assert_eq!(i64::try_from(slots.len()), Ok(grain.slots()));
        }
        assert_eq!(Grain::Minute.slot(at(61)).1, at(60));
    }

    #[test]
    fn condensing_keeps_the_worst_and_hides_no_gap() {
        let sample = |seconds, worst_ms| Sample { at: at(seconds), worst_ms };
        let samples = [sample(-60, 9), sample(0, 3), sample(60, 7), sample(1_800, 5)];
        assert_eq!(condensed(&samples, 900, at(0)), [sample(0, 7), sample(1_800, 5)]);
    }
}
