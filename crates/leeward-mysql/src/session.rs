//! One connection, every wait of which is bounded. What can be said over it is said elsewhere ([`crate::sql`]); there
//! is no pool, and a session that timed out or was cut off in the middle of an answer is never used again (T32).

mod ca_file;
mod graveyard;
mod load;
mod opening;
mod rows;
mod settings;

use std::time::Duration;

use leeward_core::fault::{Fault, FaultKind};
use leeward_core::name::Side;
use leeward_core::server::{Flavor, Version};
use mysql_async::consts::StatusFlags;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, QueryResult, Row, TextProtocol, Value};

use crate::endpoint::{Endpoint, Timeouts};
use crate::fault::{self, Cause, codes};
pub use rows::{RowEvent, Rows};
pub use settings::{SESSION_SETTINGS, Scope};

/// The longest that a patient statement may take. Building the indexes of a large table takes hours; a peer that
/// vanishes meanwhile is found by keepalive probes long before.
const PATIENT_WAIT_MAX: Duration = Duration::from_secs(48 * 3600);

/// The slowest link that is put up with: sending may take this much longer per byte before the first answer counts as
/// late. A 16 MiB statement gets 64 s on top.
const SENT_BYTES_PER_S_MIN: u64 = 256 * 1024;

/// The driver sends parameters in one packet up to the protocol's packet size, and value by value beyond it.
const SENT_WHOLE_BYTES_MAX: usize = (1 << 24) - 1;

/// Room for what goes with a statement or a value: command, ids, types. Each is a few bytes for each parameter.
const PACKET_OVERHEAD_BYTES: usize = 16 * 1024;

/// What a statement did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Rows changed, by the server's count.
    pub affected: u64,
    /// Warnings, of which the server keeps the texts until the next statement.
    pub warnings: u16,
    /// The server's remark, such as `Records: 3  Deleted: 0  Skipped: 0  Warnings: 0`. It holds no row values.
    pub info: String,
}

/// How long the answer to a statement may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    /// The read time-out.
    Usual,
    /// Hours: [`PATIENT_WAIT_MAX`].
    Long,
}

/// Why a wait ended without an answer.
enum Lost {
    Driver(mysql_async::Error),
    TimedOut(Duration),
}

/// One connection to one server.
///
/// A method that was cancelled or timed out leaves the session broken ([`Session::is_broken`]): its socket is closed
/// without reading on, and every later call fails. A broken session is dropped and another one opened.
pub struct Session {
    /// Nothing once the session is broken.
    conn: Option<Conn>,
    /// Set while an answer is awaited or half-read. Found set by the next call, it tells that a future was dropped.
    in_flight: bool,
    side: Side,
    /// `CURRENT_USER()`, for the text of a GRANT.
    account: String,
    flavor: Flavor,
    version: Version,
    version_text: String,
    thread_id: u64,
    packet_bytes_max: u64,
    timeouts: Timeouts,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({} thread {}, {} {})", self.side, self.thread_id, self.flavor, self.version)
    }
}

impl Session {
    /// Connects with a fresh DNS look-up and password and applies [`SESSION_SETTINGS`]. `purpose` shows in the
    /// server's `performance_schema.session_connect_attrs`.
    ///
    /// Round trips: TCP, greeting, TLS if any, log-in (one more where the account's plugin is not the server's
    /// default, one more where `caching_sha2_password` has not cached the account), settings.
    ///
    /// # Errors
    /// `UnknownHost`, `Unreachable`, `TimedOut`, `Tls`, `AccessDenied`, `TooManyConnections`, `Refused` and what a
    /// password source reports. After 1045 the password is fetched anew once.
    pub async fn open(endpoint: &Endpoint, purpose: &'static str) -> Result<Session, Fault> {
        Session::open_with(endpoint, purpose, "").await.map(|(session, _)| session)
    }

