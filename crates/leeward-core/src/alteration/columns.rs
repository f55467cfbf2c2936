//! Differences between the columns of two tables.

use super::kind::{Step, step};
use super::{Alteration, Effect, Verdict, same};
use crate::fingerprint::{is_set_by_clock, plain_expression};
use crate::readiness::plain_default;
use crate::table::{Column, Nullability, Table};

/// Adds what separates the target's columns from the source's.
pub(super) fn compare(planned: &Table, source: &Table, target: &Table, found: &mut Alteration) {
    found.renamed = renamed(planned, source, target);
    let renamed = found.renamed.clone();
    for (old, new) in &renamed {
        found.add(format!("column {old} is called {new}"), Effect::Rows, Verdict::Safe);
    }
    let there = |column: &Column| {
        let name = found_name(&renamed, &column.name);
        source.columns.iter().find(|other| same(&other.name, name))
    };
    for column in &target.columns {
        match there(column) {
            Some(there) => compare_column(there, column, found),
            None if planned.columns.iter().any(|known| same(&known.name, &column.name)) => {
                found.add(format!("column {} is dropped", column.name), Effect::Rows, Verdict::Safe);
                found.dropped.push(column.name.clone());
            }
            None => {
                let why = "the source never had it, so nobody but its maker knows what it holds";
                found.add(format!("column {} is on the target only", column.name), Effect::Rows, Verdict::Person(why));
            }
        }
    }
    for column in &source.columns {
        let here = target.columns.iter().any(|other| same(found_name(&renamed, &other.name), &column.name));
        if !here {
            let what = format!("column {} is added: {}", column.name, column.column_type);
            found.add(what, Effect::Rows, Verdict::Safe);
        }
    }
    let order: Vec<String> = source.columns.iter().map(|column| column.name.to_lowercase()).collect();
    let here = target.columns.iter().map(|column| found_name(&renamed, &column.name).to_lowercase());
    let here: Vec<String> = here.filter(|name| order.contains(name)).collect();
    let there: Vec<&String> = order.iter().filter(|name| here.contains(name)).collect();
    if there != here.iter().collect::<Vec<_>>() {
        found.add("columns stand in another order", Effect::Beside, Verdict::Safe);
    }
}

fn found_name<'a>(renamed: &'a [(String, String)], name: &'a str) -> &'a str {
    renamed.iter().find(|(old, _)| same(old, name)).map_or(name, |(_, new)| new)
}

/// Finds columns that went by another name: one that the source dropped and one that it added, alike in everything else
/// and in the same place. If it was no renaming after all, the new column holds the old one's values until the table
/// has been compared whole, and it does not count as kept before: so a wrong guess costs time and no value.
fn renamed(planned: &Table, source: &Table, target: &Table) -> Vec<(String, String)> {
    let in_table = |table: &Table, name: &str| table.columns.iter().any(|column| same(&column.name, name));
    let dropped: Vec<&Column> = target
        .columns
        .iter()
        .filter(|column| in_table(planned, &column.name) && !in_table(source, &column.name))
        .collect();
    let added: Vec<&Column> = source.columns.iter().filter(|column| !in_table(target, &column.name)).collect();
    // The number of columns before it that both sides have: other columns may have come and gone.
    let place = |table: &Table, other: &Table, column: &Column| {
        let before = table.columns.iter().take_while(|it| it.name != column.name);
        before.filter(|it| in_table(other, &it.name)).count()
    };
    let alike = |old: &Column, new: &Column| {
        let as_new = Column { name: new.name.clone(), ..old.clone() };
        place(target, source, old) == place(source, target, new) && as_new == *new
    };
    let mut pairs = Vec::new();
    for old in &dropped {
        let candidates: Vec<&&Column> = added.iter().filter(|new| alike(old, new)).collect();
        let rivals = candidates.first().map_or(0, |new| dropped.iter().filter(|other| alike(other, new)).count());
        if let ([new], 1) = (candidates.as_slice(), rivals) {
            pairs.push((old.name.clone(), new.name.clone()));
        }
    }
    pairs
}

fn compare_column(source: &Column, target: &Column, found: &mut Alteration) {
    let name = &source.name;
    let safe = |found: &mut Alteration, what: String, effect: Effect| found.add(what, effect, Verdict::Safe);
    let types = format!("column {name}: {} becomes {}", target.column_type, source.column_type);
    match step(&target.column_type, &source.column_type) {
        Step::Same => {}
        Step::Shown => safe(found, types, Effect::Beside),
        Step::Wider => safe(found, types, Effect::Rows),
        Step::Narrower => found.add(types, Effect::Rows, Verdict::Person("some values may not fit any more")),
        Step::Other => found.add(types, Effect::Rows, Verdict::Person("values are converted into another kind")),
    }
    if plain(&source.collation) != plain(&target.collation) {
        let told = |column: &Column| column.collation.clone().unwrap_or_else(|| "none".to_owned());
        let what = format!("column {name}: collation {} becomes {}", told(target), told(source));
        found.add(what, Effect::Rows, Verdict::Person("texts are converted, and compared in another way"));
    }
    match (target.nullable, source.nullable) {
        (Nullability::NotNull, Nullability::Nullable) => {
            safe(found, format!("column {name} may be NULL"), Effect::Rows);
        }
        (Nullability::Nullable, Nullability::NotNull) => {
            let why = "rows of the copy that still hold NULL would be changed or refused";
            found.add(format!("column {name} may not be NULL any more"), Effect::Rows, Verdict::Person(why));
        }
        _ => {}
    }
    match (target.generated, source.generated) {
        (None, Some(_)) | (Some(_), None) => {
            let why = "what was stored and what is computed are not the same";
            let word = if source.generated.is_some() { "computed" } else { "stored" };
            found.add(format!("column {name} is {word} now"), Effect::Rows, Verdict::Person(why));
        }
        (Some(here), Some(there)) => {
            let expression = |column: &Column| plain_expression(column.default.as_deref().unwrap_or_default());
            if here != there || expression(source).to_lowercase() != expression(target).to_lowercase() {
                safe(found, format!("column {name} is computed in another way"), Effect::Rows);
            }
        }
        (None, None) => {}
    }
    let stored = source.generated.is_none() && target.generated.is_none();
    if stored && plain_default(source) != plain_default(target) {
        // Who writes the clock decides how a table is kept.
        let effect = if is_set_by_clock(source) == is_set_by_clock(target) { Effect::Beside } else { Effect::Rows };
        safe(found, format!("column {name} has another default"), effect);
    }
    if source.on_update_now != target.on_update_now {
        let word = if source.on_update_now { "is set" } else { "is not set" };
        safe(found, format!("column {name} {word} at updates"), Effect::Rows);
    }
    if source.auto_increment != target.auto_increment {
        safe(found, format!("column {name}: AUTO_INCREMENT"), Effect::Beside);
    }
    if source.invisible != target.invisible {
        safe(found, format!("column {name}: INVISIBLE"), Effect::Beside);
    }
}

/// `utf8` and `utf8mb3` are one character set under two names.
fn plain(collation: &Option<String>) -> Option<String> {
    collation.as_ref().map(|name| match name.strip_prefix("utf8_") {
        Some(rest) => format!("utf8mb3_{rest}"),
        None => name.clone(),
    })
}
