//! The report for the gate of a CI. Every check is one test case: `failure` where it failed, `error` where it could not be
//! observed, `skipped` where it was waived or does not apply. A warning passes and says so. The gate over the verdict itself
//! is the exit code.

use leeward_core::readiness::{CheckResult, Readiness, Status, time};
use quick_junit::{NonSuccessKind, Property, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

/// Prints the document.
///
/// # Errors
/// When XML cannot be written.
pub fn document(readiness: &Readiness) -> Result<String, SerializeError> {
    let mut suite = TestSuite::new(format!("leeward readiness of lane {}", readiness.lane));
    suite.set_timestamp(readiness.generated_at.and_utc().fixed_offset());
    let plan = readiness.plan.as_ref().map_or("none", |plan| &plan.hash);
    for (name, value) in [
        ("verdict", readiness.verdict.to_string()),
        ("leeward", readiness.leeward.to_owned()),
        ("plan", plan.to_owned()),
        ("rpo_objective_s", readiness.rpo.objective_s.to_string()),
        ("rpo_measured_s", readiness.rpo.measured_s.map(|seconds| seconds.to_string()).unwrap_or_default()),
    ] {
        suite.add_property(Property::new(name, value));
    }
    suite.add_test_cases(readiness.checks.iter().map(case));
    let mut report = Report::new("leeward readiness");
    report.set_timestamp(readiness.generated_at.and_utc().fixed_offset());
    report.add_test_suite(suite);
    report.to_string()
}

fn case(check: &CheckResult) -> TestCase {
    let mut case = TestCase::new(format!("{} {}", check.id, check.title), status(check));
    let group = check.id.split('-').next().unwrap_or_default();
    case.set_classname(format!("leeward.readiness.{group}"));
    if check.status == Status::Warn {
        case.set_system_out(format!("warning: {}", details(check)));
    }
    case
}

fn status(check: &CheckResult) -> TestCaseStatus {
    let mut status = match (check.status, &check.waived) {
        (Status::Pass | Status::Warn, _) => return TestCaseStatus::success(),
        (Status::NotApplicable, _) => {
            let mut skipped = TestCaseStatus::skipped();
            skipped.set_message(format!("does not apply: {}", check.actual));
            return skipped;
        }
        (Status::Waived, waived) => {
            let mut skipped = TestCaseStatus::skipped();
            if let Some(waived) = waived {
                let instead_of = waived.instead_of.word();
                skipped.set_message(format!("waived until {} ({instead_of}): {}", waived.until, waived.reason));
            }
            return skipped;
        }
        (Status::Fail, _) => TestCaseStatus::non_success(NonSuccessKind::Failure),
        (Status::Unknown, _) => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    status.set_type(check.severity.word()).set_message(check.actual.clone()).set_description(details(check));
    status
}

fn details(check: &CheckResult) -> String {
    let mut lines = vec![format!("expected: {}", check.expected), format!("actual: {}", check.actual)];
    let seen = check.evidence.at.map_or("not seen".to_owned(), |at| format!("seen at {}", time(at)));
    lines.push(format!("evidence: {} ({seen})", check.evidence.text));
    lines.extend(check.evidence.calls.iter().map(|call| format!("call: {call}")));
    lines.extend(check.remedy.iter().map(|remedy| format!("fix: {remedy}")));
    lines.join("\n")
}
