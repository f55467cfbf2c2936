//! SCH, case by case.

use super::super::outcome::Status::{Fail, Pass, Unknown, Warn};
use super::{EVENT, ReadinessFacts, TRIGGER, VIEW, change, grants, key, known, lane, object, planned_tables, table_of};
use crate::lane::LaneState;
use crate::server::{Observed, Version};
use crate::survey::{ObjectFacts, ObjectKind};
use crate::table::{Generated, Table};

fn target_table(facts: &mut ReadinessFacts) -> &mut Table {
    &mut change(&mut facts.target.tables)[0]
}

fn blind(facts: &mut ReadinessFacts) {
    facts.source.grants = known(grants(&["GRANT SELECT ON `shop`.* TO `leeward`@`%`"]));
}

#[test]
fn sch_01_compares_definitions() {
    table_of(
        "SCH-01",
        &[
            (
                "a column is missing",
                |facts| {
                    target_table(facts).columns.pop();
                },
                Fail,
                "column note is missing",
            ),
            (
                "a type differs",
                |facts| target_table(facts).columns[0].column_type = "bigint unsigned".into(),
                Fail,
                "type",
            ),
            (
                "a width is printed",
                |facts| target_table(facts).columns[0].column_type = "int(10) unsigned".into(),
                Pass,
                "",
            ),
            ("a default differs", |facts| target_table(facts).columns[1].default = Some("x".into()), Fail, "default"),
            (
                "an expression differs",
                |facts| {
                    for side in [&mut facts.source, &mut facts.target] {
                        let column = &mut change(&mut side.tables)[0].columns[1];
                        column.generated = Some(Generated::Stored);
                        column.default = Some("(`id` + 1)".into());
                    }
                    target_table(facts).columns[1].default = Some("`id`-1".into());
                },
                Fail,
                "expression",
            ),
            ("the order differs", |facts| target_table(facts).columns.reverse(), Fail, "order"),
            (
                "an index is missing",
                |facts| {
                    target_table(facts).keys.pop();
                },
                Fail,
                "by_note is missing",
            ),
            (
                "an index waits for the rows",
                |facts| {
                    target_table(facts).keys.pop();
                    lane(facts).state = LaneState::Seeding;
                },
                Warn,
                "until the rows are in",
            ),
            (
                "a unique index is too many",
                |facts| {
                    let mut extra = key("one_note", "note");
                    extra.unique = true;
                    target_table(facts).keys.push(extra);
                },
                Fail,
                "on the target only",
            ),
            ("an index is too many", |facts| target_table(facts).keys.push(key("more", "id")), Warn, "target only"),
            (
                "a table is missing",
                |facts| {
                    change(&mut facts.target.tables).remove(0);
                },
                Fail,
                "not on the target",
            ),
            (
                "a table is gone",
                |facts| {
                    change(&mut facts.source.tables).remove(0);
                },
                Fail,
                "gone on the source",
            ),
            (
                "a CHECK differs",
                |facts| {
                    change(&mut facts.target.ddl)[0].1 = "CREATE TABLE `orders` (\n  `id` int,\n  \
                CONSTRAINT `c` CHECK (`id` > 0)\n) ENGINE=InnoDB"
                        .into()
                },
                Fail,
                "CHECK",
            ),
            (
                "texts are unseen",
                |facts| facts.source.ddl = Observed::Unknown("gone".into()),
                Warn,
                "were not compared",
            ),
            ("the plan is empty", |facts| planned_tables(facts).clear(), Unknown, "no table"),
            ("the source is unseen", |facts| facts.source.tables = Observed::Unknown("gone".into()), Unknown, "gone"),
        ],
    );
}

