//! Every column type that Leeward carries, each with values that lie as close together as the type allows. The tests
//! beside this file walk over the list; a type or a value that should be looked at is added here and nowhere else.

mod documents;
mod numbers;
mod strings;
mod times;

use leeward_testkit::servers::Kind;

/// A type and its values.
pub struct Type {
    /// How a column of it is declared, without NULL or a default.
    pub declared: String,
    /// Literals of values of which no two are the same.
    pub values: Vec<String>,
    /// Pairs of literals that stand for one value.
    pub same: Vec<(String, String)>,
    /// Where it is found, and whether both families hold the same bytes for the same literal.
    pub found: Found,
}

/// Where a type is found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// On both families, with values that are the same.
    Everywhere,
    /// On both, but what they hold is not the same (see `docs/types.md`), or one of them has values of its own.
    Differently,
    /// On one alone.
    On(Kind),
}

impl Type {
    fn new(declared: impl Into<String>, values: impl IntoIterator<Item = impl Into<String>>) -> Type {
        let values = values.into_iter().map(Into::into).collect();
        Type { declared: declared.into(), values, same: Vec::new(), found: Found::Everywhere }
    }

    fn same(mut self, one: &str, other: &str) -> Type {
        self.same.push((one.to_owned(), other.to_owned()));
        self
    }

    fn on(self, kind: Kind) -> Type {
        Type { found: Found::On(kind), ..self }
    }

    fn differently(self) -> Type {
        Type { found: Found::Differently, ..self }
    }

    fn and(mut self, values: impl IntoIterator<Item = impl Into<String>>) -> Type {
        self.values.extend(values.into_iter().map(Into::into));
        self
    }
}

/// Returns the types of a family.
pub fn types(kind: Kind) -> Vec<Type> {
    let all = [numbers::types(), times::types(), strings::types(), documents::types(kind)];
    let here = |found| found != Found::On(other(kind));
    all.into_iter().flatten().filter(|one| here(one.found)).collect()
}

/// Returns the other family.
pub fn other(kind: Kind) -> Kind {
    match kind {
        Kind::MariaDb => Kind::MySql,
        Kind::MySql => Kind::MariaDb,
    }
}
