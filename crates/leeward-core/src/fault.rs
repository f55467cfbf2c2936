//! What can go wrong, and what is done about it. Faults are made at the edges as `{ kind, doing, cause }`; the decision
//! is one pure table. A fault never holds a secret or a row value: edges put codes and names into it, not server texts
//! that quote data.

use std::fmt;

use crate::name::{Side, TableName};

/// Something failed.
#[derive(Debug, thiserror::Error)]
pub struct Fault {
    /// What it is, which alone decides what happens next.
    pub kind: FaultKind,
    /// Where.
    pub side: Option<Side>,
    /// What was being done: a present-tense phrase, `read rows of shop.orders`.
    pub doing: String,
    /// The table, where one alone is concerned.
    pub table: Option<TableName>,
    /// What lies below, already free of secrets and row values.
    #[source]
    pub cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The kinds of fault that Leeward tells apart. "Did not happen" and "cannot know" are different kinds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultKind {
    /// The host name does not resolve.
    UnknownHost,
    /// Nothing answers, or the connection broke before anything was changed.
    Unreachable,
    /// No answer within the time-out; the peer may have vanished without a reset.
    TimedOut,
    /// COMMIT was sent and its answer was lost: read the mark back.
    OutcomeUnknown,
    /// TLS was required and could not be had or verified.
    Tls,
    /// User or password refused (1045).
    AccessDenied,
    /// A privilege is missing; the text is the GRANT to run.
    MissingGrant(String),
    /// The database does not exist (1049).
    UnknownDatabase(String),
    /// The server does not take writes now (1290, 1792, 1836; T33).
    ReadOnly,
    /// Deadlock or lock wait time-out (1213, 1205): the transaction did not happen.
    Conflict,
    /// The disk is full (1021, 1114, 3; RDS storage-full).
    DiskFull,
    /// Too many connections (1040, 1203).
    TooManyConnections,
    /// The table is not there (1146), dropped while Leeward ran.
    TableMissing,
    /// A column is not there (1054) or the table changed under the cut (1412; T12).
    TableChanged,
    /// A row or statement is larger than `max_allowed_packet` (1153, 1301; T24).
    PacketTooLarge,
    /// The target did not take rows exactly as they were sent (counts or warnings of a load; T42).
    RowsRefused,
    /// A table without a key has outgrown the rows up to which it is compared whole.
    Outgrown(u64),
    /// Triggers stand on a table of the target and would run for each row written; the text drops them (T28).
    Triggers(String),
    /// A unique index of the target refused a row, and the conflict could not be resolved from the cut.
    UniqueConflict,
    /// Another process has taken the lane over, or the target was promoted.
    LeaseLost,
    /// Another process has claimed the chunk, or its leader has taken it back: the load did not happen.
    ClaimLost,
    /// The stored plan does not fit what is there; the text says how.
    StalePlan(String),
    /// The person asked for something that is refused; the text says why and what to do.
    Refused(String),
    /// An object of a dump is missing or not what its manifest says; the text names it and says how.
    Damaged(String),
    /// The read views that showed the source at one moment are gone.
    MomentLost,
    /// A statement was refused for another reason, with the server's code.
    Server(u16),
    /// Something that should not be possible was seen.
    Unexpected,
    /// A stop was asked for.
    Stopped,
}

/// What is done about a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Try again with back-off; nothing happened that could do harm twice.
    Retry,
    /// Go on with the other tables; this one waits for its remedy.
    Quarantine {
        /// What a person can do.
        remedy: String,
    },
    /// The lane waits and looks again from time to time; status and readiness print the remedy.
    Block {
        /// What a person can do.
        remedy: String,
    },
    /// The process ends.
    Halt {
        /// What a person can do.
        remedy: String,
    },
}

impl Fault {
    /// Makes a fault of a kind while doing something.
    pub fn new(kind: FaultKind, doing: impl Into<String>) -> Self {
        Fault { kind, side: None, doing: doing.into(), table: None, cause: None }
    }

    /// Says on which server.
    pub fn on(mut self, side: Side) -> Self {
        self.side.get_or_insert(side);
        self
    }

    /// Says which table, unless an inner layer already has.
    pub fn of(mut self, table: &TableName) -> Self {
        self.table.get_or_insert_with(|| table.clone());
        self
    }

