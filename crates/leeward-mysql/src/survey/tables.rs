//! Reads the shapes of all base tables of some databases from `information_schema`, in one round trip whatever their
//! number. Nothing is read from the tables themselves.

use std::collections::BTreeMap;

use leeward_core::name::TableName;
use leeward_core::server::Flavor;
use leeward_core::table::{Column, ForeignKey, Generated, Key, KeyPart, Nullability, Table};
use mysql_async::Row;

use super::cells::{number, text, text_or_empty};
use crate::sql;

/// How an index that the optimizer does not use is called in [`Key::method`].
pub const UNUSED_INDEX: &str = "INVISIBLE";

/// Result sets that [`columns_and_keys`] makes for each database.
pub(crate) const SHAPE_SETS: usize = 3;

/// Result sets that [`foreign_keys`] makes for each database.
pub(crate) const FOREIGN_KEY_SETS: usize = 2;

/// Returns the statements that read tables, columns and keys of a database. Each names the database by equality: for
/// anything else MariaDB opens every table of every database.
pub(crate) fn columns_and_keys(schema: &str, flavor: Flavor) -> String {
    let statements = shapes_where(&format!("TABLE_SCHEMA={}", sql::literal(schema)), flavor);
    statements.map(|statement| statement + ";").concat()
}

/// Returns the same statements for some tables of a database alone, for which servers look at no other table.
pub(crate) fn shapes_of(schema: &str, tables: &[&str], flavor: Flavor) -> [String; SHAPE_SETS] {
    let names: Vec<String> = tables.iter().map(|name| sql::literal(name)).collect();
    let names = match names.as_slice() {
        [name] => format!("={name}"),
        names => format!(" IN ({})", names.join(",")),
    };
    shapes_where(&format!("TABLE_SCHEMA={} AND TABLE_NAME{names}", sql::literal(schema)), flavor)
}

fn shapes_where(condition: &str, flavor: Flavor) -> [String; SHAPE_SETS] {
    let unused = match flavor {
        Flavor::MariaDb => "IGNORED='YES'",
        Flavor::MySql => "IS_VISIBLE='NO'",
    };
    [
        format!(
            "SELECT TABLE_NAME,TABLE_TYPE,ENGINE,TABLE_COLLATION,CREATE_OPTIONS,TABLE_ROWS,DATA_LENGTH,INDEX_LENGTH,\
             UPDATE_TIME,CREATE_TIME FROM information_schema.TABLES WHERE {condition}"
        ),
        format!(
            "SELECT TABLE_NAME,ORDINAL_POSITION,COLUMN_NAME,DATA_TYPE,COLUMN_TYPE,CHARACTER_SET_NAME,COLLATION_NAME,\
             IS_NULLABLE,COLUMN_DEFAULT,DATETIME_PRECISION,EXTRA,GENERATION_EXPRESSION \
             FROM information_schema.COLUMNS WHERE {condition}"
        ),
        format!(
            "SELECT TABLE_NAME,INDEX_NAME,SEQ_IN_INDEX,NON_UNIQUE,INDEX_TYPE,COLUMN_NAME,SUB_PART,{unused} \
             FROM information_schema.STATISTICS WHERE {condition}"
        ),
    ]
}

/// Returns the statements that read the foreign keys of a database. MariaDB shows the rules only to those who hold more
/// than SELECT; see [`Catalog::without_rules`].
pub(crate) fn foreign_keys(schema: &str) -> String {
    let schema = sql::literal(schema);
    format!(
        "SELECT TABLE_NAME,CONSTRAINT_NAME,ORDINAL_POSITION,COLUMN_NAME,REFERENCED_TABLE_SCHEMA,\
         REFERENCED_TABLE_NAME,REFERENCED_COLUMN_NAME FROM information_schema.KEY_COLUMN_USAGE \
         WHERE TABLE_SCHEMA={schema} AND REFERENCED_TABLE_NAME IS NOT NULL;\
         SELECT TABLE_NAME,CONSTRAINT_NAME,DELETE_RULE,UPDATE_RULE FROM information_schema.REFERENTIAL_CONSTRAINTS \
         WHERE CONSTRAINT_SCHEMA={schema};"
    )
}

