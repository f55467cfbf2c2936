//! How many chunks are copied at once, each over a reader on the source and a loader on the target. Where people have not
//! fixed the number it finds its own level: a few more are tried, and kept as long as they carry more; one less is tried
//! from time to time, and kept if fewer carry as much.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use leeward_core::name::Side;
use leeward_core::port::Servers;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Copy;
use crate::progress::Progress;

/// Chunks copied at once in the beginning: four fill a link of 70 ms without being felt by an application.
pub const START: usize = 4;

/// Chunks copied at once at most, unless people say otherwise. What sixteen do not carry is not held up by their number, and
/// as many statements run on a source of sixteen cores at least.
const MAX: usize = 16;

/// How long a level is watched before it is judged. A chunk takes a second or two, of which COMMIT is the part in which
/// nothing moves.
const WINDOW: Duration = Duration::from_secs(2);

/// Windows without a trial after one that did not pay: half a minute, so that a trial that costs something is a small part
/// of the whole.
const REST: u32 = 15;

/// How much more half as many again must carry to be kept. They may carry 1.5 times as much; what lies below this is noise.
const MORE_PAYS: f64 = 1.10;

/// How much of what was carried one less must still carry to be kept.
const LESS_PAYS: f64 = 0.97;

/// What a chunk counts for beside its bytes: an empty table is work, too, and InnoDB gives each one such page.
const CHUNK_BYTES: u64 = 16 * 1024;

/// Which way the next trial goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    More,
    Less,
}

/// The search for the level, as a function of what was measured.
#[derive(Debug)]
pub(super) struct Climb {
    level: usize,
    max: usize,
    way: Way,
    /// The level before the one that is being tried, and what it carried.
    trial: Option<(usize, f64)>,
    rest: u32,
}

impl Climb {
    fn new(level: usize, max: usize) -> Climb {
        Climb { level: level.min(max), max, way: Way::More, trial: None, rest: 0 }
    }

    /// Takes in what the level has carried in a window (bytes per second) and returns the level for the next one. Each trial
    /// lasts one window, and what did not pay is taken back.
    fn next(&mut self, rate: f64) -> usize {
        match self.trial.take() {
            None if self.rest > 0 => self.rest -= 1,
            Some((before, carried)) if !self.pays(rate, carried) => {
                self.level = before;
                self.turn();
            }
            _ => self.attempt(rate),
        }
        self.level
    }

    fn pays(&self, rate: f64, carried: f64) -> bool {
        match self.way {
            Way::More => rate > carried * MORE_PAYS,
            Way::Less => rate >= carried * LESS_PAYS,
        }
    }

    fn attempt(&mut self, rate: f64) {
        let to = match self.way {
            Way::More => (self.level + (self.level / 2).max(1)).min(self.max),
            Way::Less => (self.level - 1).max(1),
        };
        if to == self.level {
            return self.turn();
        }
        self.trial = Some((self.level, rate));
        self.level = to;
    }

    fn turn(&mut self) {
        self.rest = REST;
        self.way = match self.way {
            Way::More => Way::Less,
            Way::Less => Way::More,
        };
    }
}

/// The level, as the workers of one copy share it.
pub(super) struct Level {
    fixed: Option<usize>,
    /// How many are tried at most, where it is not fixed.
    max: usize,
    now: watch::Sender<usize>,
    widest: AtomicUsize,
    moved: AtomicU64,
    busy: AtomicUsize,
}

/// Returns with how many chunks at once a copy begins.
pub(super) fn begin(fixed: Option<usize>, bearable: usize) -> usize {
    fixed.unwrap_or(START.min(bearable)).max(1)
}

/// A worker that is copying.
pub(super) struct Busy<'l>(&'l Level);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Level {
    pub(super) fn new(fixed: Option<usize>, bearable: usize) -> Level {
        let max = bearable.clamp(1, MAX);
        let start = begin(fixed, bearable);
        Level {
            fixed: fixed.map(|fixed| fixed.max(1)),
            max,
            now: watch::Sender::new(start),
            widest: AtomicUsize::new(start),
            moved: AtomicU64::new(0),
            busy: AtomicUsize::new(0),
        }
    }

    /// Returns how many workers there may ever be.
    pub(super) fn workers_max(&self) -> usize {
        self.fixed.unwrap_or(self.max)
    }

    /// Returns how many chunks are copied at once now.
    pub(super) fn now(&self) -> usize {
        *self.now.borrow()
    }

    /// Returns how many it have been at most.
    pub(super) fn widest(&self) -> usize {
        self.widest.load(Ordering::Relaxed)
    }

    /// Ends as soon as the worker with this number, from 0, is to work, or is not.
    pub(super) async fn until(&self, worker: usize, works: bool) {
        // The sender lives as long as we do.
        let _ = self.now.subscribe().wait_for(|now| (worker < *now) == works).await;
    }

