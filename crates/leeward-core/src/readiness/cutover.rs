//! CUT-01, 02 and 04: would the application find the target, be let in, and could that be brought about without the
//! Region that is lost?

use super::cloud::{Login, SecretLogin};
use super::facts::ReadinessFacts;
use super::outcome::{Answer, Missing, Outcome, Status};
use super::page::{duration, listed};
use super::reading::{Finding, Reading};

/// CUT-01: there is a record that can be led elsewhere within a minute, and it leads to the source.
pub(super) fn dns(facts: &ReadinessFacts) -> Answer {
    let cutover = &facts.settings.cloud;
    if cutover.dns_record.is_none() {
        return match &cutover.secret {
            // The two ways to hand over are equal; whoever has named one has chosen.
            Some(_) => Ok(Outcome {
                status: Status::NotApplicable,
                ..Outcome::pass(facts.now, "the policy hands over by a secret, not by a record")
            }),
            None => Err(Missing::with_remedy(
                "the policy does not say by which record applications find the database",
                "name it in the policy: [cutover] dns_record = \"db.example.com\", hosted_zone = \"Z…\"; or, where they \
                 read the address from a secret, secret = \"…\"",
            )),
        };
    }
    let mut reading = Reading::default();
    let record = reading.of(&facts.cloud.record)?;
    let name = &record.name;
    if record.values.is_empty() {
        let host = facts.cloud.source.server.value().and_then(|server| server.host.as_deref());
        let zone = cutover.hosted_zone.as_deref().unwrap_or("ZONE");
        let fix = upsert(zone, name, cutover.dns_ttl_pass_s, host.unwrap_or("SOURCE-HOST"));
        return Ok(reading.found(facts.now, Finding::Fail(format!("there is no record {name}"), fix)));
    }
    let host_of = |asked: &super::cloud::CloudSide| asked.server.value().and_then(|server| server.host.clone());
    let leads_to = |host: &Option<String>| {
        let host = host.as_deref().unwrap_or_default();
        record.values.iter().any(|value| value.trim_end_matches('.').eq_ignore_ascii_case(host))
    };
    let target = host_of(&facts.cloud.target);
    let ttl = |ttl_s: u64| duration(i64::try_from(ttl_s.saturating_mul(1000)).unwrap_or(i64::MAX));
    let values: Vec<&str> = record.values.iter().map(String::as_str).collect();
    let shown = |ttl_s: u64| format!("{name} leads to {} with a TTL of {}", listed(&values), ttl(ttl_s));
    let zone = cutover.hosted_zone.as_deref().unwrap_or("ZONE");
    let shorter = upsert(zone, name, cutover.dns_ttl_pass_s, values.first().copied().unwrap_or_default());
    let source = host_of(&facts.cloud.source);
    let finding = match record.ttl_s {
        _ if target.is_some() && leads_to(&target) => Finding::Fail(
            format!("{name} leads to the target already"),
            "lead it back to the source, or stop: applications write to the copy".to_owned(),
        ),
        None => Finding::Warn(
            format!("{name} is an alias, whose TTL is not its own"),
            "make it a CNAME with a TTL of 60".to_owned(),
        ),
        Some(ttl_s) if ttl_s > cutover.dns_ttl_warn_s => Finding::Fail(shown(ttl_s), shorter),
        Some(ttl_s) if ttl_s > cutover.dns_ttl_pass_s => Finding::Warn(shown(ttl_s), shorter),
        Some(ttl_s) if source.is_some() && !leads_to(&source) => Finding::Warn(
            shown(ttl_s),
            "it does not lead to the source: is it the record that applications use?".into(),
        ),
        Some(ttl_s) => Finding::Pass(shown(ttl_s)),
    };
    Ok(reading.found(facts.now, finding))
}

/// Prints the AWS command that makes a record, or gives it another TTL.
fn upsert(zone: &str, name: &str, ttl_s: u64, host: &str) -> String {
    format!(
        "aws route53 change-resource-record-sets --hosted-zone-id {zone} --change-batch \
         '{{\"Changes\":[{{\"Action\":\"UPSERT\",\"ResourceRecordSet\":{{\"Name\":\"{name}\",\"Type\":\"CNAME\",\"TTL\":{ttl_s},\
         \"ResourceRecords\":[{{\"Value\":\"{host}\"}}]}}}}]}}'"
    )
}

