//! The report as one HTML file: `templates/readiness.html` and its style sheet, filled in. It refers to nothing outside of
//! itself, runs no script and says so in its own content security policy. askama escapes whatever is put in.

use askama::Template;
use chrono::NaiveDateTime;
use leeward_core::cost::{self, Estimate};
use leeward_core::measure;
use leeward_core::readiness::{
    CheckResult, Comparison, Coverage, Judged, Move, Objective, Readiness, ServerLine, Severity, Status, TableLine,
    Verdict, WaiverUse, Way, duration, time,
};

use super::chart::{self, Chart, Scale};
use super::finding::{self, Finding};

/// Tables listed at most, those that are furthest behind: enough for any person. The JSON lists all.
const TABLES_SHOWN: usize = 200;

/// Former verdicts listed at most, the newest.
const VERDICTS_SHOWN: usize = 20;

/// Checks that say whether taking over was ever done, and how long it took.
const DRILLS: [&str; 2] = ["GOV-01", "GOV-02"];

/// Prints the page. `json_sha256` names the JSON of the same report.
///
/// # Errors
/// When the template cannot be filled in.
pub fn page(readiness: &Readiness, json_sha256: &str) -> askama::Result<String> {
    let page = Page::of(readiness, json_sha256).render()?;
    // A name may hold some of these; none belongs into HTML, and whoever pastes a statement into a terminal must not paste them.
    Ok(page
        .chars()
        .map(|char| if char.is_control() && char != '\n' { char::REPLACEMENT_CHARACTER } else { char })
        .collect())
}

#[derive(Template)]
#[template(path = "readiness.html")]
struct Page<'a> {
    readiness: &'a Readiness,
    headline: &'static str,
    tone: &'static str,
    because: String,
    lead: &'a str,
    words: &'a [String],
    made_at: String,
    figures: Vec<Figure>,
    blocking: Vec<&'a CheckResult>,
    since: Option<Changes<'a>>,
    charts: Vec<Chart>,
    no_charts: Option<String>,
    tables: Vec<TableRow<'a>>,
    tables_untold: Option<String>,
    objective: String,
    objective_percent: String,
    coverage: Vec<Figure>,
    findings: Vec<Group<'a>>,
    passed: Vec<Finding<'a>>,
    apart: Vec<&'a CheckResult>,
    waivers: Vec<WaiverRow<'a>>,
    drills: Vec<Finding<'a>>,
    cost: Option<CostTable<'a>>,
    former: Vec<FormerRow<'a>>,
    source: String,
    target: String,
    plan: String,
    json_sha256: &'a str,
}

/// A number that matters.
struct Figure {
    label: &'static str,
    value: String,
    note: String,
    tone: &'static str,
}

/// Findings of one weight.
struct Group<'a> {
    title: &'static str,
    findings: Vec<Finding<'a>>,
}

struct TableRow<'a> {
    line: &'a TableLine,
    state: String,
    tone: &'static str,
    age: String,
    as_of: String,
    percent: String,
    compared: String,
    rows: String,
}

struct WaiverRow<'a> {
    check: &'a str,
    reason: &'a str,
    until: String,
    effect: String,
}

struct Changes<'a> {
    since: String,
    summary: String,
    lines: Vec<String>,
    words: &'a [String],
    moves: Vec<MoveRow<'a>>,
}

struct MoveRow<'a> {
    one: &'a Move,
    way: &'static str,
    tone: &'static str,
    was: &'static str,
    is: &'static str,
    said: &'a str,
}

struct CostTable<'a> {
    title: String,
    items: Vec<CostRow<'a>>,
    month: String,
    replica: &'a str,
}

struct CostRow<'a> {
    what: &'a str,
    /// Nothing where it is unknown.
    usd: Option<String>,
    due: &'static str,
    amount: &'a str,
}

struct FormerRow<'a> {
    times: String,
    runs: String,
    verdict: &'static str,
    tone: &'static str,
    open: &'a [String],
}

