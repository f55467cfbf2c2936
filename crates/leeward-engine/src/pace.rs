//! How fast is compared: content and keys each get half of the share of the source's time that the policy grants. What a
//! comparison takes is owed, and nothing is compared until the share has paid it back; so one long look is followed by a
//! long rest, and the share holds over any stretch of time that is longer than one look.

use std::time::{Duration, Instant};

use leeward_core::plan::PlannedTable;

use crate::clock;

/// Rows of one range at most. A differing range lists its row hashes on both sides, about 100 bytes a row in memory.
pub const RANGE_ROWS_MAX: u64 = 50_000;

/// Tables that one cycle compares at most.
const TABLES_MAX: usize = 64;

/// The same where everything is compared as fast as it goes: a cycle waits for the source three or four times, whatever it
/// compares, so that it is to compare much. A range holds what is hashed in a second, and lists some 10 MiB of row hashes on
/// each side when it differs; a cycle holds a cut open for some ten seconds.
const FULL_RANGE_ROWS_MAX: u64 = 2 * RANGE_ROWS_MAX;
const FULL_RANGE_BYTES_MAX: u64 = 64 << 20;
const FULL_CYCLE_ROWS: u64 = 16 * FULL_RANGE_ROWS_MAX;
const FULL_TABLES_MAX: usize = 1_024;
/// Rows of the first range of a table that is swept: what tells how its differences lie.
const SWEEP_ROWS_FIRST: u64 = 5_000;

/// Rows whose keys are counted by one statement at most: a few seconds where a server is slow, and never so many that
/// one statement holds a cut open for long. It is the learned speed that decides.
const COUNTED_ROWS_MAX: u64 = 20_000_000;

/// Rows that one look takes in at least, however slow the source, unless the policy asks for smaller chunks: below it the
/// round trip is all that is left.
const LOOK_ROWS_MIN: u64 = 500;

/// Keys that a server counts in a second before anything is known of it. Two shared cores do a million or two.
const COUNTED_PER_S: f64 = 1_000_000.0;

/// How long counting keys may hold a cycle up: a commit is later by this much every few seconds.
const COUNTING_MAX: Duration = Duration::from_millis(500);

/// How much one cycle compares.
#[derive(Debug, Clone)]
pub struct ScrubPace {
    /// For content; nothing when it is compared as fast as it goes.
    content: Option<Budget>,
    /// For keys.
    keys: Option<Budget>,
    /// The shortest answer seen on this link, which is no work of the source's.
    round_trip: Option<Duration>,
    /// Rows whose keys one cycle counts at most.
    pub key_rows_max: u64,
    /// Whether a comparison goes on past its first range in the same cut.
    is_sweep: bool,
}

impl ScrubPace {
    /// Keeps the source's time for comparing below `source_share`.
    pub fn budget(chunk_rows: u64, source_share: f64, interval: Duration) -> ScrubPace {
        let share = source_share.clamp(0.0, 1.0) / 2.0;
        let look = interval.mul_f64(share).max(Duration::from_millis(1));
        let rows_min = LOOK_ROWS_MIN.min(chunk_rows);
        let content = Budget::new(share, look, (chunk_rows as f64 / look.as_secs_f64(), rows_min));
        let keys = Budget::new(share, interval.min(COUNTING_MAX), (COUNTED_PER_S, LOOK_ROWS_MIN));
        ScrubPace { content: Some(content), keys: Some(keys), ..ScrubPace::full() }
    }

    /// Compares as fast as it goes: the end of a seed.
    pub fn full() -> ScrubPace {
        ScrubPace { content: None, keys: None, round_trip: None, key_rows_max: COUNTED_ROWS_MAX, is_sweep: false }
    }

    /// Compares as fast as it goes, and in one cut as far as it goes: a repair that was asked for.
    pub fn sweep() -> ScrubPace {
        ScrubPace { is_sweep: true, ..ScrubPace::full() }
    }

    /// Returns whether a comparison goes on past its first range in the same cut.
    pub fn is_sweep(&self) -> bool {
        self.is_sweep
    }

    /// Returns whether everything is compared as fast as it goes, until every table has been compared whole.
    pub fn is_full(&self) -> bool {
        self.content.is_none()
    }

    /// Takes note of how long a cheap question to the source took.
    pub fn saw_answer(&mut self, took: Duration) {
        self.round_trip = Some(self.round_trip.map_or(took, |shortest| shortest.min(took)));
    }

    /// Returns how many rows' content this cycle may compare.
    pub fn content_rows(&mut self) -> u64 {
        self.content.as_mut().map_or(FULL_CYCLE_ROWS, |budget| budget.rows().min(RANGE_ROWS_MAX * 4))
    }

    /// Returns of how many tables this cycle may compare a range each.
    pub fn tables_max(&self) -> usize {
        if self.is_full() { FULL_TABLES_MAX } else { TABLES_MAX }
    }

    /// Returns how many rows of a table one range may hold.
    pub fn range_rows(&self, table: &PlannedTable) -> u64 {
        match (self.is_sweep, self.is_full()) {
            (true, _) => SWEEP_ROWS_FIRST,
            (false, true) => full_range_rows(table.rows_estimate, table.row_bytes()),
            (false, false) => RANGE_ROWS_MAX,
        }
    }

