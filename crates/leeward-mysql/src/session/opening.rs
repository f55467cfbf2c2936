//! Opens a session: DNS, TCP, TLS, log-in and settings, all inside one time-out.

use std::net::IpAddr;

use leeward_core::fault::{Fault, FaultKind};
use leeward_core::server::{Flavor, Version};
use mysql_async::{Conn, Opts, OptsBuilder, Row, SslOpts};

use super::{Session, ca_file, settings};
use crate::endpoint::{Cleartext, Compression, Endpoint, Password, PasswordAge, TlsMode};
use crate::fault::{self, Cause};

/// Largest packet that either side may hold, the protocol's own limit. Saying so keeps the driver from asking the
/// server (a round trip); the server's `max_allowed_packet` still decides.
const PACKET_BYTES_MAX: usize = 1 << 30;

/// Keeps the driver from asking for `wait_timeout` (a round trip). Only its pool would use it.
const WAIT_TIMEOUT_S: usize = 28_800;

/// Addresses of a host that are tried. RDS names have one; a dual-stack name has two.
const ADDRESSES_MAX: usize = 8;

/// What a session is for, and the statements that it begins with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Purpose<'a> {
    pub name: &'static str,
    pub first: &'a str,
}

/// A session and the result sets of its first statements.
type Opened = (Session, Vec<Vec<Row>>);

/// See [`Session::open_with`].
pub(super) async fn open(endpoint: &Endpoint, purpose: Purpose<'_>) -> Result<Opened, Fault> {
    let cached = ask_password(endpoint, PasswordAge::Cached).await?;
    let refused = match attempt(endpoint, purpose, &cached).await {
        Err(fault) if fault.kind == FaultKind::AccessDenied => fault,
        other => return other,
    };
    // It may have been rotated since it was cached. The same one again would only count towards a lock-out.
    let fresh = ask_password(endpoint, PasswordAge::Fresh).await?;
    let again = match fresh == cached {
        true => Err(refused),
        false => attempt(endpoint, purpose, &fresh).await,
    };
    again.map_err(|fault| hint_at_password(fault, endpoint))
}

/// Says what only the password's source knows.
fn hint_at_password(fault: Fault, endpoint: &Endpoint) -> Fault {
    match endpoint.password.remedy_when_refused() {
        Some(remedy) if fault.kind == FaultKind::AccessDenied => with_hint(fault, &remedy),
        _ => fault,
    }
}

fn with_hint(mut fault: Fault, hint: &str) -> Fault {
    let cause = fault.cause.take().map(|cause| cause.to_string()).unwrap_or_default();
    fault.because(Cause(format!("{cause}; {hint}")))
}

async fn ask_password(endpoint: &Endpoint, age: PasswordAge) -> Result<Password, Fault> {
    // Fetching a secret may take longer than a connection does, and it has retries of its own.
    let asked = tokio::time::timeout(endpoint.timeouts.read, endpoint.password.password(age)).await;
    let password = asked.unwrap_or_else(|_| {
        Err(Fault::new(FaultKind::TimedOut, "fetch the password")
            .because(Cause("its source does not answer".to_owned())))
    });
    let password = password.map_err(|fault| fault.on(endpoint.side))?;
    let is_verified = matches!(endpoint.tls.mode, TlsMode::VerifyCa | TlsMode::VerifyIdentity);
    if password.cleartext == Cleartext::OverTlsOnly && !is_verified {
        let remedy = format!(
            "the {} password is an IAM token, which is sent in clear text: it takes TLS that is verified, so \
             ask for tls mode verify-identity",
            endpoint.side
        );
        return Err(Fault::new(FaultKind::Refused(remedy), "connect").on(endpoint.side));
    }
    Ok(password)
}