impl<'a> Page<'a> {
    fn of(readiness: &'a Readiness, json_sha256: &'a str) -> Page<'a> {
        let checks = &readiness.checks;
        let blocking: Vec<&CheckResult> = checks.iter().filter(|check| finding::blocks(check)).collect();
        let (headline, tone) = verdict(readiness.verdict);
        let (lead, words) = readiness.words.split_first().map_or(("", &[][..]), |(lead, words)| (lead.as_str(), words));
        let with = |status: Status| checks.iter().filter(move |check| check.status == status);
        let trend = &readiness.trend;
        let scale = scale(readiness);
        let is_measured = !trend.day.is_empty() || !trend.quarter.is_empty();
        let charts = match is_measured {
            true => vec![
                chart::day(&trend.day, readiness.generated_at, scale),
                chart::quarter(&trend.quarter, readiness.generated_at, scale),
            ],
            false => Vec::new(),
        };
        let no_charts = (!is_measured).then(|| match &trend.unknown {
            Some(why) => why.clone(),
            None => {
                "Nothing has been measured yet: `leeward sync` adds to it with every cut that it applies.".to_owned()
            }
        });
        Page {
            headline,
            tone,
            because: because(readiness, blocking.len()),
            lead,
            words,
            made_at: time(readiness.generated_at),
            figures: figures(readiness),
            blocking,
            since: readiness.since.as_ref().map(changes),
            charts,
            no_charts,
            tables: readiness.tables.iter().take(TABLES_SHOWN).map(|line| table_row(line, scale, readiness)).collect(),
            tables_untold: untold(readiness.tables.len()),
            objective: wanted(&readiness.rpo),
            objective_percent: percent(scale.objective()),
            coverage: coverage(&readiness.coverage),
            findings: groups(checks),
            passed: with(Status::Pass).map(Finding::of).collect(),
            apart: with(Status::NotApplicable).collect(),
            waivers: waivers(readiness),
            drills: checks.iter().filter(|check| DRILLS.contains(&check.id)).map(Finding::of).collect(),
            cost: readiness.cost.as_ref().map(cost_table),
            former: trend.verdicts.iter().rev().take(VERDICTS_SHOWN).map(former_row).collect(),
            source: server(&readiness.pair.source),
            target: server(&readiness.pair.target),
            plan: plan(readiness),
            readiness,
            json_sha256,
        }
    }
}

fn verdict(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Ready => ("Ready", "good"),
        Verdict::ReadyWithWarnings => ("Ready, with warnings", "warn"),
        Verdict::NotReady => ("Not ready", "bad"),
    }
}

fn because(readiness: &Readiness, blocking: usize) -> String {
    let open = readiness.checks.iter().filter(|check| check.status.is_open()).count();
    let checks = |number: usize| measure::counted(number as u64, "check");
    match readiness.verdict {
        Verdict::Ready => "The target could take over now.".to_owned(),
        Verdict::ReadyWithWarnings => {
            let waived = readiness.checks.iter().filter(|check| check.status == Status::Waived).count();
            format!("The target could take over now. {} open, {waived} waived.", checks(open))
        }
        Verdict::NotReady if blocking == 0 => "Nothing could be judged.".to_owned(),
        Verdict::NotReady => format!("The target must not be relied on. {} in the way.", stand(blocking)),
    }
}

fn stand(blocking: usize) -> String {
    match blocking {
        1 => "1 blocker stands".to_owned(),
        more => format!("{more} blockers stand"),
    }
}

fn figures(readiness: &Readiness) -> Vec<Figure> {
    let count = |status: Status| readiness.checks.iter().filter(|check| check.status == status).count();
    let (failed, unknown, warned) = (count(Status::Fail), count(Status::Unknown), count(Status::Warn));
    let (passed, waived) = (count(Status::Pass), count(Status::Waived));
    let coverage = &readiness.coverage;
    let is_proved = coverage.planned > 0 && coverage.compared == coverage.planned;
    vec![
        objective("RPO measured", &readiness.rpo),
        objective("RTO measured", &readiness.rto),
        Figure {
            label: "Tables compared whole",
            value: format!("{} of {}", measure::count(coverage.compared), measure::count(coverage.planned)),
            note: match coverage.oldest_ms {
                Some(oldest_ms) => format!("oldest comparison {}", duration(oldest_ms)),
                None => "age of the proof not known".to_owned(),
            },
            tone: if is_proved { "good" } else { "bad" },
        },
        Figure {
            label: "Checks passed",
            value: format!("{passed} of {}", readiness.checks.len() - count(Status::NotApplicable)),
            note: format!("{failed} failed, {unknown} unknown, {warned} warn, {waived} waived"),
            tone: match (failed + unknown, warned + waived) {
                (0, 0) => "good",
                (0, _) => "warn",
                _ => "bad",
            },
        },
    ]
}

