//! The settings of every session, in one list, and the one statement that applies them.

use std::time::Duration;

use leeward_core::name::Side;

/// Which sessions a setting is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Both sides, MariaDB and MySQL.
    All,
    /// Both sides, MySQL only.
    MySql,
    /// The target only.
    Target,
    /// The target only, where it is MariaDB of this version or newer.
    MariaDbTarget(u32),
}

/// Assignments made by one SET, in this order. Lock waits are added to it, since they follow from the read time-out;
/// the character set (`NAMES binary`) and the transaction's characteristics have statements of their own.
pub const SESSION_SETTINGS: &[(Scope, &str)] = &[
    // Faults are told apart by code, but grants, keys and names are read from English texts.
    (Scope::All, "lc_messages='en_US'"),
    // TIMESTAMP cells are text in UTC on both sides, for reading, writing and comparing (T22).
    (Scope::All, "time_zone='+00:00'"),
    // Strict, so that a value that does not fit is an error and not a changed value. Ids of 0 and dates such as
    // 0000-00-00 and 2020-02-30 are kept as the source holds them (T22).
    (Scope::All, "sql_mode='STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION'"),
    // A session can inherit autocommit=0 from the server's init_connect.
    (Scope::All, "autocommit=1"),
    // A reader whose writer is slow, and a loader whose reader is slow, must not be cut off: the server's own limits
    // are 30 s and 60 s. The waits are bounded by our own time-outs.
    (Scope::All, "net_read_timeout=600"),
    (Scope::All, "net_write_timeout=600"),
    // Row counts and AUTO_INCREMENT would otherwise be up to a day old (T35).
    (Scope::MySql, "information_schema_stats_expiry=0"),
    // Rows arrive in any order of tables, and the source has checked them; cascades would change rows twice.
    (Scope::Target, "foreign_key_checks=0"),
    // Off, InnoDB may skip the check of secondary unique indexes and keep what it must refuse.
    (Scope::Target, "unique_checks=1"),
    // On MariaDB whoever writes can switch CHECK off for a session; what came in so is kept as the source holds it.
    (Scope::MariaDbTarget(100_201), "check_constraint_checks=0"),
    // On by default since 11.6.2: a row that was changed since the snapshot may not be locked then (error 1020). The lease is such a
    // row, which the heartbeat renews while a cycle is under way; what is proved of it is its newest version.
    (Scope::MariaDbTarget(110_602), "innodb_snapshot_isolation=0"),
];

/// Longest wait for a row or metadata lock, in seconds. An application that holds one longer is waited for by trying
/// again, in a new transaction, rather than by sitting in the source's queue of metadata locks, where every later
/// statement of the application would wait behind us.
const LOCK_WAIT_S_MAX: u64 = 20;

/// Returns the statements that make a session ours, for one round trip.
pub(super) fn statements(side: Side, read: Duration) -> String {
    // The server must answer before our own time-out takes the connection for dead.
    let lock_wait_s = (read.as_secs() / 2).clamp(1, LOCK_WAIT_S_MAX);
    let mut assignments = format!("lock_wait_timeout={lock_wait_s},innodb_lock_wait_timeout={lock_wait_s}");
    for (scope, assignment) in SESSION_SETTINGS {
        match scope {
            Scope::All => assignments.push_str(&format!(",{assignment}")),
            // MariaDB ignores comments of MySQL 5.7 to 9.99, so this needs no knowledge of the server.
            Scope::MySql => assignments.push_str(&format!(" /*!80000 ,{assignment} */")),
            Scope::Target if side == Side::Target => assignments.push_str(&format!(",{assignment}")),
            // MySQL takes this for a plain comment.
            Scope::MariaDbTarget(since) if side == Side::Target => {
                assignments.push_str(&format!(" /*M!{since} ,{assignment} */"));
            }
            Scope::Target | Scope::MariaDbTarget(_) => {}
        }
    }
    // Leeward never writes to the source: the source's own server sees to that.
    let access = match side {
        Side::Source => "READ ONLY",
        Side::Target => "READ WRITE",
    };
    format!(
        "SET NAMES binary; SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, {access}; SET SESSION {assignments}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_is_read_only_and_the_target_checks_unique_keys() {
        let source = statements(Side::Source, Duration::from_secs(60));
        assert!(source.contains("READ ONLY") && !source.contains("foreign_key_checks"), "{source}");
        let target = statements(Side::Target, Duration::from_secs(60));
        assert!(target.contains("READ WRITE") && target.contains("foreign_key_checks=0"), "{target}");
        assert!(target.contains("unique_checks=1"), "{target}");
        assert!(target.contains("/*M!110602 ,innodb_snapshot_isolation=0 */"), "{target}");
    }

    #[test]
    fn lock_waits_end_before_the_read_time_out() {
        for (read_s, expected) in [(60, 20), (10, 5), (1, 1)] {
            let sql = statements(Side::Source, Duration::from_secs(read_s));
            assert!(sql.contains(&format!("SESSION lock_wait_timeout={expected},")), "{sql}");
        }
    }
}
