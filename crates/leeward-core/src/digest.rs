//! The digest of a key range, and the comparison of two row-hash lists. CRC32 under XOR is linear and misses whole
//! kinds of change (T14); this is COUNT, SUM and XOR over parts of a SHA-256 per row (design §7), so equal rows do not
//! cancel (T16) and no same-length change does.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::row::KeyCells;

/// The checksum of all rows in a key range.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Digest {
    /// Number of rows.
    pub rows: u64,
    /// Sum of a number of 64 bits made of the first 64 bits of each row hash, as an exact decimal; `0` for no row.
    pub sum: String,
    /// XOR of a number of 64 bits made of the next 64 bits of each row hash.
    pub xor: u64,
}

/// A row's key and the first 128 bits of its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowHash {
    /// The row's key in wire form.
    pub key: KeyCells,
    /// 128 bits of SHA-256 over the row's canonical form.
    pub hash: u128,
}

/// The checksum of the keys alone in a key range. It finds rows that one side has and the other has not; CRC32 under SUM
/// is no proof of equality, and none is drawn from it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyDigest {
    /// Number of rows.
    pub rows: u64,
    /// Sum of the CRC32 of each key, as an exact decimal; `0` for no row.
    pub sum: String,
}

/// How a range differs: keys only, never values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// Rows that only the source has.
    pub missing: Vec<KeyCells>,
    /// Rows that both have with different content.
    pub changed: Vec<KeyCells>,
    /// Rows that only the target has (T37).
    pub extra: Vec<KeyCells>,
}

/// How many rows differ, and how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows that only the source has.
    pub missing: u64,
    /// Rows that both have with different content.
    pub changed: u64,
    /// Rows that only the target has.
    pub extra: u64,
}

impl Counts {
    /// Compares rows that no key tells apart: of the rows that only one side has, as many as the other side can match
    /// count as changed.
    pub fn without_keys(source: &[RowHash], target: &[RowHash]) -> Counts {
        let mut there: HashMap<u128, u64> = HashMap::new();
        target.iter().for_each(|row| *there.entry(row.hash).or_default() += 1);
        let mut missing = 0;
        for row in source {
            match there.get_mut(&row.hash).filter(|left| **left > 0) {
                Some(left) => *left -= 1,
                None => missing += 1,
            }
        }
        let extra: u64 = there.values().sum();
        let changed = missing.min(extra);
        Counts { missing: missing - changed, changed, extra: extra - changed }
    }

    /// Returns the number of rows that differ.
    pub fn rows(&self) -> u64 {
        self.missing + self.changed + self.extra
    }
}

impl Difference {
    /// Compares two lists of the keys of one key range.
    pub fn between_keys(source: &[KeyCells], target: &[KeyCells]) -> Difference {
        let only = |keys: &[KeyCells], others: &[KeyCells]| {
            let others: HashSet<&KeyCells> = others.iter().collect();
            keys.iter().filter(|key| !others.contains(key)).cloned().collect()
        };
        Difference { missing: only(source, target), changed: Vec::new(), extra: only(target, source) }
    }

    /// Compares two lists of row hashes of one key range. Order does not matter, so collations cannot mislead (T9); but where
    /// it is the same on both sides, nearly all rows are done with side by side, and only the rest is looked up by key.
    pub fn between(source: &[RowHash], target: &[RowHash]) -> Difference {
        let (only_there, only_here) = unlike(source, target);
        let mut there: HashMap<&KeyCells, u128> = only_here.iter().map(|row| (&row.key, row.hash)).collect();
        let mut found = Difference::default();
        for row in only_there {
            match there.remove(&row.key) {
                None => found.missing.push(row.key.clone()),
                Some(hash) if hash != row.hash => found.changed.push(row.key.clone()),
                Some(_) => {}
            }
        }
        found.extra = only_here.iter().filter(|row| there.contains_key(&row.key)).map(|row| row.key.clone()).collect();
        found
    }

