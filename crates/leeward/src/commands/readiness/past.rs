//! What was measured and judged before: read for the report, and the new verdict added to it. Nothing of it is needed for a
//! verdict, so that nothing here ever fails one: an account that may only read leaves no trace, and that is all.

use std::time::Duration;

use leeward_core::fault::Fault;
use leeward_core::port::Control;
use leeward_core::readiness::{Judged, Past, Readiness, ReadinessFacts, remember};

/// The longest that storing a verdict may keep a person waiting who has it already: some round trips over an ocean.
const STORE_MAX: Duration = Duration::from_secs(5);

/// Reads what is remembered.
///
/// # Errors
/// When the samples cannot be read: the control schema may be that of an older version.
pub async fn read(control: &mut dyn Control, lane: &str) -> Result<Past, Fault> {
    let samples = control.samples(lane).await?;
    let stored = control.facts(&name(lane)).await?;
    // What another version wrote is as good as nothing.
    let verdicts: Option<Vec<Judged>> = stored.and_then(|(_, body)| serde_json::from_str(&body).ok());
    Ok(Past { samples, verdicts: verdicts.unwrap_or_default() })
}

/// Adds a verdict to the former ones. Of two that are stored in the same moment one may be lost.
pub async fn store(mut control: Box<dyn Control>, facts: &ReadinessFacts, verdict: &Readiness) {
    let Some(past) = facts.past.known() else { return };
    let judged = remember(past.value.verdicts.clone(), verdict);
    let Ok(body) = serde_json::to_string(&judged) else { return };
    match tokio::time::timeout(STORE_MAX, control.store_facts(&name(&verdict.lane), &body)).await {
        Ok(Ok(())) => {}
        Ok(Err(fault)) => tracing::debug!(%fault, "the verdict was not added to the former ones"),
        Err(_) => tracing::debug!("the verdict was not added to the former ones in time"),
    }
}

fn name(lane: &str) -> String {
    format!("verdicts:{lane}")
}
