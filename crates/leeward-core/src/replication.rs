//! The server's own replication, as its two ends tell of it: where the source's binary log ends, and what each channel of
//! the target has applied. Positions say how far a target is; seconds are what a server believes and are never enough.
//!
//! Nothing here is judged ([`crate::readiness`] does that), and no error's text is kept: it can hold values of rows.

mod keeper;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::name::SYSTEM_SCHEMAS;
pub use keeper::{Keeper, elsewhere, keeper};

/// Databases of the server itself that replication leaves out on RDS, beside [`SYSTEM_SCHEMAS`].
const MORE_SYSTEM_SCHEMAS: [&str; 1] = ["innodb_memcache"];

/// A place in a source's binary log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPosition {
    /// Name of the file, ending with its number.
    pub file: String,
    /// Bytes from its beginning.
    pub offset: u64,
}

/// How a server names itself to its replicas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerId {
    /// `@@server_id`.
    pub number: u64,
    /// `@@server_uuid`; nothing on MariaDB.
    pub uuid: Option<String>,
}

/// What a thread of a replica does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Worker {
    /// It works.
    Running,
    /// It tries to reach the source.
    Connecting,
    /// It does nothing.
    Stopped,
}

/// What a channel leaves out or renames on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// The column of the status: `Replicate_Ignore_Table`.
    pub option: String,
    /// Its entries, by comma.
    pub value: String,
}

/// One stream of changes that a server applies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// Its name; empty for the one without.
    pub name: String,
    /// Who it comes from, as that server named itself when it was reached last; 0 and nothing before.
    pub source: ServerId,
    /// The thread that receives.
    pub receiver: Worker,
    /// The thread that applies.
    pub applier: Worker,
    /// Number of the receiver's last error; 0 for none.
    pub receiver_error: u64,
    /// Number of the applier's last error; 0 for none.
    pub applier_error: u64,
    /// What the server believes to be behind, seconds; nothing where it does not say, which is not 0.
    pub behind_s: Option<u64>,
    /// By how much it is to stay behind, seconds.
    pub delay_s: u64,
    /// Received up to here.
    pub received: LogPosition,
    /// Applied up to here.
    pub applied: LogPosition,
    /// What it leaves out.
    pub filters: Vec<Filter>,
}

/// What came of waiting for a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Passage {
    /// It has applied everything up to the position.
    Passed,
    /// It has not, in the time given.
    NotYet,
    /// It has not, and does not apply anything.
    Stopped,
}

/// A position of the source, and whether the target has come there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatchUp {
    /// Where the source's log ended at first.
    pub end: LogPosition,
    /// What came of waiting.
    pub passage: Passage,
    /// How long ago the end was read when the wait was over, milliseconds: where the target has passed it, everything
    /// committed before that is there.
    pub waited_ms: u64,
}

impl LogPosition {
    /// Returns whether everything before another position lies before this one too; nothing where the two are not of one
    /// log, whose files are numbered.
    pub fn reaches(&self, other: &LogPosition) -> Option<bool> {
        let (name, number) = numbered(&self.file)?;
        let (other_name, other_number) = numbered(&other.file)?;
        (name == other_name).then(|| (number, self.offset) >= (other_number, other.offset))
    }
}

/// Takes `binlog.000012` apart. A number that has grown past six digits counts as a number, not as text.
fn numbered(file: &str) -> Option<(&str, u64)> {
    let (name, number) = file.rsplit_once('.')?;
    Some((name, number.parse().ok()?))
}

impl fmt::Display for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.offset)
    }
}

impl Channel {
    /// Returns whether the stream comes from a server: by its UUID where both are known, else by its number, which no two
    /// servers of one topology share.
    pub fn comes_from(&self, source: &ServerId) -> bool {
        match (&self.source.uuid, &source.uuid) {
            (Some(here), Some(there)) => here.eq_ignore_ascii_case(there),
            _ => self.source.number != 0 && self.source.number == source.number,
        }
    }

    /// Returns what it leaves out of, or renames in, databases that people own.
    pub fn own_filters(&self) -> Vec<String> {
        let own = |filter: &&Filter| !filter.is_the_servers_own();
        self.filters.iter().filter(own).map(|filter| format!("{} {}", filter.option, filter.value)).collect()
    }

    /// Names it for a person.
    pub fn label(&self) -> String {
        match self.name.is_empty() {
            true => format!("the replication from server {}", self.source.number),
            false => format!("the replication from server {} (channel {})", self.source.number, self.name),
        }
    }
}

impl Filter {
    /// RDS leaves out tables of its own, which belong to their instance.
    fn is_the_servers_own(&self) -> bool {
        let is_system = |entry: &str| {
            let schema = entry.trim().split('.').next().unwrap_or_default().to_ascii_lowercase();
            SYSTEM_SCHEMAS.iter().chain(&MORE_SYSTEM_SCHEMAS).any(|system| *system == schema)
        };
        self.option.to_ascii_lowercase().contains("ignore") && self.value.split(',').all(is_system)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(file: &str, offset: u64) -> LogPosition {
        LogPosition { file: file.to_owned(), offset }
    }

    fn filter(option: &str, value: &str) -> Filter {
        Filter { option: option.to_owned(), value: value.to_owned() }
    }

    #[test]
    fn positions_are_ordered_by_number_and_only_within_one_log() {
        let here = position("mysql-bin-changelog.1000000", 4);
        assert_eq!(here.reaches(&position("mysql-bin-changelog.999999", 900)), Some(true));
        assert_eq!(position("binlog.000002", 4).reaches(&position("binlog.000002", 5)), Some(false));
        assert_eq!(position("binlog.000002", 5).reaches(&position("binlog.000002", 5)), Some(true));
        assert_eq!(here.reaches(&position("binlog.000001", 4)), None);
        assert_eq!(position("", 4).reaches(&position("binlog.000001", 4)), None);
    }

    #[test]
    fn filters_of_rds_leave_out_nothing_that_people_own() {
        assert!(filter("Replicate_Ignore_Table", "mysql.plugin,innodb_memcache.cache_policies").is_the_servers_own());
        assert!(!filter("Replicate_Ignore_Table", "mysql.plugin,shop.log").is_the_servers_own());
        assert!(!filter("Replicate_Do_DB", "mysql").is_the_servers_own());
    }
}
