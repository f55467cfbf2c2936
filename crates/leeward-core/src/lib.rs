//! The nouns and decisions of Leeward.
//!
//! This crate is pure: it does no I/O, reads no clock and draws no random number, so every decision can be tested as
//! a function from what was seen to what is done. Drivers, SDKs and the runtime live in the crates that depend on it.

pub mod alteration;
pub mod brake;
pub mod class;
pub mod cost;
pub mod digest;
pub mod doctor;
pub mod dump;
pub mod fault;
pub mod fence;
pub mod fingerprint;
pub mod grants;
pub mod history;
pub mod lane;
pub mod mark;
pub mod measure;
pub mod name;
pub mod plan;
pub mod plan_text;
pub mod planner;
pub mod policy;
pub mod port;
pub mod readiness;
pub mod row;
pub mod row_text;
pub mod scrub;
pub mod secret;
pub mod seed_advice;
pub mod server;
pub mod survey;
pub mod table;
pub mod throttle;
pub mod traffic;
