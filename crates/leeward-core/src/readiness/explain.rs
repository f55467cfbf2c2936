//! What a check is about, for a person who reads its id in a report. Everything is the catalogue's own, so that it cannot
//! say anything else than what is judged by.

use std::fmt::Write;

use serde::Serialize;

use super::beside;
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
    /// What stands in its place beside native replication, where it is judged by other evidence there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beside_replication: Option<Box<Explanation>>,
}

/// Explains a check; nothing if there is none of that name, whose letters' case does not count.
pub fn explain(id: &str) -> Option<Explanation> {
    let check = CATALOGUE.iter().find(|check| check.id.eq_ignore_ascii_case(id))?;
    let beside = beside::replicated(check.id).map(|other| Box::new(Explanation::of(other, None)));
    Some(Explanation::of(check, beside))
}

impl Explanation {
    fn of(check: &Check, beside_replication: Option<Box<Explanation>>) -> Explanation {
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
            beside_replication,
        }
    }

    /// Prints it for a terminal.
    pub fn render_text(&self) -> String {
        let mut text = format!("{} {}\n", self.id, self.title);
        self.write_rules(&mut text);
        if let Some(other) = &self.beside_replication {
            text.push_str("\nBeside native replication, with nothing of Leeward's on either side\n");
            other.write_rules(&mut text);
        }
        text
    }

    fn write_rules(&self, text: &mut String) {
        let mut line = |head: &str, words: &str| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{}", wrapped(&format!("  {head:<10} "), 13, words));
        };
        line(
            "severity",
            match self.severity {
                Severity::Blocker => "blocker: failed or unknown, the verdict is NOT_READY",
                Severity::High => "high: taking over would hurt",
                Severity::Medium => "medium: taking over would be worse than it needs to be",
                Severity::Low => "low: good to know",
            },
        );
        let how = match self.kind {
            EvidenceKind::Sql => "by SQL",
            EvidenceKind::State => "from what is kept on the target",
            EvidenceKind::Api => "from AWS",
            EvidenceKind::File => "from a file that people keep",
        };
        let strength = match self.evidence_class {
            EvidenceClass::Tested => "tested",
            EvidenceClass::Observed => "observed",
            EvidenceClass::Declared => "declared",
        };
        line("looks at", self.evidence);
        line("obtained", &format!("{how}; the evidence is {strength}"));
        line("passes", self.passes);
        line("warns", self.warns);
        line("fails", self.fails);
        line("unknown", "whatever of this cannot be seen; that is never taken for a pass");
        line("needs", &joined(self.needs));
        line("policy", &joined(self.policy));
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
