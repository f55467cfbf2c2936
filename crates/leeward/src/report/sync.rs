//! What a `sync` did between its start and its end.

use chrono::NaiveDateTime;
use leeward_core::lane::LaneState;
use leeward_engine::cycle::CycleReport;
use serde::Serialize;

use super::transfer::Transfer;
use super::words;

/// What a `sync` did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[must_use = "an unread report is not actionable"]
pub struct SyncOutcome {
    /// Version of this form.
    pub schema: u32,
    /// The lane.
    pub lane: String,
    /// Its state after the last cycle; nothing without a cycle.
    pub state: Option<LaneState>,
    /// The source's clock at the last cut.
    pub cut_at: Option<NaiveDateTime>,
    /// Cycles committed.
    pub cycles: u64,
    /// Rows written by deltas.
    pub rows_applied: u64,
    /// Rows compared.
    pub rows_compared: u64,
    /// Rows that the comparison had to set right.
    pub rows_repaired: u64,
    /// What has passed over the wire.
    pub transfer: Option<Transfer>,
}

impl SyncOutcome {
    /// Begins to count for a lane.
    pub fn new(lane: &str) -> SyncOutcome {
        SyncOutcome {
            schema: 1,
            lane: lane.to_owned(),
            state: None,
            cut_at: None,
            cycles: 0,
            rows_applied: 0,
            rows_compared: 0,
            rows_repaired: 0,
            transfer: None,
        }
    }

    /// Adds a cycle.
    pub fn add(&mut self, report: &CycleReport) {
        self.state = Some(report.state.clone());
        self.cut_at = Some(report.cut_at);
        self.cycles += 1;
        self.rows_applied += report.rows_applied;
        self.rows_compared += report.rows_compared;
        self.rows_repaired += report.rows_repaired();
    }

    /// Returns the report for people.
    pub fn text(&self) -> String {
        let SyncOutcome {
            schema: _,
            lane,
            state,
            cut_at,
            cycles,
            rows_applied,
            rows_compared,
            rows_repaired,
            transfer,
        } = self;
        let (Some(state), Some(cut_at)) = (state, cut_at) else {
            return format!("lane {lane}: stopped before the first cycle\n");
        };
        let at = words::moment(*cut_at);
        let says = match state {
            LaneState::Live => format!("live, in step with the source as of {at}"),
            LaneState::CatchingUp => format!("catching up: it has taken in parts of the source up to {at}"),
            LaneState::Seeding => "still being seeded".to_owned(),
            LaneState::Blocked { reason, .. } => format!("blocked: {}", words::printable(reason)),
        };
        let transfer = transfer.as_ref().map_or(String::new(), |transfer| transfer.line(None) + "\n");
        format!(
            "lane {lane} is {says}\n{} cycles: {} rows applied, {} compared, {} set right\n{transfer}",
            words::count(*cycles),
            words::count(*rows_applied),
            words::count(*rows_compared),
            words::count(*rows_repaired)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cycles_add_up_and_the_last_one_tells_the_state() {
        let mut outcome = SyncOutcome::new("main");
        assert!(outcome.text().contains("before the first cycle"));
        for (cycle, state) in [(1, LaneState::CatchingUp), (2, LaneState::Live)] {
            outcome.add(&CycleReport {
                cycle,
                cut_at: chrono::DateTime::UNIX_EPOCH.naive_utc(),
                state,
                rows_read: 2_000,
                rows_applied: 1_000,
                rows_compared: 10,
                repairs: vec![],
                standing: Default::default(),
                events: vec![],
                took: std::time::Duration::ZERO,
            });
        }
        let text = "lane main is live, in step with the source as of 1970-01-01 00:00:00.000 UTC\n\
                    2 cycles: 2,000 rows applied, 20 compared, 0 set right\n";
        assert_eq!(outcome.text(), text);
    }
}
