//! How much a copy carries from one Region to the other, as far as somebody has seen it, and in whose words.

use chrono::{NaiveDateTime, TimeDelta};

use crate::measure;
use crate::name::TableName;
use crate::plan::Plan;
use crate::server::Observed;
use crate::survey::WriteCounters;
use crate::traffic::Traffic;

/// Seconds of a day.
const DAY_S: f64 = 86_400.0;

/// The least time over which writes must have been counted to say something of a day.
const COUNTED_S_MIN: u64 = 3_600;

/// The least time over which bytes must have been counted to be those of a day: all the hours that are kept, less the one that
/// runs.
const MEASURED_H_MIN: i64 = 23;

/// How much a copy carries.
#[derive(Debug, Clone, PartialEq)]
pub struct Volume {
    pub(super) seed: Carried,
    pub(super) day: Carried,
}

/// An amount, and what is said of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Carried {
    /// Nothing where it is unknown.
    pub bytes: Option<f64>,
    /// Where it comes from and what it leaves out, or why it is unknown.
    pub words: String,
}

impl Volume {
    /// Takes the rows' sizes from a plan, which holds what its survey measured, and the changes from counters of the source
    /// that were read at `counted_at`, by whichever clock.
    pub fn of(
        plan: &Plan,
        counted_at: NaiveDateTime,
        writes: impl Fn(&TableName) -> Observed<WriteCounters>,
    ) -> Volume {
        let bytes: u64 = plan.tables.iter().map(|table| table.data_bytes).sum();
        let words =
            format!("{} of rows, before compression, as surveyed {}", measure::size(bytes), minute(plan.surveyed_at));
        Volume { seed: Carried { bytes: Some(bytes as f64), words }, day: day(plan, counted_at, writes) }
    }

    /// Puts what has passed over the wire in the place of what the source's counters say, where it was counted for a whole day;
    /// else it stands beside that. A seed that was gone on with is measured in part only, so that its rows' sizes stay.
    pub fn beside(mut self, traffic: &Traffic, now: NaiveDateTime) -> Volume {
        if let Some((ended, passed)) = traffic.seed {
            let read = measure::size(passed.source.read);
            self.seed.words +=
                &format!("; the run that ended the last one {} read {read} over the wire", minute(ended));
        }
        if let Some((since, passed)) = traffic.day(now) {
            let words = format!("{} read over the wire since {}", measure::size(passed.source.read), minute(since));
            self.day = match now - since >= TimeDelta::hours(MEASURED_H_MIN) {
                true => {
                    Carried { bytes: Some(passed.source.read as f64), words: format!("{words}, as the source counts") }
                }
                false => Carried { words: format!("{}; {words}", self.day.words), ..self.day },
            };
        }
        self
    }

    /// Returns a volume of which nothing is known, for one reason.
    pub fn unknown(why: &str) -> Volume {
        let carried = Carried { bytes: None, words: format!("unknown: {why}") };
        Volume { seed: carried.clone(), day: carried }
    }
}

/// Returns how much changes in a day: what was counted since the source was started, at each table's mean row. A deleted row
/// sends nothing but its key. Looks, digests and counts of keys come on top, and do not grow with the rows.
fn day(plan: &Plan, counted_at: NaiveDateTime, writes: impl Fn(&TableName) -> Observed<WriteCounters>) -> Carried {
    let mut sum = None;
    let mut unknown = Vec::new();
    for table in &plan.tables {
        match writes(table.name()) {
            Observed::Known(counted) if counted.over_seconds >= COUNTED_S_MIN => {
                let rows = (counted.inserts + counted.updates) as f64;
                let bytes = rows * table.row_bytes() as f64 / counted.over_seconds as f64 * DAY_S;
                sum = Some(sum.unwrap_or(0.0) + bytes);
            }
            Observed::Known(counted) => {
                let counted = measure::span(counted.over_seconds);
                unknown.push(format!("the source has counted writes for {counted}, which says nothing of a day"));
            }
            Observed::Unknown(why) => unknown.push(why),
        }
    }
    let by = format!("changed rows a day, by the source's counters of {}", minute(counted_at));
    let words = match (sum, unknown.first()) {
        (None, None) => "unknown: the plan holds no table".to_owned(),
        (None, Some(why)) => format!("unknown: {why}"),
        (Some(bytes), None) => format!("about {} of {by}", measure::size(bytes as u64)),
        (Some(bytes), Some(why)) => format!(
            "at least {} of {by}; unknown of {} of {} ({why})",
            measure::size(bytes as u64),
            unknown.len(),
            measure::counted(plan.tables.len() as u64, "table")
        ),
    };
    Carried { bytes: sum, words }
}

fn minute(at: NaiveDateTime) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::Passed;
    use crate::traffic::BothSides;

    #[test]
    fn what_was_measured_for_a_day_goes_before_counters_and_less_stands_beside_them() {
        let at = |hour: u32| chrono::NaiveDate::from_ymd_opt(2026, 11, 27).unwrap().and_hms_opt(hour, 30, 0).unwrap();
        let passed = |read| BothSides { source: Passed { read, sent: 1 }, target: Passed { read: 1, sent: 1 } };
        let mut traffic = Traffic::default();
        for hour in 0..24 {
            traffic.add(at(hour), passed(1 << 20));
        }
        let day = Volume::unknown("performance_schema is off").beside(&traffic, at(23)).day;
        assert_eq!(day.bytes, Some(24.0 * f64::from(1 << 20)));
        assert_eq!(day.words, "24.0 MiB read over the wire since 2026-11-27 00:00 UTC, as the source counts");
        let mut begun = Traffic { seed: Some((at(3), passed(5))), hours: Vec::new() };
        begun.add(at(4), passed(7));
        let volume = Volume::unknown("performance_schema is off").beside(&begun, at(5));
        assert_eq!((volume.seed.bytes, volume.day.bytes), (None, None));
        let beside = "unknown: performance_schema is off; 7 B read over the wire since 2026-11-27 04:00 UTC";
        assert_eq!(volume.day.words, beside);
        assert!(
            volume.seed.words.ends_with("the run that ended the last one 2026-11-27 03:30 UTC read 5 B over the wire")
        );
    }
}
