//! The one bound on rows in memory: so many bytes may be on their way at once, whoever reads them (docs/adr/0036).
//!
//! It counts the bytes of rows, once each. What a row takes besides while it passes (the driver's packet, its escaped text)
//! follows from them and is not counted.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of one permit: a semaphore hands out 32 bits of them, and rows may be larger than that.
const UNIT: u64 = 1024;

/// Rows are wide from this part of the budget on: with sixteen workers, as many as a copy finds by itself, the rows that
/// they have read before they were let take half of it.
const WIDE_PART: u64 = 32;

/// What a worker of a copy holds beside the budget: what it has read and not been let, what the driver keeps of that, and
/// the text that is being sent, at a batch of 256 KiB each.
const WORKER_BYTES: u64 = 1 << 20;

/// Bytes of rows that may be in memory at once. Clones share it.
#[derive(Debug, Clone)]
pub struct Budget {
    permits: Arc<Semaphore>,
    units: u32,
}

/// A part of the budget, given back when it is dropped.
#[derive(Debug)]
pub struct Held(#[expect(dead_code, reason = "it is dropped")] OwnedSemaphorePermit);

impl Budget {
    /// Rows in memory, unless people say otherwise: four batches for each of sixteen workers. With it a seed and a comparison
    /// of ordinary rows stay below 64 MiB in all.
    pub const DEFAULT_BYTES: u64 = 16 << 20;

    /// The least that works: four batches for each of the four workers with which a copy begins.
    pub const BYTES_MIN: u64 = 4 << 20;

    /// The most that can be asked for, which no machine has.
    pub const BYTES_MAX: u64 = 1 << 40;

    /// Makes one of so many bytes, within the bounds above.
    pub fn new(bytes: u64) -> Budget {
        let bytes = bytes.clamp(Self::BYTES_MIN, Self::BYTES_MAX);
        let units = u32::try_from(bytes / UNIT).unwrap_or(u32::MAX);
        Budget { permits: Arc::new(Semaphore::new(units as usize)), units }
    }

    /// Returns how many bytes it is.
    pub fn bytes(&self) -> u64 {
        u64::from(self.units) * UNIT
    }

    /// Returns the bytes past which a row is wide: it is read apart from others, and only once there is room for it.
    pub fn wide_from(&self) -> u64 {
        self.bytes() / WIDE_PART
    }

    /// Returns how many workers a copy may find by itself.
    pub fn workers_max(&self) -> usize {
        usize::try_from(self.bytes() / WORKER_BYTES).unwrap_or(usize::MAX)
    }

    /// Returns how many things of so many bytes each fit into a part of it.
    pub fn holds(&self, bytes_each: u64) -> usize {
        usize::try_from(self.bytes() / bytes_each.max(1)).unwrap_or(usize::MAX).max(1)
    }

    /// Waits until so many bytes are free and takes them, in the order of asking. What is larger than all takes all of it,
    /// and so is alone.
    pub async fn take(&self, bytes: u64) -> Held {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).clamp(1, self.units);
        let permit = self.permits.clone().acquire_many_owned(units).await;
        Held(permit.expect("nobody closes it"))
    }

    /// Waits until nothing else is in memory.
    pub async fn take_all(&self) -> Held {
        self.take(self.bytes()).await
    }
}

impl Default for Budget {
    fn default() -> Self {
        Budget::new(Self::DEFAULT_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn what_is_larger_than_all_of_it_passes_alone() {
        let budget = Budget::new(8 << 20);
        let small = budget.take(1).now_or_never().expect("there is room");
        assert!(budget.take(1 << 30).now_or_never().is_none(), "it waits for the small one");
        drop(small);
        let large = budget.take(1 << 30).now_or_never().expect("it is alone");
        assert!(budget.clone().take(1).now_or_never().is_none(), "nothing passes beside it");
        drop(large);
        assert!(budget.take_all().now_or_never().is_some());
    }

    #[test]
    fn whoever_asks_for_much_is_not_overtaken_for_ever() {
        let budget = Budget::new(8 << 20);
        let first = budget.take(1).now_or_never();
        let mut large = Box::pin(budget.take_all());
        assert!(large.as_mut().now_or_never().is_none());
        assert!(budget.take(1).now_or_never().is_none(), "it comes after the large one");
        drop(first);
        assert!(large.now_or_never().is_some());
    }

    #[test]
    fn its_parts_follow_from_it() {
        let budget = Budget::default();
        assert_eq!((budget.bytes(), budget.wide_from(), budget.workers_max()), (16 << 20, 512 << 10, 16));
        assert_eq!(Budget::new(0).workers_max(), 4);
    }
}
