//! The witness: a third server that replays the binary log of the source's surviving disk, by the
//! server's own replication, up to any transaction. It shows what the source held at that moment.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use leeward_testkit::servers::{Kind, Server, ServerOptions};
use mysql_async::prelude::{FromValue, Queryable};
use mysql_async::{Conn, Row};

use super::binlog::Position;

/// How long one replay may take: the whole demo writes some 200,000 rows.
const REPLAY_MAX: Duration = Duration::from_secs(120);

/// How often the replay is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Views that are held at once need a connection each.
const CONNECTIONS_MAX: u32 = 1000;

/// A server that holds what the source held after some transaction.
pub(super) struct Witness {
    pub(super) server: Server,
    conn: Conn,
    until: &'static str,
}

impl Witness {
    /// Starts an empty server that will replay the log of `survivor` from `beginning`.
    pub(super) async fn start(kind: Kind, survivor: &Server, beginning: &Position) -> Result<Witness> {
        let connections = format!("--max-connections={CONNECTIONS_MAX}");
        // It lives for half a minute, so nothing it writes has to survive.
        let options = ["--innodb-flush-log-at-trx-commit=0", "--sync-binlog=0", "--skip-log-bin", &connections];
        let extra_args = options.map(str::to_owned).to_vec();
        let server = Server::start(kind, ServerOptions { extra_args, ..ServerOptions::default() }).await?;
        let mut conn = server.connect().await?;
        let (statement, prefix, rest) = match kind {
            Kind::MariaDb => ("CHANGE MASTER TO", "MASTER", ", MASTER_USE_GTID=no"),
            Kind::MySql => ("CHANGE REPLICATION SOURCE TO", "SOURCE", ", SOURCE_AUTO_POSITION=0"),
        };
        let Position { file, offset } = beginning;
        let port = survivor.port();
        conn.query_drop(format!(
            "{statement} {prefix}_HOST='127.0.0.1', {prefix}_PORT={port}, {prefix}_USER='root', \
             {prefix}_LOG_FILE='{file}', {prefix}_LOG_POS={offset}{rest}"
        ))
        .await
        .context("point the witness to the surviving disk's log")?;
        Ok(Witness { server, conn, until: prefix })
    }

    /// Replays up to a transaction's end, which must not lie behind what was replayed before.
    pub(super) async fn replay_to(&mut self, end: &Position) -> Result<()> {
        let Position { file, offset } = end;
        let until = format!("UNTIL {0}_LOG_FILE='{file}', {0}_LOG_POS={offset}", self.until);
        self.conn.query_drop(format!("START REPLICA {until}")).await.context("start the replay")?;
        let deadline = Instant::now() + REPLAY_MAX;
        loop {
            let status: Row = self
                .conn
                .query_first("SHOW REPLICA STATUS")
                .await
                .context("look at the replay")?
                .context("look at the replay: there is none")?;
            let error: String = either(&status, "Last_SQL_Error", "Last_Error")?;
            ensure!(error.is_empty(), "replay the surviving disk's log: {error}");
            let error: String = either(&status, "Last_IO_Error", "Last_Error")?;
            ensure!(error.is_empty(), "read the surviving disk's log: {error}");
            let running: String = either(&status, "Slave_SQL_Running", "Replica_SQL_Running")?;
            if running == "No" {
                let at: u64 = either(&status, "Exec_Master_Log_Pos", "Exec_Source_Log_Pos")?;
                ensure!(at >= *offset, "replay the surviving disk's log: it stopped at {at}, before {offset}");
                return Ok(());
            }
            if Instant::now() >= deadline {
                bail!("replay the surviving disk's log: not done after {} s", REPLAY_MAX.as_secs());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// Reads a column that the two kinds of server name differently.
fn either<T: FromValue>(row: &Row, one: &str, other: &str) -> Result<T> {
    let value = row.get_opt(one).or_else(|| row.get_opt(other));
    value.with_context(|| format!("find {one} in the replay's status"))?.ok().with_context(|| format!("read {one}"))
}
