//! Keeps on the target what has passed over the wire, so that `status` can show it when the process is gone. Nothing waits for
//! it and nothing fails by it: what cannot be stored is added at the next time. It takes no lease, for it only writes down
//! what was counted.

use std::sync::Arc;
use std::time::Duration;

use leeward_core::fault::{Fault, FaultKind};
use leeward_core::name::Side;
use leeward_core::port::{Control, LeaseRecord, Servers};
use leeward_core::traffic::{BothSides, Traffic};
use leeward_mysql::endpoint::Endpoint;
use tokio_util::sync::CancellationToken;

use crate::config::Settings;
use crate::{Failure, wire};

/// How often a running `sync` stores what has passed: as often as it looks at its source, and as cheap.
const STORE_EVERY: Duration = Duration::from_secs(60);

/// The longest that storing may take, also at the end of a process that was asked to stop.
const STORE_MAX: Duration = Duration::from_secs(5);

/// What one process has counted.
pub struct Ledger {
    servers: Arc<dyn Servers>,
    target: Endpoint,
    lane: String,
    stored: BothSides,
}

impl Ledger {
    /// Begins to count for a lane.
    ///
    /// # Errors
    /// When the target was not given, or its password cannot be had.
    pub async fn new(settings: &Settings, lane: &str, servers: Arc<dyn Servers>) -> Result<Ledger, Failure> {
        let target = wire::endpoint(settings, Side::Target).await?;
        Ok(Ledger { servers, target, lane: lane.to_owned(), stored: BothSides::default() })
    }

    /// Stores what has passed, now and then, and a last time when it is stopped.
    pub async fn keep(mut self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(STORE_EVERY)).await.is_some() {
            self.store().await;
        }
        self.store().await;
    }

    /// Stores that this process has ended a seed, and what has passed for it.
    pub async fn end_seed(self) {
        let Some(counted) = self.counted() else { return };
        self.change(|traffic, now| traffic.seed = Some((now, counted))).await;
    }

    async fn store(&mut self) {
        let Some(counted) = self.counted() else { return };
        let more = counted.since(self.stored);
        if !more.is_nothing() && self.change(|traffic, now| traffic.add(now, more)).await {
            self.stored = counted;
        }
    }

    fn counted(&self) -> Option<BothSides> {
        Some(BothSides { source: self.servers.passed(Side::Source)?, target: self.servers.passed(Side::Target)? })
    }

    /// Changes what is stored. Returns whether that was done.
    async fn change(&self, change: impl FnOnce(&mut Traffic, chrono::NaiveDateTime) + Send) -> bool {
        let changing = async {
            let mut control = wire::control(&self.target).await?;
            let is_over = |lease: LeaseRecord| lease.promoted;
            if !control.exists().await? || control.lease_holder(&self.lane).await?.is_some_and(is_over) {
                return Ok(());
            }
            let mut traffic = read(control.as_mut(), &self.lane).await?;
            change(&mut traffic, control.now().await?);
            let unprintable = |error| Fault::new(FaultKind::Unexpected, "print what has passed").because(error);
            let body = serde_json::to_string(&traffic).map_err(unprintable)?;
            control.store_facts(&name(&self.lane), &body).await
        };
        let timed_out = |_| Fault::new(FaultKind::TimedOut, "store what has passed").on(Side::Target);
        let changed: Result<(), Fault> = tokio::time::timeout(STORE_MAX, changing).await.map_err(timed_out).flatten();
        if let Err(fault) = &changed {
            tracing::debug!(%fault, "what has passed over the wire was not stored");
        }
        changed.is_ok()
    }
}

/// Returns what a lane has carried, as far as it was stored.
///
/// # Errors
/// Whatever keeps the control schema from being read.
pub async fn read(control: &mut dyn Control, lane: &str) -> Result<Traffic, Fault> {
    let stored = control.facts(&name(lane)).await?;
    // What another version wrote is as good as nothing.
    Ok(stored.and_then(|(_, body)| serde_json::from_str(&body).ok()).unwrap_or_default())
}

fn name(lane: &str) -> String {
    format!("traffic:{lane}")
}
