//! What kind of schedule a seed makes. Each schedule leaves most hazards out (swarm testing): ten hazards at once hide
//! each other, and a failure with three shrinks to something that can be read.

use leeward_core::plan::FenceMode;

use crate::breakage::Break;
use crate::random::{Random, Stream};
use crate::shape::{Kind, Terms};

/// Something that may go wrong or awkwardly in a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Hazard {
    /// LOCK TABLES.
    Locks,
    /// XA PREPARE.
    Xa,
    /// Rollbacks, which leave gaps in ids.
    Rollback,
    /// Deletes.
    Deletes,
    /// Changed and chosen primary keys.
    Keys,
    /// Unique values that change hands.
    Unique,
    /// TRUNCATE.
    Truncate,
    /// Updates that leave the clock as it was.
    Silent,
    /// Bulk inserts and updates.
    Bulk,
    /// Statements that compute a stored function before they open a table.
    Functions,
    /// Changes of insert-only and static tables.
    Contradictions,
    /// Restarts and failovers of the source.
    Restart,
    /// Steps of the source's clock.
    ClockSteps,
    /// Looks that are not fresh.
    StaleLooks,
    /// Crashes of Leeward.
    Crash,
    /// Broken connections and deadlocks.
    Faults,
    /// Lost answers to COMMIT.
    LostCommit,
    /// Another process takes the lease while this one stands still.
    TakeOver,
    /// Small batches.
    SmallBatch,
    /// Long pauses: transactions and locks that last many seconds.
    Long,
}

impl Hazard {
    /// All of them.
    pub(crate) const ALL: [Hazard; 20] = [
        Hazard::Locks,
        Hazard::Xa,
        Hazard::Rollback,
        Hazard::Deletes,
        Hazard::Keys,
        Hazard::Unique,
        Hazard::Truncate,
        Hazard::Silent,
        Hazard::Bulk,
        Hazard::Functions,
        Hazard::Contradictions,
        Hazard::Restart,
        Hazard::ClockSteps,
        Hazard::StaleLooks,
        Hazard::Crash,
        Hazard::Faults,
        Hazard::LostCommit,
        Hazard::TakeOver,
        Hazard::SmallBatch,
        Hazard::Long,
    ];

    pub(crate) fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// A set of hazards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hazards(u32);

impl Hazards {
    /// All of them.
    pub const ALL: Hazards = Hazards(!0);

    /// Returns the set without the hazard of this name, or the names that there are.
    pub fn without_named(self, name: &str) -> Result<Hazards, String> {
        let called = |hazard: &&Hazard| format!("{hazard:?}").eq_ignore_ascii_case(name);
        let names: Vec<String> = Hazard::ALL.iter().map(|hazard| format!("{hazard:?}")).collect();
        let found = Hazard::ALL.iter().find(called);
        found.map(|hazard| self.without(*hazard)).ok_or_else(|| format!("{name} is none of {}", names.join(", ")))
    }

    /// Returns the set without one.
    pub(crate) fn without(self, hazard: Hazard) -> Hazards {
        Hazards(self.0 & !hazard.bit())
    }

    /// Returns whether one is in the set.
    pub(crate) fn has(self, hazard: Hazard) -> bool {
        self.0 & hazard.bit() != 0
    }
}

/// The kind of one schedule.
#[derive(Debug, Clone)]
pub(crate) struct Style {
    hazards: Hazards,
    /// The plan's terms.
    pub terms: Terms,
    /// How many clients the application has.
    pub clients: usize,
    /// How many steps the world takes in all.
    pub steps_max: u32,
    /// How many turns Leeward takes.
    pub turns: u32,
    /// The world takes steps at the beginning of a call once in this many.
    pub calm: u32,
    /// The same inside of calls: between the parts of a look, between the tables of a cut.
    pub calm_inside: u32,
    /// Whether XA PREPARE frees its thread at once (MySQL's `xa_detach_on_prepare`).
    pub detaches: bool,
    /// Whether the process list numbers statements (MariaDB).
    pub numbers_statements: bool,
    /// Rows in one compared range.
    pub chunk_rows: u64,
    /// Rows of a window from which on a resting mark pays.
    pub resting_pays_rows: u64,
    /// Rows in each table at first.
    pub rows: u32,
    /// Whether the target starts as a full copy.
    pub copied: bool,
}

impl Style {
    /// Draws the style of a seed.
    pub(crate) fn draw(seed: u64, allowed: Hazards, broken: Option<Break>) -> Style {
        let mut random = Random::new(seed, Stream::Style, 0);
        // One bit in three on average.
        let drawn = (random.bits() & (random.bits() | random.bits() & random.bits())) as u32;
        let mut hazards = Hazards((drawn | broken.map_or(0, Break::needs)) & allowed.0);
        // A clock that is set back while nobody looks, and has caught up since, is noticed by nobody.
        if hazards.has(Hazard::Crash) || hazards.has(Hazard::TakeOver) {
            hazards = hazards.without(Hazard::ClockSteps);
        }
        let mut kinds: Vec<Kind> = Kind::ALL.to_vec();
        while kinds.len() > 2 + (random.below(2) as usize) {
            kinds.remove(random.below(kinds.len() as u32) as usize);
        }
        let terms = Terms {
            kinds,
            fence: broken.map_or(FenceMode::Proved, Break::fence),
            batch_rows_max: if hazards.has(Hazard::SmallBatch) { 1 + u64::from(random.below(4)) } else { 1_000 },
            brake_rows: u64::from(random.below(4)),
            pass_interval_s: u64::from(random.below(8)),
            keys_interval_s: u64::from(random.below(8)),
        };
        Style {
            hazards,
            terms,
            clients: 2 + random.below(3) as usize,
            steps_max: 20 + random.below(41),
            turns: 4 + random.below(7),
            calm: 1 + random.below(8),
            calm_inside: 1 + random.below(8),
            detaches: random.one_in(2),
            numbers_statements: random.one_in(2),
            chunk_rows: if random.one_in(2) { 1 + u64::from(random.below(4)) } else { 1_000 },
            resting_pays_rows: if random.one_in(2) { u64::from(random.below(3)) } else { 1_000 },
            rows: random.below(6),
            copied: random.one_in(2),
        }
    }

    /// Returns whether the schedule has a hazard.
    pub(crate) fn has(&self, hazard: Hazard) -> bool {
        self.hazards.has(hazard)
    }

    /// Prints the schedule's kind.
    pub(crate) fn text(&self) -> String {
        let hazards: Vec<String> =
            Hazard::ALL.iter().filter(|one| self.has(**one)).map(|one| format!("{one:?}")).collect();
        let tables: Vec<String> =
            self.terms.kinds.iter().enumerate().map(|(at, kind)| format!("{at}={}", kind.name())).collect();
        format!(
            "tables {}; {} clients; batch of {}; brake at {} rows; compares {} rows at once; pass every {} s; {}; {}; \
             hazards: {}",
            tables.join(" "),
            self.clients,
            self.terms.batch_rows_max,
            self.terms.brake_rows,
            self.chunk_rows,
            self.terms.pass_interval_s,
            if self.numbers_statements { "statements are numbered" } else { "statements have an age only" },
            if self.detaches { "XA PREPARE frees its thread" } else { "XA PREPARE keeps its thread" },
            hazards.join(", ")
        )
    }
}
