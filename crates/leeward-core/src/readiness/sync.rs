//! SYNC: is the target kept in step, all of it, and how far behind is it?

use chrono::NaiveDateTime;

use super::facts::{Dated, ReadinessFacts, seen};
use super::loss::{as_of, exposure, lane_word};
use super::outcome::{Answer, Missing, Outcome};
use super::page::{duration, listed, statements, time};
use super::sight::sees;
use crate::class::{Class, Strategy};
use crate::fence::Holder;
use crate::grants::quoted_table;
use crate::lane::{LaneRecord, LaneState, TableState};
use crate::name::{SYSTEM_SCHEMAS, Side};
use crate::plan::{FenceMode, LeftOutReason};

fn lane(facts: &ReadinessFacts) -> Result<Dated<&LaneRecord>, Missing> {
    let lane = seen(&facts.lane, "the lane's record")?;
    match &lane.value {
        Some(record) => Ok(Dated { at: lane.at, value: record }),
        None => Err(Missing::with_remedy("there is no such lane: nothing was ever seeded", "run `leeward seed`")),
    }
}

/// SYNC-01: the age of the last cut that all tables of the lane equalled.
pub(super) fn rpo_measured(facts: &ReadinessFacts) -> Answer {
    let lane = lane(facts)?;
    match &lane.value.state {
        LaneState::Live => {}
        LaneState::Blocked { reason, remedy } => {
            return Ok(Outcome::fail(lane.at, format!("the lane is blocked: {reason}"), remedy.clone()));
        }
        LaneState::Seeding | LaneState::CatchingUp => {
            let word = lane_word(&lane.value.state);
            return Ok(Outcome::fail(
                lane.at,
                format!("the lane is {word}: its tables are not consistent with each other"),
                "let `leeward seed` or `leeward sync` go on until the lane is live; `leeward status` shows what is left",
            ));
        }
    }
    let Some(cut_at) = lane.value.cut_at else {
        return Ok(Outcome::fail(lane.at, "no cut has been applied yet", "run `leeward sync`"));
    };
    let found = exposure(facts, cut_at, lane.value.applied_at)?;
    let objective_ms = facts.settings.rpo_s as f64 * 1000.0;
    let actual = format!(
        "{}, objective {} s; last cut {} on the source's clock",
        duration(found.age_ms),
        facts.settings.rpo_s,
        time(cut_at)
    );
    let at = found.at.min(lane.at);
    let remedy =
        "see that `leeward sync` runs and reaches the source (`leeward status`); or set a larger objectives.rpo";
    let age_ms = found.age_ms as f64;
    Ok(if age_ms > objective_ms * facts.settings.checks.rpo_warn_factor.max(1.0) {
        Outcome::fail(at, actual, remedy)
    } else if age_ms > objective_ms {
        Outcome::warn(at, actual, remedy)
    } else if let FenceMode::Window { overlap_s, why } = &facts.plan()?.fence {
        Outcome::warn(
            at,
            format!("{actual}; marks are not proved, an overlap of {overlap_s} s stands in: {why}"),
            "give the source's account PROCESS and name the primary as the source, then run `leeward plan` again",
        )
    } else {
        Outcome::pass(at, actual)
    })
}

/// SYNC-02: the oldest time as of which a single table is known to be right.
pub(super) fn table_lag_max(facts: &ReadinessFacts) -> Answer {
    let lane = lane(facts)?;
    let records = seen(&facts.tables, "the tables' records")?;
    let clock_at = facts.source_now()?.at;
    let objective_ms = i64::try_from(facts.settings.rpo_s.saturating_mul(1000)).unwrap_or(i64::MAX);
    let mut oldest_ms = 0;
    let mut behind = Vec::new();
    for planned in &facts.plan()?.tables {
        let record = records.value.iter().find(|record| record.name == *planned.name());
        let Some(at) = record.and_then(|record| as_of(planned, record, lane.value)) else {
            behind.push(format!("{} (never)", planned.name()));
            continue;
        };
        let age_ms = exposure(facts, at, None)?.age_ms;
        oldest_ms = oldest_ms.max(age_ms);
        if age_ms > objective_ms {
            let how = match (planned.strategy, planned.needs_comparing()) {
                (Strategy::Append, true) => ", changes and deletes by whole comparisons only",
                (_, true) => ", kept by whole comparisons only",
                (_, false) => "",
            };
            behind.push(format!("{} ({}{how})", planned.name(), duration(age_ms)));
        }
    }
    let at = clock_at.min(lane.at).min(records.at);
    Ok(match behind.is_empty() {
        true => {
            Outcome::pass(at, format!("oldest table {}, objective {} s", duration(oldest_ms), facts.settings.rpo_s))
        }
        false => Outcome::fail(
            at,
            format!("beyond the objective of {} s: {}", facts.settings.rpo_s, listed(&behind)),
            "see `leeward status` for each; where only comparisons keep a table, lower scrub.reconcile_interval or give \
             it a column `updated_at TIMESTAMP(6) NOT NULL … ON UPDATE CURRENT_TIMESTAMP(6)` with an index",
        ),
    })
}

