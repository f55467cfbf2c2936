//! The control schema in memory, the definitions of tables, and the one place from which a process gets its connections.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::NaiveDateTime;
use leeward_core::alteration::{Alteration, Statement};
use leeward_core::brake::Acceptance;
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::fence::HeldBarrier;
use leeward_core::history::{Grain, Sample};
use leeward_core::lane::{LaneRecord, TableRecord};
use leeward_core::name::{Side, TableName};
use leeward_core::plan::Plan;
use leeward_core::port::{
    ChunkLoader, ChunkReader, ChunkRecord, Control, DefinerKept, Definition, Event, Indexes, Lease, LeaseAnswer,
    LeaseRecord, Records, RowsMeanwhile, Servers, Shape, Shapes, Source, TablePart, Target,
};
use leeward_core::survey::{ObjectFacts, SchemaFacts, Survey};
use leeward_core::table::Table;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, from_slice, from_value, to_value, to_vec};

use crate::breakage::Break;
use crate::coverage::Reached;
use crate::handle::Handle;
use crate::judge;
use crate::source::SimSource;
use crate::target::{SimTarget, prove};
use crate::world::Frailty;

/// The servers as one process reaches them.
pub(crate) struct SimServers(pub Handle);

impl SimServers {
    async fn connect(&self) -> Result<Handle, Fault> {
        self.0.call("connect", Frailty::Connection).await?;
        Ok(self.0.clone())
    }
}

#[async_trait]
impl Servers for SimServers {
    async fn source(&self) -> Result<Box<dyn Source>, Fault> {
        Ok(Box::new(SimSource::connect(self.connect().await?)))
    }

    async fn target(&self) -> Result<Box<dyn Target>, Fault> {
        Ok(Box::new(SimTarget::connect(self.connect().await?)))
    }

    async fn control(&self) -> Result<Box<dyn Control>, Fault> {
        Ok(Box::new(SimControl(self.connect().await?)))
    }

    async fn shapes(&self, _side: Side) -> Result<Box<dyn Shapes>, Fault> {
        Ok(Box::new(SimShapes(self.connect().await?)))
    }

    async fn shape(&self) -> Result<Box<dyn Shape>, Fault> {
        Ok(Box::new(SimShapes(self.connect().await?)))
    }

    async fn reader(&self) -> Result<Box<dyn ChunkReader>, Fault> {
        Err(Handle::unexpected("connect to seed"))
    }

    async fn loader(&self) -> Result<Box<dyn ChunkLoader>, Fault> {
        Err(Handle::unexpected("connect to seed"))
    }

    async fn view(&self, _side: Side) -> Result<Box<dyn Source>, Fault> {
        Err(Handle::unexpected("connect to verify"))
    }
}

/// A connection to the control schema.
struct SimControl(Handle);

/// Records outlive a process as text.
fn stored<T: Serialize + DeserializeOwned>(record: &T) -> Result<T, Fault> {
    let text = to_vec(record).map_err(|_| Handle::unexpected("write a record"))?;
    from_slice(&text).map_err(|_| Handle::unexpected("read a record"))
}

/// Returns a stored barrier without those who hold it.
fn forgotten(barrier: &HeldBarrier) -> Result<HeldBarrier, Fault> {
    let mut text = to_value(barrier).map_err(|_| Handle::unexpected("write a record"))?;
    text["held_by"] = Value::Array(Vec::new());
    from_value(text).map_err(|_| Handle::unexpected("read a record"))
}

