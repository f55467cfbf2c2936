//! Looks at one side.

use super::{Answer, DoctorFacts, Route, Said, SideFacts, Unseen, is_on, seen};
use crate::grants::needs::{TargetUse, account_need, source_needs, target_needs};
use crate::grants::{Grants, Importance, Need, Scope};
use crate::name::{SYSTEM_SCHEMAS, Side};
use crate::server::{Flavor, Version};

/// Past this a server is not "a bit off": after a failover the application would stamp rows in the past of those it
/// already wrote, and time-limited log-ins begin to be refused.
const CLOCK_FAIL_MS: u64 = 60_000;
/// Servers that keep time by NTP stay within some milliseconds; a second means that one does not.
const CLOCK_WARN_MS: u64 = 1_000;

/// The oldest versions that Leeward is tested with.
pub(super) fn version(facts: &DoctorFacts, side: Side) -> Answer {
    let server = &facts.side(side)?.server;
    let floor = match server.flavor {
        Flavor::MariaDb => Version(10, 6, 0),
        Flavor::MySql => Version(8, 0, 0),
    };
    Ok(if server.version >= floor {
        Said::ok(format!("{} {}", server.flavor, server.version))
    } else {
        Said::fail(
            format!("{} {} is older than {floor}", server.flavor, server.version),
            format!("upgrade the {side} to {} {floor} or later", server.flavor),
        )
    })
}

/// Only `verify-identity` proves whom we talk to.
pub(super) fn tls(facts: &DoctorFacts, side: Side) -> Answer {
    let tls = &facts.side(side)?.tls;
    let how = match &tls.cipher {
        Some(cipher) => format!("TLS mode {}, {cipher}", tls.mode),
        None => format!("TLS mode {}, in clear text", tls.mode),
    };
    let remedy = format!("use --{side}-tls verify-identity with --{side}-ca-file FILE (on RDS: AWS's global bundle)");
    Ok(match (tls.route, tls.mode.as_str(), &tls.cipher) {
        (Route::Loopback, ..) => Said::ok(format!("{how}; the connection does not leave this machine")),
        (Route::Network, "verify-identity", Some(_)) => Said::ok(how),
        (Route::Network, _, Some(_)) => Said::warn(format!("{how}: another server could answer in its place"), remedy),
        (Route::Network, _, None) => Said::warn(format!("{how}: anybody on the way can read and change it"), remedy),
    })
}

/// Every database asked for is there and is the user's own.
pub(super) fn databases(facts: &DoctorFacts) -> Answer {
    if facts.schemas.is_empty() {
        return Ok(Said::fail("no database was named", "name them with --databases a,b"));
    }
    let system: Vec<&str> = facts
        .schemas
        .iter()
        .map(String::as_str)
        .filter(|schema| SYSTEM_SCHEMAS.iter().any(|system| system.eq_ignore_ascii_case(schema)))
        .collect();
    if !system.is_empty() {
        return Ok(Said::fail(
            format!("{} belongs to the server or to Leeward itself", system.join(", ")),
            "take it out of --databases",
        ));
    }
    let there = seen(&facts.side(Side::Source)?.schemas, "the source's databases")?;
    let lacking = |schema: &&String| !there.iter().any(|known| known.name == **schema);
    let missing: Vec<String> = facts.schemas.iter().filter(lacking).cloned().collect();
    if missing.is_empty() {
        return Ok(Said::ok(facts.schemas.join(", ")));
    }
    let near: Vec<&str> = there
        .iter()
        .map(|known| known.name.as_str())
        .filter(|known| missing.iter().any(|name| name.eq_ignore_ascii_case(known)))
        .collect();
    let hint = if near.is_empty() { String::new() } else { format!("; there is {}: case matters", near.join(", ")) };
    Ok(Said::fail(
        format!("{} is not on the source, or its account may not see it{hint}", missing.join(", ")),
        "correct --databases, or grant SELECT on it to the source's account",
    ))
}

/// SELECT and PROCESS are needed, the rest is for views, routines, triggers and events.
pub(super) fn source_privileges(facts: &DoctorFacts) -> Answer {
    let side = facts.side(Side::Source)?;
    privileges(side, Side::Source, &source_needs(&side.server, &facts.schemas))
}

