//! Hundreds of small tables: copied many at a time, killed in the middle, and far away.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::Result;
use leeward_testkit::each_kind;
use leeward_testkit::proxy::Link;

use crate::support::{ROW_VALUE, Running, Stage, assert_same_definitions, eventually};

/// Tables of the copies that are killed, and rows of each.
const TABLES: u64 = 300;
const ROWS: u64 = 20;

/// Round trips to the source that 270 more tables may cost on top: 10 jobs, some borders, some cycles of the comparison. With
/// one round trip a table it would be 270.
const MORE_TRIPS_MAX: u64 = 50;

/// Tables by turns: plain, with secondary indexes, with a foreign key, without a key. In the last one a row that arrives
/// twice cannot be told from a row that is there twice.
fn small_tables(tables: u64) -> String {
    let mut sql = String::new();
    let rows: Vec<String> = (1..=ROWS).map(|id| format!("({id}, {}, '{ROW_VALUE}{id}')", id % 3 + 1)).collect();
    for at in 0..tables {
        let (columns, more) = match at % 4 {
            0 => ("id INT NOT NULL PRIMARY KEY", String::new()),
            1 => ("id INT NOT NULL PRIMARY KEY", ", KEY (n), KEY noted (note(10), n)".to_owned()),
            2 => ("id INT NOT NULL PRIMARY KEY", format!(", CONSTRAINT to{at} FOREIGN KEY (n) REFERENCES t0 (id)")),
            _ => ("id INT NULL", String::new()),
        };
        let _ = writeln!(
            sql,
            "CREATE TABLE t{at} ({columns}, n INT NOT NULL, note VARCHAR(60) NOT NULL{more});
             INSERT INTO t{at} VALUES {};",
            rows.join(",")
        );
    }
    sql
}

fn start_seed(stage: &Stage) -> Result<Running> {
    stage.leeward(&["seed", "--lease-ttl", "5s"]).start()
}

/// Returns how many chunks are recorded as copied, and how many rows they brought.
async fn copied(stage: &Stage) -> Result<(u64, u64)> {
    let of = format!("FROM leeward.chunk WHERE lane='{}' AND done=1", stage.database);
    let chunks = stage.target_value(&format!("SELECT COUNT(*) {of}")).await?;
    Ok((chunks, stage.target_value(&format!("SELECT CAST(COALESCE(SUM(row_count), 0) AS UNSIGNED) {of}")).await?))
}

each_kind! {
    /// Killed while tables are copied together, and while what they lack is added. What was committed is not copied again,
    /// and nothing is left out.
    async fn small_tables_copied_together_survive_a_kill_without_a_gap_or_a_double(kind: Kind) -> Result<()> {
        let mut stage = Stage::shared(kind, "many_killed").await?;
        stage.policy("[seed]\nparallel = 1\n")?;
        stage.on_source(&small_tables(TABLES)).await?;
        // One worker over a long way: some ten jobs, each of which takes longer than it takes to see it done.
        let _proxy = stage.source_through(Link::with_round_trip(Duration::from_millis(200))).await?;
        let mut seed = start_seed(&stage)?;
        seed.says("copying rows").await?;
        eventually("some tables are copied", async || Ok((copied(&stage).await?.0 > 0).then_some(()))).await?;
        seed.kill().await?;
        let (before, _) = copied(&stage).await?;
        assert!(before < TABLES, "{before} tables were copied before the kill");
        stage.on_source("DELETE FROM t7 WHERE id = 3; UPDATE t4 SET note = 'changed'; INSERT INTO t299 VALUES (1, 1, 'late');").await?;
        let mut seed = start_seed(&stage)?;
        seed.says("building secondary indexes").await?;
        seed.kill().await?;
        let (chunks, rows) = copied(&stage).await?;
        assert_eq!(chunks, TABLES, "each table is one chunk");
        assert!((TABLES * ROWS - 1..=TABLES * ROWS + 1).contains(&rows), "{rows} rows");
        start_seed(&stage)?.ended().await?.exits(0);
        assert_eq!(copied(&stage).await?, (chunks, rows), "chunks were copied again");
        stage.assert_equal().await?;
        assert_same_definitions(&stage).await?;
        stage.run(&["verify"]).await?.exits(0);
        Ok(())
    }

    /// A table that has grown far beyond its estimate is not taken for a small one, and what stands in the way of a bulk load
    /// of several tables costs none of the others.
    async fn tables_that_cannot_be_copied_together_are_copied_alone_t35_t42(kind: Kind) -> Result<()> {
        let mut stage = Stage::shared(kind, "many_odd").await?;
        let mut tables = small_tables(20);
        for grown in ["grown", "grown_too"] {
            let _ = writeln!(
                tables,
                "CREATE TABLE {grown} (id INT NOT NULL PRIMARY KEY, note VARCHAR(900) NOT NULL) STATS_AUTO_RECALC=0;
                 ANALYZE TABLE {grown};
                 /*!80000 SET SESSION cte_max_recursion_depth = 100000 */;
                 /*M!100000 SET SESSION max_recursive_iterations = 100000 */;
                 INSERT INTO {grown} WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 4000)
                   SELECT i, CONCAT(REPEAT('x', 880), i) FROM n;"
            );
        }
        stage.on_source(&tables).await?;
        let proxy = stage.source_through(Link::with_round_trip(Duration::from_millis(100))).await?;
        let mut seed = start_seed(&stage)?;
        // The tables are there, and no row has been read: the first border is a round trip away.
        seed.says("copying rows").await?;
        stage.on_target("INSERT INTO t5 VALUES (3, 1, 'somebody else was here');").await?;
        proxy.set_delay(Duration::ZERO);
        seed.ended().await?.exits(0);
        let (chunks, rows) = copied(&stage).await?;
        assert_eq!((chunks, rows), (22, 20 * ROWS + 8_000));
        stage.assert_equal().await
    }

    /// The number of round trips to the source hardly depends on the number of tables.
    async fn ten_times_the_tables_take_hardly_more_round_trips(kind: Kind) -> Result<()> {
        let mut trips = Vec::new();
        for tables in [30, 300] {
            let mut stage = Stage::shared(kind, &format!("many_{tables}")).await?;
            stage.on_source(&small_tables(tables)).await?;
            let proxy = stage.source_through(Link::with_round_trip(Duration::from_millis(10))).await?;
            let before = proxy.counters().round_trips;
            stage.seed().await?;
            trips.push(proxy.counters().round_trips - before);
            stage.assert_equal().await?;
        }
        println!("{kind}: {} round trips for 30 tables, {} for 300", trips[0], trips[1]);
        assert!(trips[1] <= trips[0] + MORE_TRIPS_MAX, "{trips:?} round trips for 30 and 300 tables");
        Ok(())
    }
}
