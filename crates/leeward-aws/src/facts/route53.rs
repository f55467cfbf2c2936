//! `route53:ListResourceRecordSets`: the record by which applications find the database, as it stands in its zone. Its TTL
//! is the true one there; a resolver tells what is left of it.

use leeward_core::readiness::cloud::{Asked, DnsRecord};
use roxmltree::Node;

use super::Reach;
use super::call::{Call, Line};
use super::query::{Request, What, child, children, percent_encode, send};

/// Records read from the wanted name on: one name may have a record of every type and several weighted ones.
const RECORDS_MAX: u32 = 100;

/// Asks for a record: hosted zone and name.
pub(super) async fn ask(caller: &Reach, record: Option<&(String, String)>, mut line: Line) -> Asked<DnsRecord> {
    let Some((zone, name)) = record else {
        return Asked::untold("the policy names no record");
    };
    let caller = match caller {
        Ok(caller) => caller,
        Err(untold) => return Asked::Untold(untold.clone()),
    };
    let zone = zone.trim_start_matches("/hostedzone/");
    let call = Call {
        action: "route53:ListResourceRecordSets",
        about: format!("{name} of {zone}"),
        region: caller.region.clone(),
        resource: format!("arn:aws:route53:::hostedzone/{zone}"),
    };
    let path = format!(
        "/2013-04-01/hostedzone/{}/rrset?maxitems={RECORDS_MAX}&name={}",
        percent_encode(zone),
        percent_encode(name)
    );
    let (host, region) = match caller.region.as_str() {
        region if region.starts_with("cn-") => ("route53.amazonaws.com.cn", "cn-northwest-1"),
        region if region.starts_with("us-gov-") => ("route53.us-gov.amazonaws.com", "us-gov-west-1"),
        _ => ("route53.amazonaws.com", "us-east-1"),
    };
    let request =
        Request { service: "route53", region: region.to_owned(), host: host.to_owned(), what: What::Get(path) };
    line.ask(&call, send(caller, &call, &request, |answer| record_of(answer, name))).await
}

fn record_of(answer: Node<'_, '_>, name: &str) -> Option<DnsRecord> {
    let records = children(answer, "ResourceRecordSets").next()?;
    let bare = |name: &str| name.trim_end_matches('.').to_ascii_lowercase();
    let of_name = children(records, "ResourceRecordSet").filter(|record| {
        let leads = matches!(child(*record, "Type"), Some("CNAME" | "A" | "AAAA"));
        leads && child(*record, "Name").map(bare) == Some(bare(name))
    });
    let mut found = DnsRecord { name: name.to_owned(), ttl_s: None, values: Vec::new() };
    for record in of_name {
        let ttl_s = child(record, "TTL").and_then(|ttl| ttl.parse().ok());
        found.ttl_s = found.ttl_s.max(ttl_s);
        let values = children(record, "ResourceRecords").flat_map(|list| children(list, "ResourceRecord"));
        found.values.extend(values.filter_map(|value| child(value, "Value")).map(str::to_owned));
        let alias = children(record, "AliasTarget").next().and_then(|alias| child(alias, "DNSName"));
        found.values.extend(alias.map(str::to_owned));
    }
    Some(found)
}
