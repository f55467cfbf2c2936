//! Which snapshots are taken away, and how old the newest is. Only whole ones count, and of one lane alone: several lanes may
//! keep theirs at one address.

use chrono::{NaiveDateTime, TimeDelta};
use serde::Serialize;

use super::{Begun, DumpId, DumpKind, Manifest, Moment};

/// A whole dump, as far as it must be known to judge it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Whole {
    /// Which.
    pub id: DumpId,
    /// What for.
    pub kind: DumpKind,
    /// The lane of its plan.
    pub lane: String,
    /// What it shows.
    pub moment: Moment,
    /// When it was finished, by the clock of the machine that made it.
    pub ended_at: NaiveDateTime,
    /// Tables.
    pub tables: usize,
    /// Rows.
    pub rows: u64,
    /// Bytes of cells.
    pub bytes: u64,
    /// Bytes of its objects.
    pub stored_bytes: u64,
}

impl Whole {
    /// Returns what is to be known of a manifest.
    pub fn of(manifest: &Manifest) -> Whole {
        let (rows, bytes, stored_bytes) = manifest.totals();
        Whole {
            id: manifest.id.clone(),
            kind: manifest.kind,
            lane: manifest.plan.settings.lane.clone(),
            moment: manifest.moment.clone(),
            ended_at: manifest.ended_at,
            tables: manifest.tables.len(),
            rows,
            bytes,
            stored_bytes,
        }
    }
}

/// Which snapshots are kept. Whatever either rule keeps is kept; without a rule all are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Keep {
    /// The newest so many.
    pub last: Option<usize>,
    /// Those that show the source as it was so many seconds ago, or later.
    pub for_s: Option<u64>,
}

impl Keep {
    fn keeps(self, place: usize, age: TimeDelta) -> bool {
        if self.last.is_none() && self.for_s.is_none() {
            return true;
        }
        let among_last = self.last.is_some_and(|last| place < last);
        let young = self.for_s.is_some_and(|for_s| age.num_seconds() <= i64::try_from(for_s).unwrap_or(i64::MAX));
        among_last || young
    }
}

/// Returns the snapshots of a lane that are to be taken away, oldest first. The newest is never among them, whatever was
/// asked for.
pub fn retire<'w>(whole: &'w [Whole], lane: &str, keep: Keep, now: NaiveDateTime) -> Vec<&'w Whole> {
    let mut snapshots: Vec<&Whole> =
        whole.iter().filter(|dump| dump.kind == DumpKind::Snapshot && dump.lane == lane).collect();
    snapshots.sort_by_key(|dump| std::cmp::Reverse((dump.moment.as_of(), dump.id.clone())));
    let goes = |(place, dump): &(usize, &Whole)| *place > 0 && !keep.keeps(*place, now - dump.moment.as_of());
    let mut gone: Vec<&Whole> = snapshots.into_iter().enumerate().filter(goes).map(|(_, dump)| dump).collect();
    gone.reverse();
    gone
}

/// How long an unfinished dump must have got nothing before it is given up. A dump writes a chunk within minutes; one of a table
/// without a key, which is a single object, within hours. A week is longer than any of them, and than a long weekend after which
/// somebody goes on with it; what it costs is the room of what was abandoned. Should something still write after all, the way
/// in which a dump is made whole sees to it that nothing is taken for whole that is not.
pub const ABANDONED_AFTER: TimeDelta = TimeDelta::days(7);

/// A dump that was begun and has no manifest: killed, or still under way.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Unfinished {
    /// Which.
    pub id: DumpId,
    /// What for.
    pub kind: DumpKind,
    /// The lane of its plan.
    pub lane: String,
    /// What it would have shown.
    pub moment: Moment,
    /// When the newest of its objects was written, by the store's clock (UTC); nothing where that is not known of all of them.
    pub written_at: Option<NaiveDateTime>,
}

impl Unfinished {
    /// Returns what is to be known of what was begun.
    pub fn of(begun: Begun, written_at: Option<NaiveDateTime>) -> Unfinished {
        let Begun { id, kind, moment, plan, .. } = begun;
        Unfinished { id, kind, lane: plan.settings.lane, moment, written_at }
    }

    /// Returns whether it is to be taken away: nothing was written for long, and nobody can want it any more. What a person or a
    /// seed has begun in a way that can be gone on with is theirs. What is not known to be old is not old.
    pub fn is_abandoned(&self, lane: &str, now: NaiveDateTime) -> bool {
        let is_nobodys = self.kind == DumpKind::Snapshot || matches!(self.moment, Moment::One { .. });
        let is_silent = self.written_at.is_some_and(|at| now - at > ABANDONED_AFTER);
        self.lane == lane && is_nobodys && is_silent
    }
}

