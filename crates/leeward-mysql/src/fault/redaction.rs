//! Makes a server's message fit to be printed: identifiers stay, row values and statement text go.
//!
//! Servers quote both in the same way, and a value may hold quotes itself, so the message's code decides what is an
//! identifier. A code that is not listed loses everything between its first and last quote and every number.

use super::codes;

/// Codes whose texts hold nothing but identifiers, account names, privileges and errnos.
const IDENTIFIERS_ONLY: &[u16] = &[
    codes::CREATE_TABLE,
    codes::RENAME,
    codes::STORAGE_ENGINE,
    codes::NO_DATABASE_ACCESS,
    codes::ACCESS_DENIED,
    1046, // No database selected.
    1048, // Column 'c' cannot be null.
    codes::UNKNOWN_DATABASE,
    1050, // Table 't' already exists.
    codes::UNKNOWN_TABLE,
    codes::UNKNOWN_COLUMN,
    1060, // Duplicate column name 'c'.
    1061, // Duplicate key name 'k'.
    1072, // Key column 'c' doesn't exist in table.
    1091, // Can't DROP 'x'; check that column/key exists.
    codes::RECORD_FILE_FULL,
    1118, // Row size too large.
    codes::HOST_BLOCKED,
    codes::HOST_NOT_PRIVILEGED,
    1136, // Column count doesn't match value count at row 1.
    codes::TABLE_ACCESS_DENIED,
    codes::COLUMN_ACCESS_DENIED,
    codes::NO_SUCH_TABLE,
    codes::COMMAND_NOT_ALLOWED,
    codes::PACKET_TOO_LARGE,
    1193, // Unknown system variable 'v'.
    1203,
    1205,
    1213,
    1215, // Cannot add foreign key constraint.
    1217, // A parent row is still referenced.
    1226, // User 'u' has exceeded the 'r' resource.
    codes::PRIVILEGE_MISSING,
    1235, // This version doesn't yet support 'x'.
    1251, // Client does not support authentication protocol requested by server.
    1264, // Out of range value for column 'c' at row 1.
    1265, // Data truncated for column 'c' at row 1.
    1273, // Unknown collation: 'c'.
    1286, // Unknown storage engine 'e'.
    codes::OPTION_PREVENTS,
    1305, // PROCEDURE p does not exist.
    1356, // View 'v' references invalid table(s).
    1364, // Field 'c' doesn't have a default value.
    codes::ROUTINE_ACCESS_DENIED,
    1406, // Data too long for column 'c' at row 1.
    1418, // This function has none of DETERMINISTIC, NO SQL.
    1419, // You do not have the SUPER privilege and binary logging is enabled.
    1449, // The user specified as a definer ('u'@'h') does not exist.
    1451, // A foreign key constraint fails (`s`.`t`, CONSTRAINT …).
    1452,
    codes::ACCESS_DENIED_NO_PASSWORD,
    1822, // Failed to add the foreign key constraint. Missing index.
    1824, // Failed to open the referenced table 't'.
    1932, // Table 't' doesn't exist in engine.
    3140, // Invalid JSON text: the parser's words, the position, and the column.
    codes::SECURE_TRANSPORT_REQUIRED,
    3780, // Referencing column 'a' and referenced column 'b' are incompatible.
    3819, // Check constraint 'c' is violated.
    codes::LOCAL_INFILE_OFF,
    4025, // CONSTRAINT `c` failed for `s`.`t` (MariaDB).
];

/// Codes whose texts quote a value first and name the key or column after one of these words.
const NAME_AFTER: &[(u16, &[&str])] = &[
    (codes::DUPLICATE_ENTRY, &[" for key "]),
    (codes::DUPLICATE_ENTRY_OF_KEY, &[" for key "]),
    (1292, &[" for column "]),
    (1366, &[" for column "]),
    (1367, &[" for column "]),
];

/// Longest text that is kept, in characters; server messages end at 512 bytes.
const TEXT_CHARS_MAX: usize = 512;

/// What stands for something left out.
const LEFT_OUT: &str = "…";

