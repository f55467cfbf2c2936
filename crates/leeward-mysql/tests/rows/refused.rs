//! Bulk loads that the server does not take exactly: `LOAD DATA LOCAL` skips duplicates and bends values with no more than
//! a count of them in its answer.

use anyhow::{Context, Result, bail, ensure};
use async_trait::async_trait;
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::port::{ChunkLoader, ChunkOf, ChunkRecord, Control, Feed, Lease, LeaseAnswer, LoadMode};
use leeward_core::row::{KeyRange, RowBatch};
use leeward_mysql::control::MySqlControl;
use leeward_mysql::load::MySqlLoader;
use leeward_testkit::servers::pair;
use mysql_async::prelude::Queryable;

use crate::setup::{database, endpoint, open, planned_table};

const NAME: &str = "rows_refused";

/// Rows that are handed over at once.
struct Once(Option<RowBatch>);

#[async_trait]
impl Feed for Once {
    async fn next(&mut self) -> Result<Option<RowBatch>, Fault> {
        Ok(self.0.take())
    }
}

/// A thousand good rows and one more.
fn rows(last: [Option<&str>; 4]) -> Box<Once> {
    let mut batch = RowBatch::new(4);
    let ids: Vec<String> = (1_000..2_000).map(|id| id.to_string()).collect();
    let good = ids.iter().map(|id| [Some(id.as_str()), Some("abc"), Some("a"), Some("1")]);
    good.chain([last]).flatten().for_each(|cell| batch.push_cell(cell.map(str::as_bytes)));
    Box::new(Once(Some(batch)))
}

async fn leased(control: &mut MySqlControl) -> Result<Lease> {
    control.migrate().await?;
    match control.acquire(NAME, "test", 600).await? {
        LeaseAnswer::Granted(lease) => Ok(lease),
        other => bail!("{other:?}"),
    }
}

leeward_testkit::each_kind! {
    /// Such a chunk is rolled back with its record, whatever was wrong with one of its rows.
    async fn a_chunk_that_is_not_taken_exactly_leaves_nothing_behind_t42(kind: Kind) -> Result<()> {
        let target = &pair(kind).await?.target;
        let made = "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(3) NOT NULL, e ENUM('a','b') NULL, d TINYINT NULL)";
        database(target, NAME, &[made, "INSERT INTO t VALUES (1,'old','a',1)"]).await?;
        let mut session = open(target, NAME).await?;
        let table = planned_table(&mut session, NAME, "t").await?;
        session.run("end", "COMMIT").await?;
        let mut control = MySqlControl::connect(&endpoint(target)).await?;
        let lease = leased(&mut control).await?;
        let mut loader = MySqlLoader::connect(&endpoint(target)).await?;
        let mut conn = target.connect().await?;
        let keys = KeyRange::default();
        let chunk =
            ChunkRecord { table: table.name().clone(), seq: 0, keys, last: true, done: false, rows: 0, bytes: 0 };
        control.add_chunks(&lease, std::slice::from_ref(&chunk)).await?;
        let of = ChunkOf { table: &table, chunk: &chunk, claim: None };
        for last in [
            [Some("1"), Some("new"), Some("b"), Some("2")],
            [Some("3"), Some("long"), Some("b"), Some("2")],
            [Some("3"), None, Some("b"), Some("2")],
            [Some("3"), Some("new"), Some("c"), Some("2")],
            [Some("3"), Some("new"), Some("b"), Some("128")],
            [Some("x"), Some("new"), Some("b"), Some("2")],
        ] {
            let refused = loader.load(&lease, of, LoadMode::Bulk, rows(last)).await;
            ensure!(refused.as_ref().is_err_and(|fault| fault.kind == FaultKind::RowsRefused), "{last:?}: {refused:?}");
            let left: Option<(u64, String)> = conn.query_first(format!("SELECT COUNT(*), MAX(v) FROM {NAME}.t")).await?;
            ensure!(left == Some((1, "old".to_owned())), "{last:?}: {left:?} is left");
            ensure!(control.chunks(NAME).await?.iter().all(|chunk| !chunk.done), "{last:?}: recorded as done");
        }
        // Row by row, what stands in the way is written over.
        let last = [Some("1"), Some("new"), Some("b"), Some("2")];
        loader.load(&lease, of, LoadMode::Careful, rows(last)).await?;
        let new: Option<String> = conn.query_first(format!("SELECT v FROM {NAME}.t WHERE id=1")).await?;
        ensure!(new.context("the row")? == "new" && control.chunks(NAME).await?.iter().all(|chunk| chunk.done));
        control.release(&lease).await?;
        conn.disconnect().await.context("close the connection")
    }
}
