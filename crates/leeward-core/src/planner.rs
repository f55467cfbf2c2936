//! The planner: policy + survey → plan, or everything that is wrong with the policy for what was seen. A pure function:
//! the same two give the same bytes, so a plan can be reviewed, compared and tested as a text.
//!
//! It never looks at a server, and it never leaves a table of the survey unmentioned: each is in the plan's `tables` or
//! in its `left_out`.

use std::fmt;

use crate::class::Confidence;
use crate::measure;
use crate::name::TableName;
use crate::plan::{Fallback, FenceMode, LeftOut, LeftOutReason, PLAN_FORMAT, Plan, PlannedTable, PolicyText};
use crate::policy::{OnDdl, Policy, TableRule, Wish};
use crate::server::Observed;
use crate::survey::{Survey, TableSurvey};

mod admission;
mod advice;
mod choice;
mod classify;
mod clock;
mod declared;
mod deletes;
mod fallback;
mod identity;
mod reads;
mod stale;
mod subject;
mod warnings;

pub use admission::Admitted;
pub use stale::{StaleEffect, StaleTable};

use choice::Choice;
use declared::Wanted;
use subject::Subject;
use warnings::Overview;

/// A rule of the policy that cannot be obeyed for a table as it was surveyed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanMistake {
    /// The policy's file.
    pub file: String,
    /// The rule's line in it, counted from 1.
    pub line: usize,
    /// The table.
    pub table: TableName,
    /// What is wrong; reads on after the table's name.
    pub text: String,
}

impl fmt::Display for PlanMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PlanMistake { file, line, table, text } = self;
        write!(f, "{file}:{line}: [[table]] {table} {text}")
    }
}

