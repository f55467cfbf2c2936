//! Runs Leeward's engine against databases in memory, every interleaving driven by a seed.
//!
//! The code under test is the engine's own: the cycle, the fence, the lane, the scrub, the supervisor's handling of faults.
//! Only the ports are answered from here: by a source with read views, late commits, locks and clients of its own, and by
//! a target that can break. Between any two calls of a port, and inside of the longer ones, the world goes on. After every
//! commit on the target each promise is held against what the source really had (`judge`).
//!
//! Not modelled are the wire, SQL, types and collations: those are tested against real servers.

mod breakage;
mod client;
mod control;
mod coverage;
mod cut;
mod database;
mod handle;
mod hunt;
mod judge;
mod random;
mod row;
mod schedule;
mod shape;
mod shrink;
mod source;
mod style;
mod target;
mod trace;
mod work;
mod world;

pub use breakage::Break;
pub use coverage::Coverage;
pub use hunt::{Failure, Hunt, Until, hunt, tell};
pub use schedule::Game;
pub use style::Hazards;
