//! The stage: two servers, the sea between them, a shop that never closes, and the binary.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use leeward_testkit::proxy::{Link, Proxy};
use leeward_testkit::sample;
use leeward_testkit::servers::{DataDir, Kind, Programs, Server, ServerOptions, workspace_root};
use leeward_testkit::workload::{self, Running, Traffic, Workload};
use mysql_async::Opts;
use tempfile::TempDir;

use super::binlog::{self, Position};
use super::narrator::{prompt, say};
use crate::binary::Leeward;

/// Round-trip time between two coasts of North America: Virginia to Oregon takes 60 to 75 ms.
const ROUND_TRIP: Duration = Duration::from_millis(70);

/// The database of the workload's four tables.
pub(super) const FOUR_TABLES: &str = "journal";

/// Transactions per second. Half of them write 201 rows each, so this is some 1,200 rows a second:
/// a lively shop that leaves two cores time for four processes.
const TRANSACTIONS_PER_S: u32 = 12;

/// Connections of the shop, and so the transactions that can be under way at one moment.
pub(super) const CONNECTIONS: u32 = 3;

/// Transactions before the first scene: tables that are never written look static.
const WARM_UP_TRANSACTIONS: u64 = 40;

/// The account on both sides; it protects nothing but loopback.
const ACCOUNT: &str = "leeward";

/// Everything that is up.
pub(super) struct Stage {
    pub(super) leeward: Leeward,
    /// "us-east-1"; gone after the hurricane.
    pub(super) source: Option<Server>,
    /// "us-west-2".
    pub(super) target: Server,
    /// Writes on the source; gone after the hurricane.
    pub(super) shop: Option<Running>,
    pub(super) kind: Kind,
    /// The databases in scope.
    pub(super) databases: Vec<String>,
    /// Where the source's binary log stood before the first table was made.
    pub(super) beginning: Position,
    sample: Traffic,
    link: Proxy,
    folder: TempDir,
}

impl Stage {
    /// Starts everything and loads the sample.
    pub(super) async fn set(kind: Kind, sample: Option<&Path>, binary: PathBuf) -> Result<Stage> {
        let programs =
            tokio::task::spawn_blocking(move || Programs::prepare(kind)).await.context("find a server")??;
        say(&format!(
            "Two private {kind} {} servers on this machine play an application's database in us-east-1 (the source) \
             and its standby in us-west-2 (the target). Between Leeward and the source lies a proxy that makes every \
             round trip take {} ms.",
            programs.version(),
            ROUND_TRIP.as_millis()
        ));
        let folder = tempfile::Builder::new().prefix("leeward-demo-").tempdir().context("make a folder")?;
        let on_disk = ServerOptions { data_dir: DataDir::Kept(disk(&folder)), ..ServerOptions::default() };
        let (source, target) =
            tokio::try_join!(Server::start(kind, on_disk), Server::start(kind, ServerOptions::default()))?;
        let link = Proxy::start(source.address().await?, Link::with_round_trip(ROUND_TRIP)).await?;
        source.create_reader(ACCOUNT, ACCOUNT, &["TRIGGER", "EVENT"]).await?;
        target.create_rds_like_admin(ACCOUNT, ACCOUNT).await?;
        let beginning = binlog::position(&mut source.connect().await?).await?;
        let traffic = load_sample(&source, sample).await?;
        let databases = vec![database(&traffic).to_owned(), FOUR_TABLES.to_owned()];
        let leeward = Leeward {
            path: binary,
            folder: folder.path().to_owned(),
            source_url: source.url_through(&link, ACCOUNT, ACCOUNT),
            target_url: target.url(ACCOUNT, ACCOUNT),
            databases: databases.join(","),
            policy: workspace_root().join("policies/demo.toml"),
        };
        let shop = open_shop(&source, &traffic).await?;
        say(&format!(
            "The source holds the sample database `{}`. An application writes to it without a pause: {TRANSACTIONS_PER_S} \
             transactions a second that insert, update and delete in `{}` and fill the four tables a, b, c and d of \
             `{FOUR_TABLES}`, 200 rows for each row of a.",
            databases[0], databases[0]
        ));
        Ok(Stage {
            leeward,
            source: Some(source),
            target,
            shop: Some(shop),
            kind,
            databases,
            beginning,
            sample: traffic,
            link,
            folder,
        })
    }

