//! What every case runs on: a source and a target of one kind, and the binary that connects them.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use leeward_testkit::proxy::{Link, Proxy};
use leeward_testkit::servers::{Kind, Pair, ServerOptions};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tempfile::TempDir;

use crate::binary::Leeward;

/// Round-trip time between two coasts of North America.
pub(super) const ROUND_TRIP: Duration = Duration::from_millis(70);

/// Holds the 6,000,000 rows of `seed`, so that no run is slower for a cold cache.
const BUFFER_POOL_MIB: u32 = 2048;

/// The account on both sides; it protects nothing but loopback.
const ACCOUNT: &str = "leeward";

/// The built-in policy, but for the platform and the tables that are only ever added to: those of
/// `quiet`, the probe of `lag`, and `a` and `b` of its workload.
const POLICY: &str = "version = 1\nplatform = \"self-managed\"\n[lane]\nname = \"bench\"\n\
    [[table]]\nmatch = \"bench_rows.{journal_*,a,b}\"\nclass = \"insert_only\"\nreason = \"only ever added to\"\n";

/// A pair of servers and the binary.
pub(super) struct Rig {
    pub(super) pair: Pair,
    pub(super) leeward: Leeward,
    folder: TempDir,
}

impl Rig {
    /// Starts both servers; the binary reaches the source without a detour.
    pub(super) async fn start(kind: Kind, path: PathBuf, database: &str) -> Result<Rig> {
        // The redo logs are made for loads of a gigabyte; either family knows one of the two names. Rows may be written
        // into files anywhere.
        let extra_args =
            ["--loose-innodb-log-file-size=1G", "--loose-innodb-redo-log-capacity=1G", "--secure-file-priv="];
        let options = ServerOptions {
            buffer_pool_mib: BUFFER_POOL_MIB,
            extra_args: extra_args.map(str::to_owned).to_vec(),
            ..ServerOptions::default()
        };
        let pair = Pair::start(kind, options).await?;
        pair.source.create_reader(ACCOUNT, ACCOUNT, &["TRIGGER", "EVENT"]).await?;
        pair.target.create_rds_like_admin(ACCOUNT, ACCOUNT).await?;
        let folder = tempfile::Builder::new().prefix("leeward-bench-").tempdir().context("make a folder")?;
        let policy = folder.path().join("policy.toml");
        let leeward = Leeward {
            path,
            folder: folder.path().to_owned(),
            source_url: pair.source.url(ACCOUNT, ACCOUNT),
            target_url: pair.target.url(ACCOUNT, ACCOUNT),
            databases: database.to_owned(),
            policy,
        };
        let rig = Rig { pair, leeward, folder };
        rig.policy("")?;
        Ok(rig)
    }

    /// Puts a slow link between the binary and the source.
    pub(super) async fn slow_link(&mut self) -> Result<Proxy> {
        let link = Proxy::start(self.pair.source.address().await?, Link::with_round_trip(ROUND_TRIP)).await?;
        self.leeward.source_url = self.pair.source.url_through(&link, ACCOUNT, ACCOUNT);
        Ok(link)
    }

    /// Returns how the servers are called in a table.
    pub(super) fn server(&self) -> String {
        // `10.11.19-MariaDB-0+deb12u1` says the rest already.
        let version = self.pair.source.version().split('-').next().unwrap_or_default();
        format!("{} {version}", self.pair.source.kind())
    }

    /// Takes everything off the target that a run put there, its binary logs included.
    pub(super) async fn clear_target(&self) -> Result<()> {
        let mut conn = self.pair.target.connect().await?;
        for database in [&self.leeward.databases, "leeward"] {
            conn.query_drop(format!("DROP DATABASE IF EXISTS `{database}`")).await.context("clear the target")?;
        }
        // MySQL 8.4 renamed the statement.
        if conn.query_drop("RESET BINARY LOGS AND GTIDS").await.is_err() {
            conn.query_drop("RESET MASTER").await.context("clear the target's binary logs")?;
        }
        conn.disconnect().await.context("close a connection")
    }

    /// Makes a folder for what is on its way from one server to the other; it goes when it is dropped.
    pub(super) fn scratch(&self) -> Result<TempDir> {
        tempfile::tempdir_in(self.folder.path()).context("make a folder")
    }

    /// Connects to the source for filling it, without a binary log.
    pub(super) async fn filler(&self) -> Result<Conn> {
        let mut conn = self.pair.source.connect().await?;
        conn.query_drop("SET SESSION sql_log_bin = 0").await.context("switch the binary log off")?;
        Ok(conn)
    }

    /// Waits until `sync` has committed so many further cycles. The caller bounds the wait.
    pub(super) async fn cycles_pass(&self, count: u64) -> Result<()> {
        let mut conn = self.pair.target.connect().await?;
        let until = Rig::cycle(&mut conn).await? + count;
        while Rig::cycle(&mut conn).await? < until {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        conn.disconnect().await.context("close a connection")
    }

    /// Adds rules to the policy for whatever is seeded from now on.
    pub(super) fn policy(&self, more: &str) -> Result<()> {
        std::fs::write(&self.leeward.policy, format!("{POLICY}{more}")).context("write the policy")
    }

    /// Returns where a background process writes what it has to say.
    pub(super) fn log(&self) -> PathBuf {
        self.folder.path().join("sync.log")
    }

    /// Returns how many cycles the lane has committed.
    pub(super) async fn cycle(conn: &mut Conn) -> Result<u64> {
        let cycle: Option<u64> = conn.query_first("SELECT cycle FROM leeward.lane").await.context("read the cycle")?;
        cycle.context("the lane has a record")
    }
}
