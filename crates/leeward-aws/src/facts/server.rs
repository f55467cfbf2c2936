//! `DescribeDBInstances` and, where there is no such instance, `DescribeDBClusters`: a cluster's name is taken as well as an
//! instance's.

use aws_sdk_rds::Client;
use aws_sdk_rds::types::{DbCluster, DbInstance, PendingModifiedValues};
use leeward_core::readiness::cloud::{Asked, RdsKind, RdsServer, Told, Untold};

use super::Reach;
use super::call::{Call, Failed, Line, absent, count, failed, misunderstood, utc};
use super::place::Place;

/// Asks what a side's server is.
pub(super) async fn ask(caller: &Reach, place: &Place, line: &mut Line) -> Asked<RdsServer> {
    let caller = match caller {
        Ok(caller) => caller,
        Err(untold) => return Asked::Untold(untold.clone()),
    };
    let Some(id) = place.id.as_deref() else {
        let key = place.key;
        return Asked::Untold(Untold {
            why: format!("which RDS instance the {key} is, is not known: its host name is not one of RDS"),
            remedy: Some(format!("name it in leeward.toml: [{key}] instance = \"…\", region = \"…\"")),
        });
    };
    let client = Client::new(&caller.config);
    let region = caller.region.as_str();
    let call = Call::rds("rds:DescribeDBInstances", region, "db", id);
    match line.try_ask(instance(&client, &call, id)).await {
        Ok(Some(found)) => return told(line, &call, server_of(&found, region)),
        Ok(None) => {}
        Err(failed) => return Asked::Untold(failed.untold),
    }
    let call = Call::rds("rds:DescribeDBClusters", region, "cluster", id);
    match line.try_ask(cluster(&client, &call, id)).await {
        Ok(Some(found)) => told(line, &call, server_of_cluster(&found, region)),
        Ok(None) => Asked::Untold(absent_here(id, region, place.key).untold),
        Err(failed) => Asked::Untold(failed.untold),
    }
}

fn told(line: &Line, call: &Call, server: RdsServer) -> Asked<RdsServer> {
    let call = format!("{} {} in {}", call.action, call.about, call.region);
    Asked::Told(Told { at: line.at, call, value: server })
}

fn absent_here(id: &str, region: &str, key: &str) -> Failed {
    absent(
        format!("RDS knows neither an instance nor a cluster {id} in {region}"),
        format!(
            "see what there is, and set {key}.instance and {key}.region in leeward.toml: aws rds describe-db-instances \
             --region {region} --query 'DBInstances[].DBInstanceIdentifier' --output text"
        ),
    )
}

async fn instance(client: &Client, call: &Call, id: &str) -> Result<Option<DbInstance>, Failed> {
    let answer = match client.describe_db_instances().db_instance_identifier(id).send().await {
        Ok(answer) => answer,
        Err(error) if error.as_service_error().is_some_and(|error| error.is_db_instance_not_found_fault()) => {
            return Ok(None);
        }
        Err(error) => return Err(failed(call, &error)),
    };
    match answer.db_instances() {
        [one] => Ok(Some(one.clone())),
        found => Err(misunderstood(call, format!("{} instances of one name", found.len()))),
    }
}

async fn cluster(client: &Client, call: &Call, id: &str) -> Result<Option<DbCluster>, Failed> {
    let answer = match client.describe_db_clusters().db_cluster_identifier(id).send().await {
        Ok(answer) => answer,
        Err(error) if error.as_service_error().is_some_and(|error| error.is_db_cluster_not_found_fault()) => {
            return Ok(None);
        }
        Err(error) => return Err(failed(call, &error)),
    };
    match answer.db_clusters() {
        [one] => Ok(Some(one.clone())),
        found => Err(misunderstood(call, format!("{} clusters of one name", found.len()))),
    }
}

