//! A pair of servers that is ready, and what each check says when one thing about it changes.

mod accounts;
mod beside;
mod cloud;
mod data;
mod explain;
mod parameters;
mod report;
mod schema;
mod since;
mod sync;
mod trend;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{NaiveDateTime, TimeDelta};

use super::beside::Beside;
use super::catalogue::CATALOGUE;
use super::cloud::{Asked, Cloud, Drill, DrillKind, Told};
use super::facts::{AccountFacts, AccountKind, Contact, Counter, Dated, ReadinessFacts, Seen, SideState};
use super::outcome::{CheckResult, Status};
use super::trend::Past;
use super::verdict::judge;
use crate::class::{Class, Strategy};
use crate::grants::Grants;
use crate::lane::{LaneRecord, LaneState, ScrubRecord, TableRecord, TableState};
use crate::mark::Mark;
use crate::name::TableName;
use crate::plan::{FenceMode, PLAN_FORMAT, Plan, PlannedTable};
use crate::policy::{Platform, Settings};
use crate::port::LeaseRecord;
use crate::server::{Flavor, Observed, ServerFacts, Version};
use crate::survey::{ObjectFacts, ObjectKind, SchemaFacts};
use crate::table::{Column, ForeignKey, Key, KeyPart, Table};

/// The target's clock in every test, seconds after its start.
pub(super) fn at(seconds: i64) -> NaiveDateTime {
    let noon = NaiveDateTime::parse_from_str("2026-11-20 12:00:00", "%Y-%m-%d %H:%M:%S").unwrap();
    noon + TimeDelta::seconds(seconds)
}

pub(super) fn now() -> NaiveDateTime {
    at(100)
}

pub(super) fn known<T>(value: T) -> Seen<T> {
    Observed::Known(Dated { at: now(), value })
}

pub(super) fn name(table: &str) -> TableName {
    TableName::new("shop", table)
}

pub(super) fn change<T>(seen: &mut Seen<T>) -> &mut T {
    match seen {
        Observed::Known(dated) => &mut dated.value,
        Observed::Unknown(why) => panic!("{why}"),
    }
}

pub(super) fn grants(lines: &[&str]) -> Grants {
    let grants = Grants::parse(&lines.iter().map(|line| line.to_string()).collect::<Vec<_>>());
    assert_eq!(grants.unread(), 0);
    grants
}

pub(super) fn key(name: &str, column: &str) -> Key {
    Key {
        name: name.to_owned(),
        unique: name == "PRIMARY",
        method: "BTREE".to_owned(),
        parts: vec![KeyPart { column: Some(column.to_owned()), prefix_chars: None }],
    }
}

pub(super) fn table(table: &str) -> Table {
    let mut id = Column::plain("id", "int unsigned");
    id.auto_increment = true;
    let mut note = Column::plain("note", "varchar(20)");
    note.charset = Some("utf8mb4".to_owned());
    note.collation = Some("utf8mb4_bin".to_owned());
    Table {
        name: name(table),
        engine: "InnoDB".to_owned(),
        collation: "utf8mb4_bin".to_owned(),
        columns: vec![id, note],
        keys: vec![key("PRIMARY", "id"), key("by_note", "note")],
        foreign_keys: Vec::new(),
        partitioned: false,
    }
}

fn lines() -> Table {
    let mut lines = table("lines");
    lines.foreign_keys.push(ForeignKey {
        name: "to_orders".to_owned(),
        columns: vec!["id".to_owned()],
        parent: name("orders"),
        parent_columns: vec!["id".to_owned()],
        on_delete: "NO ACTION".to_owned(),
        on_update: "RESTRICT".to_owned(),
    });
    lines
}

fn planned(table: Table, class: Class, strategy: Strategy) -> PlannedTable {
    PlannedTable::plain(table, class, strategy)
}

fn record(table: &str) -> TableRecord {
    TableRecord {
        name: name(table),
        state: TableState::Live,
        mark: Mark::None,
        mark_proved: true,
        soft_mark: None,
        cut_at: Some(at(98)),
        rows_applied: 0,
        scrub: ScrubRecord {
            pass_began: Some(at(50)),
            verified_since: Some(at(50)),
            pass_ended: Some(at(60)),
            ..ScrubRecord::default()
        },
        keys: crate::lane::KeysRecord::default(),
        contradictions: Vec::new(),
        brake: None,
        released: None,
        noted_at: None,
        new_columns: Vec::new(),
        beside: None,
    }
}

pub(super) fn object(kind: ObjectKind, table: &str, ddl: &str) -> ObjectFacts {
    ObjectFacts {
        kind,
        name: name(table),
        definer: "app@%".to_owned(),
        on_table: None,
        ddl: Observed::Known(ddl.to_owned()),
        sql_mode: "STRICT_TRANS_TABLES".to_owned(),
        status: if kind == ObjectKind::Event { "ENABLED".to_owned() } else { String::new() },
    }
}

