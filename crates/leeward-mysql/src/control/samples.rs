//! The rings of samples ([`leeward_core::history`]) as SQL. A slot keeps the worst of its round; a later round takes its place,
//! an earlier one, which only a record that is written again can bring, changes nothing.

use chrono::NaiveDateTime;
use leeward_core::history::{Grain, Sample};
use mysql_async::Row;

use super::{number, time_or_null};
use crate::fence::time;
use crate::sql::literal;

/// Returns the statement that takes an age in, which goes with the lane's record.
pub(super) fn add_query(lane: &str, at: NaiveDateTime, worst_ms: u64) -> String {
    let row = |grain: Grain| {
        let (slot, began) = grain.slot(at);
        format!("({},{},{slot},{},{worst_ms})", literal(lane), grain.seconds(), time_or_null(Some(began)))
    };
    // Both servers assign from left to right: `at` is compared before it is moved.
    format!(
        "INSERT INTO leeward.sample (lane,grain_s,slot,at,worst_ms) VALUES {} ON DUPLICATE KEY UPDATE \
         worst_ms=CASE WHEN at=VALUES(at) THEN GREATEST(worst_ms,VALUES(worst_ms)) \
         WHEN at<VALUES(at) THEN VALUES(worst_ms) ELSE worst_ms END,at=GREATEST(at,VALUES(at))",
        Grain::ALL.map(row).join(",")
    )
}

/// Returns the query for all samples of a lane.
pub(super) fn select_query(lane: &str) -> String {
    format!("SELECT grain_s,at,worst_ms FROM leeward.sample WHERE lane={} ORDER BY grain_s,at", literal(lane))
}

/// Reads a row of [`select_query`]; a grain that this version does not know is left out.
pub(super) fn read(row: &Row) -> Option<(Grain, Sample)> {
    let seconds = i64::try_from(number(row, 0)).ok()?;
    let grain = Grain::ALL.into_iter().find(|grain| grain.seconds() == seconds)?;
    Some((grain, Sample { at: time(row, 1)?, worst_ms: number(row, 2) }))
}
