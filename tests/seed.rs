//! The first copy: killed, stopped, refused, adopted, and run while the source is being written.

use std::time::{Duration, Instant};

use anyhow::Result;
use leeward_testkit::each_kind;
use leeward_testkit::proxy::Link;

use crate::support::{ROW_VALUE, Running, Stage, eventually};

/// Rows of the wide table, and the chunk size that cuts them into fifty.
pub const WIDE_ROWS: u32 = 10_000;
pub const SMALL_CHUNKS: &str = "[seed]\nchunk_rows = 200\nparallel = 2\n";

/// A graceful stop must be over well within the 100 s that a container is given; ours is asked to be quick.
const STOP_MAX: Duration = Duration::from_secs(15);

pub fn wide_tables() -> String {
    format!(
        "CREATE TABLE kind (id INT NOT NULL PRIMARY KEY, name VARCHAR(40) NOT NULL);
         INSERT INTO kind VALUES (1, 'one'), (2, 'two'), (3, 'three');
         CREATE TABLE wide (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, kind_id INT NOT NULL, note VARCHAR(300) NOT NULL,
           updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
           KEY updated (updated_at), KEY noted (note(20)),
           CONSTRAINT wide_kind FOREIGN KEY (kind_id) REFERENCES kind (id));
         /*!80000 SET SESSION cte_max_recursion_depth = 100000 */;
         /*M!100000 SET SESSION max_recursive_iterations = 100000 */;
         INSERT INTO wide (kind_id, note) WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n
           WHERE i < {WIDE_ROWS}) SELECT i % 3 + 1, CONCAT('{ROW_VALUE}', REPEAT('x', 200), i) FROM n;
         CREATE TABLE keyless (a INT NULL, b VARCHAR(60) NULL);
         INSERT INTO keyless VALUES (1, '{ROW_VALUE}'), (1, '{ROW_VALUE}'), (NULL, NULL);"
    )
}

fn start_seed(stage: &Stage) -> Result<Running> {
    stage.leeward(&["seed", "--lease-ttl", "5s"]).start()
}

async fn chunks_done(stage: &Stage) -> Result<u64> {
    let there = "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA='leeward' AND TABLE_NAME='fact'";
    if stage.target_value::<u64>(there).await? == 0 {
        return Ok(0);
    }
    stage.target_value(&format!("SELECT COUNT(*) FROM leeward.chunk WHERE lane='{}' AND done=1", stage.database)).await
}

/// Waits until a running seed has copied so many chunks.
async fn copied(stage: &Stage, chunks: u64) -> Result<()> {
    eventually(&format!("{chunks} chunks are copied"), async || Ok((chunks_done(stage).await? >= chunks).then_some(())))
        .await
}

