//! ACC: could the application log in on the target and do its work, and can it not do so too early? Names, plugins and
//! privileges only: nothing of a password is ever here.

use std::collections::BTreeSet;

use chrono::NaiveDateTime;
use globset::Glob;

use super::beside::{is_read_only, needs};
use super::facts::{AccountFacts, AccountKind, ReadinessFacts, seen};
use super::outcome::{Answer, Missing, Outcome};
use super::page::{listed, statements};
use super::sight::{grant_lines, sees, sees_accounts, sees_routines};
use crate::grants::needs::{Importance, Need, TargetUse, source_needs, target_needs};
use crate::grants::{Grants, Scope, quoted_account};
use crate::name::Side;
use crate::plan::FenceMode;
use crate::server::{Flavor, Observed, ServerFacts};
use crate::survey::{ObjectFacts, ObjectKind};

/// Accounts of the engines and of RDS: they belong to their instance (`rds.md` §1.1).
const SYSTEM_USERS: [&str; 9] = [
    "mysql.sys",
    "mysql.session",
    "mysql.infoschema",
    "mariadb.sys",
    "rdsadmin",
    "rdsrepladmin",
    "rdstopmgr",
    "rds_superuser_role",
    "PUBLIC",
];
/// The plugin of RDS's IAM database authentication.
const IAM_PLUGIN: &str = "AWSAuthenticationPlugin";
/// Plugins that servers still have and are about to lose, or that protect a password badly.
const DEPRECATED_PLUGINS: [&str; 3] = ["mysql_native_password", "sha256_password", "mysql_old_password"];
/// Roles within roles that are followed; servers forbid cycles, and deeper nests are not seen in practice.
const ROLE_DEPTH_MAX: usize = 8;

/// The accounts of one side that a person or an application owns.
struct Accounts<'a> {
    at: NaiveDateTime,
    all: &'a [AccountFacts],
    own: Vec<&'a AccountFacts>,
}

fn accounts<'a>(facts: &'a ReadinessFacts, side: Side, ignored: &[String]) -> Result<Accounts<'a>, Missing> {
    let sight_at = sees_accounts(facts, side)?;
    let all = seen(&facts.side(side).accounts, &format!("the {side}'s accounts"))?;
    if all.value.is_empty() {
        return Err(Missing::new(format!("the {side} lists no account at all, not even its own")));
    }
    let mut leeward = BTreeSet::new();
    for side in [Side::Source, Side::Target] {
        leeward.insert(seen(&facts.side(side).account, &format!("Leeward's account on the {side}"))?.value.clone());
    }
    let globs: Vec<_> =
        ignored.iter().filter_map(|glob| Glob::new(glob).ok()).map(|glob| glob.compile_matcher()).collect();
    let is_own = |account: &&AccountFacts| {
        let name = account.name();
        !SYSTEM_USERS.contains(&account.user.as_str())
            && !leeward.contains(&name)
            && !globs.iter().any(|glob| glob.is_match(&name))
    };
    Ok(Accounts { at: sight_at.min(all.at), all: &all.value, own: all.value.iter().filter(is_own).collect() })
}

fn same(one: &AccountFacts, other: &AccountFacts) -> bool {
    one.user == other.user && one.host.eq_ignore_ascii_case(&other.host)
}

/// Finds the same account in a list.
fn find<'a>(list: &'a [AccountFacts], account: &AccountFacts) -> Option<&'a AccountFacts> {
    list.iter().find(|there| same(there, account))
}

/// ACC-01: every account of the source is there.
pub(super) fn accounts_exist(facts: &ReadinessFacts) -> Answer {
    let ignored = &facts.settings.checks.ignored_accounts;
    let source = accounts(facts, Side::Source, ignored)?;
    let target = accounts(facts, Side::Target, &[])?;
    let at = source.at.min(target.at);
    let missing: Vec<String> =
        source.own.iter().filter(|account| find(target.all, account).is_none()).map(|account| account.name()).collect();
    if missing.is_empty() {
        return Ok(Outcome::pass(at, format!("{} accounts are there", source.own.len())));
    }
    let remedies: Vec<String> = missing
        .iter()
        .map(|name| {
            format!("on the source: SHOW CREATE USER {}; run it on the target with ACCOUNT LOCK", quoted_account(name))
        })
        .collect();
    Ok(Outcome::fail(at, format!("not on the target: {}", listed(&missing)), statements(&remedies)))
}

