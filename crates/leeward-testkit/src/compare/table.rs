//! What the comparison must know of a table: its columns, its key and its definition.
//!
//! Columns come from information_schema, so invisible and generated ones are among them.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

/// A table as one side describes it.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) database: String,
    pub(super) name: String,
    /// Expressions to select: each column, and the ordinal of each ENUM or SET after it, because the
    /// error value of an ENUM and a member '' read the same.
    expressions: Vec<String>,
    /// Positions of the primary key among the expressions; empty without a primary key.
    pub(super) key: Vec<usize>,
    pub(super) definition: Definition,
}

/// SHOW CREATE TABLE in a form in which only differences that matter show.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Definition {
    /// Lines of columns, in the order of the table.
    columns: Vec<String>,
    /// Lines of indexes and constraints: their order is that of their creation and means nothing.
    keys: BTreeSet<String>,
    /// Everything after the closing bracket, AUTO_INCREMENT left out: partitions, character set.
    options: String,
}

impl Table {
    /// Reads the description of `(database, table)`.
    pub(super) async fn read(conn: &mut Conn, (database, name): (&str, &str)) -> Result<Self> {
        let columns: Vec<(String, String)> = conn
            .exec(
                "SELECT COLUMN_NAME, DATA_TYPE FROM information_schema.COLUMNS \
                 WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION",
                (database, name),
            )
            .await
            .context("read the columns")?;
        let key_columns: BTreeSet<String> = conn
            .exec(
                "SELECT COLUMN_NAME FROM information_schema.STATISTICS \
                 WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? AND INDEX_NAME = 'PRIMARY'",
                (database, name),
            )
            .await
            .context("read the primary key")?
            .into_iter()
            .collect();
        let (_, created): (String, String) = conn
            .query_first(format!("SHOW CREATE TABLE {}.{}", quoted(database), quoted(name)))
            .await
            .context("read the definition")?
            .context("read the definition: no answer")?;
        let mut table = Self {
            database: database.to_owned(),
            name: name.to_owned(),
            expressions: Vec::new(),
            key: Vec::new(),
            definition: Definition::parse(&created),
        };
        for (column, data_type) in columns {
            table.add_column(&column, &data_type, key_columns.contains(&column));
        }
        Ok(table)
    }

    fn add_column(&mut self, column: &str, data_type: &str, in_key: bool) {
        let column = quoted(column);
        let mut expressions = vec![column.clone()];
        if ["enum", "set"].contains(&data_type.to_ascii_lowercase().as_str()) {
            expressions.push(format!("{column} + 0"));
        }
        for expression in expressions {
            if in_key {
                self.key.push(self.expressions.len());
            }
            self.expressions.push(expression);
        }
    }

    /// Returns whether rows of both sides have the same columns in the same order, and the same key.
    pub(super) fn rows_can_be_compared_with(&self, other: &Self) -> bool {
        self.expressions == other.expressions && self.key == other.key
    }

    /// Returns the statement that reads every row.
    pub(super) fn select(&self) -> String {
        format!("SELECT {} FROM {}.{}", self.expressions.join(", "), quoted(&self.database), quoted(&self.name))
    }
}

impl Definition {
    fn parse(created: &str) -> Self {
        let mut columns = Vec::new();
        let mut keys = BTreeSet::new();
        let mut lines = created.lines().skip(1).peekable();
        while let Some(line) = lines.next_if(|line| !line.starts_with(')')) {
            let line = line.trim().trim_end_matches(',').to_owned();
            if line.starts_with('`') {
                columns.push(line);
            } else {
                keys.insert(line);
            }
        }
        let options = lines.collect::<Vec<_>>().join("\n");
        Self { columns, keys, options: without_auto_increment(&options) }
    }
}

/// Cuts ` AUTO_INCREMENT=17` out of the options of a table.
fn without_auto_increment(options: &str) -> String {
    const OPTION: &str = " AUTO_INCREMENT=";
    match options.split_once(OPTION) {
        None => options.to_owned(),
        Some((before, after)) => {
            let rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
            format!("{before}{rest}")
        }
    }
}

/// Lists the base tables of a database; a database that does not exist has none.
pub(super) async fn list_tables(conn: &mut Conn, database: &str) -> Result<BTreeSet<String>> {
    let names: Vec<String> = conn
        .exec(
            "SELECT TABLE_NAME FROM information_schema.TABLES \
             WHERE TABLE_SCHEMA = ? AND TABLE_TYPE = 'BASE TABLE'",
            (database,),
        )
        .await?;
    Ok(names.into_iter().collect())
}

/// Quotes an identifier.
pub(super) fn quoted(identifier: &str) -> String {
    format!("`{}`", identifier.replace('`', "``"))
}

#[cfg(test)]
mod tests {
    use super::Definition;

    const CREATED: &str = "CREATE TABLE `t` (\n  `id` int NOT NULL AUTO_INCREMENT,\n  `a` int DEFAULT NULL,\n  PRIMARY KEY (`id`),\n  KEY `x` (`a`),\n  KEY `y` (`a`,`id`)\n) ENGINE=InnoDB AUTO_INCREMENT=42 DEFAULT CHARSET=utf8mb4\n/*!50100 PARTITION BY HASH (`id`)\nPARTITIONS 3 */";

    #[test]
    fn order_of_indexes_and_auto_increment_do_not_matter() {
        let other = CREATED
            .replace("  KEY `x` (`a`),\n  KEY `y` (`a`,`id`)", "  KEY `y` (`a`,`id`),\n  KEY `x` (`a`)")
            .replace("AUTO_INCREMENT=42", "AUTO_INCREMENT=7");
        assert_ne!(CREATED, other);
        assert_eq!(Definition::parse(CREATED), Definition::parse(&other));
        let fresh = CREATED.replace(" AUTO_INCREMENT=42", "");
        assert_eq!(Definition::parse(CREATED), Definition::parse(&fresh));
    }

    #[test]
    fn columns_indexes_and_options_matter() {
        for (from, to) in [
            ("`a` int", "`a` bigint"),
            ("KEY `x` (`a`)", "KEY `x` (`id`)"),
            ("  KEY `x` (`a`),\n", ""),
            ("utf8mb4", "latin1"),
            ("PARTITIONS 3", "PARTITIONS 4"),
            ("NOT NULL AUTO_INCREMENT", "NOT NULL"),
        ] {
            let other = CREATED.replace(from, to);
            assert_ne!(Definition::parse(CREATED), Definition::parse(&other), "{from}");
        }
    }
}
