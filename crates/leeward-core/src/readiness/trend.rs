//! What a verdict is seen against: how old cuts have become before, and what was judged before.

use chrono::{NaiveDateTime, TimeDelta};
use serde::{Deserialize, Serialize};

use super::facts::{ReadinessFacts, seen};
use super::outcome::Status;
use super::stamp;
use super::verdict::{Readiness, Verdict};
use crate::history::{Grain, Sample, condensed};

/// Former verdicts that are kept. Runs that say the same are one entry, so that a hundred reach back over a hundred changes.
const VERDICTS_KEPT: usize = 100;

/// A point of the last day's line: a quarter of an hour, at which the day is 96 points.
const DAY_POINT_S: i64 = 900;

/// A point of the line of ninety days.
const QUARTER_POINT_S: i64 = 86_400;

/// What the control schema remembers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Past {
    /// How old cuts became.
    pub samples: Vec<(Grain, Sample)>,
    /// What was judged, oldest first.
    pub verdicts: Vec<Judged>,
}

/// Runs of readiness, one after the other, that came to the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// The target's clock at the first of them.
    #[serde(with = "stamp")]
    pub first_at: NaiveDateTime,
    /// The same at the last one.
    #[serde(with = "stamp")]
    pub last_at: NaiveDateTime,
    /// How many there were.
    pub runs: u64,
    /// What they said.
    pub verdict: Verdict,
    /// The checks that failed or were unknown, in declared order.
    pub open: Vec<String>,
}

/// One point of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Point {
    /// The target's clock at the start of its span.
    #[serde(serialize_with = "stamp::serialize")]
    pub at: NaiveDateTime,
    /// The oldest that the last consistent cut became within it, milliseconds.
    pub worst_ms: u64,
}

/// What came before this report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trend {
    /// Why nothing is known of it.
    pub unknown: Option<String>,
    /// The last day, a point for each quarter of an hour. Where nothing was applied there is none.
    pub day: Vec<Point>,
    /// The last ninety days, a point a day.
    pub quarter: Vec<Point>,
    /// Former verdicts, oldest first.
    pub verdicts: Vec<Judged>,
}

/// Collects what is remembered.
pub(super) fn trend(facts: &ReadinessFacts) -> Trend {
    let past = match seen(&facts.past, "what was measured before") {
        Ok(past) => &past.value,
        Err(missing) => {
            let none = Vec::new;
            return Trend { unknown: Some(missing.why), day: none(), quarter: none(), verdicts: Vec::new() };
        }
    };
    let line = |grains: &[Grain], point_s: i64, days: i64| {
        let of_grain = past.samples.iter().filter(|(grain, _)| grains.contains(grain));
        let samples: Vec<Sample> = of_grain.map(|(_, sample)| *sample).collect();
        let from = facts.now.checked_sub_signed(TimeDelta::days(days)).unwrap_or(facts.now);
        let point = |sample: Sample| Point { at: sample.at, worst_ms: sample.worst_ms };
        condensed(&samples, point_s, from).into_iter().map(point).collect()
    };
    Trend {
        unknown: None,
        day: line(&[Grain::Minute], DAY_POINT_S, 1),
        quarter: line(&[Grain::Hour], QUARTER_POINT_S, 90),
        verdicts: past.verdicts.clone(),
    }
}

/// Adds a report to the former verdicts, and forgets the oldest.
pub fn remember(mut former: Vec<Judged>, readiness: &Readiness) -> Vec<Judged> {
    let at = readiness.generated_at;
    let is_open = |status: Status| matches!(status, Status::Fail | Status::Unknown);
    let open: Vec<String> =
        readiness.checks.iter().filter(|check| is_open(check.status)).map(|check| check.id.to_string()).collect();
    match former.last_mut() {
        Some(last) if last.verdict == readiness.verdict && last.open == open => {
            last.last_at = at.max(last.last_at);
            last.runs = last.runs.saturating_add(1);
        }
        _ => former.push(Judged { first_at: at, last_at: at, runs: 1, verdict: readiness.verdict, open }),
    }
    former.drain(..former.len().saturating_sub(VERDICTS_KEPT));
    former
}
