//! The census: keys are counted far more often than content is compared, because counting them costs a tenth and shows a
//! deleted row at once. After the delta was applied the target holds every key of the cut, so a key too many is a row that
//! was deleted on the source. It proves nothing about content, and is never reported as if it did.
//!
//! A range whose key digests differ is split by a hash of the key, on both sides alike, and only the keys of the buckets
//! that differ are listed: two more scans of an index, whatever the shape of the key.

use chrono::NaiveDateTime;
use leeward_core::brake::{BothSides, BrakedBy, Would};
use leeward_core::digest::{Counts, Difference, KeyDigest};
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::lane::{KeysRecord, TableState};
use leeward_core::port::{Buckets, Range};
use leeward_core::row::KeyCells;

use crate::apply::{BorderOutcome, table_fault};
use crate::clock;
use crate::lane::{Lane, TableWork, seconds};
use crate::mend;
use crate::pace::ScrubPace;
use crate::scrub::{self, Bench, Compared, Pick};

/// Tables whose keys one cycle counts; each is one statement of the same query.
const TABLES_MAX: usize = 64;

/// Rows of one bucket, about. Some hundred keys are listed in vain for each that is deleted.
const BUCKET_ROWS: u64 = 500;

/// Buckets of one range at most; each is one row of the answer.
const BUCKETS_MAX: u64 = 8_192;

/// Keys listed at once on either side, about: at 100 bytes a key less than 4 MiB. Whatever differs beyond them is found
/// by the next census.
const LISTED_ROWS_MAX: u64 = 30_000;

/// Chooses the ranges whose keys this cycle counts: running passes first, then the tables longest uncounted.
pub fn pick(lane: &Lane, pace: &mut ScrubPace, now: NaiveDateTime) -> Vec<Pick> {
    let mut left = pace.key_rows();
    // A table is looked at one way in one cycle. Where both are due they take turns, or keys that fall due in each cycle would
    // keep content from ever being compared.
    let yields = |table: &TableWork| lane.record.cycle % 2 == 1 && scrub::is_due(lane, table, pace, now);
    let due = |at: &usize| is_due(lane, &lane.tables[*at], now) && !yields(&lane.tables[*at]);
    let mut due: Vec<usize> = (0..lane.tables.len()).filter(due).collect();
    due.sort_by_key(|&at| {
        let keys = &lane.tables[at].record.keys;
        (keys.after.is_none(), keys.since)
    });
    let mut picks = Vec::new();
    for at in due.into_iter().take(TABLES_MAX) {
        if left == 0 {
            break;
        }
        let keys = &lane.tables[at].record.keys;
        let after = keys.after.as_ref().and_then(|cells| KeyCells::from_hex(cells.iter().map(String::as_str)));
        let expected = keys.rows.max(lane.tables[at].planned.rows_estimate).max(1);
        // Without a border the server takes its narrowest index.
        let whole = after.is_none() && expected <= left;
        picks.push(Pick { table: at, after, rows: (!whole).then_some(left) });
        left = left.saturating_sub(expected);
    }
    picks
}

fn is_due(lane: &Lane, table: &TableWork, now: NaiveDateTime) -> bool {
    let keys = &table.record.keys;
    let interval = seconds(lane.plan.settings.scrub.keys_interval_s);
    // A comparison of content looks at the keys as well.
    let waited = table.record.deletes_since().is_none_or(|since| now - since >= interval);
    table.planned.has_key() && table.record.state == TableState::Live && (keys.after.is_some() || waited)
}

/// Counts the keys of the picked ranges on both sides, and deletes what the cut does not hold. `borders` answers the
/// picks that asked for one, in order.
pub async fn count(
    bench: &mut Bench<'_>,
    picks: &[Pick],
    borders: Vec<BorderOutcome>,
    pace: &mut ScrubPace,
) -> Result<Vec<Compared>, Fault> {
    let (ranges, mut counted) = scrub::ranges(bench.guard.lane, picks, borders);
    if ranges.is_empty() {
        return Ok(counted);
    }
    let asked: Vec<Range<'_>> = ranges.iter().map(|(_, range)| range.clone()).collect();
    let began = clock::now();
    let source = async {
        let digests = bench.cut.key_digests(&asked).await;
        (digests, clock::since(began))
    };
    let ((source, took), target) = tokio::join!(source, bench.apply.key_digests(&asked));
    let source = source?;
    let rows = source.iter().flatten().map(|digest| digest.rows).sum();
    pace.counted(rows, took);
    for ((table, range), digests) in ranges.into_iter().zip(source.into_iter().zip(target?)) {
        let (source, target) = match digests {
            (Ok(source), Ok(target)) => (source, target),
            // Locked away for the moment: counted another time.
            (Err(fault), _) | (_, Err(fault)) if fault.kind == FaultKind::Conflict => continue,
            (Err(fault), _) | (_, Err(fault)) => {
                counted.push(Compared::failed(bench.guard.lane, table, &fault));
                continue;
            }
        };
        let began = clock::now();
        counted.push(count_range(bench, table, &range, (&source, &target)).await?);
        if source != target {
            // Two more scans: keys by bucket, then those of a few buckets. They are owed like the first.
            pace.counted(0, clock::since(began));
        }
    }
    Ok(counted)
}

