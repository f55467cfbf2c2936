//! Rows on their way from the reader of a chunk to its loader, within the budget.

use std::sync::Arc;

use async_trait::async_trait;
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::port::{Feed, TakeRows};
use leeward_core::row::RowBatch;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::level::Level;
use crate::budget::{Budget, Held};

/// Batches between a reader and its loader: four keep both busy, and a loader that waits for a lock keeps no more of the
/// budget from the others.
const BATCHES_MAX: usize = 4;

/// The reader's end of a feed. `None` as an error means that the loader has gone, whose fault counts.
pub(super) struct Sender<'a> {
    rows: mpsc::Sender<Sent>,
    budget: &'a Budget,
    level: &'a Level,
    /// From the first wide row to the chunk's end.
    alone: Option<Alone>,
}

/// The whole budget, held for wide rows.
struct Alone {
    _all: Held,
    /// As many of the rows as fit into the budget may be on their way, one in any case.
    gate: Arc<Semaphore>,
    at_once: usize,
}

/// One message of a feed.
enum Sent {
    Rows(RowBatch, Weight),
    End,
    Failed,
}

/// What a batch holds until its loader has done with it.
enum Weight {
    Part(#[expect(dead_code, reason = "it is dropped")] Held),
    OfAlone(#[expect(dead_code, reason = "it is dropped")] OwnedSemaphorePermit),
}

struct Receiver {
    rows: mpsc::Receiver<Sent>,
    /// What the loader is at work on.
    in_hand: Option<Weight>,
    ended: bool,
}

/// Makes both ends of a feed.
pub(super) fn feed<'a>(budget: &'a Budget, level: &'a Level) -> (Sender<'a>, Box<dyn Feed>) {
    let (send, receive) = mpsc::channel(BATCHES_MAX);
    let sender = Sender { rows: send, budget, level, alone: None };
    (sender, Box::new(Receiver { rows: receive, in_hand: None, ended: false }))
}

fn gone() -> Fault {
    Fault::new(FaultKind::Stopped, "hand rows on")
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

    /// Waits, but not longer than there is a loader.
    async fn while_wanted<T>(&self, waited_for: impl Future<Output = T>) -> Result<T, Fault> {
        tokio::select! {
            came = waited_for => Ok(came),
            () = self.rows.closed() => Err(gone()),
        }
    }
}

#[async_trait]
impl TakeRows for Sender<'_> {
    async fn take(&mut self, rows: RowBatch) -> Result<(), Fault> {
        let bytes = rows.bytes() as u64;
        let weight = match &self.alone {
            None => Weight::Part(self.while_wanted(self.budget.take(bytes)).await?),
            Some(alone) => {
                let passed = self.while_wanted(alone.gate.clone().acquire_owned()).await?;
                Weight::OfAlone(passed.map_err(|_| gone())?)
            }
        };
        self.level.moved(bytes);
        self.rows.send(Sent::Rows(rows, weight)).await.map_err(|_| gone())?;
        match &self.alone {
            // The next one is not read before the loader has done with this one.
            Some(alone) if alone.at_once == 1 => {
                self.while_wanted(alone.gate.clone().acquire_owned()).await?.map_err(|_| gone()).map(drop)
            }
            _ => Ok(()),
        }
    }

    fn wide_from(&self) -> u64 {
        self.budget.wide_from()
    }

    async fn room(&mut self, widest: u64) -> Result<(), Fault> {
        if self.alone.is_none() {
            let all = self.while_wanted(self.budget.take_all()).await?;
            let at_once = self.budget.holds(widest).min(BATCHES_MAX);
            self.alone = Some(Alone { _all: all, gate: Arc::new(Semaphore::new(at_once)), at_once });
        }
        Ok(())
    }
}

#[async_trait]
impl Feed for Receiver {
    async fn next(&mut self) -> Result<Option<RowBatch>, Fault> {
        self.in_hand = None;
        if self.ended {
            return Ok(None);
        }
        match self.rows.recv().await {
            Some(Sent::Rows(rows, weight)) => {
                self.in_hand = Some(weight);
                Ok(Some(rows))
            }
            Some(Sent::End) => {
                self.ended = true;
                Ok(None)
            }
            // The reader failed or was dropped: what has been loaded is not the whole chunk.
            Some(Sent::Failed) | None => Err(Fault::new(FaultKind::Unreachable, "read a chunk to its end")),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn rows(bytes: usize) -> RowBatch {
        let mut rows = RowBatch::new(1);
        rows.push_cell(Some(&vec![b'x'; bytes]));
        rows
    }

    #[tokio::test]
    async fn a_row_larger_than_the_budget_is_alone_until_its_loader_has_done_with_it() {
        let (budget, level) = (Budget::new(4 << 20), Level::new(Some(2), 2));
        let (mut sender, mut feed) = feed(&budget, &level);
        sender.room(5 << 20).await.unwrap();
        assert!(budget.take(1).now_or_never().is_none(), "nothing is read beside it");
        let mut sending = sender.take(rows(5 << 20));
        assert!(sending.as_mut().now_or_never().is_none(), "the next one must wait");
        assert_eq!(feed.next().await.unwrap().unwrap().rows(), 1);
        assert!(sending.as_mut().now_or_never().is_none(), "its text is still being sent");
        let ended = tokio::join!(async { sending.await.unwrap() }, async { feed.next().now_or_never() });
        assert!(ended.1.is_none(), "no other row has come");
        drop(sender);
        assert!(budget.take_all().now_or_never().is_some(), "all is given back");
    }

    #[tokio::test]
    async fn batches_of_all_feeds_share_the_budget() {
        let (budget, level) = (Budget::new(4 << 20), Level::new(Some(2), 2));
        let ((mut one, mut first), (mut other, _second)) = (feed(&budget, &level), feed(&budget, &level));
        one.take(rows(3 << 20)).await.unwrap();
        let mut waiting = other.take(rows(2 << 20));
        assert!(waiting.as_mut().now_or_never().is_none());
        assert!(first.next().await.unwrap().is_some());
        assert!(waiting.as_mut().now_or_never().is_none(), "it is still being loaded");
        drop(first);
        waiting.await.unwrap();
    }
}
