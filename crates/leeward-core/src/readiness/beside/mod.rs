//! A target that the servers keep by replication of their own, with nothing of Leeward's on either side: who keeps the
//! target, told from what both ends say, and the checks that then stand in the place of those that read marks.
//!
//! Nothing is guessed. Where the control schema is absent and the channels cannot be seen, nobody knows who keeps the target.

mod checks;
mod stand_in;
mod words;

use chrono::NaiveDateTime;

use super::cloud::Asked;
use super::facts::{Dated, ReadinessFacts, Seen};
use super::outcome::Missing;
use super::proof::Proof;
use crate::grants::needs::replication_need;
use crate::name::Side;
use crate::replication::{self, CatchUp, Channel, Passage, ServerId};
use crate::server::Observed;

pub(super) use checks::{is_read_only, needs};
pub(super) use stand_in::{replicated, stand_in};
pub(super) use words::{lost, statement};

/// What both ends of a replication say, and what a comparison has shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Beside {
    /// Whether Leeward's control schema is on the target.
    pub marks: Seen<bool>,
    /// The channels of the target.
    pub channels: Seen<Vec<Channel>>,
    /// How the source names itself to replicas.
    pub source: Seen<ServerId>,
    /// Whether the target has come to where the source was when it was asked.
    pub catch_up: Seen<CatchUp>,
    /// What `verify` has shown, as its file says.
    pub proof: Asked<Proof>,
}

impl Beside {
    /// Returns facts of which nothing could be seen.
    pub fn unseen(why: &str) -> Beside {
        let why = || why.to_owned();
        Beside {
            marks: Observed::Unknown(why()),
            channels: Observed::Unknown(why()),
            source: Observed::Unknown(why()),
            catch_up: Observed::Unknown(why()),
            proof: Asked::untold(why()),
        }
    }
}

/// Who keeps the target in step.
pub(super) enum Keeper<'a> {
    /// Leeward, or nobody can tell because the target could not be read.
    Leeward,
    /// The servers, over this channel.
    Replication(Dated<&'a Channel>),
    /// Both: two writers of one copy.
    Both(Dated<&'a Channel>),
    /// Neither; when that was seen, and where the target's channels lead instead.
    Nobody(NaiveDateTime, String),
    /// There are no marks, and whether there is replication could not be seen.
    Unseen(Missing),
}

/// Tells who keeps the target.
pub(super) fn keeper(facts: &ReadinessFacts) -> Keeper<'_> {
    let Beside { marks, channels, source, .. } = &facts.beside;
    let Observed::Known(marks) = marks else { return Keeper::Leeward };
    let ends = [channels.known().map(|seen| seen.at), source.known().map(|seen| seen.at)];
    let at = ends.into_iter().flatten().min().unwrap_or(marks.at);
    let channels = channels.told().map(|seen| seen.value.as_slice());
    let source = source.told().map(|seen| &seen.value);
    match replication::keeper(marks.value, channels, source) {
        replication::Keeper::Leeward => Keeper::Leeward,
        replication::Keeper::Replication(channel) => Keeper::Replication(Dated { at, value: channel }),
        replication::Keeper::Both(channel) => Keeper::Both(Dated { at, value: channel }),
        replication::Keeper::Nobody => Keeper::Nobody(at, "it is no replica".to_owned()),
        replication::Keeper::Elsewhere(channels, source) => {
            Keeper::Nobody(at, replication::elsewhere(channels, source))
        }
        // The process list shows the threads of replication to whoever may see no status.
        replication::Keeper::ChannelsUnseen(_) if runs_nothing(facts) => {
            Keeper::Nobody(marks.at, "no replication runs on it".to_owned())
        }
        replication::Keeper::ChannelsUnseen(why) => Keeper::Unseen(Missing {
            why: format!(
                "nothing of Leeward's is on the target, and whether it replicates from the source could not be seen: {why}"
            ),
            remedy: grant(facts, Side::Target),
        }),
        replication::Keeper::SourceUnseen(why) => Keeper::Unseen(Missing::new(format!(
            "nothing of Leeward's is on the target; it is a replica, and whether of the source nobody knows: {why}"
        ))),
    }
}

fn runs_nothing(facts: &ReadinessFacts) -> bool {
    let server = facts.target.server.known();
    server.is_some_and(|server| server.value.is_replica == Observed::Known(false))
}

/// Returns the GRANT that lets a side's account see its end of a replication.
pub(super) fn grant(facts: &ReadinessFacts, side: Side) -> Option<String> {
    let state = facts.side(side);
    let (server, account, grants) = (state.server.known()?, state.account.known()?, state.grants.known()?);
    let need = replication_need(&server.value, side);
    if grants.value.missing(std::slice::from_ref(&need)).is_empty() {
        return None;
    }
    let statement = need.grant_statement(&account.value, grants.value.schema_names());
    Some(match side {
        Side::Source => format!("on the source: {statement}"),
        Side::Target => {
            format!("on the source, from where it replicates (on the target itself where accounts differ): {statement}")
        }
    })
}

/// Returns whether the servers' own replication keeps the target.
pub(super) fn is_replicated(facts: &ReadinessFacts) -> bool {
    matches!(keeper(facts), Keeper::Replication(_))
}

/// How old the target's state is at most, milliseconds, proved by positions: everything that the source had committed before
/// that is applied.
pub(super) fn proved_age_ms(facts: &ReadinessFacts) -> Option<i64> {
    let Keeper::Replication(_) = keeper(facts) else { return None };
    let caught_up = &facts.beside.catch_up.known()?.value;
    (caught_up.passage == Passage::Passed).then(|| i64::try_from(caught_up.waited_ms).unwrap_or(i64::MAX))
}
