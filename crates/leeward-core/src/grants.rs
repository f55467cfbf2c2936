//! Privileges, read from the lines of `SHOW GRANTS`: `information_schema.USER_PRIVILEGES` shows nothing on a managed
//! server (`rds.md` §1.1). What a line says about passwords is dropped while reading, so that no hash is ever kept.
//!
//! A line that cannot be read grants nothing here, and is counted, since a check that looks for *too many* privileges
//! must not take it for harmless. Nothing here runs a statement; the GRANTs that are printed are text for a person.

mod line;
pub mod needs;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::name::TableName;

pub use needs::{Importance, Need};

/// The word that stands for every privilege of its level.
const ALL: &str = "ALL PRIVILEGES";

/// Privileges by which an account can change data or structure of a database. EXECUTE is one of them: a routine that
/// runs with its definer's rights writes for whoever may call it.
const WRITING: [&str; 13] = [
    "INSERT",
    "UPDATE",
    "DELETE",
    "DROP",
    "CREATE",
    "ALTER",
    "INDEX",
    "TRIGGER",
    "EVENT",
    "CREATE VIEW",
    "CREATE ROUTINE",
    "ALTER ROUTINE",
    "EXECUTE",
];

/// How `%` and `_` in the database part of a grant are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SchemaNames {
    /// As wildcards, with `\` to escape them: the rule on every server by default.
    #[default]
    Patterns,
    /// As they stand: MySQL with `partial_revokes = ON`.
    Literal,
}

/// What a privilege is held on, or needed on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// `*.*`
    Global,
    /// Every table of a database: its name in a need, a pattern in a grant.
    Schema(String),
    /// One table.
    Table {
        /// Its database.
        schema: String,
        /// Its name.
        table: String,
    },
    /// One stored routine.
    Routine {
        /// Its database.
        schema: String,
        /// `FUNCTION`, `PROCEDURE`, `PACKAGE` or `PACKAGE BODY`.
        kind: String,
        /// Its name.
        name: String,
    },
}

/// One line of `SHOW GRANTS`, without anything about passwords.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Held {
    /// Whom the line names: the account or one of its roles, as `user@host` or `role`.
    grantee: String,
    scope: Scope,
    /// Upper-case words; a privilege on one column is written ``SELECT (`column`)``.
    privileges: BTreeSet<String>,
    with_grant_option: bool,
}

/// What an account may do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Grants {
    held: Vec<Held>,
    /// Partial revokes (MySQL): what a global grant does not reach.
    revoked: Vec<Held>,
    roles: BTreeSet<String>,
    names: SchemaNames,
    unread: usize,
}

/// One privilege of one scope, for comparing two accounts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Privilege {
    /// On what, with the database part as a pattern.
    pub scope: Scope,
    /// The upper-case word; `GRANT OPTION` for the right to pass privileges on.
    pub word: String,
}

impl Grants {
    /// Reads the lines of `SHOW GRANTS FOR CURRENT_USER()` or `SHOW GRANTS FOR account`, together with the lines of the
    /// account's active roles.
    pub fn parse(lines: &[String]) -> Grants {
        let mut grants = Grants::default();
        for text in lines {
            match line::read(text) {
                Some(line::Line::Grant(held)) => grants.held.push(held),
                Some(line::Line::Revoke(held)) => grants.revoked.push(held),
                Some(line::Line::Roles(roles)) => grants.roles.extend(roles),
                Some(line::Line::Nothing) => {}
                None => grants.unread += 1,
            }
        }
        grants
    }

    /// Says how the server reads wildcards in database names (`@@partial_revokes`).
    pub fn with_schema_names(mut self, names: SchemaNames) -> Grants {
        self.names = names;
        self
    }

    /// Returns how many lines could not be read.
    pub fn unread(&self) -> usize {
        self.unread
    }

    /// Returns the roles granted, as `role` or `role@host`, whether active or not.
    pub fn roles(&self) -> &BTreeSet<String> {
        &self.roles
    }

    /// Returns how the server reads wildcards in database names.
    pub fn schema_names(&self) -> SchemaNames {
        self.names
    }

