//! The ports: what the engine asks of the two servers, in the words of the domain. `leeward-mysql` answers with real
//! servers; a simulator can answer from memory.

mod chunk;
mod claims;
mod moment;
mod shape;
pub mod store;
mod sweep;
mod throttle;

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::NaiveDateTime;
use serde::{Deserialize, Serialize};

use crate::brake::Acceptance;
use crate::digest::{Digest, KeyDigest, RowHash};
use crate::fault::{Fault, FaultKind};
use crate::fence::Observation;
use crate::history::{Grain, Sample};
use crate::lane::{LaneRecord, TableRecord};
use crate::mark::Mark;
use crate::name::TableName;
use crate::plan::{Plan, PlannedTable};
use crate::row::{KeyCells, KeyRange, RowBatch};
use crate::survey::ObjectFacts;
use crate::table::Table;
pub use chunk::{ChunkLoader, ChunkOf, ChunkReader, ChunkRecord, Feed, LoadMode, Most, RowFeed};
pub use claims::{Claim, Claims, Crew, Member};
pub use moment::{Locks, OneMoment};
pub use shape::{DefinerKept, Definition, Indexes, KeyBeside, RowsMeanwhile, Shape, Shapes, TablePart};
pub use sweep::{Ask, TakeTold, Told};
pub use throttle::LoadWatch;

/// The source, as the cycle sees it. Two long-lived connections: one looks at threads, one holds the cut.
#[async_trait]
pub trait Source: Send {
    /// Looks at the threads, the clock and the highest id of each `probes` table, in one round trip. Returns nothing
    /// when the server's answer was not fresh, which proves nothing.
    async fn observe(&mut self, probes: &[&PlannedTable], look: Look) -> Result<Option<Observation>, Fault>;

    /// Opens a cut, asks for everything in `request` in one round trip and hands each part of the answer to `take` as
    /// it arrives, so that memory stays bounded whatever the answer's size. The read view stays open until
    /// [`Cut::close`].
    async fn cut<'s>(
        &'s mut self,
        request: &CutRequest<'_>,
        take: &mut dyn TakePart,
    ) -> Result<Box<dyn Cut + 's>, Fault>;
}

/// How much of the source an observation needs to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Threads and transactions, for a fence that is to be proved.
    Threads,
    /// Clock and ids alone, where the privilege for more is missing.
    ClockOnly,
}

/// Takes the parts of a cut's answer in order.
#[async_trait]
pub trait TakePart: Send {
    /// Takes one part. An error ends the reading.
    async fn take(&mut self, part: CutPart) -> Result<(), Fault>;
}

/// Takes rows as they arrive from a reader.
#[async_trait]
pub trait TakeRows: Send {
    /// Takes some rows. An error ends the reading.
    async fn take(&mut self, rows: RowBatch) -> Result<(), Fault>;

    /// Returns the bytes past which a row is to be read apart from others, after [`TakeRows::room`]: how wide a row is shows
    /// only when it is in memory.
    fn wide_from(&self) -> u64 {
        u64::MAX
    }

    /// Waits until rows of up to so many bytes may be read. An error ends the reading.
    async fn room(&mut self, _widest: u64) -> Result<(), Fault> {
        Ok(())
    }
}

/// What a cut is asked for when it is opened.
#[derive(Debug, Default)]
pub struct CutRequest<'a> {
    /// Rows that may be new, table by table.
    pub deltas: Vec<Delta<'a>>,
    /// Ranges that will be compared, whose upper border the source is to find.
    pub borders: Vec<Border<'a>>,
    /// Tables whose definition is to be told after everything else, because rows of theirs are likely to be written.
    pub described: Vec<&'a TableName>,
}

/// The rows of one table that may be new since its mark.
#[derive(Debug, Clone)]
pub struct Delta<'a> {
    /// The table.
    pub table: &'a PlannedTable,
    /// The column that is followed: its mark column, or the one that marks rows as deleted.
    pub column: &'a str,
    /// Where to start.
    pub from: DeltaStart,
    /// Rows after which reading stops and the table counts as behind.
    pub rows_max: u64,
}

