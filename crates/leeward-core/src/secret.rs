//! Passwords on their way from where they are kept to the driver. This module does not fetch or store any: the
//! sources live where their I/O lives (files in `leeward-mysql`, secrets and IAM tokens in `leeward-aws`).

use std::fmt;

use async_trait::async_trait;

use crate::fault::Fault;

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// Returns the text, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// How old a password may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordAge {
    /// One that was fetched before will do.
    Cached,
    /// The server has just refused the cached one: fetch it again, it may have been rotated.
    Fresh,
}

/// Whether a password may be sent in clear text when the server asks for that (`mysql_clear_password`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cleartext {
    /// Not even inside TLS.
    Never,
    /// Inside TLS only: RDS IAM tokens work in no other way. The driver itself would also send it unencrypted.
    OverTlsOnly,
}

/// What a source answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Password {
    /// The password or token.
    pub text: Secret,
    /// The user that it belongs to, where the source says so (an AWS secret holds both).
    pub user: Option<String>,
    /// Whether it may be sent in clear text.
    pub cleartext: Cleartext,
}

/// Where the password of one server comes from. It is asked for each connection: an IAM token lasts 15 minutes and is
/// good for connections, not for a pool (T34).
#[async_trait]
pub trait PasswordSource: Send + Sync {
    /// Returns the password.
    ///
    /// # Errors
    /// Where it cannot be read; the fault says from where and never quotes what was read.
    async fn password(&self, age: PasswordAge) -> Result<Password, Fault>;

    /// Returns what to do when the server refuses even a fresh one; nothing where the source knows no more than anybody.
    fn remedy_when_refused(&self) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_printed() {
        let password =
            Password { text: Secret::new("hunter2"), user: Some("lee".to_owned()), cleartext: Cleartext::Never };
        let printed = format!("{password:?} {} {:?}", password.text, password.text);
        assert!(!printed.contains("hunter2") && printed.contains("***"), "{printed}");
        assert_eq!(password.text.expose(), "hunter2");
    }
}
