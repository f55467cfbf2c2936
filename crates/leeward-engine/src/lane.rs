//! A lane in the hands of a process: the plan, the records as last committed, and what is only believed in memory.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, NaiveDateTime, TimeDelta};
use leeward_core::brake::{BrakeEvidence, CountState};
use leeward_core::class::Strategy;
use leeward_core::fence::{Fence, Observation, Passed, Resting, Settled};
use leeward_core::lane::{JoinsFrom, LaneRecord, LaneState, QuarantineCause, TableRecord, TableState};
use leeward_core::mark::{Mark, floor_to_precision};
use leeward_core::name::TableName;
use leeward_core::plan::{FenceMode, Plan, PlannedTable};
use leeward_core::port::{DeltaStart, Event};
use leeward_core::table::Table;
use tracing::warn;

use crate::budget::Budget;
use crate::delta::{AppliedRows, RESTING_PAYS_ROWS};
use crate::soft;

/// Looks remembered while the fence is not proved: so many to an overlap, by which marks then move. Each holds the highest id
/// of every append table.
const UNPROVED_MAX: i32 = 60;

/// One lane.
pub struct Lane {
    /// What is to be done.
    pub plan: Plan,
    /// The lane's record as last committed.
    pub record: LaneRecord,
    /// The plan's tables, in its order.
    pub tables: Vec<TableWork>,
    /// The barriers.
    pub fence: Fence,
    /// Whether this process has seen a barrier retired, so that every mark stored before is proved as well.
    pub fence_proved: bool,
    /// The last barrier that this process has seen retired: rows stamped before its first time are final in every cut of
    /// its second time and later.
    pub settled: Option<(NaiveDateTime, NaiveDateTime)>,
    /// When this process last committed a cycle.
    pub committed: Option<Instant>,
    /// Looks at the source's threads in a row that proved nothing, because they were not fresh.
    pub stale_looks: u64,
    /// What was seen while no proof is to be had, oldest first.
    unproved: VecDeque<Settled>,
    /// When this process last looked at the source's threads.
    pub looked: Option<Instant>,
    /// When the last look that the fence has taken in was asked for and answered.
    observed: Option<(Instant, Instant)>,
    /// The lowest to which this process has seen the source's clock set back.
    set_back_to: Option<NaiveDateTime>,
    /// Rows of one window from which on a resting mark pays; fewer only to try it out.
    pub resting_pays_rows: u64,
    /// What resting marks are made of.
    pub rest: Rest,
    /// Rows in memory.
    pub budget: Budget,
}

/// What resting marks are made of (see [`Resting`]).
#[derive(Default)]
pub struct Rest {
    /// What the last look offers: earned by reading a cut that is opened after it.
    pub offered: Option<Arc<Resting>>,
    /// A look that was made after the last cut. It is the next cycle's first.
    pub look_after: Option<Looked>,
}

/// A look, with Leeward's own time.
pub struct Looked {
    /// What was seen.
    pub seen: Observation,
    /// When it was asked for.
    pub asked: Instant,
    /// When the answer was there.
    pub answered: Instant,
}

/// A mark that rests on open transactions: rows below it are on the target, but for those of these transactions.
#[derive(Debug, Clone)]
pub struct Rested {
    /// The mark.
    pub mark: Mark,
    /// What it rests on.
    pub on: Arc<Resting>,
}

/// Why a table is taken out: the cause, what was seen, what to do.
pub type Stop = (QuarantineCause, String, String);

