//! What statements do to rows, one row at a time, and which statement a client chooses next.

use crate::client::{Prepared, Statement};
use crate::coverage::Reached;
use crate::database::{Change, Shown, Transaction};
use crate::row::Row;
use crate::shape::Kind;
use crate::style::Hazard;
use crate::world::World;

/// What a statement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Reads, which opens a transaction all the same.
    Select { table: usize },
    /// Inserts rows with ids from the counter, one after the other: another bulk insert may take ids in between.
    Insert { table: usize, left: u8 },
    /// Inserts a row under a key of its own choice.
    InsertAt { table: usize, id: u32 },
    /// Changes one row.
    Update { table: usize, pick: u32, clock: Clock },
    /// Changes every row past a key, all with one stamp (T3).
    UpdateMany { table: usize, past: u32 },
    /// Lets two rows change their unique values (T26).
    Swap { table: usize, pick: u32 },
    /// Changes a primary key (T5).
    ChangeKey { table: usize, pick: u32 },
    /// Deletes one row.
    Delete { table: usize, pick: u32 },
    /// Deletes every row past a key.
    DeleteMany { table: usize, past: u32 },
    /// TRUNCATE.
    Truncate { table: usize },
    /// LOCK TABLES … WRITE.
    Lock { table: usize },
    /// UNLOCK TABLES.
    Unlock,
    /// COMMIT.
    Commit,
    /// ROLLBACK.
    Rollback,
    /// XA PREPARE.
    Prepare,
    /// XA COMMIT or XA ROLLBACK of a prepared transaction, by whoever.
    Finish { number: u32, commit: bool },
}

/// Whether a change moves the row's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clock {
    Moves,
    Stays,
}

/// How much of its work a statement has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Did {
    /// A row, and there is more.
    More,
    /// Everything.
    All,
    /// Nothing: another transaction holds the row.
    Waits,
}

impl Work {
    /// Returns the table, of those that have one.
    pub(crate) fn table(&self) -> usize {
        match *self {
            Work::Select { table }
            | Work::Insert { table, .. }
            | Work::InsertAt { table, .. }
            | Work::Update { table, .. }
            | Work::UpdateMany { table, .. }
            | Work::Swap { table, .. }
            | Work::ChangeKey { table, .. }
            | Work::Delete { table, .. }
            | Work::DeleteMany { table, .. }
            | Work::Truncate { table }
            | Work::Lock { table } => table,
            Work::Unlock | Work::Commit | Work::Rollback | Work::Prepare | Work::Finish { .. } => 0,
        }
    }

    /// Returns whether it writes rows that its statement stamps.
    pub(crate) fn writes(&self) -> bool {
        matches!(self, Work::Insert { .. } | Work::Update { .. } | Work::UpdateMany { .. })
    }
}

impl World {
    /// Chooses what an idle client does next.
    pub(crate) fn choose(&mut self, at: usize) -> Option<Work> {
        if self.clients[at].locked.is_some() && self.random.one_in(2) {
            return Some(Work::Unlock);
        }
        if self.clients[at].transaction.is_some() {
            match self.random.below(10) {
                0..3 => return Some(Work::Commit),
                3 if self.style.has(Hazard::Rollback) => return Some(Work::Rollback),
                4 if self.style.has(Hazard::Xa) => return Some(Work::Prepare),
                5 | 6 => return None,
                _ => {}
            }
        } else {
            let running = |number| self.clients.iter().any(|client| client.finishes(number));
            let mine =
                |one: &&Prepared| one.client.is_none_or(|client| client == at) && !running(one.transaction.number);
            if let Some(number) = self.prepared.iter().find(mine).map(|one| one.transaction.number)
                && self.random.one_in(4)
            {
                return Some(Work::Finish { number, commit: !self.random.one_in(4) });
            }
            self.clients[at].autocommit = self.random.one_in(2);
        }
        // A client whose prepared transaction is still its own can do nothing else (XAER_RMFAIL).
        if self.prepared.iter().any(|one| one.client == Some(at)) {
            return None;
        }
        let table = self.clients[at].locked.unwrap_or(self.random.below(self.database.tables.len() as u32) as usize);
        Some(self.choose_for(at, table))
    }

    fn choose_for(&mut self, at: usize, table: usize) -> Work {
        let pick = self.random.below(64);
        let has = |hazard| self.style.has(hazard);
        let alone = self.clients[at].transaction.is_none() && self.clients[at].locked.is_none();
        let kind = self.database.tables[table].kind;
        // Against its class a table is changed only where the style asks for it.
        let free = has(Hazard::Contradictions) || !matches!(kind, Kind::Append | Kind::Watch);
        let insert = Work::Insert { table, left: 1 };
        match self.random.below(24) {
            0 => Work::Select { table },
            1 if alone && has(Hazard::Locks) => Work::Lock { table },
            2 if alone && has(Hazard::Truncate) && self.random.one_in(4) => Work::Truncate { table },
            _ if kind == Kind::Watch && !free => Work::Select { table },
            3 | 4 if has(Hazard::Bulk) => Work::Insert { table, left: 2 + (pick % 3) as u8 },
            5..9 if free => Work::Update { table, pick, clock: Clock::Moves },
            9 | 10 if free && has(Hazard::Silent) => Work::Update { table, pick, clock: Clock::Stays },
            11 | 12 if free && has(Hazard::Bulk) => Work::UpdateMany { table, past: pick % 4 },
            13 if free && has(Hazard::Unique) => Work::Swap { table, pick },
            14 if free && has(Hazard::Keys) => Work::ChangeKey { table, pick },
            15 if free && has(Hazard::Keys) && kind != Kind::Append => Work::InsertAt { table, id: 1 + pick % 12 },
            16 | 17 if free && has(Hazard::Deletes) => Work::Delete { table, pick },
            18 if free && has(Hazard::Deletes) && self.random.one_in(3) => Work::DeleteMany { table, past: pick % 4 },
            _ => insert,
        }
    }

