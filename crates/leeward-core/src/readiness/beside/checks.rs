//! SYNC, DATA, SCH-04 and 05, ACC-04 and 05 beside native replication.

use super::super::cloud::{Asked, Untold};
use super::super::facts::{Dated, ReadinessFacts, seen};
use super::super::loss::exposure;
use super::super::outcome::{Answer, Missing, Outcome, Status};
use super::super::page::{duration, listed, statements};
use super::super::proof::{Proof, ProofResult};
use super::super::sight::sees;
use super::{Keeper, grant, keeper};
use crate::grants::needs::{Need, TargetUse, replication_need, source_needs, target_needs};
use crate::grants::quoted_table;
use crate::name::{SYSTEM_SCHEMAS, Side};
use crate::replication::{CatchUp, Channel, Passage, Worker};
use crate::server::{Observed, ServerFacts};

/// What brings a broken replica back. Skipping what it could not apply makes it differ for ever, and nobody is told.
const REBUILD: &str = "find out on the target what the statement met (its error log; `leeward verify` names rows that differ \
                       by key); set the rows right and start replication again, or make the replica anew. Do not skip \
                       it: the replica then differs for good";

const COMPARE: &str =
    "run `leeward verify --evidence FILE` every night, and name the file to readiness: --evidence FILE";

fn channel(facts: &ReadinessFacts) -> Result<Dated<&Channel>, Missing> {
    match keeper(facts) {
        Keeper::Replication(channel) | Keeper::Both(channel) => Ok(channel),
        Keeper::Unseen(missing) => Err(missing),
        Keeper::Leeward | Keeper::Nobody(..) => Err(Missing::new("the target does not replicate from the source")),
    }
}

/// SYNC-01 where nothing at all keeps the target, or nobody can see what does.
pub(super) fn nobody(facts: &ReadinessFacts) -> Answer {
    match keeper(facts) {
        Keeper::Nobody(at, instead) => Ok(Outcome::fail(
            at,
            format!("nothing keeps the target in step with the source: nothing of Leeward's is on it, and {instead}"),
            "run `leeward seed` to have Leeward keep it; or make it a replica of this source; or name the right source",
        )),
        Keeper::Unseen(missing) => Err(missing),
        _ => Err(Missing::new("who keeps the target is not known")),
    }
}

/// SYNC-04 where Leeward and the servers both write the target.
pub(super) fn two_writers(facts: &ReadinessFacts) -> Answer {
    let channel = channel(facts)?;
    Ok(Outcome::fail(
        channel.at,
        format!("two writers: Leeward's control schema is on the target, and so is {}", channel.value.label()),
        "let one of them keep the target: end that replication (on RDS by promotion), or end Leeward's lane: stop `leeward \
         sync` and DROP DATABASE leeward",
    ))
}