/// ACC-02: they may do there what they may do here. Privileges to write that are held back on purpose (ACC-04) only
/// warn, with the GRANTs to run at a failover.
pub(super) fn grants_roles(facts: &ReadinessFacts) -> Answer {
    let ignored = &facts.settings.checks.ignored_accounts;
    let source = accounts(facts, Side::Source, ignored)?;
    let target = accounts(facts, Side::Target, &[])?;
    let at = source.at.min(target.at);
    let schemas = facts.schema_names()?;
    let (mut missing, mut held_back, mut extra, mut remedies) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for account in &source.own {
        let Some(there) = find(target.all, account) else { continue };
        let (here, there) = (grants_of(account, Side::Source)?, grants_of(there, Side::Target)?);
        let name = account.name();
        for wanted in here.privileges_on(&schemas).iter().filter(|wanted| !there.holds(wanted)) {
            let line = format!("{name}: {wanted}");
            if wanted.writes() {
                held_back.push(line)
            } else {
                missing.push(line)
            }
            remedies.push(grant_again(&name, wanted));
        }
        for role in here.roles().difference(there.roles()) {
            missing.push(format!("{name}: role {role}"));
            remedies.push(format!("on the target: GRANT {} TO {};", quoted_account(role), quoted_account(&name)));
        }
        let more = there.privileges_on(&schemas).into_iter().filter(|held| !here.holds(held));
        extra.extend(more.map(|held| format!("{name}: {held}")));
    }
    Ok(if !missing.is_empty() {
        missing.extend(held_back);
        Outcome::fail(at, format!("missing on the target: {}", listed(&missing)), statements(&remedies))
    } else if !held_back.is_empty() {
        let remedies: Vec<String> = remedies.iter().map(|line| format!("at a failover, {line}")).collect();
        Outcome::warn(at, format!("held back on the target: {}", listed(&held_back)), statements(&remedies))
    } else if !extra.is_empty() {
        let remedy = "revoke them on the target, or grant them on the source too, so that both sides stay alike";
        Outcome::warn(at, format!("on the target only: {}", listed(&extra)), remedy)
    } else {
        Outcome::pass(at, format!("{} accounts hold the same privileges", source.own.len()))
    })
}

fn grant_again(account: &str, privilege: &crate::grants::Privilege) -> String {
    let to = quoted_account(account);
    match privilege.word.as_str() {
        "GRANT OPTION" => format!("on the target: GRANT USAGE ON {} TO {to} WITH GRANT OPTION;", privilege.scope),
        _ => format!("on the target: GRANT {privilege} TO {to};"),
    }
}

fn grants_of(account: &AccountFacts, side: Side) -> Result<&Grants, Missing> {
    match &account.grants {
        Observed::Known(grants) if grants.unread() == 0 => Ok(grants),
        Observed::Known(grants) => Err(Missing::new(format!(
            "{} lines of SHOW GRANTS FOR {} on the {side} could not be read",
            grants.unread(),
            account.name()
        ))),
        Observed::Unknown(why) => {
            Err(Missing::new(format!("SHOW GRANTS FOR {} on the {side} could not be read: {why}", account.name())))
        }
    }
}

/// ACC-03: the target can check the password in the way that each account expects.
pub(super) fn auth_plugin(facts: &ReadinessFacts) -> Answer {
    let source = accounts(facts, Side::Source, &facts.settings.checks.ignored_accounts)?;
    let target = accounts(facts, Side::Target, &[])?;
    let plugins = seen(&facts.target.auth_plugins, "the target's authentication plugins")?;
    let flavor = seen(&facts.target.server, "the target's version")?.value.flavor;
    let at = source.at.min(target.at).min(plugins.at);
    let (mut bad, mut close) = (Vec::new(), Vec::new());
    for account in source.own.iter().filter(|account| account.kind == AccountKind::User && !account.plugin.is_empty()) {
        let there = find(target.all, account);
        let line = format!("{} ({})", account.name(), account.plugin);
        let other = there.is_some_and(|there| there.plugin != account.plugin);
        if !plugins.value.contains(&account.plugin) && there.is_none_or(|there| !plugins.value.contains(&there.plugin))
        {
            bad.push(format!("{line}: the target has no such plugin"));
        } else if account.plugin == IAM_PLUGIN && other {
            bad.push(format!("{line}: its tokens are refused there"));
        } else if other {
            close.push(format!("{line}: another plugin there"));
        } else if flavor == Flavor::MySql && DEPRECATED_PLUGINS.contains(&account.plugin.as_str()) {
            close.push(format!("{line}: deprecated"));
        }
    }
    let remedy = "on both sides: ALTER USER … IDENTIFIED WITH a plugin that both have; IAM users: IDENTIFIED WITH \
                  AWSAuthenticationPlugin AS 'RDS'";
    Ok(if !bad.is_empty() {
        Outcome::fail(at, listed(&bad), remedy)
    } else if !close.is_empty() {
        Outcome::warn(at, listed(&close), remedy)
    } else {
        Outcome::pass(at, format!("the plugins of {} accounts work there", source.own.len()))
    })
}

