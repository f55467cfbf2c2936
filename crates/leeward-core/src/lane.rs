//! Lanes and the states that a lane and its tables can be in. All of it is stored in the control schema, except where a
//! variant says otherwise.

use chrono::NaiveDateTime;
use serde::{Deserialize, Serialize};

use crate::brake::{BrakeEvidence, Released};
use crate::fence::{HeldBarrier, Holder};
use crate::mark::{Contradicted, Mark};
use crate::name::TableName;

/// Where a lane stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum LaneState {
    /// Set by `seed` before it creates anything; rows are being copied.
    Seeding,
    /// Set by a cycle that could not take in everything up to its cut: tables are not consistent with each other.
    CatchingUp,
    /// Set by a cycle after which every table of the lane that is neither quarantined nor only joining is in step with one
    /// cut: what its key or clock shows has been applied. Deletes, and changes that neither shows, are found by comparing.
    Live,
    /// Set by the supervisor when a person must act; the last applied cut stays as it was.
    Blocked {
        /// What happened.
        reason: String,
        /// What to do.
        remedy: String,
    },
}

/// Where a table stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum TableState {
    /// Planned; nothing of it is on the target. Set when the plan is stored.
    Planned,
    /// Set before the table is created on the target.
    Seeding,
    /// Set when its rows have been copied, but it has not yet been seen to equal a cut.
    CatchingUp,
    /// Set when it comes into a lane that is at work: new, or back with another definition. Cycles fill and compare it, and
    /// the lane's own state does not wait for it.
    Joining {
        /// Where it comes from.
        from: JoinsFrom,
    },
    /// Set by the first cycle that took in everything up to its cut after a whole scrub.
    Live,
    /// Set when the table waits for a person while the lane goes on.
    Quarantined {
        /// Why.
        cause: QuarantineCause,
        /// What was seen.
        reason: String,
        /// What to do.
        remedy: String,
    },
}

impl TableState {
    /// Returns its name in one word, as it is stored and reported.
    pub fn word(&self) -> &'static str {
        match self {
            TableState::Planned => "planned",
            TableState::Seeding => "seeding",
            TableState::CatchingUp => "catching_up",
            TableState::Joining { .. } => "joining",
            TableState::Live => "live",
            TableState::Quarantined { .. } => "quarantined",
        }
    }
}

/// Where a table comes from that joins a lane at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JoinsFrom {
    /// It is new on the source.
    Source,
    /// It was quarantined, for a reason that has passed.
    Quarantine,
}

/// Why a table is quarantined; decides whether it may return by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuarantineCause {
    /// The definitions differ; the table returns by itself once they agree.
    DefinitionDrift,
    /// It is gone on the source; returns by itself if it reappears with the planned definition.
    Dropped,
    /// A repair would have gone past the brake; returns after a person agrees.
    Brake,
    /// Its class was contradicted and the policy asks for a person.
    ClassContradicted,
    /// The target refused its rows; returns through a repair that a person asks for.
    Refused,
    /// Its key or engine cannot be kept right; see the plan.
    Unsupported,
}

/// All that the control schema knows of a lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneRecord {
    /// Its name.
    pub lane: String,
    /// Its state.
    pub state: LaneState,
    /// Hash of the plan it follows.
    pub plan_hash: String,
    /// Number of applied cycles; tells whether a COMMIT with a lost answer happened.
    pub cycle: u64,
    /// The source's clock at the last applied cut that was consistent across tables (state Live).
    pub cut_at: Option<NaiveDateTime>,
    /// The target's clock when it was applied.
    pub applied_at: Option<NaiveDateTime>,
    /// The target's clock less the source's at the last cycle, milliseconds; includes up to a round trip.
    #[serde(default)]
    pub clock_offset_ms: Option<i64>,
    /// How old the consistent cut before had become when the last one took its place, milliseconds: the most that would have
    /// been lost in between. Nothing where there was none before, or the last cycle brought none.
    #[serde(default)]
    pub exposed_ms: Option<u64>,
    /// Who held the fence at the last cycle, oldest first.
    pub holders: Vec<Holder>,
    /// The barrier that they held, which the next process goes on with.
    #[serde(default)]
    pub barrier: Option<HeldBarrier>,
}