/// SYNC-01: how far behind the target is, by positions. Seconds that the server believes to be behind can only make it worse:
/// they are 0 while nothing arrives.
pub(super) fn lag(facts: &ReadinessFacts) -> Answer {
    let Dated { at, value: channel } = channel(facts)?;
    let caught_up = seen(&facts.beside.catch_up, "how far the target has come")
        .map_err(|missing| Missing { remedy: missing.remedy.or_else(|| grant(facts, Side::Source)), ..missing })?;
    let CatchUp { end, passage, waited_ms } = &caught_up.value;
    let at = at.min(caught_up.at);
    let waited_ms = i64::try_from(*waited_ms).unwrap_or(i64::MAX);
    let objective_ms = facts.settings.rpo_s as f64 * 1000.0;
    let factor = facts.settings.checks.rpo_warn_factor.max(1.0);
    let believed = match channel.behind_s {
        Some(seconds) => format!("it believes to be {seconds} s behind"),
        None => "it does not say by how many seconds".to_owned(),
    };
    let delay =
        if channel.delay_s > 0 { format!(", delayed by {} s on purpose", channel.delay_s) } else { String::new() };
    let objective = format!("objective {} s", facts.settings.rpo_s);
    let remedy = "find out what holds the replica up (long transactions, tables without a key, a smaller instance, a set \
                  delay); or set a larger objectives.rpo";
    let graded = |age_ms: f64, actual: String| match age_ms {
        age if age > objective_ms * factor => Outcome::fail(at, actual, remedy),
        age if age > objective_ms => Outcome::warn(at, actual, remedy),
        _ => Outcome::pass(at, actual),
    };
    let stands = format!("applied up to {}, the source's log ended at {end}", channel.applied);
    match passage {
        Passage::Passed => {
            let actual = format!("at most {}, {objective}: it passed {end}{delay}", duration(waited_ms));
            Ok(graded(waited_ms as f64, actual))
        }
        Passage::Stopped => Ok(Outcome::fail(
            at,
            format!("the replica applies nothing, and lacks what the source has written: {stands}"),
            "start replication again (on RDS: CALL mysql.rds_start_replication) once SYNC-03 and SYNC-04 say why it stopped",
        )),
        Passage::NotYet if channel.received.reaches(end) != Some(true) => Err(Missing::with_remedy(
            format!(
                "how far behind the replica is nobody knows: it had not even received after {} what the source has \
                 written (received up to {}, the source's log ended at {end}); {believed}, which does not count that{delay}",
                duration(waited_ms),
                channel.received
            ),
            "look at the receiver (SYNC-03) and at the network between both Regions",
        )),
        Passage::NotYet => {
            let believed_ms =
                channel.behind_s.map(|seconds| i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX));
            let Some(believed_ms) = believed_ms else {
                let why = format!("more than {}, and {believed}: {stands}{delay}", duration(waited_ms));
                return Err(Missing::with_remedy(why, remedy));
            };
            let age_ms = believed_ms.max(waited_ms);
            let actual = format!("more than {}, {believed}, {objective}: {stands}{delay}", duration(waited_ms));
            Ok(match graded(age_ms as f64, actual) {
                // Within the objective by what the server believes alone.
                Outcome { status: Status::Pass, actual, .. } => {
                    Outcome::warn(at, format!("{actual}; that is not proved by positions"), remedy)
                }
                outcome => outcome,
            })
        }
    }
}

/// SYNC-02: replication applies whole transactions in their order, so that every table is as new as the whole, unless it is
/// left out.
pub(super) fn table_lag(facts: &ReadinessFacts) -> Answer {
    let channel = channel(facts)?;
    let filters = channel.value.own_filters();
    if !filters.is_empty() {
        return Ok(Outcome::fail(
            channel.at,
            format!("filters leave out or rename tables, which are then as of no known time: {}", listed(&filters)),
            "take the filters out of the target's parameter group, then make the replica anew: what was left out is missing",
        ));
    }
    let whole = lag(facts)?;
    Ok(Outcome { actual: format!("every table as the whole: {}", whole.actual), ..whole })
}

/// SYNC-03: both threads work.
pub(super) fn threads(facts: &ReadinessFacts) -> Answer {
    let Dated { at, value: channel } = channel(facts)?;
    let word = |worker: Worker| match worker {
        Worker::Running => "runs",
        Worker::Connecting => "tries to connect",
        Worker::Stopped => "is stopped",
    };
    let error = |number: u64| if number == 0 { String::new() } else { format!(" (error {number})") };
    let actual = format!(
        "{}: its receiver {}{}, its applier {}{}",
        channel.label(),
        word(channel.receiver),
        error(channel.receiver_error),
        word(channel.applier),
        error(channel.applier_error)
    );
    Ok(match (channel.receiver, channel.applier) {
        (Worker::Running, Worker::Running) => Outcome::pass(at, actual),
        (Worker::Connecting, Worker::Running) => Outcome::fail(
            at,
            actual,
            "see that the source answers the replica: network, its replication account, and binary logs that it still keeps",
        ),
        _ => Outcome::fail(
            at,
            actual,
            "start replication again: START REPLICA (MariaDB: START SLAVE; on RDS: CALL mysql.rds_start_replication)",
        ),
    })
}

