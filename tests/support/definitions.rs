//! Whether both sides define the same tables, and writers that go on while definitions change.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use leeward_testkit::servers::Server;
use mysql_async::prelude::Queryable;
use tokio::task::JoinHandle;

use super::stage::query;
use super::{Running, Stage, eventually};

/// Returns SHOW CREATE TABLE of every table of the test's database, without where counters stand.
async fn definitions(server: &Server, database: &str) -> Result<BTreeMap<String, String>> {
    let mut conn = server.connect().await?;
    let sql = format!(
        "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA='{database}' AND TABLE_TYPE='BASE TABLE'"
    );
    let names: Vec<String> = query(&mut conn, &sql).await?;
    let mut found = BTreeMap::new();
    for name in names {
        let shown: Vec<(String, String)> = query(&mut conn, &format!("SHOW CREATE TABLE {database}.{name}")).await?;
        let (_, text) = shown.into_iter().next().with_context(|| format!("{name} is shown"))?;
        let words = text.split(' ').filter(|word| !word.starts_with("AUTO_INCREMENT="));
        found.insert(name, words.collect::<Vec<_>>().join(" "));
    }
    conn.disconnect().await.context("close the connection")?;
    Ok(found)
}

/// Fails unless both sides define the same tables in the same way.
pub async fn assert_same_definitions(stage: &Stage) -> Result<()> {
    let source = definitions(stage.source(), &stage.database).await?;
    let target = definitions(stage.target(), &stage.database).await?;
    ensure!(source == target, "definitions differ:\n{source:#?}\n{target:#?}");
    Ok(())
}

/// Waits until both sides define the same tables and all are live, then stops and compares everything.
pub async fn ends_equal(stage: &Stage, sync: Running) -> Result<()> {
    let same = eventually("both sides define the same tables", async || {
        Ok(assert_same_definitions(stage).await.is_ok().then_some(()))
    });
    if let Err(late) = same.await {
        assert_same_definitions(stage).await.with_context(|| sync.stderr())?;
        return Err(late);
    }
    all_live(stage).await?;
    stage.all_scrubbed().await?;
    stage.caught_up().await?;
    sync.stop().await?.exits(0);
    assert_same_definitions(stage).await?;
    stage.assert_equal().await?;
    stage.run(&["verify"]).await?.exits(0);
    Ok(())
}

/// Waits until every table is live.
async fn all_live(stage: &Stage) -> Result<()> {
    let sql = format!("SELECT COUNT(*) FROM leeward.table_state WHERE lane='{}' AND state<>'live'", stage.database);
    eventually("every table is live", async || Ok((stage.target_value::<u64>(&sql).await? == 0).then_some(()))).await
}

/// Between two rounds of a writer.
const ROUND: Duration = Duration::from_millis(5);

/// A connection to the source that repeats statements until it is stopped. What a statement meets while its table is
/// being changed is its own affair.
pub struct Writer {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    task: JoinHandle<Result<()>>,
}

impl Writer {
    /// Starts to repeat `statements`, each for itself, with `{n}` in them growing by one a round.
    pub async fn start(stage: &Stage, statements: &[&str]) -> Result<Writer> {
        let statements: Vec<String> = statements.iter().map(|one| (*one).to_owned()).collect();
        let mut conn = stage.source_conn().await?;
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, counted) = (stop.clone(), done.clone());
        let task = tokio::spawn(async move {
            let mut round = 0u64;
            while !stopped.load(Ordering::Relaxed) {
                round += 1;
                for statement in &statements {
                    if conn.query_drop(statement.replace("{n}", &round.to_string())).await.is_ok() {
                        counted.fetch_add(1, Ordering::Relaxed);
                    }
                }
                // As many rounds as an application makes, not as many as the machine can.
                tokio::time::sleep(ROUND).await;
            }
            conn.disconnect().await.context("close the connection")
        });
        Ok(Writer { stop, done, task })
    }

    /// Ends it and returns how many statements were taken.
    pub async fn stop(self) -> Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.context("join the writer")??;
        Ok(self.done.load(Ordering::Relaxed))
    }
}
