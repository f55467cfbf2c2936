//! Exactly what was typed: flags, environment and `leeward.toml`, each value with the place where it was written. Nothing
//! is resolved here, and the environment is an argument, so that tests need not touch the process's own.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use super::file;
use super::key::{Key, Kind};
use super::mistake::{Mistakes, Origin};

/// The configuration file that is used when none is named and it lies in the working directory.
const DEFAULT_FILE: &str = "leeward.toml";

/// Environment variables, by name.
pub type Environment = BTreeMap<String, OsString>;

/// A value as it was written.
#[derive(Clone, PartialEq, Eq)]
pub struct Given {
    /// The value; several for a list.
    pub values: Vec<String>,
    /// Where it stands.
    pub origin: Origin,
}

impl fmt::Debug for Given {
    /// Prints where the value stands, not the value: it may be a password or hold one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Given({})", self.origin)
    }
}

impl Given {
    /// Takes text from a flag or variable, dividing lists at commas.
    pub fn new(key: Key, text: &str, origin: Origin) -> Given {
        let values = match key.spec().kind {
            Kind::List => text.split(',').map(|item| item.trim().to_owned()).collect(),
            _ => vec![text.to_owned()],
        };
        Given { values, origin }
    }

    /// Returns the only value of a key that is not a list.
    pub fn text(&self) -> &str {
        self.values.first().map_or("", String::as_str)
    }
}

/// What was written in one kind of place.
pub type Layer = BTreeMap<Key, Given>;

/// All that was typed.
#[derive(Debug, Clone, Default)]
pub struct Raw {
    /// The command line, which wins over the two others.
    pub flags: Layer,
    /// The environment, which wins over the file.
    pub variables: Layer,
    /// The configuration file.
    pub file: Layer,
    /// The file that was read.
    pub file_path: Option<PathBuf>,
    /// Things that look like a slip but do no harm by themselves.
    pub warnings: Vec<String>,
}

/// Where the program was started.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The environment.
    pub environment: &'a Environment,
    /// The working directory, in which [`DEFAULT_FILE`] is looked for.
    pub directory: &'a Path,
}

/// Gathers what was typed. `flags` holds the keys given on the command line.
///
/// # Errors
/// Mistakes that keep the file from being read, and unknown or wrongly typed keys in it.
pub fn gather(flags: &[(Key, String)], surroundings: Surroundings<'_>) -> Result<Raw, Mistakes> {
    let mut mistakes = Mistakes::default();
    let mut raw = Raw {
        flags: flags.iter().map(|(key, text)| (*key, Given::new(*key, text, Origin::Flag(key.flag())))).collect(),
        variables: read_variables(surroundings.environment, &mut mistakes),
        warnings: unknown_variables(surroundings.environment),
        ..Raw::default()
    };
    let named = raw.flags.get(&Key::Config).or_else(|| raw.variables.get(&Key::Config));
    let path = match named {
        Some(given) => Some((surroundings.directory.join(given.text()), given.origin.clone())),
        None => {
            let path = surroundings.directory.join(DEFAULT_FILE);
            path.is_file().then(|| (path, Origin::File { path: DEFAULT_FILE.into(), line: 1, key: String::new() }))
        }
    };
    if let Some((path, origin)) = path {
        raw.file = file::read(&path, &origin, &mut mistakes);
        raw.file_path = Some(path);
    }
    mistakes.or(raw)
}

fn read_variables(environment: &Environment, mistakes: &mut Mistakes) -> Layer {
    let mut layer = Layer::new();
    for key in Key::all() {
        let name = key.variable();
        // A variable that is set to nothing is how compose files and task definitions spell "not given".
        let Some(value) = environment.get(&name).filter(|value| !value.is_empty()) else { continue };
        let origin = Origin::Variable(name);
        match value.to_str() {
            Some(text) => {
                layer.insert(key, Given::new(key, text, origin));
            }
            None => mistakes.at(&origin, "the value is not UTF-8"),
        }
    }
    layer
}

/// A misspelled variable would be ignored silently, so it is named; another program may own it, so it is no mistake.
fn unknown_variables(environment: &Environment) -> Vec<String> {
    let known: Vec<String> = Key::all().into_iter().map(Key::variable).collect();
    let ours = environment.keys().filter(|name| name.starts_with("LEEWARD_"));
    let unknown = ours.filter(|name| !name.starts_with("LEEWARD_TEST_") && !known.contains(name));
    unknown.map(|name| format!("the environment variable {name} is not one that Leeward knows")).collect()
}
