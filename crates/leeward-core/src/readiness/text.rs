//! The report for a person: the verdict first, then what blocks, then the rest. Plain text, at most 100 columns.

use super::outcome::{CheckResult, EvidenceKind, Severity, Status};
use super::page::{duration, remedy, time, wrapped};
use super::since::{Change, Comparison, Move, Way};
use super::verdict::{Objective, Readiness};
use crate::cost::Estimate;

/// Ages below this are "now" to a person.
const NEWS_S: i64 = 60;

/// Prints the report.
pub fn render_text(readiness: &Readiness) -> String {
    let Readiness {
        schema_version: _,
        leeward: _,
        generated_at,
        lane,
        verdict,
        rpo,
        rto,
        checks,
        words,
        since,
        cost,
        ..
    } = readiness;
    // Servers, tables, waivers and the trend are for those who look longer: the other forms hold them.
    let Readiness { pair: _, plan: _, tables: _, coverage: _, waivers: _, trend: _, .. } = readiness;
    let mut text = format!("{verdict}\n");
    text.push_str(&wrapped("  ", 2, &format!("lane {lane}, {}", time(*generated_at))));
    text.push_str(&wrapped("  ", 2, &format!("RPO {}; RTO {}", objective(rpo), objective(rto))));
    for word in words {
        text.push_str(&wrapped("  - ", 4, word));
    }
    if let Some(since) = since {
        changes(&mut text, since);
    }
    let blocking = |check: &CheckResult| {
        check.severity == Severity::Blocker && matches!(check.status, Status::Fail | Status::Unknown)
    };
    let of = |status: Status| move |check: &CheckResult| check.status == status && !blocking(check);
    open(&mut text, "These block", checks.iter().filter(|check| blocking(check)).collect());
    open(&mut text, "These failed", checks.iter().filter(|check| of(Status::Fail)(check)).collect());
    let (api, seen): (Vec<_>, Vec<_>) = checks
        .iter()
        .filter(|check| of(Status::Unknown)(check))
        .partition(|check| check.evidence.kind == EvidenceKind::Api);
    open(&mut text, "Not known", seen);
    unasked(&mut text, &api);
    open(&mut text, "Warnings", checks.iter().filter(|check| of(Status::Warn)(check)).collect());
    open(&mut text, "Accepted by waiver", checks.iter().filter(|check| of(Status::Waived)(check)).collect());
    passed(&mut text, checks);
    let apart: Vec<&CheckResult> = checks.iter().filter(|check| check.status == Status::NotApplicable).collect();
    group(&mut text, "Do not apply", &apart);
    if let Some(cost) = cost {
        paid(&mut text, cost);
    }
    text
}

fn paid(text: &mut String, cost: &Estimate) {
    text.push_str(&format!("\nCost ({}):\n", cost.title()));
    for item in &cost.items {
        // An amount without a price says itself that it, or its price, is unknown.
        let price = item.usd.map_or(String::new(), |_| format!("{}: ", item.price()));
        text.push_str(&wrapped("  ", 6, &format!("{}: {price}{}", item.what, item.amount)));
    }
    text.push_str(&wrapped("  ", 6, &format!("in a month: {}", cost.monthly())));
    text.push_str(&wrapped("  ", 6, &format!("{}.", cost.replica)));
}

fn changes(text: &mut String, since: &Comparison) {
    let Comparison { since: at, verdict, rpo_s, rto_s, moves, unchanged: _, words } = since;
    text.push_str(&format!("\nSince {} ({}):\n", time(*at), since.summary()));
    if verdict.was != verdict.is {
        text.push_str(&wrapped("  ", 2, &format!("verdict {}, was {}", verdict.is, verdict.was)));
    }
    for (what, change) in [("RPO", rpo_s), ("RTO", rto_s)] {
        if change.was != change.is {
            let line = format!("{what} {}, was {}", measured(change.is), measured(change.was));
            text.push_str(&wrapped("  ", 2, &line));
        }
    }
    for word in words {
        text.push_str(&wrapped("  - ", 4, word));
    }
    for one in moves {
        let Move { id, title, severity: weight, way, was, is, was_actual: _, actual } = one;
        let way = match way {
            Way::Worse => "worse",
            Way::Better => "better",
            Way::Otherwise => "otherwise",
        };
        let status = |status: &Option<Status>| status.map_or("not there", Status::word);
        let said = actual.as_ref().map(|actual| format!(": {actual}")).unwrap_or_default();
        let change = Change { was: status(was), is: status(is) };
        let line = format!("{title} is {}, was {}{said}", change.is, change.was);
        text.push_str(&wrapped(&format!("  {way}: {id} {} ", weight.word()), 6, &line));
    }
}

