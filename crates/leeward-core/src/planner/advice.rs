//! What an owner could do, as statements that can be pasted as they stand. They are shown, never run: the statements
//! that Leeward runs are written by `leeward-mysql` alone.

use crate::grants::quoted;
use crate::name::TableName;
use crate::table::{Column, Nullability, Table};

/// A clock that the server keeps, to the microsecond.
const SERVER_KEPT: &str = "(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6)";

/// Characters of an index's name, on both servers.
const INDEX_CHARS_MAX: usize = 64;

/// Returns the advice to index a clock column.
pub(super) fn index(table: &Table, column: &Column) -> String {
    format!("{} ADD INDEX ({})", alter(&table.name), quoted(&column.name))
}

/// Returns the statement that makes the index by which new rows are found.
pub(super) fn create_index(table: &Table, column: &Column) -> String {
    let name = quoted(&format!("leeward_{}", column.name).chars().take(INDEX_CHARS_MAX).collect::<String>());
    format!(
        "CREATE INDEX {name} ON {}.{} ({})",
        quoted(&table.name.schema),
        quoted(&table.name.table),
        quoted(&column.name)
    )
}

/// Returns the statement that gives the server new statistics, by which it chooses its indexes.
pub(super) fn analyze(table: &Table) -> String {
    format!("ANALYZE TABLE {}.{}", quoted(&table.name.schema), quoted(&table.name.table))
}

/// Returns the advice to let the server keep a clock column.
pub(super) fn server_kept_clock(name: &TableName, column: &str, data_type: &str) -> String {
    format!("{} MODIFY {} {data_type}{SERVER_KEPT}", alter(name), quoted(column))
}

/// Returns the advice to add a clock column, for a table that has none.
pub(super) fn new_clock(table: &Table) -> String {
    let column = quoted(free_name(table, ["updated_at", "row_updated_at", "leeward_updated_at"]));
    format!("{} ADD {column} timestamp{SERVER_KEPT}, ADD INDEX ({column})", alter(&table.name))
}

/// Returns the advice to give a table a key: to mend a unique key that nearly is one, else to add one.
pub(super) fn row_key(table: &Table) -> String {
    let alter = alter(&table.name);
    if let Some((key, nullable)) = nearly_key(table) {
        let modify = |column: &&Column| format!("MODIFY {} {} NOT NULL", quoted(&column.name), column.column_type);
        let columns: Vec<String> = nullable.iter().map(modify).collect();
        return format!("unique key {key} allows NULL; make it identify rows: {alter} {}", columns.join(", "));
    }
    match table.auto_increment() {
        Some(counter) => format!("{alter} ADD PRIMARY KEY ({})", quoted(&counter.name)),
        None => {
            let column = quoted(free_name(table, ["id", "row_id", "leeward_row_id"]));
            format!("{alter} ADD {column} bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY")
        }
    }
}

/// Returns the remedy for a table whose engine has no transactions.
pub(super) fn transactional_engine(table: &Table) -> String {
    /// Engines whose rows live elsewhere: converting such a table would cut it off from them.
    const ELSEWHERE: [&str; 8] =
        ["BLACKHOLE", "CONNECT", "FEDERATED", "MRG_MYISAM", "NDB", "NDBCLUSTER", "S3", "SPIDER"];
    if ELSEWHERE.iter().any(|engine| table.engine.eq_ignore_ascii_case(engine)) {
        let (engine, name) = (&table.engine, &table.name);
        return format!("rows of engine {engine} live elsewhere: protect them there, and exclude {name} in the policy");
    }
    format!("{} ENGINE=InnoDB", alter(&table.name))
}

fn alter(name: &TableName) -> String {
    format!("ALTER TABLE {}.{}", quoted(&name.schema), quoted(&name.table))
}

/// Returns the first unique key of whole columns that only NULL keeps from identifying rows (T10), with the columns
/// that allow it. A generated column cannot simply be made NOT NULL, so a key with one is passed over.
fn nearly_key(table: &Table) -> Option<(&str, Vec<&Column>)> {
    table.keys.iter().filter(|key| key.unique).find_map(|key| {
        let whole = key.parts.iter().all(|part| part.prefix_chars.is_none());
        let columns: Option<Vec<&Column>> =
            key.parts.iter().map(|part| table.column(part.column.as_deref()?)).collect();
        let nullable: Vec<&Column> =
            columns?.into_iter().filter(|column| column.nullable == Nullability::Nullable).collect();
        let simple = nullable.iter().all(|column| column.generated.is_none());
        (whole && simple && !nullable.is_empty()).then_some((key.name.as_str(), nullable))
    })
}

/// Returns a name that no column of the table has.
fn free_name<'n>(table: &Table, names: [&'n str; 3]) -> &'n str {
    names.into_iter().find(|name| table.column(name).is_none()).unwrap_or(names[2])
}
