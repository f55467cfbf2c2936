//! The checks of AWS and of drills, case by case, from a pair on RDS that is ready.

use chrono::TimeDelta;

use super::super::cloud::{
    Asked, Authority, Cloud, CloudSide, DnsRecord, Door, DrillKind, KeyFacts, Login, Measured, Orderable, Quota,
    RdsKind, RdsServer, SecretLogin, StorageRange, SubnetGroup, SubnetRoom, Told,
};
use super::super::facts::Contact;
use super::super::outcome::Severity;
use super::super::outcome::Status::{Fail, NotApplicable, Pass, Unknown, Warn};
use super::super::verdict::{Verdict, judge};
use super::{Case, ReadinessFacts, at, check, now, ready, table_from, told};
use crate::policy::{MultiAz, Platform};

fn server(id: &str, region: &str) -> RdsServer {
    RdsServer {
        kind: RdsKind::Instance,
        id: id.to_owned(),
        region: region.to_owned(),
        members: vec![id.to_owned()],
        status: Some("available".to_owned()),
        engine: Some("mysql".to_owned()),
        engine_version: Some("8.4.10".to_owned()),
        class: Some("db.r6g.xlarge".to_owned()),
        host: Some(format!("{id}.abc.{region}.rds.amazonaws.com")),
        port: Some(3306),
        storage_gib: Some(100),
        storage_type: Some("gp3".to_owned()),
        iops: Some(3_000),
        throughput_mib: Some(125),
        multi_az: Some(true),
        backup_days: Some(7),
        restorable_to: Some(at(-200)),
        encrypted: Some(true),
        key: Some("arn:aws:kms:us-west-2:1:key/k".to_owned()),
        deletion_protection: Some(true),
        public: Some(false),
        authority: Some("rds-ca-rsa2048-g1".to_owned()),
        certificate_until: Some(now() + TimeDelta::days(300)),
        parameter_groups: vec![("shop-params".to_owned(), "in-sync".to_owned())],
        pending: Vec::new(),
        subnet_group: Some("shop-subnets".to_owned()),
        security_groups: vec!["sg-db".to_owned()],
    }
}

fn side(id: &str, region: &str) -> CloudSide {
    let authority = |name: &str, days| Authority { name: name.to_owned(), until: Some(now() + TimeDelta::days(days)) };
    let subnet = |id: &str, zone: &str| (id.to_owned(), zone.to_owned());
    CloudSide {
        region: Some(region.to_owned()),
        secret_region: Some(region.to_owned()),
        server: told(server(id, region)),
        orderable: told(Orderable {
            class: "db.r6g.2xlarge".to_owned(),
            zones: vec!["us-west-2a".to_owned(), "us-west-2b".to_owned()],
            multi_az: true,
        }),
        storage_ranges: told(vec![StorageRange {
            storage_type: "gp3".to_owned(),
            sizes_gib: vec![(100, 65_536)],
            iops: vec![(3_000, 64_000)],
        }]),
        free_space: told(Measured { value: 50.0 * f64::from(1 << 30), at: at(60) }),
        key: told(KeyFacts {
            arn: "arn:aws:kms:us-west-2:1:key/k".to_owned(),
            state: Some("Enabled".to_owned()),
            manager: Some("CUSTOMER".to_owned()),
        }),
        authorities: told(vec![authority("rds-ca-rsa2048-g1", 9_000), authority("rds-ca-ecc384-g1", 30_000)]),
        quotas: told(vec![
            Quota { name: "DBInstances".to_owned(), used: 4, max: 40 },
            Quota { name: "AllocatedStorage".to_owned(), used: 500, max: 100_000 },
            Quota { name: "ReservedDBInstances".to_owned(), used: 40, max: 40 },
        ]),
        subnets: told(SubnetGroup {
            name: "shop-subnets".to_owned(),
            subnets: vec![subnet("subnet-a", "us-west-2a"), subnet("subnet-b", "us-west-2b")],
        }),
        room: told(vec![
            SubnetRoom { id: "subnet-a".to_owned(), addresses: 200 },
            SubnetRoom { id: "subnet-b".to_owned(), addresses: 200 },
        ]),
        doors: told(vec![Door {
            group: "sg-db".to_owned(),
            ports: Some((3306, 3306)),
            from: "10.20.0.0/16".to_owned(),
        }]),
    }
}

