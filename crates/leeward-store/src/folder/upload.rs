//! An object on its way into a folder.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use leeward_core::fault::Fault;
use leeward_core::port::store::{Condition, ObjectName, Stored, Upload};
use sha2::{Digest, Sha256};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use super::root::{Root, Unfinished, blocking, etag_of};
use super::trouble;

/// A file that is being written.
pub struct FolderUpload {
    root: Arc<Root>,
    name: ObjectName,
    file: File,
    unfinished: Unfinished,
    hash: Sha256,
}

impl FolderUpload {
    /// Makes the file.
    pub async fn begin(root: Arc<Root>, name: &ObjectName) -> Result<FolderUpload, Fault> {
        let lock = Root::lock(&root).await?;
        let (making, doing) = (Arc::clone(&root), root.doing("write", name));
        let (file, unfinished) = blocking(move || making.unfinished(&doing, &lock)).await??;
        Ok(FolderUpload { root, name: name.clone(), file: File::from_std(file), unfinished, hash: Sha256::new() })
    }

    fn fault(&self, error: std::io::Error) -> Fault {
        trouble::fault(error, &self.root.doing("write", &self.name))
    }
}

#[async_trait]
impl Upload for FolderUpload {
    async fn write(&mut self, piece: Bytes) -> Result<(), Fault> {
        self.hash.update(&piece);
        self.file.write_all(&piece).await.map_err(|error| self.fault(error))
    }

    async fn finish(mut self: Box<Self>, condition: &Condition) -> Result<Stored, Fault> {
        // It has the name only when it is on the disk: the other order shows an empty file after a power cut.
        self.file.flush().await.map_err(|error| self.fault(error))?;
        self.file.sync_all().await.map_err(|error| self.fault(error))?;
        let lock = Root::lock(&self.root).await?;
        let condition = condition.clone();
        let FolderUpload { root, name, file, unfinished, hash } = *self;
        let etag = etag_of(hash.finalize());
        let placed = blocking(move || root.place_file(unfinished, &name, &condition, etag, &lock)).await?;
        // Held until here: an unlocked file counts as left behind.
        drop(file);
        placed
    }

    async fn abort(self: Box<Self>) -> Result<(), Fault> {
        let FolderUpload { unfinished, .. } = *self;
        blocking(move || drop(unfinished)).await
    }
}