/// Where a delta starts.
#[derive(Debug, Clone, PartialEq)]
pub enum DeltaStart {
    /// Everything (no mark yet).
    Beginning,
    /// At this clock value and after.
    Clock(NaiveDateTime),
    /// After this id.
    AfterId(u64),
    /// After this row, in (clock, key) order: ties can be larger than a batch (T3).
    AfterRow {
        /// The clock cell of the row, in wire form.
        clock: Vec<u8>,
        /// Its key.
        key: KeyCells,
    },
}

/// A range whose upper border is to be found: the key `rows` rows after `after`.
#[derive(Debug, Clone)]
pub struct Border<'a> {
    /// The table.
    pub table: &'a PlannedTable,
    /// Exclusive lower border in border form.
    pub after: Option<KeyCells>,
    /// How many rows the range should hold.
    pub rows: u64,
}

/// What a cut answers, in the order in which it was asked.
#[derive(Debug)]
pub enum CutPart {
    /// The cut is open; always first.
    Opened {
        /// The source's clock, read in the cut.
        at: NaiveDateTime,
    },
    /// Some rows of the `delta`-th delta.
    Rows {
        /// Index into [`CutRequest::deltas`].
        delta: usize,
        /// The rows, in mark order.
        rows: RowBatch,
    },
    /// The `delta`-th delta has been read.
    Complete {
        /// Index into [`CutRequest::deltas`].
        delta: usize,
        /// How many rows it had.
        rows: u64,
    },
    /// The `delta`-th delta could not be read; the others go on.
    Failed {
        /// Index into [`CutRequest::deltas`].
        delta: usize,
        /// Why.
        fault: Fault,
    },
    /// The border of the `border`-th range; nothing means that the range reaches to the table's end.
    BorderAt {
        /// Index into [`CutRequest::borders`].
        border: usize,
        /// Inclusive upper border in border form.
        upto: Option<KeyCells>,
    },
    /// The border could not be found; the range is not compared in this cycle.
    BorderFailed {
        /// Index into [`CutRequest::borders`].
        border: usize,
        /// Why.
        fault: Fault,
    },
    /// The definitions that were asked for; a table that is gone is not among them.
    Described(Vec<Table>),
}

