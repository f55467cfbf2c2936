//! The shape of a table: columns, keys, foreign keys. What is here comes from `information_schema`; rows do not.

use serde::{Deserialize, Serialize};

use crate::name::TableName;

/// A base table as one server describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Its full name.
    pub name: TableName,
    /// Storage engine, as the server spells it (`InnoDB`, `MyISAM`, …).
    pub engine: String,
    /// Default collation, which also names the character set.
    pub collation: String,
    /// Columns in ordinal order, invisible and generated ones included.
    pub columns: Vec<Column>,
    /// All indexes; the primary key is named `PRIMARY`.
    pub keys: Vec<Key>,
    /// Foreign keys that this table declares.
    pub foreign_keys: Vec<ForeignKey>,
    /// Whether the table is partitioned.
    pub partitioned: bool,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name, spelled as the server does.
    pub name: String,
    /// Bare type in lower case: `int`, `varchar`, `json`, `geometry`, `point` …
    pub data_type: String,
    /// Full type: `int(10) unsigned`, `enum('a','b')` …
    pub column_type: String,
    /// Character set of a text column.
    pub charset: Option<String>,
    /// Collation of a text column.
    pub collation: Option<String>,
    /// Whether NULL is allowed.
    pub nullable: Nullability,
    /// Default as `information_schema` prints it; of a generated column, its expression.
    pub default: Option<String>,
    /// Fractional-second digits of a temporal column; 0 for every other.
    pub fsp: u8,
    /// Whether the server fills it from the table's counter.
    pub auto_increment: bool,
    /// Whether `ON UPDATE CURRENT_TIMESTAMP` is set.
    pub on_update_now: bool,
    /// Whether and how it is computed. `DEFAULT_GENERATED` in EXTRA is not this (T39).
    pub generated: Option<Generated>,
    /// Whether `SELECT *` leaves it out.
    pub invisible: bool,
}

/// Whether a column may be NULL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Nullability {
    /// `NOT NULL`.
    NotNull,
    /// NULL is allowed.
    Nullable,
}

/// How a generated column is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Generated {
    /// Computed when read.
    Virtual,
    /// Stored in the row.
    Stored,
}

/// One index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// `PRIMARY` or the index's name.
    pub name: String,
    /// Whether it forbids equal values.
    pub unique: bool,
    /// `BTREE`, `FULLTEXT`, `SPATIAL`, `HASH`, as the server says.
    pub method: String,
    /// Its parts in order.
    pub parts: Vec<KeyPart>,
}

/// One part of an index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPart {
    /// The column, or nothing for a functional part.
    pub column: Option<String>,
    /// Length of a prefix part, in characters.
    pub prefix_chars: Option<u32>,
}

/// One foreign key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignKey {
    /// Constraint name.
    pub name: String,
    /// Columns of this table.
    pub columns: Vec<String>,
    /// The table referred to.
    pub parent: TableName,
    /// Its columns.
    pub parent_columns: Vec<String>,
    /// `ON DELETE` rule as the server prints it.
    pub on_delete: String,
    /// `ON UPDATE` rule as the server prints it.
    pub on_update: String,
}

#[cfg(test)]
impl Column {
    /// Returns a column of a type that says it all: NOT NULL, without a default and without a text's properties.
    pub(crate) fn plain(name: &str, column_type: &str) -> Column {
        Column {
            name: name.to_owned(),
            data_type: column_type.split(['(', ' ']).next().unwrap_or_default().to_owned(),
            column_type: column_type.to_owned(),
            charset: None,
            collation: None,
            nullable: Nullability::NotNull,
            default: None,
            fsp: 0,
            auto_increment: false,
            on_update_now: false,
            generated: None,
            invisible: false,
        }
    }
}

