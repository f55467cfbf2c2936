//! The model database: rows, transactions with their uncommitted writes and locks, and the history of all versions.
//! A snapshot shows what had been committed when it was taken. Who does what and when is not decided here.

use std::sync::Arc;

use crate::row::{Micros, Row};
use crate::shape::Kind;

/// Counts commits. What a snapshot shows is what was committed up to its number.
pub(crate) type Seq = u32;

/// The end of a version that still stands.
pub(crate) const STANDS: Seq = Seq::MAX;

/// One table.
#[derive(Debug, Clone)]
pub(crate) struct TableData {
    /// How it is kept.
    pub kind: Kind,
    /// Committed rows in key order.
    pub rows: Arc<Vec<Row>>,
    /// The next AUTO_INCREMENT id.
    pub counter: u32,
    /// The highest id that was ever committed.
    pub visible_max: u32,
    /// The lowest that the highest id has been since the mark was last stored: a mark above it may be lowered.
    pub head_min: u32,
    /// The last TRUNCATE, after which older snapshots cannot read the table.
    pub truncated: Seq,
}

impl TableData {
    /// Takes note of how high the ids reach now.
    pub(crate) fn note_head(&mut self) {
        self.head_min = self.head_min.min(self.rows.last().map_or(0, |row| row.id));
    }
}

/// One version of a row: what a write made of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Version {
    /// The table.
    pub table: usize,
    /// The row.
    pub row: Row,
    /// Whether this write shows itself by the table's clock or id.
    pub shown: Shown,
    /// Its commit; 0 while there is none.
    pub committed: Seq,
    /// The commit that replaced or deleted it, or [`STANDS`].
    pub ended: Seq,
    /// The version of the same key that it replaced.
    pub before: Option<u32>,
}

/// Whether the table's clock or id shows a write. One that neither shows is the comparison's to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// A delta must bring it.
    ByMark,
    /// It went behind the clock, or against the table's class.
    ByComparing,
}

/// An uncommitted write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Write {
    table: usize,
    id: u32,
    row: Option<Row>,
}

/// An open transaction.
#[derive(Debug, Clone)]
pub(crate) struct Transaction {
    /// Its id, as `INNODB_TRX` shows it.
    pub number: u32,
    /// Its start on the server's clock.
    pub started: Micros,
    /// Tables that it has touched, one bit each: it holds their metadata locks.
    pub touched: u8,
    /// Its commit, from when others see its rows until it is gone from `INNODB_TRX`.
    pub visible: Option<Seq>,
    writes: Vec<Write>,
}

impl Transaction {
    /// Returns whether it has written.
    pub(crate) fn has_written(&self) -> bool {
        !self.writes.is_empty()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Locked {
    Row(u32),
    Unique(u8),
}

#[derive(Debug, Clone, Copy)]
struct Lock {
    table: usize,
    what: Locked,
    owner: u32,
}

/// What a row is to become.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change {
    /// The table.
    pub table: usize,
    /// The row's key.
    pub id: u32,
    /// Its unique value.
    pub unique: Option<u8>,
    /// Its stamp, at full precision.
    pub at: Micros,
    /// Whether the table's clock or id shows it.
    pub shown: Shown,
}

/// All tables as of one commit.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// The last commit that it shows.
    pub seq: Seq,
    /// Rows of each table.
    pub tables: Vec<Arc<Vec<Row>>>,
}

/// The database.
#[derive(Debug, Default)]
pub(crate) struct Database {
    /// Its tables.
    pub tables: Vec<TableData>,
    /// Every version that was ever written, committed or not.
    pub versions: Vec<Version>,
    /// The last commit.
    pub seq: Seq,
    /// The server's clock at each commit, from the first on.
    pub commits: Vec<Micros>,
    locks: Vec<Lock>,
    transactions: u32,
}

impl Database {
    /// Adds an empty table.
    pub(crate) fn add_table(&mut self, kind: Kind) {
        let (rows, counter, visible_max, head_min, truncated) = (Arc::default(), 1, 0, u32::MAX, 0);
        self.tables.push(TableData { kind, rows, counter, visible_max, head_min, truncated });
    }

    /// Opens a transaction.
    pub(crate) fn begin(&mut self, started: Micros) -> Transaction {
        self.transactions += 1;
        Transaction { number: self.transactions, started, touched: 0, visible: None, writes: Vec::new() }
    }

    /// Returns a table's rows as a transaction reads them for a write: committed ones under its own changes.
    pub(crate) fn view(&self, transaction: &Transaction, table: usize) -> Vec<Row> {
        let mut rows = self.tables[table].rows.as_ref().clone();
        for write in transaction.writes.iter().filter(|write| write.table == table) {
            put(&mut rows, write.id, write.row);
        }
        rows
    }

    /// Returns whether another transaction holds a row.
    pub(crate) fn is_locked(&self, transaction: &Transaction, table: usize, id: u32) -> bool {
        self.held_by_another(transaction, table, Locked::Row(id))
    }

    /// Returns whether a row of `view` may take a unique value: no other row has it, and no other transaction had it in
    /// hand.
    pub(crate) fn is_free(&self, transaction: &Transaction, (table, view): (usize, &[Row]), unique: u8) -> bool {
        let taken = view.iter().any(|row| row.unique == Some(unique));
        !taken && !self.held_by_another(transaction, table, Locked::Unique(unique))
    }

