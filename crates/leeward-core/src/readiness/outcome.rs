//! What a check says, and the form in which it is reported.

use chrono::{NaiveDate, NaiveDateTime};
use serde::{Deserialize, Serialize};

use super::facts::ReadinessFacts;
use super::stamp;

/// How much a check weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Severity {
    /// The target cannot take over, or nobody knows whether it can.
    #[serde(rename = "B")]
    Blocker,
    /// Taking over would hurt.
    #[serde(rename = "H")]
    High,
    /// Taking over would be worse than it needs to be.
    #[serde(rename = "M")]
    Medium,
    /// Good to know.
    #[serde(rename = "L")]
    Low,
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// As it must be.
    Pass,
    /// Not as it should be; it can be lived with.
    Warn,
    /// Not as it must be.
    Fail,
    /// It could not be observed, which is never taken for fine.
    Unknown,
    /// It has no meaning on this platform.
    NotApplicable,
    /// It warned, failed or was unknown, and a person has accepted that until a day.
    Waived,
}

/// What the evidence is taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceKind {
    /// A query on one of the servers.
    Sql,
    /// Leeward's own state in the control schema.
    State,
    /// A call of AWS.
    Api,
    /// A file that people keep.
    File,
}

/// How strong the evidence is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceClass {
    /// It was done and its result compared.
    Tested,
    /// It was seen.
    Observed,
    /// A person or a file says so.
    Declared,
}

/// Where an answer comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// What it is taken from.
    pub kind: EvidenceKind,
    /// The query or the piece of state.
    pub text: &'static str,
    /// The calls of AWS or the file that it was read from, with what they were asked about; none for the other kinds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<String>,
    /// The target's clock when the oldest datum of it was seen; nothing when nothing was.
    #[serde(serialize_with = "stamp::or_none::serialize")]
    pub at: Option<NaiveDateTime>,
    /// How long ago that was, seconds.
    pub age_s: Option<i64>,
}

/// What a person has accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Accepted {
    /// Why.
    pub reason: String,
    /// The last day (UTC) on which it holds.
    pub until: NaiveDate,
    /// How the check came out without the waiver.
    pub instead_of: Status,
}

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckResult {
    /// Its name in the catalogue, `SYNC-01`.
    pub id: &'static str,
    /// What it looks at.
    pub title: &'static str,
    /// How much it weighs.
    pub severity: Severity,
    /// How it came out.
    pub status: Status,
    /// What passes.
    pub expected: &'static str,
    /// What was seen.
    pub actual: String,
    /// Where that comes from.
    pub evidence: Evidence,
    /// How strong that is.
    pub evidence_class: EvidenceClass,
    /// What to do, ready to be pasted where it is a statement.
    pub remedy: Option<String>,
    /// The waiver that stands in its place.
    pub waived: Option<Accepted>,
}

/// What a check saw.
pub(super) struct Outcome {
    pub(super) status: Status,
    pub(super) actual: String,
    pub(super) remedy: Option<String>,
    /// When the oldest datum was seen.
    pub(super) at: NaiveDateTime,
    /// The calls of AWS or the file that it rests on.
    pub(super) calls: Vec<String>,
}

/// What a check could not see. Every `?` in a check leads here, so that an absent datum can never pass.
pub(super) struct Missing {
    pub(super) why: String,
    pub(super) remedy: Option<String>,
}

pub(super) type Answer = Result<Outcome, Missing>;

/// One check of the catalogue (`rds.md` §3).
pub(super) struct Check {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) severity: Severity,
    pub(super) expected: &'static str,
    /// What warns and what fails, for people who ask what a check is about.
    pub(super) warns: &'static str,
    pub(super) fails: &'static str,
    pub(super) kind: EvidenceKind,
    pub(super) class: EvidenceClass,
    pub(super) evidence: &'static str,
    /// IAM actions or grants without which it is unknown.
    pub(super) needs: &'static [&'static str],
    /// Keys of the policy that rule it.
    pub(super) policy: &'static [&'static str],
    pub(super) run: fn(&ReadinessFacts) -> Answer,
}

impl Severity {
    /// Names it for a person.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Blocker => "blocker",
            Severity::High => "high",
            Severity::Medium => "medium",
            Severity::Low => "low",
        }
    }
}

impl Outcome {
    pub(super) fn pass(at: NaiveDateTime, actual: impl Into<String>) -> Outcome {
        Outcome { status: Status::Pass, actual: actual.into(), remedy: None, at, calls: Vec::new() }
    }

    pub(super) fn warn(at: NaiveDateTime, actual: impl Into<String>, remedy: impl Into<String>) -> Outcome {
        Outcome { status: Status::Warn, actual: actual.into(), remedy: Some(remedy.into()), at, calls: Vec::new() }
    }

    pub(super) fn fail(at: NaiveDateTime, actual: impl Into<String>, remedy: impl Into<String>) -> Outcome {
        Outcome { status: Status::Fail, ..Outcome::warn(at, actual, remedy) }
    }
}

impl Missing {
    pub(super) fn new(why: impl Into<String>) -> Missing {
        Missing { why: why.into(), remedy: None }
    }

    pub(super) fn with_remedy(why: impl Into<String>, remedy: impl Into<String>) -> Missing {
        Missing { why: why.into(), remedy: Some(remedy.into()) }
    }
}

impl Status {
    /// Names it for a person.
    pub fn word(self) -> &'static str {
        match self {
            Status::Pass => "pass",
            Status::Warn => "warn",
            Status::Fail => "fail",
            Status::Unknown => "unknown",
            Status::NotApplicable => "not applicable",
            Status::Waived => "waived",
        }
    }

    /// Returns whether a person should still look at it.
    pub fn is_open(self) -> bool {
        matches!(self, Status::Warn | Status::Fail | Status::Unknown)
    }
}