/// Everything as it must be, on RDS.
fn on_rds() -> ReadinessFacts {
    let mut facts = ready();
    facts.settings.platform = Platform::Rds;
    let wanted = &mut facts.settings.cloud;
    wanted.application = vec!["10.20.1.0/24".to_owned()];
    wanted.dns_record = Some("db.example.com".to_owned());
    wanted.hosted_zone = Some("Z1".to_owned());
    wanted.secret = Some("shop/app".to_owned());
    wanted.runbook_calls = vec!["rds:us-west-2".to_owned(), "secretsmanager:us-west-2".to_owned()];
    facts.cloud = Cloud {
        source: side("shop", "us-east-1"),
        target: side("shop-dr", "us-west-2"),
        record: told(DnsRecord {
            name: "db.example.com".to_owned(),
            ttl_s: Some(60),
            values: vec!["shop.abc.us-east-1.rds.amazonaws.com.".to_owned()],
        }),
        secret: told(SecretLogin {
            secret: "shop/app".to_owned(),
            host: Some("shop-dr.abc.us-west-2.rds.amazonaws.com".to_owned()),
            tried: "shop-dr.abc.us-west-2.rds.amazonaws.com".to_owned(),
            login: Login::Locked,
        }),
    };
    facts
}

fn change<T>(asked: &mut Asked<T>) -> &mut T {
    match asked {
        Asked::Told(told) => &mut told.value,
        Asked::Untold(untold) => panic!("{}", untold.why),
    }
}

fn target(facts: &mut ReadinessFacts) -> &mut RdsServer {
    change(&mut facts.cloud.target.server)
}

fn refuse(facts: &mut ReadinessFacts) {
    facts.cloud.target.server = Asked::untold("rds:DescribeDBInstances is not allowed");
}

fn table(id: &str, cases: &[Case]) {
    table_from(on_rds, id, cases);
}

#[test]
fn a_pair_on_rds_without_a_flaw_is_ready() {
    let report = judge(&on_rds());
    let open: Vec<_> = report.checks.iter().filter(|check| check.status.is_open()).collect();
    assert!(open.is_empty(), "{open:#?}");
    assert_eq!((report.verdict, report.rto.measured_s), (Verdict::Ready, Some(3_600.0)));
    let status = report.checks.iter().find(|check| check.id == "INS-01").unwrap();
    assert_eq!(status.evidence.calls, ["rds:Call"]);
}

/// Takes one answer of AWS away at a time: no check may get better for it.
#[test]
fn no_absent_answer_makes_a_check_pass() {
    type Take = fn(&mut ReadinessFacts);
    macro_rules! taken {
        ($($($field:ident).+),* $(,)?) => {
            [$((stringify!($($field).+), (|facts| facts.$($field).+ = Asked::untold("taken")) as Take)),*]
        };
    }
    let takes = taken![
        cloud.source.server,
        cloud.target.server,
        cloud.target.free_space,
        cloud.target.key,
        cloud.target.authorities,
        cloud.target.quotas,
        cloud.target.subnets,
        cloud.target.room,
        cloud.target.doors,
        cloud.record,
        cloud.secret,
        drill,
    ];
    for (what, take) in takes {
        let mut facts = on_rds();
        take(&mut facts);
        let report = judge(&facts);
        assert_ne!(report.verdict, Verdict::Ready, "without {what}");
        let blocked = report.checks.iter().any(|check| check.severity == Severity::Blocker && check.status == Unknown);
        assert_eq!(report.verdict == Verdict::NotReady, blocked, "without {what}");
    }
}

#[test]
fn par_04_finds_what_waits() {
    table(
        "PAR-04",
        &[
            (
                "a parameter waits for a reboot",
                |facts| target(facts).parameter_groups[0].1 = "pending-reboot".into(),
                Fail,
                "aws rds reboot-db-instance --region us-west-2 --db-instance-identifier shop-dr",
            ),
            ("it is being applied", |facts| target(facts).parameter_groups[0].1 = "applying".into(), Warn, "applying"),
            (
                "a change waits",
                |facts| target(facts).pending.push("DBInstanceClass=db.r6g.large".into()),
                Warn,
                "--apply-immediately",
            ),
            ("nobody lists groups", |facts| target(facts).parameter_groups.clear(), Unknown, "parameter group"),
            ("RDS was not allowed to answer", refuse, Unknown, "not allowed"),
        ],
    );
}

