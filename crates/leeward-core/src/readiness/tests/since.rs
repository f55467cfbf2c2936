//! What is said of two reports.

use super::super::facts::ReadinessFacts;
use super::super::outcome::Status;
use super::super::since::{Comparison, Former, NotComparable, Way, compare};
use super::super::text::render_text;
use super::super::verdict::{Readiness, Verdict, judge};
use super::{at, change, lane, ready};
use crate::server::Observed;

fn former(report: &Readiness) -> Former {
    Former::parse(&serde_json::to_string(report).unwrap()).unwrap()
}

fn compared(before: &ReadinessFacts, after: &ReadinessFacts) -> Comparison {
    compare(&former(&judge(before)), &judge(after)).unwrap()
}

fn broken() -> ReadinessFacts {
    let mut facts = ready();
    lane(&mut facts).cut_at = Some(at(-900));
    lane(&mut facts).applied_at = Some(at(-900));
    facts
}

#[test]
fn a_report_compared_with_itself_has_not_moved() {
    let since = compared(&broken(), &broken());
    assert!(since.moves.is_empty() && since.words.is_empty(), "{since:#?}");
    assert_eq!(since.unchanged, judge(&ready()).checks.len() as u64);
    assert_eq!(since.rpo_s.was, since.rpo_s.is);
}

#[test]
fn what_is_worse_one_way_is_better_the_other_way() {
    let worse = compared(&ready(), &broken());
    let moved = worse.moves.iter().find(|one| one.id == "SYNC-01").unwrap();
    assert_eq!((moved.way, moved.was, moved.is), (Way::Worse, Some(Status::Pass), Some(Status::Fail)));
    assert_eq!((worse.verdict.was, worse.verdict.is), (Verdict::Ready, Verdict::NotReady));
    assert_eq!((worse.rpo_s.was, worse.rpo_s.is), (Some(2.0), Some(1000.0)));
    let better = compared(&broken(), &ready());
    let ids = |since: &Comparison| since.moves.iter().map(|one| one.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&worse), ids(&better));
    assert!(better.moves.iter().all(|one| one.way == Way::Better), "{better:#?}");
    let text = render_text(&judge(&broken()).with_comparison(worse));
    for line in ["1 worse", "verdict NOT_READY, was READY", "worse: SYNC-01 blocker measured RPO is fail, was pass"] {
        assert!(text.contains(line), "{line} is not in:\n{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
}

#[test]
fn what_had_failed_and_cannot_be_seen_any_more_is_not_better() {
    let mut hidden = broken();
    hidden.lane = Observed::Unknown("taken".to_owned());
    let since = compared(&broken(), &hidden);
    let moved = since.moves.iter().find(|one| one.id == "SYNC-01").unwrap();
    assert_eq!((moved.way, moved.is), (Way::Otherwise, Some(Status::Unknown)));
    assert!(since.moves.iter().all(|one| one.way != Way::Better), "{since:#?}");
}

#[test]
fn worse_comes_before_better_and_blockers_before_the_rest() {
    let mut before = ready();
    change(&mut before.target.tables)[1].foreign_keys.clear();
    let mut after = broken();
    change(&mut after.target.accounts).clear();
    let moves = compared(&before, &after).moves;
    let order: Vec<_> = moves.iter().map(|one| (one.way as u8, one.severity)).collect();
    assert!(order.windows(2).all(|pair| pair[0] <= pair[1]) && order.len() > 2, "{moves:#?}");
}

#[test]
fn reports_of_another_form_lane_or_pair_are_refused() {
    let report = judge(&ready());
    let mut old = serde_json::to_value(&report).unwrap();
    old["schema_version"] = 1.into();
    let Err(NotComparable::Version(version)) = Former::parse(&old.to_string()) else { panic!("taken") };
    assert_eq!(version, "1");
    for text in ["", "[]", "{}", r#"{"schema_version":2}"#] {
        assert!(matches!(Former::parse(text), Err(NotComparable::NoReport(_))), "{text}");
    }
    let mut other = report.clone();
    other.lane = "second".to_owned();
    assert!(matches!(compare(&former(&report), &other), Err(NotComparable::Lane { .. })));
    let mut moved = ready();
    change(&mut moved.target.server).identity = "another".to_owned();
    let refused = compare(&former(&report), &judge(&moved)).unwrap_err();
    assert!(refused.to_string().contains("another target (target, now another)"), "{refused}");
    // A server that is gone cannot be told apart; that is said and refuses nothing.
    let mut gone = ready();
    gone.source.server = Observed::Unknown("gone".to_owned());
    let words = compare(&former(&report), &judge(&gone)).unwrap().words;
    assert!(words.len() == 1 && words[0].contains("has not seen the source"), "{words:?}");
}
