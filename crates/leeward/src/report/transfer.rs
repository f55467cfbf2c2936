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
        let read = read_line(self.source, &self.cost, rows);
        format!("{read}; {} sent to the target.", words::bytes(self.target.sent))
    }
}

/// What has passed where one side alone is asked: the source of a dump, the target of a load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Leg {
    /// Which.
    pub side: Side,
    /// Between Leeward and it.
    pub passed: Passed,
    /// What was read from a source costs this, in words; nothing for a target.
    pub cost: Option<String>,
}

impl Leg {
    /// Returns what has passed between Leeward and the source until now; nothing where there is no wire.
    pub fn of_source(servers: &dyn Servers, (place, prices): (&Place, &Prices)) -> Option<Leg> {
        let passed = servers.passed(Side::Source)?;
        Some(Leg { side: Side::Source, passed, cost: Some(cost::of_transfer(passed.read, place, prices)) })
    }

    /// Returns what has passed between Leeward and the target until now; nothing where there is no wire.
    pub fn of_target(servers: &dyn Servers) -> Option<Leg> {
        Some(Leg { side: Side::Target, passed: servers.passed(Side::Target)?, cost: None })
    }

    /// Returns it as one line. `rows` are the bytes of the rows that were read, where they are known.
    pub fn line(&self, rows: Option<u64>) -> String {
        match &self.cost {
            Some(cost) => format!("{}.", read_line(self.passed, cost, rows)),
            None => format!("{} sent to the target over the wire.", words::bytes(self.passed.sent)),
        }
    }
}

fn read_line(source: Passed, cost: &str, rows: Option<u64>) -> String {
    let of_rows = rows.map_or(String::new(), |rows| format!(" ({} of rows)", words::bytes(rows)));
    format!("{} read from the source over the wire{of_rows}, {cost}", words::bytes(source.read))
}
