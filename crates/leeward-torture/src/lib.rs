//! The torture run: the real binary between two private servers, under hostile traffic, while processes are killed and
//! frozen, links are cut and servers crash. A reader of its own judges every commit on the target; in the end an
//! independent comparison must find both sides equal.
//!
//! Dev only. It knows Leeward from outside: its command line, its exit codes and its control schema. The same seed gives
//! the same choices of traffic and the same faults in the same order; it does not give the same interleaving, which is the
//! machine's.

mod checker;
mod dba;
mod driver;
mod ending;
mod fleet;
mod keys;
mod lag;
mod news;
mod process;
mod report;
mod script;
mod stage;
mod strike;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Result, ensure};
use leeward_testkit::servers::Kind;
use leeward_testkit::workload::hostile::{Hostile, Pace};
use tokio::task::JoinSet;

use checker::{Checker, Seen, locked};
use dba::Dba;
use driver::{Done, Driver};
use fleet::Fleet;
use lag::Prober;
use news::News;
pub use report::{Commits, Comparison, Person, Report, Spread, spread};
use script::{Script, Side};
use stage::Stage;

/// How much of everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Faults are drawn until the time is over.
    Long,
    /// Each kind of fault once, as far as the time allows: a test.
    Short,
}

/// Whether the run is told on stderr as well as in its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Echo {
    /// Told.
    On,
    /// Only in the log.
    Off,
}

/// What to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The kind of both servers.
    pub kind: Kind,
    /// The seed of traffic and faults.
    pub seed: u64,
    /// How long faults come. The run takes longer by its beginning and its end.
    pub length: Duration,
    /// Long or short.
    pub form: Form,
    /// The binary.
    pub binary: PathBuf,
    /// A folder for the logs, which is emptied first.
    pub logs: PathBuf,
    /// Whether the run is told as it goes.
    pub echo: Echo,
}

/// Returns the name of a database of a run.
fn place(what: &str) -> String {
    format!("torture_{what}")
}

/// Runs. What is found wrong stands in the report.
///
/// # Errors
/// When the run cannot be begun: no server, no binary, a seed that fails.
pub async fn run(options: &Options) -> Result<Report> {
    stage::empty_folder(&options.logs)?;
    let news = Arc::new(News::start(&options.logs.join("run.log"), options.echo)?);
    let mut stage = Stage::set(options).await?;
    news.say("the servers are up and the sample is loaded");
    let (code, _, said) = stage.binary.run(&["seed"]).await?;
    ensure!(code == 0, "seed the target: exit code {code}: {said}");
    news.say("the target is seeded");
    let traffic = Hostile::start(
        &stage.admin(Side::Source)?,
        &stage.places,
        options.seed,
        if options.form == Form::Long { Pace::Long } else { Pace::Short },
    );
    let mut watchers = JoinSet::new();
    let checker = Checker::new(stage.admin(Side::Target)?, stage.places.clone(), stage.databases(), Arc::clone(&news));
    let seen = checker.seen();
    watchers.spawn(checker.watch());
    let lags = Arc::new(Mutex::new(Vec::new()));
    watchers.spawn(prober(&stage, &news, &lags)?.probe());

    let mut fleet = Fleet::default();
    fleet.start(&stage)?;
    let mut driver =
        Driver { stage: &mut stage, fleet: &mut fleet, news: &news, done: Done::default(), dba: Dba::new() };
    let length = options.length;
    let played = tokio::select! {
        played = driver.play(Script::new(options.seed, options.form), length) => played,
        () = news.until_broken() => Ok(()),
    };
    let played_for = news.elapsed();
    let mut ended = ending::Ended::default();
    if let Err(error) = &played {
        news.broken(&format!("{error:#}"));
    }
    if news.what_is_broken().is_some() {
        ended.traffic = traffic.stop().await.unwrap_or_default();
    } else if let Err(error) = ending::end(&mut driver, (traffic, watchers), &mut ended).await {
        news.broken(&format!("{error:#}"));
    }
    let Driver { done, dba, .. } = driver;
    fleet.kill().await;
    let report = Report {
        kind: options.kind,
        version: stage.pair.source.version().split('-').next().unwrap_or_default().to_owned(),
        seed: options.seed,
        form: options.form,
        length: played_for.min(length),
        traffic: ended.traffic,
        commits: commits(&locked(&seen)),
        faults: done.faults,
        kills: done.kills,
        link_faults: done.link_faults,
        takeovers: done.takeovers,
        processes: fleet.started(),
        ends: fleet.ends.clone(),
        person: Person { altered: dba.altered, agreed: dba.agreed, replanned: dba.replanned },
        lags: locked(&lags).clone(),
        recoveries: done.recoveries,
        comparison: ended.comparison,
        verify_exit_code: ended.verify_exit_code,
        broken: news.what_is_broken(),
        logs: options.logs.clone(),
    };
    Ok(report)
}

fn prober(stage: &Stage, news: &Arc<News>, lags: &Arc<Mutex<Vec<f64>>>) -> Result<Prober> {
    Ok(Prober {
        source: stage.admin(Side::Source)?,
        target: stage.admin(Side::Target)?,
        database: stage.places.books.clone(),
        news: Arc::clone(news),
        lags: Arc::clone(lags),
    })
}

fn commits(seen: &Seen) -> Commits {
    let &Seen { seen, missed, live, keys, waiting, waiting_rows } = seen;
    Commits { seen, missed, live, keys, waiting, waiting_rows }
}
