//! Links that break and servers that die: everything comes back by itself, nothing is lost and nothing done twice, and
//! what can be said meanwhile is said.

use std::time::{Duration, Instant};

use anyhow::Result;
use leeward_testkit::each_kind;
use leeward_testkit::proxy::{Direction, Link};
use mysql_async::prelude::Queryable;
use rustix::process::Signal;

use crate::support::{PASSWORD, Stage, eventually, query};

/// A table of every strategy; the keyless one would show a row that was written twice.
const TABLES: &str = "
    CREATE TABLE log (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, n INT NOT NULL);
    CREATE TABLE t (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, n INT NOT NULL,
      updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), KEY updated (updated_at));
    CREATE TABLE keyless (n INT NULL);
    INSERT INTO log (n) VALUES (1), (2); INSERT INTO t (n) VALUES (1), (2); INSERT INTO keyless VALUES (1), (1);";

const WRITES: &str = "INSERT INTO log (n) VALUES (3), (4); INSERT INTO t (n) VALUES (3); UPDATE t SET n = n + 1;
    INSERT INTO keyless VALUES (2);";

async fn prepare(stage: &Stage) -> Result<()> {
    stage.policy(
        "[[table]]\nmatch = \"*.log\"\nclass = \"insert_only\"\n\
         [scrub]\npass_interval = \"1d\"\nkeys_interval = \"1d\"\nreconcile_interval = \"1s\"\n",
    )?;
    stage.on_source(TABLES).await?;
    stage.seed().await?;
    Ok(())
}

/// Waits until no cycle has been committed for four times the interval, so that one is under way and waits.
async fn stands_still(stage: &Stage) -> Result<()> {
    let sql = format!("SELECT cycle FROM leeward.lane WHERE lane='{}'", stage.database);
    let mut last = (0, Instant::now());
    eventually("the lane stands still", async || {
        let cycle: u64 = stage.target_value(&sql).await?;
        if cycle != last.0 {
            last = (cycle, Instant::now());
        }
        Ok((last.1.elapsed() >= Duration::from_secs(1)).then_some(()))
    })
    .await
}

/// Waits until the lane counts as blocked, and returns what status says of it.
async fn blocked(stage: &Stage) -> Result<String> {
    eventually("the lane is blocked", async || {
        let status = stage.status().await?;
        Ok((status["lane"]["state"] == "blocked").then(|| status.to_string()))
    })
    .await
}

