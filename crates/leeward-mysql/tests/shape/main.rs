//! Surveys of real servers, and targets shaped after them: what is seen, what is made, and what is noticed later.
//!
//! No rows are copied here, and what the planner makes of a survey is not tested here.

mod altering;
mod copying;
mod facts;
mod making;
mod round_trips;
mod setup;
mod surveying;
mod visibility;
mod watching;
