//! What the policy says of deletes that need no comparing: columns that mark rows as deleted, and tombstone tables. The
//! latter can be judged only once it is known how every table is kept.

use crate::class::{Confidence, Strategy};
use crate::measure;
use crate::plan::{LeftOut, PlannedTable, SoftDelete, Tombstones};
use crate::planner::choice::Choice;
use crate::planner::subject::{Extent, Subject, same};
use crate::planner::{PlanMistake, advice, clock};
use crate::policy::{Policy, TableRule};
use crate::survey::Survey;
use crate::table::Column;

/// Weighs the column that marks a table's rows as deleted, if the policy names one. The mark of deletion is a change like any
/// other: what matters is that the next cycle sees it.
///
/// # Errors
/// A column that cannot be one.
pub(super) fn add_soft_delete(
    subject: &Subject<'_>,
    choice: Choice,
) -> Result<(Choice, Option<SoftDelete>), PlanMistake> {
    let rule = subject.policy.rule_for(&subject.seen.table.name);
    let Some((rule, name)) = rule.and_then(|rule| Some((rule, rule.known.soft_delete.as_deref()?))) else {
        return Ok((choice, None));
    };
    weigh(subject, choice, name).map(|(choice, soft)| (choice, Some(soft))).map_err(|text| PlanMistake {
        file: subject.policy.file().to_owned(),
        line: rule.line,
        table: subject.seen.table.name.clone(),
        text,
    })
}

fn weigh(subject: &Subject<'_>, mut choice: Choice, name: &str) -> Result<(Choice, SoftDelete), String> {
    let table = &subject.seen.table;
    let Some(column) = table.column(name) else {
        return Err(format!("has no column {name}, which soft_delete names"));
    };
    let name = column.name.clone();
    let mut soft = SoftDelete { column: name.clone(), overlap_s: None };
    let mark = choice.mark_column.as_deref().and_then(|mark| table.column(mark));
    match (choice.strategy, mark) {
        (Strategy::Watch, _) => {
            return Err(format!(
                "is kept by watch, as a table whose rows do not change: soft_delete = \"{name}\" says they do"
            ));
        }
        (Strategy::Reconcile, _) | (_, None) => {
            choice.reasons.push(format!("soft deletes ({name}) are seen as all changes are: by comparing"));
        }
        (_, Some(mark)) if same(&mark.name, &name) => {
            return Err(format!(
                "has {name} for its clock and for soft_delete: rows that are not deleted would have no clock"
            ));
        }
        (Strategy::Merge, Some(mark)) if mark.on_update_now => {
            choice.reasons.push(format!("a soft delete ({name}) moves {}, which the server keeps", mark.name));
        }
        (_, Some(mark)) if !clock::is_temporal(column) => {
            let text = format!(
                "a soft delete that does not move {} waits for the comparison: {name} is no DATETIME or TIMESTAMP, so it \
                 cannot be followed itself",
                mark.name
            );
            choice = choice.weakened(Confidence::Medium, text);
        }
        (_, Some(mark)) if subject.index_on(column).is_none() && subject.extent() == Extent::Large => {
            let text = format!(
                "a soft delete that does not move {} waits for the comparison: {name} has no index, and the table is too \
                 large to read in every cycle",
                mark.name
            );
            choice = choice.weakened(Confidence::Medium, text);
            choice.advice.push(advice::index(table, column));
        }
        (_, Some(_)) => {
            let overlap_s = subject.policy.unproven_overlap_s();
            let window = measure::span(overlap_s);
            choice
                .reasons
                .push(format!("soft deletes are read by {name} as well, {window} below its mark again in every cycle"));
            if column.data_type == "datetime" {
                choice
                    .reasons
                    .push(format!("{name} is a DATETIME: the application must write it in UTC, which cannot be seen"));
            }
            soft.overlap_s = Some(overlap_s);
        }
    }
    choice.reasons.push("a row that is really deleted is found by comparing, and contradicts soft_delete".into());
    Ok((choice, soft))
}