/// What the server keeps of a table's use, beside its shape.
#[derive(Debug, Clone)]
pub(crate) struct Usage {
    pub rows_estimate: u64,
    pub data_bytes: u64,
    pub index_bytes: u64,
    pub update_time: Option<chrono::NaiveDateTime>,
    pub create_time: Option<chrono::NaiveDateTime>,
}

/// The base tables of some databases, by name.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    pub tables: BTreeMap<TableName, (Table, Usage)>,
}

impl Catalog {
    /// Adds what [`columns_and_keys`] answered for a database.
    pub(crate) fn add_shapes(&mut self, schema: &str, sets: &[Vec<Row>]) {
        let [tables, columns, keys] = sets else { return };
        for row in tables {
            self.add_table(schema, row);
        }
        let mut ordered: Vec<(u64, &Row)> = columns.iter().map(|row| (number(row, 1).unwrap_or(0), row)).collect();
        ordered.sort_by_key(|(ordinal, _)| *ordinal);
        for (_, row) in ordered {
            if let Some(table) = self.table(schema, row) {
                table.columns.push(column(row));
            }
        }
        let mut ordered: Vec<(u64, &Row)> = keys.iter().map(|row| (number(row, 2).unwrap_or(0), row)).collect();
        ordered.sort_by_key(|(part, _)| *part);
        for (_, row) in ordered {
            if let Some(table) = self.table(schema, row) {
                add_key_part(table, row);
            }
        }
        for (table, _) in self.tables.values_mut() {
            // By name, so that both sides pick the same unique key as the row key.
            table.keys.sort_by(|a, b| (a.name != "PRIMARY", &a.name).cmp(&(b.name != "PRIMARY", &b.name)));
        }
    }

    /// Adds what [`foreign_keys`] answered for a database. Rules that were not shown stay empty.
    pub(crate) fn add_foreign_keys(&mut self, schema: &str, sets: &[Vec<Row>]) {
        let [columns, rules] = sets else { return };
        let mut ordered: Vec<(u64, &Row)> = columns.iter().map(|row| (number(row, 2).unwrap_or(0), row)).collect();
        ordered.sort_by_key(|(ordinal, _)| *ordinal);
        for (_, row) in ordered {
            let (name, parent) = (text_or_empty(row, 1), TableName::new(text_or_empty(row, 4), text_or_empty(row, 5)));
            let Some(table) = self.table(schema, row) else { continue };
            let at = table.foreign_keys.iter().position(|key| key.name == name).unwrap_or_else(|| {
                table.foreign_keys.push(ForeignKey {
                    name,
                    columns: Vec::new(),
                    parent,
                    parent_columns: Vec::new(),
                    on_delete: String::new(),
                    on_update: String::new(),
                });
                table.foreign_keys.len() - 1
            });
            table.foreign_keys[at].columns.push(text_or_empty(row, 3));
            table.foreign_keys[at].parent_columns.push(text_or_empty(row, 6));
        }
        for row in rules {
            let name = text_or_empty(row, 1);
            let Some(table) = self.table(schema, row) else { continue };
            if let Some(key) = table.foreign_keys.iter_mut().find(|key| key.name == name) {
                key.on_delete = text_or_empty(row, 2);
                key.on_update = text_or_empty(row, 3);
            }
        }
        for (table, _) in self.tables.values_mut() {
            table.foreign_keys.sort_by(|a, b| a.name.cmp(&b.name));
        }
    }

    /// Returns the tables with foreign keys whose rules the server did not show.
    pub(crate) fn without_rules(&self) -> Vec<TableName> {
        let hidden = |table: &Table| table.foreign_keys.iter().any(|key| key.on_delete.is_empty());
        self.tables.values().filter(|(table, _)| hidden(table)).map(|(table, _)| table.name.clone()).collect()
    }

    fn table(&mut self, schema: &str, row: &Row) -> Option<&mut Table> {
        self.tables.get_mut(&TableName::new(schema, text(row, 0)?)).map(|(table, _)| table)
    }

