//! The target: committed rows and records, and the apply transaction over them. Rows are written as
//! `leeward-mysql/src/apply.rs` does it: all old rows of a batch go first, and whoever stands in the way of a unique value
//! is taken out and owed a look.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::NaiveDateTime;
use leeward_core::brake::Acceptance;
use leeward_core::digest::{Digest, KeyDigest, RowHash};
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::lane::{LaneRecord, QuarantineCause, TableRecord, TableState};
use leeward_core::name::Side;
use leeward_core::plan::{Plan, PlannedTable};
use leeward_core::port::{Apply, Buckets, Event, Lease, Range, Target};
use leeward_core::row::{KeyCells, RowBatch};

use crate::breakage::Break;
use crate::coverage::Reached;
use crate::database::put;
use crate::handle::Handle;
use crate::judge::Commit;
use crate::row::{self, Row};
use crate::shape;
use crate::style::{Hazard, Style};
use crate::world::Frailty;

/// What the target holds.
#[derive(Debug)]
pub(crate) struct TargetServer {
    /// Committed rows of each table in key order.
    pub tables: Vec<Vec<Row>>,
    /// The lease's epoch.
    pub epoch: u64,
    /// The stored plan.
    pub plan: Plan,
    /// The lane's stored record.
    pub lane: Option<LaneRecord>,
    /// The tables' stored records, in the plan's order.
    pub records: Vec<TableRecord>,
    /// What people have agreed to.
    pub accepted: Vec<Acceptance>,
    /// How many rows of each table people have agreed to so far.
    pub agreed_in_all: Vec<u64>,
}

impl TargetServer {
    /// Makes a target without rows.
    pub(crate) fn new(style: &Style) -> TargetServer {
        let plan = shape::plan(&style.terms);
        let records = plan.tables.iter().map(|table| TableRecord::planned(table.name().clone())).collect();
        let (tables, agreed_in_all) = (vec![Vec::new(); plan.tables.len()], vec![0; plan.tables.len()]);
        TargetServer { tables, epoch: 0, plan, lane: None, records, accepted: Vec::new(), agreed_in_all }
    }

    /// Lets a person agree to what the brake saw.
    pub(crate) fn accept(&mut self) {
        let seen = self.records.iter().enumerate().find_map(|(at, record)| {
            let held = matches!(record.state, TableState::Quarantined { cause: QuarantineCause::Brake, .. });
            record.brake.as_ref().filter(|_| held).map(|seen| (at, record.name.clone(), seen))
        });
        if let Some((at, table, seen)) = seen {
            self.agreed_in_all[at] += seen.rows();
            self.accepted.retain(|one| one.table != table);
            self.accepted.push(Acceptance { table, cycle: seen.cycle, rows: seen.rows(), by: "somebody".into() });
        }
    }

    /// Returns how many rows a person has agreed to lose to what the brake saw of a table, while it is not taken up.
    pub(crate) fn agreed(&self, record: &TableRecord) -> u64 {
        let seen = record.brake.as_ref().map(|seen| seen.cycle);
        let agreed = self.accepted.iter().find(|one| one.table == record.name && Some(one.cycle) == seen);
        agreed.map_or(0, |agreed| agreed.rows)
    }

    /// Returns the records as they will be once these are stored.
    pub(crate) fn with(&self, written: &[TableRecord]) -> Vec<TableRecord> {
        let mut records = self.records.clone();
        for record in written {
            if let Some(old) = records.iter_mut().find(|old| old.name == record.name) {
                *old = record.clone();
            }
        }
        records
    }
}

/// The target connection of a process.
pub(crate) struct SimTarget {
    handle: Handle,
}

impl SimTarget {
    /// Connects.
    pub(crate) fn connect(handle: Handle) -> SimTarget {
        SimTarget { handle }
    }
}

