//! The scrub: a rolling comparison inside the cycle. The source is digested in the cut, the target inside the apply
//! transaction after the delta was written, so a difference is never lag: it is a deleted row, a change behind the
//! clock, or damage. It is narrowed to rows, which are fetched from the same cut and repaired in the same transaction.

use chrono::NaiveDateTime;
use leeward_core::brake::{BothSides, BrakeEvidence, CountState, Would};
use leeward_core::digest::{Counts, Difference, Digest};
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::lane::{KeysRecord, QuarantineCause, ScrubRecord, TableState};
use leeward_core::mark::Contradiction;
use leeward_core::policy::OnContradiction;
use leeward_core::port::{Apply, Border, Cut, Event, Range};
use leeward_core::row::{KeyCells, KeyRange};
use leeward_core::scrub::contradictions;

use crate::apply::{BorderOutcome, table_fault};
use crate::brake::{self, Guard, count};
use crate::clock;
use crate::fill;
use crate::lane::{Lane, TableWork, seconds};
use crate::mend;
use crate::pace::ScrubPace;

/// A range chosen for this cycle.
#[derive(Debug, Clone)]
pub struct Pick {
    /// The table.
    pub table: usize,
    /// Where the range starts.
    pub after: Option<KeyCells>,
    /// How many rows it should hold; nothing for a whole table, which needs no border.
    pub rows: Option<u64>,
}

/// What the comparison of one table came to.
pub struct Compared {
    /// The table.
    pub table: usize,
    /// Its scrub record after this cycle.
    pub scrub: ScrubRecord,
    /// Its census record, if its keys were counted.
    pub keys: Option<KeysRecord>,
    /// Whether a pass over the whole table ended.
    pub pass_ended: bool,
    /// Whether that pass was this one range, so that the whole table equals this cut.
    pub whole: bool,
    /// What was found against the table's class.
    pub found: Vec<(Contradiction, u64)>,
    /// Why the table is taken out, if it is.
    pub stop: Option<(QuarantineCause, String, String)>,
    /// What the brake saw, if it stopped the table.
    pub brake: Option<Box<BrakeEvidence>>,
    /// What to store.
    pub events: Vec<Event>,
    /// Rows compared in this cycle.
    pub rows: u64,
    /// Rows added, rewritten or deleted in this cycle.
    pub repaired: u64,
}

/// Chooses the ranges of this cycle, less the tables whose keys are `counted` in it: running passes first, then tables
/// whose turn has come, longest unverified first.
pub fn pick(lane: &Lane, pace: &mut ScrubPace, now: NaiveDateTime, counted: &[Pick]) -> Vec<Pick> {
    let mut left = pace.content_rows();
    let is_counted = |at: usize| counted.iter().any(|pick| pick.table == at);
    let due = |at: &usize| {
        let table = &lane.tables[*at];
        let is_asked =
            table.is_counted().is_some() || table.is_active() && !is_counted(*at) && is_due(lane, table, pace, now);
        is_asked && lane.is_mark_proved(table)
    };
    let mut due: Vec<usize> = (0..lane.tables.len()).filter(due).collect();
    due.sort_by_key(|&at| {
        let scrub = &lane.tables[at].record.scrub;
        (scrub.pass_began.is_none(), scrub.verified_since)
    });
    let mut picks = Vec::new();
    for at in due.into_iter().take(pace.tables_max()) {
        if left == 0 {
            break;
        }
        let table = &lane.tables[at];
        let rows = left.min(pace.range_rows(&table.planned));
        left = left.saturating_sub(rows.min(table.planned.rows_estimate.max(1)));
        let after = match table.is_counted() {
            Some(seen) => &seen.count.after,
            None => &table.record.scrub.after,
        };
        let after = after.as_ref().and_then(|cells| KeyCells::from_hex(cells.iter().map(String::as_str)));
        picks.push(Pick { table: at, after, rows: table.planned.has_key().then_some(rows) });
    }
    picks
}

