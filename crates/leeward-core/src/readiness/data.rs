//! DATA: is the content equal, and how old is the proof? A table that was never compared whole is not equal.

use super::facts::{ReadinessFacts, seen};
use super::loss::exposure;
use super::outcome::{Answer, Missing, Outcome};
use super::page::{duration, listed};
use crate::lane::{TableRecord, TableState};
use crate::plan::PlannedTable;

const COMPARE: &str = "let `leeward sync` go on until every table has been compared whole, or run `leeward verify`";

/// Pairs every planned table with its record.
fn pairs(facts: &ReadinessFacts) -> Result<Vec<(&PlannedTable, &TableRecord)>, Missing> {
    let plan = facts.plan()?;
    if plan.tables.is_empty() {
        return Err(Missing::with_remedy("the plan holds no table", "run `leeward plan` again"));
    }
    let pair = |planned| {
        let record = facts.record(PlannedTable::name(planned))?;
        let record = record.ok_or_else(|| Missing::new(format!("{} has no record", planned.name())))?;
        Ok((planned, record))
    };
    plan.tables.iter().map(pair).collect()
}

/// DATA-01: the last whole comparison of every table, made inside one cut, found nothing.
///
/// For tables kept by comparison alone differences are how rows travel, so that they say nothing there.
pub(super) fn checksum_parity(facts: &ReadinessFacts) -> Answer {
    let at = seen(&facts.tables, "the tables' records")?.at;
    let mut never = Vec::new();
    let mut outside = Vec::new();
    let mut healed = Vec::new();
    for (planned, record) in pairs(facts)? {
        let scrub = &record.scrub;
        let whole = scrub.verified_since.is_some() && scrub.pass_ended.is_some();
        if record.state != TableState::Live {
            outside.push(record.name.to_string());
        } else if !whole {
            never.push(record.name.to_string());
        } else if !planned.needs_comparing() {
            let rows = scrub.last_pass_differences.max(scrub.rows_repaired.saturating_add(scrub.rows_deleted));
            if rows > 0 {
                healed.push(format!("{} ({rows} rows)", record.name));
            }
        }
    }
    if !outside.is_empty() {
        let actual = format!("not live, so not being compared: {}", listed(&outside));
        return Ok(Outcome::fail(at, actual, "see `leeward status` for each of them"));
    }
    if !never.is_empty() {
        return Ok(Outcome::fail(at, format!("never compared whole: {}", listed(&never)), COMPARE));
    }
    if !healed.is_empty() {
        return Ok(Outcome::warn(
            at,
            format!("differences found by comparison and repaired: {}", listed(&healed)),
            "rows deleted on the source are found in this way and are no fault; for anything else see `leeward status`",
        ));
    }
    Ok(Outcome::pass(at, format!("{} tables compared whole, no row differs", facts.plan()?.tables.len())))
}

/// DATA-02: the age of that proof.
pub(super) fn verify_age(facts: &ReadinessFacts) -> Answer {
    let records = seen(&facts.tables, "the tables' records")?;
    let clock_at = facts.source_now()?.at;
    let checks = &facts.settings.checks;
    let mut oldest_s = 0;
    let mut never = Vec::new();
    let mut old = Vec::new();
    let mut aging = Vec::new();
    for (_, record) in pairs(facts)? {
        let Some(since) = record.scrub.verified_since else {
            never.push(record.name.to_string());
            continue;
        };
        let age_s = exposure(facts, since, None)?.age_ms.unsigned_abs() / 1000;
        oldest_s = oldest_s.max(age_s);
        let line = || format!("{} ({})", record.name, span(age_s));
        if age_s > checks.verify_age_fail_s {
            old.push(line());
        } else if age_s > checks.verify_age_warn_s {
            aging.push(line());
        }
    }
    let at = clock_at.min(records.at);
    Ok(if !never.is_empty() {
        Outcome::fail(at, format!("never compared whole: {}", listed(&never)), COMPARE)
    } else if !old.is_empty() {
        Outcome::fail(at, format!("compared too long ago: {}", listed(&old)), COMPARE)
    } else if !aging.is_empty() {
        Outcome::warn(at, format!("compared a while ago: {}", listed(&aging)), COMPARE)
    } else {
        Outcome::pass(at, format!("every table was compared whole within {}", span(oldest_s)))
    })
}

fn span(seconds: u64) -> String {
    duration(i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX))
}
