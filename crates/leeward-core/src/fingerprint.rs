//! The fingerprint of a table's shape: equal on two servers when rows of the one fit the other and are told apart the
//! same way. Secondary indexes, defaults, comments and options are left out: they can harm no row, and their
//! differences are reported by readiness.

use sha2::{Digest, Sha256};

use crate::table::{Column, Key, Nullability, Table};

/// Bytes of SHA-256 that a fingerprint keeps, printed as hex. A chance collision among 2^64 shapes is out of the
/// question, and a thousand fingerprints stay small.
const FINGERPRINT_BYTES: usize = 16;

/// Returns the fingerprint of a table. Forms in which versions of one server print the same thing differently (display
/// widths, `utf8` for `utf8mb3`, parentheses in expressions) do not change it.
pub fn fingerprint(table: &Table) -> String {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        // The length keeps one name's end apart from the next one's start.
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    };
    add(&table.engine.to_lowercase());
    for column in &table.columns {
        add("column");
        column_facts(column).iter().for_each(|fact| add(fact));
    }
    let mut unique: Vec<&Key> = table.keys.iter().filter(|key| key.unique).collect();
    unique.sort_by_key(|key| key.name.to_lowercase());
    for key in unique {
        add("key");
        add(&key.name.to_lowercase());
        for part in &key.parts {
            add(part.column.as_deref().unwrap_or("(expression)"));
            add(&part.prefix_chars.map_or(String::new(), |chars| chars.to_string()));
        }
    }
    hash.finalize().iter().take(FINGERPRINT_BYTES).map(|byte| format!("{byte:02x}")).collect()
}

fn column_facts(column: &Column) -> Vec<String> {
    let default = column.default.as_deref().unwrap_or_default().to_lowercase();
    vec![
        column.name.clone(),
        plain_type(&column.column_type),
        plain_charset(column.collation.as_deref().unwrap_or_default()),
        (if column.nullable == Nullability::NotNull { "not null" } else { "null" }).to_owned(),
        (if column.auto_increment { "counter" } else { "" }).to_owned(),
        // The class of a table rests on who writes its clock, so these two are more than defaults.
        (if column.on_update_now { "on update now" } else { "" }).to_owned(),
        (if is_set_by_clock(column) { "default now" } else { "" }).to_owned(),
        column.generated.map_or(String::new(), |kind| format!("{kind:?} {}", plain_expression(&default))),
    ]
}

/// Returns whether the server stamps the column when a row is inserted.
pub(crate) fn is_set_by_clock(column: &Column) -> bool {
    let default = column.default.as_deref().unwrap_or_default().to_lowercase();
    let now = ["current_timestamp", "now(", "localtime"].iter().any(|name| default.starts_with(name));
    now && matches!(column.data_type.as_str(), "timestamp" | "datetime")
}

/// Returns a type without what only shows: the width of integers and years (unless it is filled up with zeros, or is the
/// `tinyint(1)` that stands for BOOLEAN on every version), and version comments such as MariaDB's `COMPRESSED`.
fn plain_type(column_type: &str) -> String {
    let (word, rest) = column_type.split_at(column_type.find(['(', ' ']).unwrap_or(column_type.len()));
    let word = word.to_lowercase();
    if word == "enum" || word == "set" {
        // Their members are data: case, blanks and what looks like a comment belong to them.
        return format!("{word}{rest}");
    }
    let rest = rest.split("/*").next().unwrap_or_default().trim_end().to_lowercase();
    let shows_width = ["tinyint", "smallint", "mediumint", "int", "bigint", "year"].contains(&word.as_str());
    if shows_width && !rest.contains("zerofill") && !(word == "tinyint" && rest.starts_with("(1)")) {
        let after = rest.find(')').map_or(rest.as_str(), |at| &rest[at + 1..]);
        return format!("{word}{after}");
    }
    match word.as_str() {
        "geometrycollection" => "geomcollection".to_owned(),
        _ => format!("{word}{rest}"),
    }
}

fn plain_charset(collation: &str) -> String {
    match collation.strip_prefix("utf8_") {
        Some(rest) => format!("utf8mb3_{rest}"),
        None => collation.to_owned(),
    }
}

/// Returns an expression without quotes of names, parentheses, blanks, escapes and character set introducers, which
/// each version prints in its own way.
pub(crate) fn plain_expression(expression: &str) -> String {
    let bare: String = expression.chars().filter(|c| !c.is_whitespace() && !"`()\\".contains(*c)).collect();
    ["_utf8mb4'", "_utf8mb3'", "_utf8'", "_latin1'"].iter().fold(bare, |text, introducer| text.replace(introducer, "'"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::TableName;
    use crate::table::{Generated, KeyPart};

    fn table() -> Table {
        let part = |name: &str| KeyPart { column: Some(name.into()), prefix_chars: None };
        Table {
            name: TableName::new("shop", "t"),
            engine: "InnoDB".into(),
            collation: "utf8mb4_bin".into(),
            columns: vec![Column::plain("id", "int(10) unsigned"), Column::plain("at", "datetime(6)")],
            keys: vec![
                Key { name: "PRIMARY".into(), unique: true, method: "BTREE".into(), parts: vec![part("id")] },
                Key { name: "k".into(), unique: false, method: "BTREE".into(), parts: vec![part("at")] },
            ],
            foreign_keys: Vec::new(),
            partitioned: false,
        }
    }

    fn changed(change: impl Fn(&mut Table)) -> bool {
        let mut other = table();
        change(&mut other);
        fingerprint(&other) != fingerprint(&table())
    }

    #[test]
    fn what_can_harm_rows_changes_it() {
        assert!(changed(|table| table.columns.push(Column::plain("new", "int"))));
        assert!(changed(|table| table.columns.swap(0, 1)));
        assert!(changed(|table| table.columns[1].column_type = "datetime(3)".into()));
        assert!(changed(|table| table.columns[1].nullable = Nullability::Nullable));
        assert!(changed(|table| table.columns[1].on_update_now = true));
        assert!(changed(|table| table.columns[1].default = Some("CURRENT_TIMESTAMP(6)".into())));
        assert!(changed(|table| table.columns[1].generated = Some(Generated::Virtual)));
        assert!(changed(|table| table.keys[1].unique = true));
        assert!(changed(|table| table.keys[0].parts[0].prefix_chars = Some(3)));
    }

    #[test]
    fn what_cannot_does_not() {
        assert!(!changed(|table| table.keys.truncate(1)));
        assert!(!changed(|table| table.collation = "latin1_swedish_ci".into()));
        assert!(!changed(|table| table.columns[0].default = Some("7".into())));
        assert!(!changed(|table| table.name = TableName::new("other", "t")));
        assert!(!changed(|table| table.columns[0].column_type = "int unsigned".into()), "MySQL 8.0.19 dropped widths");
        assert!(!changed(|table| table.columns[0].column_type = "INT(11) unsigned".into()));
    }

    #[test]
    fn types_are_compared_without_what_only_shows() {
        assert_eq!(plain_type("bigint(20) unsigned"), "bigint unsigned");
        assert_eq!(plain_type("tinyint(1)"), "tinyint(1)");
        assert_eq!(plain_type("int(5) unsigned zerofill"), "int(5) unsigned zerofill");
        assert_eq!(plain_type("varchar(500) /*M!100301 COMPRESSED*/"), "varchar(500)");
        assert_eq!(plain_type("ENUM('A (/*','b')"), "enum('A (/*','b')");
        assert_eq!(plain_expression("concat(`a`,_utf8mb4\\'x\\')"), plain_expression("(concat(`a`,'x'))"));
    }
}
