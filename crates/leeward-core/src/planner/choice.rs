//! What is decided about one table, and the ways to arrive at it: each function here turns one kind of evidence into a
//! choice with its reasons. Which of them is asked first is decided in [`super::classify`].

use crate::class::{Class, Confidence, Strategy};
use crate::mark::Contradiction;
use crate::measure;
use crate::planner::advice;
use crate::planner::clock::{Clock, Keeper};
use crate::planner::subject::{Extent, Subject};
use crate::table::Column;

/// What is decided about one table.
pub(super) struct Choice {
    pub(super) class: Class,
    pub(super) strategy: Strategy,
    pub(super) mark_column: Option<String>,
    pub(super) overlap_s: u64,
    pub(super) confidence: Confidence,
    pub(super) reasons: Vec<String>,
    pub(super) advice: Vec<String>,
}

impl Choice {
    /// Puts a reason before all others.
    pub(super) fn first_of_all(mut self, reason: impl Into<String>) -> Choice {
        self.reasons.insert(0, reason.into());
        self
    }

    /// Follows the AUTO_INCREMENT column for new rows, and leaves changes and deletes to comparing.
    pub(super) fn with_new_rows_by(mut self, column: &Column) -> Choice {
        self.strategy = Strategy::Append;
        self.mark_column = Some(column.name.clone());
        self.reasons.push(format!("new rows need not wait: they are those with {} past the mark", column.name));
        self
    }

    /// Lowers the confidence and says why.
    pub(super) fn weakened(mut self, to_at_most: Confidence, because: impl Into<String>) -> Choice {
        self.confidence = self.confidence.min(to_at_most);
        self.reasons.push(because.into());
        self
    }
}

/// Follows a clock column.
pub(super) fn merge(subject: &Subject<'_>, class: Class, clock: Clock<'_>) -> Choice {
    let overlap_s = match clock.needs_overlap() {
        true => subject.policy.unproven_overlap_s(),
        false => 0,
    };
    let mut reasons = clock.reasons;
    if overlap_s > 0 {
        reasons.insert(1, format!("{} below the mark are read again in every cycle", measure::span(overlap_s)));
    }
    let mut choice = Choice {
        class,
        strategy: Strategy::Merge,
        mark_column: Some(clock.column.name.clone()),
        overlap_s,
        confidence: clock.confidence,
        reasons,
        advice: clock.advice,
    };
    if let Some(why) = clock.unusable {
        choice = choice.weakened(Confidence::Low, why);
    }
    match clock.index {
        Some(index) => choice.reasons.push(format!("index {index} makes the look cheap")),
        None if subject.extent() == Extent::Small => {
            choice.reasons.push("without an index the table is read in every cycle, which at its size is cheap".into());
        }
        None => choice.reasons.push("without an index every cycle reads the whole table on the source".into()),
    }
    choice
}

/// Follows the AUTO_INCREMENT column. How sure that is rests on the evidence that rows are only added.
pub(super) fn append(subject: &Subject<'_>, column: &Column, evidence: Evidence) -> Choice {
    let mut choice = Choice {
        class: Class::InsertOnly,
        strategy: Strategy::Append,
        mark_column: Some(column.name.clone()),
        overlap_s: 0,
        confidence: Confidence::High,
        reasons: Vec::new(),
        advice: Vec::new(),
    };
    let followed = format!("new rows are those with {} past the mark", column.name);
    choice = match evidence {
        Evidence::Counted(text) => choice.first_of_all(text),
        Evidence::Declared => choice.weakened(Confidence::Medium, "no write counters confirm the declaration"),
        Evidence::Shape(text) => choice.weakened(Confidence::Low, text),
        Evidence::Against(text) => choice.weakened(Confidence::Low, text),
    };
    choice.reasons.push(followed);
    let key = subject.seen.table.row_key().unwrap_or_default();
    if key.len() != 1 || key.first().is_none_or(|first| first.name != column.name) {
        let text = format!("no key makes {} alone unique: rows that share one value could be missed", column.name);
        choice = choice.weakened(Confidence::Medium, text);
    }
    if subject.shown(&[Contradiction::AddedBehindMark]) {
        let rows = subject.found_rows(&[Contradiction::AddedBehindMark]);
        let text = format!("comparisons have found {rows} added below the settled {}", column.name);
        choice = choice.weakened(Confidence::Low, text);
    }
    let cascade = subject.deleting_cascade().map(|key| (key, "ON DELETE CASCADE".to_owned()));
    if let Some((key, rule)) = subject.silent_cascade().or(cascade) {
        let text = format!("foreign key {key} ({rule}) can change or delete rows; only the scrub sees that");
        choice = choice.weakened(Confidence::Medium, text);
    }
    choice
}

