//! Preflight: is everything there that `plan`, `seed` and `sync` need? All looks are taken every time, in the order in
//! which they are declared, and none stops another.
//!
//! Pure: `leeward-mysql` collects the facts, this module says what they mean. It judges whether work can begin, not
//! whether the target could take over: that is [`crate::readiness`].

mod pair;
mod reach;
mod side;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use crate::grants::Grants;
use crate::grants::needs::TargetUse;
use crate::name::Side;
use crate::readiness::page;
use crate::server::{Observed, ServerFacts};
use crate::survey::SchemaFacts;

pub use reach::Unreached;

/// Everything that the preflight may base a finding on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoctorFacts {
    /// What was seen of the source.
    pub source: SideSeen,
    /// What was seen of the target.
    pub target: SideSeen,
    /// Databases that were asked for.
    pub schemas: Vec<String>,
    /// What Leeward is to do on the target.
    pub purpose: TargetUse,
}

/// One side: reached, or not and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SideSeen {
    /// It answered.
    Reached(Box<SideFacts>),
    /// It did not.
    Unreached(Unreached),
}

/// What was seen of one server over one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SideFacts {
    /// `@@version`, identity, whether it is a replica, and [`crate::readiness::VARIABLES`] by
    /// `SHOW GLOBAL VARIABLES WHERE Variable_name IN (…)`.
    pub server: ServerFacts,
    /// `SELECT CURRENT_USER()`: `user@host` or `user@%`.
    pub account: String,
    /// `SHOW GRANTS FOR CURRENT_USER()`, together with the lines of the active roles (MySQL: `USING` each role of
    /// `CURRENT_ROLE()`; MariaDB: `SHOW GRANTS FOR` each of `information_schema.ENABLED_ROLES`).
    pub grants: Observed<Grants>,
    /// `SELECT UTC_TIMESTAMP(6)` between two looks at this machine's clock.
    pub clock: Observed<ClockOffset>,
    /// `SELECT SCHEMA_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA`.
    pub schemas: Observed<Vec<SchemaFacts>>,
    /// `SELECT SUM(DATA_LENGTH + INDEX_LENGTH) FROM information_schema.TABLES WHERE TABLE_SCHEMA IN (…)` for the
    /// databases asked for, with `information_schema_stats_expiry=0` on MySQL.
    pub data_bytes: Observed<u64>,
    /// Free bytes where the data lies. No SQL tells it on MySQL or RDS; MariaDB has the plugin
    /// `information_schema.DISKS`. Unknown with the reason otherwise.
    pub free_bytes: Observed<u64>,
    /// How the connection is protected.
    pub tls: TlsSeen,
    /// `SELECT COLLATION_NAME FROM information_schema.COLLATIONS`.
    pub collations_known: Observed<BTreeSet<String>>,
    /// `SELECT DISTINCT COLLATION_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA IN (…) AND COLLATION_NAME IS
    /// NOT NULL`, and the default collations of the databases and their tables.
    pub collations_used: Observed<BTreeSet<String>>,
}

/// The server's clock against this machine's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockOffset {
    /// Server minus this machine (the middle of the two looks), milliseconds.
    pub offset_ms: i64,
    /// Half of the time between the two looks: the offset is known to no better than that, milliseconds.
    pub uncertainty_ms: u64,
}

/// How a connection is protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSeen {
    /// The mode asked for: `disabled`, `required`, `verify-ca` or `verify-identity`.
    pub mode: String,
    /// `SHOW SESSION STATUS LIKE 'Ssl_cipher'`; nothing when the connection is in clear text.
    pub cipher: Option<String>,
    /// Which way the packets go.
    pub route: Route,
}

/// Which way the packets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// They do not leave this machine.
    Loopback,
    /// They cross a network.
    Network,
}

/// How a look came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// As it should be.
    Ok,
    /// Leeward works, with a loss that the detail names.
    Warn,
    /// It could not be seen.
    Unknown,
    /// It must be set right first.
    Fail,
}

