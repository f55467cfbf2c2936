//! Tables that are locked away or gone while a cut is read: each costs itself, wherever it stands in the query and whatever
//! else is locked with it, and never another table's rows.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use async_trait::async_trait;
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::name::Side;
use leeward_core::plan::PlannedTable;
use leeward_core::port::{Border, CutPart, CutRequest, Delta, DeltaStart, Range, Source, TakePart};
use leeward_core::row::KeyRange;
use leeward_mysql::cut::MySqlSource;
use leeward_mysql::endpoint::Endpoint;
use leeward_testkit::servers::pair;
use mysql_async::prelude::Queryable;

use crate::setup::{database, endpoint, open, planned};

/// Tables that neighbour each other in a query, the first and the last of it among them.
const TABLES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// What became of each delta and border.
#[derive(Debug, Default)]
struct Taken {
    rows: BTreeMap<usize, u64>,
    failed: BTreeMap<usize, FaultKind>,
    borders: usize,
    borders_failed: usize,
}

#[async_trait]
impl TakePart for Taken {
    async fn take(&mut self, part: CutPart) -> Result<(), Fault> {
        match part {
            CutPart::Complete { delta, rows } => drop(self.rows.insert(delta, rows)),
            CutPart::Failed { delta, fault } => drop(self.failed.insert(delta, fault.kind)),
            CutPart::BorderAt { .. } => self.borders += 1,
            CutPart::BorderFailed { .. } => self.borders_failed += 1,
            CutPart::Opened { .. } | CutPart::Rows { .. } | CutPart::Described(_) => {}
        }
        Ok(())
    }
}

fn request(tables: &[PlannedTable]) -> CutRequest<'_> {
    let delta = |table| Delta { table, column: "id", from: DeltaStart::Beginning, rows_max: 100 };
    let border = |table| Border { table, after: None, rows: 1 };
    CutRequest {
        deltas: tables.iter().map(delta).collect(),
        borders: tables.iter().map(border).collect(),
        ..CutRequest::default()
    }
}

leeward_testkit::each_kind! {
    /// A and B are locked, D is gone, F is locked: C and E are read and compared all the same.
    async fn tables_that_are_locked_or_gone_side_by_side_cost_the_others_nothing_t7(kind: Kind) -> Result<()> {
        let source = &pair(kind).await?.source;
        let name = "rows_locked";
        let make = TABLES.map(|table| {
            format!("CREATE TABLE {table} (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY) AS SELECT 1 AS id UNION SELECT 2")
        });
        database(source, name, &make.each_ref().map(String::as_str)).await?;
        let mut session = open(source, name).await?;
        let mut tables: Vec<PlannedTable> = planned(&mut session, name).await?.into_values().collect();
        session.run("end", "COMMIT").await?;
        tables.iter_mut().for_each(|table| table.mark_column = Some("id".to_owned()));
        let mut locker = source.connect().await?;
        locker.query_drop(format!("DROP TABLE {name}.d")).await?;
        locker.query_drop(format!("LOCK TABLES {name}.a WRITE, {name}.b WRITE, {name}.f WRITE")).await?;

        let mut reader = MySqlSource::connect(&Endpoint { side: Side::Source, ..endpoint(source) }).await?;
        let mut taken = Taken::default();
        let mut cut = reader.cut(&request(&tables), &mut taken).await?;
        ensure!(taken.rows == BTreeMap::from([(2, 2), (4, 2)]), "{taken:?}");
        let conflict = FaultKind::Conflict;
        let failed = [(0, conflict.clone()), (1, conflict.clone()), (3, FaultKind::TableMissing), (5, conflict)];
        ensure!(taken.failed == BTreeMap::from(failed), "{taken:?}");
        ensure!((taken.borders, taken.borders_failed) == (2, 4), "{taken:?}");
        let ranges: Vec<Range<'_>> = tables.iter().map(|table| Range { table, keys: KeyRange::default() }).collect();
        let digests = cut.digests(&ranges).await?;
        let read: Vec<bool> = digests.iter().map(Result::is_ok).collect();
        ensure!(read == [false, false, true, false, true, false], "{digests:?}");
        cut.close().await?;
        locker.query_drop("UNLOCK TABLES").await?;
        locker.disconnect().await?;
        Ok(())
    }
}
