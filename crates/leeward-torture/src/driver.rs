//! The driver: turn by turn, a time of calm, a fault, and the lane live again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::dba::Dba;
use crate::fleet::Fleet;
use crate::news::News;
use crate::script::{Fault, Script, Turn};
use crate::stage::Stage;

/// How long the lane may take to be live again after a fault: the lease's life (5 s), a back-off of 5 s, a table locked for
/// 20 s, a backlog, and a machine that others use.
pub(crate) const LIVE_MAX: Duration = Duration::from_secs(150);

/// How long the driver waits until the lane is live again before the next fault comes on top: the lease's life and a few
/// cycles. Tables that have come back from a person and tables that are locked keep a lane from being live as well, and
/// must not keep the faults away.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the lane may not have been live until the driver waits for it alone.
const NOT_LIVE_MAX: Duration = Duration::from_secs(45);

/// How often the lane is looked at while it is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What has been done to Leeward so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Done {
    /// Faults by name.
    pub(crate) faults: BTreeMap<&'static str, u64>,
    /// Processes killed with SIGKILL.
    pub(crate) kills: u64,
    /// Faults of a link that came to pass.
    pub(crate) link_faults: u64,
    /// Times that another process went on where one was dead or frozen.
    pub(crate) takeovers: u64,
    /// Times from the end of a fault until the lane was live at a later cut, seconds.
    pub(crate) recoveries: Vec<f64>,
}

/// Everything a turn needs.
pub(crate) struct Driver<'a> {
    pub(crate) stage: &'a mut Stage,
    pub(crate) fleet: &'a mut Fleet,
    pub(crate) news: &'a News,
    pub(crate) done: Done,
    pub(crate) dba: Dba,
}

impl Driver<'_> {
    /// Plays turns until the time is over or something is broken.
    pub(crate) async fn play(&mut self, mut script: Script, length: Duration) -> Result<()> {
        let began = Instant::now();
        let mut is_calm = true;
        let mut last_live = Instant::now();
        while began.elapsed() < length && self.news.what_is_broken().is_none() {
            let Some(turn) = script.next() else { break };
            if is_calm {
                self.stay_calm(&turn).await?;
            }
            self.stage.set_delays(turn.delays);
            self.news.disturb();
            if self.fault(&turn.fault).await? {
                *self.done.faults.entry(turn.fault.name()).or_default() += 1;
            }
            is_calm = false;
            if last_live.elapsed() > NOT_LIVE_MAX {
                self.recover(turn.fault.name()).await?;
                is_calm = true;
            } else if turn.recovers {
                is_calm = self.recover_soon(turn.fault.name()).await?;
            }
            if is_calm {
                last_live = Instant::now();
            }
        }
        if !is_calm {
            self.recover("the last faults").await?;
        }
        Ok(())
    }

    /// Lets some time pass in which nothing is broken. A person does what the lane asks for, if it asks.
    async fn stay_calm(&mut self, turn: &Turn) -> Result<()> {
        let until = Instant::now() + turn.calm;
        loop {
            for end in self.fleet.supervise(self.stage)? {
                self.news.broken(&format!("a process ended by itself while nothing was wrong: {end}"));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            tokio::time::sleep(left.min(LOOK_EVERY)).await;
        }
        if self.dba.serve(self.stage, self.fleet, self.news).await? {
            self.recover("a person's work").await?;
        }
        Ok(())
    }

    async fn fault(&mut self, fault: &Fault) -> Result<bool> {
        self.news.say(fault.name());
        self.strike(fault).await
    }

    /// Waits until the lane is live again, and says how long that took.
    pub(crate) async fn recover(&mut self, from: &str) -> Result<()> {
        let took = self.live_again().await?;
        self.recovered(took, from);
        Ok(())
    }

    /// Waits for a while until the lane is live again. Returns whether it is.
    async fn recover_soon(&mut self, from: &str) -> Result<bool> {
        let Some(took) = self.live_within(PATIENCE).await? else { return Ok(false) };
        self.recovered(took, from);
        Ok(true)
    }

    fn recovered(&mut self, took: Duration, from: &str) {
        self.done.recoveries.push(took.as_secs_f64());
        self.news.calm();
        self.news.say(&format!("  live {:.1} s after {from}", took.as_secs_f64()));
    }

    /// Waits until the lane is live at a cut that is opened after this call.
    pub(crate) async fn live_again(&mut self) -> Result<Duration> {
        match self.live_within(LIVE_MAX).await? {
            Some(took) => Ok(took),
            None => {
                let (state, cycle, _) = self.stage.lane().await?;
                bail!("the lane is not live again after {} s: {state}, cycle {cycle}", LIVE_MAX.as_secs());
            }
        }
    }

    /// The same, for so long.
    async fn live_within(&mut self, limit: Duration) -> Result<Option<Duration>> {
        let began = Instant::now();
        let now = self.stage.source_now().await?;
        loop {
            for end in self.fleet.supervise(self.stage)? {
                self.news.say(&format!("  a process ended by itself: {end}"));
            }
            if let Ok((state, _, Some(cut_at))) = self.stage.lane().await
                && state == "live"
                && cut_at > now
            {
                return Ok(Some(began.elapsed()));
            }
            if self.news.what_is_broken().is_some() {
                bail!("wait for the lane while something is broken");
            }
            if began.elapsed() > limit {
                return Ok(None);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}