/// One table in the hands of a process.
pub struct TableWork {
    /// Its line of the plan.
    pub planned: PlannedTable,
    /// Its record as last committed.
    pub record: TableRecord,
    /// The mark that is proved, but stored only with the next record.
    pub proved: Mark,
    /// Rows of the window that the target already holds.
    pub applied: AppliedRows,
    /// Where to go on while catching up; nothing when the last cycle read up to its cut.
    pub behind: Option<DeltaStart>,
    /// Where to go on with soft deletes while catching up with them, and what was proved when that began.
    pub soft_behind: Option<DeltaStart>,
    /// See [`TableWork::soft_behind`].
    pub soft_proved_at_start: Option<NaiveDateTime>,
    /// What was proved when the reading that [`TableWork::behind`] goes on with began. It is all that may become the mark
    /// before that reading has come to its end: what has been proved since may lie where it has already passed.
    pub proved_at_start: Mark,
    /// When the record was last written.
    pub saved: Option<Instant>,
    /// From where windows may be read while the transactions are open on which it rests.
    pub rested: Option<Rested>,
    /// What was offered when the reading that [`TableWork::behind`] goes on with began; earned at its end.
    pub offered_at_start: Option<Rested>,
    /// Rows of the last window that was read from the mark.
    pub window_rows: u64,
    /// When a cycle last wrote rows of it.
    pub wrote: Option<Instant>,
    /// Its definition on the source where that differs from the plan's in nothing that rows could notice.
    pub table_now: Option<Table>,
}

impl Lane {
    /// Takes a lane up from its stored plan and records.
    pub fn new(plan: Plan, record: Option<LaneRecord>, records: Vec<TableRecord>) -> Lane {
        let record = record.unwrap_or_else(|| LaneRecord {
            lane: plan.settings.lane.clone(),
            state: LaneState::Seeding,
            plan_hash: plan.hash.clone(),
            cycle: 0,
            cut_at: None,
            applied_at: None,
            clock_offset_ms: None,
            exposed_ms: None,
            holders: Vec::new(),
            barrier: None,
        });
        let stored = |planned: &PlannedTable| {
            let found = records.iter().find(|record| record.name == *planned.name()).cloned();
            found.unwrap_or_else(|| TableRecord::planned(planned.name().clone()))
        };
        let tables: Vec<TableWork> =
            plan.tables.iter().map(|planned| TableWork::new(planned.clone(), stored(planned))).collect();
        let mut fence = Fence::default();
        if let (Some(held), FenceMode::Proved) = (&record.barrier, &plan.fence) {
            fence.take_up(held.clone());
        }
        for table in &tables {
            if let Mark::Clock { settled } = table.record.mark {
                fence.remember_clock(settled);
            }
            table.record.soft_mark.into_iter().for_each(|mark| fence.remember_clock(mark));
        }
        Lane {
            plan,
            record,
            tables,
            fence,
            fence_proved: false,
            settled: None,
            committed: None,
            stale_looks: 0,
            unproved: VecDeque::new(),
            looked: None,
            observed: None,
            set_back_to: None,
            resting_pays_rows: RESTING_PAYS_ROWS,
            rest: Rest::default(),
            budget: Budget::default(),
        }
    }

    /// Returns it with rows in memory bounded by this budget.
    pub fn within(self, budget: &Budget) -> Lane {
        Lane { budget: budget.clone(), ..self }
    }

    /// Returns whether nothing can be missing below a table's mark, so that it can be compared. The mark that a seed notes is
    /// proved only once a barrier that was set after it has been retired; a later one was proved by whoever stored it.
    /// A process that has just begun behind a long transaction thus finds deletes and damage at once.
    pub fn is_mark_proved(&self, table: &TableWork) -> bool {
        // A table has been live before records told of marks.
        let stored = table.record.mark_proved || table.record.state == TableState::Live;
        stored || self.fence_proved && table.is_proved(self.settled)
    }

    /// Returns the tables whose highest id an observation must read.
    pub fn probes(&self) -> Vec<&PlannedTable> {
        let appended = |table: &&TableWork| table.planned.strategy == Strategy::Append && table.is_active();
        self.tables.iter().filter(appended).map(|table| &table.planned).collect()
    }

