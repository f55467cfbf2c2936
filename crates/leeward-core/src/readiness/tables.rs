//! The tables one by one, and how much of them has been proved by comparison. Nothing is judged here: SYNC-02 and the DATA
//! checks do that.

use chrono::{NaiveDateTime, TimeDelta};
use serde::Serialize;

use super::beside;
use super::facts::{ReadinessFacts, seen};
use super::loss::{as_of, exposure};
use super::proof::ProofResult;
use super::stamp;
use crate::class::{Class, Strategy};
use crate::plan::{LeftOutReason, PlannedTable};

/// One planned table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TableLine {
    /// Its full name.
    pub name: String,
    /// How it changes.
    pub class: Class,
    /// How it is kept.
    pub strategy: Strategy,
    /// Where it stands, `live`, or `replicated` where the servers keep it; nothing when no record of it could be seen.
    pub state: Option<&'static str>,
    /// The source's clock as of which it is known to be right; nothing when there is no such time.
    #[serde(serialize_with = "stamp::or_none::serialize")]
    pub as_of: Option<NaiveDateTime>,
    /// How long ago that is, milliseconds.
    pub age_ms: Option<i64>,
    /// The source's clock since which every row of it has been compared.
    #[serde(serialize_with = "stamp::or_none::serialize")]
    pub compared_since: Option<NaiveDateTime>,
    /// How long ago that is, milliseconds.
    pub compared_age_ms: Option<i64>,
    /// Rows that the last whole comparison had to add, rewrite or delete.
    pub differences: u64,
    /// Rows applied by deltas since the seed.
    pub rows_applied: u64,
}

/// How much is kept, and how much of that was compared.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Coverage {
    /// Tables of the plan.
    pub planned: u64,
    /// Of these, tables that are live.
    pub live: u64,
    /// Of these, tables that were compared whole.
    pub compared: u64,
    /// Age of the oldest of these comparisons, milliseconds; nothing when one is missing or its age is not known.
    pub oldest_ms: Option<i64>,
    /// Tables that the policy leaves out.
    pub excluded: u64,
    /// Tables that cannot be kept right.
    pub refused: u64,
}

/// Returns the tables of the plan, those that are furthest behind first.
pub(super) fn tables(facts: &ReadinessFacts) -> Vec<TableLine> {
    let Ok(plan) = facts.plan() else { return Vec::new() };
    let mut lines: Vec<TableLine> = plan.tables.iter().map(|planned| line(facts, planned)).collect();
    // Never comes before any age; the order of the plan, which is by name, decides between equals.
    lines.sort_by_key(|line| std::cmp::Reverse(line.age_ms.unwrap_or(i64::MAX)));
    lines
}

/// Where the servers replicate, a table is as new as the whole, and compared as the evidence says.
fn replicated(facts: &ReadinessFacts, planned: &PlannedTable) -> Option<TableLine> {
    if !beside::is_replicated(facts) {
        return None;
    }
    let proof = facts.beside.proof.value();
    let equal = proof.filter(|proof| proof.of(planned.name()).is_some_and(|line| line.result == ProofResult::Equal));
    let compared_since = equal.map(|proof| proof.source_at);
    let age_ms = beside::proved_age_ms(facts);
    let now = facts.source_now().ok().map(|now| now.value);
    let as_of = now.zip(age_ms).and_then(|(now, age)| now.checked_sub_signed(TimeDelta::try_milliseconds(age)?));
    Some(TableLine {
        name: planned.name().to_string(),
        class: planned.class,
        strategy: planned.strategy,
        state: Some("replicated"),
        as_of,
        age_ms,
        compared_since,
        compared_age_ms: compared_since.and_then(|at| exposure(facts, at, None).ok()).map(|found| found.age_ms),
        differences: 0,
        rows_applied: 0,
    })
}

fn line(facts: &ReadinessFacts, planned: &PlannedTable) -> TableLine {
    if let Some(line) = replicated(facts, planned) {
        return line;
    }
    let record = facts.record(planned.name()).ok().flatten();
    let lane = seen(&facts.lane, "the lane's record").ok().and_then(|lane| lane.value.as_ref());
    let known = record.zip(lane).and_then(|(record, lane)| as_of(planned, record, lane));
    let age = |at: NaiveDateTime| exposure(facts, at, None).ok().map(|found| found.age_ms);
    let compared_since = record.and_then(|record| record.scrub.verified_since);
    TableLine {
        name: planned.name().to_string(),
        class: planned.class,
        strategy: planned.strategy,
        state: record.map(|record| record.state.word()),
        as_of: known,
        age_ms: known.and_then(age),
        compared_since,
        compared_age_ms: compared_since.and_then(age),
        differences: record.map_or(0, |record| record.scrub.last_pass_differences),
        rows_applied: record.map_or(0, |record| record.rows_applied),
    }
}

/// Counts what the lines say.
pub(super) fn coverage(facts: &ReadinessFacts, lines: &[TableLine]) -> Coverage {
    let count = |is: &dyn Fn(&TableLine) -> bool| lines.iter().filter(|line| is(line)).count() as u64;
    let left_out = facts.plan().map(|plan| plan.left_out.as_slice()).unwrap_or_default();
    let excluded = left_out.iter().filter(|left| left.reason == LeftOutReason::ByPolicy).count() as u64;
    let ages: Option<Vec<i64>> = lines.iter().map(|line| line.compared_age_ms).collect();
    Coverage {
        planned: lines.len() as u64,
        live: count(&|line| matches!(line.state, Some("live" | "replicated"))),
        compared: count(&|line| line.compared_since.is_some()),
        oldest_ms: ages.and_then(|ages| ages.into_iter().max()),
        excluded,
        refused: left_out.len() as u64 - excluded,
    }
}
