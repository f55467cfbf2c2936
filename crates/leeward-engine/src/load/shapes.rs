//! The definitions that a dump holds, where a seed asks the source.

use std::sync::Arc;

use async_trait::async_trait;
use leeward_core::dump::Manifest;
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::name::TableName;
use leeward_core::port::{Definition, Shapes};
use leeward_core::survey::Survey;
use leeward_core::table::Table;

pub(super) struct DumpShapes(pub(super) Arc<Manifest>);

fn not_asked() -> Fault {
    Fault::new(FaultKind::Unexpected, "ask a dump what only a server knows")
}

#[async_trait]
impl Shapes for DumpShapes {
    async fn definitions(&mut self, _schemas: &[String]) -> Result<Arc<[Definition]>, Fault> {
        Err(not_asked())
    }

    async fn survey(&mut self, _tables: &[TableName]) -> Result<Survey, Fault> {
        Err(not_asked())
    }

    async fn describe(&mut self, tables: &[TableName]) -> Result<Vec<Table>, Fault> {
        let planned = self.0.plan.tables.iter().map(|planned| &planned.table);
        Ok(planned.filter(|table| tables.contains(&table.name)).cloned().collect())
    }

    async fn table_ddl(&mut self, tables: &[TableName]) -> Result<Vec<(TableName, String)>, Fault> {
        let ddl = |name: &TableName| Some((name.clone(), self.0.table(name)?.ddl.clone()));
        Ok(tables.iter().filter_map(ddl).collect())
    }
}
