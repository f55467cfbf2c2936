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
use mysql_async::Row;

use super::{counting, read_list};
use crate::cut::{self, KEYS_PER_FETCH, hand_on, hand_on_some, rows_query};
use crate::digest::text;
use crate::session::Session;
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
    let (table, wide_from) = (&range.table.table, take.wide_from());
    let (width, key) = (table.wire_columns().len(), table.key_positions());
    let query = counting(read_list(range, &sql::guarded_list(table, wide_from)));
    let mut wide = Wide::default();
    let is_narrow = |row: &Row| {
        let bytes = text(row, width).and_then(|bytes| bytes.parse::<u64>().ok());
        let bytes = bytes.ok_or_else(|| Fault::new(FaultKind::Unexpected, "read a chunk"))?;
        if bytes > wide_from {
            let mut one = RowBatch::new(width);
            cut::push_cells(&mut one, row, width);
            wide.keys.push(one.key(0, &key));
            wide.widest = wide.widest.max(bytes);
        }
        Ok(bytes <= wide_from)
    };
    hand_on_some(session, &query, range.table, take, is_narrow).await?;
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
