//! Beside native replication: who keeps the target, and the checks that read replication status, case by case.

use super::super::beside::Beside;
use super::super::outcome::Status::{Fail, NotApplicable, Pass, Unknown, Warn};
use super::super::proof::{PROOF_SCHEMA, Proof, ProofLine, ProofResult};
use super::super::{Contact, Verdict, judge};
use super::{Case, at, change, check, grants, known, name, ready, source_objects, table_from, told};
use crate::readiness::facts::ReadinessFacts;
use crate::replication::{CatchUp, Channel, Filter, LogPosition, Passage, ServerId, Worker};
use crate::server::Observed;
use crate::survey::ObjectKind;

fn position(offset: u64) -> LogPosition {
    LogPosition { file: "binlog.000007".to_owned(), offset }
}

fn channel() -> Channel {
    Channel {
        name: String::new(),
        source: ServerId { number: 11, uuid: None },
        receiver: Worker::Running,
        applier: Worker::Running,
        receiver_error: 0,
        applier_error: 0,
        behind_s: Some(0),
        delay_s: 0,
        received: position(900),
        applied: position(900),
        filters: vec![Filter { option: "Replicate_Ignore_Table".to_owned(), value: "mysql.plugin".to_owned() }],
    }
}

/// Everything as it must be, kept by the servers; nothing of Leeward's is there.
fn replicated() -> ReadinessFacts {
    let mut facts = ready();
    facts.lane = known(None);
    facts.tables = known(Vec::new());
    facts.lease = known(None);
    facts.staged = known(Vec::new());
    let line = |table: &str| ProofLine { name: name(table), rows: 3, result: ProofResult::Equal };
    let identity = |side: &super::SideState| side.server.known().unwrap().value.identity.clone();
    facts.beside = Beside {
        marks: known(false),
        channels: known(vec![channel()]),
        source: known(ServerId { number: 11, uuid: None }),
        catch_up: known(CatchUp { end: position(900), passage: Passage::Passed, waited_ms: 2_000 }),
        proof: told(Proof {
            evidence_schema: PROOF_SCHEMA,
            leeward: "0".to_owned(),
            source: identity(&facts.source),
            target: identity(&facts.target),
            source_at: at(0),
            tables: vec![line("lines"), line("orders")],
        }),
    };
    let mut objects = source_objects();
    for object in objects.iter_mut().filter(|object| object.kind == ObjectKind::Event) {
        object.status = "SLAVESIDE_DISABLED".to_owned();
    }
    *change(&mut facts.target.objects) = objects;
    change(&mut facts.target.server).is_replica = Observed::Known(true);
    change(&mut facts.target.server).variables.insert("read_only".to_owned(), "ON".to_owned());
    for account in change(&mut facts.target.accounts) {
        account.locked = Observed::Known(false);
    }
    let of = |lines: &[&str]| known(grants(lines));
    facts.source.grants = of(&[
        "GRANT REPLICATION CLIENT, BINLOG MONITOR, SHOW_ROUTINE ON *.* TO `leeward`@`%`",
        "GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON `shop`.* TO `leeward`@`%`",
        "GRANT SELECT ON `mysql`.* TO `leeward`@`%`",
    ]);
    facts.target.grants = of(&[
        "GRANT REPLICATION CLIENT, SLAVE MONITOR ON *.* TO `leeward`@`%`",
        "GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON `shop`.* TO `leeward`@`%`",
        "GRANT SELECT ON `mysql`.* TO `leeward`@`%`",
    ]);
    facts
}

fn stream(facts: &mut ReadinessFacts) -> &mut Channel {
    &mut change(&mut facts.beside.channels)[0]
}

fn arrives(facts: &mut ReadinessFacts, passage: Passage, waited_ms: u64) {
    *change(&mut facts.beside.catch_up) = CatchUp { end: position(900), passage, waited_ms };
}

fn late(facts: &mut ReadinessFacts, behind_s: Option<u64>) {
    arrives(facts, Passage::NotYet, 10_000);
    stream(facts).applied = position(100);
    stream(facts).behind_s = behind_s;
}

fn proof(facts: &mut ReadinessFacts) -> &mut Proof {
    match &mut facts.beside.proof {
        super::Asked::Told(told) => &mut told.value,
        super::Asked::Untold(untold) => panic!("{untold:?}"),
    }
}

fn table_of(id: &str, cases: &[Case]) {
    table_from(replicated, id, cases);
}

#[test]
fn a_replica_without_anything_of_leewards_can_take_over() {
    let verdict = judge(&replicated());
    let open: Vec<_> = verdict.checks.iter().filter(|check| check.status.is_open()).collect();
    assert!(open.is_empty(), "{open:#?}");
    assert_eq!(verdict.verdict, Verdict::Ready);
    assert_eq!(verdict.rpo.measured_s, Some(2.0));
    let words = verdict.words.join("\n");
    for told in ["the servers keep the target themselves", "at most the last 2.0 s", "RESET REPLICA ALL"] {
        assert!(words.contains(told), "{told} is not in: {words}");
    }
    for id in ["SYNC-06", "SYNC-08"] {
        assert_eq!(check(&replicated(), id).status, NotApplicable);
    }
    assert!(verdict.tables.iter().all(|table| table.state == Some("replicated") && table.compared_since.is_some()));
}

