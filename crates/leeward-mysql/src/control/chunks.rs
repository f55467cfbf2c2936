//! Chunks of the seed as rows of the control schema.

use leeward_core::fault::{Fault, FaultKind};
use leeward_core::name::{Side, TableName};
use leeward_core::port::ChunkRecord;
use leeward_core::row::{KeyCells, KeyRange};
use mysql_async::Row;

use super::number;
use crate::digest::text;
use crate::session::Session;
use crate::sql::literal;

/// The columns that [`read`] reads, of the table `chunk` by the name of `c`.
pub(super) const COLUMNS: &str =
    "c.schema_name,c.table_name,c.seq,c.after_key,c.upto_key,c.is_last,c.done,c.row_count,c.byte_count";

/// Returns what writes chunks down. Writing one down again changes nothing.
pub(super) fn add_query(lane: &str, chunks: &[ChunkRecord]) -> String {
    let rows: Vec<String> = chunks.iter().map(|chunk| row(lane, chunk)).collect();
    format!(
        "INSERT INTO leeward.chunk (lane,schema_name,table_name,seq,after_key,upto_key,is_last) VALUES {} \
         ON DUPLICATE KEY UPDATE is_last=VALUES(is_last)",
        rows.join(",")
    )
}

/// Marks chunks done, with the rows and bytes of each, in the connection's open transaction. `LeaseLost` when another
/// process has done so with one of them.
pub async fn mark_chunks_done(
    session: &mut Session,
    lane: &str,
    chunks: &[(&ChunkRecord, (u64, u64))],
) -> Result<(), Fault> {
    const DOING: &str = "mark chunks done";
    let mark = |(chunk, (rows, bytes)): &(&ChunkRecord, (u64, u64))| {
        format!(
            "UPDATE leeward.chunk SET done=1,row_count={rows},byte_count={bytes} WHERE {} AND done=0;SELECT ROW_COUNT()",
            is_chunk(lane, chunk)
        )
    };
    let query: Vec<String> = chunks.iter().map(mark).collect();
    let counts = session.sets(DOING, query.join(";")).await?;
    let is_marked = |at: usize| counts.get(at).and_then(|rows| rows.first()).is_some_and(|row| number(row, 0) == 1);
    match (0..chunks.len()).find(|&at| !is_marked(at)) {
        None => Ok(()),
        Some(at) => Err(Fault::new(FaultKind::LeaseLost, DOING).on(Side::Target).of(&chunks[at].0.table)),
    }
}

/// Returns the condition that picks the rows of a table.
pub(super) fn is_table(lane: &str, table: &TableName) -> String {
    format!(
        "lane={} AND schema_name={} AND table_name={}",
        literal(lane),
        literal(&table.schema),
        literal(&table.table)
    )
}

/// Returns the condition that picks the row of a chunk.
pub(super) fn is_chunk(lane: &str, chunk: &ChunkRecord) -> String {
    format!("{} AND seq={}", is_table(lane, &chunk.table), chunk.seq)
}

fn row(lane: &str, chunk: &ChunkRecord) -> String {
    let border =
        |key: &Option<KeyCells>| key.as_ref().map_or("NULL".to_owned(), |key| format!("'{}'", key.to_hex().join(",")));
    format!(
        "({},{},{},{},{},{},{})",
        literal(lane),
        literal(&chunk.table.schema),
        literal(&chunk.table.table),
        chunk.seq,
        border(&chunk.keys.after),
        border(&chunk.keys.upto),
        u8::from(chunk.last)
    )
}

/// Reads a row of [`COLUMNS`].
pub(super) fn read(row: &Row, doing: &str) -> Result<ChunkRecord, Fault> {
    let border = |hex: Option<&str>| hex.and_then(|hex| KeyCells::from_hex(hex.split(',')));
    let read = || {
        Some(ChunkRecord {
            table: TableName::new(text(row, 0)?, text(row, 1)?),
            seq: u32::try_from(number(row, 2)).ok()?,
            keys: KeyRange { after: border(text(row, 3)), upto: border(text(row, 4)) },
            last: text(row, 5) == Some("1"),
            done: text(row, 6) == Some("1"),
            rows: number(row, 7),
            bytes: number(row, 8),
        })
    };
    read().ok_or_else(|| Fault::new(FaultKind::Unexpected, doing).on(Side::Target))
}
