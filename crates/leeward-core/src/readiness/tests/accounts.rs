//! ACC, case by case.

use super::super::outcome::Status::{Fail, Pass, Unknown, Warn};
use super::super::{AccountFacts, AccountKind};
use super::{ReadinessFacts, account, change, grants, known, table_of};
use crate::plan::FenceMode;
use crate::server::Observed;

fn app(facts: &mut ReadinessFacts) -> &mut AccountFacts {
    &mut change(&mut facts.target.accounts)[0]
}

fn unlock(facts: &mut ReadinessFacts, lines: &[&str]) {
    app(facts).locked = Observed::Known(false);
    app(facts).grants = Observed::Known(grants(lines));
}

fn blind(facts: &mut ReadinessFacts) {
    facts.target.grants = known(grants(&["GRANT ALL PRIVILEGES ON `shop`.* TO `leeward`@`%`"]));
}

#[test]
fn acc_01_wants_every_account() {
    table_of(
        "ACC-01",
        &[
            (
                "one is missing",
                |facts| {
                    change(&mut facts.target.accounts).remove(0);
                },
                Fail,
                "SHOW CREATE USER `app`@`%`",
            ),
            (
                "a missing one is ignored",
                |facts| {
                    change(&mut facts.target.accounts).remove(0);
                    facts.settings.checks.ignored_accounts.push("app@*".into());
                },
                Pass,
                "",
            ),
            (
                "Leeward's own is missing",
                |facts| change(&mut facts.source.accounts).push(account("leeward", &[])),
                Pass,
                "",
            ),
            ("the account is blind", blind, Unknown, "on the target: GRANT SELECT ON `mysql`.* TO `leeward`@`%`;"),
            ("the list is empty", |facts| change(&mut facts.target.accounts).clear(), Unknown, "no account"),
            ("accounts are unseen", |facts| facts.source.accounts = Observed::Unknown("1142".into()), Unknown, "1142"),
        ],
    );
}

#[test]
fn acc_02_compares_privileges() {
    table_of(
        "ACC-02",
        &[
            (
                "reading is missing",
                |facts| {
                    app(facts).grants = Observed::Known(grants(&["GRANT INSERT, UPDATE ON `shop`.* TO `app`@`%`"]));
                },
                Fail,
                "GRANT SELECT ON `shop`.* TO `app`@`%`;",
            ),
            (
                "writing is held back",
                |facts| {
                    app(facts).grants = Observed::Known(grants(&["GRANT SELECT ON `shop`.* TO `app`@`%`"]));
                },
                Warn,
                "at a failover, on the target: GRANT INSERT",
            ),
            (
                "a role is missing",
                |facts| {
                    change(&mut facts.source.accounts)[0].grants =
                        Observed::Known(grants(&["GRANT `staff`@`%` TO `app`@`%`"]));
                },
                Fail,
                "GRANT `staff`@`%` TO `app`@`%`;",
            ),
            (
                "there is more",
                |facts| {
                    app(facts).grants = Observed::Known(grants(&["GRANT ALL PRIVILEGES ON `shop`.* TO `app`@`%`"]));
                },
                Warn,
                "target only",
            ),
            (
                "other databases do not count",
                |facts| {
                    change(&mut facts.source.accounts)[0].grants = Observed::Known(grants(&[
                        "GRANT SELECT, INSERT, UPDATE ON `shop`.* TO `app`@`%`",
                        "GRANT SELECT ON `crm`.* TO `app`@`%`",
                    ]));
                },
                Pass,
                "",
            ),
            ("they could not be read", |facts| app(facts).grants = Observed::Unknown("1142".into()), Unknown, "1142"),
        ],
    );
}

#[test]
fn acc_03_compares_plugins() {
    fn plugin(facts: &mut ReadinessFacts, source: &str, target: &str) {
        change(&mut facts.source.accounts)[0].plugin = source.into();
        app(facts).plugin = target.into();
    }
    table_of(
        "ACC-03",
        &[
            ("the target has none", |facts| plugin(facts, "ed25519", "ed25519"), Fail, "no such plugin"),
            ("it differs", |facts| plugin(facts, "ed25519", "caching_sha2_password"), Warn, "another plugin"),
            (
                "it is going away",
                |facts| {
                    plugin(facts, "mysql_native_password", "mysql_native_password");
                    change(&mut facts.target.auth_plugins).insert("mysql_native_password".into());
                },
                Warn,
                "deprecated",
            ),
            (
                "tokens are refused",
                |facts| plugin(facts, "AWSAuthenticationPlugin", "caching_sha2_password"),
                Fail,
                "tokens",
            ),
            (
                "plugins are unseen",
                |facts| facts.target.auth_plugins = Observed::Unknown("gone".into()),
                Unknown,
                "gone",
            ),
        ],
    );
}

