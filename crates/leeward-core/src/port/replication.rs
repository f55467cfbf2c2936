//! The two ends of the server's own replication. Nothing is written through either.

use std::time::Duration;

use async_trait::async_trait;

use crate::fault::Fault;
use crate::replication::{Channel, LogPosition, Passage, ServerId};

/// The source's end: its binary log.
#[async_trait]
pub trait BinaryLog: Send {
    /// Returns how the source names itself to replicas, for which nobody needs a privilege.
    async fn writer(&mut self) -> Result<ServerId, Fault>;

    /// Returns where the log ends: everything committed before lies before it. `MissingGrant` where the account may not
    /// see it; `Refused` where there is no log.
    async fn end(&mut self) -> Result<LogPosition, Fault>;
}

/// The target's end: what it applies.
#[async_trait]
pub trait Replica: Send {
    /// Returns every channel; none where the server is no replica. `MissingGrant` where the account may not see them.
    async fn channels(&mut self) -> Result<Vec<Channel>, Fault>;

    /// Waits until a channel has applied everything up to a position of its source, for so long at most.
    async fn pass(&mut self, channel: &str, end: &LogPosition, wait_max: Duration) -> Result<Passage, Fault>;
}
