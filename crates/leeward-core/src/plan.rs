//! The plan: an immutable answer to "what does Leeward do with each table, and why". Made by the planner from policy and
//! survey, stored in the control schema, obeyed by the engine, which makes no choice that is not in it (invariant 5).

use chrono::{NaiveDate, NaiveDateTime};
use serde::{Deserialize, Serialize};

use crate::class::{Class, Confidence, Strategy};
use crate::name::TableName;
use crate::policy::{OnDdl, Settings};
use crate::server::{Flavor, Version};
use crate::survey::SchemaFacts;
use crate::table::Table;

/// Version of the stored form. A plan of another version is refused, not guessed at.
pub const PLAN_FORMAT: u32 = 1;

/// What Leeward will do, table by table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// [`PLAN_FORMAT`] at the time it was made.
    pub format: u32,
    /// SHA-256 (hex) over what the engine obeys, see [`Plan::computed_hash`]; names the plan.
    pub hash: String,
    /// The source's clock at the survey.
    pub surveyed_at: NaiveDateTime,
    /// Which kind of server the source is.
    pub flavor: Flavor,
    /// Its version.
    pub version: Version,
    /// The source's identity at the survey, see [`crate::server::ServerFacts::identity`].
    pub source_identity: String,
    /// Databases in scope.
    pub schemas: Vec<SchemaFacts>,
    /// Tables that are kept in step, ordered by name.
    pub tables: Vec<PlannedTable>,
    /// Tables that are not, each with its reason. Never silent.
    pub left_out: Vec<LeftOut>,
    /// Whether the fence is proved, or why a window is used instead.
    pub fence: FenceMode,
    /// Everything that the engine needs of the policy.
    pub settings: Settings,
    /// Warnings for the whole plan.
    pub warnings: Vec<String>,
    /// The policy that it was made by, where tables may be taken in later without a person: what is new on the source is
    /// planned by the same pure function from the same text. Nothing where `ddl` is nowhere `apply`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyText>,
}

/// A policy as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyText {
    /// Where it came from, for messages.
    pub file: String,
    /// What was laid over the default policy.
    pub text: String,
}

/// One table's line of the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedTable {
    /// Its shape at the survey; the engine refuses to go on when it has changed.
    pub table: Table,
    /// How it changes.
    pub class: Class,
    /// How it is kept.
    pub strategy: Strategy,
    /// The clock column (merge) or AUTO_INCREMENT column (append).
    pub mark_column: Option<String>,
    /// Seconds below the settled mark that are read again for this table even where the fence is proved, because its
    /// clock is written by the application (design §4); 0 where the fence suffices.
    #[serde(default)]
    pub overlap_s: u64,
    /// What the table is taken to be once comparisons have shown that its class does not hold; nothing where there is no
    /// better way to keep it.
    #[serde(default)]
    pub fallback: Option<Box<Fallback>>,
    /// What it was planned as, if [`PlannedTable::fallback`] was taken since.
    #[serde(default)]
    pub demoted: Option<Demoted>,
    /// The last day (UTC) of which contradictions do not count, as a person has said.
    #[serde(default)]
    pub forgiven_until: Option<NaiveDate>,
    /// The column that marks a row as deleted, where the policy names one.
    #[serde(default)]
    pub soft_delete: Option<SoftDelete>,
    /// Where the source writes down the keys of deleted rows.
    #[serde(default)]
    pub tombstones: Option<Tombstones>,
    /// Whether its rows are tombstones of another table. They are cleared away in time, which contradicts nothing.
    #[serde(default)]
    pub holds_tombstones: bool,
    /// Whether the policy says that the table is empty at times, so that an empty source is no reason for the brake.
    #[serde(default)]
    pub may_be_empty: bool,
    /// What a changed definition leads to.
    #[serde(default, skip_serializing_if = "OnDdl::is_report")]
    pub ddl: OnDdl,
    /// How sure that is.
    pub confidence: Confidence,
    /// Why, most important first.
    pub reasons: Vec<String>,
    /// What the owner could do to raise the confidence or lower the cost, as SQL where possible.
    pub advice: Vec<String>,
    /// Estimated rows.
    pub rows_estimate: u64,
    /// Estimated bytes of rows.
    pub data_bytes: u64,
}