    /// Does one row's worth of a statement's work in its transaction.
    pub(crate) fn do_one(&mut self, transaction: &mut Transaction, statement: &mut Statement) -> Did {
        let now = statement.now;
        match &mut statement.work {
            Work::Insert { table, left } => {
                let (id, shown) = self.fresh_id(*table);
                let view = self.database.view(transaction, *table);
                let unique = self.free_unique(transaction, *table, &view);
                self.write(transaction, Change { table: *table, id, unique, at: now, shown });
                *left -= 1;
                if *left == 0 { Did::All } else { Did::More }
            }
            Work::InsertAt { table, id } => {
                let (table, id) = (*table, *id);
                if id >= self.database.tables[table].counter {
                    return Did::All;
                }
                let view = self.database.view(transaction, table);
                if self.database.is_locked(transaction, table, id) {
                    return Did::Waits;
                }
                if !view.iter().any(|row| row.id == id) {
                    let unique = self.free_unique(transaction, table, &view);
                    self.write(transaction, Change { table, id, unique, at: now, shown: Shown::ByMark });
                }
                Did::All
            }
            Work::UpdateMany { table, past } | Work::DeleteMany { table, past } => {
                let (table, past) = (*table, past);
                let view = self.database.view(transaction, table);
                let next = view.iter().find(|row| row.id > *past).copied();
                let Some(row) = next else { return Did::All };
                if self.database.is_locked(transaction, table, row.id) {
                    return Did::Waits;
                }
                *past = row.id;
                let delete = matches!(statement.work, Work::DeleteMany { .. });
                self.change_or_delete(transaction, (table, row), (!delete).then_some(now));
                Did::More
            }
            work => {
                let work = *work;
                self.do_picked(transaction, work, now)
            }
        }
    }

    fn change_or_delete(&mut self, transaction: &mut Transaction, (table, row): (usize, Row), now: Option<i64>) {
        match now {
            Some(at) => {
                let shown = self.shown(table);
                self.write(transaction, Change { table, id: row.id, unique: row.unique, at, shown });
            }
            None => self.database.delete(transaction, table, row.id),
        }
    }

    /// Works on the row that a statement has picked; a table without rows has nothing to do.
    fn do_picked(&mut self, transaction: &mut Transaction, work: Work, now: i64) -> Did {
        let (table, pick) = match work {
            Work::Update { table, pick, .. }
            | Work::Swap { table, pick }
            | Work::ChangeKey { table, pick }
            | Work::Delete { table, pick } => (table, pick),
            _ => return Did::All,
        };
        let view = self.database.view(transaction, table);
        let Some(row) = view.get(pick as usize % view.len().max(1)).copied() else { return Did::All };
        if self.database.is_locked(transaction, table, row.id) {
            return Did::Waits;
        }
        match work {
            Work::Update { clock, .. } => {
                let unique =
                    if self.random.one_in(3) { self.free_unique(transaction, table, &view) } else { row.unique };
                let (at, shown) = match clock {
                    Clock::Moves => (now, self.shown(table)),
                    Clock::Stays => (row.at, Shown::ByComparing),
                };
                self.write(transaction, Change { table, id: row.id, unique, at, shown });
            }
            Work::Swap { .. } => return self.swap(transaction, (table, &view), row, now),
            Work::ChangeKey { .. } => {
                let (id, shown) = self.fresh_id(table);
                self.database.delete(transaction, table, row.id);
                let shown = if self.database.tables[table].kind == Kind::Append { Shown::ByComparing } else { shown };
                let shown = if self.database.tables[table].kind.is_merge() { Shown::ByMark } else { shown };
                self.write(transaction, Change { table, id, unique: row.unique, at: now, shown });
                self.reached(Reached::KeyChange);
            }
            _ => self.database.delete(transaction, table, row.id),
        }
        Did::All
    }

    fn swap(&mut self, transaction: &mut Transaction, (table, view): (usize, &[Row]), row: Row, now: i64) -> Did {
        let Some(other) = view.iter().find(|other| other.id != row.id && other.unique.is_some()) else {
            return Did::All;
        };
        if self.database.is_locked(transaction, table, other.id) {
            return Did::Waits;
        }
        let (shown, other) = (self.shown(table), *other);
        for (id, unique) in [(row.id, other.unique), (other.id, row.unique)] {
            self.write(transaction, Change { table, id, unique, at: now, shown });
        }
        self.reached(Reached::UniqueSwap);
        Did::All
    }

    /// Returns how a change of an existing row shows itself when its clock moves.
    fn shown(&self, table: usize) -> Shown {
        if self.database.tables[table].kind.is_merge() { Shown::ByMark } else { Shown::ByComparing }
    }
}