fn objective(label: &'static str, objective: &Objective) -> Figure {
    let wanted = wanted(objective);
    match objective.measured_s {
        Some(seconds) => {
            let is_within = seconds <= objective.objective_s as f64;
            let (word, tone) = if is_within { ("within", "good") } else { ("beyond", "bad") };
            let value = duration((seconds * 1000.0) as i64);
            Figure { label, value, note: format!("{word} the objective of {wanted}"), tone }
        }
        None => {
            Figure { label, value: "Not measured".to_owned(), note: format!("objective {wanted}"), tone: "unknown" }
        }
    }
}

fn wanted(objective: &Objective) -> String {
    measure::span(objective.objective_s)
}

fn scale(readiness: &Readiness) -> Scale {
    let trend = &readiness.trend;
    let measured = trend.day.iter().chain(&trend.quarter).map(|point| point.worst_ms as f64);
    let tables = readiness.tables.iter().filter_map(|line| line.age_ms).map(|age_ms| age_ms as f64);
    Scale::new(readiness.rpo.objective_s, measured.chain(tables))
}

fn table_row<'a>(line: &'a TableLine, scale: Scale, readiness: &Readiness) -> TableRow<'a> {
    let objective_ms = i64::try_from(readiness.rpo.objective_s.saturating_mul(1000)).unwrap_or(i64::MAX);
    let (age, tone) = match line.age_ms {
        Some(age_ms) if age_ms <= objective_ms => (duration(age_ms), "good"),
        Some(age_ms) => (format!("{} (beyond)", duration(age_ms)), "bad"),
        None => ("never (beyond)".to_owned(), "bad"),
    };
    TableRow {
        line,
        state: line.state.unwrap_or("no record").replace('_', " "),
        tone,
        age,
        as_of: line.as_of.map_or("–".to_owned(), clock),
        percent: percent(line.age_ms.map_or(1.0, |age_ms| scale.share(age_ms as f64))),
        compared: match (line.compared_age_ms, line.differences) {
            (None, _) if line.compared_since.is_some() => "age not known".to_owned(),
            (None, _) => "never".to_owned(),
            (Some(age_ms), 0) => format!("{} ago", duration(age_ms)),
            (Some(age_ms), rows) => format!("{} ago, {} differed", duration(age_ms), measure::counted(rows, "row")),
        },
        rows: measure::count(line.rows_applied),
    }
}

fn untold(tables: usize) -> Option<String> {
    let more = tables.checked_sub(TABLES_SHOWN).filter(|more| *more > 0)?;
    Some(format!("{} more are less far behind; the JSON lists them all.", measure::counted(more as u64, "table")))
}

fn coverage(coverage: &Coverage) -> Vec<Figure> {
    let Coverage { planned, live, compared, oldest_ms, excluded, refused } = coverage;
    let of = |number: u64| format!("{} of {}", measure::count(number), measure::count(*planned));
    let whole = |number: u64| if number == *planned && *planned > 0 { "good" } else { "bad" };
    vec![
        Figure { label: "Live", value: of(*live), note: "planned tables".to_owned(), tone: whole(*live) },
        Figure {
            label: "Compared whole",
            value: of(*compared),
            note: "inside one cut".to_owned(),
            tone: whole(*compared),
        },
        Figure {
            label: "Oldest comparison",
            value: oldest_ms.map_or("Not known".to_owned(), duration),
            note: "since its start".to_owned(),
            tone: if oldest_ms.is_some() { "plain" } else { "unknown" },
        },
        Figure {
            label: "Left out",
            value: measure::count(excluded + refused),
            note: format!("{excluded} by policy, {refused} cannot be kept"),
            tone: if *refused == 0 { "plain" } else { "bad" },
        },
    ]
}

