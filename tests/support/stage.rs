//! One test's stage: a source and a target, a database and a lane of its own, and the binary pointed at them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use chrono::NaiveDateTime;
use leeward_testkit::compare::{self, Report, Scope};
use leeward_testkit::proxy::{Link, Proxy};
use leeward_testkit::servers::{self, Kind, Pair, Server, ServerOptions};
use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{Conn, Opts};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::wait::eventually;
use super::{Leeward, PASSWORD, Ran, Running};

/// Reads the source with nothing but what Leeward asks for.
pub const READER: &str = "leeward_reader";

/// Writes the target with what an RDS master user has.
pub const WRITER: &str = "leeward_writer";

/// Keeps the two servers.
enum Servers {
    Shared(&'static Pair),
    Own(Box<Pair>),
}

/// One test's stage.
pub struct Stage {
    servers: Servers,
    /// The database, empty on the source at first and absent on the target; also the lane's name.
    pub database: String,
    /// Further databases of the lane.
    others: Vec<String>,
    /// Where the source is reached.
    pub source_url: String,
    /// Where the target is reached.
    pub target_url: String,
    folder: TempDir,
}

impl Stage {
    /// Sets the stage on the servers that all tests share. The name must be the test's own.
    pub async fn shared(kind: Kind, name: &str) -> Result<Stage> {
        static MARIADB: OnceCell<()> = OnceCell::const_new();
        static MYSQL: OnceCell<()> = OnceCell::const_new();
        let pair = servers::pair(kind).await?;
        let cell = match kind {
            Kind::MariaDb => &MARIADB,
            Kind::MySql => &MYSQL,
        };
        cell.get_or_try_init(|| create_accounts(pair)).await?;
        Stage::set(Servers::Shared(pair), name).await
    }

    /// Sets the stage on two servers of the test's own, which it may kill.
    pub async fn own(kind: Kind, name: &str) -> Result<Stage> {
        Stage::own_with(kind, name, ServerOptions::default()).await
    }

    /// The same on servers that are started with these options.
    pub async fn own_with(kind: Kind, name: &str, options: ServerOptions) -> Result<Stage> {
        let pair = Pair::start(kind, options).await?;
        create_accounts(&pair).await?;
        Stage::set(Servers::Own(Box::new(pair)), name).await
    }

    async fn set(servers: Servers, name: &str) -> Result<Stage> {
        let folder = tempfile::tempdir().context("create a folder")?;
        let pair = match &servers {
            Servers::Shared(pair) => pair,
            Servers::Own(pair) => pair.as_ref(),
        };
        let stage = Stage {
            database: name.to_owned(),
            others: Vec::new(),
            source_url: pair.source.url(READER, PASSWORD),
            target_url: pair.target.url(WRITER, PASSWORD),
            servers,
            folder,
        };
        stage.clear_database(name).await?;
        stage.clear_lane().await?;
        stage.policy("")?;
        Ok(stage)
    }

    /// Adds a database to the lane.
    pub async fn add_database(&mut self, name: &str) -> Result<()> {
        self.clear_database(name).await?;
        self.others.push(name.to_owned());
        Ok(())
    }

    /// Makes a database empty on the source and absent on the target: servers that were given by URL remember.
    async fn clear_database(&self, name: &str) -> Result<()> {
        for server in [self.source(), self.target()] {
            server.exec_script(&format!("DROP DATABASE IF EXISTS {name};")).await?;
        }
        self.source().exec_script(&format!("CREATE DATABASE {name} CHARACTER SET utf8mb4;")).await
    }

    async fn clear_lane(&self) -> Result<()> {
        let name = &self.database;
        let mut target = self.target().connect().await?;
        let tables: Vec<String> = query(
            &mut target,
            "SELECT TABLE_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA='leeward' AND COLUMN_NAME='lane'",
        )
        .await?;
        for table in tables {
            target.query_drop(format!("DELETE FROM leeward.{table} WHERE lane='{name}'")).await?;
        }
        target.disconnect().await.context("close the connection")
    }

    /// Lets the lane be seeded anew: nothing of it is stored, and no database of it is on the target.
    pub async fn forget_the_target(&self) -> Result<()> {
        self.target().exec_script(&format!("DROP DATABASE IF EXISTS {};", self.database)).await?;
        self.clear_lane().await
    }

    /// Returns both servers.
    pub fn pair(&self) -> &Pair {
        match &self.servers {
            Servers::Shared(pair) => pair,
            Servers::Own(pair) => pair,
        }
    }