/// SYNC-03: somebody holds the lease and renews it.
pub(super) fn engine_alive(facts: &ReadinessFacts) -> Answer {
    let lease = seen(&facts.lease, "the lease")?;
    let start = "start `leeward sync` (or its service) again";
    let Some(record) = &lease.value else {
        return Ok(Outcome::fail(lease.at, "no process has ever held this lane", start));
    };
    if record.promoted {
        return Ok(Outcome::fail(
            lease.at,
            "the target was promoted: nothing keeps it in step any more",
            "if it is the writer now, this lane is over; plan and seed a new one the other way round",
        ));
    }
    if record.holder.is_empty() {
        return Ok(Outcome::fail(lease.at, "the lease was given back: no process keeps the target in step", start));
    }
    let actual = format!("{} (epoch {}), renewed {} s ago", record.holder, record.epoch, record.age_s);
    let checks = &facts.settings.checks;
    Ok(if record.age_s >= checks.lease_age_fail_s {
        Outcome::fail(lease.at, actual, start)
    } else if record.age_s >= checks.lease_age_warn_s {
        Outcome::warn(lease.at, actual, "look at that process; if it is gone, start `leeward sync` again")
    } else {
        Outcome::pass(lease.at, actual)
    })
}

/// SYNC-04: nothing waits for a person.
pub(super) fn dead_letters(facts: &ReadinessFacts) -> Answer {
    let records = seen(&facts.tables, "the tables' records")?;
    if records.value.is_empty() {
        return Err(Missing::with_remedy("no table has a record", "run `leeward seed`"));
    }
    let mut waiting = Vec::new();
    let mut remedies = Vec::new();
    for record in &records.value {
        if let TableState::Quarantined { reason, remedy, .. } = &record.state {
            waiting.push(format!("{} ({reason})", record.name));
            remedies.push(format!("{}: {remedy}", record.name));
        }
    }
    Ok(match waiting.is_empty() {
        true => Outcome::pass(records.at, format!("none of {} tables is quarantined", records.value.len())),
        false => Outcome::fail(
            records.at,
            format!("{} quarantined: {}", waiting.len(), listed(&waiting)),
            statements(&remedies),
        ),
    })
}

/// SYNC-05: every base table of the source is planned, or somebody has chosen to leave it out.
pub(super) fn coverage(facts: &ReadinessFacts) -> Answer {
    let plan = facts.plan()?;
    let lane = lane(facts)?;
    let tables = seen(&facts.source.tables, "the source's tables")?;
    let at = tables.at.min(lane.at).min(sees(facts, Side::Source, "SELECT", "tables")?);
    if lane.value.plan_hash != plan.hash {
        return Ok(Outcome::fail(
            at,
            "the lane follows another plan than the stored one",
            "run `leeward seed` with the stored plan, or `leeward plan` again",
        ));
    }
    if plan.tables.is_empty() {
        return Ok(Outcome::fail(at, "the plan holds no table: nothing is kept", "run `leeward plan` again"));
    }
    let mut unplanned = Vec::new();
    for table in tables.value.iter().filter(|table| !SYSTEM_SCHEMAS.contains(&table.name.schema.as_str())) {
        let planned = plan.tables.iter().any(|planned| *planned.name() == table.name);
        let left_out = plan.left_out.iter().any(|left| left.name == table.name);
        if !planned && !left_out {
            unplanned.push(table.name.to_string());
        }
    }
    let refused: Vec<_> = plan.left_out.iter().filter(|left| left.reason != LeftOutReason::ByPolicy).collect();
    let chosen = plan.left_out.len() - refused.len();
    if !unplanned.is_empty() {
        return Ok(Outcome::fail(
            at,
            format!("new since the plan and not kept: {}", listed(&unplanned)),
            "run `leeward plan`, review it, then `leeward seed`",
        ));
    }
    if !refused.is_empty() {
        let names: Vec<String> = refused.iter().map(|left| left.name.to_string()).collect();
        let remedies: Vec<String> = refused.iter().map(|left| format!("{}: {}", left.name, left.remedy)).collect();
        return Ok(Outcome::fail(
            at,
            format!("cannot be kept right and are not on the target: {}", listed(&names)),
            format!("{}\nor exclude them in the policy, which says that their loss is accepted", statements(&remedies)),
        ));
    }
    Ok(Outcome::pass(at, format!("{} tables kept, {chosen} excluded by policy", plan.tables.len())))
}

