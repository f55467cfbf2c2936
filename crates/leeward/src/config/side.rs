//! One server as it was configured: address, user, where the password comes from, TLS, patience.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use leeward_core::name::Side;
use leeward_core::secret::Secret;
use leeward_mysql::endpoint::{Compression, Timeouts, Tls, TlsMode};

use super::key::{Key, SideKey};
use super::mistake::{Origin, shown};
use super::raw::Given;
use super::resolve::Desk;
use super::url;

/// The port that MySQL and MariaDB listen on unless told otherwise.
pub(super) const PORT_DEFAULT: u16 = 3306;

/// A connection that takes longer than this is not slow but gone.
const CONNECT_TIMEOUT_MAX: Duration = Duration::from_secs(300);

/// A statement that is silent for a day has been forgotten by everybody.
const READ_TIMEOUT_MAX: Duration = Duration::from_secs(24 * 3600);

/// Below a second an ocean and one lost packet look like a vanished peer.
const TIMEOUT_MIN: Duration = Duration::from_secs(1);

/// One server as it was configured.
#[derive(Debug, Clone)]
pub struct SideSettings {
    /// Which of the two.
    pub side: Side,
    /// Host name or address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// User; may be absent only where the password's source names one.
    pub user: Option<String>,
    /// Where the password comes from.
    pub password: PasswordFrom,
    /// The role that is assumed for the password, where it is not that of both sides.
    #[cfg_attr(not(feature = "aws"), expect(dead_code, reason = "only the aws feature reaches it"))]
    pub role_arn: Option<String>,
    /// Encryption and verification.
    pub tls: Tls,
    /// How long each kind of wait may last.
    pub timeouts: Timeouts,
    /// Compression of the wire.
    pub compression: Compression,
}

/// Where a password comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordFrom {
    /// It was given: in a URL or by environment; empty where none was given at all.
    Given(Secret),
    /// It is in a file.
    File(PathBuf),
    /// It is in AWS Secrets Manager, under this name or ARN.
    AwsSecret(String),
    /// It is an IAM token, signed for each connection.
    IamToken,
}

impl SideSettings {
    /// Returns `host:port` for people.
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Returns host and port in a form in which two spellings of one place are equal. That two names lead to one server
    /// is found later, from what the servers say of themselves.
    pub(super) fn place(&self) -> (String, u16) {
        let host = self.host.to_ascii_lowercase();
        let host = host.strip_suffix('.').unwrap_or(&host);
        let host = if matches!(host, "127.0.0.1" | "::1") { "localhost" } else { host };
        (host.to_owned(), self.port)
    }
}

