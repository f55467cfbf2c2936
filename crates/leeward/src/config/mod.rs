//! Configuration in two steps, as in ripgrep: `raw` is exactly what was typed, `resolve` is everything checked, with all
//! mistakes at once. The environment is an argument of both.
//!
//! Which place wins: a flag, then the environment, then `leeward.toml`. Within one side a URL counts as if its parts had
//! been written one by one in the place where it stands; saying the same thing twice in one place is a mistake.

pub mod duration;
mod file;
pub mod key;
pub mod mistake;
pub mod raw;
pub mod resolve;
mod side;
pub mod store;
pub mod talk;
pub mod url;

pub use mistake::Mistakes;
pub use resolve::{Need, Needs, Settings};
pub use side::{Compressed, PasswordFrom, SideSettings};
pub use talk::{OutputForm, Talk};

#[cfg(test)]
mod tests;