pub(super) fn account(user: &str, lines: &[&str]) -> AccountFacts {
    AccountFacts {
        user: user.to_owned(),
        host: "%".to_owned(),
        kind: AccountKind::User,
        plugin: "caching_sha2_password".to_owned(),
        locked: Observed::Known(false),
        grants: Observed::Known(grants(lines)),
    }
}

fn variables() -> BTreeMap<String, String> {
    let values = [
        ("auto_increment_increment", "1"),
        ("auto_increment_offset", "1"),
        ("character_set_server", "utf8mb4"),
        ("collation_server", "utf8mb4_bin"),
        ("default_storage_engine", "InnoDB"),
        ("event_scheduler", "ON"),
        ("explicit_defaults_for_timestamp", "ON"),
        ("group_concat_max_len", "1024"),
        ("innodb_buffer_pool_size", "1000000"),
        ("innodb_default_row_format", "dynamic"),
        ("innodb_flush_log_at_trx_commit", "1"),
        ("innodb_page_size", "16384"),
        ("innodb_strict_mode", "ON"),
        ("log_bin", "ON"),
        ("log_bin_trust_function_creators", "ON"),
        ("lower_case_table_names", "0"),
        ("max_allowed_packet", "67108864"),
        ("max_connections", "200"),
        ("open_files_limit", "10000"),
        ("sql_mode", "STRICT_TRANS_TABLES,NO_ZERO_DATE"),
        ("sync_binlog", "1"),
        ("table_open_cache", "4000"),
        ("time_zone", "UTC"),
        ("transaction_isolation", "REPEATABLE-READ"),
        ("wait_timeout", "28800"),
    ];
    values.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn server(identity: &str) -> ServerFacts {
    ServerFacts {
        flavor: Flavor::MySql,
        version: Version(9, 7, 4),
        version_text: "9.7.4".to_owned(),
        identity: identity.to_owned(),
        is_replica: Observed::Known(false),
        variables: variables(),
    }
}

const TRIGGER: &str =
    "CREATE DEFINER=`app`@`%` TRIGGER `orders_audit` AFTER INSERT ON `orders` FOR EACH ROW SET @x = 1";
const EVENT: &str = "CREATE DEFINER=`app`@`%` EVENT `purge` ON SCHEDULE EVERY 1 DAY ENABLE DO SET @x = 1";
const VIEW: &str = "CREATE ALGORITHM=UNDEFINED DEFINER=`app`@`%` SQL SECURITY DEFINER VIEW `open_orders` AS select 1";

fn source_objects() -> Vec<ObjectFacts> {
    vec![
        object(ObjectKind::View, "open_orders", VIEW),
        object(ObjectKind::Trigger, "orders_audit", TRIGGER),
        object(ObjectKind::Event, "purge", EVENT),
    ]
}

const APP_GRANTS: [&str; 2] =
    ["GRANT USAGE ON *.* TO `app`@`%`", "GRANT SELECT, INSERT, UPDATE ON `shop`.* TO `app`@`%`"];

fn side(identity: &str, account_name: &str, own: &[&str]) -> SideState {
    let ddl = ["orders", "lines"]
        .map(|table| (name(table), format!("CREATE TABLE `{table}` (\n  `id` int\n) ENGINE=InnoDB")));
    SideState {
        server: known(server(identity)),
        account: known(account_name.to_owned()),
        grants: known(grants(own)),
        schemas: known(vec![SchemaFacts { name: "shop".to_owned(), collation: "utf8mb4_bin".to_owned() }]),
        tables: known(vec![table("orders"), lines()]),
        ddl: known(ddl.to_vec()),
        objects: known(source_objects()),
        counters: known(vec![Counter { table: name("orders"), next: 8 }, Counter { table: name("lines"), next: 12 }]),
        accounts: known(vec![account("app", &APP_GRANTS), account("mysql.sys", &["GRANT USAGE ON *.* TO `x`@`%`"])]),
        auth_plugins: known(BTreeSet::from(["caching_sha2_password".to_owned()])),
        collations: known(BTreeSet::from(["utf8mb4_bin".to_owned()])),
        writes: known(Vec::new()),
    }
}

fn plan(settings: &Settings) -> Plan {
    Plan {
        format: PLAN_FORMAT,
        hash: "abc".to_owned(),
        surveyed_at: at(-1000),
        flavor: Flavor::MySql,
        version: Version(9, 7, 4),
        source_identity: "source".to_owned(),
        schemas: vec![SchemaFacts { name: "shop".to_owned(), collation: "utf8mb4_bin".to_owned() }],
        tables: vec![
            planned(lines(), Class::InsertOnly, Strategy::Append),
            planned(table("orders"), Class::UpdDel, Strategy::Merge),
        ],
        left_out: Vec::new(),
        fence: FenceMode::Proved,
        settings: settings.clone(),
        warnings: Vec::new(),
        policy: None,
    }
}

/// Everything as it must be: self-managed, live, two seconds behind.
pub(super) fn ready() -> ReadinessFacts {
    let mut settings = Settings { platform: Platform::SelfManaged, rpo_s: 60, ..Settings::default() };
    settings.checks.ignored_accounts.clear();
    settings.checks.writers_on_target.clear();
    settings.checks.variables_may_differ.clear();
    settings.waivers.clear();
    let source = side(
        "source",
        "leeward@%",
        &[
            "GRANT PROCESS, SHOW_ROUTINE ON *.* TO `leeward`@`%`",
            "GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON `shop`.* TO `leeward`@`%`",
            "GRANT SELECT ON `mysql`.* TO `leeward`@`%`",
        ],
    );
    let mut target = side(
        "target",
        "leeward@%",
        &[
            "GRANT SET_ANY_DEFINER ON *.* TO `leeward`@`%`",
            "GRANT ALL PRIVILEGES ON `shop`.* TO `leeward`@`%`",
            "GRANT ALL PRIVILEGES ON `leeward`.* TO `leeward`@`%`",
            "GRANT SELECT ON `mysql`.* TO `leeward`@`%`",
        ],
    );
    change(&mut target.objects).truncate(1);
    for account in change(&mut target.accounts) {
        account.locked = Observed::Known(true);
    }
    ReadinessFacts {
        now: now(),
        lane_name: "main".to_owned(),
        plan: known(Some(plan(&settings))),
        settings,
        lane: known(Some(LaneRecord {
            lane: "main".to_owned(),
            state: LaneState::Live,
            plan_hash: "abc".to_owned(),
            cycle: 7,
            cut_at: Some(at(98)),
            applied_at: Some(at(99)),
            clock_offset_ms: None,
            exposed_ms: None,
            barrier: None,
            holders: Vec::new(),
        })),
        tables: known(vec![record("lines"), record("orders")]),
        lease: known(Some(LeaseRecord {
            epoch: 3,
            holder: "leeward on host".to_owned(),
            age_s: 1,
            ttl_s: 30,
            promoted: false,
        })),
        staged: known(source_objects()),
        clock_difference_ms: known(0),
        past: known(Past::default()),
        contact: Contact::Answers,
        source,
        target,
        cloud: Cloud::untold("nobody asked"),
        drill: told(Drill {
            kind: DrillKind::Restore,
            began: at(-100_000),
            ended: at(-90_000),
            passed: true,
            takeover_s: Some(3_600),
            by: "the night shift".to_owned(),
        }),
        beside: Beside { marks: known(true), ..Beside::unseen("nobody looked") },
        fallback: None,
    }
}

pub(super) fn told<T>(value: T) -> Asked<T> {
    Asked::Told(Told { at: now(), call: "rds:Call".to_owned(), value })
}

pub(super) fn lane(facts: &mut ReadinessFacts) -> &mut LaneRecord {
    change(&mut facts.lane).as_mut().unwrap()
}

pub(super) fn planned_tables(facts: &mut ReadinessFacts) -> &mut Vec<PlannedTable> {
    &mut change(&mut facts.plan).as_mut().unwrap().tables
}

pub(super) fn check(facts: &ReadinessFacts, id: &str) -> CheckResult {
    judge(facts).checks.into_iter().find(|check| check.id == id).unwrap()
}

/// One change to the ready pair and what a check says then.
pub(super) type Case = (&'static str, fn(&mut ReadinessFacts), Status, &'static str);

/// Runs cases of one check: the status, and a word that its answer or remedy must hold.
pub(super) fn table_of(id: &str, cases: &[Case]) {
    table_from(ready, id, cases);
}

/// The same from another pair that is ready.
pub(super) fn table_from(ready: fn() -> ReadinessFacts, id: &str, cases: &[Case]) {
    let pass = check(&ready(), id);
    assert_eq!(pass.status, Status::Pass, "{id} of the ready pair: {}", pass.actual);
    for (what, alter, status, word) in cases {
        let mut facts = ready();
        alter(&mut facts);
        let found = check(&facts, id);
        let said = format!("{} {}", found.actual, found.remedy.clone().unwrap_or_default());
        assert_eq!(found.status, *status, "{id} when {what}: {said}");
        assert!(said.contains(word), "{id} when {what}: '{word}' is not in: {said}");
        assert!(
            found.status == Status::Pass || found.remedy.is_some() || found.status == Status::Unknown,
            "{id} {what}"
        );
    }
}

#[test]
fn the_catalogue_is_the_one_that_waivers_may_name() {
    let ids: Vec<&str> = CATALOGUE.iter().map(|check| check.id).collect();
    assert_eq!(ids, crate::policy::CHECKS);
}