#[test]
fn sch_02_compares_rules() {
    table_of(
        "SCH-02",
        &[
            ("one is missing", |facts| change(&mut facts.target.tables)[1].foreign_keys.clear(), Fail, "to_orders"),
            (
                "one waits for the rows",
                |facts| {
                    change(&mut facts.target.tables)[1].foreign_keys.clear();
                    lane(facts).state = LaneState::Seeding;
                },
                Warn,
                "held back",
            ),
            (
                "RESTRICT is printed",
                |facts| {
                    change(&mut facts.target.tables)[1].foreign_keys[0].on_delete = "RESTRICT".into();
                },
                Pass,
                "",
            ),
            (
                "it cascades",
                |facts| {
                    change(&mut facts.target.tables)[1].foreign_keys[0].on_delete = "CASCADE".into();
                },
                Fail,
                "to_orders",
            ),
            ("one is too many", |facts| change(&mut facts.source.tables)[1].foreign_keys.clear(), Fail, "target only"),
            ("the target is unseen", |facts| facts.target.tables = Observed::Unknown("gone".into()), Unknown, "gone"),
        ],
    );
}

#[test]
fn sch_03_compares_views_and_routines() {
    fn view(facts: &mut ReadinessFacts) -> &mut ObjectFacts {
        &mut change(&mut facts.target.objects)[0]
    }
    table_of(
        "SCH-03",
        &[
            (
                "one is missing",
                |facts| change(&mut facts.target.objects).clear(),
                Fail,
                "view shop.open_orders is missing",
            ),
            (
                "a body differs",
                |facts| view(facts).ddl = Observed::Known(VIEW.replace("select 1", "select 2")),
                Fail,
                "differs",
            ),
            (
                "a body differs between versions",
                |facts| {
                    view(facts).ddl = Observed::Known(VIEW.replace("select 1", "select (1)"));
                    change(&mut facts.target.server).version = Version(26, 10, 0);
                },
                Warn,
                "reads differently",
            ),
            (
                "the definer differs",
                |facts| {
                    view(facts).ddl = Observed::Known(VIEW.replace("`app`@`%`", "`lee ward`@`%`"));
                    view(facts).definer = "lee ward@%".into();
                },
                Warn,
                "another definer",
            ),
            ("the mode differs", |facts| view(facts).sql_mode.clear(), Fail, "differs"),
            ("a body could not be read", |facts| view(facts).ddl = Observed::Unknown("1142".into()), Unknown, "1142"),
            ("the account is blind", blind, Unknown, "GRANT SHOW VIEW ON `shop`.* TO `leeward`@`%`;"),
        ],
    );
}

#[test]
fn sch_04_keeps_triggers_aside_t28() {
    table_of(
        "SCH-04",
        &[
            (
                "one is live",
                |facts| {
                    change(&mut facts.target.objects).push(object(ObjectKind::Trigger, "orders_audit", TRIGGER));
                },
                Fail,
                "DROP TRIGGER `shop`.`orders_audit`;",
            ),
            (
                "one is not kept",
                |facts| change(&mut facts.staged).retain(|kept| kept.kind != ObjectKind::Trigger),
                Fail,
                "not kept",
            ),
            (
                "an older form is kept",
                |facts| {
                    change(&mut facts.staged)[1].ddl = Observed::Known(TRIGGER.replace("= 1", "= 2"));
                },
                Fail,
                "older form",
            ),
            (
                "its DDL is not kept",
                |facts| change(&mut facts.staged)[1].ddl = Observed::Unknown("no".into()),
                Fail,
                "orders_audit",
            ),
            (
                "the source sees none",
                |facts| {
                    blind(facts);
                    change(&mut facts.source.objects).clear();
                },
                Unknown,
                "GRANT TRIGGER ON `shop`.* TO `leeward`@`%`;",
            ),
            (
                "the target sees none",
                |facts| {
                    facts.target.grants = known(grants(&["GRANT SELECT ON `shop`.* TO `leeward`@`%`"]));
                },
                Unknown,
                "on the target: GRANT TRIGGER",
            ),
            ("the source has none", |facts| change(&mut facts.source.objects).clear(), Pass, "0 kept"),
            ("kept ones are unseen", |facts| facts.staged = Observed::Unknown("gone".into()), Unknown, "gone"),
        ],
    );
}

