//! Sends many small statements in few round trips, where one that fails must not cost the answers of the others.

use leeward_core::fault::Fault;
use mysql_async::Row;

use crate::session::{RowEvent, Session};

/// Statements in one round trip: at 70 ms each costs a seventh of a millisecond of it, less than the server takes to answer
/// one. Each answer is waited for by itself.
const STATEMENTS_MAX: usize = 500;

/// Bytes of statements in one round trip: a quarter of the smallest `max_allowed_packet` in use.
const BYTES_MAX: usize = 1 << 20;

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
    statements: &[impl AsRef<[u8]> + Sync],
) -> Result<Vec<Result<Vec<Row>, Fault>>, Fault> {
    let mut answers = Vec::with_capacity(statements.len());
    let mut failures = 0;
    while answers.len() < statements.len() {
        let batch = together(&statements[answers.len()..]);
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

/// Joins as many statements as go out at once, at least one.
fn together(statements: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let mut batch = Vec::new();
    for statement in statements.iter().take(STATEMENTS_MAX).map(AsRef::as_ref) {
        if !batch.is_empty() {
            if batch.len() + statement.len() > BYTES_MAX {
                break;
            }
            batch.extend_from_slice(b";\n");
        }
        batch.extend_from_slice(statement);
    }
    batch
}

async fn read(
    session: &mut Session,
    doing: &str,
    batch: &[u8],
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_bounded_in_statements_and_bytes_and_never_empty() {
        let count = |batch: Vec<u8>| batch.split(|byte| *byte == b';').count();
        assert_eq!(count(together(&["DO 0"; STATEMENTS_MAX + 1])), STATEMENTS_MAX);
        let long = "x".repeat(BYTES_MAX / 2);
        assert_eq!(count(together(&[long.as_str(), "DO 0", &long, "DO 0"])), 2);
        assert_eq!(count(together(&["x".repeat(BYTES_MAX + 1), "DO 0".to_owned()])), 1);
    }
}
