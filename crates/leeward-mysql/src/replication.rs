//! The two ends of the server's own replication: where the source's binary log ends, what the target's channels have
//! applied, and the server's own wait for a position. Errors' texts are not read: they can hold values of rows.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::port::{BinaryLog, Replica};
use leeward_core::replication::{Channel, Filter, LogPosition, Passage, ServerId, Worker};
use leeward_core::server::{Flavor, Version};
use mysql_async::Row;

use crate::endpoint::Endpoint;
use crate::session::Session;
use crate::sql;
use crate::survey::{number, text};

/// `SHOW REPLICA STATUS` and its columns; the old spelling was dropped later (release notes of 8.0.22 and 8.4.0).
pub(crate) const REPLICA_SINCE: Version = Version(8, 0, 22);

/// `SOURCE_POS_WAIT` (release notes of 8.0.26); the old name is gone in later versions.
const SOURCE_POS_WAIT_SINCE: Version = Version(8, 0, 26);

/// `SHOW BINARY LOG STATUS` (release notes of 8.2.0); the old form is gone from 8.4.
const BINARY_LOG_STATUS_SINCE: Version = Version(8, 2, 0);

/// Seconds of one wait at the server: far below the read time-out, so that a server that waits is told from one that is
/// gone.
const WAIT_STEP_S: u64 = 5;

const READ_LOG: &str = "read where the source's binary log ends";
const READ_STATUS: &str = "read the target's replication status";
const WAIT: &str = "wait for the target's replication";

/// A connection that may have stood idle for as long as tables take to be compared, which a server or a firewall may have
/// ended meanwhile. What is asked over it changes nothing, so it is asked once more over a new one, of the same server.
struct Line {
    endpoint: Endpoint,
    purpose: &'static str,
    session: Session,
    /// `@@server_id`, which a standby takes over with its log, and another server has not.
    server: u64,
}

impl Line {
    async fn open(endpoint: &Endpoint, purpose: &'static str) -> Result<Line, Fault> {
        let mut session = Session::open(endpoint, purpose).await?;
        let server = server_id(&mut session).await?;
        Ok(Line { endpoint: endpoint.clone(), purpose, session, server })
    }

    async fn rows(&mut self, doing: &str, query: &str) -> Result<Vec<Row>, Fault> {
        match self.session.rows(doing, query).await {
            Err(_) if self.session.is_broken() => {
                let Line { session, server, .. } = Line::open(&self.endpoint, self.purpose).await?;
                if server != self.server {
                    let why = format!(
                        "another server answers than before (server id {}, then {server}); begin anew",
                        self.server
                    );
                    return Err(Fault::new(FaultKind::Refused(why), doing).on(session.side()));
                }
                self.session = session;
                self.session.rows(doing, query).await
            }
            answer => answer,
        }
    }

    async fn row(&mut self, doing: &str, query: &str) -> Result<Option<Row>, Fault> {
        Ok(self.rows(doing, query).await?.into_iter().next())
    }
}

async fn server_id(session: &mut Session) -> Result<u64, Fault> {
    const DOING: &str = "read the server's id";
    let row = session.row(DOING, "SELECT @@server_id").await?;
    row.and_then(|row| number(&row, 0)).ok_or_else(|| Fault::new(FaultKind::Unexpected, DOING).on(session.side()))
}

/// The source's end.
pub struct MySqlBinaryLog {
    line: Line,
}

impl MySqlBinaryLog {
    /// Connects.
    ///
    /// # Errors
    /// Those of [`Session::open`].
    pub async fn connect(source: &Endpoint) -> Result<MySqlBinaryLog, Fault> {
        Ok(MySqlBinaryLog { line: Line::open(source, "binary log").await? })
    }
}

#[async_trait]
impl BinaryLog for MySqlBinaryLog {
    async fn writer(&mut self) -> Result<ServerId, Fault> {
        const DOING: &str = "read how the source names itself to replicas";
        let query = match self.line.session.flavor() {
            Flavor::MariaDb => "SELECT @@server_id",
            Flavor::MySql => "SELECT @@server_id,@@server_uuid",
        };
        let row = self.line.row(DOING, query).await?;
        let unexpected = || Fault::new(FaultKind::Unexpected, DOING).on(self.line.session.side());
        let row = row.ok_or_else(unexpected)?;
        Ok(ServerId { number: number(&row, 0).ok_or_else(unexpected)?, uuid: text(&row, 1) })
    }

    async fn end(&mut self) -> Result<LogPosition, Fault> {
        let query = match self.line.session.flavor() {
            Flavor::MySql if self.line.session.version() >= BINARY_LOG_STATUS_SINCE => "SHOW BINARY LOG STATUS",
            _ => "SHOW MASTER STATUS",
        };
        let row = self.line.row(READ_LOG, query).await?;
        let position = row.and_then(|row| Some(LogPosition { file: text(&row, 0)?, offset: number(&row, 1)? }));
        let why = "the source writes no binary log: set log_bin (on RDS: keep backups for a day at least)";
        position.ok_or_else(|| Fault::new(FaultKind::Refused(why.to_owned()), READ_LOG).on(self.line.session.side()))
    }
}

/// The target's end.
pub struct MySqlReplica {
    line: Line,
}

impl MySqlReplica {
    /// Connects.
    ///
    /// # Errors
    /// Those of [`Session::open`].
    pub async fn connect(target: &Endpoint) -> Result<MySqlReplica, Fault> {
        Ok(MySqlReplica { line: Line::open(target, "replication").await? })
    }

