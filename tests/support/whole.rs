//! Whether a target that is written all the time is a state of the source: judged by rows that transactions of the
//! workloads write together, in one read view with the lane's own record.

use anyhow::{Context, Result, ensure};
use leeward_testkit::workload::{books, four_tables_rows};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::Stage;
use super::wait::eventually;

/// Looks at the target until so many different cycles have been seen while the lane was live, and fails at the first that
/// shows what the source never had. The four tables are in the stage's own database.
pub async fn assert_live_states_are_whole(stage: &Stage, books_database: &str, cycles: usize) -> Result<()> {
    let mut conn = stage.target().connect().await?;
    let mut seen = Vec::new();
    while seen.len() < cycles {
        let last = seen.last().copied();
        let next = eventually("the next cycle is live", async || {
            let cycle = live_cycle(stage, &mut conn, books_database).await?;
            Ok(cycle.filter(|cycle| Some(*cycle) != last))
        });
        seen.push(next.await?);
    }
    conn.disconnect().await.context("close the connection")
}

/// Looks once. Returns the lane's cycle when it is live, after judging what the target shows.
async fn live_cycle(stage: &Stage, conn: &mut Conn, books_database: &str) -> Result<Option<u64>> {
    conn.query_drop("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY").await?;
    let lane = format!("SELECT state, cycle FROM leeward.lane WHERE lane = '{}'", stage.database);
    let (state, cycle): (String, u64) = conn.query_first(lane).await?.context("the lane is stored")?;
    let rows = four_tables_rows(conn, &stage.database).await?;
    let books = books(conn, books_database).await?;
    conn.query_drop("COMMIT").await?;
    if state != "live" {
        return Ok(None);
    }
    ensure!(rows.is_whole(), "cycle {cycle} shows a state that the source never had: {rows:?}");
    ensure!(books.is_balanced(), "cycle {cycle} shows a state that the source never had: {books:?}");
    Ok(Some(cycle))
}
