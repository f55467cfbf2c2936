//! Whole dumps as a row of snapshots: proved without being loaded, and taken away by their retention.

use chrono::NaiveDateTime;
use futures_util::stream::{self, StreamExt};
use leeward_core::dump::{DumpId, DumpedChunk, Keep, Manifest, hex, retire};
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::name::TableName;
use leeward_core::port::store::ObjectName;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::dump::Archive;
use crate::progress::{Progress, Tell};

/// Objects that are read at once: a store answers each after some tens of milliseconds. Their pieces are a few MiB each.
const AT_ONCE: usize = 4;

/// Damaged objects that are named; their number is told in any case.
const NAMED_MAX: usize = 1000;

/// Whether a dump's objects are what its manifest says.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Verified {
    /// Which dump.
    pub id: DumpId,
    /// Objects that its manifest names.
    pub objects: u64,
    /// Bytes that were read.
    pub stored_bytes: u64,
    /// Objects that are missing or not what they were.
    pub damaged_objects: u64,
    /// The first of them.
    pub damaged: Vec<Damage>,
}

/// An object that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Damage {
    /// Its name.
    pub object: String,
    /// The table whose rows it held.
    pub table: TableName,
    /// What is wrong.
    pub why: String,
}

/// Reads every object of a dump and compares its length and SHA-256 with the manifest, which has been checked when it was
/// read.
///
/// # Errors
/// What keeps the store from being read.
pub async fn verify(
    archive: &Archive,
    manifest: &Manifest,
    (tell, stop): (&dyn Tell, &CancellationToken),
) -> Result<Verified, Fault> {
    let (_, _, stored_bytes) = manifest.totals();
    let objects = manifest.tables.iter().map(|table| table.chunks.len() as u64).sum();
    let mut verified =
        Verified { id: manifest.id.clone(), objects, stored_bytes, damaged_objects: 0, damaged: Vec::new() };
    for table in &manifest.tables {
        tell.tell(Progress::TableStarted {
            name: table.name.clone(),
            rows_estimate: table.rows,
            bytes_estimate: table.stored_bytes,
            rows_done: 0,
            bytes_done: 0,
        });
        let looks = table.chunks.iter().map(|chunk| async move { (chunk, look(archive, chunk).await) });
        let mut looks = stream::iter(looks).buffer_unordered(AT_ONCE);
        while let Some((chunk, seen)) = looks.next().await {
            if stop.is_cancelled() {
                return Err(Fault::new(FaultKind::Stopped, "verify a dump"));
            }
            tell.tell(Progress::Rows { name: table.name.clone(), rows: chunk.rows, bytes: chunk.stored_bytes });
            let Some(why) = seen? else { continue };
            verified.damaged_objects += 1;
            if verified.damaged.len() < NAMED_MAX {
                verified.damaged.push(Damage { object: chunk.object.clone(), table: table.name.clone(), why });
            }
        }
        tell.tell(Progress::TableDone { name: table.name.clone() });
    }
    verified.damaged.sort_by(|a, b| a.object.cmp(&b.object));
    Ok(verified)
}

/// Returns what is wrong with a chunk's object.
async fn look(archive: &Archive, chunk: &DumpedChunk) -> Result<Option<String>, Fault> {
    let name = ObjectName::new(chunk.object.as_str())?;
    let Some(mut object) = archive.store().read(&name).await? else { return Ok(Some("it is missing".to_owned())) };
    if object.bytes() != chunk.stored_bytes {
        return Ok(Some(format!("it has {} bytes, not {}", object.bytes(), chunk.stored_bytes)));
    }
    let mut hash = Sha256::new();
    while let Some(piece) = object.next().await? {
        hash.update(&piece);
    }
    Ok((hex(&hash.finalize()) != chunk.sha256).then(|| "its SHA-256 is another".to_owned()))
}

/// Takes away the snapshots of a lane that are not to be kept. Returns which went.
///
/// # Errors
/// What keeps the store from being changed; what was taken away until then is gone.
pub async fn prune(archive: &Archive, lane: &str, keep: Keep, now: NaiveDateTime) -> Result<Vec<DumpId>, Fault> {
    let whole = archive.whole().await?;
    let mut gone = Vec::new();
    for snapshot in retire(&whole, lane, keep, now) {
        archive.remove(&snapshot.id).await?;
        gone.push(snapshot.id.clone());
    }
    Ok(gone)
}
