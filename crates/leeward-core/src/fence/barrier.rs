//! One barrier: who was noted, and how each is seen to be done.

use std::collections::BTreeMap;

use chrono::{NaiveDateTime, TimeDelta};
use serde::{Deserialize, Serialize};

use super::{Holder, Member, Observation, Settled, Statement, Thread};
use crate::name::TableName;

/// How long a transaction must have been open before its start tells it from the thread's next one. Servers print the
/// start in whole seconds, so one that began in the second before the last could be followed by its twin.
const TOLD_APART_AFTER: TimeDelta = TimeDelta::seconds(2);

/// Members of a barrier that is stored at most: a record of some 50 KiB. Behind a long transaction a barrier is left with
/// few after some looks; one with more is not worth storing yet.
const HELD_BY_MAX: usize = 256;

#[derive(Debug, Clone)]
pub(super) struct Barrier {
    pub settled: Settled,
    /// `None` until the first observation after it was drawn.
    pub noted: Option<BTreeMap<Member, Noted>>,
}

/// A barrier that somebody holds, as stored for the process that comes after. It says who was noted and not yet seen to be
/// done at the last look; that is as true for whoever looks next, on the same server, however much later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldBarrier {
    pub(super) server: String,
    pub(super) seen_at: NaiveDateTime,
    before: NaiveDateTime,
    heads: Vec<(TableName, u64)>,
    held_by: Vec<(Member, Noted)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Noted {
    account: String,
    transaction: Option<NaiveDateTime>,
    /// The statement noted while the thread had no transaction, and when.
    statement: Option<(Statement, NaiveDateTime)>,
}

impl Barrier {
    /// Draws one at an observation.
    pub fn draw(seen: &Observation) -> Barrier {
        Barrier { settled: Settled { before: seen.now, heads: seen.heads.clone() }, noted: None }
    }

    /// Takes up one that was stored.
    pub fn take_up(held: HeldBarrier) -> Barrier {
        let settled = Settled { before: held.before, heads: held.heads.into_iter().collect() };
        Barrier { settled, noted: Some(held.held_by.into_iter().collect()) }
    }

    /// Returns the stored form, if somebody holds it.
    pub fn held(&self, server: &str, seen_at: NaiveDateTime) -> Option<HeldBarrier> {
        let noted = self.noted.as_ref().filter(|noted| (1..=HELD_BY_MAX).contains(&noted.len()))?;
        Some(HeldBarrier {
            server: server.to_owned(),
            seen_at,
            before: self.settled.before,
            heads: self.settled.heads.clone().into_iter().collect(),
            held_by: noted.clone().into_iter().collect(),
        })
    }

    pub fn is_retired(&self) -> bool {
        self.noted.as_ref().is_some_and(BTreeMap::is_empty)
    }

    pub fn look(&mut self, seen: &Observation) {
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
    pub fn told_apart_at(&self, now: NaiveDateTime) -> Option<NaiveDateTime> {
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

    pub fn holder(&self, member: &Member) -> Holder {
        let thread = match member {
            Member::Thread(id) => Some(*id),
            Member::Detached(_) => None,
        };
        Holder { thread, account: self.account.clone(), since: self.transaction }
    }
}
