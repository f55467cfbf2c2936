//! A target whose disk fills up: blocked with a remedy, and on by itself when there is room.

use anyhow::Result;
use leeward_testkit::each_kind;
use leeward_testkit::servers::skip;

use crate::support::{Stage, eventually};

/// Room for the empty tables and some rows, in MiB, and room for all.
const TIGHT_MIB: u32 = 6;
const AMPLE_MIB: u32 = 120;

const TABLE: &str = "CREATE TABLE bulky (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, note VARCHAR(2000) NOT NULL,
    updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), KEY updated (updated_at));";

/// About 16 MiB.
const ROWS: &str =
    "INSERT INTO bulky (note) WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 900)
    SELECT REPEAT('x', 1900) FROM n;";

/// Gives the target's database little room; nothing where this process may not mount.
async fn tight(stage: &mut Stage, kind: leeward_testkit::servers::Kind) -> Result<Option<()>> {
    let database = stage.database.clone();
    match stage.pair_mut()?.target.create_limited_database(&database, TIGHT_MIB).await {
        Ok(()) => Ok(Some(())),
        Err(error) if format!("{error:#}").contains("the right to mount") => {
            skip("disk", kind, "file systems may not be mounted here")?;
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

each_kind! {
    /// In sync: status says that the disk is full and what to do; with room the lane goes on.
    async fn a_full_disk_blocks_the_lane_until_there_is_room(kind: Kind) -> Result<()> {
        let mut stage = Stage::own(kind, "full_disk").await?;
        if tight(&mut stage, kind).await?.is_none() {
            return Ok(());
        }
        stage.on_source(TABLE).await?;
        stage.seed().await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        for _ in 0..9 {
            stage.on_source(ROWS).await?;
        }
        let said = eventually("the lane is blocked", async || {
            let status = stage.status().await?;
            Ok((status["lane"]["state"] == "blocked").then(|| status["lane"].to_string()))
        })
        .await?;
        assert!(said.contains("disk is full") && said.contains("free space on the target"), "{said}");
        stage.run(&["status"]).await?.exits(2).says(&["disk is full", "free space on the target"]);
        let database = stage.database.clone();
        stage.pair_mut()?.target.set_database_limit_mib(&database, AMPLE_MIB)?;
        stage.caught_up().await?;
        sync.stop().await?.exits(0);
        stage.assert_equal().await
    }

    /// In seed: it says so, waits, and ends with 0 once there is room.
    async fn a_full_disk_holds_a_seed_up_until_there_is_room(kind: Kind) -> Result<()> {
        let mut stage = Stage::own(kind, "full_seed").await?;
        if tight(&mut stage, kind).await?.is_none() {
            return Ok(());
        }
        stage.policy("[seed]\nchunk_rows = 500\nparallel = 2\n")?;
        stage.on_source(TABLE).await?;
        for _ in 0..9 {
            stage.on_source(ROWS).await?;
        }
        let mut seed = stage.leeward(&["seed"]).start()?;
        seed.says("disk is full").await?;
        let database = stage.database.clone();
        stage.pair_mut()?.target.set_database_limit_mib(&database, AMPLE_MIB)?;
        seed.ended().await?.exits(0);
        stage.assert_equal().await
    }
}
