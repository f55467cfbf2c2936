//! A server's clock against this machine's.

use chrono::Utc;
use leeward_core::doctor::ClockOffset;
use leeward_core::fault::{Fault, FaultKind};

use crate::session::Session;
use crate::survey::time;

/// Looks taken; the one with the shortest way counts, since it bounds the offset best.
const LOOKS: usize = 3;

/// Measures how far a server's clock is ahead of this machine's: three round trips.
///
/// # Errors
/// What breaks the session, and an answer that is no time.
pub(super) async fn offset(session: &mut Session) -> Result<ClockOffset, Fault> {
    const DOING: &str = "look at the clock";
    let mut best: Option<ClockOffset> = None;
    for _ in 0..LOOKS {
        let before = Utc::now();
        let row = session.row(DOING, "SELECT UTC_TIMESTAMP(6)").await?;
        let way = Utc::now() - before;
        let there = row
            .and_then(|row| time(&row, 0))
            .ok_or_else(|| Fault::new(FaultKind::Unexpected, DOING).on(session.side()))?;
        let offset_ms = (there - (before.naive_utc() + way / 2)).num_milliseconds();
        // Rounded up: the bound must hold.
        let uncertainty_ms = u64::try_from((way / 2).num_milliseconds()).unwrap_or(0) + 1;
        if best.is_none_or(|best| uncertainty_ms < best.uncertainty_ms) {
            best = Some(ClockOffset { offset_ms, uncertainty_ms });
        }
    }
    best.ok_or_else(|| Fault::new(FaultKind::Unexpected, DOING).on(session.side()))
}
