//! Splits a SQL script into statements, as the command-line clients do.
//!
//! Knows DELIMITER lines, quotes, ordinary comments and versioned comments. It does not parse SQL
//! and knows no other client command (`SOURCE`, `\G`).

/// Splits `script` into statements, without their delimiters.
///
/// Ordinary comments in front of a statement are dropped, those inside it stay; a versioned comment
/// (`/*!50705 … */`, `/*M! … */`) is a statement or a part of one. Nothing is rewritten otherwise.
pub fn statements(script: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut delimiter = String::from(";");
    let mut rest = script;
    // Each turn takes at least one byte from `rest`, so the loop is bounded by the script's length.
    loop {
        rest = after_blank(rest);
        if rest.is_empty() {
            return found;
        }
        if let Some((new_delimiter, after)) = delimiter_line(rest) {
            delimiter = new_delimiter;
            rest = after;
            continue;
        }
        let end = statement_len(rest, &delimiter);
        let statement = rest[..end].trim_end();
        if !statement.is_empty() {
            found.push(statement.to_owned());
        }
        rest = rest[end..].strip_prefix(&delimiter).unwrap_or_default();
    }
}

/// Skips white space and ordinary comments.
fn after_blank(text: &str) -> &str {
    let mut rest = text.trim_start();
    while is_ordinary_comment(rest) {
        rest = rest[token_len(rest)..].trim_start();
    }
    rest
}

/// Reads a DELIMITER line; returns the new delimiter and what follows the line.
fn delimiter_line(text: &str) -> Option<(String, &str)> {
    const KEYWORD: &str = "DELIMITER";
    let head = text.get(..KEYWORD.len())?;
    if !head.eq_ignore_ascii_case(KEYWORD) {
        return None;
    }
    let (line, after) = text[KEYWORD.len()..].split_once('\n').unwrap_or((&text[KEYWORD.len()..], ""));
    if !line.starts_with([' ', '\t']) {
        return None;
    }
    let delimiter = line.split_whitespace().next()?;
    Some((delimiter.to_owned(), after))
}

/// Returns the length of the statement that opens `text`, up to its delimiter or the end.
fn statement_len(text: &str, delimiter: &str) -> usize {
    let mut at = 0;
    while at < text.len() && !text[at..].starts_with(delimiter) {
        at += token_len(&text[at..]);
    }
    at
}

/// Returns the length of the quoted text, the comment or the single character that opens `text`.
fn token_len(text: &str) -> usize {
    let bytes = text.as_bytes();
    match bytes[0] {
        b'\'' | b'"' | b'`' => quoted_len(bytes),
        b'#' => line_len(text),
        b'-' if is_dash_comment(bytes) => line_len(text),
        b'/' if is_versioned_comment(text) => versioned_comment_len(text),
        b'/' if text.starts_with("/*") => text[2..].find("*/").map_or(text.len(), |end| end + 4),
        _ => text.chars().next().map_or(1, char::len_utf8),
    }
}

fn is_ordinary_comment(text: &str) -> bool {
    text.starts_with('#') || is_dash_comment(text.as_bytes()) || (text.starts_with("/*") && !is_versioned_comment(text))
}

/// Two dashes are a comment only before white space or the end: `5--3` is a difference.
fn is_dash_comment(bytes: &[u8]) -> bool {
    bytes.starts_with(b"--") && bytes.get(2).is_none_or(u8::is_ascii_whitespace)
}

fn is_versioned_comment(text: &str) -> bool {
    text.starts_with("/*!") || text.starts_with("/*M!")
}

/// A versioned comment holds SQL: a `*/` inside a quoted text does not end it.
fn versioned_comment_len(text: &str) -> usize {
    let mut at = 2;
    while at < text.len() && !text[at..].starts_with("*/") {
        at += token_len(&text[at..]);
    }
    (at + 2).min(text.len())
}

fn line_len(text: &str) -> usize {
    text.find('\n').map_or(text.len(), |end| end + 1)
}

/// Returns the length of a quoted text. A doubled quote needs no care: it reads as two texts side by
/// side. A backslash escapes in `'…'` and `"…"`, never in an identifier.
fn quoted_len(bytes: &[u8]) -> usize {
    let quote = bytes[0];
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            byte if byte == quote => return at + 1,
            b'\\' if quote != b'`' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::statements;

    #[test]
    fn splits_at_semicolons_outside_quotes_and_comments() {
        let script = "SELECT 'a;b' , \"c;\\\"d;\", `e;\\`; SELECT 1 /* ; */ + 2; -- it's; a comment\nSELECT 5--3;# don't;\nSELECT 4";
        assert_eq!(
            statements(script),
            ["SELECT 'a;b' , \"c;\\\"d;\", `e;\\`", "SELECT 1 /* ; */ + 2", "SELECT 5--3", "SELECT 4"]
        );
    }

    #[test]
    fn obeys_delimiter_lines_and_keeps_bodies_verbatim() {
        let script = "DELIMITER ;;\nCREATE TRIGGER t BEGIN\n  #IT'S; FINE\n  SET a = 1;\n  -- don't\n  SET b = ';;';\nEND;;\n\n\ndelimiter //\nSELECT 1 //\nDELIMITER ;\nSELECT 2;\n";
        assert_eq!(
            statements(script),
            [
                "CREATE TRIGGER t BEGIN\n  #IT'S; FINE\n  SET a = 1;\n  -- don't\n  SET b = ';;';\nEND",
                "SELECT 1",
                "SELECT 2"
            ]
        );
    }

    #[test]
    fn a_table_named_delimiter_is_no_delimiter_line() {
        assert_eq!(statements("DELIMITERS;\nSELECT 1;"), ["DELIMITERS", "SELECT 1"]);
    }

    #[test]
    fn versioned_comments_are_statements_and_ordinary_ones_are_not() {
        let script = "/* gone; */ /*!40000 ALTER TABLE t ENABLE KEYS */;\n/*M!100600 UPDATE t SET a = '*/;' */;\nINSERT INTO t VALUES (1,/*!50705 0x00,*/2);\n-- the end";
        assert_eq!(
            statements(script),
            [
                "/*!40000 ALTER TABLE t ENABLE KEYS */",
                "/*M!100600 UPDATE t SET a = '*/;' */",
                "INSERT INTO t VALUES (1,/*!50705 0x00,*/2)"
            ]
        );
    }

    #[test]
    fn survives_unfinished_and_empty_scripts() {
        assert!(statements("").is_empty());
        assert!(statements(" ;; ; -- x").is_empty());
        assert_eq!(statements("SELECT 'open; \\"), ["SELECT 'open; \\"]);
        assert_eq!(statements("SELECT 'é;ü'; /* open"), ["SELECT 'é;ü'"]);
        assert_eq!(statements("--\nSELECT 1"), ["SELECT 1"]);
    }
}
