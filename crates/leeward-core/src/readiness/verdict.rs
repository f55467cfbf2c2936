//! From facts to a verdict: every check runs, what is too old counts as unknown, waivers are applied, and only then is
//! anything concluded.

use std::fmt;

use chrono::NaiveDateTime;
use serde::{Deserialize, Serialize};

use super::beside;
use super::catalogue::CATALOGUE;
use super::facts::{ReadinessFacts, seen};
use super::loss::{exposure, statement};
use super::outcome::{Accepted, Check, CheckResult, Evidence, EvidenceKind, Missing, Outcome, Severity, Status};
use super::page::{duration, listed};
use super::pair::{self, Pair, PlanLine, WaiverLine, WaiverUse};
use super::since::Comparison;
use super::stamp;
use super::tables::{self, Coverage, TableLine};
use super::trend::{Trend, trend};
use crate::cost::Estimate;
use crate::policy::{Platform, Waiver};

/// Version of the report's JSON form, which `docs/readiness.schema.json` describes. It is raised by whatever a reader of the
/// form before would not understand or would misread.
pub const SCHEMA_VERSION: u32 = 2;

/// Age past which what was seen proves nothing any more. Facts of the source are stored while it answers, so that older
/// ones mean that nothing has kept them fresh for a day; a source that has been silent for so long is beyond any RPO.
const FACT_AGE_S_MAX: i64 = 86_400;

/// What a check of AWS says of servers that their owners run themselves.
const NOT_APPLICABLE: &str = "asks AWS, and the servers are self-managed";

/// Whether the target could take over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Verdict {
    /// It could.
    Ready,
    /// It could, with what the warnings name.
    ReadyWithWarnings,
    /// It could not, or nobody knows whether it could.
    NotReady,
}

/// An objective and what was measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Objective {
    /// What is wanted, seconds.
    pub objective_s: u64,
    /// What was measured, seconds; nothing when it was not.
    pub measured_s: Option<f64>,
}

/// The report.
#[must_use = "a verdict that nobody reads helps nobody"]
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Readiness {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The version of Leeward that judged.
    pub leeward: &'static str,
    /// The target's clock.
    #[serde(serialize_with = "stamp::serialize")]
    pub generated_at: NaiveDateTime,
    /// The lane that was judged.
    pub lane: String,
    /// The servers.
    pub pair: Pair,
    /// The stored plan; nothing where there is none.
    pub plan: Option<PlanLine>,
    /// The answer.
    pub verdict: Verdict,
    /// How much would be lost.
    pub rpo: Objective,
    /// How long taking over would last; measured by drills alone.
    pub rto: Objective,
    /// Every check of the catalogue, in declared order.
    pub checks: Vec<CheckResult>,
    /// What a person should know before anything else, beginning with what would be lost.
    pub words: Vec<String>,
    /// The planned tables, those that are furthest behind first.
    pub tables: Vec<TableLine>,
    /// How much is kept, and how much of that was compared.
    pub coverage: Coverage,
    /// Every waiver of the policy.
    pub waivers: Vec<WaiverLine>,
    /// What came before.
    pub trend: Trend,
    /// What changed since a former report; nothing where none was named.
    pub since: Option<Comparison>,
    /// What the copy costs; nothing where nobody has reckoned it.
    pub cost: Option<Estimate>,
}

/// Runs every check and concludes.
pub fn judge(facts: &ReadinessFacts) -> Readiness {
    let checks: Vec<CheckResult> =
        CATALOGUE.iter().map(|check| result(beside::stand_in(check, facts), facts)).collect();
    let mut words = statement(facts);
    words.extend(beside::statement(facts));
    words.extend(about_platform(facts, &checks));
    words.extend(about_waivers(facts, &checks));
    let tables = tables::tables(facts);
    Readiness {
        schema_version: SCHEMA_VERSION,
        leeward: env!("CARGO_PKG_VERSION"),
        generated_at: facts.now,
        lane: facts.lane_name.clone(),
        pair: pair::pair(facts),
        plan: pair::plan(facts),
        verdict: conclude(&checks),
        rpo: Objective { objective_s: facts.settings.rpo_s, measured_s: measured_rpo_s(facts) },
        rto: Objective { objective_s: facts.settings.rto_s, measured_s: measured_rto_s(facts) },
        coverage: tables::coverage(facts, &tables),
        tables,
        waivers: waivers(facts, &checks),
        trend: trend(facts),
        since: None,
        cost: None,
        checks,
        words,
    }
}

/// Draws the conclusion. A blocker that failed or is unknown decides; anything else that is open warns, and so does a
/// waiver, because what it covers is still so.
fn conclude(checks: &[CheckResult]) -> Verdict {
    let blocks = |check: &CheckResult| {
        check.severity == Severity::Blocker && matches!(check.status, Status::Fail | Status::Unknown)
    };
    let warns = |check: &CheckResult| check.status.is_open() || check.status == Status::Waived;
    let judged = checks.iter().any(|check| check.status != Status::NotApplicable);
    if !judged || checks.iter().any(blocks) {
        Verdict::NotReady
    } else if checks.iter().any(warns) {
        Verdict::ReadyWithWarnings
    } else {
        Verdict::Ready
    }
}

fn result(check: &Check, facts: &ReadinessFacts) -> CheckResult {
    let Seen { status, actual, remedy, at, calls } = answer(check, facts);
    let evidence = Evidence {
        kind: check.kind,
        text: check.evidence,
        calls,
        at,
        age_s: at.map(|at| (facts.now - at).num_seconds().max(0)),
    };
    let waiver = facts.settings.waivers.iter().find(|waiver| waiver.check == check.id);
    let waiver = waiver.filter(|waiver| status.is_open() && waiver.holds_on(facts.now.date()));
    CheckResult {
        id: check.id,
        title: check.title,
        severity: check.severity,
        status: if waiver.is_some() { Status::Waived } else { status },
        expected: check.expected,
        actual,
        evidence,
        evidence_class: check.class,
        remedy,
        waived: waiver.map(|waiver| Accepted {
            reason: waiver.reason.clone(),
            until: waiver.until,
            instead_of: status,
        }),
    }
}

