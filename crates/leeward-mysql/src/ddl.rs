//! Takes apart what `SHOW CREATE TABLE` prints and puts it together again in two steps: the table as it must be before
//! its rows, and the indexes and foreign keys that are cheaper or possible only after them. Pure text; nothing is run.

mod alter;
mod object;
mod tokens;

use leeward_core::name::TableName;
use leeward_core::port::{Indexes, KeyBeside, TablePart};

use crate::sql;
pub use alter::statements;
pub use object::{Definer, Existing, create_object};
pub use tokens::Unreadable;
use tokens::{Placed, Token, Tokens};

/// Characters of a table's name in a foreign key's: identifiers have 64, and a number of up to three digits follows.
const KEY_STEM_MAX: usize = 56;

/// A table's DDL in parts, each part as the server printed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableDdl {
    /// The table's own name.
    pub name: String,
    /// Columns in order.
    pub columns: Vec<ColumnDdl>,
    /// Keys in order.
    pub keys: Vec<KeyDdl>,
    /// Foreign keys in order.
    pub foreign_keys: Vec<ForeignKeyDdl>,
    /// CHECK constraints and application-time periods.
    pub rules: Vec<String>,
    /// What follows the closing parenthesis: options and partitions, without the places where files lie.
    pub tail: String,
    /// The table's collation, where the server prints it.
    collation: Option<String>,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnDdl {
    /// Its name.
    pub name: String,
    /// The whole clause, without the collation where MySQL prints that of the table although the column merely inherits
    /// it: repeated in a statement it would no longer be inherited, and be printed in yet another way.
    pub clause: String,
    /// The clause without any mention of the table's own character set and collation, for comparing.
    bare: String,
    /// Whether the server fills it from a counter, for which it needs a key.
    counted: bool,
}

/// One key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyDdl {
    /// `PRIMARY` or its name.
    pub name: String,
    /// What kind it is.
    pub kind: KeyKind,
    /// The whole clause.
    pub clause: String,
    /// Columns of its parts; nothing for an expression.
    columns: Vec<Option<String>>,
}

/// Kinds of key, as far as it matters when they can be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// PRIMARY or UNIQUE: part of what the table accepts, so there from the start.
    Unique,
    /// Secondary over plain columns, SPATIAL included: all of a table go into one ALTER.
    Plain,
    /// FULLTEXT, VECTOR or over an expression: one ALTER each. InnoDB builds one FULLTEXT index at a time, and an
    /// expression adds a hidden column, which would make the other indexes of the same ALTER copy the table.
    Special,
}

/// One foreign key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKeyDdl {
    /// Constraint name.
    pub name: String,
    /// From `FOREIGN KEY` up to and without the parent's name.
    head: String,
    /// The parent's database, where the server printed one: it leaves out the child's own.
    parent_schema: Option<String>,
    /// The parent.
    parent_table: String,
    /// From the parent's columns to the end.
    rest: String,
}

/// Takes the output of `SHOW CREATE TABLE` apart. A system-versioned table is refused: its history is no part of what
/// a SELECT shows, so a copy would be silently poorer.
pub fn split(show_create_table: &str) -> Result<TableDdl, Unreadable> {
    let tokens = Tokens::of(show_create_table).collect::<Result<Vec<_>, _>>()?;
    let [create, table, name, open, ..] = tokens.as_slice() else {
        return Err(Unreadable("no CREATE TABLE"));
    };
    let Some(own_name) = name.name().filter(|_| create.is("CREATE") && table.is("TABLE") && open.is_mark('(')) else {
        return Err(Unreadable("no CREATE TABLE with a list of columns"));
    };
    let (clauses, closing) = clauses(&tokens[4..])?;
    let tail = &tokens[4 + closing + 1..];
    if tail.iter().any(|token| token.is("VERSIONING")) {
        return Err(Unreadable("system versioning"));
    }
    let mut ddl = TableDdl {
        name: own_name.to_owned(),
        columns: Vec::new(),
        keys: Vec::new(),
        foreign_keys: Vec::new(),
        rules: Vec::new(),
        tail: without_places(show_create_table, tail),
        collation: default_collation(tail),
    };
    for clause in clauses {
        ddl.take(show_create_table, clause)?;
    }
    Ok(ddl)
}

