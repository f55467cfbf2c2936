//! A cut as Leeward sees it: tables read one after the other in one view, with the world going on in between.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use leeward_core::digest::{Digest, KeyDigest, RowHash};
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::fence::Observation;
use leeward_core::name::{Side, TableName};
use leeward_core::plan::PlannedTable;
use leeward_core::port::{
    Border, Buckets, Cut, CutPart, CutRequest, Delta, DeltaStart, Look, Range, TakePart, TakeRows,
};
use leeward_core::row::{KeyCells, KeyRange, RowBatch};
use leeward_core::table::Table;

use crate::breakage::Break;
use crate::coverage::Reached;
use crate::database::Snapshot;
use crate::handle::Handle;
use crate::row::{self, Row, WIDTH};
use crate::shape::Kind;
use crate::source::{Watch, alive, wait_for};
use crate::trace::clock;
use crate::world::Frailty;

/// One open read view.
pub(crate) struct SimCut<'s> {
    /// Who holds it.
    pub handle: Handle,
    /// What it shows.
    pub snapshot: Arc<Snapshot>,
    /// The other connection.
    pub watch: &'s mut Watch,
}

impl Drop for SimCut<'_> {
    fn drop(&mut self) {
        let process = self.handle.process;
        self.handle.world().views.retain(|(of, _)| *of != process);
    }
}

impl SimCut<'_> {
    /// Opens a table in the view, which holds its metadata lock to the view's end.
    async fn open(&self, planned: &PlannedTable) -> Result<usize, Fault> {
        let table = wait_for(&self.handle, planned).await?;
        alive(&self.handle, self.watch.generation)?;
        let mut world = self.handle.world();
        if world.database.tables[table].truncated > self.snapshot.seq {
            world.reached(Reached::ClearedCut);
            return Err(Fault::new(FaultKind::TableChanged, "read a cut").on(Side::Source).of(planned.name()));
        }
        for (process, read) in &mut world.views {
            if *process == self.handle.process {
                *read |= 1 << table;
            }
        }
        Ok(table)
    }

    async fn rows_of(&self, planned: &PlannedTable) -> Result<Arc<Vec<Row>>, Fault> {
        let table = self.open(planned).await?;
        if self.handle.world().is_broken(Break::ViewPerTable) {
            return Ok(self.handle.world().database.tables[table].rows.clone());
        }
        Ok(self.snapshot.tables[table].clone())
    }

    /// Answers a request in order.
    pub(crate) async fn answer(&mut self, request: &CutRequest<'_>, take: &mut dyn TakePart) -> Result<(), Fault> {
        for (at, delta) in request.deltas.iter().enumerate() {
            match self.rows_of(delta.table).await {
                Ok(rows) => self.answer_delta((at, delta), &rows, take).await?,
                Err(fault) if fault.kind == FaultKind::Unreachable => return Err(fault),
                Err(fault) => take.take(CutPart::Failed { delta: at, fault }).await?,
            }
        }
        for (at, border) in request.borders.iter().enumerate() {
            let part = match self.border(border).await {
                Ok(upto) => CutPart::BorderAt { border: at, upto },
                Err(fault) if fault.kind == FaultKind::Unreachable => return Err(fault),
                Err(fault) => CutPart::BorderFailed { border: at, fault },
            };
            take.take(part).await?;
        }
        if !request.described.is_empty() {
            take.take(CutPart::Described(self.defined(&request.described))).await?;
        }
        Ok(())
    }

    /// Describes tables, which never change in the model.
    fn defined(&self, tables: &[&TableName]) -> Vec<Table> {
        let world = self.handle.world();
        let wanted = world.target.plan.tables.iter().filter(|planned| tables.contains(&planned.name()));
        wanted.map(|planned| planned.table.clone()).collect()
    }

    async fn answer_delta(
        &self,
        (at, delta): (usize, &Delta<'_>),
        rows: &[Row],
        take: &mut dyn TakePart,
    ) -> Result<(), Fault> {
        let strict = self.handle.world().is_broken(Break::TiesLost);
        let wanted = window(rows, delta, strict);
        self.handle.note(|| {
            let ids: Vec<_> = wanted.iter().map(|row| format!("{}:v{}", row.id, row.version)).collect();
            format!("reads {} from {}: {}", delta.table.name(), start(&delta.from), ids.join(" "))
        });
        let at_once = 1 + self.handle.draw(3 + at as u32).below(3) as usize;
        for some in wanted.chunks(at_once) {
            take.take(CutPart::Rows { delta: at, rows: batch(some) }).await?;
        }
        take.take(CutPart::Complete { delta: at, rows: wanted.len() as u64 }).await
    }
}

/// Returns the rows that a delta asks for, in mark order.
fn window(rows: &[Row], delta: &Delta<'_>, strict: bool) -> Vec<Row> {
    let by_id = Kind::of(delta.table) == Kind::Append;
    let wanted = |row: &&Row| match &delta.from {
        DeltaStart::Beginning => true,
        DeltaStart::Clock(at) if strict => row.at > row::micros(*at),
        DeltaStart::Clock(at) => row.at >= row::micros(*at),
        DeltaStart::AfterId(id) => u64::from(row.id) > *id,
        DeltaStart::AfterRow { clock, .. } if strict => row.at > row::stamp_of(clock),
        DeltaStart::AfterRow { clock, key } => (row.at, row.id) > (row::stamp_of(clock), row::id(key)),
    };
    let mut wanted: Vec<Row> = rows.iter().filter(wanted).copied().collect();
    if !by_id {
        wanted.sort_by_key(|row| (row.at, row.id));
    }
    wanted.truncate(delta.rows_max as usize);
    wanted
}

