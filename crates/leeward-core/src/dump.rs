//! A dump: what a source held, as objects in a store. Its manifest is written last and names every other object with its
//! length and SHA-256, so a dump is whole exactly when its manifest is there. This module holds the manifest, the names and
//! what makes a manifest right; it reads and writes nothing.

mod resume;
mod retention;

use std::collections::BTreeMap;

use chrono::NaiveDateTime;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::fault::Fault;
use crate::name::TableName;
use crate::plan::Plan;
use crate::port::ChunkRecord;
use crate::port::store::{ObjectName, Prefix};
use crate::row::{KeyCells, KeyRange};
use crate::survey::ObjectFacts;
pub use resume::{Resumed, resume};
pub use retention::{ABANDONED_AFTER, Keep, Unfinished, Whole, newest, newest_age_s, retire};

/// Version of the manifest and of the objects that it names. Another one is refused, not guessed at.
pub const DUMP_FORMAT: u32 = 1;

/// Bytes of a manifest at most: that of a million chunks has about 300 MB.
pub const MANIFEST_BYTES_MAX: u64 = 512 << 20;

/// Form of the time in a [`DumpId`].
const ID_TIME: &str = "%Y%m%dT%H%M%S%.3fZ";

/// Characters of a table's name that are repeated in the names of its objects, for people.
const SHOWN_NAME_MAX: usize = 100;

/// Names a dump: the time (UTC) at which it began and eight hexadecimal digits, so that names sort by time and two dumps
/// that begin at once have two.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DumpId(String);

/// A text that names no dump.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the id of a dump, such as 20261128T060000.000Z-0a1b2c3d")]
pub struct NotADumpId(String);

impl DumpId {
    /// Makes the id of a dump that begins now. `seed` is what no other process has.
    pub fn new(began_at: NaiveDateTime, seed: &str) -> DumpId {
        DumpId(format!("{}-{}", began_at.format(ID_TIME), tag(seed)))
    }

    /// Returns it as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns when the dump began, to the millisecond.
    pub fn began_at(&self) -> NaiveDateTime {
        time_of(&self.0).unwrap_or_default()
    }
}

/// Returns eight hexadecimal digits that stand for a text, for names in which it would be too long.
pub fn tag(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes())[..4])
}

fn time_of(id: &str) -> Option<NaiveDateTime> {
    NaiveDateTime::parse_from_str(id.split_once('-')?.0, ID_TIME).ok()
}

impl TryFrom<String> for DumpId {
    type Error = NotADumpId;

    fn try_from(text: String) -> Result<DumpId, NotADumpId> {
        let tail = text.split_once('-').map_or("", |(_, tail)| tail);
        let is_tail =
            tail.len() == 8 && tail.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        // Printed again it is the same: chrono takes more forms of a time than it prints.
        let is_time = time_of(&text).is_some_and(|at| format!("{}-{tail}", at.format(ID_TIME)) == text);
        if is_tail && is_time { Ok(DumpId(text)) } else { Err(NotADumpId(text)) }
    }
}

impl std::str::FromStr for DumpId {
    type Err = NotADumpId;

    fn from_str(text: &str) -> Result<DumpId, NotADumpId> {
        DumpId::try_from(text.to_owned())
    }
}

impl From<DumpId> for String {
    fn from(id: DumpId) -> String {
        id.0
    }
}

impl std::fmt::Display for DumpId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a dump was made, which tells who may take it away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DumpKind {
    /// By a person, who takes it away.
    Dump,
    /// As one of a row of snapshots, which their retention takes away.
    Snapshot,
    /// On the way of a seed.
    Seed,
}

/// What a dump shows of the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Moment {
    /// All tables as they were at one moment.
    One {
        /// The source's clock (UTC) then.
        at: NaiveDateTime,
        /// How that was had.
        by: MomentBy,
        /// Connections that read it.
        readers: usize,
    },
    /// Each chunk as it was when it was read: tables are not consistent with each other, nor a table in itself.
    Spread {
        /// The source's clock (UTC) before the first read.
        from: NaiveDateTime,
    },
}

impl Moment {
    /// Returns the time from which on the dump may lack changes.
    pub fn as_of(&self) -> NaiveDateTime {
        match self {
            Moment::One { at, .. } => *at,
            Moment::Spread { from } => *from,
        }
    }
}

