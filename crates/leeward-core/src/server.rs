//! What a server says of itself. Probed, never assumed from a version alone.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The two families that Leeward speaks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flavor {
    /// MariaDB, 10.6 or later.
    MariaDb,
    /// MySQL, 8.0 or later.
    MySql,
}

impl fmt::Display for Flavor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Flavor::MariaDb => "MariaDB",
            Flavor::MySql => "MySQL",
        })
    }
}

/// A version as numbers, so that 10.11 > 10.6 and 26.10 > 9.7 > 8.0 (`rds.md` §1.3: MySQL jumped to YY.MM).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Version(pub u32, pub u32, pub u32);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// Facts about one server, as of one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerFacts {
    /// MariaDB or MySQL.
    pub flavor: Flavor,
    /// Version numbers.
    pub version: Version,
    /// `@@version` as printed.
    pub version_text: String,
    /// What tells this server from every other: `@@server_uuid` on MySQL; host name, port, data directory and start
    /// time are folded in on MariaDB, which has none.
    pub identity: String,
    /// Whether it applies a replication stream itself; then its NOW() can lie before rows it has yet to receive.
    pub is_replica: Observed<bool>,
    /// Global variables that checks compare, by lower-case name.
    pub variables: BTreeMap<String, String>,
}

/// Something looked for: seen, or not to be seen, and why. Unknown is never read as fine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Observed<T> {
    /// It was seen.
    Known(T),
    /// It could not be seen; the text says why, without secrets.
    Unknown(String),
}

impl<T> Observed<T> {
    /// Returns the value if it was seen.
    pub fn known(&self) -> Option<&T> {
        match self {
            Observed::Known(value) => Some(value),
            Observed::Unknown(_) => None,
        }
    }

    /// Returns the value, or why it could not be seen.
    pub fn told(&self) -> Result<&T, &str> {
        match self {
            Observed::Known(value) => Ok(value),
            Observed::Unknown(why) => Err(why),
        }
    }
}

impl Version {
    /// Reads the leading numbers of `@@version`: `10.11.19-MariaDB-log`, `9.7.4`, and also `5.5.5-10.6.1-MariaDB`,
    /// which old protocol handshakes print.
    pub fn parse(text: &str) -> Option<Version> {
        let text = text.strip_prefix("5.5.5-").filter(|rest| rest.contains("MariaDB")).unwrap_or(text);
        let digits: String = text.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        let mut parts = digits.split('.').map(|part| part.parse().ok());
        Some(Version(parts.next()??, parts.next().flatten().unwrap_or(0), parts.next().flatten().unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        let parse = |text| Version::parse(text).unwrap();
        assert!(parse("10.11.19-MariaDB-log") > parse("10.6.1-MariaDB"));
        assert!(parse("26.10.0") > parse("9.7.4") && parse("9.7.4") > parse("8.0.36-28"));
        assert_eq!(parse("5.5.5-10.6.1-MariaDB"), Version(10, 6, 1));
        assert_eq!(Version::parse("strange"), None);
    }
}
