//! Warns of tables that every cycle would read whole, because no index finds the rows that are new. What counts is what the
//! source itself says of the cycles' own question, not that an index exists; and where it said nothing, that is told too.

use crate::class::Strategy;
use crate::plan::PlannedTable;
use crate::planner::advice;
use crate::planner::subject::{Extent, Subject, same};
use crate::planner::warnings::Overview;
use crate::server::Observed;
use crate::survey::Access;

/// Returns a warning for each column of a large table that a delta follows without an index that is proved to be used.
pub(super) fn unindexed(overview: &Overview<'_>) -> Vec<String> {
    overview.tables.iter().flat_map(|planned| of_table(overview, planned)).collect()
}

fn of_table(overview: &Overview<'_>, planned: &PlannedTable) -> Vec<String> {
    let Overview { policy, survey, .. } = *overview;
    let Some(seen) = survey.tables.iter().find(|seen| seen.table.name == *planned.name()) else { return Vec::new() };
    let subject = Subject { seen, survey, policy };
    if subject.extent() == Extent::Small {
        return Vec::new();
    }
    followed(planned).filter_map(|column| warning(&subject, column)).collect()
}

/// Columns that are asked for in every cycle.
fn followed(planned: &PlannedTable) -> impl Iterator<Item = &str> {
    let follows = matches!(planned.strategy, Strategy::Append | Strategy::Merge);
    let mark = planned.mark_column.as_deref().filter(|_| follows);
    let soft = planned.soft_delete.as_ref().filter(|soft| follows && soft.overlap_s.is_some());
    mark.into_iter().chain(soft.map(|soft| soft.column.as_str()))
}

fn warning(subject: &Subject<'_>, name: &str) -> Option<String> {
    let table = &subject.seen.table;
    let column = table.column(name)?;
    let index = subject.index_on(column);
    let read = subject.seen.reads.iter().find(|read| same(&read.column, name)).map(|read| &read.access);
    let (table_name, create) = (&table.name, advice::create_index(table, column));
    let unproved = |why: &str| {
        let text = format!("{table_name}: that an index finds new rows by {name} could not be proved ({why})");
        Some(match index {
            Some(index) => format!("{text}; {index} begins with it"),
            None => format!("{text}; none begins with it: {create}"),
        })
    };
    match (read, index) {
        (Some(Observed::Known(Access::Index(_))), _) => None,
        (Some(Observed::Known(Access::Scan)), None) => Some(format!(
            "{table_name}: every cycle reads the whole table on the source to find new rows by {name}: {create}"
        )),
        (Some(Observed::Known(Access::Scan)), Some(index)) => Some(format!(
            "{table_name}: the source would read the whole table to find new rows by {name}, although {index} begins with it: {}",
            advice::analyze(table)
        )),
        (Some(Observed::Unknown(why)), _) => unproved(why),
        (None, _) => unproved("the source was not asked"),
    }
}