    fn held_by_another(&self, transaction: &Transaction, table: usize, what: Locked) -> bool {
        let held = |lock: &Lock| lock.table == table && lock.what == what && lock.owner != transaction.number;
        self.locks.iter().any(held)
    }

    /// Takes the next AUTO_INCREMENT id, and says whether the mark shows it: an id handed out a second time lies below
    /// what has been seen.
    pub(crate) fn take_id(&mut self, table: usize) -> (u32, Shown) {
        let data = &mut self.tables[table];
        let id = data.counter;
        data.counter += 1;
        (id, if id > data.visible_max { Shown::ByMark } else { Shown::ByComparing })
    }

    /// Writes a row in a transaction.
    pub(crate) fn write(&mut self, transaction: &mut Transaction, change: Change) {
        let kind = self.tables[change.table].kind;
        let version = self.versions.len() as u32;
        let row = Row { id: change.id, unique: change.unique, version, at: kind.stamp(change.at) };
        let shown = match kind {
            Kind::Watch | Kind::Reconcile => Shown::ByComparing,
            _ => change.shown,
        };
        let (committed, ended) = (0, STANDS);
        self.versions.push(Version { table: change.table, row, shown, committed, ended, before: None });
        self.lock(transaction, change.table, change.id, change.unique);
        transaction.writes.push(Write { table: change.table, id: change.id, row: Some(row) });
    }

    /// Deletes a row in a transaction.
    pub(crate) fn delete(&mut self, transaction: &mut Transaction, table: usize, id: u32) {
        self.lock(transaction, table, id, None);
        transaction.writes.push(Write { table, id, row: None });
    }

    /// Locks a row with the unique values that it had and is to have.
    fn lock(&mut self, transaction: &Transaction, table: usize, id: u32, unique: Option<u8>) {
        let old = self.view(transaction, table).iter().find(|row| row.id == id).and_then(|row| row.unique);
        let owner = transaction.number;
        let row = std::iter::once(Locked::Row(id));
        let uniques = old.into_iter().chain(unique).map(Locked::Unique);
        self.locks.extend(row.chain(uniques).map(|what| Lock { table, what, owner }));
    }

    /// Makes a transaction's rows visible. It keeps its locks until [`Database::end`].
    pub(crate) fn commit(&mut self, transaction: &mut Transaction, now: Micros) {
        self.seq += 1;
        self.commits.push(now);
        transaction.visible = Some(self.seq);
        for write in std::mem::take(&mut transaction.writes) {
            self.install(write);
        }
        self.tables.iter_mut().for_each(TableData::note_head);
    }

    fn install(&mut self, write: Write) {
        let seq = self.seq;
        let data = &mut self.tables[write.table];
        let rows = Arc::make_mut(&mut data.rows);
        let old = put(rows, write.id, write.row).map(|old| old.version);
        if let Some(old) = old {
            self.versions[old as usize].ended = seq;
        }
        if let Some(row) = write.row {
            data.visible_max = data.visible_max.max(row.id);
            data.counter = data.counter.max(row.id + 1);
            let version = &mut self.versions[row.version as usize];
            (version.committed, version.before) = (seq, old);
        }
    }

    /// Ends a transaction: what it has not committed never happened.
    pub(crate) fn end(&mut self, transaction: &Transaction) {
        self.locks.retain(|lock| lock.owner != transaction.number);
    }

    /// Empties a table, which starts its ids over.
    pub(crate) fn truncate(&mut self, table: usize, now: Micros) {
        self.seq += 1;
        self.commits.push(now);
        for row in self.tables[table].rows.iter() {
            self.versions[row.version as usize].ended = self.seq;
        }
        let data = &mut self.tables[table];
        (data.rows, data.counter, data.truncated) = (Arc::default(), 1, self.seq);
        data.note_head();
    }

    /// Forgets the counters, as servers without persistent ones do when they crash: they start over after the highest id
    /// that is there, be it of a prepared transaction.
    pub(crate) fn lose_counters<'a>(&mut self, prepared: impl Iterator<Item = &'a Transaction>) {
        let written: Vec<(usize, u32)> =
            prepared.flat_map(|one| one.writes.iter().map(|write| (write.table, write.id))).collect();
        for (table, data) in self.tables.iter_mut().enumerate() {
            let ids = written.iter().filter(|(of, _)| *of == table).map(|(_, id)| *id);
            data.counter = ids.chain(data.rows.last().map(|row| row.id)).max().unwrap_or(0) + 1;
        }
    }

    /// Opens a read view.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        let tables = self.tables.iter().map(|data| data.rows.clone()).collect();
        Arc::new(Snapshot { seq: self.seq, tables })
    }
}

/// Puts a row under its key, or takes it out. Returns what was there.
pub(crate) fn put(rows: &mut Vec<Row>, id: u32, row: Option<Row>) -> Option<Row> {
    match (rows.binary_search_by_key(&id, |row| row.id), row) {
        (Ok(at), Some(row)) => Some(std::mem::replace(&mut rows[at], row)),
        (Ok(at), None) => Some(rows.remove(at)),
        (Err(at), Some(row)) => {
            rows.insert(at, row);
            None
        }
        (Err(_), None) => None,
    }
}
