//! Every byte of SQL and wire. The engine's ports are answered here with real MySQL and MariaDB servers.
//!
//! Nothing here decides: what to read, write or repair is told by `leeward-engine` in the words of `leeward-core`.

pub mod apply;
pub mod control;
pub mod cut;
pub mod ddl;
pub mod digest;
pub mod endpoint;
pub mod facts;
pub mod fault;
pub mod fence;
pub mod link;
pub mod load;
mod migrate;
pub mod replication;
pub mod servers;
pub mod session;
pub mod shape;
pub mod sql;
pub mod survey;
pub mod throttle;
pub mod wire;
