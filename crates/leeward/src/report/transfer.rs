//! What has passed over the wire, and what that has cost.

use leeward_core::cost::{self, Place, Prices};
use leeward_core::name::Side;
use leeward_core::port::{Passed, Servers};
use serde::Serialize;

use super::words;

/// What has passed over the connections to both sides, as the servers count: after compression, without what TLS adds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Transfer {
    /// Between Leeward and the source.
    pub source: Passed,
    /// Between Leeward and the target.
    pub target: Passed,
    /// What was read from the source costs this, in words.
    pub cost: String,
}

impl Transfer {
    /// Returns what has passed until now; nothing where there is no wire.
    pub fn of(servers: &dyn Servers, (place, prices): (&Place, &Prices)) -> Option<Transfer> {
        let (source, target) = (servers.passed(Side::Source)?, servers.passed(Side::Target)?);
        Some(Transfer { source, target, cost: cost::of_transfer(source.read, place, prices) })
    }

    /// Returns it as one line. `rows` are the bytes of the rows that were read, where they are known.
    pub fn line(&self, rows: Option<u64>) -> String {
        let of_rows = rows.map_or(String::new(), |rows| format!(" ({} of rows)", words::bytes(rows)));
        format!(
            "{} read from the source over the wire{of_rows}, {}; {} sent to the target.",
            words::bytes(self.source.read),
            self.cost,
            words::bytes(self.target.sent)
        )
    }
}
