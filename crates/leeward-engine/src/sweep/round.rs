//! One exchange with the source: the rows that the round before has found to differ, lists of stretches that differ, digests
//! of ranges of which nothing is known. The target does its part while the answer arrives.

use std::collections::BTreeMap;

use leeward_core::digest::{Difference, Digest};
use leeward_core::fault::Fault;
use leeward_core::port::{Apply, Ask, Border, Range, Told};
use leeward_core::row::KeyRange;

use super::answers::{self, Answers, cut_off};
use super::field::{DIGESTED_ROWS, Field, Known, Spread, Stretch};
use super::mending::{self, Mending, Owing};
use crate::brake::Guard;
use crate::scrub::Bench;

/// Rows of the target that are listed beside some of the source's at most, some 100 bytes each. Where it holds more between
/// the same keys, its surplus is cut up.
const HERE_ROWS_MAX: u64 = 20_000;

/// Pieces into which a surplus is cut at once; the last may be cut up again.
const PIECES_MAX: u64 = 64;

/// Bytes that one round takes in at most, by the survey's estimate: some seconds of hashing.
const ROUND_BYTES_MAX: u64 = 256 << 20;

/// A stretch that is asked for.
struct Asked {
    /// The table, by its place in the sweep.
    field: usize,
    stretch: Stretch,
    rows_max: u64,
}

/// What is asked for at once.
#[derive(Default)]
pub struct Round {
    lists: Vec<Asked>,
    digests: Vec<Asked>,
}

/// What of the sweep a round works on while its answers arrive.
struct Taking<'r, 'b, 'f> {
    apply: &'r mut dyn Apply,
    guard: Guard<'b>,
    fields: &'r mut [Field<'f>],
    mending: &'r mut Mending,
}

