//! The configuration keys, written once: from a key's name follow its flag, its environment variable and its place in
//! `leeward.toml`, so that the three can never drift apart. What a value means is decided in `resolve`.

use leeward_core::name::Side;

/// One thing that a person can set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// Something about one of the two servers.
    Side(Side, SideKey),
    /// Databases in scope.
    Databases,
    /// The policy file.
    Policy,
    /// The AWS Region, where neither a secret's ARN nor an RDS host name holds it.
    AwsRegion,
    /// Base URL of AWS, for emulators.
    AwsEndpointUrl,
    /// A role to assume before a secret is read or a token signed.
    AwsRoleArn,
    /// Something about the bucket that holds dumps.
    Store(StoreKey),
    /// Bytes of rows in memory.
    Memory,
    /// The list of prices.
    Prices,
    /// Pause between the starts of two cycles.
    CycleInterval,
    /// Life of the lease without renewal.
    LeaseTtl,
    /// How long a step of the loop may take before it counts as stuck.
    StepMax,
    /// Where a running process tells how it is.
    Listen,
    /// In which form numbers are written to stdout.
    Metrics,
    /// The configuration file itself.
    Config,
    /// Form of the result on stdout.
    Output,
    /// Form of the log on stderr.
    LogFormat,
    /// How much is logged.
    LogLevel,
    /// The record of the last drill.
    Drill,
}

/// What can be set for the bucket that holds dumps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StoreKey {
    /// Its Region, where it must be a certain one.
    Region,
    /// A role to assume before it is read or written.
    RoleArn,
    /// Base URL of S3, for emulators and services like it.
    EndpointUrl,
    /// The KMS key by which objects are encrypted.
    KmsKey,
    /// The account that it must belong to.
    BucketOwner,
}

/// What can be set for the source and, in the same words, for the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SideKey {
    /// `mysql://user:password@host:port/`, the short way.
    Url,
    /// Host name or address.
    Host,
    /// TCP port.
    Port,
    /// Database user.
    User,
    /// The password itself; only by environment.
    Password,
    /// A file that holds the password.
    PasswordFile,
    /// The name of another environment variable that holds the password.
    PasswordEnv,
    /// Name or ARN of a Secrets Manager secret.
    Secret,
    /// IAM database authentication.
    Iam,
    /// A role to assume for this side's password alone.
    RoleArn,
    /// TLS mode.
    Tls,
    /// Certificates that the server's certificate must lead to.
    CaFile,
    /// The name that the server's certificate must carry, when it is not the host.
    ServerName,
    /// How long connecting may take.
    ConnectTimeout,
    /// How long the server may stay silent.
    ReadTimeout,
    /// zlib on the wire.
    Compression,
    /// The RDS instance or Multi-AZ cluster that the server is.
    Instance,
    /// The AWS Region that it is in.
    Region,
}

/// What form a value has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text, also durations and choices.
    Text,
    /// A file's path; in `leeward.toml` relative to that file.
    Path,
    /// A whole number.
    Number,
    /// Yes or no.
    Switch,
    /// A word, or yes or no; alone it is yes.
    Choice,
    /// Several texts; with commas between them where there are no brackets.
    List,
}

/// Where a key may be written beside the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Places {
    /// As a flag of every subcommand and in `leeward.toml`.
    FlagAndFile,
    /// As a flag of some subcommands, which declare it themselves, and in `leeward.toml`.
    OwnFlagAndFile,
    /// As a flag of every subcommand.
    Flag,
    /// Nowhere else: a password on the command line is seen by everyone in `ps`, and one in a file is copied about.
    EnvironmentOnly,
}

/// How a key is presented.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// Its name in `leeward.toml`, within its table.
    pub name: &'static str,
    /// The form of its value.
    pub kind: Kind,
    /// Where it may be written.
    pub places: Places,
    /// What stands for the value in the help.
    pub value_name: &'static str,
    /// The help; `{side}` stands for the server.
    pub help: &'static str,
}

