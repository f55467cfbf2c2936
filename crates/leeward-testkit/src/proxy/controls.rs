//! The switches of a proxy and its counters, shared by all of its connections.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::Link;

/// A direction of flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server: requests.
    ToServer,
    /// From the server to the client: answers.
    ToClient,
}

/// What has passed through a proxy since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Connections accepted.
    pub connections: u64,
    /// Bytes delivered to the server.
    pub bytes_to_server: u64,
    /// Bytes delivered to clients.
    pub bytes_to_client: u64,
    /// Requests sent after an answer had arrived, or first on a connection: how often a client
    /// waited for the wire. Opening a connection is not counted, its greeting's answer is.
    pub round_trips: u64,
}

/// Where a connection is cut when a chosen request passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RequestCut {
    BeforeServer,
    BeforeAnswer,
}

/// The state of both directions and of the traps set for passing bytes.
pub(super) struct Controls {
    to_server: Lane,
    to_client: Lane,
    connections: AtomicU64,
    round_trips: AtomicU64,
    /// Counts orders to reset everything; a connection ends when it changes.
    resets: watch::Sender<u64>,
    cuts: watch::Sender<u64>,
    request_cut: Mutex<Option<(Vec<u8>, RequestCut)>>,
}

/// One direction of the link.
struct Lane {
    stalled: watch::Sender<bool>,
    bytes: AtomicU64,
    wire: Mutex<Wire>,
    /// How many bytes may still pass before the link is cut.
    cut_after: Mutex<Option<u64>>,
}

struct Wire {
    link: Link,
    /// When the wire has sent the last byte it was given; only with a limit of bandwidth.
    busy_until: Instant,
}

impl Lane {
    fn new(link: Link) -> Lane {
        Lane {
            stalled: watch::Sender::new(false),
            bytes: AtomicU64::new(0),
            wire: Mutex::new(Wire { link, busy_until: Instant::now() }),
            cut_after: Mutex::new(None),
        }
    }
}

impl Controls {
    pub(super) fn new(link: Link) -> Controls {
        Controls {
            to_server: Lane::new(link),
            to_client: Lane::new(link),
            connections: AtomicU64::new(0),
            round_trips: AtomicU64::new(0),
            resets: watch::Sender::new(0),
            cuts: watch::Sender::new(0),
            request_cut: Mutex::new(None),
        }
    }

    fn lane(&self, direction: Direction) -> &Lane {
        match direction {
            Direction::ToServer => &self.to_server,
            Direction::ToClient => &self.to_client,
        }
    }

    pub(super) fn set_delay(&self, one_way: Duration) {
        for lane in [&self.to_server, &self.to_client] {
            locked(&lane.wire).link.delay = one_way;
        }
    }

    pub(super) fn delay(&self) -> Duration {
        locked(&self.to_server.wire).link.delay
    }

    /// Returns when bytes read now come out at the other end. A limit of bandwidth is kept by one
    /// clock per direction: what is handed in while the wire is busy waits its turn.
    pub(super) fn release_at(&self, direction: Direction, bytes: usize) -> Instant {
        let mut wire = locked(&self.lane(direction).wire);
        let now = Instant::now();
        let Some(bytes_per_s) = wire.link.bytes_per_s_max else {
            return now + wire.link.delay;
        };
        let sending = Duration::from_secs_f64(bytes as f64 / bytes_per_s.max(1) as f64);
        wire.busy_until = wire.busy_until.max(now) + sending;
        wire.busy_until + wire.link.delay
    }

    pub(super) fn set_stalled(&self, direction: Direction, stalled: bool) {
        self.lane(direction).stalled.send_replace(stalled);
    }

    /// Waits while the direction is stalled.
    pub(super) async fn flowing(&self, direction: Direction) {
        let mut stalled = self.lane(direction).stalled.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        let _ = stalled.wait_for(|stalled| !stalled).await;
    }

    pub(super) fn reset_all(&self) {
        self.resets.send_modify(|resets| *resets += 1);
    }

    pub(super) fn resets(&self) -> watch::Receiver<u64> {
        self.resets.subscribe()
    }

    pub(super) fn arm_cut_after(&self, direction: Direction, bytes: u64) {
        *locked(&self.lane(direction).cut_after) = Some(bytes);
    }

    /// Returns how many of the given bytes may pass; fewer than all means that the link must be cut
    /// right after them. The trap is then used up.
    pub(super) fn allowed(&self, direction: Direction, bytes: usize) -> usize {
        let mut cut_after = locked(&self.lane(direction).cut_after);
        let Some(left) = *cut_after else { return bytes };
        match usize::try_from(left) {
            Ok(left) if left < bytes => {
                *cut_after = None;
                left
            }
            _ => {
                *cut_after = Some(left - bytes as u64);
                bytes
            }
        }
    }

    pub(super) fn arm_request_cut(&self, text: &str, cut: RequestCut) {
        *locked(&self.request_cut) = Some((text.as_bytes().to_vec(), cut));
    }

    /// Returns how many bytes at the end of one read must be looked at again with the next, since
    /// the text waited for may lie across both.
    pub(super) fn overlap(&self) -> usize {
        locked(&self.request_cut).as_ref().map_or(0, |(text, _)| text.len().saturating_sub(1))
    }

    /// Looks for the text waited for and, when it is there, takes the trap away and returns it.
    pub(super) fn spring(&self, request: &[u8]) -> Option<RequestCut> {
        let mut trap = locked(&self.request_cut);
        let (text, cut) = trap.as_ref()?;
        let cut = *cut;
        if text.is_empty() || !request.windows(text.len()).any(|window| window == text) {
            return None;
        }
        *trap = None;
        Some(cut)
    }

    pub(super) fn disarm(&self) {
        *locked(&self.request_cut) = None;
        for lane in [&self.to_server, &self.to_client] {
            *locked(&lane.cut_after) = None;
        }
    }

    pub(super) fn cuts(&self) -> u64 {
        *self.cuts.borrow()
    }

    pub(super) fn count_cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    pub(super) async fn wait_for_cuts(&self, wanted: u64) {
        let mut cuts = self.cuts.subscribe();
        let _ = cuts.wait_for(|cuts| *cuts >= wanted).await;
    }

    pub(super) fn count_connection(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_round_trip(&self) {
        self.round_trips.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_bytes(&self, direction: Direction, bytes: usize) {
        self.lane(direction).bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn counters(&self) -> Counters {
        Counters {
            connections: self.connections.load(Ordering::Relaxed),
            bytes_to_server: self.to_server.bytes.load(Ordering::Relaxed),
            bytes_to_client: self.to_client.bytes.load(Ordering::Relaxed),
            round_trips: self.round_trips.load(Ordering::Relaxed),
        }
    }
}

/// Locks a mutex whose every critical section leaves the value whole, so that a panic elsewhere
/// does not matter.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