/// What the target's account needs for the purpose asked.
pub(super) fn target_privileges(facts: &DoctorFacts) -> Answer {
    let side = facts.side(Side::Target)?;
    privileges(side, Side::Target, &target_needs(&side.server, &facts.schemas, facts.purpose))
}

/// Readiness compares accounts; without the privilege its blocker ACC-04 stays unknown.
pub(super) fn account_privileges(facts: &DoctorFacts) -> Answer {
    let mut remedies = Vec::new();
    let mut blind = Vec::new();
    for side in [Side::Source, Side::Target] {
        let seen_side = facts.side(side)?;
        let grants = grants_of(seen_side, side)?;
        for need in grants.missing(&[account_need()]) {
            blind.push(format!("the {side}'s account {} cannot read accounts", seen_side.account));
            remedies.push(on(side, &need.grant_statement(&seen_side.account, grants.schema_names())));
        }
    }
    Ok(match blind.is_empty() {
        true => Said::ok("both accounts can read them"),
        false => Said::warn(format!("{}: {}", blind.join("; "), account_need().why), remedies.join("\n")),
    })
}

fn privileges(side_facts: &SideFacts, side: Side, needs: &[Need]) -> Answer {
    let grants = grants_of(side_facts, side)?;
    let missing = grants.missing(needs);
    if missing.is_empty() {
        return Ok(Said::ok(format!("{} has all of them", side_facts.account)));
    }
    if grants.unread() > 0 {
        return Err(Unseen {
            why: format!("{} lines of SHOW GRANTS on the {side} could not be read", grants.unread()),
            remedy: Some("run SHOW GRANTS as that account and compare with the README's list".to_owned()),
        });
    }
    let detail: Vec<String> = missing
        .iter()
        .map(|need| format!("{} on {} is missing, {}", need.privileges.join(", "), need.on, need.why))
        .collect();
    let remedy: Vec<String> = missing
        .iter()
        .flat_map(|need| {
            let other = need.instead.iter().map(|need| ("or ", need.as_ref()));
            [("", need)].into_iter().chain(other)
        })
        .map(|(or, need)| {
            format!("{or}{}", on(side, &need.grant_statement(&side_facts.account, grants.schema_names())))
        })
        .collect();
    let required = missing.iter().any(|need| need.importance == Importance::Required);
    Ok(match required {
        true => Said::fail(detail.join("; "), remedy.join("\n")),
        false => Said::warn(detail.join("; "), remedy.join("\n")),
    })
}

fn grants_of(facts: &SideFacts, side: Side) -> Result<&Grants, Unseen> {
    seen(&facts.grants, &format!("SHOW GRANTS on the {side}"))
}

fn on(side: Side, statement: &str) -> String {
    format!("on the {side}: {statement}")
}

/// Returns whether a side is a replica. Of the privileges that show it, PROCESS is the one that RDS's master user can
/// grant on every version (`rds.md` §1.1).
fn is_replica(facts: &SideFacts, side: Side) -> Result<bool, Unseen> {
    let process = Need::required(&["PROCESS"], Scope::Global, "to see whether the server applies a replication stream");
    seen(&facts.server.is_replica, &format!("whether the {side} is a replica")).copied().map_err(|unseen| {
        let lacking = facts.grants.known().filter(|grants| !grants.missing(std::slice::from_ref(&process)).is_empty());
        let statement = |grants: &Grants| on(side, &process.grant_statement(&facts.account, grants.schema_names()));
        Unseen { remedy: lacking.map(statement), ..unseen }
    })
}

/// A replica's NOW() is the past of rows that it has yet to receive, so that no mark can be proved there.
pub(super) fn source_replica(facts: &DoctorFacts) -> Answer {
    Ok(match is_replica(facts.side(Side::Source)?, Side::Source)? {
        false => Said::ok("it applies no replication stream"),
        true => Said::warn(
            "the source applies a replication stream: marks cannot be proved there and an overlap window is used",
            "name the primary as the source, or accept it: the plan says `unproven` and the scrub finds what is missed",
        ),
    })
}

