//! What the application does: client threads with statements and transactions, one small stage at a time. Between any two
//! stages Leeward may look, cut or commit.

use crate::coverage::Reached;
use crate::database::{Change, Shown, Transaction};
use crate::row::{Micros, Row, SECOND};
use crate::style::Hazard;
use crate::work::{Did, Work};
use crate::world::World;

/// One connection of the application.
#[derive(Debug, Default)]
pub(crate) struct Client {
    /// Its thread on the server; nothing while it is not connected.
    pub thread: Option<u32>,
    /// Its open transaction.
    pub transaction: Option<Transaction>,
    /// Whether each statement is a transaction of its own.
    pub autocommit: bool,
    /// The running statement.
    pub statement: Option<Statement>,
    /// The table that it has locked by LOCK TABLES.
    pub locked: Option<usize>,
}

impl Client {
    /// Returns whether it commits or rolls back a prepared transaction.
    pub(crate) fn finishes(&self, prepared: u32) -> bool {
        let work = self.statement.as_ref().map(|statement| statement.work);
        matches!(work, Some(Work::Finish { number, .. }) if number == prepared)
    }

    /// Returns whether a transaction is being committed by it.
    pub(crate) fn is_committing(&self) -> bool {
        self.statement.as_ref().is_some_and(Statement::is_committing)
    }
}

/// A running statement.
#[derive(Debug)]
pub(crate) struct Statement {
    /// The server's number for it.
    pub query_id: u64,
    /// NOW(), fixed when it began.
    pub now: Micros,
    /// What it does.
    pub work: Work,
    stage: Stage,
    /// Whether it runs through in one step of the world, unless it has to wait.
    hasty: bool,
    /// Stages spent waiting for a row lock.
    waited: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// A stored function is being computed before the first table is opened. Each of its statements takes a number.
    Computing(u8),
    /// Tables are being opened: a metadata lock may be waited for, and there may be no transaction yet (T41).
    Opening,
    /// Rows are being read and written.
    Working,
    /// The transaction is about to become visible.
    Committing,
    /// Others see its rows, and it is still listed.
    Vanishing,
    /// It is over, but the thread does not show idle yet.
    Over,
}

/// A prepared XA transaction.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// The transaction.
    pub transaction: Transaction,
    /// The client that it still belongs to.
    pub client: Option<usize>,
}

/// A row lock is waited for this many stages at most; then the waiter is rolled back, as a deadlock's victim is.
const WAITS_MAX: u8 = 6;

impl Statement {
    /// Returns whether a commit is under way: from before others see the rows until the transaction is gone from the list.
    fn is_committing(&self) -> bool {
        matches!(self.stage, Stage::Committing | Stage::Vanishing)
    }
}

impl World {
    /// Lets one client do the next thing.
    pub(crate) fn act(&mut self, at: usize) {
        match self.clients[at].statement {
            Some(_) => self.go_on(at),
            None => self.begin_something(at),
        }
    }

    fn begin_something(&mut self, at: usize) {
        if self.clients[at].thread.is_none() {
            self.threads += 1;
            let thread = Some(self.threads);
            self.clients[at] = Client { thread, ..Client::default() };
            let threads = self.threads;
            self.note(|| format!("client {at} connects as thread {threads}"));
            return;
        }
        if self.random.one_in(if self.clients[at].transaction.is_some() { 40 } else { 15 }) {
            return self.disconnect(at);
        }
        let Some(work) = self.choose(at) else { return };
        self.query_id += 1;
        let computing = self.style.has(Hazard::Functions) && work.writes() && self.random.one_in(3);
        let stage = if computing { Stage::Computing(1 + self.random.below(10) as u8) } else { Stage::Opening };
        let hasty = self.random.one_in(3);
        let now = self.clock.wall();
        self.note(|| format!("client {at} begins {work:?} at {}", crate::trace::clock(now)));
        if computing {
            self.reached(Reached::FunctionStatement);
        }
        self.clients[at].statement = Some(Statement { query_id: self.query_id, now, work, stage, hasty, waited: 0 });
        if hasty {
            self.go_on(at);
        }
    }