/// All keys of one side, in the order of the help.
pub const SIDE_KEYS: [SideKey; 18] = [
    SideKey::Url,
    SideKey::Host,
    SideKey::Port,
    SideKey::User,
    SideKey::Password,
    SideKey::PasswordFile,
    SideKey::PasswordEnv,
    SideKey::Secret,
    SideKey::Iam,
    SideKey::RoleArn,
    SideKey::Tls,
    SideKey::CaFile,
    SideKey::ServerName,
    SideKey::ConnectTimeout,
    SideKey::ReadTimeout,
    SideKey::Compression,
    SideKey::Instance,
    SideKey::Region,
];

const GENERAL_KEYS: [Key; 22] = [
    Key::Config,
    Key::Databases,
    Key::Policy,
    Key::Memory,
    Key::Prices,
    Key::Output,
    Key::LogFormat,
    Key::LogLevel,
    Key::AwsRegion,
    Key::AwsEndpointUrl,
    Key::AwsRoleArn,
    Key::Store(StoreKey::Region),
    Key::Store(StoreKey::RoleArn),
    Key::Store(StoreKey::EndpointUrl),
    Key::Store(StoreKey::KmsKey),
    Key::Store(StoreKey::BucketOwner),
    Key::CycleInterval,
    Key::LeaseTtl,
    Key::StepMax,
    Key::Drill,
    Key::Listen,
    Key::Metrics,
];

impl Key {
    /// Returns every key, in the order of the help.
    pub fn all() -> Vec<Key> {
        let sides = [Side::Source, Side::Target].into_iter();
        let of_sides = sides.flat_map(|side| SIDE_KEYS.map(|key| Key::Side(side, key)));
        of_sides.chain(GENERAL_KEYS).collect()
    }

    /// Returns how it is presented.
    pub fn spec(self) -> Spec {
        match self {
            Key::Side(_, key) => key.spec(),
            general => general.general_spec(),
        }
    }

    /// Returns the table of `leeward.toml` that holds it; nothing for the top level.
    pub fn table(self) -> Option<&'static str> {
        match self {
            Key::Side(Side::Source, _) => Some("source"),
            Key::Side(Side::Target, _) => Some("target"),
            Key::AwsRegion | Key::AwsEndpointUrl | Key::AwsRoleArn => Some("aws"),
            Key::Store(_) => Some("store"),
            Key::CycleInterval | Key::LeaseTtl | Key::StepMax | Key::Listen => Some("sync"),
            _ => None,
        }
    }

    /// Returns its full name in `leeward.toml`: `source.ca_file`.
    pub fn path(self) -> String {
        match self.table() {
            Some(table) => format!("{table}.{}", self.spec().name),
            None => self.spec().name.to_owned(),
        }
    }

    /// Returns its flag without the dashes: `source-ca-file`. Keys of `[sync]` go without their table's name.
    pub fn flag(self) -> String {
        let name = self.spec().name.replace('_', "-");
        match self.table() {
            Some(table) if table != "sync" => format!("{table}-{name}"),
            _ => name,
        }
    }

    /// Returns its environment variable: `LEEWARD_SOURCE_CA_FILE`.
    pub fn variable(self) -> String {
        format!("LEEWARD_{}", self.flag().replace('-', "_").to_uppercase())
    }

    /// Returns whether `leeward.toml` may hold it.
    pub fn in_file(self) -> bool {
        matches!(self.spec().places, Places::FlagAndFile | Places::OwnFlagAndFile)
    }

    fn general_spec(self) -> Spec {
        let everywhere =
            |name, kind, value_name, help| Spec { name, kind, places: Places::FlagAndFile, value_name, help };
        let flag = |name, value_name, help| Spec { name, kind: Kind::Text, places: Places::Flag, value_name, help };
        let own_of =
            |name, value_name, help| Spec { name, kind: Kind::Text, places: Places::OwnFlagAndFile, value_name, help };
        let own = |name, help| own_of(name, "TIME", help);
        match self {
            Key::Databases => everywhere(
                "databases",
                Kind::List,
                "A,B",
                "Databases in scope. Default: the one in the source URL, else every database of the source that is \
                 not the server's own",
            ),
            Key::Policy => {
                everywhere("policy", Kind::Path, "FILE", "What you want: a policy file. Default: the built-in policy")
            }
            Key::Memory => everywhere(
                "memory",
                Kind::Text,
                "SIZE",
                "Rows in memory at once, whatever their number and width: at least 4 MiB. The process takes some 30 MiB \
                 besides; a row that is larger passes alone [default: 16 MiB]",
            ),
            Key::Prices => everywhere(
                "prices",
                Kind::Path,
                "FILE",
                "Prices to calculate with, in place of the built-in list of one day",
            ),
            Key::AwsRegion => everywhere(
                "region",
                Kind::Text,
                "REGION",
                "AWS Region, where neither the secret's ARN nor the RDS host name holds it",
            ),
            Key::AwsEndpointUrl => {
                everywhere("endpoint_url", Kind::Text, "URL", "Base URL of AWS, for emulators and tests")
            }
            Key::AwsRoleArn => everywhere(
                "role_arn",
                Kind::Text,
                "ARN",
                "Role to assume before a secret is read or an IAM token is signed",
            ),
            Key::Store(key) => key.spec(),
            Key::CycleInterval => {
                own("cycle_interval", "Time from the start of one cycle to the next [default: 500ms]")
            }
            Key::LeaseTtl => {
                own("lease_ttl", "After this long without renewal another process may take the lane [default: 30s]")
            }
            Key::StepMax => own(
                "step_max",
                "After this long without a step the loop counts as stuck [default: 5m and the waits that are configured]",
            ),
            Key::Drill => Spec {
                name: "drill",
                kind: Kind::Path,
                places: Places::OwnFlagAndFile,
                value_name: "FILE",
                help: "Record of the last drill",
            },
            Key::Listen => own_of(
                "listen",
                "ADDRESS",
                "Answer /live, /ready, /status.json and /metrics here: PORT, on this machine alone, or ADDRESS:PORT",
            ),
            Key::Metrics => own_of(
                "metrics",
                "FORM",
                "Write numbers to stdout as well: none, or emf for CloudWatch [default: none]",
            ),
            Key::Config => flag("config", "FILE", "Configuration file. Default: leeward.toml here, if there is one"),
            Key::Output => flag("output", "FORM", "Form of the result on stdout: text or json [default: text]"),
            Key::LogFormat => flag(
                "log_format",
                "FORM",
                "Form of the log on stderr: auto, text or json. auto is text on a terminal, json elsewhere; \
                 with json, progress is logged too [default: auto]",
            ),
            Key::LogLevel => flag("log_level", "LEVEL", "error, warn, info, debug or trace [default: info]"),
            Key::Side(_, key) => key.spec(),
        }
    }
}

