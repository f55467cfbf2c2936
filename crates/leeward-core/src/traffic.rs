//! What has passed over the wire for a lane: for its last seed as a whole, and by the hour for a day of what keeps it in step.
//! Amounts alone; who counts them and where they are kept is not decided here.

use chrono::{NaiveDateTime, TimeDelta, Timelike};
use serde::{Deserialize, Serialize};

use crate::port::Passed;

/// Hours that are kept: what is younger than a day lies in these.
const HOURS_KEPT: i64 = 24;

/// What has passed to and from both sides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BothSides {
    /// Between Leeward and the source.
    pub source: Passed,
    /// Between Leeward and the target.
    pub target: Passed,
}

impl BothSides {
    fn plus(self, more: BothSides) -> BothSides {
        let plus = |one: Passed, more: Passed| Passed { read: one.read + more.read, sent: one.sent + more.sent };
        BothSides { source: plus(self.source, more.source), target: plus(self.target, more.target) }
    }

    /// Returns what has come since an earlier count of the same connections.
    pub fn since(self, earlier: BothSides) -> BothSides {
        let since = |now: Passed, then: Passed| Passed {
            read: now.read.saturating_sub(then.read),
            sent: now.sent.saturating_sub(then.sent),
        };
        BothSides { source: since(self.source, earlier.source), target: since(self.target, earlier.target) }
    }

    /// Returns whether nothing has passed.
    pub fn is_nothing(self) -> bool {
        self == BothSides::default()
    }
}

/// What a lane has carried, with the target's clock (UTC).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// When the last seed ended, and what the run that ended it carried; an earlier run of it and other processes that shared
    /// it are not in it.
    pub seed: Option<(NaiveDateTime, BothSides)>,
    /// What `sync` has carried, by the beginning of each hour in which something passed, oldest first.
    pub hours: Vec<(NaiveDateTime, BothSides)>,
}

impl Traffic {
    /// Adds what has passed until now, and forgets what is older than a day.
    pub fn add(&mut self, now: NaiveDateTime, more: BothSides) {
        let hour = hour_of(now);
        match self.hours.iter_mut().find(|(at, _)| *at == hour) {
            Some((_, sum)) => *sum = sum.plus(more),
            None => self.hours.push((hour, more)),
        }
        self.hours.retain(|(at, _)| is_kept(*at, now));
        self.hours.sort_unstable_by_key(|(at, _)| *at);
    }

    /// Returns since when what is kept of the last day reaches back, and its sum; nothing where nothing is kept of it.
    pub fn day(&self, now: NaiveDateTime) -> Option<(NaiveDateTime, BothSides)> {
        let kept = self.hours.iter().filter(|(at, _)| is_kept(*at, now));
        kept.copied().reduce(|(since, sum), (at, more)| (since.min(at), sum.plus(more)))
    }
}

fn hour_of(at: NaiveDateTime) -> NaiveDateTime {
    at.date().and_hms_opt(at.hour(), 0, 0).unwrap_or(at)
}

/// A clock that was set back leaves hours that lie ahead: they go once they would be a day old.
fn is_kept(hour: NaiveDateTime, now: NaiveDateTime) -> bool {
    (hour_of(now) - hour).abs() < TimeDelta::hours(HOURS_KEPT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: u32, hour: u32, minute: u32) -> NaiveDateTime {
        chrono::NaiveDate::from_ymd_opt(2026, 11, day).unwrap().and_hms_opt(hour, minute, 0).unwrap()
    }

    fn read(bytes: u64) -> BothSides {
        BothSides { source: Passed { read: bytes, sent: 1 }, target: Passed { read: 0, sent: 2 * bytes } }
    }

    #[test]
    fn a_day_is_the_sum_of_its_hours_and_older_ones_are_forgotten() {
        let mut traffic = Traffic::default();
        assert_eq!(traffic.day(at(27, 9, 0)), None);
        for (now, bytes) in [(at(27, 9, 10), 1), (at(27, 9, 50), 2), (at(27, 23, 0), 4), (at(28, 8, 59), 8)] {
            traffic.add(now, read(bytes));
        }
        let day = traffic.day(at(28, 8, 59)).unwrap();
        assert_eq!((day.0, day.1.source.read, day.1.source.sent, day.1.target.sent), (at(27, 9, 0), 15, 4, 30));
        assert_eq!(traffic.day(at(28, 9, 0)).unwrap().0, at(27, 23, 0), "the first hour is a day old");
        traffic.add(at(28, 9, 0), read(16));
        assert_eq!(traffic.hours.len(), 3, "and forgotten with the next that is added");
        for hour in 0..100 {
            traffic.add(at(1, 0, 0) + TimeDelta::hours(hour), read(1));
        }
        assert!(traffic.hours.len() <= 48, "{}", traffic.hours.len());
    }

    #[test]
    fn counts_begin_anew_with_a_process_and_never_go_below_nothing() {
        assert_eq!(read(5).since(read(3)).source, Passed { read: 2, sent: 0 });
        assert!(read(3).since(read(5)).source == Passed::default() && read(3).since(read(3)).is_nothing());
    }
}
