//! Warnings for the whole plan: what a person should know before agreeing to it and no single table's line tells.

use std::collections::{BTreeMap, BTreeSet};

use crate::class::Strategy;
use crate::measure;
use crate::name::TableName;
use crate::plan::{LeftOut, PlannedTable};
use crate::planner::reads;
use crate::policy::{Policy, Wish};
use crate::server::Observed;
use crate::survey::{ObjectKind, Survey};

/// Days past which a waiver's end is no end. A finding that is accepted for longer should be set in the policy.
const WAIVER_DAYS_MAX: i64 = 366;

/// Tables named in one warning; of a thousand tables nobody reads the names, and the lines above tell each.
const NAMES_MAX: usize = 5;

/// All that warnings are about.
pub(super) struct Overview<'a> {
    pub(super) policy: &'a Policy,
    pub(super) survey: &'a Survey,
    pub(super) tables: &'a [PlannedTable],
    pub(super) left_out: &'a [LeftOut],
}

/// Collects the warnings, in a fixed order.
pub(super) fn of(overview: &Overview<'_>) -> Vec<String> {
    let Overview { policy, survey, tables, left_out } = *overview;
    let mut warnings = Vec::new();
    warnings.extend(nothing_to_do(survey, left_out));
    warnings.extend(source_is_replica(survey));
    warnings.extend(behind_objective(policy, tables));
    warnings.extend(reads::unindexed(overview));
    warnings.extend(uncounted_writes(survey));
    warnings.extend(objects(survey));
    warnings.extend(missing_parents(survey, left_out));
    warnings.extend(names_that_differ_by_case(survey));
    warnings.extend(idle_rules(policy, survey));
    warnings.extend(waivers(policy, survey));
    warnings
}

fn nothing_to_do(survey: &Survey, left_out: &[LeftOut]) -> Option<String> {
    let schemas: Vec<&str> = survey.schemas.iter().map(|schema| schema.name.as_str()).collect();
    if survey.tables.is_empty() {
        let place = if schemas.is_empty() { "scope".to_owned() } else { schemas.join(", ") };
        return Some(format!("no tables were found in {place}: there is nothing to protect"));
    }
    let all_out = left_out.len() == survey.tables.len();
    all_out.then(|| "every table is left out: nothing is protected".to_owned())
}

fn source_is_replica(survey: &Survey) -> Option<String> {
    let replica = survey.server.is_replica.known().copied().unwrap_or(false);
    replica.then(|| {
        "the source is a replica: what it has not received yet is missing in the copy, and is not in the RPO".to_owned()
    })
}