#[test]
fn ins_01_takes_none_but_an_available_instance() {
    table(
        "INS-01",
        &[
            ("it is backed up", |facts| target(facts).status = Some("backing-up".into()), Warn, "backing-up"),
            ("it is stopped", |facts| target(facts).status = Some("stopped".into()), Fail, "aws rds start-db-instance"),
            (
                "its disk is full",
                |facts| target(facts).status = Some("storage-full".into()),
                Fail,
                "--allocated-storage 120",
            ),
            (
                "it is a cluster that failed",
                |facts| {
                    target(facts).kind = RdsKind::Cluster;
                    target(facts).status = Some("failed".into());
                },
                Fail,
                "--source-type db-cluster",
            ),
            ("RDS does not say", |facts| target(facts).status = None, Unknown, "status"),
            ("RDS was not allowed to answer", refuse, Unknown, "not allowed"),
        ],
    );
}

fn small(facts: &mut ReadinessFacts) {
    target(facts).class = Some("db.r6g.large".into());
    facts.settings.cloud.takeover_class = Some("db.r6g.2xlarge".into());
}

#[test]
fn ins_04_proves_that_the_target_can_grow() {
    table(
        "INS-04",
        &[
            ("it is larger", |facts| target(facts).class = Some("db.r6g.4xlarge".into()), Pass, ""),
            (
                "it is small and can grow",
                small,
                Warn,
                "aws rds modify-db-instance --region us-west-2 --db-instance-identifier shop-dr --db-instance-class \
                 db.r6g.2xlarge --apply-immediately",
            ),
            (
                "the class is in other zones",
                |facts| {
                    small(facts);
                    change(&mut facts.cloud.target.orderable).zones = vec!["us-west-2d".into()];
                },
                Fail,
                "cannot be had in its zones",
            ),
            (
                "the class is in one of its two zones",
                |facts| {
                    small(facts);
                    change(&mut facts.cloud.target.orderable).zones.pop();
                },
                Fail,
                "with a standby",
            ),
            (
                "the class is unknown",
                |facts| target(facts).class = Some("db.q9.large".into()),
                Unknown,
                "the size of db.q9.large",
            ),
            (
                "nobody asked where it can be had",
                |facts| {
                    small(facts);
                    facts.cloud.target.orderable = Asked::untold("throttled");
                },
                Unknown,
                "throttled",
            ),
            (
                "the source does not answer",
                |facts| facts.cloud.source.server = Asked::untold("the Region is gone"),
                Unknown,
                "the Region is gone",
            ),
        ],
    );
}

#[test]
fn ins_05_compares_the_disks() {
    table(
        "INS-05",
        &[
            ("it is larger", |facts| target(facts).storage_gib = Some(500), Pass, ""),
            ("it is slower", |facts| change(&mut facts.cloud.source.server).iops = Some(12_000), Warn, "--iops 12000"),
            (
                "it is of another type",
                |facts| change(&mut facts.cloud.source.server).storage_type = Some("io2".into()),
                Warn,
                "--storage-type io2",
            ),
            (
                "it is smaller",
                |facts| change(&mut facts.cloud.source.server).storage_gib = Some(200),
                Fail,
                "RDS allows 100 to 65536 GiB now",
            ),
            ("RDS does not say", |facts| target(facts).storage_gib = None, Unknown, "storage"),
            ("the source is gone", |facts| facts.cloud.source.server = Asked::untold("gone"), Unknown, "gone"),
        ],
    );
}

fn free(facts: &mut ReadinessFacts, gib: f64) {
    change(&mut facts.cloud.target.free_space).value = gib * f64::from(1 << 30);
}

#[test]
fn ins_06_measures_free_space() {
    table(
        "INS-06",
        &[
            ("it is getting less", |facts| free(facts, 15.0), Warn, "15.0 GiB free of 100 GiB (15 %)"),
            ("it is little", |facts| free(facts, 9.0), Fail, "--allocated-storage 150"),
            (
                "the policy wants more",
                |facts| {
                    facts.settings.cloud.free_space_warn = 0.60;
                    facts.settings.cloud.free_space_fail = 0.55;
                },
                Fail,
                "50.0 GiB",
            ),
            (
                "the measurement is old",
                |facts| change(&mut facts.cloud.target.free_space).at = at(-3_600),
                Unknown,
                "FreeStorageSpace is 62 min old",
            ),
            (
                "CloudWatch was not allowed to answer",
                |facts| facts.cloud.target.free_space = Asked::untold("cloudwatch:GetMetricData is not allowed"),
                Unknown,
                "cloudwatch:GetMetricData",
            ),
        ],
    );
}