/// Returns the newest whole dump of a lane, which is what there is to fall back on. One on the way of a seed is none: it goes
/// when the seed is done.
pub fn newest<'w>(whole: &'w [Whole], lane: &str) -> Option<&'w Whole> {
    let of_lane = whole.iter().filter(|dump| dump.lane == lane && dump.kind != DumpKind::Seed);
    of_lane.max_by_key(|dump| (dump.moment.as_of(), &dump.id))
}

/// Returns how many seconds ago the newest whole dump of a lane showed the source: what would be lost if it were all that is
/// left. Nothing where there is none. A clock that lies behind counts as now.
pub fn newest_age_s(whole: &[Whole], lane: &str, now: NaiveDateTime) -> Option<u64> {
    let newest = newest(whole, lane)?;
    Some(u64::try_from((now - newest.moment.as_of()).num_seconds()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::super::MomentBy;
    use super::*;

    fn hour(hour: u32) -> NaiveDateTime {
        chrono::NaiveDate::from_ymd_opt(2026, 11, 28).unwrap().and_hms_opt(hour, 0, 0).unwrap()
    }

    fn snapshot(at: u32, kind: DumpKind, lane: &str) -> Whole {
        Whole {
            id: DumpId::new(hour(at), lane),
            kind,
            lane: lane.to_owned(),
            moment: Moment::One { at: hour(at), by: MomentBy::OneView, readers: 1 },
            ended_at: hour(at),
            tables: 1,
            rows: 1,
            bytes: 1,
            stored_bytes: 1,
        }
    }

    fn gone(whole: &[Whole], keep: Keep) -> Vec<u32> {
        use chrono::Timelike;
        retire(whole, "shop", keep, hour(20)).iter().map(|dump| dump.moment.as_of().hour()).collect()
    }

    #[test]
    fn what_either_rule_keeps_is_kept() {
        let whole: Vec<Whole> = [8, 14, 2, 18].map(|at| snapshot(at, DumpKind::Snapshot, "shop")).into();
        assert_eq!(gone(&whole, Keep::default()), [0u32; 0]);
        assert_eq!(gone(&whole, Keep { last: Some(2), for_s: None }), [2, 8]);
        assert_eq!(gone(&whole, Keep { last: None, for_s: Some(6 * 3600) }), [2, 8]);
        assert_eq!(gone(&whole, Keep { last: Some(3), for_s: Some(6 * 3600) }), [2]);
        assert_eq!(gone(&whole, Keep { last: Some(1), for_s: Some(12 * 3600) }), [2]);
    }

    #[test]
    fn the_newest_stays_whatever_was_asked_for() {
        let whole: Vec<Whole> = [2, 3].map(|at| snapshot(at, DumpKind::Snapshot, "shop")).into();
        assert_eq!(gone(&whole, Keep { last: Some(0), for_s: None }), [2]);
        assert_eq!(gone(&whole, Keep { last: None, for_s: Some(60) }), [2]);
    }

    #[test]
    fn only_what_is_silent_and_nobodys_is_abandoned() {
        use DumpKind::{Dump, Seed, Snapshot};
        let one = Moment::One { at: hour(1), by: MomentBy::OneView, readers: 1 };
        let spread = Moment::Spread { from: hour(1) };
        let now = hour(12);
        let (old, new) = (now - ABANDONED_AFTER - TimeDelta::seconds(1), now - ABANDONED_AFTER);
        for (kind, moment, written_at, goes) in [
            (Snapshot, &one, Some(old), true),
            (Snapshot, &spread, Some(old), true),
            (Dump, &one, Some(old), true),
            (Dump, &spread, Some(old), false),
            (Seed, &spread, Some(old), false),
            (Snapshot, &one, Some(new), false),
            (Snapshot, &one, Some(now + TimeDelta::days(9)), false),
            (Snapshot, &one, None, false),
        ] {
            let id = DumpId::new(hour(1), "shop");
            let begun = Unfinished { id, kind, lane: "shop".to_owned(), moment: moment.clone(), written_at };
            assert_eq!(begun.is_abandoned("shop", now), goes, "{begun:?}");
            assert!(!begun.is_abandoned("billing", now), "another lane's: {begun:?}");
        }
    }

    #[test]
    fn other_lanes_and_dumps_that_a_person_made_stay() {
        let mut whole: Vec<Whole> = [2, 3].map(|at| snapshot(at, DumpKind::Dump, "shop")).into();
        whole.extend([4, 5].map(|at| snapshot(at, DumpKind::Snapshot, "billing")));
        whole.push(snapshot(6, DumpKind::Snapshot, "shop"));
        assert_eq!(gone(&whole, Keep { last: Some(1), for_s: None }), [0u32; 0]);
        assert_eq!(newest_age_s(&whole, "shop", hour(20)), Some(14 * 3600));
        assert_eq!(newest_age_s(&whole, "billing", hour(5)), Some(0));
        assert_eq!(newest_age_s(&whole, "nobody", hour(5)), None);
    }
}
