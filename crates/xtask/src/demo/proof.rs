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
use super::narrator::{Tone, clock, count, counted, painted, say, span};
use super::stage::{CONNECTIONS, FOUR_TABLES, Stage};
use super::stale::{self, Judgement, Keeping};
use super::witness::Witness;

/// Transactions looked at one by one: ten times what the shop writes between two comparisons.
const HISTORY_MAX: usize = 600;

/// The source, as the witness shows it after one transaction.
struct Moment {
    /// Index of the last transaction it holds.
    commit: usize,
    /// A connection inside a read view.
    view: Conn,
}

/// The moment at which the target stands.
struct Standing {
    /// Index of the last transaction that the target holds.
    commit: usize,
    report: Report,
}

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
    let standing = find_standing(stage, &mut witness, &commits, candidates, &mut history).await?;
    let judgement = judge(stage, loss, &standing, history).await?;
    let lost = compare::servers(&opts(&survivor)?, &opts(&stage.target)?, &scope(stage)).await?;
    Ok(pronounce(loss, &Findings { commits: commits.len(), standing, judgement, lost, births }))
}

/// Starts the surviving disk under another address. Nobody may write to it.
async fn revive(stage: &Stage) -> Result<Server> {
    let extra_args = ["--read-only=ON", "--loose-super-read-only=ON"].map(str::to_owned).to_vec();
    let options = ServerOptions { data_dir: DataDir::Kept(stage.disk()), extra_args, ..ServerOptions::default() };
    Server::start(stage.kind, options).await.context("start the surviving disk")
}

/// When the rows of `a` were written: each transaction of the four tables writes exactly one.
struct Births {
    /// All that the disk holds.
    all: Vec<NaiveDateTime>,
    /// Those that the target lacks.
    lost: Vec<NaiveDateTime>,
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
    let verified = loss.tables.iter().filter_map(|table| table.verified_since).min().unwrap_or(loss.cut_at);
    let table = format!("{FOUR_TABLES}.a");
    let older = births.all.iter().filter(|&&at| at < verified).count();
    // One for each connection: a row may be written before that time and committed after it.
    let older = older.saturating_sub(CONNECTIONS as usize + 1);
    let writers = (0..commits.len()).filter(|&at| commits[at].tables.contains(&table));
    let first = writers.take(older).last().unwrap_or(0);
    first.max(standing.saturating_sub(HISTORY_MAX)).min(standing)
}

/// Replays transaction by transaction and keeps a view of the source after each.
async fn replay(witness: &mut Witness, commits: &[Commit], range: std::ops::Range<usize>) -> Result<Vec<Moment>> {
    let mut history = Vec::new();
    for commit in range {
        witness.replay_to(&commits[commit].end).await?;
        history.push(Moment::open(witness, commit).await?);
    }
    Ok(history)
}

impl Moment {
    async fn open(witness: &Witness, commit: usize) -> Result<Moment> {
        let mut view = witness.server.connect().await?;
        view.query_drop("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY").await.context("keep a view")?;
        Ok(Moment { commit, view })
    }
}

/// Replays on until the witness equals the target; where no transaction makes it so, the one with
/// the fewest differences is taken. The history then ends with that transaction.
async fn find_standing(
    stage: &Stage,
    witness: &mut Witness,
    commits: &[Commit],
    candidates: std::ops::Range<usize>,
    history: &mut Vec<Moment>,
) -> Result<Standing> {
    let mut best: Option<Standing> = None;
    for commit in candidates {
        witness.replay_to(&commits[commit].end).await?;
        history.push(Moment::open(witness, commit).await?);
        let mut there = Snapshot::open(&opts(&witness.server)?).await?;
        let mut here = Snapshot::open(&opts(&stage.target)?).await?;
        let report = compare::snapshots(&mut there, &mut here, &scope(stage)).await?;
        if best.as_ref().is_none_or(|best| differences(&report) < differences(&best.report)) {
            best = Some(Standing { commit, report });
        }
        if best.as_ref().is_some_and(|best| best.report.is_equal()) {
            break;
        }
    }
    let best = best.context("find the transaction at which the target stands")?;
    history.retain(|moment| moment.commit <= best.commit);
    Ok(best)
}

fn differences(report: &Report) -> u64 {
    let rows = |table: &compare::TableReport| table.missing.count + table.extra.count + table.different.count;
    // A table that cannot be compared at all weighs more than any number of rows.
    report.unequal().map(|table| rows(table).max(1)).sum()
}

