//! What a comparison found: by key, never by value.

use std::fmt::Write;

use chrono::NaiveDateTime;
use leeward_core::plan::LeftOut;
use leeward_engine::verify::{Keys, Outcome, TableVerdict, VerifyReport};
use serde::Serialize;

use super::text::{Paint, Tone, lines};
use super::transfer::Transfer;
use super::words::{self, printable};

/// Keys of one kind that the text names; JSON has all that were kept.
const KEYS_SHOWN: usize = 20;

/// Who keeps the target in step, and in words what was seen of that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "by", content = "seen", rename_all = "snake_case")]
pub enum KeptBy {
    /// Leeward.
    Leeward,
    /// The servers' own replication.
    Replication(String),
    /// Both, which must not be.
    Both(String),
    /// Neither.
    Nobody(String),
    /// It could not be seen.
    Unseen(String),
}

/// What a comparison found.
#[derive(Debug, Clone, Serialize)]
#[must_use = "an unread report is not actionable"]
pub struct VerifyOutcome {
    /// Version of this form.
    pub schema: u32,
    /// Whether every table was compared and is equal.
    pub is_equal: bool,
    /// The source's clock in the view that was compared.
    pub source_at: NaiveDateTime,
    /// Every table that was compared.
    pub tables: Vec<TableVerdict>,
    /// Tables of the source that the plan leaves out: not compared.
    pub left_out: Vec<String>,
    /// Who keeps the target.
    pub kept: KeptBy,
    /// What has passed over the wire.
    pub transfer: Option<Transfer>,
}

impl VerifyOutcome {
    /// Makes the report of what the engine found.
    pub fn new(found: VerifyReport, left_out: &[LeftOut], kept: KeptBy, transfer: Option<Transfer>) -> VerifyOutcome {
        VerifyOutcome {
            schema: 1,
            kept,
            is_equal: found.is_equal(),
            source_at: found.source_at,
            tables: found.tables,
            left_out: left_out.iter().map(|left| left.name.to_string()).collect(),
            transfer,
        }
    }

    /// Returns the report for people.
    pub fn text(&self, paint: Paint) -> String {
        let VerifyOutcome { schema: _, is_equal, source_at, tables, left_out, kept, transfer } = self;
        let mut list = paint.table(&["TABLE", "ROWS", "RESULT"]);
        for table in tables {
            let (tone, says) = verdict(&table.outcome);
            list.add_row(vec![
                paint.cell(Tone::Plain, printable(&table.name.to_string())),
                paint.cell(Tone::Plain, words::count(table.rows)),
                paint.cell(tone, says),
            ]);
        }
        let mut text = lines(&list);
        text.push('\n');
        for table in tables {
            text.push_str(&details(table, kept));
        }
        for name in left_out {
            let _ = writeln!(text, "\n{} was not compared: the plan leaves it out", printable(name));
        }
        let rows: u64 = tables.iter().map(|table| table.rows).sum();
        let (count, rows, at) = (tables.len(), words::count(rows), words::moment(*source_at));
        let says = match is_equal {
            true => paint.tone(Tone::Good, &format!("equal: {count} tables, {rows} rows")),
            false => paint.tone(Tone::Bad, &format!("NOT EQUAL, or not known to be: {count} tables, {rows} rows")),
        };
        let _ = writeln!(text, "\n{says}, as of {at} by the source's clock");
        if let KeptBy::Replication(seen) | KeptBy::Both(seen) | KeptBy::Nobody(seen) | KeptBy::Unseen(seen) = kept {
            let _ = writeln!(text, "{}", printable(seen));
        }
        if let Some(transfer) = transfer {
            let _ = writeln!(text, "{}", transfer.line(None));
        }
        text
    }
}