    /// Takes a statement one stage on, or to its end if it is hasty.
    fn go_on(&mut self, at: usize) {
        // A statement has some ten stages; a bulk insert twice as many.
        for _ in 0..32 {
            let Some(mut statement) = self.clients[at].statement.take() else { return };
            let moved = self.stage(at, &mut statement);
            let over = statement.stage == Stage::Over;
            let hasty = statement.hasty;
            if !(over && moved == Moved::Ended) {
                self.clients[at].statement = Some(statement);
            }
            if !hasty || moved == Moved::Waits {
                return;
            }
        }
    }

    fn stage(&mut self, at: usize, statement: &mut Statement) -> Moved {
        match statement.stage {
            Stage::Computing(left) => {
                self.query_id += 1;
                statement.query_id = self.query_id;
                statement.stage = if left > 1 { Stage::Computing(left - 1) } else { Stage::Opening };
                // However much of a hurry it is in, this takes its time.
                return Moved::Waits;
            }
            Stage::Opening => return self.open(at, statement),
            Stage::Working => return self.work(at, statement),
            Stage::Committing => {
                match statement.work {
                    Work::Finish { number, .. } => self.commit_prepared(number),
                    _ => self.commit(at),
                }
                statement.stage = Stage::Vanishing;
            }
            Stage::Vanishing => {
                match statement.work {
                    Work::Finish { number, .. } => self.end_prepared(number),
                    _ => self.end_transaction(at),
                }
                statement.stage = Stage::Over;
            }
            Stage::Over => return Moved::Ended,
        }
        Moved::On
    }

    /// Opens the statement's table, which begins its transaction.
    fn open(&mut self, at: usize, statement: &mut Statement) -> Moved {
        statement.stage = match statement.work {
            Work::Commit if self.clients[at].transaction.is_some() => Stage::Committing,
            Work::Commit | Work::Rollback | Work::Prepare => {
                self.end_without_commit(at, &statement.work);
                Stage::Over
            }
            Work::Finish { commit: true, .. } => Stage::Committing,
            Work::Finish { .. } => Stage::Vanishing,
            Work::Unlock => {
                self.unlock(at);
                Stage::Over
            }
            Work::Truncate { table } | Work::Lock { table } => {
                if !self.get_exclusive(at, table) {
                    return Moved::Waits;
                }
                self.with_exclusive(at, &statement.work);
                Stage::Over
            }
            _ => {
                let table = statement.work.table();
                if !self.may_share(Some(at), table) {
                    self.reached(Reached::LockedStatement);
                    return Moved::Waits;
                }
                if self.clients[at].transaction.is_none() {
                    let started = self.clock.wall().div_euclid(SECOND) * SECOND;
                    self.clients[at].transaction = Some(self.database.begin(started));
                }
                if let Some(transaction) = &mut self.clients[at].transaction {
                    transaction.touched |= 1 << table;
                }
                Stage::Working
            }
        };
        Moved::On
    }

    /// Does one row's worth of work.
    fn work(&mut self, at: usize, statement: &mut Statement) -> Moved {
        let Some(mut transaction) = self.clients[at].transaction.take() else {
            statement.stage = Stage::Over;
            return Moved::On;
        };
        let did = self.do_one(&mut transaction, statement);
        self.clients[at].transaction = Some(transaction);
        match did {
            Did::More => {}
            Did::Waits if statement.waited < WAITS_MAX => {
                statement.waited += 1;
                self.reached(Reached::RowLockWait);
                return Moved::Waits;
            }
            Did::Waits => {
                self.note(|| format!("client {at} is rolled back: it waited too long for a row"));
                self.end_transaction(at);
                statement.stage = Stage::Over;
            }
            Did::All if self.clients[at].autocommit => statement.stage = Stage::Committing,
            Did::All => statement.stage = Stage::Over,
        }
        Moved::On
    }