fn start(from: &DeltaStart) -> String {
    match from {
        DeltaStart::Beginning => "the beginning".into(),
        DeltaStart::Clock(at) => clock(row::micros(*at)),
        DeltaStart::AfterId(id) => format!("after {id}"),
        DeltaStart::AfterRow { clock: stamp, key } => {
            format!("after {} of {}", row::id(key), clock(row::stamp_of(stamp)))
        }
    }
}

/// Returns rows as a server would send them.
fn batch(rows: &[Row]) -> RowBatch {
    let mut batch = RowBatch::new(WIDTH);
    rows.iter().for_each(|row| row::push(&mut batch, row));
    batch
}

#[async_trait]
impl Cut for SimCut<'_> {
    async fn read(&mut self, request: &CutRequest<'_>, take: &mut dyn TakePart) -> Result<(), Fault> {
        self.handle.call("read a cut once more", Frailty::Connection).await?;
        self.handle.world().reached(Reached::ReadAgain);
        self.answer(request, take).await
    }

    async fn observe(&mut self, probes: &[&PlannedTable], _look: Look) -> Result<Option<Observation>, Fault> {
        self.handle.world().reached(Reached::RestedCut);
        if self.handle.world().is_broken(Break::LookAfterLeftOut) {
            return Ok(self.watch.before.clone());
        }
        self.watch.look(probes).await
    }

    async fn digests(&mut self, ranges: &[Range<'_>]) -> Result<Vec<Result<Digest, Fault>>, Fault> {
        self.handle.call("digest ranges of the source", Frailty::Connection).await?;
        let blind = self.handle.world().is_broken(Break::DigestsBlind);
        let mut digests = Vec::with_capacity(ranges.len());
        for range in ranges {
            digests.push(match self.rows_of(range.table).await {
                Err(fault) if fault.kind == FaultKind::Unreachable => return Err(fault),
                Ok(_) if blind => Ok(Digest::default()),
                rows => rows.map(|rows| row::digest(row::in_range(&rows, &range.keys))),
            });
        }
        Ok(digests)
    }

    async fn key_digests(&mut self, ranges: &[Range<'_>]) -> Result<Vec<Result<KeyDigest, Fault>>, Fault> {
        self.handle.call("count keys of the source", Frailty::Connection).await?;
        let blind = self.handle.world().is_broken(Break::KeysBlind);
        let mut digests = Vec::with_capacity(ranges.len());
        for range in ranges {
            digests.push(match self.rows_of(range.table).await {
                Err(fault) if fault.kind == FaultKind::Unreachable => return Err(fault),
                Ok(_) if blind => Ok(KeyDigest::default()),
                rows => rows.map(|rows| row::key_digest(row::in_range(&rows, &range.keys))),
            });
        }
        Ok(digests)
    }

    async fn key_buckets(&mut self, range: &Range<'_>, of: u64) -> Result<BTreeMap<u64, KeyDigest>, Fault> {
        self.handle.call("count keys of the source in buckets", Frailty::Connection).await?;
        let rows = self.rows_of(range.table).await?;
        Ok(row::key_buckets(row::in_range(&rows, &range.keys), of))
    }

    async fn keys(&mut self, range: &Range<'_>, buckets: &Buckets) -> Result<Vec<KeyCells>, Fault> {
        self.handle.call("list keys of the source", Frailty::Connection).await?;
        let rows = self.rows_of(range.table).await?;
        Ok(row::keys(row::in_range(&rows, &range.keys), buckets))
    }

    async fn row_hashes(&mut self, range: &Range<'_>) -> Result<Vec<RowHash>, Fault> {
        self.handle.call("hash rows of the source", Frailty::Connection).await?;
        let rows = self.rows_of(range.table).await?;
        Ok(row::row_hashes(row::in_range(&rows, &range.keys)))
    }

    async fn row_hashes_of(&mut self, table: &PlannedTable, keys: &[KeyCells]) -> Result<Vec<RowHash>, Fault> {
        let wanted: Vec<u32> = keys.iter().map(row::id).collect();
        let rows = self.rows_of(table).await?;
        let rows: Vec<Row> = rows.iter().filter(|row| wanted.contains(&row.id)).copied().collect();
        Ok(row::row_hashes(&rows))
    }

    async fn border(&mut self, border: &Border<'_>) -> Result<Option<KeyCells>, Fault> {
        let rows = self.rows_of(border.table).await?;
        let after = KeyRange { after: border.after.clone(), upto: None };
        let rest = row::in_range(&rows, &after);
        Ok(rest.get(border.rows.max(1) as usize - 1).map(|row| row::key(row.id)))
    }

    async fn rows(&mut self, table: &PlannedTable, keys: &[KeyCells], take: &mut dyn TakeRows) -> Result<(), Fault> {
        self.handle.call("fetch rows of the source", Frailty::Connection).await?;
        let wanted: Vec<u32> = keys.iter().map(row::id).collect();
        let rows = self.rows_of(table).await?;
        let rows: Vec<Row> = rows.iter().filter(|row| wanted.contains(&row.id)).copied().collect();
        take.take(batch(&rows)).await
    }

    async fn all_rows(&mut self, _table: &PlannedTable, _rows_max: u64, _take: &mut dyn TakeRows) -> Result<(), Fault> {
        Err(Handle::unexpected("fetch a whole table: every table of the model has a key"))
    }

    async fn describe(&mut self, tables: &[&TableName]) -> Result<Vec<Table>, Fault> {
        self.handle.call("describe tables in a cut", Frailty::Connection).await?;
        Ok(self.defined(tables))
    }

    async fn close(self: Box<Self>) -> Result<(), Fault> {
        self.handle.call("close the cut", Frailty::Connection).await?;
        alive(&self.handle, self.watch.generation)
    }
}
