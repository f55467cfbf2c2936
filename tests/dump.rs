//! Dumps in a folder and in a bucket: what goes out comes back, whatever is killed or spoilt in between.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use leeward_testkit::each_kind;
use leeward_testkit::proxy::Link;
use leeward_testkit::sample;
use leeward_testkit::servers::{Moto, skip};
use leeward_testkit::workload::{self, Traffic, Workload, books, four_tables_rows};
use mysql_async::Opts;
use serde_json::{Value, json};

use crate::seed::{SMALL_CHUNKS, WIDE_ROWS, wide_tables};
use crate::support::{Leeward, ROW_VALUE, Ran, Running, Stage, eventually};

/// Where a test's dumps are.
pub fn place(stage: &Stage) -> String {
    format!("file://{}", folder(stage).display())
}

fn folder(stage: &Stage) -> PathBuf {
    stage.path("dumps")
}

/// Returns the files under a folder of the store.
pub fn files(stage: &Stage, under: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder(stage).join(under)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    Ok(found)
}

pub async fn dump(stage: &Stage, more: &[&str]) -> Result<Ran> {
    let to = place(stage);
    stage.run(&[&["dump", "--to", &to], more].concat()).await
}

/// Prepares a command that knows the target alone: whatever loads a dump must do without its source.
fn at_target(stage: &Stage, arguments: &[&str]) -> Leeward {
    Leeward::new(arguments, stage.folder()).env("LEEWARD_TARGET_URL", &stage.target_url)
}

async fn load(stage: &Stage, more: &[&str]) -> Result<Ran> {
    let from = place(stage);
    at_target(stage, &[&["load", "--from", &from, "--lease-ttl", "5s"], more].concat()).run().await
}

/// Prepares a command that knows no server at all.
pub async fn without_servers(stage: &Stage, arguments: &[&str]) -> Result<Ran> {
    let from = place(stage);
    Leeward::new(&[arguments, &["--from", &from]].concat(), stage.folder()).run().await
}

pub async fn list(stage: &Stage) -> Result<Value> {
    without_servers(stage, &["snapshot", "list", "--output", "json"]).await?.exits(0).json()
}

pub fn ids(list: &Value) -> Vec<String> {
    let whole = list["whole"].as_array().into_iter().flatten();
    whole.filter_map(|dump| dump["id"].as_str().map(str::to_owned)).collect()
}

/// Flips one bit in the middle of a file.
fn flip(path: &Path) -> Result<()> {
    let mut content = std::fs::read(path)?;
    let at = content.len() / 2;
    content[at] ^= 1;
    std::fs::write(path, content).context("spoil an object")
}

async fn rows_of(stage: &Stage, table: &str) -> Result<u64> {
    stage.target_value(&format!("SELECT COUNT(*) FROM {}.{table}", stage.database)).await
}

/// Waits until so many objects are under a folder of the store.
pub async fn stored(stage: &Stage, under: &str, objects: usize) -> Result<()> {
    eventually(&format!("{objects} objects are stored"), async || {
        Ok((files(stage, under)?.len() >= objects).then_some(()))
    })
    .await
}

async fn chunks_loaded(stage: &Stage) -> Result<u64> {
    let there = "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA='leeward' AND TABLE_NAME='fact'";
    if stage.target_value::<u64>(there).await? == 0 {
        return Ok(0);
    }
    stage.target_value(&format!("SELECT COUNT(*) FROM leeward.chunk WHERE lane='{}' AND done=1", stage.database)).await
}

async fn loaded(stage: &Stage, chunks: u64) -> Result<()> {
    eventually(&format!("{chunks} chunks are loaded"), async || {
        Ok((chunks_loaded(stage).await? >= chunks).then_some(()))
    })
    .await
}

fn start_load(stage: &Stage) -> Result<Running> {
    at_target(stage, &["load", "--from", &place(stage), "--parallel", "2", "--lease-ttl", "5s"]).start()
}

/// A dump and a load of what is on the source, and then the seed that brings the lane live without copying a row.
async fn there_and_back(stage: &Stage) -> Result<()> {
    dump(stage, &[]).await?.exits(0).says(&["It shows all tables as they were at"]);
    without_servers(stage, &["snapshot", "verify"]).await?.exits(0).says(&["is whole"]);
    load(stage, &[]).await?.exits(0).says(&["Loaded dump"]);
    stage.assert_equal().await?;
    let seeded = stage.run(&["seed", "--output", "json"]).await?.exits(0).json()?;
    assert_eq!((&seeded["rows"], &seeded["rows_repaired"]), (&json!(0), &json!(0)), "{seeded:#}");
    stage.assert_equal().await?;
    assert_eq!(stage.status().await?["lane"]["state"], "live");
    stage.sync_once().await?;
    Ok(())
}

