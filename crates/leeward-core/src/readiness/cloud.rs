//! What AWS said of both servers and of what stands around them. Every answer carries the call that gave it and its time;
//! a call that failed carries why, and what to do about it, and costs nothing but its own answer.
//!
//! Pure data: `leeward-aws` fills it, the checks read it.

use chrono::NaiveDateTime;
use serde::{Deserialize, Serialize};

use super::facts::{Contact, ReadinessFacts};
use crate::name::Side;

/// An answer of AWS, or why there is none.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked<T> {
    /// The call was answered.
    Told(Told<T>),
    /// It was not made, or not answered.
    Untold(Untold),
}

/// An answer of AWS.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Told<T> {
    /// The target's clock (UTC) when the calls began.
    pub at: NaiveDateTime,
    /// The call with what it was asked about: `rds:DescribeDBInstances shop-dr in us-west-2`.
    pub call: String,
    /// What was said.
    pub value: T,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untold {
    /// What kept it from being asked or answered, without secrets.
    pub why: String,
    /// What to do about it: for a missing permission, the statement of the policy.
    pub remedy: Option<String>,
}

impl<T> Asked<T> {
    /// Returns an answer that does not exist, for a reason.
    pub fn untold(why: impl Into<String>) -> Asked<T> {
        Asked::Untold(Untold { why: why.into(), remedy: None })
    }

    /// Returns the answer, if there is one.
    pub fn value(&self) -> Option<&T> {
        match self {
            Asked::Told(told) => Some(&told.value),
            Asked::Untold(_) => None,
        }
    }
}

/// All that AWS was asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Cloud {
    /// The source's Region.
    pub source: CloudSide,
    /// The target's Region.
    pub target: CloudSide,
    /// The record by which applications find the database.
    pub record: Asked<DnsRecord>,
    /// The secret that applications will log in to the target with.
    pub secret: Asked<SecretLogin>,
}

/// What AWS said of one server and its Region.
#[derive(Debug, Clone, PartialEq)]
pub struct CloudSide {
    /// The Region, where it is known.
    pub region: Option<String>,
    /// The Region of the secret that Leeward itself logs in with, where it is known.
    pub secret_region: Option<String>,
    /// The instance or Multi-AZ cluster.
    pub server: Asked<RdsServer>,
    /// Where a class can be had, for the class that the target must grow to. Asked of the target alone.
    pub orderable: Asked<Orderable>,
    /// To what the storage may be changed now. Asked of the target alone.
    pub storage_ranges: Asked<Vec<StorageRange>>,
    /// Free space as measured last.
    pub free_space: Asked<Measured>,
    /// The key that encrypts the storage.
    pub key: Asked<KeyFacts>,
    /// The certificate authorities of the Region.
    pub authorities: Asked<Vec<Authority>>,
    /// How much of the account's quotas is used.
    pub quotas: Asked<Vec<Quota>>,
    /// The subnets that the server may stand in.
    pub subnets: Asked<SubnetGroup>,
    /// The addresses that are left in those subnets.
    pub room: Asked<Vec<SubnetRoom>>,
    /// What the server's security groups let in.
    pub doors: Asked<Vec<Door>>,
}

impl Cloud {
    /// Returns answers that do not exist, for one reason.
    pub fn untold(why: &str) -> Cloud {
        Cloud {
            source: CloudSide::untold(why),
            target: CloudSide::untold(why),
            record: Asked::untold(why),
            secret: Asked::untold(why),
        }
    }

    /// Returns one side.
    pub fn side(&self, side: Side) -> &CloudSide {
        match side {
            Side::Source => &self.source,
            Side::Target => &self.target,
        }
    }
}

