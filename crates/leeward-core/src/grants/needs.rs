//! What Leeward's accounts need, purpose by purpose, and the GRANT that gives it. The statements are text for a person
//! to read and run; Leeward never runs them.

use serde::{Deserialize, Serialize};

use super::{SchemaNames, Scope, quoted, quoted_account};
use crate::name::{CONTROL_SCHEMA, Side};
use crate::server::{Flavor, ServerFacts, Version};

/// Whether the work can be done without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Importance {
    /// It cannot.
    Required,
    /// It can, with a loss that the need's `why` names.
    Optional,
}

/// Privileges that one purpose needs on one scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The privileges, as GRANT spells them.
    pub privileges: Vec<&'static str>,
    /// On what. A database is named as it is, without escapes.
    pub on: Scope,
    /// Whether the work can be done without.
    pub importance: Importance,
    /// What they are for, or what is lost without them.
    pub why: &'static str,
    /// Another need that, when met, stands in for this one.
    pub instead: Option<Box<Need>>,
}

/// What Leeward is to do on the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetUse {
    /// Seed and sync: it owns the copy and the control schema.
    Keep,
    /// `verify` without `--repair`, beside a copy that something else keeps.
    Verify,
}

/// First version of MySQL with the privilege SHOW_ROUTINE (release notes of 8.0.20).
const SHOW_ROUTINE_SINCE: Version = Version(8, 0, 20);
/// First version of MySQL with SET_ANY_DEFINER in place of SET_USER_ID (release notes of 8.2.0).
const SET_ANY_DEFINER_SINCE: Version = Version(8, 2, 0);
/// What it takes to create something that runs as another account, by kind and version of the server.
const DEFINER_PRIVILEGES: [&str; 3] = ["SET USER", "SET_ANY_DEFINER", "SET_USER_ID"];
/// First version of MariaDB with SHOW CREATE ROUTINE (release notes of 11.3.0).
const SHOW_CREATE_ROUTINE_SINCE: Version = Version(11, 3, 0);

