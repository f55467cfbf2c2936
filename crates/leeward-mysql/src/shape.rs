//! Shapes the target and watches the shapes of both servers: the ports `Shape` and `Shapes`. What a statement looks like
//! is decided in [`crate::ddl`]; what is read, in [`crate::survey`].

mod watch;

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use leeward_core::alteration::{Alteration, Effect, Statement, Verdict};
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::name::TableName;
use leeward_core::port::{DefinerKept, Indexes, KeyBeside, Lease, RowsMeanwhile, Shape, TablePart};
use leeward_core::server::{Flavor, Observed};
use leeward_core::survey::{ObjectFacts, ObjectKind, SchemaFacts};

use crate::ddl::{self, Definer, Existing, TableDdl, Unreadable};
use crate::endpoint::Endpoint;
use crate::session::Session;
use crate::sql;
use crate::survey::{self, text, text_or_empty};
pub use watch::ServerShapes;

/// A routine of this name does not exist.
const NO_SUCH_ROUTINE: u16 = 1305;
/// A function that does not say that it is deterministic, while the binlog is on.
const UNSAFE_ROUTINE: u16 = 1418;
/// A function or trigger from an account without SUPER, while the binlog is on.
const ROUTINE_NEEDS_SUPER: u16 = 1419;
/// The definer is no account of this server.
const NO_SUCH_DEFINER: u16 = 1449;

/// Settings under which a server would make another table than the one it is told to. Each is tried only where it
/// stands otherwise: several want privileges that RDS gives to nobody, and most servers have them right anyway.
const PLAIN_MAKING: [(&str, &str); 4] = [
    // Off, the first TIMESTAMP NOT NULL column gets DEFAULT and ON UPDATE CURRENT_TIMESTAMP of its own accord.
    ("explicit_defaults_for_timestamp", "1"),
    // On, a table without a primary key gets an invisible one.
    ("sql_generate_invisible_primary_key", "0"),
    // On, a table without a primary key is refused.
    ("sql_require_primary_key", "0"),
    // On, a foreign key to a key that is not unique is refused.
    ("restrict_fk_on_non_standard_key", "0"),
];

/// How long a guarded statement waits for whoever uses the table on the target. All who come later wait behind it, so it
/// gives up soon and is tried again.
const LOCK_WAIT_S: u32 = 2;

/// Makes databases, tables, indexes, foreign keys, views and routines on the target. Its connection is its own: DDL is
/// sent in utf8mb4, where every other session of Leeward speaks in bytes.
pub struct TargetShape {
    session: Session,
    /// The condition under which statements are run, once [`Shape::guard`] was called.
    guard: Option<String>,
}

impl TargetShape {
    /// Connects.
    ///
    /// # Errors
    /// Those of [`Session::open`].
    pub async fn open(endpoint: &Endpoint) -> Result<TargetShape, Fault> {
        const DOING: &str = "prepare the making of tables";
        let mut session = Session::open(endpoint, "shape").await?;
        // A literal in DDL must be text, or a view would return bytes and a default would be stored byte by byte.
        // Answers stay unconverted: see `survey::definitions`.
        session.run(DOING, "SET NAMES utf8mb4; SET character_set_results=binary").await?;
        let names: Vec<String> = PLAIN_MAKING.iter().map(|(name, _)| sql::literal(name)).collect();
        let query = format!("SHOW SESSION VARIABLES WHERE Variable_name IN ({})", names.join(","));
        let rows = session.rows(DOING, &query).await?;
        for (name, wanted) in PLAIN_MAKING {
            let there = rows.iter().find(|row| text(row, 0).as_deref() == Some(name)).map(|row| text_or_empty(row, 1));
            let right = if wanted == "1" { "ON" } else { "OFF" };
            if there.is_none_or(|value| value == right) {
                continue;
            }
            // A server that refuses is found out by what it makes: `create_table` looks at the columns.
            if let Err(fault) = session.run(DOING, &format!("SET SESSION {name}={wanted}")).await
                && session.is_broken()
            {
                return Err(fault);
            }
        }
        Ok(TargetShape { session, guard: None })
    }

    /// Closes the connection.
    pub async fn close(self) {
        self.session.close().await;
    }

    /// Runs one statement that changes something. Under a guard the target itself looks at the lease and runs it, in one
    /// go: between the two no process of ours can be stopped.
    async fn change(&mut self, doing: &str, statement: &str) -> Result<(), Fault> {
        let Some(ours) = &self.guard else { return self.session.run_patiently(doing, statement).await.map(drop) };
        let guarded = format!(
            "SET @leeward_ours=({ours});SET @leeward_ddl=IF(@leeward_ours,{},'DO 0');PREPARE leeward_ddl FROM @leeward_ddl;\
             EXECUTE leeward_ddl;DEALLOCATE PREPARE leeward_ddl",
            sql::literal(statement)
        );
        self.session.run_patiently(doing, &guarded).await?;
        let row = self.session.row(doing, "SELECT @leeward_ours").await?;
        match row.and_then(|row| text(&row, 0)).as_deref() {
            Some("1") => Ok(()),
            _ => Err(Fault::new(FaultKind::LeaseLost, doing).on(self.session.side())),
        }
    }