/// ACC-04: nobody but Leeward can write on the target before a failover: a second writer is a split brain (T37).
pub(super) fn app_locked(facts: &ReadinessFacts) -> Answer {
    let target = accounts(facts, Side::Target, &facts.settings.checks.writers_on_target)?;
    let schemas = facts.schema_names()?;
    let everybodys = everybodys(facts, target.all)?;
    let (mut writable, mut administrators, mut reading) = (Vec::new(), Vec::new(), Vec::new());
    let mut locked = 0_usize;
    for account in target.own.iter().filter(|account| account.kind == AccountKind::User) {
        let name = account.name();
        match &account.locked {
            Observed::Known(true) => locked += 1,
            Observed::Known(false) => {
                let grants = with_roles(account, &everybodys, target.all)?;
                if grants.is_administrator() {
                    administrators.push(name);
                } else if schemas.iter().any(|schema| grants.can_write(schema)) {
                    writable.push(name);
                } else {
                    reading.push(name);
                }
            }
            Observed::Unknown(why) => return Err(Missing::new(format!("whether {name} is locked: {why}"))),
        }
    }
    let lock = |names: &[String]| {
        let line = |name: &String| format!("on the target: ALTER USER {} ACCOUNT LOCK;", quoted_account(name));
        statements(&names.iter().map(line).collect::<Vec<_>>())
    };
    Ok(if !writable.is_empty() {
        Outcome::fail(target.at, format!("can write on the target already: {}", listed(&writable)), lock(&writable))
    } else if !administrators.is_empty() {
        Outcome::warn(
            target.at,
            format!("administrators can write, locked or not: {}", listed(&administrators)),
            "name those that may in the policy (checks.writers_on_target); lock the others",
        )
    } else if !reading.is_empty() {
        let actual = format!("can log in and read: {}; {locked} are locked", listed(&reading));
        Outcome::warn(target.at, actual, lock(&reading))
    } else {
        Outcome::pass(target.at, format!("{locked} accounts are locked, none can write"))
    })
}

/// ACC-04 where the servers replicate: the replica takes writes from nobody. Accounts are the source's own there, so that
/// none can be locked.
pub(super) fn replica_read_only(facts: &ReadinessFacts) -> Answer {
    let server = seen(&facts.target.server, "the target's variables")?;
    match is_read_only(&server.value) {
        Observed::Known(true) => {}
        Observed::Known(false) => {
            return Ok(Outcome::fail(
                server.at,
                "read_only is off: every account that writes on the source can write on the replica",
                "set read_only=1 in the target's parameter group (elsewhere: SET GLOBAL read_only=1) until the promotion",
            ));
        }
        Observed::Unknown(why) => return Err(Missing::new(why)),
    }
    let target = accounts(facts, Side::Target, &facts.settings.checks.writers_on_target)?;
    let everybodys = everybodys(facts, target.all)?;
    let mut above = Vec::new();
    for account in target.own.iter().filter(|account| account.kind == AccountKind::User) {
        let grants = with_roles(account, &everybodys, target.all)?;
        let stands_above = ABOVE_READ_ONLY.iter().any(|word| grants.has(word, &Scope::Global));
        if stands_above && account.locked != Observed::Known(true) {
            above.push(account.name());
        }
    }
    let at = server.at.min(target.at);
    Ok(match above.is_empty() {
        true => Outcome::pass(at, "read_only is on, and no account stands above it"),
        false => Outcome::warn(
            at,
            format!("read_only is on, and these stand above it: {}", listed(&above)),
            "name those that may in the policy (checks.writers_on_target); take the privilege from the others",
        ),
    })
}

/// What lets an account write where `read_only` is on.
const ABOVE_READ_ONLY: [&str; 4] = ["SUPER", "CONNECTION_ADMIN", "READ_ONLY ADMIN", "READ ONLY ADMIN"];

/// Roles that every account has: `mandatory_roles` on MySQL, PUBLIC on MariaDB (from 10.11).
fn everybodys(facts: &ReadinessFacts, all: &[AccountFacts]) -> Result<Grants, Missing> {
    let server = seen(&facts.target.server, "the target's variables")?;
    let mandatory = server.value.variables.get("mandatory_roles").filter(|roles| !roles.trim().is_empty());
    let mut grants =
        Grants::parse(&mandatory.map(|roles| format!("GRANT {roles} TO everybody")).into_iter().collect::<Vec<_>>());
    if let Some(public) = all.iter().find(|account| account.user == "PUBLIC" && account.host.is_empty()) {
        grants = grants.joined_by(grants_of(public, Side::Target)?);
    }
    match grants.unread() {
        0 => Ok(grants),
        _ => Err(Missing::new("@@mandatory_roles of the target could not be read")),
    }
}

