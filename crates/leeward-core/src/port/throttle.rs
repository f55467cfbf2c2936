//! Looking at how busy the source is.

use async_trait::async_trait;

use crate::fault::Fault;
use crate::throttle::SourceLoad;

/// Looks at how busy the source is, over a connection of its own: one light query each time.
#[async_trait]
pub trait LoadWatch: Send {
    /// Looks once.
    async fn look(&mut self) -> Result<SourceLoad, Fault>;
}
