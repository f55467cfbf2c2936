//! The foreign keys of the lane, and whether a read view of the target breaks one. The target itself does not look: Leeward
//! writes with `foreign_key_checks=0`.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

/// A parent table, with the pairs of columns that tie a child to it.
type Parent = (String, Vec<(String, String)>);

/// A foreign key, and how to find rows that break it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ForeignKey {
    /// `database.table (constraint)`, for people.
    pub(crate) name: String,
    /// Both tables, as `database.table`.
    pub(crate) tables: [String; 2],
    /// Counts the rows whose parent is missing.
    sql: String,
}

/// Reads the foreign keys of some databases.
pub(crate) async fn read(conn: &mut Conn, databases: &[String]) -> Result<Vec<ForeignKey>> {
    let list: Vec<String> = databases.iter().map(|name| format!("'{name}'")).collect();
    let sql = format!(
        "SELECT TABLE_SCHEMA, TABLE_NAME, CONSTRAINT_NAME, COLUMN_NAME, REFERENCED_TABLE_NAME, REFERENCED_COLUMN_NAME \
         FROM information_schema.KEY_COLUMN_USAGE \
         WHERE REFERENCED_TABLE_NAME IS NOT NULL AND TABLE_SCHEMA IN ({}) ORDER BY 1, 2, 3, ORDINAL_POSITION",
        list.join(",")
    );
    let parts: Vec<(String, String, String, String, String, String)> =
        conn.query(sql).await.context("read the foreign keys")?;
    let mut keys: BTreeMap<(String, String, String), Parent> = BTreeMap::new();
    for (database, table, constraint, column, parent, parent_column) in parts {
        let key = keys.entry((database, table, constraint)).or_insert_with(|| (parent, Vec::new()));
        key.1.push((column, parent_column));
    }
    Ok(keys.into_iter().map(|(name, (parent, columns))| foreign_key(&name, &parent, &columns)).collect())
}

fn foreign_key(
    (database, table, constraint): &(String, String, String),
    parent: &str,
    columns: &[(String, String)],
) -> ForeignKey {
    let pairs: Vec<String> = columns.iter().map(|(of, to)| format!("p.`{to}` = c.`{of}`")).collect();
    let set: Vec<String> = columns.iter().map(|(of, _)| format!("c.`{of}` IS NOT NULL")).collect();
    ForeignKey {
        name: format!("{database}.{table} ({constraint})"),
        tables: [format!("{database}.{table}"), format!("{database}.{parent}")],
        sql: format!(
            "SELECT COUNT(*) FROM `{database}`.`{table}` AS c WHERE {} AND NOT EXISTS \
             (SELECT 1 FROM `{database}`.`{parent}` AS p WHERE {})",
            set.join(" AND "),
            pairs.join(" AND ")
        ),
    }
}

impl ForeignKey {
    /// Returns whether both tables are in a database.
    pub(crate) fn is_in(&self, database: &str) -> bool {
        self.tables.iter().all(|table| table.split('.').next() == Some(database))
    }

    /// Counts the rows that break it, in the connection's read view.
    pub(crate) async fn broken_rows(&self, conn: &mut Conn) -> Result<u64> {
        let rows: Option<u64> = conn.query_first(&self.sql).await.with_context(|| format!("check {}", self.name))?;
        rows.with_context(|| format!("check {}: no answer", self.name))
    }
}
