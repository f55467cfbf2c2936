//! What the brake has stopped, with keys: this is where a person asks for them.

use std::fmt::Write;

use chrono::NaiveDateTime;
use leeward_core::brake::{Acceptance, BrakeEvidence, CountState};
use leeward_core::lane::TableRecord;
use leeward_core::name::TableName;
use leeward_core::row::KeyCells;
use serde::Serialize;

use super::text::{Paint, Tone};
use super::words::{self, printable};

/// Keys of one kind that the text names; JSON has all that were kept.
const KEYS_SHOWN: usize = 20;

/// What waits for a person's agreement.
#[derive(Debug, Clone, Serialize)]
#[must_use = "an unread report is not actionable"]
pub struct AcceptReport {
    /// Version of this form.
    pub schema: u32,
    /// The lane.
    pub lane: String,
    /// Whether a process is at work that takes agreements up.
    pub is_synced: bool,
    /// The tables.
    pub tables: Vec<HeldTable>,
}

/// A table that the brake holds, as it was read.
pub struct Held {
    /// Its name.
    pub name: TableName,
    /// What the brake saw; nothing where an older Leeward stopped it.
    pub evidence: Option<Box<BrakeEvidence>>,
    /// What was agreed to, and when by the target's clock.
    pub agreed: Option<(NaiveDateTime, Acceptance)>,
}

/// A table that the brake holds.
#[derive(Debug, Clone, Serialize)]
pub struct HeldTable {
    /// Its full name.
    pub name: String,
    /// What stopped it; nothing where an older Leeward did.
    pub seen: Option<Seen>,
    /// Who has agreed.
    pub agreed: Option<Agreed>,
}

/// What the brake saw.
#[derive(Debug, Clone, Serialize)]
pub struct Seen {
    /// In one sentence.
    pub sentence: String,
    /// The source's clock in the cut.
    pub cut_at: NaiveDateTime,
    /// The target's clock.
    pub target_at: NaiveDateTime,
    /// Rows that would be deleted or overwritten, as far as is known: what an agreement allows.
    pub rows_at_stake: u64,
    /// Rows that would be deleted, as far as is known.
    pub deletes: u64,
    /// Rows that would be overwritten, as far as is known.
    pub overwrites: u64,
    /// Rows that the policy lets one pass delete or overwrite.
    pub limit: u64,
    /// Rows on the source, as far as they were counted.
    pub source_rows: u64,
    /// Rows on the target, as far as they were counted.
    pub target_rows: u64,
    /// Whether the whole table was counted.
    pub counted: CountState,
    /// Some keys of rows that would be deleted; none where only their number is known.
    pub delete_keys: Vec<String>,
    /// Some keys of rows that would be overwritten.
    pub overwrite_keys: Vec<String>,
}

/// Who has agreed.
#[derive(Debug, Clone, Serialize)]
pub struct Agreed {
    /// When, by the target's clock.
    pub at: NaiveDateTime,
    /// Who.
    pub by: String,
    /// Rows that may go.
    pub rows: u64,
}

impl Held {
    /// Pairs a table with what has been agreed to of it.
    pub fn new(table: &TableRecord, agreed: Option<&(NaiveDateTime, Acceptance)>) -> Held {
        Held { name: table.name.clone(), evidence: table.brake.clone(), agreed: agreed.cloned() }
    }
}

impl AcceptReport {
    /// Makes the report.
    pub fn new(lane: &str, held: Vec<Held>, is_synced: bool) -> AcceptReport {
        let table = |held: Held| HeldTable {
            name: held.name.to_string(),
            seen: held.evidence.map(|seen| Seen::new(&seen, &held.name)),
            agreed: held.agreed.map(|(at, it)| Agreed { at, by: it.by, rows: it.rows }),
        };
        AcceptReport { schema: 1, lane: lane.to_owned(), is_synced, tables: held.into_iter().map(table).collect() }
    }

    /// Returns whether somebody has agreed to everything: the answer behind the exit code.
    pub fn waits_for_nobody(&self) -> bool {
        self.tables.iter().all(|table| table.agreed.is_some())
    }

