//! Reads the cells of metadata rows. Text comes as UTF-8 bytes; what is not UTF-8 is shown with replacement characters,
//! since names are compared and printed but values of rows never pass here.

use chrono::NaiveDateTime;
use mysql_async::{Row, Value};

/// Returns a cell as text; nothing for NULL or a cell that is not there.
pub(crate) fn text(row: &Row, at: usize) -> Option<String> {
    match row.as_ref(at) {
        Some(Value::Bytes(bytes)) => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    }
}

/// Returns a cell as text, empty for NULL.
pub(crate) fn text_or_empty(row: &Row, at: usize) -> String {
    text(row, at).unwrap_or_default()
}

/// Returns a cell as a whole number; nothing for NULL or anything else.
pub(crate) fn number(row: &Row, at: usize) -> Option<u64> {
    text(row, at)?.parse().ok()
}

/// Returns a cell as a time in the session's zone, which is UTC.
pub(crate) fn time(row: &Row, at: usize) -> Option<NaiveDateTime> {
    NaiveDateTime::parse_from_str(&text(row, at)?, "%Y-%m-%d %H:%M:%S%.f").ok()
}
