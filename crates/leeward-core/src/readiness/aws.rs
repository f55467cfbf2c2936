//! The checks of the catalogue that AWS alone can answer. They are listed in every report, so that nobody takes their
//! silence for an answer; this version asks AWS for nothing.

use super::facts::ReadinessFacts;
use super::outcome::{Answer, Missing};

/// What each of them says on RDS.
pub(super) fn not_read(_: &ReadinessFacts) -> Answer {
    Err(Missing::new("needs AWS facts, which this version does not read"))
}

/// What each of them says of servers that their owners run themselves.
pub(super) const NOT_APPLICABLE: &str = "asks AWS, and the servers are self-managed";