each_kind! {
    /// The source is refused, resets, and falls silent without a reset. Status and readiness answer all the time; when
    /// it is back, the lane goes on by itself.
    async fn a_source_that_goes_and_comes_back_is_followed_again(kind: Kind) -> Result<()> {
        let mut stage = Stage::shared(kind, "source_gone").await?;
        prepare(&stage).await?;
        let proxy = stage.source_through(Link::default()).await?;
        stage.source_url.push_str("?read_timeout=2s&connect_timeout=2s");
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        proxy.reset_all();
        stage.on_source(WRITES).await?;
        stage.caught_up().await?;
        proxy.refuse().await?;
        proxy.reset_all();
        stage.on_source(WRITES).await?;
        let said = blocked(&stage).await?;
        assert!(said.contains("source"), "{said}");
        stage.run(&["status"]).await?.exits(2).says(&["blocked", "source"]);
        stage.run(&["readiness"]).await?.exits(2).says(&["NOT_READY", "SYNC-01"]);
        proxy.accept().await?;
        stage.caught_up().await?;
        proxy.stall();
        stage.on_source(WRITES).await?;
        blocked(&stage).await?;
        proxy.resume();
        stage.caught_up().await?;
        sync.stop().await?.exits(0);
        stage.sync_once().await?;
        stage.run(&["verify", "--repair"]).await?;
        stage.assert_equal().await
    }

    /// The same of the target. Nothing can be said from there while it is gone, so the log says it.
    async fn a_target_that_goes_and_comes_back_is_written_again(kind: Kind) -> Result<()> {
        let mut stage = Stage::shared(kind, "target_gone").await?;
        prepare(&stage).await?;
        let direct = stage.target_url.clone();
        let proxy = stage.target_through(Link::default()).await?;
        stage.target_url.push_str("?read_timeout=2s&connect_timeout=2s");
        let mut sync = stage.start_sync()?;
        stage.caught_up().await?;
        proxy.refuse().await?;
        proxy.reset_all();
        stage.on_source(WRITES).await?;
        sync.says("trying again").await?;
        stage.run(&["status"]).await?.exits(1).says(&["target"]);
        proxy.accept().await?;
        stage.caught_up().await?;
        proxy.stall();
        stage.on_source(WRITES).await?;
        sync.says("no answer in time").await?;
        proxy.resume();
        stage.caught_up().await?;
        sync.stop().await?.exits(0);
        stage.target_url = direct;
        stage.run(&["verify", "--repair"]).await?;
        stage.assert_equal().await
    }

    /// The answer to COMMIT is lost after the work was done, and before it was: read back, never guessed, neither twice
    /// nor not at all.
    async fn a_commit_whose_answer_is_lost_happens_once(kind: Kind) -> Result<()> {
        let mut stage = Stage::shared(kind, "lost_answer").await?;
        prepare(&stage).await?;
        let proxy = stage.target_through(Link::default()).await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        for cuts in 1..=6 {
            if cuts % 2 == 0 {
                proxy.cut_before_request("COMMIT");
            } else {
                proxy.cut_before_answer("COMMIT");
            }
            stage.on_source(WRITES).await?;
            proxy.wait_for_cuts(cuts).await;
            stage.caught_up().await?;
        }
        stage.scrubbed("keyless").await?;
        sync.stop().await?.exits(0);
        stage.assert_equal().await
    }

    /// The same in a seed, whose chunks would be there twice.
    async fn a_chunk_whose_commit_is_not_answered_is_there_once(kind: Kind) -> Result<()> {
        let mut stage = Stage::shared(kind, "lost_chunk").await?;
        stage.policy("[seed]\nchunk_rows = 100\nparallel = 2\n")?;
        stage.on_source(TABLES).await?;
        stage
            .on_source(
                "INSERT INTO t (n) WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 900)
                 SELECT i FROM n; INSERT INTO keyless SELECT n FROM t;",
            )
            .await?;
        let proxy = stage.target_through(Link::default()).await?;
        let mut seed = stage.leeward(&["seed"]).start()?;
        seed.says("copying rows").await?;
        proxy.cut_before_answer("COMMIT");
        proxy.wait_for_cuts(1).await;
        proxy.cut_before_answer("LOAD DATA");
        seed.ended().await?.exits(0);
        stage.assert_equal().await
    }

    /// Both servers in turn are killed and started again, as in a failover.
    async fn killed_servers_are_found_again_when_they_are_back(kind: Kind) -> Result<()> {
        let mut stage = Stage::own(kind, "killed_servers").await?;
        prepare(&stage).await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        stage.pair_mut()?.source.kill_hard()?;
        stage.run(&["status"]).await?;
        stage.run(&["readiness"]).await?.says(&["SYNC-01", "READY"]);
        stage.pair_mut()?.source.restart().await?;
        stage.on_source(WRITES).await?;
        stage.caught_up().await?;
        stage.pair_mut()?.target.kill_hard()?;
        stage.on_source(WRITES).await?;
        stage.pair_mut()?.target.restart().await?;
        stage.caught_up().await?;
        stage.scrubbed("keyless").await?;
        sync.stop().await?.exits(0);
        stage.assert_equal().await
    }

    /// A target that refuses writes for a while, as during a failover (T33): blocked with a remedy, then on by itself.
    async fn a_target_that_turns_read_only_blocks_the_lane_until_it_takes_writes_t33(kind: Kind) -> Result<()> {
        let stage = Stage::own(kind, "read_only").await?;
        prepare(&stage).await?;
        let mut sync = stage.start_sync()?;
        stage.caught_up().await?;
        stage.target().exec_script("SET GLOBAL read_only = ON;").await?;
        stage.on_source(WRITES).await?;
        sync.says("read_only").await?;
        stage.target().exec_script("SET GLOBAL read_only = OFF;").await?;
        stage.caught_up().await?;
        stage.scrubbed("keyless").await?;
        sync.stop().await?.exits(0);
        stage.assert_equal().await
    }
}