/// Looks at every difference by itself.
async fn judge(stage: &Stage, loss: &Loss, standing: &Standing, history: Vec<Moment>) -> Result<Judgement> {
    let mut sum = Judgement::default();
    let mut target = stage.target.connect().await?;
    let mut views: Vec<Conn> = history.into_iter().map(|moment| moment.view).collect();
    for table in standing.report.unequal() {
        let name = format!("{}.{}", table.database, table.table);
        let known = loss.tables.iter().find(|known| known.name == name);
        let keeping = match known.map(|known| known.strategy.as_str()) {
            Some("reconcile") => Keeping::ByComparison,
            _ => Keeping::ByClock,
        };
        let judgement = stale::judge(table, keeping, &mut target, &mut views).await?;
        sum.stale += judgement.stale;
        sum.wrong.extend(judgement.wrong);
    }
    Ok(sum)
}

/// All that was found out.
struct Findings {
    commits: usize,
    standing: Standing,
    judgement: Judgement,
    lost: Report,
    births: Births,
}

/// Says what was found, and whether the claim is true.
fn pronounce(loss: &Loss, found: &Findings) -> bool {
    let Findings { commits, standing, judgement, lost, births } = found;
    let held = standing.commit + 1;
    println!();
    say(&format!(
        "The target stands at transaction {} of {}: {} and {} compared with the source as it was then.",
        count(held as u64),
        count(*commits as u64),
        counted(standing.report.tables.len() as u64, "table"),
        counted(standing.report.source_rows(), "row"),
    ));
    println!("  rows missing, or in a form that the source never had   {:>8}", judgement.wrong.len());
    println!("  rows that only the next comparison would have updated  {:>8}", count(judgement.stale));
    if judgement.stale > 0 {
        let verified = loss.tables.iter().filter_map(|table| table.verified_since).min().unwrap_or(loss.cut_at);
        say(&format!(
            "  (deleted, or changed without a clock, after {}: `leeward status` names that time as the start of the \
             last whole comparison)",
            clock(verified)
        ));
    }
    for wrong in &judgement.wrong {
        println!("  {}", painted(Tone::Bad, wrong));
    }
    let sum = |rows: fn(&compare::TableReport) -> u64| lost.tables.iter().map(rows).sum::<u64>();
    println!();
    say(&format!(
        "Lost with the source are the {} after it. Compared with the disk as it was found, the target:",
        counted((commits - held) as u64, "transaction")
    ));
    println!(
        "  lacks                                                  {:>8}",
        counted(sum(|t| t.missing.count), "row")
    );
    println!(
        "  has in an older form                                   {:>8}",
        counted(sum(|t| t.different.count), "row")
    );
    println!("  still has, deleted there                               {:>8}", counted(sum(|t| t.extra.count), "row"));
    let early = births.lost.iter().filter(|&&at| at <= loss.cut_at).count();
    if let (Some(first), Some(last)) = (births.lost.iter().min(), births.lost.iter().max()) {
        say(&format!(
            "Of the four tables {} are lost, begun from {} to {}; the cut was at {}.",
            counted(births.lost.len() as u64, "transaction"),
            clock(*first),
            clock(*last),
            clock(loss.cut_at)
        ));
    }
    if early > 0 {
        say(&format!(
            "{} of them had begun before the cut and not been committed: {CONNECTIONS} connections write at once.",
            count(early as u64)
        ));
    }
    let late = early > CONNECTIONS as usize;
    let holds = judgement.wrong.is_empty() && !late;
    println!();
    if holds {
        let but = match judgement.stale {
            0 => String::new(),
            stale => format!(", but for the {} above", counted(stale, "row")),
        };
        let words = format!(
            "PROVED: no row written before {} is missing or wrong{but}. Lost: the last {}.",
            clock(loss.cut_at),
            span(loss.died_at - loss.cut_at)
        );
        println!("{}", painted(Tone::Good, &words));
    } else {
        println!("{}", painted(Tone::Bad, "DISPROVED: what Leeward said is not true. Please report this as a bug."));
    }
    holds
}

fn scope(stage: &Stage) -> Scope {
    Scope::databases(stage.databases.iter().map(String::as_str))
}

fn opts(server: &Server) -> Result<Opts> {
    Opts::from_url(&server.admin_url()).context("parse a server's URL")
}
