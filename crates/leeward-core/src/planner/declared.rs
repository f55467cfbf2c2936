//! Weighs what the policy declares of a table against what was seen. A wish that cannot be fulfilled is a mistake that
//! a person must mend; a wish that comparisons have contradicted yields to them.

use crate::class::{Class, Confidence, Strategy};
use crate::measure;
use crate::planner::choice::{self, Choice, Evidence};
use crate::planner::classify::{self, AGAINST_INSERT_ONLY, AGAINST_STATIC};
use crate::planner::clock::{self, Clock, Keeper, Named};
use crate::planner::subject::Subject;
use crate::survey::WriteCounters;
use crate::table::Column;

/// What a rule of the policy asks for.
pub(super) struct Wanted<'p> {
    pub(super) class: Option<Class>,
    pub(super) strategy: Option<Strategy>,
    pub(super) mark_column: Option<&'p str>,
}

/// A mark column that the policy names, and what it can serve for.
enum MarkColumn<'a> {
    Counter(&'a Column),
    Clock(&'a Column),
}

/// Decides about a table that has a row key as the policy wants it.
///
/// # Errors
/// What is wrong with the wish, as a phrase that goes on after the table's name.
pub(super) fn by_policy(subject: &Subject<'_>, wanted: &Wanted<'_>) -> Result<Choice, String> {
    let mark = wanted.mark_column.map(|name| mark_column(subject, name)).transpose()?;
    let strategy = wanted.strategy.or_else(|| implied_strategy(subject, wanted, mark.as_ref()));
    let class = wanted.class.or(strategy.map(|strategy| implied_class(strategy, mark.as_ref())));
    let (Some(class), Some(strategy)) = (class, strategy) else { return Ok(classify::by_evidence(subject)) };
    let choice = match strategy {
        Strategy::Watch => declared_static(subject),
        Strategy::Append => declared_append(subject, class, mark.as_ref())?,
        Strategy::Merge => choice::merge(subject, class, declared_clock(subject, class, mark.as_ref())?),
        Strategy::Reconcile if wanted.strategy.is_some() => choice::compare_whole(subject, class),
        Strategy::Reconcile => classify::by_comparing(subject, class, &clock::clocks(subject)),
    };
    if refuted(subject, class) {
        return Ok(by_measurement(subject, class, mark.as_ref()));
    }
    Ok(choice)
}

/// Checks what is wanted of a table without a usable key, which can only be compared whole.
///
/// # Errors
/// What is wrong with the wish.
pub(super) fn keyless_by_policy(subject: &Subject<'_>, wanted: &Wanted<'_>) -> Result<Choice, String> {
    let impossible = matches!(wanted.strategy, Some(Strategy::Append | Strategy::Merge));
    if impossible || wanted.mark_column.is_some() {
        return Err("has no usable key, so it can only be compared whole: watch or reconcile".to_owned());
    }
    let class = wanted.class.or(wanted.strategy.map(|strategy| implied_class(strategy, None))).unwrap_or(Class::UpdDel);
    let mut choice = match refuted(subject, class) {
        true => choice::keyless(subject, Class::UpdDel).first_of_all(overruled(subject, class)),
        false => choice::keyless(subject, class),
    };
    if wanted.strategy == Some(Strategy::Reconcile) {
        choice.strategy = Strategy::Reconcile;
    }
    Ok(choice)
}

/// Returns the class that follows from a strategy. A column that only inserts stamp is named as a clock by someone who
/// knows of no updates.
fn implied_class(strategy: Strategy, mark: Option<&MarkColumn<'_>>) -> Class {
    match (strategy, mark) {
        (Strategy::Merge, Some(MarkColumn::Clock(column))) if clock::stamped_at_insert_only(column) => {
            Class::InsertOnly
        }
        _ => class_of(strategy),
    }
}

fn class_of(strategy: Strategy) -> Class {
    match strategy {
        Strategy::Watch => Class::Static,
        Strategy::Append => Class::InsertOnly,
        Strategy::Merge | Strategy::Reconcile => Class::UpdDel,
    }
}

/// Returns the strategy that follows from a declared class and mark column on this table.
fn implied_strategy(subject: &Subject<'_>, wanted: &Wanted<'_>, mark: Option<&MarkColumn<'_>>) -> Option<Strategy> {
    match (wanted.class, mark) {
        (Some(Class::Static), _) => Some(Strategy::Watch),
        (_, Some(MarkColumn::Clock(_))) => Some(Strategy::Merge),
        (_, Some(MarkColumn::Counter(_))) => Some(Strategy::Append),
        (Some(Class::InsertOnly), None) if subject.counter_column().is_some() => Some(Strategy::Append),
        (Some(class), None) => match clock_for(subject, class).is_some_and(|clock| !clock.costly(subject)) {
            true => Some(Strategy::Merge),
            false => Some(Strategy::Reconcile),
        },
        (None, None) => None,
    }
}

/// Returns the best clock that sees all changes of a class: one that is only stamped at inserts sees no update.
fn clock_for<'a>(subject: &Subject<'a>, class: Class) -> Option<Clock<'a>> {
    let sees_all = |clock: &Clock<'_>| class == Class::InsertOnly || clock.keeper != Keeper::ServerAtInsert;
    clock::clocks(subject).into_iter().find(|clock| clock.unusable.is_none() && sees_all(clock))
}

