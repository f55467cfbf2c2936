//! The apply transaction on the target: rows, repairs, deletes and marks commit together or not at all.
//!
//! A row is written as DELETE by key, then INSERT of every stored column, or in one statement where no index but the key's
//! can be in its way ([`way`]). REPLACE would delete third rows on a secondary
//! unique conflict unseen, INSERT IGNORE would hide dropped rows, ON DUPLICATE KEY UPDATE fails on swapped unique values
//! (T26). Deleting a whole batch first lets values swap inside it; a value still held by a row outside the batch is
//! taken from it, and that row's key is handed back as owed a look in the same cut. The session's foreign_key_checks=0
//! keeps deletes from cascading; inside one cut all foreign keys hold again at commit.

pub mod triggers;
pub mod way;

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::NaiveDateTime;
use leeward_core::digest::{Digest, KeyDigest, RowHash};
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::lane::{LaneRecord, TableRecord};
use leeward_core::name::{Side, TableName};
use leeward_core::plan::PlannedTable;
use leeward_core::port::{Apply, Border, Buckets, Event, Lease, Range, Target};
use leeward_core::row::{KeyCells, RowBatch};
use leeward_core::server::Flavor;
use mysql_async::{Row, Value};

use crate::control;
use crate::cut;
use crate::digest::text;
use crate::endpoint::Endpoint;
use crate::fence::time;
use crate::session::{Outcome, Session};
use crate::sql;
use crate::wire;
use triggers::TriggerLook;
use way::{Uniques, Way};

/// Bytes of one INSERT: past about 1 MiB larger statements gain nothing (measured, `crates.md` §1), and it stays below
/// the smallest `max_allowed_packet` in use.
const STATEMENT_BYTES: usize = 1024 * 1024;

/// Rows of one statement; bounds the DELETE's key list, whose range analysis costs the server memory per key.
const STATEMENT_ROWS: usize = 500;

/// A row whose text statement would be larger than this is sent as a prepared statement, whose long values the driver
/// sends in parts. 4 MiB is the smallest `max_allowed_packet` that doctor accepts.
const TEXT_ROW_BYTES: usize = 1_900_000;

/// The target connection of a running lane.
pub struct MySqlTarget {
    session: Session,
    triggers: TriggerLook,
}

impl MySqlTarget {
    /// Connects.
    pub async fn connect(endpoint: &Endpoint) -> Result<MySqlTarget, Fault> {
        let mut session = Session::open(endpoint, "apply").await?;
        session.bound_silence().await?;
        Ok(MySqlTarget { session, triggers: TriggerLook::at(endpoint) })
    }
}

#[async_trait]
impl Target for MySqlTarget {
    async fn begin(&mut self, lease: &Lease) -> Result<Box<dyn Apply + '_>, Fault> {
        self.triggers.forget();
        let now = begin(&mut self.session, lease).await?;
        let (session, triggers) = (&mut self.session, &mut self.triggers);
        let lease = lease.clone();
        Ok(Box::new(MySqlApply { session, triggers, lease, now, savepoint: Savepoint::Set, records: String::new() }))
    }
}

/// Opens a transaction and looks whether the lease is ours, without holding it: a process that is stopped in the middle
/// must not keep another from taking over. What counts is [`prove`]. Returns the target's clock.
/// START TRANSACTION alone would commit what a cycle that failed has left open.
pub async fn begin(session: &mut Session, lease: &Lease) -> Result<NaiveDateTime, Fault> {
    open(session, lease, "").await.map(|(now, _)| now)
}

/// Opens a transaction in which some tables alone are written, after their triggers were looked for: that look comes before
/// the transaction has a read view, in which it would miss the newest, and when all of the tables are locked.
pub async fn begin_on(session: &mut Session, lease: &Lease, tables: &[&TableName]) -> Result<(), Fault> {
    let locks = tables.iter().map(|table| triggers::lock(table));
    let looks = tables.iter().map(|table| triggers::query(table));
    let first: String = locks.chain(looks).map(|statement| statement + ";").collect();
    let (_, sets) = open(session, lease, &first).await.map_err(|fault| match tables {
        [table] => fault.of(table),
        _ => fault,
    })?;
    let seen = sets.get(tables.len()..).unwrap_or_default();
    tables.iter().zip(seen).try_for_each(|(table, rows)| triggers::none_of(rows, table))
}

