//! A seed that spares its source: it waits while the source is busy, and refuses what it could not keep.

use std::time::Duration;

use anyhow::{Context, Result};
use leeward_testkit::each_kind;
use leeward_testkit::proxy::Link;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::task::JoinHandle;

use crate::support::{ROW_VALUE, Stage, eventually};

/// Statements that an application runs at once: they wait for a lock that is held here.
struct Application {
    holder: Conn,
    statements: Vec<JoinHandle<Result<()>>>,
}

impl Application {
    async fn start(stage: &Stage, statements: usize) -> Result<Application> {
        let mut holder = stage.source().connect().await?;
        holder.query_drop("DO GET_LOCK('application', 1)").await?;
        let mut running = Vec::new();
        for _ in 0..statements {
            let mut conn = stage.source().connect().await?;
            running.push(tokio::spawn(async move {
                conn.query_drop("DO GET_LOCK('application', 300)").await?;
                conn.query_drop("DO RELEASE_LOCK('application')").await?;
                conn.disconnect().await.context("close the connection")
            }));
        }
        let waiting = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE 'DO GET_LOCK%'";
        eventually("the application is busy", async || {
            let seen: Option<usize> = holder.query_first(waiting).await?;
            Ok((seen == Some(statements)).then_some(()))
        })
        .await?;
        Ok(Application { holder, statements: running })
    }

    async fn end(mut self) -> Result<()> {
        self.holder.query_drop("DO RELEASE_LOCK('application')").await?;
        for statement in self.statements {
            statement.await.context("join a statement")??;
        }
        self.holder.disconnect().await.context("close the connection")
    }
}

/// Sixty chunks.
const ROWS: u32 = 6_000;

async fn fill(stage: &Stage) -> Result<()> {
    stage.policy("[seed]\nchunk_rows = 100\nparallel = 2\n[fence]\nunproven_overlap = \"2s\"\n")?;
    stage
        .on_source(&format!(
            "/*!80000 SET SESSION cte_max_recursion_depth = 100000 */;
             /*M!100000 SET SESSION max_recursive_iterations = 100000 */;
             CREATE TABLE t (id INT NOT NULL PRIMARY KEY, note VARCHAR(300) NOT NULL,
               updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
               KEY updated (updated_at));
             INSERT INTO t (id, note) WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n
               WHERE i < {ROWS}) SELECT i, CONCAT('{ROW_VALUE}', REPEAT('x', 150), i) FROM n;"
        ))
        .await
}

async fn chunks_done(stage: &Stage) -> Result<u64> {
    stage.target_value("SELECT COUNT(*) FROM leeward.chunk WHERE done=1").await
}

async fn has_control_schema(stage: &Stage) -> Result<bool> {
    let sql = "SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME='leeward'";
    Ok(stage.target_value::<u64>(sql).await? > 0)
}

async fn revoke_process(stage: &Stage) -> Result<()> {
    stage.source().exec_script("REVOKE PROCESS ON *.* FROM 'leeward_reader'@'%';").await
}

