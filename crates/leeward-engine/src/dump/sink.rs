//! Chunks on their way into a store: the copy's loader, whose target is an object for each chunk.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures_util::future::join_all;
use leeward_core::dump::{DumpId, DumpedChunk, Kept, names};
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::name::TableName;
use leeward_core::port::store::{Condition, ObjectName, Stored, Upload};
use leeward_core::port::{ChunkLoader, ChunkOf, Feed, Lease, LoadMode, RowFeed};
use leeward_core::row::{KeyCells, RowBatch};

use super::archive::Archive;
use super::codec::{PIECE_BYTES, Packed, Packer};

const DOING: &str = "write a chunk into a store";

/// Small chunks that are written at once: a store answers each after some tens of milliseconds, most of it waiting.
const AT_ONCE: usize = 8;

/// Whether chunks are noted as they come, so that a dump that is killed can go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notes {
    Taken,
    /// The moment dies with the process.
    None,
}

/// One dump's chunks in its store.
pub(super) struct Sink {
    archive: Archive,
    id: DumpId,
    notes: Notes,
    numbers: BTreeMap<TableName, usize>,
    /// What no other process that works on the dump has.
    process: String,
    attempts: AtomicU64,
    /// By table and number: a chunk that was tried again is the object of its last attempt.
    written: Mutex<BTreeMap<(TableName, u32), DumpedChunk>>,
}

impl Sink {
    pub(super) fn new(
        (archive, id): (&Archive, &DumpId),
        notes: Notes,
        numbers: BTreeMap<TableName, usize>,
        process: String,
    ) -> Arc<Sink> {
        let (archive, id) = (archive.clone(), id.clone());
        Arc::new(Sink { archive, id, notes, numbers, process, attempts: AtomicU64::new(0), written: Mutex::default() })
    }

    /// Returns the chunks that this process has written.
    pub(super) fn written(&self) -> Vec<(TableName, DumpedChunk)> {
        let written = std::mem::take(&mut *self.written.lock().expect("no panic while held"));
        written.into_iter().map(|((table, _), chunk)| (table, chunk)).collect()
    }

    async fn store(&self, of: ChunkOf<'_>, rows: &mut dyn Feed) -> Result<(u64, u64), Fault> {
        let table = of.table.name();
        let attempt = format!("{}{:04x}", self.process, self.attempts.fetch_add(1, Ordering::Relaxed));
        let number = self.numbers.get(table).copied();
        let number = number.ok_or_else(|| Fault::new(FaultKind::Unexpected, DOING).of(table))?;
        let name = names::chunk(&self.id, (number, table), of.chunk.seq, &attempt)?;
        let packed = self.pack(&name, rows).await?;
        let (loaded, chunk) = ((packed.rows, packed.bytes), dumped(&of, &name, packed));
        if self.notes == Notes::Taken {
            let kept = Kept { table: table.clone(), chunk: chunk.clone() };
            self.archive.keep(&names::kept_chunk(&self.id, number, chunk.seq, &attempt)?, &kept).await?;
        }
        self.written.lock().expect("no panic while held").insert((table.clone(), chunk.seq), chunk);
        Ok(loaded)
    }

    async fn pack(&self, name: &ObjectName, rows: &mut dyn Feed) -> Result<Packed, Fault> {
        let mut upload = self.archive.store().begin(name).await?;
        let packed = match fill(upload.as_mut(), rows).await {
            Ok(packed) => packed,
            Err(fault) => {
                // Best effort: an upload that is not finished is never seen.
                let _ = upload.abort().await;
                return Err(fault);
            }
        };
        match upload.finish(&Condition::IfAbsent).await? {
            Stored::Written(_) => Ok(packed),
            Stored::ConditionNotMet => Err(Fault::new(FaultKind::Conflict, DOING)),
        }
    }
}

async fn fill(upload: &mut dyn Upload, rows: &mut dyn Feed) -> Result<Packed, Fault> {
    let no_memory = |error: std::io::Error| Fault::new(FaultKind::Unexpected, DOING).because(error);
    let mut packer = Packer::new().map_err(no_memory)?;
    while let Some(batch) = rows.next().await? {
        let text = packer.print(&batch);
        // A wide row is in memory as its text from here on, and not twice.
        drop(batch);
        for piece in text.chunks(PIECE_BYTES) {
            if let Some(ready) = packer.add(piece).map_err(no_memory)? {
                upload.write(ready).await?;
            }
        }
    }
    let (last, packed) = packer.end().map_err(no_memory)?;
    upload.write(last).await?;
    Ok(packed)
}

fn dumped(of: &ChunkOf<'_>, name: &ObjectName, packed: Packed) -> DumpedChunk {
    let border = |key: &Option<KeyCells>| key.as_ref().map(KeyCells::to_hex);
    let Packed { sha256, stored_bytes, rows, bytes } = packed;
    DumpedChunk {
        seq: of.chunk.seq,
        object: name.as_str().to_owned(),
        sha256,
        stored_bytes,
        rows,
        bytes,
        after: border(&of.chunk.keys.after),
        upto: border(&of.chunk.keys.upto),
    }
}

/// Writes chunks into a store.
pub(super) struct StoreLoader(pub(super) Arc<Sink>);

/// Rows that were read before.
struct Read(Option<RowBatch>);

#[async_trait]
impl Feed for Read {
    async fn next(&mut self) -> Result<Option<RowBatch>, Fault> {
        Ok(self.0.take())
    }
}

#[async_trait]
impl ChunkLoader for StoreLoader {
    async fn load(
        &mut self,
        _lease: &Lease,
        chunk: ChunkOf<'_>,
        _mode: LoadMode,
        mut rows: RowFeed,
    ) -> Result<(u64, u64), Fault> {
        self.0.store(chunk, rows.as_mut()).await
    }

    async fn load_together(
        &mut self,
        _lease: &Lease,
        chunks: &[ChunkOf<'_>],
        rows: Vec<RowBatch>,
    ) -> Result<(), Fault> {
        let mut rows = rows.into_iter();
        for some in chunks.chunks(AT_ONCE) {
            let stored = some.iter().zip(rows.by_ref()).map(|(chunk, batch)| async {
                let mut read = Read(Some(batch));
                self.0.store(*chunk, &mut read).await
            });
            join_all(stored).await.into_iter().collect::<Result<Vec<_>, Fault>>()?;
        }
        Ok(())
    }
}