/// Puts the policy's tombstone tables into the plan's lines, or says what is wrong with them.
pub(super) fn add_tombstones(
    policy: &Policy,
    survey: &Survey,
    (tables, left_out): (&mut [PlannedTable], &[LeftOut]),
    mistakes: &mut Vec<PlanMistake>,
) {
    for at in 0..tables.len() {
        let Some(rule) = policy.rule_for(tables[at].name()) else { continue };
        let Some(tombstones) = rule.known.tombstones.clone() else { continue };
        let judged = match matched(rule, policy, survey) {
            1 => judge(&tables[at], &tombstones, (tables, left_out)),
            n => Err(format!("shares its rule with others ({n} in all), but tombstones name rows of one table alone")),
        };
        match judged {
            Ok(()) => note(tables, at, tombstones),
            Err(text) => mistakes.push(PlanMistake {
                file: policy.file().to_owned(),
                line: rule.line,
                table: tables[at].name().clone(),
                text,
            }),
        }
    }
}

/// Returns for how many tables a rule decides.
fn matched(rule: &TableRule, policy: &Policy, survey: &Survey) -> usize {
    let decides = |seen: &&crate::survey::TableSurvey| {
        policy.rule_for(&seen.table.name).is_some_and(|other| other.line == rule.line)
    };
    survey.tables.iter().filter(decides).count()
}

/// Judges a tombstone table. What is wrong with it reads on after the name of the table whose rows it names.
fn judge(
    of: &PlannedTable,
    tombstones: &Tombstones,
    (tables, left_out): (&[PlannedTable], &[LeftOut]),
) -> Result<(), String> {
    let name = &tombstones.table;
    if name == of.name() {
        return Err("cannot hold its own tombstones".to_owned());
    }
    let Some(key) = of.table.row_key() else {
        return Err("has no usable key, so no tombstone can name its rows".to_owned());
    };
    let Some(table) = tables.iter().find(|table| table.name() == name) else {
        return Err(match left_out.iter().any(|left| left.name == *name) {
            true => format!("has its tombstones in {name}, which the plan leaves out"),
            false => format!("has its tombstones in {name}, which is no table of the databases in scope"),
        });
    };
    if !matches!(table.strategy, Strategy::Append | Strategy::Merge) {
        return Err(format!(
            "has its tombstones in {name}, which is kept by {}: only what is kept by append or merge is read in every cycle; \
             give {name} an AUTO_INCREMENT key and class = \"insert_only\"",
            table.strategy
        ));
    }
    if tombstones.key.len() != key.len() {
        let columns: Vec<&str> = key.iter().map(|column| column.name.as_str()).collect();
        return Err(format!(
            "has the key ({}), and its tombstones name {} columns",
            columns.join(", "),
            tombstones.key.len()
        ));
    }
    let wire = table.table.wire_columns();
    for (column, name_there) in key.iter().zip(&tombstones.key) {
        let Some(there) = wire.iter().find(|column| column.name.eq_ignore_ascii_case(name_there)) else {
            return Err(format!("has its tombstones in {name}, which has no stored column {name_there}"));
        };
        if let Some(how) = differs(column, there) {
            return Err(format!("has the key column {}, and {name}.{name_there} {how}", column.name));
        }
    }
    Ok(())
}

/// Returns how a column differs from a key column so that equal keys may read differently.
fn differs(key: &Column, there: &Column) -> Option<String> {
    let unsigned = |column: &Column| column.column_type.contains("unsigned");
    let listed = ["enum", "set", "bit", "decimal", "binary"].contains(&key.data_type.as_str());
    let same_type = key.data_type == there.data_type
        && unsigned(key) == unsigned(there)
        && key.fsp == there.fsp
        && (!listed || key.column_type == there.column_type);
    if !same_type {
        return Some(format!("is {}, not {}", there.column_type, key.column_type));
    }
    let collation = |column: &Column| column.collation.clone().unwrap_or_default();
    (collation(key) != collation(there))
        .then(|| format!("has the collation {}, not {}", collation(there), collation(key)))
}

fn note(tables: &mut [PlannedTable], at: usize, tombstones: Tombstones) {
    let of = tables[at].name().clone();
    let (name, key) = (tombstones.table.clone(), tombstones.key.join(", "));
    tables[at].reasons.push(format!("deleted rows are named by {name} ({key}), and go in the cycle that reads it"));
    if let Some(table) = tables.iter_mut().find(|table| *table.name() == name) {
        table.reasons.push(format!(
            "its rows name deleted rows of {of}; that they are cleared away in time contradicts nothing"
        ));
        table.holds_tombstones = true;
    }
    tables[at].tombstones = Some(tombstones);
}
