//! Whether a stored plan still fits the source, told table by table and column by column. Only definitions are
//! compared: that a table has grown, or changes in another way than before, does not make a plan stale.

use crate::name::TableName;
use crate::plan::{Plan, PlannedTable};
use crate::table::{Column, ForeignKey, Key, Nullability, Table};

/// A table that is not as the plan has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaleTable {
    /// Which.
    pub name: TableName,
    /// What would follow from going on with the plan.
    pub effect: StaleEffect,
    /// Each difference as a sentence.
    pub how: Vec<String>,
}

/// What would follow from going on with a plan that is stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StaleEffect {
    /// The rows stay right, but another plan might be better (an index, a default), or would hold more (a new table).
    Outdated,
    /// Rows could be missed or refused: columns, the row key, the mark column or the engine changed, or the table went.
    Wrong,
}

impl Plan {
    /// Compares the plan with the tables that are there now, in the order of their names. Tables that the plan leaves
    /// out may be as they like.
    pub fn stale_against(&self, tables: &[Table]) -> Vec<StaleTable> {
        let mut stale = Vec::new();
        for planned in &self.tables {
            let found = match tables.iter().find(|now| now.name == planned.table.name) {
                Some(now) => compare(planned, now),
                None => Changes(vec![(StaleEffect::Wrong, "is gone".to_owned())]),
            };
            stale.extend(found.into_stale(&planned.table.name));
        }
        let planned = |name: &TableName| self.tables.iter().any(|planned| planned.table.name == *name);
        let left_out = |name: &TableName| self.left_out.iter().any(|left| left.name == *name);
        for now in tables.iter().filter(|now| !planned(&now.name) && !left_out(&now.name)) {
            let new = Changes(vec![(StaleEffect::Outdated, "is new: nothing of it is copied".to_owned())]);
            stale.extend(new.into_stale(&now.name));
        }
        stale.sort_by(|a, b| a.name.cmp(&b.name));
        stale
    }
}

/// Differences with what follows from each.
#[derive(Default)]
struct Changes(Vec<(StaleEffect, String)>);

impl Changes {
    fn into_stale(self, name: &TableName) -> Option<StaleTable> {
        let effect = self.0.iter().map(|(effect, _)| *effect).max()?;
        let how = self.0.into_iter().map(|(_, text)| text).collect();
        Some(StaleTable { name: name.clone(), effect, how })
    }

    fn add(&mut self, effect: StaleEffect, text: String) {
        self.0.push((effect, text));
    }

    fn differ(&mut self, effect: StaleEffect, what: &str, was: &str, is: &str) {
        if was != is {
            self.add(effect, format!("{what} was {was} and is {is}"));
        }
    }
}

fn compare(planned: &PlannedTable, now: &Table) -> Changes {
    let was = &planned.table;
    let mut changes = Changes::default();
    let engine = if now.transactional() { StaleEffect::Outdated } else { StaleEffect::Wrong };
    changes.differ(engine, "engine", &was.engine, &now.engine);
    changes.differ(StaleEffect::Outdated, "default collation", &was.collation, &now.collation);
    let partitioned = |table: &Table| if table.partitioned { "partitioned" } else { "one piece" };
    changes.differ(StaleEffect::Outdated, "storage", partitioned(was), partitioned(now));
    compare_columns(planned, now, &mut changes);
    compare_keys(was, now, &mut changes);
    compare_foreign_keys(was, now, &mut changes);
    changes
}

fn compare_columns(planned: &PlannedTable, now: &Table, changes: &mut Changes) {
    let was = &planned.table;
    for column in &was.columns {
        match now.columns.iter().find(|other| other.name == column.name) {
            Some(other) => compare_column(planned, column, other, changes),
            None => changes.add(StaleEffect::Wrong, format!("column {} is gone", column.name)),
        }
    }
    for column in &now.columns {
        if !was.columns.iter().any(|other| other.name == column.name) {
            changes.add(StaleEffect::Wrong, format!("column {} is new: {}", column.name, column.column_type));
        }
    }
    let order = |table: &Table, other: &Table| -> Vec<String> {
        let shared = table.columns.iter().filter(|column| other.columns.iter().any(|it| it.name == column.name));
        shared.map(|column| column.name.clone()).collect()
    };
    if order(was, now) != order(now, was) {
        changes.add(StaleEffect::Outdated, "columns stand in another order".to_owned());
    }
}