async fn attempt(endpoint: &Endpoint, purpose: Purpose<'_>, password: &Password) -> Result<Opened, Fault> {
    let doing = format!("connect to {}:{}", endpoint.host, endpoint.port);
    let connecting = connect(endpoint, purpose, password, &doing);
    let connected = match tokio::time::timeout(endpoint.timeouts.connect, connecting).await {
        Ok(connected) => connected,
        Err(_) => {
            let cause = Cause(format!("no session within {} s", endpoint.timeouts.connect.as_secs_f32()));
            Err(Fault::new(FaultKind::TimedOut, &doing).because(cause))
        }
    };
    match connected {
        Err(fault) if fault.kind == FaultKind::Tls => Err(hint_at_ca(fault.on(endpoint.side), endpoint).await),
        other => other.map_err(|fault| hint_at_tls(fault.on(endpoint.side), endpoint.tls.mode)),
    }
}

/// MariaDB answers 1045 to a plain connection when it insists on TLS, and both do for an account with REQUIRE SSL.
fn hint_at_tls(fault: Fault, mode: TlsMode) -> Fault {
    match fault.kind == FaultKind::AccessDenied && mode == TlsMode::Disabled {
        true => with_hint(fault, "the connection has no TLS, which the account may require"),
        false => fault,
    }
}

/// A file of CAs that is years old shows as a server whose CA is unknown.
async fn hint_at_ca(fault: Fault, endpoint: &Endpoint) -> Fault {
    let Some(path) = &endpoint.tls.ca_file else { return fault };
    match ca_file::all_expired(path).await {
        Some(hint) => with_hint(fault, &hint),
        None => fault,
    }
}

/// Tries the host's addresses in turn until one takes the connection.
async fn connect(endpoint: &Endpoint, purpose: Purpose<'_>, password: &Password, doing: &str) -> Result<Opened, Fault> {
    let addresses = look_up(endpoint, doing).await?;
    let opts = driver_options(endpoint, purpose.name, password, doing).await?;
    let mut last = Fault::new(FaultKind::UnknownHost, doing);
    for address in addresses {
        match connect_to(endpoint, &opts, address, doing).await {
            Ok(conn) => return settle_in(Session::of(conn, endpoint), endpoint, (purpose.first, doing)).await,
            // Another address can only help where this one does not answer.
            Err(fault) if fault.kind == FaultKind::Unreachable => last = fault,
            Err(fault) => return Err(fault),
        }
    }
    Err(last)
}

/// Looks the name up anew: after a failover it names another machine (T33).
async fn look_up(endpoint: &Endpoint, doing: &str) -> Result<Vec<IpAddr>, Fault> {
    let found = tokio::net::lookup_host((endpoint.host.as_str(), endpoint.port)).await;
    let addresses: Vec<IpAddr> = match found {
        Ok(found) => found.map(|address| address.ip()).take(ADDRESSES_MAX).collect(),
        Err(error) => {
            let cause = Cause(format!("look up {}: {error}", endpoint.host));
            return Err(Fault::new(FaultKind::UnknownHost, doing).because(cause));
        }
    };
    if addresses.is_empty() {
        let cause = Cause(format!("look up {}: it has no address", endpoint.host));
        return Err(Fault::new(FaultKind::UnknownHost, doing).because(cause));
    }
    Ok(addresses)
}

async fn connect_to(endpoint: &Endpoint, opts: &Opts, address: IpAddr, doing: &str) -> Result<Conn, Fault> {
    let to_address = |opts: OptsBuilder| Conn::new(opts.resolved_ips(Some(vec![address])));
    let error = match to_address(OptsBuilder::from_opts(opts.clone())).await {
        Ok(conn) => return Ok(conn),
        Err(error) => error,
    };
    if endpoint.tls.mode == TlsMode::VerifyCa
        && let Some(names) = fault::tls::names_of_wrong_certificate(&error)
    {
        let Some(name) = names.first() else {
            let cause = "the server's certificate carries no name, so its CA cannot be verified either; give the \
                         server a certificate with a subject alternative name, or ask for tls mode `required`";
            return Err(Fault::new(FaultKind::Tls, doing).because(Cause(cause.to_owned())));
        };
        // The driver cannot leave the name out (mysql_async 0.37.1), so it is given the one that the certificate
        // carries. The chain is verified on this connection like on the first one.
        let name = name.replace('*', "any");
        let ssl = opts.ssl_opts().cloned().unwrap_or_default().with_danger_tls_hostname_override(Some(name));
        let again = to_address(OptsBuilder::from_opts(opts.clone()).ssl_opts(ssl)).await;
        return again.map_err(|error| fault::from_driver(error, endpoint.side, doing));
    }
    Err(fault::from_driver(error, endpoint.side, doing))
}

