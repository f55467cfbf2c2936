//! One check as the page shows it, in the order in which a person should read them.

use leeward_core::readiness::{CheckResult, EvidenceClass, EvidenceKind, Severity, Status, duration, time};

/// Ages below this, in seconds, are "now" to a person.
const NEWS_S: i64 = 60;

/// What to do, cut where it changes between words and what can be pasted.
pub struct Step {
    /// Where it is to be done, or the words themselves.
    pub words: String,
    /// What can be pasted; empty where there is nothing but words.
    pub statement: String,
    /// Words that follow it.
    pub rest: String,
}

/// A check.
pub struct Finding<'a> {
    /// The check itself.
    pub check: &'a CheckResult,
    /// Its status as a class of the page.
    pub tone: &'static str,
    /// Where the evidence comes from, how strong it is and how old.
    pub evidence: String,
    /// The same in short: its age only where it is old.
    pub evidence_short: String,
    /// What to do, step by step.
    pub steps: Vec<Step>,
}

impl<'a> Finding<'a> {
    /// Prepares a check.
    pub fn of(check: &'a CheckResult) -> Finding<'a> {
        let evidence = &check.evidence;
        let seen = match (evidence.at, evidence.age_s) {
            (Some(at), Some(age_s)) if age_s > 0 => format!("seen {} ago, {}", duration(age_s * 1000), time(at)),
            (Some(at), _) => format!("seen {}", time(at)),
            (None, _) => "not seen".to_owned(),
        };
        let strength = match check.evidence_class {
            EvidenceClass::Tested => "tested",
            EvidenceClass::Observed => "observed",
            EvidenceClass::Declared => "declared",
        };
        let kind = match evidence.kind {
            EvidenceKind::Sql => "a query",
            EvidenceKind::State => "Leeward's own state",
            EvidenceKind::Api => "AWS",
            EvidenceKind::File => "a file",
        };
        let steps = check.remedy.iter().flat_map(|remedy| remedy.lines()).map(step).collect();
        let calls = match evidence.calls.as_slice() {
            [] => String::new(),
            calls => format!(": {}", calls.join("; ")),
        };
        let old = match evidence.age_s {
            Some(age_s) if age_s >= NEWS_S => format!(", seen {} ago", duration(age_s * 1000)),
            _ => String::new(),
        };
        Finding {
            check,
            tone: tone(check.status),
            evidence: format!("{} ({strength}, by {kind}{calls}; {seen})", evidence.text),
            evidence_short: format!("{} ({strength}{old})", evidence.text),
            steps,
        }
    }
}

/// Returns a status as a class of the page.
pub fn tone(status: Status) -> &'static str {
    match status {
        Status::Pass => "good",
        Status::Warn => "warn",
        Status::Fail => "bad",
        Status::Unknown => "unknown",
        Status::NotApplicable | Status::Waived => "plain",
    }
}

/// Returns whether a check alone keeps the verdict at NOT_READY.
pub fn blocks(check: &CheckResult) -> bool {
    check.severity == Severity::Blocker && matches!(check.status, Status::Fail | Status::Unknown)
}

/// Returns what is open: by weight, then what failed before what is unknown before what warns, then in declared order.
pub fn open(checks: &[CheckResult]) -> Vec<&CheckResult> {
    let rank = |status: Status| match status {
        Status::Fail => 0,
        Status::Unknown => 1,
        _ => 2,
    };
    let mut open: Vec<&CheckResult> = checks.iter().filter(|check| check.status.is_open()).collect();
    open.sort_by_key(|check| (check.severity, rank(check.status)));
    open
}

/// Cuts `on the target: GRANT …;  (or: …)` into where, what and what else. A line that holds no whole statement is words.
fn step(line: &str) -> Step {
    let (line, rest) = match line.split_once(";  (") {
        Some((statement, rest)) => (format!("{statement};"), format!("({rest}")),
        None => (line.to_owned(), String::new()),
    };
    let cut = match line.split_once(": ") {
        Some((place, statement)) if is_place(place) && statement.ends_with(';') => {
            Some((format!("{place}:"), statement))
        }
        _ if line.ends_with(';') && line.starts_with(|first: char| first.is_ascii_uppercase()) => {
            Some((String::new(), line.as_str()))
        }
        _ => None,
    };
    match cut {
        Some((words, statement)) => Step { words, statement: statement.to_owned(), rest },
        None => Step { words: format!("{line}{rest}"), statement: String::new(), rest: String::new() },
    }
}

fn is_place(text: &str) -> bool {
    ["on the source", "on the target", "on both sides"].iter().any(|place| text.ends_with(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_can_be_pasted_without_the_words_around_it() {
        let cut = |line: &str| {
            let Step { words, statement, rest } = step(line);
            (words, statement, rest)
        };
        let lock = "ALTER USER `a`@`%` ACCOUNT LOCK;";
        assert_eq!(
            cut(&format!("on the target: {lock}")),
            ("on the target:".to_owned(), lock.to_owned(), String::new())
        );
        let either = format!("on the source: {lock}  (or: GRANT SUPER ON *.* TO `a`@`%`;)");
        let rest = "(or: GRANT SUPER ON *.* TO `a`@`%`;)".to_owned();
        assert_eq!(cut(&either), ("on the source:".to_owned(), lock.to_owned(), rest));
        assert_eq!(cut(lock), (String::new(), lock.to_owned(), String::new()));
        let prose = "run `leeward plan`, review it: then `leeward seed`";
        assert_eq!(cut(prose), (prose.to_owned(), String::new(), String::new()));
    }
}
