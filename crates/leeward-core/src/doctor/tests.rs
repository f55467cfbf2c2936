//! A pair on which work can begin, and what each look says when one thing about it changes.

use std::collections::{BTreeMap, BTreeSet};

use super::Status::{Fail, Ok, Unknown, Warn};
use super::{
    ClockOffset, DoctorFacts, Finding, Route, SideFacts, SideSeen, Status, TlsSeen, Unreached, can_begin, examine,
    exit_code, render_text,
};
use crate::fault::{Fault, FaultKind};
use crate::grants::Grants;
use crate::grants::needs::TargetUse;
use crate::name::Side;
use crate::server::{Flavor, Observed, ServerFacts, Version};
use crate::survey::SchemaFacts;

fn variables() -> BTreeMap<String, String> {
    let values = [
        ("default_storage_engine", "InnoDB"),
        ("innodb_page_size", "16384"),
        ("innodb_read_only", "OFF"),
        ("local_infile", "ON"),
        ("log_bin", "OFF"),
        ("lower_case_table_names", "0"),
        ("max_allowed_packet", "67108864"),
        ("read_only", "OFF"),
        ("sql_mode", "STRICT_TRANS_TABLES"),
        ("super_read_only", "OFF"),
        ("time_zone", "UTC"),
    ];
    values.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn grants(lines: &[&str]) -> Observed<Grants> {
    Observed::Known(Grants::parse(&lines.iter().map(|line| line.to_string()).collect::<Vec<_>>()))
}

fn side(identity: &str) -> Box<SideFacts> {
    Box::new(SideFacts {
        server: ServerFacts {
            flavor: Flavor::MySql,
            version: Version(8, 4, 7),
            version_text: "8.4.7".to_owned(),
            identity: identity.to_owned(),
            is_replica: Observed::Known(false),
            variables: variables(),
        },
        account: "leeward@%".to_owned(),
        grants: grants(&[
            "GRANT SELECT, PROCESS, INSERT, UPDATE, DELETE, CREATE, DROP, REFERENCES, INDEX, ALTER, EXECUTE, CREATE VIEW, \
             SHOW VIEW, CREATE ROUTINE, ALTER ROUTINE, EVENT, TRIGGER ON *.* TO `leeward`@`%`",
            "GRANT SET_ANY_DEFINER ON *.* TO `leeward`@`%`",
        ]),
        clock: Observed::Known(ClockOffset { offset_ms: 3, uncertainty_ms: 35 }),
        schemas: Observed::Known(vec![SchemaFacts { name: "shop".to_owned(), collation: "utf8mb4_bin".to_owned() }]),
        data_bytes: Observed::Known(if identity == "source" { 1 << 30 } else { 0 }),
        free_bytes: Observed::Known(10 << 30),
        tls: TlsSeen {
            mode: "verify-identity".to_owned(),
            cipher: Some("TLS_AES_256_GCM_SHA384".to_owned()),
            route: Route::Network,
        },
        collations_known: Observed::Known(BTreeSet::from(["utf8mb4_bin".to_owned()])),
        collations_used: Observed::Known(BTreeSet::from(["utf8mb4_bin".to_owned()])),
    })
}

fn fine() -> DoctorFacts {
    DoctorFacts {
        source: SideSeen::Reached(side("source")),
        target: SideSeen::Reached(side("target")),
        schemas: vec!["shop".to_owned()],
        purpose: TargetUse::Keep,
    }
}

fn source(facts: &mut DoctorFacts) -> &mut SideFacts {
    let SideSeen::Reached(side) = &mut facts.source else { panic!("the source is reached") };
    side
}

fn target(facts: &mut DoctorFacts) -> &mut SideFacts {
    let SideSeen::Reached(side) = &mut facts.target else { panic!("the target is reached") };
    side
}

fn set(side: &mut SideFacts, name: &str, value: &str) {
    side.server.variables.insert(name.to_owned(), value.to_owned());
}

fn find<'a>(findings: &'a [Finding], id: &str) -> &'a Finding {
    findings.iter().find(|finding| finding.id == id).unwrap()
}

