//! Looks at the source's threads for the fence (design §4), and proves that the look was fresh.
//!
//! InnoDB serves `INNODB_TRX` from a cache that is refilled only when nobody has read it for 100 ms, so another reader
//! can keep it stale for as long as it likes. Each look therefore carries a nonce in its own text: only when our own
//! transaction stands in the answer with this very text was the cache filled during the look. Otherwise the look
//! proves nothing and is thrown away.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::NaiveDateTime;
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::fence::{Member, Observation, Statement, Thread};
use leeward_core::name::{Side, TableName};
use leeward_core::plan::PlannedTable;
use leeward_core::server::Flavor;
use mysql_async::Row;

use crate::digest::text;
use crate::fault::codes;
use crate::session::{RowEvent, Session};
use crate::sql;
use crate::throttle;

/// Commands of threads that never run an application's statement and never own its rows. The event scheduler's own
/// thread is a daemon, but the events it starts get threads of their own.
pub(crate) const IDLE_COMMANDS: [&str; 6] =
    ["Sleep", "Daemon", "Binlog Dump", "Binlog Dump GTID", "Reset stmt", "Close stmt"];

static NONCE: AtomicU64 = AtomicU64::new(1);

/// What looks at threads.
pub struct Watch {
    session: Session,
    processes: ProcessList,
    server: String,
}

/// Where the process list is read from on this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProcessList {
    /// MariaDB: statements are numbered.
    MariaDb,
    /// MySQL with `performance_schema` on: reading takes no global lock.
    PerformanceSchema,
    /// MySQL with it off.
    InformationSchema,
}

impl ProcessList {
    /// What MySQL is asked to find out whether it lists its threads in `performance_schema`.
    pub(crate) const FACTS: &str = "@@performance_schema,(SELECT COUNT(*) FROM information_schema.TABLES \
         WHERE TABLE_SCHEMA='performance_schema' AND TABLE_NAME='processlist')";

    fn query(self) -> String {
        let statement_no = if self == ProcessList::MariaDb { "QUERY_ID" } else { "0" };
        format!("SELECT ID,USER,HOST,COMMAND,TIME,{statement_no} FROM {}", self.table())
    }

    pub(crate) fn table(self) -> &'static str {
        match self {
            ProcessList::MariaDb | ProcessList::InformationSchema => "information_schema.PROCESSLIST",
            ProcessList::PerformanceSchema => "performance_schema.processlist",
        }
    }
}

/// Whether a transaction is being committed. InnoDB says so before it lets others see the rows and until the transaction
/// has left the list (`trx_commit_for_mysql` in `trx0trx.cc` of both servers).
const COMMITTING: &str = "COALESCE(trx_operation_state='committing' OR trx_state='COMMITTING',0)";

/// Which server this is: another one after a restart too. UNIX_TIMESTAMP() and UPTIME are of the same moment, so that their
/// difference is the second in which the server began, whatever its clock did since.
const SERVER: &str = "CONCAT_WS('/',@@global.server_id,@@global.hostname,UNIX_TIMESTAMP()-VARIABLE_VALUE)";

impl Watch {
    /// Runs a setting, and asks the server who it is and where it lists its threads.
    pub async fn new(mut session: Session, setting: &str) -> Result<Watch, Fault> {
        let mariadb = session.flavor() == Flavor::MariaDb;
        let (facts, status) = match mariadb {
            true => ("0,0", "information_schema.GLOBAL_STATUS"),
            false => (ProcessList::FACTS, "performance_schema.global_status"),
        };
        let who = format!("{setting};SELECT {SERVER},{facts} FROM {status} WHERE VARIABLE_NAME='UPTIME'");
        let row = session.row("ask which server the source is", who).await?;
        let is = |at| row.as_ref().and_then(|row| text(row, at)) == Some("1");
        let processes = match mariadb {
            true => ProcessList::MariaDb,
            false if is(1) && is(2) => ProcessList::PerformanceSchema,
            false => ProcessList::InformationSchema,
        };
        // A server that does not say counts as another one with each connection: its thread ids may mean other threads.
        let unknown = || format!("unknown/{}", session.thread_id());
        let server = row.as_ref().and_then(|row| text(row, 0)).map_or_else(unknown, str::to_owned);
        Ok(Watch { session, processes, server })
    }