/// Cuts the tokens after the opening parenthesis at the commas of the outermost level. Returns the clauses and the
/// position of the closing parenthesis.
fn clauses<'t, 'a>(tokens: &'t [Placed<'a>]) -> Result<(Vec<&'t [Placed<'a>]>, usize), Unreadable> {
    let (mut depth, mut start, mut found) = (0usize, 0, Vec::new());
    for (at, token) in tokens.iter().enumerate() {
        match token.token {
            Token::Mark('(') => depth += 1,
            Token::Mark(')') if depth == 0 => {
                found.push(&tokens[start..at]);
                return Ok((found, at));
            }
            Token::Mark(')') => depth -= 1,
            Token::Mark(',') if depth == 0 => {
                found.push(&tokens[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    Err(Unreadable("a list of columns that never ends"))
}

/// Returns the text that the tokens cover.
fn cover<'a>(text: &'a str, tokens: &[Placed<'_>]) -> &'a str {
    match (tokens.first(), tokens.last()) {
        (Some(first), Some(last)) => &text[first.start..last.end],
        _ => "",
    }
}

/// Returns what follows `COLLATE=` among the table's options.
fn default_collation(tail: &[Placed<'_>]) -> Option<String> {
    let at = tail.windows(2).position(|pair| pair[0].is("COLLATE") && pair[1].is_mark('='))?;
    tail.get(at + 2)?.name().map(str::to_owned)
}

/// Returns a column's clause as it is to be repeated, and as it is to be compared: see [`ColumnDdl`].
fn without_inherited(text: &str, clause: &[Placed<'_>], table_collation: Option<&str>) -> (String, String) {
    let whole = cover(text, clause).to_owned();
    let mut depth = 0usize;
    // An expression can hold a COLLATE of its own, in parentheses.
    let at = clause.iter().position(|token| {
        depth = if token.is_mark('(') { depth + 1 } else { depth.saturating_sub(usize::from(token.is_mark(')'))) };
        depth == 0 && token.is("COLLATE")
    });
    let Some((at, collation)) = at.and_then(|at| Some((at, clause.get(at + 1)?))) else {
        return (whole.clone(), whole);
    };
    if collation.name().is_none() || collation.name() != table_collation {
        return (whole.clone(), whole);
    }
    // `CHARACTER SET name` stands right before the collation, or nowhere.
    let explicit = at >= 3 && clause[at - 3].is("CHARACTER") && clause[at - 2].is("SET");
    let first = if explicit { at - 3 } else { at };
    let bare = text[clause[0].start..clause[first].start].trim_end().to_owned()
        + &text[collation.end..clause[clause.len() - 1].end];
    (if explicit { whole } else { bare.clone() }, bare)
}

/// Returns the tail without `DATA DIRECTORY`, `INDEX DIRECTORY` and `TABLESPACE`: where files lie on the source's disk
/// is nothing that another server could follow, and RDS refuses it.
fn without_places(text: &str, tail: &[Placed<'_>]) -> String {
    let Some(first) = tail.first() else { return String::new() };
    let (mut kept, mut from, mut at) = (String::new(), first.start, 0);
    while at < tail.len() {
        let keyword = match tail.get(at..) {
            Some([place, directory, ..]) if (place.is("DATA") || place.is("INDEX")) && directory.is("DIRECTORY") => 2,
            Some([place, ..]) if place.is("TABLESPACE") => 1,
            _ => 0,
        };
        if keyword == 0 {
            at += 1;
            continue;
        }
        let equals = usize::from(tail.get(at + keyword).is_some_and(|token| token.is_mark('=')));
        let after = (at + keyword + equals + 1).min(tail.len());
        kept.push_str(text[from..tail[at].start].trim_end());
        from = tail[after - 1].end;
        at = after;
    }
    kept.push_str(text[from..].trim_end());
    kept
}

impl TableDdl {
    fn take(&mut self, text: &str, clause: &[Placed<'_>]) -> Result<(), Unreadable> {
        let Some(first) = clause.first() else { return Err(Unreadable("an empty clause")) };
        let whole = || cover(text, clause).to_owned();
        // `CONSTRAINT name CHECK …` says at its third token what it is.
        let kind = if first.is("CONSTRAINT") { clause.get(2).unwrap_or(first) } else { first };
        if let Token::Name(name) = &kind.token {
            let counted = clause.iter().any(|token| token.is("AUTO_INCREMENT"));
            let (clause, bare) = without_inherited(text, clause, self.collation.as_deref());
            self.columns.push(ColumnDdl { name: name.clone(), clause, bare, counted });
        } else if kind.is("PERIOD") || kind.is("CHECK") {
            self.rules.push(whole());
        } else if kind.is("FOREIGN") {
            self.foreign_keys.push(foreign_key(text, clause)?);
        } else {
            self.keys.push(key(text, clause)?);
        }
        Ok(())
    }

    /// Returns the statement that makes the table as it must be before its rows: columns, primary and unique keys,
    /// checks, partitions, and of its other keys all, or the one plain key that an AUTO_INCREMENT column may need.
    pub fn create_statement(&self, name: &TableName, indexes: Indexes) -> String {
        let early = self.without_late_parts();
        let keys = match indexes {
            Indexes::WithTable => &self.keys,
            Indexes::AfterRows => &early.keys,
        };
        let columns = self.columns.iter().map(|column| column.clause.as_str());
        let keys = keys.iter().map(|key| key.clause.as_str());
        let rules = self.rules.iter().map(String::as_str);
        let clauses: Vec<&str> = columns.chain(keys).chain(rules).collect();
        format!("CREATE TABLE {} (\n  {}\n) {}", sql::table(name), clauses.join(",\n  "), self.tail)
    }

    /// Returns the table as [`TableDdl::create_statement`] makes it with its indexes after the rows.
    pub fn without_late_parts(&self) -> TableDdl {
        let needed = self.key_of_counter();
        let early = |key: &&KeyDdl| key.kind == KeyKind::Unique || needed == Some(key.name.as_str());
        let keys = self.keys.iter().filter(early).cloned().collect();
        TableDdl { keys, foreign_keys: Vec::new(), ..self.clone() }
    }

    /// Returns the name of a secondary key without which the server refuses the AUTO_INCREMENT column, if no unique key
    /// does the service. InnoDB wants the column first in a key.
    fn key_of_counter(&self) -> Option<&str> {
        let counter = self.columns.iter().find(|column| column.counted)?;
        let leads = |key: &&KeyDdl| matches!(key.columns.first(), Some(Some(first)) if *first == counter.name);
        let holds = |key: &&KeyDdl| key.columns.iter().flatten().any(|column| *column == counter.name);
        if self.keys.iter().filter(|key| key.kind == KeyKind::Unique).any(|key| leads(&key)) {
            return None;
        }
        let secondary = || self.keys.iter().filter(|key| key.kind == KeyKind::Plain);
        secondary().find(leads).or_else(|| secondary().find(holds)).map(|key| key.name.as_str())
    }

    /// Returns the statements that add the secondary indexes which `existing` lacks, unique ones excepted: those were
    /// there before the rows, or it is another table. An index of the same name counts as present; whether it is the
    /// same is a question for readiness, not for a repeated seed.
    pub fn missing_indexes(&self, name: &TableName, existing: &TableDdl) -> Vec<String> {
        let lacks = |key: &&KeyDdl| !existing.keys.iter().any(|other| same_name(&other.name, &key.name));
        let late = self.keys.iter().filter(|key| key.kind != KeyKind::Unique);
        let missing: Vec<&KeyDdl> = late.filter(lacks).collect();
        let alter = |keys: &[&KeyDdl]| {
            let added: Vec<String> = keys.iter().map(|key| format!("ADD {}", key.clause)).collect();
            format!("ALTER TABLE {} {}", sql::table(name), added.join(", "))
        };
        let (special, plain): (Vec<&KeyDdl>, Vec<&KeyDdl>) =
            missing.into_iter().partition(|key| key.kind == KeyKind::Special);
        // The first FULLTEXT index rebuilds the table, so it comes while there are few other indexes to rebuild.
        let mut statements: Vec<String> = special.iter().map(|key| alter(&[*key])).collect();
        if !plain.is_empty() {
            statements.push(alter(&plain));
        }
        statements
    }

    /// Returns whether `existing` lacks something of a part.
    pub fn is_missing_in(&self, name: &TableName, existing: &TableDdl, part: TablePart) -> bool {
        match part {
            TablePart::Indexes => !self.missing_indexes(name, existing).is_empty(),
            TablePart::ForeignKeys => self.missing_foreign_keys(name, existing).is_some(),
        }
    }

    /// Returns the one statement that adds the foreign keys which `existing` lacks, parents named in full.
    pub fn missing_foreign_keys(&self, name: &TableName, existing: &TableDdl) -> Option<String> {
        let has = |wanted: &ForeignKeyDdl| existing.has_foreign_key(&wanted.name);
        let added: Vec<String> = self
            .foreign_keys
            .iter()
            .filter(|key| !has(key))
            .map(|key| format!("ADD {}", key.within(&name.schema)))
            .collect();
        if added.is_empty() {
            return None;
        }
        Some(format!("ALTER TABLE {} {}", sql::table(name), added.join(", ")))
    }

    /// Returns the foreign keys of a table that is called `name` here and `was` where the DDL comes from, each with the statement
    /// that adds it under a name made from the table's: names are unique within a database, and the old ones may be taken.
    pub fn foreign_keys_beside(&self, name: &TableName, was: &TableName) -> Vec<(KeyBeside, String)> {
        let beside = |(at, key): (usize, &ForeignKeyDdl)| {
            let parent = TableName::new(key.parent_schema.as_deref().unwrap_or(&was.schema), &key.parent_table);
            let parent = if parent == *was { name.clone() } else { parent };
            let short: String = name.table.chars().take(KEY_STEM_MAX).collect();
            let now = format!("{short}_fk_{}", at + 1);
            let add = format!("ALTER TABLE {} ADD {}", sql::table(name), key.named(&now, &parent));
            (KeyBeside { was: key.name.clone(), parent, now: Some(now) }, add)
        };
        self.foreign_keys.iter().enumerate().map(beside).collect()
    }

    /// Returns whether it has a foreign key of this name.
    pub fn has_foreign_key(&self, name: &str) -> bool {
        self.foreign_keys.iter().any(|key| same_name(&key.name, name))
    }

    /// Returns the `ON DELETE` and `ON UPDATE` rules of a foreign key. `RESTRICT` is what both servers leave unsaid.
    pub fn foreign_key_rules(&self, key: &str) -> Option<(String, String)> {
        let rest = &self.foreign_keys.iter().find(|other| same_name(&other.name, key))?.rest;
        let tokens: Vec<Placed<'_>> = Tokens::of(rest).collect::<Result<_, _>>().ok()?;
        let rule = |event: &str| {
            let at = tokens.windows(2).position(|pair| pair[0].is("ON") && pair[1].is(event));
            let words = at.map_or(&[][..], |at| &tokens[at + 2..]);
            let words: Vec<&str> = words.iter().take_while(|word| !word.is("ON")).filter_map(Placed::name).collect();
            if words.is_empty() { "RESTRICT".to_owned() } else { words.join(" ") }
        };
        Some((rule("DELETE"), rule("UPDATE")))
    }
}

/// Names of columns, keys and constraints are compared without case by both servers.
fn same_name(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

impl ForeignKeyDdl {
    /// Returns the whole clause for a child in `schema`.
    fn within(&self, schema: &str) -> String {
        let parent = TableName::new(self.parent_schema.as_deref().unwrap_or(schema), &self.parent_table);
        self.named(&self.name, &parent)
    }

    fn named(&self, name: &str, parent: &TableName) -> String {
        format!("CONSTRAINT {} {}{}{}", sql::ident(name), self.head, sql::table(parent), self.rest)
    }
}

fn key(text: &str, clause: &[Placed<'_>]) -> Result<KeyDdl, Unreadable> {
    let first = &clause[0];
    let known = ["PRIMARY", "UNIQUE", "FULLTEXT", "SPATIAL", "VECTOR", "KEY", "INDEX"];
    if !known.iter().any(|word| first.is(word)) {
        return Err(Unreadable("a clause that is neither column, key nor constraint"));
    }
    let name = match clause.iter().find_map(|token| match &token.token {
        Token::Name(name) => Some(name.clone()),
        _ => None,
    }) {
        _ if first.is("PRIMARY") => "PRIMARY".to_owned(),
        Some(name) => name,
        None => return Err(Unreadable("a key without a name")),
    };
    let open = clause.iter().position(|token| token.is_mark('(')).ok_or(Unreadable("a key without parts"))?;
    let (parts, _) = clauses(&clause[open + 1..])?;
    let columns: Vec<Option<String>> = parts
        .iter()
        .map(|part| match part.first().map(|token| &token.token) {
            Some(Token::Name(column)) => Some(column.clone()),
            _ => None,
        })
        .collect();
    let kind = if first.is("PRIMARY") || first.is("UNIQUE") {
        KeyKind::Unique
    } else if columns.iter().any(Option::is_none) || first.is("FULLTEXT") || first.is("VECTOR") {
        KeyKind::Special
    } else {
        KeyKind::Plain
    };
    Ok(KeyDdl { name, kind, clause: cover(text, clause).to_owned(), columns })
}

fn foreign_key(text: &str, clause: &[Placed<'_>]) -> Result<ForeignKeyDdl, Unreadable> {
    let name = clause[1].name().ok_or(Unreadable("a foreign key without a name"))?.to_owned();
    let references =
        clause.iter().position(|token| token.is("REFERENCES")).ok_or(Unreadable("a foreign key without a parent"))?;
    let parent = clause.get(references + 1..).unwrap_or_default();
    let (schema, table, used) = match parent {
        [schema, dot, table, ..] if dot.is_mark('.') => (schema.name(), table.name(), 3),
        [table, ..] => (None, table.name(), 1),
        [] => (None, None, 0),
    };
    let (Some(table), Some(rest)) = (table, parent.get(used)) else {
        return Err(Unreadable("a foreign key without a parent"));
    };
    Ok(ForeignKeyDdl {
        name,
        head: format!("{} ", cover(text, &clause[2..=references])),
        parent_schema: schema.map(str::to_owned),
        parent_table: table.to_owned(),
        rest: format!(" {}", &text[rest.start..clause[clause.len() - 1].end]),
    })
}

#[cfg(test)]
mod tests;