/// Two writers on one copy contradict each other.
pub(super) fn target_replica(facts: &DoctorFacts) -> Answer {
    Ok(match (is_replica(facts.side(Side::Target)?, Side::Target)?, facts.purpose) {
        (false, _) => Said::ok("it applies no replication stream"),
        (true, TargetUse::Verify) => Said::ok("it applies a replication stream; it is only compared"),
        (true, TargetUse::Keep) => Said::fail(
            "the target applies a replication stream, so that two writers would change it",
            "use `leeward verify` and `leeward readiness` beside native replication, or name another target",
        ),
    })
}

/// A read-only target is fine only for accounts that stand above it.
pub(super) fn target_writable(facts: &DoctorFacts) -> Answer {
    let side = facts.side(Side::Target)?;
    let mut on = Vec::new();
    for name in ["super_read_only", "innodb_read_only", "read_only"] {
        // MariaDB has no super_read_only; the two others exist everywhere.
        if name == "super_read_only" && side.server.flavor == Flavor::MariaDb {
            continue;
        }
        if is_on(side.variable(name)?) {
            on.push(name);
        }
    }
    let above = |grants: &Grants| {
        let words = match side.server.flavor {
            Flavor::MariaDb => ["READ ONLY ADMIN", "READ_ONLY ADMIN"],
            Flavor::MySql => ["CONNECTION_ADMIN", "SUPER"],
        };
        words.iter().any(|word| grants.has(word, &Scope::Global))
    };
    let exempt = on == ["read_only"] && side.grants.known().is_some_and(above);
    Ok(match (on.is_empty(), facts.purpose) {
        (true, _) => Said::ok("read_only is off"),
        (false, TargetUse::Verify) => Said::ok(format!("{} is on; it is only compared", on.join(", "))),
        (false, TargetUse::Keep) if exempt => Said::ok("read_only is on, and Leeward's account stands above it"),
        (false, TargetUse::Keep) => Said::fail(
            format!("{} is on", on.join(", ")),
            "set read_only=0 in the target's parameter group (elsewhere: SET GLOBAL read_only=0), or name the writer",
        ),
    })
}

/// Each server's clock against this machine's.
pub(super) fn clock(facts: &DoctorFacts, side: Side) -> Answer {
    let clock = seen(&facts.side(side)?.clock, &format!("the {side}'s clock"))?;
    let detail = format!("{:+} ms (± {} ms) against this machine", clock.offset_ms, clock.uncertainty_ms);
    let sure_ms = clock.offset_ms.unsigned_abs().saturating_sub(clock.uncertainty_ms);
    let remedy =
        format!("compare `date -u` here with SELECT UTC_TIMESTAMP(6) on the {side}; set right the one that is off");
    Ok(judge_clock(sure_ms, detail, remedy))
}

/// Judges a difference of clocks that is certain to be at least `sure_ms`.
pub(super) fn judge_clock(sure_ms: u64, detail: String, remedy: String) -> Said {
    if sure_ms > CLOCK_FAIL_MS {
        Said::fail(detail, remedy)
    } else if sure_ms > CLOCK_WARN_MS {
        Said::warn(detail, remedy)
    } else {
        Said::ok(detail)
    }
}

/// Without it rows go as INSERT statements, which cost the target 20 to 30 % more.
pub(super) fn local_infile(facts: &DoctorFacts) -> Answer {
    let value = facts.side(Side::Target)?.variable("local_infile")?;
    Ok(match is_on(value) {
        true => Said::ok("local_infile is on"),
        false => Said::warn(
            "local_infile is off: the seed falls back to INSERT, which is slower and just as exact",
            "set local_infile=1 in the target's parameter group (elsewhere: SET GLOBAL local_infile=1)",
        ),
    })
}

/// A table that names no engine takes the default one.
pub(super) fn default_engine(facts: &DoctorFacts) -> Answer {
    let value = facts.side(Side::Target)?.variable("default_storage_engine")?;
    Ok(match value.eq_ignore_ascii_case("InnoDB") {
        true => Said::ok("InnoDB"),
        false => Said::warn(
            format!("default_storage_engine is {value}, which keeps no transactions"),
            "set default_storage_engine=InnoDB in the target's parameter group",
        ),
    })
}

/// Said so that nobody switches it on for us.
pub(super) fn binary_log(facts: &DoctorFacts) -> Answer {
    let value = facts.side(Side::Source)?.variable("log_bin")?;
    Ok(Said::ok(format!("log_bin is {value} on the source; Leeward does not read it")))
}