#[async_trait]
impl Control for SimControl {
    async fn migrate(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    async fn exists(&mut self) -> Result<bool, Fault> {
        Ok(true)
    }

    async fn now(&mut self) -> Result<NaiveDateTime, Fault> {
        Ok(crate::row::time(self.0.world().clock.target()))
    }

    /// Grants it to whoever asks: processes ask only once the one before is gone or has stood still for too long.
    async fn acquire(&mut self, lane: &str, _holder: &str, _ttl_s: u64) -> Result<LeaseAnswer, Fault> {
        self.0.call("ask for the lease", Frailty::Connection).await?;
        let mut world = self.0.world();
        world.target.epoch += 1;
        Ok(LeaseAnswer::Granted(Lease { lane: lane.to_owned(), epoch: world.target.epoch }))
    }

    async fn renew(&mut self, lease: &Lease) -> Result<(), Fault> {
        prove(&self.0, lease)
    }

    async fn release(&mut self, _lease: &Lease) -> Result<(), Fault> {
        Ok(())
    }

    async fn store_plan(&mut self, lease: &Lease, plan: &Plan, records: Option<Records<'_>>) -> Result<(), Fault> {
        self.0.call("store the plan", Frailty::Write).await?;
        prove(&self.0, lease)?;
        let mut world = self.0.world();
        world.target.plan = plan.clone();
        if let Some((lane, tables, _)) = records {
            let tables: Vec<TableRecord> = tables.iter().map(|record| (*record).clone()).collect();
            judge::record(&mut world, lane, &tables);
        }
        Ok(())
    }

    async fn plan(&mut self, _lane: &str) -> Result<Option<Plan>, Fault> {
        self.0.call("read the plan", Frailty::Connection).await?;
        Ok(Some(self.0.world().target.plan.clone()))
    }

    async fn lane(&mut self, _lane: &str) -> Result<Option<LaneRecord>, Fault> {
        self.0.call("read the lane's record", Frailty::Connection).await?;
        let lane = self.0.world().target.lane.clone();
        let mut lane = lane.as_ref().map(stored).transpose()?;
        if let Some(barrier) = lane.as_mut().and_then(|lane| lane.barrier.as_mut()) {
            let mut world = self.0.world();
            world.reached(Reached::TakenUp);
            if world.is_broken(Break::HoldersForgotten) {
                *barrier = forgotten(barrier)?;
            }
        }
        Ok(lane)
    }

    async fn tables(&mut self, _lane: &str) -> Result<Vec<TableRecord>, Fault> {
        self.0.call("read the tables' records", Frailty::Connection).await?;
        let records = self.0.world().target.records.clone();
        records.iter().map(stored).collect()
    }

    async fn record(
        &mut self,
        lease: &Lease,
        lane: &LaneRecord,
        tables: &[&TableRecord],
        _events: &[Event],
    ) -> Result<(), Fault> {
        self.0.call("write records outside of a cycle", Frailty::Write).await?;
        prove(&self.0, lease)?;
        let tables: Vec<TableRecord> = tables.iter().map(|record| (*record).clone()).collect();
        judge::record(&mut self.0.world(), lane, &tables);
        Ok(())
    }

    async fn accept(&mut self, _lane: &str, _acceptance: &Acceptance) -> Result<bool, Fault> {
        Err(Handle::unexpected("accept: people of the model need no connection"))
    }

    async fn acceptances(&mut self, _lane: &str) -> Result<Vec<(NaiveDateTime, Acceptance)>, Fault> {
        self.0.call("read what people have agreed to", Frailty::Connection).await?;
        let world = self.0.world();
        let now = crate::row::time(world.clock.target());
        Ok(world.target.accepted.iter().map(|one| (now, one.clone())).collect())
    }

    async fn store_objects(&mut self, _schemas: &[String], _objects: &[ObjectFacts]) -> Result<(), Fault> {
        Ok(())
    }

    async fn objects(&mut self) -> Result<Vec<ObjectFacts>, Fault> {
        Ok(Vec::new())
    }

    async fn store_facts(&mut self, _name: &str, _body: &str) -> Result<(), Fault> {
        Ok(())
    }

    async fn facts(&mut self, _name: &str) -> Result<Option<(NaiveDateTime, String)>, Fault> {
        Ok(None)
    }

    async fn samples(&mut self, _lane: &str) -> Result<Vec<(Grain, Sample)>, Fault> {
        Ok(Vec::new())
    }

    async fn add_events(&mut self, _lane: &str, _events: &[Event]) -> Result<(), Fault> {
        Ok(())
    }

    async fn events(&mut self, _lane: &str, _rows_max: u32) -> Result<Vec<(NaiveDateTime, Event)>, Fault> {
        Ok(Vec::new())
    }

    async fn lease_holder(&mut self, _lane: &str) -> Result<Option<LeaseRecord>, Fault> {
        Ok(None)
    }

    async fn chunks(&mut self, _lane: &str) -> Result<Vec<ChunkRecord>, Fault> {
        Ok(Vec::new())
    }

    async fn add_chunks(&mut self, _lease: &Lease, _chunks: &[ChunkRecord]) -> Result<(), Fault> {
        Ok(())
    }
}

/// A connection that looks at definitions, which never change in the model.
struct SimShapes(Handle);

#[async_trait]
impl Shapes for SimShapes {
    async fn definitions(&mut self, _schemas: &[String]) -> Result<Arc<[Definition]>, Fault> {
        self.0.call("look at definitions", Frailty::Connection).await?;
        let world = self.0.world();
        let tables = world.target.plan.tables.iter();
        Ok(tables.map(|planned| Definition { table: planned.table.clone(), since: None }).collect())
    }

