//! `leeward sync`: the long-running service.

use anyhow::Context;
use leeward_core::lane::LaneState;
use leeward_engine::cycle::CycleReport;
use leeward_engine::sync::{self, SyncOptions, Until, Watch};

use super::Desk;
use crate::cli::SyncArgs;
use crate::{Answer, Failure, shutdown, wire};

/// Keeps the target in step until it is stopped.
///
/// # Errors
/// When a person must act before it can go on.
pub async fn run(desk: &Desk, args: &SyncArgs) -> Result<Answer, Failure> {
    let stop = shutdown::listen().context("listen for signals")?;
    let servers = wire::servers(&desk.settings).await?;
    let options = SyncOptions {
        lane: desk.settings.policy.settings().lane.clone(),
        claim: wire::claim(&desk.settings),
        interval: desk.settings.cycle_interval,
        until: if args.once { Until::LiveOnce } else { Until::Stopped },
    };
    sync::run(servers, &options, &Log, &stop).await?;
    tracing::info!("stopped; the lease is given back");
    Ok(Answer::Yes)
}

/// Says in the log what changed. A quiet cycle says nothing.
struct Log;

impl Watch for Log {
    fn cycle(&self, report: &CycleReport) {
        if report.rows_applied > 0 || report.state != LaneState::Live {
            tracing::info!(
                cycle = report.cycle,
                cut_at = %report.cut_at,
                rows_applied = report.rows_applied,
                rows_repaired = report.rows_repaired(),
                "cut applied"
            );
        }
    }
}