    async fn own_ddl(&mut self, name: &TableName) -> Result<Option<TableDdl>, Fault> {
        let found = survey::table_ddl(&mut self.session, std::slice::from_ref(name)).await?;
        let Some((_, text)) = found.into_iter().next() else { return Ok(None) };
        self.split(name, &text).map(Some)
    }

    fn split(&self, name: &TableName, text: &str) -> Result<TableDdl, Fault> {
        ddl::split(text).map_err(|unreadable| self.not_understood(name, unreadable))
    }

    fn not_understood(&self, name: &TableName, unreadable: Unreadable) -> Fault {
        let remedy = format!("{unreadable}; exclude {name} by policy, or make it on the target by hand");
        Fault::new(FaultKind::Refused(remedy), format!("read the DDL of {name}")).of(name)
    }

    fn missing(&self, name: &TableName, doing: &str) -> Fault {
        Fault::new(FaultKind::TableMissing, doing).on(self.session.side()).of(name)
    }

    /// Compares what was made with what was asked for: the server can add or drop columns of its own accord.
    fn check_made(&self, name: &TableName, source: &TableDdl, made: &TableDdl) -> Result<(), Fault> {
        let columns = |ddl: &TableDdl| ddl.columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
        if columns(source) == columns(made) {
            return Ok(());
        }
        let remedy = format!(
            "the target made {name} with other columns than it was told; set sql_generate_invisible_primary_key=OFF and \
             explicit_defaults_for_timestamp=ON there, drop the table and start again"
        );
        Err(Fault::new(FaultKind::Refused(remedy), format!("create {name}")).on(self.session.side()).of(name))
    }

    /// Returns the `sql_mode` and DDL of a routine that is on the target already.
    async fn shown(&mut self, object: &ObjectFacts) -> Result<Option<(String, String)>, Fault> {
        let doing = format!("look at {}", object.name);
        let show = format!("SHOW CREATE {} {}", word(object.kind), sql::table(&object.name));
        self.session.run(&doing, "SET character_set_results=utf8mb4").await?;
        let answer = self.session.row(&doing, &show).await;
        if !self.session.is_broken() {
            self.session.run(&doing, "SET character_set_results=binary").await?;
        }
        match answer {
            Ok(row) => Ok(row.and_then(|row| Some((text_or_empty(&row, 1), text(&row, 2)?)))),
            Err(fault) if fault.kind == FaultKind::Server(NO_SUCH_ROUTINE) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Returns whether the same routine is there, and with whose rights it runs.
    async fn same_routine(&mut self, object: &ObjectFacts, ddl: &str) -> Result<Option<DefinerKept>, Fault> {
        let Some((mode, there)) = self.shown(object).await? else { return Ok(None) };
        if mode != object.sql_mode {
            return Ok(None);
        }
        if there == ddl {
            return Ok(Some(DefinerKept::Kept));
        }
        let anonymous = |text: &str| {
            ddl::create_object(object.kind, &object.name, text, (Definer::CurrentUser, Existing::Refused)).ok()
        };
        Ok((anonymous(&there).is_some() && anonymous(&there) == anonymous(ddl)).then_some(DefinerKept::Replaced))
    }

    async fn make(&mut self, object: &ObjectFacts, ddl: &str, definer: Definer) -> Result<(), Fault> {
        let name = &object.name;
        let doing = format!("create {} {name}", word(object.kind).to_lowercase());
        let existing = match (object.kind, self.session.flavor()) {
            (ObjectKind::View, _) | (_, Flavor::MariaDb) => Existing::Replaced,
            // MySQL cannot replace a routine.
            (_, Flavor::MySql) => {
                let drop = format!("DROP {} IF EXISTS {}", word(object.kind), sql::table(name));
                self.session.run(&doing, &drop).await?;
                Existing::Refused
            }
        };
        let statement = ddl::create_object(object.kind, name, ddl, (definer, existing))
            .map_err(|unreadable| self.not_understood(name, unreadable))?;
        // A view's text was printed under our own mode, a routine keeps the mode in which its body was written. The
        // statement goes out alone: a body may end in a comment, which would swallow whatever followed.
        if object.kind == ObjectKind::View {
            return self.session.run(&doing, &statement).await.map(drop).map_err(explain_refusal);
        }
        let set = format!("SET @leeward_mode=@@sql_mode, sql_mode={}", sql::literal(&object.sql_mode));
        self.session.run(&doing, &set).await?;
        let made = self.session.run(&doing, &statement).await;
        if !self.session.is_broken() {
            self.session.run(&doing, "SET sql_mode=@leeward_mode").await?;
        }
        made.map(drop).map_err(explain_refusal)
    }
}

fn word(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::View => "VIEW",
        ObjectKind::Function => "FUNCTION",
        ObjectKind::Procedure => "PROCEDURE",
        ObjectKind::Trigger => "TRIGGER",
        ObjectKind::Event => "EVENT",
    }
}

/// With the binlog on, servers refuse functions to those without SUPER unless they are told to trust them (T31).
fn explain_refusal(mut fault: Fault) -> Fault {
    if matches!(fault.kind, FaultKind::Server(UNSAFE_ROUTINE | ROUTINE_NEEDS_SUPER)) {
        let remedy = "set log_bin_trust_function_creators=1 on the target (on RDS in its parameter group); its binlog \
                      is on, and without the setting it takes functions from nobody but SUPER";
        fault.kind = FaultKind::Refused(remedy.to_owned());
    }
    fault
}

/// A definer that does not exist or may not be named by us: on RDS before 8.0.36 nobody may (`rds.md` §1.1).
fn is_definer_refused(fault: &Fault) -> bool {
    matches!(fault.kind, FaultKind::MissingGrant(_) | FaultKind::Server(NO_SUCH_DEFINER))
}

#[async_trait]
impl Shape for TargetShape {
    async fn existing(&mut self, tables: &[TableName]) -> Result<Vec<TableName>, Fault> {
        survey::existing(&mut self.session, tables).await
    }

