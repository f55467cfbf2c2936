//! A failure for a person: the whole chain on one line, then what to do.

use std::error::Error;

use leeward_core::fault::{Decision, Fault, FaultKind};
use serde::Serialize;

use super::words;

/// Longer chains than this are loops.
const LINKS_MAX: usize = 12;

/// What ended a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailureReport {
    /// Version of this form.
    pub schema: u32,
    /// What happened, from the outside in.
    pub error: String,
    /// What a person can do.
    pub remedy: Option<String>,
    /// The table concerned.
    pub table: Option<String>,
}

impl FailureReport {
    /// Makes the report of a fault.
    pub fn of(fault: &Fault) -> FailureReport {
        FailureReport {
            schema: 1,
            error: chain(fault),
            remedy: Some(remedy(fault)),
            table: fault.table.as_ref().map(ToString::to_string),
        }
    }

    /// Makes the report of another error, which has no remedy of its own.
    pub fn of_error(error: &(dyn Error + 'static)) -> FailureReport {
        FailureReport { schema: 1, error: chain(error), remedy: None, table: None }
    }

    /// Returns it as text: one line, and one for what to do.
    pub fn text(&self) -> String {
        match &self.remedy {
            Some(remedy) if !self.error.contains(remedy.as_str()) => {
                format!("error: {}\nwhat to do: {remedy}", self.error)
            }
            _ => format!("error: {}", self.error),
        }
    }
}

/// Returns what a person can do about a fault.
pub fn remedy(fault: &Fault) -> String {
    match fault.decision() {
        Decision::Retry => patience(&fault.kind).to_owned(),
        Decision::Quarantine { remedy } | Decision::Block { remedy } | Decision::Halt { remedy } => remedy,
    }
}

/// Returns what to do about a fault that may pass by itself, when nobody has waited for that.
fn patience(kind: &FaultKind) -> &'static str {
    match kind {
        FaultKind::UnknownHost => "check the spelling of the host, and that this machine's DNS knows it",
        FaultKind::Unreachable | FaultKind::TimedOut => {
            "check host and port, that the server is up, and that security groups and routes let this machine in; then \
             run it again"
        }
        FaultKind::TooManyConnections => "wait until others have closed theirs, or raise max_connections",
        _ => "run it again; if it stays, look into the server's own log",
    }
}

/// Returns an error and its causes in one line. A cause that only repeats what stands before it is left out.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut line = one_line(&error.to_string());
    let mut next = error.source();
    for _ in 0..LINKS_MAX {
        let Some(cause) = next else { break };
        let text = one_line(&cause.to_string());
        if !line.ends_with(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        next = cause.source();
    }
    line
}

fn one_line(text: &str) -> String {
    words::printable(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use leeward_core::name::Side;

    use super::*;

    #[test]
    fn a_fault_is_one_line_and_what_to_do() {
        let cause = std::io::Error::other("connection\nrefused");
        let fault = Fault::new(FaultKind::DiskFull, "apply a cut").on(Side::Target).because(cause);
        let report = FailureReport::of(&fault);
        assert_eq!(report.error, "apply a cut on the target: the disk is full: connection refused");
        assert_eq!(
            report.text().lines().nth(1).unwrap(),
            "what to do: free space on the target or raise its allocated storage; Leeward goes on by itself"
        );
    }

    #[test]
    fn a_refusal_that_is_its_own_remedy_is_said_once() {
        let fault = Fault::new(FaultKind::Refused("give --adopt".to_owned()), "seed shop");
        assert_eq!(FailureReport::of(&fault).text(), "error: seed shop: give --adopt");
    }
}
