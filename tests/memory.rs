//! One setting bounds the rows in memory, whatever their number and width. Peaks are argued from the setting: the process
//! itself, the rows that the setting lets in, and the copies of the widest row that a pass of it takes.

use anyhow::Result;
use leeward_testkit::each_kind;
use leeward_testkit::servers::{Kind, ServerOptions};
use mysql_async::prelude::Queryable;

use crate::support::Stage;

const MIB: u64 = 1 << 20;

/// Rows in memory, as the binary has it by default.
const MEMORY: u64 = 16 * MIB;

/// The process without rows: code, runtime, connections, plans. A build without optimization takes more than a release.
const PROCESS: u64 = 40 * MIB;

/// What a row that is alone exists in at most at one moment. As it is read: the driver's packet, and what it has been read
/// into. As it is written: the batch, the statement's value, and the driver's packets of it. Two more for buffers that grow or
/// that the driver and the allocator keep.
const COPIES: u64 = 5;

/// Peak that ordinary rows keep to.
const ORDINARY_MAX: u64 = 64 * MIB;

/// Returns the peak up to which rows of so many bytes may drive the process.
fn bound(widest: u64) -> u64 {
    PROCESS + MEMORY + COPIES * widest
}

/// Runs a command to its end, which must be this, and fails if it has taken more memory.
async fn peaks(stage: &Stage, arguments: &[&str], (code, most): (i32, u64)) -> Result<()> {
    let (ran, peak) = stage.leeward(arguments).start()?.ended_with_peak().await?;
    ran.exits(code);
    eprintln!("{arguments:?}: {} MiB resident at most, {} MiB allowed", peak / MIB, most / MIB);
    assert!(peak <= most, "{arguments:?} took {} MiB, {} MiB are argued for", peak / MIB, most / MIB);
    Ok(())
}

/// Servers that take rows of 64 MiB.
async fn stage_for_wide_rows(kind: Kind, name: &str) -> Result<Stage> {
    // Either family knows one of the two names of the redo log's size.
    let args = ["--max-allowed-packet=1G", "--loose-innodb-log-file-size=1G", "--loose-innodb-redo-log-capacity=1G"];
    let options = ServerOptions { extra_args: args.map(str::to_owned).to_vec(), ..ServerOptions::default() };
    Stage::own_with(kind, name, options).await
}

/// A row with so many MiB of every byte value there is, so that escaping lengthens it.
fn wide_row(id: u32, mib: u64) -> String {
    format!("({id}, REPEAT(UNHEX(SHA2('{id}', 256)), {}), NOW(6))", mib * MIB / 32)
}