#[test]
fn ins_08_wants_what_the_policy_wants() {
    table(
        "INS-08",
        &[
            ("it stands in one zone", |facts| target(facts).multi_az = Some(false), Fail, "--multi-az"),
            (
                "the policy puts it off",
                |facts| {
                    target(facts).multi_az = Some(false);
                    facts.settings.cloud.multi_az = MultiAz::AtTakeover;
                },
                Warn,
                "then: aws rds modify-db-instance",
            ),
            (
                "the policy wants none",
                |facts| {
                    target(facts).multi_az = Some(false);
                    facts.settings.cloud.multi_az = MultiAz::Never;
                },
                Pass,
                "",
            ),
            ("RDS was not allowed to answer", refuse, Unknown, "not allowed"),
        ],
    );
}

#[test]
fn ins_09_wants_backups_that_are_new_and_kept() {
    table(
        "INS-09",
        &[
            ("they are off", |facts| target(facts).backup_days = Some(0), Fail, "--backup-retention-period 7"),
            ("they are kept for less long", |facts| target(facts).backup_days = Some(1), Warn, "7 on the source"),
            ("they have stopped", |facts| target(facts).restorable_to = Some(at(-9_000)), Warn, "describe-events"),
            ("RDS does not say how new", |facts| target(facts).restorable_to = None, Unknown, "latest restorable"),
            ("the source is gone", |facts| facts.cloud.source.server = Asked::untold("gone"), Unknown, "gone"),
        ],
    );
}

#[test]
fn ins_10_wants_a_key_that_works() {
    table(
        "INS-10",
        &[
            ("it is not encrypted", |facts| target(facts).encrypted = Some(false), Fail, "copy-db-snapshot"),
            (
                "AWS manages the key",
                |facts| change(&mut facts.cloud.target.key).manager = Some("AWS".into()),
                Warn,
                "AWS manages",
            ),
            (
                "the key is disabled",
                |facts| change(&mut facts.cloud.target.key).state = Some("Disabled".into()),
                Fail,
                "aws kms enable-key --region us-west-2 --key-id arn:aws:kms:us-west-2:1:key/k",
            ),
            (
                "the key is being deleted",
                |facts| change(&mut facts.cloud.target.key).state = Some("PendingDeletion".into()),
                Fail,
                "cancel-key-deletion",
            ),
            (
                "KMS was not allowed to answer",
                |facts| facts.cloud.target.key = Asked::untold("kms:DescribeKey is not allowed"),
                Unknown,
                "kms:DescribeKey",
            ),
        ],
    );
}

#[test]
fn ins_11_wants_protection_from_deletion() {
    table(
        "INS-11",
        &[
            ("it is off", |facts| target(facts).deletion_protection = Some(false), Fail, "--deletion-protection"),
            ("RDS does not say", |facts| target(facts).deletion_protection = None, Unknown, "deletion protection"),
        ],
    );
}

fn ends(facts: &mut ReadinessFacts, days: i64) {
    target(facts).certificate_until = Some(now() + TimeDelta::days(days));
}

#[test]
fn what_was_said_of_a_source_stands_in_only_where_its_region_is_gone() {
    let recalled = |hours: i64, gone: fn(&mut ReadinessFacts)| {
        let mut facts = on_rds();
        let Asked::Told(former) = &facts.cloud.source.server else { panic!("it was told") };
        let former = Told { at: facts.now - TimeDelta::hours(hours), ..former.clone() };
        facts.cloud.source.server = Asked::untold("the endpoint cannot be reached");
        gone(&mut facts);
        facts.recall_source(serde_json::from_str(&serde_json::to_string(&former).unwrap()).unwrap());
        check(&facts, "INS-05")
    };
    let silent = |facts: &mut ReadinessFacts| {
        facts.contact = Contact::Silent { since: None, why: "no answer in time".to_owned() };
    };
    let found = recalled(3, silent);
    assert_eq!((found.status, found.evidence.age_s), (Pass, Some(10_800)), "{}", found.actual);
    assert!(found.evidence.calls.iter().any(|call| call.ends_with("as it was answered then")), "{:?}", found.evidence);
    let old = recalled(25, silent);
    assert_eq!(old.status, Unknown, "after a day it proves nothing: {}", old.actual);
    let answers = recalled(3, |_| {});
    assert_eq!(answers.status, Unknown, "a source that answers has a Region: {}", answers.actual);
    let elsewhere = recalled(3, |facts| {
        facts.contact = Contact::Silent { since: None, why: "no answer in time".to_owned() };
        facts.cloud.source.region = Some("eu-west-1".to_owned());
    });
    assert_eq!(elsewhere.status, Unknown, "it is another Region's: {}", elsewhere.actual);
}