/// Opens a transaction whose first statements are given. Returns the target's clock and all result sets.
async fn open(session: &mut Session, lease: &Lease, first: &str) -> Result<(NaiveDateTime, Vec<Vec<Row>>), Fault> {
    const DOING: &str = "open the apply transaction";
    let lane = sql::literal(&lease.lane);
    let query = format!(
        "ROLLBACK;START TRANSACTION;{first}SELECT epoch,promoted,UTC_TIMESTAMP(6) FROM leeward.lease WHERE lane={lane}"
    );
    let sets = session.sets(DOING, &query).await?;
    let row = sets.last().and_then(|rows| rows.first());
    check(session, row, lease, DOING).await?;
    let now =
        row.and_then(|row| time(row, 2)).ok_or_else(|| Fault::new(FaultKind::Unexpected, DOING).on(Side::Target))?;
    Ok((now, sets))
}

/// Proves as the last step before COMMIT, under a lock, that the lease is ours, and renews it. Another process that takes
/// the lane over, or a promotion, comes before this and is seen, or waits until the transaction is over.
pub async fn prove(session: &mut Session, lease: &Lease) -> Result<(), Fault> {
    prove_after(session, lease, "").await
}

/// Proves the lease like [`prove`], in one round trip with statements that are executed before it and read nothing. COMMIT is
/// the caller's, after this has answered.
pub async fn prove_after(session: &mut Session, lease: &Lease, first: &str) -> Result<(), Fault> {
    const DOING: &str = "prove the lease before COMMIT";
    let lane = sql::literal(&lease.lane);
    let counting = if session.is_count_due() { format!(";{}", wire::QUERY) } else { String::new() };
    let query = format!(
        "{first}SELECT epoch,promoted FROM leeward.lease WHERE lane={lane} FOR UPDATE;\
         UPDATE leeward.lease SET renewed_at=UTC_TIMESTAMP(6) WHERE lane={lane} AND epoch={}{counting}",
        lease.epoch
    );
    let sets = session.sets(DOING, &query).await?;
    session.count(sets.iter().skip(1).flatten());
    check(session, sets.iter().find_map(|rows| rows.first()), lease, DOING).await
}

/// Rolls back unless a row of the lease (epoch, promoted) says that it is ours.
pub(crate) async fn check(session: &mut Session, row: Option<&Row>, lease: &Lease, doing: &str) -> Result<(), Fault> {
    let ours = row.is_some_and(|row| {
        text(row, 0).and_then(|epoch| epoch.parse().ok()) == Some(lease.epoch) && text(row, 1) == Some("0")
    });
    if ours {
        return Ok(());
    }
    session.run("roll back", "ROLLBACK").await?;
    Err(Fault::new(FaultKind::LeaseLost, doing).on(Side::Target))
}

/// One open apply transaction.
struct MySqlApply<'s> {
    session: &'s mut Session,
    triggers: &'s mut TriggerLook,
    lease: Lease,
    now: NaiveDateTime,
    savepoint: Savepoint,
    /// The statements that write the records, which go out with the proof of the lease.
    records: String,
}

/// Whether the last savepoint stands. It is sent with the first statement that comes after it: until then there is nothing
/// to be undone.
#[derive(PartialEq, Eq)]
enum Savepoint {
    Wanted,
    Set,
}

const SAVEPOINT: &str = "SAVEPOINT leeward_table";

impl MySqlApply<'_> {
    /// Gets ready to write a table: sets the savepoint that is wanted, and refuses triggers. Returns the target's unique
    /// indexes.
    async fn ready(&mut self, table: &PlannedTable) -> Result<Uniques, Fault> {
        let first = match std::mem::replace(&mut self.savepoint, Savepoint::Set) {
            Savepoint::Wanted => SAVEPOINT,
            Savepoint::Set => "",
        };
        self.triggers.refuse(self.session, table.name(), first).await.map_err(|fault| fault.of(table.name()))
    }
}

