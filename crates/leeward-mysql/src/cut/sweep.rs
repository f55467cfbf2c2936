//! Many questions of a sweep in one query: digests, lists of row hashes that say how far they reach, rows by key. The answer
//! is handed on as it arrives, in parts that are small whatever it holds.

use leeward_core::fault::{Fault, FaultKind};
use leeward_core::plan::PlannedTable;
use leeward_core::port::{Ask, TakeTold, Told};
use leeward_core::row::{KeyCells, RowBatch};
use mysql_async::Row;

use super::answer::of_table_alone;
use super::{BATCH_BYTES, KEYS_PER_FETCH, push_row, read_to_end};
use crate::digest::{self, Listing};
use crate::session::{RowEvent, Session};
use crate::sql;

const DOING: &str = "compare ranges";

/// Text of one query at most, unless one statement alone is longer: a quarter of the smallest `max_allowed_packet` that doctor
/// accepts, a thousand digests of usual tables, or the keys of tens of thousands of rows.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// One statement: its ask, and which of the ask's keys it fetches.
#[derive(Clone, Copy)]
struct Statement<'a> {
    ask: usize,
    what: &'a Ask<'a>,
    keys: &'a [KeyCells],
    is_last: bool,
}

/// Asks on a connection, in its present transaction.
pub async fn ask(session: &mut Session, asks: &[Ask<'_>], take: &mut dyn TakeTold) -> Result<(), Fault> {
    let statements: Vec<Statement<'_>> = asks.iter().enumerate().flat_map(|(at, what)| statements(at, what)).collect();
    let mut done = 0;
    // Each turn settles at least one statement.
    while done < statements.len() {
        let mut text = statements[done].text();
        let mut upto = done + 1;
        while upto < statements.len() && text.len() < TEXT_BYTES_MAX {
            text.push(b';');
            text.extend_from_slice(&statements[upto].text());
            upto += 1;
        }
        match send(session, &text, &statements[done..upto], take).await? {
            None => done = upto,
            // What is left of the ask that failed is not asked for.
            Some(failed) => done += statements[done..].partition_point(|statement| statement.ask <= failed),
        }
    }
    Ok(())
}

fn statements<'a>(ask: usize, what: &'a Ask<'a>) -> Vec<Statement<'a>> {
    let keys = match what {
        Ask::Rows { keys, .. } => keys.chunks(KEYS_PER_FETCH).collect(),
        Ask::Digest(_) | Ask::List { .. } => vec![[].as_slice()],
    };
    let last = keys.len().saturating_sub(1);
    keys.into_iter().enumerate().map(|(at, keys)| Statement { ask, what, keys, is_last: at == last }).collect()
}

impl Statement<'_> {
    fn text(&self) -> Vec<u8> {
        match self.what {
            Ask::Digest(range) => digest::query(range),
            Ask::List { range, rows_max } => digest::list_query(range, *rows_max),
            Ask::Rows { table, .. } => rows_query(table, self.keys),
        }
    }

    fn table(&self) -> &PlannedTable {
        match self.what {
            Ask::Digest(range) | Ask::List { range, .. } => range.table,
            Ask::Rows { table, .. } => table,
        }
    }
}

/// Returns the query for the rows with some keys.
pub(crate) fn rows_query(table: &PlannedTable, keys: &[KeyCells]) -> Vec<u8> {
    let select = format!("SELECT {} FROM {} WHERE ", sql::wire_list(&table.table), sql::table(table.name()));
    let mut query = select.into_bytes();
    sql::push_keys(&mut query, &table.table.row_key().unwrap_or_default(), keys);
    query
}

/// Sends statements and takes in their answers, up to the end or the first that fails. Returns the ask that has failed.
async fn send(
    session: &mut Session,
    text: &[u8],
    asked: &[Statement<'_>],
    take: &mut dyn TakeTold,
) -> Result<Option<usize>, Fault> {
    let mut rows = session.stream(DOING, text).await?;
    for statement in asked {
        let mut answer = Answer::new(*statement);
        loop {
            match rows.next().await {
                Ok(RowEvent::Row(row)) => answer.add(row, take).await?,
                Ok(RowEvent::EndOfSet) => break,
                Ok(RowEvent::EndOfAll) => return Err(Fault::new(FaultKind::Unexpected, DOING)),
                Err(fault) => {
                    let fault = of_table_alone(fault, statement.table().name())?;
                    take.take(Told::Failed { ask: statement.ask, fault }).await?;
                    return Ok(Some(statement.ask));
                }
            }
        }
        answer.end(take).await?;
    }
    read_to_end(&mut rows).await?;
    Ok(None)
}

/// What has arrived for one statement.
struct Answer<'a> {
    statement: Statement<'a>,
    batch: RowBatch,
    digest: Option<Result<leeward_core::digest::Digest, Fault>>,
    listing: Option<Listing<'a>>,
    /// What could not be read of it. It is read to its end all the same.
    unreadable: Option<Fault>,
}

impl<'a> Answer<'a> {
    fn new(statement: Statement<'a>) -> Self {
        let width = match statement.what {
            Ask::Rows { table, .. } => table.table.wire_columns().len(),
            _ => 0,
        };
        let listing = match statement.what {
            Ask::List { range, rows_max } => Some(Listing::new(range, *rows_max)),
            _ => None,
        };
        Answer { statement, batch: RowBatch::new(width), digest: None, listing, unreadable: None }
    }

    async fn add(&mut self, row: Row, take: &mut dyn TakeTold) -> Result<(), Fault> {
        let ask = self.statement.ask;
        match self.statement.what {
            Ask::Digest(range) => self.digest = Some(digest::read(&row, range)),
            Ask::Rows { .. } => {
                push_row(&mut self.batch, &row);
                // A wide row should not be held twice while it is waited for.
                drop(row);
                if self.batch.bytes() >= BATCH_BYTES {
                    let empty = RowBatch::new(self.batch.width());
                    take.take(Told::Rows { ask, rows: std::mem::replace(&mut self.batch, empty) }).await?;
                }
            }
            Ask::List { .. } if self.unreadable.is_some() => {}
            Ask::List { .. } => match self.listing.as_mut().map(|listing| listing.add(&row)) {
                Some(Ok(Some(part))) => take.take(part.told(ask)).await?,
                Some(Err(fault)) => self.unreadable = Some(fault),
                Some(Ok(None)) | None => {}
            },
        }
        Ok(())
    }

    async fn end(self, take: &mut dyn TakeTold) -> Result<(), Fault> {
        let ask = self.statement.ask;
        let unexpected = || Fault::new(FaultKind::Unexpected, DOING).of(self.statement.table().name());
        if let Some(fault) = self.unreadable {
            return take.take(Told::Failed { ask, fault }).await;
        }
        match self.statement.what {
            Ask::Digest(_) => match self.digest.ok_or_else(unexpected)? {
                Ok(digest) => take.take(Told::Digest { ask, digest }).await?,
                Err(fault) => return take.take(Told::Failed { ask, fault }).await,
            },
            Ask::Rows { .. } if self.batch.is_empty() => {}
            Ask::Rows { .. } => take.take(Told::Rows { ask, rows: self.batch }).await?,
            Ask::List { .. } => take.take(self.listing.ok_or_else(unexpected)?.end().told(ask)).await?,
        }
        match self.statement.is_last {
            true => take.take(Told::End { ask }).await,
            false => Ok(()),
        }
    }
}

impl digest::Part {
    fn told(self, ask: usize) -> Told {
        Told::Listed { ask, rows: self.rows, upto: self.upto, digest: self.digest }
    }
}