async fn driver_options(
    endpoint: &Endpoint,
    purpose: &'static str,
    password: &Password,
    doing: &str,
) -> Result<Opts, Fault> {
    let user = password.user.as_deref().unwrap_or(&endpoint.user);
    let compression = match endpoint.compression {
        Compression::Off => None,
        Compression::Zlib => Some(mysql_async::Compression::fast()),
    };
    let builder = OptsBuilder::default()
        .ip_or_hostname(endpoint.host.as_str())
        .tcp_port(endpoint.port)
        .user(Some(user))
        .pass(Some(password.text.expose()))
        .enable_cleartext_plugin(password.cleartext == Cleartext::OverTlsOnly)
        .ssl_opts(tls_options(endpoint, doing).await?)
        .tcp_keepalive(Some(endpoint.timeouts.keepalive))
        .tcp_nodelay(true)
        .prefer_socket(false)
        .compression(compression)
        .max_allowed_packet(Some(PACKET_BYTES_MAX))
        .wait_timeout(Some(WAIT_TIMEOUT_S))
        .connect_attribute("program_name", "leeward")
        .connect_attribute("leeward_purpose", purpose);
    Ok(builder.into())
}

async fn tls_options(endpoint: &Endpoint, doing: &str) -> Result<Option<SslOpts>, Fault> {
    let mut options = SslOpts::default();
    if let Some(name) = &endpoint.tls.server_name {
        options = options.with_danger_tls_hostname_override(Some(name.clone()));
    }
    match endpoint.tls.mode {
        TlsMode::Disabled => return Ok(None),
        TlsMode::Required => return Ok(Some(options.with_danger_accept_invalid_certs(true))),
        TlsMode::VerifyCa | TlsMode::VerifyIdentity => {}
    }
    if let Some(path) = &endpoint.tls.ca_file {
        let pem = ca_file::read(path, endpoint.side)
            .await
            .map_err(|cause| Fault::new(FaultKind::Tls, doing).on(endpoint.side).because(cause))?;
        options = options.with_root_certs(vec![pem.into()]).with_disable_built_in_roots(true);
    }
    Ok(Some(options))
}

/// Applies the settings, learns who answers and runs the first statements, in one round trip.
async fn settle_in(mut session: Session, endpoint: &Endpoint, (first, doing): (&str, &str)) -> Result<Opened, Fault> {
    // MariaDB runs what stands in its own comments; the version's text can be changed by whoever builds the server.
    let sql = format!(
        "{}; SELECT CONNECTION_ID(), CURRENT_USER(), VERSION(), 0 /*M! + 1 */, @@max_allowed_packet;{first}",
        settings::statements(endpoint.side, endpoint.timeouts.read)
    );
    let sql = sql.trim_end_matches(';');
    let mut sets = session.sets(&format!("{doing} and apply the session settings"), sql).await?;
    let row = if sets.is_empty() { None } else { sets.remove(0).pop() };
    let read = row.and_then(|row| mysql_async::from_row_opt::<(u64, String, String, u8, u64)>(row).ok());
    let understood = read.and_then(|read| Version::parse(&read.2).map(|version| (read, version)));
    let Some(((thread_id, account, version_text, is_mariadb, packet_bytes_max), version)) = understood else {
        let cause = Cause("the server does not say its version as MySQL and MariaDB do".to_owned());
        return Err(Fault::new(FaultKind::Unexpected, doing).because(cause));
    };
    session.thread_id = thread_id;
    session.account = account;
    session.version = version;
    session.packet_bytes_max = packet_bytes_max;
    session.version_text = version_text;
    session.flavor = if is_mariadb == 1 { Flavor::MariaDb } else { Flavor::MySql };
    Ok((session, sets))
}