fn groups(checks: &[CheckResult]) -> Vec<Group<'_>> {
    let open = finding::open(checks);
    let titles = [
        (Severity::Blocker, "Blocker severity"),
        (Severity::High, "High severity"),
        (Severity::Medium, "Medium severity"),
        (Severity::Low, "Low severity"),
    ];
    let group = |(severity, title)| {
        let of = open.iter().filter(|check| check.severity == severity);
        let findings: Vec<Finding<'_>> = of.map(|check| Finding::of(check)).collect();
        (!findings.is_empty()).then_some(Group { title, findings })
    };
    titles.into_iter().filter_map(group).collect()
}

fn waivers(readiness: &Readiness) -> Vec<WaiverRow<'_>> {
    let covered = |id: &str| {
        let check = readiness.checks.iter().find(|check| check.id == id)?;
        check.waived.as_ref().map(|waived| format!("stands for: {} ({})", waived.instead_of.word(), check.actual))
    };
    let row = |waiver: &'_ leeward_core::readiness::WaiverLine| match waiver.use_today {
        WaiverUse::Covers => covered(&waiver.check).unwrap_or_else(|| "covers a finding".to_owned()),
        WaiverUse::Idle => "not needed today".to_owned(),
        WaiverUse::Ended => "has ended".to_owned(),
    };
    let waivers = readiness.waivers.iter();
    waivers
        .map(|waiver| WaiverRow {
            check: &waiver.check,
            reason: &waiver.reason,
            until: waiver.until.to_string(),
            effect: row(waiver),
        })
        .collect()
}

fn changes(since: &Comparison) -> Changes<'_> {
    let mut lines = Vec::new();
    if since.verdict.was != since.verdict.is {
        lines.push(format!("Verdict: {}, was {}.", verdict(since.verdict.is).0, verdict(since.verdict.was).0));
    }
    for (what, change) in [("RPO", since.rpo_s), ("RTO", since.rto_s)] {
        if change.was != change.is {
            let text = |seconds: Option<f64>| {
                seconds.map_or("not measured".to_owned(), |seconds| duration((seconds * 1000.0) as i64))
            };
            lines.push(format!("{what}: {}, was {}.", text(change.is), text(change.was)));
        }
    }
    let word = |status: Option<Status>| status.map_or("not there", Status::word);
    let row = |one: &'_ Move| match one.way {
        Way::Worse => ("worse", "bad"),
        Way::Better => ("better", "good"),
        Way::Otherwise => ("otherwise", "plain"),
    };
    let moves = since.moves.iter().map(|one| MoveRow {
        one,
        way: row(one).0,
        tone: row(one).1,
        was: word(one.was),
        is: word(one.is),
        said: one.actual.as_deref().unwrap_or_default(),
    });
    Changes { since: time(since.since), summary: since.summary(), lines, words: &since.words, moves: moves.collect() }
}

fn cost_table(estimate: &Estimate) -> CostTable<'_> {
    let items = estimate.items.iter().map(|item| CostRow {
        what: &item.what,
        usd: item.usd.map(cost::money),
        due: item.due.words(),
        amount: &item.amount,
    });
    CostTable { title: estimate.title(), items: items.collect(), month: estimate.monthly(), replica: &estimate.replica }
}

fn former_row(judged: &Judged) -> FormerRow<'_> {
    let (first, last) = (clock(judged.first_at), clock(judged.last_at));
    FormerRow {
        times: if judged.runs == 1 { first } else { format!("{first} to {last}") },
        runs: measure::count(judged.runs),
        verdict: verdict(judged.verdict).0,
        tone: verdict(judged.verdict).1,
        open: &judged.open,
    }
}

fn server(server: &Option<ServerLine>) -> String {
    match server {
        Some(server) => format!("{}, {}", server.version, server.identity),
        None => "not seen".to_owned(),
    }
}

fn plan(readiness: &Readiness) -> String {
    match &readiness.plan {
        Some(plan) => format!("{}, surveyed {}", plan.hash, time(plan.surveyed_at)),
        None => "none".to_owned(),
    }
}

/// Prints a time without its fractions.
fn clock(at: NaiveDateTime) -> String {
    at.format("%Y-%m-%d %H:%M:%S").to_string()
}

fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}
