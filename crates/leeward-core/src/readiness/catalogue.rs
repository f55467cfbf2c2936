//! The catalogue of checks (`rds.md` §3) in its declared order, which is the order of every report.

use super::facts::ReadinessFacts;
use super::outcome::Severity::{Blocker, High, Low, Medium};
use super::outcome::{Answer, Check, EvidenceClass, EvidenceKind, Severity};
use super::{
    accounts, capacity, counters, cutover, data, governance, instance, network, objects, parameters, schema, storage,
    sync,
};

type Run = fn(&ReadinessFacts) -> Answer;

pub(super) const fn state(
    id: &'static str,
    severity: Severity,
    title: &'static str,
    expected: &'static str,
    run: Run,
) -> Check {
    Check {
        id,
        title,
        severity,
        expected,
        warns: "never",
        fails: "otherwise",
        kind: EvidenceKind::State,
        class: EvidenceClass::Observed,
        evidence: "Leeward's control schema on the target",
        needs: &[],
        policy: &[],
        run,
    }
}

pub(super) const fn sql(
    id: &'static str,
    severity: Severity,
    title: &'static str,
    expected: &'static str,
    run: Run,
) -> Check {
    Check { kind: EvidenceKind::Sql, ..state(id, severity, title, expected, run) }
}

const fn api(id: &'static str, severity: Severity, title: &'static str, expected: &'static str, run: Run) -> Check {
    Check { kind: EvidenceKind::Api, evidence: "AWS", ..state(id, severity, title, expected, run) }
}

const fn file(id: &'static str, severity: Severity, title: &'static str, expected: &'static str, run: Run) -> Check {
    let check = state(id, severity, title, expected, run);
    Check {
        kind: EvidenceKind::File,
        class: EvidenceClass::Declared,
        evidence: "the record of the last drill",
        ..check
    }
}

impl Check {
    pub(super) const fn from(self, evidence: &'static str) -> Check {
        Check { evidence, ..self }
    }

    pub(super) const fn class(self, class: EvidenceClass) -> Check {
        Check { class, ..self }
    }

    /// Says what warns and what fails.
    pub(super) const fn rules(self, warns: &'static str, fails: &'static str) -> Check {
        Check { warns, fails, ..self }
    }

    /// Says without which IAM actions or grants it is unknown, and which keys of the policy rule it.
    pub(super) const fn by(self, needs: &'static [&'static str], policy: &'static [&'static str]) -> Check {
        Check { needs, policy, ..self }
    }
}

/// Without it an instance's remedy would name nothing.
const DESCRIBE: &str = "rds:DescribeDBInstances";
/// The same for a Multi-AZ cluster.
const DESCRIBE_CLUSTER: &str = "rds:DescribeDBClusters";

/// What most checks of an instance need.
const SERVER: &[&str] = &[DESCRIBE, DESCRIBE_CLUSTER];

