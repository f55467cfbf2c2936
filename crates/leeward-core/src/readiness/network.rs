//! NET-01 and 02: can the application reach the target there, and nobody who should not?

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use super::cloud::{Door, RdsServer};
use super::facts::ReadinessFacts;
use super::outcome::{Answer, Missing};
use super::page::{listed, statements};
use super::reading::{Finding, Reading, said};

/// NET-01: whoever the policy names as the application is let in at the database's port, and the whole world is not.
pub(super) fn security_groups(facts: &ReadinessFacts) -> Answer {
    let wanted = &facts.settings.cloud.application;
    if wanted.is_empty() {
        return Err(Missing::with_remedy(
            "the policy does not say from where the application will come",
            "name its CIDR blocks or security groups in the target's VPC in the policy: [network] application = \
             [\"10.20.0.0/16\"]",
        ));
    }
    let mut reading = Reading::default();
    let target = reading.of(&facts.cloud.target.server)?;
    let port = said(target.port, "port")?;
    let doors = reading.of(&facts.cloud.target.doors)?;
    let open: Vec<&Door> = doors.iter().filter(|door| door.is_at(port)).collect();
    let shut: Vec<&String> = wanted.iter().filter(|from| !open.iter().any(|door| covers(&door.from, from))).collect();
    let wide: Vec<&Door> = open.iter().copied().filter(|door| is_the_world(&door.from)).collect();
    let finding = if !shut.is_empty() {
        let names: Vec<&str> = shut.iter().map(|from| from.as_str()).collect();
        let fixes: Vec<String> = shut.iter().map(|from| authorize(target, port, from)).collect();
        Finding::Fail(format!("port {port} is closed to {}", listed(&names)), statements(&fixes))
    } else if !wide.is_empty() {
        let groups: Vec<String> = wide.iter().map(|door| format!("{} to {}", door.group, door.from)).collect();
        let fixes: Vec<String> = wide.iter().map(|door| revoke(target, door)).collect();
        Finding::Warn(format!("open to the whole world: {}", listed(&groups)), statements(&fixes))
    } else {
        Finding::Pass(format!("port {port} is open to {}", listed(wanted)))
    };
    Ok(reading.found(facts.now, finding))
}

impl Door {
    fn is_at(&self, port: u16) -> bool {
        self.ports.is_none_or(|(first, last)| (first..=last).contains(&port))
    }
}

/// Returns whether a rule for `door` lets `from` in. Groups and prefix lists are compared by name.
fn covers(door: &str, from: &str) -> bool {
    match (network(door), network(from)) {
        (Some(door), Some(from)) => door.contains(&from),
        _ => door == from,
    }
}

fn is_the_world(from: &str) -> bool {
    network(from).is_some_and(|network| network.prefix_len() == 0)
}

fn network(text: &str) -> Option<IpNet> {
    text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

fn authorize(target: &RdsServer, port: u16, from: &str) -> String {
    let group = target.security_groups.first().map_or("GROUP", String::as_str);
    let whom = match network(from) {
        Some(IpNet::V4(block)) => format!("IpRanges=[{{CidrIp={block}}}]"),
        Some(IpNet::V6(block)) => format!("Ipv6Ranges=[{{CidrIpv6={block}}}]"),
        None if from.starts_with("pl-") => format!("PrefixListIds=[{{PrefixListId={from}}}]"),
        None => format!("UserIdGroupPairs=[{{GroupId={from}}}]"),
    };
    rule("authorize", target, group, &format!("IpProtocol=tcp,FromPort={port},ToPort={port},{whom}"))
}

fn revoke(target: &RdsServer, door: &Door) -> String {
    let whom = match network(&door.from) {
        Some(IpNet::V6(block)) => format!("Ipv6Ranges=[{{CidrIpv6={block}}}]"),
        _ => format!("IpRanges=[{{CidrIp={}}}]", door.from),
    };
    let what = match door.ports {
        Some((first, last)) => format!("IpProtocol=tcp,FromPort={first},ToPort={last},{whom}"),
        None => format!("IpProtocol=-1,{whom}"),
    };
    rule("revoke", target, &door.group, &what)
}

fn rule(verb: &str, target: &RdsServer, group: &str, permission: &str) -> String {
    format!(
        "aws ec2 {verb}-security-group-ingress --region {} --group-id {group} --ip-permissions '{permission}'",
        target.region
    )
}

/// NET-02: subnets in two zones with room for a standby and a larger instance, and no public address.
pub(super) fn subnets(facts: &ReadinessFacts) -> Answer {
    let mut reading = Reading::default();
    let target = reading.of(&facts.cloud.target.server)?;
    let group = reading.of(&facts.cloud.target.subnets)?;
    let zones: BTreeSet<&str> = group.subnets.iter().map(|(_, zone)| zone.as_str()).collect();
    if said(target.public, "public access")? {
        let fix = target.modify("--no-publicly-accessible");
        return Ok(reading.found(facts.now, Finding::Fail("it has a public address".to_owned(), fix)));
    }
    if zones.len() < 2 {
        let ids: Vec<&str> = group.subnets.iter().map(|(id, _)| id.as_str()).collect();
        let fix = format!(
            "aws rds modify-db-subnet-group --region {} --db-subnet-group-name {} --subnet-ids {} SUBNET-IN-ANOTHER-ZONE",
            target.region,
            group.name,
            ids.join(" ")
        );
        let actual = format!("{} has subnets in {} zone(s)", group.name, zones.len());
        return Ok(reading.found(facts.now, Finding::Fail(actual, fix)));
    }
    let room = reading.of(&facts.cloud.target.room)?;
    let least = facts.settings.cloud.subnet_addresses_min;
    let low: Vec<String> = room
        .iter()
        .filter(|subnet| subnet.addresses < least)
        .map(|subnet| format!("{} has {}", subnet.id, subnet.addresses))
        .collect();
    let finding = if low.is_empty() {
        Finding::Pass(format!("{} zones, not public, {least} addresses and more in each subnet", zones.len()))
    } else {
        let fix = format!("add a larger subnet to {}, or free addresses in these", group.name);
        Finding::Warn(format!("few addresses are left: {}", listed(&low)), fix)
    };
    Ok(reading.found(facts.now, finding))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_covers_what_lies_in_it() {
        let cases = [
            ("10.0.0.0/8", "10.20.0.0/16", true),
            ("10.20.0.0/16", "10.0.0.0/8", false),
            ("0.0.0.0/0", "10.1.2.3", true),
            ("0.0.0.0/0", "fd00::/8", false),
            ("fd00::/8", "fd12:1::/32", true),
            ("sg-1", "sg-1", true),
            ("sg-1", "sg-2", false),
        ];
        for (door, from, expected) in cases {
            assert_eq!(covers(door, from), expected, "{door} {from}");
        }
    }
}
