//! The stage: two private servers, a link to each, the sample and the tables of the traffic, and the binary between them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use chrono::NaiveDateTime;
use leeward_testkit::proxy::{Link, Proxy};
use leeward_testkit::sample;
use leeward_testkit::servers::{Pair, Server, ServerOptions};
use leeward_testkit::workload::SplitMix64;
use leeward_testkit::workload::hostile::{self, Places};
use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{Conn, Opts};
use tempfile::TempDir;

use crate::process::Binary;
use crate::script::Side;
use crate::{Options, place};

/// The lane.
pub(crate) const LANE: &str = "torture";

/// Reads the source with nothing but what Leeward asks for; writes the target with what an RDS master user has. The
/// password protects nothing but loopback.
const READER: &str = "leeward_reader";
const WRITER: &str = "leeward_writer";
const PASSWORD: &str = "torture";

/// How long Leeward waits for a silent peer here: long enough for a busy machine, short enough for a fault every few
/// seconds.
const TIMEOUTS: &str = "?read_timeout=4s&connect_timeout=3s";

/// Room of the one database of the target whose disk can be filled, in MiB: several times what a run writes into it.
pub(crate) const AMPLE_MIB: u32 = 400;

/// Rows that the brake lets pass: more than random deletes between two comparisons, far fewer than a table that is emptied.
const BRAKE_ROWS: u32 = 600;

/// Everything that is up.
pub(crate) struct Stage {
    pub(crate) pair: Pair,
    pub(crate) source_link: Proxy,
    pub(crate) target_link: Proxy,
    pub(crate) binary: Binary,
    pub(crate) places: Places,
    /// Whether the target's disk can be filled here.
    pub(crate) can_fill_disk: bool,
    /// Where the logs go.
    pub(crate) logs: PathBuf,
    _folder: TempDir,
}

impl Stage {
    /// Starts everything, loads the sample and seeds the target.
    pub(crate) async fn set(options: &Options) -> Result<Stage> {
        // Interleaved ids, as on RDS for MySQL; MariaDB's own default is the stricter 1.
        let extra_args = vec!["--innodb-autoinc-lock-mode=2".to_owned()];
        let servers = ServerOptions { extra_args, ..ServerOptions::default() };
        let mut pair = Pair::start(options.kind, servers).await?;
        pair.source.create_reader(READER, PASSWORD, &["TRIGGER", "EVENT"]).await?;
        pair.target.create_rds_like_admin(WRITER, PASSWORD).await?;
        let places = places();
        let mut conn = pair.source.connect().await?;
        sample::load_harbor_as(&mut conn, &places.sample).await?;
        hostile::prepare(&mut conn, &places).await?;
        create_probe(&mut conn, &places.books).await?;
        conn.disconnect().await.context("close a connection")?;
        let can_fill_disk = limit_disk(&mut pair.target, &places.bulk).await?;
        let source_link = Proxy::start(pair.source.address().await?, Link::default()).await?;
        let target_link = Proxy::start(pair.target.address().await?, Link::default()).await?;
        let folder = tempfile::Builder::new().prefix("leeward-torture-").tempdir().context("make a folder")?;
        let policy = folder.path().join("policy.toml");
        std::fs::write(&policy, policy_text(&places, options.seed)).context("write the policy")?;
        let url =
            |server: &Server, link: &Proxy, user| format!("{}{TIMEOUTS}", server.url_through(link, user, PASSWORD));
        let binary = Binary {
            path: options.binary.clone(),
            folder: folder.path().to_owned(),
            variables: vec![
                ("LEEWARD_SOURCE_URL", url(&pair.source, &source_link, READER)),
                ("LEEWARD_TARGET_URL", url(&pair.target, &target_link, WRITER)),
                ("LEEWARD_DATABASES", databases(&places).join(",")),
                ("LEEWARD_POLICY", policy.display().to_string()),
                ("LEEWARD_LEASE_TTL", "5s".to_owned()),
                ("LEEWARD_LOG_FORMAT", "text".to_owned()),
                ("NO_COLOR", "1".to_owned()),
            ],
        };
        let logs = options.logs.clone();
        Ok(Stage { pair, source_link, target_link, binary, places, can_fill_disk, logs, _folder: folder })
    }

    pub(crate) fn server(&self, side: Side) -> &Server {
        match side {
            Side::Source => &self.pair.source,
            Side::Target => &self.pair.target,
        }
    }

    pub(crate) fn server_mut(&mut self, side: Side) -> &mut Server {
        match side {
            Side::Source => &mut self.pair.source,
            Side::Target => &mut self.pair.target,
        }
    }

    pub(crate) fn link(&self, side: Side) -> &Proxy {
        match side {
            Side::Source => &self.source_link,
            Side::Target => &self.target_link,
        }
    }

    pub(crate) fn set_delays(&self, (source, target): (Duration, Duration)) {
        self.source_link.set_delay(source);
        self.target_link.set_delay(target);
    }

    /// Returns the names of all databases of the lane.
    pub(crate) fn databases(&self) -> Vec<String> {
        databases(&self.places)
    }

    /// Returns how a server is reached as its administrator, around the links.
    pub(crate) fn admin(&self, side: Side) -> Result<Opts> {
        Opts::from_url(&self.server(side).admin_url()).context("parse a server's URL")
    }

