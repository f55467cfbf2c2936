//! The bytes under way in one direction of one connection, each batch stamped with the time at
//! which it comes out: many batches travel at once, so delay costs no bandwidth.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;

/// Bytes that may be under way, like a TCP window: 4 MiB at 35 ms one way carry 120 MB/s, more than
/// any test server takes. Twenty connections both ways then hold 160 MiB at the very most.
const WINDOW_BYTES: u32 = 4 * 1024 * 1024;

/// Bytes taken by one read.
pub(super) const READ_BYTES: usize = 64 * 1024;

/// Batches under way; only smaller ones than a kilobyte fill this before they fill the window.
const BATCHES_MAX: usize = 4096;

/// What travels.
pub(super) struct Batch {
    /// Empty at the end of the stream.
    pub(super) bytes: Vec<u8>,
    pub(super) release_at: Instant,
    /// Gives the window back when the batch has been delivered.
    _room: OwnedSemaphorePermit,
}

/// The end at which bytes go in.
pub(super) struct Entry {
    window: Arc<Semaphore>,
    batches: mpsc::Sender<Batch>,
}

/// Makes a delay line.
pub(super) fn delay_line() -> (Entry, mpsc::Receiver<Batch>) {
    let (batches, exit) = mpsc::channel(BATCHES_MAX);
    (Entry { window: Arc::new(Semaphore::new(WINDOW_BYTES as usize)), batches }, exit)
}

impl Entry {
    /// Waits until the window has room for one more read.
    pub(super) async fn room(&self) -> Option<OwnedSemaphorePermit> {
        self.window.clone().acquire_many_owned(READ_BYTES as u32).await.ok()
    }

    /// Sends a copy of the bytes off and gives back the room they do not need. Where the other end
    /// is gone nothing happens: whoever closed it also ends the connection.
    pub(super) async fn send(&self, bytes: &[u8], release_at: Instant, mut room: OwnedSemaphorePermit) {
        drop(room.split(READ_BYTES.saturating_sub(bytes.len())));
        let batch = Batch { bytes: bytes.to_vec(), release_at, _room: room };
        let _ = self.batches.send(batch).await;
    }
}
