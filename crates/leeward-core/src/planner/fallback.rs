//! What a table would be if comparisons had shown that its class does not hold. It is put into the plan beforehand, so that
//! a policy of `on_contradiction = "demote"` leaves the engine no choice.

use chrono::NaiveDateTime;

use crate::class::{Class, Confidence, Strategy};
use crate::mark::{Contradicted, Contradiction};
use crate::plan::Fallback;
use crate::planner::choice::Choice;
use crate::planner::subject::Subject;
use crate::planner::{Decided, decide};
use crate::policy::OnContradiction;

/// Returns the fallback of a table for which `choice` was made: how it would be planned, were its class known not to hold.
/// There is none where that would bring rows later than now.
pub(super) fn of(subject: &Subject<'_>, choice: &Choice) -> Option<Fallback> {
    if subject.policy.settings().on_contradiction != OnContradiction::Demote || choice.class == Class::UpdDel {
        return None;
    }
    let mut seen = subject.seen.clone();
    // Newer than any day that may be forgiven.
    let (first_at, last_at) = (Some(NaiveDateTime::MAX), Some(NaiveDateTime::MAX));
    let supposed = supposed(choice).iter().map(|&what| Contradicted { what, rows: 1, first_at, last_at });
    seen.contradictions.extend(supposed);
    let Ok(Decided::Kept(instead)) = decide(&Subject { seen: &seen, ..*subject }) else { return None };
    match (choice.strategy, instead.strategy) {
        (_, Strategy::Merge) | (Strategy::Watch, Strategy::Reconcile) => Some(fallback(&instead)),
        // New rows go on to be taken by their ids; comparing comes round sooner for the rest.
        (Strategy::Append, _) => {
            Some(Fallback { mark_column: choice.mark_column.clone(), ..as_compared(Strategy::Append) })
        }
        // From which id on its rows would be new is not known of a table that was only watched.
        (Strategy::Watch, Strategy::Append) => Some(as_compared(Strategy::Reconcile)),
        _ => None,
    }
}

/// What would rule a class out, as comparisons word it for the strategy.
fn supposed(choice: &Choice) -> &'static [Contradiction] {
    match (choice.class, choice.strategy) {
        (Class::InsertOnly, Strategy::Merge) => &[Contradiction::ChangedBehindClock, Contradiction::RowDeleted],
        (Class::Static | Class::InsertOnly, _) => &[Contradiction::RowChanged, Contradiction::RowDeleted],
        (Class::UpdDel, _) => &[],
    }
}

fn fallback(choice: &Choice) -> Fallback {
    Fallback {
        class: choice.class,
        strategy: choice.strategy,
        mark_column: choice.mark_column.clone(),
        overlap_s: choice.overlap_s,
        confidence: choice.confidence,
    }
}

fn as_compared(strategy: Strategy) -> Fallback {
    Fallback { class: Class::UpdDel, strategy, mark_column: None, overlap_s: 0, confidence: Confidence::Low }
}
