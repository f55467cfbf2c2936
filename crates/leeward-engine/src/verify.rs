//! The full comparison of both sides, each in one read view, without writing anything anywhere. It needs nothing of
//! Leeward's on either server, so it works beside native replication too.
//!
//! A target that is being synced, or a replica, may lag behind the source's view. Rows that differ are therefore looked
//! at again in later views of both sides: only what stays the same and different is a difference; what keeps moving is
//! reported as unverified, never as equal (T25). A target that replicates from the source by itself is waited for before
//! each of these views (`follow`), so that no lag is taken for a difference, however long it is.

mod follow;
mod narrow;
mod pass;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use async_trait::async_trait;
use chrono::NaiveDateTime;
use leeward_core::digest::{Difference, RowHash};
use leeward_core::fault::{Decision, Fault, FaultKind};
use leeward_core::name::{Side, TableName};
use leeward_core::plan::PlannedTable;
use leeward_core::port::{Cut, CutPart, CutRequest, Servers, Source, TakePart};
use leeward_core::row::KeyCells;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::progress::{Progress, Tell};
pub use follow::Following;
use follow::Reached;
use pass::{Differs, Failed, Seen, Total};

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
    /// Rows differ, and the target has not yet applied what the source had written: that may be all. Not known to be equal.
    Unsettled {
        /// What the target has not come to.
        reason: String,
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

/// The connections that views are opened on: source and target.
type Sides<'a> = (&'a mut dyn Source, &'a mut dyn Source);

/// Compares tables; a target that follows the source by replication of its own is waited for. A stop is obeyed at once:
/// nothing is written, so nothing has to be brought to an end.
pub async fn run(
    servers: &dyn Servers,
    tables: &[&PlannedTable],
    following: Option<Following>,
    tell: &dyn Tell,
    stop: &CancellationToken,
) -> Result<VerifyReport, Fault> {
    tokio::select! {
        biased;
        () = stop.cancelled() => Err(Fault::new(FaultKind::Stopped, "compare tables")),
        report = compare(servers, tables, following, tell) => report,
    }
}

async fn compare(
    servers: &dyn Servers,
    tables: &[&PlannedTable],
    mut following: Option<Following>,
    tell: &dyn Tell,
) -> Result<VerifyReport, Fault> {
    if let Some(following) = &mut following {
        tell.tell(Progress::Note("waiting until the replica has applied what the source has written".to_owned()));
        // Where it does not come there, each table that differs is told to be unsettled further down.
        following.catch_up().await?;
    }
    let (mut source, mut target) = tokio::try_join!(servers.view(Side::Source), servers.view(Side::Target))?;
    let whole = pass_over(servers, (source.as_mut(), target.as_mut()), tables, tell).await?;
    let Compared { source_at, tables: mut verdicts, mut doubtful, totals } = whole;
    let mut following = following.as_mut();
    for (index, (verdict, totals)) in verdicts.iter_mut().zip(totals).enumerate() {
        let (Some(following), Outcome::DifferentCounts { .. }) = (following.as_deref_mut(), &verdict.outcome) else {
            continue;
        };
        let sides: Sides<'_> = (source.as_mut(), target.as_mut());
        let (outcome, found) = count_again(servers, sides, (tables[index], totals), following).await?;
        verdict.outcome = outcome;
        doubtful.extend(found.map(|found| (index, found)));
    }
    for (index, found) in doubtful {
        let note = format!("looking again at {} differing rows of {}", found.rows(), tables[index].name());
        tell.tell(Progress::Note(note));
        let sides: Sides<'_> = (source.as_mut(), target.as_mut());
        verdicts[index].outcome = look_again(sides, tables[index], found, following.as_deref_mut()).await?;
    }
    Ok(VerifyReport { source_at, tables: verdicts })
}

/// What one pass over some tables has shown.
struct Compared {
    source_at: NaiveDateTime,
    /// One verdict a table.
    tables: Vec<TableVerdict>,
    /// Rows to be looked at again, with their table's place.
    doubtful: Vec<(usize, Difference)>,
    /// What both sides' views came to.
    totals: Vec<(Total, Total)>,
}

/// Compares tables once. The walker cuts ranges over a connection of its own.
async fn pass_over(
    servers: &dyn Servers,
    (source, target): Sides<'_>,
    tables: &[&PlannedTable],
    tell: &dyn Tell,
) -> Result<Compared, Fault> {
    let failed = Failed::none_of(tables.len());
    let (trail, ranges) = pass::channels();
    let walking = async {
        let mut walker = servers.view(Side::Target).await?;
        let (mut view, _) = open_one(walker.as_mut(), Side::Target).await?;
        pass::walk(view.as_mut(), tables, trail, &failed).await
    };
    let comparing = async {
        let (mut views, source_at) = open(source, target).await?;
        let seen = pass::compare(&mut views, tables, ranges, (&failed, tell)).await?;
        let mut compared = Compared { source_at, tables: Vec::new(), doubtful: Vec::new(), totals: Vec::new() };
        for (index, (table, seen)) in tables.iter().zip(seen).enumerate() {
            let rows = if seen.fault.is_none() { seen.source.rows } else { 0 };
            compared.totals.push((seen.source, seen.target));
            let (outcome, found) = judge(&mut views, seen).await?;
            compared.doubtful.extend(found.map(|found| (index, found)));
            compared.tables.push(TableVerdict { name: table.name().clone(), rows, outcome });
        }
        close(views).await?;
        Ok(compared)
    };
    tokio::try_join!(walking, comparing).map(|((), compared)| compared)
}

/// Compares one table again whose rows could only be counted, until both sides come to the same or stay as they are. Returns
/// rows to be looked at where they can be named after all.
async fn count_again(
    servers: &dyn Servers,
    (source, target): Sides<'_>,
    (table, mut before): (&PlannedTable, (Total, Total)),
    following: &mut Following,
) -> Result<(Outcome, Option<Difference>), Fault> {
    for _ in 1..LOOKS {
        if let Reached::No(reason) = following.catch_up().await? {
            return Ok((Outcome::Unsettled { reason }, None));
        }
        let again = pass_over(servers, (&mut *source, &mut *target), &[table], &Quiet).await?;
        let Compared { tables, doubtful, totals, .. } = again;
        let (Some(verdict), Some(now)) = (tables.into_iter().next(), totals.into_iter().next()) else { break };
        let found = doubtful.into_iter().next().map(|(_, found)| found);
        if now == before || !matches!(verdict.outcome, Outcome::DifferentCounts { .. }) {
            return Ok((verdict.outcome, found));
        }
        before = now;
    }
    Ok((Outcome::Moving { rows: before.0.rows.abs_diff(before.1.rows).max(1) }, None))
}

/// A second look at a table is no progress of the whole.
struct Quiet;

impl Tell for Quiet {
    fn tell(&self, _: Progress) {}
}

/// Says what was seen of one table; rows that differ by key are to be looked at again.
async fn judge(views: &mut Views<'_>, seen: Seen<'_>) -> Result<(Outcome, Option<Difference>), Fault> {
    if let Some(fault) = seen.fault {
        return Ok((failed(fault)?, None));
    }
    let counted = Outcome::DifferentCounts { source_rows: seen.source.rows, target_rows: seen.target.rows };
    match seen.differs {
        Differs::Nowhere => Ok((Outcome::Equal, None)),
        Differs::Uncounted => Ok((counted, None)),
        Differs::In(ranges) => match narrow::to_rows(views, &ranges).await {
            // Digests that differ over rows that do not would be a defect of ours, and are never equality.
            Ok(Some(found)) if !found.is_empty() => Ok((Outcome::Different(keys(&found)), Some(found))),
            Ok(_) => Ok((counted, None)),
            Err(fault) => Ok((failed(fault)?, None)),
        },
    }
}

/// A fault of one table is its verdict; any other ends the verification.
fn failed(fault: Fault) -> Result<Outcome, Fault> {
    match fault.decision() {
        Decision::Quarantine { remedy } => Ok(Outcome::Failed { reason: fault.to_string(), remedy }),
        _ if fault.kind == FaultKind::Conflict && fault.table.is_some() => {
            let remedy =
                "the table was locked for longer than a comparison waits; run `leeward verify` again".to_owned();
            Ok(Outcome::Failed { reason: fault.to_string(), remedy })
        }
        _ => Err(fault),
    }
}

async fn open<'a>(source: &'a mut dyn Source, target: &'a mut dyn Source) -> Result<(Views<'a>, NaiveDateTime), Fault> {
    let (source, target) = tokio::join!(open_one(source, Side::Source), open_one(target, Side::Target));
    let ((source, at), (target, _)) = (source?, target?);
    Ok((Views { source, target }, at))
}