fn verdict(outcome: &Outcome) -> (Tone, String) {
    match outcome {
        Outcome::Equal => (Tone::Good, "equal".to_owned()),
        Outcome::Different(Keys { missing, changed, extra }) => {
            let counts = [(missing.len(), "missing"), (changed.len(), "changed"), (extra.len(), "extra")];
            let parts = counts.iter().filter(|(count, _)| *count > 0);
            let parts: Vec<String> =
                parts.map(|(count, what)| format!("{} {what}", words::count(*count as u64))).collect();
            (Tone::Bad, parts.join(", "))
        }
        Outcome::Moving { rows } => {
            (Tone::Warning, format!("not known: {} rows change faster than they arrive", words::count(*rows)))
        }
        Outcome::DifferentCounts { source_rows, target_rows } => {
            let (source, target) = (words::count(*source_rows), words::count(*target_rows));
            (Tone::Bad, format!("different: {source} rows on the source, {target} on the target"))
        }
        Outcome::Unsettled { .. } => (Tone::Warning, "not known: the replica is behind".to_owned()),
        Outcome::Failed { .. } => (Tone::Warning, "not compared".to_owned()),
    }
}

fn details(table: &TableVerdict, kept: &KeptBy) -> String {
    let mut text = String::new();
    let name = printable(&table.name.to_string());
    match &table.outcome {
        Outcome::Different(Keys { missing, changed, extra }) => {
            let _ = writeln!(text, "\n{name}, by key:");
            for (keys, what) in
                [(missing, "missing on the target"), (changed, "changed"), (extra, "only on the target")]
            {
                let shown: Vec<String> = keys.iter().take(KEYS_SHOWN).map(|key| printable(key)).collect();
                let more = keys.len().saturating_sub(KEYS_SHOWN);
                let more = if more > 0 { format!(" and {} more", words::count(more as u64)) } else { String::new() };
                if !shown.is_empty() {
                    let _ = writeln!(text, "  {what}: {}{more}", shown.join(", "));
                }
            }
            let remedy = match kept {
                KeptBy::Replication(_) | KeptBy::Both(_) => {
                    "find who wrote on the replica (read_only) or what it skipped; set the rows right there, or make it anew"
                }
                _ => "leeward verify --repair",
            };
            let _ = writeln!(text, "  what to do: {remedy}");
        }
        Outcome::Unsettled { reason } => {
            let _ = writeln!(text, "\n{name} differs, and that may be lag alone: {}", printable(reason));
            text.push_str(
                "  what to do: see that it catches up (leeward readiness: SYNC-01 to 04), then compare again\n",
            );
        }
        Outcome::Failed { reason, remedy } => {
            let _ = writeln!(text, "\n{name} was not compared: {}", printable(reason));
            let _ = writeln!(text, "  what to do: {}", printable(remedy));
        }
        Outcome::Equal | Outcome::Moving { .. } | Outcome::DifferentCounts { .. } => {}
    }
    text
}

#[cfg(test)]
mod tests {
    use leeward_core::name::TableName;

    use super::*;

    fn outcome(outcome: Outcome) -> VerifyOutcome {
        let at = chrono::DateTime::UNIX_EPOCH.naive_utc();
        let tables = vec![TableVerdict { name: TableName::new("shop", "orders"), rows: 3, outcome }];
        VerifyOutcome::new(VerifyReport { source_at: at, tables }, &[], KeptBy::Leeward, None)
    }

    #[test]
    fn differences_are_listed_by_key_and_bounded() {
        let keys =
            Keys { missing: (0..25).map(|key| key.to_string()).collect(), changed: vec![], extra: vec!["7\n".into()] };
        let found = outcome(Outcome::Different(keys));
        assert!(!found.is_equal);
        let text = found.text(Paint::Plain);
        assert!(text.contains("shop.orders  3     25 missing, 1 extra\n"), "{text}");
        assert!(text.contains("19 and 5 more\n") && text.contains("only on the target: 7?\n"), "{text}");
        assert_eq!(
            serde_json::to_value(&found).unwrap()["tables"][0]["outcome"]["missing"].as_array().unwrap().len(),
            25
        );
    }

    #[test]
    fn what_was_not_compared_is_not_equal() {
        for unknown in [
            Outcome::Moving { rows: 2 },
            Outcome::Unsettled { reason: "behind".to_owned() },
            Outcome::Failed { reason: "gone".to_owned(), remedy: "look".to_owned() },
            Outcome::DifferentCounts { source_rows: 1, target_rows: 2 },
        ] {
            let found = outcome(unknown);
            assert!(!found.is_equal && found.text(Paint::Plain).contains("NOT EQUAL, or not known to be"));
        }
        assert!(outcome(Outcome::Equal).text(Paint::Plain).contains("equal: 1 tables, 3 rows, as of 1970-01-01"));
    }
}
