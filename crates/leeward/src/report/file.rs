//! Results as files.

use std::io::Write;
use std::path::{Path, PathBuf};

/// Writes the whole file or leaves what was there.
///
/// # Errors
/// When the file cannot be written beside its final place, or not be put there.
pub fn save(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let part = path.with_file_name(format!(".{name}.{}.part", std::process::id()));
    let written = std::fs::File::create(&part)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&part, path));
    if written.is_err() {
        // What could not be finished is of no use to anybody; the first error is the one to report.
        let _ = std::fs::remove_file(&part);
    }
    written
}

/// Returns why a file cannot be written, as far as a look shows it.
pub fn unwritable(path: &Path) -> Option<String> {
    if path.file_name().is_none() || path.is_dir() {
        return Some(format!("{} is a folder; name a file in it", path.display()));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.map_or_else(|| PathBuf::from("."), Path::to_path_buf);
    (!folder.is_dir()).then(|| format!("there is no folder {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.html");
        for text in ["first", "2nd"] {
            save(&path, text.as_bytes()).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
        // A folder cannot be replaced by a file; nothing half written is left beside it.
        std::fs::create_dir(folder.path().join("taken")).unwrap();
        save(&folder.path().join("taken"), b"text").unwrap_err();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