    /// Attaches the cause.
    pub fn because(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Returns it on one line with what lies below, for a log.
    pub fn explained(&self) -> String {
        match &self.cause {
            Some(cause) => format!("{self}: {cause}"),
            None => self.to_string(),
        }
    }

    /// Returns what is done about it: the one table of decisions.
    pub fn decision(&self) -> Decision {
        let block = |remedy: &str| Decision::Block { remedy: self.place(remedy) };
        let halt = |remedy: &str| Decision::Halt { remedy: self.place(remedy) };
        let for_table = |remedy: &str| match &self.table {
            Some(_) => Decision::Quarantine { remedy: self.place(remedy) },
            None => Decision::Block { remedy: self.place(remedy) },
        };
        match &self.kind {
            FaultKind::Unreachable | FaultKind::TimedOut | FaultKind::Conflict | FaultKind::OutcomeUnknown => {
                Decision::Retry
            }
            FaultKind::TooManyConnections | FaultKind::UnknownHost | FaultKind::ClaimLost => Decision::Retry,
            FaultKind::ReadOnly => block(
                "the {side} refuses writes; wait for its failover to end, or set read_only=0 in its parameter group",
            ),
            FaultKind::DiskFull => {
                block("free space on the {side} or raise its allocated storage; Leeward goes on by itself")
            }
            FaultKind::AccessDenied => block("check the user and password for the {side}, or rotate them back"),
            FaultKind::MissingGrant(grant) => block(&format!("run on the {{side}}: {grant}")),
            FaultKind::UnknownDatabase(name) => {
                block(&format!("database {name} is not on the {{side}}; create it or take it out of --databases"))
            }
            FaultKind::Tls => block(
                "check that the {side} offers TLS, that its certificate is for this host name, and that its CA is in the \
                 file given with --{side}-ca-file",
            ),
            FaultKind::TableMissing => for_table(
                "the table is gone on the {side}; if that was meant, run `leeward plan` again and drop it on the target",
            ),
            FaultKind::TableChanged => {
                for_table("the table's definition changed; apply the same change on the target: see `leeward status`")
            }
            FaultKind::PacketTooLarge => for_table("raise max_allowed_packet on the {side} to the other side's value"),
            FaultKind::RowsRefused => for_table(
                "the target did not take the rows unchanged; compare the table's definition and sql_mode on both sides",
            ),
            FaultKind::Outgrown(_) => for_table(
                "give the table a primary key and run `leeward plan` again, or raise keyless.rows in the policy",
            ),
            FaultKind::Triggers(drops) => {
                for_table(&format!("run on the {{side}}: {drops}; triggers belong there only after a failover"))
            }
            FaultKind::UniqueConflict => for_table(
                "a unique index of the target refuses rows that the source holds; compare its indexes on both sides",
            ),
            FaultKind::Server(code) => {
                for_table(&format!("look up server error {code} for the statement named; then start Leeward again"))
            }
            FaultKind::Damaged(_) => halt(
                "take another dump (`leeward snapshot list` shows those that are there), and look with `leeward snapshot \
                 verify` what else of this one is damaged; nothing of the chunk was committed",
            ),
            FaultKind::MomentLost => halt(
                "start it again: it begins anew, since the moment that it showed is gone. With --spread it promises no \
                 single moment, and can go on",
            ),
            FaultKind::LeaseLost => {
                halt("another Leeward owns this lane, or the target was promoted; see `leeward status`")
            }
            FaultKind::StalePlan(_) => halt("run `leeward plan` again and review it"),
            FaultKind::Refused(remedy) => halt(remedy),
            FaultKind::Unexpected => halt("this is a defect of Leeward; nothing was committed. Report what is above"),
            FaultKind::Stopped => halt("stopped as asked; start it again to go on"),
        }
    }

    fn place(&self, remedy: &str) -> String {
        remedy.replace("{side}", &self.side.map_or("server".to_owned(), |side| side.to_string()))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.doing)?;
        if let Some(side) = self.side {
            write!(f, " on the {side}")?;
        }
        if let Some(table) = &self.table
            && !self.doing.contains(&table.to_string())
        {
            write!(f, " (table {table})")?;
        }
        write!(f, ": {}", self.kind)
    }
}