impl Need {
    /// Makes a need without which the work cannot be done.
    pub fn required(privileges: &[&'static str], on: Scope, why: &'static str) -> Need {
        Need { privileges: privileges.to_vec(), on, importance: Importance::Required, why, instead: None }
    }

    fn optional(privileges: &[&'static str], on: Scope, why: &'static str) -> Need {
        Need { importance: Importance::Optional, ..Need::required(privileges, on, why) }
    }

    fn or(self, other: Need) -> Need {
        Need { instead: Some(Box::new(other)), ..self }
    }

    /// Makes a need optional: a person has accepted to go without.
    pub fn accepted(self) -> Need {
        Need { importance: Importance::Optional, ..self }
    }

    /// Returns whether it is for views and routines alone that run as somebody else than Leeward's account.
    pub fn is_for_definers(&self) -> bool {
        self.privileges.iter().any(|privilege| DEFINER_PRIVILEGES.contains(privilege))
    }

    /// Returns the statement that meets the need, for the account as `CURRENT_USER()` prints it. Wildcards in a database
    /// name are escaped where the server reads them as such, so that nothing more is granted than is needed.
    pub fn grant_statement(&self, account: &str, names: SchemaNames) -> String {
        let on = match (&self.on, names) {
            (Scope::Schema(schema), SchemaNames::Patterns) => format!("{}.*", quoted(&escaped(schema))),
            (on, _) => on.to_string(),
        };
        format!("GRANT {} ON {on} TO {};", self.privileges.join(", "), quoted_account(account))
    }
}

fn escaped(schema: &str) -> String {
    schema.replace('\\', "\\\\").replace('_', "\\_").replace('%', "\\%")
}

/// Returns what the source's account needs. Leeward never writes there (invariant 3), so nothing here writes.
///
/// SELECT is asked for on whole databases, not on tables one by one: a table that the account may not read is not even
/// listed, so that a new one would be missing from the copy without anybody seeing it.
pub fn source_needs(server: &ServerFacts, schemas: &[String]) -> Vec<Need> {
    let mut needs: Vec<Need> = schemas
        .iter()
        .map(|schema| Need::required(&["SELECT"], on_schema(schema), "to read and list tables"))
        .collect();
    needs.push(Need::required(
        &["PROCESS"],
        Scope::Global,
        "to see open transactions: without it no mark can be proved, and rows that commit late can be missed until the scrub",
    ));
    needs.extend(schemas.iter().map(|schema| {
        Need::optional(
            &["SHOW VIEW", "TRIGGER", "EVENT"],
            on_schema(schema),
            "to see views, triggers and events: without it the target lacks them after a failover",
        )
    }));
    needs.push(routine_need(server));
    needs
}

/// Returns what it takes to see every stored routine and its body.
pub fn routine_need(server: &ServerFacts) -> Need {
    let why = "to see stored routines: without it the target lacks them after a failover";
    let proc_table = Scope::Table { schema: "mysql".to_owned(), table: "proc".to_owned() };
    let read_all = Need::optional(&["SELECT"], Scope::Global, why);
    match server.flavor {
        Flavor::MariaDb if server.version >= SHOW_CREATE_ROUTINE_SINCE => {
            let show = Need::optional(&["SHOW CREATE ROUTINE"], Scope::Global, why);
            Need::optional(&["SELECT"], proc_table, why).or(show)
        }
        Flavor::MariaDb => Need::optional(&["SELECT"], proc_table, why),
        // RDS's master user cannot grant SHOW_ROUTINE (`rds.md` §1.1), but a global SELECT does the same.
        Flavor::MySql if server.version >= SHOW_ROUTINE_SINCE => {
            Need::optional(&["SHOW_ROUTINE"], Scope::Global, why).or(read_all)
        }
        Flavor::MySql => read_all,
    }
}

/// Returns what it takes to compare accounts: `SHOW GRANTS FOR` another account reads the schema `mysql`.
pub fn account_need() -> Need {
    Need::optional(
        &["SELECT"],
        Scope::Schema("mysql".to_owned()),
        "to compare accounts: without it nobody knows whether the application can log in, or already writes, there",
    )
}

/// Returns what it takes to see a side's end of the server's own replication.
pub fn replication_need(server: &ServerFacts, side: Side) -> Need {
    let (privilege, why) = match (server.flavor, side) {
        (Flavor::MySql, Side::Source) => ("REPLICATION CLIENT", "to see where the source's binary log ends"),
        (Flavor::MySql, Side::Target) => ("REPLICATION CLIENT", "to see what the replica has applied"),
        (Flavor::MariaDb, Side::Source) => ("BINLOG MONITOR", "to see where the source's binary log ends"),
        (Flavor::MariaDb, Side::Target) => ("SLAVE MONITOR", "to see what the replica has applied"),
    };
    Need::required(&[privilege], Scope::Global, why)
}

/// Returns what the target's account needs.
///
/// LOCK TABLES is not among them: a cycle is one transaction, and the lease is a row read `FOR UPDATE`. EXECUTE is,
/// because a view that calls a function is checked for it when it is created.
pub fn target_needs(server: &ServerFacts, schemas: &[String], purpose: TargetUse) -> Vec<Need> {
    if purpose == TargetUse::Verify {
        return schemas.iter().map(|schema| Need::required(&["SELECT"], on_schema(schema), "to compare")).collect();
    }
    let keep = [
        "SELECT",
        "INSERT",
        "UPDATE",
        "DELETE",
        "CREATE",
        "ALTER",
        "DROP",
        "INDEX",
        "REFERENCES",
        "CREATE VIEW",
        "SHOW VIEW",
        "CREATE ROUTINE",
        "ALTER ROUTINE",
        "EXECUTE",
        "TRIGGER",
        "EVENT",
    ];
    let mut needs: Vec<Need> = schemas
        .iter()
        .map(|schema| Need::required(&keep, on_schema(schema), "to create the copy and keep it in step"))
        .collect();
    needs.push(Need::required(&keep[..9], on_schema(CONTROL_SCHEMA), "to keep Leeward's own state"));
    needs.push(definer_need(server));
    needs
}

fn definer_need(server: &ServerFacts) -> Need {
    let [set_user, set_any_definer, set_user_id] = DEFINER_PRIVILEGES;
    let privilege = match server.flavor {
        Flavor::MariaDb => set_user,
        Flavor::MySql if server.version >= SET_ANY_DEFINER_SINCE => set_any_definer,
        Flavor::MySql => set_user_id,
    };
    let why = "to keep the definers of views and routines: without it they run as Leeward's account";
    Need::optional(&[privilege], Scope::Global, why).or(Need::optional(&["SUPER"], Scope::Global, why))
}

fn on_schema(schema: &str) -> Scope {
    Scope::Schema(schema.to_owned())
}