type Case = (&'static str, &'static str, fn(&mut DoctorFacts), Status, &'static str);

fn run(cases: &[Case]) {
    let before = examine(&fine());
    for (id, what, alter, status, word) in cases {
        assert_eq!(find(&before, id).status, Ok, "{id} before {what}");
        let mut facts = fine();
        alter(&mut facts);
        let findings = examine(&facts);
        let found = find(&findings, id);
        let said = format!("{} {}", found.detail, found.remedy.clone().unwrap_or_default());
        assert_eq!(found.status, *status, "{id} when {what}: {said}");
        assert!(said.contains(word), "{id} when {what}: '{word}' is not in: {said}");
        assert!(!matches!(status, Warn | Fail) || found.remedy.is_some(), "{id} when {what} has no remedy");
    }
}

#[test]
fn on_a_sound_pair_work_can_begin() {
    let findings = examine(&fine());
    let open: Vec<&Finding> = findings.iter().filter(|finding| finding.status != Ok).collect();
    assert!(open.is_empty(), "{open:#?}");
    assert_eq!(exit_code(&findings), 0);
    assert!(render_text(&findings).ends_with("work can begin: 28 ok, 0 warned, 0 unknown, 0 failed\n"));
}

#[test]
fn each_side_is_looked_at() {
    run(&[
        ("version-source", "it is old", |facts| source(facts).server.version = Version(5, 7, 44), Fail, "8.0.0"),
        (
            "version-target",
            "it is an old MariaDB",
            |facts| {
                target(facts).server.flavor = Flavor::MariaDb;
                target(facts).server.version = Version(10, 5, 29);
            },
            Fail,
            "10.6.0",
        ),
        (
            "tls-source",
            "nobody is verified",
            |facts| source(facts).tls.mode = "required".into(),
            Warn,
            "verify-identity",
        ),
        (
            "tls-target",
            "it is in clear text",
            |facts| {
                target(facts).tls = TlsSeen { mode: "disabled".into(), cipher: None, route: Route::Network };
            },
            Warn,
            "in clear text",
        ),
        (
            "tls-target",
            "it is this machine",
            |facts| {
                target(facts).tls = TlsSeen { mode: "disabled".into(), cipher: None, route: Route::Loopback };
            },
            Ok,
            "does not leave",
        ),
        ("databases", "none is named", |facts| facts.schemas.clear(), Fail, "--databases"),
        ("databases", "one is missing", |facts| facts.schemas.push("crm".into()), Fail, "crm is not on the source"),
        ("databases", "its case is wrong", |facts| facts.schemas = vec!["Shop".into()], Fail, "there is shop"),
        ("databases", "it is the server's", |facts| facts.schemas = vec!["mysql".into()], Fail, "mysql belongs"),
        (
            "databases",
            "they could not be listed",
            |facts| source(facts).schemas = Observed::Unknown("1227".into()),
            Unknown,
            "1227",
        ),
        (
            "privileges-source",
            "PROCESS is missing",
            |facts| {
                source(facts).grants = grants(&["GRANT SELECT, SHOW VIEW, EVENT, TRIGGER ON *.* TO `leeward`@`%`"]);
            },
            Fail,
            "on the source: GRANT PROCESS ON *.* TO `leeward`@`%`;",
        ),
        (
            "privileges-source",
            "views are hidden",
            |facts| {
                source(facts).grants = grants(&["GRANT SELECT, PROCESS, EVENT, TRIGGER ON *.* TO `leeward`@`%`"]);
            },
            Warn,
            "GRANT SHOW VIEW ON `shop`.*",
        ),
        (
            "privileges-source",
            "a line cannot be read",
            |facts| {
                source(facts).grants = grants(&["GRANT SELECT ON *.* TO `l`@`%`", "GRANT ?"]);
            },
            Unknown,
            "could not be read",
        ),
        (
            "privileges-target",
            "it can only read",
            |facts| {
                target(facts).grants = grants(&["GRANT SELECT ON *.* TO `leeward`@`%`"]);
            },
            Fail,
            "on the target: GRANT INSERT, UPDATE, DELETE",
        ),
        (
            "privileges-target",
            "it is only compared",
            |facts| {
                target(facts).grants = grants(&["GRANT SELECT ON *.* TO `leeward`@`%`"]);
                facts.purpose = TargetUse::Verify;
            },
            Ok,
            "",
        ),
        (
            "accounts-readable",
            "they are hidden",
            |facts| {
                target(facts).grants = grants(&["GRANT ALL PRIVILEGES ON `shop`.* TO `leeward`@`%`"]);
            },
            Warn,
            "on the target: GRANT SELECT ON `mysql`.*",
        ),
        (
            "replica-source",
            "it is one",
            |facts| source(facts).server.is_replica = Observed::Known(true),
            Warn,
            "overlap",
        ),
        (
            "replica-source",
            "nobody knows",
            |facts| source(facts).server.is_replica = Observed::Unknown("1227".into()),
            Unknown,
            "1227",
        ),
        (
            "replica-target",
            "it is one",
            |facts| target(facts).server.is_replica = Observed::Known(true),
            Fail,
            "two writers",
        ),
        (
            "replica-target",
            "nobody knows, for want of a privilege",
            |facts| {
                target(facts).server.is_replica = Observed::Unknown("1227".into());
                target(facts).grants = grants(&["GRANT ALL PRIVILEGES ON `shop`.* TO `leeward`@`%`"]);
            },
            Unknown,
            "on the target: GRANT PROCESS ON *.* TO `leeward`@`%`;",
        ),
        (
            "replica-target",
            "it is one and is compared",
            |facts| {
                target(facts).server.is_replica = Observed::Known(true);
                facts.purpose = TargetUse::Verify;
            },
            Ok,
            "",
        ),
        ("writable-target", "it is not", |facts| set(target(facts), "read_only", "ON"), Fail, "read_only=0"),
        (
            "writable-target",
            "Leeward stands above it",
            |facts| {
                set(target(facts), "read_only", "ON");
                target(facts).grants = grants(&["GRANT CONNECTION_ADMIN ON *.* TO `leeward`@`%`"]);
            },
            Ok,
            "stands above",
        ),
        (
            "writable-target",
            "nobody stands above it",
            |facts| {
                set(target(facts), "read_only", "ON");
                set(target(facts), "super_read_only", "ON");
                target(facts).grants = grants(&["GRANT CONNECTION_ADMIN ON *.* TO `leeward`@`%`"]);
            },
            Fail,
            "super_read_only",
        ),
        (
            "clock-source",
            "it is off",
            |facts| {
                source(facts).clock = Observed::Known(ClockOffset { offset_ms: -1_200, uncertainty_ms: 40 });
            },
            Warn,
            "-1200 ms",
        ),
        (
            "clock-source",
            "it may be right",
            |facts| {
                source(facts).clock = Observed::Known(ClockOffset { offset_ms: 1_020, uncertainty_ms: 40 });
            },
            Ok,
            "",
        ),
        (
            "clock-target",
            "it is far off",
            |facts| {
                target(facts).clock = Observed::Known(ClockOffset { offset_ms: 61_000, uncertainty_ms: 40 });
            },
            Fail,
            "+61000 ms",
        ),
        ("local-infile", "it is off", |facts| set(target(facts), "local_infile", "OFF"), Warn, "local_infile=1"),
        (
            "default-engine",
            "it is MyISAM",
            |facts| set(target(facts), "default_storage_engine", "MyISAM"),
            Warn,
            "MyISAM",
        ),
        (
            "binary-log",
            "it could not be read",
            |facts| {
                source(facts).server.variables.remove("log_bin");
            },
            Unknown,
            "log_bin",
        ),
    ]);
}

#[test]
fn both_sides_are_looked_at_together() {
    run(&[
        (
            "same-server",
            "they are one",
            |facts| target(facts).server.identity = "source".into(),
            Fail,
            "the same server",
        ),
        (
            "same-flavor",
            "they are of two kinds",
            |facts| target(facts).server.flavor = Flavor::MariaDb,
            Fail,
            "MariaDB",
        ),
        (
            "same-flavor",
            "the target is older",
            |facts| target(facts).server.version = Version(8, 0, 40),
            Fail,
            "upgrade",
        ),
        (
            "same-flavor",
            "its patch level is older",
            |facts| target(facts).server.version = Version(8, 4, 6),
            Warn,
            "patch",
        ),
        ("same-flavor", "the target is newer", |facts| target(facts).server.version = Version(26, 10, 0), Ok, ""),
        (
            "clocks-apart",
            "they are",
            |facts| {
                source(facts).clock = Observed::Known(ClockOffset { offset_ms: -900, uncertainty_ms: 40 });
                target(facts).clock = Observed::Known(ClockOffset { offset_ms: 900, uncertainty_ms: 40 });
            },
            Warn,
            "+1800 ms",
        ),
        ("clocks-apart", "one is unknown", |facts| source(facts).clock = Observed::Unknown("no".into()), Unknown, "no"),
        (
            "lower-case-table-names",
            "they differ",
            |facts| set(target(facts), "lower_case_table_names", "1"),
            Fail,
            "created",
        ),
        (
            "collations",
            "one is not known",
            |facts| {
                source(facts).collations_used = Observed::Known(BTreeSet::from(["utf8mb4_0900_ai_ci".into()]));
            },
            Fail,
            "utf8mb4_0900_ai_ci",
        ),
        (
            "collations",
            "MariaDB lists them without their character set",
            |facts| {
                source(facts).collations_used = Observed::Known(BTreeSet::from(["utf8mb4_uca1400_ai_ci".into()]));
                target(facts).collations_known = Observed::Known(BTreeSet::from(["uca1400_ai_ci".into()]));
            },
            Ok,
            "",
        ),
        (
            "max-allowed-packet",
            "it is smaller",
            |facts| set(target(facts), "max_allowed_packet", "1024"),
            Warn,
            "=67108864",
        ),
        ("page-size", "it is smaller", |facts| set(target(facts), "innodb_page_size", "8192"), Warn, "8192"),
        (
            "free-space",
            "it is unseen",
            |facts| target(facts).free_bytes = Observed::Unknown("RDS".into()),
            Unknown,
            "FreeStorageSpace",
        ),
        (
            "free-space",
            "it is narrow",
            |facts| target(facts).free_bytes = Observed::Known(1_200_000_000),
            Warn,
            "index",
        ),
        (
            "free-space",
            "it is too little",
            |facts| target(facts).free_bytes = Observed::Known(1_000_000),
            Fail,
            "1.3 GiB",
        ),
        (
            "free-space",
            "the copy is there already",
            |facts| {
                target(facts).free_bytes = Observed::Known(1_000_000);
                target(facts).data_bytes = Observed::Known(1 << 30);
            },
            Ok,
            "",
        ),
        ("time-zone", "they differ", |facts| set(target(facts), "time_zone", "SYSTEM"), Ok, "PAR-01"),
        ("sql-mode", "they differ", |facts| set(target(facts), "sql_mode", ""), Ok, "STRICT_TRANS_TABLES"),
    ]);
}

#[test]
fn a_side_that_is_not_reached_hides_nothing_else() {
    let cases = [
        (FaultKind::UnknownHost, "host name"),
        (FaultKind::Unreachable, "security group"),
        (FaultKind::TimedOut, "packets vanish"),
        (FaultKind::AccessDenied, "LEEWARD_SOURCE_PASSWORD"),
        (FaultKind::Tls, "--source-ca-file"),
        (FaultKind::UnknownDatabase("shop".to_owned()), "database shop"),
    ];
    for (kind, word) in cases {
        let fault = Fault::new(kind, "connect").on(Side::Source);
        let facts = DoctorFacts { source: SideSeen::Unreached(Unreached::of(&fault, Side::Source)), ..fine() };
        let findings = examine(&facts);
        assert_eq!(findings.len(), 28);
        let reach = find(&findings, "reach-source");
        assert_eq!(reach.status, Fail);
        assert!(reach.remedy.as_deref().unwrap().contains(word), "{:?}", reach.remedy);
        assert_eq!(find(&findings, "privileges-source").status, Unknown);
        assert_eq!(find(&findings, "privileges-target").status, Ok);
        assert_eq!(find(&findings, "local-infile").status, Ok);
        assert_eq!(exit_code(&findings), 2);
        assert!(render_text(&findings).lines().all(|line| line.chars().count() <= 100));
    }
}

#[test]
fn an_unknown_need_stops_and_an_unknown_hint_does_not() {
    let mut facts = fine();
    target(&mut facts).free_bytes = Observed::Unknown("RDS".to_owned());
    assert!(can_begin(&examine(&facts)));
    target(&mut facts).grants = Observed::Unknown("1142".to_owned());
    assert!(!can_begin(&examine(&facts)));
}