    /// Takes in an observation and moves the proved marks.
    pub fn observe(&mut self, looked: &Looked) {
        let seen = &looked.seen;
        let between = |then: Instant, now: Instant| {
            TimeDelta::from_std(now.saturating_duration_since(then)).unwrap_or(TimeDelta::MAX)
        };
        let passed = self.observed.replace((looked.asked, looked.answered)).map(|(asked, answered)| Passed {
            at_least: between(answered, looked.asked),
            at_most: between(asked, looked.answered),
        });
        let settled = match &self.plan.fence {
            FenceMode::Proved => {
                let news = self.fence.observe(seen, passed);
                news.set_back_to.into_iter().for_each(|lowest| self.clock_set_back(lowest));
                news.settled
            }
            FenceMode::Window { overlap_s, .. } => {
                let overlap = seconds(*overlap_s);
                self.settle_by_window(seen, overlap)
            }
        };
        for table in &mut self.tables {
            table.rested = table.rested.take().filter(|rested| rested.on.holds(seen));
        }
        self.tables.iter_mut().for_each(|table| table.follow_restarted_ids(&seen.heads));
        let resting = self.fence.resting().filter(|_| self.plan.fence == FenceMode::Proved);
        self.rest.offered = resting.map(|resting| Arc::new(resting.below(&seen.heads)));
        let Some(settled) = settled else { return };
        self.fence_proved = true;
        self.settled = Some((settled.before, seen.now));
        let settled = settled.below(&seen.heads);
        for table in &mut self.tables {
            table.proved = table.proved.advanced_to(table.mark_of(&settled));
        }
    }

    /// Lowers the marks of all tables that are followed by their clock.
    fn clock_set_back(&mut self, lowest: NaiveDateTime) {
        warn!(%lowest, "the source's clock was set back; rows are read again from there");
        self.tables.iter_mut().for_each(|table| table.clock_set_back(lowest));
        self.settled = None;
        self.set_back_to = Some(self.set_back_to.map_or(lowest, |before| before.min(lowest)));
    }

    /// Goes on with what was read back, and with what this process knows of the source's clock.
    pub fn go_on_with(&mut self, stored: Lane) {
        let before = std::mem::replace(self, stored);
        self.observed = before.observed;
        self.budget = before.budget;
        before.fence.clock().into_iter().for_each(|clock| self.fence.remember_clock(clock));
        before.set_back_to.into_iter().for_each(|lowest| self.clock_set_back(lowest));
    }

    /// Without a proof, what was seen an overlap ago counts as settled.
    fn settle_by_window(&mut self, seen: &Observation, overlap: TimeDelta) -> Option<Settled> {
        if self.unproved.back().is_none_or(|last| last.before + overlap / UNPROVED_MAX <= seen.now) {
            self.unproved.push_back(Settled { before: seen.now, heads: seen.heads.clone() });
        }
        let mut settled = None;
        while self.unproved.front().is_some_and(|one| one.before + overlap <= seen.now) {
            settled = self.unproved.pop_front();
        }
        settled
    }

    /// Forgets what was seen of a table's ids, because it may be another table by now.
    fn forget_ids(&mut self, name: &TableName) {
        self.fence.forget_ids(name);
        self.record.barrier = self.fence.held();
        self.unproved.iter_mut().for_each(|one| one.heads.retain(|of, _| of != name));
        self.rest = Rest::default();
    }

    /// Takes a table out until its remedy has been applied. Returns the event to store.
    pub fn quarantine(&mut self, at: usize, cause: QuarantineCause, reason: &str, remedy: &str) -> Event {
        let table = &mut self.tables[at];
        table.record.state = TableState::Quarantined { cause, reason: reason.to_owned(), remedy: remedy.to_owned() };
        table.record.beside = None;
        table.saved = None;
        table.applied = AppliedRows::default();
        (table.behind, table.soft_behind) = (None, None);
        let name = self.tables[at].planned.name().clone();
        Event { kind: "quarantine".into(), text: format!("{name}: {reason}; {remedy}"), table: Some(name) }
    }

    /// Lets a quarantined table back in: it is caught up from its mark and compared whole before it counts as live.
    pub fn readmit(&mut self, at: usize, planned: PlannedTable) -> Event {
        let table = &mut self.tables[at];
        let name = planned.name().clone();
        let keep = table.planned.mark_column == planned.mark_column && table.planned.strategy == planned.strategy;
        table.record.mark = if keep { table.record.mark } else { Mark::None };
        table.proved = table.record.mark;
        if table.planned.soft_delete != planned.soft_delete {
            table.record.soft_mark = None;
        }
        let known =
            |name: &str| table.planned.table.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
        let columns = planned.table.columns.iter().map(|column| &column.name);
        table.record.new_columns.extend(columns.filter(|name| !known(name)).cloned());
        table.planned = planned;
        table.record.state = TableState::Joining { from: JoinsFrom::Quarantine };
        table.record.scrub = leeward_core::lane::ScrubRecord::default();
        (table.record.brake, table.record.released) = (None, None);
        table.saved = None;
        (table.rested, table.offered_at_start) = (None, None);
        self.forget_ids(&name);
        Event { kind: "readmitted".into(), text: format!("{name} is caught up and compared again"), table: Some(name) }
    }

