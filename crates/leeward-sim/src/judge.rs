//! The promises, checked at every commit on the target against what the source really had.
//!
//! What a target may differ in is modelled exactly. A row may be *extra* only if it was deleted on the source after its
//! range was last compared. A row may be *old or missing* only if every write that it lacks went behind the clock, or
//! against the table's class, after its range was last compared.

mod compared;
mod reach;
mod rows;

use std::sync::Arc;

use leeward_core::lane::{LaneRecord, LaneState, TableRecord, TableState};
use leeward_core::mark::Mark;

use crate::database::{Seq, Snapshot};
use crate::row::{self, Row};
use crate::world::World;
use compared::Looked;
use reach::{count, count_states};
use rows::Bench;

/// What has been promised so far.
#[derive(Debug)]
pub(crate) struct Judge {
    /// Content that was compared.
    content: Looked,
    /// Keys that were counted.
    keys: Looked,
    /// The cut of the last commit.
    cut: Seq,
    /// The open cut of each process.
    open: Vec<(u32, Arc<Snapshot>)>,
}

impl Judge {
    /// Makes a judge who has seen nothing.
    pub(crate) fn new(tables: usize) -> Judge {
        Judge { content: Looked::new(tables), keys: Looked::new(tables), cut: 0, open: Vec::new() }
    }

    /// Notes that both sides are equal from the start.
    pub(crate) fn copied(&mut self, seq: Seq) {
        self.content.copied(seq);
        self.keys.copied(seq);
    }

    /// Notes the cut that a process has opened.
    pub(crate) fn opened(&mut self, process: u32, snapshot: &Arc<Snapshot>) {
        self.open.retain(|(of, _)| *of != process);
        self.open.push((process, snapshot.clone()));
    }

    /// Returns whether every table has been compared whole at a cut from `since` on.
    pub(crate) fn compared_since(&self, since: Seq) -> bool {
        self.content.ended.iter().all(|ended| ended.is_some_and(|ended| ended >= since))
    }
}

/// What one transaction commits on the target.
pub(crate) struct Commit {
    /// Who commits.
    pub process: u32,
    /// All rows afterwards.
    pub tables: Vec<Vec<Row>>,
    /// Rows taken out for a unique value, by table and key.
    pub displaced: Vec<(usize, u32)>,
    /// The lane's record.
    pub lane: LaneRecord,
    /// The records that were written.
    pub records: Vec<TableRecord>,
}

impl Commit {
    /// Commits, and holds every promise against it.
    pub(crate) fn install(self, world: &mut World) {
        let open = world.judge.open.iter().find(|(of, _)| *of == self.process);
        let Some(snapshot) = open.map(|(_, snapshot)| snapshot.clone()) else {
            return world.breaks("a cycle was committed without a cut".into());
        };
        let records = world.target.with(&self.records);
        let verdict = check_order(world, &self.lane, &snapshot)
            .and_then(|()| {
                (0..records.len()).try_for_each(|at| self.check_record(world, (at, &records[at]), &snapshot))
            })
            .and_then(|()| {
                let bench = Bench { world, snapshot: &snapshot, rows: &self.tables };
                records.iter().enumerate().try_for_each(|(at, record)| bench.check_table(at, record, &self.lane))
            });
        if let Err(promise) = verdict {
            world.breaks(promise);
        }
        count(world, &self.lane, &records);
        let process = self.process;
        let text = format!("commits cycle {} of cut #{}: {:?}", self.lane.cycle, snapshot.seq, self.lane.state);
        world.note(|| format!("Leeward {process}: {text}; {}", marks(&records)));
        world.judge.cut = snapshot.seq;
        world.target.tables = self.tables;
        store(world, records);
        world.target.lane = Some(self.lane);
    }

    fn check_record(
        &self,
        world: &mut World,
        (table, new): (usize, &TableRecord),
        snapshot: &Snapshot,
    ) -> Result<(), String> {
        advances(world, table, (world.target.records[table].mark, new.mark))?;
        self.check_compared(world, (table, new), snapshot)
    }
}

