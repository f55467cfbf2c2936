//! The brake: what it stops, what it keeps of that, and how a person agrees while `sync` runs, while none runs, and while
//! it is killed.

use anyhow::{Context, Result};
use leeward_testkit::each_kind;
use leeward_testkit::servers::Kind;
use serde_json::Value;

use crate::support::{Stage, eventually};

/// Small limits, quick passes, and ranges so small that a pass takes many cycles.
const POLICY: &str =
    "[brake]\nrows = 10\nshare = 0.0\n[scrub]\npass_interval = \"1s\"\nreconcile_interval = \"1s\"\nchunk_rows = 100\n";

/// A table whose clock the server keeps, with so many rows. Its keys are texts that appear nowhere else.
fn filled(name: &str, rows: u32) -> String {
    format!(
        "CREATE TABLE {name} (code VARCHAR(20) NOT NULL PRIMARY KEY, n INT NOT NULL,
           updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
           KEY updated (updated_at));
         INSERT INTO {name} (code, n) SELECT CONCAT('secret-', seq), seq FROM seqs WHERE seq <= {rows};\n"
    )
}

async fn prepare(kind: Kind, name: &str, policy: &str, tables: &[(&str, u32)]) -> Result<Stage> {
    let stage = Stage::shared(kind, name).await?;
    stage.policy(policy)?;
    let seqs = "CREATE TABLE seqs (seq INT NOT NULL PRIMARY KEY);
        INSERT INTO seqs SELECT a.n + 10 * b.n + 100 * c.n + 1000 * d.n + 1
          FROM (SELECT 0 n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4
                UNION SELECT 5 UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9) a
          JOIN (SELECT 0 n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4
                UNION SELECT 5 UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9) b
          JOIN (SELECT 0 n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4
                UNION SELECT 5 UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9) c
          JOIN (SELECT 0 n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3) d;\n";
    let tables: String = tables.iter().map(|(table, rows)| filled(table, *rows)).collect();
    stage.on_source(&format!("{seqs}{tables}DROP TABLE seqs;")).await?;
    stage.seed().await?;
    Ok(stage)
}

/// Waits until the brake holds a table and has counted it whole, and returns what `accept` shows of it.
async fn held(stage: &Stage, table: &str) -> Result<Value> {
    let name = format!("{}.{table}", stage.database);
    eventually(&format!("the brake holds {table} and has counted it"), async || {
        let shown = stage.run(&["accept", "--output", "json"]).await?.json()?;
        let tables = shown["tables"].as_array().context("accept lists tables")?;
        let line = tables.iter().find(|line| line["name"] == name.as_str());
        Ok(line.filter(|line| line["seen"]["counted"] == "whole").cloned())
    })
    .await
}

async fn rows(stage: &Stage, table: &str) -> Result<u64> {
    stage.target_value(&format!("SELECT COUNT(*) FROM {}.{table}", stage.database)).await
}

