//! What a plan costs: every figure follows from the survey and a dated list of prices, and what is not known says so.

use leeward_core::cost::{self, Due, Estimate, Month, Place, Prices};
use leeward_core::planner;
use leeward_core::policy::Policy;
use leeward_core::survey::Survey;

mod case_survey;

const PRICES: &str = r#"
version = 1
date = 2026-06-01

[[transfer]]
from = "us-east-1"
to = "us-west-2"
usd_per_gb = 0.02
source = "a test"

[[storage]]
region = "us-west-2"
usd_per_gb_month = 0.10
source = "a test"

[[instance]]
region = "us-west-2"
class = "db.r6g.large"
usd_per_hour = 0.25
source = "a test"

[[task]]
region = "us-west-2"
usd_per_vcpu_hour = 0.04
usd_per_gb_hour = 0.004
source = "a test"
"#;

/// A GB of rows, of which a hundredth was rewritten in an hour.
fn survey(writes: &str) -> Survey {
    case_survey::read(&format!(
        r#"{{"schemas": ["shop"], "tables": {{
            "shop.orders": {{
                "columns": ["id bigint not null auto_increment", "t text"],
                "keys": ["PRIMARY (id)"], "rows": 1048576, "bytes": 1073741824{writes}
            }}
        }}}}"#
    ))
}

fn estimate(survey: &Survey, place: &Place) -> Estimate {
    let plan = planner::plan(&Policy::builtin(), survey).expect("a plan");
    cost::estimate(&plan, survey, place, &Prices::parse(PRICES).expect("prices"))
}

fn known() -> Place {
    Place {
        source_region: Some("us-east-1".into()),
        target_region: Some("us-west-2".into()),
        target_class: Some("db.r6g.large".into()),
        target_storage_gb: Some(500),
        target_multi_az: None,
    }
}

fn usd(estimate: &Estimate, what: &str) -> Option<f64> {
    let item = estimate.items.iter().find(|item| item.what == what).expect("an item");
    item.usd.map(|usd| (usd * 1e4).round() / 1e4)
}

#[test]
fn everything_is_priced_where_everything_is_known() {
    let estimate = estimate(&survey(r#", "writes": [5243, 5243, 99999, 3600]"#), &known());
    assert_eq!(usd(&estimate, "transfer for the seed"), Some(0.02));
    // Two times 5,243 rows of 1 KiB in an hour are 0.24 GB a day; what was deleted sends no row.
    assert_eq!(usd(&estimate, "transfer for changes"), Some(0.0048));
    assert_eq!(usd(&estimate, "target instance"), Some(182.5));
    assert_eq!(usd(&estimate, "target storage"), Some(50.0));
    assert_eq!(usd(&estimate, "engine task"), Some(35.04));
    let Month { usd: monthly, is_all } = estimate.month;
    assert!(is_all && (monthly - (182.5 + 50.0 + 35.04 + 0.0048 * 730.0 / 24.0)).abs() < 0.01, "{monthly}");
    assert!(estimate.replica.contains("no engine task (about $35.04 a month)"), "{}", estimate.replica);
    let text = estimate.text();
    for part in ["prices of 2026-06-01, us-east-1 to us-west-2", "about $0.02 once", "native replica", "no engine task"]
    {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
    assert!(!text.contains("unknown"), "{text}");
}

#[test]
fn a_standby_is_paid_for_like_the_instance() {
    let both = Place { target_multi_az: Some(true), ..known() };
    let estimate = estimate(&survey(""), &both);
    assert_eq!(usd(&estimate, "target instance"), Some(365.0));
    assert_eq!(usd(&estimate, "target storage"), Some(100.0));
    assert_eq!(usd(&estimate, "engine task"), Some(35.04));
    assert!(estimate.text().contains("db.r6g.large, twice (Multi-AZ); $0.25/hour"), "{}", estimate.text());
}

#[test]
fn what_is_not_known_is_unknown_and_never_nothing() {
    let estimate = estimate(&survey(""), &Place::default());
    assert!(estimate.items.iter().all(|item| item.usd.is_none()), "{estimate:?}");
    assert_eq!(estimate.month, Month { usd: 0.0, is_all: false });
    let changes = estimate.items.iter().find(|item| item.due == Due::Daily).expect("an item");
    assert!(changes.amount.starts_with("unknown: "), "{}", changes.amount);
}

#[test]
fn counters_of_a_few_minutes_say_nothing_of_a_day() {
    let estimate = estimate(&survey(r#", "writes": [5243, 5243, 0, 300]"#), &known());
    assert_eq!(usd(&estimate, "transfer for changes"), None);
    let changes = estimate.items.iter().find(|item| item.due == Due::Daily).expect("an item");
    assert!(changes.amount.starts_with("unknown: the source has counted writes for "), "{}", changes.amount);
}
