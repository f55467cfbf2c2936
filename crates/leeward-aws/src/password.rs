//! The password of a database account, and the wrapper that keeps it out of every output.
//!
//! Deliberately absent: `Display`, `Serialize` and comparison. Whoever needs the text must call [`Secret::expose`],
//! which is easy to find in a review.

use std::fmt;

/// A text that never appears in an output: `Debug` prints `***`.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text that must not be shown.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text. Only for handing it to the database driver.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

/// A database account as its secret describes it.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The account's name, when the secret holds one. A secret that is only a password leaves it to the configuration.
    pub username: Option<String>,
    /// The account's password.
    pub password: Secret,
    /// The host that the secret names, when it holds one. Only for telling people that it is another's: a secret that is
    /// replicated into another Region still names its source's.
    pub host: Option<String>,
}
