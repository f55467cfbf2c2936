//! Several small chunks at once: read in one round trip, loaded in one transaction. What a round trip and a commit cost
//! does not depend on how little they bring.

use async_trait::async_trait;
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::port::{ChunkOf, Feed, Lease, Most, Range};
use leeward_core::row::RowBatch;

use super::{MySqlLoader, bulk, careful, counting, read_query};
use crate::apply;
use crate::control;
use crate::cut;
use crate::session::{RowEvent, Session};

/// Rows that were read before.
struct Held(Option<RowBatch>);

#[async_trait]
impl Feed for Held {
    async fn next(&mut self) -> Result<Option<RowBatch>, Fault> {
        Ok(self.0.take())
    }
}

/// Reads ranges; nothing when they hold more than `most`.
pub(super) async fn read(
    session: &mut Session,
    ranges: &[Range<'_>],
    most: Most,
) -> Result<Option<Vec<RowBatch>>, Fault> {
    const DOING: &str = "read small chunks";
    let query = counting(ranges.iter().map(read_query).collect::<Vec<_>>().join(&b";"[..]));
    let mut answer = session.stream(DOING, &query).await?;
    let mut read = Vec::with_capacity(ranges.len());
    let (mut rows, mut bytes) = (0, 0);
    for range in ranges {
        let table = &range.table.table;
        let mut batch = RowBatch::new(table.wire_columns().len());
        loop {
            let row = match answer.next().await.map_err(|fault| fault.of(&table.name))? {
                RowEvent::Row(row) => row,
                RowEvent::EndOfSet => break,
                RowEvent::EndOfAll => return Err(Fault::new(FaultKind::Unexpected, DOING)),
            };
            let before = batch.bytes();
            cut::push_row(&mut batch, &row);
            (rows, bytes) = (rows + 1, bytes + (batch.bytes() - before) as u64);
            if rows > most.rows || bytes > most.bytes {
                // Dropped half-read, the session is given up.
                return Ok(None);
            }
        }
        read.push(batch);
    }
    let counted = cut::rest(&mut answer).await?;
    drop(answer);
    session.count(&counted);
    Ok(Some(read))
}

/// Loads chunks in one transaction.
pub(super) async fn load(
    loader: &mut MySqlLoader,
    lease: &Lease,
    chunks: &[ChunkOf<'_>],
    rows: Vec<RowBatch>,
) -> Result<(), Fault> {
    let tables: Vec<_> = chunks.iter().map(|chunk| chunk.table.name()).collect();
    tables.iter().try_for_each(|table| loader.sight.reaches(table))?;
    apply::begin_on(&mut loader.session, lease, &tables).await?;
    if let Err(fault) = write(loader, lease, chunks, rows).await {
        // Best effort: a connection that cannot roll back is broken, and the server does it by itself.
        let _ = loader.session.run("roll back small chunks", "ROLLBACK").await;
        return Err(fault);
    }
    apply::prove(&mut loader.session, lease).await?;
    loader.session.commit("commit small chunks").await
}

async fn write(
    loader: &mut MySqlLoader,
    lease: &Lease,
    chunks: &[ChunkOf<'_>],
    rows: Vec<RowBatch>,
) -> Result<(), Fault> {
    let mut done = Vec::with_capacity(chunks.len());
    for (of, batch) in chunks.iter().zip(rows) {
        done.push((of.chunk, (batch.rows() as u64, batch.bytes() as u64)));
        if batch.is_empty() {
            continue;
        }
        let held = Box::new(Held(Some(batch)));
        let written = match loader.local_infile {
            true => bulk(&mut loader.session, of.table, held).await,
            false => careful(&mut loader.session, of.table, held).await,
        };
        written.map_err(|fault| fault.of(of.table.name()))?;
    }
    control::mark_chunks_done(&mut loader.session, &lease.lane, &done).await
}