    /// Leads the binary to the source through a proxy.
    pub async fn source_through(&mut self, link: Link) -> Result<Proxy> {
        let proxy = Proxy::start(self.source().address().await?, link).await?;
        self.source_url = self.source().url_through(&proxy, READER, PASSWORD);
        Ok(proxy)
    }

    /// Leads the binary to the target through a proxy.
    pub async fn target_through(&mut self, link: Link) -> Result<Proxy> {
        let proxy = Proxy::start(self.target().address().await?, link).await?;
        self.target_url = self.target().url_through(&proxy, WRITER, PASSWORD);
        Ok(proxy)
    }

    /// Returns the names of all databases of the lane.
    pub fn databases(&self) -> Vec<&str> {
        std::iter::once(&self.database).chain(&self.others).map(String::as_str).collect()
    }

    /// Returns both servers, to be stopped and started.
    pub fn pair_mut(&mut self) -> Result<&mut Pair> {
        match &mut self.servers {
            Servers::Shared(_) => anyhow::bail!("servers that tests share cannot be stopped"),
            Servers::Own(pair) => Ok(pair),
        }
    }

    /// Returns the source.
    pub fn source(&self) -> &Server {
        &self.pair().source
    }

    /// Returns the target.
    pub fn target(&self) -> &Server {
        &self.pair().target
    }

    /// Returns a path in the test's folder, in which the binary is started.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns the test's folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes the policy: the test's lane on servers of its own, and what else is given.
    pub fn policy(&self, more: &str) -> Result<()> {
        self.policy_on("self-managed", more)
    }

    /// The same for a platform.
    pub fn policy_on(&self, platform: &str, more: &str) -> Result<()> {
        let text = format!("version = 1\nplatform = \"{platform}\"\n{more}\n[lane]\nname = \"{}\"\n", self.database);
        std::fs::write(self.path("policy.toml"), text).context("write the policy")
    }

    /// Prepares a command on this stage.
    pub fn leeward(&self, arguments: &[&str]) -> Leeward {
        Leeward::new(arguments, self.folder())
            .env("LEEWARD_SOURCE_URL", &self.source_url)
            .env("LEEWARD_TARGET_URL", &self.target_url)
            .env("LEEWARD_DATABASES", &self.databases().join(","))
            .env("LEEWARD_POLICY", "policy.toml")
    }

    /// Runs a command to its end.
    pub async fn run(&self, arguments: &[&str]) -> Result<Ran> {
        self.leeward(arguments).run().await
    }

    /// Seeds the target.
    pub async fn seed(&self) -> Result<Ran> {
        Ok(self.run(&["seed"]).await?.exits(0))
    }

    /// Brings the target to the source and ends.
    pub async fn sync_once(&self) -> Result<Ran> {
        Ok(self.run(&["sync", "--once", "--cycle-interval", "250ms"]).await?.exits(0))
    }

    /// Starts to keep the target in step.
    pub fn start_sync(&self) -> Result<Running> {
        self.leeward(&["sync", "--cycle-interval", "250ms", "--lease-ttl", "5s"]).start()
    }

    /// Runs statements on the source, in the test's database.
    pub async fn on_source(&self, sql: &str) -> Result<()> {
        self.source().exec_script(&format!("USE {};\n{sql}", self.database)).await
    }

    /// Runs statements on the target, in the test's database.
    pub async fn on_target(&self, sql: &str) -> Result<()> {
        self.target().exec_script(&format!("USE {};\n{sql}", self.database)).await
    }

    /// Connects to the source's database as the administrator.
    pub async fn source_conn(&self) -> Result<Conn> {
        let mut conn = self.source().connect().await?;
        conn.query_drop(format!("USE {}", self.database)).await.context("use the test's database")?;
        Ok(conn)
    }

    /// Reads the one value that a query on the target returns.
    pub async fn target_value<T: FromRow + Send + 'static>(&self, sql: &str) -> Result<T> {
        let mut conn = self.target().connect().await?;
        let rows: Vec<T> = query(&mut conn, sql).await?;
        conn.disconnect().await.context("close the connection")?;
        rows.into_iter().next().with_context(|| format!("no row for {sql}"))
    }

    /// Compares both sides row by row, without anything of Leeward's.
    pub async fn compare(&self) -> Result<Report> {
        let source = Opts::from_url(&self.source().admin_url()).context("reach the source")?;
        let target = Opts::from_url(&self.target().admin_url()).context("reach the target")?;
        compare::servers(&source, &target, &Scope::databases(self.databases())).await
    }

