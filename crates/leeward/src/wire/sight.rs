//! Looks at the servers for `doctor`, for `readiness` and for the facts that are kept for it. They read only.

use std::time::Duration;

use leeward_core::doctor::{SideSeen, Unreached};
use leeward_core::fault::Fault;
use leeward_core::name::Side;
use leeward_mysql::endpoint::Endpoint;
use leeward_mysql::facts;
pub use leeward_mysql::facts::{Look, Scope, knock};

use crate::Failure;
use crate::config::Settings;

/// How long a person who asks whether the target can take over waits to hear that the source is gone. A connection over
/// an ocean takes a second and a half.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// The same for an answer of a source that dies while it is being looked at. The slowest look, at the columns of ten
/// thousand tables, takes some two seconds.
const READ_MAX: Duration = Duration::from_secs(10);

/// Looks at one side for the preflight. That it cannot be reached, or its password not be fetched, is a finding.
///
/// # Errors
/// When the side was not given.
pub async fn preflight(settings: &Settings, side: Side) -> Result<SideSeen, Failure> {
    match super::endpoint(settings, side).await {
        Ok(endpoint) => Ok(facts::preflight(&endpoint, &settings.databases).await),
        Err(Failure::Fault(fault)) => Ok(SideSeen::Unreached(Unreached::of(&fault, side))),
        Err(failure) => Err(failure),
    }
}

/// Looks at a server for readiness.
///
/// # Errors
/// When it cannot be reached, or its connection breaks on the way.
pub async fn look(endpoint: &Endpoint, scope: Scope<'_>) -> Result<Look, Fault> {
    facts::look(endpoint, scope).await
}

/// Returns an endpoint that does not wait long: for a server that may be gone.
pub fn impatient(mut endpoint: Endpoint) -> Endpoint {
    endpoint.timeouts.connect = endpoint.timeouts.connect.min(CONNECT_MAX);
    endpoint.timeouts.read = endpoint.timeouts.read.min(READ_MAX);
    endpoint
}
