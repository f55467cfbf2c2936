//! The statements that make an existing table like the one in the source's DDL. Which of them are run, and by whom, is
//! decided in `leeward_core::alteration`.

use leeward_core::alteration::{Alteration, Effect, Statement, Verdict};
use leeward_core::name::TableName;

use super::tokens::{Placed, Token, Tokens};
use super::{ColumnDdl, KeyDdl, KeyKind, TableDdl, cover, same_name};
use crate::sql;

/// Returns what would give `existing` the form of `wanted`, in an order in which each statement can be run: names first,
/// then columns, then what comes after the rows. Unique indexes are late: rows that the source has deleted may still
/// stand in their way.
pub fn statements(wanted: &TableDdl, existing: &TableDdl, name: &TableName, alteration: &Alteration) -> Vec<Statement> {
    let gap = Gap { wanted, existing, name, alteration };
    let mut found = Vec::new();
    if let Some(steps) = gap.new_names() {
        found.push(gap.alter(&steps, Effect::Rows));
    }
    let columns = gap.main_steps();
    let main_effect = if alteration.touches_rows() || gap.drops_rules() { Effect::Rows } else { Effect::Beside };
    let stale = gap.stale_foreign_keys();
    if !stale.is_empty() {
        found.push(gap.alter(&stale, if columns.is_empty() { Effect::Beside } else { main_effect }));
    }
    if !columns.is_empty() {
        found.push(gap.alter(&columns, main_effect));
    }
    let after = gap.after_main_steps();
    let late = wanted.missing_indexes(name, &after).into_iter().chain(gap.unique_keys(&after));
    let late = late.chain(wanted.missing_foreign_keys(name, &after));
    found.extend(late.map(|sql| Statement { sql, effect: Effect::Beside, verdict: Verdict::Safe }));
    found.extend(gap.partitions());
    found
}

/// What separates two tables, and what of it is known from their definitions.
struct Gap<'a> {
    wanted: &'a TableDdl,
    existing: &'a TableDdl,
    name: &'a TableName,
    alteration: &'a Alteration,
}

