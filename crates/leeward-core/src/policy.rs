//! What people want. `Settings` is the part that the engine obeys and that a plan carries; the rest steers the planner.

use serde::{Deserialize, Serialize};

use crate::scrub::Brake;

/// The resolved settings that travel inside a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Name of the lane.
    pub lane: String,
    /// Recovery point objective, seconds.
    pub rpo_s: u64,
    /// Recovery time objective, seconds.
    pub rto_s: u64,
    /// Limit of what a scrub may overwrite or delete without a person.
    pub brake: Brake,
    /// What a contradicted class leads to.
    pub on_contradiction: OnContradiction,
    /// How the rolling comparison is paced.
    pub scrub: ScrubSettings,
    /// How large one batch or transaction may be.
    pub batch: BatchSettings,
    /// How rows are copied at first.
    pub seed: SeedSettings,
}

/// What is done when a scrub contradicts a table's class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnContradiction {
    /// Repair the rows, record the contradiction, go on.
    Repair,
    /// Record it and leave the table for a person.
    Quarantine,
}

/// Pace of the scrub.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScrubSettings {
    /// Seconds after which a table that has been compared whole is compared again.
    pub pass_interval_s: u64,
    /// The same for tables whose strategy is `reconcile`, for which the scrub is the only reader.
    pub reconcile_interval_s: u64,
    /// Rows in one compared range.
    pub chunk_rows: u64,
    /// Share (0 to 1) of the source's time that comparing may take.
    pub source_share: f64,
}

/// Bounds of one cycle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchSettings {
    /// Rows of one table that one cycle reads before the lane counts as catching up.
    pub rows_max: u64,
    /// Bytes of one table that one cycle reads before the lane counts as catching up, by the estimated row size.
    pub bytes_max: u64,
}

/// The first copy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeedSettings {
    /// Bytes of one chunk, by the estimated row size.
    pub chunk_bytes: u64,
    /// Rows of one chunk at most.
    pub chunk_rows: u64,
    /// Chunks copied at once.
    pub parallel: usize,
}
