//! Rows on their way from the reader of a chunk to its loader, bounded in bytes.

use std::sync::Arc;

use async_trait::async_trait;
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::port::{Feed, TakeRows};
use leeward_core::row::RowBatch;
use tokio::sync::{Semaphore, mpsc};

use super::level::Level;

/// Bytes between a reader and its loader. Four batches keep both busy; one wide row may stand alone beyond it.
const FEED_BYTES: usize = 1024 * 1024;

/// Bytes of a batch past which a row counts as wide. Only one worker at a time goes on past a wide row, because each
/// copy of it on the way (packet, row, batch, escaped text, packet) is as large again.
const WIDE_BYTES: usize = 2 * 1024 * 1024;

/// The reader's end of a feed. `None` as an error means that the loader has gone, whose fault counts.
pub(super) struct Sender<'a> {
    rows: mpsc::Sender<Sent>,
    bytes: Arc<Semaphore>,
    wide: &'a Semaphore,
    level: &'a Level,
    /// Held from the first wide row to the chunk's end.
    permit: Option<tokio::sync::SemaphorePermit<'a>>,
}

/// One message of a feed.
enum Sent {
    Rows(RowBatch, tokio::sync::OwnedSemaphorePermit),
    End,
    Failed,
}

struct Receiver {
    rows: mpsc::Receiver<Sent>,
    ended: bool,
}

/// Makes both ends of a feed.
pub(super) fn feed<'a>(wide: &'a Semaphore, level: &'a Level) -> (Sender<'a>, Box<dyn Feed>) {
    let (send, receive) = mpsc::channel(16);
    let sender = Sender { rows: send, bytes: Arc::new(Semaphore::new(FEED_BYTES)), wide, level, permit: None };
    (sender, Box::new(Receiver { rows: receive, ended: false }))
}

impl Sender<'_> {
    /// Says that the chunk was read to its end, or why not.
    pub(super) async fn end(&mut self, read: Result<(), Fault>) -> Result<(), Option<Fault>> {
        let message = if read.is_ok() { Sent::End } else { Sent::Failed };
        let sent = self.rows.send(message).await;
        match (read, sent) {
            (Err(fault), _) if fault.kind == FaultKind::Stopped => Err(None),
            (Err(fault), _) => Err(Some(fault)),
            (Ok(()), Err(_)) => Err(None),
            (Ok(()), Ok(())) => Ok(()),
        }
    }
}

#[async_trait]
impl TakeRows for Sender<'_> {
    async fn take(&mut self, rows: RowBatch) -> Result<(), Fault> {
        let gone = || Fault::new(FaultKind::Stopped, "hand rows on");
        if rows.bytes() > WIDE_BYTES && self.permit.is_none() {
            self.permit = self.wide.acquire().await.ok();
        }
        let bytes = rows.bytes().clamp(1, FEED_BYTES) as u32;
        let permit = self.bytes.clone().acquire_many_owned(bytes);
        let permit = tokio::select! {
            permit = permit => permit.map_err(|_| gone())?,
            () = self.rows.closed() => return Err(gone()),
        };
        self.level.moved(u64::from(bytes));
        self.rows.send(Sent::Rows(rows, permit)).await.map_err(|_| gone())
    }
}

#[async_trait]
impl Feed for Receiver {
    async fn next(&mut self) -> Result<Option<RowBatch>, Fault> {
        if self.ended {
            return Ok(None);
        }
        match self.rows.recv().await {
            Some(Sent::Rows(rows, _permit)) => Ok(Some(rows)),
            Some(Sent::End) => {
                self.ended = true;
                Ok(None)
            }
            // The reader failed or was dropped: what has been loaded is not the whole chunk.
            Some(Sent::Failed) | None => Err(Fault::new(FaultKind::Unreachable, "read a chunk to its end")),
        }
    }
}
