//! The full comparison of both sides, each in one read view, without writing anything anywhere. It needs nothing of
//! Leeward's on either server, so it works beside native replication too.
//!
//! A target that is being synced, or a replica, may lag behind the source's view. Rows that differ are therefore looked
//! at again in later views of both sides: only what stays the same and different is a difference; what keeps moving is
//! reported as unverified, never as equal (T25).

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use async_trait::async_trait;
use chrono::NaiveDateTime;
use leeward_core::digest::{Difference, Digest, RowHash};
use leeward_core::fault::{Decision, Fault};
use leeward_core::name::{Side, TableName};
use leeward_core::plan::PlannedTable;
use leeward_core::port::{Border, Cut, CutPart, CutRequest, Range, Servers, Source, TakePart};
use leeward_core::row::{KeyCells, KeyRange};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::progress::{Progress, Tell};

/// Rows of one compared range: large enough that a range costs more than its share of a round trip, small enough that
/// the row hashes of a differing one stay below a few MiB.
const RANGE_ROWS: u64 = 20_000;

/// Ranges digested by one query a side.
const RANGES_AT_ONCE: usize = 8;

/// Differing rows of one table that are looked at again and named; past it the count alone is told.
const KEYS_MAX: usize = 10_000;

/// Looks at differing rows in later views, and the wait before each: a lane at its default interval passes several
/// cycles in between.
const LOOKS: u32 = 4;
const LOOK_WAIT: Duration = Duration::from_millis(1_500);

/// What a verification found.
#[must_use]
#[derive(Debug, Clone, Serialize)]
pub struct VerifyReport {
    /// The source's clock in its view.
    pub source_at: NaiveDateTime,
    /// One line a table, in the order of the plan.
    pub tables: Vec<TableVerdict>,
}

/// What was found of one table.
#[derive(Debug, Clone, Serialize)]
pub struct TableVerdict {
    /// Its name.
    pub name: TableName,
    /// Rows in the source's view.
    pub rows: u64,
    /// The result.
    pub outcome: Outcome,
}

/// The result of comparing one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Both sides hold the same rows.
    Equal,
    /// Rows differ, by key.
    Different(Keys),
    /// Rows differed at every look, but not twice in the same way: the source is changing them faster than the target
    /// follows. Not known to be equal.
    Moving {
        /// How many rows.
        rows: u64,
    },
    /// A table without a key differs, or so many rows do that they are only counted.
    DifferentCounts {
        /// Rows on the source.
        source_rows: u64,
        /// Rows on the target.
        target_rows: u64,
    },
    /// It could not be compared.
    Failed {
        /// Why.
        reason: String,
        /// What to do.
        remedy: String,
    },
}

/// Keys of differing rows as the server prints them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Keys {
    /// Rows that only the source has.
    pub missing: Vec<String>,
    /// Rows that differ.
    pub changed: Vec<String>,
    /// Rows that only the target has.
    pub extra: Vec<String>,
}

impl VerifyReport {
    /// Returns whether every table was compared and is equal.
    pub fn is_equal(&self) -> bool {
        self.tables.iter().all(|table| table.outcome == Outcome::Equal)
    }
}

/// Both sides' open views.
struct Views<'a> {
    source: Box<dyn Cut + 'a>,
    target: Box<dyn Cut + 'a>,
}

/// What one pass found of one table.
enum Found {
    Equal,
    Keys(Difference),
    Counts(u64, u64),
}

/// Compares tables.
pub async fn run(
    servers: &dyn Servers,
    tables: &[&PlannedTable],
    tell: &dyn Tell,
    stop: &CancellationToken,
) -> Result<VerifyReport, Fault> {
    let (mut source, mut target) = tokio::try_join!(servers.view(Side::Source), servers.view(Side::Target))?;
    let (mut verdicts, mut doubtful) = (Vec::new(), Vec::new());
    let source_at;
    {
        let (mut views, at) = open(source.as_mut(), target.as_mut()).await?;
        source_at = at;
        for (index, table) in tables.iter().enumerate() {
            if stop.is_cancelled() {
                return Err(Fault::new(leeward_core::fault::FaultKind::Stopped, "compare tables"));
            }
            let (rows, outcome) = match compare_table(&mut views, table, tell).await {
                Ok((rows, Found::Equal)) => (rows, Outcome::Equal),
                Ok((rows, Found::Counts(source_rows, target_rows))) => {
                    (rows, Outcome::DifferentCounts { source_rows, target_rows })
                }
                Ok((rows, Found::Keys(found))) => {
                    let outcome = Outcome::Different(keys(&found));
                    doubtful.push((index, found));
                    (rows, outcome)
                }
                Err(fault) => (0, failed(fault.of(table.name()))?),
            };
            verdicts.push(TableVerdict { name: table.name().clone(), rows, outcome });
        }
        let (source, target) = tokio::join!(views.source.close(), views.target.close());
        source.and(target)?;
    }
    for (index, found) in doubtful {
        tell.tell(Progress::Note(format!(
            "looking again at {} differing rows of {}",
            found.rows(),
            tables[index].name()
        )));
        verdicts[index].outcome = look_again((source.as_mut(), target.as_mut()), tables[index], found).await?;
    }
    Ok(VerifyReport { source_at, tables: verdicts })
}

