//! What a running lane tells whoever watches it. Watching changes nothing and must not take long: the lane waits for it.

use leeward_core::fault::Fault;
use leeward_core::port::Lease;

use crate::cycle::CycleReport;

/// Takes the news of a running lane. Each call is a step of its loop, so that the time since the last one tells whether it
/// still turns.
pub trait Watch: Send + Sync {
    /// A cycle was committed.
    fn cycle(&self, report: &CycleReport);

    /// The target, or the lease, was asked for in vain and will be asked for again.
    fn waits(&self) {}

    /// The lease was taken.
    fn leads(&self, _lease: &Lease) {}

    /// A turn ended in a fault. What is done about it follows.
    fn endures(&self, _fault: &Fault) {}
}
