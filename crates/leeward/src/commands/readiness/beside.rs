//! What stands in the place of marks beside native replication: the state of the replica, a plan made now, and the evidence
//! of `verify` from the file that was named.

use std::path::Path;

use chrono::NaiveDateTime;
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::plan::Plan;
use leeward_core::readiness::cloud::{Asked, Drill, Told, Untold};
use leeward_core::readiness::{Beside, Dated, Proof, Seen};
use leeward_core::server::Observed;
use leeward_mysql::endpoint::Endpoint;

use super::dated;
use crate::Failure;
use crate::commands::beside::Ends;
use crate::commands::{Desk, planning};

/// Larger than the evidence of tens of thousands of tables.
const BYTES_MAX: u64 = 64 << 20;

/// Looks at both ends; `now` is the target's clock. Returns a plan as well where the servers keep the target, by which it is
/// judged what must be there.
pub async fn look(
    desk: &Desk,
    target: &Endpoint,
    (now, marks): (NaiveDateTime, bool),
    evidence: Option<&Path>,
) -> (Beside, Option<Result<Plan, Fault>>) {
    let mut ends = Ends::look(desk, target).await;
    let (mut caught_up, mut plan) = (Err("the target does not replicate from the source".to_owned()), None);
    if ends.ours().is_some() && !marks {
        caught_up = ends.catch_up().await;
        plan = Some(planned(desk).await);
    }
    let beside = Beside {
        marks: Observed::Known(Dated { at: now, value: marks }),
        source: seen(now, ends.source),
        channels: dated(now, ends.channels),
        catch_up: seen(now, caught_up),
        proof: proof(evidence, now),
    };
    (beside, plan)
}

fn seen<T>(at: NaiveDateTime, value: Result<T, String>) -> Seen<T> {
    match value {
        Ok(value) => Observed::Known(Dated { at, value }),
        Err(why) => Observed::Unknown(why),
    }
}

async fn planned(desk: &Desk) -> Result<Plan, Fault> {
    let made = async { planning::plan(desk, &planning::survey(desk).await?) };
    made.await.map_err(|failure| {
        let why = match failure {
            Failure::Fault(fault) => return fault,
            Failure::Mistakes(mistakes) => mistakes.to_string(),
            Failure::Machine(error) => format!("{error:#}"),
        };
        Fault::new(FaultKind::Refused(why), "plan what must be on the target")
    })
}

/// Reads the evidence of `verify`.
fn proof(path: Option<&Path>, now: NaiveDateTime) -> Asked<Proof> {
    let Some(path) = path else { return Asked::untold("no evidence of `leeward verify` is named") };
    let shown = path.display();
    let read = match std::fs::metadata(path).map(|facts| facts.len()) {
        Ok(bytes) if bytes > BYTES_MAX => Err("it is too large".to_owned()),
        _ => std::fs::read_to_string(path).map_err(|error| error.to_string()),
    };
    match read.and_then(|text| Ok((Proof::parse(&text)?, text))) {
        Ok((proof, text)) => {
            let call = format!("{shown}, SHA-256 {}", Drill::hash(text.as_bytes()));
            Asked::Told(Told { at: now, call, value: proof })
        }
        Err(why) => {
            Asked::Untold(Untold { why: format!("{shown} is no evidence of a comparison: {why}"), remedy: None })
        }
    }
}