each_kind! {
    /// The project's own sample: every type of column, tables without a key, generated columns, hostile names, views and
    /// routines; and no trigger or event that runs.
    async fn harbor_is_dumped_and_comes_back_as_it_was(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "dump_harbor").await?;
        let mut conn = stage.source().connect().await?;
        sample::load_harbor_as(&mut conn, &stage.database).await?;
        conn.disconnect().await?;
        there_and_back(&stage).await?;
        for (list, schema) in [("VIEWS", "TABLE_SCHEMA"), ("ROUTINES", "ROUTINE_SCHEMA")] {
            let sql = format!("SELECT COUNT(*) FROM information_schema.{list} WHERE {schema}='{}'", stage.database);
            assert!(stage.target_value::<u64>(&sql).await? > 0, "no {list}");
        }
        let triggers = format!("SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA='{}'", stage.database);
        assert_eq!(stage.target_value::<u64>(&triggers).await?, 0, "triggers are live on the target");
        Ok(())
    }

    /// The public sample, where it is found.
    async fn sakila_is_dumped_and_comes_back_as_it_was(kind: Kind) -> Result<()> {
        let Some(samples) = sample::locate_sakila() else {
            return skip("sakila_is_dumped", kind, "the sample sakila is not on this machine");
        };
        let stage = Stage::own(kind, sample::SAKILA).await?;
        let mut conn = stage.source().connect().await?;
        sample::load_sakila(&mut conn, &samples).await.context("load sakila")?;
        conn.disconnect().await?;
        there_and_back(&stage).await
    }

    /// Four readers under traffic: whatever lock the account may take, the dump is one state of the source. Transactions span
    /// tables and databases, and none of them is torn.
    async fn a_dump_under_traffic_is_one_moment_whatever_lock_is_to_be_had(kind: Kind) -> Result<()> {
        let mut stage = Stage::own(kind, "dump_traffic").await?;
        stage.add_database("dump_books").await?;
        let traffic = vec![
            Traffic::FourTables { database: stage.database.clone() },
            Traffic::Transfers { database: "dump_books".to_owned() },
        ];
        let mut conn = stage.source().connect().await?;
        for one in &traffic {
            one.prepare(&mut conn).await?;
        }
        let workload = Workload { traffic, transactions_per_s: 200, connections: 4, seed: 7 };
        let running = workload::start(Opts::from_url(&stage.source().admin_url())?, workload).await?;
        running.until(|counters| counters.transactions > 200).await?;
        for (grant, by) in [("", "one_view"), ("LOCK TABLES", "table_locks"), ("RELOAD", "global_lock")] {
            if !grant.is_empty() {
                stage.source().exec_script(&format!("GRANT {grant} ON *.* TO 'leeward_reader'@'%';")).await?;
            }
            let made = dump(&stage, &["--parallel", "4", "--output", "json"]).await?.exits(0).json()?;
            assert_eq!(made["moment"]["by"], by, "{made:#}");
            let reset = "DROP DATABASE IF EXISTS dump_traffic; DROP DATABASE IF EXISTS dump_books;";
            stage.target().exec_script(reset).await?;
            load(&stage, &[]).await?.exits(0);
            let mut target = stage.target().connect().await?;
            let rows = four_tables_rows(&mut target, &stage.database).await?;
            let books = books(&mut target, "dump_books").await?;
            target.disconnect().await?;
            ensure!(rows.is_whole() && books.is_balanced(), "{by}: {rows:?} {books:?}");
        }
        running.stop().await?;
        Ok(())
    }

    /// Killed in mid-dump, a dump of no single moment goes on with the chunks that are there; killed in mid-load, a load does.
    async fn a_dump_and_a_load_that_are_killed_go_on(kind: Kind) -> Result<()> {
        let mut stage = Stage::shared(kind, "dump_kill").await?;
        stage.policy(SMALL_CHUNKS)?;
        stage.on_source(&wide_tables()).await?;
        let proxy = stage.source_through(Link::with_round_trip(Duration::from_millis(40))).await?;
        let to = place(&stage);
        let dumping = stage.leeward(&["dump", "--spread", "--to", &to]).start()?;
        stored(&stage, "kept", 6).await?;
        dumping.kill().await?;
        let kept = files(&stage, "chunks")?;
        assert!(files(&stage, "manifests")?.is_empty());
        load(&stage, &[]).await?.exits(3).says(&["no whole dump"]);
        proxy.set_delay(Duration::ZERO);
        let made = dump(&stage, &["--spread", "--resume", "--output", "json"]).await?.exits(0).json()?;
        assert!(made["rows_kept"].as_u64() >= Some(6 * 200 / 2), "{made:#}");
        assert_eq!(made["rows"], u64::from(WIDE_ROWS) + 6, "{made:#}");
        for path in &kept {
            assert!(path.exists(), "what was there was made again");
        }
        assert!(files(&stage, "kept")?.is_empty() && files(&stage, "begun")?.is_empty(), "notes are left");

        let _slow = stage.target_through(Link::with_round_trip(Duration::from_millis(30))).await?;
        let loading = start_load(&stage)?;
        loaded(&stage, 5).await?;
        loading.kill().await?;
        let before = chunks_loaded(&stage).await?;
        let ran = start_load(&stage)?.ended().await?.exits(0);
        assert!(before < 50, "the load was over before it was killed");
        assert!(ran.stderr.contains("go on with dump_kill.wide"), "{}", ran.stderr);
        stage.assert_equal().await?;
        stage.run(&["seed"]).await?.exits(0);
        stage.assert_equal().await
    }

    /// A dump of one moment cannot go on without its moment: it begins anew, and says so.
    async fn a_killed_dump_of_one_moment_begins_anew(kind: Kind) -> Result<()> {
        let mut stage = Stage::shared(kind, "dump_anew").await?;
        stage.policy(SMALL_CHUNKS)?;
        stage.on_source(&wide_tables()).await?;
        let proxy = stage.source_through(Link::with_round_trip(Duration::from_millis(40))).await?;
        let to = place(&stage);
        let dumping = stage.leeward(&["dump", "--to", &to]).start()?;
        stored(&stage, "chunks", 4).await?;
        dumping.kill().await?;
        proxy.set_delay(Duration::ZERO);
        dump(&stage, &["--spread", "--resume"]).await?.exits(3).says(&["begins anew"]);
        dump(&stage, &[]).await?.exits(0).says(&["not finished", "moment is gone"]);
        let list = list(&stage).await?;
        assert_eq!((ids(&list).len(), list["unfinished"].as_array().map(Vec::len)), (1, Some(1)), "{list:#}");
        load(&stage, &[]).await?.exits(0);
        stage.assert_equal().await
    }

    /// A view that breaks takes its moment with it: no second view would show the same.
    async fn a_moment_that_is_lost_ends_the_dump(kind: Kind) -> Result<()> {
        let mut stage = Stage::shared(kind, "dump_lost").await?;
        stage.policy(SMALL_CHUNKS)?;
        stage.on_source(&wide_tables()).await?;
        let proxy = stage.source_through(Link::with_round_trip(Duration::from_millis(40))).await?;
        let to = place(&stage);
        let dumping = stage.leeward(&["dump", "--no-lock", "--to", &to]).start()?;
        stored(&stage, "chunks", 4).await?;
        proxy.reset_all();
        dumping.ended().await?.exits(1).says(&["one moment", "start it again"]);
        assert!(files(&stage, "manifests")?.is_empty());
        Ok(())
    }

    /// An object that was spoilt or is missing is named, its rows are not committed, and with the object put right the load
    /// goes on.
    async fn a_spoilt_or_missing_object_is_named_and_loads_nothing(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "dump_spoilt").await?;
        stage.policy(SMALL_CHUNKS)?;
        stage.on_source(&wide_tables()).await?;
        dump(&stage, &[]).await?.exits(0);
        let chunks = files(&stage, "chunks")?;
        // The largest one: the last chunk of a table may be empty.
        let of_table = chunks.iter().filter(|path| path.to_string_lossy().contains("dump_spoilt.wide"));
        let spoilt = of_table.max_by_key(|path| path.metadata().map_or(0, |facts| facts.len())).context("a chunk")?;
        let (good, name) = (std::fs::read(spoilt)?, spoilt.file_name().context("a name")?.to_string_lossy().into_owned());
        flip(spoilt)?;
        without_servers(&stage, &["snapshot", "verify"]).await?.exits(2).says(&["is damaged: 1 of", &name, "SHA-256"]);
        load(&stage, &[]).await?.exits(1).says(&[&name, "damaged", "dump_spoilt.wide"]);
        let not_done = format!("SELECT COUNT(*) FROM leeward.chunk WHERE lane='{}' AND done=0", stage.database);
        assert!(stage.target_value::<u64>(&not_done).await? > 0, "a spoilt chunk is taken for loaded");
        assert_eq!(stage.table_record("wide").await?["state"]["state"], "seeding");
        assert!(rows_of(&stage, "wide").await? < u64::from(WIDE_ROWS));
        std::fs::remove_file(spoilt)?;
        without_servers(&stage, &["snapshot", "verify"]).await?.exits(2).says(&[&name, "missing"]);
        load(&stage, &[]).await?.exits(1).says(&[&name, "missing"]);
        std::fs::write(spoilt, &good[..good.len() - 1])?;
        load(&stage, &[]).await?.exits(1).says(&[&name, "bytes"]);
        std::fs::write(spoilt, good)?;
        load(&stage, &[]).await?.exits(0);
        stage.assert_equal().await?;
        // A manifest is looked at as closely.
        flip(&files(&stage, "manifests")?[0])?;
        load(&stage, &[]).await?.exits(1).says(&["manifests/", "damaged"]);
        Ok(())
    }

    /// A target that holds the tables is refused untouched; so is a load of another dump than the one that was begun.
    async fn a_filled_target_and_another_dump_are_refused_untouched(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "dump_filled").await?;
        stage.on_source(&format!("CREATE TABLE held (id INT NOT NULL PRIMARY KEY, note VARCHAR(60));
             INSERT INTO held VALUES (1, '{ROW_VALUE}');")).await?;
        dump(&stage, &[]).await?.exits(0);
        stage.target().exec_script("CREATE DATABASE dump_filled CHARACTER SET utf8mb4;").await?;
        stage.on_target("CREATE TABLE held (id INT NOT NULL PRIMARY KEY); INSERT INTO held VALUES (7);").await?;
        load(&stage, &[]).await?.exits(3).says(&["dump_filled.held", "Nothing was changed"]);
        assert_eq!(rows_of(&stage, "held").await?, 1);
        stage.on_target("DROP TABLE held;").await?;
        load(&stage, &[]).await?.exits(0);
        load(&stage, &[]).await?.exits(3).says(&["on the target already"]);
        // With its tables dropped it is loaded anew, whatever is written down of the first time.
        stage.on_target("DROP TABLE held;").await?;
        load(&stage, &[]).await?.exits(0);
        stage.assert_equal().await
    }

    /// Two dumps that are made at once at one address are two, and each is whole.
    async fn two_dumps_at_once_do_not_mix(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "dump_twice").await?;
        stage.policy(SMALL_CHUNKS)?;
        stage.on_source(&wide_tables()).await?;
        let to = place(&stage);
        let start = || stage.leeward(&["dump", "--to", &to]).start();
        let (one, two) = (start()?, start()?);
        one.ended().await?.exits(0);
        two.ended().await?.exits(0);
        let ids = ids(&list(&stage).await?);
        assert_eq!(ids.len(), 2);
        for id in &ids {
            without_servers(&stage, &["snapshot", "verify", "--id", id]).await?.exits(0);
        }
        load(&stage, &["--id", &ids[0]]).await?.exits(0);
        stage.assert_equal().await
    }

    /// One lost table comes back beside the others, or in its place; what is there is never overwritten.
    async fn one_table_is_restored_and_none_overwritten(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "dump_restore").await?;
        stage.policy(SMALL_CHUNKS)?;
        stage.on_source(&wide_tables()).await?;
        dump(&stage, &[]).await?.exits(0);
        stage.seed().await?;
        stage.on_target("DELETE FROM wide WHERE id > 100;").await?;
        let from = place(&stage);
        let restore = async |more: &[&str]| {
            at_target(&stage, &[&["restore", "--from", &from, "--table", "dump_restore.wide"], more].concat()).run().await
        };
        restore(&[]).await?.exits(3).says(&["dump_restore.wide", "--as"]);
        restore(&["--as", "nowhere"]).await?.exits(3).says(&["DATABASE.TABLE"]);
        restore(&["--as", "dump_restore.wide_again"]).await?.exits(0).says(&["Restored dump_restore.wide as"]);
        assert_eq!(rows_of(&stage, "wide_again").await?, u64::from(WIDE_ROWS));
        let lost = "SELECT COUNT(*) FROM dump_restore.wide w JOIN dump_restore.wide_again a USING (id, kind_id, note, updated_at)";
        assert_eq!(stage.target_value::<u64>(lost).await?, 100);
        restore(&["--as", "dump_restore.wide_again"]).await?.exits(3);
        stage.on_target("DROP TABLE wide_again; DROP TABLE wide;").await?;
        restore(&[]).await?.exits(0);
        stage.assert_equal().await?;
        assert_eq!(stage.status().await?["lane"]["state"], "live", "the lane itself was not touched");
        let missing = at_target(&stage, &["restore", "--from", &from, "--table", "dump_restore.nothing"]);
        missing.run().await?.exits(3).says(&["holds no table"]);
        Ok(())
    }

    /// Beside the table that it was, a restored table has its foreign keys under names of its own: those whose parents are there,
    /// and its own rows where it referred to itself. What was left out is said.
    async fn a_table_restored_beside_another_has_its_foreign_keys(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "dump_keys").await?;
        stage
            .on_source(
                "CREATE TABLE kind (id INT NOT NULL PRIMARY KEY); INSERT INTO kind VALUES (1);
                 CREATE TABLE place (id INT NOT NULL PRIMARY KEY); INSERT INTO place VALUES (1);
                 CREATE TABLE node (id INT NOT NULL PRIMARY KEY, up INT NULL, kind_id INT NOT NULL, place_id INT NOT NULL,
                   CONSTRAINT up FOREIGN KEY (up) REFERENCES node (id),
                   CONSTRAINT of_kind FOREIGN KEY (kind_id) REFERENCES kind (id) ON DELETE CASCADE,
                   CONSTRAINT of_place FOREIGN KEY (place_id) REFERENCES place (id));
                 INSERT INTO node VALUES (1, NULL, 1, 1), (2, 1, 1, 1);",
            )
            .await?;
        let dumped = dump(&stage, &["--output", "json"]).await?.exits(0).json()?;
        assert!(dumped["transfer"]["passed"]["read"].as_u64() > Some(0), "{dumped:#}");
        let loaded = load(&stage, &["--output", "json"]).await?.exits(0).json()?;
        assert!(loaded["transfer"]["passed"]["sent"].as_u64() > Some(0), "{loaded:#}");
        stage.on_target("SET foreign_key_checks=0; DROP TABLE place;").await?;
        let from = place(&stage);
        let restore = ["restore", "--from", &from, "--table", "dump_keys.node", "--as", "dump_keys.again"];
        at_target(&stage, &restore).run().await?.exits(0).says(&[
            "foreign key up is called again_fk_1 here: it refers to dump_keys.again",
            "foreign key of_kind is called again_fk_2 here: it refers to dump_keys.kind",
            "foreign key of_place was left out: dump_keys.place",
        ]);
        let keys = "SELECT GROUP_CONCAT(CONCAT(CONSTRAINT_NAME, ' ', REFERENCED_TABLE_NAME, ' ', DELETE_RULE) ORDER BY 1 SEPARATOR ', ')
                    FROM information_schema.REFERENTIAL_CONSTRAINTS
                    WHERE CONSTRAINT_SCHEMA='dump_keys' AND TABLE_NAME='again'";
        let keys = stage.target_value::<String>(keys).await?;
        // What is left unsaid is NO ACTION in one family and RESTRICT in the other.
        let keys = keys.replace("NO ACTION", "RESTRICT");
        assert_eq!(keys, "again_fk_1 again RESTRICT, again_fk_2 kind CASCADE");
        assert_eq!(rows_of(&stage, "again").await?, 2);
        Ok(())
    }

    /// Snapshots in a row: the newest are kept, dumps that a person made are nobody's to take away, and a stop is obeyed.
    async fn snapshots_are_kept_as_asked(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "dump_row").await?;
        stage.on_source("CREATE TABLE t (id INT NOT NULL PRIMARY KEY); INSERT INTO t VALUES (1), (2);").await?;
        dump(&stage, &[]).await?.exits(0);
        let to = place(&stage);
        let snapshot = async || stage.run(&["snapshot", "--to", &to, "--keep", "2"]).await;
        for _ in 0..2 {
            snapshot().await?.exits(0);
        }
        let persons = |list: &Value| list["whole"].as_array().into_iter().flatten().filter(|dump| dump["kind"] == "dump").count();
        assert_eq!(ids(&list(&stage).await?).len(), 3);
        snapshot().await?.exits(0).says(&["Taken away by retention"]);
        let listed = list(&stage).await?;
        let after = ids(&listed);
        assert_eq!(after.len(), 3, "{listed:#}");
        assert_eq!(persons(&listed), 1, "the person's own dump is gone: {listed:#}");
        assert_eq!(listed["newest_age_s"][0][0], "dump_row");
        for id in &after {
            without_servers(&stage, &["snapshot", "verify", "--id", id]).await?.exits(0);
        }
        let there = files(&stage, "chunks")?.len();
        assert_eq!(there, 3, "objects of the one that went are left");
        let mut row = stage.leeward(&["snapshot", "--to", &to, "--keep", "1", "--every", "300ms"]).start()?;
        eventually("more were taken", async || {
            ensure!(row.is_running()?, "{}", row.stderr());
            let ids = ids(&list(&stage).await?);
            Ok((ids.iter().filter(|id| !after.contains(id)).count() > 0 && ids.len() == 2).then_some(()))
        })
        .await?;
        row.stop().await?.exits(0);
        without_servers(&stage, &["snapshot", "verify"]).await?.exits(0);
        Ok(())
    }

    /// A seed by way of a store, killed on both halves of it, while the source is written.
    async fn a_seed_by_way_of_a_store_ends_equal(kind: Kind) -> Result<()> {
        let mut stage = Stage::shared(kind, "dump_via").await?;
        stage.policy(SMALL_CHUNKS)?;
        stage.on_source(&wide_tables()).await?;
        let to = place(&stage);
        let proxy = stage.source_through(Link::with_round_trip(Duration::from_millis(40))).await?;
        let start = |stage: &Stage| stage.leeward(&["seed", "--via", &to, "--lease-ttl", "5s"]).start();
        let seed = start(&stage)?;
        stored(&stage, "kept", 5).await?;
        seed.kill().await?;
        stage.on_source("DELETE FROM wide WHERE id % 7 = 0; UPDATE wide SET note = 'changed' WHERE id % 11 = 0;").await?;
        proxy.set_delay(Duration::ZERO);
        let slow = stage.target_through(Link::with_round_trip(Duration::from_millis(30))).await?;
        let mut seed = start(&stage)?;
        seed.says("going on with").await?;
        loaded(&stage, 5).await?;
        seed.kill().await?;
        slow.set_delay(Duration::ZERO);
        stage.on_source("INSERT INTO wide (kind_id, note) VALUES (1, 'late');").await?;
        let mut seed = start(&stage)?;
        seed.says("copying from").await?;
        seed.ended().await?.exits(0);
        stage.assert_equal().await?;
        assert_eq!(stage.status().await?["lane"]["state"], "live");
        assert!(files(&stage, "")?.iter().all(|path| path.to_string_lossy().contains(".leeward")), "the dump was left");
        stage.run(&["verify"]).await?.exits(0);
        Ok(())
    }

    /// The same through a bucket.
    async fn a_dump_goes_through_a_bucket(kind: Kind) -> Result<()> {
        let moto = Moto::start().await?;
        moto.call("s3", "us-east-1", "create_bucket", json!({ "Bucket": "dumps" })).await?;
        let stage = Stage::shared(kind, "dump_bucket").await?;
        stage.policy(SMALL_CHUNKS)?;
        stage.on_source(&wide_tables()).await?;
        let with = |mut leeward: Leeward| {
            for (name, value) in moto.env() {
                leeward = leeward.env(name, &value);
            }
            leeward
        };
        with(stage.leeward(&["dump", "--to", "s3://dumps/of/shop"])).run().await?.exits(0).says(&["s3://dumps/of/shop"]);
        let verify = || with(Leeward::new(&["snapshot", "verify", "--from", "s3://dumps/of/shop"], stage.folder()));
        verify().run().await?.exits(0);
        with(at_target(&stage, &["load", "--from", "s3://dumps/of/shop"])).run().await?.exits(0);
        stage.assert_equal().await?;
        let listed = moto.call("s3", "us-east-1", "list_objects_v2", json!({ "Bucket": "dumps", "Prefix": "of/shop/chunks" })).await?;
        let key = listed["Contents"][3]["Key"].as_str().context("an object")?.to_owned();
        moto.call("s3", "us-east-1", "delete_object", json!({ "Bucket": "dumps", "Key": key })).await?;
        verify().run().await?.exits(2).says(&["missing"]);
        Ok(())
    }
}
