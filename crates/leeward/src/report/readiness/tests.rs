//! The forms of a report that holds everything at once, hostile names included.

use chrono::{NaiveDateTime, TimeDelta};
use leeward_core::class::{Class, Strategy};
use leeward_core::cost::{Due, Estimate, Item, Month};
use leeward_core::policy::{Platform, Policy, Settings};
use leeward_core::readiness::{
    Accepted, Coverage, Former, Judged, Point, Readiness, ReadinessFacts, ServerLine, Status, TableLine, Verdict,
    WaiverLine, WaiverUse, compare, judge,
};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Rendered;

/// What would be code if it were not escaped, in HTML and in XML.
const HOSTILE: &str = "<script>alert('x')</script>\"><img src=//example.com/x onerror=alert(1)>]]>&amp;\u{1b}[31m";

fn now() -> NaiveDateTime {
    NaiveDateTime::parse_from_str("2026-11-20 12:07:30", "%Y-%m-%d %H:%M:%S").unwrap()
}

fn unseen(platform: Platform) -> Readiness {
    let settings = Settings { platform, ..Policy::builtin().settings().clone() };
    judge(&ReadinessFacts::unseen(now(), "main", settings, "the target does not answer"))
}

fn table(name: &str, age_ms: Option<i64>) -> TableLine {
    TableLine {
        name: name.to_owned(),
        class: Class::UpdDel,
        strategy: Strategy::Merge,
        state: Some("catching_up"),
        as_of: age_ms.map(|age_ms| now() - TimeDelta::milliseconds(age_ms)),
        age_ms,
        compared_since: age_ms.map(|_| now() - TimeDelta::hours(3)),
        compared_age_ms: age_ms.map(|_| 10_800_000),
        differences: 2,
        rows_applied: 1_234_567,
    }
}

/// Every kind of thing that a page can hold.
pub(super) fn everything() -> Readiness {
    let mut report = unseen(Platform::Rds);
    let hostile = || HOSTILE.to_owned();
    let statuses = [Status::Fail, Status::Pass, Status::Warn, Status::Unknown, Status::Waived, Status::NotApplicable];
    for (check, status) in report.checks.iter_mut().zip(statuses.iter().cycle()) {
        check.status = *status;
        check.actual = hostile();
        check.evidence.at = Some(now());
        check.evidence.age_s = Some(90);
        check.evidence.calls = vec![hostile()];
        check.remedy =
            status.is_open().then(|| format!("on the target: ALTER TABLE `{HOSTILE}` FORCE;\nthen {HOSTILE}"));
        check.waived = (*status == Status::Waived).then(|| Accepted {
            reason: hostile(),
            until: now().date() + TimeDelta::days(30),
            instead_of: Status::Fail,
        });
    }
    report.verdict = Verdict::NotReady;
    report.lane = hostile();
    report.words = vec![hostile(), hostile()];
    report.pair.source = Some(ServerLine { identity: hostile(), version: hostile() });
    report.rpo.measured_s = Some(2.25);
    report.tables = vec![table(HOSTILE, None), table("shop.orders", Some(75_000)), table("shop.lines", Some(900))];
    report.coverage =
        Coverage { planned: 3, live: 2, compared: 2, oldest_ms: Some(10_800_000), excluded: 1, refused: 1 };
    report.waivers = vec![WaiverLine {
        check: "DATA-02".to_owned(),
        reason: hostile(),
        until: now().date(),
        use_today: WaiverUse::Ended,
    }];
    let day = now().date().and_hms_opt(0, 0, 0).unwrap();
    let point = |(at, worst_ms)| Point { at, worst_ms };
    let quarters = (0..48).filter(|number| !(20..30).contains(number));
    let ms = |number: u64| if number == 30 { 9_000_000 } else { 700 + number * 31 };
    report.trend.unknown = None;
    report.trend.day =
        quarters.map(|number| point((day + TimeDelta::minutes(15 * number), ms(number.unsigned_abs())))).collect();
    report.trend.quarter = (0..40).map(|back| point((day - TimeDelta::days(40 - back), 1_400))).collect();
    report.trend.verdicts = vec![
        Judged {
            first_at: day,
            last_at: now(),
            runs: 12,
            verdict: Verdict::NotReady,
            open: vec!["SYNC-01".to_owned(), hostile()],
        },
        Judged { first_at: day, last_at: day, runs: 1, verdict: Verdict::Ready, open: Vec::new() },
    ];
    let former =
        Former::parse(&serde_json::to_string(&Readiness { since: None, ..unseen_as(&report) }).unwrap()).unwrap();
    let comparison = compare(&former, &report).unwrap();
    let item = |what: String, usd: Option<f64>| Item { what, amount: hostile(), usd, due: Due::Daily };
    let cost = Estimate {
        prices_of: hostile(),
        from: Some(hostile()),
        to: None,
        items: vec![item(hostile(), Some(12.345)), item("target storage".to_owned(), None)],
        month: Month { usd: 375.49, is_all: false },
        replica: hostile(),
    };
    report.with_comparison(comparison).with_cost(cost)
}

/// A former report of the same lane.
fn unseen_as(report: &Readiness) -> Readiness {
    Readiness { lane: report.lane.clone(), ..unseen(Platform::SelfManaged) }
}

