//! What a check is about, for a person who reads its id in a report. Everything is the catalogue's own, so that it cannot
//! say anything else than what is judged by.

use std::fmt::Write;

use serde::Serialize;

use super::catalogue::CATALOGUE;
use super::outcome::{Check, EvidenceClass, EvidenceKind, Severity};
use super::page::wrapped;

/// What a check is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Its name.
    pub id: &'static str,
    /// What it looks at.
    pub title: &'static str,
    /// How much it weighs.
    pub severity: Severity,
    /// What it looks at, and where.
    pub evidence: &'static str,
    /// What that is taken from.
    pub kind: EvidenceKind,
    /// How strong that is.
    pub evidence_class: EvidenceClass,
    /// What passes.
    pub passes: &'static str,
    /// What warns.
    pub warns: &'static str,
    /// What fails.
    pub fails: &'static str,
    /// IAM actions or grants without which it is unknown.
    pub needs: &'static [&'static str],
    /// Keys of the policy that rule it.
    pub policy: &'static [&'static str],
}

/// Explains a check; nothing if there is none of that name, whose letters' case does not count.
pub fn explain(id: &str) -> Option<Explanation> {
    CATALOGUE.iter().find(|check| check.id.eq_ignore_ascii_case(id)).map(Explanation::of)
}

impl Explanation {
    fn of(check: &Check) -> Explanation {
        let Check { id, title, severity, expected, warns, fails, kind, class, evidence, needs, policy, run: _ } =
            *check;
        Explanation {
            id,
            title,
            severity,
            evidence,
            kind,
            evidence_class: class,
            passes: expected,
            warns,
            fails,
            needs,
            policy,
        }
    }

    /// Prints it for a terminal.
    pub fn render_text(&self) -> String {
        let Explanation { id, title, severity, evidence, kind, evidence_class, passes, warns, fails, needs, policy } =
            self;
        let mut text = format!("{id} {title}\n");
        let mut line = |head: &str, words: &str| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{}", wrapped(&format!("  {head:<10} "), 13, words));
        };
        line(
            "severity",
            match severity {
                Severity::Blocker => "blocker: failed or unknown, the verdict is NOT_READY",
                Severity::High => "high: taking over would hurt",
                Severity::Medium => "medium: taking over would be worse than it needs to be",
                Severity::Low => "low: good to know",
            },
        );
        let how = match kind {
            EvidenceKind::Sql => "by SQL",
            EvidenceKind::State => "from what is kept on the target",
            EvidenceKind::Api => "from AWS",
            EvidenceKind::File => "from a file that people keep",
        };
        let strength = match evidence_class {
            EvidenceClass::Tested => "tested",
            EvidenceClass::Observed => "observed",
            EvidenceClass::Declared => "declared",
        };
        line("looks at", evidence);
        line("obtained", &format!("{how}; the evidence is {strength}"));
        line("passes", passes);
        line("warns", warns);
        line("fails", fails);
        line("unknown", "whatever of this cannot be seen; that is never taken for a pass");
        line("needs", &joined(needs));
        line("policy", &joined(policy));
        text
    }
}

fn joined(words: &[&str]) -> String {
    if words.is_empty() { "nothing of its own".to_owned() } else { words.join(", ") }
}

/// Returns every IAM action that a check of the catalogue needs.
pub fn iam_actions() -> Vec<&'static str> {
    let mut actions: Vec<&str> = CATALOGUE
        .iter()
        .filter(|check| check.kind == EvidenceKind::Api)
        .flat_map(|check| check.needs)
        .copied()
        .collect();
    actions.sort_unstable();
    actions.dedup();
    actions
}