/// How several readers came to see one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MomentBy {
    /// All was read over one connection, in one read view. Nothing was locked.
    OneView,
    /// The views were opened while FLUSH TABLES WITH READ LOCK kept the server from committing.
    GlobalLock,
    /// The views were opened while LOCK TABLES … READ kept the tables from being written.
    TableLocks,
}

impl MomentBy {
    /// Returns it for people.
    pub fn text(self) -> &'static str {
        match self {
            MomentBy::OneView => "in one read view, without a lock",
            MomentBy::GlobalLock => "in read views opened under FLUSH TABLES WITH READ LOCK",
            MomentBy::TableLocks => "in read views opened under LOCK TABLES … READ",
        }
    }
}

/// What a dump consists of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`DUMP_FORMAT`] when it was made.
    pub format: u32,
    /// SHA-256 (hex) over everything else, see [`Manifest::sealed`].
    pub hash: String,
    /// Which dump.
    pub id: DumpId,
    /// What for.
    pub kind: DumpKind,
    /// Version of the Leeward that made it.
    pub leeward: String,
    /// The source's version as it prints it.
    pub server: String,
    /// What it shows.
    pub moment: Moment,
    /// The clock (UTC) of the machine that made it, when all chunks were there.
    pub ended_at: NaiveDateTime,
    /// The plan: databases, tables with their shapes, what was left out and why.
    pub plan: Plan,
    /// The tables, in the plan's order.
    pub tables: Vec<DumpedTable>,
    /// Views, routines, triggers and events.
    pub objects: Vec<ObjectFacts>,
}

/// A table in a dump.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DumpedTable {
    /// Which.
    pub name: TableName,
    /// `SHOW CREATE TABLE` of the source.
    pub ddl: String,
    /// The columns whose cells stand in a row of a chunk, in that order.
    pub columns: Vec<String>,
    /// How many of them are written. Further ones are generated, and only tell rows apart.
    pub written: usize,
    /// Rows in all.
    pub rows: u64,
    /// Bytes of all cells.
    pub bytes: u64,
    /// Bytes of all its objects.
    pub stored_bytes: u64,
    /// Its chunks, in the order of its key.
    pub chunks: Vec<DumpedChunk>,
}

/// A chunk: one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DumpedChunk {
    /// Number within the table, growing.
    pub seq: u32,
    /// Its object.
    pub object: String,
    /// SHA-256 (hex) of the object's bytes.
    pub sha256: String,
    /// The object's length.
    pub stored_bytes: u64,
    /// Rows.
    pub rows: u64,
    /// Bytes of their cells.
    pub bytes: u64,
    /// Exclusive lower border of the key, cells in hex; nothing at the table's beginning.
    pub after: Option<Vec<String>>,
    /// Inclusive upper border of the key; nothing at the table's end.
    pub upto: Option<Vec<String>>,
}

impl DumpedChunk {
    /// Returns the range of keys; nothing where the borders cannot be read.
    pub fn keys(&self) -> Option<KeyRange> {
        let read = |border: &Option<Vec<String>>| match border {
            Some(cells) => KeyCells::from_hex(cells.iter().map(String::as_str)).map(Some),
            None => Some(None),
        };
        Some(KeyRange { after: read(&self.after)?, upto: read(&self.upto)? })
    }

    /// Returns it as a chunk of a copy that has been copied.
    pub fn record(&self, table: &TableName) -> Option<ChunkRecord> {
        Some(ChunkRecord {
            table: table.clone(),
            seq: self.seq,
            keys: self.keys()?,
            last: self.upto.is_none(),
            done: true,
            rows: self.rows,
            bytes: self.bytes,
        })
    }
}

impl Manifest {
    /// Sets the hash.
    pub fn sealed(mut self) -> Manifest {
        self.hash = self.computed_hash();
        self
    }

    fn computed_hash(&self) -> String {
        let bare = Manifest { hash: String::new(), ..self.clone() };
        hex(&Sha256::digest(serde_json::to_vec(&bare).unwrap_or_default()))
    }

