//! The describing calls at the wire level: what is asked, what is made of every kind of answer, and that a call that fails
//! costs its own answer and no other.

use aws_config::Region;
use chrono::{NaiveDate, NaiveDateTime};
use leeward_core::readiness::cloud::{Asked, RdsKind, RdsServer, SubnetGroup, Told};

use super::call::Line;
use super::{Caller, Place, Reach, ec2, key, metric, offer, region, route53, server};
use crate::emulator::{Emulator, Reply, config_for};

fn at() -> NaiveDateTime {
    NaiveDate::from_ymd_opt(2026, 11, 20).unwrap().and_hms_opt(12, 0, 0).unwrap()
}

fn caller(url: &str) -> Reach {
    let config = config_for(url).into_builder().region(Region::new("us-west-2")).build();
    Ok(Caller { config, region: "us-west-2".to_owned() })
}

fn place(id: Option<&str>) -> Place {
    Place {
        region: Some("us-west-2".to_owned()),
        id: id.map(str::to_owned),
        ..Place::of("target", "", (None, None), None)
    }
}

fn told<T>(value: T) -> Asked<T> {
    Asked::Told(Told { at: at(), call: "test".to_owned(), value })
}

/// Returns why there is no answer, and what to do.
fn untold<T: std::fmt::Debug>(asked: &Asked<T>) -> String {
    match asked {
        Asked::Untold(untold) => format!("{}; {}", untold.why, untold.remedy.clone().unwrap_or_default()),
        Asked::Told(told) => panic!("it was told: {told:?}"),
    }
}

const INSTANCE: &str = "<DBInstances><DBInstance><DBInstanceIdentifier>shop-dr</DBInstanceIdentifier>\
    <DBInstanceStatus>available</DBInstanceStatus><Engine>mysql</Engine><EngineVersion>8.4.10</EngineVersion>\
    <DBInstanceClass>db.r6g.large</DBInstanceClass><AllocatedStorage>100</AllocatedStorage>\
    <StorageType>gp3</StorageType><Iops>3000</Iops><StorageThroughput>125</StorageThroughput>\
    <MultiAZ>true</MultiAZ><BackupRetentionPeriod>7</BackupRetentionPeriod>\
    <LatestRestorableTime>2026-11-20T11:55:00Z</LatestRestorableTime><StorageEncrypted>true</StorageEncrypted>\
    <KmsKeyId>arn:aws:kms:us-west-2:1:key/k</KmsKeyId><DeletionProtection>false</DeletionProtection>\
    <PubliclyAccessible>false</PubliclyAccessible>\
    <Endpoint><Address>shop-dr.abc.us-west-2.rds.amazonaws.com</Address><Port>3306</Port></Endpoint>\
    <CertificateDetails><CAIdentifier>rds-ca-rsa2048-g1</CAIdentifier><ValidTill>2027-05-01T00:00:00Z</ValidTill>\
    </CertificateDetails><DBParameterGroups><DBParameterGroup><DBParameterGroupName>shop</DBParameterGroupName>\
    <ParameterApplyStatus>pending-reboot</ParameterApplyStatus></DBParameterGroup></DBParameterGroups>\
    <PendingModifiedValues><DBInstanceClass>db.r6g.xlarge</DBInstanceClass></PendingModifiedValues>\
    <DBSubnetGroup><DBSubnetGroupName>shop-subnets</DBSubnetGroupName></DBSubnetGroup>\
    <VpcSecurityGroups><VpcSecurityGroupMembership><VpcSecurityGroupId>sg-1</VpcSecurityGroupId>\
    </VpcSecurityGroupMembership></VpcSecurityGroups></DBInstance></DBInstances>";

const CLUSTER: &str = "<DBClusters><DBCluster><DBClusterIdentifier>shop-dr</DBClusterIdentifier>\
    <Status>available</Status><Engine>mysql</Engine><DBClusterInstanceClass>db.r6gd.large</DBClusterInstanceClass>\
    <MultiAZ>true</MultiAZ><AllocatedStorage>100</AllocatedStorage>\
    <DBClusterParameterGroup>shop</DBClusterParameterGroup><DBClusterMembers>\
    <DBClusterMember><DBInstanceIdentifier>shop-dr-1</DBInstanceIdentifier>\
    <DBClusterParameterGroupStatus>in-sync</DBClusterParameterGroupStatus></DBClusterMember>\
    <DBClusterMember><DBInstanceIdentifier>shop-dr-2</DBInstanceIdentifier>\
    <DBClusterParameterGroupStatus>pending-reboot</DBClusterParameterGroupStatus></DBClusterMember>\
    </DBClusterMembers></DBCluster></DBClusters>";