/// How a table goes on once its class is known not to hold. The planner decides it beforehand, so that the engine need
/// not choose (invariant 5).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fallback {
    /// How it changes.
    pub class: Class,
    /// How it is kept.
    pub strategy: Strategy,
    /// The clock column (merge) or AUTO_INCREMENT column (append).
    pub mark_column: Option<String>,
    /// See [`PlannedTable::overlap_s`].
    pub overlap_s: u64,
    /// How sure that is.
    pub confidence: Confidence,
}

/// A column that marks rows as deleted. The rows stay, on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoftDelete {
    /// Its name.
    pub column: String,
    /// Seconds below its mark that are read again, where the delta reads rows by this column too; nothing where the clock
    /// moves with it, or where only comparing sees it.
    pub overlap_s: Option<u64>,
}

/// A table that holds the keys of deleted rows of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tombstones {
    /// Which; it is in the plan and has a delta.
    pub table: TableName,
    /// Its columns that hold the key, in the order of the other table's row key.
    pub key: Vec<String>,
}

/// What a table was before its fallback was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demoted {
    /// The class that did not hold.
    pub from: Class,
    /// From which time of the source's clock on a whole comparison is as sure as ever: in it everything below the new mark
    /// is final.
    pub at: NaiveDateTime,
}

/// A table that is not kept in step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Which.
    pub name: TableName,
    /// Why.
    pub reason: LeftOutReason,
    /// What the owner can do.
    pub remedy: String,
}

/// Why a table is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftOutReason {
    /// The policy excludes it.
    ByPolicy,
    /// No key and too large to compare whole.
    NoKeyTooLarge,
    /// Its engine has no transactions, so no cut holds it.
    NotTransactional,
    /// Something in its definition is beyond Leeward; the text says what.
    Unsupported(String),
}

/// How marks are made safe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case")]
pub enum FenceMode {
    /// By barriers (design §4).
    Proved,
    /// By re-reading a window, since the proof is not available.
    Window {
        /// Seconds below the newest settled value that are read again.
        overlap_s: u64,
        /// Why there is no proof.
        why: String,
    },
}

#[cfg(test)]
impl PlannedTable {
    /// A table as the planner would leave it without a policy, for tests of what is decided about it.
    pub(crate) fn plain(table: Table, class: Class, strategy: Strategy) -> PlannedTable {
        PlannedTable {
            table,
            class,
            strategy,
            mark_column: None,
            overlap_s: 0,
            fallback: None,
            demoted: None,
            forgiven_until: None,
            soft_delete: None,
            tombstones: None,
            holds_tombstones: false,
            may_be_empty: false,
            ddl: OnDdl::Report,
            confidence: Confidence::High,
            reasons: Vec::new(),
            advice: Vec::new(),
            rows_estimate: 10,
            data_bytes: 1000,
        }
    }
}

impl PlannedTable {
    /// Returns the table's name.
    pub fn name(&self) -> &TableName {
        &self.table.name
    }

    /// Returns whether rows can be told apart by a key.
    pub fn has_key(&self) -> bool {
        self.table.row_key().is_some()
    }

    /// Returns whether some of its ordinary changes show by comparing alone, so that it is known to be right only as of its
    /// last whole comparison.
    pub fn needs_comparing(&self) -> bool {
        self.strategy == Strategy::Reconcile || (self.strategy == Strategy::Append && self.class == Class::UpdDel)
    }

    /// Takes the fallback. Returns whether there was one.
    pub fn demote(&mut self, at: NaiveDateTime, why: String) -> bool {
        let Some(fallback) = self.fallback.take() else { return false };
        let Fallback { class, strategy, mark_column, overlap_s, confidence } = *fallback;
        self.demoted = Some(Demoted { from: self.class, at });
        (self.class, self.strategy, self.mark_column) = (class, strategy, mark_column);
        (self.overlap_s, self.confidence) = (overlap_s, confidence);
        self.reasons.insert(0, why);
        true
    }

    /// Returns an estimate of one row's bytes, at least 1.
    pub fn row_bytes(&self) -> u64 {
        self.data_bytes.checked_div(self.rows_estimate).unwrap_or(0).max(1)
    }
}