/// Adds the privileges of every role that an account may take on, active or not. A role that is not listed could hold
/// anything.
fn with_roles(account: &AccountFacts, everybodys: &Grants, all: &[AccountFacts]) -> Result<Grants, Missing> {
    let mut grants = grants_of(account, Side::Target)?.clone().joined_by(everybodys);
    let mut taken: BTreeSet<String> = BTreeSet::new();
    for _ in 0..ROLE_DEPTH_MAX {
        let open: Vec<String> = grants.roles().difference(&taken).cloned().collect();
        if open.is_empty() {
            return Ok(grants);
        }
        for role in open {
            let found = all
                .iter()
                .find(|there| there.name() == role || (["", "%"].contains(&there.host.as_str()) && there.user == role));
            let found = found.ok_or_else(|| {
                Missing::new(format!("role {role} of {} is not among the accounts listed", account.name()))
            })?;
            grants = grants.joined_by(grants_of(found, Side::Target)?);
            taken.insert(role);
        }
    }
    Err(Missing::new(format!("the roles of {} are nested deeper than {ROLE_DEPTH_MAX}", account.name())))
}

/// ACC-05: Leeward's own accounts have what they need. Where a person has accepted a plan without a proved fence,
/// PROCESS may be missing.
pub(super) fn engine_privs(facts: &ReadinessFacts) -> Answer {
    let fence = &facts.plan()?.fence;
    privileges(facts, &|server, schemas, side| match side {
        Side::Source => accepted(source_needs(server, schemas), fence),
        Side::Target => {
            let needs = target_needs(server, schemas, TargetUse::Keep);
            let spared = has_no_definers(facts);
            needs.into_iter().filter(|need| !(spared && need.is_for_definers())).collect()
        }
    })
}

/// ACC-05 where the servers replicate: nothing is written, and both ends of the replication are seen.
pub(super) fn onlooker_privs(facts: &ReadinessFacts) -> Answer {
    privileges(facts, &needs)
}

/// Says what an account of Leeward's needs on one side.
type Needs<'a> = &'a dyn Fn(&ServerFacts, &[String], Side) -> Vec<Need>;

fn privileges(facts: &ReadinessFacts, needs_of: Needs<'_>) -> Answer {
    let schemas = facts.schema_names()?;
    let mut at = facts.now;
    let (mut lacking, mut remedies, mut required) = (Vec::new(), Vec::new(), false);
    for side in [Side::Source, Side::Target] {
        let state = facts.side(side);
        let server = seen(&state.server, &format!("the {side}'s version"))?;
        let grants = seen(&state.grants, &format!("SHOW GRANTS on the {side}"))?;
        let account = seen(&state.account, &format!("the {side}'s account"))?;
        at = at.min(server.at).min(grants.at).min(account.at);
        let needs = needs_of(&server.value, &schemas, side);
        let missing = grants.value.missing(&needs);
        if !missing.is_empty() && grants.value.unread() > 0 {
            let count = grants.value.unread();
            return Err(Missing::new(format!("{count} lines of SHOW GRANTS on the {side} could not be read")));
        }
        required |= missing.iter().any(|need| need.importance == Importance::Required);
        lacking.extend(missing.iter().map(|need| format!("{} on {} ({side})", need.privileges.join(", "), need.on)));
        if !missing.is_empty() {
            remedies.push(grant_lines(&missing, &grants.value, &account.value, side));
        }
    }
    Ok(if lacking.is_empty() {
        Outcome::pass(at, "both accounts have all that they need")
    } else if required {
        Outcome::fail(at, format!("missing: {}", listed(&lacking)), remedies.join("\n"))
    } else {
        Outcome::warn(at, format!("optional, missing: {}", listed(&lacking)), remedies.join("\n"))
    })
}

/// Returns whether nothing on the source runs as another account than Leeward's on the target. RDS for MariaDB hands out no
/// privilege to create such things, so that asking for it where nobody needs it would keep every copy there from being ready.
fn has_no_definers(facts: &ReadinessFacts) -> bool {
    let seen_all =
        sees_routines(facts, Side::Source).is_ok() && sees(facts, Side::Source, "SHOW VIEW", "views").is_ok();
    let (Some(objects), Some(own)) = (facts.source.objects.known(), facts.target.account.known()) else { return false };
    let runs_as_other = |object: &ObjectFacts| {
        let is_created = matches!(object.kind, ObjectKind::View | ObjectKind::Function | ObjectKind::Procedure);
        is_created && object.definer != own.value
    };
    seen_all && !objects.value.iter().any(runs_as_other)
}

fn accepted(needs: Vec<Need>, fence: &FenceMode) -> Vec<Need> {
    let without_proof = matches!(fence, FenceMode::Window { .. });
    let accept = |need: Need| match without_proof && need.privileges.contains(&"PROCESS") {
        true => need.accepted(),
        false => need,
    };
    needs.into_iter().map(accept).collect()
}
