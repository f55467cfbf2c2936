//! How a lane's tables stand, in a few numbers: for metrics, which must not grow with the number of tables.

use chrono::NaiveDateTime;
use leeward_core::lane::TableState;

use crate::lane::Lane;

/// How a lane's tables stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// Tables of the plan.
    pub tables: u64,
    /// Those that wait for a person.
    pub quarantined: u64,
    /// The source's clock since when every row of every table that is not quarantined has been compared; nothing while one of
    /// them has never been compared whole, or there is none.
    pub compared_since: Option<NaiveDateTime>,
}

impl Lane {
    /// Returns how its tables stand.
    pub fn standing(&self) -> Standing {
        let is_quarantined = |state: &TableState| matches!(state, TableState::Quarantined { .. });
        let others = self.tables.iter().filter(|table| !is_quarantined(&table.record.state));
        let compared: Option<Vec<NaiveDateTime>> = others.map(|table| table.record.scrub.verified_since).collect();
        let compared = compared.unwrap_or_default();
        let quarantined = self.tables.iter().filter(|table| is_quarantined(&table.record.state)).count();
        Standing {
            tables: self.tables.len() as u64,
            quarantined: quarantined as u64,
            compared_since: compared.into_iter().min(),
        }
    }
}
