//! What a running lane has done beside its cycles: when which errand begins, and what its outcome means for the lane.

use std::time::Duration;

use leeward_core::fault::{Decision, Fault, FaultKind};
use leeward_core::fence::Observation;
use leeward_core::lane::{JoinsFrom, TableState};
use leeward_core::name::TableName;
use leeward_core::plan::PlannedTable;
use leeward_core::port::Event;
use tracing::{info, warn};

use super::Service;
use crate::clock;
use crate::errand::{Done, Errands, Filled};

/// How long after new tables could not be filled the next try is made.
const FILL_AGAIN_AFTER: Duration = Duration::from_secs(10);

impl<'a> Service<'a> {
    /// Begins what is due and not under way.
    pub(super) fn begin_errands(&mut self, errands: &mut Errands<'a>) {
        if !errands.is_altering()
            && let Some(alter) = self.memory.next_alter(&self.lane)
        {
            self.memory.altering = Some(alter.table.clone());
            errands.alter(self.servers, self.lease, alter);
        }
        if errands.is_filling() || self.fill_again.is_some_and(|again| clock::now() < again) {
            return;
        }
        let (planned, seeding) = (self.in_state(&TableState::Planned), self.in_state(&TableState::Seeding));
        if !planned.is_empty() {
            errands.note(self.servers, self.lane.plan.fence.clone(), planned);
        } else if !seeding.is_empty() {
            let (settings, budget) = (self.lane.plan.settings.seed.clone(), self.lane.budget.clone());
            errands.fill(self.servers, self.lease, (settings, budget, seeding));
        }
    }

    fn in_state(&self, state: &TableState) -> Vec<PlannedTable> {
        let tables = self.lane.tables.iter().filter(|table| table.record.state == *state);
        tables.map(|table| table.planned.clone()).collect()
    }

    /// Returns whether nothing is under way, or would be, that would change what the target holds.
    pub(super) fn is_settled(&self, errands: &Errands<'_>) -> bool {
        let filling =
            !self.in_state(&TableState::Planned).is_empty() || !self.in_state(&TableState::Seeding).is_empty();
        let newcomers = self.memory.awaits_newcomers();
        self.lane.all_live() && !errands.is_altering() && !filling && !newcomers && !self.memory.is_altering(&self.lane)
    }

    /// Takes in what has ended. A fault that ends the run is returned.
    pub(super) async fn take_errands(&mut self, done: Vec<Done>) -> Result<(), Fault> {
        for done in done {
            let events = match done {
                Done::Altered { table, ran, fault } => self.altered(&table, &ran, fault)?,
                Done::Noted { tables, seen } => self.noted(&tables, seen)?,
                Done::Filled { tables } => self.filled(tables)?,
            };
            self.look_soon();
            self.store_records(&events).await?;
        }
        Ok(())
    }

    fn altered(&mut self, table: &TableName, ran: &[String], fault: Option<Fault>) -> Result<Vec<Event>, Fault> {
        if let Some(fault) = &fault {
            warn!(table = %table, fault = %fault, "not altered on the target");
        }
        let events = self.memory.altered(&self.lane, (table, ran), fault.as_ref());
        match fault {
            Some(fault) if fault.kind == FaultKind::LeaseLost => Err(fault),
            _ => Ok(events),
        }
    }

    /// Stores from where the deltas of new tables go on. It is noted before their first read; what was under way then is
    /// waited for before they are compared.
    fn noted(&mut self, tables: &[TableName], seen: Result<Observation, Fault>) -> Result<Vec<Event>, Fault> {
        let seen = match seen {
            Ok(seen) => seen,
            Err(fault) => return self.not_filled(fault),
        };
        for table in self.lane.tables.iter_mut().filter(|table| tables.contains(table.planned.name())) {
            if table.record.state != TableState::Planned {
                continue;
            }
            table.note_mark(&seen);
            table.record.state = TableState::Seeding;
            table.saved = None;
        }
        let text = |name: &TableName| format!("{name} is being copied while the lane goes on");
        let event =
            |name: &TableName| Event { kind: "table_state".into(), table: Some(name.clone()), text: text(name) };
        Ok(tables.iter().map(event).collect())
    }

    fn filled(&mut self, tables: Result<Vec<Filled>, Fault>) -> Result<Vec<Event>, Fault> {
        let tables = match tables {
            Ok(tables) => tables,
            Err(fault) => return self.not_filled(fault),
        };
        let mut events = Vec::new();
        for Filled { name, size, fault } in tables {
            let at = self.lane.tables.iter().position(|table| *table.planned.name() == name);
            let Some(at) = at.filter(|&at| self.lane.tables[at].record.state == TableState::Seeding) else { continue };
            match fault {
                Some(fault) => {
                    let (cause, reason, remedy) = crate::scrub::stop_for(&fault);
                    events.push(self.lane.quarantine(at, cause, &reason, &remedy));
                }
                None => {
                    let planned = &mut self.lane.tables[at].planned;
                    (planned.rows_estimate, planned.data_bytes) = size;
                    self.lane.plan.tables[at] = planned.clone();
                    self.lane.tables[at].record.state = TableState::Joining { from: JoinsFrom::Source };
                    self.lane.tables[at].saved = None;
                    let text = format!("{name} has been copied and is compared");
                    events.push(Event { kind: "table_state".into(), table: Some(name), text });
                }
            }
        }
        Ok(events)
    }

    fn not_filled(&mut self, fault: Fault) -> Result<Vec<Event>, Fault> {
        if matches!(fault.decision(), Decision::Halt { .. }) && !matches!(fault.kind, FaultKind::Refused(_)) {
            return Err(fault);
        }
        warn!(fault = %fault, "new tables are not filled yet; trying again");
        self.fill_again = Some(clock::now() + FILL_AGAIN_AFTER);
        Ok(Vec::new())
    }

    /// Stores all records with what happened.
    async fn store_records(&mut self, events: &[Event]) -> Result<(), Fault> {
        if events.is_empty() {
            return Ok(());
        }
        let mut control = self.servers.control().await?;
        let tables: Vec<_> = self.lane.tables.iter().map(|table| &table.record).collect();
        control.record(self.lease, &self.lane.record, &tables, events).await?;
        events.iter().for_each(|event| info!(kind = event.kind, "{}", event.text));
        Ok(())
    }
}
