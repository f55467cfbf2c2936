//! PAR and INS-02, case by case.

use super::super::outcome::Status::{Fail, Pass, Unknown, Warn};
use super::{ReadinessFacts, change, table_of};
use crate::server::{Flavor, Observed, Version};
use crate::survey::ObjectKind;

fn set(facts: &mut ReadinessFacts, name: &str, value: &str) {
    change(&mut facts.target.server).variables.insert(name.to_owned(), value.to_owned());
}

fn unset(facts: &mut ReadinessFacts, name: &str) {
    change(&mut facts.target.server).variables.remove(name);
}

fn unread(facts: &mut ReadinessFacts) {
    change(&mut facts.target.server).variables.clear();
    change(&mut facts.source.server).variables.clear();
}

#[test]
fn par_01_compares_what_statements_mean() {
    table_of(
        "PAR-01",
        &[
            ("a mode is missing", |facts| set(facts, "sql_mode", "NO_ZERO_DATE"), Fail, "sql_mode=STRICT_TRANS_TABLES"),
            (
                "modes stand in another order",
                |facts| set(facts, "sql_mode", "NO_ZERO_DATE,STRICT_TRANS_TABLES"),
                Pass,
                "",
            ),
            (
                "the time zone is the system's",
                |facts| {
                    set(facts, "time_zone", "SYSTEM");
                    set(facts, "system_time_zone", "UTC");
                },
                Pass,
                "",
            ),
            ("the time zone differs", |facts| set(facts, "time_zone", "Europe/Oslo"), Fail, "Europe/Oslo"),
            ("a switch is printed as a number", |facts| set(facts, "innodb_strict_mode", "1"), Pass, ""),
            (
                "a difference is allowed",
                |facts| {
                    set(facts, "group_concat_max_len", "2048");
                    facts.settings.checks.variables_may_differ.push("group_concat_max_len".into());
                },
                Warn,
                "policy allows",
            ),
            (
                "MariaDB's older name",
                |facts| {
                    unset(facts, "transaction_isolation");
                    set(facts, "tx_isolation", "REPEATABLE-READ");
                },
                Pass,
                "",
            ),
            ("one side does not know it", |facts| unset(facts, "innodb_strict_mode"), Unknown, "innodb_strict_mode"),
            ("nothing was read", unread, Unknown, "were not read"),
            ("the source is unseen", |facts| facts.source.server = Observed::Unknown("gone".into()), Unknown, "gone"),
        ],
    );
}

#[test]
fn par_02_compares_limits() {
    table_of(
        "PAR-02",
        &[
            ("it is more", |facts| set(facts, "max_connections", "500"), Pass, ""),
            ("it is half", |facts| set(facts, "max_connections", "100"), Warn, "max_connections=200"),
            ("it is less", |facts| set(facts, "max_connections", "99"), Fail, "source 200"),
            ("it is not known", |facts| unset(facts, "max_connections"), Unknown, "max_connections"),
        ],
    );
}

#[test]
fn par_03_wants_durable_commits() {
    table_of(
        "PAR-03",
        &[
            ("it is relaxed", |facts| set(facts, "sync_binlog", "0"), Warn, "at a failover"),
            (
                "there is no log",
                |facts| {
                    set(facts, "sync_binlog", "0");
                    set(facts, "log_bin", "OFF");
                },
                Pass,
                "",
            ),
            (
                "it is relaxed on the writer",
                |facts| {
                    set(facts, "innodb_flush_log_at_trx_commit", "2");
                    change(&mut facts.lease).as_mut().unwrap().promoted = true;
                },
                Fail,
                "writer",
            ),
            ("it is not known", |facts| unset(facts, "sync_binlog"), Unknown, "sync_binlog"),
        ],
    );
}

#[test]
fn par_06_lets_triggers_be_created_t31() {
    table_of(
        "PAR-06",
        &[
            ("it is off", |facts| set(facts, "log_bin_trust_function_creators", "OFF"), Fail, "=1"),
            (
                "it is off and nothing needs it",
                |facts| {
                    set(facts, "log_bin_trust_function_creators", "OFF");
                    change(&mut facts.source.objects).retain(|object| object.kind != ObjectKind::Trigger);
                },
                Pass,
                "",
            ),
            (
                "there is no log",
                |facts| {
                    set(facts, "log_bin_trust_function_creators", "OFF");
                    set(facts, "log_bin", "OFF");
                },
                Pass,
                "",
            ),
            ("it is not known", |facts| unset(facts, "log_bin_trust_function_creators"), Unknown, "not known"),
            ("objects are unseen", |facts| facts.source.objects = Observed::Unknown("gone".into()), Unknown, "gone"),
        ],
    );
}

#[test]
fn ins_02_compares_versions() {
    table_of(
        "INS-02",
        &[
            (
                "the target is newer",
                |facts| change(&mut facts.target.server).version = Version(26, 10, 0),
                Warn,
                "26.10.0",
            ),
            ("the target is older", |facts| change(&mut facts.target.server).version = Version(8, 4, 9), Fail, "8.4.9"),
            (
                "it is of another kind",
                |facts| change(&mut facts.target.server).flavor = Flavor::MariaDb,
                Fail,
                "MariaDB",
            ),
            ("it is unseen", |facts| facts.target.server = Observed::Unknown("gone".into()), Unknown, "gone"),
        ],
    );
}