each_kind! {
    /// The source's password is changed under a running process: it reads the file again and goes on.
    async fn a_rotated_password_is_read_again(kind: Kind) -> Result<()> {
        let stage = Stage::own(kind, "rotated").await?;
        prepare(&stage).await?;
        stage.source().create_account("rotating", PASSWORD, "SELECT, PROCESS").await?;
        std::fs::write(stage.path("password"), format!("{PASSWORD}\n"))?;
        let leeward = stage.leeward(&["sync", "--source-password-file", "password", "--cycle-interval", "250ms"]);
        let url = stage.source().url("rotating", "").replace("rotating:@", "rotating@");
        let sync = leeward.env("LEEWARD_SOURCE_URL", &url).start()?;
        stage.caught_up().await?;
        std::fs::write(stage.path("password"), "Quay-new-never-shown\n")?;
        stage.source().exec_script("ALTER USER 'rotating'@'%' IDENTIFIED BY 'Quay-new-never-shown';").await?;
        let mut conn = stage.source().connect().await?;
        let threads = "SELECT ID FROM information_schema.PROCESSLIST WHERE USER = 'rotating'";
        for thread in query::<u64>(&mut conn, threads).await? {
            // A thread may have ended by itself in between.
            let _ = conn.query_drop(format!("KILL {thread}")).await;
        }
        conn.disconnect().await?;
        stage.on_source(WRITES).await?;
        stage.caught_up().await?;
        let ran = sync.stop().await?.exits(0);
        assert!(!ran.text().contains("never-shown"), "{}", ran.text());
        Ok(())
    }

    /// A process that waits for a source which says nothing stops when asked to, and soon; a second signal ends it at
    /// once.
    async fn a_process_that_waits_for_a_silent_source_can_be_stopped(kind: Kind) -> Result<()> {
        let mut stage = Stage::shared(kind, "silent_stop").await?;
        prepare(&stage).await?;
        let proxy = stage.source_through(Link::default()).await?;
        for signals in 1..=2 {
            let mut sync = stage.start_sync()?;
            stage.caught_up().await?;
            proxy.stall_one_way(Direction::ToClient);
            stands_still(&stage).await?;
            let asked = Instant::now();
            sync.signal(Signal::TERM)?;
            sync.says("stopping as asked").await?;
            if signals == 2 {
                sync.signal(Signal::TERM)?;
                sync.ended().await?.exits(143);
                assert!(asked.elapsed() < Duration::from_secs(2), "after {} ms", asked.elapsed().as_millis());
            } else {
                sync.ended().await?.exits(0);
                assert!(asked.elapsed() < Duration::from_secs(20), "after {} ms", asked.elapsed().as_millis());
            }
            proxy.resume();
        }
        stage.sync_once().await?;
        Ok(())
    }
}

/// How long a commit on the source may take to be seen on the target over a slow link at the default interval, in a test
/// on a busy machine. The measured median is in the benchmarks.
const LAG_MAX: Duration = Duration::from_secs(5);

each_kind! {
    /// The default interval over 70 ms: a commit is on the target soon, and a quiet lane does not write all the time.
    async fn a_commit_is_on_the_target_soon_over_a_slow_link(kind: Kind) -> Result<()> {
        let mut stage = Stage::shared(kind, "soon").await?;
        prepare(&stage).await?;
        let _proxy = stage.source_through(Link::with_round_trip(Duration::from_millis(70))).await?;
        let sync = stage.leeward(&["sync"]).start()?;
        stage.caught_up().await?;
        stage.on_source("INSERT INTO log (n) VALUES (99);").await?;
        let committed = Instant::now();
        let there = format!("SELECT COUNT(*) FROM {}.log WHERE n = 99", stage.database);
        eventually("the row is there", async || {
            Ok((stage.target_value::<u64>(&there).await? == 1).then_some(()))
        })
        .await?;
        assert!(committed.elapsed() < LAG_MAX, "after {} ms", committed.elapsed().as_millis());
        sync.stop().await?.exits(0);
        Ok(())
    }
}