    /// Returns the report for people.
    pub fn text(&self, paint: Paint) -> String {
        let AcceptReport { schema: _, lane, is_synced, tables } = self;
        if tables.is_empty() {
            return format!("the brake holds no table of lane {lane}\n");
        }
        let mut text = String::new();
        for table in tables {
            text.push_str(&one(table, paint));
            text.push('\n');
        }
        if tables.iter().any(|table| table.agreed.is_some()) {
            text.push_str(match is_synced {
                true => "What was agreed to is taken up by the running `leeward sync` within seconds; see `leeward status`.\n",
                false => "What was agreed to is taken up by the next `leeward sync`.\n",
            });
        }
        text
    }
}

impl Seen {
    fn new(seen: &BrakeEvidence, name: &TableName) -> Seen {
        let shown = |keys: &[Vec<String>]| {
            let keys = keys.iter().filter_map(|cells| KeyCells::from_hex(cells.iter().map(String::as_str)));
            keys.map(|key| key.shown()).collect()
        };
        Seen {
            sentence: seen.sentence(name),
            cut_at: seen.cut_at,
            target_at: seen.target_at,
            rows_at_stake: seen.rows(),
            deletes: seen.deletes.max(seen.count.deletes),
            overwrites: seen.overwrites.max(seen.count.overwrites),
            limit: seen.limit,
            source_rows: seen.count.rows.source,
            target_rows: seen.count.rows.target,
            counted: seen.count.state,
            delete_keys: shown(&seen.delete_keys),
            overwrite_keys: shown(&seen.overwrite_keys),
        }
    }
}

fn one(table: &HeldTable, paint: Paint) -> String {
    let name = printable(&table.name);
    let mut text = paint.bold(&name) + "\n";
    let Some(seen) = &table.seen else {
        let _ = writeln!(text, "  was stopped by a Leeward that kept no evidence");
        let _ = writeln!(text, "  what to do: stop `leeward sync`, then leeward verify --repair --tables {name}");
        return text;
    };
    let _ = writeln!(text, "  {}", paint.tone(Tone::Bad, &printable(&seen.sentence)));
    let _ = writeln!(text, "  seen at {} by the source's clock; nothing was changed", words::moment(seen.cut_at));
    let (source, target) = (words::count(seen.source_rows), words::count(seen.target_rows));
    let (deletes, overwrites) = (words::count(seen.deletes), words::count(seen.overwrites));
    let counted = match seen.counted {
        CountState::Whole => "the whole table".to_owned(),
        CountState::Running => "so far, and counting goes on; wait for the rest before you agree".to_owned(),
        CountState::GivenUp => "as far as the table could be counted".to_owned(),
    };
    let _ = writeln!(text, "  {source} rows on the source, {target} on the target ({counted})");
    let _ = writeln!(text, "  {deletes} would be deleted on the target, {overwrites} overwritten");
    text.push_str(&keys("to be deleted", &seen.delete_keys, seen.deletes));
    text.push_str(&keys("to be overwritten", &seen.overwrite_keys, seen.overwrites));
    match &table.agreed {
        Some(agreed) => {
            let (rows, at) = (words::count(agreed.rows), words::moment(agreed.at));
            let line = format!("  agreed: {rows} rows may go, says {} at {at}", printable(&agreed.by));
            let _ = writeln!(text, "{}", paint.tone(Tone::Good, &line));
        }
        None => {
            let _ = writeln!(text, "  if they are to go: leeward accept {name}");
            let _ = writeln!(
                text,
                "  if not: the copy still holds them; see \"The brake has stopped a table\" in docs/operations.md"
            );
        }
    }
    text
}

fn keys(what: &str, keys: &[String], rows: u64) -> String {
    if rows == 0 {
        return String::new();
    }
    if keys.is_empty() {
        return format!("  {what}: keys are not known, only their number\n");
    }
    let shown: Vec<String> = keys.iter().take(KEYS_SHOWN).map(|key| printable(key)).collect();
    let more = rows.saturating_sub(shown.len() as u64);
    let more = if more > 0 { format!(" and {} more", words::count(more)) } else { String::new() };
    format!("  {what}, by key: {}{more}\n", shown.join(", "))
}