#[test]
fn what_keeps_the_target_is_told_and_never_guessed() {
    type Kept = (&'static str, fn(&mut ReadinessFacts), &'static str, super::Status, &'static str);
    let cases: [Kept; 7] = [
        ("neither", |facts| change(&mut facts.beside.channels).clear(), "SYNC-01", Fail, "it is no replica"),
        ("of another source", |facts| stream(facts).source.number = 12, "SYNC-01", Fail, "from elsewhere"),
        (
            "of another source with the same number",
            |facts| {
                stream(facts).source.uuid = Some("a".to_owned());
                change(&mut facts.beside.source).uuid = Some("b".to_owned());
            },
            "SYNC-01",
            Fail,
            "from elsewhere",
        ),
        (
            "not to be seen",
            |facts| {
                facts.beside.channels = Observed::Unknown("1227".into());
                facts.target.grants = known(grants(&["GRANT SELECT ON *.* TO `leeward`@`%`"]));
            },
            "SYNC-01",
            Unknown,
            "TO `leeward`@`%`;",
        ),
        (
            "not to be seen, and the process list shows that none runs",
            |facts| {
                facts.beside.channels = Observed::Unknown("1227".into());
                change(&mut facts.target.server).is_replica = Observed::Known(false);
            },
            "SYNC-01",
            Fail,
            "no replication runs",
        ),
        (
            "the source is silent",
            |facts| facts.beside.source = Observed::Unknown("gone".into()),
            "SYNC-01",
            Unknown,
            "gone",
        ),
        ("both", |facts| facts.beside.marks = known(true), "SYNC-04", Fail, "two writers"),
    ];
    for (what, alter, id, status, word) in cases {
        let mut facts = replicated();
        alter(&mut facts);
        let found = check(&facts, id);
        let said = format!("{} {}", found.actual, found.remedy.clone().unwrap_or_default());
        assert_eq!(found.status, status, "{what}: {said}");
        assert!(said.contains(word), "{what}: {word} is not in {said}");
        assert_eq!(judge(&facts).verdict, Verdict::NotReady, "{what}");
    }
}

#[test]
fn marks_alone_are_judged_as_ever() {
    let mut facts = ready();
    facts.beside.channels = known(Vec::new());
    assert_eq!(judge(&facts), judge(&ready()));
}

#[test]
fn lag_is_proved_by_positions_and_seconds_are_not_believed() {
    table_of(
        "SYNC-01",
        &[
            ("it took long", |facts| arrives(facts, Passage::Passed, 61_000), Warn, "61.0 s"),
            ("it took too long", |facts| arrives(facts, Passage::Passed, 500_000), Fail, "8 min"),
            ("0 is not believed", |facts| late(facts, Some(0)), Warn, "not proved by positions"),
            ("it says little", |facts| late(facts, Some(30)), Warn, "not proved by positions"),
            ("it says much", |facts| late(facts, Some(4_000)), Fail, "4000 s"),
            ("NULL is not 0", |facts| late(facts, None), Unknown, "does not say"),
            (
                "nothing arrives",
                |facts| {
                    late(facts, Some(0));
                    stream(facts).received = position(100);
                },
                Unknown,
                "not even received",
            ),
            (
                "of another log",
                |facts| {
                    late(facts, Some(0));
                    stream(facts).received.file = "other.000009".to_owned();
                },
                Unknown,
                "nobody knows",
            ),
            ("it applies nothing", |facts| arrives(facts, Passage::Stopped, 5), Fail, "applies nothing"),
            (
                "it applies nothing, and has all",
                |facts| {
                    arrives(facts, Passage::Passed, 5);
                    stream(facts).applier = Worker::Stopped;
                },
                Pass,
                "passed binlog.000007:900",
            ),
            (
                "it is delayed on purpose",
                |facts| {
                    late(facts, Some(3_600));
                    stream(facts).delay_s = 3_600;
                },
                Fail,
                "delayed by 3600 s on purpose",
            ),
            (
                "the source's log cannot be seen",
                |facts| {
                    facts.beside.catch_up = Observed::Unknown("1227".into());
                    facts.source.grants = known(grants(&["GRANT SELECT ON *.* TO `leeward`@`%`"]));
                },
                Unknown,
                "on the source: GRANT",
            ),
        ],
    );
}

#[test]
fn threads_errors_and_filters_are_found() {
    table_of(
        "SYNC-03",
        &[
            ("the applier is stopped", |facts| stream(facts).applier = Worker::Stopped, Fail, "applier is stopped"),
            ("the receiver is stopped", |facts| stream(facts).receiver = Worker::Stopped, Fail, "receiver is stopped"),
            ("it cannot connect", |facts| stream(facts).receiver = Worker::Connecting, Fail, "tries to connect"),
        ],
    );
    table_of(
        "SYNC-04",
        &[
            ("a statement failed", |facts| stream(facts).applier_error = 1032, Fail, "Do not skip"),
            ("a log is gone", |facts| stream(facts).receiver_error = 1236, Fail, "make the replica anew"),
        ],
    );
    let left_out = |facts: &mut ReadinessFacts| {
        stream(facts).filters.push(Filter { option: "Replicate_Ignore_DB".to_owned(), value: "shop".to_owned() });
    };
    table_of("SYNC-02", &[("a database is left out", left_out, Fail, "Replicate_Ignore_DB shop")]);
    table_of(
        "SYNC-05",
        &[
            ("a database is left out", left_out, Fail, "Replicate_Ignore_DB shop"),
            ("a table is missing", |facts| change(&mut facts.target.tables).truncate(1), Fail, "not on the target"),
            ("there is none", |facts| change(&mut facts.source.tables).clear(), Fail, "--databases"),
            ("nothing was seen", |facts| facts.target.tables = Observed::Unknown("1142".into()), Unknown, "1142"),
        ],
    );
    table_of(
        "SYNC-07",
        &[("a table has no key", |facts| change(&mut facts.source.tables)[0].keys.clear(), Warn, "ADD COLUMN id")],
    );
}

#[test]
fn content_is_judged_by_the_evidence_of_verify_and_by_nothing_else() {
    table_of(
        "DATA-01",
        &[
            ("a row differs", |facts| proof(facts).tables[1].result = ProofResult::Different, Fail, "shop.orders"),
            (
                "one was not compared",
                |facts| proof(facts).tables[1].result = ProofResult::NotCompared,
                Fail,
                "not compared",
            ),
            ("one is not in it", |facts| proof(facts).tables.truncate(1), Fail, "not compared: shop.orders"),
            (
                "one was on its way",
                |facts| proof(facts).tables[1].result = ProofResult::Unsettled,
                Unknown,
                "caught up",
            ),
            ("it is of another pair", |facts| proof(facts).target = "else".to_owned(), Unknown, "another target"),
            (
                "there is none",
                |facts| facts.beside.proof = super::Asked::untold("no file is named"),
                Unknown,
                "--evidence",
            ),
        ],
    );
    table_of(
        "DATA-02",
        &[
            ("it is old", |facts| proof(facts).source_at = at(-86_400 * 8), Warn, "8.0 days"),
            ("it is too old", |facts| proof(facts).source_at = at(-86_400 * 60), Fail, "compared"),
            (
                "there is none",
                |facts| facts.beside.proof = super::Asked::untold("no file is named"),
                Unknown,
                "no file",
            ),
            ("it lies in the future", |facts| proof(facts).source_at = at(9_000), Unknown, "future"),
        ],
    );
}

#[test]
fn objects_and_accounts_are_those_of_a_replica() {
    let lose =
        |kind| move |facts: &mut ReadinessFacts| change(&mut facts.target.objects).retain(|object| object.kind != kind);
    let mut facts = replicated();
    lose(ObjectKind::Trigger)(&mut facts);
    assert_eq!(check(&facts, "SCH-04").status, Fail);
    lose(ObjectKind::Event)(&mut facts);
    assert_eq!(check(&facts, "SCH-05").status, Fail);
    table_of(
        "SCH-05",
        &[(
            "an event would run twice",
            |facts| {
                change(&mut facts.target.objects).iter_mut().for_each(|object| object.status = "ENABLED".to_owned())
            },
            Fail,
            "enabled on the target",
        )],
    );
    table_of(
        "ACC-04",
        &[
            (
                "anybody can write",
                |facts| drop(change(&mut facts.target.server).variables.insert("read_only".into(), "OFF".into())),
                Fail,
                "read_only is off",
            ),
            (
                "nobody looked",
                |facts| drop(change(&mut facts.target.server).variables.remove("read_only")),
                Unknown,
                "not read",
            ),
        ],
    );
    table_of(
        "ACC-05",
        &[(
            "the replica's state cannot be seen",
            |facts| facts.target.grants = known(grants(&["GRANT SELECT ON *.* TO `leeward`@`%`"])),
            Fail,
            "on the target: GRANT",
        )],
    );
}

#[test]
fn a_source_that_is_gone_leaves_the_lag_unknown() {
    let mut facts = replicated();
    facts.contact = Contact::Silent { since: None, why: "timed out".to_owned() };
    facts.beside.catch_up = Observed::Unknown("timed out".to_owned());
    assert_eq!(check(&facts, "SYNC-01").status, Unknown);
    let words = judge(&facts).words.join("\n");
    assert!(words.contains("nobody has proved") && words.contains("timed out"), "{words}");
}
