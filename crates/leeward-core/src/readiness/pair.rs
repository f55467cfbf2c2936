//! Which two servers a report speaks of, and by which plan and policy: what makes one report comparable with another.

use chrono::{NaiveDate, NaiveDateTime};
use serde::{Deserialize, Serialize};

use super::facts::{ReadinessFacts, seen};
use super::stamp;
use crate::name::Side;

/// One server, as it names itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerLine {
    /// What tells it from every other ([`crate::server::ServerFacts::identity`]).
    pub identity: String,
    /// Family and version.
    pub version: String,
}

/// Both servers; nothing where one has not been seen.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Pair {
    /// The source, as last seen.
    pub source: Option<ServerLine>,
    /// The target.
    pub target: Option<ServerLine>,
}

/// The plan that the lane follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlanLine {
    /// Its hash, which names it.
    pub hash: String,
    /// The source's clock at its survey.
    #[serde(serialize_with = "stamp::serialize")]
    pub surveyed_at: NaiveDateTime,
}

/// A waiver of the policy, whether it covers something or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WaiverLine {
    /// The check that it covers.
    pub check: String,
    /// Why.
    pub reason: String,
    /// The last day (UTC) on which it holds.
    pub until: NaiveDate,
    /// What it does today.
    pub use_today: WaiverUse,
}

/// What a waiver does today.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WaiverUse {
    /// It covers a finding.
    Covers,
    /// It would hold, and there is nothing to cover.
    Idle,
    /// It has ended.
    Ended,
}

pub(super) fn pair(facts: &ReadinessFacts) -> Pair {
    let line = |side: Side| {
        let server = &seen(&facts.side(side).server, "the server").ok()?.value;
        Some(ServerLine {
            identity: server.identity.clone(),
            version: format!("{} {}", server.flavor, server.version_text),
        })
    };
    Pair { source: line(Side::Source), target: line(Side::Target) }
}

pub(super) fn plan(facts: &ReadinessFacts) -> Option<PlanLine> {
    let plan = facts.plan().ok()?;
    Some(PlanLine { hash: plan.hash.clone(), surveyed_at: plan.surveyed_at })
}
