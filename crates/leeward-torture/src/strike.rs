//! How each fault is brought about, and taken back.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use mysql_async::prelude::Queryable;
use rustix::process::Signal;

use crate::driver::Driver;
use crate::process::Process;
use crate::script::{Fault, LinkFault, ServerFault, Side};
use crate::stage::{AMPLE_MIB, Stage};

/// How long a cut waits for the bytes or the text that it lies in wait for. Every cycle sends both.
const CUT_MAX: Duration = Duration::from_secs(6);

/// How long another process may take to notice that the lease has lapsed: its life, and a busy machine.
const TAKEOVER_MAX: Duration = Duration::from_secs(90);

/// How long a process that wakes up without its lease may take to end. Its successor is frozen meanwhile and may hold
/// locks, which the server lets go after its silence.
const END_MAX: Duration = Duration::from_secs(90);

/// How long the lane's cycle must stay the same until nothing is under way to the target any more.
const STILL: Duration = Duration::from_millis(500);

impl Driver<'_> {
    /// Brings a fault about and takes it back. Returns whether it came to pass.
    pub(crate) async fn strike(&mut self, fault: &Fault) -> Result<bool> {
        match fault {
            Fault::Kill => {
                self.kill().await?;
                self.fleet.start(self.stage)?;
            }
            Fault::Two(beside) => {
                self.fleet.start(self.stage)?;
                tokio::time::sleep(*beside).await;
                self.kill().await?;
                self.done.takeovers += 1;
            }
            Fault::Pause => self.pause().await?,
            Fault::Link(side, fault) => {
                let came = strike_link(self.stage, *side, fault).await?;
                self.done.link_faults += u64::from(came);
                return Ok(came);
            }
            Fault::Server(side, fault, down) => strike_server(self.stage, *side, *fault, *down).await?,
            Fault::ReadOnly(held) => read_only(self.stage, *held).await?,
            Fault::DiskFull(held) => return fill_disk(self.stage, *held).await,
        }
        Ok(true)
    }

    /// Kills the working process.
    async fn kill(&mut self) -> Result<()> {
        let leader = self.fleet.take_leader(self.stage).await?;
        leader.kill().await?;
        self.done.kills += 1;
        Ok(())
    }

    /// Freezes the working process until another has taken over. When it wakes, all others are frozen: whatever is
    /// committed then was committed by the one that had lost the lease.
    async fn pause(&mut self) -> Result<()> {
        self.live_again().await?;
        let mut frozen = self.fleet.take_leader(self.stage).await?;
        let (_, epoch) = self.stage.leader().await?;
        self.fleet.start(self.stage)?;
        frozen.signal(Signal::STOP)?;
        self.taken_over(epoch).await?;
        self.live_again().await?;
        self.fleet.supervise(self.stage)?;
        self.fleet.signal(Signal::STOP)?;
        let before = still_cycle(self.stage).await?;
        frozen.signal(Signal::CONT)?;
        let ended = frozen.ended(END_MAX).await;
        let after = still_cycle(self.stage).await?;
        self.fleet.signal(Signal::CONT)?;
        self.judge_woken(&frozen, before, after);
        self.done.takeovers += 1;
        let status = ended.context("a process that had lost the lease while it was frozen")?;
        ensure!(status.code() == Some(1), "a process that had lost the lease ended with {status}");
        Ok(())
    }

    fn judge_woken(&self, woken: &Process, before: u64, after: u64) {
        if before != after {
            self.news.broken(&format!("a process that had lost the lease committed cycles {before} to {after}"));
        }
        if !woken.said("lease") {
            let words = woken.last_words();
            self.news.say(&format!("  the woken process said: {words}"));
        }
    }

    /// Waits until another process holds the lease.
    async fn taken_over(&mut self, epoch: u64) -> Result<()> {
        let began = Instant::now();
        loop {
            self.fleet.supervise(self.stage)?;
            // A lease that was only given back has no holder.
            if self.stage.leader().await.is_ok_and(|(process, now)| process != 0 && now > epoch) {
                return Ok(());
            }
            if began.elapsed() > TAKEOVER_MAX {
                bail!("nobody took over a frozen process within {} s", TAKEOVER_MAX.as_secs());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Returns the lane's cycle once it no longer changes.
async fn still_cycle(stage: &Stage) -> Result<u64> {
    let mut last = None;
    // A transaction whose COMMIT was under way is over within a few looks.
    for _ in 0..20 {
        let (_, cycle, _) = stage.lane().await?;
        if last == Some(cycle) {
            return Ok(cycle);
        }
        last = Some(cycle);
        tokio::time::sleep(STILL).await;
    }
    bail!("the lane moves on though its only process is frozen")
}

async fn strike_link(stage: &Stage, side: Side, fault: &LinkFault) -> Result<bool> {
    let link = stage.link(side);
    let cuts = link.cuts();
    match fault {
        LinkFault::Reset => link.reset_all(),
        LinkFault::Refuse(held) => {
            link.refuse().await?;
            link.reset_all();
            tokio::time::sleep(*held).await;
            link.accept().await?;
        }
        LinkFault::Stall(held) => {
            link.stall();
            tokio::time::sleep(*held).await;
            link.resume();
        }
        LinkFault::HalfOpen(direction, held) => {
            link.stall_one_way(*direction);
            tokio::time::sleep(*held).await;
            link.resume();
        }
        LinkFault::CutAfter(direction, bytes) => link.cut_after_bytes(*direction, *bytes),
        LinkFault::CutBeforeRequest(text) => link.cut_before_request(text),
        LinkFault::CutBeforeAnswer(text) => link.cut_before_answer(text),
    }
    let is_cut =
        matches!(fault, LinkFault::CutAfter(..) | LinkFault::CutBeforeRequest(_) | LinkFault::CutBeforeAnswer(_));
    if !is_cut {
        return Ok(true);
    }
    let came = tokio::time::timeout(CUT_MAX, link.wait_for_cuts(cuts + 1)).await.is_ok();
    link.disarm();
    Ok(came)
}

async fn strike_server(stage: &mut Stage, side: Side, fault: ServerFault, down: Duration) -> Result<()> {
    let server = stage.server_mut(side);
    tokio::task::block_in_place(|| match fault {
        ServerFault::Crash => server.kill_hard(),
        ServerFault::Stop => server.stop(),
    })?;
    tokio::time::sleep(down).await;
    stage.server_mut(side).restart().await
}

async fn read_only(stage: &Stage, held: Duration) -> Result<()> {
    let mut conn = stage.server(Side::Target).connect().await?;
    conn.query_drop("SET GLOBAL read_only = ON").await.context("make the target read-only")?;
    tokio::time::sleep(held).await;
    conn.query_drop("SET GLOBAL read_only = OFF").await.context("let the target be written")?;
    conn.disconnect().await.context("close a connection")
}

/// Leaves the database of bulk inserts next to no room for a while.
async fn fill_disk(stage: &mut Stage, held: Duration) -> Result<bool> {
    if !stage.can_fill_disk {
        return Ok(false);
    }
    let database = stage.places.bulk.clone();
    let folder = stage.pair.target.data_dir()?.join(&database);
    let used = rustix::fs::statvfs(&folder).context("look at the target's disk")?;
    let used_mib = (used.f_blocks - used.f_bfree) * used.f_frsize / (1 << 20);
    let tight = u32::try_from(used_mib)? + 1;
    let target = &mut stage.pair.target;
    // A table may have grown since; then there is no room either way, and the next fault will do.
    if target.set_database_limit_mib(&database, tight).is_err() {
        return Ok(false);
    }
    tokio::time::sleep(held).await;
    stage.pair.target.set_database_limit_mib(&database, AMPLE_MIB)?;
    Ok(true)
}
