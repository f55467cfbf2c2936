//! The proof: what Leeward claimed is held against the source's own disk, which survived. A third
//! server replays that disk's binary log to the transaction at which the target stands; both are
//! then compared row by row, by code that shares nothing with Leeward.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use chrono::NaiveDateTime;
use leeward_testkit::compare::{self, Report, Scope, Snapshot};
use leeward_testkit::servers::{DataDir, Server, ServerOptions};
use leeward_testkit::workload::four_tables_rows;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};

use super::binlog::{self, Commit};
use super::hurricane::Loss;
use super::narrator::{count, say};
use super::stage::{CONNECTIONS, FOUR_TABLES, Stage};
use super::stale::{self, Judgement, Keeping};
use super::verdict::{self, Births, Findings, Standing};
use super::witness::Witness;

/// Transactions looked at one by one: ten times what the shop writes between two comparisons.
const HISTORY_MAX: usize = 600;

/// Holds the claim against the surviving disk and says what came out. Returns whether it is true.
pub(super) async fn prove(stage: &Stage, loss: &Loss) -> Result<bool> {
    say("Days later somebody recovers the disk of us-east-1. It is started as a separate, read-only server; Leeward \
         does not see it.");
    let survivor = revive(stage).await?;
    let mut witness = Witness::start(stage.kind, &survivor, &stage.beginning).await?;
    let commits = binlog::commits(&mut survivor.connect().await?, &stage.beginning).await?;
    say(&format!(
        "Its binary log tells every transaction in order: {}. A third, empty server replays them up to the one at \
         which the target stands, and is compared with the target row by row.",
        count(commits.len() as u64)
    ));
    let births = births(&survivor, &stage.target).await?;
    let candidates = candidates(stage, &commits).await?;
    let first = before(loss, &births, &commits, candidates.start);
    let mut history = replay(&mut witness, &commits, first..candidates.start).await?;
    let standing = find_standing((stage, loss), &mut witness, &commits, candidates, &mut history).await?;
    let lost = compare::servers(&opts(&survivor)?, &opts(&stage.target)?, &scope(stage)).await?;
    Ok(verdict::pronounce(loss, &Findings { commits: commits.len(), standing, lost, births }))
}

/// Starts the surviving disk under another address. Nobody may write to it.
async fn revive(stage: &Stage) -> Result<Server> {
    let extra_args = ["--read-only=ON", "--loose-super-read-only=ON"].map(str::to_owned).to_vec();
    let options = ServerOptions { data_dir: DataDir::Kept(stage.disk()), extra_args, ..ServerOptions::default() };
    Server::start(stage.kind, options).await.context("start the surviving disk")
}

async fn births(survivor: &Server, target: &Server) -> Result<Births> {
    let select = format!("SELECT id, created_at FROM `{FOUR_TABLES}`.a ORDER BY created_at");
    let there: Vec<(u64, NaiveDateTime)> = survivor.connect().await?.query(&select).await?;
    let here: BTreeMap<u64, NaiveDateTime> = target.connect().await?.query(&select).await?.into_iter().collect();
    let lost = there.iter().filter(|(id, _)| !here.contains_key(id)).map(|(_, at)| *at).collect();
    Ok(Births { all: there.into_iter().map(|(_, at)| at).collect(), lost })
}

/// Returns the transactions of which one is the last that the target holds: from the one that wrote
/// its newest row of `a` up to the next that wrote one.
async fn candidates(stage: &Stage, commits: &[Commit]) -> Result<std::ops::Range<usize>> {
    let held = four_tables_rows(&mut stage.target.connect().await?, FOUR_TABLES).await?;
    ensure!(held.is_whole(), "the target's four tables are no state that the source ever had: {held:?}");
    let table = format!("{FOUR_TABLES}.a");
    let writers: Vec<usize> = (0..commits.len()).filter(|&at| commits[at].tables.contains(&table)).collect();
    let held = usize::try_from(held.a)?;
    ensure!(
        (1..=writers.len()).contains(&held),
        "the target holds {held} transactions of the four tables, the surviving disk {}",
        writers.len()
    );
    let end = writers.get(held).copied().unwrap_or(commits.len());
    Ok(writers[held - 1]..end)
}

