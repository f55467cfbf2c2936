//! DATA, case by case.

use super::super::outcome::Status::{Fail, Pass, Unknown, Warn};
use super::{at, change, planned_tables, table_of};
use crate::class::Strategy;
use crate::lane::{ScrubRecord, TableState};
use crate::server::Observed;

#[test]
fn data_01_takes_nothing_for_equal_that_was_not_compared_t25() {
    table_of(
        "DATA-01",
        &[
            (
                "a table was never compared",
                |facts| change(&mut facts.tables)[0].scrub = ScrubRecord::default(),
                Fail,
                "never",
            ),
            (
                "a pass began and did not end",
                |facts| change(&mut facts.tables)[0].scrub.pass_ended = None,
                Fail,
                "never",
            ),
            (
                "the last pass repaired rows",
                |facts| change(&mut facts.tables)[1].scrub.last_pass_differences = 3,
                Warn,
                "3 rows",
            ),
            (
                "the running pass deletes rows",
                |facts| change(&mut facts.tables)[1].scrub.rows_deleted = 2,
                Warn,
                "2 rows",
            ),
            (
                "comparing is how a table is kept",
                |facts| {
                    planned_tables(facts)[1].strategy = Strategy::Reconcile;
                    change(&mut facts.tables)[1].scrub.last_pass_differences = 3;
                },
                Pass,
                "",
            ),
            (
                "a table is not live",
                |facts| change(&mut facts.tables)[1].state = TableState::CatchingUp,
                Fail,
                "not live",
            ),
            (
                "a record is missing",
                |facts| {
                    change(&mut facts.tables).pop();
                },
                Unknown,
                "no record",
            ),
            ("the plan is empty", |facts| planned_tables(facts).clear(), Unknown, "no table"),
            ("records are unseen", |facts| facts.tables = Observed::Unknown("gone".into()), Unknown, "gone"),
        ],
    );
}

#[test]
fn data_02_knows_the_age_of_the_proof_t36() {
    const DAY: i64 = 86_400;
    table_of(
        "DATA-02",
        &[
            (
                "it is a week old",
                |facts| change(&mut facts.tables)[0].scrub.verified_since = Some(at(-8 * DAY)),
                Warn,
                "8.0 days",
            ),
            (
                "it is a month old",
                |facts| change(&mut facts.tables)[0].scrub.verified_since = Some(at(-31 * DAY)),
                Fail,
                "31.0 days",
            ),
            ("there is none", |facts| change(&mut facts.tables)[0].scrub.verified_since = None, Fail, "never"),
            (
                "it lies in the future",
                |facts| change(&mut facts.tables)[0].scrub.verified_since = Some(at(500)),
                Unknown,
                "future",
            ),
            (
                "clocks are unknown",
                |facts| facts.clock_difference_ms = Observed::Unknown("no".into()),
                Unknown,
                "clocks",
            ),
        ],
    );
}