impl Round {
    /// Returns whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.lists.is_empty() && self.digests.is_empty()
    }

    /// Takes up stretches of the tables in turn, with so many rows in all. Ranges are cut by the target's borders, which cost
    /// no long round trip; any borders cut both sides into the same ranges.
    pub async fn plan(
        &mut self,
        fields: &mut [Field<'_>],
        apply: &mut dyn Apply,
        rows_at_once: u64,
    ) -> Result<(), Fault> {
        let mut left = rows_at_once;
        // What one table owes must stand together, so a table is listed only when those before it will be done.
        let mut is_listed = true;
        for (at, field) in fields.iter_mut().enumerate() {
            if field.is_over() {
                continue;
            }
            let rows_max = (ROUND_BYTES_MAX / field.planned.row_bytes()).max(1);
            let digested_before = self.digests.len();
            while left > 0 {
                let Some(stretch) = field.todo.front().cloned() else { break };
                let rows_max = rows_max.min(left);
                match (stretch.known, field.spread) {
                    (Known::Small, _) => {
                        left -= rows_max.min(field.digested_rows());
                        self.digests.push(Asked { field: at, stretch, rows_max });
                        field.todo.pop_front();
                        // It tells how to go on.
                        break;
                    }
                    (Known::Nothing, Spread::Few) => {
                        let cut_up = self.cut_up((at, field), stretch.keys, apply, rows_max).await?;
                        left -= cut_up.min(left);
                        continue;
                    }
                    _ if !is_listed => break,
                    (Known::Differs(Some(rows)), _) => {
                        // One more, to see that it has ended.
                        let rows_max = rows_max.min(rows + 1);
                        left -= rows_max;
                        self.lists.push(Asked { field: at, stretch, rows_max });
                    }
                    (Known::Differs(None) | Known::Nothing, _) => {
                        left -= rows_max;
                        self.lists.push(Asked { field: at, stretch, rows_max });
                    }
                }
                field.todo.pop_front();
            }
            is_listed &= field.todo.is_empty() && self.digests.len() == digested_before;
        }
        Ok(())
    }

    /// Cuts up what follows a key into small ranges, up to so many rows. Returns how many rows they hold at most.
    async fn cut_up(
        &mut self,
        (at, field): (usize, &mut Field<'_>),
        keys: KeyRange,
        apply: &mut dyn Apply,
        rows_max: u64,
    ) -> Result<u64, Fault> {
        field.todo.pop_front();
        let rows = field.digested_rows();
        let mut taken = 0;
        let mut after = keys.after;
        while taken < rows_max {
            let upto = apply.border(&Border { table: field.planned, after: after.clone(), rows }).await?;
            let keys = KeyRange { after, upto: upto.clone() };
            self.digests.push(Asked { field: at, stretch: Stretch { keys, known: Known::Small }, rows_max });
            taken += rows;
            if upto.is_none() {
                return Ok(taken);
            }
            after = upto;
        }
        field.todo.push_front(Stretch { keys: KeyRange { after, upto: None }, known: Known::Nothing });
        Ok(taken)
    }

    /// Asks, and does the target's part.
    pub async fn run(
        self,
        bench: &mut Bench<'_>,
        fields: &mut [Field<'_>],
        mending: &mut Mending,
    ) -> Result<(), Fault> {
        let owing = mending.take();
        let mut asks = mending::asks(fields, &owing);
        asks.extend(self.lists.iter().map(|one| {
            let range = Range { table: fields[one.field].planned, keys: one.stretch.keys.clone() };
            Ask::List { range, rows_max: one.rows_max }
        }));
        asks.extend(
            self.digests
                .iter()
                .map(|one| Ask::Digest(Range { table: fields[one.field].planned, keys: one.stretch.keys.clone() })),
        );
        let budget = bench.guard.lane.budget.clone();
        let (mut telling, mut answers) = answers::channel(&budget);
        let cut = &mut *bench.cut;
        let asking = async move { cut.ask(&asks, &mut telling).await };
        let mut taking = Taking { apply: &mut *bench.apply, guard: bench.guard, fields, mending };
        let ((), unsettled) = tokio::try_join!(asking, taking.take(owing, self, &mut answers))?;
        match unsettled {
            Some(owing) => mending.settle(bench, fields, owing).await,
            None => Ok(()),
        }
    }
}

impl Taking<'_, '_, '_> {
    async fn take(&mut self, owing: Vec<Owing>, round: Round, answers: &mut Answers) -> Result<Option<Owing>, Fault> {
        let unsettled = self.mending.repair((&mut *self.apply, self.guard), self.fields, owing, answers).await?;
        let mut unfinished = Vec::new();
        self.lists(round.lists, answers, &mut unfinished).await?;
        self.digests(round.digests, answers, &mut unfinished).await?;
        // The last is put in front first.
        for (at, stretch) in unfinished.into_iter().rev() {
            let field = &mut self.fields[at];
            if !field.is_given_up() {
                field.todo.push_front(stretch);
            }
        }
        Ok(unsettled)
    }

    /// Lays the target's lists beside the source's.
    async fn lists(
        &mut self,
        lists: Vec<Asked>,
        answers: &mut Answers,
        unfinished: &mut Vec<(usize, Stretch)>,
    ) -> Result<(), Fault> {
        let mut owing: Vec<(Owing, u64)> = Vec::new();
        for one in lists {
            let at = one.field;
            let behind_another = unfinished.iter().any(|(other, _)| *other != at);
            if self.fields[at].is_given_up() || behind_another {
                answers.skip().await?;
                unfinished.push((at, one.stretch));
                continue;
            }
            let listed = match self.list(one, answers, unfinished).await? {
                Ok(listed) => listed,
                Err(fault) => {
                    self.give_up(at, fault).await?;
                    continue;
                }
            };
            if owing.last().is_none_or(|(last, _)| last.field != at) {
                owing.push((Owing::of(at), 0));
            }
            if let (Some((owing, rows)), Some((keys, digest))) = (owing.last_mut(), listed.reached) {
                *rows += digest.rows;
                self.fields[at].count(digest.rows);
                if !listed.found.is_empty() || listed.is_suspect {
                    owing.found.add(listed.found);
                    owing.stretches.push((keys, digest));
                }
                self.fields[at].spread = spread(owing.found.rows() as u64, rows.div_ceil(DIGESTED_ROWS));
            }
        }
        let found = owing.into_iter().map(|(owing, _)| owing).filter(|one| !one.stretches.is_empty());
        found.filter(|one| !self.fields[one.field].is_given_up()).for_each(|one| self.mending.add(one));
        Ok(())
    }

    /// Compares one stretch as far as the source's list reaches, part by part. The inner fault is the table's.
    async fn list(
        &mut self,
        asked: Asked,
        answers: &mut Answers,
        unfinished: &mut Vec<(usize, Stretch)>,
    ) -> Result<Result<Listed, Fault>, Fault> {
        let planned = self.fields[asked.field].planned;
        let KeyRange { after: begin, upto: end } = asked.stretch.keys.clone();
        let is_suspect = matches!(asked.stretch.known, Known::Differs(_));
        let mut listed = Listed { reached: None, found: Difference::default(), is_suspect };
        let mut rest = Some(asked.stretch.keys);
        let (mut is_cut_up, mut failed) = (false, None);
        loop {
            let (rows, upto, digest) = match answers.next().await? {
                Told::Listed { rows, upto, digest, .. } => (rows, upto, digest),
                Told::End { .. } => break,
                Told::Failed { fault, .. } => return Ok(Err(failed.unwrap_or(fault))),
                Told::Digest { .. } | Told::Rows { .. } => return Err(cut_off()),
            };
            // What follows a surplus is listed again with it.
            let Some(KeyRange { after, .. }) = rest.clone().filter(|_| !is_cut_up && failed.is_none()) else {
                continue;
            };
            let keys = KeyRange { after, upto: upto.clone().or_else(|| end.clone()) };
            let part = Range { table: planned, keys };
            match self.apply.list(&part, HERE_ROWS_MAX + 1).await {
                Ok(here) if here.len() as u64 <= HERE_ROWS_MAX => {
                    listed.found.add(Difference::between(&rows, &here));
                    listed.reached = Some((KeyRange { after: begin.clone(), upto: part.keys.upto }, digest));
                }
                Ok(_) => {
                    is_cut_up = true;
                    match self.pieces(&part).await {
                        Ok(pieces) => unfinished.extend(pieces.into_iter().map(|piece| (asked.field, piece))),
                        Err(fault) => failed = Some(fault),
                    }
                }
                Err(fault) => failed = Some(fault),
            }
            rest = upto.map(|upto| KeyRange { after: Some(upto), upto: end.clone() });
        }
        let known = if is_suspect { Known::Differs(None) } else { asked.stretch.known };
        unfinished.extend(rest.map(|keys| (asked.field, Stretch { keys, known })));
        Ok(failed.map_or(Ok(listed), Err))
    }

    /// Cuts up a range of which the target holds many more rows than the source, by the target's borders. Its rows are counted
    /// first, so each border lies inside of it.
    async fn pieces(&mut self, range: &Range<'_>) -> Result<Vec<Stretch>, Fault> {
        let counted = self.apply.key_digests(std::slice::from_ref(range)).await?.pop();
        let rows = counted.ok_or_else(cut_off)??.rows;
        let piece = HERE_ROWS_MAX / 2;
        let (mut pieces, mut after) = (Vec::new(), range.keys.after.clone());
        for _ in 1..rows.div_ceil(piece).min(PIECES_MAX) {
            let border = Border { table: range.table, after: after.clone(), rows: piece };
            let Some(upto) = self.apply.border(&border).await? else { break };
            let keys = KeyRange { after, upto: Some(upto.clone()) };
            pieces.push(Stretch { keys, known: Known::Differs(None) });
            after = Some(upto);
        }
        let keys = KeyRange { after, upto: range.keys.upto.clone() };
        pieces.push(Stretch { keys, known: Known::Differs(None) });
        Ok(pieces)
    }

    /// Compares digests; what differs is to be listed.
    async fn digests(
        &mut self,
        asked: Vec<Asked>,
        answers: &mut Answers,
        unfinished: &mut Vec<(usize, Stretch)>,
    ) -> Result<(), Fault> {
        if asked.is_empty() {
            return Ok(());
        }
        let range = |one: &Asked| Range { table: self.fields[one.field].planned, keys: one.stretch.keys.clone() };
        let ranges: Vec<Range<'_>> = asked.iter().map(range).collect();
        let (there, here) = tokio::try_join!(collect(answers, ranges.len()), self.apply.digests(&ranges))?;
        let mut seen: BTreeMap<usize, (u64, u64)> = BTreeMap::new();
        for (one, digests) in asked.into_iter().zip(there.into_iter().zip(here)) {
            if self.fields[one.field].is_given_up() {
                continue;
            }
            match digests {
                (Ok(there), Ok(here)) => {
                    let (differing, all) = seen.entry(one.field).or_default();
                    *all += 1;
                    if there == here {
                        self.fields[one.field].count(there.rows);
                    } else {
                        *differing += 1;
                        let stretch = Stretch { known: Known::Differs(Some(there.rows)), ..one.stretch };
                        unfinished.push((one.field, stretch));
                    }
                }
                (Err(fault), _) | (_, Err(fault)) => self.give_up(one.field, fault).await?,
            }
        }
        seen.into_iter().for_each(|(at, (differing, all))| self.fields[at].spread = spread(differing, all));
        Ok(())
    }

    async fn give_up(&mut self, at: usize, fault: Fault) -> Result<(), Fault> {
        self.fields[at].fail(self.guard.lane, fault)?;
        self.mending.undo(self.apply, at).await
    }
}

/// What the comparison of one stretch has come to.
struct Listed {
    /// As far as it was compared, with the cut's digest of that.
    reached: Option<(KeyRange, Digest)>,
    found: Difference,
    /// Whether its digests have differed, so that they are to be compared again even if no row differs.
    is_suspect: bool,
}

/// Says how differences lie, from how many of so many ranges differ.
fn spread(differing: u64, all: u64) -> Spread {
    match differing > 0 && differing * 2 >= all {
        true => Spread::Everywhere,
        false => Spread::Few,
    }
}

/// Returns the next digests.
async fn collect(answers: &mut Answers, count: usize) -> Result<Vec<Result<Digest, Fault>>, Fault> {
    let mut digests = Vec::with_capacity(count);
    while digests.len() < count {
        match answers.next().await? {
            Told::Digest { digest, .. } => {
                digests.push(Ok(digest));
                answers.skip().await?;
            }
            Told::Failed { fault, .. } => digests.push(Err(fault)),
            _ => return Err(cut_off()),
        }
    }
    Ok(digests)
}