    /// Takes in what another range of the same table has come to.
    pub fn add(&mut self, other: Difference) {
        self.missing.extend(other.missing);
        self.changed.extend(other.changed);
        self.extra.extend(other.extra);
    }

    /// Returns how many rows differ, and how.
    pub fn counts(&self) -> Counts {
        let [missing, changed, extra] = [&self.missing, &self.changed, &self.extra].map(|keys| keys.len() as u64);
        Counts { missing, changed, extra }
    }

    /// Returns the number of rows that differ.
    pub fn rows(&self) -> usize {
        self.missing.len() + self.changed.len() + self.extra.len()
    }

    /// Returns whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.rows() == 0
    }
}

/// Returns the rows of both lists that have no equal beside them: one row that only one side has is stepped over.
fn unlike<'a>(source: &'a [RowHash], target: &'a [RowHash]) -> (Vec<&'a RowHash>, Vec<&'a RowHash>) {
    let (mut only_there, mut only_here) = (Vec::new(), Vec::new());
    let (mut s, mut t) = (0, 0);
    while let (Some(there), Some(here)) = (source.get(s), target.get(t)) {
        let step = if there.key == here.key {
            (1, 1)
        } else if source.get(s + 1).is_some_and(|next| next.key == here.key) {
            (1, 0)
        } else if target.get(t + 1).is_some_and(|next| next.key == there.key) {
            (0, 1)
        } else {
            (1, 1)
        };
        if there != here {
            only_there.extend((step.0 > 0).then_some(there));
            only_here.extend((step.1 > 0).then_some(here));
        }
        (s, t) = (s + step.0, t + step.1);
    }
    only_there.extend(&source[s..]);
    only_here.extend(&target[t..]);
    (only_there, only_here)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(key: &str, hash: u128) -> RowHash {
        RowHash { key: KeyCells(vec![key.as_bytes().to_vec()]), hash }
    }

    #[test]
    fn missing_changed_and_extra_rows_are_told_apart() {
        let found =
            Difference::between(&[row("a", 1), row("b", 2), row("c", 3)], &[row("c", 3), row("b", 9), row("d", 4)]);
        assert_eq!(found.missing, vec![row("a", 0).key]);
        assert_eq!(found.changed, vec![row("b", 0).key]);
        assert_eq!(found.extra, vec![row("d", 0).key]);
        assert_eq!(found.counts(), Counts { missing: 1, changed: 1, extra: 1 });
    }

    #[test]
    fn rows_in_another_order_are_no_differences_t9() {
        let source: Vec<RowHash> = ["a", "B", "c", "D", "e", "f"].map(|key| row(key, 1)).to_vec();
        let orders = [["B", "D", "a", "c", "e", "f"], ["f", "e", "D", "c", "B", "a"], ["c", "a", "B", "f", "D", "e"]];
        for order in orders {
            let mut target: Vec<RowHash> = order.map(|key| row(key, 1)).to_vec();
            assert!(Difference::between(&source, &target).is_empty(), "{order:?}");
            target.retain(|one| one.key != row("c", 0).key);
            target.push(row("C", 1));
            target[0].hash = 2;
            let found = Difference::between(&source, &target);
            assert_eq!((&found.missing, &found.extra), (&vec![row("c", 0).key], &vec![row("C", 0).key]));
            assert_eq!(found.changed, vec![target[0].key.clone()]);
        }
    }

    #[test]
    fn rows_without_keys_are_matched_one_by_one_t16() {
        let found = Counts::without_keys(
            &[row("", 1), row("", 1), row("", 2)],
            &[row("", 1), row("", 3), row("", 4), row("", 4)],
        );
        assert_eq!(found, Counts { missing: 0, changed: 2, extra: 1 });
        assert_eq!(
            Counts::without_keys(&[row("", 5), row("", 5)], &[row("", 5)]),
            Counts { missing: 1, ..Counts::default() }
        );
    }
}
