//! What the source answers to one statement of a cut, handed on as it arrives.

use leeward_core::fault::{Decision, Fault, FaultKind};
use leeward_core::name::{Side, TableName};
use leeward_core::port::{CutPart, TakePart};
use leeward_core::row::{KeyCells, RowBatch};
use mysql_async::Row;

use super::question::What;
use super::{BATCH_BYTES, cells, push_row};
use crate::fence;

/// What has arrived for one statement.
pub(super) struct Answer<'a> {
    what: What<'a>,
    rows: u64,
    batch: RowBatch,
    border: Option<KeyCells>,
    /// Rows that are read when all are there.
    kept: Vec<Row>,
}

impl<'a> Answer<'a> {
    pub fn new(what: What<'a>) -> Self {
        let width = match what {
            What::Delta(_, table) => table.table.wire_columns().len(),
            _ => 0,
        };
        Answer { what, rows: 0, batch: RowBatch::new(width), border: None, kept: Vec::new() }
    }

    pub async fn add(&mut self, row: Row, take: &mut dyn TakePart) -> Result<(), Fault> {
        match self.what {
            What::Clock => {
                let at = fence::time(&row, 0)
                    .ok_or_else(|| Fault::new(FaultKind::Unexpected, "read the source's clock").on(Side::Source))?;
                take.take(CutPart::Opened { at }).await
            }
            What::Border(..) => {
                self.border = Some(cells(&row));
                Ok(())
            }
            What::Shape => {
                self.kept.push(row);
                Ok(())
            }
            What::Delta(delta, _) => {
                self.rows += 1;
                push_row(&mut self.batch, &row);
                // A wide row should not be held twice while it is written.
                drop(row);
                if self.batch.bytes() < BATCH_BYTES {
                    return Ok(());
                }
                let empty = RowBatch::new(self.batch.width());
                let full = std::mem::replace(&mut self.batch, empty);
                take.take(CutPart::Rows { delta, rows: full }).await
            }
        }
    }

    /// Hands on what is left, and returns the rows that are to be kept.
    pub async fn end(self, take: &mut dyn TakePart) -> Result<Option<Vec<Row>>, Fault> {
        match self.what {
            What::Clock => {}
            What::Shape => return Ok(Some(self.kept)),
            What::Border(border, _) => take.take(CutPart::BorderAt { border, upto: self.border }).await?,
            What::Delta(delta, _) => {
                if !self.batch.is_empty() {
                    take.take(CutPart::Rows { delta, rows: self.batch }).await?;
                }
                take.take(CutPart::Complete { delta, rows: self.rows }).await?;
            }
        }
        Ok(None)
    }

    /// Hands on a fault that concerns this table alone, and gives back one that concerns the whole cut.
    pub async fn failed(self, fault: Fault, take: &mut dyn TakePart) -> Result<(), Fault> {
        match self.what {
            What::Clock | What::Shape => Err(fault),
            What::Delta(delta, table) => {
                let fault = of_table_alone(fault, table.name())?;
                take.take(CutPart::Failed { delta, fault }).await
            }
            What::Border(border, table) => {
                let fault = of_table_alone(fault, table.name())?;
                take.take(CutPart::BorderFailed { border, fault }).await
            }
        }
    }
}

/// Returns the fault with its table if it concerns the table alone (it is to be quarantined, or is locked away just now),
/// else gives it back as an error.
pub(super) fn of_table_alone(fault: Fault, table: &TableName) -> Result<Fault, Fault> {
    let fault = fault.of(table);
    match fault.decision() {
        Decision::Quarantine { .. } => Ok(fault),
        _ if fault.kind == FaultKind::Conflict => Ok(fault),
        _ => Err(fault),
    }
}