/// SYNC-04: nothing has stopped it.
pub(super) fn errors(facts: &ReadinessFacts) -> Answer {
    let Dated { at, value: channel } = channel(facts)?;
    Ok(match (channel.applier_error, channel.receiver_error) {
        (0, 0) => Outcome::pass(at, "neither its applier nor its receiver has an error"),
        (0, number) => Outcome::fail(
            at,
            format!("its receiver stopped or failed with error {number}"),
            "look that number up in the server's manual, and at the target's error log; 1236: the source no longer keeps the \
             binary log that is needed, so make the replica anew",
        ),
        (number, _) => Outcome::fail(
            at,
            format!("its applier stopped with error {number}: the target cannot apply what the source did"),
            REBUILD,
        ),
    })
}

/// SYNC-05: every table of the source is there.
pub(super) fn coverage(facts: &ReadinessFacts) -> Answer {
    let channel = channel(facts)?;
    let filters = channel.value.own_filters();
    let (source, target) =
        (seen(&facts.source.tables, "the source's tables")?, seen(&facts.target.tables, "the target's tables")?);
    let mut at = channel.at.min(source.at).min(target.at);
    for side in [Side::Source, Side::Target] {
        at = at.min(sees(facts, side, "SELECT", "tables")?);
    }
    let own = |schema: &str| !SYSTEM_SCHEMAS.contains(&schema);
    let missing: Vec<String> = source
        .value
        .iter()
        .filter(|table| own(&table.name.schema) && !target.value.iter().any(|there| there.name == table.name))
        .map(|table| table.name.to_string())
        .collect();
    let remedy = "take filters out of the target's parameter group, and make the replica anew";
    Ok(if !missing.is_empty() {
        Outcome::fail(at, format!("not on the target: {}", listed(&missing)), remedy)
    } else if !filters.is_empty() {
        Outcome::fail(at, format!("filters leave out or rename tables: {}", listed(&filters)), remedy)
    } else if source.value.is_empty() {
        Outcome::fail(at, "no table was found on the source", "name the databases: --databases")
    } else {
        Outcome::pass(at, format!("all {} tables are there, and nothing is filtered", source.value.len()))
    })
}

/// SYNC-06 and SYNC-08: classes and marks are Leeward's own.
pub(super) fn without_marks(facts: &ReadinessFacts) -> Answer {
    let at = channel(facts)?.at;
    let says = "the servers' own replication keeps the target: there are neither classes nor marks";
    Ok(Outcome { status: Status::NotApplicable, ..Outcome::pass(at, says) })
}

/// SYNC-07: the applier looks for each row of a table without a key by reading all of it.
pub(super) fn keyless(facts: &ReadinessFacts) -> Answer {
    let tables = seen(&facts.source.tables, "the source's tables")?;
    let at = tables.at.min(channel(facts)?.at).min(sees(facts, Side::Source, "SELECT", "tables")?);
    let without: Vec<String> = tables
        .value
        .iter()
        .filter(|table| !table.keys.iter().any(|key| key.unique))
        .map(|table| quoted_table(&table.name))
        .collect();
    let key = "ADD COLUMN id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY";
    let alter: Vec<String> = without.iter().map(|name| format!("on the source: ALTER TABLE {name} {key};")).collect();
    Ok(match without.is_empty() {
        true => Outcome::pass(at, format!("all {} tables have a key", tables.value.len())),
        false => Outcome::warn(
            at,
            format!("no key, so that the replica reads them whole for each row: {}", listed(&without)),
            statements(&alter),
        ),
    })
}

/// Returns the evidence, if it is about these two servers.
fn proof(facts: &ReadinessFacts) -> Result<(&Proof, Vec<String>), Missing> {
    let told = match &facts.beside.proof {
        Asked::Told(told) => told,
        Asked::Untold(Untold { why, remedy }) => {
            let remedy = remedy.clone().unwrap_or_else(|| COMPARE.to_owned());
            return Err(Missing::with_remedy(format!("no comparison is known: {why}"), remedy));
        }
    };
    for (side, named) in [(Side::Source, &told.value.source), (Side::Target, &told.value.target)] {
        let server = seen(&facts.side(side).server, &format!("the {side}"))?;
        if server.value.identity != *named {
            return Err(Missing::with_remedy(format!("the evidence is about another {side}"), COMPARE));
        }
    }
    Ok((&told.value, vec![told.call.clone()]))
}

