//! Lines are held to the rules of the embedded metric format's specification, and the rules to lines that break them.

use leeward_core::lane::LaneState;
use leeward_core::policy::Settings;
use leeward_core::readiness::{ReadinessFacts, judge};
use leeward_engine::watch::Watch;

use super::super::vitals::tests::{cycle, vitals};
use super::*;

/// The units that CloudWatch knows, but for those of bytes and bits.
const UNITS: [&str; 6] = ["Seconds", "Microseconds", "Milliseconds", "Percent", "Count", "None"];

/// Longest name of a metric, a dimension or a namespace, and longest value of a dimension, characters.
const NAME_MAX: usize = 1024;

/// Most metrics in one directive.
const METRICS_MAX: usize = 100;

/// Longest event that CloudWatch Logs takes, bytes.
const EVENT_MAX: usize = 1 << 20;

/// Returns what of the specification a line breaks.
fn broken_rules(line: &str) -> Vec<&'static str> {
    let mut broken = Vec::new();
    let mut hold = |rule, holds: bool| {
        if !holds {
            broken.push(rule);
        }
    };
    hold("one line of at most 1 MiB", !line.contains('\n') && line.len() <= EVENT_MAX);
    let Ok(Value::Object(root)) = serde_json::from_str::<Value>(line) else { return vec!["one JSON object"] };
    let meta = &root["_aws"];
    hold("_aws.Timestamp is milliseconds", meta["Timestamp"].as_u64().is_some_and(|ms| ms > 1_000_000_000_000));
    let directives = meta["CloudWatchMetrics"].as_array().cloned().unwrap_or_default();
    hold("there is a directive", !directives.is_empty());
    let is_name = |name: &Value| name.as_str().is_some_and(|name| (1..=NAME_MAX).contains(&name.len()));
    for directive in &directives {
        hold("a namespace", is_name(&directive["Namespace"]));
        let sets = directive["Dimensions"].as_array().cloned().unwrap_or_default();
        hold("a set of dimensions", !sets.is_empty());
        for set in &sets {
            let names = set.as_array().cloned().unwrap_or_default();
            hold("at most 30 dimensions", names.len() <= 30);
            let is_valued = |name: &Value| name.as_str().is_some_and(|name| root.get(name).is_some_and(is_name));
            hold("each dimension is a text of the root", names.iter().all(is_valued));
        }
        let metrics = directive["Metrics"].as_array().cloned().unwrap_or_default();
        hold("1 to 100 metrics", (1..=METRICS_MAX).contains(&metrics.len()));
        let is_number =
            |metric: &Value| metric["Name"].as_str().is_some_and(|name| root.get(name).is_some_and(Value::is_number));
        hold("each metric is a number of the root", metrics.iter().all(|one| is_name(&one["Name"]) && is_number(one)));
        let has_unit = |metric: &Value| metric["Unit"].as_str().is_some_and(|unit| UNITS.contains(&unit));
        hold("each unit is known", metrics.iter().all(has_unit));
    }
    broken
}

fn moment() -> NaiveDateTime {
    chrono::DateTime::from_timestamp(1_790_000_003, 500_000_000).unwrap().naive_utc()
}

#[test]
fn a_line_keeps_to_the_specification_and_counts_since_the_last_one() {
    let vitals = vitals();
    vitals.cycle(&cycle(LaneState::Live, 5));
    let before = vitals.seen();
    vitals.cycle(&cycle(LaneState::Live, 7));
    let line = sync_line(&before, &vitals.seen(), moment());
    assert_eq!(broken_rules(&line), [""; 0], "{line}");
    let root: Value = serde_json::from_str(&line).unwrap();
    for (name, value) in [
        ("Lag", 3.5),
        ("Live", 1.0),
        ("Cycles", 1.0),
        ("RowsApplied", 7.0),
        ("RowsCompared", 70.0),
        ("TablesQuarantined", 1.0),
    ] {
        assert_eq!(root[name], value, "{name}");
    }
    assert_eq!((&root["Lane"], root.get("ComparisonAge")), (&json!("main"), None));
}

#[test]
fn what_is_not_known_is_left_out_so_that_an_alarm_finds_it_missing() {
    let seen = vitals().seen();
    let line = sync_line(&seen, &seen, moment());
    assert_eq!(broken_rules(&line), [""; 0], "{line}");
    let root: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((root.get("Lag"), root.get("TablesQuarantined"), &root["Live"]), (None, None, &json!(0.0)));
}

#[test]
fn a_verdict_without_a_single_fact_is_not_ready_and_says_how_much_blocks() {
    let verdict = judge(&ReadinessFacts::unseen(moment(), "main", Settings::default(), "nothing answers"));
    let line = readiness_line(&verdict, moment());
    assert_eq!(broken_rules(&line), [""; 0], "{line}");
    let root: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(root["Ready"], 0.0);
    let (blockers, open) = (root["ReadinessBlockers"].as_f64().unwrap(), root["ReadinessOpen"].as_f64().unwrap());
    assert!(blockers > 0.0 && open >= blockers, "{line}");
}

#[test]
fn the_rules_themselves_notice_what_breaks_them() {
    let good = line("main", moment(), &[("Lag", "Seconds", 1.0)]);
    assert_eq!(broken_rules(&good), [""; 0]);
    let with = |change: fn(&mut Value)| {
        let mut root: Value = serde_json::from_str(&good).unwrap();
        change(&mut root);
        broken_rules(&root.to_string())
    };
    for change in [
        (|root| root["Lag"] = json!("1")) as fn(&mut Value),
        |root| root["Lane"] = json!(1),
        |root| root["Lane"] = json!(""),
        |root| root["_aws"]["Timestamp"] = json!(1_790_000_000),
        |root| root["_aws"]["CloudWatchMetrics"] = json!([]),
        |root| root["_aws"]["CloudWatchMetrics"][0]["Namespace"] = json!(""),
        |root| root["_aws"]["CloudWatchMetrics"][0]["Dimensions"] = json!([["Table"]]),
        |root| root["_aws"]["CloudWatchMetrics"][0]["Metrics"][0]["Unit"] = json!("Fortnights"),
        |root| root["_aws"]["CloudWatchMetrics"][0]["Metrics"] = json!([]),
    ] {
        assert_eq!(with(change).len(), 1);
    }
    assert_eq!(broken_rules(&format!("info: {good}")), ["one JSON object"]);
}

#[tokio::test]
async fn lines_come_again_and_again_and_once_more_at_the_end() {
    let (count, limit) = (3, Duration::from_secs(30));
    let stop = CancellationToken::new();
    let mut lines = Vec::new();
    let told = tell_every(Duration::from_millis(1), Arc::new(vitals()), stop.clone(), |line| {
        lines.push(line.to_owned());
        if lines.len() == count {
            stop.cancel();
        }
    });
    tokio::time::timeout(limit, told).await.expect("it ends when it is stopped");
    assert_eq!(lines.len(), count);
    assert!(lines.iter().all(|line| broken_rules(line).is_empty()), "{lines:?}");

    let mut last = Vec::new();
    let told = tell_every(Duration::from_secs(3_600), Arc::new(vitals()), stop, |line| last.push(line.to_owned()));
    tokio::time::timeout(limit, told).await.expect("it does not wait for the hour");
    assert_eq!(last.len(), 1, "the last numbers are written when it is stopped");
}
