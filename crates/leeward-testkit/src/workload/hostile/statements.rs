//! Random statements for any table: inserts, updates, deletes, changed keys, swapped unique values, REPLACE, ON DUPLICATE
//! KEY UPDATE, bulk updates whose rows share one clock value.
//!
//! Rows are found by their place in key order, and their keys are kept in user variables: no value has to be read, quoted
//! and sent back.

use super::column::{Column, Filled};
use super::literals::{Size, value};
use super::shape::Shape;
use crate::workload::{SplitMix64, quoted};

/// What of a table is done to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Insert,
    Update,
    Delete,
    ChangeKey,
    SwapUnique,
    Replace,
    Upsert,
    BulkUpdate,
}

/// Rows that a bulk update touches at most: ties larger than the smallest batch, far below the brake.
const BULK_ROWS: u64 = 240;

/// Of so many updates of a table with a clock, one leaves the clock as it was: only comparing finds it.
const BEHIND_CLOCK_ONE_IN: u64 = 60;

/// Of so many deeds on a table that is declared insert-only, one is another: only comparing finds it.
const CONTRADICTION_ONE_IN: u64 = 40;

/// Rows that a table may grow to, as a multiple of what it began with, before deletes prevail.
const GROWTH_MAX: u64 = 2;

/// Returns the statements of one deed. The last of them changes rows.
pub(super) fn deed(shape: &Shape, shapes: &[Shape], first_rows: u64, random: &mut SplitMix64) -> Vec<String> {
    let maker = Maker { shape, shapes };
    match choose(shape, first_rows, random) {
        Deed::Insert => maker.insert(random),
        Deed::Update => maker.update(random, Size::Any, 1),
        Deed::Delete => maker.delete(random),
        Deed::ChangeKey => maker.change_key(random),
        Deed::SwapUnique => maker.swap_unique(random),
        Deed::Replace => maker.replace(random),
        Deed::Upsert => maker.upsert(random),
        Deed::BulkUpdate => {
            let rows = 2 + random.below(BULK_ROWS);
            maker.update(random, Size::Small, rows)
        }
    }
}

fn choose(shape: &Shape, first_rows: u64, random: &mut SplitMix64) -> Deed {
    let drawn = random.below(100);
    let contradicts = random.below(CONTRADICTION_ONE_IN) == 0;
    if shape.is_added_to && !contradicts {
        return Deed::Insert;
    }
    let is_full = shape.rows > GROWTH_MAX * first_rows + 50;
    match drawn {
        0..=29 if is_full => Deed::Delete,
        0..=24 => Deed::Insert,
        25..=54 => Deed::Update,
        55..=66 => Deed::Delete,
        67..=72 => Deed::ChangeKey,
        73..=78 => Deed::SwapUnique,
        79..=86 => Deed::Replace,
        87..=94 => Deed::Upsert,
        _ => Deed::BulkUpdate,
    }
}

/// Makes statements for one table.
struct Maker<'a> {
    shape: &'a Shape,
    shapes: &'a [Shape],
}