    /// Returns what is wrong with it in itself: a hash that does not fit, a table of the plan that is missing, ranges of keys
    /// that leave a gap or overlap, sums that are none.
    ///
    /// # Errors
    /// The first mistake, for people.
    pub fn check(&self) -> Result<(), String> {
        if self.hash != self.computed_hash() {
            return Err("it was changed after it was written".to_owned());
        }
        let planned = self.plan.tables.iter().map(|table| table.name());
        if !planned.eq(self.tables.iter().map(|table| &table.name)) {
            return Err("its tables are not those of its plan".to_owned());
        }
        self.tables.iter().try_for_each(DumpedTable::check)
    }

    /// Returns a table.
    pub fn table(&self, name: &TableName) -> Option<&DumpedTable> {
        self.tables.iter().find(|table| table.name == *name)
    }

    /// Returns rows, bytes of cells and bytes of objects.
    pub fn totals(&self) -> (u64, u64, u64) {
        let add = |sum: (u64, u64, u64), table: &DumpedTable| {
            (sum.0 + table.rows, sum.1 + table.bytes, sum.2 + table.stored_bytes)
        };
        self.tables.iter().fold((0, 0, 0), add)
    }

    /// Returns the manifest of one of its tables alone, under another name where one is given; nothing when it has no such
    /// table. The chunks stay the objects that they are.
    pub fn only(&self, name: &TableName, under: &TableName) -> Option<Manifest> {
        let mut one = self.clone();
        one.tables.retain(|table| table.name == *name);
        one.plan.tables.retain(|table| table.name() == name);
        one.objects.clear();
        one.plan.left_out.clear();
        one.tables.first_mut()?.name = under.clone();
        let planned = one.plan.tables.first_mut()?;
        planned.table.name = under.clone();
        (planned.tombstones, planned.holds_tombstones) = (None, false);
        let collation = one.plan.schemas.iter().find(|schema| schema.name == name.schema)?.collation.clone();
        one.plan.schemas = vec![crate::survey::SchemaFacts { name: under.schema.clone(), collation }];
        one.plan.hash = one.plan.computed_hash();
        Some(one.sealed())
    }
}

impl DumpedTable {
    /// Puts a table together.
    ///
    /// # Errors
    /// What [`Manifest::check`] would say of it.
    pub fn of(
        planned: &crate::plan::PlannedTable,
        ddl: String,
        mut chunks: Vec<DumpedChunk>,
    ) -> Result<DumpedTable, String> {
        chunks.sort_by_key(|chunk| chunk.seq);
        let sum = |of: fn(&DumpedChunk) -> u64| chunks.iter().map(of).sum();
        let table = DumpedTable {
            name: planned.name().clone(),
            ddl,
            columns: planned.table.wire_columns().iter().map(|column| column.name.clone()).collect(),
            written: planned.table.written_columns().len(),
            rows: sum(|chunk| chunk.rows),
            bytes: sum(|chunk| chunk.bytes),
            stored_bytes: sum(|chunk| chunk.stored_bytes),
            chunks,
        };
        table.check().map(|()| table)
    }

    fn check(&self) -> Result<(), String> {
        let wrong = |why: &str| Err(format!("{}: {why}", self.name));
        let (Some(first), Some(last)) = (self.chunks.first(), self.chunks.last()) else {
            return wrong("it has no chunk");
        };
        if first.after.is_some() || last.upto.is_some() {
            return wrong("its chunks do not reach from its beginning to its end");
        }
        let joins =
            |pair: &[DumpedChunk]| pair[0].upto.is_some() && pair[0].upto == pair[1].after && pair[0].seq < pair[1].seq;
        if !self.chunks.windows(2).all(joins) {
            return wrong("its chunks leave a gap or overlap");
        }
        if self.chunks.iter().any(|chunk| chunk.keys().is_none() || ObjectName::new(chunk.object.as_str()).is_err()) {
            return wrong("a chunk of it cannot be read");
        }
        let sums = [
            (self.rows, self.chunks.iter().map(|chunk| chunk.rows).sum::<u64>()),
            (self.bytes, self.chunks.iter().map(|chunk| chunk.bytes).sum()),
            (self.stored_bytes, self.chunks.iter().map(|chunk| chunk.stored_bytes).sum()),
        ];
        if sums.iter().any(|(said, found)| said != found) {
            return wrong("its sums are not those of its chunks");
        }
        Ok(())
    }
}

