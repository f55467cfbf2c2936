//! Looks for changed definitions between cycles: takes tables out whose rows do not fit any more, lets them back in once
//! both sides agree, and takes new ones in. What is to be run on the target is only written down here; `errand`
//! runs it, where the plan says so.

mod gap;
mod newcomers;

use std::collections::BTreeMap;
use std::sync::Arc;

use leeward_core::alteration::is_as_planned;
use leeward_core::fault::Fault;
use leeward_core::lane::{QuarantineCause, TableState};
use leeward_core::name::TableName;
use leeward_core::plan::PlannedTable;
use leeward_core::planner::Admitted;
use leeward_core::policy::OnDdl;
use leeward_core::port::{Definition, Event, Shape, Shapes};
use leeward_core::table::Table;

use crate::lane::{Lane, TableWork};
pub use gap::{Alter, Gap, Part};
use newcomers::Newcomers;

/// Connections that look at definitions.
pub struct Looks {
    /// The source's.
    pub source: Box<dyn Shapes>,
    /// The target's.
    pub target: Box<dyn Shapes>,
    /// The target's, for what an ALTER would have to say.
    pub shape: Box<dyn Shape>,
}

/// What looks have come to so far. It is not stored: a new process sees the same.
#[derive(Default)]
pub struct Memory {
    gaps: BTreeMap<TableName, Gap>,
    newcomers: Newcomers,
    made_of: Option<MadeOf>,
    /// The table that is being altered. It stays as it is meanwhile.
    pub altering: Option<TableName>,
    /// Whether an ALTER has ended since the last look: what is to be run next is known after another one.
    outdated: bool,
}

/// Of what the gaps were made.
struct MadeOf {
    source: Arc<[Definition]>,
    target: Arc<[Definition]>,
    plan_hash: String,
}

/// What a look found.
#[derive(Debug, Default)]
pub struct Drift {
    /// What to store.
    pub events: Vec<Event>,
    /// Whether the plan or a table's state has changed.
    pub changed: bool,
}

impl Drift {
    fn add(&mut self, event: Event) {
        self.events.push(event);
        self.changed = true;
    }
}

/// Both sides' definitions by name.
struct Sides<'a> {
    source: BTreeMap<&'a TableName, &'a Definition>,
    target: BTreeMap<&'a TableName, &'a Definition>,
}

/// Compares the plan with both sides. Nothing is altered.
pub async fn look(lane: &mut Lane, looks: &mut Looks, memory: &mut Memory) -> Result<Drift, Fault> {
    let schemas: Vec<String> = lane.plan.schemas.iter().map(|schema| schema.name.clone()).collect();
    let (source, target) = tokio::join!(looks.source.definitions(&schemas), looks.target.definitions(&schemas));
    let (source, target) = (source?, target?);
    let sides = Sides { source: by_name(&source), target: by_name(&target) };
    let same = memory.made_of.as_ref().is_some_and(|of| {
        Arc::ptr_eq(&of.source, &source) && Arc::ptr_eq(&of.target, &target) && of.plan_hash == lane.plan.hash
    });
    if !same || !gap::are_complete(&memory.gaps, lane, &sides) {
        gap::refresh(&mut memory.gaps, lane, looks, &sides).await?;
        let (source, target) = (source.clone(), target.clone());
        memory.made_of = Some(MadeOf { source, target, plan_hash: lane.plan.hash.clone() });
    }
    memory.outdated = false;
    // Everything that is asked of the servers is asked before anything is decided: a look that fails has changed nothing.
    let returning = returning(lane, &sides, memory);
    let fresh = memory.newcomers.ripe(lane, &sides);
    let mut admitted = plan_anew(lane, looks, returning.iter().chain(&fresh)).await?;
    let mut drift = Drift::default();
    for at in 0..lane.tables.len() {
        judge(lane, at, (&sides, memory, &mut admitted), &mut drift);
    }
    forget_what_is_gone(lane, &sides, &mut drift);
    memory.newcomers.take(lane, &fresh, admitted, &mut drift);
    if drift.changed {
        lane.plan.hash = lane.plan.computed_hash();
    }
    Ok(drift)
}

fn by_name(definitions: &[Definition]) -> BTreeMap<&TableName, &Definition> {
    definitions.iter().map(|one| (&one.table.name, one)).collect()
}

/// Returns whether a table quarantined for this comes back by itself when both sides agree.
fn returns(cause: QuarantineCause) -> bool {
    matches!(cause, QuarantineCause::DefinitionDrift | QuarantineCause::Dropped)
}

/// Returns whether rows of before may differ in what has changed on the source, although the target has followed already:
/// such a table counts as compared only once it was compared again.
fn has_moved_on(table: &TableWork, there: &Definition) -> bool {
    table.is_active() && !is_as_planned(&table.planned.table, &there.table)
}