fn compare_column(planned: &PlannedTable, was: &Column, now: &Column, changes: &mut Changes) {
    let name = format!("column {}", was.name);
    let optional = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
    let nullable = |column: &Column| match column.nullable {
        Nullability::NotNull => "NOT NULL",
        Nullability::Nullable => "NULL",
    };
    let generated = |column: &Column| match column.generated {
        None => "stored by writers".to_owned(),
        Some(kind) => format!("generated ({kind:?})").to_lowercase(),
    };
    let yes = |it: bool| if it { "on" } else { "off" };
    changes.differ(StaleEffect::Wrong, &name, &was.column_type, &now.column_type);
    changes.differ(StaleEffect::Wrong, &name, nullable(was), nullable(now));
    changes.differ(StaleEffect::Wrong, &name, &generated(was), &generated(now));
    let of = |what: &str| format!("{what} of {name}");
    changes.differ(StaleEffect::Wrong, &of("collation"), &optional(&was.collation), &optional(&now.collation));
    // What fills a column in on the source does not matter to a copy that writes every column (T27), except for the
    // mark column, whose trust rests on it.
    let marks = planned.mark_column.as_ref().is_some_and(|mark| *mark == was.name);
    let effect = if marks { StaleEffect::Wrong } else { StaleEffect::Outdated };
    changes.differ(effect, &of("default"), &optional(&was.default), &optional(&now.default));
    changes.differ(effect, &of("ON UPDATE"), yes(was.on_update_now), yes(now.on_update_now));
    changes.differ(effect, &of("AUTO_INCREMENT"), yes(was.auto_increment), yes(now.auto_increment));
    changes.differ(StaleEffect::Outdated, &of("INVISIBLE"), yes(was.invisible), yes(now.invisible));
}

fn compare_keys(was: &Table, now: &Table, changes: &mut Changes) {
    let row_key = |table: &Table| match table.row_key() {
        Some(key) => key.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", "),
        None => "none".to_owned(),
    };
    changes.differ(StaleEffect::Wrong, "row key", &row_key(was), &row_key(now));
    for key in &was.keys {
        // A unique index that only the target still has refuses rows that the source holds.
        let effect = if key.unique { StaleEffect::Wrong } else { StaleEffect::Outdated };
        match now.keys.iter().find(|other| other.name == key.name) {
            Some(other) => changes.differ(effect, &format!("index {}", key.name), &key_text(key), &key_text(other)),
            None => changes.add(effect, format!("index {} is gone", key.name)),
        }
    }
    for key in &now.keys {
        if !was.keys.iter().any(|other| other.name == key.name) {
            changes.add(StaleEffect::Outdated, format!("index {} is new: {}", key.name, key_text(key)));
        }
    }
}

fn key_text(key: &Key) -> String {
    let part = |part: &crate::table::KeyPart| {
        let column = part.column.as_deref().unwrap_or("an expression");
        match part.prefix_chars {
            Some(chars) => format!("{column}({chars})"),
            None => column.to_owned(),
        }
    };
    let parts: Vec<String> = key.parts.iter().map(part).collect();
    let unique = if key.unique { "UNIQUE " } else { "" };
    format!("{unique}{} ({})", key.method, parts.join(", "))
}

fn compare_foreign_keys(was: &Table, now: &Table, changes: &mut Changes) {
    let text = |key: &ForeignKey| {
        let (columns, parents) = (key.columns.join(", "), key.parent_columns.join(", "));
        let (delete, update) = (&key.on_delete, &key.on_update);
        format!("({columns}) to {} ({parents}) ON DELETE {delete} ON UPDATE {update}", key.parent)
    };
    for key in &was.foreign_keys {
        let what = format!("foreign key {}", key.name);
        match now.foreign_keys.iter().find(|other| other.name == key.name) {
            Some(other) => changes.differ(StaleEffect::Outdated, &what, &text(key), &text(other)),
            None => changes.add(StaleEffect::Outdated, format!("{what} is gone")),
        }
    }
    for key in &now.foreign_keys {
        if !was.foreign_keys.iter().any(|other| other.name == key.name) {
            changes.add(StaleEffect::Outdated, format!("foreign key {} is new: {}", key.name, text(key)));
        }
    }
}
