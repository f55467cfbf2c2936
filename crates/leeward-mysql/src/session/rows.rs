//! Rows as they arrive, of one or several statements.

use std::time::Duration;

use leeward_core::fault::Fault;
use mysql_async::Row;

use super::{Patience, Session};

/// What comes next.
#[derive(Debug, PartialEq)]
pub enum RowEvent {
    /// A row of the current result set.
    Row(Row),
    /// The current result set has ended. Every SELECT and SHOW ends with one, also without a row; statements that have
    /// no result set (SET, START TRANSACTION, INSERT) give no event at all.
    EndOfSet,
    /// All statements have been executed and all rows read.
    EndOfAll,
}

/// The answer to one or several statements, row by row. Each wait is bounded by the read time-out.
///
/// Dropped before [`RowEvent::EndOfAll`] or an error, it breaks the session: the rest would have to be read to its end
/// first (T43). The server stops sending when it finds the socket closed; a statement that still computes goes on, see
/// [`Session::kill_statement`].
pub struct Rows<'a> {
    session: &'a mut Session,
    doing: String,
    limit: Duration,
    /// What the server has said against the first statement.
    refused: Option<Fault>,
    ended: bool,
}

impl<'a> Rows<'a> {
    pub(super) fn new(session: &'a mut Session, doing: &str, patience: Patience, refused: Option<Fault>) -> Self {
        let limit = session.limit(patience);
        Rows { session, doing: doing.to_owned(), limit, refused, ended: false }
    }

    /// Returns what comes next. After [`RowEvent::EndOfAll`] it repeats that.
    ///
    /// # Errors
    /// A statement that failed, once: nothing comes after it, and the session can be used again unless
    /// [`Session::is_broken`]. Also `TimedOut` and `Unreachable`.
    pub async fn next(&mut self) -> Result<RowEvent, Fault> {
        if self.ended {
            return Ok(RowEvent::EndOfAll);
        }
        let event = match self.refused.take() {
            Some(fault) => Err(fault),
            None => self.session.step(&self.doing, self.limit).await,
        };
        self.ended = !matches!(event, Ok(RowEvent::Row(_) | RowEvent::EndOfSet));
        event
    }
}

impl Drop for Rows<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.session.abandon();
        }
    }
}