    async fn filled(&mut self, tables: &[TableName]) -> Result<Vec<TableName>, Fault> {
        let query = |name: &TableName| format!("SELECT EXISTS(SELECT 1 FROM {})", sql::table(name));
        let queries: Vec<String> = tables.iter().map(query).collect();
        if queries.is_empty() {
            return Ok(Vec::new());
        }
        let sets = self.session.sets("look which tables hold rows", queries.join(";")).await?;
        let holds = |rows: &Vec<mysql_async::Row>| rows.first().and_then(|row| text(row, 0)).as_deref() == Some("1");
        Ok(tables.iter().zip(&sets).filter(|(_, rows)| holds(rows)).map(|(name, _)| name.clone()).collect())
    }

    async fn create_schemas(&mut self, schemas: &[SchemaFacts]) -> Result<(), Fault> {
        const DOING: &str = "create databases";
        let query = "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA";
        let rows = self.session.rows(DOING, query).await?;
        let there: Vec<String> = rows.iter().map(|row| text_or_empty(row, 0)).collect();
        for schema in schemas.iter().filter(|schema| !there.contains(&schema.name)) {
            // The collation names the character set too. Routines and later tables inherit it (T31).
            let create = format!(
                "CREATE DATABASE IF NOT EXISTS {} COLLATE {}",
                sql::ident(&schema.name),
                sql::ident(&schema.collation)
            );
            self.session.run(&format!("create database {}", schema.name), &create).await?;
        }
        Ok(())
    }

    async fn create_table(&mut self, name: &TableName, source_ddl: &str, indexes: Indexes) -> Result<(), Fault> {
        let doing = format!("create {name}");
        let source = self.split(name, source_ddl)?;
        self.change(&doing, &source.create_statement(name, indexes)).await.map_err(|fault| fault.of(name))?;
        let made = self.own_ddl(name).await?.ok_or_else(|| self.missing(name, &doing))?;
        self.check_made(name, &source, &made)
    }

    async fn incomplete(&mut self, tables: &[(&TableName, &str)], part: TablePart) -> Result<Vec<TableName>, Fault> {
        // What cannot be understood is not known to be complete; `complete_table` says what is the matter with it.
        let wanted: BTreeMap<&TableName, Option<TableDdl>> =
            tables.iter().map(|&(name, source_ddl)| (name, ddl::split(source_ddl).ok())).collect();
        let has_any = |ddl: &TableDdl, name| ddl.is_missing_in(name, &ddl.without_late_parts(), part);
        let asked = wanted.iter().filter(|(name, ddl)| ddl.as_ref().is_none_or(|ddl| has_any(ddl, name)));
        let mut lacking: BTreeSet<TableName> = asked.map(|(name, _)| (*name).clone()).collect();
        let names: Vec<TableName> = lacking.iter().cloned().collect();
        for (name, text) in survey::table_ddl(&mut self.session, &names).await? {
            if let (Some(Some(wanted)), Ok(existing)) = (wanted.get(&name), ddl::split(&text))
                && !wanted.is_missing_in(&name, &existing, part)
            {
                lacking.remove(&name);
            }
        }
        Ok(lacking.into_iter().collect())
    }