    /// Counts a worker as one that copies until the answer is dropped.
    pub(super) fn busy(&self) -> Busy<'_> {
        self.busy.fetch_add(1, Ordering::Relaxed);
        Busy(self)
    }

    /// Counts bytes on their way to the target.
    pub(super) fn moved(&self, bytes: u64) {
        self.moved.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts a chunk that has been copied.
    pub(super) fn arrived(&self) {
        self.moved(CHUNK_BYTES);
    }

    /// Looks for the level until the copy has ended. Does nothing where it is fixed.
    pub(super) async fn seek(&self, copy: &Copy<'_>, ended: &CancellationToken) {
        copy.tell.tell(Progress::AtOnce { chunks: self.now() });
        if self.fixed.is_none() {
            let _ = ended.run_until_cancelled(self.climb(copy)).await;
        }
    }

    async fn climb(&self, copy: &Copy<'_>) {
        let mut climb = Climb::new(START, ceiling(copy.servers).await.min(self.max));
        loop {
            let (began, moved, waited) = (Instant::now(), self.moved.load(Ordering::Relaxed), copy.throttle.waited());
            tokio::time::sleep(WINDOW).await;
            // Workers that had nothing to do, or were held back, say nothing about their number.
            if self.busy.load(Ordering::Relaxed) < self.now() || copy.throttle.waited() > waited {
                continue;
            }
            let carried = self.moved.load(Ordering::Relaxed) - moved;
            let before = self.now();
            let level = climb.next(carried as f64 / began.elapsed().as_secs_f64());
            if level != before {
                tracing::debug!(level, before, carried, "another number of chunks is copied at once");
                self.widest.fetch_max(level, Ordering::Relaxed);
                self.now.send_replace(level);
                copy.tell.tell(Progress::AtOnce { chunks: level });
            }
        }
    }
}

/// Returns how many chunks may be copied at once: half of the connections that are free on either side, so that an
/// application finds the other half. What cannot be found out leaves it at the start.
async fn ceiling(servers: &dyn Servers) -> usize {
    let free = tokio::join!(servers.free_connections(Side::Source), servers.free_connections(Side::Target));
    match free {
        (Ok(Some(source)), Ok(Some(target))) => usize::try_from(source.min(target) / 2).unwrap_or(MAX).clamp(1, MAX),
        _ => START,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets a climb run on what a level carries; returns the levels.
    fn levels(max: usize, windows: usize, carries: impl Fn(usize, usize) -> f64) -> Vec<usize> {
        let mut climb = Climb::new(START, max);
        let mut level = START;
        let one = |window| {
            level = climb.next(carries(level, window));
            level
        };
        (0..windows).map(one).collect()
    }

    #[test]
    fn what_carries_more_is_kept_up_to_the_ceiling() {
        let seen = levels(16, 5, |level, _| level as f64);
        assert_eq!(seen, [6, 9, 13, 16, 16]);
        assert_eq!(levels(7, 3, |level, _| level as f64), [6, 7, 7]);
        assert!(
            levels(3, 100, |level, _| level as f64).iter().all(|level| *level <= 3),
            "the ceiling holds from the start"
        );
    }

    #[test]
    fn what_carries_no_more_is_taken_back_and_rests() {
        let seen = levels(16, 2 + REST as usize, |_, _| 100.0);
        assert_eq!(seen[0], 6, "more is tried first");
        assert!(seen[1..].iter().all(|level| *level == START), "{seen:?}");
    }

    #[test]
    fn fewer_are_kept_while_they_carry_as_much_and_one_is_always_left() {
        // Two fill the link: what is beyond them only burdens both servers.
        let seen = levels(16, 200, |level, _| level.min(2) as f64);
        assert_eq!(seen.iter().min(), Some(&1), "one is tried");
        let settled = seen[100..].iter().filter(|level| **level == 2).count();
        assert!(settled > 80, "{seen:?}");
    }

    #[test]
    fn a_link_that_becomes_wider_is_noticed() {
        let carries = |level: usize, window: usize| level.min(if window < 100 { 4 } else { 12 }) as f64;
        let seen = levels(16, 200, carries);
        assert!(seen[..100].iter().all(|level| *level <= 6), "{seen:?}");
        assert!(seen[160..].iter().filter(|level| **level >= 9).count() > 30, "{seen:?}");
    }

    #[test]
    fn a_fixed_level_stays() {
        let level = Level::new(Some(7), 4);
        assert_eq!((level.now(), level.workers_max(), level.widest()), (7, 7, 7));
        assert_eq!(Level::new(None, 99).workers_max(), MAX);
    }
}