impl FaultKind {
    /// Returns its name in one word, for metrics: it never holds what the kind carries.
    pub fn word(&self) -> &'static str {
        match self {
            FaultKind::UnknownHost => "unknown_host",
            FaultKind::Unreachable => "unreachable",
            FaultKind::TimedOut => "timed_out",
            FaultKind::OutcomeUnknown => "outcome_unknown",
            FaultKind::Tls => "tls",
            FaultKind::AccessDenied => "access_denied",
            FaultKind::MissingGrant(_) => "missing_grant",
            FaultKind::UnknownDatabase(_) => "unknown_database",
            FaultKind::ReadOnly => "read_only",
            FaultKind::Conflict => "conflict",
            FaultKind::DiskFull => "disk_full",
            FaultKind::TooManyConnections => "too_many_connections",
            FaultKind::TableMissing => "table_missing",
            FaultKind::TableChanged => "table_changed",
            FaultKind::PacketTooLarge => "packet_too_large",
            FaultKind::RowsRefused => "rows_refused",
            FaultKind::Outgrown(_) => "outgrown",
            FaultKind::Triggers(_) => "triggers",
            FaultKind::UniqueConflict => "unique_conflict",
            FaultKind::LeaseLost => "lease_lost",
            FaultKind::ClaimLost => "claim_lost",
            FaultKind::StalePlan(_) => "stale_plan",
            FaultKind::Refused(_) => "refused",
            FaultKind::Damaged(_) => "damaged",
            FaultKind::MomentLost => "moment_lost",
            FaultKind::Server(_) => "server",
            FaultKind::Unexpected => "unexpected",
            FaultKind::Stopped => "stopped",
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            FaultKind::UnknownHost => "the host name does not resolve",
            FaultKind::Unreachable => "the server does not answer or the connection broke",
            FaultKind::TimedOut => "no answer in time",
            FaultKind::OutcomeUnknown => "the answer to COMMIT was lost, so it is not known yet whether it happened",
            FaultKind::Tls => "no verified TLS connection could be made",
            FaultKind::AccessDenied => "user or password refused",
            FaultKind::MissingGrant(grant) => return write!(f, "a privilege is missing; run: {grant}"),
            FaultKind::UnknownDatabase(name) => return write!(f, "database {name} does not exist"),
            FaultKind::ReadOnly => "the server is read-only now",
            FaultKind::Conflict => "deadlock or lock wait time-out",
            FaultKind::DiskFull => "the disk is full",
            FaultKind::TooManyConnections => "too many connections",
            FaultKind::TableMissing => "the table does not exist",
            FaultKind::TableChanged => "the table's definition changed",
            FaultKind::PacketTooLarge => "a row is larger than max_allowed_packet",
            FaultKind::RowsRefused => "the target did not take the rows exactly as sent",
            FaultKind::Outgrown(rows_max) => {
                return write!(f, "the table has no key and has outgrown {rows_max} rows");
            }
            FaultKind::Triggers(_) => "the table has triggers, which would run for each row",
            FaultKind::UniqueConflict => "a unique index refused a row",
            FaultKind::LeaseLost => "the lease is no longer ours",
            FaultKind::ClaimLost => "the chunk is no longer ours",
            FaultKind::StalePlan(how) => return write!(f, "the stored plan is stale: {how}"),
            FaultKind::Refused(why) => return f.write_str(why),
            FaultKind::Damaged(what) => return f.write_str(what),
            FaultKind::MomentLost => "the connections that saw the source at one moment broke",
            FaultKind::Server(code) => return write!(f, "server error {code}"),
            FaultKind::Unexpected => "unexpected state",
            FaultKind::Stopped => "stopped",
        };
        f.write_str(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_one_table_never_stops_the_others_t7() {
        let dropped = Fault::new(FaultKind::TableMissing, "read rows").of(&TableName::new("shop", "orders"));
        assert!(matches!(dropped.decision(), Decision::Quarantine { .. }));
        let lane_wide = Fault::new(FaultKind::TableMissing, "read the control schema");
        assert!(matches!(lane_wide.decision(), Decision::Block { .. }));
    }

    #[test]
    fn a_lost_commit_is_not_taken_for_a_failed_one() {
        assert_eq!(Fault::new(FaultKind::OutcomeUnknown, "commit").decision(), Decision::Retry);
        assert_ne!(FaultKind::OutcomeUnknown, FaultKind::Unreachable);
    }

    #[test]
    fn remedies_name_the_side() {
        let fault = Fault::new(FaultKind::DiskFull, "apply a cut").on(Side::Target);
        let Decision::Block { remedy } = fault.decision() else { panic!("a full disk blocks") };
        assert!(remedy.contains("target"), "{remedy}");
        assert_eq!(fault.to_string(), "apply a cut on the target: the disk is full");
    }
}
