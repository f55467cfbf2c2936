//! The lists of a policy: rules for tables, and waivers. Whether a rule fits the tables it matches is the planner's
//! business; here only what can be wrong without a survey is found.

use chrono::NaiveDate;
use globset::GlobMatcher;

use crate::class::{Class, Strategy};
use crate::name::TableName;
use crate::plan::Tombstones;
use crate::policy::layers::{Reader, Section};
use crate::policy::settings::{OnDdl, Waiver};
use crate::policy::value;

/// The checks that a waiver can name: the catalogue of readiness (`rds.md` §3). A waiver of any other is a slip that
/// would otherwise waive nothing without a word.
pub const CHECKS: [&str; 46] = [
    "SYNC-01", "SYNC-02", "SYNC-03", "SYNC-04", "SYNC-05", "SYNC-06", "SYNC-07", "SYNC-08", "DATA-01", "DATA-02",
    "SCH-01", "SCH-02", "SCH-03", "SCH-04", "SCH-05", "SCH-06", "SCH-07", "SCH-08", "ACC-01", "ACC-02", "ACC-03",
    "ACC-04", "ACC-05", "PAR-01", "PAR-02", "PAR-03", "PAR-04", "PAR-06", "INS-01", "INS-02", "INS-04", "INS-05",
    "INS-06", "INS-08", "INS-09", "INS-10", "INS-11", "INS-13", "INS-14", "NET-01", "NET-02", "CUT-01", "CUT-02",
    "CUT-04", "GOV-01", "GOV-02",
];

/// What a policy says of the tables that a glob matches.
#[derive(Debug, Clone)]
pub struct TableRule {
    /// The glob over `database.table`, as written.
    pub pattern: String,
    /// Its line in the policy.
    pub line: usize,
    /// What is to be done.
    pub wish: Wish,
    /// What else is to be known of it.
    pub known: Known,
    /// What a changed definition leads to, where it is named.
    pub ddl: Option<OnDdl>,
    /// Why, as written.
    pub reason: Option<String>,
    glob: GlobMatcher,
}

/// What a rule asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Leave the table out.
    Exclude,
    /// Keep it, and where something is named, so.
    Keep {
        /// How it changes.
        class: Option<Class>,
        /// How it is kept.
        strategy: Option<Strategy>,
        /// Clock or AUTO_INCREMENT column.
        mark_column: Option<String>,
    },
}

/// What a rule says of a table beside how it is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Whether the table is empty at times, so that an empty source is no reason for the brake.
    pub may_be_empty: bool,
    /// The last day (UTC) of which contradictions do not count.
    pub forgiven_until: Option<NaiveDate>,
    /// The column that marks rows as deleted.
    pub soft_delete: Option<String>,
    /// Where the keys of deleted rows are written down.
    pub tombstones: Option<Tombstones>,
}

impl TableRule {
    /// Returns whether the rule speaks of this table. Case counts (T29).
    pub fn matches(&self, name: &TableName) -> bool {
        self.glob.is_match(name.to_string())
    }
}

/// Keys of a rule that say how a table is kept.
const KEEP_KEYS: [&str; 8] =
    ["class", "strategy", "mark_column", "may_be_empty", "forgiven_until", "soft_delete", "tombstones", "ddl"];

/// Reads `[[table]]`.
pub(super) fn table_rules(reader: &mut Reader<'_>, root: &mut Section<'_, '_>) -> Vec<TableRule> {
    let mut rules: Vec<TableRule> = Vec::new();
    for mut entry in reader.entries(root, "table") {
        let rule = table_rule(reader, &mut entry);
        if let Some(rule) = rule {
            match rules.iter().find(|known| known.pattern == rule.pattern) {
                Some(first) => {
                    let text = format!("stands already at line {}; the first rule decides alone", first.line);
                    reader.mistake(entry.place("match"), entry.key("match"), text);
                }
                None => rules.push(rule),
            }
        }
        reader.close(entry);
    }
    rules
}

fn table_rule(reader: &mut Reader<'_>, entry: &mut Section<'_, '_>) -> Option<TableRule> {
    let pattern = reader.required(entry, "match", table_glob);
    let exclude = reader.optional(entry, "exclude", value::yes_or_no);
    let class = reader.optional(entry, "class", value::word::<Class>);
    let strategy = reader.optional(entry, "strategy", value::word::<Strategy>);
    let mark_column = reader.optional(entry, "mark_column", value::text);
    let may_be_empty = reader.optional(entry, "may_be_empty", value::yes_or_no).unwrap_or(false);
    let forgiven_until = reader.optional(entry, "forgiven_until", value::day);
    let soft_delete = reader.optional(entry, "soft_delete", value::text);
    let tombstones = tombstones(reader, entry);
    let ddl = reader.optional(entry, "ddl", value::word::<OnDdl>);
    let reason = reader.optional(entry, "reason", value::text);
    let wish = match exclude {
        Some(true) => {
            check_exclusion(reader, entry);
            Wish::Exclude
        }
        Some(false) | None => {
            check_wish(reader, entry, class, strategy);
            Wish::Keep { class, strategy, mark_column }
        }
    };
    let (pattern, glob) = pattern?;
    let line = reader.line(entry.place("match"));
    Some(TableRule {
        pattern,
        line,
        wish,
        known: Known { may_be_empty, forgiven_until, soft_delete, tombstones },
        ddl,
        reason,
        glob,
    })
}

