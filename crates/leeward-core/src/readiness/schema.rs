//! SCH-01, 02 and 06: would the application find the same tables, rules and character sets?

use std::collections::BTreeSet;

use chrono::NaiveDateTime;

use super::definition::{Difference, extra_foreign_keys, knows_collation, missing_foreign_keys, shape, text};
use super::facts::{Dated, ReadinessFacts, seen};
use super::outcome::{Answer, Missing, Outcome};
use super::page::{listed, statements};
use crate::grants::quoted;
use crate::lane::LaneState;
use crate::name::TableName;
use crate::table::Table;

const LOOK: &str =
    "apply the source's definition on the target: `leeward status` prints the ALTER for a table that drifted";

/// Both sides' definitions of one planned table.
struct Pair<'a> {
    source: &'a Table,
    target: &'a Table,
}

/// The planned tables, as far as both sides have them.
struct Pairs<'a> {
    at: NaiveDateTime,
    found: Vec<Pair<'a>>,
    /// What is missing somewhere, in words.
    missing: Vec<String>,
}

fn pairs(facts: &ReadinessFacts) -> Result<Pairs<'_>, Missing> {
    let source = seen(&facts.source.tables, "the source's definitions")?;
    let target = seen(&facts.target.tables, "the target's definitions")?;
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for planned in &facts.plan()?.tables {
        let of = |tables: &'_ [Table]| tables.iter().position(|table| table.name == *planned.name());
        match (of(&source.value), of(&target.value)) {
            (Some(here), Some(there)) => found.push(Pair { source: &source.value[here], target: &target.value[there] }),
            (None, _) => missing.push(format!("{} is gone on the source", planned.name())),
            (_, None) => missing.push(format!("{} is not on the target", planned.name())),
        }
    }
    Ok(Pairs { at: source.at.min(target.at), found, missing })
}

/// Indexes and foreign keys come after the rows: until then their absence is the plan's doing.
fn still_loading(facts: &ReadinessFacts) -> bool {
    let lane = facts.lane.known().and_then(|lane| lane.value.as_ref());
    lane.is_some_and(|lane| lane.state == LaneState::Seeding)
}

/// SCH-01: columns, keys and options of every planned table are equal.
pub(super) fn tables_columns_indexes(facts: &ReadinessFacts) -> Answer {
    let Pairs { at, found: pairs, missing } = pairs(facts)?;
    if !missing.is_empty() {
        return Ok(Outcome::fail(at, listed(&missing), "run `leeward plan` again, then `leeward seed`"));
    }
    if pairs.is_empty() {
        return Err(Missing::with_remedy("the plan holds no table", "run `leeward plan` again"));
    }
    let (mut hard, mut soft) = (Vec::new(), Vec::new());
    let mut take = |name: &TableName, found: Vec<Difference>| {
        for difference in found {
            match difference {
                Difference::Hard(what) => hard.push(format!("{name}: {what}")),
                Difference::Index(what) if still_loading(facts) => {
                    soft.push(format!("{name}: {what} until the rows are in"))
                }
                Difference::Index(what) => hard.push(format!("{name}: {what}")),
                Difference::Soft(what) => soft.push(format!("{name}: {what}")),
            }
        }
    };
    for pair in &pairs {
        take(&pair.source.name, shape(pair.source, pair.target));
    }
    let texts = texts(facts);
    if let Ok(found) = &texts {
        for (name, differences) in found {
            take(name, differences.clone());
        }
    }
    Ok(match (hard.is_empty(), soft.is_empty(), texts) {
        (false, ..) => Outcome::fail(at, listed(&hard), LOOK),
        (true, false, _) => Outcome::warn(at, listed(&soft), LOOK),
        (true, true, Err(missing)) => Outcome::warn(
            at,
            format!("columns and keys are equal; expressions and CHECKs were not compared: {}", missing.why),
            "run readiness while the source answers",
        ),
        (true, true, Ok(_)) => Outcome::pass(at, format!("{} definitions are equal", pairs.len())),
    })
}

/// Compares SHOW CREATE TABLE of the planned tables.
fn texts(facts: &ReadinessFacts) -> Result<Vec<(TableName, Vec<Difference>)>, Missing> {
    let source = seen(&facts.source.ddl, "the source's SHOW CREATE TABLE")?;
    let target = seen(&facts.target.ddl, "the target's SHOW CREATE TABLE")?;
    let source_version = seen(&facts.source.server, "the source's version")?.value.version;
    let target_version = seen(&facts.target.server, "the target's version")?.value.version;
    let mut all = Vec::new();
    for planned in &facts.plan()?.tables {
        let of = |ddl: &'_ [(TableName, String)]| ddl.iter().position(|(name, _)| name == planned.name());
        let (Some(here), Some(there)) = (of(&source.value), of(&target.value)) else {
            return Err(Missing::new(format!("SHOW CREATE TABLE of {} was not read on both sides", planned.name())));
        };
        let found = text((&source.value[here].1, source_version), (&target.value[there].1, target_version));
        all.push((planned.name().clone(), found));
    }
    Ok(all)
}

