//! What a running `sync` knows of itself without asking anybody: when its loop last made a step, and what its cycles came
//! to. It is gone with the process; what must outlive it is in the control schema.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{NaiveDateTime, Utc};
use leeward_core::fault::Fault;
use leeward_core::lane::LaneState;
use leeward_core::port::Lease;
use leeward_engine::cycle::CycleReport;
use leeward_engine::standing::Standing;
use leeward_engine::watch::Watch;
use serde::Serialize;

/// How long honest work between two steps may take beside the configured waits. The longest turns (a batch of wide rows
/// over an ocean, a keyless table written whole, a look at ten thousand definitions) take well under a minute; a process
/// is replaced within seconds, so five minutes without a sign cost less than one that is killed in the middle of its work.
const WORK_MAX: Duration = Duration::from_secs(300);

/// Upper bounds of the histogram of cycles, seconds: from a quiet cycle in one place to one that is as old as an RPO.
pub const CYCLE_BOUNDS_S: [f64; 10] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// Returns how long a step may take. `waits` is how long the configuration lets the loop wait between two steps: the interval of
/// its cycles and the time-outs of its servers.
pub fn step_max(waits: Duration) -> Duration {
    WORK_MAX + waits
}

/// What the process is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It waits for the target, or for the lease that another process holds.
    Waiting,
    /// It holds the lease and its last turn was a committed cycle, or it is in its first.
    Leading,
    /// It holds the lease and its last turn was a fault, which it endures.
    Enduring,
}

/// What has been seen up to a moment.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The lane.
    pub lane: String,
    /// The recovery point objective, seconds.
    pub rpo_s: u64,
    /// When the process began, by this machine's clock (UTC).
    pub began_at: NaiveDateTime,
    /// When the loop last made a step, by this machine's clock (UTC).
    pub stepped_at: NaiveDateTime,
    /// The same by a clock that nobody sets.
    stepped: Instant,
    /// How long a step may take before the loop counts as stuck.
    pub step_max: Duration,
    /// What it is at.
    pub phase: Phase,
    /// The epoch of its lease, once it has had one.
    pub lease_epoch: Option<u64>,
    /// The lane's state after the last cycle of this process.
    pub state: Option<LaneState>,
    /// The source's clock at the last cut that was consistent across tables.
    pub cut_at: Option<NaiveDateTime>,
    /// How the tables stood after the last cycle.
    pub standing: Option<Standing>,
    /// What cycles of this process came to.
    pub totals: Totals,
    /// The fault that ended the last turn, in words that hold no row values; nothing after a turn that went well.
    pub fault: Option<String>,
    /// Faults that ended a turn, by side and kind.
    pub faults: BTreeMap<(&'static str, &'static str), u64>,
}

/// What cycles came to.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Totals {
    /// Cycles committed.
    pub cycles: u64,
    /// Rows of the windows that were read.
    pub rows_read: u64,
    /// Rows written by deltas.
    pub rows_applied: u64,
    /// Rows compared.
    pub rows_compared: u64,
    /// Rows that the comparison had to set right.
    pub rows_repaired: u64,
    /// Cycles that took no longer than each of [`CYCLE_BOUNDS_S`].
    pub cycles_within: [u64; CYCLE_BOUNDS_S.len()],
    /// Seconds that all cycles took.
    pub cycles_s: f64,
}

impl Seen {
    /// Returns whether the loop goes on: its last step is no older than a step may take.
    pub fn is_going_on(&self) -> bool {
        self.stepped.elapsed() <= self.step_max
    }

    /// Returns how long ago the loop made its last step.
    pub fn since_step(&self) -> Duration {
        self.stepped.elapsed()
    }

    /// Returns whether the lane is live in the hands of this process, as of its last turn.
    pub fn is_ready(&self) -> bool {
        self.phase == Phase::Leading && self.state == Some(LaneState::Live) && self.is_going_on()
    }

    /// Returns the number of all faults.
    pub fn faults_total(&self) -> u64 {
        self.faults.values().sum()
    }
}

/// The vital signs of a `sync`, written by its loop and read by whoever asks.
pub struct Vitals(Mutex<Seen>);

impl Vitals {
    /// Begins with a first step, which is now. After `step_max` without another the loop counts as stuck.
    pub fn new(lane: &str, rpo_s: u64, step_max: Duration) -> Vitals {
        let now = Utc::now().naive_utc();
        Vitals(Mutex::new(Seen {
            lane: lane.to_owned(),
            rpo_s,
            began_at: now,
            stepped_at: now,
            stepped: Instant::now(),
            step_max,
            phase: Phase::Waiting,
            lease_epoch: None,
            state: None,
            cut_at: None,
            standing: None,
            totals: Totals::default(),
            fault: None,
            faults: BTreeMap::new(),
        }))
    }

    /// Returns what has been seen so far.
    pub fn seen(&self) -> Seen {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn step(&self, note: impl FnOnce(&mut Seen)) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (seen.stepped, seen.stepped_at) = (Instant::now(), Utc::now().naive_utc());
        note(&mut seen);
    }
}

