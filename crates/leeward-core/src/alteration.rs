//! What separates a table on the target from the same table on the source, and whether Leeward may close the gap by
//! itself. Pure: three definitions in, changes with a verdict each out. How a change is written as DDL is decided where
//! SQL is known, and nothing is run from here.
//!
//! The third definition is the plan's: the last that the source is known to have had. What only the target has, and the
//! source never had, was made there by a person and is not taken away.

mod columns;
mod kind;

use crate::fingerprint::fingerprint;
use crate::readiness::{same_foreign_key, same_key};
use crate::table::{Key, Table};

/// What must happen to the target's table so that it is like the source's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Alteration {
    /// Every difference, in the order of columns, keys, the rest.
    pub changes: Vec<Change>,
    /// Columns of the target that the source has had and dropped.
    pub dropped: Vec<String>,
    /// Columns that go by another name on the source: the target's name, then the source's.
    pub renamed: Vec<(String, String)>,
    /// Keys of the target that the source has had and dropped, or has in another form now.
    pub stale_keys: Vec<String>,
    /// Foreign keys of the target that the source has had and dropped, or has in another form now.
    pub stale_foreign_keys: Vec<String>,
    /// The source's default collation, where the target has another.
    pub collation: Option<String>,
}

/// One statement that brings the target's table nearer to the source's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The whole statement, as a person could run it.
    pub sql: String,
    /// Whether rows can be written until it has been run.
    pub effect: Effect,
    /// Who runs it. What the definitions as a whole leave to a person stands in [`Alteration::for_a_person`].
    pub verdict: Verdict,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What differs, for a person.
    pub what: String,
    /// Whether rows can be written meanwhile.
    pub effect: Effect,
    /// Who makes it.
    pub verdict: Verdict,
}

/// What a difference does to the rows, as long as it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Rows of the source may not fit the target, or not mean the same there: the table waits.
    Rows,
    /// Rows are written and compared as ever: an index, a default, a rule between tables.
    Beside,
}

/// Who makes a change on the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Leeward may, where the policy says so: no row is lost by it that the source still has.
    Safe,
    /// A person, for this reason.
    Person(&'static str),
}

impl Alteration {
    /// Compares. `planned` is the source's table as the plan has it, `source` as it is now.
    pub fn between(planned: &Table, source: &Table, target: &Table) -> Alteration {
        let mut found = Alteration::default();
        if !source.engine.eq_ignore_ascii_case(&target.engine) {
            let what = format!("engine {} becomes {}", target.engine, source.engine);
            found.add(what, Effect::Rows, Verdict::Person("another engine keeps its promises differently"));
        }
        columns::compare(planned, source, target, &mut found);
        found.row_key(source, target);
        found.keys(planned, source, target);
        found.foreign_keys(planned, source, target);
        if source.partitioned != target.partitioned {
            let what = if source.partitioned { "it is partitioned now" } else { "it is not partitioned any more" };
            found.add(what, Effect::Beside, Verdict::Person("partitions follow the place where they lie"));
        }
        if source.collation != target.collation {
            let what = format!("default collation {} becomes {}", target.collation, source.collation);
            found.add(what, Effect::Beside, Verdict::Safe);
            found.collation = Some(source.collation.clone());
        }
        found
    }

    /// Returns whether the table has to wait until the change is made.
    pub fn touches_rows(&self) -> bool {
        self.changes.iter().any(|change| change.effect == Effect::Rows)
    }

    /// Returns the changes that a person must make, each with the reason.
    pub fn for_a_person(&self) -> Vec<String> {
        let told = |change: &Change| match change.verdict {
            Verdict::Safe => None,
            Verdict::Person(why) => Some(format!("{} ({why})", change.what)),
        };
        self.changes.iter().filter_map(told).collect()
    }

