//! Private MariaDB and MySQL servers: found or installed, started from a template data directory,
//! killed, paused and restarted at will, and gone when the process that started them is gone.
//!
//! It never touches a system service, a system data directory or a server it did not start. A
//! server named by `LEEWARD_TEST_SOURCE_URL` / `LEEWARD_TEST_TARGET_URL` is used as it is.

mod accounts;
mod apt;
mod apt_source;
pub mod certs;
mod full_disk;
mod instance;
mod kind;
mod kinds_under_test;
pub mod linters;
mod lock;
mod moto;
mod mydumper;
mod options;
mod pair;
mod ports;
mod programs;
pub mod python;
mod reladiff;
mod table_sync;
mod template;
mod watchdog;

pub use instance::Server;
pub use kind::Kind;
pub use kinds_under_test::{KINDS_VARIABLE, SKIPS_VARIABLE, run_on, skip, under_test};
pub use moto::Moto;
pub use mydumper::Mydumper;
pub use options::{DataDir, EventScheduler, ServerOptions, Tls};
pub use pair::{Pair, SOURCE_URL_VARIABLE, TARGET_URL_VARIABLE, pair};
pub(crate) use ports::free_port;
pub(crate) use programs::found_or_installed;
pub use programs::{ClientProgram, Programs, find};
pub use reladiff::Reladiff;
pub use table_sync::TableSync;

/// Returns the root folder of the project.
pub fn workspace_root() -> std::path::PathBuf {
    let crate_dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_dir.ancestors().nth(2).expect("this crate lies two folders below the root of the workspace").to_path_buf()
}
