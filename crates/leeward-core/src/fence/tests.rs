//! Tests of the fence on its own.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::*;

fn at(second: u32) -> NaiveDateTime {
    chrono::NaiveDate::from_ymd_opt(2026, 1, 1).unwrap().and_hms_opt(0, second / 60, second % 60).unwrap()
}

fn heads(head: u64) -> BTreeMap<TableName, u64> {
    BTreeMap::from([(TableName::new("shop", "orders"), head)])
}

/// Id, running statement as (query number or 0, seconds), start of the open transaction.
type Row = (u64, Option<(u64, u64)>, Option<u32>);

fn seen(second: u32, threads: &[Row]) -> Observation {
    let threads = threads.iter().map(|&(id, statement, transaction)| {
        let statement =
            statement.map(|(query, running_s)| Statement { query_id: (query > 0).then_some(query), running_s });
        (id, Thread { statement, transaction: transaction.map(at), account: "app@10.0.0.1".into() })
    });
    Observation {
        server: "one".into(),
        now: at(second),
        heads: heads(u64::from(second)),
        threads: threads.collect(),
        detached: BTreeMap::new(),
        committing: BTreeSet::new(),
    }
}

/// Looks as long after the last look as the clock says, which makes no step.
fn observe(fence: &mut Fence, seen: &Observation) -> Option<Settled> {
    fence.observe(seen, None).settled
}

fn proved(fence: &mut Fence, observation: &Observation) -> Option<NaiveDateTime> {
    observe(fence, observation).map(|settled| settled.before)
}

#[test]
fn a_quiet_source_settles_the_heads_of_the_look_before_t4() {
    let mut fence = Fence::default();
    assert_eq!(proved(&mut fence, &seen(1, &[])), None);
    assert_eq!(proved(&mut fence, &seen(2, &[])), Some(at(1)));
    assert_eq!(observe(&mut fence, &seen(3, &[])), Some(Settled { before: at(2), heads: heads(2) }));
}

#[test]
fn an_open_transaction_holds_the_mark_until_it_ends_t2() {
    let mut fence = Fence::default();
    observe(&mut fence, &seen(1, &[(7, None, Some(0))]));
    assert_eq!(proved(&mut fence, &seen(2, &[(7, None, Some(0))])), None);
    assert_eq!(proved(&mut fence, &seen(900, &[(7, None, Some(0))])), None);
    assert_eq!(fence.holders()[0].thread, Some(7));
    assert_eq!(fence.holders()[0].since, Some(at(0)));
    // It committed and another began: the oldest barriers fall, those drawn while the first ran as well.
    assert_eq!(proved(&mut fence, &seen(901, &[(7, None, Some(901))])), Some(at(2)));
}

#[test]
fn a_statement_waiting_for_a_metadata_lock_is_bound_to_the_transaction_it_starts_t41() {
    let mut fence = Fence::default();
    observe(&mut fence, &seen(10, &[]));
    assert_eq!(proved(&mut fence, &seen(11, &[(7, Some((5, 9)), None)])), None);
    // The lock is granted: its transaction starts after the barrier but its NOW() lies before.
    assert_eq!(proved(&mut fence, &seen(12, &[(7, Some((5, 10)), Some(12))])), None);
    assert_eq!(proved(&mut fence, &seen(20, &[(7, None, Some(12))])), None);
    assert_eq!(proved(&mut fence, &seen(21, &[])), Some(at(20)));
}

#[test]
fn a_busy_pooled_connection_without_transactions_does_not_hold_the_mark() {
    for numbered in [0, 1] {
        let mut fence = Fence::default();
        observe(&mut fence, &seen(1, &[(7, Some((numbered, 0)), None)]));
        observe(&mut fence, &seen(2, &[(7, Some((numbered * 2, 0)), None)]));
        assert_eq!(proved(&mut fence, &seen(3, &[(7, Some((numbered * 3, 0)), None)])), None);
        assert_eq!(proved(&mut fence, &seen(5, &[(7, Some((numbered * 4, 1)), None)])), Some(at(1)));
    }
}

#[test]
fn a_statement_that_computes_a_stored_function_holds_the_mark_though_its_number_changes_t2() {
    let mut fence = Fence::default();
    observe(&mut fence, &seen(1, &[(7, Some((5, 1)), None)]));
    observe(&mut fence, &seen(2, &[(7, Some((6, 2)), None)]));
    assert_eq!(proved(&mut fence, &seen(3, &[(7, Some((7, 3)), None)])), None);
    assert_eq!(proved(&mut fence, &seen(9, &[(7, Some((13, 9)), None)])), None);
    assert_eq!(proved(&mut fence, &seen(10, &[])), Some(at(9)));
}