#[async_trait]
impl Apply for MySqlApply<'_> {
    fn now(&self) -> NaiveDateTime {
        self.now
    }

    async fn write(&mut self, table: &PlannedTable, rows: &RowBatch) -> Result<Vec<KeyCells>, Fault> {
        let uniques = self.ready(table).await?;
        let way = Way::of(table, &uniques, self.session.flavor());
        way::write(self.session, table, rows, way).await.map_err(|fault| fault.of(table.name()))
    }

    async fn delete(&mut self, table: &PlannedTable, keys: &[KeyCells]) -> Result<u64, Fault> {
        self.ready(table).await?;
        delete(self.session, table, keys).await.map_err(|fault| fault.of(table.name()))
    }

    async fn clear(&mut self, table: &PlannedTable) -> Result<u64, Fault> {
        self.ready(table).await?;
        let delete = format!("DELETE FROM {}", sql::table(table.name()));
        let cleared = self.session.run("clear a table without a key", &delete).await;
        cleared.map(|outcome| outcome.affected).map_err(|fault| fault.of(table.name()))
    }

    async fn savepoint(&mut self) -> Result<(), Fault> {
        self.savepoint = Savepoint::Wanted;
        Ok(())
    }

    async fn undo_to_savepoint(&mut self) -> Result<(), Fault> {
        if self.savepoint == Savepoint::Wanted {
            return Ok(());
        }
        // The locks taken since are given back.
        self.triggers.forget();
        self.session.run("undo one table", "ROLLBACK TO SAVEPOINT leeward_table").await.map(|_| ())
    }

    async fn digests(&mut self, ranges: &[Range<'_>]) -> Result<Vec<Result<Digest, Fault>>, Fault> {
        cut::digests(self.session, ranges).await
    }

    async fn row_hashes(&mut self, range: &Range<'_>) -> Result<Vec<RowHash>, Fault> {
        cut::row_hashes(self.session, range).await
    }

    async fn key_digests(&mut self, ranges: &[Range<'_>]) -> Result<Vec<Result<KeyDigest, Fault>>, Fault> {
        cut::key_digests(self.session, ranges).await
    }

    async fn key_buckets(&mut self, range: &Range<'_>, of: u64) -> Result<BTreeMap<u64, KeyDigest>, Fault> {
        cut::key_buckets(self.session, range, of).await
    }

    async fn keys(&mut self, range: &Range<'_>, buckets: &Buckets) -> Result<Vec<KeyCells>, Fault> {
        cut::keys(self.session, range, buckets).await
    }

    async fn list(&mut self, range: &Range<'_>, rows_max: u64) -> Result<Vec<RowHash>, Fault> {
        cut::list(self.session, range, rows_max).await
    }

    async fn border(&mut self, border: &Border<'_>) -> Result<Option<KeyCells>, Fault> {
        cut::find_border(self.session, border).await
    }

    async fn record(&mut self, lane: &LaneRecord, tables: &[&TableRecord], events: &[Event]) -> Result<(), Fault> {
        self.records.push_str(&control::records_query(&self.lease.lane, (lane, tables, events))?);
        self.records.push(';');
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<(), Fault> {
        prove_after(self.session, &self.lease, &self.records).await?;
        self.session.commit("commit the cut").await
    }

    async fn rollback(self: Box<Self>) -> Result<(), Fault> {
        self.session.run("roll back", "ROLLBACK").await.map(|_| ())
    }
}

/// Makes the target hold exactly these rows under their keys, in the open transaction. Returns the keys of other rows
/// that were taken out.
pub async fn write(session: &mut Session, table: &PlannedTable, rows: &RowBatch) -> Result<Vec<KeyCells>, Fault> {
    let mut owed = Vec::new();
    let positions = table.table.key_positions();
    let mut from = 0;
    // All old rows of the batch go first, so that unique values may swap inside it.
    if !positions.is_empty() {
        let keys: Vec<KeyCells> = (0..rows.rows()).map(|row| rows.key(row, &positions)).collect();
        delete(session, table, &keys).await?;
    }
    while from < rows.rows() {
        let upto = statement_end(rows, from, STATEMENT_ROWS);
        insert_or_displace(session, table, (rows, from, upto), &mut owed).await?;
        from = upto;
    }
    Ok(owed)
}

/// Makes the target hold exactly some rows of a batch, by DELETE and INSERT.
async fn rewrite(
    session: &mut Session,
    table: &PlannedTable,
    (rows, first, end): Slice<'_>,
    owed: &mut Vec<KeyCells>,
) -> Result<(), Fault> {
    let positions = table.table.key_positions();
    let keys: Vec<KeyCells> = (first..end).map(|row| rows.key(row, &positions)).collect();
    delete(session, table, &keys).await?;
    let mut from = first;
    while from < end {
        let upto = statement_end(rows, from, STATEMENT_ROWS).min(end);
        insert_or_displace(session, table, (rows, from, upto), owed).await?;
        from = upto;
    }
    Ok(())
}

/// Deletes by key, in bounded statements.
pub async fn delete(session: &mut Session, table: &PlannedTable, keys: &[KeyCells]) -> Result<u64, Fault> {
    let key = table.table.row_key().unwrap_or_default();
    let mut deleted = 0;
    for some in keys.chunks(STATEMENT_ROWS) {
        let mut query = format!("DELETE FROM {} WHERE ", sql::table(table.name())).into_bytes();
        sql::push_keys(&mut query, &key, some);
        deleted += session.run("delete rows by key", &query).await?.affected;
    }
    Ok(deleted)
}

/// Returns where the statement of at most `rows_max` rows that starts at row `from` ends.
fn statement_end(rows: &RowBatch, from: usize, rows_max: usize) -> usize {
    let mut bytes = 0;
    for row in from..rows.rows().min(from + rows_max) {
        bytes += row_bytes(rows, row);
        if bytes > STATEMENT_BYTES && row > from {
            return row;
        }
    }
    rows.rows().min(from + rows_max)
}

fn row_bytes(rows: &RowBatch, row: usize) -> usize {
    (0..rows.width()).map(|at| rows.cell(row, at).map_or(4, |cell| cell.len() + 3)).sum()
}

/// Some rows of a batch: the batch, the first, the end.
type Slice<'a> = (&'a RowBatch, usize, usize);

async fn insert_or_displace(
    session: &mut Session,
    table: &PlannedTable,
    some: Slice<'_>,
    owed: &mut Vec<KeyCells>,
) -> Result<(), Fault> {
    // Each look finds the first index in which a row is in the way of another, so there are as many as unique indexes.
    for _ in table.table.keys.iter().filter(|key| key.unique) {
        match insert(session, table, some).await {
            Err(fault) if fault.kind == FaultKind::UniqueConflict => {
                let in_the_way = rows_in_the_way(session, table, some).await?;
                if in_the_way.is_empty() {
                    return Err(fault);
                }
                delete(session, table, &in_the_way).await?;
                owed.extend(in_the_way);
            }
            done => return done,
        }
    }
    insert(session, table, some).await
}

async fn insert(session: &mut Session, table: &PlannedTable, some: Slice<'_>) -> Result<(), Fault> {
    let (_, from, upto) = some;
    let error_values = count_error_values(table, some);
    let outcome = send(session, table, some, "").await?;
    // In strict mode nothing is changed without an error; outside of it each error value is worth one warning.
    let as_sent = error_values == 0 || usize::from(outcome.warnings) == error_values;
    if outcome.affected == (upto - from) as u64 && as_sent {
        return Ok(());
    }
    Err(Fault::new(FaultKind::RowsRefused, "insert rows").on(Side::Target).of(table.name()))
}

/// Sends an INSERT of rows, with what follows the values.
async fn send(session: &mut Session, table: &PlannedTable, some: Slice<'_>, tail: &str) -> Result<Outcome, Fault> {
    let (rows, from, upto) = some;
    let flavor = session.flavor();
    let insert = if count_error_values(table, some) > 0 { sql::lenient_insert(flavor) } else { "INSERT INTO" };
    if upto - from == 1 && row_bytes(rows, from) > TEXT_ROW_BYTES {
        // In parts, for a row near `max_allowed_packet`.
        let columns = table.table.written_columns();
        let places = columns.iter().map(|column| sql::placeholder(column, flavor)).collect::<Vec<_>>().join(",");
        let value = |at: usize| rows.cell(from, at).map_or(Value::NULL, |cell| Value::Bytes(cell.to_vec()));
        let values = (0..columns.len()).map(value).collect();
        let insert = format!("{}({places}){tail}", insert_head(table, insert));
        return session.insert_long("insert a long row", &insert, values).await;
    }
    let mut query = Vec::new();
    push_insert(&mut query, table, some, (insert, flavor));
    query.extend_from_slice(tail.as_bytes());
    session.run("insert rows", &query).await
}

/// Returns the beginning of an INSERT, up to its values.
fn insert_head(table: &PlannedTable, insert: &str) -> String {
    let columns = table.table.written_columns();
    let names = columns.iter().map(|column| sql::ident(&column.name)).collect::<Vec<_>>().join(",");
    format!("{insert} {} ({names}) VALUES ", sql::table(table.name()))
}

/// Appends an INSERT of rows, up to the end of their values.
fn push_insert(
    query: &mut Vec<u8>,
    table: &PlannedTable,
    (rows, from, upto): Slice<'_>,
    (insert, flavor): (&str, Flavor),
) {
    let columns = table.table.written_columns();
    query.extend_from_slice(insert_head(table, insert).as_bytes());
    for row in from..upto {
        query.extend_from_slice(if row > from { b",(" } else { b"(" });
        for (at, column) in columns.iter().enumerate() {
            if at > 0 {
                query.push(b',');
            }
            sql::push_value(query, column, rows.cell(row, at), flavor);
        }
        query.push(b')');
    }
}

/// Counts the cells that only a server outside of strict mode takes.
fn count_error_values(table: &PlannedTable, (rows, from, upto): Slice<'_>) -> usize {
    let columns = table.table.written_columns();
    let enums: Vec<usize> = (0..columns.len()).filter(|&at| sql::empty_is_error(columns[at])).collect();
    let empty = |row: usize| enums.iter().filter(|&&at| rows.cell(row, at) == Some(b"")).count();
    (from..upto).map(empty).sum()
}

/// Finds the target's rows that are in the way of these. Their own keys are gone already, so whatever is found is another
/// row: in the cut it has changed or is deleted, for there the unique indexes hold too.
///
/// The server is let insert them, and asked for the key of each row that it meets instead. It alone knows what a unique
/// index takes for equal: prefixes, expressions, computed columns, hashes of long values. Nothing of it stays.
async fn rows_in_the_way(session: &mut Session, table: &PlannedTable, some: Slice<'_>) -> Result<Vec<KeyCells>, Fault> {
    const DOING: &str = "find rows in the way of a unique index";
    let Some(tail) = sql::collect_keys(&table.table) else { return Ok(Vec::new()) };
    session.run(DOING, format!("SAVEPOINT leeward_look;SET {}=''", sql::COLLECTED_KEYS)).await?;
    match send(session, table, some, &tail).await {
        Ok(_) => {}
        // Some indexes cannot be asked so: MySQL's over the members of a JSON array (1032), MariaDB's WITHOUT OVERLAPS
        // (1235). The conflict itself is then the fault.
        Err(fault) if matches!(fault.kind, FaultKind::Server(_)) => {}
        Err(fault) => return Err(fault),
    }
    let collected = format!("ROLLBACK TO SAVEPOINT leeward_look;SELECT {}", sql::COLLECTED_KEYS);
    let row = session.row(DOING, collected).await?;
    // Without an answer they would have been longer than a packet: 500 rows of the longest keys, in hex, are 3 MB.
    let unreadable = || Fault::new(FaultKind::Unexpected, DOING).on(Side::Target);
    let keys = row.as_ref().and_then(|row| text(row, 0)).ok_or_else(unreadable)?;
    let mut found = Vec::new();
    for key in keys.split_terminator(';') {
        let key = KeyCells::from_hex(key.split(',')).ok_or_else(unreadable)?;
        if !found.contains(&key) {
            found.push(key);
        }
    }
    Ok(found)
}
