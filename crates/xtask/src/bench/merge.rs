//! Changed rows of a table with a clock, in one cycle of a running lane, beside the two statements that move them by hand.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use leeward_testkit::servers::Kind;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::figures::{Figure, Section, Target};
use super::rig::Rig;
use super::tables::{DATABASE, fill_ledger};
use crate::binary::terminate;

/// Where the bare statements write: a copy of the table as it was seeded.
const COPY: &str = "bench_copy";

/// Time of a cycle beside the bare statements' that is good enough.
const BARE_RATIO_MAX: f64 = 1.3;

/// Rows of one bare upsert, as the usual tools send them.
const UPSERT_ROWS: usize = 1_000;

/// The few rows of a quiet moment, and what their cycle may take.
const FEW: u64 = 100;
const FEW_S_MAX: f64 = 0.1;

/// How long `sync` may take to its first cycles, and for one set of changes.
const ARRIVES_MAX: Duration = Duration::from_secs(60);

/// One set of changes, moved both ways.
struct Moved {
    bare_s: f64,
    cycle_s: f64,
}

/// Measures a hundredth of the rows, and a hundred rows.
pub(super) async fn measure(kind: Kind, (rows, runs): (u64, u32), path: PathBuf, section: &mut Section) -> Result<()> {
    let rig = Rig::start(kind, path, DATABASE).await?;
    fill_ledger(&rig, rows).await?;
    rig.leeward.run(&["seed"]).await?;
    copy_target(&rig).await?;
    let arguments = ["sync", "--cycle-interval", "100ms", "--log-level", "debug", "--log-format", "json"];
    let mut sync = rig.leeward.start(&arguments, &rig.log())?;
    tokio::time::timeout(ARRIVES_MAX, rig.cycles_pass(10)).await.context("wait for sync's first cycles")??;
    let many = rows / 100;
    let (mut of_many, mut of_few) = (Vec::new(), Vec::new());
    for run in 0..u64::from(runs) {
        of_many.push(change(&rig, (many, rows / many), run).await?);
        of_few.push(change(&rig, (FEW, rows / FEW), run).await?);
    }
    terminate(&mut sync).await?;
    report(&rig.server(), many, (&of_many, &of_few), section);
    section.note(&format!(
        "1 table of {rows} rows: id, k, note CHAR(100), updated_at DATETIME(6) with an index. So many rows, spread evenly, are \
         changed in one transaction on the source. The cycle is one of a running `sync` (interval 100 ms): look, cut, rows, \
         write, record and commit, by its own log. Bare are one `SELECT … WHERE updated_at >= …` and `INSERT … ON DUPLICATE KEY \
         UPDATE` of {UPSERT_ROWS} rows each in one transaction, into a copy of the table, afterwards, beside the quiet lane."
    ));
    Ok(())
}

fn report(server: &str, many: u64, (of_many, of_few): (&[Moved], &[Moved]), section: &mut Section) {
    let of = |moved: &[Moved], value: fn(&Moved) -> f64| moved.iter().map(value).collect();
    let figure = |what: &str, unit, values| Figure::new(server, what, unit, values);
    section.add(figure(&format!("bare SELECT and upsert, {many} rows"), "s", of(of_many, |moved| moved.bare_s)));
    section.add(figure(&format!("a cycle with {many} changed rows"), "s", of(of_many, |moved| moved.cycle_s)));
    let ratios = figure(
        "leeward sync cycle / bare SELECT and upsert, run by run",
        "times",
        of(of_many, |moved| moved.cycle_s / moved.bare_s),
    );
    section.add(ratios.within(Target::Median(BARE_RATIO_MAX)));
    section.add(figure(&format!("bare SELECT and upsert, {FEW} rows"), "s", of(of_few, |moved| moved.bare_s)));
    let few = figure(&format!("a cycle with {FEW} changed rows"), "s", of(of_few, |moved| moved.cycle_s));
    section.add(few.within(Target::Median(FEW_S_MAX)));
}