/// All that the control schema knows of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableRecord {
    /// Its name.
    pub name: TableName,
    /// Its state.
    pub state: TableState,
    /// How far it is settled.
    pub mark: Mark,
    /// Whether the whole table has been compared since its mark was noted, which takes a proved fence: from then on the mark
    /// moves no further than what is proved.
    #[serde(default)]
    pub mark_proved: bool,
    /// How far its soft deletes are settled, where they are read by a column of their own: all that were marked before this
    /// time of the source's clock are.
    #[serde(default)]
    pub soft_mark: Option<NaiveDateTime>,
    /// The source's clock at the last cut that the table was brought to.
    pub cut_at: Option<NaiveDateTime>,
    /// Rows applied by deltas since the seed.
    pub rows_applied: u64,
    /// Scrub progress.
    pub scrub: ScrubRecord,
    /// Progress of the census.
    #[serde(default)]
    pub keys: KeysRecord,
    /// What scrubs have shown against its class.
    pub contradictions: Vec<Contradicted>,
    /// What the brake saw, while it holds the table.
    #[serde(default)]
    pub brake: Option<Box<BrakeEvidence>>,
    /// How far a person has released the brake, until the next whole pass has ended.
    #[serde(default)]
    pub released: Option<Released>,
    /// The source's clock when its mark was noted: it is compared once everything of before is settled.
    #[serde(default)]
    pub noted_at: Option<NaiveDateTime>,
    /// Columns that it has got since it was compared whole. What they hold is not on the target yet, so that its rows are
    /// overwritten as a matter of course where they differ in nothing else.
    #[serde(default)]
    pub new_columns: Vec<String>,
    /// How its definition differs on the target beside its rows, and what would close that: an index, a default. Rows are written
    /// and compared as ever meanwhile.
    #[serde(default)]
    pub beside: Option<String>,
}

/// Progress and results of the rolling comparison of one table.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ScrubRecord {
    /// Where the running pass stands: cells of the last border, hex-encoded; `None` between passes.
    pub after: Option<Vec<String>>,
    /// Source time at which the running pass began.
    pub pass_began: Option<NaiveDateTime>,
    /// Source time at which the last complete pass began: every row has been compared since then.
    pub verified_since: Option<NaiveDateTime>,
    /// Source time at which the last complete pass ended.
    pub pass_ended: Option<NaiveDateTime>,
    /// Rows compared in the running pass.
    pub rows_compared: u64,
    /// Rows that the running pass had to add on the target.
    #[serde(default)]
    pub rows_added: u64,
    /// Rows that the running pass had to rewrite.
    pub rows_repaired: u64,
    /// Rows that the running pass had to delete on the target.
    pub rows_deleted: u64,
    /// Rows that tombstones have deleted since the running pass, or the last one, began.
    #[serde(default)]
    pub rows_buried: u64,
    /// Of all these, rows that a person has agreed to.
    #[serde(default)]
    pub rows_agreed: u64,
    /// Of those that were rewritten, rows that lacked no more than what columns hold that are new, or that belong to a table
    /// that is new.
    #[serde(default)]
    pub rows_filled: u64,
    /// Rows that the last complete pass had to add, rewrite or delete.
    pub last_pass_differences: u64,
}

impl ScrubRecord {
    /// Returns how many rows have been deleted or overwritten since the running pass, or the last one, began, less those
    /// that a person has agreed to and those that were only filled: what the brake counts.
    pub fn spent(&self) -> u64 {
        let touched = self.rows_repaired.saturating_add(self.rows_deleted).saturating_add(self.rows_buried);
        touched.saturating_sub(self.rows_agreed).saturating_sub(self.rows_filled)
    }
}

/// Progress and results of the census of one table, which counts keys and says nothing of content.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct KeysRecord {
    /// Where the running pass stands: cells of the last border in hex; `None` between passes.
    pub after: Option<Vec<String>>,
    /// Source time at which the running pass began.
    pub began: Option<NaiveDateTime>,
    /// Source time at which the last whole pass began: rows deleted before then are gone from the target.
    pub since: Option<NaiveDateTime>,
    /// Rows that the last whole pass counted.
    pub rows: u64,
    /// Rows counted in the running pass.
    pub running_rows: u64,
    /// Deleted rows that were found by counting, since the seed.
    pub rows_deleted: u64,
    /// Milliseconds between the last census that found deleted rows and the whole look at keys before it: none of them
    /// lived on for longer.
    pub found_within_ms: Option<u64>,
}

impl TableRecord {
    /// Returns the source time before which no deleted row lives on: keys are looked at by the census and by each
    /// comparison of content.
    pub fn deletes_since(&self) -> Option<NaiveDateTime> {
        self.keys.since.max(self.scrub.verified_since)
    }

    /// Returns the record of a table that has only been planned.
    pub fn planned(name: TableName) -> TableRecord {
        TableRecord {
            name,
            state: TableState::Planned,
            mark: Mark::None,
            mark_proved: false,
            soft_mark: None,
            cut_at: None,
            rows_applied: 0,
            scrub: ScrubRecord::default(),
            keys: KeysRecord::default(),
            contradictions: Vec::new(),
            brake: None,
            released: None,
            noted_at: None,
            new_columns: Vec::new(),
            beside: None,
        }
    }
}
