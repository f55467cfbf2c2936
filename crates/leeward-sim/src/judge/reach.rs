//! What a commit has reached, for the counts.

use leeward_core::lane::{LaneRecord, LaneState, QuarantineCause, TableRecord, TableState};
use leeward_core::mark::Contradiction;

use crate::coverage::Reached;
use crate::world::World;

/// Counts what a commit has reached.
pub(super) fn count(world: &mut World, lane: &LaneRecord, records: &[TableRecord]) {
    world.reached(Reached::Cycle);
    if lane.state == LaneState::Live {
        world.reached(Reached::LiveCycle);
    }
    if !lane.holders.is_empty() {
        world.reached(Reached::HeldMark);
    }
    for (at, new) in records.iter().enumerate() {
        let old = &world.target.records[at];
        let begins = old.scrub.pass_began.is_none();
        let more = |new: u64, old: u64| if begins { new } else { new.saturating_sub(old) };
        let deleted = more(new.scrub.rows_deleted, old.scrub.rows_deleted);
        let changed = new.contradictions.len() > old.contradictions.len()
            && new.contradictions.iter().any(|one| one.what != Contradiction::RowDeleted);
        let repaired =
            more(new.scrub.rows_repaired + new.scrub.rows_added, old.scrub.rows_repaired + old.scrub.rows_added);
        let moved = old.scrub != new.scrub;
        let found = [
            (moved && deleted > 0, Reached::DeleteFound),
            (moved && repaired > 0, Reached::Repair),
            (changed, Reached::BehindClockFound),
        ];
        found.into_iter().filter(|(found, _)| *found).for_each(|(_, reached)| world.reached(reached));
    }
    count_states(world, records);
}

/// Counts tables that went out or came back.
pub(super) fn count_states(world: &mut World, records: &[TableRecord]) {
    for (at, new) in records.iter().enumerate() {
        let was_out = matches!(world.target.records[at].state, TableState::Quarantined { .. });
        match (&new.state, was_out) {
            (TableState::Quarantined { cause: QuarantineCause::Brake, .. }, false) => world.reached(Reached::Brake),
            (TableState::Quarantined { .. }, false) => world.reached(Reached::Quarantine),
            (TableState::CatchingUp | TableState::Joining { .. }, true) => world.reached(Reached::Readmitted),
            _ => {}
        }
    }
}
