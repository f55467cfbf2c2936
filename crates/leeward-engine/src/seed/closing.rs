//! The end of a seed: what changed during the copy is caught up with and every row is compared, in cycles like those of a
//! running lane but without the brake, until all tables are live.

use std::time::Duration;

use leeward_core::fault::{Decision, Fault, FaultKind};
use leeward_core::lane::{LaneState, TableRecord, TableState};
use leeward_core::measure;
use leeward_core::plan::FenceMode;

use super::Seed;
use crate::brake::Braking;
use crate::cycle::{self, Hands};
use crate::look;
use crate::pace::ScrubPace;
use crate::patience::Patience;
use crate::progress::Progress;
use crate::sync;

/// The phase in which all rows are there.
pub const COMPARING: &str = "catching up and comparing every row";

/// Wait between the cycles of the closing comparison while a transaction on the source holds the fence.
const FENCE_WAIT: Duration = Duration::from_millis(250);

/// How often a fault that passes by itself is put up with in the closing comparison.
const CYCLE_TRIES_MAX: u32 = 100;

impl Seed<'_> {
    /// Catches up with what changed during the copy and compares every row, until all tables are live.
    pub(super) async fn close_the_gap(&mut self) -> Result<(), Fault> {
        self.phase(COMPARING);
        for at in self.seeding() {
            self.lane.tables[at].record.state = TableState::CatchingUp;
        }
        self.lane.record.state = LaneState::CatchingUp;
        self.store_records().await?;
        let mut pace = ScrubPace::full();
        let mut tries = 0;
        let mut held = false;
        while !self.lane.all_live() || self.lane.record.state != LaneState::Live {
            if self.stop.is_cancelled() {
                return Err(Fault::new(FaultKind::Stopped, "compare every row"));
            }
            if let Err(fault) = self.cycles(&mut pace, &mut held).await {
                tries += 1;
                self.endure(fault, tries).await?;
            }
        }
        Ok(())
    }

    /// Writes all records over a new connection: the one that the seed began with has been idle for as long as the copy
    /// took.
    pub(super) async fn store_records(&self) -> Result<(), Fault> {
        let records: Vec<&TableRecord> = self.lane.tables.iter().map(|table| &table.record).collect();
        let mut patience = Patience::new(self.tell, self.stop);
        loop {
            let stored = match self.servers.control().await {
                Ok(mut control) => control.record(&self.lease, &self.lane.record, &records, &[]).await,
                Err(fault) => Err(fault),
            };
            match stored {
                Ok(()) => return Ok(()),
                // Written twice, they are what they are.
                Err(fault) => patience.wait(fault).await?,
            }
        }
    }

    /// Runs cycles on one pair of connections until all tables are live or something fails.
    async fn cycles(&mut self, pace: &mut ScrubPace, held: &mut bool) -> Result<(), Fault> {
        let (mut source, mut target) = tokio::try_join!(self.servers.source(), self.servers.target())?;
        look::until_due(&self.lane).await;
        while !self.lane.all_live() || self.lane.record.state != LaneState::Live {
            self.throttle.pass(self.stop).await;
            if self.stop.is_cancelled() {
                return Ok(());
            }
            let mut hands = Hands {
                source: source.as_mut(),
                target: target.as_mut(),
                lease: &self.lease,
                pace: &mut *pace,
                braking: Braking::Off,
            };
            let report = cycle::run(&mut self.lane, &mut hands).await?;
            self.report.rows_repaired += report.rows_repaired();
            self.report.rows_compared += report.rows_compared;
            if !self.lane.fence_proved {
                self.tell_holders(held);
                tokio::time::sleep(FENCE_WAIT).await;
            }
        }
        Ok(())
    }

    /// Says once why the comparison cannot end yet.
    fn tell_holders(&self, held: &mut bool) {
        if let (false, FenceMode::Window { overlap_s, why }) = (*held, &self.lane.plan.fence) {
            let text = format!(
                "waiting until {} have passed since the copy began, as the plan says, because {why}",
                measure::span(*overlap_s)
            );
            self.tell.tell(Progress::Note(text));
            *held = true;
        }
        if let (false, Some(holder)) = (*held, self.lane.record.holders.first()) {
            let thread = holder.thread.map_or(String::new(), |thread| format!(" (thread {thread})"));
            let text = format!("waiting for a transaction of {}{thread} on the source to end", holder.account);
            self.tell.tell(Progress::Note(text));
            *held = true;
        }
    }

    /// Puts up with a fault that passes by itself; takes a table out for one that is its own.
    async fn endure(&mut self, fault: Fault, tries: u32) -> Result<(), Fault> {
        match fault.decision() {
            Decision::Quarantine { .. } => {
                let at = self.lane.tables.iter().position(|table| Some(table.planned.name()) == fault.table.as_ref());
                at.map_or(Ok(()), |at| self.quarantine(at, fault))
            }
            Decision::Retry if tries < CYCLE_TRIES_MAX => {
                self.tell.tell(Progress::Note(format!("trying again: {fault}")));
                tokio::time::sleep(Duration::from_secs(1)).await;
                // A commit whose answer was lost may have happened: what is stored tells.
                if let Ok(mut control) = self.servers.control().await
                    && let Ok(lane) = sync::load(control.as_mut(), &self.lane.record.lane).await
                {
                    self.lane.go_on_with(lane);
                }
                Ok(())
            }
            _ => Err(fault),
        }
    }
}
