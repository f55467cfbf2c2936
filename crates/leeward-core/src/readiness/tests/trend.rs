//! What is remembered, and what a report shows of it.

use chrono::TimeDelta;

use super::super::tables::TableLine;
use super::super::trend::{Judged, Past, remember};
use super::super::verdict::{Verdict, judge};
use super::super::{Coverage, WaiverUse};
use super::{at, change, known, lane, now, ready};
use crate::history::{Grain, Sample};
use crate::lane::TableState;
use crate::policy::Waiver;
use crate::server::Observed;

#[test]
fn samples_become_a_day_of_quarters_and_ninety_days() {
    let mut facts = ready();
    let sample = |seconds, worst_ms| Sample { at: at(seconds), worst_ms };
    let day = 86_400;
    facts.past = known(Past {
        samples: vec![
            (Grain::Minute, sample(-day - 7_200, 99_000)),
            (Grain::Minute, sample(-120, 700)),
            (Grain::Minute, sample(-60, 900)),
            (Grain::Hour, sample(-91 * day, 99_000)),
            (Grain::Hour, sample(-3 * day, 5_000)),
            (Grain::Hour, sample(-3 * day + 3_600, 4_000)),
        ],
        verdicts: Vec::new(),
    });
    let trend = judge(&facts).trend;
    assert_eq!(trend.day.iter().map(|point| (point.at, point.worst_ms)).collect::<Vec<_>>(), [(at(-900), 900)]);
    assert_eq!(trend.quarter.iter().map(|point| point.worst_ms).collect::<Vec<_>>(), [5_000]);
    facts.past = Observed::Unknown("no such table".to_owned());
    let trend = judge(&facts).trend;
    assert!(trend.unknown.unwrap().contains("no such table") && trend.day.is_empty());
}

#[test]
fn runs_that_say_the_same_are_one_entry_and_entries_are_bounded() {
    let mut report = judge(&ready());
    let mut former = remember(Vec::new(), &report);
    report.generated_at = now() + TimeDelta::minutes(5);
    former = remember(former, &report);
    assert_eq!(
        former,
        [Judged { first_at: now(), last_at: report.generated_at, runs: 2, verdict: Verdict::Ready, open: Vec::new() }]
    );
    let stored = serde_json::to_string(&former).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Judged>>(&stored).unwrap(), former);
    for _ in 0..300 {
        report.verdict = if report.verdict == Verdict::Ready { Verdict::NotReady } else { Verdict::Ready };
        former = remember(former, &report);
    }
    assert_eq!(former.len(), 100);
}

#[test]
fn tables_stand_in_the_order_of_their_age_and_are_counted() {
    let mut facts = ready();
    change(&mut facts.tables)[1].state = TableState::CatchingUp;
    change(&mut facts.tables)[1].scrub.verified_since = None;
    let report = judge(&facts);
    let told = |line: &TableLine| (line.name.clone(), line.state, line.age_ms);
    let lines: Vec<_> = report.tables.iter().map(told).collect();
    assert_eq!(
        lines,
        [("shop.orders".to_owned(), Some("catching_up"), None), ("shop.lines".to_owned(), Some("live"), Some(2_000))]
    );
    let expected = Coverage { planned: 2, live: 1, compared: 1, oldest_ms: None, excluded: 0, refused: 0 };
    assert_eq!(report.coverage, expected);
    assert_eq!(judge(&ready()).coverage.oldest_ms, Some(50_000));
    lane(&mut facts).cut_at = None;
    assert_eq!(judge(&facts).tables.len(), 2);
}

#[test]
fn every_waiver_says_what_it_does_today() {
    let mut facts = ready();
    change(&mut facts.target.tables)[1].foreign_keys.clear();
    let waiver = |check: &str, days| Waiver {
        check: check.to_owned(),
        reason: "agreed".to_owned(),
        until: now().date() + TimeDelta::days(days),
    };
    facts.settings.waivers = vec![waiver("SCH-02", 0), waiver("ACC-01", 1), waiver("ACC-02", -1)];
    let uses: Vec<_> = judge(&facts).waivers.iter().map(|line| line.use_today).collect();
    assert_eq!(uses, [WaiverUse::Covers, WaiverUse::Idle, WaiverUse::Ended]);
}
