//! A folder as a store. An object is a file; it is written beside the others under a name that nobody sees, made durable, and
//! put into its place in one step, so that no moment and no crash shows half of one.
//!
//! Processes that share a folder exclude each other by a lock for that one step. On a network file system, which must have locks
//! and links, this holds between machines too.

mod listing;
mod root;
mod trouble;
mod upload;

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::port::store::{
    Condition, Object, ObjectName, ObjectStore, Page, Prefix, Reading, Stored, Upload, hold_to,
};
use root::{Root, blocking, etag_of};
use sha2::{Digest, Sha256};
use upload::FolderUpload;

/// Bytes that are read at once: large enough that a disk is busy, small beside the buffers of whoever reads.
const PIECE_BYTES: usize = 256 * 1024;

/// A folder with objects in it.
#[derive(Debug, Clone)]
pub struct Folder {
    root: Arc<Root>,
}

impl Folder {
    /// Takes a folder by its absolute path. It need not be there yet: the first object makes it.
    ///
    /// # Errors
    /// [`FaultKind::Refused`] when something else is there, or it may not be looked at.
    pub async fn open(path: &Path) -> Result<Folder, Fault> {
        let root = Arc::new(Root::new(path));
        let checked = Arc::clone(&root);
        blocking(move || checked.check()).await??;
        Ok(Folder { root })
    }
}

#[async_trait]
impl ObjectStore for Folder {
    fn place(&self) -> &str {
        self.root.place()
    }

    async fn put(&self, name: &ObjectName, content: Bytes, condition: &Condition) -> Result<Stored, Fault> {
        let mut upload = FolderUpload::begin(Arc::clone(&self.root), name).await?;
        upload.write(content).await?;
        Box::new(upload).finish(condition).await
    }

    async fn get(&self, name: &ObjectName, bytes_max: u64) -> Result<Option<Object>, Fault> {
        let (root, name) = (Arc::clone(&self.root), name.clone());
        blocking(move || {
            let doing = root.doing("read", &name);
            let Some((mut file, bytes)) = open_file(&root, &name)? else { return Ok(None) };
            hold_to(bytes, bytes_max, &doing)?;
            let mut content = Vec::new();
            // One byte more than there was shows that somebody writes to the file from elsewhere.
            file.by_ref().take(bytes + 1).read_to_end(&mut content).map_err(|error| trouble::fault(error, &doing))?;
            if content.len() as u64 != bytes {
                return Err(trouble::changed(&doing));
            }
            let etag = etag_of(Sha256::digest(&content));
            Ok(Some(Object { content: content.into(), etag }))
        })
        .await?
    }

    async fn read(&self, name: &ObjectName) -> Result<Option<Box<dyn Reading>>, Fault> {
        let (root, name) = (Arc::clone(&self.root), name.clone());
        let doing = root.doing("read", &name);
        let Some((file, bytes)) = blocking(move || open_file(&root, &name)).await?? else { return Ok(None) };
        Ok(Some(Box::new(FileReading { file: Some(file), bytes, left: bytes, doing })))
    }

    async fn list(&self, under: &Prefix, after: Option<&ObjectName>) -> Result<Page, Fault> {
        let (root, under, after) = (Arc::clone(&self.root), under.clone(), after.cloned());
        blocking(move || listing::list(&root, &under, after.as_ref())).await?
    }

    async fn delete(&self, name: &ObjectName) -> Result<(), Fault> {
        if !self.root.path().exists() {
            return Ok(());
        }
        let lock = Root::lock(&self.root).await?;
        let (root, name) = (Arc::clone(&self.root), name.clone());
        blocking(move || root.remove(&name, &lock)).await?
    }

    async fn begin(&self, name: &ObjectName) -> Result<Box<dyn Upload>, Fault> {
        Ok(Box::new(FolderUpload::begin(Arc::clone(&self.root), name).await?))
    }
}

/// Opens an object's file; nothing when there is none, or a folder has the name.
fn open_file(root: &Root, name: &ObjectName) -> Result<Option<(File, u64)>, Fault> {
    let doing = root.doing("read", name);
    let opened = File::open(root.file(name)).and_then(|file| file.metadata().map(|facts| (file, facts)));
    match opened {
        Ok((file, facts)) if facts.is_file() => Ok(Some((file, facts.len()))),
        Ok(_) => Ok(None),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(trouble::fault(error, &doing)),
    }
}

/// A file that is being read.
struct FileReading {
    /// Absent while a piece is read, and for good after a caller has dropped that.
    file: Option<File>,
    bytes: u64,
    left: u64,
    doing: String,
}

#[async_trait]
impl Reading for FileReading {
    fn bytes(&self) -> u64 {
        self.bytes
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        let Some(mut file) = self.file.take() else {
            return Err(Fault::new(FaultKind::Unexpected, &self.doing));
        };
        let want = PIECE_BYTES.min(usize::try_from(self.left).unwrap_or(PIECE_BYTES));
        // At the end one byte more is asked for, which must not be there.
        let (file, read) = blocking(move || {
            let mut piece = vec![0; want.max(1)];
            let read = fill(&mut file, &mut piece).map(|length| {
                piece.truncate(length);
                piece
            });
            (file, read)
        })
        .await?;
        self.file = Some(file);
        let piece = read.map_err(|error| trouble::fault(error, &self.doing))?;
        if piece.len() != want {
            return Err(trouble::changed(&self.doing));
        }
        self.left -= piece.len() as u64;
        Ok((!piece.is_empty()).then(|| piece.into()))
    }
}

/// Reads until the piece is full or the file ends.
fn fill(file: &mut File, piece: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < piece.len() {
        match file.read(&mut piece[filled..]) {
            Ok(0) => break,
            Ok(length) => filled += length,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests;