#[async_trait]
impl Target for SimTarget {
    async fn begin(&mut self, lease: &Lease) -> Result<Box<dyn Apply + '_>, Fault> {
        self.handle.call("open the apply transaction", Frailty::Connection).await?;
        prove(&self.handle, lease)?;
        let world = self.handle.world();
        Ok(Box::new(SimApply {
            handle: self.handle.clone(),
            lease: lease.clone(),
            now: row::time(world.clock.target()),
            tables: world.target.tables.clone(),
            saved: Vec::new(),
            displaced: Vec::new(),
            records: None,
        }))
    }
}

/// Fails when the lease is another's.
pub(crate) fn prove(handle: &Handle, lease: &Lease) -> Result<(), Fault> {
    let mut world = handle.world();
    if world.target.epoch == lease.epoch || world.is_broken(Break::LeaseUnproved) {
        return Ok(());
    }
    world.reached(Reached::LeaseLost);
    Err(Fault::new(FaultKind::LeaseLost, "prove the lease").on(Side::Target))
}

/// One open apply transaction.
struct SimApply {
    handle: Handle,
    lease: Lease,
    now: NaiveDateTime,
    tables: Vec<Vec<Row>>,
    saved: Vec<Vec<Row>>,
    /// Rows taken out for a unique value, by table and key.
    displaced: Vec<(usize, u32)>,
    records: Option<(LaneRecord, Vec<TableRecord>)>,
}

impl SimApply {
    fn table(&self, planned: &PlannedTable) -> usize {
        self.handle.world().table(planned)
    }

    fn in_range(&self, range: &Range<'_>) -> &[Row] {
        row::in_range(&self.tables[self.table(range.table)], &range.keys)
    }

    /// Writes one row. Returns the row that stood in its way.
    fn insert(&mut self, table: usize, new: Row) -> Option<u32> {
        let rows = &mut self.tables[table];
        let same = |row: &&Row| row.id != new.id && new.unique.is_some() && row.unique == new.unique;
        let in_the_way = rows.iter().find(same).map(|row| row.id);
        if let Some(id) = in_the_way {
            if self.handle.world().is_broken(Break::RowsIgnored) {
                return None;
            }
            put(rows, id, None);
            self.displaced.push((table, id));
        }
        put(rows, new.id, Some(new));
        in_the_way
    }
}

#[async_trait]
impl Apply for SimApply {
    fn now(&self) -> NaiveDateTime {
        self.now
    }

    async fn write(&mut self, table: &PlannedTable, rows: &RowBatch) -> Result<Vec<KeyCells>, Fault> {
        self.handle.call("write rows", Frailty::Write).await?;
        let table = self.table(table);
        let new: Vec<Row> = (0..rows.rows()).map(|at| row::read(rows, at)).collect();
        for row in &new {
            put(&mut self.tables[table], row.id, None);
        }
        let owed: Vec<u32> = new.iter().filter_map(|row| self.insert(table, *row)).collect();
        let mut world = self.handle.world();
        owed.iter().for_each(|_| world.reached(Reached::Owed));
        if world.is_broken(Break::OwedForgotten) {
            return Ok(Vec::new());
        }
        drop(world);
        let process = self.handle.process;
        self.handle.world().note(|| {
            let ids: Vec<_> = new.iter().map(|row| format!("{}:v{}", row.id, row.version)).collect();
            format!("Leeward {process}: writes into table {table}: {}; owes {owed:?}", ids.join(" "))
        });
        Ok(owed.into_iter().map(row::key).collect())
    }

    async fn delete(&mut self, table: &PlannedTable, keys: &[KeyCells]) -> Result<u64, Fault> {
        self.handle.call("delete rows", Frailty::Write).await?;
        let table = self.table(table);
        let rows = &mut self.tables[table];
        Ok(keys.iter().filter(|key| put(rows, row::id(key), None).is_some()).count() as u64)
    }

    async fn clear(&mut self, _table: &PlannedTable) -> Result<u64, Fault> {
        Err(Handle::unexpected("clear a table: every table of the model has a key"))
    }