/// A fault of one table is its verdict; any other ends the verification.
fn failed(fault: Fault) -> Result<Outcome, Fault> {
    match fault.decision() {
        Decision::Quarantine { remedy } => Ok(Outcome::Failed { reason: fault.to_string(), remedy }),
        _ => Err(fault),
    }
}

async fn open<'a>(source: &'a mut dyn Source, target: &'a mut dyn Source) -> Result<(Views<'a>, NaiveDateTime), Fault> {
    let (mut there, mut here) = (Clock::default(), Clock::default());
    let request = CutRequest::default();
    let (source, target) = tokio::join!(source.cut(&request, &mut there), target.cut(&request, &mut here));
    let views = Views {
        source: source.map_err(|fault| fault.on(Side::Source))?,
        target: target.map_err(|fault| fault.on(Side::Target))?,
    };
    Ok((views, there.at))
}

/// Keeps the time at which a view was opened.
#[derive(Default)]
struct Clock {
    at: NaiveDateTime,
}

#[async_trait]
impl TakePart for Clock {
    async fn take(&mut self, part: CutPart) -> Result<(), Fault> {
        if let CutPart::Opened { at } = part {
            self.at = at;
        }
        Ok(())
    }
}

async fn compare_table(views: &mut Views<'_>, table: &PlannedTable, tell: &dyn Tell) -> Result<(u64, Found), Fault> {
    let name = table.name().clone();
    tell.tell(Progress::TableStarted {
        name: name.clone(),
        rows_estimate: table.rows_estimate,
        bytes_estimate: table.data_bytes,
        rows_done: 0,
        bytes_done: 0,
    });
    let (mut rows, mut found, mut after) = (0, Difference::default(), None);
    let mut counts = (0, 0);
    // Each turn moves past at least one row of the target or reaches the end.
    loop {
        let ranges = next_ranges(views.target.as_mut(), table, after).await?;
        let (source, target) = tokio::join!(views.source.digests(&ranges), views.target.digests(&ranges));
        let source = source.map_err(|fault| fault.on(Side::Source))?;
        let target = target.map_err(|fault| fault.on(Side::Target))?;
        for (range, digests) in ranges.iter().zip(source.into_iter().zip(target)) {
            let source = digests.0.map_err(|fault| fault.on(Side::Source))?;
            let target = digests.1.map_err(|fault| fault.on(Side::Target))?;
            rows += source.rows;
            counts = (counts.0 + source.rows, counts.1 + target.rows);
            if source != target && found.rows() < KEYS_MAX && table.has_key() {
                add_differences(views, range, (&source, &target), &mut found).await?;
            } else if source != target {
                found.changed.push(KeyCells(Vec::new()));
            }
            tell.tell(Progress::Rows { name: name.clone(), rows: source.rows, bytes: source.rows * table.row_bytes() });
        }
        after = ranges.last().and_then(|range| range.keys.upto.clone());
        if after.is_none() {
            break;
        }
    }
    tell.tell(Progress::TableDone { name });
    let counted = !table.has_key() || found.rows() >= KEYS_MAX;
    Ok(match found.is_empty() {
        true => (rows, Found::Equal),
        false if counted => (rows, Found::Counts(counts.0, counts.1)),
        false => (rows, Found::Keys(found)),
    })
}

