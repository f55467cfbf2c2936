//! Whether each side answers, and what to do when it does not.

use super::{Answer, DoctorFacts, Said, SideSeen};
use crate::fault::{Decision, Fault, FaultKind};
use crate::name::Side;

/// Why a side was not reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreached {
    /// The fault, as it prints itself.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl Unreached {
    /// Takes over a fault met while connecting to `side`.
    pub fn of(fault: &Fault, side: Side) -> Unreached {
        Unreached { what: fault.to_string(), remedy: remedy(fault, side) }
    }
}

/// The fault's own decision is made for a running lane, which simply tries again; a person at the first connect needs
/// to know where to look.
fn remedy(fault: &Fault, side: Side) -> String {
    match &fault.kind {
        FaultKind::UnknownHost => {
            format!("check the host name in --{side}-url; inside a VPC, check that its DNS resolution is on")
        }
        FaultKind::Unreachable => format!(
            "check host and port in --{side}-url, that the server runs, and that its security group or firewall lets \
             this machine in"
        ),
        FaultKind::TimedOut => format!(
            "packets vanish on the way to the {side}: check security group, network ACL, routing and VPC peering"
        ),
        FaultKind::TooManyConnections => {
            format!("free connections on the {side} or raise max_connections in its parameter group")
        }
        FaultKind::AccessDenied => format!(
            "check user and password of --{side}-url (LEEWARD_{}_PASSWORD or its file or secret), and that the account \
             may log in from this host",
            side.to_string().to_ascii_uppercase()
        ),
        _ => match fault.decision() {
            Decision::Retry => format!("try again; if it stays, check the {side}'s error log"),
            Decision::Quarantine { remedy } | Decision::Block { remedy } | Decision::Halt { remedy } => remedy,
        },
    }
}

/// The side answered and let us in.
pub(super) fn reachable(facts: &DoctorFacts, side: Side) -> Answer {
    let seen = match side {
        Side::Source => &facts.source,
        Side::Target => &facts.target,
    };
    Ok(match seen {
        SideSeen::Reached(facts) => {
            Said::ok(format!("{} {} as {}", facts.server.flavor, facts.server.version_text, facts.account))
        }
        SideSeen::Unreached(unreached) => Said::fail(unreached.what.clone(), unreached.remedy.clone()),
    })
}