/// Returns a transaction that was surely committed before the oldest of the times since when tables
/// have been compared.
fn before(loss: &Loss, births: &Births, commits: &[Commit], standing: usize) -> usize {
    let verified = loss.verified_since();
    let table = format!("{FOUR_TABLES}.a");
    let older = births.all.iter().filter(|&&at| at < verified).count();
    // One for each connection: a row may be written before that time and committed after it.
    let older = older.saturating_sub(CONNECTIONS as usize + 1);
    let writers = (0..commits.len()).filter(|&at| commits[at].tables.contains(&table));
    let first = writers.take(older).last().unwrap_or(0);
    first.max(standing.saturating_sub(HISTORY_MAX)).min(standing)
}

/// Replays transaction by transaction and keeps a view of the source after each.
async fn replay(witness: &mut Witness, commits: &[Commit], range: std::ops::Range<usize>) -> Result<Vec<Conn>> {
    let mut history = Vec::new();
    for commit in &commits[range] {
        witness.replay_to(&commit.end).await?;
        history.push(view(witness).await?);
    }
    Ok(history)
}

/// Opens a connection that goes on seeing what the witness holds now.
async fn view(witness: &Witness) -> Result<Conn> {
    let mut conn = witness.server.connect().await?;
    conn.query_drop("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY").await.context("keep a view")?;
    Ok(conn)
}

/// Replays on until the witness equals the target. Where no transaction makes it so, the one that
/// leaves the least unexplained is taken: not the fewest differences, because a deletion that the
/// target has not seen yet may come before an update that it has.
async fn find_standing(
    (stage, loss): (&Stage, &Loss),
    witness: &mut Witness,
    commits: &[Commit],
    candidates: std::ops::Range<usize>,
    history: &mut Vec<Conn>,
) -> Result<Standing> {
    let mut best: Option<Standing> = None;
    for commit in candidates {
        witness.replay_to(&commits[commit].end).await?;
        history.push(view(witness).await?);
        let mut there = Snapshot::open(&opts(&witness.server)?).await?;
        let mut here = Snapshot::open(&opts(&stage.target)?).await?;
        let report = compare::snapshots(&mut there, &mut here, &scope(stage)).await?;
        let judgement = judge(stage, loss, &report, history).await?;
        let weight = |judgement: &Judgement| (judgement.wrong.len(), judgement.stale);
        if best.as_ref().is_none_or(|best| weight(&judgement) < weight(&best.judgement)) {
            best = Some(Standing { commit, report, judgement });
        }
        if best.as_ref().is_some_and(|best| best.report.is_equal()) {
            break;
        }
    }
    best.context("find the transaction at which the target stands")
}

/// Looks at every difference by itself.
async fn judge(stage: &Stage, loss: &Loss, report: &Report, history: &mut [Conn]) -> Result<Judgement> {
    let mut sum = Judgement::default();
    let mut target = stage.target.connect().await?;
    for table in report.unequal() {
        let name = format!("{}.{}", table.database, table.table);
        let known = loss.tables.iter().find(|known| known.name == name);
        let keeping = match known.map(|known| known.strategy.as_str()) {
            Some("reconcile") => Keeping::ByComparison,
            _ => Keeping::ByClock,
        };
        let judgement = stale::judge(table, keeping, &mut target, history).await?;
        sum.stale += judgement.stale;
        sum.wrong.extend(judgement.wrong);
    }
    Ok(sum)
}

fn scope(stage: &Stage) -> Scope {
    Scope::databases(stage.databases.iter().map(String::as_str))
}

fn opts(server: &Server) -> Result<Opts> {
    Opts::from_url(&server.admin_url()).context("parse a server's URL")
}