#[test]
fn a_prepared_transaction_outlives_its_thread_t2() {
    let mut fence = Fence::default();
    observe(&mut fence, &seen(1, &[(7, None, Some(0))]));
    observe(&mut fence, &seen(2, &[(7, None, Some(0))]));
    let mut detached = seen(3, &[]);
    detached.detached.insert("4711".into(), at(0));
    assert_eq!(proved(&mut fence, &detached), None);
    assert_eq!(fence.holders()[0].account, "prepared transaction 4711");
    assert_eq!(proved(&mut fence, &seen(4, &[])), Some(at(3)));
}

#[test]
fn a_prepared_transaction_holds_the_mark_though_its_thread_is_free_for_other_work_t2() {
    for other_work in [(7, Some((9, 0)), None), (7, Some((9, 0)), Some(3))] {
        let mut fence = Fence::default();
        observe(&mut fence, &seen(1, &[(7, None, Some(0))]));
        observe(&mut fence, &seen(2, &[(7, None, Some(0))]));
        let mut detached = seen(3, &[other_work]);
        detached.detached.insert("4711".into(), at(0));
        assert_eq!(proved(&mut fence, &detached), None);
        assert_eq!(fence.holders()[0].account, "prepared transaction 4711");
    }
}

#[test]
fn another_server_starts_over() {
    let mut fence = Fence::default();
    observe(&mut fence, &seen(1, &[]));
    let mut failed_over = seen(5, &[]);
    failed_over.server = "two".into();
    assert_eq!(proved(&mut fence, &failed_over), None);
    failed_over.now = at(6);
    assert_eq!(proved(&mut fence, &failed_over), Some(at(5)));
}

/// Between two looks at seconds `then` and `now` of Leeward's own clock, each of which takes a tenth of a second.
fn passed(then: u32, now: u32) -> Passed {
    let between = at(now) - at(then);
    Passed { at_least: between - TimeDelta::milliseconds(100), at_most: between + TimeDelta::milliseconds(100) }
}

#[test]
fn a_clock_that_is_set_back_drops_all_barriers_and_tells_from_where_to_read_t2() {
    let mut fence = Fence::default();
    fence.observe(&seen(50, &[]), None);
    assert_eq!(fence.observe(&seen(51, &[]), Some(passed(0, 1))).set_back_to, None);
    let set_back = fence.observe(&seen(40, &[]), Some(passed(1, 3)));
    assert_eq!(set_back.settled, None);
    let lowest = at(38) - TimeDelta::milliseconds(100);
    assert_eq!(set_back.set_back_to, Some(lowest), "it may have been set back right after the look before");
    assert_eq!(fence.observe(&seen(41, &[]), Some(passed(3, 4))).settled.map(|settled| settled.before), Some(at(40)));
}

#[test]
fn a_clock_that_is_set_back_by_less_than_has_passed_is_noticed_t2() {
    let mut fence = Fence::default();
    fence.observe(&seen(50, &[]), None);
    assert_eq!(fence.observe(&seen(59, &[]), Some(passed(0, 10))).set_back_to, None, "slowed down by a tenth");
    assert!(fence.observe(&seen(61, &[]), Some(passed(10, 20))).set_back_to.is_some(), "eight seconds lack");
}

#[test]
fn how_far_a_clock_was_set_back_while_nobody_looked_is_unknown_t2() {
    let mut fence = Fence::default();
    fence.remember_clock(at(50));
    assert_eq!(fence.observe(&seen(49, &[]), None).set_back_to, Some(EARLIEST));
}

#[test]
fn behind_a_long_transaction_a_mark_may_rest_until_it_ends() {
    let mut fence = Fence::default();
    let long: Row = (7, None, Some(0));
    observe(&mut fence, &seen(10, &[long]));
    assert_eq!(fence.resting(), None, "nothing is noted yet");
    observe(&mut fence, &seen(11, &[long, (8, None, Some(11))]));
    assert_eq!(fence.resting(), None, "a young transaction might end and be followed by its twin");
    observe(&mut fence, &seen(12, &[long]));
    let resting = fence.resting().expect("only the long one holds");
    assert_eq!(resting.settled.before, at(11));
    assert!(resting.holds(&seen(13, &[long, (9, None, Some(13))])));
    assert!(!resting.holds(&seen(13, &[])), "it has ended");
    assert!(!resting.holds(&seen(13, &[(7, None, Some(13))])), "it has ended, and the thread is in another");
    assert!(!resting.holds(&seen(11, &[long])), "the clock has stepped back");
    let mut committing = seen(13, &[long]);
    committing.committing.insert(Member::Thread(7));
    assert!(!resting.holds(&committing), "others may see its rows already");
    let mut failed_over = seen(13, &[long]);
    failed_over.server = "two".into();
    assert!(!resting.holds(&failed_over));
}