    /// Connects like [`Session::open`] and runs further statements in the round trip that applies the settings. Returns their
    /// result sets, as [`Session::sets`] does.
    ///
    /// # Errors
    /// Those of [`Session::open`] and of the statements.
    pub async fn open_with(
        endpoint: &Endpoint,
        purpose: &'static str,
        first: &str,
    ) -> Result<(Session, Vec<Vec<Row>>), Fault> {
        opening::open(endpoint, opening::Purpose { name: purpose, first }).await
    }

    /// Wraps a connection that has logged in but not yet introduced itself.
    fn of(conn: Conn, endpoint: &Endpoint) -> Session {
        Session {
            thread_id: u64::from(conn.id()),
            conn: Some(conn),
            in_flight: false,
            side: endpoint.side,
            account: String::new(),
            flavor: Flavor::MySql,
            version: Version(0, 0, 0),
            version_text: String::new(),
            packet_bytes_max: u64::MAX,
            timeouts: endpoint.timeouts,
        }
    }

    /// Stops the statement that another session is executing, over a connection of its own. That the other session
    /// has ended already is no error.
    ///
    /// # Errors
    /// Those of [`Session::open`], and `MissingGrant` for a thread of another user.
    pub async fn kill_statement(endpoint: &Endpoint, thread_id: u64) -> Result<(), Fault> {
        let doing = format!("stop the statement of thread {thread_id}");
        let mut session = Session::open(endpoint, "kill").await?;
        match session.run(&doing, &format!("KILL QUERY {thread_id}")).await {
            Ok(_) => {}
            Err(fault) if fault.kind == FaultKind::Server(codes::NO_SUCH_THREAD) => {}
            Err(fault) => return Err(fault),
        }
        session.close().await;
        Ok(())
    }

    /// Returns which server it is.
    pub fn side(&self) -> Side {
        self.side
    }

    /// Returns whether it is MariaDB or MySQL.
    pub fn flavor(&self) -> Flavor {
        self.flavor
    }

    /// Returns the server's version.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Returns `CURRENT_USER()`: the account, not the host that the connection came from.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// Returns `VERSION()` as printed.
    pub fn version_text(&self) -> &str {
        &self.version_text
    }

    /// Returns the server's number of this connection, for `KILL`.
    pub fn thread_id(&self) -> u64 {
        self.thread_id
    }

    /// Returns the server's `max_allowed_packet` in bytes, which every statement must stay below.
    pub fn packet_bytes_max(&self) -> u64 {
        self.packet_bytes_max
    }

    /// Returns whether it cannot be used any more.
    pub fn is_broken(&self) -> bool {
        self.in_flight || self.conn.as_ref().is_none_or(Conn::is_disconnected)
    }

    /// Returns whether a transaction is open, by the last answer; nothing when the last answer was an error.
    pub fn in_transaction(&self) -> Option<bool> {
        let ok = self.conn.as_ref()?.last_ok_packet()?;
        Some(ok.status_flags().contains(StatusFlags::SERVER_STATUS_IN_TRANS))
    }

    /// Lets the server end this session, and roll back its transaction, when it has heard nothing for two read time-outs:
    /// longer than the other side is waited for. A process that vanished in the middle of a transaction would otherwise
    /// keep its row locks for `wait_timeout` (8 h by default), and nobody could take its lane over. The same holds for one
    /// that vanished in the middle of a statement or of an answer.
    ///
    /// # Errors
    /// Those of [`Session::run`].
    pub async fn bound_silence(&mut self) -> Result<(), Fault> {
        let silence_s = (self.timeouts.read.as_secs() * 2).max(2);
        let bounds =
            ["wait_timeout", "net_read_timeout", "net_write_timeout"].map(|name| format!("{name}={silence_s}"));
        self.run("bound the session's silence", format!("SET SESSION {}", bounds.join(","))).await.map(|_| ())
    }

    /// Executes one or more statements and drops what they return. The outcome is the last one's.
    ///
    /// # Errors
    /// The first statement that fails; those after it are not executed.
    pub async fn run(&mut self, doing: &str, sql: impl AsRef<[u8]> + Send) -> Result<Outcome, Fault> {
        self.run_for(doing, sql.as_ref(), Patience::Usual).await
    }