impl StoreKey {
    fn spec(self) -> Spec {
        let everywhere =
            |name, kind, value_name, help| Spec { name, kind, places: Places::FlagAndFile, value_name, help };
        match self {
            StoreKey::Region => everywhere(
                "region",
                Kind::Text,
                "REGION",
                "Region of the bucket that holds dumps, where it must be a certain one. Default: the bucket's own",
            ),
            StoreKey::RoleArn => everywhere(
                "role_arn",
                Kind::Text,
                "ARN",
                "Role to assume before the bucket is read or written. Default: none, whatever --aws-role-arn says",
            ),
            StoreKey::EndpointUrl => everywhere(
                "endpoint_url",
                Kind::Text,
                "URL",
                "Base URL of S3, for emulators and services like it. Default: --aws-endpoint-url",
            ),
            StoreKey::KmsKey => everywhere(
                "kms_key",
                Kind::Text,
                "KEY",
                "KMS key (ARN, id or alias) that encrypts objects in the bucket. Default: as the bucket says",
            ),
            StoreKey::BucketOwner => everywhere(
                "bucket_owner",
                Kind::Text,
                "ACCOUNT",
                "AWS account that the bucket must belong to; another one's is refused",
            ),
        }
    }
}

impl SideKey {
    fn spec(self) -> Spec {
        let everywhere =
            |name, kind, value_name, help| Spec { name, kind, places: Places::FlagAndFile, value_name, help };
        match self {
            SideKey::Url => everywhere(
                "url",
                Kind::Text,
                "URL",
                "The {side}: mysql://user:password@host:port/?tls=verify-identity&ca=FILE. Prefer the environment \
                 variable: a flag is seen by everyone in `ps`",
            ),
            SideKey::Host => everywhere("host", Kind::Text, "HOST", "Host name or address of the {side}"),
            SideKey::Port => everywhere("port", Kind::Number, "PORT", "TCP port of the {side} [default: 3306]"),
            SideKey::User => everywhere("user", Kind::Text, "USER", "Database user on the {side}"),
            SideKey::Password => Spec {
                name: "password",
                kind: Kind::Text,
                places: Places::EnvironmentOnly,
                value_name: "PASSWORD",
                help: "The password for the {side}",
            },
            SideKey::PasswordFile => everywhere(
                "password_file",
                Kind::Path,
                "FILE",
                "File that holds the password for the {side}; read again when the server refuses it",
            ),
            SideKey::PasswordEnv => everywhere(
                "password_env",
                Kind::Text,
                "NAME",
                "Environment variable that holds the password for the {side}",
            ),
            SideKey::Secret => everywhere(
                "secret",
                Kind::Text,
                "ARN",
                "Secrets Manager secret (name or ARN) that holds the password for the {side}",
            ),
            SideKey::Iam => {
                everywhere("iam", Kind::Switch, "BOOL", "Log in to the {side} by IAM database authentication")
            }
            SideKey::RoleArn => everywhere(
                "role_arn",
                Kind::Text,
                "ARN",
                "Role to assume before the {side}'s secret is read or its IAM token is signed, as for a database in another \
                 account [default: --aws-role-arn]",
            ),
            SideKey::Tls => everywhere(
                "tls",
                Kind::Text,
                "MODE",
                "TLS to the {side}: disabled, required, verify-ca or verify-identity. Default: verify-identity, \
                 disabled on this machine's own addresses; anything weaker is warned about",
            ),
            SideKey::CaFile => everywhere(
                "ca_file",
                Kind::Path,
                "FILE",
                "PEM file of the CAs that may sign the {side}'s certificate (on RDS: global-bundle.pem)",
            ),
            SideKey::ServerName => everywhere(
                "server_name",
                Kind::Text,
                "NAME",
                "Name in the {side}'s certificate, when connecting through a tunnel or by address",
            ),
            SideKey::ConnectTimeout => everywhere(
                "connect_timeout",
                Kind::Text,
                "TIME",
                "How long connecting to the {side} may take [default: 5s]",
            ),
            SideKey::ReadTimeout => everywhere(
                "read_timeout",
                Kind::Text,
                "TIME",
                "How long the {side} may stay silent before it counts as gone [default: 60s]",
            ),
            SideKey::Compression => everywhere(
                "compression",
                Kind::Choice,
                "HOW",
                "Compress what passes to and from the {side}: zlib, off or auto, which measures the way to the source \
                     before a seed or a sync [default: auto for the source, off for the target]",
            ),
            SideKey::Instance => Spec {
                name: "instance",
                kind: Kind::Text,
                places: Places::OwnFlagAndFile,
                value_name: "NAME",
                help: "RDS instance or Multi-AZ cluster of the {side}",
            },
            SideKey::Region => Spec {
                name: "region",
                kind: Kind::Text,
                places: Places::OwnFlagAndFile,
                value_name: "REGION",
                help: "AWS Region of the {side}",
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_three_spellings_of_a_key_follow_from_its_name() {
        let key = Key::Side(Side::Target, SideKey::CaFile);
        assert_eq!(
            (key.flag().as_str(), key.variable().as_str(), key.path().as_str()),
            ("target-ca-file", "LEEWARD_TARGET_CA_FILE", "target.ca_file")
        );
        assert_eq!(Key::CycleInterval.flag(), "cycle-interval");
        assert_eq!(Key::CycleInterval.path(), "sync.cycle_interval");
        assert_eq!(Key::Listen.path(), "sync.listen");
        assert_eq!(Key::AwsRegion.variable(), "LEEWARD_AWS_REGION");
    }

    #[test]
    fn no_two_keys_share_a_spelling() {
        let keys = Key::all();
        for spelling in [Key::flag, Key::variable, Key::path] {
            let distinct: BTreeSet<String> = keys.iter().map(|&key| spelling(key)).collect();
            assert_eq!(distinct.len(), keys.len());
        }
    }
}