/// SYNC-06: no comparison has shown a table to change in another way than its class says.
pub(super) fn class_drift(facts: &ReadinessFacts) -> Answer {
    let plan = facts.plan()?;
    let records = seen(&facts.tables, "the tables' records")?;
    let mut against_class = Vec::new();
    let mut against_clock = Vec::new();
    let mut against_plan = Vec::new();
    for planned in &plan.tables {
        let Some(record) = facts.record(planned.name())? else {
            return Err(Missing::new(format!("{} has no record", planned.name())));
        };
        let contradicted = record.contradictions.iter().any(|shown| planned.is_contradicted_by(shown));
        match (planned.class, &planned.demoted) {
            (Class::Static | Class::InsertOnly, _) if contradicted => {
                against_class.push(format!("{} ({})", record.name, planned.class));
            }
            (Class::UpdDel, _) if contradicted => against_clock.push(record.name.to_string()),
            (class, Some(demoted)) => against_plan.push(format!("{} ({} to {class})", record.name, demoted.from)),
            _ => {}
        }
    }
    let again = "run `leeward plan` again: what was measured counts more there than what was declared";
    Ok(if !against_class.is_empty() {
        Outcome::fail(records.at, format!("changed against their class: {}", listed(&against_class)), again)
    } else if !against_clock.is_empty() || !against_plan.is_empty() {
        let told = [
            ("rows changed or arrived behind the mark, found by comparison", &against_clock),
            ("kept otherwise than planned, since comparisons contradicted their class", &against_plan),
        ];
        let told = told.iter().filter(|(_, names)| !names.is_empty());
        let told: Vec<String> = told.map(|(what, names)| format!("{what}: {}", listed(names))).collect();
        Outcome::warn(records.at, told.join("; "), again)
    } else {
        Outcome::pass(records.at, "no contradiction was seen")
    })
}

/// SYNC-07: without a key rows cannot be told apart, and a table is kept by rewriting it whole.
pub(super) fn keyless_tables(facts: &ReadinessFacts) -> Answer {
    let at = seen(&facts.plan, "the stored plan")?.at;
    let plan = facts.plan()?;
    let large: Vec<String> = plan
        .left_out
        .iter()
        .filter(|left| left.reason == LeftOutReason::NoKeyTooLarge)
        .map(|left| quoted_table(&left.name))
        .collect();
    let small: Vec<String> =
        plan.tables.iter().filter(|table| !table.has_key()).map(|table| quoted_table(table.name())).collect();
    let remedy = |names: &[String]| {
        let key = "ADD COLUMN id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY";
        let alter: Vec<String> = names.iter().map(|name| format!("on the source: ALTER TABLE {name} {key};")).collect();
        statements(&alter)
    };
    Ok(if !large.is_empty() {
        Outcome::fail(at, format!("no key and too large to be kept: {}", listed(&large)), remedy(&large))
    } else if !small.is_empty() {
        Outcome::warn(at, format!("no key, kept by rewriting them whole: {}", listed(&small)), remedy(&small))
    } else {
        Outcome::pass(at, format!("all {} tables have a key", plan.tables.len()))
    })
}

/// How long a transaction of the source may hold the marks back until a person should know: no request of a user takes that
/// long, and whoever runs a batch wants to know before a failover that its end will not be on the target.
const HELD_WARN_S: i64 = 600;

/// SYNC-08: nobody's transaction has held the marks back for long. Others' rows arrive all the same.
pub(super) fn marks_move(facts: &ReadinessFacts) -> Answer {
    let lane = lane(facts)?;
    let held_ms = |since: Option<NaiveDateTime>| {
        let held = lane.value.cut_at.zip(since).map(|(cut_at, since)| cut_at - since);
        held.map_or(0, |held| held.num_milliseconds().max(0))
    };
    let holders = &lane.value.holders;
    let told = |holder: &Holder| {
        let who = holder.thread.map_or("a prepared transaction".to_owned(), |thread| format!("thread {thread}"));
        format!("{who} of {} for {}", holder.account, duration(held_ms(holder.since)))
    };
    let told: Vec<String> = holders.iter().map(told).collect();
    let longest_ms = holders.iter().map(|holder| held_ms(holder.since)).max().unwrap_or(0);
    Ok(if longest_ms > HELD_WARN_S * 1000 {
        Outcome::warn(
            lane.at,
            format!("marks are held back by {}", listed(&told)),
            "find out what those transactions are: what they have written is not on the target, and would be lost with the \
             source; end them there (on RDS `CALL mysql.rds_kill(…)`), or wait for them",
        )
    } else if told.is_empty() {
        Outcome::pass(lane.at, "nobody holds the marks back")
    } else {
        Outcome::pass(lane.at, format!("held back by {}", listed(&told)))
    })
}
