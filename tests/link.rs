//! The way to the source: it is compressed where that carries more rows, what passes is counted as it passes, and it is
//! shown with its price.

use std::time::Duration;

use anyhow::{Context, Result};
use leeward_testkit::each_kind;
use leeward_testkit::proxy::Link;
use serde_json::Value;

use crate::support::Stage;

/// 70 ms and 8 MB/s: far, and slower than rows pass through zlib.
fn far_and_slow() -> Link {
    Link { bytes_per_s_max: Some(8_000_000), ..Link::with_round_trip(Duration::from_millis(70)) }
}

/// Rows that zlib makes a quarter of.
async fn fill(stage: &Stage) -> Result<()> {
    stage
        .on_source(
            "/*!80000 SET SESSION cte_max_recursion_depth = 100000 */;
             /*M!100000 SET SESSION max_recursive_iterations = 100000 */;
             CREATE TABLE t (id INT NOT NULL PRIMARY KEY, note LONGTEXT NOT NULL, bytes LONGBLOB NOT NULL);
             INSERT INTO t
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
             SELECT i, REPEAT(SHA2(i, 256), 8), UNHEX(SHA2(-i, 256)) FROM n;",
        )
        .await
}

fn number(value: &Value) -> Result<u64> {
    value.as_u64().with_context(|| format!("{value} is a number"))
}

each_kind! {
    async fn a_near_source_is_not_compressed_and_a_far_and_slow_one_is(kind: Kind) -> Result<()> {
        let mut stage = Stage::shared(kind, "link_auto").await?;
        fill(&stage).await?;
        let near = stage.seed().await?.says(&["the source leg is not compressed: round trip"]);
        stage.assert_equal().await?;
        assert!(near.stdout.contains("read from the source over the wire"), "{}", near.stdout);
        // On loopback nothing says a Region, and no price is guessed.
        assert!(near.stdout.contains("price unknown"), "{}", near.stdout);

        let proxy = stage.source_through(far_and_slow()).await?;
        stage.forget_the_target().await?;
        let far = stage.run(&["seed", "--output", "json"]).await?.exits(0);
        far.says(&["the source leg is compressed: round trip 7", "one connection carries"]);
        stage.assert_equal().await?;
        drop(proxy);
        Ok(())
    }

    async fn bytes_are_counted_as_they_pass_whether_compressed_or_not(kind: Kind) -> Result<()> {
        let mut stage = Stage::shared(kind, "link_counted").await?;
        fill(&stage).await?;
        std::fs::write(
            stage.path("prices.toml"),
            "version = 1\ndate = 2026-06-01\n[place]\nsource_region = \"a\"\ntarget_region = \"b\"\n\
             [[transfer]]\nfrom = \"a\"\nto = \"b\"\nusd_per_gb = 1024.0\nsource = \"a test\"\n",
        )?;
        let proxy = stage.source_through(Link::default()).await?;
        let mut counted = Vec::new();
        for how in ["off", "zlib"] {
            stage.forget_the_target().await?;
            let before = proxy.counters().bytes_to_client;
            let compression = format!("--source-compression={how}");
            let seed = ["seed", "--output", "json", "--prices", "prices.toml", &compression];
            let report = stage.run(&seed).await?.exits(0).json()?;
            let passed = proxy.counters().bytes_to_client - before;
            let read = number(&report["transfer"]["source"]["read"])?;
            // What connections carry before they are asked and after it: greetings, the survey, the last second of cycles.
            assert!(read <= passed && passed - read < 200_000 + passed / 4, "{how}: {read} of {passed} bytes are counted");
            let cost = report["transfer"]["cost"].as_str().unwrap_or_default();
            assert!(cost.contains("$1024/GB (prices of 2026-06-01, a to b)"), "{cost}");
            assert!(number(&report["transfer"]["target"]["sent"])? > number(&report["bytes"])?, "rows are sent to the target");
            counted.push((read, number(&report["bytes"])?));
            stage.assert_equal().await?;
        }
        let [(plain, rows), (compressed, _)] = counted[..] else { panic!("two seeds") };
        assert!(plain > rows, "{plain} bytes for {rows} of rows");
        assert!(compressed < plain / 2, "{compressed} bytes compressed, {plain} without");

        let verify = stage.run(&["verify", "--output", "json"]).await?.exits(0).json()?;
        let hashes = number(&verify["transfer"]["source"]["read"])?;
        assert!(hashes > 0 && hashes < rows / 10, "{hashes} bytes to compare {rows} bytes of rows");
        let sync = stage.run(&["sync", "--once", "--output", "json"]).await?.exits(0).json()?;
        assert!(number(&sync["transfer"]["source"]["read"])? > 0, "{sync}");
        Ok(())
    }

    async fn a_plan_says_what_it_costs(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "link_cost").await?;
        fill(&stage).await?;
        let text = stage.run(&["plan"]).await?.exits(0).stdout;
        for part in ["Cost, at prices of 2026-06-01, an unknown Region to an unknown Region", "transfer for the seed",
                     "unknown", "a native replica of the same class would cost"] {
            assert!(text.contains(part), "{part} is missing:\n{text}");
        }
        let plan = stage.run(&["plan", "--output", "json"]).await?.exits(0);
        assert!(plan.json()?["cost"]["items"].is_array(), "{}", plan.stdout);
        // With its cost it is a plan all the same.
        std::fs::write(stage.path("plan.json"), &plan.stdout)?;
        stage.run(&["seed", "--plan", "plan.json"]).await?.exits(0);
        stage.assert_equal().await
    }
}
