//! Black-box tests: the real binary against real servers, MariaDB and MySQL, judged by a comparison that shares nothing
//! with Leeward. Every test works in databases and a lane of its own; a test that kills a server starts one for itself.
//!
//! No test reaches into Leeward's crates: what cannot be seen from outside is tested beside the code.

mod support;

mod brake;
mod census;
mod contradiction;
mod convergence;
mod credentials;
mod ddl;
mod ddl_apply;
mod ddl_loss;
mod ddl_new;
mod ddl_race;
mod disk;
mod dump;
mod dump_given_up;
mod end_to_end;
mod faults;
mod hazards;
mod held;
mod input;
mod keys;
mod lease;
mod link;
mod many_tables;
mod marks;
mod memory;
mod merge;
mod readiness;
mod readiness_rds;
mod report;
mod seed;
mod seed_join;
mod service;
mod soft_delete;
mod story;
mod sync;
mod throttle;
mod tombstones;
mod torture;
mod verify;
