//! Accounts and roles with their privileges. Nothing of a password is read, and what `SHOW GRANTS` prints of one is
//! dropped while it is parsed.

use std::collections::BTreeSet;

use leeward_core::fault::Fault;
use leeward_core::grants::{Grants, SchemaNames};
use leeward_core::readiness::{AccountFacts, AccountKind};
use leeward_core::server::{Flavor, Observed};
use mysql_async::Row;

use crate::session::Session;
use crate::sql;
use crate::survey::{each, text, text_or_empty};

const DOING: &str = "read the accounts";

/// Reads all accounts, ordered by name: one round trip and one for each hundred accounts. `names` says how the server
/// reads wildcards in grants.
///
/// # Errors
/// `MissingGrant` where the schema `mysql` may not be read; what breaks the session.
pub(super) async fn read(session: &mut Session, names: SchemaNames) -> Result<Vec<AccountFacts>, Fault> {
    let mut accounts = match session.flavor() {
        Flavor::MySql => from_mysql(session).await?,
        Flavor::MariaDb => from_mariadb(session).await?,
    };
    accounts.sort_by(|a, b| (&a.user, &a.host).cmp(&(&b.user, &b.host)));
    let shows: Vec<String> = accounts.iter().map(show_grants).collect();
    let answers = each(session, "read the accounts' privileges", &shows).await?;
    for (account, answer) in accounts.iter_mut().zip(answers) {
        account.grants = match answer {
            Ok(rows) => {
                let lines: Vec<String> = rows.iter().map(|row| text_or_empty(row, 0)).collect();
                Observed::Known(Grants::parse(&lines).with_schema_names(names))
            }
            Err(fault) => Observed::Unknown(fault.to_string()),
        };
    }
    Ok(accounts)
}

async fn from_mysql(session: &mut Session) -> Result<Vec<AccountFacts>, Fault> {
    let query = "SELECT User,Host,plugin,account_locked FROM mysql.user;\
                 SELECT DISTINCT FROM_USER,FROM_HOST FROM mysql.role_edges";
    let sets = session.sets(DOING, query).await?;
    let name = |row: &Row| (text_or_empty(row, 0), text_or_empty(row, 1));
    let roles: BTreeSet<(String, String)> = sets.get(1).into_iter().flatten().map(name).collect();
    let account = |row: &Row| {
        let (user, host) = name(row);
        AccountFacts {
            kind: if roles.contains(&(user.clone(), host.clone())) { AccountKind::Role } else { AccountKind::User },
            user,
            host,
            plugin: text_or_empty(row, 2),
            locked: Observed::Known(text_or_empty(row, 3) == "Y"),
            grants: Observed::Unknown("not read".to_owned()),
        }
    };
    Ok(sets.first().into_iter().flatten().map(account).collect())
}

async fn from_mariadb(session: &mut Session) -> Result<Vec<AccountFacts>, Fault> {
    // The table behind the view `mysql.user` holds JSON; only these parts of it are taken out.
    let query = "SELECT User,Host,JSON_VALUE(Priv,'$.plugin'),JSON_VALUE(Priv,'$.account_locked'),\
                 JSON_VALUE(Priv,'$.is_role') FROM mysql.global_priv";
    let rows = session.rows(DOING, query).await?;
    let yes = |row: &Row, at: usize| matches!(text(row, at).as_deref(), Some("1" | "true"));
    let account = |row: &Row| AccountFacts {
        user: text_or_empty(row, 0),
        host: text_or_empty(row, 1),
        kind: if yes(row, 4) { AccountKind::Role } else { AccountKind::User },
        plugin: text_or_empty(row, 2),
        locked: Observed::Known(yes(row, 3)),
        grants: Observed::Unknown("not read".to_owned()),
    };
    Ok(rows.iter().map(account).collect())
}

/// A role of MariaDB has no host.
fn show_grants(account: &AccountFacts) -> String {
    match (account.kind, account.host.is_empty()) {
        (AccountKind::Role, true) => format!("SHOW GRANTS FOR {}", sql::ident(&account.user)),
        _ => format!("SHOW GRANTS FOR {}@{}", sql::ident(&account.user), sql::ident(&account.host)),
    }
}