impl ReadinessFacts {
    /// Puts what RDS said of the source when it was last asked in the place of an answer that did not come, where the source
    /// itself is silent too: then its Region is gone. It keeps its time, so that after a day it proves nothing any more.
    pub fn recall_source(&mut self, former: Told<RdsServer>) {
        let CloudSide { region, server, .. } = &mut self.cloud.source;
        let is_gone = matches!(self.contact, Contact::Silent { .. });
        let is_its = region.as_ref().is_none_or(|region| *region == former.value.region);
        let Asked::Untold(_) = server else { return };
        if is_gone && is_its && former.at <= self.now {
            let call = format!("{}, as it was answered then", former.call);
            region.get_or_insert_with(|| former.value.region.clone());
            *server = Asked::Told(Told { call, ..former });
        }
    }
}

impl CloudSide {
    /// Returns a side of which nothing was told, for one reason.
    pub fn untold(why: &str) -> CloudSide {
        CloudSide {
            region: None,
            secret_region: None,
            server: Asked::untold(why),
            orderable: Asked::untold(why),
            storage_ranges: Asked::untold(why),
            free_space: Asked::untold(why),
            key: Asked::untold(why),
            authorities: Asked::untold(why),
            quotas: Asked::untold(why),
            subnets: Asked::untold(why),
            room: Asked::untold(why),
            doors: Asked::untold(why),
        }
    }
}

/// What kind of thing an identifier names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RdsKind {
    /// A DB instance, with or without a standby.
    Instance,
    /// A Multi-AZ DB cluster.
    Cluster,
}

/// An instance or Multi-AZ cluster as RDS describes it. What RDS left out is absent, and then unknown to the checks. The
/// source's is stored on the target as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RdsServer {
    /// What it is.
    pub kind: RdsKind,
    /// Its identifier.
    pub id: String,
    /// Its Region.
    pub region: String,
    /// Its instances: itself, or the members of a cluster.
    pub members: Vec<String>,
    /// `available`, `stopped`, `storage-full` and so on.
    pub status: Option<String>,
    /// `mysql`, `mariadb`.
    pub engine: Option<String>,
    /// The engine's version, as RDS orders it.
    pub engine_version: Option<String>,
    /// The instance class, `db.r6g.large`.
    pub class: Option<String>,
    /// Host name of the endpoint.
    pub host: Option<String>,
    /// Port of the endpoint.
    pub port: Option<u16>,
    /// Allocated storage, GiB.
    pub storage_gib: Option<u64>,
    /// `gp3`, `io2` and so on.
    pub storage_type: Option<String>,
    /// Provisioned IOPS; absent where the type has none.
    pub iops: Option<u64>,
    /// Provisioned throughput, MiB/s; absent where the type has none.
    pub throughput_mib: Option<u64>,
    /// Whether there is a standby in another zone.
    pub multi_az: Option<bool>,
    /// Days that backups are kept; 0 is off.
    pub backup_days: Option<u64>,
    /// The latest moment to which it can be restored.
    pub restorable_to: Option<NaiveDateTime>,
    /// Whether the storage is encrypted.
    pub encrypted: Option<bool>,
    /// The key that encrypts it.
    pub key: Option<String>,
    /// Whether it is protected from deletion.
    pub deletion_protection: Option<bool>,
    /// Whether it has a public address.
    pub public: Option<bool>,
    /// The name of the authority that signed its certificate.
    pub authority: Option<String>,
    /// When its certificate ends.
    pub certificate_until: Option<NaiveDateTime>,
    /// Its parameter groups, each with the state of its application.
    pub parameter_groups: Vec<(String, String)>,
    /// Changes that wait for the maintenance window, as `DBInstanceClass=db.r6g.large`.
    pub pending: Vec<String>,
    /// Its subnet group.
    pub subnet_group: Option<String>,
    /// Its security groups.
    pub security_groups: Vec<String>,
}

impl RdsServer {
    /// Prints the AWS command that changes something about it at once.
    pub(super) fn modify(&self, change: &str) -> String {
        format!("{} {change} --apply-immediately", self.command("modify"))
    }