/// Every check. All of them run, every time.
pub(super) const CATALOGUE: [Check; 46] = [
    state(
        "SYNC-01",
        Blocker,
        "measured RPO",
        "age of the last consistent cut within the objective",
        sync::rpo_measured,
    )
    .from("lane.cut_at against the target's clock, corrected by the clocks' difference")
    .rules("up to checks.rpo_warn_factor times the objective", "older than that, or the lane is not live")
    .by(&[], &["objectives.rpo", "checks.rpo_warn_factor"]),
    state("SYNC-02", Blocker, "lag of every table", "every table within the objective", sync::table_lag_max)
        .from("cut and last whole comparison of each table")
        .rules("never", "a table is older, or was never equal")
        .by(&[], &["objectives.rpo"]),
    state("SYNC-03", High, "engine alive", "the lease is held and renewed", sync::engine_alive)
        .from("lease")
        .rules("not renewed for checks.lease_age_warn", "not renewed for checks.lease_age_fail, or nobody holds it")
        .by(&[], &["checks.lease_age_warn", "checks.lease_age_fail"]),
    state("SYNC-04", Blocker, "nothing waits for a person", "no quarantined table", sync::dead_letters)
        .from("state of each table")
        .rules("never", "a table is quarantined")
        .by(&[], &["on_contradiction"]),
    sql("SYNC-05", Blocker, "coverage", "every base table planned or excluded by policy", sync::coverage)
        .from("information_schema.TABLES of the source against the plan")
        .rules("a table is excluded by a default rule", "a table is new since the plan, or cannot be kept right")
        .by(&["SELECT on the planned databases of the source"], &[]),
    state("SYNC-06", High, "classes hold", "no contradiction seen", sync::class_drift)
        .from("what comparisons showed")
        .rules(
            "rows were found behind a clock, or a table is kept by its fallback",
            "a class was contradicted and nothing has changed since",
        )
        .by(&[], &["on_contradiction"]),
    state("SYNC-07", High, "every table has a key", "a primary or unique not-null key", sync::keyless_tables)
        .from("the plan")
        .rules("small tables have none and are compared whole", "a large table has none")
        .by(&[], &["keyless.rows_max", "keyless.bytes_max"]),
    state("SYNC-08", Medium, "marks move", "no transaction holds them back for long", sync::marks_move)
        .from("what the last cycle saw of the source's transactions")
        .rules("a transaction of the source holds them back for more than ten minutes", "never")
        .by(&["PROCESS on the source"], &[]),
    state("DATA-01", Blocker, "content is equal", "every table compared whole, no difference", data::checksum_parity)
        .from("last complete comparison of each table, made inside a cut")
        .class(EvidenceClass::Tested)
        .rules("differences were found and repaired", "a difference stays, or a table was never compared whole"),
    state("DATA-02", High, "age of the comparison", "every table compared recently", data::verify_age)
        .from("last complete comparison of each table")
        .class(EvidenceClass::Tested)
        .rules("a table was not compared for checks.verify_age_warn", "not for checks.verify_age_fail")
        .by(&[], &["checks.verify_age_warn", "checks.verify_age_fail", "scrub.pass_interval"]),
    sql("SCH-01", Blocker, "tables, columns, indexes", "equal definitions", schema::tables_columns_indexes)
        .from("information_schema.COLUMNS, STATISTICS and SHOW CREATE TABLE on both sides")
        .rules("only what Leeward puts off differs", "columns, keys, options, expressions or CHECKs differ")
        .by(&["SELECT on the planned databases of both sides"], &["ddl"]),
    sql("SCH-02", High, "foreign keys", "equal rules", schema::foreign_keys)
        .from("information_schema.REFERENTIAL_CONSTRAINTS on both sides")
        .rules("the plan holds some back", "some are missing or differ")
        .by(&["SELECT on the planned databases of both sides"], &[]),
    sql("SCH-03", High, "views and routines", "same bodies and definers", objects::views_routines)
        .from("SHOW CREATE VIEW, FUNCTION, PROCEDURE on both sides")
        .rules("another definer", "one is missing or has another body")
        .by(&["SHOW VIEW and SHOW_ROUTINE, or their equals, on both sides"], &[]),
    sql("SCH-04", Blocker, "triggers kept aside", "all kept, none on the target", objects::triggers_staged)
        .from("information_schema.TRIGGERS on both sides, and the control schema")
        .rules("never", "one is not kept, or stands on the target")
        .by(&["TRIGGER on the planned databases of both sides"], &[]),
    sql("SCH-05", Blocker, "events kept aside", "all kept, none enabled on the target", objects::events_staged)
        .from("information_schema.EVENTS on both sides, @@event_scheduler, and the control schema")
        .rules("the scheduler is on, with nothing enabled", "one is not kept, or enabled on the target")
        .by(&["EVENT on the planned databases of both sides"], &[]),
    sql("SCH-06", High, "character sets", "equal, and every collation known", schema::charset_collation)
        .from("SCHEMATA, COLLATIONS and @@character_set_server on both sides")
        .rules("the servers' defaults differ", "a database has another collation, or the target lacks one"),
    sql("SCH-07", Medium, "AUTO_INCREMENT headroom", "range not nearly used up", counters::autoinc_headroom)
        .from("information_schema.TABLES.AUTO_INCREMENT on both sides")
        .rules("checks.autoinc_warn of it is used", "checks.autoinc_fail of it is used")
        .by(&[], &["checks.autoinc_warn", "checks.autoinc_fail"]),
    sql("SCH-08", Low, "AUTO_INCREMENT position", "not below the source's", counters::autoinc_position)
        .from("information_schema.TABLES.AUTO_INCREMENT on both sides")
        .rules("some are below the source's: the ALTER for a failover is printed", "never"),
    sql("ACC-01", High, "accounts", "every account is on the target", accounts::accounts_exist)
        .from("mysql.user on both sides")
        .rules("those that the policy ignores are missing", "others are missing")
        .by(&["SELECT on mysql.* of both sides"], &["checks.ignored_accounts"]),
    sql("ACC-02", High, "privileges and roles", "equal for the planned databases", accounts::grants_roles)
        .from("SHOW GRANTS FOR each account on both sides")
        .rules("the target holds writing privileges back, or has more", "some are missing")
        .by(&["SELECT on mysql.* of both sides"], &["checks.ignored_accounts"]),
    sql("ACC-03", High, "authentication plugins", "every account's plugin works there", accounts::auth_plugin)
        .from("mysql.user.plugin on both sides, information_schema.PLUGINS on the target")
        .rules("a plugin is on its way out", "the target does not know a plugin")
        .by(&["SELECT on mysql.* of both sides"], &["checks.ignored_accounts"]),
    sql("ACC-04", Blocker, "nobody else writes there", "accounts locked until a failover", accounts::app_locked)
        .from("account_locked and SHOW GRANTS FOR each account on the target")
        .rules("never", "an account that is not locked can write")
        .by(&["SELECT on mysql.* of the target"], &["checks.writers_on_target"]),
    sql("ACC-05", Blocker, "Leeward's privileges", "both accounts have what they need", accounts::engine_privs)
        .from("SHOW GRANTS FOR CURRENT_USER() on both sides")
        .rules("something optional is missing", "something required is missing"),
    sql("PAR-01", High, "parameters that must be equal", "equal", parameters::must_equal)
        .from("SHOW GLOBAL VARIABLES on both sides")
        .rules("the policy allows the difference", "they differ")
        .by(&[], &["checks.variables_may_differ"]),
    sql("PAR-02", Medium, "limits", "at least the source's", parameters::at_least)
        .from("SHOW GLOBAL VARIABLES on both sides")
        .rules("down to checks.at_least_warn of it", "below that")
        .by(&[], &["checks.at_least_warn"]),
    sql("PAR-03", Medium, "durability", "a commit survives a crash", parameters::durability)
        .from("SHOW GLOBAL VARIABLES on the target")
        .rules("relaxed while it is a copy", "never"),
    api("PAR-04", High, "pending reboot", "parameter group in sync, no change waits", instance::pending_reboot)
        .from("DBParameterGroups and PendingModifiedValues of the target")
        .rules("a change waits for the maintenance window, or is being applied", "a parameter waits for a reboot")
        .by(SERVER, &[]),
    sql(
        "PAR-06",
        High,
        "function creators trusted",
        "on where triggers and functions need it",
        parameters::trust_creators,
    )
    .from("@@log_bin_trust_function_creators on the target")
    .rules("never", "off, the binary log is on, and the source has triggers or functions")
    .by(&["TRIGGER and SHOW_ROUTINE, or their equals, on the source"], &[]),
    api("INS-01", Blocker, "instance status", "available", instance::status)
        .from("DBInstanceStatus of the target")
        .rules("it optimizes its storage or is backed up", "any other status")
        .by(SERVER, &[]),
    sql("INS-02", High, "engine version", "the same, or newer on the target", parameters::engine_version)
        .from("@@version on both sides")
        .rules("newer on the target", "older, or another kind of server"),
    api("INS-04", High, "capacity", "a class as large as is wanted", capacity::class)
        .from("DBInstanceClass of both sides, and where the wanted class can be had")
        .rules(
            "smaller, and the wanted class can be had in its zones: the command that makes it grow is printed",
            "the wanted class cannot be had there",
        )
        .by(
            &[
                "rds:DescribeDBInstances",
                "rds:DescribeDBClusters",
                "rds:DescribeOrderableDBInstanceOptions",
                "rds:DescribeDBSubnetGroups",
            ],
            &["takeover.class"],
        ),
    api("INS-05", Medium, "storage", "size and IOPS at least the source's", storage::size)
        .from("AllocatedStorage, StorageType, Iops and StorageThroughput of both sides")
        .rules("large enough, but slower or of another type", "smaller")
        .by(&["rds:DescribeDBInstances", "rds:DescribeDBClusters", "rds:DescribeValidDBInstanceModifications"], &[]),
    api("INS-06", Blocker, "free space", "more than checks.free_space_warn", storage::free_space)
        .from("FreeStorageSpace of the target, measured within 15 minutes")
        .rules("down to checks.free_space_fail", "less")
        .by(
            &["rds:DescribeDBInstances", "rds:DescribeDBClusters", "cloudwatch:GetMetricData"],
            &["checks.free_space_warn", "checks.free_space_fail"],
        ),
    api("INS-08", Medium, "Multi-AZ", "as the policy says", instance::multi_az)
        .from("MultiAZ of the target")
        .rules("one zone, and the policy puts the second off until it takes over", "one zone, and the policy wants two")
        .by(SERVER, &["takeover.multi_az"]),
    api("INS-09", High, "backups", "on, kept as long as on the source, and new", storage::backups)
        .from("BackupRetentionPeriod of both sides and LatestRestorableTime of the target")
        .rules("kept for less long, or older than checks.restorable_age_warn", "off")
        .by(SERVER, &["checks.restorable_age_warn"]),
    api("INS-10", High, "encryption", "on, with a key that is enabled there", storage::encryption)
        .from("StorageEncrypted and KmsKeyId of the target, and the state of that key")
        .rules("the key is one that AWS manages", "off, or the key is disabled or about to be deleted")
        .by(&["rds:DescribeDBInstances", "rds:DescribeDBClusters", "kms:DescribeKey"], &[]),
    api("INS-11", Medium, "deletion protection", "on", instance::deletion_protection)
        .from("DeletionProtection of the target")
        .rules("never", "off")
        .by(SERVER, &[]),
    api("INS-13", Medium, "certificate", "valid for longer than checks.certificate_warn", instance::certificate)
        .from("CertificateDetails of both, and the end of the target's authority")
        .rules(
            "less than checks.certificate_warn; another authority than the source's",
            "less than checks.certificate_fail",
        )
        .by(
            &["rds:DescribeDBInstances", "rds:DescribeDBClusters", "rds:DescribeCertificates"],
            &["checks.certificate_warn", "checks.certificate_fail"],
        ),
    api("INS-14", Medium, "quotas", "less than checks.quota_warn used", capacity::quotas)
        .from("AccountQuotas of the target's Region: instances, storage, snapshots, clusters")
        .rules("checks.quota_warn is used", "checks.quota_fail is used")
        .by(&["rds:DescribeAccountAttributes"], &["checks.quota_warn", "checks.quota_fail"]),
    api("NET-01", High, "security groups", "let in what the policy names, and not the world", network::security_groups)
        .from("ingress rules of the target's security groups")
        .rules("the whole world is let in, too", "something that the policy names is not let in")
        .by(
            &["rds:DescribeDBInstances", "rds:DescribeDBClusters", "ec2:DescribeSecurityGroups"],
            &["network.application"],
        ),
    api("NET-02", Medium, "subnets", "two zones, not public, addresses left", network::subnets)
        .from("the target's subnet group, its public access, and the addresses left")
        .rules("fewer addresses than checks.subnet_addresses_min in a subnet", "one zone, or a public address")
        .by(
            &["rds:DescribeDBInstances", "rds:DescribeDBClusters", "rds:DescribeDBSubnetGroups", "ec2:DescribeSubnets"],
            &["checks.subnet_addresses_min"],
        ),
    api("CUT-01", High, "DNS record", "there, short-lived, and it leads to the source", cutover::dns)
        .from("the record in Route 53; without the policy's dns_record, does not apply where it hands over by a secret")
        .rules(
            "a TTL up to checks.dns_ttl_warn, an alias, or it leads elsewhere",
            "missing, a longer TTL, or it leads to the target already",
        )
        .by(
            &["route53:ListResourceRecordSets"],
            &["cutover.dns_record", "cutover.hosted_zone", "checks.dns_ttl_pass", "checks.dns_ttl_warn"],
        ),
    api("CUT-02", High, "secret", "readable there and logs in", cutover::secret)
        .from("the application's secret, and a login to the target with it")
        .class(EvidenceClass::Tested)
        .rules("it logs in, but names another host", "the server refuses it")
        .by(&["secretsmanager:GetSecretValue"], &["cutover.secret"]),
    api("CUT-04", Medium, "control planes", "no step needs the source's region", cutover::control_planes)
        .from("the policy's list of the runbook's calls, and the Region of Leeward's own secret")
        .class(EvidenceClass::Declared)
        .rules("a step edits IAM, Route 53 or another global control plane", "a step calls the source's Region")
        .by(&[], &["cutover.calls"]),
    file("GOV-01", High, "last drill", "passed within checks.drill_age_warn", governance::last_drill)
        .rules("older, or only a tabletop drill", "failed, or older than checks.drill_age_fail")
        .by(&[], &["checks.drill_age_warn", "checks.drill_age_fail"]),
    file("GOV-02", High, "measured RTO", "within the objective", governance::measured_rto)
        .rules("up to checks.rto_warn_factor times the objective", "above, or never measured")
        .by(&[], &["objectives.rto", "checks.rto_warn_factor"]),
];
