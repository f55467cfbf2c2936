//! Terraform's files as trees, as far as the tests look into them. Nothing is evaluated.

use std::fs;
use std::path::{Path, PathBuf};

use hcl::{Block, Body, Expression, ObjectKey};

/// Returns the root of the project.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace")
}

/// The files of one folder.
pub struct Folder(Vec<(String, String, Body)>);

impl Folder {
    /// Reads and parses every file of a folder of the project.
    pub fn read(path: &str) -> Folder {
        let entries = fs::read_dir(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        let files = entries.map(|entry| entry.expect("an entry").path());
        let mut files: Vec<PathBuf> = files.filter(|file| file.extension().is_some_and(|kind| kind == "tf")).collect();
        files.sort();
        assert!(!files.is_empty(), "{path} holds no Terraform");
        let parsed = files.into_iter().map(|file| {
            let text = fs::read_to_string(&file).expect("a readable file");
            let body = hcl::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            (file.display().to_string(), text, body)
        });
        Folder(parsed.collect())
    }

    /// Returns all blocks of a kind: `variable`, `resource`.
    pub fn all(&self, kind: &str) -> Vec<&Block> {
        self.0.iter().flat_map(|(_, _, body)| body.blocks()).filter(|block| block.identifier() == kind).collect()
    }

    /// Returns all blocks of a kind and a type: `resource` and `aws_ecs_service`.
    pub fn of_type(&self, kind: &str, of_type: &str) -> Vec<&Block> {
        self.all(kind).into_iter().filter(|block| block.labels()[0].as_str() == of_type).collect()
    }

    /// Returns the lines of each file.
    pub fn lines(&self) -> Vec<(String, Vec<String>)> {
        let lines = |text: &str| text.lines().map(str::to_owned).collect();
        self.0.iter().map(|(file, text, _)| (file.clone(), lines(text))).collect()
    }
}

/// Returns an attribute of a block.
pub fn attribute<'a>(block: &'a Block, name: &str) -> Option<&'a Expression> {
    block.body().attributes().find(|one| one.key() == name).map(|one| one.expr())
}

/// Returns the blocks of a kind directly inside a block.
pub fn blocks<'a>(block: &'a Block, kind: &str) -> Vec<&'a Block> {
    block.body().blocks().filter(|inner| inner.identifier() == kind).collect()
}

/// Returns all blocks inside a block, however deep.
pub fn deep_blocks(block: &Block) -> Vec<&Block> {
    block.body().blocks().flat_map(|inner| std::iter::once(inner).chain(deep_blocks(inner))).collect()
}

/// Returns a text that needs no evaluation.
pub fn text(expression: &Expression) -> Option<String> {
    match expression {
        Expression::String(text) => Some(text.clone()),
        _ => None,
    }
}

/// Returns the only argument of a call of this function.
pub fn call_argument<'a>(expression: &'a Expression, function: &str) -> &'a Expression {
    match expression {
        Expression::FuncCall(call) if call.name.name.as_str() == function && call.args.len() == 1 => &call.args[0],
        other => panic!("not a call of {function}: {other}"),
    }
}

/// Returns a field of an object.
pub fn field<'a>(object: &'a Expression, name: &str) -> Option<&'a Expression> {
    let Expression::Object(object) = object else { return None };
    let is_it = |key: &ObjectKey| match key {
        ObjectKey::Identifier(key) => key.as_str() == name,
        ObjectKey::Expression(key) => text(key).as_deref() == Some(name),
        _ => false,
    };
    object.iter().find(|(key, _)| is_it(key)).map(|(_, value)| value)
}
