//! The fence: proof that nothing older is still uncommitted (design §4).
//!
//! A barrier is the grace period of read-copy-update. At source time T0 it is drawn; at the next observation every other
//! thread that runs a statement or holds a transaction is *noted*; it is *retired* when each noted thread has been
//! seen idle, gone, or in another transaction. When it is retired before a cut is opened, every row stamped before T0
//! and every AUTO_INCREMENT id up to the head seen at T0 is final in that cut.
//!
//! Pure: observations come from `leeward-mysql`, which also proves that each one is fresh.

use std::collections::{BTreeMap, VecDeque};

use chrono::NaiveDateTime;
use serde::{Deserialize, Serialize};

/// Barriers kept at once. A held barrier makes later ones wait behind it, so more than a handful tell nothing new;
/// when full, the newest waiting ones are thinned out and the mark only moves in coarser steps.
const BARRIERS_MAX: usize = 8;

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
    /// Server-wide query number, where there is one (MariaDB).
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

#[derive(Debug, Clone)]
struct Barrier {
    settled: Settled,
    /// `None` until the first observation after it was drawn.
    noted: Option<BTreeMap<Member, Noted>>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Member {
    Thread(u64),
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
            // The oldest is the one that decides; a newer one may stand in for its neighbour.
            self.barriers.remove(BARRIERS_MAX - 2);
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

/// Drops the members that are done. A thread that has gone may have left a prepared transaction behind, so every
/// detached transaction not known before then takes its place.
fn reconsider(noted: &mut BTreeMap<Member, Noted>, seen: &Observation) {
    let mut gone = false;
    noted.retain(|member, noted| match member {
        Member::Detached(id) => seen.detached.contains_key(id),
        Member::Thread(id) => match seen.threads.get(id) {
            Some(thread) => noted.still_held_by(thread, seen.now),
            None => {
                gone = true;
                false
            }
        },
    });
    if gone {
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

    /// Returns whether the statement noted has surely ended. Where the server numbers statements the number tells;
    /// else one that has run for less time than has passed since the note (less a second of rounding) is another.
    fn is_another_statement(&self, current: Option<&Statement>, now: NaiveDateTime) -> bool {
        let (Some((noted, at)), Some(current)) = (&self.statement, current) else { return false };
        if let (Some(a), Some(b)) = (noted.query_id, current.query_id) {
            return a != b;
        }
        let passed_s = (now - *at).num_seconds();
        i64::try_from(current.running_s).is_ok_and(|running_s| running_s + 1 < passed_s)
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
        }
    }

    fn proved(fence: &mut Fence, observation: &Observation) -> Option<NaiveDateTime> {
        fence.observe(observation).map(|settled| settled.before)
    }

    #[test]
    fn a_quiet_source_settles_one_observation_later() {
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
        let mut by_number = Fence::default();
        by_number.observe(&seen(1, &[(7, Some((1, 0)), None)]));
        by_number.observe(&seen(2, &[(7, Some((2, 0)), None)]));
        assert_eq!(proved(&mut by_number, &seen(3, &[(7, Some((3, 0)), None)])), Some(at(1)));
        let mut by_age = Fence::default();
        by_age.observe(&seen(1, &[(7, Some((0, 0)), None)]));
        by_age.observe(&seen(2, &[(7, Some((0, 0)), None)]));
        assert_eq!(proved(&mut by_age, &seen(3, &[(7, Some((0, 0)), None)])), None);
        assert_eq!(proved(&mut by_age, &seen(5, &[(7, Some((0, 1)), None)])), Some(at(1)));
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
    fn barriers_stay_bounded_behind_a_long_transaction() {
        let mut fence = Fence::default();
        for second in 1..1000 {
            fence.observe(&seen(second, &[(7, None, Some(0))]));
        }
        assert!(fence.barriers.len() <= BARRIERS_MAX);
        assert_eq!(fence.barriers[0].settled.before, at(1));
    }
}
