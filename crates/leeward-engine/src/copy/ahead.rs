//! Readers that are connected before there is anything to read: over a long way a log-in takes three round trips, which
//! pass while the source is looked at and tables are created.

use std::sync::Mutex;

use leeward_core::fault::Fault;
use leeward_core::port::{ChunkReader, Servers};

use super::level;

/// What was connected ahead and is not used yet.
#[derive(Default)]
pub struct Readers(Mutex<Vec<Box<dyn ChunkReader>>>);

impl Readers {
    /// Connects as many as a copy begins with, and one that finds borders. What cannot be connected now is asked for again
    /// when it is needed, and that fault counts.
    pub async fn connect(servers: &dyn Servers, parallel: Option<usize>, workers_max: usize) -> Readers {
        let count = 1 + level::begin(parallel, workers_max);
        let connecting = (0..count).map(|_| servers.reader());
        let connected = futures_util::future::join_all(connecting).await;
        Readers(Mutex::new(connected.into_iter().filter_map(Result::ok).collect()))
    }

    /// Returns one of them, or a new one.
    pub(super) async fn reader(&self, servers: &dyn Servers) -> Result<Box<dyn ChunkReader>, Fault> {
        let ahead = self.0.lock().expect("no panic while held").pop();
        match ahead {
            Some(reader) => Ok(reader),
            None => servers.reader().await,
        }
    }
}