fn mark_column<'a>(subject: &Subject<'a>, name: &str) -> Result<MarkColumn<'a>, String> {
    let Some(column) = subject.seen.table.column(name) else {
        return Err(format!("has no column {name}, which mark_column names"));
    };
    if clock::is_temporal(column) {
        return Ok(MarkColumn::Clock(column));
    }
    if subject.counter_column().is_some_and(|counter| counter.name == column.name) {
        return Ok(MarkColumn::Counter(column));
    }
    if column.auto_increment {
        return Err(format!(
            "needs an index that begins with {name}, and {name} an integer type, to be followed by id"
        ));
    }
    let generated = if column.generated.is_some() { "generated " } else { "" };
    Err(format!(
        "has column {name}, but a mark needs a DATETIME or TIMESTAMP or an AUTO_INCREMENT integer, not a {generated}{}",
        column.column_type
    ))
}

fn declared_static(subject: &Subject<'_>) -> Choice {
    let (confidence, evidence) = match (subject.quiet_s(), subject.counted()) {
        (Some(quiet_s), _) if quiet_s >= subject.policy.classify().counters_over_s_min => {
            (Confidence::Medium, format!("no row has been written for {}", measure::span(quiet_s)))
        }
        (_, Some(counted)) => (Confidence::Low, counted),
        (_, None) => (Confidence::Low, "nothing measures whether rows are written".to_owned()),
    };
    choice::watch(confidence, evidence)
}

fn declared_append(subject: &Subject<'_>, class: Class, mark: Option<&MarkColumn<'_>>) -> Result<Choice, String> {
    if let Some(MarkColumn::Clock(column)) = mark {
        return Err(format!("cannot be followed by id over {}: strategy append needs AUTO_INCREMENT", column.name));
    }
    if class != Class::InsertOnly {
        return Err(format!("cannot be followed by id: class {class} has changes that no new id announces"));
    }
    let Some(column) = subject.counter_column() else {
        return Err("has no AUTO_INCREMENT integer that begins an index, which strategy append needs".to_owned());
    };
    // Soft deletes are updates, and the plan reads them.
    let updated = |counted: &WriteCounters| counted.updates > 0 && !subject.is_soft_deleted();
    let written_over = subject.counters().filter(|counted| updated(counted) || counted.deletes > 0);
    let counted = subject.counted().unwrap_or_default();
    let evidence = match (written_over, subject.telling_counters()) {
        (Some(_), _) => Evidence::Against(format!("against the declaration, {counted}")),
        (None, Some(_)) => Evidence::Counted(counted),
        (None, None) => Evidence::Declared,
    };
    Ok(choice::append(subject, column, evidence))
}

fn declared_clock<'a>(subject: &Subject<'a>, class: Class, mark: Option<&MarkColumn<'a>>) -> Result<Clock<'a>, String> {
    match mark {
        Some(MarkColumn::Clock(column)) => clock::assess(subject, column, Named::ByPolicy)
            .ok_or_else(|| format!("has column {}, which is no clock", column.name)),
        Some(MarkColumn::Counter(column)) => {
            Err(format!("cannot be merged by {}: strategy merge needs a DATETIME or TIMESTAMP", column.name))
        }
        None => clock_for(subject, class).ok_or_else(|| {
            let why: Vec<String> = clock::clocks(subject).into_iter().filter_map(|clock| clock.unusable).collect();
            match why.is_empty() {
                true => "has no column that could be its clock, which strategy merge needs".to_owned(),
                false => format!("has no clock to rely on ({}); name one by mark_column to insist", why.join("; ")),
            }
        }),
    }
}

/// Returns whether comparisons have shown that a table is not of this class.
fn refuted(subject: &Subject<'_>, class: Class) -> bool {
    match class {
        Class::Static => subject.shown(&AGAINST_STATIC),
        Class::InsertOnly => subject.shown(&AGAINST_INSERT_ONLY),
        Class::UpdDel => false,
    }
}

/// Decides by what was measured where that contradicts what was declared. A clock column that the policy names is
/// still taken at its word.
fn by_measurement(subject: &Subject<'_>, class: Class, mark: Option<&MarkColumn<'_>>) -> Choice {
    let named = match mark {
        Some(MarkColumn::Clock(column)) => clock::assess(subject, column, Named::ByPolicy),
        Some(MarkColumn::Counter(_)) | None => None,
    };
    // What rows are changed or deleted cannot be followed by the time of their insertion.
    let named = named.filter(|clock| clock.keeper != Keeper::ServerAtInsert);
    let mut choice = match named {
        Some(clock) => choice::merge(subject, Class::UpdDel, clock),
        None => classify::by_evidence(subject),
    };
    let shown = classify::shown_text(subject);
    choice.reasons.retain(|reason| Some(reason) != shown.as_ref());
    choice.first_of_all(overruled(subject, class))
}

fn overruled(subject: &Subject<'_>, class: Class) -> String {
    let shown = classify::shown_text(subject).unwrap_or_default();
    format!("declared {class}, but {shown}: what was measured beats what was declared")
}