/// SCH-02: the rules between tables are there.
pub(super) fn foreign_keys(facts: &ReadinessFacts) -> Answer {
    let Pairs { at, found: pairs, missing: absent } = pairs(facts)?;
    let missing: Vec<String> = pairs.iter().flat_map(|pair| missing_foreign_keys(pair.source, pair.target)).collect();
    let extra: Vec<String> = pairs.iter().flat_map(|pair| extra_foreign_keys(pair.source, pair.target)).collect();
    let count: usize = pairs.iter().map(|pair| pair.source.foreign_keys.len()).sum();
    Ok(if !absent.is_empty() {
        Outcome::fail(at, listed(&absent), "run `leeward plan` again, then `leeward seed`")
    } else if !missing.is_empty() && still_loading(facts) {
        Outcome::warn(at, format!("held back until the rows are in: {}", listed(&missing)), "let `leeward seed` go on")
    } else if !missing.is_empty() {
        Outcome::fail(at, format!("missing or different on the target: {}", listed(&missing)), LOOK)
    } else if !extra.is_empty() {
        Outcome::fail(at, format!("on the target only: {}", listed(&extra)), LOOK)
    } else {
        Outcome::pass(at, format!("{count} foreign keys are equal"))
    })
}

/// SCH-06: character sets mean the same, and the target knows every collation in use.
pub(super) fn charset_collation(facts: &ReadinessFacts) -> Answer {
    let known = seen(&facts.target.collations, "the target's collations")?;
    let source = seen(&facts.source.schemas, "the source's databases")?;
    let target = seen(&facts.target.schemas, "the target's databases")?;
    let tables = seen(&facts.source.tables, "the source's definitions")?;
    let at = known.at.min(source.at).min(target.at).min(tables.at);
    let schemas = facts.schema_names()?;
    let mut used: BTreeSet<&str> = BTreeSet::new();
    let (mut differ, mut alter) = (Vec::new(), Vec::new());
    for name in &schemas {
        let Some(here) = source.value.iter().find(|schema| schema.name == *name) else {
            return Ok(Outcome::fail(at, format!("database {name} is gone on the source"), "run `leeward plan` again"));
        };
        let Some(there) = target.value.iter().find(|schema| schema.name == *name) else {
            return Ok(Outcome::fail(at, format!("database {name} is not on the target"), "run `leeward seed`"));
        };
        used.insert(&here.collation);
        if here.collation != there.collation {
            differ.push(format!("{name}: {} against {}", here.collation, there.collation));
            alter.push(format!("on the target: ALTER DATABASE {} COLLATE {};", quoted(name), here.collation));
        }
    }
    for table in &tables.value {
        used.insert(&table.collation);
        used.extend(table.columns.iter().filter_map(|column| column.collation.as_deref()));
    }
    let strange: Vec<&str> = used.into_iter().filter(|name| !knows_collation(&known.value, name)).collect();
    if !strange.is_empty() {
        let remedy = "upgrade the target, or convert the tables on the source to a collation that both know";
        return Ok(Outcome::fail(at, format!("the target does not know {}", listed(&strange)), remedy));
    }
    if !differ.is_empty() {
        return Ok(Outcome::fail(at, format!("defaults differ: {}", listed(&differ)), statements(&alter)));
    }
    server_defaults(facts, at)
}

fn server_defaults(facts: &ReadinessFacts, at: NaiveDateTime) -> Answer {
    let source = seen(&facts.source.server, "the source's variables")?;
    let target = seen(&facts.target.server, "the target's variables")?;
    let at = at.min(source.at).min(target.at);
    let mut differ = Vec::new();
    for name in ["character_set_server", "collation_server"] {
        let value = |server: &'_ Dated<crate::server::ServerFacts>, side: &str| {
            let value = server.value.variables.get(name).cloned();
            value.ok_or_else(|| Missing::new(format!("@@{name} of the {side} was not read")))
        };
        let (here, there) = (value(source, "source")?, value(target, "target")?);
        if here != there {
            differ.push(format!("{name}={here} against {there}"));
        }
    }
    Ok(match differ.is_empty() {
        true => Outcome::pass(at, "databases and servers agree, and every collation is known"),
        false => Outcome::warn(
            at,
            format!("server defaults differ: {}", listed(&differ)),
            "set them in the target's parameter group; databases that are here already are not affected",
        ),
    })
}
