//! The vital signs in Prometheus's text format, version 0.0.4. Moments are given as such, not as ages: whoever asks knows the
//! time. No series carries a table's name, so that their number does not grow with the database.

use std::fmt::Write;

use chrono::NaiveDateTime;
use leeward_core::lane::LaneState;

use super::vitals::{CYCLE_BOUNDS_S, Phase, Seen};

/// What the answer says it is.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Renders everything.
pub fn text(seen: &Seen) -> String {
    let mut page = Page(String::new());
    process(&mut page, seen);
    lane(&mut page, seen);
    work(&mut page, seen);
    page.0
}

fn process(page: &mut Page, seen: &Seen) {
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    page.family("leeward_build_info", "gauge", "The version that runs.").sample(&version, 1.0);
    let began = seconds(seen.began_at);
    page.family("leeward_start_timestamp_seconds", "gauge", "When the process began.").sample(&[], began);
    page.family("leeward_step_timestamp_seconds", "gauge", "When the loop last made a step, also a vain one.")
        .sample(&[], seconds(seen.stepped_at));
    page.family("leeward_step_max_seconds", "gauge", "After so long without a step the loop counts as stuck.")
        .sample(&[], seen.step_max.as_secs_f64());
    page.family("leeward_leading", "gauge", "1 while the process holds the lane's lease.")
        .sample(&[], f64::from(seen.phase != Phase::Waiting));
    page.family("leeward_lease_epoch", "gauge", "Epoch of the lease that it holds, or last held.")
        .samples(seen.lease_epoch.map(|epoch| epoch as f64));
}

fn lane(page: &mut Page, seen: &Seen) {
    page.family("leeward_lane_info", "gauge", "The lane that is kept.").sample(&[("lane", &seen.lane)], 1.0);
    let mut states = page.family("leeward_lane_state", "gauge", "1 for the state that the lane is in.");
    for (word, is_it) in [
        ("waiting", seen.phase == Phase::Waiting),
        ("catching_up", seen.phase == Phase::Leading && seen.state != Some(LaneState::Live)),
        ("live", seen.phase == Phase::Leading && seen.state == Some(LaneState::Live)),
        ("enduring", seen.phase == Phase::Enduring),
    ] {
        states.sample(&[("state", word)], f64::from(is_it));
    }
    page.family("leeward_cut_timestamp_seconds", "gauge", "The source's clock at the last consistent cut applied.")
        .samples(seen.cut_at.map(seconds));
    page.family("leeward_rpo_objective_seconds", "gauge", "How old that cut may be, as the policy says.")
        .sample(&[], seen.rpo_s as f64);
    page.family("leeward_tables", "gauge", "Tables that are kept.")
        .samples(seen.standing.map(|standing| standing.tables as f64));
    page.family("leeward_tables_quarantined", "gauge", "Tables that wait for a person.")
        .samples(seen.standing.map(|standing| standing.quarantined as f64));
    page.family(
        "leeward_compared_timestamp_seconds",
        "gauge",
        "Since when every row of every kept table was compared.",
    )
    .samples(seen.standing.and_then(|standing| standing.compared_since).map(seconds));
}

fn work(page: &mut Page, seen: &Seen) {
    let totals = &seen.totals;
    for (name, help, count) in [
        ("leeward_cycles_total", "Cycles committed.", totals.cycles),
        ("leeward_rows_read_total", "Rows of the windows that were read.", totals.rows_read),
        ("leeward_rows_applied_total", "Rows written because the source had changed them.", totals.rows_applied),
        ("leeward_rows_compared_total", "Rows compared.", totals.rows_compared),
        ("leeward_rows_repaired_total", "Rows that the comparison had to set right.", totals.rows_repaired),
    ] {
        page.family(name, "counter", help).sample(&[], count as f64);
    }
    let mut faults = page.family("leeward_faults_total", "counter", "Turns that ended in a fault, by side and kind.");
    for ((side, kind), count) in &seen.faults {
        faults.sample(&[("side", side), ("kind", kind)], *count as f64);
    }
    let mut cycles = page.family("leeward_cycle_duration_seconds", "histogram", "How long cycles took.");
    for (bound_s, count) in CYCLE_BOUNDS_S.iter().zip(totals.cycles_within) {
        cycles.part("_bucket", &[("le", &bound_s.to_string())], count as f64);
    }
    cycles.part("_bucket", &[("le", "+Inf")], totals.cycles as f64);
    cycles.part("_sum", &[], totals.cycles_s);
    cycles.part("_count", &[], totals.cycles as f64);
}

