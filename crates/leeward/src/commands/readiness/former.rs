//! What RDS last said of the source, kept on the target beside the rest that is known of it: when its Region is gone, nobody
//! there can be asked how large it was. Nothing here ever fails a verdict.

use std::time::Duration;

use leeward_core::port::Control;
use leeward_core::readiness::ReadinessFacts;
use leeward_core::readiness::cloud::{Asked, RdsServer, Told};

/// The longest that reading or storing it may keep a person waiting: some round trips over an ocean.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Keeps what RDS has just said of the source; where it said nothing, takes what was kept.
pub async fn keep_or_recall(control: &mut dyn Control, facts: &mut ReadinessFacts) {
    let name = format!("rds:{}", facts.lane_name);
    match &facts.cloud.source.server {
        Asked::Told(told) => store(control, &name, told).await,
        Asked::Untold(_) => {
            if let Some(former) = read(control, &name).await {
                facts.recall_source(former);
            }
        }
    }
}

async fn store(control: &mut dyn Control, name: &str, told: &Told<RdsServer>) {
    let Ok(body) = serde_json::to_string(told) else { return };
    match tokio::time::timeout(WAIT_MAX, control.store_facts(name, &body)).await {
        Ok(Ok(())) => {}
        // An account that may only read leaves no trace.
        Ok(Err(fault)) => tracing::debug!(%fault, "what RDS says of the source was not stored"),
        Err(_) => tracing::debug!("what RDS says of the source was not stored in time"),
    }
}

async fn read(control: &mut dyn Control, name: &str) -> Option<Told<RdsServer>> {
    let stored = tokio::time::timeout(WAIT_MAX, control.facts(name)).await.ok()?.ok()?;
    // What another version wrote is as good as nothing.
    serde_json::from_str(&stored?.1).ok()
}
