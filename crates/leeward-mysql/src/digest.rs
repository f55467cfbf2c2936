//! The digest's SQL: COUNT, SUM and XOR over parts of a SHA-256 per row, and lists of row hashes.

mod listing;

use leeward_core::digest::{Digest, KeyDigest, RowHash};
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::port::{Buckets, Range};
use leeward_core::row::{KeyCells, KeyRange};
use mysql_async::Row;

use crate::sql;
pub use listing::{Listing, Part, list_query};

/// Keeps the derived table from being merged into the outer query, where the hash would be computed once for each use.
/// Neither server has a limit this high; both materialize at a LIMIT, while only MySQL knows a hint for it.
const NO_MERGE: &str = "LIMIT 18446744073709551615";

/// Returns the query whose one row is a range's digest: rows, rows with a hash, sum, xor. Eight hex digits of the hash become
/// a number by their CRC32: CONV, which would read them, takes a third of the whole query's time.
pub fn query(range: &Range<'_>) -> Vec<u8> {
    let table = &range.table.table;
    let pair = |from: usize| format!("CRC32(SUBSTR(h,{from},8))*4294967296+CRC32(SUBSTR(h,{},8))", from + 8);
    let (sum, xor, hash) = (pair(1), pair(17), sql::row_hash(table));
    let mut sql =
        format!("SELECT COUNT(*),COUNT(h),CAST(COALESCE(SUM({sum}),0) AS CHAR),BIT_XOR({xor}) FROM (SELECT {hash}")
            .into_bytes();
    sql.extend_from_slice(b" h");
    push_from(&mut sql, range);
    sql.extend_from_slice(format!(" {NO_MERGE}) d").as_bytes());
    sql
}

/// Returns the query for a range's keys, each with the first 128 bits of its row hash in hex.
pub fn row_hash_query(range: &Range<'_>) -> Vec<u8> {
    let table = &range.table.table;
    let mut sql = b"SELECT ".to_vec();
    for column in table.row_key().unwrap_or_default() {
        sql.extend_from_slice(sql::wire(column).as_bytes());
        sql.push(b',');
    }
    sql.extend_from_slice(sql::row_hash(table).as_bytes());
    push_from(&mut sql, range);
    sql
}

/// Returns the query for the digest of a range's keys. Over a whole table no index is named: the server takes the
/// narrowest that holds the key, which in InnoDB every secondary index does.
pub fn key_query(range: &Range<'_>) -> Vec<u8> {
    let crc = sql::key_crc(&range.table.table.row_key().unwrap_or_default());
    let mut sql = format!("SELECT COUNT(*),CAST(COALESCE(SUM({crc}),0) AS CHAR)").into_bytes();
    push_from(&mut sql, range);
    sql
}

/// Returns the query for the digests of a range's keys in buckets: bucket, rows, sum.
pub fn key_buckets_query(range: &Range<'_>, of: u64) -> Vec<u8> {
    let crc = sql::key_crc(&range.table.table.row_key().unwrap_or_default());
    let mut sql = format!("SELECT {crc}%{of} bucket,COUNT(*),CAST(SUM({crc}) AS CHAR)").into_bytes();
    push_from(&mut sql, range);
    sql.extend_from_slice(b" GROUP BY bucket");
    sql
}

/// Returns the query for the keys of a range that fall into some buckets.
pub fn keys_query(range: &Range<'_>, buckets: &Buckets) -> Vec<u8> {
    let key = range.table.table.row_key().unwrap_or_default();
    let list: Vec<String> = key.iter().map(|column| sql::wire(column)).collect();
    let wanted: Vec<String> = buckets.wanted.iter().map(u64::to_string).collect();
    let mut sql = format!("SELECT {}", list.join(",")).into_bytes();
    push_from(&mut sql, range);
    let also = if range.keys == KeyRange::default() { "WHERE" } else { "AND" };
    // An empty list is no SQL; no bucket has this number.
    let wanted = if wanted.is_empty() { "-1".to_owned() } else { wanted.join(",") };
    sql.extend_from_slice(format!(" {also} {}%{} IN ({wanted})", sql::key_crc(&key), buckets.of).as_bytes());
    sql
}

/// Reads two cells of an answer, from `at` on, as the digest of keys.
pub fn read_keys(row: &Row, at: usize, range: &Range<'_>) -> Result<KeyDigest, Fault> {
    let digest = text(row, at).and_then(|rows| rows.parse().ok()).zip(text(row, at + 1));
    let unreadable = || Fault::new(FaultKind::Unexpected, "count keys").of(range.table.name());
    digest.map(|(rows, sum)| KeyDigest { rows, sum: sum.to_owned() }).ok_or_else(unreadable)
}

/// Appends `FROM table WHERE range`. The key's index is forced where a border is given, so that the range optimizer
/// cannot fall back to a scan of the whole table (T11).
pub fn push_from(sql: &mut Vec<u8>, range: &Range<'_>) {
    let table = &range.table.table;
    sql.extend_from_slice(format!(" FROM {}", sql::table(&table.name)).as_bytes());
    let bounded = range.keys.after.is_some() || range.keys.upto.is_some();
    if let (true, Some(key), Some(name)) = (bounded, table.row_key(), table.row_key_name()) {
        sql.extend_from_slice(format!(" FORCE INDEX ({}) WHERE ", sql::ident(name)).as_bytes());
        sql::push_range(sql, &key, &range.keys);
    }
}

/// Reads the answer of [`query`]. A row without a hash cannot be compared, and that is an error, never equality.
pub fn read(row: &Row, range: &Range<'_>) -> Result<Digest, Fault> {
    let unreadable =
        || Fault::new(FaultKind::Unexpected, format!("digest {}", range.table.name())).of(range.table.name());
    let number = |at: usize| text(row, at).and_then(|text| text.parse::<u64>().ok());
    let (rows, hashed) = (number(0).ok_or_else(unreadable)?, number(1).ok_or_else(unreadable)?);
    if rows != hashed {
        // SHA2 or CONCAT answered NULL: a value beyond max_allowed_packet (T24).
        return Err(
            Fault::new(FaultKind::PacketTooLarge, format!("digest {}", range.table.name())).of(range.table.name())
        );
    }
    Ok(Digest { rows, sum: text(row, 2).ok_or_else(unreadable)?.to_owned(), xor: number(3).ok_or_else(unreadable)? })
}

/// Reads one row of the answer of [`row_hash_query`].
pub fn read_row_hash(row: &Row, range: &Range<'_>) -> Result<RowHash, Fault> {
    let unhashed =
        || Fault::new(FaultKind::PacketTooLarge, format!("hash rows of {}", range.table.name())).of(range.table.name());
    let last = row.len().checked_sub(1).ok_or_else(unhashed)?;
    let hash = text(row, last).and_then(|hex| u128::from_str_radix(hex, 16).ok()).ok_or_else(unhashed)?;
    let cells = (0..last).map(|at| bytes(row, at).unwrap_or_default().to_vec()).collect();
    Ok(RowHash { key: KeyCells(cells), hash })
}

/// Returns a cell of a text-protocol row, nothing for NULL.
pub fn bytes(row: &Row, at: usize) -> Option<&[u8]> {
    match row.as_ref(at) {
        Some(mysql_async::Value::Bytes(bytes)) => Some(bytes),
        _ => None,
    }
}

/// Returns a cell as UTF-8 text, nothing for NULL or other bytes.
pub fn text(row: &Row, at: usize) -> Option<&str> {
    bytes(row, at).and_then(|bytes| std::str::from_utf8(bytes).ok())
}