/// Returns the message without row values and statement text.
pub(super) fn redact(code: u16, sqlstate: &str, message: &str) -> String {
    // The texts of class 45 and of SIGNAL are the application's: nothing is known of them.
    if code == codes::SIGNALLED || sqlstate.starts_with("45") {
        return LEFT_OUT.to_owned();
    }
    let text = if IDENTIFIERS_ONLY.contains(&code) {
        message.to_owned()
    } else if let Some((_, words)) = NAME_AFTER.iter().find(|(listed, _)| *listed == code) {
        keep_name_after(message, words)
    } else {
        hide_numbers(&hide_quoted(message))
    };
    text.chars().filter(|c| !c.is_control()).take(TEXT_CHARS_MAX).collect()
}

/// Keeps what precedes the first quote and the name after the last of `words`, if it looks like a name.
fn keep_name_after(message: &str, words: &[&str]) -> String {
    let head = message.split(['\'', '"']).next().unwrap_or_default();
    let named = words.iter().find_map(|word| {
        let (_, tail) = message.rsplit_once(word)?;
        let tail = without_row_number(tail);
        let is_name = tail.chars().all(|c| c.is_alphanumeric() || "_$-.`'".contains(c));
        is_name.then(|| format!("{LEFT_OUT}{word}{tail}"))
    });
    format!("{head}{}", named.unwrap_or_else(|| LEFT_OUT.to_owned()))
}

fn without_row_number(tail: &str) -> &str {
    tail.split(" at row ").next().unwrap_or(tail)
}

/// Replaces everything from the first to the last quote: a value may hold quotes, so pairs cannot be told.
fn hide_quoted(message: &str) -> String {
    let quotes = ['\'', '"', '`'];
    match (message.find(quotes), message.rfind(quotes)) {
        (Some(first), Some(last)) if first < last => {
            format!("{}{LEFT_OUT}{}", &message[..first], &message[last + 1..])
        }
        (Some(first), _) => format!("{}{LEFT_OUT}", &message[..first]),
        _ => message.to_owned(),
    }
}

fn hide_numbers(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut in_number = false;
    for c in text.chars() {
        let digit = c.is_ascii_digit();
        if digit && !in_number {
            kept.push_str(LEFT_OUT);
        }
        if !digit {
            kept.push(c);
        }
        in_number = digit;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duplicate_keeps_the_key_and_loses_the_value() {
        for message in [
            "Duplicate entry 'secret@mail' for key 'users.email'",
            "Duplicate entry 'it's ' for key 'secret' here' for key 'users.email'",
        ] {
            let kept = redact(1062, "23000", message);
            assert_eq!(kept, "Duplicate entry … for key 'users.email'");
        }
        // Something that looks like no name is a piece of the value.
        assert_eq!(redact(1062, "23000", "Duplicate entry 'a' for key 'secret of mine"), "Duplicate entry …");
    }

    #[test]
    fn a_bad_value_keeps_the_column() {
        let message = "Incorrect string value: '\\xF0\\x9F secret' for column `shop`.`users`.`name` at row 17";
        assert_eq!(redact(1366, "22007", message), "Incorrect string value: … for column `shop`.`users`.`name`");
        assert_eq!(
            redact(1292, "22007", "Truncated incorrect DOUBLE value: 'secret'"),
            "Truncated incorrect DOUBLE value: …"
        );
    }

    #[test]
    fn an_unlisted_code_loses_quotes_and_numbers() {
        let syntax = "You have an error in your SQL syntax near 'VALUES ('secret')' at line 3";
        assert_eq!(redact(1064, "42000", syntax), "You have an error in your SQL syntax near … at line …");
        assert_eq!(
            redact(1526, "HY000", "Table has no partition for value 4711"),
            "Table has no partition for value …"
        );
        assert_eq!(
            redact(1690, "22003", "BIGINT value is out of range in '(`a` + 4711)'"),
            "BIGINT value is out of range in …"
        );
        assert_eq!(redact(9999, "HY000", "one ' quote secret"), "one …");
    }

    #[test]
    fn the_words_of_the_application_are_not_known() {
        assert_eq!(redact(1644, "45000", "bad mail secret"), "…");
        assert_eq!(redact(1146, "45001", "bad mail secret"), "…");
    }

    #[test]
    fn identifiers_stay() {
        let message = "Table 'shop.orders' doesn't exist";
        assert_eq!(redact(1146, "42S02", message), message);
    }
}