    /// Fails unless both sides hold the same tables and rows.
    pub async fn assert_equal(&self) -> Result<()> {
        let report = self.compare().await?;
        ensure!(report.is_equal(), "source and target are {report}");
        Ok(())
    }

    /// Returns what `status` says of the lane.
    pub async fn status(&self) -> Result<Value> {
        self.run(&["status", "--output", "json"]).await?.json()
    }

    /// Returns what `status` says of one table.
    pub async fn table_status(&self, table: &str) -> Result<Value> {
        let status = self.status().await?;
        let name = format!("{}.{table}", self.database);
        let tables = status["tables"].as_array().context("status lists tables")?;
        let line = tables.iter().find(|line| line["name"] == name.as_str());
        line.cloned().with_context(|| format!("{name} is not listed"))
    }

    /// Returns what is stored of a table.
    pub async fn table_record(&self, table: &str) -> Result<Value> {
        let lane = &self.database;
        let text: String = self
            .target_value(&format!(
                "SELECT record FROM leeward.table_state WHERE lane='{lane}' AND schema_name='{lane}' \
                 AND table_name='{table}'"
            ))
            .await?;
        serde_json::from_str(&text).context("read a table's record")
    }

    /// Returns the source's clock.
    pub async fn source_now(&self) -> Result<NaiveDateTime> {
        let mut conn = self.source().connect().await?;
        let now: Option<NaiveDateTime> = conn.query_first("SELECT UTC_TIMESTAMP(6)").await?;
        conn.disconnect().await.context("close the connection")?;
        now.context("read the source's clock")
    }

    /// Waits until a running `sync` has brought the lane, live, to a cut of the source that is opened after this call.
    pub async fn caught_up(&self) -> Result<()> {
        let now = self.source_now().await?;
        let sql = format!("SELECT state, cut_at FROM leeward.lane WHERE lane='{}'", self.database);
        eventually("the lane has caught up", async || {
            let (state, cut_at): (String, Option<NaiveDateTime>) = self.target_value(&sql).await?;
            Ok((state == "live" && cut_at.is_some_and(|cut_at| cut_at > now)).then_some(()))
        })
        .await
    }

    /// Waits until a running `sync` has compared every row of a table in a pass that began after this call.
    pub async fn scrubbed(&self, table: &str) -> Result<()> {
        let now = self.source_now().await?;
        eventually(&format!("{table} has been compared whole"), async || {
            Ok(is_verified_since(&self.table_record(table).await?, now).then_some(()))
        })
        .await
    }

    /// The same for every table of the lane.
    pub async fn all_scrubbed(&self) -> Result<()> {
        let now = self.source_now().await?;
        let sql = format!("SELECT record FROM leeward.table_state WHERE lane='{}'", self.database);
        let mut conn = self.target().connect().await?;
        eventually("every table has been compared whole", async || {
            let texts: Vec<String> = query(&mut conn, &sql).await?;
            let records: Result<Vec<Value>, _> = texts.iter().map(|text| serde_json::from_str(text)).collect();
            let records = records.context("read the tables' records")?;
            Ok(records.iter().all(|record| is_verified_since(record, now)).then_some(()))
        })
        .await?;
        conn.disconnect().await.context("close the connection")
    }

    /// Waits until a table is in a state.
    pub async fn table_is(&self, table: &str, state: &str) -> Result<()> {
        eventually(&format!("{table} is {state}"), async || {
            Ok((self.table_record(table).await?["state"]["state"] == state).then_some(()))
        })
        .await
    }
}

/// Returns whether a table's last complete comparison began after a moment of the source's clock.
fn is_verified_since(record: &Value, moment: NaiveDateTime) -> bool {
    let since = record["scrub"]["verified_since"].as_str().unwrap_or_default();
    NaiveDateTime::parse_from_str(since, "%Y-%m-%dT%H:%M:%S%.f").is_ok_and(|since| since > moment)
}

/// Runs a query as the administrator.
pub async fn query<T: FromRow + Send + 'static>(conn: &mut Conn, sql: &str) -> Result<Vec<T>> {
    conn.query(sql).await.with_context(|| format!("run {sql}"))
}

async fn create_accounts(pair: &Pair) -> Result<()> {
    for (server, account) in [(&pair.source, READER), (&pair.target, WRITER)] {
        server.exec_script(&format!("DROP USER IF EXISTS '{account}'@'%';")).await?;
    }
    pair.source.create_reader(READER, PASSWORD, &["TRIGGER", "EVENT"]).await?;
    pair.target.create_rds_like_admin(WRITER, PASSWORD).await
}
