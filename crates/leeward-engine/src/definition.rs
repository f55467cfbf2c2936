//! Holds a cycle to the definitions of its plan: no row is committed that was read from a table whose definition had
//! changed before the cut was opened. Looks between cycles come too early for that, so the cut itself is asked, for the
//! tables alone whose rows are written: a quiet cycle asks nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use leeward_core::alteration::is_as_planned;
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::name::{Side, TableName};
use leeward_core::port::Cut;
use leeward_core::table::Table;

use crate::apply::DeltaOutcome;
use crate::clock;
use crate::lane::{Lane, TableWork};
use crate::scrub::Compared;
use crate::tombstone::Buried;

/// How long a table that had new rows is taken to have more. It is described in the round trip that reads them; any other
/// that turns out to have rows costs one of its own.
const BUSY_FOR: Duration = Duration::from_secs(10);

/// Returns the tables whose rows the next cut is likely to bring.
pub fn likely<'a>(lane: &'a Lane, delta_tables: &[usize]) -> Vec<&'a TableName> {
    let busy = |table: &TableWork| table.wrote.is_some_and(|wrote| clock::since(wrote) < BUSY_FOR);
    let tables = delta_tables.iter().map(|&at| &lane.tables[at]);
    tables.filter(|table| busy(table)).map(|table| table.planned.name()).collect()
}

/// Checks the tables of which deltas have written rows, or could not write them. `described` is what the cut has told of
/// the likely ones.
pub async fn check_deltas(
    lane: &Lane,
    cut: &mut dyn Cut,
    (delta_tables, outcomes): (&[usize], &[DeltaOutcome]),
    described: Vec<Table>,
) -> Result<(), Fault> {
    let mut touched = Vec::new();
    for (&at, outcome) in delta_tables.iter().zip(outcomes) {
        if let Some(fault) = outcome.failed.as_ref().filter(|fault| tells_of_definition(&fault.kind)) {
            return Err(of_definition(fault.kind.clone(), lane.tables[at].planned.name()));
        }
        if outcome.applied > 0 || outcome.failed.is_some() {
            touched.push(&lane.tables[at]);
        }
    }
    check(cut, &touched, described).await
}

/// Checks the tables that a comparison has repaired, or could not compare, and those that tombstones have named.
pub async fn check_compared(
    lane: &Lane,
    cut: &mut dyn Cut,
    (compared, buried): (&[Compared], &[Buried]),
) -> Result<(), Fault> {
    let compared = compared.iter().filter(|one| one.repaired > 0 || one.stop.is_some() && one.brake.is_none());
    let buried = buried.iter().filter(|one| one.brake.is_none());
    let touched: BTreeSet<usize> = compared.map(|one| one.table).chain(buried.map(|one| one.table)).collect();
    let touched: Vec<&TableWork> = touched.into_iter().map(|at| &lane.tables[at]).collect();
    check(cut, &touched, Vec::new()).await
}

/// Returns whether a fault says by itself that the definition is not what was planned.
fn tells_of_definition(kind: &FaultKind) -> bool {
    matches!(kind, FaultKind::TableMissing | FaultKind::TableChanged)
}

async fn check(cut: &mut dyn Cut, touched: &[&TableWork], mut described: Vec<Table>) -> Result<(), Fault> {
    let told = |described: &[Table], name: &TableName| described.iter().position(|table| table.name == *name);
    let names = touched.iter().map(|table| table.planned.name());
    let untold: Vec<&TableName> = names.filter(|name| told(&described, name).is_none()).collect();
    if !untold.is_empty() {
        described.extend(cut.describe(&untold).await?);
    }
    for table in touched {
        let name = table.planned.name();
        let Some(at) = told(&described, name) else { return Err(of_definition(FaultKind::TableMissing, name)) };
        // What has changed beside the rows was seen and found harmless.
        let expected = table.table_now.iter().chain([&table.planned.table]);
        if !expected.into_iter().any(|expected| is_as_planned(expected, &described[at])) {
            return Err(of_definition(FaultKind::TableChanged, name));
        }
    }
    Ok(())
}

/// The cycle is given up as a whole: what the table's rows are by its new definition is for a look to find out.
fn of_definition(kind: FaultKind, name: &TableName) -> Fault {
    Fault::new(kind, format!("read {name} as it was planned")).on(Side::Source).of(name)
}
