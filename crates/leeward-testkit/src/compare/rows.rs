//! Reads all rows of a table on both sides and finds those that are not the same.
//!
//! Each side becomes a map from key to row, both as hashes. A large table is compared in several
//! passes, each over the keys of one residue, so that memory does not grow with the table.

use std::collections::{HashMap, HashSet};

use anyhow::{Context, Result};
use futures_util::StreamExt;
use mysql_async::consts::ColumnType;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row, Value};

use super::encode::{Hash, hash};
use super::json::without_trailing_zeros;
use super::report::{Differences, TableReport};
use super::snapshot::Snapshot;
use super::table::{Table, quoted};

/// Rows that one pass keeps of one side. A map of as many takes 86 MB (2^21 places of 41 bytes, at most
/// seven eighths full; the one it grew from is half as large), so both sides stay under 260 MB. One
/// row more and the maps double.
pub(super) const ROWS_PER_PASS_MAX: u64 = 1_800_000;

/// Keys named for each kind of difference of a table: enough to see a pattern.
pub(super) const KEYS_NAMED_MAX: usize = 20;

/// Bytes of a key that are shown; the rest of a longer one is left out.
const KEY_SHOWN_BYTES_MAX: usize = 200;

/// One part of a table's keys: those whose hash leaves `residue` when divided by `passes`.
#[derive(Debug, Clone, Copy)]
struct Pass {
    residue: u64,
    passes: u64,
}

impl Pass {
    fn takes(self, key: &Hash) -> bool {
        let mut head = [0; 8];
        head.copy_from_slice(&key[..8]);
        u64::from_le_bytes(head) % self.passes == self.residue
    }
}

/// What is remembered of the rows with one key; without a primary key, the row is its own key and
/// may stand in the table more than once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    row: Hash,
    count: u64,
}

type Rows = HashMap<Hash, Seen>;

/// Compares the rows of a table whose columns agree; writes counts and differences to `report`.
///
/// Reads the table as often as it takes to keep `rows_per_pass_max` rows or fewer of each side at once.
pub(super) async fn compare_rows(
    source: &mut Snapshot,
    target: &mut Snapshot,
    table: &Table,
    report: &mut TableReport,
    rows_per_pass_max: u64,
) -> Result<()> {
    let name = (table.database.as_str(), table.name.as_str());
    let most = count_rows(&mut source.conn, name).await?.max(count_rows(&mut target.conn, name).await?);
    let passes = passes_for(most, rows_per_pass_max);
    let mut found = Unequal::default();
    for residue in 0..passes {
        let pass = Pass { residue, passes };
        let (of_source, of_target) =
            tokio::try_join!(read_pass(&mut source.conn, table, pass), read_pass(&mut target.conn, table, pass))?;
        report.source_rows += of_source.values().map(|seen| seen.count).sum::<u64>();
        report.target_rows += of_target.values().map(|seen| seen.count).sum::<u64>();
        found.add(&of_source, &of_target);
    }
    report.missing = found.missing.named(&mut source.conn, table).await?;
    report.different = found.different.named(&mut source.conn, table).await?;
    report.extra = found.extra.named(&mut target.conn, table).await?;
    Ok(())
}

/// Counts the rows of `(database, table)`.
pub(super) async fn count_rows(conn: &mut Conn, (database, table): (&str, &str)) -> Result<u64> {
    conn.query_first(format!("SELECT COUNT(*) FROM {}.{}", quoted(database), quoted(table)))
        .await
        .context("count the rows")?
        .context("count the rows: no answer")
}

fn passes_for(rows: u64, rows_per_pass: u64) -> u64 {
    rows.div_ceil(rows_per_pass).max(1)
}

/// Reads the whole table and keeps the rows of one pass.
async fn read_pass(conn: &mut Conn, table: &Table, pass: Pass) -> Result<Rows> {
    let mut rows = Rows::new();
    each_row(conn, table, |key, values| {
        if pass.takes(&key) {
            let row = hash(values);
            let seen = rows.entry(key).or_insert(Seen { row, count: 0 });
            seen.count += 1;
        }
        Reading::GoOn
    })
    .await?;
    Ok(rows)
}

/// Whether a reader wants to see the next row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    GoOn,
    Enough,
}

/// Streams a table over the binary protocol; gives each row's key hash and values to `seen`.
async fn each_row(conn: &mut Conn, table: &Table, mut seen: impl FnMut(Hash, &[Value]) -> Reading) -> Result<()> {
    let mut stream = conn.exec_stream::<Row, _, _>(table.select(), ()).await.context("read the rows")?;
    while let Some(row) = stream.next().await {
        let row = row.context("read a row")?;
        let is_json: Vec<bool> =
            row.columns_ref().iter().map(|column| column.column_type() == ColumnType::MYSQL_TYPE_JSON).collect();
        let mut values = row.unwrap();
        for (value, _) in values.iter_mut().zip(is_json).filter(|(_, is_json)| *is_json) {
            if let Value::Bytes(document) = value {
                *document = without_trailing_zeros(document);
            }
        }
        let key = match table.key.as_slice() {
            [] => hash(&values),
            positions => hash(positions.iter().map(|position| &values[*position])),
        };
        if seen(key, &values) == Reading::Enough {
            break;
        }
    }
    Ok(())
}

