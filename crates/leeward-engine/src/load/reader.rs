//! Reads chunks out of a dump. Rows are handed on as they come, so that memory stays bounded; that the object was what its
//! manifest says is known at its end, and told before the chunk is committed.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use leeward_core::dump::{DumpedChunk, Manifest};
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::name::{Side, TableName};
use leeward_core::port::store::ObjectName;
use leeward_core::port::{Border, ChunkReader, Most, Range, Servers, TakeRows};
use leeward_core::row::{KeyCells, KeyRange, RowBatch};

use crate::dump::Archive;
use crate::dump::codec::{Packed, Unpacker, Unreadable};

/// The chunks of a dump by the key after which they begin.
pub(super) struct Chunks(BTreeMap<TableName, HashMap<Option<KeyCells>, (KeyRange, DumpedChunk)>>);

impl Chunks {
    pub(super) fn of(manifest: &Manifest) -> Chunks {
        let chunk = |chunk: &DumpedChunk| {
            let keys = chunk.keys()?;
            Some((keys.after.clone(), (keys, chunk.clone())))
        };
        let tables = manifest.tables.iter();
        Chunks(tables.map(|table| (table.name.clone(), table.chunks.iter().filter_map(chunk).collect())).collect())
    }

    fn after(&self, table: &TableName, after: &Option<KeyCells>) -> Option<&(KeyRange, DumpedChunk)> {
        self.0.get(table)?.get(after)
    }
}

/// Reads chunks of one dump.
pub(super) struct DumpReader {
    archive: Archive,
    chunks: Arc<Chunks>,
    /// Gives what the dump does not hold, if it is there.
    servers: Option<Arc<dyn Servers>>,
    source: Option<Box<dyn ChunkReader>>,
}

impl DumpReader {
    pub(super) fn new(archive: Archive, chunks: Arc<Chunks>, servers: Option<Arc<dyn Servers>>) -> DumpReader {
        DumpReader { archive, chunks, servers, source: None }
    }

    /// Returns the source's own reader; `Refused` without a source.
    async fn source(&mut self) -> Result<&mut Box<dyn ChunkReader>, Fault> {
        if self.source.is_none() {
            let Some(servers) = &self.servers else {
                let why = "the chunks that are written down on the target are not those of this dump: another dump, or a seed, \
                           was begun there. Finish it, or drop its tables first";
                return Err(Fault::new(FaultKind::Refused(why.to_owned()), "load a dump").on(Side::Target));
            };
            self.source = Some(servers.reader().await?);
        }
        self.source.as_mut().ok_or_else(|| Fault::new(FaultKind::Unexpected, "read the source"))
    }

    fn find(&self, range: &Range<'_>) -> Option<DumpedChunk> {
        let (keys, chunk) = self.chunks.after(range.table.name(), &range.keys.after)?;
        (*keys == range.keys).then(|| chunk.clone())
    }
}

/// Hands the rows of a chunk's object on.
async fn unpack(
    archive: &Archive,
    (range, chunk): (&Range<'_>, &DumpedChunk),
    take: &mut dyn TakeRows,
) -> Result<(), Fault> {
    let name = ObjectName::new(chunk.object.as_str())?;
    let spoilt = |why: Unreadable| archive.damaged(&name, &why.to_string()).of(range.table.name());
    let Some(mut object) = archive.store().read(&name).await? else {
        return Err(archive.missing(&name).of(range.table.name()));
    };
    if object.bytes() != chunk.stored_bytes {
        let why = format!("it has {} bytes, not {}", object.bytes(), chunk.stored_bytes);
        return Err(archive.damaged(&name, &why).of(range.table.name()));
    }
    let mut unpacker = Unpacker::new(range.table.table.wire_columns().len(), take.wide_from()).map_err(spoilt)?;
    while let Some(piece) = object.next().await? {
        let mut at = 0;
        loop {
            let mut full = Vec::new();
            at += unpacker.take(&piece[at..], &mut full).map_err(spoilt)?;
            let (is_wide, is_done) = (unpacker.is_wide(), full.is_empty() && at == piece.len());
            for rows in full {
                take.take(rows).await?;
            }
            if is_wide {
                // How wide it is shows at its end, and then it is in memory: it passes alone, whatever it is.
                take.room(u64::MAX).await?;
                unpacker.let_wide_pass();
            } else if is_done {
                break;
            }
        }
    }
    let (last, packed) = unpacker.end().map_err(spoilt)?;
    if !is_same(&packed, chunk) {
        let why = "its SHA-256 is not the one that its manifest names";
        return Err(archive.damaged(&name, why).of(range.table.name()));
    }
    if last.is_empty() { Ok(()) } else { take.take(last).await }
}

fn is_same(packed: &Packed, chunk: &DumpedChunk) -> bool {
    packed.sha256 == chunk.sha256
        && (packed.stored_bytes, packed.rows, packed.bytes) == (chunk.stored_bytes, chunk.rows, chunk.bytes)
}

/// Keeps rows, up to a bound.
struct Keep {
    rows: RowBatch,
    most: Most,
    is_more: bool,
}

#[async_trait]
impl TakeRows for Keep {
    fn wide_from(&self) -> u64 {
        self.most.bytes
    }

    /// What is wider than all that may be kept is not read.
    async fn room(&mut self, _widest: u64) -> Result<(), Fault> {
        self.is_more = true;
        Err(Fault::new(FaultKind::Stopped, "keep rows together"))
    }

    async fn take(&mut self, rows: RowBatch) -> Result<(), Fault> {
        let held = (self.rows.bytes() + rows.bytes()) as u64;
        self.is_more |= held > self.most.bytes || (self.rows.rows() + rows.rows()) as u64 > self.most.rows;
        if !self.is_more {
            (0..rows.rows()).for_each(|row| self.rows.push_row_of(&rows, row));
        }
        Ok(())
    }
}

#[async_trait]
impl ChunkReader for DumpReader {
    async fn read(&mut self, range: &Range<'_>, take: &mut dyn TakeRows) -> Result<(), Fault> {
        match self.find(range) {
            Some(chunk) => unpack(&self.archive, (range, &chunk), take).await,
            None => self.source().await?.read(range, take).await,
        }
    }

    async fn read_together(&mut self, ranges: &[Range<'_>], most: Most) -> Result<Option<Vec<RowBatch>>, Fault> {
        let mut read = Vec::with_capacity(ranges.len());
        let (mut rows, mut bytes) = (0, 0);
        for range in ranges {
            let width = range.table.table.wire_columns().len();
            let most = Most { rows: most.rows.saturating_sub(rows), bytes: most.bytes.saturating_sub(bytes) };
            let mut keep = Keep { rows: RowBatch::new(width), most, is_more: false };
            let whole = self.read(range, &mut keep).await;
            if keep.is_more {
                return Ok(None);
            }
            whole?;
            (rows, bytes) = (rows + keep.rows.rows() as u64, bytes + keep.rows.bytes() as u64);
            read.push(keep.rows);
        }
        Ok(Some(read))
    }

    async fn border(&mut self, border: &Border<'_>) -> Result<Option<KeyCells>, Fault> {
        if let Some((keys, _)) = self.chunks.after(border.table.name(), &border.after) {
            return Ok(keys.upto.clone());
        }
        self.source().await?.border(border).await
    }

    async fn borders(&mut self, borders: &[Border<'_>]) -> Result<Vec<Result<Option<KeyCells>, Fault>>, Fault> {
        let mut found = Vec::with_capacity(borders.len());
        for border in borders {
            found.push(Ok(self.border(border).await?));
        }
        Ok(found)
    }
}
