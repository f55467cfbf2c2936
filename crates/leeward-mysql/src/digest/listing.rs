//! Lists of row hashes in the order of the key, read part by part. Each part says how far it reaches, so that whoever lists
//! need not know beforehand where a range ends, and what the digest of everything listed is, so that a list need not be
//! digested as well.

use leeward_core::digest::{Digest, RowHash};
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::port::Range;
use leeward_core::row::KeyCells;
use mysql_async::Row;

use super::{bytes, text};
use crate::sql;

/// Rows of one part: about half a MiB in memory, and enough that the other side's list of the same rows is worth its query.
const PART_ROWS: usize = 5_000;

/// Returns the query for the keys of a range, each with its row hash, in the order of the key's index, and with the key's
/// border form where it is another than the wire form.
pub fn list_query(range: &Range<'_>, rows_max: u64) -> Vec<u8> {
    let table = &range.table.table;
    let key = table.row_key().unwrap_or_default();
    let mut list: Vec<String> = key.iter().map(|column| sql::wire(column)).collect();
    list.push(sql::row_hash(table));
    if sql::has_border_form(&key) {
        list.push(sql::border_list(&key));
    }
    let index = sql::ident(table.row_key_name().unwrap_or("PRIMARY"));
    let from = sql::table(&table.name);
    let mut query = format!("SELECT {} FROM {from} FORCE INDEX ({index}) WHERE ", list.join(",")).into_bytes();
    sql::push_range(&mut query, &key, &range.keys);
    // By the columns themselves, which order like their border forms and need no sort.
    let order = key.iter().map(|column| sql::ident(&column.name)).collect::<Vec<_>>().join(",");
    query.extend_from_slice(format!(" ORDER BY {order} LIMIT {rows_max}").as_bytes());
    query
}

/// Some rows of a list.
pub struct Part {
    /// The rows.
    pub rows: Vec<RowHash>,
    /// The last one's key in border form; nothing where the range has ended.
    pub upto: Option<KeyCells>,
    /// The digest of the whole list up to here.
    pub digest: Digest,
}

/// A list that is being read.
pub struct Listing<'a> {
    range: &'a Range<'a>,
    rows_max: u64,
    key_width: usize,
    rows: Vec<RowHash>,
    /// The last row's key in border form.
    last: Option<KeyCells>,
    sums: Sums,
}

impl<'a> Listing<'a> {
    /// Begins one.
    pub fn new(range: &'a Range<'a>, rows_max: u64) -> Self {
        let key_width = range.table.table.row_key().map_or(0, |key| key.len());
        Listing { range, rows_max, key_width, rows: Vec::new(), last: None, sums: Sums::default() }
    }

    /// Takes in one row. Returns a part when it is full.
    ///
    /// # Errors
    /// A row without a hash: its value is beyond `max_allowed_packet` (T24).
    pub fn add(&mut self, row: &Row) -> Result<Option<Part>, Fault> {
        let name = self.range.table.name();
        let unhashed = || Fault::new(FaultKind::PacketTooLarge, format!("hash rows of {name}")).of(name);
        let cells = |from: usize, upto: usize| {
            KeyCells((from..upto).map(|at| bytes(row, at).unwrap_or_default().to_vec()).collect())
        };
        let hex = text(row, self.key_width).filter(|hex| hex.len() == 32).ok_or_else(unhashed)?;
        let hash = u128::from_str_radix(hex, 16).map_err(|_| unhashed())?;
        self.sums.add(hex.as_bytes());
        self.rows.push(RowHash { key: cells(0, self.key_width), hash });
        let is_last = self.sums.rows == self.rows_max;
        if self.rows.len() < PART_ROWS && !is_last {
            return Ok(None);
        }
        let border = if row.len() > self.key_width + 1 { self.key_width + 1..row.len() } else { 0..self.key_width };
        self.last = Some(cells(border.start, border.end));
        // The last part is told at the end.
        Ok((!is_last).then(|| self.part()))
    }

    /// Ends it: the range has ended unless there may have been more rows than were asked for.
    pub fn end(mut self) -> Part {
        if self.sums.rows < self.rows_max {
            self.last = None;
        }
        self.part()
    }

    fn part(&mut self) -> Part {
        Part { rows: std::mem::take(&mut self.rows), upto: self.last.clone(), digest: self.sums.digest() }
    }
}

/// What [`super::query`] computes on the server, over hashes that have been listed.
#[derive(Default)]
struct Sums {
    rows: u64,
    sum: u128,
    xor: u64,
}

impl Sums {
    /// Takes in 32 hex digits.
    fn add(&mut self, hex: &[u8]) {
        let pair = |from: usize| {
            let half = |from: usize| u64::from(crc32fast::hash(&hex[from..from + 8]));
            half(from) << 32 | half(from + 8)
        };
        self.rows += 1;
        self.sum += u128::from(pair(0));
        self.xor ^= pair(16);
    }

    fn digest(&self) -> Digest {
        Digest { rows: self.rows, sum: self.sum.to_string(), xor: self.xor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_row_sums_up_to_what_a_server_says_of_none() {
        assert_eq!(Sums::default().digest(), Digest { rows: 0, sum: "0".into(), xor: 0 });
    }

    /// `SELECT CRC32('00000000')*4294967296+CRC32('11111111')` and so on, as both servers answer.
    #[test]
    fn a_hash_counts_by_the_checksums_of_its_quarters() {
        let mut sums = Sums::default();
        sums.add(b"00000000111111112222222233333333");
        sums.add(b"00000000111111112222222233333333");
        let crc = |digits: &[u8]| u64::from(crc32fast::hash(digits));
        assert_eq!(crc(b"123456789"[..8].as_ref()), 0x9ae0_daaf);
        let sum = u128::from(crc(b"00000000") << 32 | crc(b"11111111")) * 2;
        assert_eq!(sums.digest(), Digest { rows: 2, sum: sum.to_string(), xor: 0 });
    }
}
