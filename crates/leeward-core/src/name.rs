//! Names of databases and tables. Quoting for SQL is not done here: only `leeward-mysql`'s `sql` module quotes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which of the two servers something was seen on or was being done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The database that the application uses. Leeward never writes to it.
    Source,
    /// The copy in the other region, with Leeward's control schema.
    Target,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::Source => "source",
            Side::Target => "target",
        })
    }
}

/// A table's full name. Both parts are kept exactly as the source spells them (T29: case matters).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TableName {
    /// The database that holds the table.
    pub schema: String,
    /// The table's own name.
    pub table: String,
}

impl TableName {
    /// Makes a name from its two parts.
    pub fn new(schema: impl Into<String>, table: impl Into<String>) -> Self {
        TableName { schema: schema.into(), table: table.into() }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.table)
    }
}

/// The databases of the server itself and of RDS, never in scope (`rds.md` §1.1: `rdsadmin`, `innodb` is reserved).
pub const SYSTEM_SCHEMAS: [&str; 7] =
    ["mysql", "sys", "performance_schema", "information_schema", "innodb", "rdsadmin", CONTROL_SCHEMA];

/// The database on the target that holds all of Leeward's state.
pub const CONTROL_SCHEMA: &str = "leeward";