    /// Returns all changes as one phrase.
    pub fn text(&self) -> String {
        self.changes.iter().map(|change| change.what.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn add(&mut self, what: impl Into<String>, effect: Effect, verdict: Verdict) {
        self.changes.push(Change { what: what.into(), effect, verdict });
    }

    /// A row is found again on the target by its key, so both sides must have the same one.
    fn row_key(&mut self, source: &Table, target: &Table) {
        let key = |table: &Table| table.row_key().map(|key| key.iter().map(|part| part.name.clone()).collect());
        let (there, here): (Option<Vec<String>>, Option<Vec<String>>) = (key(source), key(target));
        let here = here.map(|names| names.iter().map(|name| self.new_name(name).to_lowercase()).collect::<Vec<_>>());
        let there = there.map(|names| names.iter().map(|name| name.to_lowercase()).collect::<Vec<_>>());
        if there != here {
            let told = |key: &Option<Vec<String>>| key.as_ref().map_or("none".to_owned(), |names| names.join(", "));
            let what = format!("row key {} becomes {}", told(&here), told(&there));
            self.add(what, Effect::Rows, Verdict::Person("rows are told apart in another way"));
        }
    }

    /// Returns what a column of the target is called on the source.
    fn new_name<'a>(&'a self, name: &'a str) -> &'a str {
        let renamed = self.renamed.iter().find(|(old, _)| old.eq_ignore_ascii_case(name));
        renamed.map_or(name, |(_, new)| new)
    }

    fn keys(&mut self, planned: &Table, source: &Table, target: &Table) {
        let of = |table: &'_ Table, key: &Key| table.keys.iter().position(|other| same(&other.name, &key.name));
        let renamed = self.with_new_names(target);
        for (key, here) in target.keys.iter().zip(&renamed) {
            let there = of(source, key).map(|at| &source.keys[at]);
            if there.is_some_and(|there| same_key(there, here)) {
                continue;
            }
            let known = of(planned, key).is_some();
            match (there, known, key.unique) {
                // Someone wants it on the target: it costs time, and refuses nothing.
                (None, false, false) => continue,
                (None, false, true) => {
                    let why = "the source never had it, and it may refuse what the source holds";
                    self.add(
                        format!("unique index {} is on the target only", key.name),
                        Effect::Rows,
                        Verdict::Person(why),
                    );
                    continue;
                }
                (None, true, unique) => {
                    let effect = if unique { Effect::Rows } else { Effect::Beside };
                    self.add(format!("index {} is dropped", key.name), effect, Verdict::Safe);
                }
                (Some(there), _, unique) => {
                    let effect = if unique || there.unique { Effect::Rows } else { Effect::Beside };
                    self.add(format!("index {} changes", key.name), effect, Verdict::Safe);
                }
            }
            self.stale_keys.push(key.name.clone());
        }
        for key in source.keys.iter().filter(|key| of(target, key).is_none()) {
            // Rows fit without it. A unique one comes when the rows are right, or it would refuse those that are not yet.
            let word = if key.unique { "unique index" } else { "index" };
            self.add(format!("{word} {} is added", key.name), Effect::Beside, Verdict::Safe);
        }
    }

    /// Returns the target's keys as they will be called once the columns have their new names.
    fn with_new_names(&self, target: &Table) -> Vec<Key> {
        let mut keys = target.keys.clone();
        for part in keys.iter_mut().flat_map(|key| &mut key.parts) {
            part.column = part.column.take().map(|name| self.new_name(&name).to_owned());
        }
        keys
    }

    fn foreign_keys(&mut self, planned: &Table, source: &Table, target: &Table) {
        for key in &target.foreign_keys {
            let there = source.foreign_keys.iter().find(|other| same(&other.name, &key.name));
            let known = planned.foreign_keys.iter().any(|other| same(&other.name, &key.name));
            match there {
                Some(there) if same_foreign_key(there, key) => continue,
                None if !known => continue,
                Some(_) => self.add(format!("foreign key {} changes", key.name), Effect::Beside, Verdict::Safe),
                None => self.add(format!("foreign key {} is dropped", key.name), Effect::Beside, Verdict::Safe),
            }
            self.stale_foreign_keys.push(key.name.clone());
        }
        let lacks = |name: &str| !target.foreign_keys.iter().any(|other| same(&other.name, name));
        for key in source.foreign_keys.iter().filter(|key| lacks(&key.name)) {
            self.add(format!("foreign key {} is added", key.name), Effect::Beside, Verdict::Safe);
        }
    }
}

/// Returns whether rows that a cut read by the plan's definition are what the source had: its table was still the same.
pub fn is_as_planned(planned: &Table, now: &Table) -> bool {
    fingerprint(planned) == fingerprint(now)
}

/// Both servers compare names of columns, keys and constraints without case.
fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

#[cfg(test)]
mod tests;
