//! Mistakes in the configuration: where each was made, what is wrong, what to write instead. They are collected, so that
//! a person sees all of them at once. No mistake ever quotes a URL or a password.

use std::fmt;
use std::path::PathBuf;

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// On the command line, by this flag (without dashes).
    Flag(String),
    /// In this environment variable.
    Variable(String),
    /// In a configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The key's full name; empty where no key could be read.
        key: String,
    },
    /// Inside a URL.
    Url {
        /// Where the URL was written.
        url: Box<Origin>,
        /// Which part of it.
        part: &'static str,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Flag(flag) => write!(f, "--{flag}"),
            Origin::Variable(name) => f.write_str(name),
            Origin::File { path, line, key } if key.is_empty() => write!(f, "{}:{line}", path.display()),
            Origin::File { path, line, key } => write!(f, "{}:{line} {key}", path.display()),
            Origin::Url { url, part } => write!(f, "{part} in {url}"),
        }
    }
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where it was made; nothing when something is missing altogether.
    pub at: Option<Origin>,
    /// What is wrong and what to write instead.
    pub text: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            Some(origin) => write!(f, "{origin}: {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

/// All mistakes of a configuration, in the order in which they were found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// Adds a mistake made at `origin`.
    pub fn at(&mut self, origin: &Origin, text: impl Into<String>) {
        self.0.push(Mistake { at: Some(origin.clone()), text: text.into() });
    }

    /// Adds something that is missing.
    pub fn missing(&mut self, text: impl Into<String>) {
        self.0.push(Mistake { at: None, text: text.into() });
    }

    /// Adds all of `other`.
    pub fn append(&mut self, mut other: Mistakes) {
        self.0.append(&mut other.0);
    }

    /// Returns `value`, unless there was a mistake.
    pub fn or<T>(self, value: T) -> Result<T, Mistakes> {
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }

    /// Returns each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Mistake> {
        self.0.iter()
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(Mistake::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Mistakes {}

/// Returns a value in quotes when it is short and plain, and otherwise only that there is one: whatever looks like an
/// address may be a URL with a password that went into the wrong key.
pub fn shown(value: &str) -> String {
    /// Longer than every port, mode and duration that a person writes by mistake.
    const LENGTH_MAX: usize = 24;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ');
    if value.len() <= LENGTH_MAX && value.chars().all(plain) { format!("{value:?}") } else { "the value".to_owned() }
}