    /// Adds what another list of grants holds: those of a role.
    pub fn joined_by(mut self, other: &Grants) -> Grants {
        self.held.extend(other.held.iter().cloned());
        self.revoked.extend(other.revoked.iter().cloned());
        self.roles.extend(other.roles.iter().cloned());
        self.unread += other.unread;
        self
    }

    /// Returns the needs that are not met, each cut down to the privileges that are missing.
    pub fn missing(&self, needs: &[Need]) -> Vec<Need> {
        needs.iter().filter_map(|need| self.lacks(need)).collect()
    }

    fn lacks(&self, need: &Need) -> Option<Need> {
        if need.instead.as_deref().is_some_and(|other| self.lacks(other).is_none()) {
            return None;
        }
        let lacking: Vec<&'static str> =
            need.privileges.iter().copied().filter(|privilege| !self.has(privilege, &need.on)).collect();
        (!lacking.is_empty()).then(|| Need { privileges: lacking, ..need.clone() })
    }

    /// Returns whether a privilege is held on the whole of a scope.
    pub fn has(&self, privilege: &str, on: &Scope) -> bool {
        let globally = self.held.iter().any(|held| held.scope == Scope::Global && held.includes(privilege));
        match on {
            Scope::Global => globally,
            Scope::Schema(schema) => self.has_on_schema(privilege, schema, globally),
            Scope::Table { schema, .. } | Scope::Routine { schema, .. } => {
                self.has_on_schema(privilege, schema, globally)
                    || self.held.iter().any(|held| held.scope == *on && held.includes(privilege))
            }
        }
    }

    fn has_on_schema(&self, privilege: &str, schema: &str, globally: bool) -> bool {
        let taken_back = self.revoked.iter().any(|revoked| {
            matches!(&revoked.scope, Scope::Schema(name) if name == schema) && revoked.includes(privilege)
        });
        (globally && !taken_back) || self.schema_grants(schema).iter().any(|held| held.includes(privilege))
    }

    /// Returns the database-level line that counts for each grantee. The servers sort those lines and use only the
    /// first that matches: the most specific one, not the sum of all.
    fn schema_grants(&self, schema: &str) -> Vec<&Held> {
        let grantees: BTreeSet<&str> = self.held.iter().map(|held| held.grantee.as_str()).collect();
        let of_grantee = |grantee: &str| {
            let matching = self.held.iter().filter_map(|held| match &held.scope {
                Scope::Schema(pattern) if held.grantee == grantee && self.covers(pattern, schema) => {
                    Some((plain_prefix_chars(pattern), held))
                }
                _ => None,
            });
            matching.max_by_key(|(specific, _)| *specific).map(|(_, held)| held)
        };
        grantees.into_iter().filter_map(of_grantee).collect()
    }

    fn covers(&self, pattern: &str, schema: &str) -> bool {
        match self.names {
            SchemaNames::Literal => pattern == schema,
            SchemaNames::Patterns => like(pattern, schema),
        }
    }

    /// Returns whether the account could change something in a database: all of it, one table, one column, or through
    /// a routine.
    pub fn can_write(&self, schema: &str) -> bool {
        WRITING.iter().any(|privilege| self.has(privilege, &Scope::Schema(schema.to_owned())))
            || self.held.iter().any(|held| match &held.scope {
                Scope::Table { schema: there, .. } | Scope::Routine { schema: there, .. } => {
                    there == schema && held.includes_any_part_of(&WRITING)
                }
                Scope::Global | Scope::Schema(_) => false,
            })
    }

    /// Returns whether the account can make or unlock accounts, so that no lock on it means anything.
    pub fn is_administrator(&self) -> bool {
        ["CREATE USER", "SUPER"].iter().any(|privilege| self.has(privilege, &Scope::Global))
    }

    /// Lists every privilege that reaches one of these databases or all of them, in a stable order. USAGE is none.
    pub fn privileges_on(&self, schemas: &[String]) -> BTreeSet<Privilege> {
        let reaches = |held: &&Held| match &held.scope {
            Scope::Global => true,
            Scope::Schema(pattern) => schemas.iter().any(|schema| self.covers(pattern, schema)),
            Scope::Table { schema, .. } | Scope::Routine { schema, .. } => schemas.contains(schema),
        };
        let mut all = BTreeSet::new();
        for held in self.held.iter().filter(reaches) {
            let words = held.privileges.iter().filter(|word| *word != "USAGE").cloned();
            let option = held.with_grant_option.then(|| "GRANT OPTION".to_owned());
            all.extend(words.chain(option).map(|word| Privilege { scope: held.scope.clone(), word }));
        }
        all
    }

