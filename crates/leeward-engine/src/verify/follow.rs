//! Waits until a target that replicates from the source by itself has applied what the source had written: what differs
//! after that is no lag. The wait is the server's own, and bounded.

use std::time::Duration;

use leeward_core::fault::Fault;
use leeward_core::port::{BinaryLog, Replica};
use leeward_core::replication::Passage;

/// How long a replica is waited for at each look: most are less than a second behind, and whoever asks for a comparison
/// of a replica that is minutes behind must be told that, not be kept waiting.
const CATCH_UP_MAX: Duration = Duration::from_secs(30);

/// The replication from the source to the target.
pub struct Following {
    /// The source's end.
    pub log: Box<dyn BinaryLog>,
    /// The target's end.
    pub replica: Box<dyn Replica>,
    /// Name of the target's channel.
    pub channel: String,
}

/// Whether the target has come to where the source was.
pub(super) enum Reached {
    Yes,
    /// Why not.
    No(String),
}

impl Following {
    /// Waits until everything that the source had written before this call is applied on the target.
    pub(super) async fn catch_up(&mut self) -> Result<Reached, Fault> {
        let end = self.log.end().await?;
        let passage = self.replica.pass(&self.channel, &end, CATCH_UP_MAX).await?;
        Ok(match passage {
            Passage::Passed => Reached::Yes,
            Passage::NotYet => Reached::No(format!(
                "the replica has not applied within {} s what the source had written up to {end}",
                CATCH_UP_MAX.as_secs()
            )),
            Passage::Stopped => {
                Reached::No(format!("the replica does not apply what the source had written up to {end}"))
            }
        })
    }
}