/// What there is to say that rows of a table are only added.
pub(super) enum Evidence {
    /// The server counted.
    Counted(String),
    /// The policy says so.
    Declared,
    /// It merely looks like it.
    Shape(String),
    /// The policy says so, and the server counted otherwise.
    Against(String),
}

/// Compares and nothing else, at the pace of the static tables.
pub(super) fn watch(confidence: Confidence, reason: String) -> Choice {
    Choice {
        class: Class::Static,
        strategy: Strategy::Watch,
        mark_column: None,
        overlap_s: 0,
        confidence,
        reasons: vec![reason],
        advice: Vec::new(),
    }
}

/// Compares the whole table, pass after pass, because the policy wants it so.
pub(super) fn compare_whole(subject: &Subject<'_>, class: Class) -> Choice {
    let pace = match subject.extent() {
        Extent::Small => "the whole table is compared pass after pass, which at its size is cheap",
        Extent::Large => "a change waits until the comparison of the whole table comes round to it",
    };
    Choice {
        class,
        strategy: Strategy::Reconcile,
        mark_column: None,
        overlap_s: 0,
        confidence: Confidence::Low,
        reasons: vec![pace.to_owned()],
        advice: Vec::new(),
    }
}

/// Compares the whole table, pass after pass, because none of its clocks will do.
pub(super) fn reconcile(subject: &Subject<'_>, class: Class, clocks: &[Clock<'_>]) -> Choice {
    let mut choice = compare_whole(subject, class);
    let candidates: Vec<&Clock<'_>> = clocks.iter().filter(|clock| clock.keeper != Keeper::ServerAtInsert).collect();
    let mut why: Vec<String> = Vec::new();
    for clock in &candidates {
        let costly =
            || format!("{} has no index, and the table is too large to read in every cycle", clock.column.name);
        why.push(clock.unusable.clone().unwrap_or_else(costly));
    }
    if candidates.is_empty() {
        why.push("no column says when a row last changed".into());
    }
    why.extend(subject.counted());
    // The advice of the best candidate is enough; mending two clocks helps nobody, and a small table needs none.
    match candidates.iter().find(|clock| !clock.advice.is_empty()) {
        Some(clock) => choice.advice.extend(clock.advice.iter().cloned()),
        None if subject.extent() == Extent::Large => choice.advice.push(advice::new_clock(&subject.seen.table)),
        None => {}
    }
    choice.reasons.splice(0..0, why);
    choice
}

/// Compares and rewrites a small table whose rows no key tells apart.
pub(super) fn keyless(subject: &Subject<'_>, class: Class) -> Choice {
    let strategy = match class {
        Class::Static => Strategy::Watch,
        Class::InsertOnly | Class::UpdDel => Strategy::Reconcile,
    };
    let rows_max = subject.policy.settings().keyless.rows_max;
    Choice {
        class,
        strategy,
        mark_column: None,
        overlap_s: 0,
        confidence: Confidence::Low,
        reasons: vec![
            "no usable key tells its rows apart: the table is compared and rewritten whole".into(),
            format!("past {} it would be refused", measure::counted(rows_max, "row")),
        ],
        advice: vec![advice::row_key(&subject.seen.table)],
    }
}
