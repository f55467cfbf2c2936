//! The folder itself: paths, the lock by which processes exclude each other, and the one step that puts an object into place.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::hash::{BuildHasher, Hasher};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use leeward_core::fault::{Fault, FaultKind};
use leeward_core::port::store::{Condition, Etag, ObjectName, Stored};
use sha2::{Digest, Sha256};

use super::trouble;

/// Holds the lock and what is not finished. No object can be in it: their names never start with a dot.
const WORKSHOP: &str = ".leeward";

/// What files end with that are not finished.
const UNFINISHED: &str = "part";

/// The lock is held for a few system calls, or the reading of one small object. Whoever holds it longer is stopped or hangs in
/// its file system.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(30);

/// A dump holds everything that the database does, so nobody else may read it.
const FILE_MODE: u32 = 0o600;
const FOLDER_MODE: u32 = 0o700;

/// A folder by its path.
#[derive(Debug)]
pub struct Root {
    path: PathBuf,
    place: String,
    /// Whether what crashed processes left behind has been taken away.
    is_swept: AtomicBool,
}

/// The proof that no other process puts an object into place. Ends when dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// A file that is not finished. It is taken away when dropped, unless it was put into its place.
#[derive(Debug)]
pub struct Unfinished {
    path: PathBuf,
    is_placed: bool,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.is_placed {
            // Nothing can be reported from here; whoever opens the folder next takes it away.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Runs what waits for a file system, beside the runtime's own threads.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Fault> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.map_err(|error| Fault::new(FaultKind::Unexpected, "wait for the file system").because(error))
}

/// Returns the tag of a content: two objects have the same one only if they hold the same.
pub fn etag_of(hash: impl AsRef<[u8]>) -> Etag {
    Etag::new(hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

impl Root {
    pub fn new(path: &Path) -> Root {
        let place = format!("file://{}", path.display());
        Root { path: path.to_owned(), place, is_swept: AtomicBool::new(false) }
    }

    pub fn place(&self) -> &str {
        &self.place
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Says what is being done, for faults.
    pub fn doing(&self, verb: &str, name: &ObjectName) -> String {
        format!("{verb} {name} in {}", self.place)
    }

    /// Returns an object's file.
    pub fn file(&self, name: &ObjectName) -> PathBuf {
        self.path.join(name.as_str())
    }

    /// Looks whether this is a folder, or could become one.
    pub fn check(&self) -> Result<(), Fault> {
        let doing = format!("open {}", self.place);
        match std::fs::metadata(&self.path) {
            Ok(facts) if facts.is_dir() => Ok(()),
            Ok(_) => Err(trouble::fault(ErrorKind::NotADirectory.into(), &doing)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(trouble::fault(error, &doing)),
        }
    }

    /// Waits until no other process puts objects into place.
    pub async fn lock(root: &Arc<Root>) -> Result<Lock, Fault> {
        let doing = format!("lock {}", root.place);
        let locking = Arc::clone(root);
        let locked = tokio::time::timeout(LOCK_WAIT_MAX, blocking(move || locking.lock_now())).await;
        locked.map_err(|_| Fault::new(FaultKind::TimedOut, &doing))??.map_err(|error| trouble::fault(error, &doing))
    }

    fn lock_now(&self) -> std::io::Result<Lock> {
        let workshop = self.path.join(WORKSHOP);
        make_folders(&workshop)?;
        let mut options = OpenOptions::new();
        let file = options.create(true).truncate(false).write(true).mode(FILE_MODE).open(workshop.join("lock"))?;
        file.lock()?;
        Ok(Lock { _file: file })
    }

    /// Makes a file for an object that is not finished. It stays locked while it is written, by which a crashed process's are
    /// known.
    pub fn unfinished(&self, doing: &str, _lock: &Lock) -> Result<(File, Unfinished), Fault> {
        let fault = |error| trouble::fault(error, doing);
        if !self.is_swept.swap(true, Ordering::Relaxed) {
            self.sweep().map_err(fault)?;
        }
        let path = self.path.join(WORKSHOP).join(format!("{:016x}{:016x}.{UNFINISHED}", draw(), draw()));
        let file = OpenOptions::new().create_new(true).write(true).mode(FILE_MODE).open(&path).map_err(fault)?;
        let unfinished = Unfinished { path, is_placed: false };
        file.lock().map_err(fault)?;
        Ok((file, unfinished))
    }

    /// Takes away what crashed processes have left.
    fn sweep(&self) -> std::io::Result<()> {
        for entry in std::fs::read_dir(self.path.join(WORKSHOP))? {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != UNFINISHED) {
                continue;
            }
            let file = OpenOptions::new().write(true).open(&path)?;
            match file.try_lock() {
                Ok(()) => std::fs::remove_file(&path)?,
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        Ok(())
    }

    /// Puts a finished and durable file into its place, if the condition is met.
    pub fn place_file(
        &self,
        mut file: Unfinished,
        name: &ObjectName,
        condition: &Condition,
        etag: Etag,
        _lock: &Lock,
    ) -> Result<Stored, Fault> {
        let doing = self.doing("write", name);
        let fault = |error| trouble::fault(error, &doing);
        let place = self.file(name);
        if let Condition::IfMatch(wanted) = condition
            && present_etag(&place).map_err(fault)?.as_ref() != Some(wanted)
        {
            return Ok(Stored::ConditionNotMet);
        }
        let folder = place.parent().unwrap_or(&self.path);
        make_folders(folder).map_err(fault)?;
        if *condition == Condition::IfAbsent {
            // A link fails where something has the name, also where that was not put there by Leeward.
            match std::fs::hard_link(&file.path, &place) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(Stored::ConditionNotMet),
                Err(error) => return Err(fault(error)),
            }
        } else {
            std::fs::rename(&file.path, &place).map_err(fault)?;
            file.is_placed = true;
        }
        self.sync_folders(folder).map_err(fault)?;
        Ok(Stored::Written(etag))
    }

    /// Takes an object away, and the folders that it leaves empty.
    pub fn remove(&self, name: &ObjectName, _lock: &Lock) -> Result<(), Fault> {
        let doing = self.doing("delete", name);
        let place = self.file(name);
        match std::fs::remove_file(&place) {
            Ok(()) => {}
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(()),
            // A folder is no object.
            Err(_) if place.is_dir() => return Ok(()),
            Err(error) => return Err(trouble::fault(error, &doing)),
        }
        let mut folder = place.parent().unwrap_or(&self.path);
        // The first that is not empty ends it.
        while folder != self.path && std::fs::remove_dir(folder).is_ok() {
            folder = folder.parent().unwrap_or(&self.path);
        }
        self.sync_folders(folder).map_err(|error| trouble::fault(error, &doing))
    }

    /// Makes the names in a folder and in those above it durable.
    fn sync_folders(&self, folder: &Path) -> std::io::Result<()> {
        let mut above = folder;
        loop {
            File::open(above)?.sync_all()?;
            match above.parent() {
                Some(parent) if above != self.path => above = parent,
                _ => return Ok(()),
            }
        }
    }
}

fn make_folders(folder: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)
}

/// Returns the tag of what has a name now.
fn present_etag(place: &Path) -> std::io::Result<Option<Etag>> {
    let mut file = match File::open(place) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut hash = Sha256::new();
    std::io::copy(&mut file, &mut hash)?;
    Ok(Some(etag_of(hash.finalize())))
}

/// Draws a number that no other process draws.
fn draw() -> u64 {
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}
