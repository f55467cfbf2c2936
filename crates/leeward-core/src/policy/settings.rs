//! The resolved settings: plain numbers with their units in the name. Where each default comes from is argued in
//! `policies/default.toml`, and nowhere else.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::brake::Brake;
use crate::policy::Policy;
use crate::throttle::LoadLimit;

/// The resolved settings that travel inside a plan: all that the engine and the readiness checks obey.
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
    /// What a changed definition leads to, where no rule says otherwise. Absent in plans of before it existed, and left
    /// out where it changes nothing, so that those keep their names.
    #[serde(default, skip_serializing_if = "OnDdl::is_report")]
    pub ddl: OnDdl,
    /// How the rolling comparison is paced.
    pub scrub: ScrubSettings,
    /// How large one batch or transaction may be.
    pub batch: BatchSettings,
    /// How rows are copied at first.
    pub seed: SeedSettings,
    /// Up to which size a table without a usable key is compared whole.
    #[serde(default)]
    pub keyless: KeylessSettings,
    /// Where the servers run, which decides whether the checks of AWS apply.
    #[serde(default)]
    pub platform: Platform,
    /// Thresholds of the readiness checks.
    #[serde(default)]
    pub checks: CheckSettings,
    /// What is wanted of what stands around the servers. Left out where it is the default, so that plans of before it
    /// existed keep their names.
    #[serde(default, skip_serializing_if = "CloudSettings::is_default")]
    pub cloud: CloudSettings,
    /// Findings that people have accepted until a day.
    #[serde(default)]
    pub waivers: Vec<Waiver>,
}

/// What is done when a scrub contradicts a table's class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnContradiction {
    /// Repair the rows, record the contradiction, go on.
    Repair,
    /// Do the same, and from then on keep the table by the fallback that the plan holds for it, if it holds one.
    Demote,
    /// Record it and leave the table for a person.
    Quarantine,
}

/// What is done when a definition changes on the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDdl {
    /// The statement is printed for a person, and a table that it concerns waits.
    #[default]
    Report,
    /// A change that can lose nothing is made on the target by Leeward itself; a new table is taken in.
    Apply,
}

impl OnDdl {
    /// Returns whether a person runs the statements.
    pub fn is_report(&self) -> bool {
        *self == OnDdl::Report
    }
}

/// Pace of the scrub.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScrubSettings {
    /// Seconds after which a table that has been compared whole is compared again.
    pub pass_interval_s: u64,
    /// Seconds after which a table's keys are counted again.
    #[serde(default = "keys_interval_s")]
    pub keys_interval_s: u64,
    /// The same for tables whose strategy is `reconcile`, for which the scrub is the only reader.
    pub reconcile_interval_s: u64,
    /// Rows in one compared range.
    pub chunk_rows: u64,
    /// Share (0 to 1) of the source's time that comparing may take.
    pub source_share: f64,
}

/// What a plan of before there was a census gets.
fn keys_interval_s() -> u64 {
    5
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
    /// Chunks copied at once; nothing where the copy finds that number by what it measures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallel: Option<usize>,
    /// How busy the source may be for a chunk to be begun. Left out where nothing is limited, so that plans of before it
    /// existed keep their names.
    #[serde(default, skip_serializing_if = "LoadLimit::is_off")]
    pub max_source_load: LoadLimit,
}

/// Bounds of a table without a usable key, which can only be compared and rewritten whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeylessSettings {
    /// Rows past which such a table is left out, and past which the engine refuses to read one.
    pub rows_max: u64,
    /// Bytes past which such a table is left out, estimated.
    pub bytes_max: u64,
}

/// Where the two servers run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Platform {
    /// Amazon RDS: the checks that need AWS apply, and count as unknown until AWS answers.
    Rds,
    /// Servers that their owners run themselves: the checks that need AWS do not apply, and the verdict says so.
    SelfManaged,
}