impl Gap<'_> {
    fn alter(&self, steps: &[String], effect: Effect) -> Statement {
        let sql = format!("ALTER TABLE {} {}", sql::table(self.name), steps.join(", "));
        Statement { sql, effect, verdict: Verdict::Safe }
    }

    /// Returns what a column of the target is called on the source, among those that are still to be renamed.
    fn new_name<'n>(&'n self, name: &'n str) -> &'n str {
        let renamed = self.alteration.renamed.iter().find(|(old, _)| same_name(old, name));
        renamed.map_or(name, |(_, new)| new)
    }

    fn new_names(&self) -> Option<Vec<String>> {
        let here = |name: &str| self.existing.columns.iter().any(|column| same_name(&column.name, name));
        let renamed = self.alteration.renamed.iter().filter(|(old, _)| here(old));
        let step = |(old, new): &(String, String)| format!("RENAME COLUMN {} TO {}", sql::ident(old), sql::ident(new));
        let steps: Vec<String> = renamed.map(step).collect();
        (!steps.is_empty()).then_some(steps)
    }

    fn stale_foreign_keys(&self) -> Vec<String> {
        let stale = |key: &&super::ForeignKeyDdl| has(&self.alteration.stale_foreign_keys, &key.name);
        let keys = self.existing.foreign_keys.iter().filter(stale);
        keys.map(|key| format!("DROP FOREIGN KEY {}", sql::ident(&key.name))).collect()
    }

    /// Returns the steps of the one ALTER that changes columns, and all that depends on them or they on it.
    fn main_steps(&self) -> Vec<String> {
        let mut steps = self.column_steps();
        let drop = |key: &KeyDdl| match key.name.as_str() {
            "PRIMARY" => "DROP PRIMARY KEY".to_owned(),
            name => format!("DROP KEY {}", sql::ident(name)),
        };
        steps.extend(self.existing.keys.iter().filter(|key| self.is_dropped(key)).map(drop));
        steps.extend(self.early_keys().iter().map(|key| format!("ADD {}", key.clause)));
        for (rule, constraint) in self.rules(self.existing, self.wanted) {
            steps.push(match constraint {
                Some(name) => format!("DROP CONSTRAINT {}", sql::ident(&name)),
                None => format!("DROP {rule}"),
            });
        }
        steps.extend(self.rules(self.wanted, self.existing).into_iter().map(|(rule, _)| format!("ADD {rule}")));
        steps.extend(self.options());
        steps
    }

    fn column_steps(&self) -> Vec<String> {
        let wanted =
            |name: &str| self.wanted.columns.iter().find(|column| same_name(&column.name, self.new_name(name)));
        let mut steps = Vec::new();
        let mut standing: Vec<&ColumnDdl> = Vec::new();
        for column in &self.existing.columns {
            match wanted(&column.name) {
                Some(_) => standing.push(column),
                None => steps.push(format!("DROP COLUMN {}", sql::ident(&column.name))),
            }
        }
        for (at, column) in self.wanted.columns.iter().enumerate() {
            let place = match at.checked_sub(1) {
                Some(before) => format!("AFTER {}", sql::ident(&self.wanted.columns[before].name)),
                None => "FIRST".to_owned(),
            };
            let from = standing.iter().position(|other| same_name(self.new_name(&other.name), &column.name));
            match from {
                None => {
                    steps.push(format!("ADD COLUMN {} {place}", column.clause));
                    standing.insert(at.min(standing.len()), column);
                }
                Some(from) => {
                    if from != at || without_name(standing[from]) != without_name(column) {
                        steps.push(format!("MODIFY COLUMN {} {place}", column.clause));
                    }
                    standing.remove(from);
                    standing.insert(at.min(standing.len()), column);
                }
            }
        }
        steps
    }

    fn is_dropped(&self, key: &KeyDdl) -> bool {
        let other = self.wanted.keys.iter().find(|other| same_name(&other.name, &key.name));
        let primary = key.name == "PRIMARY" && other.is_none_or(|other| other.clause != key.clause);
        has(&self.alteration.stale_keys, &key.name) || primary && self.alteration.renamed.is_empty()
    }

    /// Returns the keys that cannot wait for an ALTER of their own: the primary key, what an AUTO_INCREMENT column needs,
    /// and, where an index goes, the plain ones that may take its place under a foreign key.
    fn early_keys(&self) -> Vec<&KeyDdl> {
        let replaces = self.existing.keys.iter().any(|key| self.is_dropped(key));
        let counter = self.wanted.columns.iter().find(|column| column.counted).map(|column| column.name.as_str());
        let leads = |key: &KeyDdl| matches!(key.columns.first(), Some(Some(first)) if Some(first.as_str()) == counter);
        let early = |key: &&KeyDdl| match key.kind {
            _ if key.name == "PRIMARY" => true,
            KeyKind::Unique => leads(key),
            KeyKind::Plain => replaces || self.wanted.key_of_counter() == Some(key.name.as_str()),
            KeyKind::Special => false,
        };
        let lacking =
            |key: &&KeyDdl| !self.existing.keys.iter().any(|o| same_name(&o.name, &key.name) && !self.is_dropped(o));
        self.wanted.keys.iter().filter(lacking).filter(early).collect()
    }

    /// Returns the rules that only `these` hold, with the name of the constraint.
    fn rules(&self, these: &TableDdl, those: &TableDdl) -> Vec<(String, Option<String>)> {
        let only = these.rules.iter().filter(|rule| !those.rules.contains(rule));
        only.map(|rule| (rule.clone(), constraint_name(rule))).collect()
    }

    fn drops_rules(&self) -> bool {
        !self.rules(self.existing, self.wanted).is_empty()
    }

    /// Returns the table's options that are followed: its comment, and the collation of columns to come.
    fn options(&self) -> Vec<String> {
        let comment = |ddl: &TableDdl| option(&ddl.tail, "COMMENT").unwrap_or_else(|| "''".to_owned());
        let mut options = Vec::new();
        if comment(self.wanted) != comment(self.existing) {
            options.push(format!("COMMENT={}", comment(self.wanted)));
        }
        options.extend(self.alteration.collation.iter().map(|name| format!("COLLATE={}", sql::ident(name))));
        options
    }

    /// Returns the table as it is after the steps so far, as far as keys and foreign keys go.
    fn after_main_steps(&self) -> TableDdl {
        let mut after = self.existing.clone();
        after.keys.retain(|key| !self.is_dropped(key));
        after.keys.extend(self.early_keys().into_iter().cloned());
        after.foreign_keys.retain(|key| !has(&self.alteration.stale_foreign_keys, &key.name));
        after
    }

    fn unique_keys(&self, after: &TableDdl) -> Vec<String> {
        let unique = self.wanted.keys.iter().filter(|key| key.kind == KeyKind::Unique && key.name != "PRIMARY");
        let lacking = unique.filter(|key| !after.keys.iter().any(|other| same_name(&other.name, &key.name)));
        lacking.map(|key| format!("ALTER TABLE {} ADD {}", sql::table(self.name), key.clause)).collect()
    }

    fn partitions(&self) -> Option<Statement> {
        let (there, here) = (partitions(&self.wanted.tail), partitions(&self.existing.tail));
        if there == here {
            return None;
        }
        let step = if there.is_empty() { "REMOVE PARTITIONING".to_owned() } else { there };
        let statement = self.alter(&[step], Effect::Beside);
        Some(Statement {
            verdict: Verdict::Person("partitions hold rows, and follow the place where they lie"),
            ..statement
        })
    }
}