/// Cuts the next ranges by the target's borders: it is near, while each border of the source would cost a round trip.
/// Whatever the target lacks then makes ranges of the source larger, which costs time but hides nothing.
async fn next_ranges<'a>(
    target: &mut dyn Cut,
    table: &'a PlannedTable,
    mut after: Option<KeyCells>,
) -> Result<Vec<Range<'a>>, Fault> {
    let mut ranges = Vec::new();
    while ranges.len() < RANGES_AT_ONCE {
        let border = Border { table, after: after.clone(), rows: RANGE_ROWS };
        let upto = if table.has_key() { target.border(&border).await? } else { None };
        ranges.push(Range { table, keys: KeyRange { after, upto: upto.clone() } });
        if upto.is_none() {
            break;
        }
        after = upto;
    }
    Ok(ranges)
}

/// Narrows a differing range to its rows. A range that the source holds many more rows of is first cut by the source's
/// own borders, so that no list is longer than a few ranges.
async fn add_differences(
    views: &mut Views<'_>,
    range: &Range<'_>,
    (source, _target): (&Digest, &Digest),
    found: &mut Difference,
) -> Result<(), Fault> {
    let mut after = range.keys.after.clone();
    let mut left = source.rows / RANGE_ROWS;
    loop {
        let border = Border { table: range.table, after: after.clone(), rows: RANGE_ROWS };
        let upto = match left {
            0 => None,
            _ => views.source.border(&border).await?,
        };
        left = left.saturating_sub(1);
        let upto = if left == 0 { range.keys.upto.clone() } else { upto.or_else(|| range.keys.upto.clone()) };
        let last = upto == range.keys.upto;
        let part = Range { table: range.table, keys: KeyRange { after, upto: upto.clone() } };
        let (there, here) = tokio::join!(views.source.row_hashes(&part), views.target.row_hashes(&part));
        let there = there.map_err(|fault| fault.on(Side::Source))?;
        let here = here.map_err(|fault| fault.on(Side::Target))?;
        let part = Difference::between(&there, &here);
        found.missing.extend(part.missing);
        found.changed.extend(part.changed);
        found.extra.extend(part.extra);
        if last || found.rows() >= KEYS_MAX {
            return Ok(());
        }
        after = upto;
    }
}

/// The row hashes of doubtful rows on both sides.
type Seen = BTreeMap<KeyCells, (Option<u128>, Option<u128>)>;

async fn look_again(
    (source, target): (&mut dyn Source, &mut dyn Source),
    table: &PlannedTable,
    found: Difference,
) -> Result<Outcome, Fault> {
    let mut keys: Vec<KeyCells> = found.missing.into_iter().chain(found.changed).chain(found.extra).collect();
    let mut before: Seen = BTreeMap::new();
    let mut settled: Seen = BTreeMap::new();
    for look in 0..LOOKS {
        if look > 0 {
            tokio::time::sleep(LOOK_WAIT).await;
        }
        let (mut views, _) = open(source, target).await?;
        let (there, here) =
            tokio::join!(views.source.row_hashes_of(table, &keys), views.target.row_hashes_of(table, &keys));
        let now = both(&keys, &there?, &here?);
        let (source, target) = tokio::join!(views.source.close(), views.target.close());
        source.and(target)?;
        let differing: Seen = now.into_iter().filter(|(_, (there, here))| there != here).collect();
        for (key, hashes) in &differing {
            if before.get(key) == Some(hashes) {
                settled.insert(key.clone(), *hashes);
            } else {
                settled.remove(key);
            }
        }
        settled.retain(|key, _| differing.contains_key(key));
        keys = differing.keys().cloned().collect();
        before = differing;
        if keys.is_empty() {
            return Ok(Outcome::Equal);
        }
    }
    if settled.is_empty() {
        return Ok(Outcome::Moving { rows: keys.len() as u64 });
    }
    let mut named = Keys::default();
    for (key, hashes) in &settled {
        match hashes {
            (Some(_), None) => named.missing.push(key.shown()),
            (None, Some(_)) => named.extra.push(key.shown()),
            _ => named.changed.push(key.shown()),
        }
    }
    Ok(Outcome::Different(named))
}

fn both(keys: &[KeyCells], source: &[RowHash], target: &[RowHash]) -> Seen {
    let index = |rows: &[RowHash]| rows.iter().map(|row| (row.key.clone(), row.hash)).collect::<HashMap<_, _>>();
    let (source, target) = (index(source), index(target));
    keys.iter().map(|key| (key.clone(), (source.get(key).copied(), target.get(key).copied()))).collect()
}

fn keys(found: &Difference) -> Keys {
    let print = |keys: &[KeyCells]| keys.iter().map(KeyCells::shown).collect();
    Keys { missing: print(&found.missing), changed: print(&found.changed), extra: print(&found.extra) }
}
