//! One table of a sweep: what of it is still to be compared, in the order of its key, and what has come of the rest.

use std::collections::VecDeque;

use chrono::NaiveDateTime;
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::plan::PlannedTable;
use leeward_core::port::Range;
use leeward_core::row::{KeyCells, KeyRange};

use crate::apply::table_fault;
use crate::lane::Lane;
use crate::scrub::Compared;

/// Rows of one range that is digested at most. A differing row costs the list of its range, some 50 bytes a row over the
/// link; smaller ranges would make the query of a digest dearer than its rows.
pub const DIGESTED_ROWS: u64 = 1_000;

/// Bytes of one such range, by the survey's estimate.
const DIGESTED_BYTES: u64 = 4 << 20;

/// A part of a table that is to be compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Stretch {
    /// Its keys.
    pub keys: KeyRange,
    /// What is known of it.
    pub known: Known,
}

/// What is known of a stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Nothing; it reaches to the table's end.
    Nothing,
    /// It is small enough to be digested as it is.
    Small,
    /// Its digests differ. The cut holds so many rows of it, if they were counted.
    Differs(Option<u64>),
}

/// How the differences of a table lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// In few of its ranges: a digest saves the list of most.
    Few,
    /// In most of its ranges: a digest would only be followed by the list.
    Everywhere,
}

/// One table.
pub struct Field<'a> {
    /// Its line of the plan.
    pub planned: &'a PlannedTable,
    /// What has come of it.
    pub compared: Compared,
    /// How its differences lie, as far as it has been seen.
    pub spread: Spread,
    /// What is still to be compared.
    pub todo: VecDeque<Stretch>,
    begin: Option<KeyCells>,
    /// Whether it is left to another cycle, because it was locked away.
    left: bool,
}

impl<'a> Field<'a> {
    /// Begins with a first small range and all that follows it.
    pub fn new(compared: Compared, first: Range<'a>) -> Field<'a> {
        let rest = KeyRange { after: first.keys.upto.clone(), upto: None };
        let mut todo = VecDeque::from([Stretch { keys: first.keys.clone(), known: Known::Small }]);
        if rest.after.is_some() {
            todo.push_back(Stretch { keys: rest, known: Known::Nothing });
        }
        let (planned, begin) = (first.table, first.keys.after);
        Field { planned, compared, spread: Spread::Few, todo, begin, left: false }
    }

    /// Returns whether nothing more is done with it.
    pub fn is_over(&self) -> bool {
        self.left || self.compared.stop.is_some() || self.todo.is_empty()
    }

    /// Returns whether what was found of it is not to be repaired.
    pub fn is_given_up(&self) -> bool {
        self.left || self.compared.stop.is_some()
    }

    /// Returns how many rows one digested range should hold.
    pub fn digested_rows(&self) -> u64 {
        (DIGESTED_BYTES / self.planned.row_bytes()).clamp(1, DIGESTED_ROWS)
    }

    /// Takes note that rows were found to be equal, or will be.
    pub fn count(&mut self, rows: u64) {
        self.compared.rows += rows;
        self.compared.scrub.rows_compared += rows;
    }

    /// Takes the table out for a fault of its own, or leaves it to another cycle while it is locked. Any other fault ends the
    /// cycle.
    pub fn fail(&mut self, lane: &Lane, fault: Fault) -> Result<(), Fault> {
        if fault.kind == FaultKind::Conflict && fault.table.is_some() && self.compared.repaired == 0 {
            self.left = true;
        } else {
            self.compared = Compared::failed(lane, self.compared.table, &table_fault(fault)?);
        }
        self.todo.clear();
        Ok(())
    }

    /// Returns what came of the table; nothing if it is left to another cycle.
    pub fn end(mut self, at: NaiveDateTime) -> Option<Compared> {
        if self.left {
            return None;
        }
        if self.compared.stop.is_none() {
            let upto = self.todo.front().and_then(|stretch| stretch.keys.after.clone());
            if self.todo.is_empty() || upto.is_some() && upto != self.begin {
                self.compared.advance(&KeyRange { after: self.begin, upto }, at);
            }
        }
        Some(self.compared)
    }
}