/// DATA-01: the last comparison of every table found the same rows.
pub(super) fn content(facts: &ReadinessFacts) -> Answer {
    channel(facts)?;
    let plan = facts.plan()?;
    let (proof, calls) = proof(facts)?;
    let (mut different, mut unsettled, mut never) = (Vec::new(), Vec::new(), Vec::new());
    for planned in &plan.tables {
        let name = planned.name().to_string();
        match proof.of(planned.name()).map(|line| line.result) {
            Some(ProofResult::Equal) => {}
            Some(ProofResult::Different) => different.push(name),
            Some(ProofResult::Unsettled) => unsettled.push(name),
            Some(ProofResult::NotCompared) | None => never.push(name),
        }
    }
    let outcome = if plan.tables.is_empty() {
        return Err(Missing::with_remedy("there is no table to compare", "name the databases: --databases"));
    } else if !different.is_empty() {
        Outcome::fail(
            facts.now,
            format!("rows differ: {}", listed(&different)),
            "`leeward verify` names them by key; find who wrote on the replica (read_only), and make the replica anew or set the \
             rows right. Promoting it would make the difference the truth",
        )
    } else if !never.is_empty() {
        Outcome::fail(facts.now, format!("not compared: {}", listed(&never)), COMPARE)
    } else if !unsettled.is_empty() {
        let why = format!("differed, and had not come to where the source was: {}", listed(&unsettled));
        return Err(Missing::with_remedy(
            why,
            "compare again when the replica has caught up: `leeward verify --evidence FILE`",
        ));
    } else {
        Outcome::pass(facts.now, format!("{} tables compared whole, no row differs", plan.tables.len()))
    };
    Ok(Outcome { calls, ..outcome })
}

/// DATA-02: the age of that proof.
pub(super) fn content_age(facts: &ReadinessFacts) -> Answer {
    channel(facts)?;
    let (proof, calls) = proof(facts)?;
    let found = exposure(facts, proof.source_at, None)?;
    let age_s = found.age_ms.unsigned_abs() / 1000;
    let actual = format!("compared {} ago", duration(found.age_ms));
    let checks = &facts.settings.checks;
    let outcome = match age_s {
        age if age > checks.verify_age_fail_s => Outcome::fail(found.at, actual, COMPARE),
        age if age > checks.verify_age_warn_s => Outcome::warn(found.at, actual, COMPARE),
        _ => Outcome::pass(found.at, actual),
    };
    Ok(Outcome { calls, ..outcome })
}

/// Returns what Leeward's account on one side needs beside native replication.
pub(in super::super) fn needs(server: &ServerFacts, schemas: &[String], side: Side) -> Vec<Need> {
    let mut needs: Vec<Need> = match side {
        // There is no fence to prove.
        Side::Source => {
            let fence = |need: &Need| need.privileges.contains(&"PROCESS");
            source_needs(server, schemas).into_iter().filter(|need| !fence(need)).collect()
        }
        Side::Target => target_needs(server, schemas, TargetUse::Verify),
    };
    needs.push(replication_need(server, side));
    needs
}

/// Returns whether a server refuses writes to all but administrators.
pub(in super::super) fn is_read_only(server: &ServerFacts) -> Observed<bool> {
    let is_on = |name: &str| {
        server.variables.get(name).is_some_and(|value| matches!(value.to_ascii_uppercase().as_str(), "ON" | "1"))
    };
    match server.variables.contains_key("read_only") {
        true => Observed::Known(["read_only", "super_read_only", "innodb_read_only"].iter().any(|name| is_on(name))),
        false => Observed::Unknown("read_only was not read".to_owned()),
    }
}
