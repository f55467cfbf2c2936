//! Checks that stand in the place of the catalogue's where the servers replicate by themselves: the same ids and weights,
//! judged from replication status and from the evidence of `verify` instead of marks.

use super::super::catalogue::sql;
use super::super::facts::ReadinessFacts;
use super::super::outcome::Severity::{Blocker, High, Medium};
use super::super::outcome::{Check, EvidenceClass, EvidenceKind};
use super::super::{accounts, objects};
use super::{Keeper, checks, keeper};

const STATUS: &str = "SHOW REPLICA STATUS (MariaDB: SHOW ALL SLAVES STATUS) of the target";
const POSITIONS: &str = "the end of the source's binary log, and the target's own wait for it (SOURCE_POS_WAIT)";
const FILE: &str = "the evidence that `leeward verify --evidence` wrote";

/// GRANTs without which replication cannot be seen.
const GRANTS: &[&str] =
    &["REPLICATION CLIENT on both sides (MariaDB: BINLOG MONITOR on the source, SLAVE MONITOR on the target)"];
const RPO: &[&str] = &["objectives.rpo", "checks.rpo_warn_factor"];

/// Where the servers replicate.
static REPLICATED: [Check; 14] = [
    sql(
        "SYNC-01",
        Blocker,
        "measured RPO",
        "what the source had committed is applied within the objective",
        checks::lag,
    )
    .from(POSITIONS)
    .rules(
        "up to checks.rpo_warn_factor times the objective, or not proved by positions",
        "more, or it applies nothing",
    )
    .by(GRANTS, RPO),
    sql("SYNC-02", Blocker, "lag of every table", "no table is left out, and the whole is in time", checks::table_lag)
        .from(STATUS)
        .rules("as SYNC-01", "filters leave tables out, or as SYNC-01")
        .by(GRANTS, RPO),
    sql("SYNC-03", High, "engine alive", "receiver and applier run", checks::threads)
        .from(STATUS)
        .rules("never", "one is stopped or cannot connect")
        .by(GRANTS, &[]),
    sql("SYNC-04", Blocker, "nothing waits for a person", "no error of receiver or applier", checks::errors)
        .from(STATUS)
        .rules("never", "an error number is not 0")
        .by(GRANTS, &[]),
    sql(
        "SYNC-05",
        Blocker,
        "coverage",
        "every base table of the source is on the target, no filters",
        checks::coverage,
    )
    .from("information_schema.TABLES of both sides, and the replication filters of the target")
    .by(GRANTS, &[]),
    sql("SYNC-06", High, "classes hold", "does not apply beside native replication", checks::without_marks)
        .from(STATUS),
    sql("SYNC-07", High, "every table has a key", "a primary or unique key", checks::keyless)
        .from("information_schema.STATISTICS of the source")
        .rules("a table has none: the replica reads it whole for each row", "never"),
    sql("SYNC-08", Medium, "marks move", "does not apply beside native replication", checks::without_marks)
        .from(STATUS),
    evidence(sql("DATA-01", Blocker, "content is equal", "every table compared whole, no difference", checks::content)),
    evidence(sql("DATA-02", High, "age of that proof", "within checks.verify_age_warn", checks::content_age))
        .rules("older than checks.verify_age_warn", "older than checks.verify_age_fail")
        .by(&[], &["checks.verify_age_warn", "checks.verify_age_fail"]),
    sql("SCH-04", Blocker, "triggers", "every trigger of the source is on the target", objects::triggers_replicated)
        .from("SHOW CREATE TRIGGER of both sides"),
    sql("SCH-05", Blocker, "events", "every event is on the target, none enabled", objects::events_replicated)
        .from("SHOW CREATE EVENT of both sides"),
    sql("ACC-04", Blocker, "nobody writes early", "read_only is on", accounts::replica_read_only)
        .from("@@read_only and the accounts of the target")
        .rules("an account stands above read_only", "read_only is off")
        .by(&[], &["checks.writers_on_target"]),
    sql("ACC-05", Blocker, "Leeward's privileges", "both accounts see what is judged", accounts::onlooker_privs)
        .from("SHOW GRANTS of both sides"),
];

/// Returns the check that is run in the place of one of that name where the servers replicate; nothing where it is the same.
pub(in super::super) fn replicated(id: &str) -> Option<&'static Check> {
    REPLICATED.iter().find(|check| check.id == id)
}

/// Where nothing keeps the target, or nobody can see what does.
static NOBODY: [Check; 1] =
    [sql("SYNC-01", Blocker, "measured RPO", "something keeps the target in step", checks::nobody)
        .from("Leeward's control schema on the target, and its replication status")
        .by(GRANTS, &[])];

/// Where Leeward and the servers both do.
static TWICE: [Check; 1] =
    [sql("SYNC-04", Blocker, "nothing waits for a person", "one writer alone", checks::two_writers)
        .from("Leeward's control schema on the target, and its replication status")];

const fn evidence(check: Check) -> Check {
    Check { kind: EvidenceKind::File, class: EvidenceClass::Tested, evidence: FILE, ..check }
}

/// Returns the check that is to be run in a check's place: itself, where Leeward keeps the target.
pub(in super::super) fn stand_in<'a>(check: &'a Check, facts: &ReadinessFacts) -> &'a Check {
    let instead: &'static [Check] = match keeper(facts) {
        Keeper::Leeward => &[],
        Keeper::Replication(_) => &REPLICATED,
        Keeper::Both(_) => &TWICE,
        Keeper::Nobody(..) | Keeper::Unseen(_) => &NOBODY,
    };
    instead.iter().find(|other| other.id == check.id).unwrap_or(check)
}