impl Table {
    /// Returns the column of this name, compared without case as the server does for columns.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
    }

    /// Returns the key that identifies a row: the primary key, else the first unique key whose parts are whole
    /// columns that are NOT NULL. A nullable unique key does not identify its NULL rows (T10).
    pub fn row_key(&self) -> Option<Vec<&Column>> {
        let primary = self.keys.iter().filter(|key| key.name == "PRIMARY");
        let others = self.keys.iter().filter(|key| key.name != "PRIMARY");
        primary.chain(others).find_map(|key| self.identity_of(key))
    }

    /// Returns the name of the index behind [`Table::row_key`].
    pub fn row_key_name(&self) -> Option<&str> {
        let primary = self.keys.iter().filter(|key| key.name == "PRIMARY");
        let others = self.keys.iter().filter(|key| key.name != "PRIMARY");
        primary.chain(others).find(|key| self.identity_of(key).is_some()).map(|key| key.name.as_str())
    }

    fn identity_of(&self, key: &Key) -> Option<Vec<&Column>> {
        if !key.unique {
            return None;
        }
        key.parts
            .iter()
            .map(|part| {
                let column = self.column(part.column.as_deref()?)?;
                let whole = part.prefix_chars.is_none() && column.nullable == Nullability::NotNull;
                whole.then_some(column)
            })
            .collect()
    }

    /// Returns the columns whose values travel in a row, in order: all that are not generated, then those generated
    /// ones that belong to the row key (they name the row but are never written).
    pub fn wire_columns(&self) -> Vec<&Column> {
        let key = self.row_key().unwrap_or_default();
        let stored = self.columns.iter().filter(|column| column.generated.is_none());
        let computed = self.columns.iter().filter(|column| column.generated.is_some());
        stored.chain(computed.filter(|column| key.iter().any(|part| part.name == column.name))).collect()
    }

    /// Returns the columns that a write names: every column that is not generated, so that no default and no
    /// `ON UPDATE` ever fills one in on the target (T27).
    pub fn written_columns(&self) -> Vec<&Column> {
        self.columns.iter().filter(|column| column.generated.is_none()).collect()
    }

    /// Returns where the parts of the row key stand among [`Table::wire_columns`]; empty without a key.
    pub fn key_positions(&self) -> Vec<usize> {
        let wire = self.wire_columns();
        let key = self.row_key().unwrap_or_default();
        key.iter().filter_map(|part| wire.iter().position(|column| column.name == part.name)).collect()
    }

    /// Returns the AUTO_INCREMENT column, if it alone is the row key's first part.
    pub fn auto_increment(&self) -> Option<&Column> {
        self.columns.iter().find(|column| column.auto_increment)
    }

    /// Returns whether the engine keeps transactions, without which a cut means nothing.
    pub fn transactional(&self) -> bool {
        self.engine.eq_ignore_ascii_case("InnoDB")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(keys: &[(&str, bool, &[&str])]) -> Table {
        let column = |(name, nullable): (&str, Nullability)| Column { nullable, ..Column::plain(name, "int") };
        let part = |name: &&str| KeyPart { column: Some((*name).into()), prefix_chars: None };
        let key = |(name, unique, parts): &(&str, bool, &[&str])| Key {
            name: (*name).into(),
            unique: *unique,
            method: "BTREE".into(),
            parts: parts.iter().map(part).collect(),
        };
        Table {
            name: TableName::new("shop", "orders"),
            engine: "InnoDB".into(),
            collation: "utf8mb4_bin".into(),
            columns: [("maybe", Nullability::Nullable), ("sure", Nullability::NotNull)].map(column).into(),
            keys: keys.iter().map(key).collect(),
            foreign_keys: Vec::new(),
            partitioned: false,
        }
    }

    #[test]
    fn a_nullable_unique_key_tells_no_rows_apart_t10() {
        assert_eq!(table(&[("u", true, &["maybe"])]).row_key_name(), None);
        assert_eq!(table(&[("u", true, &["sure", "maybe"])]).row_key_name(), None);
        assert_eq!(table(&[("k", false, &["sure"])]).row_key_name(), None);
        assert_eq!(table(&[("u", true, &["maybe"]), ("v", true, &["sure"])]).row_key_name(), Some("v"));
    }
}