/// What came of a check before waivers.
struct Seen {
    status: Status,
    actual: String,
    remedy: Option<String>,
    at: Option<NaiveDateTime>,
    calls: Vec<String>,
}

fn answer(check: &Check, facts: &ReadinessFacts) -> Seen {
    let unseen = |status, actual, remedy| Seen { status, actual, remedy, at: None, calls: Vec::new() };
    if check.kind == EvidenceKind::Api && facts.settings.platform == Platform::SelfManaged {
        return unseen(Status::NotApplicable, NOT_APPLICABLE.to_owned(), None);
    }
    match (check.run)(facts) {
        Ok(outcome) => aged(outcome, facts),
        Err(Missing { why, remedy }) => unseen(Status::Unknown, why, remedy),
    }
}

/// A good answer that rests on old facts is no answer.
fn aged(outcome: Outcome, facts: &ReadinessFacts) -> Seen {
    let Outcome { status, actual, remedy, at, calls } = outcome;
    let age = facts.now - at;
    if age.num_seconds() <= FACT_AGE_S_MAX || !matches!(status, Status::Pass | Status::Warn) {
        return Seen { status, actual, remedy, at: Some(at), calls };
    }
    let actual = format!("{} ago it was: {actual}", duration(age.num_milliseconds()));
    let fresh = "let `leeward sync` reach the source again, or run readiness while it answers".to_owned();
    Seen { status: Status::Unknown, actual, remedy: Some(fresh), at: Some(at), calls }
}

fn measured_rto_s(facts: &ReadinessFacts) -> Option<f64> {
    Some(facts.drill.value()?.takeover_s? as f64)
}

fn measured_rpo_s(facts: &ReadinessFacts) -> Option<f64> {
    if let Some(age_ms) = beside::proved_age_ms(facts) {
        return Some(age_ms as f64 / 1000.0);
    }
    let lane = seen(&facts.lane, "the lane's record").ok()?.value.as_ref()?;
    let found = exposure(facts, lane.cut_at?, lane.applied_at).ok()?;
    Some(found.age_ms as f64 / 1000.0)
}

fn about_platform(facts: &ReadinessFacts, checks: &[CheckResult]) -> Option<String> {
    let of_aws = checks.iter().filter(|check| check.evidence.kind == EvidenceKind::Api);
    match facts.settings.platform {
        Platform::SelfManaged => {
            let ids: Vec<&str> = of_aws.map(|check| check.id).collect();
            Some(format!(
                "{} checks ask AWS and do not apply to self-managed servers ({}): instances, space, backups, encryption, \
                 network, DNS and secrets are not judged here",
                ids.len(),
                ids.join(" ")
            ))
        }
        Platform::Rds => {
            let unknown = of_aws.filter(|check| check.status == Status::Unknown).count();
            (unknown > 0).then(|| {
                format!(
                    "{unknown} checks that need AWS are unknown, and those that block keep the verdict at NOT_READY (for \
                     self-managed servers set platform = \"self-managed\" in the policy)"
                )
            })
        }
    }
}

fn about_waivers(facts: &ReadinessFacts, checks: &[CheckResult]) -> Vec<String> {
    let today = facts.now.date();
    let mut words = Vec::new();
    let waived: Vec<&str> =
        checks.iter().filter(|check| check.status == Status::Waived).map(|check| check.id).collect();
    if !waived.is_empty() {
        words.push(format!("accepted by waiver, and still so: {}", waived.join(" ")));
    }
    let ended: Vec<String> = facts
        .settings
        .waivers
        .iter()
        .filter(|waiver| !waiver.holds_on(today))
        .map(|waiver| format!("{} on {}", waiver.check, waiver.until))
        .collect();
    if !ended.is_empty() {
        words.push(format!("waivers that have ended: {}", listed(&ended)));
    }
    words
}

fn waivers(facts: &ReadinessFacts, checks: &[CheckResult]) -> Vec<WaiverLine> {
    let today = facts.now.date();
    let covers = |id: &str| checks.iter().any(|check| check.id == id && check.status == Status::Waived);
    let line = |waiver: &Waiver| WaiverLine {
        check: waiver.check.clone(),
        reason: waiver.reason.clone(),
        until: waiver.until,
        use_today: match (waiver.holds_on(today), covers(&waiver.check)) {
            (false, _) => WaiverUse::Ended,
            (true, true) => WaiverUse::Covers,
            (true, false) => WaiverUse::Idle,
        },
    };
    facts.settings.waivers.iter().map(line).collect()
}

impl Readiness {
    /// Adds what changed since a former report.
    pub fn with_comparison(self, since: Comparison) -> Readiness {
        Readiness { since: Some(since), ..self }
    }

    /// Adds what the copy costs.
    pub fn with_cost(self, cost: Estimate) -> Readiness {
        Readiness { cost: Some(cost), ..self }
    }

    /// Returns the exit code: 0 when the target could take over, with warnings or without, else 2.
    pub fn exit_code(&self) -> u8 {
        match self.verdict {
            Verdict::Ready | Verdict::ReadyWithWarnings => 0,
            Verdict::NotReady => 2,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verdict::Ready => "READY",
            Verdict::ReadyWithWarnings => "READY_WITH_WARNINGS",
            Verdict::NotReady => "NOT_READY",
        })
    }
}