/// Returns whether a host is this machine, where what passes is seen by nobody else.
fn is_loopback(host: &str) -> bool {
    let name = host.to_ascii_lowercase();
    let name = name.strip_suffix('.').unwrap_or(&name);
    name == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Returns whether a host is an RDS instance or cluster. RDS Proxy is not: its certificates are publicly trusted.
fn is_rds(host: &str) -> bool {
    let name = host.to_ascii_lowercase();
    let in_rds =
        name.ends_with(".rds.amazonaws.com") || (name.contains(".rds.") && name.ends_with(".amazonaws.com.cn"));
    in_rds && !name.contains(".proxy-")
}

/// Checks one side; nothing if it was not given or its address is wrong.
pub(super) fn resolve(desk: &mut Desk<'_>, side: Side) -> Option<SideSettings> {
    if !desk.is_given(side) && !is_touched(desk, side) {
        return None;
    }
    let host = host(desk, side);
    let port = port(desk, side);
    let password = password(desk, side);
    let role_arn = role_arn(desk, side, &password);
    let user = user(desk, side, &password);
    let tls = tls(desk, side, host.as_deref(), &password);
    let timeouts = timeouts(desk, side);
    let compression = match desk.switch(Key::Side(side, SideKey::Compression)) {
        true => Compression::Zlib,
        false => Compression::Off,
    };
    Some(SideSettings { side, host: host?, port: port?, user, password, role_arn, tls, timeouts, compression })
}

/// Returns whether anything at all was said about a side; if so and its host is missing, that is a mistake.
fn is_touched(desk: &Desk<'_>, side: Side) -> bool {
    super::key::SIDE_KEYS.iter().any(|&key| key != SideKey::Url && desk.pick(Key::Side(side, key)).is_some())
}

fn host(desk: &mut Desk<'_>, side: Side) -> Option<String> {
    let Some(given) = desk.pick(Key::Side(side, SideKey::Host)).cloned() else {
        if !desk.is_unreadable(side) {
            let url = Key::Side(side, SideKey::Url);
            let host = Key::Side(side, SideKey::Host);
            let text = format!("the {side}'s host is missing: use --{} or --{}", host.flag(), url.flag());
            desk.mistakes.missing(text);
        }
        return None;
    };
    if !url::is_host(given.text()) {
        let text =
            format!("this is not a host name or address; a URL belongs into --{side}-url, a port into --{side}-port");
        desk.mistakes.at(&given.origin, text);
        return None;
    }
    Some(given.text().to_owned())
}

fn port(desk: &mut Desk<'_>, side: Side) -> Option<u16> {
    let Some(given) = desk.pick(Key::Side(side, SideKey::Port)).cloned() else { return Some(PORT_DEFAULT) };
    let port = given.text().parse::<u16>().ok().filter(|&port| port > 0);
    if port.is_none() {
        desk.mistakes.at(&given.origin, format!("{} is not a port; write 1 to 65535", shown(given.text())));
    }
    port
}

fn user(desk: &mut Desk<'_>, side: Side, password: &PasswordFrom) -> Option<String> {
    let key = Key::Side(side, SideKey::User);
    let given = desk.text(key);
    let is_named_elsewhere = matches!(password, PasswordFrom::AwsSecret(_)) || desk.is_unreadable(side);
    if desk.pick(key).is_none() && !is_named_elsewhere {
        desk.mistakes.missing(format!("the {side}'s user is missing: use --{} or write it into the URL", key.flag()));
    }
    given
}

/// A role without anything that it is assumed for is a slip.
fn role_arn(desk: &mut Desk<'_>, side: Side, password: &PasswordFrom) -> Option<String> {
    let key = Key::Side(side, SideKey::RoleArn);
    let role = desk.text(key);
    if role.is_some() && matches!(password, PasswordFrom::Given(_) | PasswordFrom::File(_)) {
        let origin = desk.pick(key)?.origin.clone();
        let text = format!("it has no effect without --{side}-secret or --{side}-iam; leave it out");
        desk.mistakes.at(&origin, text);
    }
    role
}

fn password(desk: &mut Desk<'_>, side: Side) -> PasswordFrom {
    let is_iam = desk.switch(Key::Side(side, SideKey::Iam));
    let keys = [SideKey::Password, SideKey::PasswordFile, SideKey::PasswordEnv, SideKey::Secret, SideKey::Iam];
    for place in 0..desk.layers.len() {
        let layer = &desk.layers[place];
        let given: Vec<(SideKey, Given)> = keys
            .iter()
            .filter(|&&key| key != SideKey::Iam || is_iam)
            .filter_map(|&key| Some((key, layer.get(&Key::Side(side, key))?.clone())))
            .collect();
        let Some((key, first)) = given.first() else { continue };
        for (_, other) in &given[1..] {
            let text = format!("the password is also given by {}; leave one of them out", first.origin);
            desk.mistakes.at(&other.origin, text);
        }
        return read_password(desk, side, *key, first);
    }
    PasswordFrom::Given(Secret::new(""))
}

fn read_password(desk: &mut Desk<'_>, side: Side, key: SideKey, given: &Given) -> PasswordFrom {
    match key {
        SideKey::PasswordFile => {
            PasswordFrom::File(desk.file(Key::Side(side, SideKey::PasswordFile)).unwrap_or_default())
        }
        SideKey::PasswordEnv => PasswordFrom::Given(variable(desk, given)),
        SideKey::Secret => {
            needs_aws(desk, &given.origin);
            PasswordFrom::AwsSecret(desk.text(Key::Side(side, SideKey::Secret)).unwrap_or_default())
        }
        SideKey::Iam => {
            needs_aws(desk, &given.origin);
            PasswordFrom::IamToken
        }
        _ => PasswordFrom::Given(Secret::new(given.text())),
    }
}

fn variable(desk: &mut Desk<'_>, given: &Given) -> Secret {
    match desk.environment.get(given.text()).map(|value| value.to_str()) {
        Some(Some(password)) => return Secret::new(password),
        Some(None) => desk.mistakes.at(&given.origin, "the environment variable named here does not hold UTF-8"),
        // The name is not quoted: it may be the password itself, put into the wrong key.
        None => desk.mistakes.at(&given.origin, "the environment variable named here is not set"),
    }
    Secret::new("")
}

#[cfg(feature = "aws")]
fn needs_aws(_desk: &mut Desk<'_>, _origin: &Origin) {}

#[cfg(not(feature = "aws"))]
fn needs_aws(desk: &mut Desk<'_>, origin: &Origin) {
    desk.mistakes.at(origin, "this leeward was built without the aws feature; build it with it, or use password_file");
}

fn tls(desk: &mut Desk<'_>, side: Side, host: Option<&str>, password: &PasswordFrom) -> Tls {
    let ca_file = desk.file(Key::Side(side, SideKey::CaFile));
    let server_name = desk.text(Key::Side(side, SideKey::ServerName));
    let is_local = host.is_some_and(is_loopback);
    let asked = desk.pick(Key::Side(side, SideKey::Tls)).cloned();
    let mode = match &asked {
        Some(given) => match read_mode(given.text()) {
            Some(mode) => mode,
            None => {
                let text = format!(
                    "{} is not a TLS mode; write disabled, required, verify-ca or verify-identity",
                    shown(given.text())
                );
                desk.mistakes.at(&given.origin, text);
                TlsMode::VerifyIdentity
            }
        },
        // Whoever names a CA wants the certificate checked, on whatever host.
        None if is_local && ca_file.is_none() && server_name.is_none() => TlsMode::Disabled,
        None => TlsMode::VerifyIdentity,
    };
    let tls = Tls { mode, ca_file, server_name };
    check_tls(desk, side, &tls);
    if let Some(host) = host {
        warn_of_tls(desk, side, host, &tls);
    }
    if *password == PasswordFrom::IamToken && matches!(mode, TlsMode::Disabled | TlsMode::Required) {
        desk.mistakes.missing(format!(
            "iam sends its token in clear text inside TLS, so the {side} must be verified: use --{side}-tls \
             verify-identity and --{side}-ca-file"
        ));
    }
    tls
}

fn read_mode(text: &str) -> Option<TlsMode> {
    match text {
        "disabled" => Some(TlsMode::Disabled),
        "required" => Some(TlsMode::Required),
        "verify-ca" => Some(TlsMode::VerifyCa),
        "verify-identity" => Some(TlsMode::VerifyIdentity),
        _ => None,
    }
}

/// Refuses settings that would silently have no effect.
fn check_tls(desk: &mut Desk<'_>, side: Side, tls: &Tls) {
    let mut needs = |key, is_given: bool, is_used: bool, modes: &str| {
        if is_given && !is_used {
            let origin = desk.pick(Key::Side(side, key)).map(|given| given.origin.clone());
            let text = format!("it has no effect with this TLS mode; use tls = {modes}, or leave it out");
            match origin {
                Some(origin) => desk.mistakes.at(&origin, text),
                None => desk.mistakes.missing(text),
            }
        }
    };
    let is_verified = matches!(tls.mode, TlsMode::VerifyCa | TlsMode::VerifyIdentity);
    needs(SideKey::CaFile, tls.ca_file.is_some(), is_verified, "verify-ca or verify-identity");
    let is_named = tls.mode == TlsMode::VerifyIdentity;
    needs(SideKey::ServerName, tls.server_name.is_some(), is_named, "verify-identity");
}

fn warn_of_tls(desk: &mut Desk<'_>, side: Side, host: &str, tls: &Tls) {
    let what = match tls.mode {
        TlsMode::Disabled => "is not encrypted: everyone on the way can read rows and passwords",
        TlsMode::Required => "is encrypted but not verified: whoever stands in the middle can read rows and passwords",
        TlsMode::VerifyCa => "accepts any host's certificate from these CAs: another server of theirs could stand in",
        TlsMode::VerifyIdentity => {
            if is_rds(host) && tls.ca_file.is_none() {
                desk.warnings.push(format!(
                    "the {side} is an RDS host, whose certificate no public CA has signed: download \
                     https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem and name it with --{side}-ca-file"
                ));
            }
            return;
        }
    };
    if !is_loopback(host) {
        desk.warnings.push(format!("the connection to the {side} {what}; use --{side}-tls verify-identity"));
    }
}

fn timeouts(desk: &mut Desk<'_>, side: Side) -> Timeouts {
    let usual = Timeouts::default();
    let connect = desk.duration(Key::Side(side, SideKey::ConnectTimeout), TIMEOUT_MIN..=CONNECT_TIMEOUT_MAX);
    let read = desk.duration(Key::Side(side, SideKey::ReadTimeout), TIMEOUT_MIN..=READ_TIMEOUT_MAX);
    Timeouts { connect: connect.unwrap_or(usual.connect), read: read.unwrap_or(usual.read), ..usual }
}
