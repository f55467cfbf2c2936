//! Compares the definitions of one table on both sides. Spellings that differ between versions without meaning anything
//! (display widths, `utf8` for `utf8mb3`) are made equal first; nothing else is.

use std::collections::BTreeSet;

use crate::server::Version;
use crate::table::{Column, ForeignKey, Key, Table};

/// How two definitions of one table differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Difference {
    /// Rows or rules differ: columns, unique keys, engine, character sets, checks.
    Hard(String),
    /// A plain index is missing or differs: answers come later, not otherwise.
    Index(String),
    /// Something that holds no data differs: options, partitions, spelling.
    Soft(String),
}

/// Compares columns, keys and options.
pub(super) fn shape(source: &Table, target: &Table) -> Vec<Difference> {
    let mut found = Vec::new();
    if !source.engine.eq_ignore_ascii_case(&target.engine) {
        found.push(Difference::Hard(format!("engine {} against {}", source.engine, target.engine)));
    }
    if plain_charset(&source.collation) != plain_charset(&target.collation) {
        found.push(Difference::Hard(format!("collation {} against {}", source.collation, target.collation)));
    }
    if source.partitioned != target.partitioned {
        found.push(Difference::Soft("partitioned on one side only".to_owned()));
    }
    columns(source, target, &mut found);
    keys(source, target, &mut found);
    found
}

fn columns(source: &Table, target: &Table, found: &mut Vec<Difference>) {
    for column in &source.columns {
        match target.columns.iter().find(|there| there.name == column.name) {
            None => found.push(Difference::Hard(format!("column {} is missing", column.name))),
            Some(there) => {
                if let Some(what) = column_difference(column, there) {
                    found.push(Difference::Hard(format!("column {}: {what}", column.name)));
                }
            }
        }
    }
    let names = |table: &Table| table.columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
    let (here, there) = (names(source), names(target));
    for extra in there.iter().filter(|name| !here.contains(name)) {
        found.push(Difference::Hard(format!("column {extra} is on the target only")));
    }
    if found.is_empty() && here != there {
        found.push(Difference::Hard("the columns stand in another order".to_owned()));
    }
}

/// Names the first property in which two columns differ.
fn column_difference(source: &Column, target: &Column) -> Option<String> {
    let (type_here, type_there) = (plain_type(&source.column_type), plain_type(&target.column_type));
    if type_here != type_there {
        return Some(format!("type {type_here} against {type_there}"));
    }
    let charset = |text: &Option<String>| text.as_deref().map(plain_charset);
    if charset(&source.charset) != charset(&target.charset) || charset(&source.collation) != charset(&target.collation)
    {
        return Some("character set or collation".to_owned());
    }
    let pairs = [
        (source.nullable == target.nullable, "whether NULL is allowed"),
        (plain_default(source) == plain_default(target), "default or expression"),
        (source.fsp == target.fsp, "fractional digits"),
        (source.auto_increment == target.auto_increment, "AUTO_INCREMENT"),
        (source.on_update_now == target.on_update_now, "ON UPDATE CURRENT_TIMESTAMP"),
        (source.generated == target.generated, "whether it is generated"),
        (source.invisible == target.invisible, "whether it is invisible"),
    ];
    pairs.into_iter().find(|(equal, _)| !equal).map(|(_, what)| what.to_owned())
}

/// Servers print one expression with more or fewer parentheses and quotes from version to version; a literal default is
/// compared as it stands.
pub(crate) fn plain_default(column: &Column) -> Option<String> {
    let text = column.default.as_ref()?;
    let is_expression =
        column.generated.is_some() || text.contains('(') || text.eq_ignore_ascii_case("current_timestamp");
    if !is_expression {
        return Some(text.clone());
    }
    Some(text.chars().filter(|c| !c.is_whitespace() && !"()`".contains(*c)).collect::<String>().to_lowercase())
}

