//! What a link is like before anything goes wrong with it.

use std::time::Duration;

/// The properties of the wire between client and server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Time a byte takes from one end to the other.
    pub delay: Duration,
    /// Bytes per second in each direction, shared by all connections; `None` is unlimited.
    pub bytes_per_s_max: Option<u64>,
}

impl Link {
    /// Returns a link with the given round-trip time and no limit of bandwidth.
    pub fn with_round_trip(round_trip: Duration) -> Link {
        Link { delay: round_trip / 2, bytes_per_s_max: None }
    }
}