    /// Takes a table in that the plan did not hold.
    pub fn admit(&mut self, planned: PlannedTable, record: TableRecord) {
        self.forget_ids(planned.name());
        let at = self.plan.tables.partition_point(|known| known.name() < planned.name());
        self.plan.tables.insert(at, planned.clone());
        self.tables.insert(at, TableWork::new(planned, record));
    }

    /// Takes a table out of the plan.
    pub fn forget(&mut self, at: usize) {
        self.plan.tables.remove(at);
        self.tables.remove(at);
    }

    /// Returns whether every table that is not quarantined is live.
    pub fn all_live(&self) -> bool {
        self.tables.iter().filter(|table| table.is_active()).all(|table| table.record.state == TableState::Live)
    }

    /// Returns whether some table could not be read up to the last cut.
    pub fn is_behind(&self) -> bool {
        self.tables.iter().any(|table| table.is_active() && (table.behind.is_some() || table.soft_behind.is_some()))
    }
}

/// Turns a policy's seconds into a difference of times; a week is the longest that makes sense anywhere.
pub(crate) fn seconds(seconds: u64) -> TimeDelta {
    TimeDelta::seconds(seconds.min(7 * 86_400) as i64)
}

impl TableWork {
    fn new(planned: PlannedTable, mut record: TableRecord) -> TableWork {
        // A new plan may have chosen another strategy, for which the old mark says nothing.
        let fits = matches!(
            (planned.strategy, record.mark),
            (_, Mark::None) | (Strategy::Merge, Mark::Clock { .. }) | (Strategy::Append, Mark::Id { .. })
        );
        if !fits {
            record.mark = Mark::None;
        }
        let proved = record.mark;
        TableWork {
            planned,
            record,
            proved,
            applied: AppliedRows::default(),
            behind: None,
            soft_behind: None,
            soft_proved_at_start: None,
            proved_at_start: proved,
            saved: None,
            rested: None,
            offered_at_start: None,
            window_rows: 0,
            wrote: None,
            table_now: None,
        }
    }

    /// Lowers the mark if the table's highest id lies below it: TRUNCATE lets ids begin again, and the mark would wait for
    /// as many rows as there were before. A lower mark is never wrong, it only reads more. What was written below the new
    /// head before this look is left to the scrub.
    fn follow_restarted_ids(&mut self, heads: &BTreeMap<TableName, u64>) {
        let Some(&head) = heads.get(self.planned.name()) else { return };
        let above = |mark: Mark| matches!(mark, Mark::Id { settled } if settled > head);
        let lowered = Mark::Id { settled: head };
        if above(self.record.mark) || above(self.proved) {
            (self.record.mark, self.proved) = (lowered, lowered);
        }
        // Nor may a reading under way go on above the head, or raise the mark at its end.
        if above(self.proved_at_start) {
            self.proved_at_start = lowered;
        }
        self.behind = self.behind.take().filter(|from| !matches!(from, DeltaStart::AfterId(id) if *id > head));
        self.rested = self.rested.take().filter(|rested| !above(rested.mark));
        self.offered_at_start = self.offered_at_start.take().filter(|offered| !above(offered.mark));
    }

    /// Lowers the marks: rows may be stamped from `lowest` on. A lower mark is never wrong, it only reads more.
    fn clock_set_back(&mut self, lowest: NaiveDateTime) {
        if let Some(mark) = self.clock_mark(lowest) {
            for own in [&mut self.record.mark, &mut self.proved, &mut self.proved_at_start] {
                *own = own.lowered_to(mark);
            }
            (self.rested, self.offered_at_start) = (None, None);
        }
        if let Some(mark) = soft::mark(self, lowest) {
            for own in [&mut self.record.soft_mark, &mut self.soft_proved_at_start] {
                *own = own.map(|own| own.min(mark));
            }
        }
        self.saved = None;
    }

