//! Bytes that have passed over the connections to one server, as the server itself counts them for each: after compression,
//! without what TLS adds.
//!
//! The driver shows no socket to count at, so the server is asked in a round trip that is made anyway: with each chunk, and
//! about once a second otherwise. What a connection carries after it was asked last is not counted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use leeward_core::port::Passed;
use mysql_async::Row;

use crate::digest::text;

/// The question. Its answer is a result set of two rows.
pub(crate) const QUERY: &str = "SHOW SESSION STATUS LIKE 'Bytes\\_%'";

/// How often a connection asks: the answer costs the server a millisecond or less.
const EVERY: Duration = Duration::from_secs(1);

/// The sum over all connections to one server.
#[derive(Debug, Default)]
pub struct Wire {
    read: AtomicU64,
    sent: AtomicU64,
}

impl Wire {
    /// Returns what has been counted.
    pub fn passed(&self) -> Passed {
        Passed { read: self.read.load(Ordering::Relaxed), sent: self.sent.load(Ordering::Relaxed) }
    }
}

/// What one connection has told.
#[derive(Debug, Default)]
pub(crate) struct Count {
    told: Passed,
    asked: Option<Instant>,
}

impl Count {
    /// Returns whether it is time to ask, and takes it that this is done.
    pub fn is_due(&mut self) -> bool {
        let is_due = self.asked.is_none_or(|asked| asked.elapsed() >= EVERY);
        if is_due {
            self.asked = Some(Instant::now());
        }
        is_due
    }

    /// Takes in one row of the answer.
    pub fn take(&mut self, row: &Row, wire: &Wire) {
        let Some(bytes) = text(row, 1).and_then(|bytes| bytes.parse::<u64>().ok()) else { return };
        // The server's words are seen from its side.
        let (told, sum) = match text(row, 0) {
            Some("Bytes_sent") => (&mut self.told.read, &wire.read),
            Some("Bytes_received") => (&mut self.told.sent, &wire.sent),
            _ => return,
        };
        sum.fetch_add(bytes.saturating_sub(*told), Ordering::Relaxed);
        *told = bytes.max(*told);
    }
}
