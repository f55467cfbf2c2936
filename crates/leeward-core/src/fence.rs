//! The fence: proof that nothing older is still uncommitted (design §4).
//!
//! A barrier is the grace period of read-copy-update. At source time T0 it is drawn; at the next observation every other
//! thread that runs a statement or holds a transaction is *noted*; it is *retired* when each noted thread has been
//! seen idle, gone, or in another transaction. When it is retired before a cut is opened, every row stamped before T0
//! and every AUTO_INCREMENT id up to the head seen at T0 is final in that cut.
//!
//! Pure: observations come from `leeward-mysql`, which also proves that each one is fresh.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chrono::{NaiveDateTime, TimeDelta};
use serde::{Deserialize, Serialize};

/// Barriers kept at once. Behind a long transaction they are thinned out so that their ages double: sixteen reach from
/// one look back to days, and the mark only moves in coarser steps.
const BARRIERS_MAX: usize = 16;

/// How long a transaction must have been open before its start tells it from the thread's next one. Servers print the
/// start in whole seconds, so one that began in the second before the last could be followed by its twin.
const TOLD_APART_AFTER: TimeDelta = TimeDelta::seconds(2);

/// What one look at the source's threads showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The server that answered; a change means failover or restart, and that thread ids mean nothing any more.
    pub server: String,
    /// Source clock after the threads were read.
    pub now: NaiveDateTime,
    /// Highest visible AUTO_INCREMENT id of each probed table, read after `now` and 0 for an empty table; `None` where it
    /// could not be read, which settles nothing.
    pub heads: Vec<Option<u64>>,
    /// Every other thread of interest, by id; Leeward's own connections are left out by the observer.
    pub threads: BTreeMap<u64, Thread>,
    /// Transactions that belong to no thread (XA PREPARE of a session that has gone), by transaction id.
    pub detached: BTreeMap<String, NaiveDateTime>,
    /// Whose transaction is being committed: others may see its rows already.
    pub committing: BTreeSet<Member>,
}

/// One thread that runs a statement or holds a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    /// The running statement, if one runs.
    pub statement: Option<Statement>,
    /// Start of its open transaction. Identity is the start, because the id changes when a read-only transaction
    /// first writes.
    pub transaction: Option<NaiveDateTime>,
    /// `user@host`, for people.
    pub account: String,
}

/// What tells one statement of a thread from the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Server-wide query number, where there is one (MariaDB). The same number is the same statement; another number need
    /// not be another statement.
    pub query_id: Option<u64>,
    /// Whole seconds it has been running, as the process list says.
    pub running_s: u64,
}

/// What a retired barrier proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Rows stamped before this source time are final.
    pub before: NaiveDateTime,
    /// Ids up to these are final, in the order of the probes.
    pub heads: Vec<Option<u64>>,
}

impl Settled {
    /// Returns the same with no id above the heads that are there now: those beyond belong to rows that are gone.
    pub fn below(&self, now: &[Option<u64>]) -> Settled {
        let lower = |(head, now): (&Option<u64>, &Option<u64>)| head.map(|head| now.map_or(head, |now| head.min(now)));
        Settled { before: self.before, heads: self.heads.iter().zip(now).map(lower).collect() }
    }
}

/// Who keeps the oldest barrier from being retired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Thread id on the source; `None` for a prepared XA transaction without a thread.
    pub thread: Option<u64>,
    /// `user@host`, or the transaction id of a detached one.
    pub account: String,
    /// When its transaction began, if it has one.
    pub since: Option<NaiveDateTime>,
}

/// What is settled but for some transactions that are still open: a *resting* mark, from which a cut can be read while
/// the fence is held. It saves reading all that has been written since a long transaction began, cycle after cycle.
///
/// Claim: let a cut have been read to its end that was opened after the look from which this comes. In a later cut,
/// nothing stamped below `settled` can be new as long as [`Resting::holds`] at a look made *after* that cut was opened.
/// Why: whoever could have stamped such a row was noted. Those that are not held here any more had ended before the
/// earlier cut, which showed their rows; those held here have not ended at the later look, so neither cut shows theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resting {
    /// What is settled but for `held_by`.
    pub settled: Settled,
    server: String,
    seen_at: NaiveDateTime,
    held_by: BTreeMap<Member, NaiveDateTime>,
}