/// Returns a moment as seconds since 1970.
fn seconds(at: NaiveDateTime) -> f64 {
    at.and_utc().timestamp_micros() as f64 / 1e6
}

/// The text so far.
struct Page(String);

/// A family whose head has been written.
struct Family<'a> {
    text: &'a mut String,
    name: &'static str,
}

impl Page {
    fn family(&mut self, name: &'static str, kind: &str, help: &str) -> Family<'_> {
        // Writing to a text does not fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        Family { text: &mut self.0, name }
    }
}

impl Family<'_> {
    fn sample(&mut self, labels: &[(&str, &str)], value: f64) {
        self.part("", labels, value);
    }

    /// Writes the one sample without labels, where there is a value: what is not known is absent, not 0.
    fn samples(&mut self, value: Option<f64>) {
        if let Some(value) = value {
            self.sample(&[], value);
        }
    }

    fn part(&mut self, suffix: &str, labels: &[(&str, &str)], value: f64) {
        let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let labels: Vec<String> = labels.iter().map(|(name, text)| format!("{name}=\"{}\"", escaped(text))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.text, "{}{suffix}{labels} {value}", self.name);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use leeward_engine::watch::Watch;
    use prometheus_parse::{Scrape, Value};

    use super::super::vitals::tests::{cycle, vitals};
    use super::*;

    fn parsed(text: &str) -> Scrape {
        Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).expect("it is Prometheus's format")
    }

    #[test]
    fn what_is_not_known_is_absent() {
        let names: BTreeSet<String> =
            parsed(&text(&vitals().seen())).samples.into_iter().map(|one| one.metric).collect();
        assert!(names.contains("leeward_step_timestamp_seconds"));
        for unknown in ["leeward_cut_timestamp_seconds", "leeward_tables", "leeward_lease_epoch"] {
            assert!(!names.contains(unknown), "{unknown}");
        }
    }

    #[test]
    fn numbers_are_read_back_as_they_were_seen() {
        let vitals = vitals();
        vitals.cycle(&cycle(LaneState::Live, 5));
        let scrape = parsed(&text(&vitals.seen()));
        let value = |name: &str, label: Option<(&str, &str)>| {
            let mut found = scrape.samples.iter().filter(|one| one.metric == name);
            let found = found.find(|one| label.is_none_or(|(name, text)| one.labels.get(name) == Some(text)));
            match found.unwrap_or_else(|| panic!("{name} is absent")).value {
                Value::Gauge(value) | Value::Counter(value) | Value::Untyped(value) => value,
                _ => panic!("{name} is no number"),
            }
        };
        assert_eq!(value("leeward_cut_timestamp_seconds", None), 1_790_000_000.0);
        assert_eq!(value("leeward_rows_compared_total", None), 50.0);
        assert_eq!(value("leeward_tables_quarantined", None), 1.0);
        assert_eq!(value("leeward_lane_state", Some(("state", "live"))), 1.0);
        assert_eq!(value("leeward_lane_state", Some(("state", "catching_up"))), 0.0);
        let cycles = scrape.samples.iter().find(|one| one.metric == "leeward_cycle_duration_seconds").unwrap();
        let Value::Histogram(buckets) = &cycles.value else { panic!("no histogram") };
        assert_eq!(buckets.len(), CYCLE_BOUNDS_S.len() + 1);
        assert!(buckets.iter().all(|bucket| bucket.count == f64::from(bucket.less_than >= 0.25)));
    }

    #[test]
    fn names_follow_the_conventions_and_labels_are_escaped() {
        let vitals = super::super::vitals::Vitals::new("a\"b\\c\nd", 60, std::time::Duration::ZERO);
        vitals.cycle(&cycle(LaneState::Live, 5));
        let text = text(&vitals.seen());
        assert!(text.contains(r#"leeward_lane_info{lane="a\"b\\c\nd"} 1"#), "{text}");
        for line in text.lines().filter(|line| line.starts_with("# TYPE ")) {
            let words: Vec<&str> = line.split(' ').collect();
            let [_, _, name, kind] = words[..] else { panic!("{line}") };
            assert!(name.starts_with("leeward_"), "{name}");
            assert_eq!(name.ends_with("_total"), kind == "counter", "{name} is a {kind}");
        }
    }
}
