//! Ways to break Leeward on purpose, each at a port: the engine's own code stays as it is. A simulator that did not find
//! these would prove nothing by finding nothing.

use leeward_core::plan::FenceMode;

use crate::style::Hazard;

/// One way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// Marks follow the clock five seconds behind, as overlap windows do.
    Overlap,
    /// Marks follow the start of the oldest open transaction.
    OldestTransaction,
    /// The list of transactions may be an older one.
    StaleLook,
    /// Transactions are read before threads.
    TransactionsFirst,
    /// Statements without a transaction are not seen.
    StatementsUnseen,
    /// Prepared transactions without a thread are not seen.
    PreparedUnseen,
    /// That a transaction is being committed is not seen.
    CommittingUnseen,
    /// Whoever takes a stored barrier up does not know who was noted.
    HoldersForgotten,
    /// A cut that was read from resting marks is taken for proved by the look before it.
    LookAfterLeftOut,
    /// The cut shows what was there before the look.
    CutBeforeLook,
    /// Each table is read in a view of its own.
    ViewPerTable,
    /// The cut's clock is read after its view was opened.
    ClockAfterView,
    /// A window begins after its first stamp instead of at it.
    TiesLost,
    /// Marks are stored before their rows.
    MarkFirst,
    /// Rows taken out for a unique value are not told of.
    OwedForgotten,
    /// The lease is not proved before COMMIT.
    LeaseUnproved,
    /// A lost answer to COMMIT is taken for a commit that did not happen.
    LostCommitDenied,
    /// The target says that it equals the source without looking.
    DigestsBlind,
    /// The same of keys alone.
    KeysBlind,
    /// A row that meets a unique conflict is dropped, as INSERT IGNORE does.
    RowsIgnored,
}

impl Break {
    /// All of them with their names.
    pub const ALL: [(&'static str, Break); 20] = [
        ("overlap", Break::Overlap),
        ("oldest-transaction", Break::OldestTransaction),
        ("stale-look", Break::StaleLook),
        ("transactions-first", Break::TransactionsFirst),
        ("statements-unseen", Break::StatementsUnseen),
        ("prepared-unseen", Break::PreparedUnseen),
        ("committing-unseen", Break::CommittingUnseen),
        ("holders-forgotten", Break::HoldersForgotten),
        ("look-after-left-out", Break::LookAfterLeftOut),
        ("cut-before-look", Break::CutBeforeLook),
        ("view-per-table", Break::ViewPerTable),
        ("clock-after-view", Break::ClockAfterView),
        ("ties-lost", Break::TiesLost),
        ("mark-first", Break::MarkFirst),
        ("owed-forgotten", Break::OwedForgotten),
        ("lease-unproved", Break::LeaseUnproved),
        ("lost-commit-denied", Break::LostCommitDenied),
        ("digests-blind", Break::DigestsBlind),
        ("keys-blind", Break::KeysBlind),
        ("rows-ignored", Break::RowsIgnored),
    ];

    /// Returns the one of this name.
    pub fn named(name: &str) -> Option<Break> {
        Break::ALL.into_iter().find(|(own, _)| *own == name).map(|(_, broken)| broken)
    }

    /// Returns the hazards that it takes to see this, one bit each: every schedule has them.
    pub(crate) fn needs(self) -> u32 {
        match self {
            Break::TransactionsFirst => Hazard::Functions.bit() | Hazard::Long.bit(),
            _ => 0,
        }
    }

    /// Returns how the plan makes marks safe under this.
    pub(crate) fn fence(self) -> FenceMode {
        let window = |overlap_s| FenceMode::Window { overlap_s, why: "broken on purpose".into() };
        match self {
            Break::Overlap => window(5),
            Break::OldestTransaction => window(0),
            _ => FenceMode::Proved,
        }
    }
}
