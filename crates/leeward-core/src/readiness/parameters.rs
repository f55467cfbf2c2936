//! PAR and INS-02: do both servers behave alike, and is the target as strong and as safe?

use std::collections::BTreeMap;

use chrono::NaiveDateTime;

use super::facts::{ReadinessFacts, seen};
use super::outcome::{Answer, Missing, Outcome};
use super::page::listed;
use super::sight::{sees, sees_routines};
use crate::name::Side;
use crate::survey::ObjectKind;

/// Every global variable that preflight and readiness read, to be asked for in one
/// `SHOW GLOBAL VARIABLES WHERE Variable_name IN (…)`.
pub const VARIABLES: [&str; 35] = [
    "auto_increment_increment",
    "auto_increment_offset",
    "character_set_server",
    "collation_server",
    "default_storage_engine",
    "event_scheduler",
    "explicit_defaults_for_timestamp",
    "group_concat_max_len",
    "innodb_buffer_pool_size",
    "innodb_default_row_format",
    "innodb_flush_log_at_trx_commit",
    "innodb_page_size",
    "innodb_read_only",
    "innodb_strict_mode",
    "local_infile",
    "log_bin",
    "log_bin_trust_function_creators",
    "lower_case_table_names",
    "mandatory_roles",
    "max_allowed_packet",
    "max_connections",
    "net_read_timeout",
    "net_write_timeout",
    "open_files_limit",
    "partial_revokes",
    "read_only",
    "sql_mode",
    "super_read_only",
    "sync_binlog",
    "system_time_zone",
    "table_open_cache",
    "time_zone",
    "transaction_isolation",
    "tx_isolation",
    "wait_timeout",
];

/// PAR-01. Each entry lists the names under which servers know one variable.
const MUST_EQUAL: [&[&str]; 14] = [
    &["sql_mode"],
    &["time_zone"],
    &["lower_case_table_names"],
    &["explicit_defaults_for_timestamp"],
    &["character_set_server"],
    &["collation_server"],
    &["innodb_default_row_format"],
    &["innodb_strict_mode"],
    &["group_concat_max_len"],
    &["default_storage_engine"],
    // MariaDB called it tx_isolation before 11.1.
    &["transaction_isolation", "tx_isolation"],
    &["auto_increment_increment"],
    &["auto_increment_offset"],
    &["innodb_page_size"],
];

/// PAR-02.
const AT_LEAST: [&str; 6] = [
    "max_connections",
    "max_allowed_packet",
    "wait_timeout",
    "innodb_buffer_pool_size",
    "open_files_limit",
    "table_open_cache",
];

type Variables = BTreeMap<String, String>;

fn variables(facts: &ReadinessFacts) -> Result<(NaiveDateTime, &Variables, &Variables), Missing> {
    let source = seen(&facts.source.server, "the source's variables")?;
    let target = seen(&facts.target.server, "the target's variables")?;
    for (side, variables) in [(Side::Source, &source.value.variables), (Side::Target, &target.value.variables)] {
        // Every server has this one: without it nothing was really read, and an absent variable would mean nothing.
        if !variables.contains_key("lower_case_table_names") {
            return Err(Missing::new(format!("the {side}'s variables were not read")));
        }
    }
    Ok((source.at.min(target.at), &source.value.variables, &target.value.variables))
}

fn first<'a>(variables: &'a Variables, names: &[&str]) -> Option<&'a str> {
    names.iter().find_map(|name| variables.get(*name)).map(String::as_str)
}

/// PAR-01: variables that change what a statement means are equal.
pub(super) fn must_equal(facts: &ReadinessFacts) -> Answer {
    let (at, source, target) = variables(facts)?;
    let allowed = &facts.settings.checks.variables_may_differ;
    let (mut differ, mut listed_differ, mut set) = (Vec::new(), Vec::new(), Vec::new());
    for names in MUST_EQUAL {
        let name = names[0];
        let (here, there) = match (first(source, names), first(target, names)) {
            (Some(here), Some(there)) => (here, there),
            // Newer versions drop variables; on neither side there is nothing to differ.
            (None, None) => continue,
            (here, _) => {
                let side = if here.is_none() { Side::Source } else { Side::Target };
                return Err(Missing::new(format!("{name} is not known on the {side}")));
            }
        };
        if meaning(name, here, source) == meaning(name, there, target) {
            continue;
        }
        let line = format!("{name}={here} against {there}");
        if allowed.iter().any(|allowed| names.contains(&allowed.as_str())) {
            listed_differ.push(line);
        } else {
            differ.push(line);
            set.push(format!("{name}={here}"));
        }
    }
    Ok(if !differ.is_empty() {
        let remedy = format!("set in the target's parameter group: {}", set.join("; "));
        Outcome::fail(at, format!("differ: {}", listed(&differ)), remedy)
    } else if !listed_differ.is_empty() {
        let remedy = "the policy allows it (checks.variables_may_differ)";
        Outcome::warn(at, format!("differ as the policy allows: {}", listed(&listed_differ)), remedy)
    } else {
        Outcome::pass(at, "all equal")
    })
}

