//! Reads `leeward.toml`: every key with its line, every unknown or wrongly typed key as a mistake, all of them at once.
//! Paths in the file are taken relative to the file.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::key::{Key, Kind, Places, SideKey};
use super::mistake::{Mistakes, Origin};
use super::raw::{Given, Layer};

/// Larger than any honest configuration; a log file or a device named by mistake is not read into memory.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The tables that the file may have.
const TABLES: [&str; 5] = ["source", "target", "aws", "store", "sync"];

/// Reads the file. `named_at` is where its path was written.
pub fn read(path: &Path, named_at: &Origin, mistakes: &mut Mistakes) -> Layer {
    let text = match read_text(path) {
        Ok(text) => text,
        Err(why) => {
            mistakes.at(named_at, format!("the configuration file {} cannot be read: {why}", path.display()));
            return Layer::new();
        }
    };
    let (root, errors) = DeTable::parse_recoverable(&text);
    let mut reader = Reader { path, text: &text, mistakes, layer: Layer::new() };
    for error in errors {
        // Only the message: the error's own form quotes the line, which may hold a password.
        let line = error.span().map_or(1, |span| reader.line(span.start));
        reader.mistake(line, String::new(), format!("this is not TOML: {}", error.message()));
    }
    reader.read_root(root.get_ref());
    reader.layer
}

fn read_text(path: &Path) -> Result<String, String> {
    let facts = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !facts.is_file() {
        return Err("it is not a file".to_owned());
    }
    if facts.len() > FILE_BYTES_MAX {
        return Err(format!("it is larger than {FILE_BYTES_MAX} bytes"));
    }
    std::fs::read_to_string(path).map_err(|error| error.to_string())
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    mistakes: &'a mut Mistakes,
    layer: Layer,
}

impl Reader<'_> {
    fn read_root(&mut self, root: &DeTable<'_>) {
        for (name, value) in root {
            match value.get_ref() {
                DeValue::Table(table) if TABLES.contains(&name.get_ref().as_ref()) => {
                    for (inner_name, inner_value) in table {
                        self.read_key(Some(name.get_ref()), inner_name, inner_value);
                    }
                }
                _ => self.read_key(None, name, value),
            }
        }
    }

    fn read_key(
        &mut self,
        table: Option<&str>,
        name: &Spanned<std::borrow::Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
    ) {
        let line = self.line(name.span().start);
        let full_name = match table {
            Some(table) => format!("{table}.{}", name.get_ref()),
            None => name.get_ref().to_string(),
        };
        let known = Key::all().into_iter().find(|key| key.path() == full_name);
        let Some(key) = known.filter(|key| key.in_file()) else {
            self.mistake(line, full_name, unknown(table, known, name.get_ref()));
            return;
        };
        match self.values(key.spec().kind, value.get_ref()) {
            Ok(values) => {
                let origin = Origin::File { path: self.path.to_owned(), line, key: full_name };
                self.layer.insert(key, Given { values, origin });
            }
            Err(expected) => self.mistake(line, full_name, format!("write {expected}")),
        }
    }

    fn values(&self, kind: Kind, value: &DeValue<'_>) -> Result<Vec<String>, &'static str> {
        match (kind, value) {
            (Kind::Text, DeValue::String(text)) => Ok(vec![text.to_string()]),
            (Kind::Text, _) => Err("text in quotes"),
            (Kind::Path, DeValue::String(text)) => {
                let folder = self.path.parent().unwrap_or(Path::new(""));
                Ok(vec![folder.join(text.as_ref()).to_string_lossy().into_owned()])
            }
            (Kind::Path, _) => Err("a file's path in quotes"),
            (Kind::Number, DeValue::Integer(number)) => Ok(vec![number.to_string()]),
            (Kind::Number, _) => Err("a whole number without quotes"),
            (Kind::Switch, DeValue::Boolean(switch)) => Ok(vec![switch.to_string()]),
            (Kind::Switch, _) => Err("true or false without quotes"),
            (Kind::List, DeValue::Array(items)) => {
                let texts = items.iter().map(|item| item.get_ref().as_str().map(str::to_owned));
                texts.collect::<Option<Vec<String>>>().ok_or("a list of texts: [\"a\", \"b\"]")
            }
            (Kind::List, _) => Err("a list of texts: [\"a\", \"b\"]"),
        }
    }

    fn mistake(&mut self, line: usize, key: String, text: String) {
        self.mistakes.at(&Origin::File { path: self.path.to_owned(), line, key }, text);
    }

    fn line(&self, offset: usize) -> usize {
        self.text.as_bytes()[..offset.min(self.text.len())].iter().filter(|&&byte| byte == b'\n').count() + 1
    }
}

fn unknown(table: Option<&str>, known: Option<Key>, name: &str) -> String {
    if let Some(Key::Side(side, SideKey::Password)) = known {
        let variable = Key::Side(side, SideKey::Password).variable();
        return format!(
            "a password does not belong in a file that is copied and committed; use password_file, password_env or \
             secret, or set {variable}"
        );
    }
    if let Some(key) = known.filter(|key| key.spec().places == Places::Flag) {
        return format!("this is not set in the file; use --{} or {}", key.flag(), key.variable());
    }
    if table.is_none() && TABLES.contains(&name) {
        return format!("write a table: [{name}]");
    }
    let here = Key::all().into_iter().filter(|key| key.table() == table && key.in_file());
    let mut names: Vec<String> = here.map(|key| key.spec().name.to_owned()).collect();
    if table.is_none() {
        names.extend(TABLES.map(|table| format!("[{table}]")));
    }
    format!("this key is unknown; known here are {}", names.join(", "))
}
