//! The engine: the cycle from one cut to the next, the seed, the scrub, the verification, and the supervisor that keeps
//! them going. It knows neither a driver nor AWS: the servers are reached through the ports of `leeward-core`.

pub mod lane;
mod delta;
mod apply;
pub mod scrub;
pub mod cycle;
pub mod drift;
pub mod lease;
pub mod sync;
pub mod progress;
mod copy;
pub mod seed;
pub mod verify;
pub mod repair;
