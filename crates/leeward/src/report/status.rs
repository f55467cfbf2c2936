//! The status of a lane, from what Leeward itself has written down on the target. The source is not asked.

use chrono::NaiveDateTime;
use leeward_core::class::{Class, Confidence, Strategy};
use leeward_core::fence::Holder;
use leeward_core::lane::{LaneRecord, LaneState, TableRecord, TableState};
use leeward_core::mark::Contradicted;
use leeward_core::plan::{FenceMode, Plan};
use leeward_core::port::{ChunkRecord, Event, LeaseRecord};
use leeward_core::traffic::{BothSides, Traffic};
use serde::Serialize;

/// Everything that was read from the control schema.
#[derive(Debug, Clone)]
pub struct StatusFacts {
    /// Now, by this machine's clock (UTC).
    pub now: NaiveDateTime,
    /// The lane; nothing when no seed has begun.
    pub lane: Option<LaneRecord>,
    /// The stored plan.
    pub plan: Option<Plan>,
    /// Its tables.
    pub tables: Vec<TableRecord>,
    /// Who holds the lease.
    pub lease: Option<LeaseRecord>,
    /// What happened lately, newest first.
    pub events: Vec<(NaiveDateTime, Event)>,
    /// Chunks of a seed.
    pub chunks: Vec<ChunkRecord>,
    /// Processes that help who seeds.
    pub helpers: u64,
    /// What it has carried.
    pub traffic: Traffic,
}

impl StatusFacts {
    /// Returns the facts of a target that Leeward has never worked on.
    pub fn nothing(now: NaiveDateTime) -> StatusFacts {
        StatusFacts {
            now,
            lane: None,
            plan: None,
            tables: vec![],
            lease: None,
            events: vec![],
            chunks: vec![],
            helpers: 0,
            traffic: Traffic::default(),
        }
    }
}

/// The status of a lane.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[must_use = "an unread report is not actionable"]
pub struct StatusReport {
    /// Version of this form.
    pub schema: u32,
    /// When it was made, by this machine's clock (UTC).
    pub now: NaiveDateTime,
    /// The lane.
    pub lane: LaneStatus,
    /// Who works on it.
    pub worker: WorkerStatus,
    /// Why marks wait, oldest holder first.
    pub fence: FenceStatus,
    /// Every table, those that wait for a person first.
    pub tables: Vec<TableStatus>,
    /// Tables that the plan leaves out.
    pub left_out: Vec<LeftOutStatus>,
    /// What has passed over the wire, as far as it was stored.
    pub traffic: TrafficStatus,
    /// What happened lately, newest first.
    pub events: Vec<EventStatus>,
}

/// What has passed over the wire, as the servers count: after compression, without what TLS adds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrafficStatus {
    /// For the last seed, by the run that ended it.
    pub seed: Option<CarriedStatus>,
    /// For keeping in step, within the last 24 hours.
    pub day: Option<CarriedStatus>,
}

/// An amount that has passed, and its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CarriedStatus {
    /// When a seed ended; since when a day is counted. By the target's clock (UTC).
    pub at: NaiveDateTime,
    /// How much.
    #[serde(flatten)]
    pub carried: BothSides,
}

/// The lane as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LaneStatus {
    /// Its name; empty when there is none.
    pub name: String,
    /// `absent`, `seeding`, `catching_up`, `live` or `blocked`.
    pub state: LaneWord,
    /// Why it is blocked.
    pub reason: Option<String>,
    /// What to do, when a person must act.
    pub remedy: Option<String>,
    /// The source's clock at the last applied cut that was consistent across tables.
    pub cut_at: Option<NaiveDateTime>,
    /// The target's clock when it was applied.
    pub applied_at: Option<NaiveDateTime>,
    /// Milliseconds from that cut until now: what would be lost if the source were gone. The two clocks may differ.
    pub lag_ms: Option<u64>,
    /// Cycles applied.
    pub cycle: u64,
    /// The plan that it follows.
    pub plan_hash: String,
    /// Progress of the seed, while it lasts.
    pub seed: Option<SeedStatus>,
}

/// Where a lane stands, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LaneWord {
    /// Nothing has been seeded.
    Absent,
    /// Rows are being copied for the first time.
    Seeding,
    /// Tables are not consistent with each other.
    CatchingUp,
    /// Every table that is not quarantined equals one cut.
    Live,
    /// A person must act.
    Blocked,
}

/// Progress of a seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SeedStatus {
    /// Chunks known so far.
    pub chunks: u64,
    /// Chunks whose rows are on the target.
    pub chunks_done: u64,
    /// Rows copied.
    pub rows: u64,
    /// Bytes copied.
    pub bytes: u64,
    /// Processes that share the copy, beside the one that leads.
    pub helpers: u64,
}

/// Who works on a lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkerStatus {
    /// Whether somebody does.
    pub state: WorkerWord,
    /// Who, as it described itself.
    pub holder: Option<String>,
    /// Seconds since it last renewed its lease.
    pub renewed_s_ago: Option<u64>,
    /// The lease's epoch.
    pub epoch: Option<u64>,
}