each_kind! {
    /// The barrier is drawn before the first row is read, so that the first look after the copy proves the marks: on a source
    /// where no transaction is older than the copy, every row is compared in the first cycle.
    async fn a_seed_of_a_quiet_source_compares_in_its_first_cycle(kind: Kind) -> Result<()> {
        let stage = Stage::own(kind, "seed_quiet").await?;
        stage.on_source(&wide_tables()).await?;
        stage.run(&["seed"]).await?.exits(0);
        let cycle = format!("SELECT cycle FROM leeward.lane WHERE lane='{}'", stage.database);
        assert_eq!(stage.target_value::<u64>(&cycle).await?, 1);
        stage.run(&["verify"]).await?.exits(0);
        Ok(())
    }

    /// Killed while it creates tables, while it copies, while it builds indexes and while it compares; each run goes on
    /// where the last one was. Rows are written and deleted in between.
    async fn a_seed_killed_at_many_moments_ends_equal_t6(kind: Kind) -> Result<()> {
        let mut stage = Stage::shared(kind, "seed_kill").await?;
        stage.policy(SMALL_CHUNKS)?;
        stage.on_source(&wide_tables()).await?;
        let _proxy = stage.source_through(Link::with_round_trip(Duration::from_millis(20))).await?;
        let mut seed = start_seed(&stage)?;
        seed.says("copying rows").await?;
        seed.kill().await?;
        let seed = start_seed(&stage)?;
        copied(&stage, 5).await?;
        seed.kill().await?;
        let before = chunks_done(&stage).await?;
        stage.on_source("DELETE FROM wide WHERE id % 7 = 0; UPDATE wide SET note = 'changed' WHERE id % 11 = 0;").await?;
        let mut seed = start_seed(&stage)?;
        seed.says("building secondary indexes").await?;
        seed.kill().await?;
        assert!(chunks_done(&stage).await? > before);
        stage.on_source("INSERT INTO wide (kind_id, note) VALUES (1, 'late'); DELETE FROM keyless LIMIT 1;").await?;
        let mut seed = start_seed(&stage)?;
        seed.says("comparing every row").await?;
        seed.kill().await?;
        stage.on_source("UPDATE wide SET id = 900000 WHERE id = 5;").await?;
        let ran = start_seed(&stage)?.ended().await?.exits(0);
        assert!(!ran.stderr.contains("copy seed_kill.wide: about"), "chunks were copied again:\n{}", ran.stderr);
        stage.assert_equal().await?;
        stage.run(&["verify"]).await?.exits(0);
        Ok(())
    }

    /// Loads into one table wait for each other, so no table waits for another to end.
    async fn large_tables_are_copied_in_turns(kind: Kind) -> Result<()> {
        let mut stage = Stage::shared(kind, "seed_turns").await?;
        stage.policy(SMALL_CHUNKS)?;
        stage.on_source(&wide_tables()).await?;
        stage.on_source("CREATE TABLE wider LIKE wide; INSERT INTO wider SELECT * FROM wide;").await?;
        let _proxy = stage.source_through(Link::with_round_trip(Duration::from_millis(20))).await?;
        let seed = start_seed(&stage)?;
        copied(&stage, 20).await?;
        seed.kill().await?;
        let done = |table| {
            format!("SELECT COUNT(*) FROM leeward.chunk WHERE lane='{}' AND done=1 AND table_name='{table}'", stage.database)
        };
        let (wide, wider): (u64, u64) =
            (stage.target_value(&done("wide")).await?, stage.target_value(&done("wider")).await?);
        assert!(wide >= 5 && wider >= 5, "{wide} chunks of one table, {wider} of the other");
        start_seed(&stage)?.ended().await?.exits(0);
        stage.assert_equal().await
    }

    /// T42: somebody writes rows into the target that a later chunk brings. A bulk load would skip the chunk's own; that chunk
    /// is loaded again in plain statements, and what was written is gone.
    async fn rows_written_during_the_copy_are_replaced_and_none_is_skipped_t42(kind: Kind) -> Result<()> {
        let mut stage = Stage::shared(kind, "seed_written").await?;
        stage.policy(SMALL_CHUNKS)?;
        stage.on_source(&wide_tables()).await?;
        let _proxy = stage.source_through(Link::with_round_trip(Duration::from_millis(40))).await?;
        let seed = start_seed(&stage)?;
        copied(&stage, 3).await?;
        // That this is no duplicate shows that their chunk is still to come.
        let written = format!("INSERT INTO wide (id, kind_id, note) VALUES ({WIDE_ROWS}, 1, 'x'), ({}, 1, 'y');", WIDE_ROWS - 1);
        stage.on_target(&written).await?;
        seed.ended().await?.exits(0);
        stage.assert_equal().await?;
        assert_eq!(stage.table_record("wide").await?["state"]["state"], "live");
        Ok(())
    }

    /// SIGTERM ends a seed at once with 0; the next run needs not wait for a lease and copies nothing twice.
    async fn a_seed_stopped_by_a_signal_goes_on_at_once(kind: Kind) -> Result<()> {
        let mut stage = Stage::shared(kind, "seed_stop").await?;
        stage.policy(SMALL_CHUNKS)?;
        stage.on_source(&wide_tables()).await?;
        let proxy = stage.source_through(Link::with_round_trip(Duration::from_millis(40))).await?;
        // A lease that would hold its successor up for longer than the test may last.
        let seed = stage.leeward(&["seed", "--lease-ttl", "600s"]).start()?;
        copied(&stage, 3).await?;
        let asked = Instant::now();
        seed.stop().await?.exits(0);
        assert!(asked.elapsed() < STOP_MAX, "stopped after {} ms", asked.elapsed().as_millis());
        let status = stage.run(&["status", "--output", "json"]).await?.json()?;
        assert_eq!(status["lane"]["state"], "seeding", "{status:#}");
        // sync must not take up a half-seeded lane.
        stage.run(&["sync", "--once"]).await?.exits(3).says(&["leeward seed"]);
        proxy.set_delay(Duration::ZERO);
        stage.run(&["seed"]).await?.exits(0);
        stage.assert_equal().await
    }

    /// A target that holds tables of somebody else's is refused with 3 and left as it is; with `--adopt` its rows are
    /// compared and repaired.
    async fn a_filled_target_is_refused_untouched_and_repaired_when_adopted(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "adopt").await?;
        let table = "CREATE TABLE held (id INT NOT NULL PRIMARY KEY, note VARCHAR(60) NOT NULL,
             updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
             KEY updated (updated_at));";
        let row = |id: u32, note: &str| format!("INSERT INTO held VALUES ({id}, '{note}', '2020-01-01 00:00:00');");
        stage.on_source(&format!("{table} {} {}", row(1, "same"), row(2, ROW_VALUE))).await?;
        stage.on_source("CREATE TABLE absent (id INT NOT NULL PRIMARY KEY); INSERT INTO absent VALUES (1);").await?;
        stage.target().exec_script("CREATE DATABASE adopt CHARACTER SET utf8mb4;").await?;
        stage.on_target(&format!("{table} {} {}", row(1, "same"), row(2, "stale"))).await?;
        stage.on_target(&row(3, "extra")).await?;
        stage.run(&["seed"]).await?.exits(3).says(&["adopt.held", "--adopt"]);
        let tables = "SELECT GROUP_CONCAT(TABLE_NAME) FROM information_schema.TABLES WHERE TABLE_SCHEMA='adopt'";
        assert_eq!(stage.target_value::<String>(tables).await?, "held");
        assert_eq!(stage.target_value::<u64>("SELECT COUNT(*) FROM adopt.held").await?, 3);
        assert_eq!(stage.status().await?["lane"]["state"], "absent");
        stage.run(&["seed", "--adopt"]).await?.exits(0);
        stage.assert_equal().await?;
        stage.sync_once().await?;
        stage.assert_equal().await
    }

    /// A plan that was made before a change of definition is refused and names the table and the change.
    async fn a_stale_plan_is_refused_with_the_table_that_changed(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "stale_plan").await?;
        stage.on_source("CREATE TABLE one (id INT NOT NULL PRIMARY KEY); CREATE TABLE two (id INT NOT NULL PRIMARY KEY);").await?;
        stage.run(&["plan", "--out", "plan.json"]).await?.exits(0);
        stage.on_source("ALTER TABLE one ADD COLUMN more INT NULL; DROP TABLE two;").await?;
        stage
            .run(&["seed", "--plan", "plan.json"])
            .await?
            .exits(3)
            .says(&["stale", "stale_plan.one", "stale_plan.two", "leeward plan"]);
        assert_eq!(stage.status().await?["lane"]["state"], "absent");
        Ok(())
    }

    /// T24, T29: rows of many MiB go through the copy and through a delta, and tables whose names differ only in case
    /// are two tables.
    async fn huge_rows_and_names_that_differ_in_case_arrive_t24_t29(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "huge").await?;
        stage
            .on_source(
                "CREATE TABLE huge (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, body LONGBLOB NOT NULL, note LONGTEXT NULL,
                   updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
                   KEY updated (updated_at));
                 INSERT INTO huge (body, note) VALUES (REPEAT(x'00FF5C2722', 3300000), 'small'), ('', REPEAT('é', 4000000));
                 CREATE TABLE Named (id INT NOT NULL PRIMARY KEY, UserID INT NULL);
                 CREATE TABLE named (id INT NOT NULL PRIMARY KEY, userid INT NULL);
                 INSERT INTO Named VALUES (1, 1); INSERT INTO named VALUES (1, 2), (2, 2);",
            )
            .await?;
        stage.seed().await?;
        stage.assert_equal().await?;
        stage
            .on_source(
                "UPDATE huge SET note = REPEAT('x', 9000000) WHERE id = 1;
                 INSERT INTO huge (body) VALUES (REPEAT(x'0A0D1A00', 4100000)), ('tiny');",
            )
            .await?;
        stage.sync_once().await?;
        stage.assert_equal().await?;
        stage.run(&["verify"]).await?.exits(0);
        Ok(())
    }

    /// T8, T9, T10: the copy goes chunk by chunk through keys past 2^63, keys with gaps that would hold millions of empty
    /// chunks, keys of several numbers, and letters in an order that is not that of their bytes. A unique key with NULL in it
    /// tells no rows apart: its table is copied whole.
    async fn keys_of_every_kind_are_copied_in_chunks_without_a_gap_t8_t9_t10(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "seed_keys").await?;
        stage.policy("[seed]\nchunk_rows = 4\nparallel = 3\n")?;
        stage
            .on_source(
                "CREATE TABLE n (i INT NOT NULL PRIMARY KEY);
                 INSERT INTO n WITH RECURSIVE n AS (SELECT 0 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 40) SELECT i FROM n;
                 CREATE TABLE beyond (id BIGINT UNSIGNED NOT NULL PRIMARY KEY, n INT);
                 INSERT INTO beyond SELECT 18446744073709551615 - i, i FROM n UNION ALL SELECT CAST(9223372036854775798 AS UNSIGNED) + i, i FROM n
                   UNION ALL SELECT i, i FROM n;
                 CREATE TABLE ticks (id BIGINT NOT NULL PRIMARY KEY, n INT);
                 INSERT INTO ticks SELECT 637000000000000000 + i * 10000000000 * (i + 1), i FROM n;
                 CREATE TABLE paired (a INT NOT NULL, b INT NOT NULL, n INT, PRIMARY KEY (b, a));
                 INSERT INTO paired SELECT i * 7919 % 41 - 20, i % 3, i FROM n;
                 CREATE TABLE worded (code VARCHAR(20) COLLATE utf8mb4_general_ci NOT NULL PRIMARY KEY, n INT);
                 INSERT INTO worded SELECT CONCAT(ELT(i % 6 + 1, 'a', 'B', 'é', 'Z', '_', 'ß'), i), i FROM n;
                 CREATE TABLE bytes (id VARBINARY(8) NOT NULL PRIMARY KEY, n INT);
                 INSERT INTO bytes SELECT CONCAT(CHAR(i DIV 3), REPEAT(CHAR(0), i % 3)), i FROM n;
                 CREATE TABLE maybe (u INT NULL, n INT NULL, UNIQUE KEY u (u));
                 INSERT INTO maybe SELECT IF(i % 2, i, NULL), i % 5 FROM n;",
            )
            .await?;
        stage.seed().await?;
        stage.assert_equal().await?;
        let lane = &stage.database;
        let most = format!(
            "SELECT MAX(chunks - copied DIV 4) FROM (SELECT COUNT(*) chunks, CAST(SUM(row_count) AS SIGNED) copied
               FROM leeward.chunk WHERE lane='{lane}' AND table_name <> 'maybe' GROUP BY table_name) t"
        );
        assert_eq!(stage.target_value::<i64>(&most).await?, 1, "chunks are full but for the last one of each table");
        stage.on_source("DELETE FROM maybe WHERE u IS NULL LIMIT 3; UPDATE maybe SET u = NULL WHERE u = 7;").await?;
        stage.on_source("UPDATE beyond SET n = -1 WHERE id > 9223372036854775800; DELETE FROM ticks WHERE n = 9;").await?;
        stage.run(&["verify"]).await?.exits(2);
        stage.run(&["verify", "--repair"]).await?.exits(2);
        stage.assert_equal().await
    }

    /// The target ends connections to the control schema that are silent for two read time-outs. Making this many tables takes
    /// longer.
    async fn no_step_of_a_seed_takes_too_long_for_the_target(kind: Kind) -> Result<()> {
        let mut stage = Stage::shared(kind, "silent").await?;
        let tables: Vec<String> =
            (0..400).map(|n| format!("CREATE TABLE t{n} (id INT NOT NULL PRIMARY KEY, n VARCHAR(60));")).collect();
        stage.on_source(&tables.concat()).await?;
        stage.on_source(&format!("INSERT INTO t7 VALUES (1, '{ROW_VALUE}');")).await?;
        stage.target_url.push_str("?read_timeout=1s");
        stage.seed().await?;
        stage.assert_equal().await
    }
}
