//! `leeward doctor`: the preflight of both sides, all findings at once. It writes nothing.

use leeward_core::doctor::{self, DoctorFacts, Finding};
use leeward_core::grants::needs::TargetUse;
use leeward_core::name::Side;
use serde::Serialize;

use super::Desk;
use crate::wire::sight;
use crate::{Answer, Failure, report};

/// The findings for a program.
#[derive(Serialize)]
struct DoctorReport {
    /// Version of this form.
    schema: u32,
    /// Whether nothing failed, and nothing that is needed is unknown.
    can_begin: bool,
    /// In the declared order.
    findings: Vec<Finding>,
}

/// Prints the findings. The answer is no when work cannot begin; a side that cannot be reached is one of them, and does
/// not keep the other from being looked at.
///
/// # Errors
/// When a side was not given, or stdout cannot be written.
pub async fn run(desk: &Desk) -> Result<Answer, Failure> {
    let settings = &desk.settings;
    let (source, target) =
        tokio::join!(sight::preflight(settings, Side::Source), sight::preflight(settings, Side::Target));
    let facts =
        DoctorFacts { source: source?, target: target?, schemas: settings.databases.clone(), purpose: TargetUse::Keep };
    let findings = doctor::examine(&facts);
    let report = DoctorReport { schema: 1, can_begin: doctor::can_begin(&findings), findings };
    report::write(desk.talk, &report, || doctor::render_text(&report.findings))?;
    Ok(if report.can_begin { Answer::Yes } else { Answer::No })
}
