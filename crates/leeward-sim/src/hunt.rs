//! Runs schedule after schedule on every core until one breaks a promise or the time is up.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::coverage::Coverage;
use crate::schedule::{self, Game, Order};
use crate::shrink;

/// How long to hunt.
#[derive(Debug, Clone, Copy)]
pub enum Until {
    /// For a time.
    Elapsed(Duration),
    /// For a number of schedules.
    Schedules(u64),
}

/// A seed whose schedule breaks a promise.
#[derive(Debug)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// The promise.
    pub promise: String,
}

/// What came of a hunt.
#[must_use]
#[derive(Debug)]
pub struct Hunt {
    /// Schedules run.
    pub schedules: u64,
    /// Time taken.
    pub took: Duration,
    /// What was reached.
    pub coverage: Coverage,
    /// The failure with the lowest seed that was found, if any.
    pub failure: Option<Failure>,
}

/// Hunts from a seed on, one seed after the other, on every core.
pub fn hunt(from: u64, until: Until, game: Game) -> Hunt {
    let began = Instant::now();
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let found: Mutex<(Coverage, u64, Option<Failure>)> = Mutex::default();
    let over = |run: u64| match until {
        Until::Elapsed(time) => began.elapsed() >= time,
        Until::Schedules(schedules) => run >= schedules,
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let (mut coverage, mut runs) = (Coverage::default(), 0);
                while !stop.load(Ordering::Relaxed) {
                    let run = next.fetch_add(1, Ordering::Relaxed);
                    if over(run) {
                        break;
                    }
                    let seed = from.wrapping_add(run);
                    let outcome = schedule::run(&Order::new(seed, game));
                    coverage.add(&outcome.coverage);
                    runs += 1;
                    if let Some(promise) = outcome.broken_promise {
                        stop.store(true, Ordering::Relaxed);
                        note(&found, Failure { seed, promise });
                    }
                }
                if let Ok(mut found) = found.lock() {
                    found.0.add(&coverage);
                    found.1 += runs;
                }
            });
        }
    });
    let (coverage, schedules, failure) = found.into_inner().unwrap_or_default();
    Hunt { schedules, took: began.elapsed(), coverage, failure }
}

fn note(found: &Mutex<(Coverage, u64, Option<Failure>)>, failure: Failure) {
    if let Ok(mut found) = found.lock()
        && found.2.as_ref().is_none_or(|other| failure.seed < other.seed)
    {
        found.2 = Some(failure);
    }
}

/// Runs one seed, shrinks its schedule if it breaks a promise, and tells it. Returns nothing when every promise is kept.
pub fn tell(seed: u64, game: Game) -> Option<String> {
    let order = shrink::shrink(&Order::new(seed, game))?;
    let outcome = schedule::run(&Order { told: true, ..order.clone() });
    let mut text = format!(
        "seed {seed} breaks a promise: {}\n{} steps and moments left out, {} steps at most\n",
        outcome.broken_promise.unwrap_or_default(),
        order.left_out.len(),
        order.steps_max
    );
    outcome.trace.iter().for_each(|line| {
        text.push_str(line);
        text.push('\n');
    });
    Some(text)
}