    /// Looks once: threads first, transactions second (a statement that ends in between leaves its open transaction to be
    /// seen), then the clock, then the highest ids. One round trip. `ours` are Leeward's own threads, which cannot write.
    /// A table that is locked away lends no id to this look, but does not spoil it. MySQL shows nobody's transactions while
    /// one of them runs a statement whose text has no form in utf8mb3 (an emoji, a binary value; seen on 9.7.4): such a look
    /// is as good as one that was not fresh.
    pub async fn look(&mut self, ours: &[u64], probes: &[&PlannedTable]) -> Result<Option<Observation>, Fault> {
        const DOING: &str = "look at the source's open transactions";
        let nonce = format!("leeward look {} {}", std::process::id(), NONCE.fetch_add(1, Ordering::Relaxed));
        let look = format!(
            "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY;\
             {};\
             SELECT /* {nonce} */ trx_mysql_thread_id,trx_id,trx_started,trx_is_read_only,\
             COALESCE(trx_query LIKE '%{nonce}%',0),{COMMITTING} FROM information_schema.INNODB_TRX;\
             {CLOCK};COMMIT;{}",
            self.processes.query(),
            heads_query(probes),
        );
        let sets = match read_sets(&mut self.session, DOING, &look).await {
            Err(fault) if fault.kind == FaultKind::Server(codes::CANNOT_CONVERT_STRING) => return Ok(None),
            sets => sets?,
        };
        let [processes, transactions, clock, heads @ ..] = sets.as_slice() else {
            return Err(Fault::new(FaultKind::Unexpected, DOING).on(Side::Source));
        };
        let me = self.session.thread_id();
        let fresh = transactions.iter().any(|row| number(row, 0) == Some(me) && number(row, 4) == Some(1));
        if !fresh {
            // MariaDB shows nobody's transactions, our own neither, to whoever may not see others'.
            if transactions.is_empty() {
                throttle::require_process(&mut self.session, DOING).await?;
            }
            return Ok(None);
        }
        let mut seen = self.observation(DOING, clock, read_heads(heads, probes))?;
        let skip = |thread: u64| thread == me || ours.contains(&thread);
        processes.iter().for_each(|row| add_process(&mut seen, row, skip));
        // A thread that holds a transaction and sleeps is the one that people must find.
        let accounts: BTreeMap<u64, String> =
            processes.iter().filter_map(|row| Some((number(row, 0)?, account(row)))).collect();
        transactions.iter().for_each(|row| add_transaction(&mut seen, row, skip, &accounts));
        Ok(Some(seen))
    }

    /// Looks at the clock and the highest ids alone: what is left without the PROCESS privilege.
    pub async fn look_at_clock(&mut self, probes: &[&PlannedTable]) -> Result<Observation, Fault> {
        const DOING: &str = "look at the source's clock";
        let sets = read_sets(&mut self.session, DOING, &format!("{CLOCK};{}", heads_query(probes))).await?;
        let [clock, heads @ ..] = sets.as_slice() else {
            return Err(Fault::new(FaultKind::Unexpected, DOING).on(Side::Source));
        };
        self.observation(DOING, clock, read_heads(heads, probes))
    }

    /// Returns an observation of no threads.
    fn observation(&self, doing: &str, clock: &[Row], heads: BTreeMap<TableName, u64>) -> Result<Observation, Fault> {
        let now = clock.first().and_then(|row| time(row, 0));
        Ok(Observation {
            server: self.server.clone(),
            now: now.ok_or_else(|| Fault::new(FaultKind::Unexpected, doing).on(Side::Source))?,
            heads,
            threads: BTreeMap::new(),
            detached: BTreeMap::new(),
            committing: BTreeSet::new(),
        })
    }
}

/// The server's clock.
const CLOCK: &str = "SELECT NOW(6)";

/// One query for each table, so that one that is locked away takes only those behind it along.
fn heads_query(probes: &[&PlannedTable]) -> String {
    let query = |table: &&PlannedTable| {
        let column = table.mark_column.as_deref().unwrap_or_default();
        format!("SELECT MAX({}) FROM {}", sql::ident(column), sql::table(table.name()))
    };
    probes.iter().map(query).collect::<Vec<_>>().join(";")
}