/// Keys of one kind of difference: how many, and some of them.
#[derive(Debug, Default)]
struct Keys {
    count: u64,
    some: HashSet<Hash>,
}

impl Keys {
    fn add(&mut self, key: &Hash, rows: u64) {
        self.count += rows;
        if self.some.len() < KEYS_NAMED_MAX {
            self.some.insert(*key);
        }
    }

    /// Reads the table once more to show the keys whose hashes were kept.
    async fn named(mut self, conn: &mut Conn, table: &Table) -> Result<Differences> {
        let mut keys = Vec::new();
        if !self.some.is_empty() {
            each_row(conn, table, |key, values| {
                if self.some.remove(&key) {
                    keys.push(shown(table, &key, values));
                }
                if self.some.is_empty() { Reading::Enough } else { Reading::GoOn }
            })
            .await?;
        }
        Ok(Differences { count: self.count, keys })
    }
}

/// Shows a key as SQL literals; a row without a key by the start of its hash, never by its values.
fn shown(table: &Table, key: &Hash, values: &[Value]) -> String {
    if table.key.is_empty() {
        let head: String = key[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        return format!("(row {head})");
    }
    let parts: Vec<String> = table.key.iter().map(|position| values[*position].as_sql(true)).collect();
    let mut shown = format!("({})", parts.join(", "));
    if shown.len() > KEY_SHOWN_BYTES_MAX {
        let end = (0..=KEY_SHOWN_BYTES_MAX).rev().find(|at| shown.is_char_boundary(*at));
        shown.truncate(end.unwrap_or(0));
        shown.push('…');
    }
    shown
}

/// The keys of all rows that are not the same on both sides.
#[derive(Debug, Default)]
struct Unequal {
    missing: Keys,
    extra: Keys,
    different: Keys,
}

impl Unequal {
    fn add(&mut self, source: &Rows, target: &Rows) {
        for (key, of_source) in source {
            let target_count = target.get(key).map_or(0, |seen| seen.count);
            self.add_surplus(key, of_source.count, target_count);
            if target.get(key).is_some_and(|of_target| of_target.row != of_source.row) {
                self.different.add(key, 1);
            }
        }
        for (key, of_target) in target {
            if !source.contains_key(key) {
                self.extra.add(key, of_target.count);
            }
        }
    }

    /// Notes rows that stand more often on one side.
    fn add_surplus(&mut self, key: &Hash, source_count: u64, target_count: u64) {
        if source_count > target_count {
            self.missing.add(key, source_count - target_count);
        }
        if target_count > source_count {
            self.extra.add(key, target_count - source_count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Pass, Rows, Seen, Unequal, passes_for};

    fn rows(entries: &[(u8, u8, u64)]) -> Rows {
        entries
            .iter()
            .map(|(key, row, count)| {
                let (row, count) = ([*row; 16], *count);
                ([*key; 16], Seen { row, count })
            })
            .collect()
    }

    fn counts(source: &[(u8, u8, u64)], target: &[(u8, u8, u64)]) -> (u64, u64, u64) {
        let mut found = Unequal::default();
        found.add(&rows(source), &rows(target));
        (found.missing.count, found.extra.count, found.different.count)
    }

    #[test]
    fn each_kind_of_difference_is_counted_once() {
        assert_eq!(counts(&[(1, 1, 1), (2, 2, 1)], &[(2, 2, 1), (1, 1, 1)]), (0, 0, 0));
        assert_eq!(counts(&[(1, 1, 1), (2, 2, 1)], &[(2, 2, 1)]), (1, 0, 0));
        assert_eq!(counts(&[], &[(2, 2, 1)]), (0, 1, 0));
        assert_eq!(counts(&[(1, 1, 1)], &[(1, 9, 1)]), (0, 0, 1));
        // Identical rows without a key: the numbers of copies must agree.
        assert_eq!(counts(&[(1, 1, 3)], &[(1, 1, 1)]), (2, 0, 0));
        assert_eq!(counts(&[(1, 1, 1)], &[(1, 1, 4)]), (0, 3, 0));
    }

    #[test]
    fn passes_share_all_keys_without_overlap() {
        assert_eq!([0, 1, 10, 11].map(|rows| passes_for(rows, 10)), [1, 1, 1, 2]);
        for byte in 0..=255 {
            let takers = (0..3).filter(|residue| Pass { residue: *residue, passes: 3 }.takes(&[byte; 16])).count();
            assert_eq!(takers, 1);
        }
    }
}
