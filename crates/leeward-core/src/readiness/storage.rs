//! INS-05, 06, 09 and 10: the target's disk, its backups and the key that both are encrypted with.

use chrono::TimeDelta;

use super::cloud::{KeyFacts, RdsServer, StorageRange};
use super::facts::ReadinessFacts;
use super::outcome::{Answer, Missing};
use super::page::{bytes, duration, listed, time};
use super::reading::{Finding, Reading, said};

/// INS-05: size, type and speed of the disk are the source's or better.
pub(super) fn size(facts: &ReadinessFacts) -> Answer {
    let mut reading = Reading::default();
    let target = reading.of(&facts.cloud.target.server)?;
    let source = reading.of(&facts.cloud.source.server)?;
    let here = said(target.storage_gib, "storage")?;
    let there = said(source.storage_gib, "storage")?;
    let mut slower = Vec::new();
    let mut change = Vec::new();
    for (what, option, here, there) in [
        ("IOPS", "--iops", target.iops, source.iops),
        ("MiB/s", "--storage-throughput", target.throughput_mib, source.throughput_mib),
    ] {
        if there.is_some_and(|there| here.unwrap_or(0) < there) {
            let there = there.unwrap_or_default();
            slower.push(format!("{} {what} against {there}", here.unwrap_or(0)));
            change.push(format!("{option} {there}"));
        }
    }
    if let (Some(here), Some(there)) = (&target.storage_type, &source.storage_type)
        && here != there
    {
        slower.push(format!("{here} against {there}"));
        change.insert(0, format!("--storage-type {there}"));
    }
    let finding = if here < there {
        change.insert(0, format!("--allocated-storage {there}"));
        // Whether it can be changed now only matters where it must be.
        let range = reading.of(&facts.cloud.target.storage_ranges).ok().map(|ranges| allowed(target, ranges));
        let actual = format!("{here} GiB against {there}{}", range.unwrap_or_default());
        Finding::Fail(actual, target.modify(&change.join(" ")))
    } else if !slower.is_empty() {
        Finding::Warn(format!("{here} GiB, enough, but {}", listed(&slower)), target.modify(&change.join(" ")))
    } else {
        let kind = target.storage_type.as_deref().unwrap_or("storage");
        Finding::Pass(format!("{here} GiB {kind}, the source has {there}"))
    };
    Ok(reading.found(facts.now, finding))
}

fn allowed(target: &RdsServer, ranges: &[StorageRange]) -> String {
    let own = ranges.iter().find(|range| Some(&range.storage_type) == target.storage_type.as_ref());
    let sizes = own.map(|range| &range.sizes_gib).filter(|sizes| !sizes.is_empty());
    match sizes {
        Some(sizes) => {
            let sizes: Vec<String> = sizes.iter().map(|(least, most)| format!("{least} to {most} GiB")).collect();
            format!("; RDS allows {} now", listed(&sizes))
        }
        None => "; RDS allows no other size now".to_owned(),
    }
}

/// A metric that is older than this does not say how much is free: it is written every minute.
const METRIC_AGE_S_MAX: i64 = 900;

/// INS-06: the disk is not about to fill up. RDS stops an instance whose disk is full.
pub(super) fn free_space(facts: &ReadinessFacts) -> Answer {
    let mut reading = Reading::default();
    let target = reading.of(&facts.cloud.target.server)?;
    let allocated = said(target.storage_gib, "storage")?.saturating_mul(1 << 30);
    let free = reading.of(&facts.cloud.target.free_space)?;
    let age_s = (facts.now - free.at).num_seconds();
    if age_s > METRIC_AGE_S_MAX {
        let age = duration(age_s.saturating_mul(1000));
        return Err(Missing::with_remedy(
            format!("the last measurement of FreeStorageSpace is {age} old"),
            format!("see whether {} runs: INS-01; CloudWatch is written to every minute while it does", target.id),
        ));
    }
    reading.note(free.at, "AWS/RDS FreeStorageSpace");
    let share = if allocated == 0 { 0.0 } else { free.value / allocated as f64 };
    let actual = format!("{} free of {} ({:.0} %)", bytes(free.value as u64), bytes(allocated), share * 100.0);
    let cloud = &facts.settings.cloud;
    let grown = (allocated >> 30) + (allocated >> 30).div_ceil(2).max(10);
    let grow = target.modify(&format!("--allocated-storage {grown}"));
    let finding = if share <= cloud.free_space_fail {
        Finding::Fail(actual, grow)
    } else if share <= cloud.free_space_warn {
        Finding::Warn(actual, grow)
    } else {
        Finding::Pass(actual)
    };
    Ok(reading.found(facts.now, finding))
}

