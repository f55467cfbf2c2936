//! Read views of one moment, shared by whoever reads. A view that breaks is gone, and the others go on: they show the same
//! moment. When the last one is gone, so is the moment.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use leeward_core::fault::{Decision, Fault, FaultKind};
use leeward_core::name::Side;
use leeward_core::port::{Border, ChunkReader, Most, Range, TakeRows};
use leeward_core::row::{KeyCells, RowBatch};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Views that are free, or in use.
pub(super) struct Views {
    free: Mutex<Vec<Box<dyn ChunkReader>>>,
    permits: Arc<Semaphore>,
    left: Mutex<usize>,
}

impl Views {
    pub(super) fn new(readers: Vec<Box<dyn ChunkReader>>) -> Arc<Views> {
        let left = readers.len();
        Arc::new(Views { free: Mutex::new(readers), permits: Arc::new(Semaphore::new(left)), left: Mutex::new(left) })
    }

    /// Waits for a free view.
    async fn take(self: &Arc<Views>) -> Result<Taken, Fault> {
        let permit = self.permits.clone().acquire_owned().await.map_err(|_| lost())?;
        let reader = self.free.lock().expect("no panic while held").pop();
        let reader = reader.ok_or_else(|| Fault::new(FaultKind::Unexpected, "take a read view"))?;
        Ok(Taken { views: self.clone(), reader: Some(reader), permit: Some(permit) })
    }

    fn lose(&self) {
        let mut left = self.left.lock().expect("no panic while held");
        *left = left.saturating_sub(1);
        if *left == 0 {
            self.permits.close();
        }
    }
}

fn lost() -> Fault {
    Fault::new(FaultKind::MomentLost, "read").on(Side::Source)
}

/// A view in use. Unless it is given back, it is gone: whoever was cancelled in the middle of an answer has broken it.
struct Taken {
    views: Arc<Views>,
    reader: Option<Box<dyn ChunkReader>>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Taken {
    /// Gives the view back, unless what came of its use says that it is broken.
    fn give_back<T>(mut self, used: Result<T, Fault>) -> Result<T, Fault> {
        let is_sound = match &used {
            Ok(_) => true,
            Err(fault) => matches!(fault.decision(), Decision::Quarantine { .. }),
        };
        if is_sound && let Some(reader) = self.reader.take() {
            self.views.free.lock().expect("no panic while held").push(reader);
            drop(self.permit.take());
        }
        used
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            permit.forget();
            self.views.lose();
        }
    }
}

/// Reads over whichever view is free.
pub(super) struct ViewReader(pub(super) Arc<Views>);

/// Takes rows until whoever they are for has failed, and lets the rest pass: an answer that is read to its end leaves its view
/// whole.
struct Polite<'t> {
    take: &'t mut dyn TakeRows,
    failed: Option<Fault>,
}

#[async_trait]
impl TakeRows for Polite<'_> {
    async fn take(&mut self, rows: RowBatch) -> Result<(), Fault> {
        if self.failed.is_none() {
            self.failed = self.take.take(rows).await.err();
        }
        Ok(())
    }
}

#[async_trait]
impl ChunkReader for ViewReader {
    async fn read(&mut self, range: &Range<'_>, take: &mut dyn TakeRows) -> Result<(), Fault> {
        let mut taken = self.0.take().await?;
        let mut polite = Polite { take, failed: None };
        let read = match &mut taken.reader {
            Some(reader) => reader.read(range, &mut polite).await,
            None => Err(lost()),
        };
        taken.give_back(read)?;
        polite.failed.map_or(Ok(()), Err)
    }

