//! Getting the lease and keeping it while long work is under way.

use std::sync::Arc;
use std::time::Duration;

use leeward_core::fault::{Fault, FaultKind};
use leeward_core::name::Side;
use leeward_core::port::{Control, Lease, LeaseAnswer, Servers};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// How often a process that waits for the lease asks for it.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// Who asks, and for how long the lease is to hold without renewal.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Host, process and a number of its own, so that people can find it.
    pub holder: String,
    /// Seconds without renewal after which another may take over.
    pub ttl_s: u64,
}

/// What came of asking once.
#[derive(Debug)]
pub enum Asked {
    /// It is ours.
    Ours(Lease),
    /// Another process holds it.
    HeldBy {
        /// Who, as it described itself.
        holder: String,
        /// Seconds until it lapses unless renewed.
        lapses_in_s: u64,
    },
}

/// Asks for the lease once.
pub async fn ask(control: &mut dyn Control, lane: &str, claim: &Claim) -> Result<Asked, Fault> {
    match control.acquire(lane, &claim.holder, claim.ttl_s).await? {
        LeaseAnswer::Granted(lease) => {
            info!(lane, epoch = lease.epoch, "lease taken");
            Ok(Asked::Ours(lease))
        }
        LeaseAnswer::HeldBy { holder, lapses_in_s } => Ok(Asked::HeldBy { holder, lapses_in_s }),
        LeaseAnswer::Promoted => {
            let why = "the target has been promoted: it serves the application, and no Leeward may write it";
            Err(Fault::new(FaultKind::Refused(why.into()), "ask for the lease").on(Side::Target))
        }
    }
}

/// Waits until the lease is ours. Two processes started together: one works, one waits here. `waits` is called each time
/// it was asked for in vain.
pub async fn acquire(
    control: &mut dyn Control,
    lane: &str,
    claim: &Claim,
    (waits, stop): (&(dyn Fn() + Sync), &CancellationToken),
) -> Result<Lease, Fault> {
    let mut told = String::new();
    loop {
        match ask(control, lane, claim).await {
            // Whoever proves the lease just now holds its row, or has vanished with it until the server notices.
            Err(fault) if fault.kind == FaultKind::Conflict => info!(lane, "the lease is locked; asking again"),
            Err(fault) => return Err(fault),
            Ok(Asked::Ours(lease)) => return Ok(lease),
            Ok(Asked::HeldBy { holder, lapses_in_s }) => {
                if told != holder {
                    info!(lane, holder, lapses_in_s, "another Leeward holds the lease; waiting for it");
                    told = holder;
                }
            }
        }
        waits();
        tokio::select! {
            () = tokio::time::sleep(ASK_EVERY) => {}
            () = stop.cancelled() => return Err(Fault::new(FaultKind::Stopped, "wait for the lease")),
        }
    }
}

/// Keeps a lease alive over a connection of its own until it is dropped.
pub struct Heartbeat {
    ended: CancellationToken,
    lost: CancellationToken,
}

impl Heartbeat {
    /// Starts to renew the lease three times in its time-to-live.
    pub fn start(servers: Arc<dyn Servers>, lease: Lease, ttl_s: u64) -> Heartbeat {
        let (ended, lost) = (CancellationToken::new(), CancellationToken::new());
        let beat = Duration::from_millis(ttl_s * 1_000 / 3).max(Duration::from_millis(200));
        tokio::spawn(keep(servers, lease, beat, (ended.clone(), lost.clone())));
        Heartbeat { ended, lost }
    }

    /// Returns a token that is cancelled when the lease turns out to be another's.
    pub fn lost(&self) -> &CancellationToken {
        &self.lost
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.ended.cancel();
    }
}

async fn keep(
    servers: Arc<dyn Servers>,
    lease: Lease,
    beat: Duration,
    (ended, lost): (CancellationToken, CancellationToken),
) {
    let mut control = None;
    loop {
        tokio::select! {
            () = tokio::time::sleep(beat) => {}
            () = ended.cancelled() => return,
        }
        match renew(servers.as_ref(), &mut control, &lease).await {
            Ok(()) => {}
            Err(fault) if fault.kind == FaultKind::LeaseLost => {
                warn!(lane = lease.lane, "the lease was taken over");
                lost.cancel();
                return;
            }
            // The target is away; when it is back the next beat tells whose the lease is.
            Err(_) => {}
        }
    }
}

/// Renews over the connection of the last beat, or over a new one: the server may have ended the old one for its silence.
async fn renew(servers: &dyn Servers, kept: &mut Option<Box<dyn Control>>, lease: &Lease) -> Result<(), Fault> {
    if let Some(mut control) = kept.take() {
        match control.renew(lease).await {
            Err(fault) if fault.kind != FaultKind::LeaseLost => {}
            renewed => {
                *kept = Some(control);
                return renewed;
            }
        }
    }
    kept.insert(servers.control().await?).renew(lease).await
}
