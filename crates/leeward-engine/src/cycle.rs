//! One cycle: fence, cut, delta, scrub, apply. Afterwards the target is the cut that was read, or what it was before.

use std::time::{Duration, Instant};

use chrono::{NaiveDateTime, TimeDelta};
use leeward_core::class::Strategy;
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::lane::{LaneRecord, LaneState, TableRecord, TableState};
use leeward_core::mark::{Contradicted, Mark};
use leeward_core::name::{Side, TableName};
use leeward_core::port::{CutRequest, DeltaStart, Event, Lease, Source, Target};

use crate::apply::{self, Applying, DeltaOutcome, table_fault};
use crate::brake::{Braking, Guard};
use crate::clock;
use crate::definition;
use crate::delta::{self, AppliedRows, From};
use crate::lane::{Lane, Looked, TableWork};
use crate::look;
use crate::pace::ScrubPace;
use crate::picks::Picks;
use crate::scrub::{self, Bench, Compared};
use crate::soft::{self, SoftNext};
use crate::standing::Standing;
use crate::tombstone::{self, Buried};

/// How long a mark that moved without rows may stay unwritten. It only decides how much is read again after a restart.
const MARK_SAVED_EVERY_S: u64 = 10;

/// How long a live lane waits for a locked table. Shorter than the tightest RPO in use; LOCK TABLES for a backup or a
/// quick ALTER is over by then.
const LOCKED_PATIENCE: Duration = Duration::from_secs(15);

/// What a cycle works with.
pub struct Hands<'a> {
    /// The source.
    pub source: &'a mut dyn Source,
    /// The target.
    pub target: &'a mut dyn Target,
    /// The right to write.
    pub lease: &'a Lease,
    /// How much is compared.
    pub pace: &'a mut ScrubPace,
    /// Whether the brake is on.
    pub braking: Braking,
}

/// What a cycle did.
#[must_use]
#[derive(Debug, Clone)]
pub struct CycleReport {
    /// Number of the cycle.
    pub cycle: u64,
    /// The source's clock in the cut.
    pub cut_at: NaiveDateTime,
    /// The lane's state afterwards.
    pub state: LaneState,
    /// Rows of the windows that were read.
    pub rows_read: u64,
    /// Rows written by deltas.
    pub rows_applied: u64,
    /// Rows compared by the scrub.
    pub rows_compared: u64,
    /// Rows added, rewritten or deleted by the scrub, table by table.
    pub repairs: Vec<(TableName, u64)>,
    /// How its tables stand afterwards.
    pub standing: Standing,
    /// What happened, as stored.
    pub events: Vec<Event>,
    /// From its look at the source's threads to its commit.
    pub took: Duration,
}

/// What will be true of a table once the cycle has been committed.
struct Next {
    record: TableRecord,
    window: Option<AppliedRows>,
    behind: Option<DeltaStart>,
    /// Whether the delta took in everything from the mark to the cut. A delta that went on after a row of an earlier
    /// cut did not: a row stamped before that one may have been committed since.
    at_cut: bool,
    write: bool,
    wrote: bool,
    window_rows: u64,
}

