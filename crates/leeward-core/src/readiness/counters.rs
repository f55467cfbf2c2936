//! SCH-07 and 08: AUTO_INCREMENT counters.

use super::facts::{Counter, ReadinessFacts, Seen, seen};
use super::outcome::{Answer, Missing, Outcome};
use super::page::{listed, statements};
use crate::grants::{quoted, quoted_table};
use crate::name::TableName;
use crate::table::{Column, Table};

/// The planned tables with a counter, with their column and both sides' next values. A counter that was never used is
/// in neither list, and stands at 1.
struct Counted<'a> {
    name: &'a TableName,
    column: &'a Column,
    source_next: u64,
    target_next: u64,
}

fn counted(facts: &ReadinessFacts) -> Result<(chrono::NaiveDateTime, Vec<Counted<'_>>), Missing> {
    let source = seen(&facts.source.counters, "the source's counters")?;
    let target = seen(&facts.target.counters, "the target's counters")?;
    let next = |counters: &Seen<Vec<Counter>>, name: &TableName| {
        let counters = counters.known().map(|dated| dated.value.as_slice()).unwrap_or_default();
        counters.iter().find(|counter| counter.table == *name).map_or(1, |counter| counter.next)
    };
    let tables = facts.plan()?.tables.iter().map(|planned| &planned.table);
    let counted = tables.filter_map(|table: &Table| {
        let column = table.auto_increment()?;
        Some(Counted {
            name: &table.name,
            column,
            source_next: next(&facts.source.counters, &table.name),
            target_next: next(&facts.target.counters, &table.name),
        })
    });
    Ok((source.at.min(target.at), counted.collect()))
}

/// SCH-07: the counter is not about to run out.
pub(super) fn autoinc_headroom(facts: &ReadinessFacts) -> Answer {
    let (at, counted) = counted(facts)?;
    let checks = &facts.settings.checks;
    let (mut full, mut filling, mut alter) = (Vec::new(), Vec::new(), Vec::new());
    let mut most = 0.0_f64;
    for one in &counted {
        let Some(max) = largest(&one.column.column_type) else {
            filling.push(format!("{} (no range known for {})", one.name, one.column.data_type));
            continue;
        };
        let used = one.source_next.max(one.target_next).saturating_sub(1) as f64 / max as f64;
        most = most.max(used);
        let line = format!("{} ({:.0} %)", one.name, used * 100.0);
        if used >= checks.autoinc_fail {
            full.push(line);
        } else if used >= checks.autoinc_warn {
            filling.push(line);
        } else {
            continue;
        }
        alter.push(format!(
            "on both sides: ALTER TABLE {} MODIFY {} BIGINT UNSIGNED NOT NULL AUTO_INCREMENT;",
            quoted_table(one.name),
            quoted(&one.column.name)
        ));
    }
    Ok(if !full.is_empty() {
        Outcome::fail(at, format!("nearly used up: {}", listed(&full)), statements(&alter))
    } else if !filling.is_empty() {
        Outcome::warn(at, format!("filling up: {}", listed(&filling)), statements(&alter))
    } else {
        Outcome::pass(at, format!("{} counters, at most {:.0} % used", counted.len(), most * 100.0))
    })
}

/// Returns the largest value of an integer type as the server prints it.
fn largest(column_type: &str) -> Option<u64> {
    let text = column_type.to_ascii_lowercase();
    let word = text.split(['(', ' ']).next()?;
    let bits = match word {
        "tinyint" => 8,
        "smallint" => 16,
        "mediumint" => 24,
        "int" | "integer" => 32,
        "bigint" => 64,
        _ => return None,
    };
    Some(if text.contains("unsigned") { u64::MAX >> (64 - bits) } else { u64::MAX >> (65 - bits) })
}

/// SCH-08: the target would not give out an id that the source has already used. Rows that were rolled back or deleted
/// leave the target's counter lower, which matters at a failover and not before.
pub(super) fn autoinc_position(facts: &ReadinessFacts) -> Answer {
    let (at, counted) = counted(facts)?;
    let below: Vec<&Counted<'_>> = counted.iter().filter(|one| one.target_next < one.source_next).collect();
    if below.is_empty() {
        return Ok(Outcome::pass(at, format!("{} counters, none below the source's", counted.len())));
    }
    let names: Vec<String> =
        below.iter().map(|one| format!("{} ({} against {})", one.name, one.target_next, one.source_next)).collect();
    let alter: Vec<String> = below
        .iter()
        .map(|one| {
            let name = quoted_table(one.name);
            format!("at a failover, on the target: ALTER TABLE {name} AUTO_INCREMENT = {};", one.source_next)
        })
        .collect();
    Ok(Outcome::warn(at, format!("below the source's: {}", listed(&names)), statements(&alter)))
}

#[cfg(test)]
mod tests {
    use super::largest;

    #[test]
    fn the_range_of_every_integer_type_is_known() {
        let cases = [
            ("tinyint(4)", 127),
            ("tinyint unsigned", 255),
            ("smallint", 32_767),
            ("mediumint unsigned", 16_777_215),
            ("int(11)", 2_147_483_647),
            ("INT UNSIGNED", 4_294_967_295),
            ("bigint", i64::MAX as u64),
            ("bigint(20) unsigned", u64::MAX),
        ];
        for (text, max) in cases {
            assert_eq!(largest(text), Some(max), "{text}");
        }
        assert_eq!(largest("double"), None);
    }
}