async fn count_range(
    bench: &mut Bench<'_>,
    table: usize,
    range: &Range<'_>,
    (source, target): (&KeyDigest, &KeyDigest),
) -> Result<Compared, Fault> {
    let mut counted = Compared::of(bench.guard.lane, table);
    let mut equal = source == target;
    if !equal {
        bench.apply.savepoint().await?;
        match delete_surplus(bench, range, (source, target), &mut counted).await {
            Ok(healed) => equal = healed,
            Err(fault) => counted = Compared::failed(bench.guard.lane, table, &table_fault(fault)?),
        }
        if counted.stop.is_some() {
            bench.apply.undo_to_savepoint().await?;
            return Ok(counted);
        }
    }
    let mut keys = bench.guard.lane.tables[table].record.keys.clone();
    take_note(&mut keys, range, (source.rows, equal), bench.guard.cut_at);
    let before = &bench.guard.lane.tables[table].record;
    let deleted = counted.scrub.rows_deleted - before.scrub.rows_deleted;
    if deleted > 0 {
        let within = before.deletes_since().map(|since| bench.guard.cut_at - since);
        keys.rows_deleted += deleted;
        keys.found_within_ms = within.map(|within| within.num_milliseconds().max(0) as u64);
    }
    counted.keys = Some(keys);
    Ok(counted)
}

/// Makes the target's range hold the keys that the cut's does. Returns whether it does now.
async fn delete_surplus(
    bench: &mut Bench<'_>,
    range: &Range<'_>,
    (source, target): (&KeyDigest, &KeyDigest),
    counted: &mut Compared,
) -> Result<bool, Fault> {
    let everything = range.keys.after.is_none() && range.keys.upto.is_none();
    let whole = everything.then_some(BothSides { source: source.rows, target: target.rows });
    let surplus = Counts { extra: target.rows.saturating_sub(source.rows), ..Counts::default() };
    // Known from the counts alone, before any list is made.
    if !counted.may(bench.guard, &Would { by: BrakedBy::Census, ..surplus.would(whole) }) {
        return Ok(false);
    }
    let found = differing_keys(bench, range, source.rows.max(target.rows)).await?;
    let would = Would { by: BrakedBy::Census, delete_keys: &found.extra, ..found.counts().would(whole) };
    if !counted.may(bench.guard, &would) || found.is_empty() || !counted.note(bench.guard.lane, found.counts()) {
        return Ok(false);
    }
    mend::rows(bench, range, counted, &found).await?;
    let healed = bench.apply.key_digests(std::slice::from_ref(range)).await?.into_iter().next();
    Ok(healed.transpose()?.as_ref() == Some(source))
}

/// Lists keys that only one side has, as many as are listed at once.
async fn differing_keys(bench: &mut Bench<'_>, range: &Range<'_>, rows: u64) -> Result<Difference, Fault> {
    let of = (rows / BUCKET_ROWS).clamp(1, BUCKETS_MAX);
    let (there, here) = tokio::join!(bench.cut.key_buckets(range, of), bench.apply.key_buckets(range, of));
    let (there, here) = (there?, here?);
    let mut differing: Vec<u64> =
        there.keys().chain(here.keys()).filter(|bucket| there.get(bucket) != here.get(bucket)).copied().collect();
    differing.sort_unstable();
    differing.dedup();
    differing.truncate((LISTED_ROWS_MAX * of / rows.max(1)).max(1) as usize);
    let buckets = Buckets { of, wanted: differing };
    let (there, here) = tokio::join!(bench.cut.keys(range, &buckets), bench.apply.keys(range, &buckets));
    Ok(Difference::between_keys(&there?, &here?))
}

/// Moves a pass past a range. Only what is equal counts as counted.
fn take_note(keys: &mut KeysRecord, range: &Range<'_>, (rows, equal): (u64, bool), at: NaiveDateTime) {
    let began = *keys.began.get_or_insert(at);
    if !equal {
        // The same range again, in the next turn.
        return;
    }
    keys.running_rows = if range.keys.after.is_none() { rows } else { keys.running_rows + rows };
    keys.after = range.keys.upto.as_ref().map(KeyCells::to_hex);
    if keys.after.is_none() {
        keys.since = Some(began);
        keys.began = None;
        keys.rows = keys.running_rows;
    }
}