/// Makes the plan.
///
/// # Errors
/// All rules that cannot be obeyed, in the order of their lines.
pub fn plan(policy: &Policy, survey: &Survey) -> Result<Plan, Vec<PlanMistake>> {
    let mut seen: Vec<&TableSurvey> = survey.tables.iter().collect();
    seen.sort_by(|a, b| a.table.name.cmp(&b.table.name));
    let fence = fence_mode(policy, survey);
    let (mut tables, mut left_out, mut mistakes) = (Vec::new(), Vec::new(), Vec::new());
    for seen in seen {
        match decide(&Subject { seen, survey, policy }) {
            Ok(Decided::Kept(choice)) => match line(&Subject { seen, survey, policy }, choice, &fence) {
                Ok(line) => tables.push(line),
                Err(mistake) => mistakes.push(mistake),
            },
            Ok(Decided::LeftOut(left)) => left_out.push(left),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    deletes::add_tombstones(policy, survey, (&mut tables, &left_out), &mut mistakes);
    if !mistakes.is_empty() {
        mistakes.sort_by(|a, b| (a.line, &a.table).cmp(&(b.line, &b.table)));
        return Err(mistakes);
    }
    let warnings = warnings::of(&Overview { policy, survey, tables: &tables, left_out: &left_out });
    let policy_text =
        applies_ddl(policy).then(|| PolicyText { file: policy.file().to_owned(), text: policy.text().to_owned() });
    let mut plan = Plan {
        format: PLAN_FORMAT,
        hash: String::new(),
        surveyed_at: survey.at,
        flavor: survey.server.flavor,
        version: survey.server.version,
        source_identity: survey.server.identity.clone(),
        schemas: survey.schemas.clone(),
        tables,
        left_out,
        fence,
        settings: policy.settings().clone(),
        warnings,
        policy: policy_text,
    };
    plan.hash = plan.computed_hash();
    Ok(plan)
}

enum Decided {
    Kept(Choice),
    LeftOut(LeftOut),
}

fn decide(subject: &Subject<'_>) -> Result<Decided, PlanMistake> {
    let table = &subject.seen.table;
    let rule = subject.policy.rule_for(&table.name);
    let left_out = |reason, remedy| Decided::LeftOut(LeftOut { name: table.name.clone(), reason, remedy });
    if rule.is_none() && subject.policy.is_tool_table(&table.name) {
        let remedy = "a schema change tool's, by its name (tool_tables); name it in a rule to keep it".to_owned();
        return Ok(left_out(LeftOutReason::ByPolicy, remedy));
    }
    if let Some(rule) = rule.filter(|rule| rule.wish == Wish::Exclude) {
        return Ok(left_out(LeftOutReason::ByPolicy, exclusion(subject.policy, rule)));
    }
    if !table.transactional() {
        // The survey spells out what is more than a table of its engine: `InnoDB (system versioned)`.
        if let Some((_, kind)) = table.engine.split_once(" (") {
            let kind = kind.trim_end_matches(')').to_owned();
            let remedy =
                format!("a {kind} table cannot be kept row by row; exclude it by policy and copy it otherwise");
            return Ok(left_out(LeftOutReason::Unsupported(kind), remedy));
        }
        return Ok(left_out(LeftOutReason::NotTransactional, advice::transactional_engine(table)));
    }
    let has_key = table.row_key().is_some();
    if !has_key && !fits_keyless(subject) {
        return Ok(left_out(LeftOutReason::NoKeyTooLarge, advice::row_key(table)));
    }
    let choice = match (rule, has_key) {
        (None, true) => classify::by_evidence(subject),
        (None, false) => choice::keyless(subject, crate::class::Class::UpdDel),
        (Some(rule), has_key) => by_rule(subject, rule, has_key)?,
    };
    Ok(Decided::Kept(choice))
}

fn by_rule(subject: &Subject<'_>, rule: &TableRule, has_key: bool) -> Result<Choice, PlanMistake> {
    let Wish::Keep { class, strategy, mark_column } = &rule.wish else {
        return Ok(classify::by_evidence(subject));
    };
    let wanted = Wanted { class: *class, strategy: *strategy, mark_column: mark_column.as_deref() };
    let decided = match has_key {
        true => declared::by_policy(subject, &wanted),
        false => declared::keyless_by_policy(subject, &wanted),
    };
    let choice = decided.map_err(|text| PlanMistake {
        file: subject.policy.file().to_owned(),
        line: rule.line,
        table: subject.seen.table.name.clone(),
        text,
    })?;
    Ok(choice.first_of_all(said_by(subject.policy, rule)))
}

/// Names a rule and its reason.
fn said_by(policy: &Policy, rule: &TableRule) -> String {
    let place = format!("rule {} ({}:{})", rule.pattern, policy.file(), rule.line);
    match &rule.reason {
        Some(reason) => format!("{place}: {reason}"),
        None => place,
    }
}

fn exclusion(policy: &Policy, rule: &TableRule) -> String {
    format!("{}; take it out of that rule to keep it", said_by(policy, rule))
}

/// Returns whether a table without a usable key is small enough to be compared whole. The rows are estimated; the
/// engine holds the limit again while it reads.
fn fits_keyless(subject: &Subject<'_>) -> bool {
    let limits = &subject.policy.settings().keyless;
    subject.rows() <= limits.rows_max && subject.seen.data_bytes <= limits.bytes_max
}

/// Returns what a changed definition of a table leads to.
fn on_ddl(policy: &Policy, name: &TableName) -> OnDdl {
    policy.rule_for(name).and_then(|rule| rule.ddl).unwrap_or(policy.settings().ddl)
}

/// Returns whether some table, planned or yet to come, is changed on the target without a person.
fn applies_ddl(policy: &Policy) -> bool {
    let by_rule = policy.rules().iter().any(|rule| rule.ddl == Some(OnDdl::Apply));
    by_rule || policy.settings().ddl == OnDdl::Apply
}

/// Returns the line of a table that is kept, less what other tables have to do with it.
fn line(subject: &Subject<'_>, choice: Choice, fence: &FenceMode) -> Result<PlannedTable, PlanMistake> {
    let fallback = fallback::of(subject, &choice);
    let (choice, soft_delete) = deletes::add_soft_delete(subject, choice)?;
    let line = planned(subject.seen, subject.policy, (capped(choice, fence), fallback));
    Ok(PlannedTable { soft_delete, ..line })
}

fn planned(seen: &TableSurvey, policy: &Policy, (choice, fallback): (Choice, Option<Fallback>)) -> PlannedTable {
    let known = policy.rule_for(&seen.table.name).map(|rule| rule.known.clone()).unwrap_or_default();
    let Choice { class, strategy, mark_column, overlap_s, confidence, reasons, advice } = choice;
    PlannedTable {
        table: seen.table.clone(),
        class,
        strategy,
        mark_column,
        overlap_s,
        fallback: fallback.map(Box::new),
        demoted: None,
        forgiven_until: known.forgiven_until,
        soft_delete: None,
        tombstones: None,
        holds_tombstones: false,
        may_be_empty: known.may_be_empty,
        ddl: on_ddl(policy, &seen.table.name),
        confidence,
        reasons,
        advice,
        rows_estimate: seen.rows_estimate.max(seen.rows_at_least),
        data_bytes: seen.data_bytes,
    }
}

/// Lowers what rests on a mark where no mark is proved.
fn capped(choice: Choice, fence: &FenceMode) -> Choice {
    match (fence, &choice.mark_column) {
        (FenceMode::Window { overlap_s, .. }, Some(_)) if choice.confidence == Confidence::High => {
            let text =
                format!("marks are not proved here (see fence): a window of {} stands in", measure::span(*overlap_s));
            choice.weakened(Confidence::Medium, text)
        }
        _ => choice,
    }
}

/// Decides whether marks can be proved. Whatever is not known to hold counts as not holding.
fn fence_mode(policy: &Policy, survey: &Survey) -> FenceMode {
    let mut why: Vec<String> = Vec::new();
    match &survey.server.is_replica {
        Observed::Known(false) => {}
        Observed::Known(true) => {
            why.push("the source is itself a replica: its clock is ahead of rows that it has yet to receive".into());
        }
        Observed::Unknown(text) => why.push(format!("whether the source is a replica is not known: {text}")),
    }
    if survey.server.variables.get("wsrep_on").is_some_and(|on| on.eq_ignore_ascii_case("ON") || on == "1") {
        why.push("the source is a node of a Galera cluster: transactions on other nodes are not seen".into());
    }
    if let Observed::Unknown(text) = &survey.fence {
        why.push(text.clone());
    }
    match why.is_empty() {
        true => FenceMode::Proved,
        false => FenceMode::Window { overlap_s: policy.unproven_overlap_s(), why: why.join("; ") },
    }
}
