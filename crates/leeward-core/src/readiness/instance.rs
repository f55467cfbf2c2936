//! INS-01, 08, 11, 13 and PAR-04: is the target's instance up, protected and settled?

use chrono::TimeDelta;

use super::cloud::RdsKind;
use super::facts::ReadinessFacts;
use super::outcome::Answer;
use super::page::{listed, statements, time};
use super::reading::{Finding, Reading, said};
use crate::policy::MultiAz;

/// INS-01: the instance is available. While its storage is optimized or it is backed up it works, only slower.
pub(super) fn status(facts: &ReadinessFacts) -> Answer {
    let mut reading = Reading::default();
    let server = reading.of(&facts.cloud.target.server)?;
    let status = said(server.status.as_deref(), "status")?;
    let actual = format!("{} is {status}", server.id);
    let finding = match status {
        "available" => Finding::Pass(actual),
        "storage-optimization" | "backing-up" => {
            Finding::Warn(actual, "wait: it takes no promotion before that has ended".to_owned())
        }
        "stopped" => Finding::Fail(actual, server.command("start")),
        "storage-full" => {
            let grown = server.storage_gib.map_or(100, |gib| gib + gib.div_ceil(5).max(10));
            Finding::Fail(actual, server.modify(&format!("--allocated-storage {grown}")))
        }
        _ => {
            let kind = match server.kind {
                RdsKind::Instance => "db-instance",
                RdsKind::Cluster => "db-cluster",
            };
            let events = format!(
                "aws rds describe-events --region {} --source-type {kind} --source-identifier {} --duration 1440",
                server.region, server.id
            );
            Finding::Fail(actual, events)
        }
    };
    Ok(reading.found(facts.now, finding))
}

/// PAR-04: every parameter of the group is in force, and no change waits for the maintenance window.
pub(super) fn pending_reboot(facts: &ReadinessFacts) -> Answer {
    let mut reading = Reading::default();
    let server = reading.of(&facts.cloud.target.server)?;
    let groups = &server.parameter_groups;
    said(groups.first(), "parameter group")?;
    let of = |wanted: fn(&str) -> bool| -> Vec<String> {
        let found = groups.iter().filter(|(_, status)| wanted(status));
        found.map(|(group, status)| format!("{group} is {status}")).collect()
    };
    let waiting = of(|status| status == "pending-reboot");
    let moving = of(|status| status != "pending-reboot" && status != "in-sync");
    let finding = if !waiting.is_empty() {
        let reboots: Vec<String> = server
            .members
            .iter()
            .map(|member| {
                format!("aws rds reboot-db-instance --region {} --db-instance-identifier {member}", server.region)
            })
            .collect();
        Finding::Fail(listed(&waiting), statements(&reboots))
    } else if !moving.is_empty() {
        Finding::Warn(listed(&moving), "wait until RDS has applied it".to_owned())
    } else if !server.pending.is_empty() {
        let actual = format!("waits for the maintenance window: {}", listed(&server.pending));
        let now = server.command("modify");
        Finding::Warn(actual, format!("make it now, outside of a failover: {now} --apply-immediately"))
    } else {
        let names: Vec<&str> = groups.iter().map(|(group, _)| group.as_str()).collect();
        Finding::Pass(format!("{} in sync, no change waits", listed(&names)))
    };
    Ok(reading.found(facts.now, finding))
}

/// INS-08: a standby in another zone as the policy wants it.
pub(super) fn multi_az(facts: &ReadinessFacts) -> Answer {
    let mut reading = Reading::default();
    let server = reading.of(&facts.cloud.target.server)?;
    let has = said(server.multi_az, "Multi-AZ setting")?;
    let modify = server.modify("--multi-az");
    let finding = match (has, facts.settings.cloud.multi_az) {
        (true, _) => Finding::Pass("Multi-AZ".to_owned()),
        (false, MultiAz::Never) => Finding::Pass("one zone, as the policy says".to_owned()),
        (false, MultiAz::AtTakeover) => {
            Finding::Warn("one zone until it takes over, as the policy says".to_owned(), format!("then: {modify}"))
        }
        (false, MultiAz::Always) => Finding::Fail("one zone".to_owned(), modify),
    };
    Ok(reading.found(facts.now, finding))
}

/// INS-11: nobody deletes the copy by a slip.
pub(super) fn deletion_protection(facts: &ReadinessFacts) -> Answer {
    let mut reading = Reading::default();
    let server = reading.of(&facts.cloud.target.server)?;
    let finding = match said(server.deletion_protection, "deletion protection")? {
        true => Finding::Pass("on".to_owned()),
        false => Finding::Fail("off".to_owned(), server.modify("--deletion-protection")),
    };
    Ok(reading.found(facts.now, finding))
}

/// INS-13: neither the certificate nor the authority that signed it ends soon, and clients that trust the source's authority
/// alone will trust the target.
pub(super) fn certificate(facts: &ReadinessFacts) -> Answer {
    let mut reading = Reading::default();
    let server = reading.of(&facts.cloud.target.server)?;
    let own = said(server.certificate_until, "certificate's end")?;
    let authorities = reading.of(&facts.cloud.target.authorities)?;
    let name = server.authority.as_deref().unwrap_or_default();
    let theirs = authorities.iter().find(|authority| authority.name == name).and_then(|authority| authority.until);
    let (until, whose) = match theirs {
        Some(theirs) if theirs < own => (theirs, "the authority's certificate"),
        _ => (own, "the certificate"),
    };
    let cloud = &facts.settings.cloud;
    let left = until - facts.now;
    let before = |limit_s: u64| left < TimeDelta::seconds(i64::try_from(limit_s).unwrap_or(i64::MAX / 1000));
    let actual = format!("{whose} ({name}) ends at {}, in {} days", time(until), left.num_days());
    let others = authorities.iter().filter(|authority| authority.name != name && authority.until > Some(until));
    let newer = others.map(|authority| authority.name.as_str()).next().unwrap_or("CA");
    let renew = format!(
        "put that authority into every client's bundle first, then: {}",
        server.modify(&format!("--ca-certificate-identifier {newer}"))
    );
    let finding = if before(cloud.certificate_fail_s) {
        Finding::Fail(actual, renew)
    } else if before(cloud.certificate_warn_s) {
        Finding::Warn(actual, renew)
    } else if let Some(other) = other_authority(facts, name) {
        // Both answers are what it rests on; that there is a source was seen in there.
        let source = reading.of(&facts.cloud.source.server)?;
        Finding::Warn(
            format!(
                "{actual}; {} has one of {other}, and clients that trust that alone will refuse this one",
                source.id
            ),
            format!(
                "put {name} into every client's bundle too, or: {}",
                server.modify(&format!("--ca-certificate-identifier {other}"))
            ),
        )
    } else {
        Finding::Pass(actual)
    };
    Ok(reading.found(facts.now, finding))
}

/// Returns the authority of the source's certificate where it is known and another one.
fn other_authority<'a>(facts: &'a ReadinessFacts, name: &str) -> Option<&'a str> {
    let theirs = facts.cloud.source.server.value()?.authority.as_deref()?;
    (!name.is_empty() && theirs != name).then_some(theirs)
}
