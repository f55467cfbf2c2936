//! Decides about a table by the evidence alone: what the server keeps, what it counted, what comparisons have shown,
//! and how large the table is. What the policy declares is weighed in [`super::declared`].

use crate::class::{Class, Confidence};
use crate::mark::Contradiction;
use crate::measure;
use crate::planner::choice::{self, Choice, Evidence};
use crate::planner::clock::{self, Clock, Keeper};
use crate::planner::subject::{Extent, Subject};
use crate::table::Column;

/// What comparisons must not have shown of a static table.
pub(super) const AGAINST_STATIC: [Contradiction; 5] = [
    Contradiction::RowAdded,
    Contradiction::RowChanged,
    Contradiction::RowDeleted,
    Contradiction::ChangedBehindClock,
    Contradiction::AddedBehindMark,
];

/// What comparisons must not have shown of an insert-only table.
pub(super) const AGAINST_INSERT_ONLY: [Contradiction; 3] =
    [Contradiction::RowChanged, Contradiction::RowDeleted, Contradiction::ChangedBehindClock];

/// Decides about a table that has a row key. The order is that of trust in the *delta*, not of cheapness:
///
/// 1. a clock that the server keeps, where asking it is cheap. It is right whatever the table does, and one look at an
///    index costs less than being wrong about a table that "never" changes: a static table's news wait for the scrub;
/// 2. static, by a long time without any write;
/// 3. insert-only, by counters that saw inserts and nothing else;
/// 4. a clock that the application keeps, with a window;
/// 5. comparing whole, where the table is small enough for that to be cheap;
/// 6. the time of insertion, where counters saw no update (rows are deleted, though, which merge leaves to the scrub
///    in any case);
/// 7. insert-only by its shape alone. For a large table the alternative is that new rows wait for a whole pass, so
///    taking them by id wins even if the guess is wrong: the scrub finds what it misses, and says so;
/// 8. comparing whole, with new rows of a large table by id.
pub(super) fn by_evidence(subject: &Subject<'_>) -> Choice {
    let mut clocks = clock::clocks(subject);
    if let Some(clock) = take(&mut clocks, |clock| is_kept_by_server(clock) && !clock.costly(subject)) {
        let mut choice = choice::merge(subject, Class::UpdDel, clock);
        if let Some(quiet) = long_quiet(subject) {
            choice.reasons.push(format!("{quiet}, but following its clock costs little and misses nothing"));
        }
        return choice;
    }
    if let Some(choice) = static_by_quiet(subject) {
        return choice;
    }
    let refuted = subject.shown(&AGAINST_INSERT_ONLY);
    let counter = subject.counter_column().filter(|column| !refuted && leads_row_key(subject, column));
    if let (Some(column), Some(text)) = (counter, counted_inserts_only(subject)) {
        return choice::append(subject, column, Evidence::Counted(text));
    }
    if let Some(clock) = take(&mut clocks, |clock| clock.keeper == Keeper::Application && !clock.costly(subject)) {
        return choice::merge(subject, Class::UpdDel, clock);
    }
    if subject.extent() == Extent::Small {
        return because_shown(subject, choice::reconcile(subject, Class::UpdDel, &clocks));
    }
    let never_updated = subject.telling_counters().is_some_and(|counted| counted.updates == 0);
    if never_updated
        && !subject.shown(&[Contradiction::RowChanged])
        && let Some(clock) = take(&mut clocks, |clock| clock.index.is_some())
    {
        let choice = choice::merge(subject, Class::UpdDel, clock);
        return choice.first_of_all(subject.counted().unwrap_or_default());
    }
    if let (Some(column), Some(text)) = (counter, insert_only_shape(subject, &clocks)) {
        return choice::append(subject, column, Evidence::Shape(text));
    }
    because_shown(subject, by_comparing(subject, Class::UpdDel, &clocks))
}

