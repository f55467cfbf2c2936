//! What belongs to the Region and not to one server: quotas and certificate authorities.

use aws_sdk_rds::Client;
use leeward_core::readiness::cloud::{Asked, Authority, Quota};

use super::Reach;
use super::call::{Call, Line, PAGES_MAX, failed, misunderstood, utc};

/// Asks how much of the account's quotas is used.
pub(super) async fn quotas(caller: &Reach, line: &mut Line) -> Asked<Vec<Quota>> {
    let caller = match caller {
        Ok(caller) => caller,
        Err(untold) => return Asked::Untold(untold.clone()),
    };
    let call = Call::anything("rds:DescribeAccountAttributes", &caller.region);
    let client = Client::new(&caller.config);
    line.ask(&call, async {
        let answer = client.describe_account_attributes().send().await.map_err(|error| failed(&call, &error))?;
        let quota = |quota: &aws_sdk_rds::types::AccountQuota| {
            Some(Quota { name: quota.account_quota_name()?.to_owned(), used: quota.used()?, max: quota.max()? })
        };
        Ok(answer.account_quotas().iter().filter_map(quota).collect())
    })
    .await
}

/// Asks for the certificate authorities.
pub(super) async fn authorities(caller: &Reach, line: &mut Line) -> Asked<Vec<Authority>> {
    let caller = match caller {
        Ok(caller) => caller,
        Err(untold) => return Asked::Untold(untold.clone()),
    };
    let call = Call::anything("rds:DescribeCertificates", &caller.region);
    let client = Client::new(&caller.config);
    line.ask(&call, async {
        let mut pages = client.describe_certificates().into_paginator().send();
        let mut found = Vec::new();
        for _ in 0..PAGES_MAX {
            match pages.next().await {
                Some(Ok(page)) => found.extend(page.certificates().iter().filter_map(|certificate| {
                    let name = certificate.certificate_identifier()?.to_owned();
                    Some(Authority { name, until: certificate.valid_till().and_then(utc) })
                })),
                Some(Err(error)) => return Err(failed(&call, &error)),
                None => return Ok(found),
            }
        }
        Err(misunderstood(&call, format!("the answer has more than {PAGES_MAX} pages")))
    })
    .await
}
