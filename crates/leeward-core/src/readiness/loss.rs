//! What would be lost if the source died now, measured over two clocks. Everything here is on the source's clock unless
//! its name says otherwise.

use chrono::{NaiveDateTime, TimeDelta};

use super::beside;
use super::facts::{Contact, ReadinessFacts, seen};
use super::outcome::Missing;
use super::page::{duration, listed, time};
use crate::lane::{LaneRecord, LaneState, TableRecord, TableState};
use crate::plan::PlannedTable;

/// Two looks at two clocks over a WAN agree to some hundred milliseconds; a cut further in the future than this means
/// that the stored difference of the clocks is wrong, and then no age can be believed.
const FUTURE_MS_MAX: i64 = 1_000;

/// The age of the last consistent cut.
pub(super) struct Exposure {
    /// The cut, on the source's clock.
    pub(super) cut_at: NaiveDateTime,
    /// How long ago that is.
    pub(super) age_ms: i64,
    /// The target's clock when the difference of the clocks was seen.
    pub(super) at: NaiveDateTime,
}

/// Measures how old a cut is: the source's clock now, told from the target's, minus the cut. Where the record also says
/// when it was applied, the age is at least the time since then, which one clock alone tells; a wrong difference of the
/// clocks can so never make the loss look smaller than that.
pub(super) fn exposure(
    facts: &ReadinessFacts,
    cut_at: NaiveDateTime,
    applied_at: Option<NaiveDateTime>,
) -> Result<Exposure, Missing> {
    let source_now = facts.source_now()?;
    let by_both_ms = (source_now.value - cut_at).num_milliseconds();
    let by_target_ms = applied_at.map_or(0, |applied| (facts.now - applied).num_milliseconds());
    if by_both_ms < -FUTURE_MS_MAX || by_target_ms < -FUTURE_MS_MAX {
        return Err(Missing::with_remedy(
            format!("the cut of {} lies in the future: the clocks contradict each other", time(cut_at)),
            "check NTP on both servers; `leeward sync` then measures their difference again",
        ));
    }
    Ok(Exposure { cut_at, age_ms: by_both_ms.max(by_target_ms).max(0), at: source_now.at })
}

/// Returns the time up to which a table on the target is known to hold what the source held, and nothing if there is no
/// such time.
///
/// A table of a lane that stands at a cut equals that cut, unless nothing but whole comparisons keeps it: then every row
/// has been looked at since the last complete pass began, and nothing newer is sure.
pub(super) fn as_of(planned: &PlannedTable, record: &TableRecord, lane: &LaneRecord) -> Option<NaiveDateTime> {
    let lane_cut = match &lane.state {
        LaneState::Live | LaneState::Blocked { .. } => lane.cut_at,
        LaneState::Seeding | LaneState::CatchingUp => None,
    };
    match &record.state {
        TableState::Planned | TableState::Seeding | TableState::CatchingUp | TableState::Joining { .. } => None,
        TableState::Quarantined { .. } => record.cut_at,
        TableState::Live if planned.needs_comparing() => record.scrub.verified_since,
        TableState::Live => record.cut_at.max(lane_cut),
    }
}

/// Says in words what would be lost, and what there is to fall back on. The first sentence always stands; the others name
/// what is worse off than it.
pub(super) fn statement(facts: &ReadinessFacts) -> Vec<String> {
    let mut words = lost(facts);
    words.extend(facts.fallback.as_ref().map(|fallback| fallback.words(facts)));
    words
}

fn lost(facts: &ReadinessFacts) -> Vec<String> {
    if let Some(words) = beside::lost(facts) {
        return words;
    }
    let lane = match seen(&facts.lane, "the lane's record") {
        Ok(lane) => lane.value.as_ref(),
        Err(missing) => return vec![format!("nobody knows what would be lost: {}", missing.why)],
    };
    let Some((lane, cut_at)) = lane.and_then(|lane| Some((lane, lane.cut_at?))) else {
        return vec!["if the source died now, everything would be lost: the target has never equalled it".to_owned()];
    };
    let mut words = vec![match exposure(facts, cut_at, lane.applied_at) {
        Ok(found) => format!(
            "if the source died now, writes after {} ({} ago) would be lost",
            time(found.cut_at),
            duration(found.age_ms)
        ),
        Err(missing) => {
            format!(
                "if the source died now, writes after {} would be lost; how long ago that is, nobody knows: {}",
                time(cut_at),
                missing.why
            )
        }
    }];
    if let LaneState::Seeding | LaneState::CatchingUp = lane.state {
        words.push(format!(
            "the tables have moved on since that cut, each on its own: they are not consistent with each other ({})",
            lane_word(&lane.state)
        ));
    }
    words.extend(silence(facts, cut_at));
    words.extend(stragglers(facts, lane, cut_at));
    words
}

/// A source that has stopped answering took its last write between its last answer and now; which, nobody here knows.
fn silence(facts: &ReadinessFacts, cut_at: NaiveDateTime) -> Option<String> {
    let Contact::Silent { since, why } = &facts.contact else { return None };
    let Some(since) = since else { return Some(format!("the source does not answer: {why}")) };
    let apart_ms = facts.clocks_apart_ms().ok()?.value;
    let since_source = since.checked_add_signed(TimeDelta::try_milliseconds(apart_ms)?)?;
    let window_ms = (since_source - cut_at).num_milliseconds().max(0);
    Some(format!(
        "the source has not answered since {} ({why}): if it died then, the writes of at most {} are lost; if it still \
         takes writes where we cannot see it, all since the cut",
        time(since_source),
        duration(window_ms)
    ))
}

fn stragglers(facts: &ReadinessFacts, lane: &LaneRecord, cut_at: NaiveDateTime) -> Vec<String> {
    let (Ok(plan), Ok(records)) = (facts.plan(), seen(&facts.tables, "tables")) else { return Vec::new() };
    let mut older = Vec::new();
    let mut never = Vec::new();
    for planned in &plan.tables {
        let record = records.value.iter().find(|record| record.name == *planned.name());
        match record.and_then(|record| as_of(planned, record, lane)) {
            Some(at) if at < cut_at => older.push(format!("{} (as of {})", planned.name(), time(at))),
            Some(_) => {}
            None => never.push(planned.name().to_string()),
        }
    }
    let mut words = Vec::new();
    if !older.is_empty() {
        words.push(format!("older than that cut: {}", listed(&older)));
    }
    if !never.is_empty() {
        words.push(format!("not known to equal the source at any time: {}", listed(&never)));
    }
    let left: Vec<String> = plan.left_out.iter().map(|left| left.name.to_string()).collect();
    if !left.is_empty() {
        words.push(format!("not kept at all, and lost with the source: {}", listed(&left)));
    }
    words
}

/// Names a state for a person.
pub(super) fn lane_word(state: &LaneState) -> &'static str {
    match state {
        LaneState::Seeding => "seeding",
        LaneState::CatchingUp => "catching up",
        LaneState::Live => "live",
        LaneState::Blocked { .. } => "blocked",
    }
}