/// CUT-02: the application's secret can be read in the target's Region and its password is right there. An account that
/// is locked until a failover, as ACC-04 wants it, has shown as much.
pub(super) fn secret(facts: &ReadinessFacts) -> Answer {
    if facts.settings.cloud.secret.is_none() {
        return Err(Missing::with_remedy(
            "the policy does not name the secret that applications will log in with",
            "name it in the policy, by the ARN of its replica in the target's Region: [cutover] secret = \"arn:aws:…\"",
        ));
    }
    let mut reading = Reading::default();
    let SecretLogin { secret, host, tried, login } = reading.of(&facts.cloud.secret)?;
    let is_stale = host.as_ref().is_some_and(|host| !host.eq_ignore_ascii_case(tried));
    let locked = if *login == Login::Locked { ", to an account that is locked until a failover" } else { "" };
    let finding = match (login, is_stale) {
        (Login::Refused(why), _) => Finding::Fail(
            format!("{secret} does not log in to {tried}: {why}"),
            "give the account on the target the secret's password, or the secret the account's".to_owned(),
        ),
        (_, true) => Finding::Warn(
            format!("{secret} logs in{locked}, but names the host {}", host.as_deref().unwrap_or_default()),
            format!(
                "in the runbook, put the target's host into it (a replicated secret must become one of its own first: \
                 aws secretsmanager stop-replication-to-replica --secret-id {secret}): {tried}"
            ),
        ),
        (_, false) => Finding::Pass(format!("{secret} logs in{locked}")),
    };
    Ok(reading.found(facts.now, finding))
}

/// Services whose changes go through one Region, whatever Region is named: they can fail with it.
const GLOBAL: [&str; 8] =
    ["iam", "route53", "organizations", "cloudfront", "globalaccelerator", "route53domains", "waf", "sts"];

/// CUT-04: no step of the runbook calls an API of the source's Region, nor one whose control plane stands in a Region of
/// its own.
pub(super) fn control_planes(facts: &ReadinessFacts) -> Answer {
    let calls = &facts.settings.cloud.runbook_calls;
    if calls.is_empty() {
        return Err(Missing::with_remedy(
            "the policy does not say which APIs the runbook calls",
            "list them in the policy, as SERVICE:REGION or, for a service without Regions, SERVICE: [cutover] calls = \
             [\"rds:us-west-2\", \"secretsmanager:us-west-2\"]",
        ));
    }
    let source =
        facts.cloud.source.region.as_deref().ok_or_else(|| {
            Missing::with_remedy("the source's Region is not known", "set source.region in leeward.toml")
        })?;
    let mut there: Vec<String> =
        calls.iter().filter(|call| call.split_once(':').is_some_and(|(_, region)| region == source)).cloned().collect();
    if facts.cloud.target.secret_region.as_deref() == Some(source) {
        there.push("the secret that Leeward logs in to the target with".to_owned());
    }
    let global: Vec<&str> =
        calls.iter().map(|call| call.split(':').next().unwrap_or(call)).filter(|name| GLOBAL.contains(name)).collect();
    let finding = if !there.is_empty() {
        Finding::Fail(
            format!("needs {source}, which is lost: {}", listed(&there)),
            "make what they read there in the target's Region beforehand: replicate secrets (aws secretsmanager \
             replicate-secret-to-regions), keys and images"
                .to_owned(),
        )
    } else if !global.is_empty() {
        Finding::Warn(
            format!("needs a control plane outside of the target's Region: {}", listed(&global)),
            "prepare it beforehand: roles made now, a health check or ARC routing control in place of an edited record"
                .to_owned(),
        )
    } else {
        Finding::Pass(format!("{} calls, none of them to {source} or to a global control plane", calls.len()))
    };
    let mut reading = Reading::default();
    reading.note(facts.now, "the policy's cutover.calls");
    Ok(reading.found(facts.now, finding))
}