impl Maker<'_> {
    /// Returns the columns that an INSERT names: all but those that the server fills.
    fn written(&self) -> Vec<&Column> {
        self.shape.columns.iter().filter(|column| column.filled == Filled::Traffic).collect()
    }

    /// Notes a row of each table that is referred to in `@p0`, `@p1`, …, one variable a column.
    fn note_parents(&self, random: &mut SplitMix64) -> Vec<String> {
        let mut statements = Vec::new();
        let mut variable = 0;
        for reference in &self.shape.references {
            let parent = self.shapes.iter().find(|shape| shape.name == reference.parent);
            let offset = random.below(parent.map_or(1, |parent| parent.rows));
            let columns: Vec<String> = reference.parent_columns.iter().map(|name| quoted(name)).collect();
            let variables: Vec<String> =
                columns.iter().enumerate().map(|(at, _)| format!("@p{}", variable + at)).collect();
            variable += columns.len();
            let columns = columns.join(", ");
            statements.push(format!(
                "SELECT {columns} INTO {} FROM {} ORDER BY {columns} LIMIT 1 OFFSET {offset}",
                variables.join(", "),
                reference.parent
            ));
        }
        statements
    }

    /// Returns the variable that [`Maker::note_parents`] keeps for a column, if it refers to another table.
    fn parent_variable(&self, column: &Column) -> Option<String> {
        let referring = self.shape.references.iter().flat_map(|reference| &reference.columns);
        referring.enumerate().find(|(_, name)| **name == column.name).map(|(at, _)| format!("@p{at}"))
    }

    /// Returns a value for a column: a parent's key mostly where it refers to one.
    fn value(&self, column: &Column, random: &mut SplitMix64, size: Size) -> String {
        let own = value(column, random, size);
        let alone = column.is_nullable && random.below(6) == 0;
        match self.parent_variable(column) {
            Some(_) if alone => "NULL".to_owned(),
            Some(variable) => variable,
            None => own,
        }
    }

    fn values(&self, columns: &[&Column], random: &mut SplitMix64, size: Size) -> String {
        let values: Vec<String> = columns.iter().map(|column| self.value(column, random, size)).collect();
        format!("({})", values.join(", "))
    }

    /// Returns what rows are ordered by: the key, or the first column.
    fn order(&self) -> Vec<String> {
        if self.shape.key.is_empty() {
            return self.shape.columns.iter().take(1).map(|column| quoted(&column.name)).collect();
        }
        self.shape.key.iter().map(|name| quoted(name)).collect()
    }

    /// Notes the key of a random row in `@k0`, `@k1`, …; `prefix` tells two such rows apart.
    fn note_row(&self, prefix: &str, more: &[String], random: &mut SplitMix64) -> String {
        let order = self.order();
        let offset = random.below(self.shape.rows);
        let columns: Vec<&String> = order.iter().chain(more).collect();
        let variables: Vec<String> = (0..columns.len()).map(|at| format!("@{prefix}{at}")).collect();
        let columns: Vec<&str> = columns.into_iter().map(String::as_str).collect();
        format!(
            "SELECT {} INTO {} FROM {} ORDER BY {} LIMIT 1 OFFSET {offset}",
            columns.join(", "),
            variables.join(", "),
            self.shape.name,
            order.join(", ")
        )
    }

    fn is_row(&self, prefix: &str) -> String {
        let equal: Vec<String> =
            self.order().iter().enumerate().map(|(at, column)| format!("{column} <=> @{prefix}{at}")).collect();
        equal.join(" AND ")
    }

    fn insert(&self, random: &mut SplitMix64) -> Vec<String> {
        let columns = self.written();
        let mut statements = self.note_parents(random);
        let names: Vec<String> = columns.iter().map(|column| quoted(&column.name)).collect();
        let rows = random.one_to(4);
        let size = if rows == 1 { Size::Any } else { Size::Small };
        let rows: Vec<String> = (0..rows).map(|_| self.values(&columns, random, size)).collect();
        statements.push(format!("INSERT INTO {} ({}) VALUES {}", self.shape.name, names.join(", "), rows.join(", ")));
        statements
    }

    fn update(&self, random: &mut SplitMix64, size: Size, rows: u64) -> Vec<String> {
        let shape = self.shape;
        let may_change = |column: &&Column| {
            let tied = rows > 1 && shape.is_unique(column);
            column.filled == Filled::Traffic && !shape.is_key(column) && !tied
        };
        let behind = random.below(BEHIND_CLOCK_ONE_IN) == 0;
        let columns: Vec<&Column> = shape.columns.iter().filter(may_change).collect();
        let mut statements = self.note_parents(random);
        statements.push(self.note_row("k", &[], random));
        let chosen = choose_some(&columns, random);
        let mut sets: Vec<String> = chosen
            .iter()
            .map(|column| format!("{} = {}", quoted(&column.name), self.value(column, random, size)))
            .collect();
        if sets.is_empty() {
            // A table of nothing but its key has nothing else to change.
            return self.delete(random);
        }
        // Never together with a foreign key: the rows of the lane would not fit together until it is compared.
        let refers = chosen.iter().any(|column| self.parent_variable(column).is_some());
        if behind && !refers {
            let touched = shape.columns.iter().filter(|column| column.is_touched);
            sets.extend(touched.map(|column| format!("{0} = {0}", quoted(&column.name))));
        }
        statements.push(format!("UPDATE {} SET {}{}", shape.name, sets.join(", "), self.rows_from(rows, random)));
        statements
    }

    /// Returns the clause that names the noted row, or so many beginning with it; any rows where there is no key.
    fn rows_from(&self, rows: u64, random: &mut SplitMix64) -> String {
        let (order, drawn) = (self.order(), random.below(1 << 20));
        if self.shape.key.is_empty() {
            format!(" ORDER BY RAND({drawn}) LIMIT {rows}")
        } else if rows == 1 {
            format!(" WHERE {}", self.is_row("k"))
        } else {
            format!(" WHERE {} >= @k0 ORDER BY {} LIMIT {rows}", order[0], order.join(", "))
        }
    }

    fn delete(&self, random: &mut SplitMix64) -> Vec<String> {
        let rows = if random.below(5) == 0 { random.one_to(10) } else { 1 };
        let noted = self.note_row("k", &[], random);
        vec![noted, format!("DELETE FROM {}{}", self.shape.name, self.rows_from(rows, random))]
    }

    fn change_key(&self, random: &mut SplitMix64) -> Vec<String> {
        let keys: Vec<&Column> = self.shape.columns.iter().filter(|column| self.shape.is_key(column)).collect();
        if keys.is_empty() {
            return self.update(random, Size::Any, 1);
        }
        let column = keys[random.below(keys.len() as u64) as usize];
        let mut statements = self.note_parents(random);
        statements.push(self.note_row("k", &[], random));
        let new = match column.filled {
            // Far above the counter, which would hand it out again.
            Filled::Counter => (10_000 + random.below(20_000)).to_string(),
            _ => self.value(column, random, Size::Small),
        };
        let from = self.rows_from(1, random);
        statements.push(format!("UPDATE {} SET {} = {new}{from}", self.shape.name, quoted(&column.name)));
        statements
    }

    fn swap_unique(&self, random: &mut SplitMix64) -> Vec<String> {
        let single = |unique: &&Vec<String>| unique.len() == 1 && !self.shape.key.is_empty();
        let unique = self.shape.uniques.iter().find(single).and_then(|unique| self.shape.column(&unique[0]));
        let Some(column) = unique else { return self.update(random, Size::Any, 1) };
        let name = quoted(&column.name);
        let more = [name.clone()];
        let at = self.order().len();
        let (one, other) = (self.note_row("k", &more, random), self.note_row("l", &more, random));
        let between = value(column, random, Size::Small);
        let set =
            |to: &str, row: &str| format!("UPDATE {} SET {name} = {to} WHERE {}", self.shape.name, self.is_row(row));
        vec![one, other, set(&between, "k"), set(&format!("@k{at}"), "l"), set(&format!("@l{at}"), "k")]
    }

    /// Writes over a row that is there, and over whatever else has its unique values.
    fn replace(&self, random: &mut SplitMix64) -> Vec<String> {
        let (mut statements, names, values) = self.whole_row(random);
        statements.push(format!("REPLACE INTO {} ({names}) VALUES ({values})", self.shape.name));
        statements
    }

    fn upsert(&self, random: &mut SplitMix64) -> Vec<String> {
        let (mut statements, names, values) = self.whole_row(random);
        let columns: Vec<&Column> = self.written().into_iter().filter(|column| !self.shape.is_key(column)).collect();
        let chosen = choose_some(&columns, random);
        let sets: Vec<String> = chosen
            .iter()
            .map(|column| format!("{} = {}", quoted(&column.name), self.value(column, random, Size::Small)))
            .collect();
        let verb = if sets.is_empty() { "INSERT IGNORE" } else { "INSERT" };
        let tail =
            if sets.is_empty() { String::new() } else { format!(" ON DUPLICATE KEY UPDATE {}", sets.join(", ")) };
        statements.push(format!("{verb} INTO {} ({names}) VALUES ({values}){tail}", self.shape.name));
        statements
    }

    /// Returns the columns and values of a row with the key of one that is there.
    fn whole_row(&self, random: &mut SplitMix64) -> (Vec<String>, String, String) {
        let mut statements = self.note_parents(random);
        statements.push(self.note_row("k", &[], random));
        let written = |column: &&Column| column.filled == Filled::Traffic || self.shape.is_key(column);
        let columns: Vec<&Column> = self.shape.columns.iter().filter(written).collect();
        let names: Vec<String> = columns.iter().map(|column| quoted(&column.name)).collect();
        let values: Vec<String> = columns
            .iter()
            .map(|column| {
                let own = self.value(column, random, Size::Any);
                let key = self.shape.key.iter().position(|name| *name == column.name);
                key.map_or(own, |at| format!("@k{at}"))
            })
            .collect();
        (statements, names.join(", "), values.join(", "))
    }
}

/// Returns one to four of some columns, or none where there are none.
fn choose_some<'a>(columns: &[&'a Column], random: &mut SplitMix64) -> Vec<&'a Column> {
    let (first, count) = (random.next_u64(), random.one_to(4));
    let count = count.min(columns.len() as u64);
    (0..count).map(|at| columns[((first + at) % columns.len() as u64) as usize]).collect()
}