    /// Returns the mark below which every row is stamped before `before`, for a table that is followed by its clock. What the
    /// application stamps may lie in the past by as much as the plan allows for.
    pub fn clock_mark(&self, before: NaiveDateTime) -> Option<Mark> {
        let fsp = self.clock_precision()?;
        // A TIMESTAMP holds nothing earlier, and is not compared with anything earlier.
        let before = (before - seconds(self.planned.overlap_s)).max(DateTime::UNIX_EPOCH.naive_utc());
        Some(Mark::Clock { settled: floor_to_precision(before, fsp) })
    }

    /// Notes the mark of a table whose copy begins after a look.
    pub fn note_mark(&mut self, seen: &Observation) {
        let head = || seen.heads.get(self.planned.name()).copied().unwrap_or(0);
        let id = || (self.planned.strategy == Strategy::Append).then(|| Mark::Id { settled: head() });
        self.record.mark = self.clock_mark(seen.now).or_else(id).unwrap_or_default();
        self.proved = self.record.mark;
        self.record.soft_mark = soft::mark(self, seen.now);
        self.record.noted_at = Some(seen.now);
    }

    /// Returns the mark for what is settled. Ids that were seen before the table's mark was noted may be another table's.
    fn mark_of(&self, settled: &Settled) -> Mark {
        if self.planned.strategy == Strategy::Append {
            let known = self.record.noted_at.is_none_or(|noted| noted <= settled.before) && self.is_active();
            let head = settled.heads.get(self.planned.name()).filter(|_| known);
            return head.map_or(Mark::None, |&settled| Mark::Id { settled });
        }
        self.clock_mark(settled.before).unwrap_or_default()
    }

    /// Returns whether cycles read and write the table.
    pub fn is_active(&self) -> bool {
        matches!(self.record.state, TableState::CatchingUp | TableState::Joining { .. } | TableState::Live)
    }

    /// Returns whether the lane is live only when this table is at the cut.
    pub fn counts_for_lane(&self) -> bool {
        matches!(self.record.state, TableState::CatchingUp | TableState::Live)
    }

    /// Returns whether every transaction is over that could still bring rows which neither its copy nor its mark shows.
    fn is_proved(&self, settled: Option<(NaiveDateTime, NaiveDateTime)>) -> bool {
        self.record.noted_at.is_none_or(|noted| settled.is_some_and(|(before, _)| before >= noted))
    }

    /// Returns what the brake saw, while it holds the table.
    pub fn held_by_brake(&self) -> Option<&BrakeEvidence> {
        let held = matches!(self.record.state, TableState::Quarantined { cause: QuarantineCause::Brake, .. });
        self.record.brake.as_deref().filter(|_| held)
    }

    /// Returns what the brake saw, while the whole table is still to be counted.
    pub fn is_counted(&self) -> Option<&BrakeEvidence> {
        self.held_by_brake().filter(|seen| seen.count.state == CountState::Running)
    }

    /// Returns whether the strategy reads a delta.
    pub fn has_delta(&self) -> bool {
        matches!(self.planned.strategy, Strategy::Append | Strategy::Merge)
    }

    /// Returns what the last look offers this table. A window that was itself read from a resting mark leaves out what
    /// that one rests on, too.
    pub fn offer(&self, offered: Option<&Arc<Resting>>) -> Option<Rested> {
        let on = offered?;
        let mark = self.mark_of(&on.settled);
        let on = match &self.rested {
            Some(earlier) => Arc::new(Resting::clone(on).and_held_by(&earlier.on)),
            None => on.clone(),
        };
        Some(Rested { mark, on })
    }

    /// Returns the fractional digits of the clock column of a merged table.
    pub fn clock_precision(&self) -> Option<u8> {
        let column = self.planned.mark_column.as_deref().filter(|_| self.planned.strategy == Strategy::Merge)?;
        self.planned.table.column(column).map(|column| column.fsp)
    }
}
