//! SYNC, case by case.

use super::super::outcome::Status::{Fail, Pass, Unknown, Warn};
use super::{at, change, lane, name, planned_tables, table, table_of};
use crate::class::{Class, Confidence, Strategy};
use crate::fence::Holder;
use crate::lane::{LaneState, QuarantineCause, TableState};
use crate::mark::{Contradicted, Contradiction};
use crate::plan::{Fallback, FenceMode, LeftOut, LeftOutReason};
use crate::server::Observed;

fn quarantined() -> TableState {
    TableState::Quarantined {
        cause: QuarantineCause::DefinitionDrift,
        reason: "column added".to_owned(),
        remedy: "ALTER TABLE shop.orders ADD x int".to_owned(),
    }
}

fn left_out(reason: LeftOutReason) -> Vec<LeftOut> {
    vec![LeftOut { name: name("log"), reason, remedy: "add a key".to_owned() }]
}

#[test]
fn sync_01_measures_the_rpo() {
    table_of(
        "SYNC-01",
        &[
            ("the cut is a minute old", |facts| lane(facts).cut_at = Some(at(30)), Warn, "70.0 s"),
            ("the cut is old", |facts| lane(facts).cut_at = Some(at(0)), Fail, "leeward sync"),
            ("the source's clock is ahead", |facts| *change(&mut facts.clock_difference_ms) = 200_000, Fail, "3 min"),
            (
                "the source's clock is behind",
                |facts| *change(&mut facts.clock_difference_ms) = -200_000,
                Unknown,
                "future",
            ),
            (
                "a wrong difference would hide the time since the last apply",
                |facts| {
                    lane(facts).applied_at = Some(at(0));
                    lane(facts).cut_at = Some(at(99));
                },
                Fail,
                "100.0 s",
            ),
            ("it was applied in the future", |facts| lane(facts).applied_at = Some(at(200)), Unknown, "contradict"),
            (
                "the clocks were not compared",
                |facts| facts.clock_difference_ms = Observed::Unknown("never measured".into()),
                Unknown,
                "never measured",
            ),
            (
                "the last cycle compared the clocks",
                |facts| {
                    facts.clock_difference_ms = Observed::Unknown("the source is silent".into());
                    lane(facts).clock_offset_ms = Some(-65_000);
                },
                Warn,
                "67.0 s",
            ),
            ("no cut was applied", |facts| lane(facts).cut_at = None, Fail, "no cut"),
            ("nothing was seeded", |facts| *change(&mut facts.lane) = None, Unknown, "leeward seed"),
            ("it is seeding", |facts| lane(facts).state = LaneState::Seeding, Fail, "not consistent"),
            ("it is catching up", |facts| lane(facts).state = LaneState::CatchingUp, Fail, "not consistent"),
            (
                "it is blocked",
                |facts| {
                    lane(facts).state = LaneState::Blocked { reason: "disk full".into(), remedy: "free space".into() }
                },
                Fail,
                "free space",
            ),
            (
                "marks are not proved",
                |facts| {
                    change(&mut facts.plan).as_mut().unwrap().fence =
                        FenceMode::Window { overlap_s: 30, why: "no PROCESS".into() };
                },
                Warn,
                "no PROCESS",
            ),
            ("there is no plan", |facts| *change(&mut facts.plan) = None, Unknown, "leeward plan"),
        ],
    );
}

#[test]
fn sync_02_finds_the_oldest_table_t36() {
    table_of(
        "SYNC-02",
        &[
            (
                "a quiet table's own cut is old, the lane's is not",
                |facts| change(&mut facts.tables)[0].cut_at = Some(at(-5000)),
                Pass,
                "",
            ),
            (
                "a table waits for a person",
                |facts| {
                    change(&mut facts.tables)[0].state = quarantined();
                    change(&mut facts.tables)[0].cut_at = Some(at(-5000));
                },
                Fail,
                "shop.lines (85 min",
            ),
            (
                "a table never equalled a cut",
                |facts| change(&mut facts.tables)[0].state = TableState::CatchingUp,
                Fail,
                "never",
            ),
            (
                "a table has no record",
                |facts| {
                    change(&mut facts.tables).remove(0);
                },
                Fail,
                "shop.lines (never)",
            ),
            (
                "only comparisons keep a table",
                |facts| {
                    planned_tables(facts)[0].strategy = Strategy::Reconcile;
                    change(&mut facts.tables)[0].scrub.verified_since = Some(at(-100));
                },
                Fail,
                "whole comparisons only",
            ),
            (
                "comparisons keep a table well",
                |facts| planned_tables(facts)[0].strategy = Strategy::Reconcile,
                Pass,
                "",
            ),
            (
                "the lane is catching up",
                |facts| {
                    lane(facts).state = LaneState::CatchingUp;
                    change(&mut facts.tables)[0].cut_at = Some(at(-5000));
                },
                Fail,
                "85 min",
            ),
            ("records are unseen", |facts| facts.tables = Observed::Unknown("gone".into()), Unknown, "gone"),
        ],
    );
}

#[test]
fn sync_03_wants_a_living_engine() {
    table_of(
        "SYNC-03",
        &[
            ("it is late", |facts| change(&mut facts.lease).as_mut().unwrap().age_s = 30, Warn, "30 s"),
            ("it is gone", |facts| change(&mut facts.lease).as_mut().unwrap().age_s = 100, Fail, "start"),
            ("it was stopped", |facts| change(&mut facts.lease).as_mut().unwrap().holder.clear(), Fail, "given back"),
            (
                "the target was promoted",
                |facts| change(&mut facts.lease).as_mut().unwrap().promoted = true,
                Fail,
                "promoted",
            ),
            ("there is no lease", |facts| *change(&mut facts.lease) = None, Fail, "ever"),
            ("it is unseen", |facts| facts.lease = Observed::Unknown("gone".into()), Unknown, "gone"),
        ],
    );
}

