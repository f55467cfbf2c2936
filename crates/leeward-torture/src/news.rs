//! What the parts of a run tell each other: whether a fault is open, whether something is broken, and the log of both.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::sync::watch;

use crate::Echo;

/// Shared by the driver, the checker and the probes.
#[derive(Debug)]
pub(crate) struct News {
    began: Instant,
    log: Mutex<File>,
    echo: Echo,
    broken: watch::Sender<Option<String>>,
    /// Counts faults and other disturbances; odd while one is open.
    disturbances: watch::Sender<u64>,
}

impl News {
    pub(crate) fn start(log: &Path, echo: Echo) -> Result<News> {
        let log = File::create(log).context("create the log of the run")?;
        Ok(News {
            began: Instant::now(),
            log: Mutex::new(log),
            echo,
            broken: watch::Sender::new(None),
            disturbances: watch::Sender::new(0),
        })
    }

    /// Returns the time since the run began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Writes a line with its time.
    pub(crate) fn say(&self, text: &str) {
        let line = format!("{:8.2} s  {text}", self.elapsed().as_secs_f64());
        // A log that cannot be written must not end a run.
        let _ = writeln!(locked(&self.log), "{line}");
        if self.echo == Echo::On {
            eprintln!("{line}");
        }
    }

    /// Records that what must never happen was seen. The first one counts.
    pub(crate) fn broken(&self, what: &str) {
        self.say(&format!("BROKEN: {what}"));
        let line = format!("after {:.1} s: {what}", self.elapsed().as_secs_f64());
        self.broken.send_if_modified(|broken| {
            let is_first = broken.is_none();
            broken.get_or_insert(line);
            is_first
        });
    }

    /// Returns what is broken.
    pub(crate) fn what_is_broken(&self) -> Option<String> {
        self.broken.borrow().clone()
    }

    /// Waits until something is broken.
    pub(crate) async fn until_broken(&self) {
        let mut broken = self.broken.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        let _ = broken.wait_for(Option::is_some).await;
    }

    /// A fault opens.
    pub(crate) fn disturb(&self) {
        // From even to odd, or from odd to odd: a fault on top of another closes nothing.
        self.disturbances.send_modify(|count| *count += 1 + *count % 2);
    }

    /// The lane is live again.
    pub(crate) fn calm(&self) {
        self.disturbances.send_modify(|count| *count += *count % 2);
    }

    /// Returns a number that stays the same while nothing is disturbed; nothing while something is.
    pub(crate) fn calm_since(&self) -> Option<u64> {
        let count = *self.disturbances.borrow();
        count.is_multiple_of(2).then_some(count)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calm_is_told_from_a_disturbance_in_between() {
        let news = News::start(Path::new("/dev/null"), Echo::Off).unwrap();
        let before = news.calm_since();
        assert!(before.is_some());
        news.disturb();
        assert_eq!(news.calm_since(), None);
        news.disturb();
        assert_eq!(news.calm_since(), None);
        news.calm();
        assert!(news.calm_since().is_some() && news.calm_since() != before);
    }

    #[test]
    fn the_first_break_is_kept() {
        let news = News::start(Path::new("/dev/null"), Echo::Off).unwrap();
        assert_eq!(news.what_is_broken(), None);
        news.broken("one");
        news.broken("two");
        assert!(news.what_is_broken().unwrap().ends_with("one"));
    }
}