    /// Returns whether a privilege of another account is held here too, on the same scope or a wider one.
    pub fn holds(&self, wanted: &Privilege) -> bool {
        if wanted.word == "GRANT OPTION" {
            return self
                .held
                .iter()
                .any(|held| held.with_grant_option && (held.scope == wanted.scope || held.scope == Scope::Global));
        }
        let same_scope = self.held.iter().any(|held| held.scope == wanted.scope && held.includes(&wanted.word));
        same_scope || self.has(&wanted.word, &wanted.scope) || self.holds_whole_table(wanted)
    }

    /// A privilege on a column is covered by the same privilege on its table.
    fn holds_whole_table(&self, wanted: &Privilege) -> bool {
        wanted.word.split_once(" (").is_some_and(|(word, _)| self.has(word, &wanted.scope))
    }
}

impl Held {
    fn includes(&self, privilege: &str) -> bool {
        self.privileges.contains(privilege)
            || (self.privileges.contains(ALL) && privilege != "GRANT OPTION" && privilege != "PROXY")
    }

    fn includes_any_part_of(&self, words: &[&str]) -> bool {
        self.privileges.iter().any(|held| {
            let word = held.split_once(" (").map_or(held.as_str(), |(word, _)| word);
            word == ALL || words.contains(&word)
        })
    }
}

impl Privilege {
    /// Returns whether it lets its holder change data or structure.
    pub fn writes(&self) -> bool {
        let word = self.word.split_once(" (").map_or(self.word.as_str(), |(word, _)| word);
        word == ALL || WRITING.contains(&word)
    }
}

impl fmt::Display for Privilege {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ON {}", self.word, self.scope)
    }
}

impl fmt::Display for Scope {
    /// Prints the scope as GRANT takes it, the database part being a pattern.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::Global => f.write_str("*.*"),
            Scope::Schema(pattern) => write!(f, "{}.*", quoted(pattern)),
            Scope::Table { schema, table } => write!(f, "{}.{}", quoted(schema), quoted(table)),
            Scope::Routine { schema, kind, name } => write!(f, "{kind} {}.{}", quoted(schema), quoted(name)),
        }
    }
}

/// Quotes a name for a statement that is shown to a person. Statements that Leeward runs are made in `leeward-mysql`.
pub(crate) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Quotes a table's name for a statement that is shown to a person.
pub(crate) fn quoted_table(name: &TableName) -> String {
    format!("{}.{}", quoted(&name.schema), quoted(&name.table))
}

/// Quotes `user@host` as `CURRENT_USER()` prints it; a role has no host.
pub(crate) fn quoted_account(account: &str) -> String {
    match account.rsplit_once('@') {
        Some((user, host)) => format!("{}@{}", quoted(user), quoted(host)),
        None => quoted(account),
    }
}

/// Returns how many characters of a pattern stand before its first wildcard, which is how the servers rank patterns; a
/// pattern without one ranks above all others.
fn plain_prefix_chars(pattern: &str) -> usize {
    let mut count = 0;
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '%' | '_' => return count,
            '\\' => {
                chars.next();
                count += 1;
            }
            _ => count += 1,
        }
    }
    usize::MAX
}

/// Matches a LIKE pattern. Names are at most 64 characters, so that walking back over them is cheap.
fn like(pattern: &str, name: &str) -> bool {
    fn at(pattern: &[char], name: &[char]) -> bool {
        match (pattern.first(), name.first()) {
            (None, None) => true,
            (Some('%'), _) => at(&pattern[1..], name) || (!name.is_empty() && at(pattern, &name[1..])),
            (Some('_'), Some(_)) => at(&pattern[1..], &name[1..]),
            (Some('\\'), Some(c)) if pattern.len() > 1 => pattern[1] == *c && at(&pattern[2..], &name[1..]),
            (Some(p), Some(c)) => p == c && at(&pattern[1..], &name[1..]),
            _ => false,
        }
    }
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    at(&pattern, &name)
}
