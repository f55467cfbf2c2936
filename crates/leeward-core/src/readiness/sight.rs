//! Whether an account could have seen what it did not see. A server lists only what an account has privileges on, so
//! that an empty list proves nothing by itself.

use chrono::NaiveDateTime;

use super::facts::{ReadinessFacts, seen};
use super::outcome::Missing;
use super::page::{listed, statements};
use crate::grants::needs::{Importance, Need, account_need, routine_need};
use crate::grants::{Grants, Scope};
use crate::name::Side;

/// Proves that the account of a side sees what a privilege shows, in every planned database. Returns when its privileges
/// were read.
pub(super) fn sees(
    facts: &ReadinessFacts,
    side: Side,
    privilege: &'static str,
    what: &str,
) -> Result<NaiveDateTime, Missing> {
    let need = |schema| Need {
        privileges: vec![privilege],
        on: Scope::Schema(schema),
        importance: Importance::Required,
        why: "to see what there is",
        instead: None,
    };
    let needs: Vec<Need> = facts.schema_names()?.into_iter().map(need).collect();
    prove(facts, side, &needs, what)
}

/// Proves that the account of a side sees every routine with its body.
pub(super) fn sees_routines(facts: &ReadinessFacts, side: Side) -> Result<NaiveDateTime, Missing> {
    let server = seen(&facts.side(side).server, &format!("the {side}'s version"))?;
    Ok(prove(facts, side, &[routine_need(&server.value)], "routines")?.min(server.at))
}

/// Proves that the account of a side sees every account and its privileges.
pub(super) fn sees_accounts(facts: &ReadinessFacts, side: Side) -> Result<NaiveDateTime, Missing> {
    prove(facts, side, &[account_need()], "accounts")
}

fn prove(facts: &ReadinessFacts, side: Side, needs: &[Need], what: &str) -> Result<NaiveDateTime, Missing> {
    let grants = seen(&facts.side(side).grants, &format!("SHOW GRANTS on the {side}"))?;
    let missing = grants.value.missing(needs);
    if missing.is_empty() {
        return Ok(grants.at);
    }
    let account = &seen(&facts.side(side).account, &format!("the {side}'s account"))?.value;
    let scopes: Vec<String> = missing.iter().map(|need| need.on.to_string()).collect();
    Err(Missing::with_remedy(
        format!("the {side}'s account cannot see all {what} on {}", listed(&scopes)),
        grant_lines(&missing, &grants.value, account, side),
    ))
}

/// Prints the GRANTs that meet some needs, each with the one that would do instead.
pub(super) fn grant_lines(needs: &[Need], grants: &Grants, account: &str, side: Side) -> String {
    let line = |need: &Need| {
        let names = grants.schema_names();
        let other = need.instead.as_deref().map(|other| format!("  (or: {})", other.grant_statement(account, names)));
        format!("on the {side}: {}{}", need.grant_statement(account, names), other.unwrap_or_default())
    };
    statements(&needs.iter().map(line).collect::<Vec<_>>())
}
