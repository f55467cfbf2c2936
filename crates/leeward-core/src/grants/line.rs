//! Reads one line of `SHOW GRANTS` as MySQL 8 and 9 and MariaDB print it. It knows quotes and parentheses and the few
//! words that end each part; everything after the grantee is looked at for `GRANT OPTION` only and then dropped,
//! because password hashes stand there on MariaDB.

use std::collections::BTreeSet;

use super::{ALL, Held, Scope, quoted};

/// What a line says.
pub(super) enum Line {
    Grant(Held),
    Revoke(Held),
    Roles(Vec<String>),
    /// PROXY and default roles: true, but no privilege on data.
    Nothing,
}

/// Reads a line; nothing when its form is not known.
pub(super) fn read(text: &str) -> Option<Line> {
    let text = text.trim().trim_end_matches(';');
    if starts_with_word(text, "SET DEFAULT ROLE") {
        return Some(Line::Nothing);
    }
    let (revoking, rest) = match strip_word(text, "GRANT") {
        Some(rest) => (false, rest),
        None => (true, strip_word(text, "REVOKE")?),
    };
    let to = if revoking { " FROM " } else { " TO " };
    let (what, whom) = split_outside(rest, to)?;
    let (grantee, tail) = cut_grantee(whom);
    let Some((words, object)) = split_outside(what, " ON ") else {
        return (!revoking).then(|| Line::Roles(pieces(what).iter().map(|role| account(role)).collect()));
    };
    if words.trim().eq_ignore_ascii_case("PROXY") {
        return Some(Line::Nothing);
    }
    let held = Held {
        grantee: account(grantee),
        scope: scope(object.trim())?,
        privileges: privileges(words)?,
        with_grant_option: tail.to_ascii_uppercase().contains("GRANT OPTION"),
    };
    Some(if revoking { Line::Revoke(held) } else { Line::Grant(held) })
}

fn starts_with_word(text: &str, words: &str) -> bool {
    strip_word(text, words).is_some()
}

fn strip_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let head = text.get(..word.len())?;
    let rest = text.get(word.len()..)?;
    (head.eq_ignore_ascii_case(word) && rest.starts_with(' ')).then(|| rest.trim_start())
}

/// Byte offsets of the characters that stand outside of quotes and parentheses.
fn outside(text: &str) -> Vec<usize> {
    let mut offsets = Vec::new();
    let mut quote: Option<char> = None;
    let mut depth = 0u32;
    for (offset, c) in text.char_indices() {
        match (quote, c) {
            // A doubled quote closes and opens again at once, which leaves us inside as it should.
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '`' | '\'' | '"') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            (None, _) if depth == 0 => offsets.push(offset),
            (None, _) => {}
        }
    }
    offsets
}

fn split_outside<'a>(text: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    let at = outside(text)
        .into_iter()
        .find(|&offset| text.get(offset..offset + word.len()).is_some_and(|here| here.eq_ignore_ascii_case(word)))?;
    Some((&text[..at], &text[at + word.len()..]))
}

fn pieces(text: &str) -> Vec<&str> {
    let commas = outside(text).into_iter().filter(|&offset| text[offset..].starts_with(','));
    let mut found = Vec::new();
    let mut from = 0;
    for comma in commas {
        found.push(text[from..comma].trim());
        from = comma + 1;
    }
    found.push(text[from..].trim());
    found
}

/// Parts the grantee from what follows it (`IDENTIFIED …`, `REQUIRE …`, `WITH …`).
fn cut_grantee(text: &str) -> (&str, &str) {
    let end = outside(text).into_iter().find(|&offset| text[offset..].starts_with(' '));
    end.map_or((text, ""), |end| (&text[..end], &text[end..]))
}

/// Takes the quotes off both parts of an account or role.
fn account(text: &str) -> String {
    let text = text.trim();
    let at = outside(text).into_iter().find(|&offset| text[offset..].starts_with('@'));
    match at {
        Some(at) => format!("{}@{}", bare(&text[..at]), bare(&text[at + 1..])),
        None => bare(text),
    }
}

/// Takes the quotes off a name.
fn bare(text: &str) -> String {
    let text = text.trim();
    for quote in ['`', '\'', '"'] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return inner.replace(&format!("{quote}{quote}"), &quote.to_string());
        }
    }
    text.to_owned()
}

fn privileges(text: &str) -> Option<BTreeSet<String>> {
    let mut all = BTreeSet::new();
    for piece in pieces(text) {
        let (word, columns) = match piece.split_once('(') {
            Some((word, columns)) => (word.trim(), Some(columns.strip_suffix(')')?)),
            None => (piece, None),
        };
        if word.is_empty() {
            return None;
        }
        let word = match word.to_ascii_uppercase() {
            word if word == "ALL" => ALL.to_owned(),
            word => word,
        };
        match columns {
            None => all.extend([word]),
            Some(columns) => {
                all.extend(pieces(columns).iter().map(|column| format!("{word} ({})", quoted(&bare(column)))))
            }
        }
    }
    Some(all)
}

fn scope(text: &str) -> Option<Scope> {
    let text = strip_word(text, "TABLE").unwrap_or(text);
    for kind in ["FUNCTION", "PROCEDURE", "PACKAGE BODY", "PACKAGE"] {
        if let Some(rest) = strip_word(text, kind) {
            let (schema, name) = split_name(rest)?;
            return Some(Scope::Routine { schema: bare(schema), kind: kind.to_owned(), name: bare(name) });
        }
    }
    match split_name(text)? {
        ("*", "*") => Some(Scope::Global),
        (schema, "*") => Some(Scope::Schema(bare(schema))),
        (schema, table) => Some(Scope::Table { schema: bare(schema), table: bare(table) }),
    }
}

fn split_name(text: &str) -> Option<(&str, &str)> {
    let dot = outside(text).into_iter().find(|&offset| text[offset..].starts_with('.'))?;
    Some((text[..dot].trim(), text[dot + 1..].trim()))
}
