//! What schedules have reached: without it, a simulator that finds nothing may be one that tries nothing.

/// Something worth reaching.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Reached {
    Cycle,
    LiveCycle,
    BehindCycle,
    LateCommit,
    LockedStatement,
    FunctionStatement,
    RowLockWait,
    Prepared,
    PreparedCommit,
    Rollback,
    LockTables,
    LockedRead,
    Truncate,
    ClearedCut,
    KeyChange,
    UniqueSwap,
    Owed,
    ClockBack,
    ClockForward,
    Restart,
    Failover,
    CountersLost,
    StaleLook,
    HeldMark,
    TakenUp,
    RestedCut,
    ReadAgain,
    Crash,
    TakeOver,
    LeaseLost,
    LostCommit,
    LostRollback,
    Conflict,
    Fault,
    Repair,
    DeleteFound,
    BehindClockFound,
    Brake,
    Quarantine,
    Readmitted,
}

/// Everything, in the order of the enum, with the words for it.
pub(crate) const REACHED: [(Reached, &str); 40] = [
    (Reached::Cycle, "cycles committed"),
    (Reached::LiveCycle, "cycles that left the lane live"),
    (Reached::BehindCycle, "cycles that left a table behind (batch full)"),
    (Reached::LateCommit, "commits below a clock that Leeward had seen before"),
    (Reached::LockedStatement, "stages of statements waiting for a metadata lock"),
    (Reached::FunctionStatement, "statements that compute a stored function first"),
    (Reached::RowLockWait, "stages of statements waiting for a row"),
    (Reached::Prepared, "XA PREPARE"),
    (Reached::PreparedCommit, "XA COMMIT"),
    (Reached::Rollback, "rollbacks of written rows"),
    (Reached::LockTables, "LOCK TABLES"),
    (Reached::LockedRead, "looks and cuts that met a locked table"),
    (Reached::Truncate, "TRUNCATE"),
    (Reached::ClearedCut, "cuts of a table that was truncated since"),
    (Reached::KeyChange, "changed primary keys"),
    (Reached::UniqueSwap, "swapped unique values"),
    (Reached::Owed, "rows taken out for a unique value"),
    (Reached::ClockBack, "steps back of the source's clock"),
    (Reached::ClockForward, "steps forward of the source's clock"),
    (Reached::Restart, "restarts of the source"),
    (Reached::Failover, "failovers of the source to another server"),
    (Reached::CountersLost, "AUTO_INCREMENT counters lost"),
    (Reached::StaleLook, "looks that were not fresh"),
    (Reached::HeldMark, "cycles with a mark held by somebody"),
    (Reached::TakenUp, "barriers taken up from what was stored"),
    (Reached::RestedCut, "cuts read from resting marks"),
    (Reached::ReadAgain, "cuts read again from the marks, because what they rested on had moved"),
    (Reached::Crash, "crashes of Leeward"),
    (Reached::TakeOver, "take-overs from a process that stood still"),
    (Reached::LeaseLost, "turns that ended because the lease was lost"),
    (Reached::LostCommit, "lost answers to a COMMIT that had happened"),
    (Reached::LostRollback, "lost answers to a COMMIT that had not"),
    (Reached::Conflict, "deadlocks on the target"),
    (Reached::Fault, "broken connections"),
    (Reached::Repair, "ranges repaired"),
    (Reached::DeleteFound, "deleted rows found by comparing"),
    (Reached::BehindClockFound, "changed or added rows found by comparing"),
    (Reached::Brake, "tables stopped by the brake"),
    (Reached::Quarantine, "tables quarantined"),
    (Reached::Readmitted, "tables readmitted"),
];

/// How often each was reached.
#[derive(Debug, Clone)]
pub struct Coverage {
    counts: [u64; REACHED.len()],
}

impl Default for Coverage {
    fn default() -> Self {
        Coverage { counts: [0; REACHED.len()] }
    }
}

impl Coverage {
    pub(crate) fn count(&mut self, reached: Reached) {
        self.counts[reached as usize] += 1;
    }

    /// Adds another's counts.
    pub fn add(&mut self, other: &Coverage) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
    }

    /// Returns each count with its words.
    pub fn lines(&self) -> impl Iterator<Item = (u64, &'static str)> + '_ {
        REACHED.iter().map(|&(reached, words)| (self.counts[reached as usize], words))
    }

    /// Returns the words of what was never reached.
    pub fn missing(&self) -> Vec<&'static str> {
        self.lines().filter(|(count, _)| *count == 0).map(|(_, words)| words).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_counter_has_its_own_words() {
        for (at, (reached, _)) in REACHED.iter().enumerate() {
            assert_eq!(*reached as usize, at);
        }
    }
}
