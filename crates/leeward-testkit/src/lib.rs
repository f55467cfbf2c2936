//! Everything a test, the demo or a benchmark needs around Leeward: private database servers, a
//! link that is slow or breaks on demand, and a browser.
//!
//! Dev only. It knows nothing of Leeward's own crates, so that what it measures and compares cannot
//! share a mistake with what is being tested.

pub mod browser;
pub mod compare;
pub mod proxy;
pub mod sample;
pub mod servers;
pub mod workload;

/// What a test returns; named for the tests that [`each_kind`] writes.
pub type Outcome = anyhow::Result<()>;