/// Runs one cycle and commits it. On an error nothing of it has happened, except after
/// [`FaultKind::OutcomeUnknown`]: then read the lane's cycle number back.
pub async fn run(lane: &mut Lane, hands: &mut Hands<'_>) -> Result<CycleReport, Fault> {
    let (asked, looked) = (clock::now(), lane.looked);
    let now = look::observe(lane, hands.source).await?;
    if lane.looked != looked {
        hands.pace.saw_answer(clock::since(asked));
    }
    let mut picks = Picks::choose(lane, hands.pace, now);
    let mut apply = hands.target.begin(hands.lease).await?;
    let target_now = apply.now();
    let began = clock::now();

    let (Asked { from, delta_tables, limits, main }, request) = ask(lane, &picks);
    let mut applying =
        Applying::new(apply.as_mut(), (&lane.tables, &lane.budget), &delta_tables, request.borders.len());
    let mut cut = hands.source.cut(&request, &mut applying).await?;
    let look_after = match from {
        From::Mark => None,
        From::Rest => look::read_what_has_moved(lane, cut.as_mut(), &mut applying).await?,
    };
    let Applying { mut outcomes, borders, owed, named, at, described, .. } = applying;
    let at = at.ok_or_else(|| Fault::new(FaultKind::Unexpected, "open a cut").on(Side::Source))?;
    definition::check_deltas(lane, cut.as_mut(), (&delta_tables, &outcomes), described).await?;

    wait_for_locked(lane, &delta_tables, &outcomes)?;
    apply::settle_all_owed(cut.as_mut(), apply.as_mut(), lane, owed).await?;
    let mut next = after_deltas(lane, (&delta_tables[..main], &limits[..main]), (&mut outcomes[..main], from), at);
    let mut soft_next = soft::after(lane, &delta_tables[main..], &limits[main..], &mut outcomes[main..]);
    take_in_soft(lane, &mut next, &mut soft_next);
    let guard = Guard { lane, braking: hands.braking, cut_at: at, target_at: target_now, buried: &[] };
    let mut bench = Bench { cut: cut.as_mut(), apply: apply.as_mut(), guard };
    let buried = tombstone::bury(&mut bench, named).await?;
    let comparable = |table: usize| {
        let failed = delta_tables.iter().zip(&outcomes).any(|(&of, outcome)| of == table && outcome.failed.is_some());
        let stopped = buried.iter().any(|buried| buried.table == table && buried.stop.is_some());
        let counted = lane.tables[table].is_counted().is_some();
        counted || next[table].at_cut && !failed && !stopped
    };
    picks.keep_comparable(borders, comparable);
    bench.guard.buried = &buried;
    let compared = picks.compare(&mut bench, hands.pace).await?;
    definition::check_compared(lane, cut.as_mut(), (&compared, &buried)).await?;
    let rows_compared = compared.iter().map(|one| one.rows).sum();
    let repairs = repairs(lane, &compared);

    let (mut events, mut stops) =
        (apply::bulk(lane, &delta_tables, &outcomes), failed_deltas(&delta_tables, &mut outcomes)?);
    take_in(&mut next, compared, at, &mut events, &mut stops);
    take_in_buried(&mut next, buried, &mut stops);
    let record = lane_record(lane, &next, &stops, Times { at, target_now, applied_at: target_now + elapsed(began) });
    if record.state != lane.record.state {
        events.push(state_event(&record.state));
    }
    events.extend(take_out(lane, &mut next, stops));
    let written: Vec<&TableRecord> = next.iter().filter(|next| next.write).map(|next| &next.record).collect();
    apply.record(&record, &written, &events).await?;
    let (closed, committed) = tokio::join!(cut.close(), apply.commit());
    committed?;
    let rows_read = outcomes.iter().filter_map(|outcome| outcome.complete).sum();
    let rows_applied = outcomes.iter().map(|outcome| outcome.applied).sum();
    adopt(lane, record, next, look_after);
    soft::adopt(lane, soft_next);
    closed?;
    Ok(CycleReport {
        cycle: lane.record.cycle,
        cut_at: at,
        state: lane.record.state.clone(),
        rows_read,
        rows_applied,
        rows_compared,
        repairs,
        standing: lane.standing(),
        events,
        took: clock::since(asked),
    })
}

/// What a cut is asked for: deltas, then soft deletes.
struct Asked {
    from: From,
    /// The table of each.
    delta_tables: Vec<usize>,
    /// The rows of each at most.
    limits: Vec<u64>,
    /// How many of them are deltas.
    main: usize,
}

fn ask<'a>(lane: &'a Lane, picks: &'a Picks) -> (Asked, CutRequest<'a>) {
    let from = delta::from(lane);
    let mut deltas = delta::deltas(lane, from);
    let main = deltas.len();
    deltas.extend(soft::deltas(lane));
    let delta_tables: Vec<usize> = deltas.iter().map(|(at, _)| *at).collect();
    let limits = deltas.iter().map(|(_, delta)| delta.rows_max).collect();
    let deltas = deltas.into_iter().map(|(_, delta)| delta).collect();
    let described = definition::likely(lane, &delta_tables);
    (Asked { from, delta_tables, limits, main }, CutRequest { deltas, borders: picks.borders(lane), described })
}