#[test]
fn sync_04_prints_the_remedy_of_each_table() {
    table_of(
        "SYNC-04",
        &[
            (
                "one waits",
                |facts| change(&mut facts.tables)[1].state = quarantined(),
                Fail,
                "ALTER TABLE shop.orders ADD x",
            ),
            ("there are no records", |facts| change(&mut facts.tables).clear(), Unknown, "seed"),
        ],
    );
}

#[test]
fn sync_05_misses_no_table() {
    table_of(
        "SYNC-05",
        &[
            ("a table is new", |facts| change(&mut facts.source.tables).push(table("new")), Fail, "shop.new"),
            (
                "a table is excluded",
                |facts| {
                    change(&mut facts.source.tables).push(table("log"));
                    change(&mut facts.plan).as_mut().unwrap().left_out = left_out(LeftOutReason::ByPolicy);
                },
                Pass,
                "1 excluded",
            ),
            (
                "a table cannot be kept",
                |facts| change(&mut facts.plan).as_mut().unwrap().left_out = left_out(LeftOutReason::NotTransactional),
                Fail,
                "add a key",
            ),
            ("the plan is empty", |facts| planned_tables(facts).clear(), Fail, "no table"),
            ("another plan is followed", |facts| lane(facts).plan_hash = "old".into(), Fail, "another plan"),
            (
                "new tables could not be seen",
                |facts| {
                    facts.source.grants = super::known(super::grants(&["GRANT SELECT ON `shop`.`orders` TO `l`@`%`"]))
                },
                Unknown,
                "GRANT SELECT ON `shop`.* TO `leeward`@`%`;",
            ),
            ("tables are unseen", |facts| facts.source.tables = Observed::Unknown("gone".into()), Unknown, "gone"),
        ],
    );
}

#[test]
fn sync_06_and_07_name_tables_that_are_not_what_they_seem() {
    let contradicted = |table: usize| {
        move |facts: &mut super::ReadinessFacts| {
            let known = &mut change(&mut facts.tables)[table].contradictions;
            let at = chrono::DateTime::UNIX_EPOCH.naive_utc();
            Contradicted::add(known, Contradiction::RowChanged, 1, at);
            Contradicted::add(known, Contradiction::ChangedBehindClock, 1, at);
        }
    };
    let (mut append, mut merge) = (super::ready(), super::ready());
    contradicted(0)(&mut append);
    contradicted(1)(&mut merge);
    assert_eq!(super::check(&append, "SYNC-06").status, Fail);
    assert_eq!(super::check(&merge, "SYNC-06").status, Warn);
    // Once its fallback is taken, what was found no longer speaks against it; that it was taken is still told.
    let lines = planned_tables(&mut append).iter().position(|table| table.class == Class::InsertOnly).unwrap();
    planned_tables(&mut append)[lines].fallback = Some(Box::new(Fallback {
        class: Class::UpdDel,
        strategy: Strategy::Reconcile,
        mark_column: None,
        overlap_s: 0,
        confidence: Confidence::Low,
    }));
    assert!(planned_tables(&mut append)[lines].demote(chrono::DateTime::UNIX_EPOCH.naive_utc(), "shown".into()));
    let told = super::check(&append, "SYNC-06");
    assert_eq!((told.status, told.actual.contains("insert_only to upd_del")), (Warn, true));
    table_of(
        "SYNC-06",
        &[(
            "a record is missing",
            |facts| {
                change(&mut facts.tables).pop();
            },
            Unknown,
            "shop.orders",
        )],
    );
    table_of(
        "SYNC-07",
        &[
            (
                "a small one has no key",
                |facts| planned_tables(facts)[0].table.keys.clear(),
                Warn,
                "ALTER TABLE `shop`.`lines`",
            ),
            (
                "a large one has no key",
                |facts| change(&mut facts.plan).as_mut().unwrap().left_out = left_out(LeftOutReason::NoKeyTooLarge),
                Fail,
                "`shop`.`log`",
            ),
        ],
    );
}

#[test]
fn sync_08_names_who_holds_the_marks_back() {
    let held_for = |seconds: i64| {
        move |facts: &mut super::ReadinessFacts| {
            let lane = change(&mut facts.lane).as_mut().unwrap();
            let since = lane.cut_at.unwrap() - chrono::TimeDelta::seconds(seconds);
            lane.holders = vec![Holder { thread: Some(88), account: "app@10.0.0.7".into(), since: Some(since) }];
        }
    };
    let (mut short, mut long) = (super::ready(), super::ready());
    held_for(30)(&mut short);
    held_for(1_500)(&mut long);
    let (quiet, short, long) =
        (super::check(&super::ready(), "SYNC-08"), super::check(&short, "SYNC-08"), super::check(&long, "SYNC-08"));
    assert_eq!((quiet.status, short.status, long.status), (Pass, Pass, Warn));
    assert!(short.actual.contains("thread 88 of app@10.0.0.7 for 30"), "{}", short.actual);
    assert!(long.actual.contains("thread 88 of app@10.0.0.7 for 25"), "{}", long.actual);
}