impl Resting {
    /// Returns whether each transaction that was open is open still, on the same server and with no step back of its
    /// clock in between.
    pub fn holds(&self, seen: &Observation) -> bool {
        let open = |member: &Member, since: &NaiveDateTime| match member {
            Member::Thread(id) => seen.threads.get(id).is_some_and(|thread| thread.transaction == Some(*since)),
            Member::Detached(id) => seen.detached.get(id) == Some(since),
        };
        self.server == seen.server
            && self.seen_at <= seen.now
            && self.held_by.iter().all(|(member, since)| open(member, since) && !seen.committing.contains(member))
    }

    /// Adds the transactions that an earlier one, from which the last cut was read, was held by.
    #[must_use]
    pub fn and_held_by(mut self, earlier: &Resting) -> Resting {
        self.held_by.extend(earlier.held_by.iter().map(|(member, since)| (member.clone(), *since)));
        self
    }
}

#[derive(Debug, Clone)]
struct Barrier {
    settled: Settled,
    /// `None` until the first observation after it was drawn.
    noted: Option<BTreeMap<Member, Noted>>,
}

/// Who may still bring a row from before a barrier.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Member {
    /// A thread, by id.
    Thread(u64),
    /// A transaction without a thread, by transaction id.
    Detached(String),
}

#[derive(Debug, Clone)]
struct Noted {
    account: String,
    transaction: Option<NaiveDateTime>,
    /// The statement noted while the thread had no transaction, and when.
    statement: Option<(Statement, NaiveDateTime)>,
}

/// The barriers of one source.
#[derive(Debug, Clone, Default)]
pub struct Fence {
    server: Option<String>,
    last_now: Option<NaiveDateTime>,
    barriers: VecDeque<Barrier>,
    floor: Option<NaiveDateTime>,
}

impl Fence {
    /// Makes a fence that starts with a floor stored by an earlier process, if there was one.
    pub fn with_floor(floor: Option<NaiveDateTime>) -> Self {
        Fence { floor, ..Fence::default() }
    }

    /// Takes in an observation and returns what has newly been proved, if anything.
    ///
    /// The caller must let more than 100 ms pass between two observations (InnoDB caches `INNODB_TRX` that long), and
    /// open the cut after this call.
    pub fn observe(&mut self, seen: &Observation) -> Option<Settled> {
        self.notice_another_server_or_clock(seen);
        for barrier in &mut self.barriers {
            barrier.look(seen);
        }
        let mut proved = None;
        while self.barriers.front().is_some_and(Barrier::is_retired) {
            proved = self.barriers.pop_front().map(|barrier| barrier.settled);
        }
        if self.barriers.len() >= BARRIERS_MAX {
            self.thin_out(seen.now);
        }
        self.barriers
            .push_back(Barrier { settled: Settled { before: seen.now, heads: seen.heads.clone() }, noted: None });
        self.last_now = Some(seen.now);
        if let (Some(floor), Some(settled)) = (self.floor, &proved) {
            self.floor = Some(floor.max(settled.before));
        }
        proved
    }

    /// Forgets all barriers, because the probed tables have changed. Nothing that was proved is taken back.
    pub fn forget(&mut self) {
        self.barriers.clear();
    }

    /// Returns the newest mark that rests on transactions alone that are surely still the ones that were noted. Nothing
    /// when no transaction holds the fence.
    pub fn resting(&self) -> Option<Resting> {
        let (server, seen_at) = (self.server.clone()?, self.last_now?);
        let rests = |barrier: &Barrier| {
            let held = barrier.noted.as_ref().filter(|noted| !noted.is_empty())?;
            let held_by = held.iter().map(|(member, noted)| Some((member.clone(), noted.told_apart_at(seen_at)?)));
            let held_by = held_by.collect::<Option<BTreeMap<_, _>>>()?;
            Some(Resting { settled: barrier.settled.clone(), server: server.clone(), seen_at, held_by })
        };
        self.barriers.iter().rev().find_map(rests)
    }

