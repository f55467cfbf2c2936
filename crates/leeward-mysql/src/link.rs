//! What the way to a server is like: its round trip and what one connection carries, measured before rows are sent over it.

use std::time::{Duration, Instant};

use leeward_core::fault::Fault;

use crate::endpoint::{Compression, Endpoint};
use crate::session::Session;

/// Answers that are timed: the first opens TCP's window, and of all the fastest counts. With the log-in and one round trip
/// they take as long as the survey, beside which the link is measured.
const ANSWERS: u32 = 3;

/// Bytes of one answer: longer under way than a round trip on any link that compression could help, and a quarter of the
/// smallest `max_allowed_packet` that doctor accepts.
const ANSWER_BYTES: u64 = 1 << 20;

/// Rows that one connection carries with zlib, at most: of 254 MB in 8.3 s the processors were the brake, not the link. A link
/// that carries as much by itself is better left alone.
const ZLIB_BYTES_PER_S: f64 = 30e6;

/// Round trips below this stay within a Region or a building, where no byte is billed.
const NEAR: Duration = Duration::from_millis(5);

/// What a near link must carry to be left alone: 100 Mbit/s. Below the mark for far ones, so that a machine that is busy for
/// a moment is not taken for a slow link.
const NEAR_BYTES_PER_S: f64 = 12.5e6;

/// The way to a server, as one connection without compression sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Link {
    /// What a statement without work took.
    pub round_trip: Duration,
    /// What the fastest answer has carried.
    pub bytes_per_s: f64,
}

impl Link {
    /// Measures, over a connection of its own that is closed again.
    ///
    /// # Errors
    /// Those of [`Session::open`] and of its queries.
    pub async fn measure(endpoint: &Endpoint) -> Result<Link, Fault> {
        const DOING: &str = "measure the link";
        let plain = Endpoint { compression: Compression::Off, ..endpoint.clone() };
        let mut session = Session::open(&plain, "link").await?;
        let began = Instant::now();
        session.run(DOING, "DO 0").await?;
        let round_trip = began.elapsed();
        let mut bytes_per_s: f64 = 0.0;
        for _ in 0..ANSWERS {
            let began = Instant::now();
            session.rows(DOING, format!("SELECT REPEAT('x',{ANSWER_BYTES})")).await?;
            let carrying = began.elapsed().saturating_sub(round_trip).max(Duration::from_micros(100));
            bytes_per_s = bytes_per_s.max(ANSWER_BYTES as f64 / carrying.as_secs_f64());
        }
        session.close().await;
        Ok(Link { round_trip, bytes_per_s })
    }

    /// Returns the compression with which it carries more rows.
    pub fn compression(&self) -> Compression {
        let enough = if self.round_trip < NEAR { NEAR_BYTES_PER_S } else { ZLIB_BYTES_PER_S };
        match self.bytes_per_s < enough {
            true => Compression::Zlib,
            false => Compression::Off,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_compressed_where_it_and_not_the_processor_is_the_brake() {
        let link = |ms, bytes_per_s| Link { round_trip: Duration::from_millis(ms), bytes_per_s }.compression();
        assert_eq!(link(0, 400e6), Compression::Off);
        assert_eq!(link(1, 20e6), Compression::Off, "near, and as fast as a network card of an office");
        assert_eq!(link(1, 2e6), Compression::Zlib, "near, and slow");
        assert_eq!(link(70, 20e6), Compression::Zlib, "far: bytes are paid for");
        assert_eq!(link(70, 200e6), Compression::Off, "far, and faster than zlib");
    }
}
