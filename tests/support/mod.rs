//! What the black-box tests stand on: a stage with two servers, the binary as a process, and waits that end with an
//! event.

mod browser;
mod definitions;
mod leeward;
mod stage;
mod wait;
mod whole;

pub use browser::{Browser, Media};
pub use definitions::{Writer, assert_same_definitions, ends_equal};
pub use leeward::{Leeward, Ran, Running};
pub use stage::{READER, Stage, WRITER, query};
pub use wait::eventually;
pub use whole::assert_live_states_are_whole;

/// Password of every account that the binary logs in with; no output may ever hold it.
pub const PASSWORD: &str = "Quay-7f3a-never-shown";

/// Stands in rows of the tests wherever a value is no key; no output may ever hold it.
pub const ROW_VALUE: &str = "row-value-never-shown";