    /// Prints an AWS command on it: `reboot` becomes `aws rds reboot-db-instance --region … --db-instance-identifier …`.
    pub(super) fn command(&self, verb: &str) -> String {
        let noun = match self.kind {
            RdsKind::Instance => "instance",
            RdsKind::Cluster => "cluster",
        };
        let RdsServer { id, region, .. } = self;
        format!("aws rds {verb}-db-{noun} --region {region} --db-{noun}-identifier {id}")
    }
}

/// Where a class can be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orderable {
    /// The class that was asked for.
    pub class: String,
    /// The zones in which it can be had for the server's engine, version and storage type.
    pub zones: Vec<String>,
    /// Whether it can be had with a standby.
    pub multi_az: bool,
}

/// To what the storage may be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageRange {
    /// The storage type.
    pub storage_type: String,
    /// Sizes, GiB, as pairs of the least and the most.
    pub sizes_gib: Vec<(u64, u64)>,
    /// Provisioned IOPS, likewise.
    pub iops: Vec<(u64, u64)>,
}

/// The latest value of a metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// The least value over the server's instances.
    pub value: f64,
    /// The oldest of their times.
    pub at: NaiveDateTime,
}

/// A KMS key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFacts {
    /// Its ARN.
    pub arn: String,
    /// `Enabled`, `Disabled`, `PendingDeletion` and so on.
    pub state: Option<String>,
    /// `AWS` or `CUSTOMER`.
    pub manager: Option<String>,
}

/// A certificate authority of RDS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// Its name, `rds-ca-rsa2048-g1`.
    pub name: String,
    /// When it ends.
    pub until: Option<NaiveDateTime>,
}

/// A quota of the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// Its name, `DBInstances`.
    pub name: String,
    /// How much of it is used.
    pub used: i64,
    /// How much there is.
    pub max: i64,
}

/// A DB subnet group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubnetGroup {
    /// Its name.
    pub name: String,
    /// Its subnets, each with its zone.
    pub subnets: Vec<(String, String)>,
}

/// How many addresses are left in a subnet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubnetRoom {
    /// The subnet.
    pub id: String,
    /// Addresses that are not used.
    pub addresses: u64,
}

/// One thing that a security group lets in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door {
    /// The security group.
    pub group: String,
    /// The first and the last port; nothing where all are open.
    pub ports: Option<(u16, u16)>,
    /// A CIDR block, a security group or a prefix list.
    pub from: String,
}

/// A record in Route 53.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsRecord {
    /// Its name.
    pub name: String,
    /// Its time to live, seconds; absent for an alias.
    pub ttl_s: Option<u64>,
    /// What it leads to.
    pub values: Vec<String>,
}

/// What came of a login with a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretLogin {
    /// The secret's name or ARN.
    pub secret: String,
    /// The host that the secret names, if it names one.
    pub host: Option<String>,
    /// The address that the login went to.
    pub tried: String,
    /// What the server said.
    pub login: Login,
}

/// What a server said to a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// It let us in.
    Accepted,
    /// The password is right, and the account is locked.
    Locked,
    /// It refused.
    Refused(String),
}

/// The record of a drill, from a file that people keep.
#[derive(Debug, Clone, PartialEq)]
pub struct Drill {
    /// How far it went.
    pub kind: DrillKind,
    /// When it began, UTC.
    pub began: NaiveDateTime,
    /// When it ended, UTC.
    pub ended: NaiveDateTime,
    /// Whether the copy could take over.
    pub passed: bool,
    /// How long taking over lasted, seconds, where it was measured.
    pub takeover_s: Option<u64>,
    /// Who did it.
    pub by: String,
}

/// How far a drill went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DrillKind {
    /// People went through the runbook; nothing was switched.
    Tabletop,
    /// The steps were run on a restored copy of the target.
    Restore,
    /// The application was switched over.
    Switch,
}
