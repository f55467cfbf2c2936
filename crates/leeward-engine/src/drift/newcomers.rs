//! Tables of the source that the plan does not know. None is forgotten silently: it is taken in where the policy says so,
//! and told of otherwise.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use leeward_core::lane::TableRecord;
use leeward_core::name::TableName;
use leeward_core::plan::{LeftOut, PlannedTable};
use leeward_core::planner::Admitted;
use leeward_core::policy::OnDdl;
use leeward_core::port::Event;
use leeward_core::table::Table;

use super::{Drift, Sides};
use crate::clock;
use crate::lane::Lane;

/// Tables that were seen and are not in the plan.
#[derive(Default)]
pub(super) struct Newcomers {
    seen: BTreeMap<TableName, Newcomer>,
}

struct Newcomer {
    table: Table,
    since: Instant,
    told: bool,
}

/// How long a table must have stood as it is before it is taken in: what is gone again by then was a scratch table, which
/// would leave a copy behind for a person to drop.
const STANDS_FOR: Duration = Duration::from_secs(2);

impl Newcomers {
    /// Returns the tables about which something is to be decided: those of which nothing was told yet and that have stood as
    /// they are for [`STANDS_FOR`].
    pub(super) fn ripe(&mut self, lane: &Lane, sides: &Sides<'_>) -> Vec<TableName> {
        let known = |name: &TableName| {
            lane.tables.iter().any(|table| table.planned.name() == name)
                || lane.plan.left_out.iter().any(|left| left.name == *name)
        };
        self.seen.retain(|name, one| {
            !known(name) && sides.source.get(name).is_some_and(|now| one.told || now.table == one.table)
        });
        let mut ripe = Vec::new();
        for (&name, now) in sides.source.iter().filter(|(name, _)| !known(name)) {
            match self.seen.get(name) {
                Some(one) if !one.told && clock::since(one.since) >= STANDS_FOR => ripe.push(name.clone()),
                Some(_) => {}
                None => {
                    let newcomer = Newcomer { table: now.table.clone(), since: clock::now(), told: false };
                    self.seen.insert(name.clone(), newcomer);
                    // Where nothing will be done about it, there is nothing to wait for.
                    if lane.plan.policy.is_none() {
                        ripe.push(name.clone());
                    }
                }
            }
        }
        ripe
    }

    /// Returns whether something is still to be decided about some of them.
    pub(super) fn awaited(&self) -> bool {
        self.seen.values().any(|one| !one.told)
    }

    /// Takes in what was decided about the ripe ones.
    pub(super) fn take(&mut self, lane: &mut Lane, ripe: &[TableName], admitted: Admitted, drift: &mut Drift) {
        let Admitted { tables, left_out, refused } = admitted;
        for name in ripe {
            let Some(newcomer) = self.seen.get_mut(name) else { continue };
            newcomer.told = true;
            let planned = tables.iter().find(|planned| planned.name() == name);
            let left = left_out.iter().find(|left| left.name == *name);
            let refused = refused.iter().find(|(of, _)| of == name);
            match (planned, left, refused) {
                (Some(planned), ..) if planned.ddl == OnDdl::Apply => take_in(lane, planned, drift),
                (None, Some(left), _) if lane.plan.settings.ddl == OnDdl::Apply => leave_out(lane, left, drift),
                (None, None, Some((_, why))) => {
                    drift.events.push(told(name, format!("{name} is new on the source and is not copied: {why}")));
                }
                // Gone again: it comes up anew if it comes back.
                (None, None, None) if lane.plan.policy.is_some() => {
                    self.seen.remove(name);
                }
                _ => drift.events.push(new_table(name)),
            }
        }
    }
}

/// Returns what to tell of a table that is not taken in.
fn new_table(name: &TableName) -> Event {
    let text =
        format!("{name} is new on the source and is not copied; run `leeward plan` and `leeward seed` to take it in");
    told(name, text)
}

fn told(name: &TableName, text: String) -> Event {
    Event { kind: "drift".into(), table: Some(name.clone()), text }
}

fn take_in(lane: &mut Lane, planned: &PlannedTable, drift: &mut Drift) {
    let name = planned.name();
    let text = format!("{name} is new on the source and is taken in: {}, kept by {}", planned.class, planned.strategy);
    drift.add(told(name, text));
    lane.admit(planned.clone(), TableRecord::planned(name.clone()));
}

fn leave_out(lane: &mut Lane, left: &LeftOut, drift: &mut Drift) {
    let name = &left.name;
    drift.add(told(name, format!("{name} is new on the source and is left out: {}", left.remedy)));
    lane.plan.left_out.push(left.clone());
    lane.plan.left_out.sort_by(|a, b| a.name.cmp(&b.name));
}