    async fn savepoint(&mut self) -> Result<(), Fault> {
        self.saved = self.tables.clone();
        Ok(())
    }

    async fn undo_to_savepoint(&mut self) -> Result<(), Fault> {
        self.tables = self.saved.clone();
        Ok(())
    }

    async fn digests(&mut self, ranges: &[Range<'_>]) -> Result<Vec<Result<Digest, Fault>>, Fault> {
        self.handle.call("digest ranges of the target", Frailty::Connection).await?;
        if self.handle.world().is_broken(Break::DigestsBlind) {
            return Ok(ranges.iter().map(|_| Ok(Digest::default())).collect());
        }
        Ok(ranges.iter().map(|range| Ok(row::digest(self.in_range(range)))).collect())
    }

    async fn key_digests(&mut self, ranges: &[Range<'_>]) -> Result<Vec<Result<KeyDigest, Fault>>, Fault> {
        self.handle.call("count keys of the target", Frailty::Connection).await?;
        if self.handle.world().is_broken(Break::KeysBlind) {
            return Ok(ranges.iter().map(|_| Ok(KeyDigest::default())).collect());
        }
        Ok(ranges.iter().map(|range| Ok(row::key_digest(self.in_range(range)))).collect())
    }

    async fn key_buckets(&mut self, range: &Range<'_>, of: u64) -> Result<BTreeMap<u64, KeyDigest>, Fault> {
        self.handle.call("count keys of the target in buckets", Frailty::Connection).await?;
        Ok(row::key_buckets(self.in_range(range), of))
    }

    async fn keys(&mut self, range: &Range<'_>, buckets: &Buckets) -> Result<Vec<KeyCells>, Fault> {
        self.handle.call("list keys of the target", Frailty::Connection).await?;
        Ok(row::keys(self.in_range(range), buckets))
    }

    async fn row_hashes(&mut self, range: &Range<'_>) -> Result<Vec<RowHash>, Fault> {
        self.handle.call("hash rows of the target", Frailty::Connection).await?;
        Ok(row::row_hashes(self.in_range(range)))
    }

    async fn record(&mut self, lane: &LaneRecord, tables: &[&TableRecord], _events: &[Event]) -> Result<(), Fault> {
        self.handle.call("write records", Frailty::Write).await?;
        let tables: Vec<TableRecord> = tables.iter().map(|record| (*record).clone()).collect();
        let mut world = self.handle.world();
        if world.is_broken(Break::MarkFirst) {
            let marked = world.target.with(&tables);
            world.target.records.iter_mut().zip(marked).for_each(|(stored, marked)| stored.mark = marked.mark);
        }
        self.records = Some((lane.clone(), tables));
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<(), Fault> {
        self.handle.call("commit", Frailty::Write).await?;
        prove(&self.handle, &self.lease)?;
        let SimApply { handle, tables, displaced, records, .. } = *self;
        let mut random = handle.draw(0);
        let unknown = || Err(Fault::new(FaultKind::OutcomeUnknown, "commit the cut").on(Side::Target));
        let lost = handle.world().style.has(Hazard::LostCommit) && !handle.world().quiet && random.one_in(8);
        if lost && random.one_in(2) {
            handle.world().reached(Reached::LostRollback);
            handle.note(|| "the answer to COMMIT is lost; it did not happen".into());
            return unknown();
        }
        let (lane, records) = records.ok_or_else(|| Handle::unexpected("commit without records"))?;
        Commit { process: handle.process, tables, displaced, lane, records }.install(&mut handle.world());
        if !lost {
            return Ok(());
        }
        handle.world().reached(Reached::LostCommit);
        handle.note(|| "the answer to COMMIT is lost; it did happen".into());
        if handle.world().is_broken(Break::LostCommitDenied) {
            return Err(Fault::new(FaultKind::Unreachable, "commit the cut").on(Side::Target));
        }
        unknown()
    }

    async fn rollback(self: Box<Self>) -> Result<(), Fault> {
        Ok(())
    }
}
