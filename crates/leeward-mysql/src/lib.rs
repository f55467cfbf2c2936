//! Every byte of SQL and wire. The engine's ports are answered here with real MySQL and MariaDB servers.
//!
//! Nothing here decides: what to read, write or repair is told by `leeward-engine` in the words of `leeward-core`.

pub mod ddl;
pub mod endpoint;
pub mod fault;
pub mod session;
pub mod sql;
