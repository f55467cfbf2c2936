//! Keeps a copy from making a busy source busier. A look a second tells whether the source is above the limit that people
//! have set; while it is, or while that cannot be told, no new work is begun, what is under way is finished, and whoever
//! waits is told why. Without a limit nobody looks.

use std::convert::Infallible;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use leeward_core::fault::{Fault, FaultKind};
use leeward_core::name::Side;
use leeward_core::port::{LoadWatch, Servers};
use leeward_core::throttle::{LoadLimit, SourceLoad, Verdict};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::patience::Patience;
use crate::progress::{Progress, Tell};

/// How often the source is looked at. A chunk takes about as long, so that no more than one for each connection begins
/// before a new burden is seen.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often a wait is spoken of while it lasts, and the shortest time between two of which both are spoken of: a load that
/// swings around its limit must not fill the log.
const TELL_EVERY: Duration = Duration::from_secs(15);

/// What is known of the source's load.
pub struct Throttle {
    limit: LoadLimit,
    /// The connection over which it was looked at first.
    watch: Mutex<Option<Box<dyn LoadWatch>>>,
    is_open: watch::Sender<bool>,
    spoken: Mutex<Spoken>,
}

/// What has been said of waits.
#[derive(Debug, Default)]
struct Spoken {
    /// Since when it is being waited.
    since: Option<Instant>,
    /// When a wait was spoken of last.
    at: Option<Instant>,
    /// Whether the wait that is going on was spoken of.
    of_this: bool,
    /// Time waited before.
    before: Duration,
}

impl Spoken {
    /// Takes in a look. `why` is the reason to wait; nothing to go on. Returns what to say.
    fn take(&mut self, why: Option<&str>, now: Instant) -> Option<String> {
        match (why, self.since) {
            (None, None) => None,
            (None, Some(since)) => {
                let waited = now.saturating_duration_since(since);
                self.before += waited;
                self.since = None;
                let said = std::mem::take(&mut self.of_this);
                said.then(|| format!("going on after {} s of waiting for the source", waited.as_secs()))
            }
            (Some(why), since) => {
                let waited = now.saturating_duration_since(*self.since.get_or_insert(now));
                if self.at.is_some_and(|at| now.saturating_duration_since(at) < TELL_EVERY) {
                    return None;
                }
                (self.at, self.of_this) = (Some(now), true);
                let begun = "what was begun is finished and nothing more is begun";
                Some(match since {
                    None => format!("waiting for the source: {why}; {begun}"),
                    Some(_) => format!("waiting for the source for {} s: {why}", waited.as_secs()),
                })
            }
        }
    }
}

impl Throttle {
    /// Returns one that never holds anything back.
    pub fn off() -> Throttle {
        Throttle {
            limit: LoadLimit::default(),
            watch: Mutex::new(None),
            is_open: watch::Sender::new(true),
            spoken: Mutex::default(),
        }
    }

    /// Looks for the first time.
    ///
    /// # Errors
    /// `Refused`, with the GRANT to run, where what was limited cannot be seen: a limit that holds nothing back would be
    /// taken for one that does. Those of the connection.
    pub async fn begin(servers: &dyn Servers, limit: LoadLimit, tell: &dyn Tell) -> Result<Throttle, Fault> {
        let throttle = Throttle { limit, ..Throttle::off() };
        if limit.is_off() {
            return Ok(throttle);
        }
        let (watch, seen) = match open(servers).await {
            Err(Fault { kind: FaultKind::MissingGrant(grant), .. }) => return Err(throttle.blind(&grant)),
            opened => opened?,
        };
        if let Verdict::Unseen(why) = limit.judge(&seen) {
            return Err(throttle.refusal(&why));
        }
        if seen.replicas > 0 {
            let text = format!(
                "{} replica(s) read the source's binary log; how far they lag is known to them alone, and not looked at",
                seen.replicas
            );
            tell.tell(Progress::Note(text));
        }
        *throttle.watch.lock().expect("no panic while held") = Some(watch);
        throttle.take(&seen, tell);
        Ok(throttle)
    }