async fn open_one(source: &mut dyn Source, side: Side) -> Result<(Box<dyn Cut + '_>, NaiveDateTime), Fault> {
    let mut clock = Clock::default();
    let cut = source.cut(&CutRequest::default(), &mut clock).await.map_err(|fault| fault.on(side))?;
    Ok((cut, clock.at))
}

async fn close(views: Views<'_>) -> Result<(), Fault> {
    let (source, target) = tokio::join!(views.source.close(), views.target.close());
    source.and(target)
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

/// The row hashes of doubtful rows on both sides.
type Hashes = BTreeMap<KeyCells, (Option<u128>, Option<u128>)>;

async fn look_again(
    (source, target): Sides<'_>,
    table: &PlannedTable,
    found: Difference,
    mut following: Option<&mut Following>,
) -> Result<Outcome, Fault> {
    let mut keys: Vec<KeyCells> = found.missing.into_iter().chain(found.changed).chain(found.extra).collect();
    let mut before: Hashes = BTreeMap::new();
    let mut settled: Hashes = BTreeMap::new();
    for look in 0..LOOKS {
        match following.as_deref_mut() {
            // A row that is the same on both sides before and after the target has come to where the source was is settled.
            Some(following) => {
                if let Reached::No(reason) = following.catch_up().await? {
                    return Ok(Outcome::Unsettled { reason });
                }
            }
            None if look > 0 => tokio::time::sleep(LOOK_WAIT).await,
            None => {}
        }
        let (mut views, _) = open(source, target).await?;
        let (there, here) =
            tokio::join!(views.source.row_hashes_of(table, &keys), views.target.row_hashes_of(table, &keys));
        let now = both(&keys, &there?, &here?);
        close(views).await?;
        let differing: Hashes = now.into_iter().filter(|(_, (there, here))| there != here).collect();
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

fn both(keys: &[KeyCells], source: &[RowHash], target: &[RowHash]) -> Hashes {
    let index = |rows: &[RowHash]| rows.iter().map(|row| (row.key.clone(), row.hash)).collect::<HashMap<_, _>>();
    let (source, target) = (index(source), index(target));
    keys.iter().map(|key| (key.clone(), (source.get(key).copied(), target.get(key).copied()))).collect()
}

fn keys(found: &Difference) -> Keys {
    let print = |keys: &[KeyCells]| keys.iter().map(KeyCells::shown).collect();
    Keys { missing: print(&found.missing), changed: print(&found.changed), extra: print(&found.extra) }
}