/// Returns whether a table's content is to be compared now.
pub fn is_due(lane: &Lane, table: &TableWork, pace: &ScrubPace, now: NaiveDateTime) -> bool {
    let scrub = &table.record.scrub;
    // What was demoted is as sure as its strategy only once a pass that began afterwards has ended.
    if table.planned.demoted.is_some_and(|demoted| scrub.verified_since < Some(demoted.at)) {
        return true;
    }
    let between = scrub.verified_since.zip(scrub.pass_ended).filter(|_| scrub.pass_began.is_none());
    let Some((since, ended)) = between else { return true };
    if pace.is_full() {
        return table.record.state != TableState::Live;
    }
    let settings = &lane.plan.settings.scrub;
    let interval_s = match table.planned.needs_comparing() {
        true => settings.reconcile_interval_s,
        false => settings.pass_interval_s,
    };
    // The next pass must have ended before the last one's proof is older than the interval, if it takes as long again.
    now - since >= seconds(interval_s) - (ended - since)
}

/// Returns what to ask the cut for. Whole tables need no border.
pub fn borders<'a>(lane: &'a Lane, picks: impl Iterator<Item = &'a Pick>) -> Vec<Border<'a>> {
    let keyed = picks.filter_map(|pick| pick.rows.map(|rows| (pick, rows)));
    keyed
        .map(|(pick, rows)| Border { table: &lane.tables[pick.table].planned, after: pick.after.clone(), rows })
        .collect()
}

/// What a comparison works on.
pub struct Bench<'a> {
    /// The open cut.
    pub cut: &'a mut dyn Cut,
    /// The open target transaction.
    pub apply: &'a mut dyn Apply,
    /// The brake.
    pub guard: Guard<'a>,
}

