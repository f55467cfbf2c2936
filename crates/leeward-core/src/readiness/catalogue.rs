//! The catalogue of checks (`rds.md` §3) in its declared order, which is the order of every report.

use super::facts::ReadinessFacts;
use super::outcome::Severity::{Blocker, High, Low, Medium};
use super::outcome::{Answer, Check, EvidenceClass, EvidenceKind, Severity};
use super::{accounts, aws, counters, data, objects, parameters, schema, sync};

type Run = fn(&ReadinessFacts) -> Answer;

const fn state(id: &'static str, severity: Severity, title: &'static str, expected: &'static str, run: Run) -> Check {
    Check {
        id,
        title,
        severity,
        expected,
        kind: EvidenceKind::State,
        class: EvidenceClass::Observed,
        evidence: "Leeward's control schema on the target",
        run,
    }
}

const fn sql(id: &'static str, severity: Severity, title: &'static str, expected: &'static str, run: Run) -> Check {
    Check { kind: EvidenceKind::Sql, ..state(id, severity, title, expected, run) }
}

const fn api(id: &'static str, severity: Severity, title: &'static str, expected: &'static str) -> Check {
    let check = state(id, severity, title, expected, aws::not_read);
    Check { kind: EvidenceKind::Api, evidence: "AWS", ..check }
}

impl Check {
    const fn from(self, evidence: &'static str) -> Check {
        Check { evidence, ..self }
    }

    const fn class(self, class: EvidenceClass) -> Check {
        Check { class, ..self }
    }
}

/// Every check. All of them run, every time.
pub(super) const CATALOGUE: [Check; 46] = [
    state(
        "SYNC-01",
        Blocker,
        "measured RPO",
        "age of the last consistent cut within the objective",
        sync::rpo_measured,
    )
    .from("lane.cut_at against the target's clock, corrected by the clocks' difference"),
    state("SYNC-02", Blocker, "lag of every table", "every table within the objective", sync::table_lag_max)
        .from("cut and last whole comparison of each table"),
    state("SYNC-03", High, "engine alive", "the lease is held and renewed", sync::engine_alive).from("lease"),
    state("SYNC-04", Blocker, "nothing waits for a person", "no quarantined table", sync::dead_letters)
        .from("state of each table"),
    sql("SYNC-05", Blocker, "coverage", "every base table planned or excluded by policy", sync::coverage)
        .from("information_schema.TABLES of the source against the plan"),
    state("SYNC-06", High, "classes hold", "no contradiction seen", sync::class_drift).from("what comparisons showed"),
    state("SYNC-07", High, "every table has a key", "a primary or unique not-null key", sync::keyless_tables)
        .from("the plan"),
    state("SYNC-08", Medium, "marks move", "no transaction holds them back for long", sync::marks_move)
        .from("what the last cycle saw of the source's transactions"),
    state("DATA-01", Blocker, "content is equal", "every table compared whole, no difference", data::checksum_parity)
        .from("last complete comparison of each table, made inside a cut")
        .class(EvidenceClass::Tested),
    state("DATA-02", High, "age of the comparison", "every table compared recently", data::verify_age)
        .from("last complete comparison of each table")
        .class(EvidenceClass::Tested),
    sql("SCH-01", Blocker, "tables, columns, indexes", "equal definitions", schema::tables_columns_indexes)
        .from("information_schema.COLUMNS, STATISTICS and SHOW CREATE TABLE on both sides"),
    sql("SCH-02", High, "foreign keys", "equal rules", schema::foreign_keys)
        .from("information_schema.REFERENTIAL_CONSTRAINTS on both sides"),
    sql("SCH-03", High, "views and routines", "same bodies and definers", objects::views_routines)
        .from("SHOW CREATE VIEW, FUNCTION, PROCEDURE on both sides"),
    sql("SCH-04", Blocker, "triggers kept aside", "all kept, none on the target", objects::triggers_staged)
        .from("information_schema.TRIGGERS on both sides, and the control schema"),
    sql("SCH-05", Blocker, "events kept aside", "all kept, none enabled on the target", objects::events_staged)
        .from("information_schema.EVENTS on both sides, @@event_scheduler, and the control schema"),
    sql("SCH-06", High, "character sets", "equal, and every collation known", schema::charset_collation)
        .from("SCHEMATA, COLLATIONS and @@character_set_server on both sides"),
    sql("SCH-07", Medium, "AUTO_INCREMENT headroom", "range not nearly used up", counters::autoinc_headroom)
        .from("information_schema.TABLES.AUTO_INCREMENT on both sides"),
    sql("SCH-08", Low, "AUTO_INCREMENT position", "not below the source's", counters::autoinc_position)
        .from("information_schema.TABLES.AUTO_INCREMENT on both sides"),
    sql("ACC-01", High, "accounts", "every account is on the target", accounts::accounts_exist)
        .from("mysql.user on both sides"),
    sql("ACC-02", High, "privileges and roles", "equal for the planned databases", accounts::grants_roles)
        .from("SHOW GRANTS FOR each account on both sides"),
    sql("ACC-03", High, "authentication plugins", "every account's plugin works there", accounts::auth_plugin)
        .from("mysql.user.plugin on both sides, information_schema.PLUGINS on the target"),
    sql("ACC-04", Blocker, "nobody else writes there", "accounts locked until a failover", accounts::app_locked)
        .from("account_locked and SHOW GRANTS FOR each account on the target"),
    sql("ACC-05", Blocker, "Leeward's privileges", "both accounts have what they need", accounts::engine_privs)
        .from("SHOW GRANTS FOR CURRENT_USER() on both sides"),
    sql("PAR-01", High, "parameters that must be equal", "equal", parameters::must_equal)
        .from("SHOW GLOBAL VARIABLES on both sides"),
    sql("PAR-02", Medium, "limits", "at least the source's", parameters::at_least)
        .from("SHOW GLOBAL VARIABLES on both sides"),
    sql("PAR-03", Medium, "durability", "a commit survives a crash", parameters::durability)
        .from("SHOW GLOBAL VARIABLES on the target"),
    api("PAR-04", High, "pending reboot", "parameter group in sync"),
    sql(
        "PAR-06",
        High,
        "function creators trusted",
        "on where triggers and functions need it",
        parameters::trust_creators,
    )
    .from("@@log_bin_trust_function_creators on the target"),
    api("INS-01", Blocker, "instance status", "available"),
    sql("INS-02", High, "engine version", "the same, or newer on the target", parameters::engine_version)
        .from("@@version on both sides"),
    api("INS-04", High, "capacity", "a class as large, or one that can be had"),
    api("INS-05", Medium, "storage", "size and IOPS at least the source's"),
    api("INS-06", Blocker, "free space", "more than 20 %"),
    api("INS-08", Medium, "Multi-AZ", "as the policy says"),
    api("INS-09", High, "backups", "on, kept as long as on the source"),
    api("INS-10", High, "encryption", "on, with a key that is enabled there"),
    api("INS-11", Medium, "deletion protection", "on"),
    api("INS-13", Medium, "certificate", "valid for 90 days and more"),
    api("INS-14", Medium, "quotas", "less than 80 % used"),
    api("NET-01", High, "security groups", "cover what the application needs"),
    api("NET-02", Medium, "subnets", "two zones, not public"),
    api("CUT-01", High, "DNS record", "there, TTL of 60 s or less"),
    api("CUT-02", High, "secret", "readable there and logs in"),
    api("CUT-04", Medium, "control planes", "no step needs the source's region"),
    api("GOV-01", High, "last drill", "passed within 90 days"),
    api("GOV-02", High, "measured RTO", "within the objective"),
];
