//! Every byte of SQL and wire. The engine's ports are answered here with real MySQL and MariaDB servers.
//!
//! Nothing here decides: what to read, write or repair is told by `leeward-engine` in the words of `leeward-core`.

pub mod sql;
pub mod fault;
pub mod endpoint;
pub mod session;
pub mod ddl;
pub mod digest;
pub mod fence;
pub mod cut;
pub mod apply;
pub mod load;
pub mod control;
mod migrate;
pub mod shape;
pub mod survey;
pub mod facts;
pub mod servers;
