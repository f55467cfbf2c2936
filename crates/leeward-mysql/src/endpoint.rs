//! Where a server is and how it is reached: address, user, password source, TLS, time-outs, compression.
//!
//! Nothing is connected here (that is [`crate::session`]) and no configuration is parsed (that is the binary's).

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::wire::Wire;
use async_trait::async_trait;
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::name::Side;
pub use leeward_core::secret::{Cleartext, Password, PasswordAge, PasswordSource, Secret};

/// One server as it is reached. Connections are made from it as often as needed, each with a fresh DNS look-up and a
/// fresh question for the password.
#[derive(Clone)]
pub struct Endpoint {
    /// Which of the two it is; the session settings depend on it (the source's sessions are read-only).
    pub side: Side,
    /// Host name or IP address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The user, unless the password source names another.
    pub user: String,
    /// Where the password comes from.
    pub password: Arc<dyn PasswordSource>,
    /// Encryption and verification.
    pub tls: Tls,
    /// How long each kind of wait may last.
    pub timeouts: Timeouts,
    /// Compression of the wire.
    pub compression: Compression,
    /// What passes over the connections; shared by all that are made from this endpoint and its clones.
    pub wire: Arc<Wire>,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("side", &self.side)
            .field("host", &self.host)
            .field("port", &self.port)
            .field("user", &self.user)
            .field("tls", &self.tls)
            .field("timeouts", &self.timeouts)
            .field("compression", &self.compression)
            .finish_non_exhaustive()
    }
}

/// Encryption of the connection and verification of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// How much is demanded.
    pub mode: TlsMode,
    /// PEM file with the trusted CAs. When given, only these are trusted; RDS needs Amazon's RDS bundle, whose CAs are
    /// in no public list.
    pub ca_file: Option<PathBuf>,
    /// The name that the certificate must carry instead of [`Endpoint::host`]: for a tunnel or port forwarding.
    pub server_name: Option<String>,
}

/// How much is demanded of TLS. There is no mode that falls back to plain text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// Plain text. Passwords can be read by whoever reads the wire.
    Disabled,
    /// Encrypted, with any certificate: whoever stands in the middle can read it.
    Required,
    /// Encrypted, with a certificate issued by a trusted CA for whatever name.
    VerifyCa,
    /// Encrypted, with a certificate issued by a trusted CA for this server's name.
    VerifyIdentity,
}

/// How long each kind of wait may last. The driver has no time-outs of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// From the DNS look-up until the session can be used. Five round trips across an ocean are below 1.5 s; an RDS
    /// host in the middle of a failover swallows packets for a minute, and the next look-up may name another host.
    pub connect: Duration,
    /// Until the next packet of an answer. Longer than any lock wait that the session allows itself, so that the
    /// server's own answer comes first; a peer that vanished without a reset is noticed after this long.
    pub read: Duration,
    /// Idle time after which the kernel probes the peer. RDS's network load balancers and NAT gateways forget a
    /// silent connection after 350 s; it also finds a vanished peer under a statement that may take hours (with the
    /// kernel's usual 9 probes 75 s apart, after 12 minutes).
    pub keepalive: Duration,
    /// For saying good-bye. The work is done by then, so it is short.
    pub close: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts {
            connect: Duration::from_secs(5),
            read: Duration::from_secs(60),
            keepalive: Duration::from_secs(15),
            close: Duration::from_secs(2),
        }
    }
}

/// Compression of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// None: best on a link faster than about 300 Mbit/s, where the processor would be the brake.
    #[default]
    Off,
    /// zlib at its fastest level, where the server offers it.
    Zlib,
}

/// A password that was given as it is, by environment or by a test.
pub struct FixedPassword(Password);

impl FixedPassword {
    /// Wraps a password.
    pub fn new(password: impl Into<String>) -> Self {
        FixedPassword(Password { text: Secret::new(password), user: None, cleartext: Cleartext::Never })
    }
}

#[async_trait]
impl PasswordSource for FixedPassword {
    async fn password(&self, _age: PasswordAge) -> Result<Password, Fault> {
        Ok(self.0.clone())
    }
}

/// A password in a file, read for each connection so that a rotated one is found.
pub struct PasswordFile {
    path: PathBuf,
}

/// Passwords are short; a longer file is a mistake, and reading all of `/dev/zero` would never end.
const PASSWORD_FILE_BYTES_MAX: u64 = 64 * 1024;

impl PasswordFile {
    /// Names the file. It is not opened yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        PasswordFile { path: path.into() }
    }

    fn fault(&self, what: &str) -> Fault {
        let remedy = format!("check the password file {}: {what}", self.path.display());
        Fault::new(FaultKind::Refused(remedy), format!("read the password file {}", self.path.display()))
    }
}

#[async_trait]
impl PasswordSource for PasswordFile {
    /// Reads the file and takes one line end (`\n` or `\r\n`) off its end.
    async fn password(&self, _age: PasswordAge) -> Result<Password, Fault> {
        use tokio::io::AsyncReadExt;

        let unreadable = |error: std::io::Error| self.fault(&format!("it cannot be read ({error})"));
        let file = tokio::fs::File::open(&self.path).await.map_err(unreadable)?;
        let mut bytes = Vec::new();
        file.take(PASSWORD_FILE_BYTES_MAX + 1).read_to_end(&mut bytes).await.map_err(unreadable)?;
        if bytes.len() as u64 > PASSWORD_FILE_BYTES_MAX {
            return Err(self.fault("it is larger than 64 KiB, so it is not a password"));
        }
        let text = String::from_utf8(bytes).map_err(|_| self.fault("it is not UTF-8 text"))?;
        let text = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
        Ok(Password { text: Secret::new(text), user: None, cleartext: Cleartext::Never })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_prints_no_password() {
        let endpoint = Endpoint {
            side: Side::Source,
            host: "db".to_owned(),
            port: 3306,
            user: "leeward".to_owned(),
            password: Arc::new(FixedPassword::new("hunter2")),
            tls: Tls { mode: TlsMode::Disabled, ca_file: None, server_name: None },
            timeouts: Timeouts::default(),
            compression: Compression::Off,
            wire: Arc::default(),
        };
        let printed = format!("{endpoint:?}");
        assert!(printed.contains("leeward") && !printed.contains("hunter2"), "{printed}");
    }

    #[tokio::test]
    async fn a_password_file_loses_one_line_end_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        for (content, expected) in [("a b\n", "a b"), ("x\r\n", "x"), ("two\n\n", "two\n"), (" bare", " bare")] {
            std::fs::write(&path, content).unwrap();
            let password = PasswordFile::new(&path).password(PasswordAge::Fresh).await.unwrap();
            assert_eq!(password.text.expose(), expected);
        }
    }

    #[tokio::test]
    async fn a_password_file_that_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("nowhere");
        let fault = PasswordFile::new(&missing).password(PasswordAge::Cached).await.unwrap_err();
        assert!(fault.to_string().contains("nowhere"), "{fault}");
        let binary = folder.path().join("binary");
        std::fs::write(&binary, b"hunter\xff2").unwrap();
        let fault = PasswordFile::new(&binary).password(PasswordAge::Cached).await.unwrap_err();
        let printed = format!("{fault} {fault:?}");
        assert!(printed.contains("UTF-8") && !printed.contains("hunter"), "{printed}");
    }
}