    async fn read_together(&mut self, _ranges: &[Range<'_>], _most: Most) -> Result<Option<Vec<RowBatch>>, Fault> {
        // What holds more than was thought is given up half-read, and a view with it.
        Ok(None)
    }

    async fn border(&mut self, border: &Border<'_>) -> Result<Option<KeyCells>, Fault> {
        let mut taken = self.0.take().await?;
        let found = match &mut taken.reader {
            Some(reader) => reader.border(border).await,
            None => Err(lost()),
        };
        taken.give_back(found)
    }

    async fn borders(&mut self, borders: &[Border<'_>]) -> Result<Vec<Result<Option<KeyCells>, Fault>>, Fault> {
        let mut taken = self.0.take().await?;
        let found = match &mut taken.reader {
            Some(reader) => reader.borders(borders).await,
            None => Err(lost()),
        };
        taken.give_back(found)
    }
}

#[cfg(test)]
mod tests {
    use leeward_core::class::{Class, Confidence, Strategy};
    use leeward_core::name::TableName;
    use leeward_core::plan::PlannedTable;
    use leeward_core::policy::OnDdl;
    use leeward_core::row::KeyRange;
    use leeward_core::table::Table;

    use super::*;

    /// Reads one row, or breaks.
    struct Fake {
        breaks: bool,
    }

    #[async_trait]
    impl ChunkReader for Fake {
        async fn read(&mut self, _range: &Range<'_>, take: &mut dyn TakeRows) -> Result<(), Fault> {
            if self.breaks {
                return Err(Fault::new(FaultKind::Unreachable, "read"));
            }
            take.take(RowBatch::new(1)).await?;
            take.take(RowBatch::new(1)).await
        }

        async fn read_together(&mut self, _: &[Range<'_>], _: Most) -> Result<Option<Vec<RowBatch>>, Fault> {
            Ok(None)
        }

        async fn border(&mut self, _: &Border<'_>) -> Result<Option<KeyCells>, Fault> {
            Ok(None)
        }

        async fn borders(&mut self, _: &[Border<'_>]) -> Result<Vec<Result<Option<KeyCells>, Fault>>, Fault> {
            Ok(Vec::new())
        }
    }

    /// Takes rows, or fails at the first.
    struct Taker {
        fails: bool,
    }

    #[async_trait]
    impl TakeRows for Taker {
        async fn take(&mut self, _rows: RowBatch) -> Result<(), Fault> {
            if self.fails { Err(Fault::new(FaultKind::TimedOut, "store")) } else { Ok(()) }
        }
    }

    fn table() -> PlannedTable {
        PlannedTable {
            table: Table {
                name: TableName::new("shop", "orders"),
                engine: "InnoDB".into(),
                collation: "utf8mb4_bin".into(),
                columns: Vec::new(),
                keys: Vec::new(),
                foreign_keys: Vec::new(),
                partitioned: false,
            },
            class: Class::UpdDel,
            strategy: Strategy::Reconcile,
            mark_column: None,
            overlap_s: 0,
            fallback: None,
            demoted: None,
            forgiven_until: None,
            soft_delete: None,
            tombstones: None,
            holds_tombstones: false,
            may_be_empty: false,
            ddl: OnDdl::Report,
            confidence: Confidence::High,
            reasons: Vec::new(),
            advice: Vec::new(),
            rows_estimate: 1,
            data_bytes: 1,
        }
    }

    fn views(breaks: &[bool]) -> Arc<Views> {
        Views::new(breaks.iter().map(|&breaks| Box::new(Fake { breaks }) as Box<dyn ChunkReader>).collect())
    }

    async fn read(views: &Arc<Views>, fails: bool) -> Option<FaultKind> {
        let table = table();
        let range = Range { table: &table, keys: KeyRange::default() };
        ViewReader(views.clone()).read(&range, &mut Taker { fails }).await.err().map(|fault| fault.kind)
    }

    #[tokio::test]
    async fn a_view_that_breaks_leaves_the_others_and_the_last_takes_the_moment_with_it() {
        let some = views(&[false, true]);
        assert_eq!(read(&some, false).await, Some(FaultKind::Unreachable));
        for _ in 0..3 {
            assert_eq!(read(&some, false).await, None, "the other view shows the same");
        }
        let none = views(&[true]);
        assert_eq!(read(&none, false).await, Some(FaultKind::Unreachable));
        assert_eq!(read(&none, false).await, Some(FaultKind::MomentLost));
    }

    #[tokio::test]
    async fn a_store_that_fails_breaks_no_view() {
        let views = views(&[false]);
        for _ in 0..3 {
            assert_eq!(read(&views, true).await, Some(FaultKind::TimedOut));
        }
        assert_eq!(read(&views, false).await, None);
    }
}
