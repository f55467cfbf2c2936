//! The tables of a seed: made before the rows, completed after them, over several connections at once. What is there and
//! what is lacking is asked for all of them together.

use std::collections::{BTreeMap, HashSet};

use futures_util::future::join_all;
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::lane::TableState;
use leeward_core::name::{Side, TableName};
use leeward_core::port::{Indexes, KeyBeside, Servers, Shape, TablePart};

use super::{Seed, refusal};
use crate::copy;
use crate::patience::Patience;

/// The source's DDL of the tables that are being seeded.
pub(super) type Ddl = BTreeMap<TableName, String>;

/// What is done to one table.
#[derive(Clone, Copy)]
enum Task {
    Create(Indexes),
    Complete(TablePart),
}

/// A table by its place in the lane, with the source's DDL and what is to be done.
type Order<'d> = (usize, &'d str, Task);

/// Reads the source's DDL of tables, as far as they exist.
pub(super) async fn read_ddl(servers: &dyn Servers, tables: &[TableName]) -> Result<Ddl, Fault> {
    if tables.is_empty() {
        return Ok(Ddl::new());
    }
    let ddl = servers.shapes(Side::Source).await?.table_ddl(tables).await?;
    Ok(ddl.into_iter().collect())
}

impl Seed<'_> {
    /// Returns the tables that are seeded once their marks are noted: all that are not there, or there by our own doing.
    pub(super) fn to_be_seeded(&self, existing: &[TableName]) -> Vec<TableName> {
        let fresh = |name: &TableName| !existing.contains(name);
        let tables = self.lane.tables.iter().filter(|table| match table.record.state {
            TableState::Planned => fresh(table.planned.name()),
            TableState::Seeding => true,
            _ => false,
        });
        tables.map(|table| table.planned.name().clone()).collect()
    }

    /// Creates what is missing.
    pub(super) async fn create_tables(&mut self, shape: &mut dyn Shape, ddl: &Ddl) -> Result<(), Fault> {
        self.phase("creating databases and tables");
        let names: Vec<TableName> = self.seeding().into_iter().map(|at| self.name(at).clone()).collect();
        shape.create_schemas(&self.lane.plan.schemas).await?;
        let existing = shape.existing(&names).await?;
        self.refuse_rows_not_ours(shape, &existing).await?;
        let existing: HashSet<TableName> = existing.into_iter().collect();
        let mut orders = Vec::new();
        for at in self.seeding() {
            let name = self.name(at);
            match ddl.get(name) {
                Some(_) if existing.contains(name) => {}
                Some(text) => {
                    let indexes = match copy::is_small(&self.lane.tables[at].planned) {
                        true => Indexes::WithTable,
                        false => Indexes::AfterRows,
                    };
                    orders.push((at, text.as_str(), Task::Create(indexes)));
                }
                None => {
                    let missing = Fault::new(FaultKind::TableMissing, "read its definition").of(name);
                    self.quarantine(at, missing)?;
                }
            }
        }
        for (at, fault) in self.carry_out(&orders).await? {
            self.quarantine(at, fault)?;
        }
        Ok(())
    }

    /// A table that Leeward has created holds rows only where a chunk was committed. One that holds others was there
    /// before, where the first run could not see it for want of a privilege.
    async fn refuse_rows_not_ours(&self, shape: &mut dyn Shape, existing: &[TableName]) -> Result<(), Fault> {
        if existing.is_empty() {
            return Ok(());
        }
        let chunks = self.servers.control().await?.chunks(&self.lane.plan.settings.lane).await?;
        let loaded: HashSet<&TableName> = chunks.iter().filter(|chunk| chunk.done).map(|chunk| &chunk.table).collect();
        let empty: Vec<TableName> = existing.iter().filter(|name| !loaded.contains(name)).cloned().collect();
        let foreign = shape.filled(&empty).await?;
        if foreign.is_empty() { Ok(()) } else { Err(refusal(&foreign, &self.options.until)) }
    }

    /// Adds what was left for after the rows, several tables at once. A foreign key that cannot be added is a note: the
    /// rows are right without it.
    pub(super) async fn finish_tables(&mut self, ddl: &Ddl, part: TablePart, phase: &str) -> Result<(), Fault> {
        let seeding = self.seeding();
        if seeding.is_empty() {
            return Ok(());
        }
        self.phase(phase);
        let of_table = |at: &usize| Some((*at, ddl.get(self.name(*at))?.as_str()));
        let tables: Vec<(usize, &str)> = seeding.iter().filter_map(of_table).collect();
        let lacking = self.lacking(&tables, part).await?;
        let orders: Vec<Order<'_>> = tables
            .iter()
            .filter(|(at, _)| lacking.contains(self.name(*at)))
            .map(|(at, text)| (*at, *text, Task::Complete(part)))
            .collect();
        for (at, fault) in self.carry_out(&orders).await? {
            match part {
                TablePart::Indexes => self.quarantine(at, fault)?,
                TablePart::ForeignKeys => self.report.notes.push(format!("foreign keys not added: {fault}")),
            }
        }
        Ok(())
    }

    /// Gives a table that was restored beside the one it was its foreign keys, and says what has become of them: whoever restores
    /// a table must know what holds its rows.
    pub(super) async fn foreign_keys_beside(&mut self, ddl: &Ddl, was: &TableName) -> Result<(), Fault> {
        self.phase("adding foreign keys");
        for at in self.seeding() {
            let name = self.name(at).clone();
            let Some(text) = ddl.get(&name) else { continue };
            let mut patience = Patience::new(self.tell, self.stop);
            let added = loop {
                let mut shape = self.connect_shape(&mut patience).await?;
                let fault = match shape.foreign_keys_beside(&name, was, text).await {
                    Ok(keys) => break notes(keys),
                    Err(fault) => fault,
                };
                match crate::apply::table_fault(fault.of(&name)) {
                    Ok(fault) => break vec![format!("foreign keys not added: {fault}")],
                    Err(fault) => patience.wait(fault).await?,
                }
            };
            self.report.notes.extend(added);
        }
        Ok(())
    }

    /// Returns which tables lack something of a part.
    async fn lacking(&self, tables: &[(usize, &str)], part: TablePart) -> Result<HashSet<TableName>, Fault> {
        let named: Vec<(&TableName, &str)> = tables.iter().map(|(at, text)| (self.name(*at), *text)).collect();
        let mut patience = Patience::new(self.tell, self.stop);
        loop {
            let mut shape = self.connect_shape(&mut patience).await?;
            match shape.incomplete(&named, part).await {
                Ok(lacking) => return Ok(lacking.into_iter().collect()),
                Err(fault) => patience.wait(fault).await?,
            }
        }
    }

    fn name(&self, at: usize) -> &TableName {
        self.lane.tables[at].planned.name()
    }

    async fn connect_shape(&self, patience: &mut Patience<'_>) -> Result<Box<dyn Shape>, Fault> {
        loop {
            match self.servers.shape().await {
                Ok(shape) => return Ok(shape),
                Err(fault) => patience.wait(fault).await?,
            }
        }
    }

    /// Does what is to be done to tables, over as many connections as chunks are copied at once. Returns the tables that it
    /// failed for.
    async fn carry_out(&self, orders: &[Order<'_>]) -> Result<Vec<(usize, Fault)>, Fault> {
        let share = orders.len().div_ceil(self.options.parallel(&self.lane.plan)).max(1);
        let mut failed = Vec::new();
        for faults in join_all(orders.chunks(share).map(|some| self.carry_out_some(some))).await {
            failed.extend(faults?);
        }
        if self.stop.is_cancelled() && !orders.is_empty() {
            return Err(Fault::new(FaultKind::Stopped, "make the tables"));
        }
        Ok(failed)
    }

    async fn carry_out_some(&self, orders: &[Order<'_>]) -> Result<Vec<(usize, Fault)>, Fault> {
        let mut shape = self.connect_shape(&mut Patience::new(self.tell, self.stop)).await?;
        let mut failed = Vec::new();
        for &(at, ddl, task) in orders {
            if self.stop.is_cancelled() {
                break;
            }
            let name = self.name(at);
            let mut patience = Patience::new(self.tell, self.stop);
            loop {
                let done = match task {
                    Task::Create(indexes) => shape.create_table(name, ddl, indexes).await,
                    Task::Complete(part) => shape.complete_table(name, ddl, part).await,
                };
                let Err(fault) = done else { break };
                match (crate::apply::table_fault(fault.of(name)), task) {
                    (Ok(fault), _) => {
                        failed.push((at, fault));
                        break;
                    }
                    // A table that is there at the next try need not be ours.
                    (Err(fault), Task::Create(_)) => return Err(fault),
                    // What a broken connection left unfinished is found and added by the next try.
                    (Err(fault), Task::Complete(_)) => patience.wait(fault).await?,
                }
                shape = self.connect_shape(&mut patience).await?;
            }
        }
        Ok(failed)
    }
}

/// Says what has become of foreign keys.
fn notes(keys: Vec<KeyBeside>) -> Vec<String> {
    let note = |KeyBeside { was, parent, now }: KeyBeside| match now {
        Some(now) => {
            format!("foreign key {was} is called {now} here: it refers to {parent}, and no row was checked against it")
        }
        None => format!("foreign key {was} was left out: {parent}, to which it refers, is not on the target"),
    };
    keys.into_iter().map(note).collect()
}
