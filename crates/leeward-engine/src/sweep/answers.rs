//! What the cut answers, on its way to where it is taken in: a bounded channel, so that the source goes on while the target
//! writes, and neither is far ahead.

use async_trait::async_trait;
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::port::{TakeTold, Told};
use tokio::sync::mpsc::{self, Receiver, Sender};

/// Parts under way at most, half a MiB each.
const PARTS_MAX: usize = 16;

/// Where the cut puts its answers.
pub struct Telling(Sender<Told>);

/// Where they arrive.
pub struct Answers(Receiver<Told>);

/// Makes the two ends.
pub fn channel() -> (Telling, Answers) {
    let (sender, receiver) = mpsc::channel(PARTS_MAX);
    (Telling(sender), Answers(receiver))
}

#[async_trait]
impl TakeTold for Telling {
    async fn take(&mut self, told: Told) -> Result<(), Fault> {
        // A closed channel means that the other end has met a fault, which is told from there.
        self.0.send(told).await.map_err(|_| cut_off())
    }
}

impl Answers {
    /// Returns the next part.
    pub async fn next(&mut self) -> Result<Told, Fault> {
        self.0.recv().await.ok_or_else(cut_off)
    }

    /// Drops what is left of an ask.
    pub async fn skip(&mut self) -> Result<(), Fault> {
        while !matches!(self.next().await?, Told::End { .. } | Told::Failed { .. }) {}
        Ok(())
    }
}

/// Returns the fault of an answer that does not fit what was asked.
pub fn cut_off() -> Fault {
    Fault::new(FaultKind::Unexpected, "compare ranges")
}
