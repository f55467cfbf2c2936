//! What RDS offers for a server where it stands: subnets, classes that can be had, sizes of storage.

use std::collections::BTreeSet;

use aws_sdk_rds::Client;
use aws_sdk_rds::types::{OrderableDbInstanceOption, Range, ValidStorageOptions};
use leeward_core::readiness::cloud::{Asked, Orderable, RdsKind, RdsServer, StorageRange, SubnetGroup};

use super::call::{Call, Failed, Line, PAGES_MAX, failed, misunderstood};
use super::{Reach, needed};

/// Asks for the subnets that a server may stand in.
pub(super) async fn subnets(caller: &Reach, server: &Asked<RdsServer>, line: &mut Line) -> Asked<SubnetGroup> {
    let (caller, server) = match (caller, needed(server)) {
        (Ok(caller), Ok(server)) => (caller, server),
        (Err(untold), _) => return Asked::Untold(untold.clone()),
        (_, Err(untold)) => return Asked::Untold(untold),
    };
    let Some(name) = server.subnet_group.as_deref() else {
        return Asked::untold(format!("RDS names no subnet group of {}", server.id));
    };
    let call = Call::rds("rds:DescribeDBSubnetGroups", &caller.region, "subgrp", name);
    let client = Client::new(&caller.config);
    line.ask(&call, async {
        let answer = client.describe_db_subnet_groups().db_subnet_group_name(name).send().await;
        let answer = answer.map_err(|error| failed(&call, &error))?;
        let [group] = answer.db_subnet_groups() else {
            return Err(misunderstood(&call, format!("{} groups of one name", answer.db_subnet_groups().len())));
        };
        let subnet = |subnet: &aws_sdk_rds::types::Subnet| {
            let zone = subnet.subnet_availability_zone()?.name()?;
            Some((subnet.subnet_identifier()?.to_owned(), zone.to_owned()))
        };
        Ok(SubnetGroup { name: name.to_owned(), subnets: group.subnets().iter().filter_map(subnet).collect() })
    })
    .await
}

/// Asks where the wanted class can be had for the server's engine, version and storage type.
pub(super) async fn orderable(
    caller: &Reach,
    server: &Asked<RdsServer>,
    wanted: Option<&str>,
    line: &mut Line,
) -> Asked<Orderable> {
    let (caller, server) = match (caller, needed(server)) {
        (Ok(caller), Ok(server)) => (caller, server),
        (Err(untold), _) => return Asked::Untold(untold.clone()),
        (_, Err(untold)) => return Asked::Untold(untold),
    };
    let Some(class) = wanted else {
        return Asked::untold("which class is wanted, is not known: neither the policy nor the source says it");
    };
    if server.class.as_deref() == Some(class) {
        return Asked::untold("it was not asked: the server has that class");
    }
    let call =
        Call { about: class.to_owned(), ..Call::anything("rds:DescribeOrderableDBInstanceOptions", &caller.region) };
    let client = Client::new(&caller.config);
    line.ask(&call, async {
        let options = options(&client, &call, server, class).await?;
        Ok(summed(class, server, &options))
    })
    .await
}

async fn options(
    client: &Client,
    call: &Call,
    server: &RdsServer,
    class: &str,
) -> Result<Vec<OrderableDbInstanceOption>, Failed> {
    let asked = client
        .describe_orderable_db_instance_options()
        .set_engine(server.engine.clone())
        .set_engine_version(server.engine_version.clone())
        .db_instance_class(class);
    let mut pages = asked.into_paginator().send();
    let mut options = Vec::new();
    for _ in 0..PAGES_MAX {
        match pages.next().await {
            Some(Ok(page)) => options.extend(page.orderable_db_instance_options.unwrap_or_default()),
            Some(Err(error)) => return Err(failed(call, &error)),
            None => return Ok(options),
        }
    }
    Err(misunderstood(call, format!("the answer has more than {PAGES_MAX} pages")))
}

fn summed(class: &str, server: &RdsServer, options: &[OrderableDbInstanceOption]) -> Orderable {
    let fits = |option: &&OrderableDbInstanceOption| {
        let storage = server.storage_type.as_deref();
        storage.is_none() || option.storage_type().is_none() || option.storage_type() == storage
    };
    let fitting: Vec<&OrderableDbInstanceOption> = options.iter().filter(fits).collect();
    let zones: BTreeSet<&str> =
        fitting.iter().flat_map(|option| option.availability_zones()).filter_map(|zone| zone.name()).collect();
    let with_standby = |option: &&OrderableDbInstanceOption| match server.kind {
        RdsKind::Instance => option.multi_az_capable() == Some(true),
        RdsKind::Cluster => option.supports_clusters() == Some(true),
    };
    Orderable {
        class: class.to_owned(),
        zones: zones.into_iter().map(str::to_owned).collect(),
        multi_az: fitting.iter().any(with_standby),
    }
}

/// Asks to what the storage may be changed now.
pub(super) async fn storage_ranges(
    caller: &Reach,
    server: &Asked<RdsServer>,
    line: &mut Line,
) -> Asked<Vec<StorageRange>> {
    let (caller, server) = match (caller, needed(server)) {
        (Ok(caller), Ok(server)) => (caller, server),
        (Err(untold), _) => return Asked::Untold(untold.clone()),
        (_, Err(untold)) => return Asked::Untold(untold),
    };
    if server.kind == RdsKind::Cluster {
        return Asked::untold("RDS has no such call for a cluster");
    }
    let call = Call::rds("rds:DescribeValidDBInstanceModifications", &caller.region, "db", &server.id);
    let client = Client::new(&caller.config);
    line.ask(&call, async {
        let asked = client.describe_valid_db_instance_modifications().db_instance_identifier(&server.id);
        let answer = asked.send().await.map_err(|error| failed(&call, &error))?;
        let valid = answer.valid_db_instance_modifications_message();
        Ok(valid.map(|valid| valid.storage().iter().map(storage_range).collect()).unwrap_or_default())
    })
    .await
}

fn storage_range(options: &ValidStorageOptions) -> StorageRange {
    let ranges = |ranges: &[Range]| -> Vec<(u64, u64)> {
        let range = |range: &Range| Some((u64::try_from(range.from()?).ok()?, u64::try_from(range.to()?).ok()?));
        ranges.iter().filter_map(range).collect()
    };
    StorageRange {
        storage_type: options.storage_type().unwrap_or_default().to_owned(),
        sizes_gib: ranges(options.storage_size()),
        iops: ranges(options.provisioned_iops()),
    }
}
