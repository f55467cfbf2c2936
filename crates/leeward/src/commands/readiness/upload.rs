//! Keeps a report for the records, in a store: each under the time of its judgement, and none in another's place.

use bytes::Bytes;
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::port::store::{Condition, ObjectName, Stored};
use leeward_core::readiness::ReadinessFacts;

use crate::Failure;
use crate::commands::Desk;
use crate::config::store::StoreUrl;
use crate::report::readiness::Rendered;
use crate::wire;

/// Form of the time in a name: names sort by it, and two judgements of one lane have two.
const TIME: &str = "%Y%m%dT%H%M%S%.6fZ";

/// Stores the JSON and the page, as `readiness/LANE/TIME.json` and `.html`.
///
/// # Errors
/// Those of the store. The report has been printed by then.
pub async fn store(desk: &Desk, url: &StoreUrl, facts: &ReadinessFacts, rendered: &Rendered) -> Result<(), Failure> {
    let store = wire::store::open(&desk.settings, url).await?;
    let at = facts.now.format(TIME);
    for (ending, content) in [("json", &rendered.json), ("html", &rendered.html)] {
        let name = ObjectName::of(&["readiness", &facts.lane_name, &format!("{at}.{ending}")])?;
        let stored = store.put(&name, Bytes::from(content.clone()), &Condition::IfAbsent).await?;
        if stored == Stored::ConditionNotMet {
            let why = format!("{}/{name} is there already, and a report is never replaced", store.place());
            return Err(Failure::Fault(Fault::new(FaultKind::Refused(why), "store the report")));
        }
        tracing::info!("the report is kept as {}/{name}", store.place());
    }
    Ok(())
}