fn has(names: &[String], name: &str) -> bool {
    names.iter().any(|other| same_name(other, name))
}

/// Returns a column's clause after its name, for comparing.
fn without_name(column: &ColumnDdl) -> &str {
    column.bare.strip_prefix(&sql::ident(&column.name)).unwrap_or(&column.bare)
}

/// Returns the name in `CONSTRAINT name CHECK …`.
fn constraint_name(rule: &str) -> Option<String> {
    let mut tokens = Tokens::of(rule);
    let first = tokens.next()?.ok()?;
    let second = tokens.next()?.ok()?;
    first.is("CONSTRAINT").then(|| second.name().map(str::to_owned)).flatten()
}

fn tokens(tail: &str) -> Vec<Placed<'_>> {
    Tokens::of(tail).collect::<Result<_, _>>().unwrap_or_default()
}

/// Returns the value of an option as the server printed it.
fn option(tail: &str, name: &str) -> Option<String> {
    let tokens = tokens(tail);
    let at = tokens.windows(2).position(|pair| pair[0].is(name) && pair[1].is_mark('='))?;
    let value = tokens.get(at + 2).filter(|value| value.token == Token::Text)?;
    // A doubled quote begins another token right behind the last.
    let mut end = value.end;
    for more in tokens[at + 3..].iter().take_while(|more| more.token == Token::Text) {
        end = if more.start == end { more.end } else { break };
    }
    Some(tail[value.start..end].to_owned())
}

/// Returns the clause that says how a table is partitioned, without the version comment around it.
fn partitions(tail: &str) -> String {
    let tokens = tokens(tail);
    let start = tokens.windows(2).position(|pair| pair[0].is("PARTITION") && pair[1].is("BY"));
    let Some(start) = start else { return String::new() };
    let inside = &tokens[start..];
    let end = inside.iter().rposition(|token| !token.is_mark('*')).unwrap_or(0);
    cover(tail, &inside[..=end]).to_owned()
}