/// Whether work can begin while a finding is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// It cannot: what cannot be observed is not fine.
    Needed,
    /// It can; a person should look where the remedy says.
    Advisory,
}

/// One result of the preflight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// A fixed word, `privileges-source`.
    pub id: &'static str,
    /// How it came out.
    pub status: Status,
    /// Whether work can begin while it is unknown.
    pub weight: Weight,
    /// What was looked at.
    pub title: &'static str,
    /// What was seen.
    pub detail: String,
    /// What to do, as a statement to run where there is one.
    pub remedy: Option<String>,
}

/// What one look says.
struct Said {
    status: Status,
    detail: String,
    remedy: Option<String>,
}

/// What a look could not see, and where a person can look.
struct Unseen {
    why: String,
    remedy: Option<String>,
}

type Answer = Result<Said, Unseen>;

struct Look {
    id: &'static str,
    title: &'static str,
    weight: Weight,
    take: fn(&DoctorFacts) -> Answer,
}

const fn needed(id: &'static str, title: &'static str, take: fn(&DoctorFacts) -> Answer) -> Look {
    Look { id, title, weight: Weight::Needed, take }
}

const fn advisory(id: &'static str, title: &'static str, take: fn(&DoctorFacts) -> Answer) -> Look {
    Look { id, title, weight: Weight::Advisory, take }
}

/// The declared order: what explains other findings comes before them.
const LOOKS: [Look; 28] = [
    needed("reach-source", "the source answers", |facts| reach::reachable(facts, Side::Source)),
    needed("reach-target", "the target answers", |facts| reach::reachable(facts, Side::Target)),
    needed("version-source", "the source's version is supported", |facts| side::version(facts, Side::Source)),
    needed("version-target", "the target's version is supported", |facts| side::version(facts, Side::Target)),
    needed("same-server", "source and target are two servers", pair::same_server),
    needed("same-flavor", "both are of one kind, the target not older", pair::same_flavor),
    needed("tls-source", "the source's identity is verified", |facts| side::tls(facts, Side::Source)),
    needed("tls-target", "the target's identity is verified", |facts| side::tls(facts, Side::Target)),
    needed("databases", "the databases asked for are on the source", side::databases),
    needed("privileges-source", "the source's account may do what it needs", side::source_privileges),
    needed("privileges-target", "the target's account may do what it needs", side::target_privileges),
    advisory("accounts-readable", "accounts can be compared", side::account_privileges),
    needed("replica-source", "the source is no replica", side::source_replica),
    needed("replica-target", "the target is no replica", side::target_replica),
    needed("writable-target", "the target takes writes", side::target_writable),
    advisory("clock-source", "the source's clock agrees with this machine's", |facts| side::clock(facts, Side::Source)),
    advisory("clock-target", "the target's clock agrees with this machine's", |facts| side::clock(facts, Side::Target)),
    advisory("clocks-apart", "both servers' clocks agree", pair::clocks_apart),
    needed("lower-case-table-names", "both sides read names alike", pair::table_names),
    needed("collations", "the target knows every collation in use", pair::collations),
    advisory("max-allowed-packet", "the target takes rows as large as the source's", pair::packet),
    advisory("page-size", "the target's pages hold rows as wide as the source's", pair::page_size),
    advisory("local-infile", "the target takes LOAD DATA LOCAL", side::local_infile),
    advisory("default-engine", "new tables of the target are InnoDB", side::default_engine),
    advisory("free-space", "the target has room", pair::free_space),
    advisory("time-zone", "time zones", pair::time_zone),
    advisory("sql-mode", "SQL modes", pair::sql_mode),
    advisory("binary-log", "binary log", side::binary_log),
];

/// Takes every look, in the declared order.
#[must_use = "a finding that nobody reads helps nobody"]
pub fn examine(facts: &DoctorFacts) -> Vec<Finding> {
    let finding = |look: &Look| {
        let said = (look.take)(facts).unwrap_or_else(|unseen| Said {
            status: Status::Unknown,
            detail: unseen.why,
            remedy: unseen.remedy,
        });
        Finding {
            id: look.id,
            status: said.status,
            weight: look.weight,
            title: look.title,
            detail: said.detail,
            remedy: said.remedy,
        }
    };
    LOOKS.iter().map(finding).collect()
}

