//! Rows of the model. Each table has the same four columns; what differs is how the plan keeps it. A row's payload is the
//! number of its version, so that a row on the target names the write that made it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{NaiveDate, NaiveDateTime, TimeDelta};
use leeward_core::digest::{Digest, KeyDigest, RowHash};
use leeward_core::port::Buckets;
use leeward_core::row::{KeyCells, KeyRange, RowBatch};

/// Microseconds since the model's midnight.
pub(crate) type Micros = i64;

/// One second.
pub(crate) const SECOND: Micros = 1_000_000;

/// One row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    /// The primary key.
    pub id: u32,
    /// A value under a unique index, or NULL.
    pub unique: Option<u8>,
    /// The version that wrote it: an index into the database's versions.
    pub version: u32,
    /// `updated_at`, already cut down to the column's precision.
    pub at: Micros,
}

/// Cells of a row on the wire: id, unique, payload, updated_at.
pub(crate) const WIDTH: usize = 4;

/// Returns a time of the model as the ports speak of it.
pub(crate) fn time(at: Micros) -> NaiveDateTime {
    const DAY: NaiveDate = NaiveDate::from_ymd_opt(2026, 1, 1).expect("a day");
    DAY.and_time(chrono::NaiveTime::MIN) + TimeDelta::microseconds(at)
}

/// Returns a port's time as the model counts it.
pub(crate) fn micros(time: NaiveDateTime) -> Micros {
    (time - self::time(0)).num_microseconds().unwrap_or(Micros::MAX)
}

/// Appends a row as a server would send it.
pub(crate) fn push(batch: &mut RowBatch, row: &Row) {
    let mut buffer = [0u8; 26];
    batch.push_cell(Some(digits(&mut buffer, row.id)));
    match row.unique {
        Some(unique) => batch.push_cell(Some(digits(&mut buffer, u32::from(unique)))),
        None => batch.push_cell(None),
    }
    batch.push_cell(Some(digits(&mut buffer, row.version)));
    batch.push_cell(Some(stamp(&mut buffer, row.at)));
}

/// Reads a row back, as the target would store it.
pub(crate) fn read(batch: &RowBatch, row: usize) -> Row {
    let number = |cell: &[u8]| cell.iter().fold(0u32, |number, digit| number * 10 + u32::from(digit - b'0'));
    let cell = |at| batch.cell(row, at).unwrap_or_default();
    Row {
        id: number(cell(0)),
        unique: batch.cell(row, 1).map(|cell| number(cell) as u8),
        version: number(cell(2)),
        at: read_stamp(cell(3)),
    }
}

fn digits(buffer: &mut [u8; 26], mut number: u32) -> &[u8] {
    let mut from = buffer.len();
    loop {
        from -= 1;
        buffer[from] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &buffer[from..];
        }
    }
}

/// Prints a time with microseconds; a column of whole seconds prints zeros, which reads the same.
fn stamp(buffer: &mut [u8; 26], at: Micros) -> &[u8] {
    buffer.copy_from_slice(b"2026-01-01 00:00:00.000000");
    let (mut seconds, mut fraction) = (at / SECOND, at % SECOND);
    for (tens, unit) in [(17, 60), (14, 60), (11, 24)] {
        let part = (seconds % unit) as u8;
        seconds /= unit;
        buffer[tens] = b'0' + part / 10;
        buffer[tens + 1] = b'0' + part % 10;
    }
    for place in (20..26).rev() {
        buffer[place] = b'0' + (fraction % 10) as u8;
        fraction /= 10;
    }
    buffer
}

fn read_stamp(cell: &[u8]) -> Micros {
    let digit = |at: usize| Micros::from(cell.get(at).copied().unwrap_or(b'0') - b'0');
    let two = |at: usize| digit(at) * 10 + digit(at + 1);
    let fraction = (20..26).fold(0, |number, at| number * 10 + digit(at));
    ((two(11) * 60 + two(14)) * 60 + two(17)) * SECOND + fraction
}

/// Returns the stamp that stands in a cell.
pub(crate) fn stamp_of(cell: &[u8]) -> Micros {
    read_stamp(cell)
}

/// Returns a row's key as the ports speak of it.
pub(crate) fn key(id: u32) -> KeyCells {
    KeyCells(vec![digits(&mut [0u8; 26], id).to_vec()])
}

