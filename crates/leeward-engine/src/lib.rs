//! The engine: the cycle from one cut to the next, the seed, the scrub, the verification, and the supervisor that keeps
//! them going. It knows neither a driver nor AWS: the servers are reached through the ports of `leeward-core`.

mod accept;
mod apply;
pub mod brake;
mod census;
pub mod clock;
mod copy;
pub mod cycle;
mod definition;
mod delta;
mod demote;
pub mod drift;
pub mod dump;
mod errand;
mod fill;
pub mod lane;
pub mod lease;
pub mod load;
mod look;
mod mend;
mod objects;
pub mod pace;
mod patience;
mod picks;
pub mod progress;
pub mod repair;
pub mod scrub;
pub mod seed;
pub mod snapshot;
mod soft;
mod sweep;
pub mod sync;
pub mod throttle;
mod tombstone;
pub mod verify;
