//! What the cut answers, on its way to where it is taken in: a bounded channel, so that the source goes on while the target
//! writes, and neither is far ahead.

use async_trait::async_trait;
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::port::{TakeTold, Told};
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::budget::{Budget, Held};

/// Parts under way at most: lists of half a MiB each. Rows are bounded by the budget besides.
const PARTS_MAX: usize = 16;

/// A part, and what it holds of the budget.
type Sent = (Told, Option<Held>);

/// Where the cut puts its answers.
pub struct Telling<'a> {
    parts: Sender<Sent>,
    budget: &'a Budget,
}

/// Where they arrive.
pub struct Answers {
    parts: Receiver<Sent>,
    /// Held for the rows that are at work on.
    in_hand: Option<Held>,
}

/// Makes the two ends.
pub fn channel(budget: &Budget) -> (Telling<'_>, Answers) {
    let (sender, receiver) = mpsc::channel(PARTS_MAX);
    (Telling { parts: sender, budget }, Answers { parts: receiver, in_hand: None })
}

#[async_trait]
impl TakeTold for Telling<'_> {
    async fn take(&mut self, told: Told) -> Result<(), Fault> {
        let held = match &told {
            Told::Rows { rows, .. } => Some(self.budget.take(rows.bytes() as u64).await),
            _ => None,
        };
        let is_alone = matches!(&told, Told::Rows { rows, .. } if self.budget.holds(rows.bytes() as u64) == 1);
        // A closed channel means that the other end has met a fault, which is told from there.
        self.parts.send((told, held)).await.map_err(|_| cut_off())?;
        if is_alone {
            // No other row is read until it is written.
            drop(self.budget.take_all().await);
        }
        Ok(())
    }
}

impl Answers {
    /// Returns the next part.
    pub async fn next(&mut self) -> Result<Told, Fault> {
        self.in_hand = None;
        let (told, held) = self.parts.recv().await.ok_or_else(cut_off)?;
        self.in_hand = held;
        Ok(told)
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
