//! The fence: proof that nothing older is still uncommitted (design §4).
//!
//! A barrier is the grace period of read-copy-update. At source time T0 it is drawn; at the next observation every other
//! thread that runs a statement or holds a transaction is *noted*; it is *retired* when each noted thread has been
//! seen idle, gone, or in another transaction. When it is retired before a cut is opened, every row stamped before T0
//! and every AUTO_INCREMENT id up to the head seen at T0 is final in that cut. The oldest barrier outlives its process.
//!
//! Pure: observations come from `leeward-mysql`, which also proves that each one is fresh.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chrono::{DateTime, NaiveDateTime, TimeDelta};
use serde::{Deserialize, Serialize};

mod barrier;

use crate::name::TableName;
use barrier::Barrier;
pub use barrier::HeldBarrier;

/// Barriers kept at once. Behind a long transaction they are thinned out so that their ages double: sixteen reach from
/// one look back to days, and the mark only moves in coarser steps.
const BARRIERS_MAX: usize = 16;

/// What one look at the source's threads showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The server that answered; a change means failover or restart, and that thread ids mean nothing any more.
    pub server: String,
    /// Source clock after the threads were read.
    pub now: NaiveDateTime,
    /// Highest visible AUTO_INCREMENT id of each probed table, read after `now` and 0 for an empty table. One that could
    /// not be read is left out, which settles nothing.
    pub heads: BTreeMap<TableName, u64>,
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// Server-wide query number, where there is one (MariaDB). The same number is the same statement; another number need
    /// not be another statement.
    pub query_id: Option<u64>,
    /// Whole seconds it has been running, as the process list says.
    pub running_s: u64,
}

/// How much time has passed since the look before, by Leeward's own clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passed {
    /// From the answer of that one to the question of this.
    pub at_least: TimeDelta,
    /// From the question of that one to the answer of this.
    pub at_most: TimeDelta,
}

impl Passed {
    /// Returns by how much the source's clock may fall behind ours without having been set back: it is adjusted by slowing it
    /// down, which chrony does by a twelfth at most (`maxslewrate`). No mark comes closer to the last look than the look before
    /// it, so that what goes unnoticed is harmless unless a look came ten times as late as the one before.
    fn slack(&self) -> TimeDelta {
        TimeDelta::milliseconds(100).max(self.at_least / 10)
    }
}

/// What a look has told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct News {
    /// What has newly been proved.
    pub settled: Option<Settled>,
    /// The source's clock was set back since the look before, and nothing was stamped below this. Rows that are written from
    /// now on may lie below marks.
    pub set_back_to: Option<NaiveDateTime>,
}

/// What a retired barrier proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Rows stamped before this source time are final.
    pub before: NaiveDateTime,
    /// Ids up to these are final.
    pub heads: BTreeMap<TableName, u64>,
}

impl Settled {
    /// Returns the same with no id above the heads that are there now: those beyond belong to rows that are gone.
    #[must_use]
    pub fn below(mut self, now: &BTreeMap<TableName, u64>) -> Settled {
        for (table, head) in &mut self.heads {
            *head = now.get(table).map_or(*head, |now| *now.min(head));
        }
        self
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
    /// Returns the same with no id above the heads that are there now (see [`Settled::below`]).
    #[must_use]
    pub fn below(mut self, now: &BTreeMap<TableName, u64>) -> Resting {
        self.settled = self.settled.below(now);
        self
    }

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

/// Who may still bring a row from before a barrier.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Member {
    /// A thread, by id.
    Thread(u64),
    /// A transaction without a thread, by transaction id.
    Detached(String),
}

/// The barriers of one source.
#[derive(Debug, Clone, Default)]
pub struct Fence {
    server: Option<String>,
    last_now: Option<NaiveDateTime>,
    barriers: VecDeque<Barrier>,
}

impl Fence {
    /// Takes in an observation and returns what it tells.
    ///
    /// The caller must let more than 100 ms pass between two observations (InnoDB caches `INNODB_TRX` that long), and
    /// open the cut after this call. `passed` is not known at the first look of a process.
    pub fn observe(&mut self, seen: &Observation, passed: Option<Passed>) -> News {
        let set_back_to = self.notice_another_server_or_clock(seen, passed);
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
        self.barriers.push_back(Barrier::draw(seen));
        self.last_now = Some(seen.now);
        News { settled: proved, set_back_to }
    }

    /// Returns the oldest barrier for the record, if somebody holds it. Only that one: whoever takes it up draws its own
    /// from then on, so the mark follows at the latest when two of the longest transactions have ended, however often
    /// processes are killed.
    pub fn held(&self) -> Option<HeldBarrier> {
        self.barriers.front()?.held(self.server.as_ref()?, self.last_now?)
    }

    /// Goes on with the barrier that an earlier process stored. Nothing of this process may have been observed yet.
    pub fn take_up(&mut self, held: HeldBarrier) {
        self.server = Some(held.server.clone());
        self.remember_clock(held.seen_at);
        self.barriers = VecDeque::from([Barrier::take_up(held)]);
    }

    /// Forgets the ids of a table, because it may be another one by now. What was proved is not taken back.
    pub fn forget_ids(&mut self, table: &TableName) {
        for barrier in &mut self.barriers {
            barrier.settled.heads.remove(table);
        }
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

    /// Returns the source's clock at the last look, or what was remembered of it.
    pub fn clock(&self) -> Option<NaiveDateTime> {
        self.last_now
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

    /// Drops all barriers where what they noted means nothing any more. Returns to where the clock was set back at the most.
    fn notice_another_server_or_clock(&mut self, seen: &Observation, passed: Option<Passed>) -> Option<NaiveDateTime> {
        let restarted = self.server.as_ref().is_some_and(|server| *server != seen.server);
        let set_back = self.last_now.is_some_and(|last| match passed {
            Some(passed) => seen.now - last < passed.at_least - passed.slack(),
            None => seen.now < last,
        });
        if restarted || set_back {
            self.barriers.clear();
        }
        self.server = Some(seen.server.clone());
        set_back.then(|| passed.map_or(EARLIEST, |passed| seen.now - passed.at_most))
    }
}

/// How far back a clock may have been set while nobody looked: to where clocks begin that have lost their time.
const EARLIEST: NaiveDateTime = DateTime::UNIX_EPOCH.naive_utc();

#[cfg(test)]
mod tests;
