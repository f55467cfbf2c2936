//! The status of lanes in every state, as text and as JSON.

use chrono::{NaiveDateTime, TimeDelta};
use leeward_core::fence::Holder;
use leeward_core::lane::{LaneRecord, LaneState, QuarantineCause, ScrubRecord, TableRecord, TableState};
use leeward_core::mark::Mark;
use leeward_core::name::TableName;
use leeward_core::port::{Event, LeaseRecord};

use super::{StatusFacts, StatusReport};
use crate::report::text::Paint;

fn now() -> NaiveDateTime {
    NaiveDateTime::parse_from_str("2026-11-23 12:00:00", "%Y-%m-%d %H:%M:%S").unwrap()
}

fn ago(ms: i64) -> Option<NaiveDateTime> {
    Some(now() - TimeDelta::milliseconds(ms))
}

fn nothing() -> StatusFacts {
    StatusFacts::nothing(now())
}

fn lane(state: LaneState) -> LaneRecord {
    LaneRecord {
        lane: "main".to_owned(),
        state,
        plan_hash: "c0ffee".to_owned(),
        cycle: 42,
        cut_at: ago(1_200),
        applied_at: ago(1_000),
        clock_offset_ms: Some(0),
        exposed_ms: None,
        barrier: None,
        holders: vec![],
    }
}

fn table(name: &str, state: TableState) -> TableRecord {
    TableRecord {
        name: TableName::new("shop", name),
        state,
        mark: Mark::None,
        mark_proved: true,
        soft_mark: None,
        cut_at: ago(90_000),
        rows_applied: 1_234,
        keys: Default::default(),
        scrub: ScrubRecord { verified_since: ago(90_000), ..ScrubRecord::default() },
        contradictions: vec![],
        brake: None,
        released: None,
        noted_at: None,
        new_columns: Vec::new(),
        beside: None,
    }
}

fn lease(holder: &str, age_s: u64) -> Option<LeaseRecord> {
    Some(LeaseRecord { epoch: 3, holder: holder.to_owned(), age_s, ttl_s: 30, promoted: false })
}

#[test]
fn a_live_lane_tells_its_lag_and_its_tables() {
    let facts = StatusFacts {
        lane: Some(lane(LaneState::Live)),
        lease: lease("host-1/77", 1),
        tables: vec![table("orders", TableState::Live)],
        ..nothing()
    };
    let report = StatusReport::new(facts);
    assert!(report.needs_nobody());
    let expected = "\
lane main is live, 1.2 s behind the source
last consistent cut: 2026-11-23 11:59:58.800 UTC by the source's clock, cycle 42
plan: c0ffee
worked on by host-1/77, last heard of 1 s ago

TABLE        STATE  STRATEGY  ROWS APPLIED  AT CUT     DELETES         ALL ROWS COMPARED  FOUND
shop.orders  live   -         1,234         1.2 s ago  1 min 30 s ago  1 min 30 s ago     0
";
    assert_eq!(report.text(Paint::Plain), expected);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["lane"]["state"], "live");
    assert_eq!(json["lane"]["lag_ms"], 1_200);
    assert_eq!(json["worker"]["state"], "running");
}

#[test]
fn a_seed_that_is_shared_says_by_how_many() {
    let facts = |helpers| StatusFacts { lane: Some(lane(LaneState::Seeding)), helpers, ..nothing() };
    let text = |helpers| StatusReport::new(facts(helpers)).text(Paint::Plain);
    assert!(!text(0).contains("the copy"), "{}", text(0));
    assert!(text(1).contains("\n1 other process shares the copy\n"), "{}", text(1));
    assert!(text(3).contains("\n3 other processes share the copy\n"), "{}", text(3));
    let json = serde_json::to_value(StatusReport::new(facts(3))).unwrap();
    assert_eq!(json["lane"]["seed"]["helpers"], 3);
}

#[test]
fn what_waits_for_a_person_comes_first_with_its_remedy_in_full() {
    let remedy = "ALTER TABLE `shop`.`audit` ADD COLUMN `note` text".to_owned();
    let quarantined = TableState::Quarantined {
        cause: QuarantineCause::DefinitionDrift,
        reason: "the source has a column more".to_owned(),
        remedy: remedy.clone(),
    };
    let mut record = lane(LaneState::Live);
    record.holders = vec![Holder { thread: Some(17), account: "app@10.0.0.3".to_owned(), since: ago(60_000) }];
    let facts = StatusFacts {
        lane: Some(record),
        lease: lease("host-1/77", 45),
        tables: vec![
            TableRecord { beside: Some("an index; run it".to_owned()), ..table("aaa", TableState::Live) },
            table("audit", quarantined),
        ],
        events: vec![(
            now(),
            Event {
                kind: "drift".to_owned(),
                table: Some(TableName::new("shop", "audit")),
                text: "a column".to_owned(),
            },
        )],
        ..nothing()
    };
    let report = StatusReport::new(facts);
    assert!(!report.needs_nobody());
    assert_eq!(report.tables[0].name, "shop.audit");
    let text = report.text(Paint::Plain);
    assert!(text.contains(&format!("  what to do: {remedy}\n")), "{text}");
    assert!(text.contains("host-1/77 holds the lease but was last heard of 45 s ago"), "{text}");
    assert!(
        text.contains("marks wait for thread 17 of app@10.0.0.3 on the source, open since 2026-11-23 11:59:00"),
        "{text}"
    );
    assert!(text.contains("drift shop.audit: a column"), "{text}");
    assert!(text.contains("shop.aaa has another definition beside its rows: an index; run it"), "{text}");
    assert!(!text.contains('\u{1b}'));
    assert!(report.text(Paint::Coloured).contains('\u{1b}'));
}

#[test]
fn a_blocked_lane_and_an_empty_target_say_what_to_do() {
    let state = LaneState::Blocked { reason: "the disk is full".to_owned(), remedy: "free space".to_owned() };
    let report = StatusReport::new(StatusFacts { lane: Some(lane(state)), lease: lease("", 0), ..nothing() });
    assert!(!report.needs_nobody());
    let text = report.text(Paint::Plain);
    assert!(text.starts_with("lane main is blocked, 1.2 s behind the source\n  why: the disk is full\n"), "{text}");
    assert!(text.contains("  what to do: free space\n") && text.contains("run `leeward sync`"), "{text}");
    let empty = StatusReport::new(nothing());
    assert!(!empty.needs_nobody() && empty.text(Paint::Plain).contains("run `leeward seed`"));
}
