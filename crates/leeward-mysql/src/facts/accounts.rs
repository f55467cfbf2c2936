//! Accounts and roles with their privileges. Nothing of a password is read, and what `SHOW GRANTS` prints of one is
//! dropped while it is parsed.

use std::collections::BTreeSet;

use leeward_core::fault::{Fault, FaultKind};
use leeward_core::grants::{Grants, SchemaNames};
use leeward_core::readiness::{AccountFacts, AccountKind};
use leeward_core::server::{Flavor, Observed};
use mysql_async::Row;

use crate::fault::codes;
use crate::session::Session;
use crate::sql;
use crate::survey::{each, number, text, text_or_empty};

const DOING: &str = "read the accounts";

/// Reads all accounts, ordered by name: two round trips and one for each 500 accounts. `names` says how the server
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
    let names_ignored = session.row(DOING, "SELECT @@skip_name_resolve").await?.and_then(|row| number(&row, 0));
    let shows: Vec<String> = accounts.iter().map(show_grants).collect();
    let answers = each(session, "read the accounts' privileges", &shows).await?;
    let mut known = Vec::with_capacity(accounts.len());
    for (mut account, answer) in accounts.into_iter().zip(answers) {
        account.grants = match answer {
            Ok(rows) => {
                let lines: Vec<String> = rows.iter().map(|row| text_or_empty(row, 0)).collect();
                Observed::Known(Grants::parse(&lines).with_schema_names(names))
            }
            // It stands in the table, but the server has not loaded it, and lets nobody in with it.
            Err(fault) if fault.kind == NO_GRANT && names_ignored == Some(1) && is_host_name(&account.host) => continue,
            Err(fault) => Observed::Unknown(fault.to_string()),
        };
        known.push(account);
    }
    Ok(known)
}

const NO_GRANT: FaultKind = FaultKind::Server(codes::NO_SUCH_GRANT);

/// With `skip_name_resolve` the servers pass over accounts of hosts that only a look-up could tell (manual of the
/// variable); addresses, patterns of addresses and `localhost` need none.
fn is_host_name(host: &str) -> bool {
    host != "localhost" && host.contains(|c: char| c.is_alphabetic()) && !host.contains(':')
}

async fn from_mysql(session: &mut Session) -> Result<Vec<AccountFacts>, Fault> {
    let query = "SELECT User,Host,plugin,account_locked FROM mysql.user;\
                 SELECT DISTINCT FROM_USER,FROM_HOST FROM mysql.role_edges";
    let sets = session.sets(DOING, query).await?;
    let name = |row: &Row| (text_or_empty(row, 0), text_or_empty(row, 1));
    let roles: BTreeSet<(String, String)> = sets.get(1).into_iter().flatten().map(name).collect();
    let account = |row: &Row| {
        let (user, host) = name(row);
        let locked = text_or_empty(row, 3) == "Y";
        AccountFacts {
            // Any account can be granted like a role; while it is not locked, somebody may still log in with it.
            kind: match locked && roles.contains(&(user.clone(), host.clone())) {
                true => AccountKind::Role,
                false => AccountKind::User,
            },
            user,
            host,
            plugin: text_or_empty(row, 2),
            locked: Observed::Known(locked),
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

#[cfg(test)]
mod tests {
    use super::is_host_name;

    #[test]
    fn a_host_name_is_told_from_addresses_and_patterns_of_them() {
        assert!(["vm", "db.east.example.com", "%.example.com"].into_iter().all(is_host_name));
        assert!(
            !["%", "localhost", "", "127.0.0.1", "::1", "fe80::1", "10.0.%", "10.0.0.0/255.255.255.0"]
                .into_iter()
                .any(is_host_name)
        );
    }
}