    fn add_table(&mut self, schema: &str, row: &Row) {
        let kind = text_or_empty(row, 1);
        if kind.ends_with("VIEW") {
            return;
        }
        let name = TableName::new(schema, text_or_empty(row, 0));
        let engine = text(row, 2).unwrap_or_else(|| "unreadable".to_owned());
        let table = Table {
            name: name.clone(),
            // Whatever is no plain base table (SEQUENCE, SYSTEM VERSIONED) is shown in the engine's name, so that it
            // never passes for a table that a cut can hold.
            engine: if kind == "BASE TABLE" { engine } else { format!("{engine} ({})", kind.to_lowercase()) },
            collation: text_or_empty(row, 3),
            columns: Vec::new(),
            keys: Vec::new(),
            foreign_keys: Vec::new(),
            partitioned: text_or_empty(row, 4).contains("partitioned"),
        };
        let usage = Usage {
            rows_estimate: number(row, 5).unwrap_or(0),
            data_bytes: number(row, 6).unwrap_or(0),
            index_bytes: number(row, 7).unwrap_or(0),
            update_time: super::cells::time(row, 8),
            create_time: super::cells::time(row, 9),
        };
        self.tables.insert(name, (table, usage));
    }
}

fn column(row: &Row) -> Column {
    let extra = text_or_empty(row, 10).to_lowercase();
    let generated = generation(&extra);
    Column {
        name: text_or_empty(row, 2),
        data_type: text_or_empty(row, 3).to_lowercase(),
        column_type: text_or_empty(row, 4),
        charset: text(row, 5),
        collation: text(row, 6),
        nullable: if text_or_empty(row, 7) == "NO" { Nullability::NotNull } else { Nullability::Nullable },
        default: if generated.is_some() { text(row, 11).map(expression) } else { default(row, &extra) },
        fsp: number(row, 9).and_then(|digits| u8::try_from(digits).ok()).unwrap_or(0),
        auto_increment: extra.contains("auto_increment"),
        on_update_now: extra.contains("on update"),
        generated,
        invisible: extra.contains("invisible"),
    }
}

fn default(row: &Row, extra: &str) -> Option<String> {
    let default = text(row, 8);
    if extra.contains("default_generated") { default.map(expression) } else { default }
}

/// Returns an expression with one introducer for both names of MySQL's own character set: its DDL says `_utf8mb3'-'` of a
/// literal that was made as `_utf8mb4'-'`, so that a table made from that DDL would differ from its original.
fn expression(text: String) -> String {
    text.replace("_utf8mb3\\'", "_utf8mb4\\'").replace("_utf8mb3'", "_utf8mb4'")
}

/// Reads EXTRA in lower case. `DEFAULT_GENERATED` marks an expression default and no generated column (T39).
fn generation(extra: &str) -> Option<Generated> {
    if extra.contains("virtual generated") {
        Some(Generated::Virtual)
    } else if extra.contains("stored generated") || extra.contains("persistent") {
        Some(Generated::Stored)
    } else {
        None
    }
}

fn add_key_part(table: &mut Table, row: &Row) {
    let (name, method) = (text_or_empty(row, 1), text_or_empty(row, 4));
    let unused = text(row, 7).as_deref() == Some("1");
    // MySQL shows the size of a bounding box as the prefix of a spatial index.
    let prefix_chars = number(row, 6).and_then(|chars| u32::try_from(chars).ok()).filter(|_| method != "SPATIAL");
    let part = KeyPart { column: text(row, 5), prefix_chars };
    match table.keys.iter_mut().find(|key| key.name == name) {
        Some(key) => key.parts.push(part),
        None => table.keys.push(Key {
            name,
            unique: number(row, 3) == Some(0),
            method: if unused { UNUSED_INDEX.to_owned() } else { method },
            parts: vec![part],
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_default_is_not_a_generated_column_t39() {
        assert_eq!(generation("default_generated on update current_timestamp(3)"), None);
        assert_eq!(generation("default_generated"), None);
        assert_eq!(generation("virtual generated invisible"), Some(Generated::Virtual));
        assert_eq!(generation("stored generated"), Some(Generated::Stored));
    }
}