/// INS-09: the copy is backed up, for as long as the source, and the backups are new.
pub(super) fn backups(facts: &ReadinessFacts) -> Answer {
    let mut reading = Reading::default();
    let target = reading.of(&facts.cloud.target.server)?;
    let here = said(target.backup_days, "backup retention")?;
    if here == 0 {
        let there = facts.cloud.source.server.value().and_then(|source| source.backup_days).unwrap_or(7).max(1);
        let fix = target.modify(&format!("--backup-retention-period {there}"));
        return Ok(reading.found(facts.now, Finding::Fail("off".to_owned(), fix)));
    }
    let there = said(reading.of(&facts.cloud.source.server)?.backup_days, "backup retention")?;
    let latest = said(target.restorable_to, "latest restorable time")?;
    let age = facts.now - latest;
    let limit =
        TimeDelta::seconds(i64::try_from(facts.settings.cloud.restorable_age_warn_s).unwrap_or(i64::MAX / 1000));
    let finding = if here < there {
        let fix = target.modify(&format!("--backup-retention-period {there}"));
        Finding::Warn(format!("kept for {here} days, {there} on the source"), fix)
    } else if age > limit {
        let actual = format!("restorable to {}, {} ago", time(latest), duration(age.num_milliseconds()));
        let events = format!(
            "see why: aws rds describe-events --region {} --duration 1440 --event-categories backup",
            target.region
        );
        Finding::Warn(actual, events)
    } else {
        Finding::Pass(format!("kept for {here} days, restorable to {}", time(latest)))
    };
    Ok(reading.found(facts.now, finding))
}

/// INS-10: the storage is encrypted with a key that can be used there now.
pub(super) fn encryption(facts: &ReadinessFacts) -> Answer {
    let mut reading = Reading::default();
    let target = reading.of(&facts.cloud.target.server)?;
    if !said(target.encrypted, "encryption")? {
        let fix = format!(
            "storage cannot be encrypted in place: copy a snapshot with a key, restore it and seed again: aws rds \
             copy-db-snapshot --region {} --source-db-snapshot-identifier SNAPSHOT --target-db-snapshot-identifier \
             {}-encrypted --kms-key-id KEY",
            target.region, target.id
        );
        return Ok(reading.found(facts.now, Finding::Fail("off".to_owned(), fix)));
    }
    let key = reading.of(&facts.cloud.target.key)?;
    let state = key.state.as_deref().ok_or_else(|| Missing::new("KMS does not say the key's state"))?;
    let finding = key_finding(target, key, state);
    Ok(reading.found(facts.now, finding))
}

fn key_finding(target: &RdsServer, key: &KeyFacts, state: &str) -> Finding {
    let KeyFacts { arn, manager, .. } = key;
    let enable = format!("aws kms enable-key --region {} --key-id {arn}", target.region);
    match (state, manager.as_deref()) {
        ("Enabled", Some("AWS")) => Finding::Warn(
            format!("with {arn}, which AWS manages: its snapshots cannot be given to another account"),
            "for a copy that can be restored elsewhere, restore it with a key of your own".to_owned(),
        ),
        ("Enabled", _) => Finding::Pass(format!("with {arn}, enabled")),
        ("PendingDeletion" | "PendingReplicaDeletion", _) => Finding::Fail(
            format!("{arn} is about to be deleted, and the data with it"),
            format!("aws kms cancel-key-deletion --region {} --key-id {arn}\n{enable}", target.region),
        ),
        _ => Finding::Fail(format!("{arn} is {state}"), enable),
    }
}