async fn server_from(script: Vec<Reply>) -> (Asked<RdsServer>, Vec<String>) {
    let emulator = Emulator::start(script).await;
    let mut line = Line::new(at());
    let asked = server::ask(&caller(&emulator.url), &place(Some("shop-dr")), &mut line).await;
    (asked, emulator.requests().into_iter().map(|request| request.body).collect())
}

async fn shop() -> RdsServer {
    let (asked, _) = server_from(vec![Reply::rds("DescribeDBInstances", INSTANCE)]).await;
    asked.value().expect("the instance is described").clone()
}

#[tokio::test]
async fn an_instance_is_asked_for_by_its_name_and_read_whole() {
    let (asked, requests) = server_from(vec![Reply::rds("DescribeDBInstances", INSTANCE)]).await;
    let Asked::Told(Told { at: seen_at, call, value }) = asked else { panic!("{asked:?}") };
    assert_eq!((seen_at, call.as_str()), (at(), "rds:DescribeDBInstances shop-dr in us-west-2"));
    assert!(requests[0].contains("Action=DescribeDBInstances") && requests[0].contains("shop-dr"), "{requests:?}");
    assert_eq!((value.kind, value.status.as_deref(), value.port), (RdsKind::Instance, Some("available"), Some(3306)));
    assert_eq!((value.storage_gib, value.iops, value.throughput_mib), (Some(100), Some(3000), Some(125)));
    assert_eq!(value.parameter_groups, [("shop".to_owned(), "pending-reboot".to_owned())]);
    assert_eq!(value.pending, ["DBInstanceClass=db.r6g.xlarge"]);
    assert_eq!(value.restorable_to, Some(at() - chrono::TimeDelta::minutes(5)));
    assert_eq!((value.deletion_protection, value.public, value.encrypted), (Some(false), Some(false), Some(true)));
    assert_eq!(
        (value.subnet_group.as_deref(), value.security_groups.as_slice()),
        (Some("shop-subnets"), ["sg-1".to_owned()].as_slice())
    );
}

#[tokio::test]
async fn what_rds_leaves_out_stays_unknown() {
    let bare =
        "<DBInstances><DBInstance><DBInstanceIdentifier>shop-dr</DBInstanceIdentifier></DBInstance></DBInstances>";
    let (asked, _) = server_from(vec![Reply::rds("DescribeDBInstances", bare)]).await;
    let value = asked.value().unwrap();
    assert_eq!((value.multi_az, value.backup_days, value.encrypted), (None, None, None));
    assert_eq!((value.deletion_protection, value.public, value.certificate_until), (None, None, None));
}

#[tokio::test]
async fn a_cluster_is_found_where_an_instance_was_named() {
    let script = vec![
        Reply::rds_error(404, "DBInstanceNotFound", "DBInstance shop-dr not found."),
        Reply::rds("DescribeDBClusters", CLUSTER),
    ];
    let (asked, _) = server_from(script).await;
    let value = asked.value().unwrap();
    assert_eq!((value.kind, value.members.len()), (RdsKind::Cluster, 2));
    assert_eq!(value.parameter_groups[1], ("shop".to_owned(), "pending-reboot".to_owned()));
}

#[tokio::test]
async fn a_name_that_is_neither_says_where_names_are_listed() {
    let script = vec![
        Reply::rds_error(404, "DBInstanceNotFound", "DBInstance shop-dr not found."),
        Reply::rds_error(404, "DBClusterNotFoundFault", "DBCluster shop-dr not found."),
    ];
    let said = untold(&server_from(script).await.0);
    assert!(said.contains("neither an instance nor a cluster shop-dr in us-west-2"), "{said}");
    assert!(said.contains("aws rds describe-db-instances --region us-west-2"), "{said}");
}

#[tokio::test]
async fn an_unnamed_server_is_not_asked_for() {
    let emulator = Emulator::start(Vec::new()).await;
    let asked = server::ask(&caller(&emulator.url), &place(None), &mut Line::new(at())).await;
    let said = untold(&asked);
    assert!(said.contains("[target] instance") && emulator.requests().is_empty(), "{said}");
}