/// Reads result sets as far as they come. A table that is locked away (a pending LOCK TABLES or ALTER) ends the answer;
/// what came before stands.
async fn read_sets(session: &mut Session, doing: &str, query: &str) -> Result<Vec<Vec<Row>>, Fault> {
    let mut rows = session.stream(doing, query.trim_end_matches(';')).await?;
    let (mut sets, mut set) = (Vec::new(), Vec::new());
    loop {
        match rows.next().await {
            Ok(RowEvent::Row(row)) => set.push(row),
            Ok(RowEvent::EndOfSet) => sets.push(std::mem::take(&mut set)),
            Ok(RowEvent::EndOfAll) => return Ok(sets),
            Err(fault) if fault.kind == FaultKind::Conflict => return Ok(sets),
            Err(fault) => return Err(fault),
        }
    }
}

/// Returns the highest id of each probed table: 0 for an empty one, nothing where it could not be read.
fn read_heads(sets: &[Vec<Row>], probes: &[&PlannedTable]) -> BTreeMap<TableName, u64> {
    let head = |(set, probe): (&Vec<Row>, &&PlannedTable)| {
        let head = set.first().map(|row| number(row, 0).unwrap_or(0))?;
        Some((probe.name().clone(), head))
    };
    sets.iter().zip(probes).filter_map(head).collect()
}

fn add_process(seen: &mut Observation, row: &Row, skip: impl Fn(u64) -> bool) {
    let Some(id) = number(row, 0).filter(|id| !skip(*id)) else { return };
    let command = text(row, 3).unwrap_or_default();
    if IDLE_COMMANDS.contains(&command) {
        return;
    }
    let query_id = number(row, 5).filter(|query| *query > 0);
    let running_s = text(row, 4).and_then(|seconds| seconds.parse::<i64>().ok()).map_or(0, |s| s.max(0) as u64);
    let statement = Some(Statement { query_id, running_s });
    seen.threads.insert(id, Thread { statement, transaction: None, account: account(row) });
}

/// The client's port in HOST tells people nothing and differs each time.
fn account(row: &Row) -> String {
    let host = text(row, 2).unwrap_or_default();
    format!("{}@{}", text(row, 1).unwrap_or_default(), host.rsplit_once(':').map_or(host, |(host, _)| host))
}

fn add_transaction(seen: &mut Observation, row: &Row, skip: impl Fn(u64) -> bool, accounts: &BTreeMap<u64, String>) {
    let (Some(thread), Some(started)) = (number(row, 0), time(row, 2)) else { return };
    // START TRANSACTION READ ONLY cannot leave a row behind.
    if skip(thread) || number(row, 3) == Some(1) {
        return;
    }
    let member = match thread {
        0 => Member::Detached(text(row, 1).unwrap_or_default().to_owned()),
        thread => Member::Thread(thread),
    };
    if number(row, 5) == Some(1) {
        seen.committing.insert(member.clone());
    }
    if let Member::Detached(id) = member {
        seen.detached.insert(id, started);
        return;
    }
    let account = || accounts.get(&thread).cloned().unwrap_or_else(|| "an unknown account".to_owned());
    let idle = || Thread { statement: None, transaction: None, account: account() };
    seen.threads.entry(thread).or_insert_with(idle).transaction = Some(started);
}

fn number(row: &Row, at: usize) -> Option<u64> {
    text(row, at).and_then(|digits| digits.parse().ok())
}

/// Reads a `DATETIME` cell with or without fractions.
pub fn time(row: &Row, at: usize) -> Option<NaiveDateTime> {
    text(row, at).and_then(parse_time)
}

/// Reads the text of a `DATETIME`.
pub fn parse_time(text: &str) -> Option<NaiveDateTime> {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").ok()
}

/// Prints a time as MySQL reads it, with microseconds.
pub fn print_time(time: NaiveDateTime) -> String {
    time.format("%Y-%m-%d %H:%M:%S%.6f").to_string()
}