    /// Keeps looking, until it fails for good. Does nothing without a limit.
    pub async fn keep(
        &self,
        servers: &dyn Servers,
        tell: &dyn Tell,
        stop: &CancellationToken,
    ) -> Result<Infallible, Fault> {
        if self.limit.is_off() {
            return std::future::pending().await;
        }
        let mut watch = self.watch.lock().expect("no panic while held").take();
        let mut patience = Patience::new(tell, stop);
        loop {
            let looked = match &mut watch {
                Some(watch) => watch.look().await,
                None => open(servers).await.map(|(opened, seen)| {
                    watch = Some(opened);
                    seen
                }),
            };
            match looked {
                Ok(seen) => {
                    patience = Patience::new(tell, stop);
                    self.take(&seen, tell);
                }
                Err(Fault { kind: FaultKind::MissingGrant(grant), .. }) => return Err(self.blind(&grant)),
                Err(fault) => {
                    // Unknown is not below the limit.
                    watch = None;
                    self.say(Some(&format!("its load cannot be seen ({})", fault.kind)), tell);
                    patience.wait(fault).await?;
                    continue;
                }
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = stop.cancelled() => return Err(Fault::new(FaultKind::Stopped, "look at the source's load")),
            }
        }
    }

    /// Waits until new work may be begun, or the work is being given up.
    pub async fn pass(&self, halt: &CancellationToken) {
        let mut is_open = self.is_open.subscribe();
        // The sender lives as long as we do.
        let _ = halt.run_until_cancelled(is_open.wait_for(|is_open| *is_open)).await;
    }

    /// Returns how long it has been waited in all.
    pub fn waited(&self) -> Duration {
        let spoken = self.spoken.lock().expect("no panic while held");
        spoken.before + spoken.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    fn take(&self, seen: &SourceLoad, tell: &dyn Tell) {
        match self.limit.judge(seen) {
            Verdict::Below => self.say(None, tell),
            Verdict::Above(why) | Verdict::Unseen(why) => self.say(Some(&why), tell),
        }
    }

    fn say(&self, why: Option<&str>, tell: &dyn Tell) {
        self.is_open.send_replace(why.is_none());
        let text = self.spoken.lock().expect("no panic while held").take(why, Instant::now());
        text.into_iter().for_each(|text| tell.tell(Progress::Note(text)));
    }

    fn blind(&self, grant: &str) -> Fault {
        self.refusal(&format!("what other accounts run cannot be seen. Run on the source: {grant}"))
    }

    fn refusal(&self, why: &str) -> Fault {
        let limit = self.limit;
        let why = format!("the source's load is limited (--max-source-load {limit}), but {why}");
        Fault::new(FaultKind::Refused(why), "look at the source's load").on(Side::Source)
    }
}

async fn open(servers: &dyn Servers) -> Result<(Box<dyn LoadWatch>, SourceLoad), Fault> {
    let mut watch = servers.load_watch().await?;
    let seen = watch.look().await?;
    Ok((watch, seen))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_spoken_of_at_once_then_from_time_to_time_and_at_its_end() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut spoken = Spoken::default();
        assert_eq!(spoken.take(None, at(0)), None);
        let first = spoken.take(Some("9 threads run"), at(1)).unwrap();
        assert!(first.starts_with("waiting for the source: 9 threads run;"), "{first}");
        let quiet = (2..16).filter_map(|second| spoken.take(Some("9 threads run"), at(second))).count();
        assert_eq!(quiet, 0);
        let again = spoken.take(Some("7 threads run"), at(16)).unwrap();
        assert_eq!(again, "waiting for the source for 15 s: 7 threads run");
        assert_eq!(spoken.take(None, at(20)).unwrap(), "going on after 19 s of waiting for the source");
        assert_eq!(spoken.before, Duration::from_secs(19));
    }

    #[test]
    fn a_load_that_swings_around_its_limit_does_not_fill_the_log() {
        let start = Instant::now();
        let mut spoken = Spoken::default();
        let swing = |second: u64| (second.is_multiple_of(2)).then_some("9 threads run");
        let lines = (0..300).filter_map(|second| spoken.take(swing(second), start + Duration::from_secs(second)));
        assert!(lines.count() <= 2 * 300 / 15 + 2);
        assert_eq!(spoken.before, Duration::from_secs(150), "silent waits count too");
    }
}