#[test]
fn ins_13_sees_certificates_end() {
    table(
        "INS-13",
        &[
            ("within a quarter", |facts| ends(facts, 80), Warn, "--ca-certificate-identifier rds-ca-ecc384-g1"),
            ("within two weeks", |facts| ends(facts, 13), Fail, "in 13 days"),
            (
                "the authority's ends before it",
                |facts| change(&mut facts.cloud.target.authorities)[0].until = Some(now() + TimeDelta::days(5)),
                Fail,
                "the authority's certificate",
            ),
            ("RDS does not say", |facts| target(facts).certificate_until = None, Unknown, "certificate's end"),
            (
                "clients may trust the source's alone",
                |facts| change(&mut facts.cloud.source.server).authority = Some("rds-ca-ecc384-g1".to_owned()),
                Warn,
                "put rds-ca-rsa2048-g1 into every client's bundle too",
            ),
            (
                "nobody knows the source's",
                |facts| facts.cloud.source.server = Asked::untold("the Region is gone"),
                Pass,
                "in 300 days",
            ),
        ],
    );
}

#[test]
fn ins_14_counts_what_is_left() {
    table(
        "INS-14",
        &[
            ("it fills up", |facts| change(&mut facts.cloud.target.quotas)[0].used = 33, Warn, "DBInstances 33 of 40"),
            ("it is full", |facts| change(&mut facts.cloud.target.quotas)[0].used = 38, Fail, "service-quotas"),
            ("none of them counts", |facts| change(&mut facts.cloud.target.quotas).clear(), Unknown, "none"),
            ("nobody answered", |facts| facts.cloud.target.quotas = Asked::untold("throttled"), Unknown, "throttled"),
        ],
    );
}

#[test]
fn net_01_lets_in_the_application_and_not_the_world() {
    table(
        "NET-01",
        &[
            (
                "a group is not let in",
                |facts| facts.settings.cloud.application.push("sg-app".into()),
                Fail,
                "UserIdGroupPairs=[{GroupId=sg-app}]",
            ),
            (
                "another port is open",
                |facts| change(&mut facts.cloud.target.doors)[0].ports = Some((5432, 5432)),
                Fail,
                "FromPort=3306,ToPort=3306,IpRanges=[{CidrIp=10.20.1.0/24}]",
            ),
            (
                "the world is let in",
                |facts| {
                    let world = Door { group: "sg-db".into(), ports: None, from: "0.0.0.0/0".into() };
                    change(&mut facts.cloud.target.doors).push(world);
                },
                Warn,
                "revoke-security-group-ingress",
            ),
            ("nobody says who comes", |facts| facts.settings.cloud.application.clear(), Unknown, "[network]"),
            (
                "EC2 was not allowed to answer",
                |facts| facts.cloud.target.doors = Asked::untold("ec2:DescribeSecurityGroups is not allowed"),
                Unknown,
                "ec2:DescribeSecurityGroups",
            ),
        ],
    );
}

#[test]
fn net_02_wants_two_zones_with_room() {
    table(
        "NET-02",
        &[
            ("it is public", |facts| target(facts).public = Some(true), Fail, "--no-publicly-accessible"),
            (
                "there is one zone",
                |facts| change(&mut facts.cloud.target.subnets).subnets.truncate(1),
                Fail,
                "--subnet-ids subnet-a",
            ),
            (
                "addresses run out",
                |facts| change(&mut facts.cloud.target.room)[1].addresses = 3,
                Warn,
                "subnet-b has 3",
            ),
            ("EC2 did not answer", |facts| facts.cloud.target.room = Asked::untold("no answer"), Unknown, "no answer"),
        ],
    );
}

fn leads_to(facts: &mut ReadinessFacts, host: &str) {
    change(&mut facts.cloud.record).values = vec![host.to_owned()];
}

