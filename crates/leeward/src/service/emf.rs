//! The vital signs in CloudWatch's embedded metric format: a log line that is one JSON object, from which CloudWatch takes
//! metrics by itself, without a permission to write metrics. Alarms there know no time of day, so these are ages, not
//! moments. The lane is the only dimension: each combination of dimensions is billed as a metric of its own.

use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDateTime;
use leeward_core::readiness::{CheckResult, Readiness, Severity, Status, Verdict};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::vitals::{Phase, Seen, Vitals};
use crate::report::text;

/// The namespace of all metrics.
const NAMESPACE: &str = "Leeward";

/// How often a running `sync` writes a line: CloudWatch's own resolution, and what alarms count in.
const EVERY: Duration = Duration::from_secs(60);

/// One metric: its name, its unit in CloudWatch's words, its value.
type Metric = (&'static str, &'static str, f64);

/// Writes lines about a running `sync` until it is stopped, and a last one then.
pub async fn tell(vitals: Arc<Vitals>, stop: CancellationToken) {
    tell_every(EVERY, vitals, stop, |line| {
        // Nobody may be listening any more: that is no reason to stop keeping the copy.
        let _ = text::print(line);
    })
    .await;
}

async fn tell_every(every: Duration, vitals: Arc<Vitals>, stop: CancellationToken, mut write: impl FnMut(&str)) {
    let mut before = vitals.seen();
    loop {
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(every) => {}
        }
        let now = vitals.seen();
        write(&sync_line(&before, &now, chrono::Utc::now().naive_utc()));
        if stop.is_cancelled() {
            return;
        }
        before = now;
    }
}

/// Returns the line about a `sync`: how it stands now, and what was done since `before`. What is not known is left out, so
/// that an alarm on it finds it missing.
pub fn sync_line(before: &Seen, now: &Seen, at: NaiveDateTime) -> String {
    let age_s = |then: NaiveDateTime| ((at - then).num_milliseconds().max(0)) as f64 / 1e3;
    let since = |count: u64, earlier: u64| count.saturating_sub(earlier) as f64;
    let (done, earlier) = (&now.totals, &before.totals);
    let mut metrics: Vec<Metric> = vec![
        ("Live", "None", f64::from(now.is_ready())),
        ("Leading", "None", f64::from(now.phase != Phase::Waiting)),
        ("StepAge", "Seconds", now.since_step().as_secs_f64()),
        ("RecoveryPointObjective", "Seconds", now.rpo_s as f64),
        ("Cycles", "Count", since(done.cycles, earlier.cycles)),
        ("RowsApplied", "Count", since(done.rows_applied, earlier.rows_applied)),
        ("RowsCompared", "Count", since(done.rows_compared, earlier.rows_compared)),
        ("RowsRepaired", "Count", since(done.rows_repaired, earlier.rows_repaired)),
        ("Faults", "Count", since(now.faults_total(), before.faults_total())),
    ];
    metrics.extend(now.cut_at.map(|cut_at| ("Lag", "Seconds", age_s(cut_at))));
    if let Some(standing) = now.standing {
        metrics.push(("TablesQuarantined", "Count", standing.quarantined as f64));
        metrics.extend(standing.compared_since.map(|since| ("ComparisonAge", "Seconds", age_s(since))));
    }
    line(&now.lane, at, &metrics)
}

/// Returns the line about a verdict: whether the target could take over, how many checks block, and how many in all did not
/// pass and are not waived.
pub fn readiness_line(verdict: &Readiness, at: NaiveDateTime) -> String {
    let blocks = |check: &&CheckResult| {
        check.severity == Severity::Blocker && matches!(check.status, Status::Fail | Status::Unknown)
    };
    let is_open = |check: &&CheckResult| matches!(check.status, Status::Warn | Status::Fail | Status::Unknown);
    let metrics = [
        ("Ready", "None", f64::from(verdict.verdict != Verdict::NotReady)),
        ("ReadinessBlockers", "Count", verdict.checks.iter().filter(blocks).count() as f64),
        ("ReadinessOpen", "Count", verdict.checks.iter().filter(is_open).count() as f64),
    ];
    line(&verdict.lane, at, &metrics)
}

fn line(lane: &str, at: NaiveDateTime, metrics: &[Metric]) -> String {
    let named: Vec<Value> = metrics.iter().map(|(name, unit, _)| json!({ "Name": name, "Unit": unit })).collect();
    let mut root = Map::new();
    root.insert(
        "_aws".to_owned(),
        json!({
            "Timestamp": at.and_utc().timestamp_millis(),
            "CloudWatchMetrics": [{ "Namespace": NAMESPACE, "Dimensions": [["Lane"]], "Metrics": named }],
        }),
    );
    root.insert("Lane".to_owned(), json!(lane));
    root.extend(metrics.iter().map(|(name, _, value)| ((*name).to_owned(), json!(value))));
    Value::Object(root).to_string()
}

#[cfg(test)]
mod tests;
