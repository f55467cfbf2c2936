//! Sessions against real servers: what they read and load, what their faults say, and that no wait is endless.
//!
//! What the engine does with a fault is not tested here.

mod faults;
mod load;
mod setup;
mod statements;
mod tls;
mod waits;