#[tokio::test]
async fn a_missing_permission_names_the_action_and_the_statement() {
    let denied = Reply::rds_error(403, "AccessDenied", "User: arn:aws:sts::1:assumed-role/x is not authorized");
    let said = untold(&server_from(vec![denied]).await.0);
    assert!(said.contains("access denied, rds:DescribeDBInstances is not allowed"), "{said}");
    let statement =
        r#"{"Effect":"Allow","Action":"rds:DescribeDBInstances","Resource":"arn:aws:rds:us-west-2:*:db:shop-dr"}"#;
    assert!(said.contains(statement), "{said}");
}

#[tokio::test]
async fn throttling_is_waited_out() {
    let throttled = || Reply::rds_error(400, "Throttling", "Rate exceeded");
    let (asked, requests) =
        server_from(vec![throttled(), throttled(), Reply::rds("DescribeDBInstances", INSTANCE)]).await;
    assert!(asked.value().is_some() && requests.len() == 3, "{asked:?}");
    let said = untold(&server_from(vec![throttled(), throttled(), throttled()]).await.0);
    assert!(said.contains("throttles"), "{said}");
}

#[tokio::test]
async fn one_call_that_is_refused_leaves_the_others_of_its_service_as_they_are() {
    let emulator = Emulator::start(vec![
        Reply::rds_error(403, "AccessDenied", "no"),
        Reply::rds(
            "DescribeAccountAttributes",
            "<AccountQuotas><AccountQuota><AccountQuotaName>DBInstances</AccountQuotaName><Used>4</Used><Max>40</Max>\
             </AccountQuota></AccountQuotas>",
        ),
    ])
    .await;
    let (caller, mut line) = (caller(&emulator.url), Line::new(at()));
    let authorities = region::authorities(&caller, &mut line).await;
    assert!(untold(&authorities).contains("rds:DescribeCertificates"));
    let quotas = region::quotas(&caller, &mut line).await;
    assert_eq!(quotas.value().unwrap()[0].used, 4);
}

#[tokio::test]
async fn an_endpoint_that_is_out_of_reach_is_not_knocked_at_twice() {
    let emulator = Emulator::start(vec![Reply::rds_error(403, "InvalidClientTokenId", "no such key")]).await;
    let (caller_here, mut line) = (caller(&emulator.url), Line::new(at()));
    let first = untold(&region::quotas(&caller_here, &mut line).await);
    let second = untold(&region::authorities(&caller_here, &mut line).await);
    assert!(first.contains("does not accept the credentials"), "{first}");
    assert_eq!(first, second);
    assert_eq!(emulator.requests().len(), 1);

    let gone = caller("http://127.0.0.1:1");
    let mut line = Line::new(at());
    let first = untold(&server::ask(&gone, &place(Some("shop-dr")), &mut line).await);
    assert!(first.contains("cannot be reached") && first.contains("open HTTPS"), "{first}");
    assert_eq!(first, untold(&region::quotas(&gone, &mut line).await));
}

#[tokio::test]
async fn all_pages_of_orderable_classes_are_read() {
    let page = |zone: &str, storage: &str, marker: &str| {
        let option = format!(
            "<OrderableDBInstanceOptions><OrderableDBInstanceOption><DBInstanceClass>db.r6g.xlarge</DBInstanceClass>\
             <StorageType>{storage}</StorageType><MultiAZCapable>true</MultiAZCapable><AvailabilityZones>\
             <AvailabilityZone><Name>{zone}</Name></AvailabilityZone></AvailabilityZones></OrderableDBInstanceOption>\
             </OrderableDBInstanceOptions>{marker}"
        );
        Reply::rds("DescribeOrderableDBInstanceOptions", &option)
    };
    let emulator = Emulator::start(vec![
        page("us-west-2a", "gp3", "<Marker>more</Marker>"),
        page("us-west-2b", "io1", "<Marker>still</Marker>"),
        page("us-west-2c", "gp3", ""),
    ])
    .await;
    let server = told(shop().await);
    let asked = offer::orderable(&caller(&emulator.url), &server, Some("db.r6g.xlarge"), &mut Line::new(at())).await;
    let found = asked.value().unwrap();
    // What is offered for another storage type does not help.
    assert_eq!(found.zones, ["us-west-2a", "us-west-2c"]);
    assert!(found.multi_az);
    let bodies: Vec<String> = emulator.requests().into_iter().map(|request| request.body).collect();
    assert!(bodies[0].contains("EngineVersion=8.4.10") && bodies[1].contains("Marker=more"), "{bodies:?}");
    let same = offer::orderable(&caller(&emulator.url), &server, Some("db.r6g.large"), &mut Line::new(at())).await;
    assert!(untold(&same).contains("has that class"));
}