fn tombstones(reader: &mut Reader<'_>, entry: &mut Section<'_, '_>) -> Option<Tombstones> {
    reader.optional(entry, "tombstones", |value| match value.is_table() {
        true => Ok(()),
        false => Err("is written as { table = \"shop.order_deleted\", key = [\"order_id\"] }".to_owned()),
    })?;
    let mut section = reader.section(entry, "tombstones");
    let table = reader.required(&mut section, "table", table_name);
    let key = reader.required(&mut section, "key", value::texts);
    reader.close(section);
    Some(Tombstones { table: table?, key: key? })
}

fn table_name(value: &toml::de::DeValue<'_>) -> Result<TableName, String> {
    let text = value::text(value)?;
    match text.split_once('.') {
        Some((schema, table)) if !schema.is_empty() && !table.is_empty() => Ok(TableName::new(schema, table)),
        _ => Err(format!("is a table's full name, database.table, not {text:?}")),
    }
}

fn table_glob(value: &toml::de::DeValue<'_>) -> Result<(String, GlobMatcher), String> {
    let pattern = value::text(value)?;
    if !pattern.contains('.') && !pattern.starts_with('*') {
        return Err(format!("is a glob over database.table: {pattern:?} matches none; write \"*.{pattern}\""));
    }
    let glob = value::compile(&pattern)?;
    Ok((pattern, glob))
}

/// An excluded table is one that is lost with the region, so that must be said on purpose and with a reason.
fn check_exclusion(reader: &mut Reader<'_>, entry: &Section<'_, '_>) {
    for key in KEEP_KEYS {
        if entry.has(key) {
            reader.mistake(entry.place(key), entry.key(key), "has no meaning beside exclude = true");
        }
    }
    if !entry.has("reason") {
        reader.mistake(entry.place("exclude"), entry.key("reason"), "is required beside exclude = true");
    }
}

fn check_wish(reader: &mut Reader<'_>, entry: &Section<'_, '_>, class: Option<Class>, strategy: Option<Strategy>) {
    if let (Some(class), Some(strategy)) = (class, strategy)
        && !fits(class, strategy)
    {
        let text = format!("does not keep tables of class {class} right: {}", fitting(class));
        reader.mistake(entry.place("strategy"), entry.key("strategy"), text);
    }
    if entry.has("mark_column") && matches!(strategy, Some(Strategy::Watch | Strategy::Reconcile)) {
        reader.mistake(entry.place("mark_column"), entry.key("mark_column"), "has no meaning for this strategy");
    }
    if entry.has("mark_column") && class == Some(Class::Static) {
        reader.mistake(entry.place("mark_column"), entry.key("mark_column"), "has no meaning for a static table");
    }
    if !KEEP_KEYS.iter().chain(&["exclude"]).any(|key| entry.has(key)) {
        let text = format!("asks for nothing; give {} or exclude", KEEP_KEYS.join(", "));
        reader.mistake(entry.place("match"), entry.key("match"), text);
    }
}

/// Returns whether a strategy keeps tables of a class right. A slower but surer one always does.
fn fits(class: Class, strategy: Strategy) -> bool {
    match strategy {
        Strategy::Watch => class == Class::Static,
        Strategy::Append => class == Class::InsertOnly,
        Strategy::Merge => class != Class::Static,
        Strategy::Reconcile => true,
    }
}

fn fitting(class: Class) -> &'static str {
    match class {
        Class::Static => "watch and reconcile do",
        Class::InsertOnly => "append, merge and reconcile do",
        Class::UpdDel => "merge and reconcile do",
    }
}

/// Reads `[[waiver]]`. Whether one has expired depends on the day, which the planner knows.
pub(super) fn waivers(reader: &mut Reader<'_>, root: &mut Section<'_, '_>) -> Vec<Waiver> {
    let mut waivers: Vec<Waiver> = Vec::new();
    for mut entry in reader.entries(root, "waiver") {
        let check = reader.required(&mut entry, "check", check_id);
        let reason = reader.required(&mut entry, "reason", value::text);
        let until = reader.required(&mut entry, "until", value::day);
        if let (Some(check), Some(reason), Some(until)) = (check, reason, until) {
            if waivers.iter().any(|known| known.check == check) {
                reader.mistake(entry.place("check"), entry.key("check"), format!("has another waiver above: {check}"));
            } else {
                waivers.push(Waiver { check, reason, until });
            }
        }
        reader.close(entry);
    }
    waivers
}

fn check_id(value: &toml::de::DeValue<'_>) -> Result<String, String> {
    let id = value::text(value)?;
    if CHECKS.contains(&id.as_str()) {
        return Ok(id);
    }
    Err(format!("is the id of a readiness check, such as \"PAR-02\"; there is no {id:?}"))
}