    /// Runs a query as the administrator, on a connection of its own.
    pub(crate) async fn query<T: FromRow + Send + 'static>(&self, side: Side, sql: &str) -> Result<Vec<T>> {
        let mut conn = self.server(side).connect().await?;
        let rows = conn.query(sql).await.with_context(|| format!("run {sql}"))?;
        conn.disconnect().await.context("close a connection")?;
        Ok(rows)
    }

    /// Returns the source's clock.
    pub(crate) async fn source_now(&self) -> Result<NaiveDateTime> {
        let now: Vec<NaiveDateTime> = self.query(Side::Source, "SELECT UTC_TIMESTAMP(6)").await?;
        now.into_iter().next().context("read the source's clock")
    }

    /// Returns whether the lane is live, with its cycle and the source's clock at its cut.
    pub(crate) async fn lane(&self) -> Result<(String, u64, Option<NaiveDateTime>)> {
        let sql = format!("SELECT state, cycle, cut_at FROM leeward.lane WHERE lane = '{LANE}'");
        self.query(Side::Target, &sql).await?.into_iter().next().context("the lane has no record")
    }

    /// Returns the process that holds the lease, and the lease's epoch.
    pub(crate) async fn leader(&self) -> Result<(i32, u64)> {
        let sql = format!("SELECT holder, epoch FROM leeward.lease WHERE lane = '{LANE}'");
        let lease: Vec<(String, u64)> = self.query(Side::Target, &sql).await?;
        let (holder, epoch) = lease.into_iter().next().context("the lane has no lease")?;
        // A lease that was given back has no holder.
        let process = holder.split('/').nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
        Ok((process, epoch))
    }
}

fn places() -> Places {
    Places {
        books: place("books"),
        four: place("four"),
        sample: place("harbor"),
        shapes: place("shapes"),
        bulk: place("bulk"),
        mass: place("mass"),
    }
}

fn databases(places: &Places) -> Vec<String> {
    let Places { books, four, sample, shapes, bulk, mass } = places;
    [books, four, sample, shapes, bulk, mass].into_iter().cloned().collect()
}

async fn create_probe(conn: &mut Conn, database: &str) -> Result<()> {
    conn.query_drop(format!(
        "CREATE TABLE {database}.probe (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, n INT NOT NULL)"
    ))
    .await
    .context("create the table of the probes")
}

/// Gives one database of the target a file system of its own. Returns whether that may be done here.
async fn limit_disk(target: &mut Server, database: &str) -> Result<bool> {
    match target.create_limited_database(database, AMPLE_MIB).await {
        Ok(()) => {}
        Err(error) if format!("{error:#}").contains("the right to mount") => {
            let mut conn = target.connect().await?;
            conn.query_drop(format!("DROP DATABASE IF EXISTS {database}")).await?;
            return Ok(conn.disconnect().await.map(|()| false)?);
        }
        Err(error) => return Err(error),
    }
    // As the source's: the seed takes it as it finds it.
    let mut conn = target.connect().await?;
    conn.query_drop(format!("ALTER DATABASE {database} CHARACTER SET utf8mb4")).await?;
    conn.disconnect().await.context("close a connection")?;
    Ok(true)
}

/// Short passes, so that every delete is found soon; small batches with some seeds, so that catching up takes several
/// cycles; definitions are changed by Leeward with odd seeds, by a person with even ones.
fn policy_text(places: &Places, seed: u64) -> String {
    let mut random = SplitMix64::new(seed);
    let rows_max = [4_000, 8_000, 20_000][random.below(3) as usize];
    let chunk_rows = [200, 1_000, 5_000][random.below(3) as usize];
    let ddl = if seed % 2 == 1 { "apply" } else { "report" };
    let Places { books, four, sample, bulk, .. } = places;
    format!(
        "version = 1\nplatform = \"self-managed\"\nddl = \"{ddl}\"\n\
         [lane]\nname = \"{LANE}\"\n\
         [brake]\nrows = {BRAKE_ROWS}\nshare = 0.05\n\
         [scrub]\npass_interval = \"5s\"\nreconcile_interval = \"2s\"\nsource_share = 0.2\nchunk_rows = {chunk_rows}\n\
         [batch]\nrows_max = {rows_max}\n\
         [[table]]\nmatch = \"{{{books},{four},{bulk}}}.{{a,b,transfer,pour,probe}}\"\nclass = \"insert_only\"\n\
         reason = \"only ever added to\"\n\
         [[table]]\nmatch = \"{sample}.{{audit_trail,cart_tombstone,ledger_entry,payment}}\"\nclass = \"insert_only\"\n\
         reason = \"declared so, and mostly true\"\n\
         [[table]]\nmatch = \"{bulk}.number\"\nclass = \"static\"\nreason = \"written once\"\n"
    )
}

/// Returns an empty folder.
pub(crate) fn empty_folder(path: &Path) -> Result<()> {
    match std::fs::remove_dir_all(path) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).context("clear the folder of the logs"),
    }
    std::fs::create_dir_all(path).context("create the folder of the logs")?;
    ensure!(path.is_dir(), "the logs need a folder");
    Ok(())
}