#[test]
fn a_mark_rests_on_prepared_transactions_too_but_not_on_a_statement_without_one_t41() {
    let mut fence = Fence::default();
    let with_detached = |second: u32, threads: &[Row]| {
        let mut seen = seen(second, threads);
        seen.detached.insert("4711".into(), at(0));
        seen
    };
    observe(&mut fence, &with_detached(10, &[]));
    observe(&mut fence, &with_detached(11, &[(7, Some((5, 9)), None)]));
    assert_eq!(fence.resting(), None, "what the waiting statement has stamped may be committed at any moment");
    observe(&mut fence, &with_detached(12, &[]));
    let resting = fence.resting().expect("only the prepared one holds");
    assert!(resting.holds(&with_detached(13, &[])));
    assert!(!resting.holds(&seen(13, &[])));
}

#[test]
fn a_resting_mark_follows_closely_however_long_the_transaction() {
    let mut fence = Fence::default();
    let long: Row = (7, None, Some(0));
    for second in 1..3_000 {
        // Another transaction is always open, each for three seconds.
        let short: Row = (8 + u64::from(second / 3), None, Some(second / 3 * 3));
        observe(&mut fence, &seen(second, &[long, short]));
        if second > 10 {
            let rests = fence.resting().expect("there is always a barrier that only the long one holds");
            assert!(at(second) - rests.settled.before <= TimeDelta::seconds(9), "{second}: {rests:?}");
        }
    }
}

#[test]
fn barriers_stay_bounded_behind_a_long_transaction() {
    let mut fence = Fence::default();
    for second in 1..1000 {
        observe(&mut fence, &seen(second, &[(7, None, Some(0))]));
    }
    assert!(fence.barriers.len() <= BARRIERS_MAX);
    assert_eq!(fence.barriers[0].settled.before, at(1));
}

/// What the next process knows of a fence: what was stored, as text.
fn next_process(fence: &Fence) -> Fence {
    let text = serde_json::to_string(&fence.held()).unwrap();
    let mut next = Fence::default();
    serde_json::from_str::<Option<HeldBarrier>>(&text).unwrap().into_iter().for_each(|held| next.take_up(held));
    next
}

#[test]
fn a_process_that_begins_behind_a_long_transaction_goes_on_with_the_barrier_of_the_one_before_t2() {
    let (long, later): (Row, Row) = ((7, None, Some(0)), (9, None, Some(5)));
    let mut fence = Fence::default();
    for second in 1..60 {
        let open = [long, later];
        observe(&mut fence, &seen(second, if second < 5 { &open[..1] } else { &open }));
        // It is killed after every other look.
        if second % 2 == 0 {
            fence = next_process(&fence);
            assert_eq!(fence.holders()[0].thread, Some(7));
        }
    }
    assert_eq!(observe(&mut fence, &seen(60, &[later])), Some(Settled { before: at(1), heads: heads(1) }));
}

#[test]
fn whoever_takes_a_barrier_up_waits_for_all_that_were_noted_t41() {
    for ends in [(8, None, Some(11)), (8, Some((5, 20)), None)] {
        let waiting: Row = (8, Some((5, 9)), None);
        let mut fence = Fence::default();
        observe(&mut fence, &seen(10, &[]));
        observe(&mut fence, &seen(11, &[waiting]));
        let mut fence = next_process(&fence);
        assert_eq!(proved(&mut fence, &seen(22, &[ends])), None, "it may have stamped rows before the barrier");
        assert_eq!(proved(&mut next_process(&fence), &seen(23, &[])), Some(at(10)));
    }
}

#[test]
fn a_stored_barrier_is_worth_nothing_on_another_server_or_behind_its_clock() {
    let mut fence = Fence::default();
    observe(&mut fence, &seen(10, &[(7, None, Some(0))]));
    observe(&mut fence, &seen(11, &[(7, None, Some(0))]));
    let mut failed_over = seen(12, &[]);
    failed_over.server = "two".into();
    assert_eq!(proved(&mut next_process(&fence), &failed_over), None);
    let mut fence = next_process(&fence);
    let behind = fence.observe(&seen(9, &[]), None);
    assert_eq!((behind.settled, behind.set_back_to), (None, Some(EARLIEST)));
}

#[test]
fn nothing_is_stored_while_nobody_or_half_the_world_holds_a_barrier() {
    let mut fence = Fence::default();
    observe(&mut fence, &seen(1, &[]));
    observe(&mut fence, &seen(2, &[]));
    assert_eq!(fence.held(), None);
    let crowd: Vec<Row> = (0..10_000).map(|id| (id, None, Some(0))).collect();
    let mut fence = Fence::default();
    observe(&mut fence, &seen(1, &crowd));
    observe(&mut fence, &seen(2, &crowd));
    assert_eq!(fence.held(), None);
}

#[test]
fn ids_of_a_table_that_may_be_another_one_are_not_settled_by_barriers_of_before() {
    let mut fence = Fence::default();
    observe(&mut fence, &seen(1, &[]));
    fence.forget_ids(&TableName::new("shop", "orders"));
    assert_eq!(observe(&mut fence, &seen(2, &[])), Some(Settled { before: at(1), heads: BTreeMap::new() }));
}