    /// Executes like [`Session::run`] something that may take hours, such as adding an index.
    ///
    /// # Errors
    /// Those of [`Session::run`].
    pub async fn run_patiently(&mut self, doing: &str, sql: impl AsRef<[u8]> + Send) -> Result<Outcome, Fault> {
        self.run_for(doing, sql.as_ref(), Patience::Long).await
    }

    async fn run_for(&mut self, doing: &str, sql: &[u8], patience: Patience) -> Result<Outcome, Fault> {
        let mut rows = self.start(doing, sql, patience).await?;
        while rows.next().await? != RowEvent::EndOfAll {}
        drop(rows);
        Ok(self.outcome())
    }

    /// Reads the rows of the one result set that the statements return. Everything is kept in memory.
    ///
    /// # Errors
    /// `Unexpected` for more than one result set, and those of [`Session::run`].
    pub async fn rows(&mut self, doing: &str, sql: impl AsRef<[u8]> + Send) -> Result<Vec<Row>, Fault> {
        let mut sets = self.sets(doing, sql).await?;
        if sets.len() > 1 {
            let cause = Cause(format!("{} result sets came back instead of one", sets.len()));
            return Err(Fault::new(FaultKind::Unexpected, doing).on(self.side).because(cause));
        }
        Ok(sets.pop().unwrap_or_default())
    }

    /// Reads the first row of the one result set that the statements return.
    ///
    /// # Errors
    /// Those of [`Session::rows`].
    pub async fn row(&mut self, doing: &str, sql: impl AsRef<[u8]> + Send) -> Result<Option<Row>, Fault> {
        Ok(self.rows(doing, sql).await?.into_iter().next())
    }

    /// Reads all result sets of several statements, one `Vec` for each SELECT or SHOW, also when it is empty.
    /// Statements that have no result set (SET, START TRANSACTION, INSERT) contribute nothing.
    ///
    /// # Errors
    /// Those of [`Session::run`]; result sets before the error are lost.
    pub async fn sets(&mut self, doing: &str, sql: impl AsRef<[u8]> + Send) -> Result<Vec<Vec<Row>>, Fault> {
        let mut rows = self.start(doing, sql.as_ref(), Patience::Usual).await?;
        let mut sets = Vec::new();
        let mut set = Vec::new();
        loop {
            match rows.next().await? {
                RowEvent::Row(row) => set.push(row),
                RowEvent::EndOfSet => sets.push(std::mem::take(&mut set)),
                RowEvent::EndOfAll => return Ok(sets),
            }
        }
    }

    /// Executes a statement that changes rows, then what else was sent with it. Returns what the first did and the rows of
    /// the one result set, if there is one.
    ///
    /// # Errors
    /// Those of [`Session::run`].
    pub async fn change_and_read(&mut self, doing: &str, sql: &[u8]) -> Result<(Outcome, Vec<Row>), Fault> {
        self.send(doing, sql, Patience::Usual).await?;
        let outcome = self.outcome();
        let (mut rows, mut read) = (Rows::new(self, doing, Patience::Usual, None), Vec::new());
        loop {
            match rows.next().await? {
                RowEvent::Row(row) => read.push(row),
                RowEvent::EndOfSet => {}
                RowEvent::EndOfAll => return Ok((outcome, read)),
            }
        }
    }