impl Watch for Vitals {
    fn cycle(&self, report: &CycleReport) {
        self.step(|seen| {
            (seen.phase, seen.fault) = (Phase::Leading, None);
            seen.state = Some(report.state.clone());
            seen.standing = Some(report.standing);
            if report.state == LaneState::Live {
                seen.cut_at = Some(report.cut_at);
            }
            seen.totals.add(report);
        });
    }

    fn waits(&self) {
        self.step(|seen| seen.phase = Phase::Waiting);
    }

    fn leads(&self, lease: &Lease) {
        self.step(|seen| (seen.phase, seen.lease_epoch) = (Phase::Leading, Some(lease.epoch)));
    }

    fn endures(&self, fault: &Fault) {
        let side = match fault.side {
            Some(leeward_core::name::Side::Source) => "source",
            Some(leeward_core::name::Side::Target) => "target",
            None => "none",
        };
        self.step(|seen| {
            (seen.phase, seen.fault) = (Phase::Enduring, Some(fault.to_string()));
            *seen.faults.entry((side, fault.kind.word())).or_default() += 1;
        });
    }
}

impl Totals {
    fn add(&mut self, report: &CycleReport) {
        let took_s = report.took.as_secs_f64();
        self.cycles += 1;
        self.rows_read += report.rows_read;
        self.rows_applied += report.rows_applied;
        self.rows_compared += report.rows_compared;
        self.rows_repaired += report.rows_repaired();
        self.cycles_s += took_s;
        for (within, bound_s) in self.cycles_within.iter_mut().zip(CYCLE_BOUNDS_S) {
            *within += u64::from(took_s <= bound_s);
        }
    }
}

#[cfg(test)]
pub mod tests {
    use leeward_core::fault::FaultKind;
    use leeward_core::name::Side;

    use super::*;

    /// Returns a report of a cycle that took a quarter of a second.
    pub fn cycle(state: LaneState, rows: u64) -> CycleReport {
        CycleReport {
            cycle: 7,
            cut_at: chrono::DateTime::from_timestamp(1_790_000_000, 0).unwrap().naive_utc(),
            state,
            rows_read: rows,
            rows_applied: rows,
            rows_compared: rows * 10,
            repairs: vec![],
            standing: Standing { tables: 3, quarantined: 1, compared_since: None },
            events: vec![],
            took: Duration::from_millis(250),
        }
    }

    /// Returns vital signs without a cycle.
    pub fn vitals() -> Vitals {
        Vitals::new("main", 60, step_max(Duration::from_secs(5)))
    }

    #[test]
    fn only_a_live_cycle_of_ones_own_is_ready_and_only_it_moves_the_cut() {
        let vitals = vitals();
        assert!(vitals.seen().is_going_on() && !vitals.seen().is_ready());
        vitals.cycle(&cycle(LaneState::CatchingUp, 5));
        assert!(!vitals.seen().is_ready());
        assert_eq!(vitals.seen().cut_at, None, "a cut that is not consistent is no recovery point");
        vitals.cycle(&cycle(LaneState::Live, 5));
        assert!(vitals.seen().is_ready() && vitals.seen().cut_at.is_some());
        vitals.endures(&Fault::new(FaultKind::Unreachable, "open a cut").on(Side::Source));
        let seen = vitals.seen();
        assert!(seen.is_going_on() && !seen.is_ready(), "a source that is away makes no process unhealthy");
        assert!(seen.fault.is_some_and(|fault| fault.contains("open a cut")));
        assert_eq!(seen.faults, BTreeMap::from([(("source", "unreachable"), 1)]));
        vitals.cycle(&cycle(LaneState::Live, 5));
        assert_eq!(vitals.seen().fault, None, "it is over");
        vitals.waits();
        assert!(!vitals.seen().is_ready(), "who waits for the lease does not lead");
        assert_eq!((vitals.seen().totals.cycles, vitals.seen().totals.rows_compared), (3, 150));
        assert_eq!(vitals.seen().totals.cycles_within[1..3], [0, 3]);
    }

    #[test]
    fn a_loop_that_has_made_no_step_for_too_long_is_stuck() {
        let vitals = vitals();
        vitals.cycle(&cycle(LaneState::Live, 5));
        let (mut seen, limit) = (vitals.seen(), WORK_MAX + Duration::from_secs(5));
        assert_eq!(seen.step_max, limit);
        let Some(long_ago) = Instant::now().checked_sub(limit + Duration::from_secs(1)) else {
            return; // A machine that was started minutes ago has no such moment.
        };
        seen.stepped = long_ago;
        assert!(!seen.is_going_on() && !seen.is_ready());
        seen.stepped = Instant::now().checked_sub(Duration::from_secs(120)).unwrap();
        assert!(seen.is_going_on(), "a failover of 120 s");
    }
}
