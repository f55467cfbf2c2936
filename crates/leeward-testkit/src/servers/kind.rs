//! The two families of server Leeward works with. What differs between versions of one family is
//! probed where it matters, never decided here.

use std::fmt;
use std::str::FromStr;

use anyhow::bail;

/// A family of database server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// MariaDB, from the machine's own packages.
    MariaDb,
    /// Oracle's MySQL, from the machine or from a private root in the project's cache folder.
    MySql,
}

impl Kind {
    /// Both families, in the order in which they are prepared and reported.
    pub const ALL: [Kind; 2] = [Kind::MariaDb, Kind::MySql];

    /// Returns the lower-case name used in environment variables and folder names.
    pub fn slug(self) -> &'static str {
        match self {
            Kind::MariaDb => "mariadb",
            Kind::MySql => "mysql",
        }
    }

    /// Tells the family from what `VERSION()` or `--version` says.
    pub fn of_version(version: &str) -> Kind {
        if version.contains("MariaDB") { Kind::MariaDb } else { Kind::MySql }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Kind::MariaDb => "MariaDB",
            Kind::MySql => "MySQL",
        })
    }
}

impl FromStr for Kind {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Kind> {
        for kind in Kind::ALL {
            if text.trim().eq_ignore_ascii_case(kind.slug()) {
                return Ok(kind);
            }
        }
        bail!("'{text}' is not a kind of server: use mariadb or mysql")
    }
}