    /// Sends statements and returns their rows one by one. See [`Rows`].
    ///
    /// # Errors
    /// What breaks the session. Everything else, such as what the server says against a statement, comes from
    /// [`Rows::next`], for the first one as for the others (T7).
    pub async fn stream<'a>(&'a mut self, doing: &str, sql: impl AsRef<[u8]> + Send) -> Result<Rows<'a>, Fault> {
        match self.send(doing, sql.as_ref(), Patience::Usual).await {
            Err(fault) if self.is_broken() => Err(fault),
            sent => Ok(Rows::new(self, doing, Patience::Usual, sent.err())),
        }
    }

    async fn start<'a>(&'a mut self, doing: &str, sql: &[u8], patience: Patience) -> Result<Rows<'a>, Fault> {
        self.send(doing, sql, patience).await?;
        Ok(Rows::new(self, doing, patience, None))
    }

    /// Sends statements; the first one has been answered, well or ill, when this returns.
    async fn send(&mut self, doing: &str, sql: &[u8], patience: Patience) -> Result<(), Fault> {
        self.check_packet(doing, sql.len())?;
        let first_wait = self.limit(patience) + sending(sql.len());
        let conn = self.begin(doing)?;
        let sent = wait(first_wait, conn.query_iter(sql)).await.map(drop);
        sent.map_err(|lost| self.settle(lost, doing))
    }

    /// Executes one statement with parameters: for a row too large for a text statement. Values above 16 MiB are sent
    /// in pieces.
    ///
    /// # Errors
    /// `PacketTooLarge` where the server's `max_allowed_packet` is smaller than a value, and those of
    /// [`Session::run`].
    pub async fn insert_long(&mut self, doing: &str, sql: &str, params: Vec<Value>) -> Result<Outcome, Fault> {
        let bytes = params.iter().map(|value| value.bin_len() as usize).sum();
        let longest = params.iter().map(|value| value.bin_len() as usize).max().unwrap_or(0);
        self.check_packet(doing, if bytes < SENT_WHOLE_BYTES_MAX { bytes } else { longest })?;
        let limit = self.limit(Patience::Usual) + sending(bytes);
        let conn = self.begin(doing)?;
        let executed = wait(limit, conn.exec_drop(sql, params)).await;
        match executed {
            Ok(()) => {
                self.in_flight = false;
                Ok(self.outcome())
            }
            Err(lost) => Err(self.settle(lost, doing)),
        }
    }

    /// Commits.
    ///
    /// # Errors
    /// `OutcomeUnknown` when COMMIT was sent and its answer was lost or leaves it open whether it happened: the caller
    /// reads the mark back. `Conflict`, `ReadOnly`, `UniqueConflict`: it did not happen.
    pub async fn commit(&mut self, doing: &str) -> Result<(), Fault> {
        // Nothing was sent when the session was broken before: that is an ordinary fault.
        self.begin(doing)?;
        self.in_flight = false;
        match self.run(doing, "COMMIT").await {
            Ok(_) => Ok(()),
            Err(fault) => Err(self.doubt(fault)),
        }
    }

    /// Any other answer than a plain refusal can come after the commit took place: a killed wait for a replica's
    /// receipt (1317), a shutdown (1053). Reading the mark back is always right.
    fn doubt(&mut self, mut fault: Fault) -> Fault {
        if !matches!(fault.kind, FaultKind::Conflict | FaultKind::ReadOnly | FaultKind::UniqueConflict) {
            fault.kind = FaultKind::OutcomeUnknown;
            self.abandon();
        }
        fault
    }

    /// Says good-bye and closes, within the close time-out. An open transaction is rolled back by the server.
    pub async fn close(mut self) {
        if self.in_flight {
            return; // The drop closes it at once.
        }
        let Some(conn) = self.conn.take() else { return };
        // There is nothing left to be told: whatever fails, the connection is gone.
        let _ = tokio::time::timeout(self.timeouts.close, conn.disconnect()).await;
    }

    fn limit(&self, patience: Patience) -> Duration {
        match patience {
            Patience::Usual => self.timeouts.read,
            Patience::Long => PATIENT_WAIT_MAX,
        }
    }

    /// Hands the connection out for one exchange, which is over when `in_flight` is taken back.
    fn begin(&mut self, doing: &str) -> Result<&mut Conn, Fault> {
        if self.is_broken() {
            self.abandon();
        }
        match self.conn.as_mut() {
            Some(conn) => {
                self.in_flight = true;
                Ok(conn)
            }
            None => {
                let cause = Cause("the session was given up in the middle of an earlier answer".to_owned());
                Err(Fault::new(FaultKind::Unreachable, doing).on(self.side).because(cause))
            }
        }
    }

    /// Reads on: one row, or the end of a set or of everything.
    async fn step(&mut self, doing: &str, limit: Duration) -> Result<RowEvent, Fault> {
        loop {
            let Some(conn) = self.conn.as_mut() else { return self.begin(doing).map(|_| RowEvent::EndOfAll) };
            let mut result: QueryResult<'_, '_, TextProtocol> = QueryResult::new(&mut *conn);
            // The driver's `next` says "no row" at the end of each statement, and what kind it was must be asked
            // before: no columns means that it has no result set, no answer that none is left.
            let columns = result.columns().map(|columns| columns.len());
            match (wait(limit, result.next()).await, columns) {
                (Ok(Some(row)), _) => return Ok(RowEvent::Row(row)),
                (Ok(None), Some(0)) => {}
                (Ok(None), Some(_)) => return Ok(RowEvent::EndOfSet),
                (Ok(None), None) => {
                    self.in_flight = false;
                    return Ok(RowEvent::EndOfAll);
                }
                (Err(lost), _) => return Err(self.settle(lost, doing)),
            }
        }
    }

    /// The server closes the connection on a packet beyond its limit, often before it can be heard why.
    fn check_packet(&self, doing: &str, bytes: usize) -> Result<(), Fault> {
        if (bytes + PACKET_OVERHEAD_BYTES) as u64 <= self.packet_bytes_max {
            return Ok(());
        }
        let cause = Cause(format!("{bytes} bytes are to be sent, max_allowed_packet is {}", self.packet_bytes_max));
        Err(Fault::new(FaultKind::PacketTooLarge, doing).on(self.side).because(cause))
    }

    /// Turns a lost answer into a fault. The session goes on only if the server itself answered.
    fn settle(&mut self, lost: Lost, doing: &str) -> Fault {
        let error = match lost {
            Lost::TimedOut(limit) => {
                self.abandon();
                let cause = Cause(format!("no answer within {} s", limit.as_secs_f32()));
                return Fault::new(FaultKind::TimedOut, doing).on(self.side).because(cause);
            }
            Lost::Driver(error) => error,
        };
        let fatal = error.is_fatal();
        let mut fault = fault::from_driver(error, self.side, doing);
        fault::name_account(&mut fault, &self.account);
        if fatal || fault::ends_session(&fault.kind) {
            self.abandon();
        } else {
            // The server sends nothing after an error, also where statements were left.
            self.in_flight = false;
        }
        fault
    }

    fn outcome(&self) -> Outcome {
        self.conn.as_ref().map_or_else(Outcome::default, |conn| Outcome {
            affected: conn.affected_rows(),
            warnings: conn.get_warnings(),
            info: conn.info().into_owned(),
        })
    }

    /// Closes the socket now, without reading what is left.
    fn abandon(&mut self) {
        if let Some(conn) = self.conn.take() {
            graveyard::close_at_once(conn);
        }
        self.in_flight = false;
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.in_flight {
            self.abandon();
        }
        // The driver would just close; without a good-bye the server counts and logs an aborted client.
        if let Some(conn) = self.conn.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(tokio::time::timeout(self.timeouts.close, conn.disconnect()));
        }
    }
}

async fn wait<T>(limit: Duration, answer: impl Future<Output = mysql_async::Result<T>>) -> Result<T, Lost> {
    match tokio::time::timeout(limit, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(Lost::Driver(error)),
        Err(_) => Err(Lost::TimedOut(limit)),
    }
}

/// How much longer an answer may take because so much has to be sent first.
fn sending(bytes: usize) -> Duration {
    Duration::from_secs(bytes as u64 / SENT_BYTES_PER_S_MIN)
}
