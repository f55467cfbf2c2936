//! INS-04 and 14: is the target strong enough, or can it become so, and does the account have room for it?

use super::cloud::{Orderable, RdsServer};
use super::facts::ReadinessFacts;
use super::instance_class::ClassSize;
use super::outcome::{Answer, Missing};
use super::page::listed;
use super::reading::{Finding, Reading, said};

/// INS-04: the class is as large as the source's, or the class that it must grow to can be had in its zones. Growing
/// reboots the instance, so that it is a warning all the same.
pub(super) fn class(facts: &ReadinessFacts) -> Answer {
    let mut reading = Reading::default();
    let target = reading.of(&facts.cloud.target.server)?;
    let has = said(target.class.as_deref(), "class")?;
    let wanted = match &facts.settings.cloud.takeover_class {
        Some(class) => class.as_str(),
        None => said(reading.of(&facts.cloud.source.server)?.class.as_deref(), "class")?,
    };
    if covers(has, wanted)? {
        return Ok(reading.found(facts.now, Finding::Pass(format!("{has}, and {wanted} is wanted"))));
    }
    let orderable = reading.of(&facts.cloud.target.orderable)?;
    if orderable.class != wanted {
        return Err(Missing::new(format!("RDS was asked for {}, and {wanted} is wanted", orderable.class)));
    }
    let zones = &reading.of(&facts.cloud.target.subnets)?.subnets;
    let zones: Vec<&str> = zones.iter().map(|(_, zone)| zone.as_str()).collect();
    let finding = growth(target, has, orderable, &zones);
    Ok(reading.found(facts.now, finding))
}

fn covers(has: &str, wanted: &str) -> Result<bool, Missing> {
    if has == wanted {
        return Ok(true);
    }
    let size = |class: &str| {
        let unknown = || Missing::new(format!("the size of {class} is not known to this version of Leeward"));
        ClassSize::of(class).ok_or_else(unknown)
    };
    Ok(size(has)?.covers(size(wanted)?))
}

fn growth(target: &RdsServer, has: &str, orderable: &Orderable, zones: &[&str]) -> Finding {
    let Orderable { class, zones: there, multi_az } = orderable;
    let mut both: Vec<&str> = zones.iter().copied().filter(|zone| there.iter().any(|other| other == zone)).collect();
    both.sort_unstable();
    both.dedup();
    let modify = target.modify(&format!("--db-instance-class {class}"));
    let needs_two = target.multi_az == Some(true);
    let larger = format!(
        "name a class in the policy (takeover.class) that can be had: aws rds \
         describe-orderable-db-instance-options --region {} --engine {} --query \
         'OrderableDBInstanceOptions[].[DBInstanceClass,AvailabilityZones[].Name]' --output text",
        target.region,
        target.engine.as_deref().unwrap_or("mysql")
    );
    if both.is_empty() {
        Finding::Fail(format!("{has}, and {class} cannot be had in its zones ({})", listed(zones)), larger)
    } else if needs_two && (!multi_az || both.len() < 2) {
        Finding::Fail(format!("{has}, and {class} cannot be had with a standby there ({})", listed(&both)), larger)
    } else {
        let actual = format!("{has} until it takes over; {class} can be had in {}", listed(&both));
        Finding::Warn(actual, format!("when it takes over, before applications are let in, since it reboots: {modify}"))
    }
}

/// Quotas that a failover, a drill or a larger disk would run into.
const QUOTAS: [&str; 4] = ["DBInstances", "AllocatedStorage", "ManualSnapshots", "DBClusters"];

/// INS-14: no quota of the target's Region is nearly used up.
pub(super) fn quotas(facts: &ReadinessFacts) -> Answer {
    let mut reading = Reading::default();
    let quotas = reading.of(&facts.cloud.target.quotas)?;
    let known = quotas.iter().filter(|quota| QUOTAS.contains(&quota.name.as_str()) && quota.max > 0);
    let mut used: Vec<(f64, String)> = known
        .map(|quota| {
            let share = quota.used as f64 / quota.max as f64;
            (share, format!("{} {} of {}", quota.name, quota.used, quota.max))
        })
        .collect();
    used.sort_by(|one, other| other.0.total_cmp(&one.0));
    let most = used.first().ok_or_else(|| Missing::new("RDS lists none of the quotas that count here"))?.0;
    let cloud = &facts.settings.cloud;
    let past = |limit: f64| -> Vec<String> {
        used.iter().filter(|(share, _)| *share >= limit).map(|(_, text)| text.clone()).collect()
    };
    let region = facts.cloud.target.region.as_deref().unwrap_or("REGION");
    let raise = format!(
        "find the quota's code and ask for more: aws service-quotas list-service-quotas --region {region} \
         --service-code rds --query 'Quotas[].[QuotaCode,QuotaName,Value]' --output text"
    );
    let finding = if most >= cloud.quota_fail {
        Finding::Fail(format!("nearly used up: {}", listed(&past(cloud.quota_fail))), raise)
    } else if most >= cloud.quota_warn {
        Finding::Warn(format!("filling up: {}", listed(&past(cloud.quota_warn))), raise)
    } else {
        Finding::Pass(format!("at most {:.0} % used ({})", most * 100.0, used[0].1))
    };
    Ok(reading.found(facts.now, finding))
}