#[test]
fn cut_01_wants_a_short_lived_record_that_leads_to_the_source() {
    table(
        "CUT-01",
        &[
            ("it lives for minutes", |facts| change(&mut facts.cloud.record).ttl_s = Some(300), Warn, "5 min"),
            ("it lives for an hour", |facts| change(&mut facts.cloud.record).ttl_s = Some(3_600), Fail, "route53"),
            ("it is an alias", |facts| change(&mut facts.cloud.record).ttl_s = None, Warn, "alias"),
            ("it leads elsewhere", |facts| leads_to(facts, "old.example.com"), Warn, "does not lead to the source"),
            (
                "it leads to the target",
                |facts| leads_to(facts, "SHOP-DR.abc.us-west-2.rds.amazonaws.com"),
                Fail,
                "leads to the target already",
            ),
            ("it is not there", |facts| change(&mut facts.cloud.record).values.clear(), Fail, "there is no record"),
            (
                "nobody names one",
                |facts| {
                    facts.settings.cloud.dns_record = None;
                    facts.settings.cloud.secret = None;
                },
                Unknown,
                "[cutover]",
            ),
            ("Route 53 did not answer", |facts| facts.cloud.record = Asked::untold("denied"), Unknown, "denied"),
        ],
    );
    let mut by_secret = on_rds();
    by_secret.settings.cloud.dns_record = None;
    assert_eq!(check(&by_secret, "CUT-01").status, NotApplicable);
}

#[test]
fn cut_02_logs_in() {
    table(
        "CUT-02",
        &[
            ("it is let in", |facts| change(&mut facts.cloud.secret).login = Login::Accepted, Pass, ""),
            (
                "it is refused",
                |facts| change(&mut facts.cloud.secret).login = Login::Refused("1045 access denied".into()),
                Fail,
                "1045",
            ),
            (
                "it names the source",
                |facts| change(&mut facts.cloud.secret).host = Some("shop.us-east-1".into()),
                Warn,
                "names the host shop.us-east-1",
            ),
            ("nobody names one", |facts| facts.settings.cloud.secret = None, Unknown, "[cutover]"),
            ("it cannot be read", |facts| facts.cloud.secret = Asked::untold("denied"), Unknown, "denied"),
        ],
    );
}

#[test]
fn cut_04_needs_nothing_of_the_region_that_is_lost() {
    table(
        "CUT-04",
        &[
            ("a record is edited", |facts| facts.settings.cloud.runbook_calls.push("route53".into()), Warn, "route53"),
            (
                "the source's Region is called",
                |facts| facts.settings.cloud.runbook_calls.push("kms:us-east-1".into()),
                Fail,
                "kms:us-east-1",
            ),
            (
                "Leeward's own secret is there",
                |facts| facts.cloud.target.secret_region = Some("us-east-1".into()),
                Fail,
                "the secret that Leeward logs in",
            ),
            ("nobody lists the calls", |facts| facts.settings.cloud.runbook_calls.clear(), Unknown, "[cutover]"),
            ("the source's Region is not known", |facts| facts.cloud.source.region = None, Unknown, "source.region"),
        ],
    );
}

#[test]
fn gov_01_wants_a_drill_that_passed_lately() {
    let day = 86_400;
    table_from(
        ready,
        "GOV-01",
        &[
            ("it is old", |facts| change(&mut facts.drill).ended = at(-100 * 86_400), Warn, "--drill FILE"),
            ("it is very old", |facts| change(&mut facts.drill).ended = at(-200 * 86_400), Fail, "days ago"),
            ("it failed", |facts| change(&mut facts.drill).passed = false, Fail, "failed"),
            ("it was talk", |facts| change(&mut facts.drill).kind = DrillKind::Tabletop, Warn, "tabletop"),
            ("it is to come", |facts| change(&mut facts.drill).ended = at(500), Unknown, "is to come"),
            ("there is no record", |facts| facts.drill = Asked::untold("no record is named"), Unknown, "no record"),
        ],
    );
    let mut patient = ready();
    change(&mut patient.drill).ended = at(-100 * day);
    patient.settings.checks.drill_age_warn_s = 150 * 86_400;
    assert_eq!(check(&patient, "GOV-01").status, Pass);
}

#[test]
fn gov_02_compares_what_was_measured_with_the_objective() {
    table_from(
        ready,
        "GOV-02",
        &[
            ("it was a little more", |facts| change(&mut facts.drill).takeover_s = Some(20_000), Warn, "4.0 h wanted"),
            ("it was far more", |facts| change(&mut facts.drill).takeover_s = Some(60_000), Fail, "objectives.rto"),
            ("it was not measured", |facts| change(&mut facts.drill).takeover_s = None, Fail, "no duration"),
            ("there is no record", |facts| facts.drill = Asked::untold("no record is named"), Unknown, "no record"),
        ],
    );
}
