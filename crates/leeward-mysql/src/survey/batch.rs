//! Sends many small statements in few round trips, where one that fails must not cost the answers of the others.

use leeward_core::fault::Fault;
use mysql_async::Row;

use crate::session::{RowEvent, Session};

/// Statements in one round trip. The server answers them one after the other; more would only make the wait for a slow
/// one longer, and at 70 ms a hundred already cost less than a millisecond each.
const STATEMENTS_MAX: usize = 100;

/// Failed statements after which the rest is given up: each costs a round trip, and a hundred refusals are a privilege
/// that is missing altogether.
const FAILURES_MAX: usize = 20;

/// Executes statements that have one result set each, and returns one answer for each: its rows or its fault.
///
/// # Errors
/// What breaks the session, and the last fault when more than a bound have failed.
pub(crate) async fn each(
    session: &mut Session,
    doing: &str,
    statements: &[String],
) -> Result<Vec<Result<Vec<Row>, Fault>>, Fault> {
    let mut answers = Vec::with_capacity(statements.len());
    let mut failures = 0;
    while answers.len() < statements.len() {
        let upto = statements.len().min(answers.len() + STATEMENTS_MAX);
        let batch = statements[answers.len()..upto].join(";\n");
        if let Err(fault) = read(session, doing, &batch, &mut answers).await {
            failures += 1;
            if session.is_broken() || failures > FAILURES_MAX {
                return Err(fault);
            }
            // What the server had answered before is kept; it goes on with the statement after the one that failed.
            answers.push(Err(fault));
        }
    }
    Ok(answers)
}

async fn read(
    session: &mut Session,
    doing: &str,
    batch: &str,
    answers: &mut Vec<Result<Vec<Row>, Fault>>,
) -> Result<(), Fault> {
    let mut rows = session.stream(doing, batch).await?;
    let mut set = Vec::new();
    loop {
        match rows.next().await? {
            RowEvent::Row(row) => set.push(row),
            RowEvent::EndOfSet => answers.push(Ok(std::mem::take(&mut set))),
            RowEvent::EndOfAll => return Ok(()),
        }
    }
}
