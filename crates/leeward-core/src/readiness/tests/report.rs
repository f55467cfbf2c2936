//! The verdict, the words and the two forms of the report.

use chrono::NaiveDate;

use super::super::facts::{Contact, Dated, ReadinessFacts};
use super::super::outcome::{EvidenceKind, Severity, Status};
use super::super::text::render_text;
use super::super::verdict::{Verdict, judge};
use super::{at, change, lane, name, now, ready, table};
use crate::lane::{LaneState, TableState};
use crate::plan::{LeftOut, LeftOutReason};
use crate::policy::{Platform, Waiver};
use crate::server::Observed;

#[test]
fn a_pair_without_a_flaw_is_ready() {
    let report = judge(&ready());
    let open: Vec<_> = report.checks.iter().filter(|check| check.status.is_open()).collect();
    assert!(open.is_empty(), "{open:#?}");
    assert_eq!((report.verdict, report.exit_code()), (Verdict::Ready, 0));
    assert_eq!(report.rpo.measured_s, Some(2.0));
    assert!(
        report.words[0].starts_with("if the source died now, writes after 2026-11-20 12:01:38.000 UTC (2.0 s ago)")
    );
}

#[test]
fn of_what_nothing_was_seen_nothing_passes() {
    for platform in [Platform::Rds, Platform::SelfManaged] {
        let mut settings = ready().settings;
        settings.platform = platform;
        let report = judge(&ReadinessFacts::unseen(now(), "main", settings, "the target did not answer"));
        assert_eq!((report.verdict, report.exit_code()), (Verdict::NotReady, 2));
        assert_eq!(report.checks.len(), 46);
        for check in &report.checks {
            assert!(matches!(check.status, Status::Unknown | Status::NotApplicable), "{} passed on nothing", check.id);
        }
        assert!(report.words[0].starts_with("nobody knows"), "{:?}", report.words);
    }
}

/// Takes one datum away at a time: whatever it was, no check may get better for it.
#[test]
fn no_absent_datum_makes_a_check_pass() {
    type Take = fn(&mut ReadinessFacts);
    macro_rules! taken {
        ($($($field:ident).+),* $(,)?) => {
            [$((stringify!($($field).+), (|facts| facts.$($field).+ = Observed::Unknown("taken".into())) as Take)),*]
        };
    }
    let takes = taken![
        plan,
        lane,
        tables,
        lease,
        staged,
        clock_difference_ms,
        source.server,
        source.account,
        source.grants,
        source.schemas,
        source.tables,
        source.ddl,
        source.objects,
        source.counters,
        source.accounts,
        target.server,
        target.account,
        target.grants,
        target.schemas,
        target.tables,
        target.ddl,
        target.objects,
        target.counters,
        target.accounts,
        target.auth_plugins,
        target.collations,
    ];
    for (what, take) in takes {
        let mut facts = ready();
        take(&mut facts);
        let report = judge(&facts);
        assert_ne!(report.verdict, Verdict::Ready, "without {what}");
    }
}

#[test]
fn aws_checks_are_unknown_where_nobody_asked_and_block() {
    let mut facts = ready();
    facts.settings.platform = Platform::Rds;
    facts.settings.cloud.secret = Some("shop".to_owned());
    facts.settings.cloud.dns_record = Some("db.example.com".to_owned());
    let report = judge(&facts);
    assert_eq!(report.verdict, Verdict::NotReady);
    let api: Vec<_> = report.checks.iter().filter(|check| check.evidence.kind == EvidenceKind::Api).collect();
    assert!(api.iter().all(|check| check.status == Status::Unknown) && api.len() == 16, "{}", api.len());
    assert!(report.words.iter().any(|word| word.starts_with("16 checks that need AWS are unknown")));
    // One reason for many checks is told once beside the two blockers.
    assert_eq!(render_text(&report).matches("nobody asked").count(), 3);
    let self_managed = judge(&ready());
    assert!(self_managed.words.iter().any(|word| word.starts_with("16 checks ask AWS and do not apply")));
}