    fn commit(&mut self, at: usize) {
        let now = self.clock.wall();
        let Some(mut transaction) = self.clients[at].transaction.take() else { return };
        if transaction.has_written() {
            self.database.commit(&mut transaction, now);
            let seq = self.database.seq;
            self.note(|| format!("client {at} commits as #{seq}"));
            self.saw_commit();
        }
        self.clients[at].transaction = Some(transaction);
    }

    /// Takes a client's transaction away; what it has not committed is undone.
    pub(crate) fn end_transaction(&mut self, at: usize) {
        if let Some(transaction) = self.clients[at].transaction.take() {
            self.database.end(&transaction);
        }
    }

    fn end_without_commit(&mut self, at: usize, work: &Work) {
        let Some(transaction) = self.clients[at].transaction.take() else { return };
        if *work == Work::Prepare {
            self.reached(Reached::Prepared);
            let client = (!self.style.detaches).then_some(at);
            self.prepared.push(Prepared { transaction, client });
        } else {
            if transaction.has_written() {
                self.reached(Reached::Rollback);
            }
            self.database.end(&transaction);
        }
    }

    fn commit_prepared(&mut self, number: u32) {
        let now = self.clock.wall();
        let Some(prepared) = self.prepared.iter_mut().find(|one| one.transaction.number == number) else { return };
        if prepared.transaction.has_written() {
            self.database.commit(&mut prepared.transaction, now);
            self.reached(Reached::PreparedCommit);
            let seq = self.database.seq;
            self.note(|| format!("prepared transaction {number} commits as #{seq}"));
            self.saw_commit();
        }
    }

    fn end_prepared(&mut self, number: u32) {
        if let Some(at) = self.prepared.iter().position(|one| one.transaction.number == number) {
            let prepared = self.prepared.remove(at);
            self.database.end(&prepared.transaction);
        }
    }

    /// Ends a connection: its transaction is rolled back, and one that it has prepared is left behind.
    pub(crate) fn disconnect(&mut self, at: usize) {
        self.note(|| format!("client {at} disconnects"));
        self.end_transaction(at);
        self.unlock(at);
        for prepared in self.prepared.iter_mut().filter(|one| one.client == Some(at)) {
            prepared.client = None;
        }
        self.clients[at] = Client::default();
    }

    /// Does what a statement does with a table of its own.
    fn with_exclusive(&mut self, at: usize, work: &Work) {
        let table = work.table();
        if let Work::Truncate { .. } = work {
            let now = self.clock.wall();
            self.database.truncate(table, now);
            self.lockers[table] = None;
            self.reached(Reached::Truncate);
            let seq = self.database.seq;
            self.note(|| format!("table {table} is truncated as #{seq}"));
        } else {
            self.clients[at].locked = Some(table);
            self.reached(Reached::LockTables);
            self.note(|| format!("client {at} holds table {table} locked"));
        }
    }

    fn unlock(&mut self, at: usize) {
        self.clients[at].locked = None;
        for locker in &mut self.lockers {
            if *locker == Some(at) {
                *locker = None;
            }
        }
    }

    /// Writes a row as a statement of this moment does.
    pub(crate) fn write(&mut self, transaction: &mut Transaction, row: Change) {
        self.database.write(transaction, row);
    }

    /// Chooses a unique value for a row: one that is free, or none.
    pub(crate) fn free_unique(&mut self, transaction: &Transaction, table: usize, view: &[Row]) -> Option<u8> {
        if !self.style.has(Hazard::Unique) {
            return None;
        }
        let wanted = self.random.below(5) as u8;
        self.database.is_free(transaction, (table, view), wanted).then_some(wanted)
    }

    /// Returns how an INSERT with a fresh id shows itself.
    pub(crate) fn fresh_id(&mut self, table: usize) -> (u32, Shown) {
        self.database.take_id(table)
    }
}

/// How far a stage has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moved {
    On,
    Waits,
    Ended,
}