/// Quarantines tables, before the commit: should the commit fail, the next cycle finds the same again.
fn take_out(lane: &mut Lane, next: &mut [Next], stops: Vec<Stop>) -> Vec<Event> {
    let stopped = stops.into_iter().map(|(table, (cause, reason, remedy))| {
        let event = lane.quarantine(table, cause, &reason, &remedy);
        lane.tables[table].record.brake = next[table].record.brake.clone();
        next[table].record.state = lane.tables[table].record.state.clone();
        next[table].write = true;
        event
    });
    stopped.collect()
}

impl CycleReport {
    /// Returns the rows added, rewritten or deleted by the scrub.
    pub fn rows_repaired(&self) -> u64 {
        self.repairs.iter().map(|(_, rows)| rows).sum()
    }
}

/// Returns the tables whose deltas could not be applied, each with why.
fn failed_deltas(delta_tables: &[usize], outcomes: &mut [DeltaOutcome]) -> Result<Vec<Stop>, Fault> {
    let failed = delta_tables.iter().zip(outcomes);
    let failed = failed.filter_map(|(&table, outcome)| Some((table, outcome.failed.take()?)));
    failed.map(|(table, fault)| Ok((table, scrub::stop_for(&table_fault(fault)?)))).collect()
}

fn repairs(lane: &Lane, compared: &[Compared]) -> Vec<(TableName, u64)> {
    let repaired = compared.iter().filter(|one| one.repaired > 0 && one.stop.is_none());
    repaired.map(|one| (lane.tables[one.table].planned.name().clone(), one.repaired)).collect()
}

/// Gives a live lane's cycle up while a table is locked away, so that the target stays at a cut of all tables; after
/// [`LOCKED_PATIENCE`] the others go on without it, and the lane counts as catching up.
fn wait_for_locked(lane: &Lane, delta_tables: &[usize], outcomes: &[DeltaOutcome]) -> Result<(), Fault> {
    let locked = |outcome: &DeltaOutcome| outcome.complete.is_none() && outcome.failed.is_none();
    let counts = |delta: &usize| lane.tables[delta_tables[*delta]].counts_for_lane();
    let Some(delta) = (0..outcomes.len()).filter(counts).find(|&delta| locked(&outcomes[delta])) else { return Ok(()) };
    let patient = lane.committed.is_some_and(|committed| clock::since(committed) < LOCKED_PATIENCE);
    if lane.record.state != LaneState::Live || !patient {
        return Ok(());
    }
    let name = lane.tables[delta_tables[delta]].planned.name();
    Err(Fault::new(FaultKind::Conflict, format!("wait for {name}, which is locked")).on(Side::Source))
}

/// Works out what each table's record will be, from what its delta came to.
fn after_deltas(
    lane: &Lane,
    (delta_tables, limits): (&[usize], &[u64]),
    (outcomes, from): (&mut [DeltaOutcome], From),
    at: NaiveDateTime,
) -> Vec<Next> {
    let unchanged = |table: &TableWork| Next {
        record: table.record.clone(),
        window: None,
        behind: table.behind.clone(),
        at_cut: !table.has_delta(),
        // A state that was taken on without a commit of its own is still to be written.
        write: table.saved.is_none() && !table.is_active(),
        wrote: false,
        window_rows: 0,
    };
    let mut next: Vec<Next> = lane.tables.iter().map(unchanged).collect();
    for (delta, &table) in delta_tables.iter().enumerate() {
        let (outcome, work) = (&mut outcomes[delta], &lane.tables[table]);
        let Some(rows) = outcome.complete.filter(|_| outcome.failed.is_none()) else { continue };
        let next = &mut next[table];
        next.record.rows_applied += outcome.applied;
        next.wrote = outcome.applied > 0;
        next.window_rows = match (work.behind.is_some(), from) {
            (true, _) => work.window_rows + rows,
            (false, From::Mark) => rows,
            (false, From::Rest) => work.window_rows,
        };
        let proved = if work.behind.is_some() { work.proved_at_start } else { work.proved };
        if rows >= limits[delta] {
            next.behind =
                delta::resume_after(work, work.planned.mark_column.as_deref().unwrap_or_default(), &outcome.last);
            next.record.mark = work.record.mark.advanced_to(position(proved, next.behind.as_ref()));
        } else if work.behind.is_some() {
            // Otherwise a tie that is larger than a batch would be read again and again (T3).
            next.behind = None;
            next.record.mark = work.record.mark.advanced_to(proved);
        } else {
            next.at_cut = true;
            next.record.cut_at = Some(at);
            next.record.mark = work.record.mark.advanced_to(work.proved);
        }
        // While catching up there is no window to speak of: each batch is new.
        next.window = Some(std::mem::take(&mut outcome.window));
        let stale = work.saved.is_none_or(|saved| clock::since(saved).as_secs() >= MARK_SAVED_EVERY_S);
        next.write = stale || outcome.applied > 0;
    }
    for (table, next) in lane.tables.iter().zip(&mut next) {
        // A static table is at the cut by its class; what contradicts it is the scrub's to find.
        if table.planned.strategy == Strategy::Watch && table.record.state == TableState::Live {
            next.record.cut_at = Some(at);
            next.write = table.saved.is_none_or(|saved| clock::since(saved).as_secs() >= MARK_SAVED_EVERY_S);
        }
    }
    next
}

