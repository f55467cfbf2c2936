//! One copy shared by several processes: killed, frozen and stopped ones, and a leader's end.

use std::time::{Duration, Instant};

use anyhow::Result;
use leeward_testkit::each_kind;
use leeward_testkit::proxy::{Link, Proxy};
use leeward_testkit::servers::Kind;
use mysql_async::prelude::Queryable;
use rustix::process::Signal;

use crate::support::{ROW_VALUE, Running, Stage, eventually};

/// Rows of each of the two large tables, cut into sixty chunks.
const ROWS: u32 = 6_000;
const CHUNKS: u64 = 120;

/// Round trip to the target. A load takes half as many again as finding a chunk and putting it up, so that the leader's one
/// worker cannot keep up with what the leader finds.
const ROUND_TRIP: Duration = Duration::from_millis(40);

/// A stage with 120 chunks to copy, which take a process alone half a minute.
async fn stage(kind: Kind, name: &str) -> Result<(Stage, Proxy)> {
    let mut stage = Stage::shared(kind, name).await?;
    stage.policy("[seed]\nchunk_rows = 100\nparallel = 1\n")?;
    let table = |name: &str| {
        format!(
            "CREATE TABLE {name} (id INT NOT NULL PRIMARY KEY, note VARCHAR(300) NOT NULL,
               updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
               KEY updated (updated_at), KEY noted (note(20)));
             INSERT INTO {name} (id, note) WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n
               WHERE i < {ROWS}) SELECT i * 7, CONCAT('{ROW_VALUE}', REPEAT('x', 150), i) FROM n;"
        )
    };
    stage
        .on_source(&format!(
            "/*!80000 SET SESSION cte_max_recursion_depth = 100000 */;
             /*M!100000 SET SESSION max_recursive_iterations = 100000 */;
             {} {}
             CREATE TABLE keyless (a INT NULL, b VARCHAR(60) NULL);
             INSERT INTO keyless VALUES (1, '{ROW_VALUE}'), (1, '{ROW_VALUE}'), (NULL, NULL);",
            table("first"),
            table("second")
        ))
        .await?;
    let proxy = stage.target_through(Link::with_round_trip(ROUND_TRIP)).await?;
    Ok((stage, proxy))
}

fn start(stage: &Stage, more: &[&str]) -> Result<Running> {
    stage.leeward(&[&["seed", "--lease-ttl", "5s"], more].concat()).start()
}

/// Returns which of these leads: who holds the lease names its process.
async fn leader(stage: &Stage, processes: &[Running]) -> Result<usize> {
    let sql = format!("SELECT COALESCE(MAX(holder), '') FROM leeward.lease WHERE lane='{}'", stage.database);
    eventually("one of them leads", async || {
        // The first of them is still making the control schema.
        let Ok(holder) = stage.target_value::<String>(&sql).await else { return Ok(None) };
        Ok(processes.iter().position(|process| holder.contains(&format!("/{}/", process.id()))))
    })
    .await
}

async fn count(stage: &Stage, of: &str) -> Result<u64> {
    stage.target_value(&format!("SELECT COUNT(*) FROM leeward.{of}")).await
}

async fn chunks_done(stage: &Stage) -> Result<u64> {
    count(stage, &format!("chunk WHERE lane='{}' AND done=1", stage.database)).await
}

/// Waits until a process has claims on so many chunks.
async fn claims(stage: &Stage, process: &Running, at_least: u64) -> Result<()> {
    let of = format!("chunk_claim WHERE lane='{}' AND member LIKE '%/{}/%'", stage.database, process.id());
    eventually("it has claimed chunks", async || Ok((count(stage, &of).await? >= at_least).then_some(()))).await
}

/// Waits until a process has loaded what it claimed first and has claimed more.
async fn helps(stage: &Stage, process: &Running) -> Result<()> {
    let ours =
        format!("FROM leeward.chunk_claim WHERE lane='{}' AND member LIKE '%/{}/%'", stage.database, process.id());
    claims(stage, process, 1).await?;
    let first: u64 = stage.target_value(&format!("SELECT COALESCE(MAX(id), 0) {ours}")).await?;
    let oldest = format!("SELECT COALESCE(MIN(id), 0) {ours}");
    eventually("it has loaded a chunk", async || Ok((stage.target_value::<u64>(&oldest).await? > first).then_some(())))
        .await
}

/// Every row arrived once, every chunk is recorded once and whole, and nothing is left to be claimed.
async fn is_whole(stage: &Stage) -> Result<()> {
    stage.assert_equal().await?;
    let lane = &stage.database;
    let done = format!(
        "SELECT CONCAT_WS(' ', COUNT(*), SUM(done), SUM(is_last), SUM(row_count), SUM(seq)) FROM leeward.chunk
           WHERE lane='{lane}' AND table_name <> 'keyless'"
    );
    let each = CHUNKS / 2;
    // A last chunk without a row ends each table.
    let seqs = each * (each + 1);
    let whole = format!("{0} {0} 2 {1} {2}", CHUNKS + 2, 2 * ROWS, seqs);
    let seen = stage.target_value::<String>(&done).await?;
    let exact = format!("{CHUNKS} {CHUNKS} 2 {} {}", 2 * ROWS, each * (each - 1));
    assert!(seen == whole || seen == exact, "chunks, done, last, rows, numbers: {seen}");
    assert_eq!(count(stage, &format!("chunk_claim WHERE lane='{lane}'")).await?, 0, "claims are left");
    stage.run(&["verify"]).await?.exits(0);
    Ok(())
}