    /// Runs a command of the binary for the audience; it must succeed.
    pub(super) async fn play(&self, subcommand: &str, rest: &[&str]) -> Result<()> {
        let arguments: Vec<&str> = std::iter::once(subcommand).chain(rest.iter().copied()).collect();
        prompt(&format!("leeward {}", arguments.join(" ")));
        let status = self.leeward.show(&arguments).await?;
        ensure!(status.success(), "`leeward {subcommand}` ended with {status}");
        Ok(())
    }

    /// Returns the source's data directory, which outlives it.
    pub(super) fn disk(&self) -> PathBuf {
        disk(&self.folder)
    }

    /// Returns where the log of a process in the background goes.
    pub(super) fn log(&self) -> PathBuf {
        self.folder.path().join("sync.log")
    }

    /// Brings the source's region back and waits for Ctrl-C, which ends the caller.
    pub(super) async fn keep(&mut self) -> Result<()> {
        let options = ServerOptions { data_dir: DataDir::Kept(self.disk()), ..ServerOptions::default() };
        let source = Server::start(self.kind, options).await.context("bring the source back")?;
        self.link = Proxy::start(source.address().await?, Link::with_round_trip(ROUND_TRIP)).await?;
        self.leeward.source_url = source.url_through(&self.link, ACCOUNT, ACCOUNT);
        let shop = open_shop(&source, &self.sample).await?;
        say("The power is back in us-east-1: the source runs again on its old disk, and the application writes. In \
             other terminals:");
        let Leeward { path, source_url, target_url, databases, policy, .. } = &self.leeward;
        println!("\n  export LEEWARD_SOURCE_URL='{source_url}'");
        println!("  export LEEWARD_TARGET_URL='{target_url}'");
        println!("  export LEEWARD_DATABASES={databases} LEEWARD_POLICY={}", policy.display());
        let path = path.display();
        println!("\n  {path} sync         # catches up with what the storm had cut off, and goes on");
        println!("  {path} status       # meanwhile, in another terminal");
        println!("  {path} verify       # compares every row");
        println!("  {path} readiness    # can the copy take over now?");
        println!("\n  The servers themselves: source {}  target {}", source.admin_url(), self.target.admin_url());
        println!("\nCtrl-C stops everything and removes the data.");
        self.source = Some(source);
        self.shop = Some(shop);
        std::future::pending().await
    }
}

fn disk(folder: &TempDir) -> PathBuf {
    folder.path().join("us-east-1")
}

/// Loads sakila from the given folder or from beside the checkout, else the project's own sample.
async fn load_sample(source: &Server, given: Option<&Path>) -> Result<Traffic> {
    let mut conn = source.connect().await?;
    let traffic = match given.map(Path::to_path_buf).or_else(sample::locate_sakila) {
        Some(folder) => {
            sample::load_sakila(&mut conn, &folder).await?;
            Traffic::Sakila
        }
        None => {
            sample::load_harbor(&mut conn).await?;
            Traffic::Harbor { database: sample::HARBOR.to_owned() }
        }
    };
    conn.disconnect().await.context("close the loading connection")?;
    Ok(traffic)
}

fn database(sample: &Traffic) -> &str {
    match sample {
        Traffic::Harbor { database } => database,
        _ => sample::SAKILA,
    }
}

/// Starts to write, and waits until every table of the workload has seen writes.
async fn open_shop(source: &Server, sample: &Traffic) -> Result<Running> {
    let four_tables = Traffic::FourTables { database: FOUR_TABLES.to_owned() };
    let mut conn = source.connect().await?;
    four_tables.prepare(&mut conn).await?;
    conn.disconnect().await.context("close a connection")?;
    let workload = Workload {
        traffic: vec![four_tables, sample.clone()],
        transactions_per_s: TRANSACTIONS_PER_S,
        connections: CONNECTIONS,
        seed: 1,
    };
    let opts = Opts::from_url(&source.admin_url()).context("parse the source's URL")?;
    let shop = workload::start(opts, workload).await?;
    shop.until(|done| done.transactions >= WARM_UP_TRANSACTIONS).await?;
    Ok(shop)
}