/// Returns the mark that a position stands for: what lies below it has been read, but is final only as far as proved when
/// the reading began.
fn position(proved: Mark, behind: Option<&DeltaStart>) -> Mark {
    match (behind, proved) {
        (Some(DeltaStart::AfterId(id)), Mark::Id { settled }) => Mark::Id { settled: settled.min(*id) },
        (Some(DeltaStart::AfterRow { clock, .. }), Mark::Clock { settled }) => {
            let clock = std::str::from_utf8(clock).ok();
            let read = clock.and_then(|text| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").ok());
            read.map_or(Mark::None, |read| Mark::Clock { settled: settled.min(read) })
        }
        _ => Mark::None,
    }
}

/// Takes the scrub's results into the tables' next records.
fn take_in(
    next: &mut [Next],
    compared: Vec<Compared>,
    at: NaiveDateTime,
    events: &mut Vec<Event>,
    stops: &mut Vec<Stop>,
) {
    for one in compared {
        let next = &mut next[one.table];
        next.write = true;
        next.record.scrub = one.scrub;
        next.record.keys = one.keys.unwrap_or_else(|| next.record.keys.clone());
        for (what, rows) in one.found {
            let known = &mut next.record.contradictions;
            if known.iter().all(|known| known.what != what) {
                let name = next.record.name.clone();
                let text = format!("{name}: {rows} rows were {}, against its class or clock", what.phrase());
                events.push(Event { kind: "contradiction".into(), table: Some(name), text });
            }
            Contradicted::add(known, what, rows, at);
        }
        events.extend(one.events);
        next.record.brake = one.brake.or(next.record.brake.take());
        if let Some(stop) = one.stop {
            stops.push((one.table, stop));
            continue;
        }
        if one.pass_ended {
            next.record.state = TableState::Live;
            next.record.mark_proved = true;
            next.record.new_columns.clear();
            // What a person agreed to has been done.
            if let Some(released) = next.record.released.take() {
                next.record.scrub.rows_agreed = released.rows.min(next.record.scrub.spent());
            }
            let since = if one.whole { Some(at) } else { next.record.scrub.verified_since };
            next.record.cut_at = next.record.cut_at.max(since);
        }
    }
}

/// Takes in what came of soft deletes. A table is at the cut only with them.
fn take_in_soft(lane: &Lane, next: &mut [Next], soft: &mut [SoftNext]) {
    for soft in soft {
        let (next, work) = (&mut next[soft.table], &lane.tables[soft.table]);
        next.record.soft_mark = soft.mark;
        if !soft.at_cut {
            next.at_cut = false;
            next.record.cut_at = work.record.cut_at;
        }
        if let Some(window) = &mut next.window {
            window.extend(std::mem::take(&mut soft.window));
        }
    }
}

/// Takes in what tombstones did. It comes last, so that a pass that begins in this cycle counts it.
fn take_in_buried(next: &mut [Next], buried: Vec<Buried>, stops: &mut Vec<Stop>) {
    for one in buried.into_iter().filter(|one| one.rows > 0 || one.stop.is_some()) {
        let next = &mut next[one.table];
        next.write = true;
        next.record.scrub.rows_buried += one.rows;
        next.record.brake = one.brake.or(next.record.brake.take());
        stops.extend(one.stop.map(|stop| (one.table, stop)));
    }
}

/// A table that is to be quarantined, and why.
type Stop = (usize, crate::lane::Stop);

/// The clocks of one cycle.
struct Times {
    /// The source's, in the cut.
    at: NaiveDateTime,
    /// The target's, just before the cut was opened.
    target_now: NaiveDateTime,
    /// The target's, just before the commit.
    applied_at: NaiveDateTime,
}

fn lane_record(lane: &Lane, next: &[Next], stops: &[Stop], times: Times) -> LaneRecord {
    let stopped = |table: usize| stops.iter().any(|(of, _)| *of == table);
    let active = |table: &usize| lane.tables[*table].counts_for_lane() && !stopped(*table);
    let live =
        (0..next.len()).filter(active).all(|table| next[table].at_cut && next[table].record.state == TableState::Live);
    LaneRecord {
        lane: lane.record.lane.clone(),
        state: if live { LaneState::Live } else { LaneState::CatchingUp },
        plan_hash: lane.plan.hash.clone(),
        cycle: lane.record.cycle + 1,
        cut_at: if live { Some(times.at) } else { lane.record.cut_at },
        applied_at: Some(times.applied_at),
        clock_offset_ms: Some((times.target_now - times.at).num_milliseconds()),
        exposed_ms: if live { exposed_ms(lane.record.cut_at, &times) } else { None },
        holders: lane.fence.holders(),
        barrier: lane.fence.held(),
    }
}

/// Returns how old the cut before is when the new one takes its place: their distance, and what applying took.
fn exposed_ms(before: Option<NaiveDateTime>, times: &Times) -> Option<u64> {
    let age = (times.at - before?) + (times.applied_at - times.target_now);
    Some(u64::try_from(age.num_milliseconds()).unwrap_or_default())
}

fn state_event(state: &LaneState) -> Event {
    let text = match state {
        LaneState::Seeding => "rows are being copied".to_owned(),
        LaneState::CatchingUp => "catching up: tables are not consistent with each other".to_owned(),
        LaneState::Live => "live: every table is in step with one cut of the source".to_owned(),
        LaneState::Blocked { reason, remedy } => format!("blocked: {reason}; {remedy}"),
    };
    Event { kind: "lane_state".into(), table: None, text }
}

fn elapsed(began: Instant) -> TimeDelta {
    TimeDelta::from_std(clock::since(began)).unwrap_or_default()
}

/// Takes over what has been committed.
fn adopt(lane: &mut Lane, record: LaneRecord, next: Vec<Next>, look_after: Option<Looked>) {
    lane.record = record;
    lane.committed = Some(clock::now());
    if look_after.is_some() {
        lane.looked = lane.committed;
    }
    lane.rest.look_after = look_after;
    let offered = lane.rest.offered.take();
    for (table, next) in lane.tables.iter_mut().zip(next) {
        let offer = table.offer(offered.as_ref());
        let ended = table.behind.is_some() && next.behind.is_none();
        table.rested = match (next.at_cut, ended) {
            (true, _) => offer.clone(),
            (false, true) => table.offered_at_start.take(),
            (false, false) => None,
        };
        if table.behind.is_none() {
            table.offered_at_start = offer;
        }
        table.window_rows = next.window_rows;
        table.record = next.record;
        if let Some(window) = next.window {
            table.applied = window;
        }
        if table.behind.is_none() {
            table.proved_at_start = table.proved;
        }
        table.behind = if table.is_active() { next.behind } else { None };
        if next.write {
            table.saved = Some(clock::now());
        }
        if next.wrote {
            table.wrote = Some(clock::now());
        }
    }
}