fn keys(source: &Table, target: &Table, found: &mut Vec<Difference>) {
    for key in &source.keys {
        let there = target.keys.iter().find(|there| there.name == key.name);
        if there.is_some_and(|there| same_key(key, there)) {
            continue;
        }
        let how = if there.is_some() { "differs" } else { "is missing" };
        let what = format!("index {} {how}", key.name);
        found.push(if key.unique { Difference::Hard(what) } else { Difference::Index(what) });
    }
    for extra in target.keys.iter().filter(|key| !source.keys.iter().any(|there| there.name == key.name)) {
        let what = format!("index {} is on the target only", extra.name);
        // A unique index that the source does not have refuses rows that the source takes.
        found.push(if extra.unique { Difference::Hard(what) } else { Difference::Soft(what) });
    }
}

pub(crate) fn same_key(source: &Key, target: &Key) -> bool {
    source.unique == target.unique
        && source.method.eq_ignore_ascii_case(&target.method)
        && source.parts.len() == target.parts.len()
        && source.parts.iter().zip(&target.parts).all(|(here, there)| {
            let column = |name: &Option<String>| name.as_deref().map(str::to_lowercase);
            column(&here.column) == column(&there.column) && here.prefix_chars == there.prefix_chars
        })
}

/// Compares foreign keys; returns those that the target lacks or has otherwise.
pub(super) fn missing_foreign_keys(source: &Table, target: &Table) -> Vec<String> {
    let lacking = |key: &&ForeignKey| !target.foreign_keys.iter().any(|there| same_foreign_key(key, there));
    source.foreign_keys.iter().filter(lacking).map(|key| format!("{} of {}", key.name, source.name)).collect()
}

/// Returns the foreign keys that only the target has: they refuse rows that the source takes.
pub(super) fn extra_foreign_keys(source: &Table, target: &Table) -> Vec<String> {
    let extra = |key: &&ForeignKey| !source.foreign_keys.iter().any(|there| same_foreign_key(key, there));
    target.foreign_keys.iter().filter(extra).map(|key| format!("{} of {}", key.name, target.name)).collect()
}

/// The name is no part of the rule.
pub(crate) fn same_foreign_key(source: &ForeignKey, target: &ForeignKey) -> bool {
    source.columns == target.columns
        && source.parent == target.parent
        && source.parent_columns == target.parent_columns
        && rule(&source.on_delete) == rule(&target.on_delete)
        && rule(&source.on_update) == rule(&target.on_update)
}

/// InnoDB makes no difference between NO ACTION and RESTRICT.
fn rule(text: &str) -> String {
    match text.to_ascii_uppercase() {
        text if text == "NO ACTION" => "RESTRICT".to_owned(),
        text => text,
    }
}

/// Compares what `SHOW CREATE TABLE` prints beyond the shape: generation expressions, CHECKs, options, partitions.
/// Between two versions the spelling may differ, so that nothing found there is more than a hint.
pub(super) fn text(source: (&str, Version), target: (&str, Version)) -> Vec<Difference> {
    let ((source, source_version), (target, target_version)) = (source, target);
    let (here, there) = (lines(source), lines(target));
    let only = |these: &[String], those: &[String], side: &str| {
        these
            .iter()
            .filter(|line| !those.contains(line))
            .map(|line| (line.starts_with('`') || line.contains(" CHECK ("), format!("only on the {side}: {line}")))
            .collect::<Vec<_>>()
    };
    let same_version = (source_version.0, source_version.1) == (target_version.0, target_version.1);
    let mut all = only(&here, &there, "source");
    all.extend(only(&there, &here, "target"));
    let difference = |(holds_rules, line): (bool, String)| match holds_rules && same_version {
        true => Difference::Hard(line),
        false => Difference::Soft(line),
    };
    all.into_iter().map(difference).collect()
}

/// Cuts a CREATE TABLE into comparable lines. Indexes and foreign keys are left out: their shape is compared, and they
/// come after the rows.
fn lines(ddl: &str) -> Vec<String> {
    ddl.lines()
        .skip(1)
        .map(|line| line.trim().trim_end_matches(',').to_owned())
        .filter(|line| {
            let starts = |words: &[&str]| words.iter().any(|word| line.starts_with(word));
            let index = starts(&["KEY ", "UNIQUE KEY ", "PRIMARY KEY ", "FULLTEXT KEY ", "SPATIAL KEY "]);
            let functional = line.contains("((");
            let foreign = line.starts_with("CONSTRAINT ") && line.contains(" FOREIGN KEY ");
            !line.is_empty() && !foreign && (!index || functional)
        })
        .map(|line| without_counter(&line))
        .collect()
}

