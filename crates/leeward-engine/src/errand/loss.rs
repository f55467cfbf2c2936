//! Looks, before a column of the copy is dropped, whether the source's table still holds the rows that were copied. A table
//! that was dropped and made again with fewer columns looks like one that was altered, and its copy may be the last that
//! there is of it. Rows are counted, by their keys; what they hold is not compared.

use async_trait::async_trait;
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::name::Side;
use leeward_core::plan::PlannedTable;
use leeward_core::port::{Border, CutPart, CutRequest, Lease, Range, Servers, TakePart};
use leeward_core::row::{KeyCells, KeyRange};

use crate::clock;
use crate::pace::RANGE_ROWS_MAX;

/// What a table stands to lose.
#[derive(Debug, Clone)]
pub struct Loss {
    /// The table as the source has it.
    pub source: PlannedTable,
    /// The table as the target has it.
    pub target: PlannedTable,
    /// Rows that the source may lack: the brake's limit, since it has deleted them and the copy not yet.
    pub rows_max: u64,
}

/// Rows of one range on both sides.
struct Rows {
    source: u64,
    target: u64,
    upto: Option<KeyCells>,
}

impl Loss {
    /// Compares the numbers of rows, range by range: what only the target has is counted, and what only the source has does
    /// not make up for it.
    ///
    /// # Errors
    /// `Refused` when the source lacks more rows than it may.
    pub async fn check(&self, servers: &dyn Servers, lease: &Lease) -> Result<(), Fault> {
        let (mut after, mut lacking, mut held) = (None, 0u64, 0u64);
        // Each turn moves past a range of the source or ends at the table's end.
        loop {
            let began = clock::now();
            let rows = self.range(servers, lease, after).await?;
            lacking += rows.target.saturating_sub(rows.source);
            held += rows.source;
            if lacking > self.rows_max {
                return Err(self.refusal(format!("the source lacks {lacking} or more rows of the copy")));
            }
            after = rows.upto;
            if after.is_none() {
                break;
            }
            // No more than half of the source's time.
            clock::pause(clock::since(began)).await;
        }
        match held == 0 && lacking > 0 && !self.source.may_be_empty {
            true => Err(self.refusal("the source's table is empty and the copy is not".to_owned())),
            false => Ok(()),
        }
    }

    /// Counts one range. The cut and the transaction end with it, so that neither side has to keep old rows for long.
    async fn range(&self, servers: &dyn Servers, lease: &Lease, after: Option<KeyCells>) -> Result<Rows, Fault> {
        let mut source = servers.source().await?;
        let mut cut = source.cut(&CutRequest::default(), &mut Nothing).await?;
        let keyed = self.source.has_key();
        let upto = match keyed {
            true => cut.border(&Border { table: &self.source, after: after.clone(), rows: RANGE_ROWS_MAX }).await?,
            false => None,
        };
        let keys = KeyRange { after, upto: upto.clone() };
        let (there, here) =
            ([Range { table: &self.source, keys: keys.clone() }], [Range { table: &self.target, keys }]);
        let mut target = servers.target().await?;
        let mut apply = target.begin(lease).await?;
        let (there, here) = match keyed {
            true => {
                let (there, here) = tokio::join!(cut.key_digests(&there), apply.key_digests(&here));
                (one(there?)?.rows, one(here?)?.rows)
            }
            // Admitted by its size: small enough to be compared whole.
            false => {
                let (there, here) = tokio::join!(cut.digests(&there), apply.digests(&here));
                (one(there?)?.rows, one(here?)?.rows)
            }
        };
        apply.rollback().await?;
        cut.close().await?;
        Ok(Rows { source: there, target: here, upto })
    }

    fn refusal(&self, what: String) -> Fault {
        let why =
            format!("{what}: a table that was dropped and made again looks like that, and its columns would be lost");
        Fault::new(FaultKind::Refused(why), format!("drop columns of {}", self.target.name())).on(Side::Target)
    }
}

fn one<T>(answers: Vec<Result<T, Fault>>) -> Result<T, Fault> {
    let none = || Fault::new(FaultKind::Unexpected, "count the rows of a table");
    answers.into_iter().next().unwrap_or_else(|| Err(none()))
}

/// Takes nothing but the cut's clock, which is not needed.
struct Nothing;

#[async_trait]
impl TakePart for Nothing {
    async fn take(&mut self, _part: CutPart) -> Result<(), Fault> {
        Ok(())
    }
}
