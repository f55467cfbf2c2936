//! Snapshots, on which one falls back where the target cannot take over. They are no check: how old they may be is for
//! people to say, and their age stands beside the loss.

use chrono::NaiveDateTime;

use super::facts::ReadinessFacts;
use super::page::{duration, time};
use crate::dump::Whole;
use crate::server::Observed;

/// The newest whole dump of a lane in a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallback {
    /// Where it was looked for, without credentials.
    pub place: String,
    /// Its id and from which time on it may lack changes, on the source's clock; `None` where there is none.
    pub newest: Observed<Option<(String, NaiveDateTime)>>,
}

impl Fallback {
    /// Picks the newest of a lane's dumps.
    pub fn of(place: &str, dumps: Result<&[Whole], String>, lane: &str) -> Fallback {
        let newest = |dumps: &[Whole]| {
            let of_lane = dumps.iter().filter(|dump| dump.lane == lane);
            of_lane.map(|dump| (dump.moment.as_of(), &dump.id)).max().map(|(at, id)| (id.to_string(), at))
        };
        let newest = dumps.map_or_else(Observed::Unknown, |dumps| Observed::Known(newest(dumps)));
        Fallback { place: place.to_owned(), newest }
    }

    /// Says what there is, and how old it is. Where the source's clock is not known the target's stands in: a fallback is
    /// hours old.
    pub(super) fn words(&self, facts: &ReadinessFacts) -> String {
        let place = &self.place;
        match &self.newest {
            Observed::Known(Some((id, at))) => {
                let now = facts.source_now().map_or(facts.now, |now| now.value);
                let age_ms = (now - *at).num_milliseconds().max(0);
                format!("to fall back on: dump {id} in {place}, of {} ({} ago)", time(*at), duration(age_ms))
            }
            Observed::Known(None) => format!("nothing to fall back on: {place} holds no whole dump of this lane"),
            Observed::Unknown(why) => format!("what there is to fall back on in {place}, nobody knows: {why}"),
        }
    }
}