    async fn survey(&mut self, _tables: &[TableName]) -> Result<Survey, Fault> {
        Err(Handle::unexpected("survey: no table of the model is new or comes back"))
    }

    async fn describe(&mut self, tables: &[TableName]) -> Result<Vec<Table>, Fault> {
        let world = self.0.world();
        let wanted = world.target.plan.tables.iter().filter(|planned| tables.contains(planned.name()));
        Ok(wanted.map(|planned| planned.table.clone()).collect())
    }

    async fn table_ddl(&mut self, _tables: &[TableName]) -> Result<Vec<(TableName, String)>, Fault> {
        Ok(Vec::new())
    }
}

/// Nothing is shaped: the tables are there.
fn not_shaped<T>() -> Result<T, Fault> {
    Err(Fault::new(FaultKind::Unexpected, "shape the target"))
}

#[async_trait]
impl Shape for SimShapes {
    async fn existing(&mut self, tables: &[TableName]) -> Result<Vec<TableName>, Fault> {
        Ok(tables.to_vec())
    }

    async fn filled(&mut self, _tables: &[TableName]) -> Result<Vec<TableName>, Fault> {
        not_shaped()
    }

    async fn create_schemas(&mut self, _schemas: &[SchemaFacts]) -> Result<(), Fault> {
        not_shaped()
    }

    async fn create_table(&mut self, _name: &TableName, _source_ddl: &str, _indexes: Indexes) -> Result<(), Fault> {
        not_shaped()
    }

    async fn incomplete(&mut self, _tables: &[(&TableName, &str)], _part: TablePart) -> Result<Vec<TableName>, Fault> {
        not_shaped()
    }

    async fn complete_table(&mut self, _name: &TableName, _source_ddl: &str, _part: TablePart) -> Result<(), Fault> {
        not_shaped()
    }

    async fn alteration(
        &mut self,
        _name: &TableName,
        _source_ddl: &str,
        _alteration: &Alteration,
    ) -> Result<Vec<Statement>, Fault> {
        not_shaped()
    }

    async fn guard(&mut self, _lease: &Lease) -> Result<(), Fault> {
        not_shaped()
    }

    async fn alter(&mut self, _name: &TableName, _statement: &Statement, _rows: RowsMeanwhile) -> Result<(), Fault> {
        not_shaped()
    }

    async fn create_object(&mut self, _object: &ObjectFacts) -> Result<DefinerKept, Fault> {
        not_shaped()
    }
}
