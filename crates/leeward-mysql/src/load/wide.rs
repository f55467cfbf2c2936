//! Wide rows of a chunk, read apart: how wide a row is shows only when it has been read, and by then every connection would
//! hold one. So the source is asked to leave their long values out and to say how long they are, and they are fetched by key
//! once there is room for them.
//!
//! A row that was changed meanwhile is fetched as it is by then, one that was deleted is left out: as if the chunk had been
//! read a moment later.

use leeward_core::fault::{Fault, FaultKind};
use leeward_core::plan::PlannedTable;
use leeward_core::port::{Range, TakeRows};
use leeward_core::row::{KeyCells, RowBatch};

use super::{counting, read_list};
use crate::cut::{self, BATCH_BYTES, KEYS_PER_FETCH, hand_on, rest, rows_query};
use crate::digest::text;
use crate::session::{RowEvent, Session};
use crate::sql;

/// Rows that were not read with the others.
#[derive(Default)]
pub(super) struct Wide {
    /// Their keys; bounded by the chunk's rows.
    pub keys: Vec<KeyCells>,
    /// Bytes of the widest one's long values.
    pub widest: u64,
}

/// Reads the other rows of a chunk and hands them on.
pub(super) async fn read_others(
    session: &mut Session,
    range: &Range<'_>,
    take: &mut dyn TakeRows,
) -> Result<Wide, Fault> {
    const DOING: &str = "read a chunk";
    let (table, wide_from) = (&range.table.table, take.wide_from());
    let (width, key) = (table.wire_columns().len(), table.key_positions());
    let query = counting(read_list(range, &sql::guarded_list(table, wide_from)));
    let mut rows = session.stream(DOING, &query).await?;
    let (mut batch, mut wide) = (RowBatch::new(width), Wide::default());
    loop {
        let row = match rows.next().await? {
            RowEvent::Row(row) => row,
            RowEvent::EndOfSet => break,
            RowEvent::EndOfAll => return Err(Fault::new(FaultKind::Unexpected, DOING)),
        };
        let bytes = text(&row, width).and_then(|bytes| bytes.parse::<u64>().ok());
        let bytes = bytes.ok_or_else(|| Fault::new(FaultKind::Unexpected, DOING))?;
        if bytes > wide_from {
            let mut one = RowBatch::new(width);
            cut::push_cells(&mut one, &row, width);
            wide.keys.push(one.key(0, &key));
            wide.widest = wide.widest.max(bytes);
            continue;
        }
        cut::push_cells(&mut batch, &row, width);
        drop(row);
        if batch.bytes() >= BATCH_BYTES {
            take.take(std::mem::replace(&mut batch, RowBatch::new(width))).await?;
        }
    }
    if !batch.is_empty() {
        take.take(batch).await?;
    }
    let counted = rest(&mut rows).await?;
    drop(rows);
    session.count(&counted);
    Ok(wide)
}

/// Fetches wide rows once there is room, and hands them on one by one.
pub(super) async fn read(
    session: &mut Session,
    table: &PlannedTable,
    wide: &Wide,
    take: &mut dyn TakeRows,
) -> Result<(), Fault> {
    take.room(wide.widest).await?;
    for some in wide.keys.chunks(KEYS_PER_FETCH) {
        hand_on(session, &rows_query(table, some), table, take).await?;
    }
    Ok(())
}