#[test]
fn acc_04_lets_nobody_write_early_t37() {
    const WRITES: [&str; 1] = ["GRANT SELECT, INSERT ON `shop`.* TO `app`@`%`"];
    table_of(
        "ACC-04",
        &[
            ("one can write", |facts| unlock(facts, &WRITES), Fail, "ALTER USER `app`@`%` ACCOUNT LOCK;"),
            (
                "one can write one table",
                |facts| unlock(facts, &["GRANT UPDATE (`a`) ON `shop`.`orders` TO `app`@`%`"]),
                Fail,
                "app@%",
            ),
            (
                "one can call routines",
                |facts| unlock(facts, &["GRANT EXECUTE ON `shop`.* TO `app`@`%`"]),
                Fail,
                "app@%",
            ),
            (
                "one can write elsewhere",
                |facts| unlock(facts, &["GRANT INSERT ON `crm`.* TO `app`@`%`"]),
                Warn,
                "can log in",
            ),
            ("one can read", |facts| unlock(facts, &["GRANT SELECT ON `shop`.* TO `app`@`%`"]), Warn, "can log in"),
            (
                "an administrator is there",
                |facts| {
                    unlock(facts, &["GRANT ALL PRIVILEGES ON *.* TO `app`@`%` WITH GRANT OPTION"]);
                },
                Warn,
                "administrators",
            ),
            (
                "it may write",
                |facts| {
                    unlock(facts, &WRITES);
                    facts.settings.checks.writers_on_target.push("app@%".into());
                },
                Pass,
                "",
            ),
            (
                "a role writes",
                |facts| {
                    unlock(facts, &["GRANT `staff`@`%` TO `app`@`%`"]);
                    let mut role = account("staff", &["GRANT INSERT ON `shop`.* TO `staff`@`%`"]);
                    role.kind = AccountKind::Role;
                    change(&mut facts.target.accounts).push(role);
                },
                Fail,
                "app@%",
            ),
            (
                "everybody may write",
                |facts| {
                    unlock(facts, &["GRANT USAGE ON *.* TO `app`@`%`"]);
                    let mut public = account("PUBLIC", &["GRANT INSERT ON `shop`.* TO PUBLIC"]);
                    public.host.clear();
                    public.kind = AccountKind::Role;
                    change(&mut facts.target.accounts).push(public);
                },
                Fail,
                "app@%",
            ),
            (
                "a mandatory role writes",
                |facts| {
                    unlock(facts, &["GRANT USAGE ON *.* TO `app`@`%`"]);
                    let roles = "`staff`@`%`,other".to_owned();
                    change(&mut facts.target.server).variables.insert("mandatory_roles".into(), roles);
                    for name in ["staff", "other"] {
                        let mut role = account(name, &["GRANT INSERT ON `shop`.* TO `staff`@`%`"]);
                        role.kind = AccountKind::Role;
                        change(&mut facts.target.accounts).push(role);
                    }
                },
                Fail,
                "app@%",
            ),
            ("a role is not listed", |facts| unlock(facts, &["GRANT `staff`@`%` TO `app`@`%`"]), Unknown, "staff"),
            (
                "a line could not be read",
                |facts| {
                    app(facts).locked = Observed::Known(false);
                    app(facts).grants = Observed::Known(crate::grants::Grants::parse(&["GRANT ?".to_owned()]));
                },
                Unknown,
                "could not be read",
            ),
            ("a lock is unseen", |facts| app(facts).locked = Observed::Unknown("1142".into()), Unknown, "1142"),
            ("the account is blind", blind, Unknown, "GRANT SELECT ON `mysql`.*"),
            ("accounts are unseen", |facts| facts.target.accounts = Observed::Unknown("1142".into()), Unknown, "1142"),
        ],
    );
}

#[test]
fn acc_05_names_the_grants() {
    fn without_definers(facts: &mut ReadinessFacts) {
        facts.target.grants = known(grants(&[
            "GRANT ALL PRIVILEGES ON `shop`.* TO `leeward`@`%`",
            "GRANT ALL PRIVILEGES ON `leeward`.* TO `leeward`@`%`",
            "GRANT SELECT ON `mysql`.* TO `leeward`@`%`",
        ]));
    }
    fn without_process(facts: &mut ReadinessFacts) {
        facts.source.grants = known(grants(&[
            "GRANT SHOW_ROUTINE ON *.* TO `leeward`@`%`",
            "GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON `shop`.* TO `leeward`@`%`",
        ]));
    }
    table_of(
        "ACC-05",
        &[
            ("PROCESS is missing", without_process, Fail, "on the source: GRANT PROCESS ON *.* TO `leeward`@`%`;"),
            (
                "a plan without it was accepted",
                |facts| {
                    without_process(facts);
                    change(&mut facts.plan).as_mut().unwrap().fence =
                        FenceMode::Window { overlap_s: 30, why: "no PROCESS".into() };
                },
                Warn,
                "GRANT PROCESS",
            ),
            (
                "the control schema is closed",
                |facts| {
                    facts.target.grants = known(grants(&["GRANT ALL PRIVILEGES ON `shop`.* TO `leeward`@`%`"]));
                },
                Fail,
                "ON `leeward`.* TO `leeward`@`%`;",
            ),
            ("grants are unseen", |facts| facts.source.grants = Observed::Unknown("gone".into()), Unknown, "gone"),
            (
                "a view runs as somebody else",
                |facts| {
                    without_definers(facts);
                    change(&mut facts.source.objects)[0].definer = "app@%".to_owned();
                },
                Warn,
                "GRANT SET_ANY_DEFINER",
            ),
            (
                "all that runs runs as Leeward's account",
                |facts| {
                    without_definers(facts);
                    for object in change(&mut facts.source.objects) {
                        object.definer = "leeward@%".to_owned();
                    }
                },
                Pass,
                "all that they need",
            ),
            (
                "who runs what is unseen",
                |facts| {
                    without_definers(facts);
                    facts.source.objects = Observed::Unknown("gone".into());
                },
                Warn,
                "GRANT SET_ANY_DEFINER",
            ),
        ],
    );
}