/// Names the tables in which a change may be older than the RPO when it is first seen, since only a comparison sees it.
fn behind_objective(policy: &Policy, tables: &[PlannedTable]) -> Option<String> {
    let (settings, limits) = (policy.settings(), policy.classify());
    let late = |table: &&PlannedTable| {
        let large = table.rows_estimate > limits.whole_rows_max || table.data_bytes > limits.whole_bytes_max;
        match table.strategy {
            Strategy::Watch => settings.scrub.pass_interval_s > settings.rpo_s,
            _ if table.needs_comparing() => large || settings.scrub.reconcile_interval_s > settings.rpo_s,
            _ => false,
        }
    };
    let names: Vec<String> = tables.iter().filter(late).map(|table| table.name().to_string()).collect();
    if names.is_empty() {
        return None;
    }
    let shown = names[..names.len().min(NAMES_MAX)].join(", ");
    let more = match names.len() - names.len().min(NAMES_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let rpo = measure::span(settings.rpo_s);
    Some(format!("only comparing shows changes in {shown}{more}: they can be seen later than the RPO of {rpo} allows"))
}

/// Says once, not table by table, that writes could not be counted.
fn uncounted_writes(survey: &Survey) -> Option<String> {
    let causes: Vec<&str> = survey
        .tables
        .iter()
        .filter_map(|seen| match &seen.writes {
            Observed::Unknown(cause) => Some(cause.as_str()),
            Observed::Known(_) => None,
        })
        .collect();
    let first = causes.first()?;
    let others = if causes.iter().all(|cause| cause == first) { "" } else { ", and other causes" };
    let tables = measure::counted(u64::try_from(causes.len()).unwrap_or(u64::MAX), "table");
    Some(format!("writes to {tables} could not be counted, so classes rest on their shape alone: {first}{others}"))
}

fn objects(survey: &Survey) -> Vec<String> {
    let noun = |kind| match kind {
        ObjectKind::Function => "function",
        ObjectKind::Procedure => "procedure",
        ObjectKind::View => "view",
        ObjectKind::Trigger => "trigger",
        ObjectKind::Event => "event",
    };
    let mut numbers: BTreeMap<ObjectKind, u64> = BTreeMap::new();
    let mut unread = Vec::new();
    for object in &survey.objects {
        *numbers.entry(object.kind).or_default() += 1;
        if let Observed::Unknown(why) = &object.ddl {
            unread.push(format!("the text of {} {} could not be read: {why}", noun(object.kind), object.name));
        }
    }
    let listed: Vec<String> = numbers.into_iter().map(|(kind, number)| measure::counted(number, noun(kind))).collect();
    let summary = (!listed.is_empty())
        .then(|| format!("{}: not kept in step by `sync`, which only reports that they drift", listed.join(", ")));
    summary.into_iter().chain(unread).collect()
}

/// A kept table whose foreign key leads to one that is not kept cannot have that foreign key on the target.
fn missing_parents(survey: &Survey, left_out: &[LeftOut]) -> Vec<String> {
    let out: BTreeSet<&TableName> = left_out.iter().map(|left| &left.name).collect();
    let all: BTreeSet<&TableName> = survey.tables.iter().map(|seen| &seen.table.name).collect();
    let mut found = Vec::new();
    for seen in survey.tables.iter().filter(|seen| !out.contains(&seen.table.name)) {
        let child = &seen.table.name;
        for key in &seen.table.foreign_keys {
            let parent = &key.parent;
            let why = match (out.contains(parent), all.contains(parent)) {
                (true, _) => "left out",
                (false, false) => "not in scope",
                (false, true) => continue,
            };
            found.push(format!(
                "{child} refers to {parent} ({}), which is {why}: the target cannot have that foreign key",
                key.name
            ));
        }
    }
    found.sort();
    found
}

/// T29: on a server with `lower_case_table_names=1` these would be one table.
fn names_that_differ_by_case(survey: &Survey) -> Vec<String> {
    let mut spellings: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for seen in &survey.tables {
        let name = seen.table.name.to_string();
        spellings.entry(name.to_lowercase()).or_default().insert(name);
    }
    let twice = spellings.into_values().filter(|names| names.len() > 1);
    let text = |names: BTreeSet<String>| {
        let names: Vec<String> = names.into_iter().collect();
        format!("{} differ only by case: the target needs lower_case_table_names=0", names.join(" and "))
    };
    twice.map(text).collect()
}

fn idle_rules(policy: &Policy, survey: &Survey) -> Vec<String> {
    let mut idle = Vec::new();
    for (at, rule) in policy.rules().iter().enumerate() {
        let matched: Vec<&TableName> =
            survey.tables.iter().map(|seen| &seen.table.name).filter(|name| rule.matches(name)).collect();
        let decides = |name: &&TableName| !policy.rules()[..at].iter().any(|earlier| earlier.matches(name));
        let why = match (matched.is_empty(), matched.iter().any(decides)) {
            (_, true) => continue,
            (true, false) => "matches no table",
            (false, false) => "matches only tables that rules above it decide about",
        };
        let still = if rule.wish == Wish::Exclude { ", so it excludes nothing" } else { "" };
        idle.push(format!("rule {} ({}:{}) {why}{still}", rule.pattern, policy.file(), rule.line));
    }
    idle
}

/// An expired waiver is not a mistake that stops the plan: a policy that was good yesterday must not keep anybody from
/// planning on the worst day of the year. The check simply fails again.
fn waivers(policy: &Policy, survey: &Survey) -> Vec<String> {
    let today = survey.at.date();
    let text = |waiver: &crate::policy::Waiver| {
        let (check, until) = (&waiver.check, waiver.until);
        if !waiver.holds_on(today) {
            return Some(format!("the waiver of {check} expired on {until}: the check counts again"));
        }
        let days = (until - today).num_days();
        (days > WAIVER_DAYS_MAX).then(|| {
            format!(
                "the waiver of {check} lasts until {until}, {days} days from now: that is not a waiver but a setting"
            )
        })
    };
    policy.waivers().iter().filter_map(text).collect()
}