/// Returns the picked ranges as far as their borders are known, and the tables of which a border could not be found.
/// `borders` answers the picks that asked for one, in order.
pub fn ranges<'a>(
    lane: &'a Lane,
    picks: &[Pick],
    borders: Vec<BorderOutcome>,
) -> (Vec<(usize, Range<'a>)>, Vec<Compared>) {
    let (mut ranges, mut failed) = (Vec::new(), Vec::new());
    let mut borders = borders.into_iter();
    for pick in picks {
        let table = &lane.tables[pick.table].planned;
        let border = if pick.rows.is_some() { borders.next() } else { Some(BorderOutcome::At(None)) };
        match border {
            Some(BorderOutcome::At(upto)) => {
                let keys = KeyRange { after: pick.after.clone(), upto };
                ranges.push((pick.table, Range { table, keys }));
            }
            Some(BorderOutcome::Failed(fault)) => failed.push(Compared::failed(lane, pick.table, &fault)),
            Some(BorderOutcome::Unknown) | None => {}
        }
    }
    (ranges, failed)
}

/// Compares the picked ranges and repairs what differs. `borders` answers the keyed picks in order.
pub async fn compare(
    bench: &mut Bench<'_>,
    picks: &[Pick],
    borders: Vec<BorderOutcome>,
    pace: &mut ScrubPace,
) -> Result<Vec<Compared>, Fault> {
    let (ranges, mut compared) = ranges(bench.guard.lane, picks, borders);
    if ranges.is_empty() {
        return Ok(compared);
    }
    let asked: Vec<Range<'_>> = ranges.iter().map(|(_, range)| range.clone()).collect();
    let began = clock::now();
    let source = async {
        let digests = bench.cut.digests(&asked).await;
        (digests, clock::since(began))
    };
    let ((source, took), target) = tokio::join!(source, bench.apply.digests(&asked));
    let source = source?;
    pace.compared(source.iter().flatten().map(|digest| digest.rows).sum(), took);
    for ((table, range), digests) in ranges.into_iter().zip(source.into_iter().zip(target?)) {
        let result = match digests {
            (Ok(source), Ok(target)) => match bench.guard.lane.tables[table].is_counted() {
                Some(seen) => count_range(bench, (table, seen), &range, (source, target)).await?,
                None => compare_range(bench, table, &range, (source, target)).await?,
            },
            // Locked away for the moment: compared another time.
            (Err(fault), _) | (_, Err(fault)) if fault.kind == FaultKind::Conflict => continue,
            (Err(fault), _) | (_, Err(fault)) => Compared::failed(bench.guard.lane, table, &fault),
        };
        compared.push(result);
    }
    Ok(compared)
}

async fn compare_range(
    bench: &mut Bench<'_>,
    table: usize,
    range: &Range<'_>,
    (source, target): (Digest, Digest),
) -> Result<Compared, Fault> {
    let mut compared = Compared::begun(bench.guard.lane, table, bench.guard.cut_at);
    compared.scrub.rows_compared += source.rows;
    compared.rows = source.rows;
    if source != target {
        bench.apply.savepoint().await?;
        match repair(bench, range, (&source, &target), &mut compared).await {
            Ok(()) => {}
            Err(fault) => {
                let fault = table_fault(fault)?;
                compared = Compared::failed(bench.guard.lane, table, &fault);
            }
        }
        if compared.stop.is_some() {
            bench.apply.undo_to_savepoint().await?;
            return Ok(compared);
        }
    }
    compared.advance(&range.keys, bench.guard.cut_at);
    Ok(compared)
}

/// Counts what a table that the brake holds stands to lose, and changes nothing.
async fn count_range(
    bench: &mut Bench<'_>,
    (table, seen): (usize, &BrakeEvidence),
    range: &Range<'_>,
    (source, target): (Digest, Digest),
) -> Result<Compared, Fault> {
    let mut seen = Box::new(seen.clone());
    let mut compared = Compared::of(bench.guard.lane, table);
    compared.rows = source.rows;
    match count::go_on(bench, (table, &mut seen), range, (&source, &target)).await {
        Ok(()) => compared.brake = Some(seen),
        Err(fault) => compared = Compared::failed(bench.guard.lane, table, &table_fault(fault)?),
    }
    Ok(compared)
}

/// Makes the target's range equal to the cut's, and proves it.
async fn repair(
    bench: &mut Bench<'_>,
    range: &Range<'_>,
    (source, target): (&Digest, &Digest),
    compared: &mut Compared,
) -> Result<(), Fault> {
    let everything = range.keys.after.is_none() && range.keys.upto.is_none();
    let whole = everything.then_some(BothSides { source: source.rows, target: target.rows });
    let surplus = Counts { extra: target.rows.saturating_sub(source.rows), ..Counts::default() };
    // Known from the counts alone, before any list is made.
    if !compared.may(bench.guard, &surplus.would(whole)) {
        return Ok(());
    }
    let (there, here) = tokio::join!(bench.cut.row_hashes(range), bench.apply.row_hashes(range));
    let (there, here) = (there?, here?);
    if range.table.has_key() {
        let found = Difference::between(&there, &here);
        if found.is_empty() {
            return Err(Fault::new(FaultKind::RowsRefused, "find the rows that differ").of(range.table.name()));
        }
        let lost = fill::lost(bench, range, compared.table, &found).await?;
        let counts = Counts { changed: lost.len() as u64, ..found.counts() };
        let would = Would { delete_keys: &found.extra, overwrite_keys: &lost, ..counts.would(whole) };
        if compared.may(bench.guard, &would) && compared.note(bench.guard.lane, found.counts()) {
            compared.scrub.rows_filled += found.counts().changed - counts.changed;
            mend::rows(bench, range, compared, &found).await?;
        }
    } else {
        let found = Counts::without_keys(&there, &here);
        let lost = fill::lost_without_keys(bench, range, compared.table, found).await?;
        if compared.may(bench.guard, &lost.would(whole)) && compared.note(bench.guard.lane, found) {
            compared.scrub.rows_filled += found.changed.saturating_sub(lost.changed);
            mend::whole(bench, range).await?;
        }
    }
    if compared.stop.is_some() {
        return Ok(());
    }
    let healed = bench.apply.digests(std::slice::from_ref(range)).await?;
    match healed.into_iter().next() {
        Some(Ok(healed)) if healed == *source => Ok(()),
        Some(Err(fault)) => Err(fault),
        _ => Err(Fault::new(FaultKind::RowsRefused, "compare repaired rows again").of(range.table.name())),
    }
}

impl Compared {
    /// Begins the next range of a pass, or a pass.
    pub fn begun(lane: &Lane, table: usize, at: NaiveDateTime) -> Compared {
        let mut scrub = lane.tables[table].record.scrub.clone();
        if scrub.pass_began.is_none() {
            scrub.pass_began = Some(at);
            scrub.after = None;
            (scrub.rows_compared, scrub.rows_added, scrub.rows_repaired, scrub.rows_deleted) = (0, 0, 0, 0);
            (scrub.rows_buried, scrub.rows_agreed, scrub.rows_filled) = (0, 0, 0);
        }
        Compared { scrub, ..Compared::of(lane, table) }
    }

    /// Begins with what is stored of a table.
    pub fn of(lane: &Lane, table: usize) -> Compared {
        Compared {
            table,
            scrub: lane.tables[table].record.scrub.clone(),
            keys: None,
            pass_ended: false,
            whole: false,
            found: Vec::new(),
            stop: None,
            brake: None,
            events: Vec::new(),
            rows: 0,
            repaired: 0,
        }
    }

    /// Says that a table could not be compared, and stops it.
    pub fn failed(lane: &Lane, table: usize, fault: &Fault) -> Compared {
        let mut compared = Compared::of(lane, table);
        match lane.tables[table].held_by_brake() {
            // It waits for a person already, who will have to do with what has been counted.
            Some(seen) => {
                let mut seen = Box::new(seen.clone());
                seen.count.state = CountState::GivenUp;
                compared.brake = Some(seen);
            }
            None => compared.stop = Some(stop_for(fault)),
        }
        compared
    }

    /// Returns whether the brake lets rows be touched; otherwise the table stops.
    pub fn may(&mut self, guard: Guard<'_>, would: &Would<'_>) -> bool {
        let Some(seen) = guard.stops(self.table, &self.scrub, would) else { return true };
        self.contradict(guard.lane, Counts { missing: 0, changed: would.overwrites, extra: would.deletes });
        self.stop = Some(brake::stop(guard.lane, self.table, &seen));
        self.brake = Some(seen);
        false
    }

    /// Takes note of what differs, and returns whether it may be repaired; otherwise the table stops.
    pub fn note(&mut self, lane: &Lane, found: Counts) -> bool {
        let table = &lane.tables[self.table];
        let name = table.planned.name();
        self.contradict(lane, found);
        self.scrub.rows_added += found.missing;
        self.scrub.rows_repaired += found.changed;
        self.scrub.rows_deleted += found.extra;
        self.repaired += found.rows();
        let Counts { missing, changed, extra } = found;
        let text = format!("{name}: {missing} rows added, {changed} rewritten, {extra} deleted to equal the source");
        self.events.push(Event { kind: "repair".into(), table: Some(name.clone()), text });
        let ask = lane.plan.settings.on_contradiction == OnContradiction::Quarantine;
        if ask && !self.found.is_empty() {
            self.stop = Some((
                QuarantineCause::ClassContradicted,
                format!("rows of {name} changed in a way that its class {} rules out", table.planned.class),
                format!(
                    "stop `leeward sync`, run `leeward plan` and `leeward seed` again, which take this into account, then \
                     `leeward verify --repair --tables {name}`"
                ),
            ));
        }
        self.stop.is_none()
    }

    /// Takes note of what speaks against the table's class or clock. Before the first whole pass differences are rows that
    /// moved while the table was copied, and say nothing.
    fn contradict(&mut self, lane: &Lane, found: Counts) {
        let table = &lane.tables[self.table];
        if table.record.state == TableState::Live {
            self.found = contradictions(&table.planned, found);
        }
    }

    /// Moves the pass past a range that is equal now.
    pub fn advance(&mut self, keys: &KeyRange, at: NaiveDateTime) {
        let Some(upto) = &keys.upto else {
            self.pass_ended = true;
            self.whole = keys.after.is_none();
            self.scrub.verified_since = self.scrub.pass_began.take();
            self.scrub.pass_ended = Some(at);
            self.scrub.last_pass_differences =
                self.scrub.rows_added + self.scrub.rows_repaired + self.scrub.rows_deleted;
            self.scrub.after = None;
            return;
        };
        self.scrub.after = Some(upto.to_hex());
    }
}

/// Returns how a table is quarantined for a fault.
pub fn stop_for(fault: &Fault) -> (QuarantineCause, String, String) {
    let cause = match fault.kind {
        FaultKind::TableMissing => QuarantineCause::Dropped,
        FaultKind::TableChanged => QuarantineCause::DefinitionDrift,
        _ => QuarantineCause::Refused,
    };
    let mut remedy = match fault.decision() {
        leeward_core::fault::Decision::Quarantine { remedy } => remedy,
        _ => "see the log".to_owned(),
    };
    if let (QuarantineCause::Refused, Some(table)) = (cause, &fault.table) {
        remedy.push_str(&format!("; then run `leeward verify --repair --tables {table}`"));
    }
    (cause, fault.to_string(), remedy)
}