each_kind! {
    /// Four identical commands share a copy; its leader and one who helps are killed in the middle. Another leads on, and in
    /// the end every row is there once.
    async fn of_four_that_share_a_seed_two_are_killed_and_every_row_arrives_once(kind: Kind) -> Result<()> {
        let (stage, link) = stage(kind, "join_kill").await?;
        let mut processes = (0..4).map(|_| start(&stage, &["--join"])).collect::<Result<Vec<_>>>()?;
        let at = leader(&stage, &processes).await?;
        let mut led = processes.remove(at);
        led.says("3 other processes share the copy").await?;
        let helper = processes.remove(0);
        claims(&stage, &helper, 1).await?;
        helper.kill().await?;
        let before = chunks_done(&stage).await?;
        eventually("more is copied", async || Ok((chunks_done(&stage).await? > before + 5).then_some(()))).await?;
        led.kill().await?;
        let before = chunks_done(&stage).await?;
        assert!(before < CHUNKS, "all was copied before anybody was killed");
        let at = leader(&stage, &processes).await?;
        link.set_delay(Duration::ZERO);
        let last = processes.remove(at).ended().await?.exits(0);
        let helped = processes.remove(0).ended().await?.exits(0);
        // A chunk of the keyless table loaded twice would have been brought up to date.
        last.says(&["Seeded 3 tables", " 0 of them brought up to date"]);
        helped.says(&["Helped to seed 3 tables"]);
        is_whole(&stage).await
    }

    /// A frozen process loses its claims to others. When it wakes up it commits nothing of what it was loading, and helps on.
    async fn a_frozen_helper_loses_its_claims_and_commits_nothing_when_it_wakes(kind: Kind) -> Result<()> {
        let (mut stage, link) = stage(kind, "join_frozen").await?;
        // The server ends what a frozen process has left open after two of these.
        stage.target_url.push_str("?read_timeout=5s");
        // An open transaction on the source keeps the seed from ending before the frozen process is awake again.
        let mut application = stage.source_conn().await?;
        application.query_drop("START TRANSACTION").await?;
        application.query_drop("INSERT INTO keyless VALUES (9, 'late')").await?;
        let mut led = start(&stage, &[])?;
        led.says("copying rows").await?;
        let mut helper = start(&stage, &["--join"])?;
        led.says("1 other process shares the copy").await?;
        helps(&stage, &helper).await?;
        helper.signal(Signal::STOP)?;
        let claimed = format!("chunk_claim WHERE lane='join_frozen' AND epoch=1 AND member LIKE '%/{}/%'", helper.id());
        let frozen = count(&stage, &claimed).await?;
        assert!(frozen > 0, "it was frozen between two chunks");
        link.set_delay(Duration::ZERO);
        eventually("others have its chunks", async || Ok((count(&stage, &claimed).await? == 0).then_some(()))).await?;
        helper.signal(Signal::CONT)?;
        helper.says("went to another process meanwhile").await?;
        application.query_drop("ROLLBACK").await?;
        application.disconnect().await?;
        led.ended().await?.exits(0).says(&["Seeded 3 tables", " 0 of them brought up to date", "rows were copied by other processes"]);
        helper.ended().await?.exits(0);
        is_whole(&stage).await
    }

    /// One who helps and is asked to stop gives its claims back at once: nobody waits for their term.
    async fn a_stopped_helper_gives_its_chunks_back_at_once(kind: Kind) -> Result<()> {
        let (stage, link) = stage(kind, "join_stop").await?;
        let mut led = stage.leeward(&["seed"]).start()?;
        led.says("copying rows").await?;
        let helper = stage.leeward(&["seed", "--join", "--lease-ttl", "600s"]).start()?;
        led.says("1 other process shares the copy").await?;
        let status = stage.run(&["status"]).await?;
        assert!(status.text().contains("1 other process shares the copy"), "{}", status.text());
        helps(&stage, &helper).await?;
        let asked = Instant::now();
        let id = helper.id();
        helper.stop().await?.exits(0);
        assert_eq!(count(&stage, &format!("chunk_claim WHERE lane='join_stop' AND member LIKE '%/{id}/%'")).await?, 0);
        assert_eq!(count(&stage, "seed_member WHERE lane='join_stop'").await?, 0);
        link.set_delay(Duration::ZERO);
        led.ended().await?.exits(0);
        assert!(asked.elapsed() < Duration::from_secs(100), "its claims were waited for");
        is_whole(&stage).await
    }

    /// A second seed that was not asked to join waits as ever, and does nothing meanwhile.
    async fn a_seed_that_was_not_asked_to_join_waits(kind: Kind) -> Result<()> {
        let (stage, link) = stage(kind, "join_not").await?;
        let mut led = start(&stage, &["--join"])?;
        led.says("copying rows").await?;
        let mut second = start(&stage, &[])?;
        second.says("another Leeward holds the lease").await?;
        assert_eq!(count(&stage, "seed_member WHERE lane='join_not'").await?, 0);
        second.stop().await?.exits(0);
        link.set_delay(Duration::ZERO);
        led.ended().await?.exits(0);
        is_whole(&stage).await
    }
}
