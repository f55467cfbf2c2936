//! Who keeps the target, for `verify` and `readiness`: whether it replicates from the source by itself, as both ends say.
//! Nothing is guessed: what could not be seen is handed on with its reason. Nothing is written.

use std::time::{Duration, Instant};

use leeward_core::doctor::Unreached;
use leeward_core::fault::Fault;
use leeward_core::name::Side;
use leeward_core::port::{BinaryLog, Replica};
use leeward_core::replication::{self, CatchUp, Channel, Keeper, ServerId};
use leeward_engine::verify::Following;
use leeward_mysql::endpoint::Endpoint;

use super::Desk;
use crate::report::verify::KeptBy;
use crate::wire::sight;
use crate::{Failure, wire};

/// How long `readiness` waits until the target has applied what the source had written: longer than most replicas are
/// behind, and not too long for a person who waits for the verdict.
const CATCH_UP_MAX: Duration = Duration::from_secs(10);

/// What both ends say.
pub struct Ends {
    /// The target's channels.
    pub channels: Result<Vec<Channel>, Fault>,
    /// How the source names itself to replicas.
    pub source: Result<ServerId, String>,
    log: Option<Box<dyn BinaryLog>>,
    replica: Option<Box<dyn Replica>>,
}

impl Ends {
    /// Looks at both ends. The source is asked only where the target is a replica.
    pub async fn look(desk: &Desk, target: &Endpoint) -> Ends {
        let looked = async {
            let mut replica = wire::replica(target).await?;
            Ok::<_, Fault>((replica.channels().await?, replica))
        };
        let unasked = |why: &str| Err(why.to_owned());
        let (channels, replica) = match looked.await {
            Ok(seen) => seen,
            Err(fault) => {
                let source = unasked("it was not asked");
                return Ends { channels: Err(fault), source, log: None, replica: None };
            }
        };
        if channels.is_empty() {
            let source = unasked("it was not asked: the target is no replica");
            return Ends { channels: Ok(channels), source, log: None, replica: None };
        }
        let (source, log) = match writer(desk).await {
            Ok((id, log)) => (Ok(id), Some(log)),
            Err(why) => (Err(why), None),
        };
        Ends { channels: Ok(channels), source, log, replica: Some(replica) }
    }

    /// Returns the channel that comes from the source.
    pub fn ours(&self) -> Option<&Channel> {
        let source = self.source.as_ref().ok()?;
        self.channels.as_ref().ok()?.iter().find(|channel| channel.comes_from(source))
    }

    /// Waits until the target has applied what the source had written, and reads the status again after that.
    pub async fn catch_up(&mut self) -> Result<CatchUp, String> {
        let name = self.ours().map(|channel| channel.name.clone());
        let (Some(name), Some(log), Some(replica)) = (name, &mut self.log, &mut self.replica) else {
            return Err("the target does not replicate from the source".to_owned());
        };
        let began = Instant::now();
        let waited = async {
            let end = log.end().await?;
            let passage = replica.pass(&name, &end, CATCH_UP_MAX).await?;
            let waited_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            Ok::<_, Fault>((CatchUp { end, passage, waited_ms }, replica.channels().await?))
        };
        let (caught_up, channels) = waited.await.map_err(|fault| fault.to_string())?;
        self.channels = Ok(channels);
        Ok(caught_up)
    }

    /// Says who keeps the target, and hands over what `verify` waits with where it is replication whose positions can be
    /// seen.
    pub async fn follow(mut self, marks: bool) -> (KeptBy, Option<Following>) {
        let kept = self.kept(marks);
        let ours = self.ours().map(|channel| channel.name.clone());
        let (Some(channel), Some(mut log), Some(replica)) = (ours, self.log.take(), self.replica.take()) else {
            return (kept, None);
        };
        match log.end().await {
            Ok(_) => (kept, Some(Following { log, replica, channel })),
            Err(fault) => (KeptBy::Unseen(unseen(&said(&fault, Side::Source))), None),
        }
    }

    fn kept(&self, marks: bool) -> KeptBy {
        let channels = self.channels.as_deref().map_err(|fault| said(fault, Side::Target));
        let channels = channels.as_deref().map_err(String::as_str);
        match replication::keeper(marks, channels, self.source.as_ref().map_err(String::as_str)) {
            Keeper::Leeward => KeptBy::Leeward,
            Keeper::Replication(channel) => {
                KeptBy::Replication(format!("the servers keep the target themselves: {}", channel.label()))
            }
            Keeper::Both(channel) => KeptBy::Both(format!(
                "two writers: Leeward's control schema is on the target, and so is {}; one of them must go",
                channel.label()
            )),
            Keeper::Nobody => KeptBy::Nobody(
                "nothing of Leeward's is on the target, and it is no replica: nothing is known to keep it in step"
                    .to_owned(),
            ),
            Keeper::Elsewhere(channels, source) => KeptBy::Nobody(format!(
                "nothing of Leeward's is on the target, and {}",
                replication::elsewhere(channels, source)
            )),
            Keeper::ChannelsUnseen(why) => KeptBy::Unseen(unseen(why)),
            Keeper::SourceUnseen(why) => KeptBy::Unseen(format!(
                "the target is a replica; whether of the source could not be seen, so that lag may show as a difference: {why}"
            )),
        }
    }
}

fn unseen(why: &str) -> String {
    format!(
        "whether the target replicates from the source, and how far it is, could not be seen, so that lag may show as a \
         difference: {why}"
    )
}

fn said(fault: &Fault, side: Side) -> String {
    let Unreached { what, remedy } = Unreached::of(fault, side);
    format!("{what}; {remedy}")
}

async fn writer(desk: &Desk) -> Result<(ServerId, Box<dyn BinaryLog>), String> {
    let source = match wire::endpoint(&desk.settings, Side::Source).await {
        Ok(source) => sight::impatient(source),
        Err(Failure::Fault(fault)) => return Err(fault.to_string()),
        Err(Failure::Mistakes(_)) => return Err("its address is not configured here, so it was not asked".to_owned()),
        Err(Failure::Machine(error)) => return Err(error.to_string()),
    };
    let asked = async {
        let mut log = wire::binary_log(&source).await?;
        Ok::<_, Fault>((log.writer().await?, log))
    };
    asked.await.map_err(|fault| fault.to_string())
}
