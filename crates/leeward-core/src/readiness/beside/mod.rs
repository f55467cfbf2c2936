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
use crate::replication::{CatchUp, Channel, Passage, ServerId};
use crate::server::Observed;

pub(super) use checks::{is_read_only, needs};
pub(super) use stand_in::stand_in;
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
    let (channels, source) = match (channels, source) {
        (Observed::Known(channels), _) if channels.value.is_empty() && !marks.value => {
            return Keeper::Nobody(channels.at, "it is no replica".to_owned());
        }
        (Observed::Known(channels), Observed::Known(source)) => (channels, source),
        _ if marks.value => return Keeper::Leeward,
        // The process list shows the threads of replication to whoever may see no status.
        (Observed::Unknown(_), _) if runs_nothing(facts) => {
            return Keeper::Nobody(marks.at, "no replication runs on it".to_owned());
        }
        (Observed::Unknown(why), _) => {
            return Keeper::Unseen(Missing {
                why: format!(
                    "nothing of Leeward's is on the target, and whether it replicates from the source could not be seen: {why}"
                ),
                remedy: grant(facts, Side::Target),
            });
        }
        (_, Observed::Unknown(why)) => {
            return Keeper::Unseen(Missing::new(format!(
                "nothing of Leeward's is on the target; it is a replica, and whether of the source nobody knows: {why}"
            )));
        }
    };
    let ours = channels.value.iter().find(|channel| channel.comes_from(&source.value));
    let at = channels.at.min(source.at);
    match (ours, marks.value) {
        (Some(channel), false) => Keeper::Replication(Dated { at, value: channel }),
        (Some(channel), true) => Keeper::Both(Dated { at, value: channel }),
        (None, true) => Keeper::Leeward,
        (None, false) => {
            let others: Vec<String> = channels.value.iter().map(Channel::label).collect();
            let is = format!(
                "it replicates from elsewhere ({}), the source is server {}",
                others.join(", "),
                source.value.number
            );
            Keeper::Nobody(at, is)
        }
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
