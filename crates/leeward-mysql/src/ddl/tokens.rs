//! Cuts the servers' own DDL into tokens: names, texts, words, marks. Lazy, so that the head of a routine can be read
//! without its body, whose comments follow other rules. It does not parse SQL that people wrote.

use std::fmt;

/// One token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// A name in backticks, unquoted.
    Name(String),
    /// A string literal; its content never matters here.
    Text,
    /// A keyword, number or bare name.
    Word(&'a str),
    /// Any other character that stands for itself, and the start (`/*!50100`) and end of a version comment.
    Mark(char),
}

/// A token and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Placed<'a> {
    /// What it is.
    pub token: Token<'a>,
    /// Offset of its first byte.
    pub start: usize,
    /// Offset after its last byte.
    pub end: usize,
}

impl Placed<'_> {
    /// Returns whether this is the keyword.
    pub(crate) fn is(&self, keyword: &str) -> bool {
        matches!(&self.token, Token::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    /// Returns whether this is the mark.
    pub(crate) fn is_mark(&self, mark: char) -> bool {
        self.token == Token::Mark(mark)
    }

    /// Returns the name, quoted or bare.
    pub(crate) fn name(&self) -> Option<&str> {
        match &self.token {
            Token::Name(name) => Some(name),
            Token::Word(word) => Some(word),
            Token::Text | Token::Mark(_) => None,
        }
    }
}

/// DDL that could not be understood; the text says what was met. It quotes no DDL, which can hold default values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable(pub &'static str);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server's DDL has a form that Leeward does not know: {}", self.0)
    }
}

impl std::error::Error for Unreadable {}

/// An iterator over the tokens of a text.
pub(crate) struct Tokens<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Tokens<'a> {
    /// Starts at the beginning of a text.
    pub(crate) fn of(text: &'a str) -> Self {
        Tokens { text, at: 0 }
    }

    /// Returns the offset after the closing quote that matches the quote at `start`.
    fn after_quoted(&self, start: usize, quote: u8) -> Result<usize, Unreadable> {
        let bytes = self.text.as_bytes();
        let mut at = start + 1;
        while at < bytes.len() {
            match bytes[at] {
                b'\\' if quote != b'`' => at += 2,
                byte if byte == quote && quote == b'`' && bytes.get(at + 1) == Some(&b'`') => at += 2,
                byte if byte == quote => return Ok(at + 1),
                _ => at += 1,
            }
        }
        Err(Unreadable("a quote that never closes"))
    }

    /// Returns the length of a version comment's opening (`/*!50100`, `/*M!100301`), or of its end.
    fn comment_mark(rest: &str) -> Option<usize> {
        if rest.starts_with("*/") {
            return Some(2);
        }
        let opened = ["/*!", "/*M!"].iter().find(|opening| rest.starts_with(**opening))?.len();
        Some(opened + rest[opened..].bytes().take_while(u8::is_ascii_digit).count())
    }

    fn token(&mut self) -> Option<Result<Placed<'a>, Unreadable>> {
        let bytes = self.text.as_bytes();
        while bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        let start = self.at;
        let first = *bytes.get(start)?;
        let (token, end) = match first {
            b'`' | b'\'' | b'"' => {
                let end = match self.after_quoted(start, first) {
                    Ok(end) => end,
                    Err(unreadable) => return Some(Err(unreadable)),
                };
                let name = || Token::Name(self.text[start + 1..end - 1].replace("``", "`"));
                (if first == b'`' { name() } else { Token::Text }, end)
            }
            _ if Self::comment_mark(&self.text[start..]).is_some() => {
                (Token::Mark('*'), start + Self::comment_mark(&self.text[start..]).unwrap_or(1))
            }
            byte if is_word(byte) => {
                let end = start + bytes[start..].iter().take_while(|byte| is_word(**byte)).count();
                (Token::Word(&self.text[start..end]), end)
            }
            _ => (Token::Mark(char::from(first)), start + 1),
        };
        self.at = end;
        Some(Ok(Placed { token, start, end }))
    }
}

/// Letters beyond ASCII belong to words, so an offset after a word or mark is always the border of a character.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || byte >= 0x80
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Result<Placed<'a>, Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        self.token()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<Token<'_>> {
        Tokens::of(text).map(|placed| placed.unwrap().token).collect()
    }

    #[test]
    fn quotes_hide_what_they_hold() {
        assert_eq!(
            tokens("`a``b` 'c,\\') ''d' , Größe"),
            [Token::Name("a`b".into()), Token::Text, Token::Text, Token::Mark(','), Token::Word("Größe")]
        );
    }

    #[test]
    fn version_comments_open_and_close() {
        assert_eq!(
            tokens("/*!80023 INVISIBLE */ /*M!100301 COMPRESSED*/"),
            [
                Token::Mark('*'),
                Token::Word("INVISIBLE"),
                Token::Mark('*'),
                Token::Mark('*'),
                Token::Word("COMPRESSED"),
                Token::Mark('*')
            ]
        );
    }

    #[test]
    fn an_open_quote_is_told_and_not_guessed_at() {
        assert!(Tokens::of("`a").any(|token| token.is_err()));
        assert!(Tokens::of("'a\\").any(|token| token.is_err()));
    }
}