/// What is written before the first chunk, so that a dump that was not finished can be found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Begun {
    /// [`DUMP_FORMAT`] when it was made.
    pub format: u32,
    /// Which dump.
    pub id: DumpId,
    /// What for.
    pub kind: DumpKind,
    /// What it will show. One of a single moment cannot be gone on with: the moment is gone.
    pub moment: Moment,
    /// The plan that it follows.
    pub plan: Plan,
    /// `SHOW CREATE TABLE` of the tables, in the plan's order.
    pub ddl: Vec<String>,
}

/// A chunk that is in the store, written beside it while a dump of no single moment is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Of which table.
    pub table: TableName,
    /// The chunk.
    pub chunk: DumpedChunk,
}

/// Where the objects of dumps stand under the address of a store.
pub mod names {
    use super::{DumpId, Fault, ObjectName, Prefix, SHOWN_NAME_MAX, TableName};

    /// All manifests, and nothing else.
    pub const MANIFESTS: &str = "manifests/";
    /// What was begun, finished or not.
    pub const BEGUN: &str = "begun/";
    /// What was begun, was given up, and is being taken away.
    pub const LEAVING: &str = "leaving/";

    /// Returns where a dump's manifest stands.
    ///
    /// # Errors
    /// None in practice: ids are names.
    pub fn manifest(id: &DumpId) -> Result<ObjectName, Fault> {
        ObjectName::new(format!("{MANIFESTS}{id}.json"))
    }

    /// Returns where it is written that a dump has begun.
    ///
    /// # Errors
    /// See [`manifest`].
    pub fn begun(id: &DumpId) -> Result<ObjectName, Fault> {
        ObjectName::new(format!("{BEGUN}{id}.json"))
    }

    /// Returns where it is written that an unfinished dump is being taken away.
    ///
    /// # Errors
    /// See [`manifest`].
    pub fn leaving(id: &DumpId) -> Result<ObjectName, Fault> {
        ObjectName::new(format!("{LEAVING}{id}.json"))
    }

    /// Returns what all chunks of a dump start with.
    ///
    /// # Errors
    /// See [`manifest`].
    pub fn chunks(id: &DumpId) -> Result<Prefix, Fault> {
        Prefix::new(format!("chunks/{id}/"))
    }

    /// Returns what all notes on the chunks of a dump start with.
    ///
    /// # Errors
    /// See [`manifest`].
    pub fn kept(id: &DumpId) -> Result<Prefix, Fault> {
        Prefix::new(format!("kept/{id}/"))
    }

    /// Returns where a chunk is put: `number` is the table's place in the plan, `attempt` what no other attempt at any chunk
    /// has, so that no object is ever written twice.
    ///
    /// # Errors
    /// See [`manifest`].
    pub fn chunk(
        id: &DumpId,
        (number, table): (usize, &TableName),
        seq: u32,
        attempt: &str,
    ) -> Result<ObjectName, Fault> {
        ObjectName::new(format!("chunks/{id}/{number:05}-{}/{seq:06}-{attempt}.zst", shown(table)))
    }

    /// Returns where the note on a chunk is put.
    ///
    /// # Errors
    /// See [`manifest`].
    pub fn kept_chunk(id: &DumpId, number: usize, seq: u32, attempt: &str) -> Result<ObjectName, Fault> {
        ObjectName::new(format!("kept/{id}/{number:05}/{seq:06}-{attempt}.json"))
    }

    /// Returns the id in the name of a manifest or of what was begun; nothing for any other name.
    pub fn id_in(name: &ObjectName) -> Option<DumpId> {
        let (_, file) = name.as_str().rsplit_once('/')?;
        file.strip_suffix(".json")?.parse().ok()
    }

    /// The number before it tells tables apart; this is for people.
    fn shown(table: &TableName) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' };
        table.to_string().chars().map(plain).take(SHOWN_NAME_MAX).collect()
    }
}

/// Returns the tables that were dumped, each with its number.
pub fn numbers(plan: &Plan) -> BTreeMap<TableName, usize> {
    plan.tables.iter().enumerate().map(|(number, table)| (table.name().clone(), number)).collect()
}

/// Prints bytes in hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests;
