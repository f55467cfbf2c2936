//! One pass over all tables. A walker cuts ranges ahead of the comparison, each side digests them at its own pace, many
//! in one query, and the answers are laid side by side in the order of the walk. Neither side waits for the other from
//! query to query, and the number of round trips follows the time that the work takes, not the number of ranges.
//!
//! It decides nothing about rows: what differs is told as ranges.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use leeward_core::digest::Digest;
use leeward_core::fault::{Decision, Fault, FaultKind};
use leeward_core::name::Side;
use leeward_core::plan::PlannedTable;
use leeward_core::port::{Border, Cut, Range};
use leeward_core::row::KeyRange;
use tokio::sync::mpsc::{self, Receiver, Sender};

use super::{KEYS_MAX, Views};
use crate::progress::{Progress, Tell};

/// Rows of one compared range at most. More would make no query faster, and the row hashes of a differing range stay
/// below a few MiB.
pub(super) const RANGE_ROWS_MAX: u64 = 20_000;

/// Bytes of one compared range, by the survey's estimate: hashed in less than a second, so that its answer comes long
/// before the read time-out.
const RANGE_BYTES_MAX: u64 = 32 << 20;

/// Rows of one range where the survey saw none, so that nothing is known of their size (T35).
const RANGE_ROWS_BLIND: u64 = 1_000;

/// Ranges that the walk may be ahead of either side, and a side of the other: a few hundred keys.
const AHEAD_MAX: usize = 256;

/// Ranges in a side's first query: a small database needs no second one.
const RANGES_AT_ONCE_FIRST: usize = 64;

/// How long one query should take: long beside a round trip between continents, short for whoever watches the progress.
const QUERY_TIME: std::ops::Range<Duration> = Duration::from_secs(2)..Duration::from_secs(8);

/// Differing ranges that are kept until they are narrowed to rows, over all tables: some ten MiB of keys. Past it
/// tables that differ are only counted.
const DIFFERING_MAX: usize = 100_000;

/// Which tables are given up, so that nobody asks for more of them.
pub(super) struct Failed(Vec<AtomicBool>);

impl Failed {
    pub(super) fn none_of(tables: usize) -> Failed {
        Failed((0..tables).map(|_| AtomicBool::new(false)).collect())
    }

    fn add(&self, table: usize) {
        self.0[table].store(true, Ordering::Relaxed);
    }

    fn has(&self, table: usize) -> bool {
        self.0[table].load(Ordering::Relaxed)
    }
}

/// A range of the walk.
#[derive(Clone)]
struct Step<'a> {
    /// The table, by its place in the list.
    table: usize,
    range: Range<'a>,
}

/// What the comparison is told of the walk.
enum Walked<'a> {
    Step(Step<'a>),
    /// No further range of this table can be found.
    Lost(usize, Fault),
}

/// Where the walker sends the ranges it finds.
pub(super) struct Trail<'a> {
    source: Sender<Step<'a>>,
    target: Sender<Step<'a>>,
    walked: Sender<Walked<'a>>,
}

/// Where they arrive.
pub(super) struct Ranges<'a> {
    source: Receiver<Step<'a>>,
    target: Receiver<Step<'a>>,
    walked: Receiver<Walked<'a>>,
}

pub(super) fn channels<'a>() -> (Trail<'a>, Ranges<'a>) {
    let (to_source, source) = mpsc::channel(AHEAD_MAX);
    let (to_target, target) = mpsc::channel(AHEAD_MAX);
    let (to_walked, walked) = mpsc::channel(AHEAD_MAX);
    (Trail { source: to_source, target: to_target, walked: to_walked }, Ranges { source, target, walked })
}

/// Cuts all tables by the target's borders: it is near, while each border of the source would cost a round trip. The view
/// they are found in does not matter: any borders cut both sides' views into the same ranges. Whatever the target lacks
/// makes ranges of the source larger, which costs time but hides nothing.
pub(super) async fn walk<'a>(
    target: &mut dyn Cut,
    tables: &[&'a PlannedTable],
    trail: Trail<'a>,
    failed: &Failed,
) -> Result<(), Fault> {
    for (at, &table) in tables.iter().enumerate() {
        let mut after = None;
        // Each turn moves past at least one row of the target or ends the table.
        while !failed.has(at) {
            let border = Border { table, after: after.clone(), rows: range_rows(table) };
            let upto = match table.has_key() {
                false => None,
                true => match target.border(&border).await {
                    Ok(upto) => upto,
                    Err(fault) => {
                        let lost = Walked::Lost(at, of_table_alone(fault.on(Side::Target))?);
                        let _ = trail.walked.send(lost).await;
                        break;
                    }
                },
            };
            let step = Step { table: at, range: Range { table, keys: KeyRange { after, upto: upto.clone() } } };
            // A closed channel means that the other end has met a fault, which is told from there.
            let _ = trail.source.send(step.clone()).await;
            let _ = trail.target.send(step.clone()).await;
            let _ = trail.walked.send(Walked::Step(step)).await;
            if upto.is_none() {
                break;
            }
            after = upto;
        }
    }
    Ok(())
}

