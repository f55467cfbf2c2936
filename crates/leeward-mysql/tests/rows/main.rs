//! Rows on real servers: whether a digest sees every change of every type, and whether a row is written exactly as it
//! was read, whatever the target's indexes, constraints and other rows.
//!
//! No engine runs here: what is read, compared and written is chosen by the tests.

mod borders;
mod catalogue;
mod claims;
mod conflicts;
mod definitions;
mod families;
mod locked;
mod mutations;
mod packets;
mod refused;
mod separators;
mod setup;
mod values;
mod views;
mod ways;