fn html(report: &Readiness) -> String {
    String::from_utf8(Rendered::of(report).unwrap().html).unwrap()
}

#[test]
fn every_json_is_as_the_published_schema_says() {
    let mut schemas = boon::Schemas::new();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/readiness.schema.json");
    let schema = boon::Compiler::new().compile(path, &mut schemas).unwrap();
    let json = |report: &Readiness| serde_json::from_slice::<Value>(&Rendered::of(report).unwrap().json).unwrap();
    for report in [everything(), unseen(Platform::Rds), unseen(Platform::SelfManaged)] {
        if let Err(error) = schemas.validate(&json(&report), schema) {
            panic!("{error:#}");
        }
    }
    // The schema is no rubber stamp.
    let mut wrong = json(&everything());
    wrong["checks"][0]["status"] = "fine".into();
    assert!(schemas.validate(&wrong, schema).is_err());
    let mut more = json(&everything());
    more["undocumented"] = 1.into();
    assert!(schemas.validate(&more, schema).is_err());
}

#[test]
fn whatever_a_name_holds_stays_text() {
    let page = html(&everything());
    for forbidden in ["<script", "<img", "onerror=alert(1)>", "</script", "\u{1b}"] {
        assert!(!page.contains(forbidden), "{forbidden} is in the page");
    }
    assert!(page.matches("&#60;script&#62;").count() + page.matches("&lt;script&gt;").count() > 20);
    let junit = String::from_utf8(Rendered::of(&everything()).unwrap().junit).unwrap();
    assert!(!junit.contains("<script") && !junit.contains('\u{1b}'), "{junit}");
}

#[test]
fn the_page_refers_to_nothing_outside_of_itself() {
    // Of a report whose own texts hold no address.
    let page = html(&unseen(Platform::Rds));
    for reference in ["http:", "https:", "src=", "url(", "@import", "<link", "<script", "javascript:"] {
        assert!(!page.contains(reference), "{reference} is in the page");
    }
    let targets = page.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap_or_default());
    for target in targets {
        let id = target.strip_prefix('#').unwrap_or_else(|| panic!("{target} leads out of the page"));
        assert!(page.contains(&format!("id=\"{id}\"")), "#{id} leads nowhere");
    }
}

#[test]
fn the_page_can_be_read_without_seeing_it() {
    let page = html(&everything());
    assert!(page.contains("<html lang=\"en\">"));
    let levels: Vec<u32> =
        page.match_indices("<h").filter_map(|(at, _)| page[at + 2..].chars().next()?.to_digit(10)).collect();
    assert_eq!(levels.iter().filter(|level| **level == 1).count(), 1);
    assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "headings leave a level out: {levels:?}");
    assert_eq!(page.matches("<table").count(), page.matches("<caption>").count(), "every table has a caption");
    assert_eq!(page.matches("<th ").count() + page.matches("<th>").count(), page.matches(" scope=\"").count());
    let charts = page.matches("role=\"img\"").count();
    assert_eq!((charts, page.matches("<desc ").count(), page.matches("<title ").count()), (2, charts, charts));
    let ids: Vec<&str> = page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let distinct: std::collections::BTreeSet<&&str> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len(), "{ids:?}");
    // What colour says, a word says too.
    for word in [">fail<", ">unknown<", ">warn<", ">worse<", "(beyond)", "Not ready"] {
        assert!(page.contains(word), "{word}");
    }
}

#[test]
fn what_costs_an_unknown_amount_says_so_and_is_never_nothing() {
    let page = html(&everything());
    let cost = &page[page.find("id=\"cost\"").unwrap()..page.find("id=\"passed\"").unwrap()];
    assert!(cost.contains("$12.35") && cost.contains("<span class=\"tag unknown\">unknown</span>"), "{cost}");
    assert!(cost.contains("In a month: <b>$375.49, and what is unknown above</b>"), "{cost}");
    assert!(!html(&unseen(Platform::Rds)).contains("id=\"cost\""), "nobody has reckoned it");
}

#[test]
fn the_page_names_the_json_that_it_was_made_with() {
    let rendered = Rendered::of(&everything()).unwrap();
    let digest: String = Sha256::digest(&rendered.json).iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(String::from_utf8(rendered.html).unwrap().contains(&digest));
    assert!(rendered.json.ends_with(b"}\n"));
}

#[test]
fn a_gate_counts_what_failed_and_skips_what_was_waived() {
    let report = everything();
    let junit = Rendered::of(&report).unwrap().junit;
    let read = quick_junit::Report::deserialize(junit.as_slice()).unwrap();
    let count = |status: Status| report.checks.iter().filter(|check| check.status == status).count();
    assert_eq!(read.tests, report.checks.len());
    assert_eq!((read.failures, read.errors), (count(Status::Fail), count(Status::Unknown)));
    let cases = &read.test_suites[0].test_cases;
    let skipped: Vec<_> =
        cases.iter().filter(|case| matches!(case.status, quick_junit::TestCaseStatus::Skipped { .. })).collect();
    assert_eq!(skipped.len(), count(Status::Waived) + count(Status::NotApplicable));
    let text = String::from_utf8(junit).unwrap();
    assert!(text.contains("waived until "), "{text}");
    assert_eq!(cases[0].name.as_str(), "SYNC-01 measured RPO");
}
