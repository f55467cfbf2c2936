//! Takes up what people have agreed to (`leeward accept`): a table that the brake holds goes on, with the brake released for
//! as many rows as they saw.

use leeward_core::brake::Released;
use leeward_core::fault::Fault;
use leeward_core::port::{Control, Event};

use crate::lane::Lane;

/// Readmits the tables whose evidence was agreed to. An agreement is used once: the table no longer waits with the evidence
/// that it names. Returns what to store.
pub async fn take_up(lane: &mut Lane, control: &mut dyn Control) -> Result<Vec<Event>, Fault> {
    let mut events = Vec::new();
    for (_, accepted) in control.acceptances(&lane.record.lane).await? {
        let waits = |table: &crate::lane::TableWork| {
            table.planned.name() == &accepted.table
                && table.held_by_brake().is_some_and(|seen| seen.cycle == accepted.cycle)
        };
        let Some(at) = lane.tables.iter().position(waits) else { continue };
        let planned = lane.tables[at].planned.clone();
        let mut event = lane.readmit(at, planned);
        lane.tables[at].record.released = Some(Released { cycle: accepted.cycle, rows: accepted.rows });
        event.text = format!("{}; {} rows may go, as {} has agreed", event.text, accepted.rows, accepted.by);
        events.push(event);
    }
    Ok(events)
}