each_kind! {
    /// TRUNCATE, a DELETE without WHERE, and a table that is dropped and made anew: each copy keeps its rows, however few
    /// they are. A table of which the policy says that it may be empty goes on.
    async fn an_emptied_table_never_empties_the_copy(kind: Kind) -> Result<()> {
        let policy = "[scrub]\npass_interval = \"1s\"\nreconcile_interval = \"1s\"\n[[table]]\nmatch = \"*.queue\"\nmay_be_empty = true\n";
        let tables = [("truncated", 3), ("cleared", 3), ("remade", 3), ("queue", 3), ("other", 3)];
        let stage = prepare(kind, "brake_emptied", policy, &tables).await?;
        stage.on_source("CREATE TABLE remade_2 LIKE remade; CREATE TABLE keyless (n INT NOT NULL); INSERT INTO keyless VALUES (1), (1);").await?;
        stage.on_source("DROP TABLE remade_2;").await?;
        stage.seed().await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        stage.on_source(
            "TRUNCATE TABLE truncated; DELETE FROM cleared; DELETE FROM queue; DELETE FROM keyless;
             CREATE TABLE hollow LIKE remade; DROP TABLE remade; RENAME TABLE hollow TO remade;
             INSERT INTO other (code, n) VALUES ('new', 1);",
        ).await?;
        for table in ["truncated", "cleared", "remade", "keyless"] {
            stage.table_is(table, "quarantined").await?;
            let seen = held(&stage, table).await?["seen"].clone();
            let left = if table == "keyless" { 2 } else { 3 };
            assert_eq!((&seen["source_rows"], &seen["target_rows"], &seen["deletes"]), (&0.into(), &left.into(), &left.into()));
            assert_eq!(rows(&stage, table).await?, left);
            let remedy = format!("leeward accept brake_emptied.{table}");
            stage.run(&["status"]).await?.exits(2).says(&[&remedy, "is empty on the source"]);
            stage.run(&["readiness", "--output", "json"]).await?.exits(2).says(&[&remedy]);
        }
        eventually("the queue is empty on both sides", async || Ok((rows(&stage, "queue").await? == 0).then_some(()))).await?;
        stage.caught_up().await?;
        assert_eq!(rows(&stage, "other").await?, 4);
        stage.run(&["accept", "*.truncated", "*.cleared", "*.remade", "*.keyless"]).await?.exits(0).says(&["within seconds"]);
        for table in ["truncated", "cleared", "remade", "keyless"] {
            stage.table_is(table, "live").await?;
            assert_eq!(rows(&stage, table).await?, 0);
        }
        stage.caught_up().await?;
        sync.stop().await?.exits(0);
        stage.run(&["accept"]).await?.exits(0).says(&["holds no table"]);
        stage.assert_equal().await
    }

    /// A mass DELETE and a mass UPDATE that leaves the clock alone: both tables are counted whole, shown with keys, and
    /// agreed to one by one while `sync` runs. No key of them is said anywhere else.
    async fn a_running_sync_takes_an_agreement_up_and_uses_it_once(kind: Kind) -> Result<()> {
        let stage = prepare(kind, "brake_agree", POLICY, &[("purged", 2000), ("rewritten", 1500), ("other", 3)]).await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        stage.run(&["accept"]).await?.exits(0);
        stage.on_source(
            "DELETE FROM purged WHERE n % 2 = 0; UPDATE rewritten SET n = n + 1, updated_at = updated_at WHERE n % 3 = 0;",
        ).await?;
        let (purged, rewritten) = (held(&stage, "purged").await?, held(&stage, "rewritten").await?);
        let (purged, rewritten) = (&purged["seen"], &rewritten["seen"]);
        assert_eq!((&purged["deletes"], &purged["overwrites"], &purged["source_rows"]), (&1000.into(), &0.into(), &1000.into()));
        assert_eq!((&rewritten["deletes"], &rewritten["overwrites"]), (&0.into(), &500.into()));
        assert_eq!(purged["delete_keys"].as_array().map(Vec::len), Some(100));
        assert!(rewritten["overwrite_keys"][0].as_str().is_some_and(|key| key.starts_with("secret-")), "{rewritten}");
        assert_eq!((rows(&stage, "purged").await?, rows(&stage, "rewritten").await?), (2000, 1500));

        stage.run(&["accept", "brake_agree.purged"]).await?.exits(0).says(&["1,000 rows may go", "secret-"]);
        stage.table_is("purged", "live").await?;
        assert_eq!(rows(&stage, "purged").await?, 1000);
        stage.run(&["accept"]).await?.exits(2).says(&["brake_agree.rewritten"]);
        stage.run(&["accept", "brake_agree.rewritten"]).await?.exits(0);
        stage.table_is("rewritten", "live").await?;
        stage.caught_up().await?;
        stage.assert_equal().await?;

        // What was agreed to has been used.
        stage.on_source("DELETE FROM purged WHERE n <= 100;").await?;
        assert_eq!(held(&stage, "purged").await?["seen"]["deletes"], 50);
        assert_eq!(rows(&stage, "purged").await?, 1000);
        let status = stage.run(&["status"]).await?.exits(2);
        assert!(!status.text().contains("secret-"), "{}", status.text());
        let said = sync.stop().await?.exits(0);
        assert!(!said.text().contains("secret-"), "{}", said.text());
        let events: u64 = stage
            .target_value("SELECT COUNT(*) FROM leeward.event WHERE lane = 'brake_agree' AND text LIKE '%secret-%'")
            .await?;
        assert_eq!(events, 0);
        stage.target().exec_script("UPDATE leeward.lease SET promoted = 1 WHERE lane = 'brake_agree';").await?;
        stage.run(&["accept", "*.purged"]).await?.exits(3).says(&["has been promoted"]);
        Ok(())
    }

    /// An agreement given while no `sync` runs waits for one. What went beyond it in the meantime is stopped again, with
    /// evidence of its own.
    async fn more_than_was_agreed_to_is_stopped_again(kind: Kind) -> Result<()> {
        let stage = prepare(kind, "brake_more", POLICY, &[("purged", 1000)]).await?;
        stage.on_source("DELETE FROM purged WHERE n <= 40;").await?;
        let sync = stage.start_sync()?;
        assert_eq!(held(&stage, "purged").await?["seen"]["rows_at_stake"], 40);
        sync.stop().await?.exits(0);
        stage.run(&["accept", "*.purged"]).await?.exits(0).says(&["by the next `leeward sync`"]);
        stage.run(&["status"]).await?.exits(2).says(&["has agreed to it"]);
        stage.run(&["accept"]).await?.exits(0).says(&["agreed: 40 rows may go"]);
        stage.on_source("DELETE FROM purged WHERE n BETWEEN 41 AND 300;").await?;
        let sync = stage.start_sync()?;
        let sql = "SELECT COUNT(*) FROM leeward.event WHERE lane='brake_more' AND kind='readmitted'";
        eventually("the agreement is taken up", async || Ok((stage.target_value::<u64>(sql).await? == 1).then_some(()))).await?;
        let again = held(&stage, "purged").await?;
        assert!(again["agreed"].is_null(), "{again}");
        let left = rows(&stage, "purged").await?;
        assert!((950..=1000).contains(&left), "40 rows and the limit of 10 may have gone: {left} are left");
        assert_eq!(again["seen"]["source_rows"], 700);
        assert_eq!(again["seen"]["target_rows"], left);
        stage.run(&["accept", "*.purged"]).await?.exits(0);
        stage.table_is("purged", "live").await?;
        sync.stop().await?.exits(0);
        stage.assert_equal().await
    }

    /// Killed between the agreement and the end of the repair, over and over: the agreement still holds, and is not spent
    /// twice.
    async fn a_kill_between_agreement_and_repair_loses_nothing(kind: Kind) -> Result<()> {
        let stage = prepare(kind, "brake_kill", POLICY, &[("purged", 4000), ("other", 3)]).await?;
        stage.on_source("DELETE FROM purged WHERE n % 2 = 0;").await?;
        let sync = stage.start_sync()?;
        held(&stage, "purged").await?;
        sync.kill().await?;
        stage.run(&["accept", "*.purged"]).await?.exits(0);
        let sync = stage.start_sync()?;
        eventually("the agreement is taken up", async || {
            Ok((!stage.table_record("purged").await?["released"].is_null()).then_some(()))
        }).await?;
        sync.kill().await?;
        let sync = stage.start_sync()?;
        eventually("some rows have gone", async || Ok((rows(&stage, "purged").await? < 4000).then_some(()))).await?;
        sync.kill().await?;
        let sync = stage.start_sync()?;
        stage.table_is("purged", "live").await?;
        stage.caught_up().await?;
        assert!(stage.table_record("purged").await?["released"].is_null());
        stage.on_source("DELETE FROM purged WHERE n <= 101;").await?;
        assert_eq!(held(&stage, "purged").await?["seen"]["deletes"], 51);
        sync.stop().await?.exits(0);
        Ok(())
    }

    /// Names that nothing waits for are refused, all at once.
    async fn what_nothing_waits_for_cannot_be_agreed_to(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "brake_refused").await?;
        stage.run(&["accept"]).await?.exits(3).says(&["brake_refused", "has not been seeded"]);
        stage.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY); INSERT INTO t VALUES (1);").await?;
        stage.seed().await?;
        stage.run(&["accept"]).await?.exits(0);
        stage.run(&["accept", "brake_refused.t", "shop.nothing", "brake_refused.*", "a{b"]).await?.exits(3).says(&[
            "nothing waits for brake_refused.t: it is live",
            "shop.nothing matches no table",
            "a{b is no glob",
        ]);
        stage.target().exec_script(
            "UPDATE leeward.table_state SET state = 'quarantined', record = JSON_SET(record, '$.state',
               JSON_OBJECT('state', 'quarantined', 'cause', 'brake', 'reason', 'old', 'remedy', 'old')) WHERE lane = 'brake_refused';",
        ).await?;
        stage.run(&["accept"]).await?.exits(2).says(&["kept no evidence"]);
        stage.run(&["accept", "*.t"]).await?.exits(3).says(&["kept no evidence", "verify --repair"]);
        Ok(())
    }

    /// TRUNCATE lets ids begin again. Once a person has agreed, new rows arrive by their ids as before, though these lie
    /// below the ids of the rows that went.
    async fn ids_that_begin_again_are_followed_after_the_agreement(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "brake_ids").await?;
        stage.policy(&format!("{POLICY}[[table]]\nmatch = \"*.entry\"\nclass = \"insert_only\"\n"))?;
        stage.on_source(
            "CREATE TABLE entry (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, n INT NOT NULL);
             INSERT INTO entry (n) VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9);",
        ).await?;
        stage.seed().await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        stage.on_source("TRUNCATE TABLE entry;").await?;
        held(&stage, "entry").await?;
        stage.on_source("INSERT INTO entry (n) VALUES (21), (22);").await?;
        stage.run(&["accept", "*.entry"]).await?.exits(0);
        stage.table_is("entry", "live").await?;
        stage.caught_up().await?;
        stage.assert_equal().await?;
        let applied = async || -> Result<u64> {
            stage.table_record("entry").await?["rows_applied"].as_u64().context("rows_applied is a number")
        };
        let before = applied().await?;
        stage.on_source("INSERT INTO entry (n) VALUES (23), (24), (25);").await?;
        stage.caught_up().await?;
        stage.assert_equal().await?;
        assert_eq!(applied().await?, before + 3);
        sync.stop().await?.exits(0);
        Ok(())
    }
}
