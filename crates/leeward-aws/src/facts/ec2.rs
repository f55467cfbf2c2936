//! Two calls of EC2: what a server's security groups let in, and how many addresses its subnets have left.

use leeward_core::readiness::cloud::{Asked, Door, RdsServer, SubnetGroup, SubnetRoom};
use roxmltree::Node;

use super::call::{Call, Line, absent};
use super::query::{Request, What, child, children, send};
use super::{Caller, Reach, needed};

/// The version of the API whose parameters and answers are used; EC2 has had no other for ten years.
const VERSION: &str = "2016-11-15";

/// Asks what a server's security groups let in.
pub(super) async fn doors(caller: &Reach, server: &Asked<RdsServer>, mut line: Line) -> Asked<Vec<Door>> {
    let (caller, server) = match (caller, needed(server)) {
        (Ok(caller), Ok(server)) => (caller, server),
        (Err(untold), _) => return Asked::Untold(untold.clone()),
        (_, Err(untold)) => return Asked::Untold(untold),
    };
    let groups = &server.security_groups;
    if groups.is_empty() {
        return Asked::untold(format!("RDS names no security group of {}", server.id));
    }
    let call = Call { about: groups.join(", "), ..Call::anything("ec2:DescribeSecurityGroups", &caller.region) };
    line.ask(&call, async {
        let found =
            send(caller, &call, &request(caller, "DescribeSecurityGroups", "GroupId", groups), groups_of).await?;
        // By their ids everything asked for is answered at once, or the call is refused.
        match found.len() == groups.len() {
            true => Ok(found.into_iter().flatten().collect()),
            false => Err(absent(
                format!("EC2 describes {} of {} security groups in {}", found.len(), groups.len(), caller.region),
                "run it again".to_owned(),
            )),
        }
    })
    .await
}

/// Asks how many addresses the subnets have left.
pub(super) async fn room(caller: &Reach, subnets: &Asked<SubnetGroup>, mut line: Line) -> Asked<Vec<SubnetRoom>> {
    let (caller, group) = match (caller, needed(subnets)) {
        (Ok(caller), Ok(group)) => (caller, group),
        (Err(untold), _) => return Asked::Untold(untold.clone()),
        (_, Err(untold)) => return Asked::Untold(untold),
    };
    let ids: Vec<String> = group.subnets.iter().map(|(id, _)| id.clone()).collect();
    if ids.is_empty() {
        return Asked::untold(format!("RDS names no subnet of {}", group.name));
    }
    let call = Call { about: ids.join(", "), ..Call::anything("ec2:DescribeSubnets", &caller.region) };
    line.ask(&call, async {
        let found = send(caller, &call, &request(caller, "DescribeSubnets", "SubnetId", &ids), rooms_of).await?;
        match found.len() == ids.len() {
            true => Ok(found),
            false => Err(absent(
                format!("EC2 describes {} of {} subnets in {}", found.len(), ids.len(), caller.region),
                "run it again".to_owned(),
            )),
        }
    })
    .await
}

fn request(caller: &Caller, action: &str, list: &str, ids: &[String]) -> Request {
    let mut form = vec![("Action".to_owned(), action.to_owned()), ("Version".to_owned(), VERSION.to_owned())];
    form.extend(ids.iter().zip(1..).map(|(id, number)| (format!("{list}.{number}"), id.clone())));
    let region = &caller.region;
    let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
    Request {
        service: "ec2",
        region: region.clone(),
        host: format!("ec2.{region}.amazonaws.com{suffix}"),
        what: What::Post(form),
    }
}

/// Reads the groups, each with what it lets in.
fn groups_of(answer: Node<'_, '_>) -> Option<Vec<Vec<Door>>> {
    let groups = children(answer, "securityGroupInfo").next()?;
    children(groups, "item").map(doors_of).collect()
}

fn doors_of(group: Node<'_, '_>) -> Option<Vec<Door>> {
    let id = child(group, "groupId")?;
    let mut doors = Vec::new();
    let permissions = children(group, "ipPermissions").flat_map(|list| children(list, "item"));
    for permission in permissions {
        // "-1" is every protocol; "tcp" may come as its number.
        let ports = match child(permission, "ipProtocol")? {
            "-1" => None,
            "tcp" | "6" => {
                Some((child(permission, "fromPort")?.parse().ok()?, child(permission, "toPort")?.parse().ok()?))
            }
            _ => continue,
        };
        for (list, name) in [
            ("ipRanges", "cidrIp"),
            ("ipv6Ranges", "cidrIpv6"),
            ("groups", "groupId"),
            ("prefixListIds", "prefixListId"),
        ] {
            let items = children(permission, list).flat_map(|list| children(list, "item"));
            let from = items.filter_map(|item| child(item, name));
            doors.extend(from.map(|from| Door { group: id.to_owned(), ports, from: from.to_owned() }));
        }
    }
    Some(doors)
}

fn rooms_of(answer: Node<'_, '_>) -> Option<Vec<SubnetRoom>> {
    let subnets = children(answer, "subnetSet").next()?;
    let room = |subnet: Node<'_, '_>| {
        let addresses = child(subnet, "availableIpAddressCount")?.parse().ok()?;
        Some(SubnetRoom { id: child(subnet, "subnetId")?.to_owned(), addresses })
    };
    children(subnets, "item").map(room).collect()
}