    /// Takes out the barrier whose neighbours stand in for it best: those left are the denser the newer they are. The
    /// oldest decides, and the newest is not noted yet, so both stay.
    fn thin_out(&mut self, now: NaiveDateTime) {
        let at = |index: usize| self.barriers[index].settled.before;
        let gap = |index: &usize| {
            let age_ms = (now - at(*index)).num_milliseconds().max(1);
            (at(*index + 1) - at(*index - 1)).num_milliseconds() * 1_000 / age_ms
        };
        if let Some(index) = (1..self.barriers.len() - 1).min_by_key(gap) {
            self.barriers.remove(index);
        }
    }

    /// Returns from where clock windows must be read when the source's clock has been seen behind an earlier reading:
    /// rows written since may be stamped below a mark. `None` when marks alone suffice.
    pub fn floor_below(&self, mark: NaiveDateTime) -> Option<NaiveDateTime> {
        self.floor.filter(|floor| *floor < mark)
    }

    /// Returns the stored form of the floor.
    pub fn floor(&self) -> Option<NaiveDateTime> {
        self.floor
    }

    /// Tells the fence the highest clock value that an earlier process settled, so that a clock stepped back between
    /// the two is noticed.
    pub fn remember_clock(&mut self, settled: NaiveDateTime) {
        self.last_now = Some(self.last_now.map_or(settled, |last| last.max(settled)));
    }

    /// Returns who holds the oldest barrier, oldest transaction first. Empty when none is held.
    pub fn holders(&self) -> Vec<Holder> {
        let noted = self.barriers.front().and_then(|barrier| barrier.noted.as_ref());
        let mut holders: Vec<Holder> =
            noted.into_iter().flatten().map(|(member, noted)| noted.holder(member)).collect();
        holders.sort_by_key(|holder| (holder.since.is_none(), holder.since, holder.thread));
        holders
    }

    fn notice_another_server_or_clock(&mut self, seen: &Observation) {
        let restarted = self.server.as_ref().is_some_and(|server| *server != seen.server);
        let stepped_back = self.last_now.is_some_and(|last| seen.now < last);
        if restarted || stepped_back {
            self.barriers.clear();
        }
        if stepped_back {
            self.floor = Some(self.floor.map_or(seen.now, |floor| floor.min(seen.now)));
        }
        self.server = Some(seen.server.clone());
    }
}

impl Barrier {
    fn is_retired(&self) -> bool {
        self.noted.as_ref().is_some_and(BTreeMap::is_empty)
    }

    fn look(&mut self, seen: &Observation) {
        match &mut self.noted {
            None => self.noted = Some(note(seen)),
            Some(noted) => reconsider(noted, seen),
        }
    }
}

/// Notes everything that may still bring a row from before the barrier.
fn note(seen: &Observation) -> BTreeMap<Member, Noted> {
    let threads = seen.threads.iter().map(|(&id, thread)| {
        let statement = thread.statement.clone().filter(|_| thread.transaction.is_none());
        let noted = Noted {
            account: thread.account.clone(),
            transaction: thread.transaction,
            statement: statement.map(|statement| (statement, seen.now)),
        };
        (Member::Thread(id), noted)
    });
    threads
        .chain(seen.detached.iter().map(|(id, &since)| (Member::Detached(id.clone()), detached(id, since))))
        .collect()
}

fn detached(id: &str, since: NaiveDateTime) -> Noted {
    Noted { account: format!("prepared transaction {id}"), transaction: Some(since), statement: None }
}

