//! What became better or worse since a former report: a pure function of both. Of the former one only that is read which is
//! compared.

use chrono::NaiveDateTime;
use serde::{Deserialize, Serialize};

use super::outcome::{Severity, Status};
use super::pair::{Pair, ServerLine};
use super::stamp;
use super::verdict::{Readiness, SCHEMA_VERSION, Verdict};

/// A former report.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Former {
    #[serde(with = "stamp")]
    generated_at: NaiveDateTime,
    lane: String,
    pair: Pair,
    verdict: Verdict,
    rpo: FormerObjective,
    rto: FormerObjective,
    checks: Vec<FormerCheck>,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
struct FormerObjective {
    measured_s: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct FormerCheck {
    id: String,
    title: String,
    severity: Severity,
    status: Status,
    actual: String,
}

/// Something that was and is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Change<T> {
    /// As the former report has it.
    pub was: T,
    /// As it is.
    pub is: T,
}

/// Which way a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// It is worse, or new and not as it must be.
    Worse,
    /// It is better.
    Better,
    /// It is otherwise, and neither: what had failed cannot be seen any more, or no check of that name is left.
    Otherwise,
}

/// One check that came out differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Move {
    /// Its name.
    pub id: String,
    /// What it looks at.
    pub title: String,
    /// How much it weighs.
    pub severity: Severity,
    /// Which way it went.
    pub way: Way,
    /// How it had come out; nothing when the former report does not hold it.
    pub was: Option<Status>,
    /// How it came out; nothing when this one does not.
    pub is: Option<Status>,
    /// What was seen then.
    pub was_actual: Option<String>,
    /// What was seen now.
    pub actual: Option<String>,
}

/// What has changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The target's clock at the former report.
    #[serde(serialize_with = "stamp::serialize")]
    pub since: NaiveDateTime,
    /// The verdicts.
    pub verdict: Change<Verdict>,
    /// Measured RPO, seconds.
    pub rpo_s: Change<Option<f64>>,
    /// Measured RTO, seconds.
    pub rto_s: Change<Option<f64>>,
    /// Checks that came out differently: what is worse first, then by weight, then in declared order.
    pub moves: Vec<Move>,
    /// Checks that came out as before.
    pub unchanged: u64,
    /// What could not be made sure before comparing.
    pub words: Vec<String>,
}

/// Why two reports cannot be compared. Prints itself as a sentence without its subject, the former report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotComparable {
    /// It is no report.
    #[error("is no readiness report in JSON: {0}")]
    NoReport(String),
    /// It has another form.
    #[error(
        "has schema_version {0}, and this version of Leeward compares reports of schema_version {SCHEMA_VERSION} alone; make \
         a new one to compare with"
    )]
    Version(String),
    /// It speaks of another lane.
    #[error("is about lane {was}, and this one about lane {is}")]
    Lane {
        /// The former report's.
        was: String,
        /// This one's.
        is: String,
    },
    /// It speaks of another server.
    #[error("is about another {side} ({was}, now {is}); what differs between two pairs of servers is no change")]
    Server {
        /// Which of them.
        side: &'static str,
        /// As the former report has it.
        was: String,
        /// As it is.
        is: String,
    },
}

impl Former {
    /// Reads a former report.
    ///
    /// # Errors
    /// When it is none, or has another schema version.
    pub fn parse(json: &str) -> Result<Former, NotComparable> {
        let no_report = |error: serde_json::Error| NotComparable::NoReport(error.to_string());
        let report: serde_json::Value = serde_json::from_str(json).map_err(no_report)?;
        match report.get("schema_version") {
            None => Err(NotComparable::NoReport("it has no schema_version".to_owned())),
            Some(version) if *version == SCHEMA_VERSION => serde_json::from_value(report).map_err(no_report),
            Some(version) => Err(NotComparable::Version(version.to_string())),
        }
    }
}

/// Compares a report with a former one.
///
/// # Errors
/// When they speak of different lanes or servers. A server that one of them has not seen is no such reason, and is said.
pub fn compare(former: &Former, now: &Readiness) -> Result<Comparison, NotComparable> {
    if former.lane != now.lane {
        return Err(NotComparable::Lane { was: former.lane.clone(), is: now.lane.clone() });
    }
    let mut words = Vec::from_iter(same("source", &former.pair.source, &now.pair.source)?);
    words.extend(same("target", &former.pair.target, &now.pair.target)?);
    let mut moves: Vec<Move> = now.checks.iter().filter_map(|check| moved(former, check)).collect();
    let gone = former.checks.iter().filter(|was| now.checks.iter().all(|check| check.id != was.id));
    moves.extend(gone.map(|was| Move {
        id: was.id.clone(),
        title: was.title.clone(),
        severity: was.severity,
        way: Way::Otherwise,
        was: Some(was.status),
        is: None,
        was_actual: Some(was.actual.clone()),
        actual: None,
    }));
    moves.sort_by_key(|one| (one.way as u8, one.severity));
    let unchanged = now.checks.len() - moves.iter().filter(|one| one.is.is_some()).count();
    Ok(Comparison {
        since: former.generated_at,
        verdict: Change { was: former.verdict, is: now.verdict },
        rpo_s: Change { was: former.rpo.measured_s, is: now.rpo.measured_s },
        rto_s: Change { was: former.rto.measured_s, is: now.rto.measured_s },
        moves,
        unchanged: unchanged as u64,
        words,
    })
}

fn same(
    side: &'static str,
    was: &Option<ServerLine>,
    is: &Option<ServerLine>,
) -> Result<Option<String>, NotComparable> {
    match (was, is) {
        (Some(was), Some(is)) if was.identity == is.identity => Ok(None),
        (Some(was), Some(is)) => {
            Err(NotComparable::Server { side, was: was.identity.clone(), is: is.identity.clone() })
        }
        _ => Ok(Some(format!("one of both reports has not seen the {side}: that it is the same one is not known"))),
    }
}

fn moved(former: &Former, check: &super::CheckResult) -> Option<Move> {
    let was = former.checks.iter().find(|was| was.id == check.id);
    if was.is_some_and(|was| was.status == check.status) {
        return None;
    }
    // A check that is new has, as far as anybody knows, never been anything but good.
    let rank_before = was.map_or(0, |was| rank(was.status));
    let way = match rank(check.status).cmp(&rank_before) {
        std::cmp::Ordering::Greater => Way::Worse,
        std::cmp::Ordering::Less => Way::Better,
        std::cmp::Ordering::Equal => Way::Otherwise,
    };
    Some(Move {
        id: check.id.to_string(),
        title: check.title.to_string(),
        severity: check.severity,
        way,
        was: was.map(|was| was.status),
        is: Some(check.status),
        was_actual: was.map(|was| was.actual.clone()),
        actual: Some(check.actual.clone()),
    })
}

/// What cannot be observed is as bad as what failed: neither is a step towards the other.
fn rank(status: Status) -> u8 {
    match status {
        Status::Pass | Status::NotApplicable => 0,
        Status::Waived => 1,
        Status::Warn => 2,
        Status::Fail | Status::Unknown => 3,
    }
}

impl Comparison {
    /// Says in one line how much moved.
    pub fn summary(&self) -> String {
        let count = |way: Way| self.moves.iter().filter(|one| one.way == way).count();
        let (worse, better, otherwise) = (count(Way::Worse), count(Way::Better), count(Way::Otherwise));
        format!("{worse} worse, {better} better, {otherwise} otherwise, {} as before", self.unchanged)
    }
}
