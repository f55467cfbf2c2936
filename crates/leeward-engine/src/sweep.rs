//! The comparison of a repair that a person asked for: as much of a table as the time allows in one cut and one transaction,
//! in few round trips to the source. Where few rows differ, many small ranges are digested at once and those that differ are
//! listed; where differences are everywhere, whole stretches are listed at once. While the source lists the next stretch, the
//! target is given the rows of the last one and proves it (docs/adr/0025).
//!
//! It takes tables with a key whose rows the brake has let go. The others are compared like in any cycle.

mod answers;
mod field;
mod mending;
mod round;

use std::time::Duration;

use leeward_core::fault::Fault;

use crate::apply::BorderOutcome;
use crate::clock;
use crate::fill;
use crate::lane::{Lane, TableWork};
use crate::pace::ScrubPace;
use crate::scrub::{self, Bench, Compared, Pick};
use field::Field;
use mending::Mending;
use round::Round;

/// How long one cut and one transaction are kept open for new stretches: an old view keeps the source from purging, and
/// locks on the target are held. What has been begun is brought to its end, which takes one round more.
const HELD_MAX: Duration = Duration::from_secs(10);

/// Rows that the first round takes in; each further one takes in as many as [`ROUND_TIME`] lets it.
const ROUND_ROWS_FIRST: u64 = 100_000;

/// Rows that one round takes in at most.
const ROUND_ROWS_MAX: u64 = 500_000;

/// Bytes of the budget for which a round takes in one row at most. If all of them differ, their keys take about three times
/// as much.
const BYTES_PER_ROW: u64 = 32;

/// How much larger or smaller a round is than the one before.
const ROUND_STEP: u64 = 4;

/// How long a round should take: long beside a round trip between continents, short beside [`HELD_MAX`].
const ROUND_TIME: std::ops::Range<Duration> = Duration::from_secs(1)..Duration::from_secs(4);

/// Returns whether a table is swept.
pub fn takes(table: &TableWork) -> bool {
    table.planned.has_key() && table.is_counted().is_none() && fill::is_plain(table)
}

/// Compares the picked tables from where each pick begins, and repairs what differs. `borders` answers the keyed picks in
/// order.
pub async fn compare(
    bench: &mut Bench<'_>,
    picks: &[Pick],
    borders: Vec<BorderOutcome>,
    pace: &mut ScrubPace,
) -> Result<Vec<Compared>, Fault> {
    let lane = bench.guard.lane;
    let (swept, others) = split(lane, picks, borders);
    let mut compared = scrub::compare(bench, &others.0, others.1, pace).await?;
    let (ranges, failed) = scrub::ranges(lane, &swept.0, swept.1);
    compared.extend(failed);
    let begun = |(table, range)| Field::new(Compared::begun(lane, table, bench.guard.cut_at), range);
    let mut sweep = Sweep { fields: ranges.into_iter().map(begun).collect(), mending: Mending::default() };
    sweep.run(bench).await?;
    compared.extend(sweep.fields.into_iter().filter_map(|field| field.end(bench.guard.cut_at)));
    Ok(compared)
}

type Picked = (Vec<Pick>, Vec<BorderOutcome>);

/// Tells the picks that are swept from the others, each with their borders.
fn split(lane: &Lane, picks: &[Pick], borders: Vec<BorderOutcome>) -> (Picked, Picked) {
    let (mut swept, mut others) = (Picked::default(), Picked::default());
    let mut borders = borders.into_iter();
    for pick in picks {
        let side = if takes(&lane.tables[pick.table]) { &mut swept } else { &mut others };
        side.1.extend(pick.rows.and_then(|_| borders.next()));
        side.0.push(pick.clone());
    }
    (swept, others)
}

/// A sweep under way.
struct Sweep<'a> {
    fields: Vec<Field<'a>>,
    mending: Mending,
}

impl Sweep<'_> {
    async fn run(&mut self, bench: &mut Bench<'_>) -> Result<(), Fault> {
        let began = clock::now();
        let rows_max = ROUND_ROWS_MAX.min(bench.guard.lane.budget.bytes() / BYTES_PER_ROW);
        let mut rows_at_once = ROUND_ROWS_FIRST.min(rows_max);
        // Each round brings every stretch that it takes up further; after the time is up none is taken up.
        loop {
            let round_began = clock::now();
            let mut round = Round::default();
            if clock::since(began) < HELD_MAX {
                round.plan(&mut self.fields, bench.apply, rows_at_once).await?;
            }
            if round.is_empty() && self.mending.is_empty() {
                return Ok(());
            }
            round.run(bench, &mut self.fields, &mut self.mending).await?;
            rows_at_once = match clock::since(round_began) {
                took if took < ROUND_TIME.start => (rows_at_once * ROUND_STEP).min(rows_max),
                took if took > ROUND_TIME.end => (rows_at_once / ROUND_STEP).max(1),
                _ => rows_at_once,
            };
        }
    }
}
