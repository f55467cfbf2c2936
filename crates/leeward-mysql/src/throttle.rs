//! Looks at how busy the source is: one round trip over a connection of its own. What is too busy is not decided here.
//!
//! Threads are counted in the process list and not by `Threads_running`, which holds Leeward's own threads, and on both
//! servers one for each replica that reads the binary log. How far a replica lags is known to the replica alone.

use async_trait::async_trait;
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::grants::{Grants, Need, SchemaNames, Scope};
use leeward_core::name::Side;
use leeward_core::port::LoadWatch;
use leeward_core::server::Flavor;
use leeward_core::throttle::SourceLoad;
use mysql_async::Row;

use crate::digest::text;
use crate::endpoint::Endpoint;
use crate::fence::{IDLE_COMMANDS, ProcessList};
use crate::session::Session;
use crate::sql;

/// Looks at the load of one server.
pub struct MySqlLoadWatch {
    session: Session,
    query: String,
}

const DOING: &str = "look at the source's load";

impl MySqlLoadWatch {
    /// Connects.
    ///
    /// # Errors
    /// `MissingGrant` where the account sees no threads but its own.
    pub async fn connect(endpoint: &Endpoint) -> Result<MySqlLoadWatch, Fault> {
        let mut session = Session::open(endpoint, "load watch").await?;
        require_process(&mut session, DOING).await?;
        let list = ProcessList::of(&mut session).await?;
        let own = format!("SELECT USER FROM {} WHERE ID={}", list.table(), session.thread_id());
        let own = session.row(DOING, own).await?;
        let own = own.as_ref().and_then(|row| text(row, 0)).unwrap_or_default().to_owned();
        Ok(MySqlLoadWatch { session, query: query(list, &own) })
    }
}

/// A replica's appliers run under `system user` and show as busy while they wait; whoever is still logging in runs
/// nothing yet.
fn query(list: ProcessList, own: &str) -> String {
    let idle: Vec<String> = IDLE_COMMANDS.iter().map(|command| sql::literal(command)).collect();
    // MySQL has no such status variable. A counter that is switched off keeps its last value.
    let history = match list {
        ProcessList::MariaDb => {
            "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME='INNODB_HISTORY_LIST_LENGTH'"
        }
        ProcessList::PerformanceSchema | ProcessList::InformationSchema => {
            "SELECT `COUNT` FROM information_schema.INNODB_METRICS WHERE NAME='trx_rseg_history_len' AND STATUS='enabled'"
        }
    };
    format!(
        "SELECT COALESCE(SUM(COMMAND NOT IN ({},'Connect') AND USER NOT IN ({},'system user')),0),\
         COALESCE(SUM(COMMAND LIKE 'Binlog Dump%'),0) FROM {};{history}",
        idle.join(","),
        sql::literal(own),
        list.table(),
    )
}

#[async_trait]
impl LoadWatch for MySqlLoadWatch {
    async fn look(&mut self) -> Result<SourceLoad, Fault> {
        let sets = self.session.sets(DOING, &self.query).await?;
        let [threads, history] = sets.as_slice() else {
            return Err(Fault::new(FaultKind::Unexpected, DOING).on(Side::Source));
        };
        let count = |at| threads.first().and_then(|row| number(row, at));
        let (Some(running), Some(replicas)) = (count(0), count(1)) else {
            return Err(Fault::new(FaultKind::Unexpected, DOING).on(Side::Source));
        };
        Ok(SourceLoad { threads: running, history: history.first().and_then(|row| number(row, 0)), replicas })
    }
}

/// Returns how many connections a server has left. Nobody needs a privilege for that.
pub(crate) async fn free_connections(endpoint: &Endpoint) -> Result<Option<u64>, Fault> {
    const ASKING: &str = "ask how many connections are left";
    let mut session = Session::open(endpoint, "connections").await?;
    let sets = session.sets(ASKING, "SELECT @@max_connections;SHOW GLOBAL STATUS LIKE 'Threads_connected'").await?;
    session.close().await;
    let [max, used] = sets.as_slice() else { return Ok(None) };
    let max = max.first().and_then(|row| number(row, 0));
    let used = used.first().and_then(|row| number(row, 1));
    Ok(max.zip(used).map(|(max, used)| max.saturating_sub(used)))
}

fn number(row: &Row, at: usize) -> Option<u64> {
    text(row, at).and_then(|digits| digits.parse().ok())
}

/// Fails where the account may not see other accounts' threads and transactions. The servers themselves do not always say
/// so: the process list is then silently shorter, and on MariaDB `INNODB_TRX` is empty.
pub(crate) async fn require_process(session: &mut Session, doing: &str) -> Result<(), Fault> {
    let rows = session.rows(doing, "SHOW GRANTS").await?;
    let lines: Vec<String> = rows.iter().filter_map(|row| text(row, 0).map(str::to_owned)).collect();
    if Grants::parse(&lines).has("PROCESS", &Scope::Global) {
        return Ok(());
    }
    let need = Need::required(&["PROCESS"], Scope::Global, "to see what others run");
    let grant = need.grant_statement(session.account(), SchemaNames::Literal);
    Err(Fault::new(FaultKind::MissingGrant(grant), doing).on(session.side()))
}

impl ProcessList {
    /// Finds out where the process list of a server is read.
    async fn of(session: &mut Session) -> Result<ProcessList, Fault> {
        if session.flavor() == Flavor::MariaDb {
            return Ok(ProcessList::MariaDb);
        }
        let row = session.row(DOING, format!("SELECT {}", ProcessList::FACTS)).await?;
        let is = |at| row.as_ref().and_then(|row| text(row, at)) == Some("1");
        Ok(if is(0) && is(1) { ProcessList::PerformanceSchema } else { ProcessList::InformationSchema })
    }
}