/// Returns how many rows a range of a table should hold.
pub(super) fn range_rows(table: &PlannedTable) -> u64 {
    match table.rows_estimate {
        0 => RANGE_ROWS_BLIND,
        _ => (RANGE_BYTES_MAX / table.row_bytes()).clamp(1, RANGE_ROWS_MAX),
    }
}

/// What was seen of one table.
pub(super) struct Seen<'a> {
    pub(super) source: Total,
    pub(super) target: Total,
    pub(super) differs: Differs<'a>,
    /// Why it could not be compared whole.
    pub(super) fault: Option<Fault>,
}

/// What a table's digests come to on one side: the same whatever ranges it was cut into.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Total {
    pub(super) rows: u64,
    sum: u128,
    xor: u64,
}

impl Total {
    fn add(&mut self, digest: &Digest) {
        self.rows += digest.rows;
        // 2^64 rows of 64 bits fit; a sum that is no whole number leaves count and XOR to tell.
        self.sum = self.sum.wrapping_add(digest.sum.parse().unwrap_or(0));
        self.xor ^= digest.xor;
    }
}

/// Where a table differs.
pub(super) enum Differs<'a> {
    Nowhere,
    /// In these ranges.
    In(Vec<Differing<'a>>),
    /// It has no key, or too many ranges differ for them to be kept.
    Uncounted,
}

/// A range that differs, and how many rows the target's view has in it.
pub(super) struct Differing<'a> {
    pub(super) range: Range<'a>,
    pub(super) target_rows: u64,
}

/// A side's answer to one step; nothing where the table was given up before it was asked for.
type Answer = Option<Result<Digest, Fault>>;

/// Compares what the walk finds.
pub(super) async fn compare<'a>(
    views: &mut Views<'_>,
    tables: &[&'a PlannedTable],
    ranges: Ranges<'a>,
    (failed, tell): (&Failed, &dyn Tell),
) -> Result<Vec<Seen<'a>>, Fault> {
    let (from_source, source) = mpsc::channel(AHEAD_MAX);
    let (from_target, target) = mpsc::channel(AHEAD_MAX);
    let sheet = Sheet::new(tables, failed, tell);
    let (seen, (), ()) = tokio::try_join!(
        sheet.fill(ranges.walked, source, target),
        digest(views.source.as_mut(), ranges.source, from_source, failed),
        digest(views.target.as_mut(), ranges.target, from_target, failed),
    )?;
    Ok(seen)
}

