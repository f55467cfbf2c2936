//! Reads a policy document laid over the default one. Every key is asked for exactly once, by name: what was asked for
//! is what exists, so an unknown key is found without a second list. A mistake is noted with its line, the default
//! stands in, and reading goes on, so that all mistakes come to light at once.

use std::collections::BTreeSet;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::policy::PolicyMistake;

/// A text that is being read, and the mistakes found so far.
pub(super) struct Reader<'d> {
    file: &'d str,
    text: &'d str,
    mistakes: Vec<PolicyMistake>,
}

/// One table of the document, with the default's table of that name below it.
pub(super) struct Section<'d, 'i> {
    path: String,
    /// Where the section begins, for keys that are missing.
    at: usize,
    user: Option<&'d DeTable<'i>>,
    default: Option<&'d DeTable<'i>>,
    asked: BTreeSet<&'static str>,
}

impl<'d> Reader<'d> {
    /// Makes a reader of `text`, which came from `file`.
    pub(super) fn new(file: &'d str, text: &'d str) -> Self {
        Reader { file, text, mistakes: Vec::new() }
    }

    /// Returns the name of the file.
    pub(super) fn file(&self) -> &str {
        self.file
    }

    /// Returns the whole text.
    pub(super) fn text(&self) -> &str {
        self.text
    }

    /// Returns the line, counted from 1, of a byte of the text.
    pub(super) fn line(&self, at: usize) -> usize {
        1 + self.text.bytes().take(at).filter(|byte| *byte == b'\n').count()
    }

    /// Notes a mistake at a byte of the text. On a line that is not even TOML nothing else is
    /// noted: it would follow from that.
    pub(super) fn mistake(&mut self, at: usize, key: impl Into<String>, text: impl Into<String>) {
        let line = self.line(at);
        let (key, text) = (key.into(), text.into());
        let not_toml = self.mistakes.iter().any(|known| known.line == line && known.key.is_empty());
        if !not_toml {
            self.mistakes.push(PolicyMistake { file: self.file.to_owned(), line, key, text });
        }
    }

    /// Returns all mistakes in the order of their lines.
    pub(super) fn into_mistakes(mut self) -> Vec<PolicyMistake> {
        self.mistakes.sort_by_key(|mistake| mistake.line);
        self.mistakes
    }

    /// Reads a value that the user's policy or else the default one gives.
    ///
    /// # Panics
    /// When the embedded default policy lacks the key or gives it a bad value, which a test rules out.
    pub(super) fn read<T>(
        &mut self,
        section: &mut Section<'_, '_>,
        key: &'static str,
        convert: impl Fn(&DeValue<'_>) -> Result<T, String>,
    ) -> T {
        if let Some(value) = self.optional(section, key, &convert) {
            return value;
        }
        let default = section.default.and_then(|table| table.get(key)).map(|value| convert(value.get_ref()));
        match default {
            Some(Ok(value)) => value,
            Some(Err(text)) => panic!("{} of the embedded default policy {text}", section.key(key)),
            None => panic!("the embedded default policy gives {}", section.key(key)),
        }
    }

    /// Reads a value of the user's policy, if it is there and right.
    pub(super) fn optional<T>(
        &mut self,
        section: &mut Section<'_, '_>,
        key: &'static str,
        convert: impl Fn(&DeValue<'_>) -> Result<T, String>,
    ) -> Option<T> {
        section.asked.insert(key);
        let value = section.user?.get(key)?;
        convert(value.get_ref()).map_err(|text| self.mistake(value.span().start, section.key(key), text)).ok()
    }

    /// Reads a value that the user's policy must give here.
    pub(super) fn required<T>(
        &mut self,
        section: &mut Section<'_, '_>,
        key: &'static str,
        convert: impl Fn(&DeValue<'_>) -> Result<T, String>,
    ) -> Option<T> {
        if !section.has(key) {
            self.mistake(section.at, section.key(key), "is missing and has no default");
        }
        self.optional(section, key, convert)
    }

    /// Opens a table below `section`.
    pub(super) fn section<'s, 'i>(&mut self, section: &mut Section<'s, 'i>, key: &'static str) -> Section<'s, 'i> {
        section.asked.insert(key);
        let user = section.user.and_then(|table| table.get(key));
        if let Some(value) = user
            && !value.get_ref().is_table()
        {
            self.mistake(value.span().start, section.key(key), format!("is a table: write it as [{key}]"));
        }
        Section {
            path: section.key(key),
            at: user.map_or(section.at, |value| value.span().start),
            user: user.and_then(|value| value.get_ref().as_table()),
            default: section.default.and_then(|table| table.get(key)).and_then(|value| value.get_ref().as_table()),
            asked: BTreeSet::new(),
        }
    }

    /// Opens each entry of an array of tables below `section`.
    pub(super) fn entries<'s, 'i>(&mut self, section: &mut Section<'s, 'i>, key: &'static str) -> Vec<Section<'s, 'i>> {
        section.asked.insert(key);
        let Some(value) = section.user.and_then(|table| table.get(key)) else { return Vec::new() };
        let Some(entries) = value.get_ref().as_array().filter(|array| array.iter().all(|e| e.get_ref().is_table()))
        else {
            self.mistake(value.span().start, section.key(key), format!("is a list of tables: write each as [[{key}]]"));
            return Vec::new();
        };
        let open = |entry: &'s Spanned<DeValue<'i>>| Section {
            path: format!("[[{key}]]"),
            at: entry.span().start,
            user: entry.get_ref().as_table(),
            default: None,
            asked: BTreeSet::new(),
        };
        entries.iter().map(open).collect()
    }

    /// Notes every key of `section` that was never asked for.
    pub(super) fn close(&mut self, section: Section<'_, '_>) {
        for key in section.user.into_iter().flat_map(|table| table.keys()) {
            if !section.asked.contains(key.get_ref().as_ref()) {
                let known: Vec<&str> = section.asked.iter().copied().collect();
                let text = format!("is not known here; known are {}", known.join(", "));
                self.mistake(key.span().start, section.key(key.get_ref()), text);
            }
        }
    }
}

impl<'d, 'i> Section<'d, 'i> {
    /// Makes the section of a whole document.
    pub(super) fn root(user: Option<&'d DeTable<'i>>, default: Option<&'d DeTable<'i>>) -> Self {
        Section { path: String::new(), at: 0, user, default, asked: BTreeSet::new() }
    }

    /// Returns whether the user's policy gives the key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.user.is_some_and(|table| table.contains_key(key))
    }

    /// Returns where the user's policy gives the key, else where the section begins.
    pub(super) fn place(&self, key: &str) -> usize {
        self.user.and_then(|table| table.get(key)).map_or(self.at, |value| value.span().start)
    }

    /// Returns the full name of a key of this section.
    pub(super) fn key(&self, key: &str) -> String {
        match self.path.as_str() {
            "" => key.to_owned(),
            path if path.starts_with('[') => format!("{path} {key}"),
            path => format!("{path}.{key}"),
        }
    }
}