/// Takes `AUTO_INCREMENT=n` out of the options: SCH-08 compares it.
fn without_counter(line: &str) -> String {
    line.split(' ').filter(|word| !word.starts_with("AUTO_INCREMENT=")).collect::<Vec<_>>().join(" ")
}

/// Takes the display width off integer types, which MySQL 8.0.19 stopped printing. `tinyint(1)` and ZEROFILL keep
/// theirs: there it still means something.
fn plain_type(column_type: &str) -> String {
    let text = plain_charset(column_type).to_ascii_lowercase();
    let integer = ["tinyint", "smallint", "mediumint", "int", "bigint"];
    let Some((word, rest)) = text.split_once('(') else { return text };
    if !integer.contains(&word) || text.contains("zerofill") || text.starts_with("tinyint(1)") {
        // An enum's values keep their case.
        return plain_charset(column_type);
    }
    match rest.split_once(')') {
        Some((_, tail)) => format!("{word}{tail}"),
        None => text,
    }
}

/// `utf8` and `utf8mb3` are one character set under two names.
fn plain_charset(name: &str) -> String {
    match name.strip_prefix("utf8mb3") {
        Some(rest) => format!("utf8{rest}"),
        None => name.to_owned(),
    }
}

/// Returns whether a server that lists `known` has a collation. `utf8mb3` names may be listed as `utf8` and the other way round; MariaDB also lists `uca1400` names without their
/// character set.
pub(crate) fn knows_collation(known: &BTreeSet<String>, name: &str) -> bool {
    let spellings = [
        name.to_owned(),
        name.replacen("utf8mb3_", "utf8_", 1),
        name.replacen("utf8_", "utf8mb3_", 1),
        name.split_once("uca1400").map_or_else(String::new, |(_, rest)| format!("uca1400{rest}")),
    ];
    spellings.iter().any(|spelling| known.contains(spelling))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_type_are_equal() {
        for (one, other) in [("int(11)", "int"), ("bigint(20) unsigned", "bigint unsigned"), ("INT(10)", "int(11)")] {
            assert_eq!(plain_type(one), plain_type(other));
        }
        for (one, other) in [
            ("tinyint(1)", "tinyint"),
            ("int(5) zerofill", "int(6) zerofill"),
            ("varchar(10)", "varchar(11)"),
            ("enum('A')", "enum('a')"),
            ("decimal(10,2)", "decimal(10,3)"),
        ] {
            assert_ne!(plain_type(one), plain_type(other));
        }
        assert_eq!(plain_charset("utf8mb3_general_ci"), plain_charset("utf8_general_ci"));
        assert_ne!(plain_charset("utf8mb4_bin"), plain_charset("utf8_bin"));
    }

    #[test]
    fn an_expression_or_a_check_that_differs_is_hard_within_one_version() {
        let source = "CREATE TABLE `t` (\n  `a` int,\n  `b` int GENERATED ALWAYS AS (`a` + 1) STORED,\n  KEY `k` (`a`),\n  \
                      CONSTRAINT `c` CHECK (`a` > 0)\n) ENGINE=InnoDB AUTO_INCREMENT=7 DEFAULT CHARSET=utf8mb4";
        let same = source.replace("AUTO_INCREMENT=7 ", "").replace("  KEY `k` (`a`),\n", "");
        let (old, new) = (Version(8, 0, 36), Version(9, 7, 4));
        assert_eq!(text((source, old), (&same, old)), []);
        for (from, to) in [("+ 1", "- 1"), ("> 0", "> 1")] {
            let other = source.replace(from, to);
            assert!(text((source, old), (&other, old)).iter().all(|found| matches!(found, Difference::Hard(_))));
            assert!(text((source, old), (&other, new)).iter().all(|found| matches!(found, Difference::Soft(_))));
        }
        let options = source.replace("InnoDB", "InnoDB ROW_FORMAT=COMPRESSED");
        assert!(matches!(text((source, old), (&options, old))[..], [Difference::Soft(_), Difference::Soft(_)]));
    }
}
