//! Sees to it that nothing but Leeward's own statements runs while rows are written: a trigger on the target would run a
//! second time what the source's own trigger has already done to the rows that arrive (T28). No session can switch
//! triggers off, so a table that has any is refused before the first row of a transaction is written.
//!
//! Nobody can add one afterwards: the transaction holds the table's metadata lock, which CREATE TRIGGER has to wait for.

use leeward_core::fault::{Fault, FaultKind};
use leeward_core::grants::{Grants, Need, Scope};
use leeward_core::name::{Side, TableName};
use mysql_async::Row;

use super::way::{self, Uniques};
use crate::digest::text;
use crate::endpoint::Endpoint;
use crate::session::Session;
use crate::sql;
use crate::survey::server::preamble;

const DOING: &str = "look for triggers";

/// Looks for triggers on tables that are about to be written.
pub struct TriggerLook {
    endpoint: Endpoint,
    /// A session of its own: in a transaction with a read view MySQL shows the triggers of that view, not those that
    /// would run. Opened when first needed, and anew when it was idle for too long for somebody on the way.
    session: Option<(Session, Sight)>,
    /// Tables of the running transaction that have none, with their unique indexes.
    clear: Vec<(TableName, Uniques)>,
}

/// What an account may see.
pub struct Sight {
    account: String,
    grants: Grants,
}

impl TriggerLook {
    /// Gets ready to look at the server of an endpoint.
    pub fn at(endpoint: &Endpoint) -> TriggerLook {
        TriggerLook { endpoint: endpoint.clone(), session: None, clear: Vec::new() }
    }

    /// Forgets what was seen: a transaction or a part of it is over, and with it the locks that kept it true.
    pub fn forget(&mut self) {
        self.clear.clear();
    }

    /// Refuses a table with triggers, and returns the unique indexes of one without: they are locked as well. What is to be
    /// executed first goes out with the lock.
    ///
    /// # Errors
    /// `Triggers` with the statements that drop them, `MissingGrant` where they are hidden, and those of
    /// [`Session::run`].
    pub async fn refuse(&mut self, writing: &mut Session, table: &TableName, first: &str) -> Result<Uniques, Fault> {
        const LOCKING: &str = "lock a table's definition";
        if let Some((_, uniques)) = self.clear.iter().find(|(clear, _)| clear == table) {
            let uniques = uniques.clone();
            if !first.is_empty() {
                writing.run(LOCKING, first).await?;
            }
            return Ok(uniques);
        }
        let separator = if first.is_empty() { "" } else { ";" };
        writing.run(LOCKING, format!("{first}{separator}{}", lock(table))).await?;
        let (rows, uniques) = match self.look(table).await {
            Err(fault) if matches!(fault.kind, FaultKind::Unreachable | FaultKind::TimedOut) => {
                self.look(table).await?
            }
            looked => looked?,
        };
        none_of(&rows, table)?;
        self.clear.push((table.clone(), uniques.clone()));
        Ok(uniques)
    }

    async fn look(&mut self, table: &TableName) -> Result<(Vec<Row>, Uniques), Fault> {
        let (mut session, sight) = match self.session.take() {
            Some(open) => open,
            None => {
                let mut session = Session::open(&self.endpoint, "triggers").await?;
                let sight = Sight::of(&mut session).await?;
                (session, sight)
            }
        };
        let mut sets = session.sets(DOING, format!("{};{}", query(table), way::query(table))).await?;
        sight.reaches(table)?;
        self.session = Some((session, sight));
        let uniques = sets.pop().unwrap_or_default();
        Ok((sets.pop().unwrap_or_default(), Uniques::read(&uniques)))
    }
}

impl Sight {
    /// Reads what the account of a session may see.
    pub async fn of(session: &mut Session) -> Result<Sight, Fault> {
        let facts = preamble(session).await?;
        Ok(Sight { account: facts.account, grants: facts.grants })
    }

    /// Fails where triggers of a table are hidden from the account, for then none of them is seen.
    pub fn reaches(&self, table: &TableName) -> Result<(), Fault> {
        let on = Scope::Table { schema: table.schema.clone(), table: table.table.clone() };
        if self.grants.has("TRIGGER", &on) {
            return Ok(());
        }
        let need = Need::required(&["TRIGGER"], Scope::Schema(table.schema.clone()), DOING);
        let grant = need.grant_statement(&self.account, self.grants.schema_names());
        Err(Fault::new(FaultKind::MissingGrant(grant), DOING).on(Side::Target))
    }
}

/// Returns a statement that takes a table's metadata lock for the rest of the transaction, and reads nothing.
pub fn lock(table: &TableName) -> String {
    format!("SELECT 1 FROM {} LIMIT 0", sql::table(table))
}

/// Returns the query for a table's triggers.
pub fn query(table: &TableName) -> String {
    format!(
        "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA={} AND EVENT_OBJECT_TABLE={}",
        sql::literal(&table.schema),
        sql::literal(&table.table)
    )
}

/// Reads the answer of [`query`].
///
/// # Errors
/// `Triggers` if there are any.
pub fn none_of(rows: &[Row], table: &TableName) -> Result<(), Fault> {
    if rows.is_empty() {
        return Ok(());
    }
    let drop =
        |row: &Row| format!("DROP TRIGGER {}.{}", sql::ident(&table.schema), sql::ident(text(row, 0).unwrap_or("?")));
    let drops = rows.iter().map(drop).collect::<Vec<_>>().join("; ");
    Err(Fault::new(FaultKind::Triggers(drops), "write rows").on(Side::Target).of(table))
}