/// Drops the members that are done. A thread that is done may have left a prepared transaction behind, be it that the
/// thread has gone or that XA PREPARE has freed it for other work (`xa_detach_on_prepare`, the default of MySQL since
/// 8.0.29). So every detached transaction not known before takes its place.
fn reconsider(noted: &mut BTreeMap<Member, Noted>, seen: &Observation) {
    let mut done = false;
    noted.retain(|member, noted| match member {
        Member::Detached(id) => seen.detached.contains_key(id),
        Member::Thread(id) => {
            let held = seen.threads.get(id).is_some_and(|thread| noted.still_held_by(thread, seen.now));
            done |= !held;
            held
        }
    });
    if done {
        for (id, &since) in &seen.detached {
            noted.entry(Member::Detached(id.clone())).or_insert_with(|| detached(id, since));
        }
    }
}

impl Noted {
    fn still_held_by(&mut self, thread: &Thread, now: NaiveDateTime) -> bool {
        match (self.transaction, thread.transaction) {
            (Some(noted), Some(current)) => noted == current,
            // Without a transaction any more: what it did is committed or rolled back.
            (Some(_), None) => false,
            // Noted before its transaction began (a statement waiting for a metadata lock, T41): bound to the first
            // one seen, even if the thread runs another statement by now, for that may belong to the same transaction.
            (None, Some(current)) => {
                self.transaction = Some(current);
                true
            }
            (None, None) => thread.statement.is_some() && !self.is_another_statement(thread.statement.as_ref(), now),
        }
    }

    /// Returns the start of its transaction once that tells it from any later one of the thread.
    fn told_apart_at(&self, now: NaiveDateTime) -> Option<NaiveDateTime> {
        self.transaction.filter(|since| now - *since >= TOLD_APART_AFTER)
    }

    /// Returns whether the statement noted has surely ended: the thread's statement has run for less time than has passed
    /// since the note (less a second of rounding). Its number alone does not tell: on MariaDB each statement of a stored
    /// function takes a new one, while NOW() and age stay those of the statement that calls it.
    fn is_another_statement(&self, current: Option<&Statement>, now: NaiveDateTime) -> bool {
        let (Some((noted, at)), Some(current)) = (&self.statement, current) else { return false };
        let same_number = noted.query_id.is_some() && noted.query_id == current.query_id;
        let passed_s = (now - *at).num_seconds();
        !same_number && i64::try_from(current.running_s).is_ok_and(|running_s| running_s + 1 < passed_s)
    }

