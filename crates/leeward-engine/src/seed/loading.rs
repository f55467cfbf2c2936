//! What a load does otherwise than a seed: it has no source to note marks of and to be compared with. It ends when every chunk
//! is there; the tables are then as one that is to be caught up.

use std::collections::{BTreeMap, HashSet};

use leeward_core::dump::DumpId;
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::lane::{LaneState, TableRecord, TableState};
use leeward_core::name::{Side, TableName};
use leeward_core::plan::Plan;
use leeward_core::port::{Control, Event, Lease, Shape};
use leeward_core::survey::ObjectFacts;

use super::{Loaded, Seed};

const DOING: &str = "load a dump";

fn refuse(why: String) -> Fault {
    Fault::new(FaultKind::Refused(why), DOING).on(Side::Target)
}

/// Under which name it is written down which dump is loaded.
fn fact(lane: &str) -> String {
    format!("load {lane}")
}

/// What is on the target of the tables that are to be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    /// Nothing that counts.
    Nothing,
    /// Records of tables that have all been dropped since.
    RecordsAlone,
    /// A load of the same dump that was not finished.
    SameLoad,
}

/// Looks what an earlier run has left, and refuses what a load cannot go on with, before anything is changed.
pub(super) async fn look(
    shape: &mut dyn Shape,
    control: &mut dyn Control,
    plan: &Plan,
    loaded: &Loaded,
) -> Result<Before, Fault> {
    if !control.exists().await? {
        return Ok(Before::Nothing);
    }
    let lane = &plan.settings.lane;
    let records = control.tables(lane).await?;
    let begun: Vec<&TableRecord> = records.iter().filter(|record| record.state != TableState::Planned).collect();
    if begun.is_empty() {
        return Ok(Before::Nothing);
    }
    let names: Vec<TableName> = plan.tables.iter().map(|table| table.name().clone()).collect();
    let existing: HashSet<TableName> = shape.existing(&names).await?.into_iter().collect();
    if existing.is_empty() {
        return Ok(Before::RecordsAlone);
    }
    let done = |record: &&&TableRecord| record.state != TableState::Seeding && existing.contains(&record.name);
    if let Some(record) = begun.iter().find(done) {
        let name = &record.name;
        return Err(refuse(format!(
            "lane {lane} is on the target already: {name} has been seeded or loaded before. Nothing was changed. Drop its \
             tables to load them anew, or give another target"
        )));
    }
    let stored = control.facts(&fact(lane)).await?.map(|(_, dump)| dump);
    let ours = serde_json::to_string(&loaded.dump).unwrap_or_default();
    if stored.as_ref() != Some(&ours) {
        let other = stored.map_or("a seed".to_owned(), |other| format!("the load of dump {}", other.trim_matches('"')));
        return Err(refuse(format!(
            "{other} was begun in lane {lane} and not finished. Nothing was changed. Finish it, or drop its tables"
        )));
    }
    let chunks = control.chunks(lane).await?;
    let dropped = chunks.iter().find(|chunk| chunk.done && !existing.contains(&chunk.table));
    match dropped {
        None => Ok(Before::SameLoad),
        Some(chunk) => Err(refuse(format!(
            "{} was dropped after a part of it had been loaded. Nothing was changed. Drop all tables of the dump to begin anew",
            chunk.table
        ))),
    }
}

/// Makes the control schema ready for the load. What is written down of tables that are gone would let chunks be taken for
/// loaded.
pub(super) async fn prepare(
    control: &mut dyn Control,
    (lease, before): (&Lease, Before),
    loaded: &Loaded,
) -> Result<(), Fault> {
    if before == Before::RecordsAlone {
        control.forget(lease).await?;
    }
    let dump: &DumpId = &loaded.dump;
    control.store_facts(&fact(&lease.lane), &serde_json::to_string(dump).unwrap_or_default()).await
}

impl Seed<'_> {
    /// Writes down that tables are being loaded, before the first is created.
    pub(super) async fn begin_load(&mut self) -> Result<(), Fault> {
        let fresh: Vec<usize> = (0..self.lane.tables.len())
            .filter(|&at| self.lane.tables[at].record.state == TableState::Planned)
            .collect();
        if fresh.is_empty() {
            return Ok(());
        }
        for &at in &fresh {
            self.lane.tables[at].record.state = TableState::Seeding;
        }
        self.lane.record.state = LaneState::Seeding;
        let records: Vec<&TableRecord> = fresh.iter().map(|&at| &self.lane.tables[at].record).collect();
        let text = format!("load of {} tables began", fresh.len());
        let event = Event { kind: "lane_state".into(), table: None, text };
        self.servers.control().await?.record(&self.lease, &self.lane.record, &records, &[event]).await
    }

    /// Proves by what is written down that every row of the dump is there, and ends the load.
    pub(super) async fn end_load(&mut self, loaded: &Loaded) -> Result<(), Fault> {
        let mut control = self.servers.control().await?;
        let mut rows = BTreeMap::<TableName, u64>::new();
        for chunk in control.chunks(&self.lease.lane).await?.into_iter().filter(|chunk| chunk.done) {
            *rows.entry(chunk.table).or_default() += chunk.rows;
        }
        for at in self.seeding() {
            let name = self.lane.tables[at].planned.name();
            if rows.get(name) != loaded.rows.get(name) {
                return Err(Fault::new(FaultKind::Unexpected, "count the rows that were loaded").of(name));
            }
        }
        if loaded.alone.is_some() {
            return control.forget(&self.lease).await;
        }
        for at in self.seeding() {
            self.lane.tables[at].record.state = TableState::CatchingUp;
        }
        self.lane.record.state = LaneState::CatchingUp;
        self.store_records().await
    }

    /// Says what of one table alone is not restored with it.
    pub(super) fn note_what_stays_behind(&mut self, objects: &[ObjectFacts]) {
        let staged = objects.iter().filter(|object| !crate::objects::is_seeded(object)).count();
        if staged > 0 {
            let text = format!(
                "{staged} triggers and events are written down in leeward.object, and not made: they would run at once"
            );
            self.report.notes.push(text);
        }
    }
}
