//! Looks for changed definitions between cycles, takes drifted tables out, and lets them back in once both sides agree.

use leeward_core::fault::Fault;
use leeward_core::fingerprint::fingerprint;
use leeward_core::lane::{QuarantineCause, TableState};
use leeward_core::name::TableName;
use leeward_core::port::{Event, Shape, Shapes};
use leeward_core::table::Table;

use crate::lane::Lane;

/// Connections that look at definitions.
pub struct Looks {
    /// The source's.
    pub source: Box<dyn Shapes>,
    /// The target's.
    pub target: Box<dyn Shapes>,
    /// The target's, for what an ALTER would have to say.
    pub shape: Box<dyn Shape>,
}

/// What a look found.
#[derive(Debug, Default)]
pub struct Drift {
    /// What to store.
    pub events: Vec<Event>,
    /// Tables of the source that the plan does not know.
    pub unplanned: Vec<TableName>,
    /// Whether a table's state or definition in the plan has changed.
    pub changed: bool,
}

/// Compares the plan with both sides. Nothing is altered.
pub async fn look(lane: &mut Lane, looks: &mut Looks) -> Result<Drift, Fault> {
    let schemas: Vec<String> = lane.plan.schemas.iter().map(|schema| schema.name.clone()).collect();
    let (source, target) = tokio::join!(looks.source.fingerprints(&schemas), looks.target.fingerprints(&schemas));
    let (source, target) = (source?, target?);
    let mut drift = Drift { unplanned: unplanned(lane, &source), ..Drift::default() };
    for at in 0..lane.tables.len() {
        let name = lane.tables[at].planned.name().clone();
        let there = find(&source, &name);
        let here = find(&target, &name);
        let planned = fingerprint(&lane.tables[at].planned.table);
        let as_planned = there == Some(planned.as_str()) && here == Some(planned.as_str());
        match &lane.tables[at].record.state {
            TableState::CatchingUp | TableState::Live if !as_planned => {
                let (cause, reason, remedy) = explain(&name, there, here, looks).await?;
                drift.events.push(lane.quarantine(at, cause, &reason, &remedy));
                drift.changed = true;
            }
            TableState::Quarantined { cause, .. } if returns(*cause) && there.is_some() && there == here => {
                if let Some(table) = looks.source.describe(std::slice::from_ref(&name)).await?.pop() {
                    drift.events.push(readmit(lane, at, table));
                    drift.changed = true;
                }
            }
            // A fault in mid-cycle takes a table out without knowing what would help, and a definition can change again.
            TableState::Quarantined { cause, remedy, .. } if returns(*cause) && there != here => {
                let stored = remedy.clone();
                let (cause, reason, remedy) = explain(&name, there, here, looks).await?;
                if remedy != stored {
                    drift.events.push(lane.quarantine(at, cause, &reason, &remedy));
                    drift.changed = true;
                }
            }
            _ => {}
        }
    }
    Ok(drift)
}

/// Returns what to tell of a table that the plan does not know. It is neither copied nor forgotten silently.
pub fn new_table(name: &TableName) -> Event {
    let text =
        format!("{name} is new on the source and is not copied; run `leeward plan` and `leeward seed` to take it in");
    Event { kind: "drift".into(), table: Some(name.clone()), text }
}

fn find<'a>(prints: &'a [(TableName, String)], name: &TableName) -> Option<&'a str> {
    prints.iter().find(|(of, _)| of == name).map(|(_, print)| print.as_str())
}

fn unplanned(lane: &Lane, source: &[(TableName, String)]) -> Vec<TableName> {
    let known = |name: &TableName| {
        lane.tables.iter().any(|table| table.planned.name() == name)
            || lane.plan.left_out.iter().any(|left| left.name == *name)
    };
    source.iter().map(|(name, _)| name).filter(|name| !known(name)).cloned().collect()
}

/// Returns whether a table quarantined for this comes back by itself when both sides agree.
fn returns(cause: QuarantineCause) -> bool {
    matches!(cause, QuarantineCause::DefinitionDrift | QuarantineCause::Dropped)
}

async fn explain(
    name: &TableName,
    there: Option<&str>,
    here: Option<&str>,
    looks: &mut Looks,
) -> Result<(QuarantineCause, String, String), Fault> {
    if there.is_none() {
        return Ok((
            QuarantineCause::Dropped,
            format!("{name} is gone on the source; its copy on the target is kept as it was"),
            format!(
                "if that was meant, run `leeward plan` again and drop {name} on the target; if not, restore it on the source from the target"
            ),
        ));
    }
    let ddl = looks.source.table_ddl(std::slice::from_ref(name)).await?.pop();
    let statements = match (ddl, here) {
        (Some((_, ddl)), Some(_)) => looks.shape.alteration(name, &ddl).await?,
        (Some((_, ddl)), None) => vec![ddl],
        (None, _) => Vec::new(),
    };
    let reason = match (here, statements.is_empty()) {
        (None, _) => format!("{name} is gone on the target"),
        (Some(_), true) => format!("the definition of {name} was changed on both sides since the plan"),
        (Some(_), false) => format!("the definition of {name} differs between source and target"),
    };
    let remedy = match (statements.is_empty(), there == here) {
        (true, true) => "both sides agree; it returns by itself".to_owned(),
        (true, false) => {
            format!("compare SHOW CREATE TABLE {name} of both sides, and make the target's like the source's")
        }
        (false, _) => format!("run on the target: {}", statements.join("; ")),
    };
    Ok((QuarantineCause::DefinitionDrift, reason, remedy))
}

/// Takes the new definition into the plan. The mark column must still be there for its strategy to hold.
fn readmit(lane: &mut Lane, at: usize, table: Table) -> Event {
    let mut planned = lane.tables[at].planned.clone();
    let mark = planned.mark_column.as_deref();
    if mark.is_some_and(|mark| table.column(mark).is_none()) {
        planned.strategy = leeward_core::class::Strategy::Reconcile;
        planned.mark_column = None;
        planned.reasons.insert(0, "its mark column was dropped; plan again".into());
    }
    let gone = |column: &Option<String>| column.as_deref().is_some_and(|column| table.column(column).is_none());
    planned.fallback = planned.fallback.filter(|fallback| !gone(&fallback.mark_column));
    planned.table = table;
    lane.plan.tables[at] = planned.clone();
    lane.plan.hash = lane.plan.computed_hash();
    lane.readmit(at, planned)
}