    fn holder(&self, member: &Member) -> Holder {
        let thread = match member {
            Member::Thread(id) => Some(*id),
            Member::Detached(_) => None,
        };
        Holder { thread, account: self.account.clone(), since: self.transaction }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u32) -> NaiveDateTime {
        chrono::NaiveDate::from_ymd_opt(2026, 1, 1).unwrap().and_hms_opt(0, second / 60, second % 60).unwrap()
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
            heads: vec![Some(u64::from(second))],
            threads: threads.collect(),
            detached: BTreeMap::new(),
            committing: BTreeSet::new(),
        }
    }

    fn proved(fence: &mut Fence, observation: &Observation) -> Option<NaiveDateTime> {
        fence.observe(observation).map(|settled| settled.before)
    }

    #[test]
    fn a_quiet_source_settles_the_heads_of_the_look_before_t4() {
        let mut fence = Fence::default();
        assert_eq!(proved(&mut fence, &seen(1, &[])), None);
        assert_eq!(proved(&mut fence, &seen(2, &[])), Some(at(1)));
        assert_eq!(fence.observe(&seen(3, &[])), Some(Settled { before: at(2), heads: vec![Some(2)] }));
    }

    #[test]
    fn an_open_transaction_holds_the_mark_until_it_ends_t2() {
        let mut fence = Fence::default();
        fence.observe(&seen(1, &[(7, None, Some(0))]));
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
        fence.observe(&seen(10, &[]));
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
            fence.observe(&seen(1, &[(7, Some((numbered, 0)), None)]));
            fence.observe(&seen(2, &[(7, Some((numbered * 2, 0)), None)]));
            assert_eq!(proved(&mut fence, &seen(3, &[(7, Some((numbered * 3, 0)), None)])), None);
            assert_eq!(proved(&mut fence, &seen(5, &[(7, Some((numbered * 4, 1)), None)])), Some(at(1)));
        }
    }

    #[test]
    fn a_statement_that_computes_a_stored_function_holds_the_mark_though_its_number_changes_t2() {
        let mut fence = Fence::default();
        fence.observe(&seen(1, &[(7, Some((5, 1)), None)]));
        fence.observe(&seen(2, &[(7, Some((6, 2)), None)]));
        assert_eq!(proved(&mut fence, &seen(3, &[(7, Some((7, 3)), None)])), None);
        assert_eq!(proved(&mut fence, &seen(9, &[(7, Some((13, 9)), None)])), None);
        assert_eq!(proved(&mut fence, &seen(10, &[])), Some(at(9)));
    }

    #[test]
    fn a_prepared_transaction_outlives_its_thread_t2() {
        let mut fence = Fence::default();
        fence.observe(&seen(1, &[(7, None, Some(0))]));
        fence.observe(&seen(2, &[(7, None, Some(0))]));
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
            fence.observe(&seen(1, &[(7, None, Some(0))]));
            fence.observe(&seen(2, &[(7, None, Some(0))]));
            let mut detached = seen(3, &[other_work]);
            detached.detached.insert("4711".into(), at(0));
            assert_eq!(proved(&mut fence, &detached), None);
            assert_eq!(fence.holders()[0].account, "prepared transaction 4711");
        }
    }

    #[test]
    fn another_server_starts_over() {
        let mut fence = Fence::default();
        fence.observe(&seen(1, &[]));
        let mut failed_over = seen(5, &[]);
        failed_over.server = "two".into();
        assert_eq!(proved(&mut fence, &failed_over), None);
        failed_over.now = at(6);
        assert_eq!(proved(&mut fence, &failed_over), Some(at(5)));
    }

    #[test]
    fn a_clock_that_steps_back_lowers_the_window_not_the_mark_t2() {
        let mut fence = Fence::default();
        fence.observe(&seen(50, &[]));
        assert_eq!(proved(&mut fence, &seen(51, &[])), Some(at(50)));
        assert_eq!(proved(&mut fence, &seen(40, &[])), None);
        assert_eq!(fence.floor_below(at(50)), Some(at(40)));
        assert_eq!(proved(&mut fence, &seen(41, &[])), Some(at(40)));
        assert_eq!(proved(&mut fence, &seen(60, &[])), Some(at(41)));
        assert_eq!(fence.floor_below(at(50)), Some(at(41)));
        assert_eq!(proved(&mut fence, &seen(61, &[])), Some(at(60)));
        assert_eq!(fence.floor_below(at(50)), None);
    }

    #[test]
    fn behind_a_long_transaction_a_mark_may_rest_until_it_ends() {
        let mut fence = Fence::default();
        let long: Row = (7, None, Some(0));
        fence.observe(&seen(10, &[long]));
        assert_eq!(fence.resting(), None, "nothing is noted yet");
        fence.observe(&seen(11, &[long, (8, None, Some(11))]));
        assert_eq!(fence.resting(), None, "a young transaction might end and be followed by its twin");
        fence.observe(&seen(12, &[long]));
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
        fence.observe(&with_detached(10, &[]));
        fence.observe(&with_detached(11, &[(7, Some((5, 9)), None)]));
        assert_eq!(fence.resting(), None, "what the waiting statement has stamped may be committed at any moment");
        fence.observe(&with_detached(12, &[]));
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
            fence.observe(&seen(second, &[long, short]));
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
            fence.observe(&seen(second, &[(7, None, Some(0))]));
        }
        assert!(fence.barriers.len() <= BARRIERS_MAX);
        assert_eq!(fence.barriers[0].settled.before, at(1));
    }
}