#[test]
fn a_waiver_covers_one_finding_until_its_day_and_is_never_forgotten() {
    let waiver = |until: &str| Waiver {
        check: "SCH-02".to_owned(),
        reason: "rebuilt at failover".to_owned(),
        until: NaiveDate::parse_from_str(until, "%Y-%m-%d").unwrap(),
    };
    let mut facts = ready();
    change(&mut facts.target.tables)[1].foreign_keys.clear();
    change(&mut facts.target.ddl);
    facts.settings.waivers = vec![waiver("2026-11-20")];
    let report = judge(&facts);
    let check = report.checks.iter().find(|check| check.id == "SCH-02").unwrap();
    assert_eq!(check.status, Status::Waived);
    assert_eq!(check.waived.as_ref().unwrap().instead_of, Status::Fail);
    assert_eq!(report.verdict, Verdict::ReadyWithWarnings);
    assert!(render_text(&report).contains("accepted until 2026-11-20: rebuilt at failover"));

    facts.settings.waivers = vec![waiver("2026-11-19")];
    let report = judge(&facts);
    assert_eq!(report.checks.iter().find(|check| check.id == "SCH-02").unwrap().status, Status::Fail);
    assert!(report.words.iter().any(|word| word.contains("have ended: SCH-02 on 2026-11-19")), "{:?}", report.words);

    let mut fine = ready();
    fine.settings.waivers = vec![waiver("2026-11-20")];
    assert_eq!(judge(&fine).verdict, Verdict::Ready);
}

#[test]
fn what_was_seen_too_long_ago_is_not_known() {
    let mut facts = ready();
    let Observed::Known(Dated { at: seen, .. }) = &mut facts.source.tables else { panic!() };
    *seen = at(-90_000);
    let report = judge(&facts);
    let check = report.checks.iter().find(|check| check.id == "SCH-01").unwrap();
    assert_eq!(check.status, Status::Unknown);
    assert_eq!(check.evidence.age_s, Some(90_100));
    assert!(check.actual.starts_with("25.0 h ago it was:"), "{}", check.actual);
    assert_eq!(report.verdict, Verdict::NotReady);
}

#[test]
fn the_words_leave_nothing_out_that_would_be_lost() {
    let mut facts = ready();
    facts.contact = Contact::Silent { since: Some(at(99)), why: "no answer in time".to_owned() };
    change(&mut facts.tables)[0].state = TableState::CatchingUp;
    change(&mut facts.tables)[1].state = TableState::Quarantined {
        cause: crate::lane::QuarantineCause::Brake,
        reason: "too many deletes".to_owned(),
        remedy: "look".to_owned(),
    };
    change(&mut facts.tables)[1].cut_at = Some(at(10));
    change(&mut facts.plan).as_mut().unwrap().left_out =
        vec![LeftOut { name: name("log"), reason: LeftOutReason::ByPolicy, remedy: String::new() }];
    let words = judge(&facts).words.join("\n");
    for part in [
        "the writes of at most 1.0 s are lost",
        "older than that cut: shop.orders (as of 2026-11-20 12:00:10.000 UTC)",
        "not known to equal the source at any time: shop.lines",
        "not kept at all, and lost with the source: shop.log",
    ] {
        assert!(words.contains(part), "{part} is not in:\n{words}");
    }
    lane(&mut facts).state = LaneState::CatchingUp;
    assert!(judge(&facts).words.join("\n").contains("not consistent with each other (catching up)"));
    lane(&mut facts).cut_at = None;
    assert!(judge(&facts).words[0].contains("everything would be lost"));
}

#[test]
fn both_forms_hold_the_same_and_nothing_secret() {
    let mut facts = ready();
    facts.settings.platform = Platform::Rds;
    change(&mut facts.source.tables).push(table("a\u{1b}[31m_new"));
    change(&mut facts.source.accounts)[0].plugin = "ed25519".to_owned();
    let report = judge(&facts);
    let text = render_text(&report);
    assert!(text.starts_with("NOT_READY\n"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    assert!(!text.contains('\u{1b}'));
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["schema_version"], 2);
    assert_eq!(json["verdict"], "NOT_READY");
    assert_eq!(json["generated_at"], "2026-11-20T12:01:40.000000Z");
    assert_eq!(json["rpo"]["objective_s"], 60);
    assert_eq!(json["checks"].as_array().unwrap().len(), 46);
    for check in &report.checks {
        assert!(text.contains(check.id), "{} is not printed", check.id);
    }
    assert_eq!(json["checks"][0]["severity"], "B");
    assert_eq!(json["checks"][0]["evidence"]["kind"], "state");
    let blockers = report.checks.iter().filter(|check| check.severity == Severity::Blocker).count();
    assert_eq!(blockers, 12);
}

#[test]
fn facts_survive_being_stored() {
    let source = ready().source;
    let stored = serde_json::to_string(&source).unwrap();
    assert_eq!(serde_json::from_str::<super::super::SideState>(&stored).unwrap(), source);
}