each_kind! {
    async fn rows_of_64_mib_pass_alone_whatever_the_setting(kind: Kind) -> Result<()> {
        let stage = stage_for_wide_rows(kind, "wide").await?;
        stage.policy("[seed]\nchunk_rows = 200\nparallel = 4\n")?;
        stage
            .on_source(
                "CREATE TABLE wide (id INT NOT NULL PRIMARY KEY, body LONGBLOB NOT NULL,
                                    updated_at DATETIME(6) NOT NULL DEFAULT NOW(6) ON UPDATE NOW(6), KEY (updated_at));
                 CREATE TABLE mixed (id INT NOT NULL PRIMARY KEY, body LONGBLOB NOT NULL, at DATETIME(6) NOT NULL);
                 INSERT INTO mixed VALUES (0, 'narrow', NOW(6));",
            )
            .await?;
        let mut conn = stage.source_conn().await?;
        for doubled in 0..10 {
            let add = 1 << doubled;
            conn.query_drop(format!("INSERT INTO mixed SELECT id + {add}, body, at FROM mixed")).await?;
        }
        // Every chunk of the one table holds a wide row, so that all workers meet one at the same time.
        for id in 0..5 {
            let mib = if id % 2 == 0 { 64 } else { 16 };
            conn.query_drop(format!("REPLACE INTO mixed VALUES {}", wide_row(id * 200 + 100, mib))).await?;
        }
        // Together they are more than the bound: to keep them all would show.
        for (id, mib) in [(0, 64), (1, 16), (2, 64), (3, 64)] {
            conn.query_drop(format!("INSERT INTO wide VALUES {}", wide_row(id, mib))).await?;
        }
        peaks(&stage, &["seed"], (0, bound(64 * MIB))).await?;
        stage.assert_equal().await?;

        // Hashes travel, rows do not.
        peaks(&stage, &["verify"], (0, ORDINARY_MAX)).await?;

        stage
            .on_target(
                "UPDATE wide SET body=INSERT(body, 1000000, 1, 'x'), updated_at=updated_at;
                 DELETE FROM mixed WHERE id IN (100, 300);",
            )
            .await?;
        peaks(&stage, &["verify", "--repair"], (2, bound(64 * MIB))).await?;
        stage.assert_equal().await?;

        conn.query_drop("UPDATE wide SET body=INSERT(body, 2000000, 1, 'y')").await?;
        peaks(&stage, &["sync", "--once"], (0, bound(64 * MIB))).await?;
        stage.assert_equal().await?;
        conn.disconnect().await?;

        // The same rows by way of a store, at whose ends they are packed and unpacked.
        let place = format!("file://{}", stage.path("dumps").display());
        peaks(&stage, &["dump", "--to", &place], (0, bound(64 * MIB))).await?;
        stage.target().exec_script("DROP DATABASE wide; DROP DATABASE leeward;").await?;
        peaks(&stage, &["load", "--from", &place], (0, bound(64 * MIB))).await?;
        stage.assert_equal().await?;
        Ok(())
    }

    async fn ordinary_rows_take_64_mib_or_less(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "memory_ordinary").await?;
        for table in ["a", "b", "c", "d"] {
            stage
                .on_source(&format!(
                    "/*!80000 SET SESSION cte_max_recursion_depth = 100000 */;
                     /*M!100000 SET SESSION max_recursive_iterations = 100000 */;
                     CREATE TABLE {table} (id INT NOT NULL PRIMARY KEY, note TEXT NOT NULL, more LONGTEXT NOT NULL);
                     INSERT INTO {table}
                     WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
                     SELECT i, REPEAT(SHA2(i, 256), 4), REPEAT(SHA2(-i, 256), 8) FROM n;"
                ))
                .await?;
        }
        peaks(&stage, &["seed"], (0, ORDINARY_MAX)).await?;
        peaks(&stage, &["verify"], (0, ORDINARY_MAX)).await?;
        stage.assert_equal().await?;
        let place = format!("file://{}", stage.path("dumps").display());
        peaks(&stage, &["dump", "--to", &place], (0, ORDINARY_MAX)).await?;
        peaks(&stage, &["dump", "--spread", "--to", &place], (0, ORDINARY_MAX)).await?;
        stage.target().exec_script(&format!("DROP DATABASE {}; DELETE FROM leeward.chunk;", stage.database)).await?;
        peaks(&stage, &["load", "--from", &place], (0, ORDINARY_MAX)).await?;
        stage.assert_equal().await
    }

    async fn wide_values_of_every_kind_arrive_as_they_are(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "memory_kinds").await?;
        stage
            .on_source(
                "CREATE TABLE kinds (
                     a VARCHAR(40) CHARACTER SET latin1 NOT NULL, b INT NOT NULL, json JSON, line GEOMETRY,
                     latin MEDIUMTEXT CHARACTER SET latin1, wide LONGTEXT CHARACTER SET utf8mb4, raw LONGBLOB,
                     plain TEXT, after DOUBLE, PRIMARY KEY (a, b));
                 INSERT INTO kinds VALUES
                     ('none', 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
                     ('narrow', 1, '{\"a\": [1, null, 1.5]}', ST_GeomFromText('POINT(1 2)'), 'h\u{e4}', 'h\u{e4}', X'00FF09', 'x', 1.5),
                     ('json', 2, CONCAT('[\"', REPEAT('ab\u{e4}', 200000), '\"]'), NULL, 'x', NULL, X'5C0A', NULL, -0.1),
                     ('line', 3, NULL, ST_GeomFromText(CONCAT('LINESTRING(', REPEAT('1 1,', 40000), '2 2)')), '', '', '', '', 0),
                     ('latin', 4, NULL, NULL, REPEAT('\u{e4}', 700000), NULL, NULL, NULL, NULL),
                     ('wide', 5, '1', NULL, NULL, REPEAT('\u{20ac}\\t', 200000), NULL, 'y', 1e300),
                     ('r\u{e4}w', 6, NULL, NULL, NULL, NULL, REPEAT(X'00095C0A27FF', 100000), NULL, NULL),
                     ('sum', 7, NULL, NULL, REPEAT('l', 300000), REPEAT('w', 300000), NULL, NULL, 7);
                 CREATE TABLE keyless (note LONGTEXT);
                 INSERT INTO keyless VALUES (REPEAT('k', 700000)), (NULL), ('x');",
            )
            .await?;
        stage.seed().await?;
        stage.assert_equal().await?;
        stage.run(&["verify"]).await?.exits(0);
        // And once more by the way of a repair, which fetches by key and writes by statement.
        stage.on_target("DELETE FROM kinds; DELETE FROM keyless;").await?;
        stage.run(&["verify", "--repair"]).await?.exits(2);
        stage.assert_equal().await
    }

    async fn a_setting_that_is_too_small_is_refused_before_anything_is_changed(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "memory_refused").await?;
        stage.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY);").await?;
        let refused = stage.run(&["seed", "--memory", "1 MiB"]).await?.exits(3);
        refused.says(&["--memory", "too little", "4.0 MiB"]);
        stage.run(&["seed", "--memory", "plenty"]).await?.exits(3).says(&["not a size", "16 MiB"]);
        stage.run(&["seed", "--memory", "4 MiB"]).await?.exits(0);
        stage.assert_equal().await
    }
}
