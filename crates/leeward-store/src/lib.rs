//! Dumps and snapshots in a folder of this machine, or of whatever is mounted there: [`Folder`] answers
//! [`leeward_core::port::store`]. What is kept in S3 is written by `leeward-aws`; both are held to the same `contract`.
//!
//! The crate knows nothing of what the objects mean and encrypts nothing: files are readable by the user of this process alone.

#[cfg(any(test, feature = "contract"))]
pub mod contract;
mod folder;

pub use folder::Folder;