/// Holds records that are written outside of a cycle against those that are stored.
pub(crate) fn record(world: &mut World, lane: &LaneRecord, written: &[TableRecord]) {
    let records = world.target.with(written);
    let moves = world.target.records.iter().zip(&records).map(|(old, new)| (old.mark, new.mark));
    let mut verdict = moves.enumerate().try_for_each(|(table, moves)| advances(world, table, moves));
    let stored = world.target.lane.as_ref().map_or(0, |lane| lane.cycle);
    if lane.cycle != stored {
        verdict = Err(format!("a record of cycle {} was written over one of cycle {stored}", lane.cycle));
    }
    if let Err(promise) = verdict {
        world.breaks(promise);
    }
    count_states(world, &records);
    world.note(|| format!("writes records outside of a cycle: {:?}; {}", lane.state, marks(&records)));
    store(world, records);
    world.target.lane = Some(lane.clone());
}

/// Stores records. From each new mark on it counts how low the ids fall.
fn store(world: &mut World, records: Vec<TableRecord>) {
    for (table, new) in records.iter().enumerate() {
        if new.mark != world.target.records[table].mark {
            let data = &mut world.database.tables[table];
            data.head_min = u32::MAX;
            data.note_head();
        }
    }
    world.target.records = records;
}

/// A mark never moves backwards, unless ids begin again below it or the clock was set back.
fn advances(world: &World, table: usize, (old, new): (Mark, Mark)) -> Result<(), String> {
    let head_min = u64::from(world.database.tables[table].head_min);
    let again = matches!((old, new), (Mark::Id { settled: old }, Mark::Id { settled: new })
        if head_min < old && head_min <= new);
    let set_back = world.set_back > 0 && matches!((old, new), (Mark::Clock { .. }, Mark::Clock { .. }));
    match again || set_back || old.advanced_to(new) == new {
        true => Ok(()),
        false => {
            let name = &world.target.records[table].name.table;
            Err(format!("the mark of {name} moved back from {old:?} to {new:?}"))
        }
    }
}

/// Cycles and cuts follow each other, and none claims a commit that it does not show.
fn check_order(world: &World, lane: &LaneRecord, snapshot: &Snapshot) -> Result<(), String> {
    let stored = world.target.lane.as_ref().map_or(0, |lane| lane.cycle);
    if lane.cycle != stored + 1 {
        return Err(format!("cycle {} was committed over cycle {stored}", lane.cycle));
    }
    if snapshot.seq < world.judge.cut {
        return Err(format!("cut #{} was committed over cut #{}", snapshot.seq, world.judge.cut));
    }
    let later = &world.database.commits[snapshot.seq as usize..];
    let cut_at = lane.cut_at.filter(|_| lane.state == LaneState::Live).map(row::micros);
    match cut_at.filter(|_| !world.clock_stepped).and_then(|cut_at| later.iter().find(|at| **at < cut_at)) {
        Some(at) => Err(format!(
            "the cut claims {} and lacks a commit of {}",
            cut_at.map(crate::trace::clock).unwrap_or_default(),
            crate::trace::clock(*at)
        )),
        None => Ok(()),
    }
}

fn marks(records: &[TableRecord]) -> String {
    let mark = |record: &TableRecord| {
        let mark = match record.mark {
            Mark::None => "no mark".into(),
            Mark::Clock { settled } => crate::trace::clock(row::micros(settled)),
            Mark::Id { settled } => settled.to_string(),
        };
        let state = match &record.state {
            TableState::Quarantined { cause, .. } => format!("{cause:?}"),
            state => format!("{state:?}"),
        };
        format!("{} {state} {mark}", record.name.table)
    };
    records.iter().map(mark).collect::<Vec<_>>().join(", ")
}

/// Holds both sides against each other when everything has come to rest.
pub(crate) fn at_rest(world: &mut World) {
    for table in 0..world.target.tables.len() {
        if world.target.tables[table] != *world.database.tables[table].rows {
            let name = &world.target.records[table].name.table;
            let promise = format!("{name} differs when everything has come to rest");
            world.breaks(promise);
            return;
        }
    }
}