    async fn step(&mut self, channel: &str, end: &LogPosition, seconds: u64) -> Result<Option<i64>, Fault> {
        let function = match self.line.session.flavor() {
            Flavor::MySql if self.line.session.version() >= SOURCE_POS_WAIT_SINCE => "SOURCE_POS_WAIT",
            _ => "MASTER_POS_WAIT",
        };
        let (file, channel) = (sql::literal(&end.file), sql::literal(channel));
        let query = format!("SELECT {function}({file},{},{seconds},{channel})", end.offset);
        let row = self.line.row(WAIT, &query).await?;
        // NULL where nothing is applied, -1 where the time is up, else how many events have passed.
        Ok(row.and_then(|row| text(&row, 0)).and_then(|answer| answer.parse().ok()))
    }
}

#[async_trait]
impl Replica for MySqlReplica {
    async fn channels(&mut self) -> Result<Vec<Channel>, Fault> {
        let words = Words::of(&self.line.session);
        let rows = self.line.rows(READ_STATUS, words.status).await?;
        rows.iter()
            .map(|row| channel(row, &words))
            .collect::<Option<Vec<Channel>>>()
            .ok_or_else(|| Fault::new(FaultKind::Unexpected, READ_STATUS).on(self.line.session.side()))
    }

    async fn pass(&mut self, channel: &str, end: &LogPosition, wait_max: Duration) -> Result<Passage, Fault> {
        let began = Instant::now();
        // Each turn takes its time at the server or is the last.
        loop {
            let left = wait_max.saturating_sub(began.elapsed()).as_secs_f64().ceil() as u64;
            let answer = self.step(channel, end, left.clamp(1, WAIT_STEP_S)).await?;
            match answer {
                Some(events) if events >= 0 => return Ok(Passage::Passed),
                Some(_) if began.elapsed() < wait_max => {}
                Some(_) => return Ok(Passage::NotYet),
                // What does not move can stand behind the position all the same.
                None => {
                    let channels = self.channels().await?;
                    let stands = channels.iter().find(|known| known.name == channel);
                    return Ok(match stands.and_then(|known| known.applied.reaches(end)) {
                        Some(true) => Passage::Passed,
                        _ => Passage::Stopped,
                    });
                }
            }
        }
    }
}

/// How a server spells its status.
struct Words {
    status: &'static str,
    channel: &'static str,
    /// `Master` or `Source`.
    source: &'static str,
    /// `Slave` or `Replica`.
    replica: &'static str,
}

impl Words {
    fn of(session: &Session) -> Words {
        let old = |status, channel| Words { status, channel, source: "Master", replica: "Slave" };
        match session.flavor() {
            // Of all connections; the plain form shows one.
            Flavor::MariaDb => old("SHOW ALL SLAVES STATUS", "Connection_name"),
            Flavor::MySql if session.version() < REPLICA_SINCE => old("SHOW SLAVE STATUS", "Channel_Name"),
            Flavor::MySql => {
                Words { status: "SHOW REPLICA STATUS", channel: "Channel_Name", source: "Source", replica: "Replica" }
            }
        }
    }
}

/// Reads one line of the status; nothing where what every server says is not in it.
fn channel(row: &Row, Words { channel, source, replica, .. }: &Words) -> Option<Channel> {
    let cell = |name: &str| {
        let at = row.columns_ref().iter().position(|column| column.name_str().eq_ignore_ascii_case(name))?;
        text(row, at)
    };
    let count = |name: &str| cell(name).and_then(|digits| digits.parse::<u64>().ok());
    let position =
        |file: &str, offset: &str| Some(LogPosition { file: cell(file).unwrap_or_default(), offset: count(offset)? });
    let uuid = cell(&format!("{source}_UUID")).filter(|uuid| !uuid.is_empty());
    Some(Channel {
        name: cell(channel)?,
        source: ServerId { number: count(&format!("{source}_Server_Id"))?, uuid },
        receiver: worker(&cell(&format!("{replica}_IO_Running"))?),
        applier: worker(&cell(&format!("{replica}_SQL_Running"))?),
        receiver_error: count("Last_IO_Errno")?,
        applier_error: count("Last_SQL_Errno")?,
        behind_s: count(&format!("Seconds_Behind_{source}")),
        delay_s: count("SQL_Delay").unwrap_or(0),
        received: position(&format!("{source}_Log_File"), &format!("Read_{source}_Log_Pos"))?,
        applied: position(&format!("Relay_{source}_Log_File"), &format!("Exec_{source}_Log_Pos"))?,
        filters: filters(row),
    })
}

/// MariaDB's receiver says `Preparing` while it connects.
fn worker(word: &str) -> Worker {
    match word.to_ascii_lowercase().as_str() {
        "yes" => Worker::Running,
        "no" => Worker::Stopped,
        _ => Worker::Connecting,
    }
}

/// Everything named `Replicate_…` narrows or renames what is applied.
fn filters(row: &Row) -> Vec<Filter> {
    let named = row.columns_ref().iter().enumerate().filter_map(|(at, column)| {
        let option = column.name_str();
        option.starts_with("Replicate_").then(|| Some(Filter { option: option.into_owned(), value: text(row, at)? }))
    });
    named.flatten().filter(|filter| !filter.value.is_empty()).collect()
}
