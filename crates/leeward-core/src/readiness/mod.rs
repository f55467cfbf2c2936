//! Could the target take over? Everything that was observed goes in, a verdict with its reasons comes out.
//!
//! Pure: nothing here asks a server, reads a clock or knows how a fact was obtained; `leeward-mysql` and the binary fill
//! [`ReadinessFacts`]. Two rules hold throughout. What cannot be observed is not ready (invariant 4): a check reads each
//! datum with `?`, and an absent one makes it unknown. And all checks run, in declared order, every time (invariant 6).

mod beside;
mod catalogue;
pub mod cloud;
mod cost;
mod drill;
mod explain;
mod facts;
mod outcome;
pub(crate) mod page;
mod pair;
mod proof;
mod since;
mod stamp;
mod tables;
mod text;
mod trend;
mod verdict;

mod fallback;
mod loss;
mod reading;
mod sight;

mod accounts;
mod capacity;
mod counters;
mod cutover;
mod data;
mod definition;
mod governance;
mod instance;
mod instance_class;
mod network;
mod objects;
mod parameters;
mod schema;
mod storage;
mod sync;

#[cfg(test)]
mod tests;

pub use beside::Beside;
pub use cost::reckon;
pub(crate) use definition::{knows_collation, plain_default, same_foreign_key, same_key};
pub use explain::{Explanation, explain, iam_actions};
pub use facts::{AccountFacts, AccountKind, Contact, Counter, Dated, ReadinessFacts, Seen, SideState, TableWrites};
pub use fallback::Fallback;
pub use outcome::{Accepted, CheckResult, Evidence, EvidenceClass, EvidenceKind, Severity, Status};
pub use page::{duration, time};
pub use pair::{Pair, PlanLine, ServerLine, WaiverLine, WaiverUse};
pub use parameters::VARIABLES;
pub use proof::{PROOF_SCHEMA, Proof, ProofLine, ProofResult};
pub use since::{Change, Comparison, Former, Move, NotComparable, Way, compare};
pub use tables::{Coverage, TableLine};
pub use text::render_text;
pub use trend::{Judged, Past, Point, Trend, remember};
pub use verdict::{Objective, Readiness, SCHEMA_VERSION, Verdict, judge};
