//! JSON documents as the text protocol can carry them.
//!
//! MySQL keeps a DECIMAL inside a document with its trailing zeros (`0.1250`), which no text can ask for again: read
//! back, `0.125` is a DOUBLE of the same value. Numbers are therefore compared by their digits without trailing zeros;
//! lost digits, and everything else of the document, still differ.

/// Returns a document's text with the trailing zeros of its fractions taken off, but for the first digit.
pub(super) fn without_trailing_zeros(document: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(document.len());
    let mut at = 0;
    while at < document.len() {
        let end = match document[at] {
            b'"' => end_of_string(document, at),
            b'-' | b'0'..=b'9' => end_of_number(document, at),
            _ => at + 1,
        };
        let token = &document[at..end];
        out.extend_from_slice(if token[0] == b'"' { token } else { trimmed(token) });
        at = end;
    }
    out
}

fn end_of_string(document: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < document.len() && document[at] != b'"' {
        at += if document[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(document.len())
}

fn end_of_number(document: &[u8], start: usize) -> usize {
    let part = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
    start + document[start..].iter().take_while(|byte| part(byte)).count()
}

fn trimmed(number: &[u8]) -> &[u8] {
    let Some(point) = number.iter().position(|byte| *byte == b'.') else { return number };
    if number.iter().any(|byte| b"eE".contains(byte)) {
        return number;
    }
    let zeros = number[point + 2..].iter().rev().take_while(|byte| **byte == b'0').count();
    &number[..number.len() - zeros]
}

#[cfg(test)]
mod tests {
    use super::without_trailing_zeros;

    #[test]
    fn only_trailing_zeros_of_fractions_are_taken_off() {
        let cases = [
            (r#"{"a": 0.1250, "b": [1.00, 10, -2.50]}"#, r#"{"a": 0.125, "b": [1.0, 10, -2.5]}"#),
            (r#"{"1.50": "2.50\" 3.50"}"#, r#"{"1.50": "2.50\" 3.50"}"#),
            ("1.5e10", "1.5e10"),
            ("100", "100"),
            ("0.0", "0.0"),
        ];
        for (document, expected) in cases {
            assert_eq!(without_trailing_zeros(document.as_bytes()), expected.as_bytes(), "{document}");
        }
    }
}