/// Compares the whole table, pass after pass. New rows of a large one need not wait for that where their ids tell them.
pub(super) fn by_comparing(subject: &Subject<'_>, class: Class, clocks: &[Clock<'_>]) -> Choice {
    let choice = choice::reconcile(subject, class, clocks);
    let counter = subject.counter_column().filter(|column| leads_row_key(subject, column));
    match counter.filter(|_| class == Class::UpdDel && subject.extent() == Extent::Large) {
        Some(column) => choice.with_new_rows_by(column),
        None => choice,
    }
}

/// Takes the first usable clock of a kind out of the list.
fn take<'a>(clocks: &mut Vec<Clock<'a>>, wanted: impl Fn(&Clock<'a>) -> bool) -> Option<Clock<'a>> {
    let at = clocks.iter().position(|clock| clock.unusable.is_none() && wanted(clock))?;
    Some(clocks.remove(at))
}

fn is_kept_by_server(clock: &Clock<'_>) -> bool {
    matches!(clock.keeper, Keeper::Server | Keeper::ServerAtUpdate)
}

/// Returns whether the counter column is the first column of the row key, so that its values are the rows' order.
fn leads_row_key(subject: &Subject<'_>, column: &Column) -> bool {
    subject.seen.table.row_key().is_some_and(|key| key.first().is_some_and(|first| first.name == column.name))
}

fn static_by_quiet(subject: &Subject<'_>) -> Option<Choice> {
    let mut choice = choice::watch(Confidence::Medium, long_quiet(subject)?);
    choice.reasons.push("a change would wait for the next whole comparison".into());
    Some(choice)
}

/// Returns for how long no row has been written, if that is long enough for a static table.
fn long_quiet(subject: &Subject<'_>) -> Option<String> {
    let quiet_s = subject.quiet_s().filter(|quiet_s| *quiet_s >= subject.policy.classify().static_after_s)?;
    (!subject.shown(&AGAINST_STATIC)).then(|| format!("no row has been written for {}", measure::span(quiet_s)))
}

/// Returns what the counters say, if they saw inserts and nothing else for long enough.
fn counted_inserts_only(subject: &Subject<'_>) -> Option<String> {
    let counted = subject.telling_counters()?;
    (counted.inserts > 0 && counted.updates == 0 && counted.deletes == 0).then(|| subject.counted()).flatten()
}

/// Returns why a table looks insert-only, if nothing speaks against it: no counted update or delete, and no column for
/// times of change.
fn insert_only_shape(subject: &Subject<'_>, clocks: &[Clock<'_>]) -> Option<String> {
    let written_over = subject.counters().is_some_and(|counted| counted.updates > 0 || counted.deletes > 0);
    let has_change_column = clocks.iter().any(|clock| clock.keeper != Keeper::ServerAtInsert);
    if written_over || has_change_column {
        return None;
    }
    let stamped = clocks.first().map_or(String::new(), |clock| format!(", a stamp at insert ({})", clock.column.name));
    Some(format!("only its shape speaks for insert-only: AUTO_INCREMENT key{stamped}, no column for changes"))
}

/// Says that a comparison is the reason, where it is.
fn because_shown(subject: &Subject<'_>, choice: Choice) -> Choice {
    match shown_text(subject) {
        Some(text) => choice.first_of_all(text),
        None => choice,
    }
}

/// Returns what comparisons have shown against static and insert-only, as a sentence.
pub(super) fn shown_text(subject: &Subject<'_>) -> Option<String> {
    let words: Vec<String> = [
        (&[Contradiction::RowAdded, Contradiction::AddedBehindMark][..], "added"),
        (&[Contradiction::RowChanged, Contradiction::ChangedBehindClock][..], "changed"),
        (&[Contradiction::RowDeleted][..], "deleted"),
    ]
    .into_iter()
    .filter(|(shown, _)| subject.shown(shown))
    .map(|(shown, word)| format!("{} {word}", subject.found_rows(shown)))
    .collect();
    (!words.is_empty()).then(|| format!("comparisons have found {}", words.join(" and ")))
}
