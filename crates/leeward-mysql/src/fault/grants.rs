//! Reads the privilege that is missing out of a server's refusal and writes the GRANT that gives it.
//!
//! Which privileges Leeward needs altogether is not said here; `leeward doctor` knows that.

use leeward_core::name::Side;

use super::codes;

/// Stands for the account; [`super::name_account`] fills it in. What the server's message names is no account but the
/// user and the host that it came from: a GRANT to that makes a new account (MariaDB) or is refused (MySQL).
pub(super) const UNNAMED_ACCOUNT: &str = "<the user of this connection>";

/// What reading everything of a database takes (T31: triggers and events are kept as DDL).
const SOURCE_PRIVILEGES: &str = "SELECT, SHOW VIEW, TRIGGER, EVENT";

/// Returns the GRANT for a refusal, or nothing when the message is not understood.
pub(super) fn missing_grant(code: u16, message: &str, side: Side, doing: &str) -> Option<String> {
    match code {
        codes::NO_DATABASE_ACCESS => {
            let schema = quoted_after(message, " to database ")?;
            let privileges = match side {
                Side::Source => SOURCE_PRIVILEGES,
                Side::Target => "ALL PRIVILEGES",
            };
            Some(format!("GRANT {privileges} ON {}.* TO {};", identifier(&schema), UNNAMED_ACCOUNT))
        }
        codes::TABLE_ACCESS_DENIED => {
            let table = table_after(message, " for table ", doing)?;
            Some(format!("GRANT {} ON {table} TO {};", command(message)?, UNNAMED_ACCOUNT))
        }
        codes::COLUMN_ACCESS_DENIED => {
            let table = table_after(message, " in table ", doing)?;
            Some(format!("GRANT {} ON {table} TO {};", command(message)?, UNNAMED_ACCOUNT))
        }
        codes::ROUTINE_ACCESS_DENIED => {
            let routine = quoted_after(message, " for routine ")?;
            let (schema, _) = routine.split_once('.')?;
            Some(format!("GRANT {} ON {}.* TO {};", command(message)?, identifier(schema), UNNAMED_ACCOUNT))
        }
        codes::PRIVILEGE_MISSING => {
            let (_, rest) = message.split_once("(at least one of) the ")?;
            let (privileges, _) = rest.split_once(" privilege(s)")?;
            // "SUPER or READ_ONLY ADMIN": any of them will do, and RDS never gives SUPER.
            let names: Vec<&str> = privileges.split(" or ").flat_map(|list| list.split(", ")).map(str::trim).collect();
            let privilege = names.iter().find(|name| **name != "SUPER").or(names.first())?;
            plain(privilege).then(|| format!("GRANT {privilege} ON *.* TO {UNNAMED_ACCOUNT};"))
        }
        _ => None,
    }
}

/// Returns the refused command as the privilege of the same name: `alter routine` is ALTER ROUTINE.
fn command(message: &str) -> Option<String> {
    let (command, _) = message.split_once(" command denied to user ")?;
    let privilege = command.trim().to_uppercase();
    // Some servers name several: "SELECT, INSERT".
    plain(&privilege.replace(',', "")).then_some(privilege)
}

fn plain(words: &str) -> bool {
    !words.is_empty() && words.chars().all(|c| c.is_ascii_alphabetic() || c == ' ' || c == '_')
}

fn quoted_after(message: &str, words: &str) -> Option<String> {
    let (_, rest) = message.split_once(words)?;
    let rest = rest.strip_prefix('\'')?;
    Some(rest.split_once('\'')?.0.to_owned())
}

/// Returns the quoted full name of the table named after `words`. MariaDB prints `` `db`.`t` ``, MySQL only `'t'`: the
/// database is then looked for in what was being done.
fn table_after(message: &str, words: &str, doing: &str) -> Option<String> {
    let (_, rest) = message.split_once(words)?;
    if rest.starts_with('`') {
        return Some(rest.split(' ').next().unwrap_or(rest).to_owned());
    }
    let table = rest.strip_prefix('\'')?.split_once('\'')?.0;
    let schema = doing.split_whitespace().find_map(|word| {
        let (schema, named) = word.split_once('.')?;
        (named == table).then_some(schema)
    });
    let schema = schema.map_or("<its database>".to_owned(), identifier);
    Some(format!("{schema}.{}", identifier(table)))
}

fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(code: u16, message: &str) -> Option<String> {
        missing_grant(code, message, Side::Source, "read rows of shop.orders")
    }

    #[test]
    fn both_servers_ways_to_refuse_a_table_give_the_same_grant() {
        let expected = Some("GRANT SELECT ON `shop`.`orders` TO <the user of this connection>;".to_owned());
        assert_eq!(grant(1142, "SELECT command denied to user 'lee'@'10.0.0.7' for table 'orders'"), expected);
        assert_eq!(grant(1142, "SELECT command denied to user 'lee'@'10.0.0.7' for table `shop`.`orders`"), expected);
        let column = "SELECT command denied to user 'lee'@'10.0.0.7' for column 'id' in table 'orders'";
        assert_eq!(grant(1143, column), expected);
    }

    #[test]
    fn a_table_whose_database_is_not_known_says_so() {
        let message = "INSERT command denied to user 'lee'@'10.0.0.7' for table 'other'";
        assert_eq!(
            grant(1142, message).unwrap(),
            "GRANT INSERT ON <its database>.`other` TO <the user of this connection>;"
        );
    }

    #[test]
    fn databases_routines_and_global_privileges() {
        assert_eq!(
            grant(1044, "Access denied for user 'lee'@'10.0.0.7' to database 'shop'").unwrap(),
            "GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON `shop`.* TO <the user of this connection>;"
        );
        assert_eq!(
            grant(1370, "execute command denied to user 'lee'@'10.0.0.7' for routine 'shop.total'").unwrap(),
            "GRANT EXECUTE ON `shop`.* TO <the user of this connection>;"
        );
        for (list, expected) in [
            ("PROCESS", "PROCESS"),
            ("SUPER or REPLICATION_APPLIER", "REPLICATION_APPLIER"),
            ("SUPER, READ_ONLY ADMIN", "READ_ONLY ADMIN"),
            ("SUPER", "SUPER"),
        ] {
            let message =
                format!("Access denied; you need (at least one of) the {list} privilege(s) for this operation");
            assert_eq!(
                grant(1227, &message).unwrap(),
                format!("GRANT {expected} ON *.* TO <the user of this connection>;")
            );
        }
    }

    #[test]
    fn what_is_not_understood_gives_no_grant() {
        assert_eq!(grant(1142, "nothing known"), None);
        assert_eq!(grant(1227, "Access denied; the DROP; TABLE x"), None);
    }
}
