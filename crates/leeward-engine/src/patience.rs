//! Waiting out what passes by itself: a failover, a full disk, a broken link. For work that may be tried again from its
//! last commit; what a lane does between cycles is decided in [`crate::sync`].

use std::time::Duration;

use leeward_core::fault::{Decision, Fault, FaultKind};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::progress::{Progress, Tell};

/// How often one piece of work is tried when servers come and go: with the waits below, more than ten minutes, which
/// outlasts a Multi-AZ failover (60 to 120 s) with room for a second.
const TRIES_MAX: u32 = 130;

/// Wait between tries. The first few waits are a tenth of it: most breaks are over at once.
const RETRY_WAIT: Duration = Duration::from_secs(5);
const SHORT_WAITS: u32 = 3;

/// The patience with one piece of work.
pub struct Patience<'a> {
    tell: &'a dyn Tell,
    stop: &'a CancellationToken,
    tries: u32,
}

impl<'a> Patience<'a> {
    /// Begins with a new piece of work.
    pub fn new(tell: &'a dyn Tell, stop: &'a CancellationToken) -> Patience<'a> {
        Patience { tell, stop, tries: 0 }
    }

    /// Waits before another try.
    ///
    /// # Errors
    /// The fault itself when it does not pass by itself, or has not in all this time.
    pub async fn wait(&mut self, fault: Fault) -> Result<(), Fault> {
        self.tries += 1;
        let passes = matches!(fault.decision(), Decision::Retry | Decision::Block { .. });
        if !passes || self.tries >= TRIES_MAX {
            return Err(fault);
        }
        if self.tries == 1 {
            self.tell.tell(Progress::Note(format!("waiting, then trying again: {fault}")));
        } else {
            debug!(fault = %fault, tries = self.tries, "trying again");
        }
        let wait = if self.tries <= SHORT_WAITS { RETRY_WAIT / 10 } else { RETRY_WAIT };
        tokio::select! {
            () = tokio::time::sleep(wait) => Ok(()),
            () = self.stop.cancelled() => Err(Fault::new(FaultKind::Stopped, "wait for a server")),
        }
    }
}