/// Returns the tables that will be let back in.
fn returning(lane: &Lane, sides: &Sides<'_>, memory: &Memory) -> Vec<TableName> {
    let fits = |name: &TableName| memory.gaps.get(name).is_some_and(|gap| !gap.touches_rows());
    let waits = |state: &TableState| matches!(state, TableState::Quarantined { cause, .. } if returns(*cause));
    let comes = |table: &&TableWork| {
        let there = sides.source.get(table.planned.name());
        there.is_some_and(|there| waits(&table.record.state) || has_moved_on(table, there))
    };
    let names = lane.tables.iter().filter(comes).map(|table| table.planned.name());
    let names = names.filter(|name| sides.target.contains_key(name) && fits(name));
    names.filter(|name| memory.altering.as_ref() != Some(name)).cloned().collect()
}

/// Plans tables by the plan's own policy, where it holds one; a table that comes back may need another strategy.
async fn plan_anew(lane: &Lane, looks: &mut Looks, names: impl Iterator<Item = &TableName>) -> Result<Admitted, Fault> {
    let names: Vec<TableName> = names.cloned().collect();
    if names.is_empty() || lane.plan.policy.is_none() {
        return Ok(Admitted::default());
    }
    let mut survey = looks.source.survey(&names).await?;
    for seen in &mut survey.tables {
        let known = lane.tables.iter().find(|table| *table.planned.name() == seen.table.name);
        seen.contradictions = known.map(|table| table.record.contradictions.clone()).unwrap_or_default();
    }
    Ok(lane.plan.admit(&survey).unwrap_or_else(|why| Admitted {
        refused: names.iter().map(|name| (name.clone(), why.clone())).collect(),
        ..Admitted::default()
    }))
}

