//! What a file system says, as faults with a way out.

use std::io::{Error, ErrorKind};

use leeward_core::fault::{Fault, FaultKind};

/// Returns an error of the file system as a fault.
pub fn fault(error: Error, doing: &str) -> Fault {
    let kind = match error.kind() {
        ErrorKind::StaleNetworkFileHandle | ErrorKind::TimedOut | ErrorKind::HostUnreachable => FaultKind::Unreachable,
        kind => FaultKind::Refused(remedy(kind).to_owned()),
    };
    Fault::new(kind, doing).because(error)
}

/// Returns the fault of an object that is shorter or longer than it was when it was opened.
pub fn changed(doing: &str) -> Fault {
    let remedy = "the file was changed while it was read: nothing but Leeward may write into its folder";
    Fault::new(FaultKind::Refused(remedy.to_owned()), doing)
}

fn remedy(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::PermissionDenied => {
            "let the user that Leeward runs as read and write the folder and everything in it"
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            "the disk is full: free space where the folder is, or use another one; no object there was harmed"
        }
        ErrorKind::ReadOnlyFilesystem => "the file system is mounted read-only; mount it for writing",
        ErrorKind::NotADirectory | ErrorKind::IsADirectory | ErrorKind::AlreadyExists => {
            "a file has the name of a folder, or a folder that of a file; keep only what Leeward wrote in this folder"
        }
        ErrorKind::Unsupported | ErrorKind::CrossesDevices | ErrorKind::TooManyLinks => {
            "the file system lacks locks or hard links, without which two processes could write the same object; use another"
        }
        ErrorKind::InvalidFilename => {
            "the file system does not take names of this length; use a folder with a shorter path"
        }
        _ => "see what the file system says, and try again when it is well",
    }
}
