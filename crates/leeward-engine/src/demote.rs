//! Takes the fallback that the plan holds for a table whose class comparisons have contradicted, where the policy says so.
//! The table stays live: what its old strategy would have missed is found by comparing, as before, and a comparison begins
//! at once. Its new mark is a time that was proved before, so everything below it is final in that comparison.

use chrono::NaiveDateTime;
use leeward_core::class::Strategy;
use leeward_core::measure;
use leeward_core::policy::OnContradiction;
use leeward_core::port::Event;

use crate::lane::{Lane, TableWork};

/// Takes the fallbacks that are due, into the lane and its plan. Returns what to store; the plan and all records are to be
/// stored with it.
pub fn take_fallbacks(lane: &mut Lane) -> Vec<Event> {
    let mut events = Vec::new();
    let Some((before, since)) = lane.settled else { return events };
    if lane.plan.settings.on_contradiction != OnContradiction::Demote {
        return events;
    }
    for at in 0..lane.tables.len() {
        let table = &mut lane.tables[at];
        let Some(why) = due(table) else { continue };
        let name = table.planned.name().clone();
        let was = format!("{} by {}", table.planned.class, table.planned.strategy);
        table.planned.demote(since, format!("was {was}: {why}"));
        table.follow_anew(before);
        let text = format!(
            "{name} is kept as {} by {} from now on, no longer as {was}: {why}",
            table.planned.class, table.planned.strategy
        );
        events.push(Event { kind: "demoted".into(), table: Some(name), text });
        lane.plan.tables[at] = table.planned.clone();
    }
    if !events.is_empty() {
        lane.plan.hash = lane.plan.computed_hash();
        lane.record.plan_hash = lane.plan.hash.clone();
    }
    events
}

/// Returns what has contradicted a table that has a fallback to take.
fn due(table: &TableWork) -> Option<String> {
    table.planned.fallback.as_ref().filter(|_| table.is_active())?;
    let against = table.record.contradictions.iter().filter(|shown| table.planned.is_contradicted_by(shown));
    let told: Vec<String> =
        against.map(|shown| format!("{} {}", measure::counted(shown.rows, "row"), shown.what.phrase())).collect();
    (!told.is_empty()).then(|| format!("comparisons have found {}", told.join(" and ")))
}

impl TableWork {
    /// Lets a table that changed its strategy go on from what was proved before: every row stamped earlier is final in the
    /// comparison that begins now. Ids go on as they were followed.
    fn follow_anew(&mut self, before: NaiveDateTime) {
        if self.planned.strategy != Strategy::Append {
            self.record.mark = self.clock_mark(before).unwrap_or_default();
        }
        self.proved = self.record.mark;
        self.proved_at_start = self.record.mark;
        self.behind = None;
        (self.rested, self.offered_at_start) = (None, None);
        self.applied = Default::default();
        (self.record.scrub.pass_began, self.record.scrub.after) = (None, None);
        self.saved = None;
    }
}