/// Whether somebody works on a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkerWord {
    /// The lease is held and fresh.
    Running,
    /// The lease was given back, or never taken.
    None,
    /// The lease is held but no longer renewed: the process has died or is cut off.
    Silent,
    /// The target was promoted: nobody may write to it any more.
    Promoted,
}

/// How marks are made safe, and what they wait for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FenceStatus {
    /// Why there is no proof; nothing where there is one, or no plan.
    pub unproved: Option<String>,
    /// Threads of the source that the marks wait for.
    pub holders: Vec<Holder>,
}

/// One table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TableStatus {
    /// Its full name.
    pub name: String,
    /// `planned`, `seeding`, `catching_up`, `joining`, `live` or `quarantined`.
    pub state: TableWord,
    /// How it is kept.
    pub strategy: Option<Strategy>,
    /// Rows applied since the seed.
    pub rows_applied: u64,
    /// The source's clock at the cut that the table was brought to.
    pub cut_at: Option<NaiveDateTime>,
    /// Since when every row has been compared, by the source's clock.
    pub verified_since: Option<NaiveDateTime>,
    /// Rows that were deleted before this time of the source's clock are gone from the target.
    pub deletes_as_of: Option<NaiveDateTime>,
    /// How long the rows that were last found deleted may have lived on, in milliseconds.
    pub deletes_found_within_ms: Option<u64>,
    /// Rows that the last complete comparison had to repair or delete.
    pub last_pass_differences: u64,
    /// How it changes, as far as is known.
    pub class: Option<Class>,
    /// How sure its strategy is, after all that comparisons have shown.
    pub confidence: Option<Confidence>,
    /// The class that it was planned as, where comparisons have contradicted that and its fallback was taken.
    pub demoted_from: Option<Class>,
    /// What comparisons have shown against its class or clock, as it stands in the plan.
    pub contradictions: Vec<Contradicted>,
    /// Why it is quarantined.
    pub reason: Option<String>,
    /// What to do about it.
    pub remedy: Option<String>,
    /// How its definition differs on the target beside its rows, and what would close that.
    pub beside: Option<String>,
}

/// Where a table stands, in one word. The order is that of urgency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TableWord {
    /// It waits for a person.
    Quarantined,
    /// Nothing of it is on the target.
    Planned,
    /// Its rows are being copied.
    Seeding,
    /// It has not yet been seen to equal a cut.
    CatchingUp,
    /// It has come into a lane at work, and is filled and compared.
    Joining,
    /// It equals the lane's cut.
    Live,
}