/// Returns whether work can begin: nothing failed, and nothing that is needed is unknown.
pub fn can_begin(findings: &[Finding]) -> bool {
    !findings.iter().any(|finding| finding.stops())
}

/// Returns the exit code: 0 when work can begin, else 2.
pub fn exit_code(findings: &[Finding]) -> u8 {
    if can_begin(findings) { 0 } else { 2 }
}

/// Prints the findings for a person, at most 100 columns wide.
pub fn render_text(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let head = format!("{:<5} {}: ", finding.status.word(), finding.title);
        text.push_str(&page::wrapped(&head, 6, &finding.detail));
        if let Some(remedy) = finding.remedy.as_deref().filter(|_| finding.status != Status::Ok) {
            text.push_str(&page::remedy(6, remedy));
        }
    }
    let count = |status| findings.iter().filter(|finding| finding.status == status).count();
    text.push_str(&format!(
        "\n{}: {} ok, {} warned, {} unknown, {} failed\n",
        if can_begin(findings) { "work can begin" } else { "not ready to begin" },
        count(Status::Ok),
        count(Status::Warn),
        count(Status::Unknown),
        count(Status::Fail)
    ));
    text
}

impl Finding {
    /// Returns whether it keeps work from beginning.
    pub fn stops(&self) -> bool {
        match self.status {
            Status::Fail => true,
            Status::Unknown => self.weight == Weight::Needed,
            Status::Ok | Status::Warn => false,
        }
    }
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Warn => "warn",
            Status::Unknown => "?",
            Status::Fail => "FAIL",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl DoctorFacts {
    /// Returns what was seen of a side, or that it was not reached.
    fn side(&self, side: Side) -> Result<&SideFacts, Unseen> {
        let seen = match side {
            Side::Source => &self.source,
            Side::Target => &self.target,
        };
        match seen {
            SideSeen::Reached(facts) => Ok(facts),
            SideSeen::Unreached(_) => Err(Unseen { why: format!("the {side} was not reached"), remedy: None }),
        }
    }

    fn both(&self) -> Result<(&SideFacts, &SideFacts), Unseen> {
        Ok((self.side(Side::Source)?, self.side(Side::Target)?))
    }
}

impl SideFacts {
    fn variable(&self, name: &str) -> Result<&str, Unseen> {
        let value = self.server.variables.get(name).map(String::as_str);
        value.ok_or_else(|| Unseen { why: format!("@@{name} could not be read"), remedy: None })
    }

    fn number(&self, name: &str) -> Result<u64, Unseen> {
        let text = self.variable(name)?;
        text.parse().map_err(|_| Unseen { why: format!("@@{name} is not a number"), remedy: None })
    }
}

impl Said {
    fn ok(detail: impl Into<String>) -> Said {
        Said { status: Status::Ok, detail: detail.into(), remedy: None }
    }

    fn warn(detail: impl Into<String>, remedy: impl Into<String>) -> Said {
        Said { status: Status::Warn, detail: detail.into(), remedy: Some(remedy.into()) }
    }

    fn fail(detail: impl Into<String>, remedy: impl Into<String>) -> Said {
        Said { status: Status::Fail, ..Said::warn(detail, remedy) }
    }
}

/// Returns a value that was seen.
fn seen<'a, T>(observed: &'a Observed<T>, what: &str) -> Result<&'a T, Unseen> {
    match observed {
        Observed::Known(value) => Ok(value),
        Observed::Unknown(why) => Err(Unseen { why: format!("{what}: {why}"), remedy: None }),
    }
}

/// Reads a switch as servers print it. `read_only` has further words on new MariaDB versions, all of which mean "on".
fn is_on(value: &str) -> bool {
    !matches!(value.to_ascii_uppercase().as_str(), "OFF" | "0" | "NO")
}