fn server_of(found: &DbInstance, region: &str) -> RdsServer {
    let text = |text: Option<&str>| text.map(str::to_owned);
    let id = text(found.db_instance_identifier()).unwrap_or_default();
    let certificate = found.certificate_details();
    let groups = found.db_parameter_groups().iter().filter_map(|group| {
        Some((group.db_parameter_group_name()?.to_owned(), group.parameter_apply_status()?.to_owned()))
    });
    let security_groups = found.vpc_security_groups().iter();
    RdsServer {
        kind: RdsKind::Instance,
        members: vec![id.clone()],
        id,
        region: region.to_owned(),
        status: text(found.db_instance_status()),
        engine: text(found.engine()),
        engine_version: text(found.engine_version()),
        class: text(found.db_instance_class()),
        host: found.endpoint().and_then(|endpoint| text(endpoint.address())),
        port: found.endpoint().and_then(|endpoint| u16::try_from(endpoint.port()?).ok()),
        storage_gib: count(found.allocated_storage()),
        storage_type: text(found.storage_type()),
        iops: count(found.iops()),
        throughput_mib: count(found.storage_throughput()),
        multi_az: found.multi_az(),
        backup_days: count(found.backup_retention_period()),
        restorable_to: found.latest_restorable_time().and_then(utc),
        encrypted: found.storage_encrypted(),
        key: text(found.kms_key_id()),
        deletion_protection: found.deletion_protection(),
        public: found.publicly_accessible(),
        authority: certificate
            .and_then(|certificate| text(certificate.ca_identifier()))
            .or_else(|| text(found.ca_certificate_identifier())),
        certificate_until: certificate.and_then(|certificate| certificate.valid_till()).and_then(utc),
        parameter_groups: groups.collect(),
        pending: found.pending_modified_values().map(pending).unwrap_or_default(),
        subnet_group: found.db_subnet_group().and_then(|group| text(group.db_subnet_group_name())),
        security_groups: security_groups.filter_map(|group| text(group.vpc_security_group_id())).collect(),
    }
}

fn pending(values: &PendingModifiedValues) -> Vec<String> {
    let shown = |name: &str, value: Option<String>| value.map(|value| format!("{name}={value}"));
    let number = |value: Option<i32>| value.map(|value| value.to_string());
    [
        shown("DBInstanceClass", values.db_instance_class().map(str::to_owned)),
        shown("AllocatedStorage", number(values.allocated_storage())),
        shown("StorageType", values.storage_type().map(str::to_owned)),
        shown("Iops", number(values.iops())),
        shown("StorageThroughput", number(values.storage_throughput())),
        shown("MultiAZ", values.multi_az().map(|value| value.to_string())),
        shown("EngineVersion", values.engine_version().map(str::to_owned)),
        shown("BackupRetentionPeriod", number(values.backup_retention_period())),
        shown("CACertificateIdentifier", values.ca_certificate_identifier().map(str::to_owned)),
        shown("Port", number(values.port())),
        shown("DBSubnetGroupName", values.db_subnet_group_name().map(str::to_owned)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn server_of_cluster(found: &DbCluster, region: &str) -> RdsServer {
    let text = |text: Option<&str>| text.map(str::to_owned);
    let group = found.db_cluster_parameter_group().unwrap_or_default();
    let members = found.db_cluster_members();
    let groups = members
        .iter()
        .filter_map(|member| Some((group.to_owned(), member.db_cluster_parameter_group_status()?.to_owned())));
    let certificate = found.certificate_details();
    let security_groups = found.vpc_security_groups().iter();
    let pending = found.pending_modified_values().map(|values| {
        let version = values.engine_version().map(|version| format!("EngineVersion={version}"));
        let storage = values.allocated_storage().map(|gib| format!("AllocatedStorage={gib}"));
        let iops = values.iops().map(|iops| format!("Iops={iops}"));
        [version, storage, iops].into_iter().flatten().collect()
    });
    RdsServer {
        kind: RdsKind::Cluster,
        id: text(found.db_cluster_identifier()).unwrap_or_default(),
        region: region.to_owned(),
        members: members.iter().filter_map(|member| text(member.db_instance_identifier())).collect(),
        status: text(found.status()),
        engine: text(found.engine()),
        engine_version: text(found.engine_version()),
        class: text(found.db_cluster_instance_class()),
        host: text(found.endpoint()),
        port: found.port().and_then(|port| u16::try_from(port).ok()),
        storage_gib: count(found.allocated_storage()),
        storage_type: text(found.storage_type()),
        iops: count(found.iops()),
        throughput_mib: count(found.storage_throughput()),
        multi_az: found.multi_az(),
        backup_days: count(found.backup_retention_period()),
        restorable_to: found.latest_restorable_time().and_then(utc),
        encrypted: found.storage_encrypted(),
        key: text(found.kms_key_id()),
        deletion_protection: found.deletion_protection(),
        public: found.publicly_accessible(),
        authority: certificate.and_then(|certificate| text(certificate.ca_identifier())),
        certificate_until: certificate.and_then(|certificate| certificate.valid_till()).and_then(utc),
        parameter_groups: groups.collect(),
        pending: pending.unwrap_or_default(),
        subnet_group: text(found.db_subnet_group()),
        security_groups: security_groups.filter_map(|group| text(group.vpc_security_group_id())).collect(),
    }
}