/// A table that the plan leaves out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOutStatus {
    /// Its full name.
    pub name: String,
    /// What the owner can do.
    pub remedy: String,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventStatus {
    /// When, by the target's clock.
    pub at: NaiveDateTime,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

impl StatusReport {
    /// Makes the report.
    pub fn new(facts: StatusFacts) -> StatusReport {
        let StatusFacts { now, lane, plan, tables, lease, events, chunks, helpers, traffic } = facts;
        let holders = lane.as_ref().map(|lane| lane.holders.clone()).unwrap_or_default();
        let lane_cut = lane.as_ref().filter(|lane| lane.state == LaneState::Live).and_then(|lane| lane.cut_at);
        let mut tables: Vec<TableStatus> =
            tables.into_iter().map(|record| table(record, plan.as_ref(), lane_cut)).collect();
        tables.sort_by(|a, b| (a.state, &a.name).cmp(&(b.state, &b.name)));
        StatusReport {
            schema: 1,
            now,
            lane: lane_status(lane, now, (&chunks, helpers)),
            worker: worker(lease),
            fence: FenceStatus { unproved: plan.as_ref().and_then(unproved), holders },
            tables,
            left_out: plan.map(left_out).unwrap_or_default(),
            traffic: TrafficStatus { seed: traffic.seed.map(carried), day: traffic.day(now).map(carried) },
            events: events.into_iter().map(|(at, event)| EventStatus { at, event }).collect(),
        }
    }

    /// Returns whether everything goes on without a person: the answer behind the exit code.
    pub fn needs_nobody(&self) -> bool {
        let is_lane_fine = !matches!(self.lane.state, LaneWord::Absent | LaneWord::Blocked);
        is_lane_fine && self.tables.iter().all(|table| table.state != TableWord::Quarantined)
    }
}

fn carried((at, carried): (NaiveDateTime, BothSides)) -> CarriedStatus {
    CarriedStatus { at, carried }
}

fn lane_status(lane: Option<LaneRecord>, now: NaiveDateTime, seeding: (&[ChunkRecord], u64)) -> LaneStatus {
    let Some(lane) = lane else {
        return LaneStatus {
            name: String::new(),
            state: LaneWord::Absent,
            reason: None,
            remedy: Some("run `leeward seed`".to_owned()),
            cut_at: None,
            applied_at: None,
            lag_ms: None,
            cycle: 0,
            plan_hash: String::new(),
            seed: None,
        };
    };
    let (state, reason, remedy) = match lane.state {
        LaneState::Seeding => (LaneWord::Seeding, None, None),
        LaneState::CatchingUp => (LaneWord::CatchingUp, None, None),
        LaneState::Live => (LaneWord::Live, None, None),
        LaneState::Blocked { reason, remedy } => (LaneWord::Blocked, Some(reason), Some(remedy)),
    };
    LaneStatus {
        name: lane.lane,
        state,
        reason,
        remedy,
        cut_at: lane.cut_at,
        applied_at: lane.applied_at,
        lag_ms: lane.cut_at.map(|cut_at| lag_ms(cut_at, now, lane.clock_offset_ms)),
        cycle: lane.cycle,
        plan_hash: lane.plan_hash,
        seed: (state == LaneWord::Seeding).then(|| seed(seeding)),
    }
}

/// Returns the time since a cut. The two clocks are brought together by what the last cycle saw of their difference.
fn lag_ms(cut_at: NaiveDateTime, now: NaiveDateTime, clock_offset_ms: Option<i64>) -> u64 {
    let apart_ms = (now - cut_at).num_milliseconds().saturating_sub(clock_offset_ms.unwrap_or(0));
    u64::try_from(apart_ms).unwrap_or(0)
}

fn seed((chunks, helpers): (&[ChunkRecord], u64)) -> SeedStatus {
    let done = chunks.iter().filter(|chunk| chunk.done);
    SeedStatus {
        chunks: chunks.len() as u64,
        chunks_done: done.clone().count() as u64,
        rows: done.clone().map(|chunk| chunk.rows).sum(),
        bytes: done.map(|chunk| chunk.bytes).sum(),
        helpers,
    }
}

fn worker(lease: Option<LeaseRecord>) -> WorkerStatus {
    let Some(lease) = lease else {
        return WorkerStatus { state: WorkerWord::None, holder: None, renewed_s_ago: None, epoch: None };
    };
    let state = if lease.promoted {
        WorkerWord::Promoted
    } else if lease.holder.is_empty() {
        WorkerWord::None
    } else if lease.age_s > lease.ttl_s {
        WorkerWord::Silent
    } else {
        WorkerWord::Running
    };
    WorkerStatus {
        state,
        holder: Some(lease.holder).filter(|holder| !holder.is_empty()),
        renewed_s_ago: Some(lease.age_s),
        epoch: Some(lease.epoch),
    }
}

fn unproved(plan: &Plan) -> Option<String> {
    match &plan.fence {
        FenceMode::Proved => None,
        FenceMode::Window { why, .. } => Some(why.clone()),
    }
}

fn left_out(plan: Plan) -> Vec<LeftOutStatus> {
    let one = |left: leeward_core::plan::LeftOut| LeftOutStatus { name: left.name.to_string(), remedy: left.remedy };
    plan.left_out.into_iter().map(one).collect()
}

/// A table's own record is written when something of it changes; a quiet table of a live lane stands at the lane's cut.
fn table(record: TableRecord, plan: Option<&Plan>, lane_cut: Option<NaiveDateTime>) -> TableStatus {
    let planned = plan.and_then(|plan| plan.tables.iter().find(|table| *table.name() == record.name));
    let strategy = planned.map(|table| table.strategy);
    let deletes_as_of = record.deletes_since();
    let (state, reason, remedy) = match record.state {
        TableState::Planned => (TableWord::Planned, None, None),
        TableState::Seeding => (TableWord::Seeding, None, None),
        TableState::CatchingUp => (TableWord::CatchingUp, None, None),
        TableState::Joining { .. } => (TableWord::Joining, None, None),
        TableState::Live => (TableWord::Live, None, None),
        TableState::Quarantined { reason, remedy, .. } => (TableWord::Quarantined, Some(reason), Some(remedy)),
    };
    TableStatus {
        name: record.name.to_string(),
        state,
        strategy,
        rows_applied: record.rows_applied,
        // A table that only comparing keeps is as new as its last comparison, whatever the lane's cut.
        cut_at: match (state, strategy) {
            (TableWord::Live, Some(Strategy::Reconcile)) => record.cut_at,
            (TableWord::Live, _) => record.cut_at.max(lane_cut),
            _ => record.cut_at,
        },
        verified_since: record.scrub.verified_since,
        deletes_as_of,
        deletes_found_within_ms: record.keys.found_within_ms,
        last_pass_differences: record.scrub.last_pass_differences,
        class: planned.map(|table| table.class),
        confidence: planned.map(|table| table.confidence_after(&record.contradictions)),
        demoted_from: planned.and_then(|table| table.demoted).map(|demoted| demoted.from),
        contradictions: match planned {
            Some(table) => record.contradictions.into_iter().filter(|shown| table.is_contradicted_by(shown)).collect(),
            None => record.contradictions,
        },
        reason,
        remedy,
        beside: record.beside,
    }
}

#[cfg(test)]
mod tests;