/// One consistent read view of the source.
#[async_trait]
pub trait Cut: Send {
    /// Asks the open view for more, as [`Source::cut`] does; [`CutPart::Opened`] does not come again.
    async fn read(&mut self, request: &CutRequest<'_>, take: &mut dyn TakePart) -> Result<(), Fault>;

    /// Looks at the source's threads while the view is open; see [`Source::observe`].
    async fn observe(&mut self, probes: &[&PlannedTable], look: Look) -> Result<Option<Observation>, Fault>;

    /// Digests ranges, all in one round trip.
    async fn digests(&mut self, ranges: &[Range<'_>]) -> Result<Vec<Result<Digest, Fault>>, Fault>;

    /// Digests the keys of ranges of tables with a key, all in one round trip.
    async fn key_digests(&mut self, ranges: &[Range<'_>]) -> Result<Vec<Result<KeyDigest, Fault>>, Fault>;

    /// Digests the keys of one range in `of` buckets, by a hash that both sides compute alike. Empty ones are left out.
    async fn key_buckets(&mut self, range: &Range<'_>, of: u64) -> Result<BTreeMap<u64, KeyDigest>, Fault>;

    /// Lists the keys of one range that fall into some buckets.
    async fn keys(&mut self, range: &Range<'_>, buckets: &Buckets) -> Result<Vec<KeyCells>, Fault>;

    /// Lists the row hashes of one range of a table with a key.
    async fn row_hashes(&mut self, range: &Range<'_>) -> Result<Vec<RowHash>, Fault>;

    /// Lists the row hashes of several ranges of one table with a key, all in one round trip where the servers are real.
    async fn row_hashes_in(&mut self, ranges: &[Range<'_>]) -> Result<Vec<RowHash>, Fault> {
        let mut found = Vec::new();
        for range in ranges {
            found.extend(self.row_hashes(range).await?);
        }
        Ok(found)
    }

    /// Asks for many things of many tables, in one round trip unless one fails or their text is too long, and hands each part
    /// of the answer to `take` as it arrives. A simulator need not answer.
    async fn ask(&mut self, _asks: &[Ask<'_>], _take: &mut dyn TakeTold) -> Result<(), Fault> {
        Err(Fault::new(FaultKind::Unexpected, "sweep a view"))
    }

    /// Lists the row hashes of the rows with these keys; keys that the view does not hold are left out.
    async fn row_hashes_of(&mut self, table: &PlannedTable, keys: &[KeyCells]) -> Result<Vec<RowHash>, Fault>;

    /// Finds the border `rows` rows after `after`; nothing when the table ends before.
    async fn border(&mut self, border: &Border<'_>) -> Result<Option<KeyCells>, Fault>;

    /// Fetches the rows with these keys and hands them on as they arrive; keys that the cut does not hold are left out. An
    /// error of `take` costs the view.
    async fn rows(&mut self, table: &PlannedTable, keys: &[KeyCells], take: &mut dyn TakeRows) -> Result<(), Fault>;

    /// Fetches a whole table without a key and hands its rows on as they arrive. [`FaultKind::Outgrown`] after `rows_max` of
    /// them if there are more.
    async fn all_rows(&mut self, table: &PlannedTable, rows_max: u64, take: &mut dyn TakeRows) -> Result<(), Fault>;

    /// Describes tables as they are now, or were when the view was opened: servers differ. A table that was read in this
    /// cut cannot have been changed between its rows and this answer, since the cut holds it.
    async fn describe(&mut self, tables: &[&TableName]) -> Result<Vec<Table>, Fault>;

    /// Ends the read view.
    async fn close(self: Box<Self>) -> Result<(), Fault>;
}

/// A key range of one table.
#[derive(Debug, Clone)]
pub struct Range<'a> {
    /// The table.
    pub table: &'a PlannedTable,
    /// The range; open on both ends for a table without a key.
    pub keys: KeyRange,
}

/// Some of the buckets into which keys are spread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buckets {
    /// How many there are in all.
    pub of: u64,
    /// Which are meant, in order.
    pub wanted: Vec<u64>,
}

/// The target, as the cycle sees it: one transaction at a time.
#[async_trait]
pub trait Target: Send {
    /// Opens the apply transaction and proves that the lease is ours.
    async fn begin(&mut self, lease: &Lease) -> Result<Box<dyn Apply + '_>, Fault>;
}

/// One target transaction: rows, repairs, deletes and marks commit together or not at all. Dropping it rolls back.
#[async_trait]
pub trait Apply: Send {
    /// Returns the target's clock when the transaction was opened.
    fn now(&self) -> NaiveDateTime;

    /// Makes the target hold exactly these rows under their keys. Returns the keys of other rows that stood in the way
    /// of a unique index and were taken out: the caller owes them a look in the same cut before commit.
    async fn write(&mut self, table: &PlannedTable, rows: &RowBatch) -> Result<Vec<KeyCells>, Fault>;

    /// Deletes the rows with these keys, without cascades. Returns how many there were.
    async fn delete(&mut self, table: &PlannedTable, keys: &[KeyCells]) -> Result<u64, Fault>;

    /// Deletes every row of a table without a key.
    async fn clear(&mut self, table: &PlannedTable) -> Result<u64, Fault>;

    /// Marks a point in the transaction to which one table's changes can be undone.
    async fn savepoint(&mut self) -> Result<(), Fault>;

    /// Undoes everything since the last [`Apply::savepoint`].
    async fn undo_to_savepoint(&mut self) -> Result<(), Fault>;

    /// Digests ranges as this transaction sees them.
    async fn digests(&mut self, ranges: &[Range<'_>]) -> Result<Vec<Result<Digest, Fault>>, Fault>;

    /// Digests the keys of ranges as this transaction sees them; see [`Cut::key_digests`].
    async fn key_digests(&mut self, ranges: &[Range<'_>]) -> Result<Vec<Result<KeyDigest, Fault>>, Fault>;

    /// Digests keys in buckets as this transaction sees them; see [`Cut::key_buckets`].
    async fn key_buckets(&mut self, range: &Range<'_>, of: u64) -> Result<BTreeMap<u64, KeyDigest>, Fault>;

    /// Lists keys of some buckets as this transaction sees them.
    async fn keys(&mut self, range: &Range<'_>, buckets: &Buckets) -> Result<Vec<KeyCells>, Fault>;

    /// Lists the row hashes of one range as this transaction sees them.
    async fn row_hashes(&mut self, range: &Range<'_>) -> Result<Vec<RowHash>, Fault>;

    /// Lists the row hashes of one range, `rows_max` of them at most and any of them where there are more. A simulator need
    /// not answer.
    async fn list(&mut self, _range: &Range<'_>, _rows_max: u64) -> Result<Vec<RowHash>, Fault> {
        Err(Fault::new(FaultKind::Unexpected, "sweep the target"))
    }

    /// Finds the border `rows` rows after `after` as this transaction sees them; nothing when the table ends before. A
    /// simulator need not answer.
    async fn border(&mut self, _border: &Border<'_>) -> Result<Option<KeyCells>, Fault> {
        Err(Fault::new(FaultKind::Unexpected, "sweep the target"))
    }

    /// Writes the lane's and the tables' records.
    async fn record(&mut self, lane: &LaneRecord, tables: &[&TableRecord], events: &[Event]) -> Result<(), Fault>;

    /// Commits. [`FaultKind::OutcomeUnknown`] when the answer was lost.
    async fn commit(self: Box<Self>) -> Result<(), Fault>;

    /// Rolls back.
    async fn rollback(self: Box<Self>) -> Result<(), Fault>;
}

/// The records of a lane and some of its tables, with what has happened.
pub type Records<'a> = (&'a LaneRecord, &'a [&'a TableRecord], &'a [Event]);

/// The right to write a lane, proved by its epoch inside every transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The lane.
    pub lane: String,
    /// Grows by one with every take-over; ours must be the stored one.
    pub epoch: u64,
}

/// What came of asking for the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseAnswer {
    /// It is ours.
    Granted(Lease),
    /// Another process holds it.
    HeldBy {
        /// Who, as it described itself.
        holder: String,
        /// Seconds until it lapses unless renewed.
        lapses_in_s: u64,
    },
    /// The target was promoted: no one may write it any more.
    Promoted,
}

/// Something worth keeping that happened to a lane or table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// A fixed word: `lane_state`, `table_state`, `repair`, `contradiction`, `brake`, `drift` …
    pub kind: String,
    /// The table concerned.
    pub table: Option<TableName>,
    /// What happened, without row values.
    pub text: String,
}

/// The control schema on the target: everything that outlives a process.
#[async_trait]
pub trait Control: Send {
    /// Brings the control schema up to date; creates it where it is missing.
    async fn migrate(&mut self) -> Result<(), Fault>;

    /// Returns whether the control schema exists.
    async fn exists(&mut self) -> Result<bool, Fault>;

    /// Returns the target's clock.
    async fn now(&mut self) -> Result<NaiveDateTime, Fault>;

    /// Asks for the lease of a lane. A holder that has not renewed for `ttl_s` seconds of the target's clock loses it.
    async fn acquire(&mut self, lane: &str, holder: &str, ttl_s: u64) -> Result<LeaseAnswer, Fault>;

    /// Renews the lease outside of an apply transaction.
    async fn renew(&mut self, lease: &Lease) -> Result<(), Fault>;

    /// Gives the lease up, so that the next process need not wait.
    async fn release(&mut self, lease: &Lease) -> Result<(), Fault>;

    /// Stores a plan and a record for each of its tables that has none, under the lease; keeps the marks of those that have,
    /// unless other `records` are to be stored in the same transaction.
    async fn store_plan(&mut self, lease: &Lease, plan: &Plan, records: Option<Records<'_>>) -> Result<(), Fault>;

    /// Returns the stored plan of a lane.
    async fn plan(&mut self, lane: &str) -> Result<Option<Plan>, Fault>;

    /// Returns the lane's record.
    async fn lane(&mut self, lane: &str) -> Result<Option<LaneRecord>, Fault>;

    /// Returns the records of the lane's tables.
    async fn tables(&mut self, lane: &str) -> Result<Vec<TableRecord>, Fault>;

    /// Writes records outside of an apply transaction, under the lease.
    async fn record(
        &mut self,
        lease: &Lease,
        lane: &LaneRecord,
        tables: &[&TableRecord],
        events: &[Event],
    ) -> Result<(), Fault>;

    /// Stores that a person has agreed to what the brake saw, with the time on the target's clock. It takes no lease: a
    /// running process takes it up. Returns whether the table still waits with that evidence; nothing is stored otherwise.
    async fn accept(&mut self, lane: &str, acceptance: &Acceptance) -> Result<bool, Fault>;

    /// Returns what people have agreed to, the newest for each table, and when. Most of it has long been taken up.
    async fn acceptances(&mut self, lane: &str) -> Result<Vec<(NaiveDateTime, Acceptance)>, Fault>;

    /// Stores the DDL of views, routines, triggers and events as last seen, in place of what was stored of these
    /// databases; those of other lanes stay.
    async fn store_objects(&mut self, schemas: &[String], objects: &[ObjectFacts]) -> Result<(), Fault>;

    /// Returns what [`Control::store_objects`] stored, of all databases.
    async fn objects(&mut self) -> Result<Vec<ObjectFacts>, Fault>;

    /// Stores a document of observed facts (JSON) under a name, with the time on the target's clock.
    async fn store_facts(&mut self, name: &str, body: &str) -> Result<(), Fault>;

    /// Returns a stored document and when it was stored.
    async fn facts(&mut self, name: &str) -> Result<Option<(NaiveDateTime, String)>, Fault>;

    /// Returns how old cuts have become ([`LaneRecord::exposed_ms`]), as the records written have left it: the worst of each
    /// slot, oldest first.
    async fn samples(&mut self, lane: &str) -> Result<Vec<(Grain, Sample)>, Fault>;

    /// Adds events that no record goes with. It takes no lease: what was seen is true whoever has seen it.
    async fn add_events(&mut self, lane: &str, events: &[Event]) -> Result<(), Fault>;

    /// Returns the newest events, newest first, at most `rows_max`.
    async fn events(&mut self, lane: &str, rows_max: u32) -> Result<Vec<(NaiveDateTime, Event)>, Fault>;

    /// Returns who holds the lease and the age of its last renewal in seconds.
    async fn lease_holder(&mut self, lane: &str) -> Result<Option<LeaseRecord>, Fault>;

    /// Returns the chunks of the seed that have been written down so far.
    async fn chunks(&mut self, lane: &str) -> Result<Vec<ChunkRecord>, Fault>;

    /// Forgets all of a lane but its lease: its plan, the records of its tables and chunks. A simulator need not.
    async fn forget(&mut self, _lease: &Lease) -> Result<(), Fault> {
        Err(Fault::new(FaultKind::Unexpected, "forget a lane"))
    }

    /// Writes down chunks found by the walker, before they are copied. Writing one down again changes nothing.
    async fn add_chunks(&mut self, lease: &Lease, chunks: &[ChunkRecord]) -> Result<(), Fault>;
}

/// The lease as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseRecord {
    /// Its epoch.
    pub epoch: u64,
    /// Who holds it; empty after a release.
    pub holder: String,
    /// Seconds since the last renewal, by the target's clock.
    pub age_s: u64,
    /// Time-to-live in seconds.
    pub ttl_s: u64,
    /// Whether the target was promoted.
    pub promoted: bool,
}

impl LeaseRecord {
    /// Returns whether somebody holds it and renews it.
    pub fn is_held(&self) -> bool {
        !self.promoted && !self.holder.is_empty() && self.age_s <= self.ttl_s
    }
}

/// Bytes that have passed over the wire between Leeward and one server: after compression, without what TLS adds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passed {
    /// Read from it.
    pub read: u64,
    /// Sent to it.
    pub sent: u64,
}

/// Opens connections: the one place through which the engine reaches the servers, and makes them anew after a fault.
#[async_trait]
pub trait Servers: Send + Sync {
    /// Connects to the source for cycles.
    async fn source(&self) -> Result<Box<dyn Source>, Fault>;

    /// Connects to the target for cycles.
    async fn target(&self) -> Result<Box<dyn Target>, Fault>;

    /// Connects to the control schema.
    async fn control(&self) -> Result<Box<dyn Control>, Fault>;

    /// Connects to look at one side's definitions.
    async fn shapes(&self, side: crate::name::Side) -> Result<Box<dyn Shapes>, Fault>;

    /// Connects to shape the target.
    async fn shape(&self) -> Result<Box<dyn Shape>, Fault>;

    /// Connects to read chunks of the source.
    async fn reader(&self) -> Result<Box<dyn ChunkReader>, Fault>;

    /// Connects to load chunks into the target.
    async fn loader(&self) -> Result<Box<dyn ChunkLoader>, Fault>;

    /// Connects to the chunks that several processes share. A simulator need not have any.
    async fn claims(&self) -> Result<Box<dyn Claims>, Fault> {
        Err(Fault::new(FaultKind::Unexpected, "share a copy"))
    }

    /// Returns how many connections a server has left; nothing where that is not known, as in a simulator.
    async fn free_connections(&self, _side: crate::name::Side) -> Result<Option<u64>, Fault> {
        Ok(None)
    }

    /// Returns what has passed over the connections to one side so far, short of what each has carried since it was counted
    /// last; nothing where there is no wire, as in a simulator.
    fn passed(&self, _side: crate::name::Side) -> Option<Passed> {
        None
    }

    /// Connects to look at how busy the source is. [`FaultKind::MissingGrant`] where that cannot be seen. A simulator need
    /// not show any load.
    async fn load_watch(&self) -> Result<Box<dyn LoadWatch>, Fault> {
        Err(Fault::new(FaultKind::Unexpected, "look at the source's load"))
    }

    /// Connects `readers` at most to the source so that all of them see it at one moment; one alone where that cannot be had.
    /// A simulator need not have any.
    async fn one_moment(&self, _readers: usize, _tables: &[&TableName], _locks: Locks) -> Result<OneMoment, Fault> {
        Err(Fault::new(FaultKind::Unexpected, "read the source at one moment"))
    }

    /// Connects to one side for reading in a single view, without any right to write. It does not look at threads:
    /// [`Source::observe`] returns nothing.
    async fn view(&self, side: crate::name::Side) -> Result<Box<dyn Source>, Fault>;
}

/// Returns where the delta of a table starts.
pub fn delta_start(mark: Mark) -> DeltaStart {
    match mark {
        Mark::None => DeltaStart::Beginning,
        Mark::Clock { settled } => DeltaStart::Clock(settled),
        Mark::Id { settled } => DeltaStart::AfterId(settled),
    }
}
