//! Dumps that were begun and never finished: taken away once nobody goes on with them, and never such that a dump lacks objects.

use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use leeward_testkit::each_kind;
use leeward_testkit::proxy::Link;
use rustix::process::Signal;
use serde_json::Value;

use crate::dump::{dump, files, ids, list, place, stored, without_servers};
use crate::seed::{SMALL_CHUNKS, wide_tables};
use crate::support::Stage;

/// Dates all objects of a dump but one to eight days ago.
fn of_long_ago(stage: &Stage, id: &str, but: Option<&Path>) -> Result<()> {
    let long_ago = SystemTime::now() - Duration::from_secs(8 * 86_400);
    for path in files(stage, "")? {
        if path.to_string_lossy().contains(id) && Some(path.as_path()) != but {
            std::fs::File::open(&path)?.set_modified(long_ago)?;
        }
    }
    Ok(())
}

each_kind! {
    /// What was begun and killed is taken away once nothing was written for a week; what is younger, what a person can go on
    /// with, and another lane's stay. Nothing is left of what goes.
    async fn unfinished_dumps_that_nobody_goes_on_with_are_taken_away(kind: Kind) -> Result<()> {
        let mut stage = Stage::shared(kind, "dump_given_up").await?;
        stage.policy(SMALL_CHUNKS)?;
        stage.on_source(&wide_tables()).await?;
        let to = place(&stage);
        let proxy = stage.source_through(Link::with_round_trip(Duration::from_millis(40))).await?;
        for how in [&["snapshot"][..], &["dump", "--spread"], &["snapshot"]] {
            let before = files(&stage, "chunks")?.len();
            let begun = stage.leeward(&[how, &["--to", &to]].concat()).start()?;
            stored(&stage, "chunks", before + 4).await?;
            begun.kill().await?;
        }
        proxy.set_delay(Duration::ZERO);
        let unfinished = |list: &Value| -> Vec<String> {
            let begun = list["unfinished"].as_array().into_iter().flatten();
            begun.filter_map(|begun| begun["id"].as_str().map(str::to_owned)).collect()
        };
        let begun = unfinished(&list(&stage).await?);
        assert_eq!(begun.len(), 3);
        let snapshot = async || stage.run(&["snapshot", "--to", &to]).await;
        let ran = snapshot().await?.exits(0);
        assert!(!ran.stdout.contains("never finished"), "what is young was taken away: {}", ran.stdout);
        assert_eq!(unfinished(&list(&stage).await?), begun);

        // All is long ago but one chunk of the last, which somebody may still be at work on.
        let is_of = |path: &Path, id: &str| path.to_string_lossy().contains(id);
        let young = files(&stage, "chunks")?.into_iter().rfind(|path| is_of(path, &begun[2])).context("a chunk")?;
        for id in &begun {
            of_long_ago(&stage, id, Some(&young))?;
        }
        let other = "version = 1\nplatform = \"self-managed\"\n[lane]\nname = \"another\"\n";
        std::fs::write(stage.path("another.toml"), other)?;
        let of_another = stage.leeward(&["snapshot", "--to", &to]).env("LEEWARD_POLICY", "another.toml").run().await?;
        assert!(!of_another.exits(0).stdout.contains("never finished"), "another lane's was taken away");
        let ran = snapshot().await?.exits(0).says(&["never finished", &begun[0]]);
        assert!(!ran.stdout.contains(&begun[1]) && !ran.stdout.contains(&begun[2]), "{}", ran.stdout);
        assert_eq!(unfinished(&list(&stage).await?), begun[1..]);
        assert!(!files(&stage, "")?.iter().any(|path| is_of(path, &begun[0])), "something is left of it");
        without_servers(&stage, &["snapshot", "verify"]).await?.exits(0);
        dump(&stage, &["--spread", "--resume"]).await?.exits(0).says(&[&begun[1]]);
        Ok(())
    }

    /// A process that was frozen for a week, whose dump was taken away meanwhile, makes nothing whole that lacks objects.
    async fn a_dump_that_is_taken_away_while_it_is_written_does_not_become_whole(kind: Kind) -> Result<()> {
        let mut stage = Stage::shared(kind, "dump_frozen").await?;
        stage.policy(SMALL_CHUNKS)?;
        stage.on_source(&wide_tables()).await?;
        let to = place(&stage);
        let proxy = stage.source_through(Link::with_round_trip(Duration::from_millis(40))).await?;
        let frozen = stage.leeward(&["snapshot", "--to", &to]).start()?;
        stored(&stage, "chunks", 4).await?;
        frozen.signal(Signal::STOP)?;
        proxy.set_delay(Duration::ZERO);
        let id = list(&stage).await?["unfinished"][0]["id"].as_str().context("an unfinished dump")?.to_owned();
        of_long_ago(&stage, &id, None)?;
        stage.run(&["snapshot", "--to", &to]).await?.exits(0).says(&["never finished", &id]);
        frozen.signal(Signal::CONT)?;
        frozen.ended().await?.exits(3).says(&[&id, "was taken away"]);
        let left = files(&stage, "")?;
        assert!(!left.iter().any(|path| path.to_string_lossy().contains(&id)), "something is left of it: {left:?}");
        without_servers(&stage, &["snapshot", "verify"]).await?.exits(0);
        assert_eq!(ids(&list(&stage).await?).len(), 1);
        Ok(())
    }
}