#[tokio::test]
async fn valid_sizes_and_subnets_are_read() {
    let emulator = Emulator::start(vec![
        Reply::rds(
            "DescribeValidDBInstanceModifications",
            "<ValidDBInstanceModificationsMessage><Storage><ValidStorageOptions><StorageType>gp3</StorageType>\
             <StorageSize><Range><From>100</From><To>65536</To><Step>1</Step></Range></StorageSize>\
             </ValidStorageOptions></Storage></ValidDBInstanceModificationsMessage>",
        ),
        Reply::rds(
            "DescribeDBSubnetGroups",
            "<DBSubnetGroups><DBSubnetGroup><Subnets><Subnet><SubnetIdentifier>subnet-a</SubnetIdentifier>\
             <SubnetAvailabilityZone><Name>us-west-2a</Name></SubnetAvailabilityZone></Subnet></Subnets>\
             </DBSubnetGroup></DBSubnetGroups>",
        ),
    ])
    .await;
    let (caller, mut line, server) = (caller(&emulator.url), Line::new(at()), told(shop().await));
    let ranges = offer::storage_ranges(&caller, &server, &mut line).await;
    assert_eq!(ranges.value().unwrap()[0].sizes_gib, [(100, 65_536)]);
    let subnets = offer::subnets(&caller, &server, &mut line).await;
    assert_eq!(subnets.value().unwrap().subnets, [("subnet-a".to_owned(), "us-west-2a".to_owned())]);
}

#[tokio::test]
async fn a_key_is_described_by_kms() {
    let body = r#"{"KeyMetadata":{"KeyId":"k","Arn":"arn:aws:kms:us-west-2:1:key/k","KeyState":"PendingDeletion","KeyManager":"CUSTOMER"}}"#;
    let emulator = Emulator::start(vec![Reply::ok(body)]).await;
    let asked = key::ask(&caller(&emulator.url), &told(shop().await), Line::new(at())).await;
    assert_eq!(asked.value().unwrap().state.as_deref(), Some("PendingDeletion"));
    let emulator = Emulator::start(vec![Reply::error(400, "AccessDeniedException", "no")]).await;
    let said = untold(&key::ask(&caller(&emulator.url), &told(shop().await), Line::new(at())).await);
    assert!(said.contains("kms:DescribeKey") && said.contains("arn:aws:kms:us-west-2:1:key/k"), "{said}");
}

#[tokio::test]
async fn a_metric_that_is_refused_says_so() {
    let refused = Reply::Send { status: 403, body: String::new() };
    let emulator = Emulator::start(vec![refused]).await;
    let said = untold(&metric::free_space(&caller(&emulator.url), &told(shop().await), Line::new(at())).await);
    assert!(said.contains("cloudwatch:GetMetricData AWS/RDS FreeStorageSpace of shop-dr in us-west-2"), "{said}");
}

const GROUPS: &str = "<DescribeSecurityGroupsResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\
    <requestId>r</requestId><securityGroupInfo><item><groupId>sg-1</groupId><ipPermissions>\
    <item><ipProtocol>tcp</ipProtocol><fromPort>3306</fromPort><toPort>3306</toPort>\
    <groups><item><groupId>sg-app</groupId></item></groups>\
    <ipRanges><item><cidrIp>10.20.0.0/16</cidrIp></item></ipRanges></item>\
    <item><ipProtocol>udp</ipProtocol><fromPort>1</fromPort><toPort>9</toPort>\
    <ipRanges><item><cidrIp>0.0.0.0/0</cidrIp></item></ipRanges></item>\
    <item><ipProtocol>-1</ipProtocol><ipv6Ranges><item><cidrIpv6>::/0</cidrIpv6></item></ipv6Ranges></item>\
    </ipPermissions></item></securityGroupInfo></DescribeSecurityGroupsResponse>";