    /// Returns how many rows' keys this cycle may count.
    pub fn key_rows(&mut self) -> u64 {
        self.keys.as_mut().map_or(0, |budget| budget.rows().min(self.key_rows_max))
    }

    /// Takes note of how long the source took to compare so many rows' content.
    pub fn compared(&mut self, rows: u64, took: Duration) {
        let took = took.saturating_sub(self.round_trip.unwrap_or_default());
        self.content.iter_mut().for_each(|budget| budget.spend(rows, took));
    }

    /// Takes note of how long the source took to count so many rows' keys.
    pub fn counted(&mut self, rows: u64, took: Duration) {
        let took = took.saturating_sub(self.round_trip.unwrap_or_default());
        self.keys.iter_mut().for_each(|budget| budget.spend(rows, took));
    }
}

/// Returns how many rows a range holds where nobody has learned how fast they go: they may be wide. Where none were
/// estimated nothing is known of their width either.
fn full_range_rows(rows_estimate: u64, row_bytes: u64) -> u64 {
    match rows_estimate {
        0 => RANGE_ROWS_MAX,
        _ => (FULL_RANGE_BYTES_MAX / row_bytes).clamp(1, FULL_RANGE_ROWS_MAX),
    }
}

/// A share of the source's time, and what has been taken of it.
#[derive(Debug, Clone)]
struct Budget {
    share: f64,
    /// How long one look is meant to take.
    look: Duration,
    rows_per_s: f64,
    /// Rows that one look takes in at least.
    rows_min: u64,
    /// Seconds of the source's time in hand; below zero they are owed.
    in_hand_s: f64,
    paid_at: Option<Instant>,
}

impl Budget {
    fn new(share: f64, look: Duration, (rows_per_s, rows_min): (f64, u64)) -> Budget {
        Budget { share, look, rows_per_s, rows_min, in_hand_s: 0.0, paid_at: None }
    }

    /// Pays in the share of the time since the last call. Returns how many rows a look may take in now.
    fn rows(&mut self) -> u64 {
        let now = clock::now();
        let passed = self.paid_at.replace(now).map_or(self.look, |paid_at| now.saturating_duration_since(paid_at));
        // What an idle time has left over is not saved up for a burst.
        self.in_hand_s = (self.in_hand_s + passed.as_secs_f64() * self.share).min(self.look.as_secs_f64());
        match self.in_hand_s > 0.0 {
            true => ((self.rows_per_s * self.look.as_secs_f64()) as u64).max(self.rows_min),
            false => 0,
        }
    }

    fn spend(&mut self, rows: u64, took: Duration) {
        self.in_hand_s -= took.as_secs_f64();
        let expected = (self.rows_per_s * self.look.as_secs_f64()) as u64;
        // A look at a few small tables says little about how fast rows go.
        if took > self.look || rows >= expected / 2 {
            let seen = rows as f64 / took.as_secs_f64().max(1e-3);
            self.rows_per_s = (self.rows_per_s + seen) / 2.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a pace for a while against a source that takes so long for a row. Returns the share that was taken and the
    /// rows that were compared.
    fn run(mut pace: ScrubPace, row_us: f64) -> (f64, u64) {
        let began = clock::now();
        let (mut spent_s, mut rows_done) = (0.0, 0);
        for cycle in 0..1_200 {
            clock::simulate(began + Duration::from_millis(500 * cycle));
            let rows = pace.content_rows();
            if rows > 0 {
                let took_s = rows as f64 * row_us / 1e6;
                pace.compared(rows, Duration::from_secs_f64(took_s));
                (spent_s, rows_done) = (spent_s + took_s, rows_done + rows);
            }
        }
        (spent_s / 600.0, rows_done)
    }

    #[test]
    fn content_takes_half_of_the_share_whether_rows_are_cheap_or_dear() {
        for row_us in [1.0, 4.0, 300.0] {
            let (share, rows) = run(ScrubPace::budget(5_000, 0.10, Duration::from_millis(500)), row_us);
            assert!((0.02..=0.055).contains(&share), "{row_us} µs a row: {share}, {rows} rows");
        }
    }

    #[test]
    fn a_look_that_took_long_is_followed_by_a_long_rest() {
        let began = clock::now();
        clock::simulate(began);
        let mut pace = ScrubPace::budget(5_000, 0.10, Duration::from_millis(500));
        assert!(pace.key_rows() > 0);
        pace.counted(1_000_000, Duration::from_secs(1));
        clock::simulate(began + Duration::from_secs(15));
        assert_eq!(pace.key_rows(), 0, "a second at 5 % is paid back in 20");
        clock::simulate(began + Duration::from_secs(21));
        assert!(pace.key_rows() > 0);
    }

    #[test]
    fn a_full_pace_compares_in_every_cycle_and_counts_no_keys() {
        let mut pace = ScrubPace::full();
        pace.compared(1, Duration::from_secs(100));
        assert_eq!((pace.content_rows(), pace.key_rows()), (FULL_CYCLE_ROWS, 0));
    }

    #[test]
    fn a_range_of_wide_rows_holds_few_of_them() {
        assert_eq!(full_range_rows(1_000_000, 200), FULL_RANGE_ROWS_MAX);
        assert_eq!(full_range_rows(1_000, 1 << 20), 64);
        assert_eq!(full_range_rows(1, 1 << 30), 1);
        assert_eq!(full_range_rows(0, 1), RANGE_ROWS_MAX);
    }
}