#[test]
fn sch_05_keeps_events_aside() {
    fn with_event(facts: &mut ReadinessFacts, status: &str) {
        let mut event = object(ObjectKind::Event, "purge", EVENT);
        event.status = status.to_owned();
        change(&mut facts.target.objects).push(event);
    }
    table_of(
        "SCH-05",
        &[
            ("one is enabled", |facts| with_event(facts, "ENABLED"), Fail, "ALTER EVENT `shop`.`purge` DISABLE;"),
            ("its status is not known", |facts| with_event(facts, ""), Fail, "enabled"),
            ("one is disabled", |facts| with_event(facts, "REPLICA_SIDE_DISABLED"), Warn, "event_scheduler"),
            (
                "the scheduler is off",
                |facts| {
                    with_event(facts, "DISABLED");
                    change(&mut facts.target.server).variables.insert("event_scheduler".into(), "OFF".into());
                },
                Pass,
                "",
            ),
            (
                "one is not kept",
                |facts| {
                    change(&mut facts.staged).pop();
                },
                Fail,
                "shop.purge",
            ),
            ("the source is blind", blind, Unknown, "GRANT EVENT"),
            ("the target is unseen", |facts| facts.target.objects = Observed::Unknown("gone".into()), Unknown, "gone"),
        ],
    );
}

#[test]
fn sch_06_compares_character_sets() {
    table_of(
        "SCH-06",
        &[
            (
                "a collation is not known",
                |facts| {
                    change(&mut facts.source.tables)[0].columns[1].collation = Some("utf8mb4_0900_ai_ci".into());
                },
                Fail,
                "utf8mb4_0900_ai_ci",
            ),
            (
                "utf8mb3 is listed as utf8",
                |facts| {
                    change(&mut facts.source.tables)[0].collation = "utf8mb3_bin".into();
                    change(&mut facts.target.collations).insert("utf8_bin".into());
                },
                Pass,
                "",
            ),
            (
                "a default differs",
                |facts| change(&mut facts.target.schemas)[0].collation = "utf8mb4_da".into(),
                Fail,
                "ALTER DATABASE",
            ),
            ("a database is missing", |facts| change(&mut facts.target.schemas).clear(), Fail, "not on the target"),
            (
                "server defaults differ",
                |facts| {
                    change(&mut facts.target.server).variables.insert("collation_server".into(), "latin1_bin".into());
                },
                Warn,
                "latin1_bin",
            ),
            (
                "collations are unseen",
                |facts| facts.target.collations = Observed::Unknown("gone".into()),
                Unknown,
                "gone",
            ),
        ],
    );
}

#[test]
fn sch_07_and_08_watch_counters_t31() {
    table_of(
        "SCH-07",
        &[
            ("one is filling", |facts| change(&mut facts.source.counters)[0].next = 3_200_000_000, Warn, "75 %"),
            (
                "one is nearly full",
                |facts| change(&mut facts.target.counters)[0].next = 3_900_000_000,
                Fail,
                "MODIFY `id` BIGINT",
            ),
            (
                "a range is not known",
                |facts| planned_tables(facts)[0].table.columns[0].column_type = "float".into(),
                Warn,
                "no range",
            ),
            ("counters are unseen", |facts| facts.source.counters = Observed::Unknown("gone".into()), Unknown, "gone"),
        ],
    );
    table_of(
        "SCH-08",
        &[
            (
                "the source is ahead",
                |facts| change(&mut facts.source.counters)[0].next = 9,
                Warn,
                "AUTO_INCREMENT = 9;",
            ),
            ("the target never used one", |facts| change(&mut facts.target.counters).clear(), Warn, "(1 against 8)"),
            ("counters are unseen", |facts| facts.target.counters = Observed::Unknown("gone".into()), Unknown, "gone"),
        ],
    );
}