/// Digests one side's ranges, as many at once as have come up while the last ones were digested, within bounds.
async fn digest(
    view: &mut dyn Cut,
    mut steps: Receiver<Step<'_>>,
    answers: Sender<Answer>,
    failed: &Failed,
) -> Result<(), Fault> {
    let (mut batch, mut at_once) = (Vec::new(), RANGES_AT_ONCE_FIRST);
    while steps.recv_many(&mut batch, at_once).await > 0 {
        let given_up: Vec<bool> = batch.iter().map(|step| failed.has(step.table)).collect();
        let asked = batch.drain(..).zip(&given_up).filter(|(_, given_up)| !**given_up);
        let asked: Vec<Range<'_>> = asked.map(|(step, _)| step.range).collect();
        let began = Instant::now();
        let mut digests = view.digests(&asked).await?.into_iter();
        at_once = match began.elapsed() {
            took if took < QUERY_TIME.start => (at_once * 2).min(AHEAD_MAX),
            took if took > QUERY_TIME.end => (at_once / 2).max(1),
            _ => at_once,
        };
        for given_up in given_up {
            let answer = if given_up { None } else { digests.next() };
            if answers.send(answer).await.is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Both sides' answers, table by table.
struct Sheet<'a, 'b> {
    tables: &'b [&'a PlannedTable],
    failed: &'b Failed,
    tell: &'b dyn Tell,
    seen: Vec<Seen<'a>>,
    /// Differing ranges kept so far.
    kept: usize,
}

impl<'a, 'b> Sheet<'a, 'b> {
    fn new(tables: &'b [&'a PlannedTable], failed: &'b Failed, tell: &'b dyn Tell) -> Self {
        Sheet { tables, failed, tell, seen: Vec::new(), kept: 0 }
    }

    async fn fill(
        mut self,
        mut walked: Receiver<Walked<'a>>,
        mut source: Receiver<Answer>,
        mut target: Receiver<Answer>,
    ) -> Result<Vec<Seen<'a>>, Fault> {
        let cut_off = || Fault::new(FaultKind::Unexpected, "compare tables");
        while let Some(news) = walked.recv().await {
            match news {
                Walked::Lost(table, fault) => {
                    self.turn_to(table);
                    self.give_up(table, fault);
                }
                Walked::Step(step) => {
                    self.turn_to(step.table);
                    let source = source.recv().await.ok_or_else(cut_off)?;
                    let target = target.recv().await.ok_or_else(cut_off)?;
                    // One of them is absent where the table was given up in between.
                    let (Some(source), Some(target)) = (source, target) else { continue };
                    self.add(step, source, target)?;
                }
            }
        }
        self.turn_to(self.tables.len());
        // A walk that was cut short has met a fault of its own, which ends everything; no table may be missing.
        if self.seen.len() == self.tables.len() { Ok(self.seen) } else { Err(cut_off()) }
    }

    /// Goes on to a table: the one before is done.
    fn turn_to(&mut self, table: usize) {
        if self.seen.len() > table {
            return;
        }
        if let Some(done) = self.seen.len().checked_sub(1) {
            self.tell.tell(Progress::TableDone { name: self.tables[done].name().clone() });
        }
        if let Some(planned) = self.tables.get(table) {
            self.tell.tell(Progress::TableStarted {
                name: planned.name().clone(),
                rows_estimate: planned.rows_estimate,
                bytes_estimate: planned.data_bytes,
                rows_done: 0,
                bytes_done: 0,
            });
            let (source, target) = (Total::default(), Total::default());
            self.seen.push(Seen { source, target, differs: Differs::Nowhere, fault: None });
        }
    }

    fn give_up(&mut self, table: usize, fault: Fault) {
        self.failed.add(table);
        self.seen[table].fault.get_or_insert(fault);
    }

    fn add(
        &mut self,
        step: Step<'a>,
        source: Result<Digest, Fault>,
        target: Result<Digest, Fault>,
    ) -> Result<(), Fault> {
        let source = source.map_err(|fault| fault.on(Side::Source));
        let (source, target) = match (source, target.map_err(|fault| fault.on(Side::Target))) {
            (Ok(source), Ok(target)) => (source, target),
            (Err(fault), _) | (_, Err(fault)) => {
                self.give_up(step.table, of_table_alone(fault)?);
                return Ok(());
            }
        };
        let planned = self.tables[step.table];
        let seen = &mut self.seen[step.table];
        seen.source.add(&source);
        seen.target.add(&target);
        if source != target {
            let differing = Differing { range: step.range, target_rows: target.rows };
            self.kept += 1;
            match &mut seen.differs {
                // A differing range has a differing row at least.
                Differs::In(ranges) if ranges.len() >= KEYS_MAX || self.kept > DIFFERING_MAX => {
                    seen.differs = Differs::Uncounted;
                }
                Differs::In(ranges) => ranges.push(differing),
                Differs::Nowhere if planned.has_key() => seen.differs = Differs::In(vec![differing]),
                differs => *differs = Differs::Uncounted,
            }
        }
        let (rows, bytes) = (source.rows, source.rows * planned.row_bytes());
        self.tell.tell(Progress::Rows { name: planned.name().clone(), rows, bytes });
        Ok(())
    }
}

/// Returns the fault if it is one of its table alone, else gives it back as an error.
fn of_table_alone(fault: Fault) -> Result<Fault, Fault> {
    match fault.decision() {
        Decision::Quarantine { .. } => Ok(fault),
        _ if fault.kind == FaultKind::Conflict && fault.table.is_some() => Ok(fault),
        _ => Err(fault),
    }
}
