//! The processes of `leeward sync` that run at the same time, and who looks after them: one that ends is started again, as
//! a container's runtime would.

use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::Signal;

use crate::process::Process;
use crate::stage::Stage;

/// Ends of processes that are kept as text; more of them say nothing new.
const ENDS_MAX: usize = 50;

/// The running processes.
#[derive(Debug, Default)]
pub(crate) struct Fleet {
    processes: Vec<Process>,
    started: u32,
    /// How processes ended that nobody had ended.
    pub(crate) ends: Vec<String>,
}

impl Fleet {
    /// Starts one process more.
    pub(crate) fn start(&mut self, stage: &Stage) -> Result<()> {
        self.started += 1;
        let log = stage.logs.join(format!("sync-{:04}.log", self.started));
        self.processes.push(stage.binary.start(&["sync"], log)?);
        Ok(())
    }

    /// Returns how many were started.
    pub(crate) fn started(&self) -> u32 {
        self.started
    }

    /// Takes the process out that holds the lease; any, where the target does not say.
    pub(crate) async fn take_leader(&mut self, stage: &Stage) -> Result<Process> {
        let leader = stage.leader().await.map_or(0, |(process, _)| process);
        let at = self.processes.iter().position(|process| process.id() == leader).unwrap_or(0);
        (at < self.processes.len()).then(|| self.processes.remove(at)).context("no process runs")
    }

    /// Sends a signal to every process.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        self.processes.iter().try_for_each(|process| process.signal(signal))
    }

    /// Forgets processes that have ended, and sees to it that one runs. Returns how some ended.
    pub(crate) fn supervise(&mut self, stage: &Stage) -> Result<Vec<String>> {
        let mut ends = Vec::new();
        let mut running = Vec::new();
        for mut process in std::mem::take(&mut self.processes) {
            match process.has_ended()? {
                None => running.push(process),
                Some(status) => ends.push(format!("{status}: {}", process.last_words())),
            }
        }
        self.processes = running;
        let room = ENDS_MAX.saturating_sub(self.ends.len());
        self.ends.extend(ends.iter().take(room).cloned());
        if self.processes.is_empty() {
            self.start(stage)?;
        }
        Ok(ends)
    }

    /// Stops every process. Returns whether each ended with 0.
    pub(crate) async fn stop(&mut self) -> Result<bool> {
        let mut in_peace = true;
        for mut process in std::mem::take(&mut self.processes) {
            in_peace &= match process.has_ended()? {
                Some(status) => status.success(),
                None => process.stop().await?.success(),
            };
        }
        Ok(in_peace)
    }

    /// Kills every process, where the run is over and nobody cares how.
    pub(crate) async fn kill(&mut self) {
        for process in std::mem::take(&mut self.processes) {
            // It may have ended already.
            let _ = process.kill().await;
        }
        // The servers roll back what the dead had open.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
