//! Snapshots, on which one falls back where the target cannot take over. They are no check: how old they may be is for
//! people to say, and their age stands beside the loss.

use super::facts::ReadinessFacts;
use super::page::{duration, time};
use crate::dump::{DumpId, Moment, Whole, newest};
use crate::server::Observed;

/// The newest whole dump of a lane in a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallback {
    /// Where it was looked for, without credentials.
    pub place: String,
    /// Its id and what it shows; `None` where there is none.
    pub newest: Observed<Option<(DumpId, Moment)>>,
}

impl Fallback {
    /// Picks the newest of a lane's dumps.
    pub fn of(place: &str, dumps: Result<&[Whole], String>, lane: &str) -> Fallback {
        let newest = |dumps: &[Whole]| newest(dumps, lane).map(|dump| (dump.id.clone(), dump.moment.clone()));
        let newest = dumps.map_or_else(Observed::Unknown, |dumps| Observed::Known(newest(dumps)));
        Fallback { place: place.to_owned(), newest }
    }

    /// Says what there is, and how old it is. Where the source's clock is not known the target's stands in: a fallback is
    /// hours old.
    pub(super) fn words(&self, facts: &ReadinessFacts) -> String {
        let place = &self.place;
        match &self.newest {
            Observed::Known(Some((id, moment))) => {
                let (at, now) = (moment.as_of(), facts.source_now().map_or(facts.now, |now| now.value));
                let age = duration((now - at).num_milliseconds().max(0));
                let torn = match moment {
                    Moment::One { .. } => "",
                    Moment::Spread { .. } => "; its tables are not of one moment",
                };
                format!("to fall back on: dump {id} in {place}, of {} ({age} ago){torn}", time(at))
            }
            Observed::Known(None) => format!("nothing to fall back on: {place} holds no whole dump of this lane"),
            Observed::Unknown(why) => format!("what there is to fall back on in {place}, nobody knows: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::super::tests::ready;
    use super::*;
    use crate::dump::DumpKind;

    fn dump(facts: &ReadinessFacts, hours: i64, kind: DumpKind, lane: &str) -> Whole {
        let at = facts.now - TimeDelta::hours(hours);
        Whole {
            id: DumpId::new(at, lane),
            kind,
            lane: lane.to_owned(),
            moment: Moment::Spread { from: at },
            ended_at: at,
            tables: 1,
            rows: 1,
            bytes: 1,
            stored_bytes: 1,
        }
    }

    #[test]
    fn the_newest_dump_of_the_lane_counts_and_none_is_made_up() {
        let facts = ready();
        let lane = facts.lane_name.as_str();
        let said = |dumps: Result<&[Whole], String>| Fallback::of("s3://dumps", dumps, lane).words(&facts);
        let seed = dump(&facts, 1, DumpKind::Seed, lane);
        let of_another = dump(&facts, 2, DumpKind::Snapshot, "another");
        let (old, new) = (dump(&facts, 30, DumpKind::Snapshot, lane), dump(&facts, 5, DumpKind::Dump, lane));
        let found = said(Ok(&[new.clone(), old, of_another.clone(), seed.clone()]));
        assert!(found.contains(new.id.as_str()) && found.contains("(5.0 h ago)"), "{found}");
        assert!(found.ends_with("not of one moment"), "{found}");
        let none = said(Ok(&[of_another, seed]));
        assert_eq!(none, "nothing to fall back on: s3://dumps holds no whole dump of this lane");
        assert!(said(Err("no such bucket".to_owned())).ends_with("nobody knows: no such bucket"));
    }
}