/// Thresholds of the readiness checks (`[checks]` of the policy).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckSettings {
    /// SYNC-01: an RPO measured up to this many times the objective warns; above it fails.
    pub rpo_warn_factor: f64,
    /// GOV-02: the same for a measured RTO.
    pub rto_warn_factor: f64,
    /// SYNC-03: seconds without a renewed lease past which the engine's life is in doubt.
    pub lease_age_warn_s: u64,
    /// SYNC-03: seconds without a renewed lease past which nothing is keeping the target in step.
    pub lease_age_fail_s: u64,
    /// DATA-02: seconds since a table's last whole comparison past which it warns.
    pub verify_age_warn_s: u64,
    /// DATA-02: seconds since a table's last whole comparison past which it fails.
    pub verify_age_fail_s: u64,
    /// SCH-07: share (0 to 1) of an AUTO_INCREMENT column's range past which it warns.
    pub autoinc_warn: f64,
    /// SCH-07: share (0 to 1) of an AUTO_INCREMENT column's range past which it fails.
    pub autoinc_fail: f64,
    /// PAR-02: share (0 to 1) of the source's value down to which a smaller target value only warns.
    pub at_least_warn: f64,
    /// GOV-01: seconds since the last passed drill past which it warns.
    pub drill_age_warn_s: u64,
    /// GOV-01: seconds since the last passed drill past which it fails.
    pub drill_age_fail_s: u64,
    /// ACC-01, ACC-02: accounts that need not be equal on both sides, as globs over `user@host`.
    pub ignored_accounts: Vec<String>,
    /// ACC-04: accounts that may write on the target before promotion, as globs over `user@host`.
    pub writers_on_target: Vec<String>,
    /// PAR-01: variables, in lower case, that may differ between the two sides.
    pub variables_may_differ: Vec<String>,
}

/// What is wanted of what stands around the servers (`[checks]`, `[takeover]`, `[network]` and `[cutover]` of the policy).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CloudSettings {
    /// INS-06: share (0 to 1) of free storage down to which it passes.
    pub free_space_warn: f64,
    /// INS-06: share (0 to 1) of free storage down to which it warns.
    pub free_space_fail: f64,
    /// INS-09: seconds since the latest restorable time past which it warns.
    pub restorable_age_warn_s: u64,
    /// INS-13: seconds before a certificate's end from which it warns.
    pub certificate_warn_s: u64,
    /// INS-13: seconds before a certificate's end from which it fails.
    pub certificate_fail_s: u64,
    /// INS-14: share (0 to 1) of a quota from which it warns.
    pub quota_warn: f64,
    /// INS-14: share (0 to 1) of a quota from which it fails.
    pub quota_fail: f64,
    /// NET-02: addresses that a subnet must have left.
    pub subnet_addresses_min: u64,
    /// CUT-01: time to live up to which it passes, seconds.
    pub dns_ttl_pass_s: u64,
    /// CUT-01: time to live up to which it warns, seconds.
    pub dns_ttl_warn_s: u64,
    /// INS-04: the class that the target must grow to when it takes over; nothing for the source's own.
    pub takeover_class: Option<String>,
    /// INS-08: when the target must have a standby.
    pub multi_az: MultiAz,
    /// NET-01: CIDR blocks, security groups and prefix lists from which the application will come.
    pub application: Vec<String>,
    /// CUT-01: the record by which applications find the database.
    pub dns_record: Option<String>,
    /// CUT-01: the hosted zone that holds it.
    pub hosted_zone: Option<String>,
    /// CUT-02: the secret that applications will log in to the target with.
    pub secret: Option<String>,
    /// CUT-04: the APIs that the runbook calls, `SERVICE:REGION` or `SERVICE`.
    pub runbook_calls: Vec<String>,
}

impl CloudSettings {
    /// Returns whether it is what the default policy says.
    pub fn is_default(&self) -> bool {
        *self == CloudSettings::default()
    }
}

/// When the target must have a standby in another zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MultiAz {
    /// Also while it is a copy.
    Always,
    /// Once it takes over.
    AtTakeover,
    /// Never.
    Never,
}

/// A finding that people have accepted until a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiver {
    /// The check, such as `PAR-02`.
    pub check: String,
    /// Why it is accepted.
    pub reason: String,
    /// The last day (UTC) on which it holds.
    pub until: NaiveDate,
}

impl Waiver {
    /// Returns whether the waiver still holds on `day` (UTC).
    pub fn holds_on(&self, day: NaiveDate) -> bool {
        day <= self.until
    }
}

/// The settings of the embedded default policy.
impl Default for Settings {
    fn default() -> Self {
        Policy::builtin().settings().clone()
    }
}

impl Default for KeylessSettings {
    fn default() -> Self {
        Settings::default().keyless
    }
}

impl Default for Platform {
    fn default() -> Self {
        Settings::default().platform
    }
}

impl Default for CloudSettings {
    fn default() -> Self {
        Settings::default().cloud
    }
}

impl Default for CheckSettings {
    fn default() -> Self {
        Settings::default().checks
    }
}