fn measured(seconds: Option<f64>) -> String {
    seconds.map_or("not measured".to_owned(), |seconds| duration((seconds * 1000.0) as i64))
}

fn objective(objective: &Objective) -> String {
    let Objective { objective_s, measured_s } = objective;
    let wanted = duration(i64::try_from(objective_s.saturating_mul(1000)).unwrap_or(i64::MAX));
    match measured_s {
        Some(seconds) => format!("{} measured, {wanted} wanted", duration((seconds * 1000.0) as i64)),
        None => format!("not measured, {wanted} wanted"),
    }
}

fn open(text: &mut String, title: &str, checks: Vec<&CheckResult>) {
    if checks.is_empty() {
        return;
    }
    text.push_str(&format!("\n{title} ({}):\n", checks.len()));
    for check in checks {
        let head = format!("  {} {} ", check.id, check.severity.word());
        let what = match check.status {
            Status::Unknown => format!("{}: not known: {}", check.title, check.actual),
            _ => format!("{}: {}", check.title, check.actual),
        };
        text.push_str(&wrapped(&head, 6, &what));
        if let Some(waived) = &check.waived {
            let line = format!("accepted until {}: {}", waived.until, waived.reason);
            text.push_str(&wrapped("      ", 6, &line));
        }
        if let Some(fix) = &check.remedy {
            text.push_str(&remedy(6, fix));
        }
        if let Some(age_s) = check.evidence.age_s.filter(|age_s| *age_s >= NEWS_S) {
            let line = format!("seen {} ago: {}", duration(age_s.saturating_mul(1000)), check.evidence.text);
            text.push_str(&wrapped("      ", 6, &line));
        }
    }
}

fn passed(text: &mut String, checks: &[CheckResult]) {
    let passed: Vec<&CheckResult> = checks.iter().filter(|check| check.status == Status::Pass).collect();
    if passed.is_empty() {
        return;
    }
    text.push_str(&format!("\nPassed ({}):\n", passed.len()));
    for check in passed {
        let age = check.evidence.age_s.filter(|age_s| *age_s >= NEWS_S);
        let age = age.map(|age_s| format!(" (seen {} ago)", duration(age_s.saturating_mul(1000))));
        let line = format!("{}: {}{}", check.title, check.actual, age.unwrap_or_default());
        text.push_str(&wrapped(&format!("  {} ", check.id), 6, &line));
    }
}

/// Prints what AWS did not answer. One missing permission, or an endpoint that is out of reach, keeps many checks from
/// being answered, and is told once.
fn unasked(text: &mut String, checks: &[&CheckResult]) {
    if checks.is_empty() {
        return;
    }
    text.push_str(&format!("\nNot known from AWS ({}):\n", checks.len()));
    let mut told: Vec<&str> = Vec::new();
    for check in checks {
        if told.contains(&check.actual.as_str()) {
            continue;
        }
        told.push(&check.actual);
        let alike = checks.iter().filter(|other| other.actual == check.actual);
        let names: Vec<String> = alike.map(|other| format!("{} {}", other.id, other.title)).collect();
        text.push_str(&wrapped("  ", 6, &format!("{}: {}", names.join(", "), check.actual)));
        if let Some(fix) = &check.remedy {
            text.push_str(&remedy(6, fix));
        }
    }
}

/// Prints checks that all say the same, by name alone.
fn group(text: &mut String, title: &str, checks: &[&CheckResult]) {
    if checks.is_empty() {
        return;
    }
    let names: Vec<String> = checks.iter().map(|check| format!("{} {}", check.id, check.title)).collect();
    text.push_str(&format!("\n{title} ({}):\n", checks.len()));
    text.push_str(&wrapped("  ", 2, &names.join(", ")));
}