/// Makes values that mean the same equal: order and case of SQL modes, `SYSTEM` for the system's time zone, names of UTC.
fn meaning(name: &str, value: &str, all: &Variables) -> String {
    let text = value.to_ascii_uppercase();
    match name {
        "sql_mode" => {
            let mut modes: Vec<&str> = text.split(',').map(str::trim).filter(|mode| !mode.is_empty()).collect();
            modes.sort_unstable();
            modes.join(",")
        }
        "time_zone" => {
            let zone = match text.as_str() {
                "SYSTEM" => all.get("system_time_zone").map_or(text.clone(), |zone| zone.to_ascii_uppercase()),
                _ => text,
            };
            match zone.as_str() {
                "UTC" | "GMT" | "ETC/UTC" | "+00:00" => "UTC".to_owned(),
                _ => zone,
            }
        }
        _ => match text.as_str() {
            "1" => "ON".to_owned(),
            "0" => "OFF".to_owned(),
            _ => text.replace("UTF8MB3", "UTF8"),
        },
    }
}

/// PAR-02: limits are as wide as on the source.
pub(super) fn at_least(facts: &ReadinessFacts) -> Answer {
    let (at, source, target) = variables(facts)?;
    let (mut far_below, mut below, mut set) = (Vec::new(), Vec::new(), Vec::new());
    for name in AT_LEAST {
        let number = |variables: &Variables, side: Side| {
            let value = variables.get(name).and_then(|value| value.parse::<u64>().ok());
            value.ok_or_else(|| Missing::new(format!("{name} is not known on the {side}")))
        };
        let (here, there) = (number(source, Side::Source)?, number(target, Side::Target)?);
        if there >= here {
            continue;
        }
        let line = format!("{name}={there}, source {here}");
        let enough = there as f64 >= here as f64 * facts.settings.checks.at_least_warn;
        if enough {
            below.push(line)
        } else {
            far_below.push(line)
        }
        set.push(format!("{name}={here}"));
    }
    let remedy = format!("before a failover, in the target's parameter group or by a larger class: {}", set.join("; "));
    Ok(if !far_below.is_empty() {
        far_below.extend(below);
        Outcome::fail(at, listed(&far_below), remedy)
    } else if !below.is_empty() {
        Outcome::warn(at, listed(&below), remedy)
    } else {
        Outcome::pass(at, "every limit is at least the source's")
    })
}

/// PAR-03: what the target has committed survives a crash. Relaxed is fine while it is only a copy.
pub(super) fn durability(facts: &ReadinessFacts) -> Answer {
    let (at, _, target) = variables(facts)?;
    let lease = seen(&facts.lease, "the lease")?;
    let value = |name: &str| {
        let value = target.get(name).map(String::as_str);
        value.ok_or_else(|| Missing::new(format!("{name} is not known on the target")))
    };
    let (flush, sync, log_bin) = (value("innodb_flush_log_at_trx_commit")?, value("sync_binlog")?, value("log_bin")?);
    let without_log = matches!(log_bin.to_ascii_uppercase().as_str(), "OFF" | "0");
    let actual = format!("innodb_flush_log_at_trx_commit={flush}, sync_binlog={sync}, log_bin={log_bin}");
    let at = at.min(lease.at);
    let remedy = "set innodb_flush_log_at_trx_commit=1 and sync_binlog=1 in the target's parameter group";
    let promoted = lease.value.as_ref().is_some_and(|lease| lease.promoted);
    Ok(if flush == "1" && (sync == "1" || without_log) {
        Outcome::pass(at, actual)
    } else if promoted {
        Outcome::fail(at, format!("{actual}, and the target is the writer"), remedy)
    } else {
        Outcome::warn(at, actual, format!("{remedy} at a failover"))
    })
}

/// PAR-06: triggers and functions can be created there, which a binary log forbids by default.
pub(super) fn trust_creators(facts: &ReadinessFacts) -> Answer {
    let (at, _, target) = variables(facts)?;
    let objects = seen(&facts.source.objects, "the source's triggers and functions")?;
    let at = at.min(objects.at).min(sees(facts, Side::Source, "TRIGGER", "triggers")?);
    let at = at.min(sees_routines(facts, Side::Source)?);
    let wanted = |kind| matches!(kind, ObjectKind::Trigger | ObjectKind::Function);
    let count = objects.value.iter().filter(|object| wanted(object.kind)).count();
    if count == 0 {
        return Ok(Outcome::pass(at, "the source has no trigger and no function"));
    }
    let is_off = |name: &str| {
        let value = target.get(name).ok_or_else(|| Missing::new(format!("{name} is not known on the target")))?;
        Ok::<_, Missing>(matches!(value.to_ascii_uppercase().as_str(), "OFF" | "0"))
    };
    if is_off("log_bin")? {
        return Ok(Outcome::pass(at, "the target writes no binary log"));
    }
    Ok(match is_off("log_bin_trust_function_creators")? {
        false => Outcome::pass(at, format!("on; the source has {count} triggers and functions")),
        true => Outcome::fail(
            at,
            format!("log_bin_trust_function_creators is off; {count} triggers and functions of the source need it"),
            "set log_bin_trust_function_creators=1 in the target's parameter group",
        ),
    })
}

/// INS-02: the same kind of server, not older. `@@version` answers it as well as AWS does.
pub(super) fn engine_version(facts: &ReadinessFacts) -> Answer {
    let source = seen(&facts.source.server, "the source's version")?;
    let target = seen(&facts.target.server, "the target's version")?;
    let at = source.at.min(target.at);
    let (source, target) = (&source.value, &target.value);
    let actual = format!("{} {} against {} {}", source.flavor, source.version, target.flavor, target.version);
    Ok(if source.flavor != target.flavor || target.version < source.version {
        Outcome::fail(at, actual, "make the target the source's kind and version, or newer")
    } else if target.version > source.version {
        Outcome::warn(at, format!("{actual}: the target is newer"), "test the application against that version")
    } else {
        Outcome::pass(at, actual)
    })
}