/// Makes the copy that the bare statements write.
async fn copy_target(rig: &Rig) -> Result<()> {
    let mut conn = rig.pair.target.connect().await?;
    for statement in [
        format!("CREATE DATABASE {COPY} CHARACTER SET utf8mb4"),
        format!("CREATE TABLE {COPY}.ledger LIKE {DATABASE}.ledger"),
        format!("INSERT INTO {COPY}.ledger SELECT * FROM {DATABASE}.ledger"),
        format!("ANALYZE TABLE {COPY}.ledger"),
    ] {
        conn.query_drop(statement).await.context("copy the ledger")?;
    }
    conn.disconnect().await.context("close a connection")
}

/// Changes each so-manieth row and moves the changes both ways.
async fn change(rig: &Rig, (rows, each): (u64, u64), run: u64) -> Result<Moved> {
    let (mut source, mut target) = (rig.pair.source.connect().await?, rig.pair.target.connect().await?);
    let before = cycles_that_wrote(rig, rows)?.len();
    let since: Option<String> = source.query_first("SELECT NOW(6)").await.context("read the source's clock")?;
    let since = since.context("the source has a clock")?;
    source
        .query_drop(format!("UPDATE {DATABASE}.ledger SET k=k+1 WHERE id%{each}={}", run % each))
        .await
        .context("change rows")?;
    let arrived = async {
        let query = format!("SELECT COUNT(*) FROM {DATABASE}.ledger WHERE updated_at>='{since}'");
        while target.query_first::<u64, _>(&query).await.context("look for the rows")? != Some(rows) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(ARRIVES_MAX, arrived).await.context("wait for the rows")??;
    let told = async {
        loop {
            match cycles_that_wrote(rig, rows)?.get(before) {
                Some(took_s) => return anyhow::Ok(*took_s),
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    let cycle_s = tokio::time::timeout(ARRIVES_MAX, told).await.context("wait for the log")??;
    let bare_s = bare((&mut source, &mut target), &since, rows).await?;
    source.disconnect().await.context("close a connection")?;
    target.disconnect().await.context("close a connection")?;
    Ok(Moved { bare_s, cycle_s })
}

/// Returns what each cycle took that wrote so many rows, in seconds, as `sync` tells.
fn cycles_that_wrote(rig: &Rig, rows: u64) -> Result<Vec<f64>> {
    let log = fs::read_to_string(rig.log()).context("read the log of sync")?;
    let took_s = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        let fields = line.get("fields").unwrap_or(&line);
        let wrote = fields["message"] == "cycle committed" && fields["rows_applied"].as_u64() == Some(rows);
        Some(fields["took_ms"].as_f64().filter(|_| wrote)? / 1_000.0)
    };
    Ok(log.lines().filter_map(took_s).collect())
}

/// Moves the rows by hand and returns the seconds it took.
async fn bare((source, target): (&mut Conn, &mut Conn), since: &str, rows: u64) -> Result<f64> {
    let began = Instant::now();
    let query = format!("SELECT id,k,note,CAST(updated_at AS CHAR) FROM {DATABASE}.ledger WHERE updated_at>='{since}'");
    let changed: Vec<(u64, i64, String, String)> = source.query(query).await.context("read changed rows")?;
    ensure!(changed.len() as u64 == rows, "{} rows were changed instead of {rows}", changed.len());
    target.query_drop("START TRANSACTION").await?;
    for some in changed.chunks(UPSERT_ROWS) {
        let values: Vec<String> = some.iter().map(|(id, k, note, at)| format!("({id},{k},'{note}','{at}')")).collect();
        let upsert = format!(
            "INSERT INTO {COPY}.ledger (id,k,note,updated_at) VALUES {} ON DUPLICATE KEY UPDATE \
             k=VALUES(k),note=VALUES(note),updated_at=VALUES(updated_at)",
            values.join(",")
        );
        target.query_drop(upsert).await.context("write changed rows")?;
    }
    target.query_drop("COMMIT").await?;
    Ok(began.elapsed().as_secs_f64())
}
