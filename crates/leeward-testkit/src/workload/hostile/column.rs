//! What the traffic knows of a column.

/// Who writes a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filled {
    /// The traffic.
    Traffic,
    /// The server, by AUTO_INCREMENT.
    Counter,
    /// The server, with its clock.
    Clock,
    /// The server, from other columns.
    Expression,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    /// `int`, `varchar`, …, in lower case; `json` also where the server keeps it as a checked text.
    pub(super) data_type: String,
    /// The whole type, such as `enum('a','b')` or `int(10) unsigned`.
    pub(super) column_type: String,
    pub(super) is_nullable: bool,
    /// Characters or bytes of a text; bits of a BIT.
    pub(super) length: u64,
    /// Digits in front of and behind the point of a DECIMAL.
    pub(super) digits: (u64, u64),
    /// Fractional digits of seconds.
    pub(super) fsp: u64,
    pub(super) filled: Filled,
    /// Whether an update sets it to the server's clock.
    pub(super) is_touched: bool,
}

impl Column {
    pub(super) fn is_unsigned(&self) -> bool {
        self.column_type.contains("unsigned")
    }

    /// Returns how many members an ENUM or SET has. Members hold commas and quotes, so quotes are followed.
    pub(super) fn members(&self) -> u64 {
        let mut members = 0;
        let mut quoted = false;
        let mut chars = self.column_type.chars().peekable();
        while let Some(char) = chars.next() {
            if char != '\'' {
                continue;
            }
            if quoted && chars.peek() == Some(&'\'') {
                chars.next();
                continue;
            }
            quoted = !quoted;
            members += u64::from(quoted);
        }
        members
    }
}