    async fn complete_table(&mut self, name: &TableName, source_ddl: &str, part: TablePart) -> Result<(), Fault> {
        let (doing, wanted) = match part {
            TablePart::Indexes => (format!("add the indexes of {name}"), self.split(name, source_ddl)?),
            TablePart::ForeignKeys => (format!("add the foreign keys of {name}"), self.split(name, source_ddl)?),
        };
        let existing = self.own_ddl(name).await?.ok_or_else(|| self.missing(name, &doing))?;
        let statements = match part {
            TablePart::Indexes => wanted.missing_indexes(name, &existing),
            TablePart::ForeignKeys => wanted.missing_foreign_keys(name, &existing).into_iter().collect(),
        };
        for statement in statements {
            self.change(&doing, &statement).await.map_err(|fault| fault.of(name))?;
        }
        Ok(())
    }

    async fn foreign_keys_beside(
        &mut self,
        name: &TableName,
        was: &TableName,
        source_ddl: &str,
    ) -> Result<Vec<KeyBeside>, Fault> {
        let doing = format!("add the foreign keys of {name}");
        let wanted = self.split(name, source_ddl)?.foreign_keys_beside(name, was);
        let there = self.own_ddl(name).await?.ok_or_else(|| self.missing(name, &doing))?;
        let parents: Vec<TableName> = wanted.iter().map(|(key, _)| key.parent.clone()).collect();
        let parents = self.existing(&parents).await?;
        let mut keys = Vec::with_capacity(wanted.len());
        for (key, add) in wanted {
            if !parents.contains(&key.parent) {
                keys.push(KeyBeside { now: None, ..key });
                continue;
            }
            if !key.now.as_ref().is_some_and(|now| there.has_foreign_key(now)) {
                self.change(&doing, &add).await.map_err(|fault| fault.of(name))?;
            }
            keys.push(key);
        }
        Ok(keys)
    }

    async fn alteration(
        &mut self,
        name: &TableName,
        source_ddl: &str,
        alteration: &Alteration,
    ) -> Result<Vec<Statement>, Fault> {
        let wanted = self.split(name, source_ddl)?;
        if let Some(existing) = self.own_ddl(name).await? {
            return Ok(ddl::statements(&wanted, &existing, name, alteration));
        }
        // Whoever dropped the copy knows why; it is not made again behind their back.
        let verdict = Verdict::Person("it was there, and somebody has dropped it");
        let made = wanted.without_late_parts();
        let late = wanted.missing_indexes(name, &made).into_iter().chain(wanted.missing_foreign_keys(name, &made));
        let statements = std::iter::once(wanted.create_statement(name, Indexes::AfterRows)).chain(late);
        Ok(statements.map(|sql| Statement { sql, effect: Effect::Rows, verdict }).collect())
    }

    async fn guard(&mut self, lease: &Lease) -> Result<(), Fault> {
        let hurry = format!("SET SESSION lock_wait_timeout={LOCK_WAIT_S}");
        self.session.run("set the wait for locked tables", &hurry).await?;
        self.guard = Some(format!(
            "SELECT COUNT(*) FROM leeward.lease WHERE lane={} AND epoch={} AND promoted=0",
            sql::literal(&lease.lane),
            lease.epoch
        ));
        Ok(())
    }

    async fn alter(&mut self, name: &TableName, statement: &Statement, rows: RowsMeanwhile) -> Result<(), Fault> {
        let sql = match rows {
            RowsMeanwhile::Written => format!("{}, LOCK=NONE", statement.sql),
            RowsMeanwhile::Waiting => statement.sql.clone(),
        };
        self.change(&format!("alter {name}"), &sql).await.map_err(|fault| fault.of(name))
    }

    async fn create_object(&mut self, object: &ObjectFacts) -> Result<DefinerKept, Fault> {
        let ddl = match &object.ddl {
            Observed::Known(ddl) => ddl.clone(),
            Observed::Unknown(why) => {
                let remedy = format!("{why}; grant it on the source and run `leeward plan` again");
                return Err(Fault::new(FaultKind::Refused(remedy), format!("create {}", object.name)));
            }
        };
        if matches!(object.kind, ObjectKind::Function | ObjectKind::Procedure)
            && let Some(kept) = self.same_routine(object, &ddl).await?
        {
            return Ok(kept);
        }
        match self.make(object, &ddl, Definer::Kept).await {
            Ok(()) => Ok(DefinerKept::Kept),
            Err(fault) if is_definer_refused(&fault) => {
                self.make(object, &ddl, Definer::CurrentUser).await.map(|()| DefinerKept::Replaced)
            }
            Err(fault) => Err(fault),
        }
    }
}