/// Returns the key that a port spoke of.
pub(crate) fn id(key: &KeyCells) -> u32 {
    key.0[0].iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))
}

/// Returns the rows of a key range; rows are in key order.
pub(crate) fn in_range<'a>(rows: &'a [Row], keys: &KeyRange) -> &'a [Row] {
    let from = keys.after.as_ref().map_or(0, |after| rows.partition_point(|row| row.id <= id(after)));
    let upto = keys.upto.as_ref().map_or(rows.len(), |upto| rows.partition_point(|row| row.id <= id(upto)));
    &rows[from.min(upto)..upto]
}

/// Digests rows. The form of the digest is not what is simulated; that equal rows digest equal and others do not is.
pub(crate) fn digest(rows: &[Row]) -> Digest {
    let (mut sum, mut xor) = (0u64, 0u64);
    for row in rows {
        let hash = hash(row);
        sum = sum.wrapping_add(hash as u64);
        xor ^= (hash >> 64) as u64;
    }
    Digest { rows: rows.len() as u64, sum: sum.to_string(), xor }
}

/// Digests the keys of rows.
pub(crate) fn key_digest<'a>(rows: impl IntoIterator<Item = &'a Row>) -> KeyDigest {
    let (mut count, mut sum) = (0, 0);
    for row in rows {
        count += 1;
        sum += u64::from(crc(row.id));
    }
    KeyDigest { rows: count, sum: sum.to_string() }
}

/// Digests the keys of rows in buckets.
pub(crate) fn key_buckets(rows: &[Row], of: u64) -> BTreeMap<u64, KeyDigest> {
    let bucket = |row: &Row| u64::from(crc(row.id)) % of;
    let buckets: BTreeSet<u64> = rows.iter().map(bucket).collect();
    let digest = |of: u64| (of, key_digest(rows.iter().filter(|row| bucket(row) == of)));
    buckets.into_iter().map(digest).collect()
}

/// Lists the keys of rows that fall into some buckets.
pub(crate) fn keys(rows: &[Row], buckets: &Buckets) -> Vec<KeyCells> {
    let wanted = |row: &&Row| buckets.wanted.contains(&(u64::from(crc(row.id)) % buckets.of));
    rows.iter().filter(wanted).map(|row| key(row.id)).collect()
}

/// Stands in for CRC32.
fn crc(id: u32) -> u32 {
    id.wrapping_mul(0x9E37_79B1)
}

/// Hashes each row.
pub(crate) fn row_hashes(rows: &[Row]) -> Vec<RowHash> {
    rows.iter().map(|row| RowHash { key: key(row.id), hash: hash(row) }).collect()
}

fn hash(row: &Row) -> u128 {
    let mix = |from: u64| {
        let mixed = (from ^ (from >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        (mixed ^ (mixed >> 29)).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    };
    let name = u64::from(row.id) << 32 | u64::from(row.version);
    let rest = (row.at as u64) << 9 | row.unique.map_or(0, |unique| u64::from(unique) + 1);
    let (a, b) = (mix(name), mix(rest.wrapping_add(mix(name))));
    u128::from(mix(a ^ b.rotate_left(17))) << 64 | u128::from(mix(b.wrapping_add(a)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_survives_the_wire() {
        let rows = [
            Row { id: 0, unique: None, version: 17, at: 3_599 * SECOND + 7 },
            Row { id: 4_294_967_295, unique: Some(9), version: 0, at: 86_399 * SECOND + 999_999 },
        ];
        let mut batch = RowBatch::new(WIDTH);
        rows.iter().for_each(|row| push(&mut batch, row));
        assert_eq!([read(&batch, 0), read(&batch, 1)], rows);
        assert_eq!(id(&key(4_294_967_295)), 4_294_967_295);
        assert_eq!(batch.cell(0, 3), Some(&b"2026-01-01 00:59:59.000007"[..]));
        assert_eq!(micros(time(rows[1].at)), rows[1].at);
    }

    #[test]
    fn rows_that_differ_in_one_cell_digest_differently() {
        let row = Row { id: 1, unique: None, version: 1, at: 5 };
        let others =
            [Row { id: 2, ..row }, Row { unique: Some(0), ..row }, Row { version: 2, ..row }, Row { at: 6, ..row }];
        for other in others {
            assert_ne!(digest(&[row]), digest(&[other]));
        }
    }
}
