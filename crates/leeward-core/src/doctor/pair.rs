//! Looks at both sides together.

use super::side::judge_clock;
use super::{Answer, DoctorFacts, Said, SideFacts, Unseen, seen};
use crate::readiness::knows_collation;
use crate::readiness::page::bytes;
use crate::server::Observed;

/// Room wanted beyond the bytes that are copied: index builds sort into temporary files, and RDS stops an instance
/// whose storage is nearly full.
const ROOM_WANTED: f64 = 1.3;

/// The worst mistake of all: a source that is "repaired" from itself, or emptied.
pub(super) fn same_server(facts: &DoctorFacts) -> Answer {
    let (source, target) = facts.both()?;
    Ok(match source.server.identity == target.server.identity {
        false => Said::ok("two different servers"),
        true => Said::fail(
            "source and target are the same server, or one is a file copy of the other with its server_uuid",
            "correct --source-url or --target-url; for a file copy, remove auto.cnf on the copy and restart it",
        ),
    })
}

/// Definitions and stored forms differ between the two families, and an older server may not read newer definitions.
pub(super) fn same_flavor(facts: &DoctorFacts) -> Answer {
    let (source, target) = facts.both()?;
    let (source, target) = (&source.server, &target.server);
    let both = format!("{} {} to {} {}", source.flavor, source.version, target.flavor, target.version);
    let (old, new) = ((target.version.0, target.version.1), (source.version.0, source.version.1));
    Ok(if source.flavor != target.flavor {
        Said::fail(both, "name a target of the source's kind")
    } else if old < new {
        Said::fail(format!("{both}: the target is older"), "upgrade the target to the source's version or later")
    } else if target.version < source.version {
        Said::warn(
            format!("{both}: the target's patch level is older"),
            "upgrade the target to the source's patch level",
        )
    } else {
        Said::ok(both)
    })
}

/// After a failover the application's times come from the target's clock.
pub(super) fn clocks_apart(facts: &DoctorFacts) -> Answer {
    let (source, target) = facts.both()?;
    let source = seen(&source.clock, "the source's clock")?;
    let target = seen(&target.clock, "the target's clock")?;
    let apart_ms = target.offset_ms.saturating_sub(source.offset_ms);
    let uncertainty_ms = source.uncertainty_ms.saturating_add(target.uncertainty_ms);
    let detail = format!("target minus source {apart_ms:+} ms (± {uncertainty_ms} ms)");
    let sure_ms = apart_ms.unsigned_abs().saturating_sub(uncertainty_ms);
    Ok(judge_clock(sure_ms, detail, "check NTP on both servers: the RPO is measured over both clocks".to_owned()))
}

/// With other rules, names that are two on one side are one on the other (T29).
pub(super) fn table_names(facts: &DoctorFacts) -> Answer {
    let (source, target) = values(facts, "lower_case_table_names")?;
    Ok(match source == target {
        true => Said::ok(format!("lower_case_table_names is {source} on both")),
        false => Said::fail(
            format!("lower_case_table_names is {source} on the source, {target} on the target"),
            format!("it is fixed when a server is created: make a target with lower_case_table_names={source}"),
        ),
    })
}

/// A collation that the target does not know makes its CREATE TABLE fail.
pub(super) fn collations(facts: &DoctorFacts) -> Answer {
    let (source, target) = facts.both()?;
    let used = seen(&source.collations_used, "collations in use on the source")?;
    let known = seen(&target.collations_known, "collations of the target")?;
    let strange: Vec<&str> = used.iter().map(String::as_str).filter(|name| !knows_collation(known, name)).collect();
    Ok(match strange.is_empty() {
        true => Said::ok(format!("{} in use", used.len())),
        false => Said::fail(
            format!("the target does not know {}", strange.join(", ")),
            "upgrade the target, or convert on the source: ALTER TABLE … CONVERT TO CHARACTER SET utf8mb4 COLLATE …",
        ),
    })
}

/// A row that the source took must fit through the target's door.
pub(super) fn packet(facts: &DoctorFacts) -> Answer {
    let (source, target) = facts.both()?;
    let (source, target) = (source.number("max_allowed_packet")?, target.number("max_allowed_packet")?);
    Ok(match target >= source {
        true => Said::ok(format!("{} on the source, {} on the target", bytes(source), bytes(target))),
        false => Said::warn(
            format!(
                "{} on the source, {} on the target: a table with a larger row would be quarantined",
                bytes(source),
                bytes(target)
            ),
            format!("set max_allowed_packet={source} in the target's parameter group (elsewhere: SET GLOBAL)"),
        ),
    })
}

/// A page holds at least two rows, so that smaller pages refuse some definitions.
pub(super) fn page_size(facts: &DoctorFacts) -> Answer {
    let (source, target) = facts.both()?;
    let (source, target) = (source.number("innodb_page_size")?, target.number("innodb_page_size")?);
    Ok(match target >= source {
        true => Said::ok(format!("innodb_page_size {target}")),
        false => Said::warn(
            format!("innodb_page_size is {source} on the source, {target} on the target: wide rows may not fit"),
            format!("it is fixed when a server is created: make a target with innodb_page_size={source}"),
        ),
    })
}

/// A seed can outrun storage that grows by itself (`rds.md` §1.3).
pub(super) fn free_space(facts: &DoctorFacts) -> Answer {
    let (source, target) = facts.both()?;
    let size = *seen(&source.data_bytes, "size of the source's databases")?;
    let there = target.data_bytes.known().copied().unwrap_or(0);
    let wanted = (size.saturating_sub(there) as f64 * ROOM_WANTED) as u64;
    let free = match &target.free_bytes {
        Observed::Known(free) => *free,
        Observed::Unknown(why) => {
            return Err(Unseen {
                why: format!("{} wanted; free space cannot be seen by SQL: {why}", bytes(wanted)),
                remedy: Some(
                    "on RDS look at FreeStorageSpace in CloudWatch, elsewhere at `df` on the data directory".to_owned(),
                ),
            });
        }
    };
    let detail = format!("{} free, {} wanted", bytes(free), bytes(wanted));
    let remedy = format!("give the target at least {} of storage more", bytes(wanted.saturating_sub(free)));
    Ok(if free >= wanted {
        Said::ok(detail)
    } else if free >= size.saturating_sub(there) {
        Said::warn(format!("{detail}: the rows fit, index builds may not"), remedy)
    } else {
        Said::fail(detail, remedy)
    })
}

/// For information: every session of Leeward is in UTC. Readiness judges what the application will meet.
pub(super) fn time_zone(facts: &DoctorFacts) -> Answer {
    inform(facts, "time_zone", "Leeward's sessions are in UTC")
}

/// For information, as above.
pub(super) fn sql_mode(facts: &DoctorFacts) -> Answer {
    inform(facts, "sql_mode", "Leeward's sessions set their own")
}

fn inform(facts: &DoctorFacts, name: &str, ours: &str) -> Answer {
    let (source, target) = values(facts, name)?;
    Ok(match source == target {
        true => Said::ok(format!("{name} is '{source}' on both; {ours}")),
        false => Said::ok(format!(
            "{name} is '{source}' on the source, '{target}' on the target; {ours}, the application's do not (PAR-01)"
        )),
    })
}

fn values<'a>(facts: &'a DoctorFacts, name: &str) -> Result<(&'a str, &'a str), Unseen> {
    let (source, target): (&SideFacts, &SideFacts) = facts.both()?;
    Ok((source.variable(name)?, target.variable(name)?))
}