/// Decides about one table of the plan.
fn judge(
    lane: &mut Lane,
    at: usize,
    (sides, memory, admitted): (&Sides<'_>, &mut Memory, &mut Admitted),
    drift: &mut Drift,
) {
    let name = lane.tables[at].planned.name().clone();
    if memory.altering.as_ref() == Some(&name) {
        return;
    }
    let (there, here) = (sides.source.get(&name).copied(), sides.target.get(&name).copied());
    let (cause, reason, remedy) = match (&lane.tables[at].record.state, there, memory.gaps.get_mut(&name)) {
        // Nothing of it is on the target yet, or somebody else decides about it.
        (TableState::Planned, ..) | (TableState::Seeding, Some(_), _) => return,
        (TableState::Quarantined { cause, .. }, ..) if !returns(*cause) && *cause != QuarantineCause::Refused => return,
        (TableState::Quarantined { cause: QuarantineCause::Refused, .. }, None, _) => return,
        (_, None, _) => gone(&name, here.is_some()),
        // It came or went while this look was under way.
        (_, Some(_), None) => return,
        (TableState::Quarantined { cause: QuarantineCause::Refused, .. }, Some(_), Some(gap)) => {
            if !gap.may_refuse_rows() {
                return;
            }
            gap.refused_rows = true;
            gap.quarantine(&lane.tables[at].planned)
        }
        (TableState::Quarantined { .. }, Some(there), Some(gap)) if !gap.touches_rows() => {
            readmit(lane, at, (&there.table, admitted), drift);
            return;
        }
        (_, Some(_), Some(gap)) if gap.touches_rows() => gap.quarantine(&lane.tables[at].planned),
        (_, Some(there), Some(_)) if has_moved_on(&lane.tables[at], there) => {
            let reason = format!("the definition of {name} has changed on both sides");
            drift.add(lane.quarantine(at, QuarantineCause::DefinitionDrift, &reason, "nothing is to be done"));
            readmit(lane, at, (&there.table, admitted), drift);
            return;
        }
        (_, Some(there), Some(gap)) => {
            stay(lane, at, &there.table, gap, drift);
            return;
        }
    };
    // Said once, and again when something else would help: a definition can change twice.
    let stored = match &lane.tables[at].record.state {
        TableState::Quarantined { reason, remedy, .. } => Some((reason.as_str(), remedy.as_str())),
        _ => None,
    };
    if stored != Some((&reason, &remedy)) {
        drift.add(lane.quarantine(at, cause, &reason, &remedy));
    }
}

/// A table whose rows fit goes on. Its definition becomes the plan's once the target has it whole: until then the plan's is
/// what tells an index that the source has dropped from one that somebody made on the target.
fn stay(lane: &mut Lane, at: usize, source: &Table, gap: &mut Gap, drift: &mut Drift) {
    let table = &mut lane.tables[at];
    if *source == table.planned.table {
        table.table_now = None;
    } else if gap.is_closed() {
        table.table_now = None;
        table.planned.table = source.clone();
        lane.plan.tables[at] = lane.tables[at].planned.clone();
        drift.changed = true;
    } else {
        table.table_now = Some(source.clone());
    }
    let table = &mut lane.tables[at];
    let beside = gap.beside(&table.planned);
    if table.record.beside != beside {
        table.record.beside.clone_from(&beside);
        drift.changed = true;
        let name = table.planned.name().clone();
        let told = |what| format!("the definition of {name} changed beside its rows: {what}");
        let event = beside.map(told).map(|text| Event { kind: "drift".into(), table: Some(name.clone()), text });
        drift.events.extend(event);
    }
    drift.events.extend(gap.tell_trouble());
}

fn gone(name: &TableName, copied: bool) -> (QuarantineCause, String, String) {
    let reason = match copied {
        true => format!("{name} is gone on the source; its copy on the target is kept as it was"),
        false => format!("{name} is gone on both sides"),
    };
    // A copy is never dropped without a person, whatever the policy says of definitions (invariant 8).
    let drop = if copied { format!(" and on the target `DROP TABLE {}`", quoted(name)) } else { String::new() };
    let remedy =
        format!("if that was meant, run `leeward plan` again{drop}; if not, restore it on the source from the target");
    (QuarantineCause::Dropped, reason, remedy)
}

fn quoted(name: &TableName) -> String {
    let quote = |part: &str| format!("`{}`", part.replace('`', "``"));
    format!("{}.{}", quote(&name.schema), quote(&name.table))
}

/// Lets a table back in with its new definition, and with the strategy that the plan's policy gives it now. Without that
/// policy the mark column must still be there for the old strategy to hold.
fn readmit(lane: &mut Lane, at: usize, (source, admitted): (&Table, &mut Admitted), drift: &mut Drift) {
    let name = source.name.clone();
    if let Some(left) = admitted.left_out.iter().find(|left| left.name == name) {
        let reason = format!("{name} cannot be kept by its new definition");
        drift.add(lane.quarantine(at, QuarantineCause::Unsupported, &reason, &left.remedy));
        return;
    }
    // Which tables hold whose tombstones is a question for a whole plan.
    let before = &lane.tables[at].planned;
    let alone = before.tombstones.is_none() && !before.holds_tombstones;
    let anew = admitted.tables.iter().find(|planned| *planned.name() == name).filter(|_| alone).cloned();
    // It has changed again since the definitions were read: the next look knows more.
    if anew.as_ref().is_some_and(|planned| !is_as_planned(&planned.table, source)) {
        return;
    }
    let planned = anew.unwrap_or_else(|| as_before(&lane.tables[at].planned, source));
    lane.plan.tables[at] = planned.clone();
    lane.tables[at].table_now = None;
    drift.add(lane.readmit(at, planned));
}

fn as_before(planned: &PlannedTable, source: &Table) -> PlannedTable {
    let mut planned = planned.clone();
    if planned.mark_column.as_deref().is_some_and(|mark| source.column(mark).is_none()) {
        planned.strategy = leeward_core::class::Strategy::Reconcile;
        planned.mark_column = None;
        planned.reasons.insert(0, "its mark column was dropped; plan again".into());
    }
    let gone = |column: &Option<String>| column.as_deref().is_some_and(|column| source.column(column).is_none());
    planned.fallback = planned.fallback.filter(|fallback| !gone(&fallback.mark_column));
    planned.table = source.clone();
    planned
}

/// Takes tables out of the plan that neither side holds any more, where Leeward may: a person has dropped the copy, or
/// nothing of it was ever made. The same goes for tables that were left out.
fn forget_what_is_gone(lane: &mut Lane, sides: &Sides<'_>, drift: &mut Drift) {
    if lane.plan.policy.is_none() {
        return;
    }
    for at in (0..lane.tables.len()).rev() {
        let table = &lane.tables[at];
        let name = table.planned.name();
        let gone = !sides.source.contains_key(name) && !sides.target.contains_key(name);
        let over = matches!(table.record.state, TableState::Quarantined { cause: QuarantineCause::Dropped, .. });
        let unmade = table.record.state == TableState::Planned;
        if gone && (over || unmade) && table.planned.ddl == OnDdl::Apply {
            let text = format!("{name} is gone on both sides and leaves the plan");
            drift.add(Event { kind: "drift".into(), table: Some(name.clone()), text });
            lane.forget(at);
        }
    }
    let before = lane.plan.left_out.len();
    lane.plan.left_out.retain(|left| sides.source.contains_key(&left.name));
    drift.changed |= lane.plan.left_out.len() != before;
}