each_kind! {
    /// Before the first chunk: nothing is begun while the application is busy, the reason is told with both figures, and the
    /// seed goes on by itself. Fewer statements than the limit hold nothing back.
    async fn a_seed_waits_for_a_busy_source_says_why_and_goes_on(kind: Kind) -> Result<()> {
        let stage = Stage::own(kind, "busy_first").await?;
        fill(&stage).await?;
        let application = Application::start(&stage, 4).await?;
        let mut seed = stage.leeward(&["seed", "--max-source-load", "3"]).start()?;
        seed.says("waiting for the source: 4 threads run on the source, the limit is 3").await?;
        seed.says("copying rows").await?;
        seed.says("waiting for the source for ").await?;
        assert_eq!(chunks_done(&stage).await?, 0, "a chunk was begun");
        application.end().await?;
        seed.says("going on after ").await?;
        seed.ended().await?.exits(0).says(&["Seeded 1 tables", "s were spent waiting for the source to be less busy"]);
        stage.assert_equal().await
    }

    /// In the middle of the copy: what was begun is finished, and no more. A stop is obeyed at once, and the next run goes on.
    async fn a_copy_under_way_begins_no_chunk_while_the_source_is_busy(kind: Kind) -> Result<()> {
        let mut stage = Stage::own(kind, "busy_later").await?;
        fill(&stage).await?;
        let link = stage.target_through(Link::with_round_trip(Duration::from_millis(60))).await?;
        let mut seed = stage.leeward(&["seed", "--max-source-load", "threads=3,history=100000000"]).start()?;
        seed.says("copying rows").await?;
        eventually("chunks are copied", async || Ok((chunks_done(&stage).await? > 2).then_some(()))).await?;
        let application = Application::start(&stage, 5).await?;
        seed.says("waiting for the source: 5 threads run on the source, the limit is 3").await?;
        let begun = chunks_done(&stage).await?;
        seed.says("waiting for the source for ").await?;
        let done = chunks_done(&stage).await?;
        assert!(done <= begun + 2, "{begun} chunks were done when it began to wait, {done} later");
        assert!(done < u64::from(ROWS) / 100, "all was copied before the source was busy");
        seed.stop().await?.exits(0);
        link.set_delay(Duration::ZERO);
        application.end().await?;
        stage.run(&["seed", "--max-source-load", "3"]).await?.exits(0).says(&["Seeded 1 tables"]);
        stage.assert_equal().await
    }

    /// A limit that cannot be watched is refused before anything is changed, with the GRANT to run; without the limit the same
    /// account may seed.
    async fn a_limit_that_cannot_be_watched_is_refused_before_anything_is_changed(kind: Kind) -> Result<()> {
        let stage = Stage::own(kind, "busy_unseen").await?;
        fill(&stage).await?;
        revoke_process(&stage).await?;
        let refused = stage.run(&["seed", "--max-source-load", "8"]).await?.exits(3);
        refused.says(&["--max-source-load threads=8", "GRANT PROCESS ON *.* TO `leeward_reader`@`%`;"]);
        assert!(!has_control_schema(&stage).await?, "something was changed");
        let seeded = stage.run(&["seed"]).await?.exits(0);
        seeded.says(&["waiting until 2 s have passed since the copy began", "PROCESS is not granted"]);
        stage.assert_equal().await
    }

    /// A plan that counts on seeing open transactions is of no use to an account that cannot: it is refused before anything
    /// is changed, and a seed that was interrupted ends before it copies on, where it could never end.
    async fn a_plan_that_needs_process_is_not_followed_without_it(kind: Kind) -> Result<()> {
        let mut stage = Stage::own(kind, "plan_unseen").await?;
        fill(&stage).await?;
        stage.run(&["plan", "--out", "plan.json"]).await?.exits(0);
        revoke_process(&stage).await?;
        let refused = stage.run(&["seed", "--plan", "plan.json"]).await?.exits(3);
        refused.says(&["counts on seeing the source's open transactions", "grant PROCESS ON *.*"]);
        assert!(!has_control_schema(&stage).await?, "something was changed");

        stage.source().exec_script("GRANT PROCESS ON *.* TO 'leeward_reader'@'%';").await?;
        let link = stage.target_through(Link::with_round_trip(Duration::from_millis(60))).await?;
        let seed = stage.leeward(&["seed", "--lease-ttl", "5s"]).start()?;
        eventually("chunks are copied", async || {
            Ok((has_control_schema(&stage).await? && chunks_done(&stage).await.unwrap_or(0) > 2).then_some(()))
        })
        .await?;
        seed.kill().await?;
        let done = chunks_done(&stage).await?;
        revoke_process(&stage).await?;
        link.set_delay(Duration::ZERO);
        let ended = stage.run(&["seed", "--lease-ttl", "5s"]).await?.exits(1);
        ended.says(&["GRANT PROCESS ON *.* TO"]);
        assert_eq!(chunks_done(&stage).await?, done, "it copied on");
        Ok(())
    }
}