#[tokio::test]
async fn security_groups_are_asked_for_by_a_signed_query() {
    let emulator =
        Emulator::start(vec![Reply::ec2_error(503, "RequestLimitExceeded", "slow down"), Reply::ok(GROUPS)]).await;
    let asked = ec2::doors(&caller(&emulator.url), &told(shop().await), Line::new(at())).await;
    let doors = asked.value().unwrap();
    let seen: Vec<(Option<(u16, u16)>, &str)> = doors.iter().map(|door| (door.ports, door.from.as_str())).collect();
    let port = Some((3306, 3306));
    assert_eq!(seen, [(port, "10.20.0.0/16"), (port, "sg-app"), (None, "::/0")]);
    let requests = emulator.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[1].body, "Action=DescribeSecurityGroups&Version=2016-11-15&GroupId.1=sg-1");
    let signature = &requests[1].headers["authorization"];
    assert!(signature.contains("/us-west-2/ec2/aws4_request") && signature.contains("content-type"), "{signature}");
}

#[tokio::test]
async fn ec2_names_what_it_does_not_allow_and_room_is_counted() {
    let group = told(SubnetGroup {
        name: "shop-subnets".to_owned(),
        subnets: vec![("subnet-a".to_owned(), "us-west-2a".to_owned())],
    });
    let denied = Reply::ec2_error(403, "UnauthorizedOperation", "You are not authorized");
    let emulator = Emulator::start(vec![denied]).await;
    let said = untold(&ec2::room(&caller(&emulator.url), &group, Line::new(at())).await);
    assert!(said.contains(r#""Action":"ec2:DescribeSubnets","Resource":"*""#), "{said}");
    let body = "<DescribeSubnetsResponse><subnetSet><item><subnetId>subnet-a</subnetId>\
                <availableIpAddressCount>251</availableIpAddressCount></item></subnetSet></DescribeSubnetsResponse>";
    let emulator = Emulator::start(vec![Reply::ok(body)]).await;
    let asked = ec2::room(&caller(&emulator.url), &group, Line::new(at())).await;
    assert_eq!(asked.value().unwrap()[0].addresses, 251);
    let emulator = Emulator::start(vec![Reply::ok("<html>a proxy</html>")]).await;
    let said = untold(&ec2::room(&caller(&emulator.url), &group, Line::new(at())).await);
    assert!(said.contains("lacks what it must hold"), "{said}");
}

#[tokio::test]
async fn a_record_is_read_where_it_stands_in_its_zone() {
    let body = "<ListResourceRecordSetsResponse><ResourceRecordSets><ResourceRecordSet>\
                <Name>db.example.com.</Name><Type>CNAME</Type><TTL>60</TTL><ResourceRecords><ResourceRecord>\
                <Value>shop.abc.us-east-1.rds.amazonaws.com</Value></ResourceRecord></ResourceRecords>\
                </ResourceRecordSet><ResourceRecordSet><Name>dc.example.com.</Name><Type>A</Type><TTL>9</TTL>\
                <ResourceRecords><ResourceRecord><Value>10.0.0.1</Value></ResourceRecord></ResourceRecords>\
                </ResourceRecordSet></ResourceRecordSets></ListResourceRecordSetsResponse>";
    let emulator = Emulator::start(vec![Reply::ok(body)]).await;
    let wanted = ("Z1".to_owned(), "db.example.com".to_owned());
    let asked = route53::ask(&caller(&emulator.url), Some(&wanted), Line::new(at())).await;
    let record = asked.value().unwrap();
    assert_eq!(
        (record.ttl_s, record.values.as_slice()),
        (Some(60), ["shop.abc.us-east-1.rds.amazonaws.com".to_owned()].as_slice())
    );
    let requests = emulator.requests();
    assert_eq!(requests[0].line, "GET /2013-04-01/hostedzone/Z1/rrset?maxitems=100&name=db.example.com HTTP/1.1");
    assert!(requests[0].headers["authorization"].contains("/us-east-1/route53/aws4_request"));
    let missing = Emulator::start(vec![Reply::ok(
        "<ListResourceRecordSetsResponse><ResourceRecordSets/></ListResourceRecordSetsResponse>",
    )])
    .await;
    let asked = route53::ask(&caller(&missing.url), Some(&wanted), Line::new(at())).await;
    assert!(asked.value().unwrap().values.is_empty());
}
