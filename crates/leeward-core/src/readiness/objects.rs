//! SCH-03 to 05: views and routines are there; triggers and events are kept aside, and none of them runs (T28).
//!
//! An empty list proves nothing unless the account could have seen what is not in it: see [`super::sight`].

use chrono::NaiveDateTime;

use super::facts::{ReadinessFacts, seen};
use super::outcome::{Answer, Missing, Outcome};
use super::page::{listed, statements};
use super::sight::{sees, sees_routines};
use crate::grants::quoted_table;
use crate::name::Side;
use crate::server::Observed;
use crate::survey::{ObjectFacts, ObjectKind};

/// SCH-03: every view and routine is there with the same body.
pub(super) fn views_routines(facts: &ReadinessFacts) -> Answer {
    let source = seen(&facts.source.objects, "the source's views and routines")?;
    let target = seen(&facts.target.objects, "the target's views and routines")?;
    let mut at = source.at.min(target.at);
    for side in [Side::Source, Side::Target] {
        at = at.min(sees(facts, side, "SHOW VIEW", "views")?);
    }
    at = at.min(sees_routines(facts, Side::Source)?);
    let version = |side: Side| Ok::<_, Missing>(seen(&facts.side(side).server, "the server's version")?.value.version);
    let same_version = version(Side::Source)? == version(Side::Target)?;
    let wanted = |object: &&ObjectFacts| !matches!(object.kind, ObjectKind::Trigger | ObjectKind::Event);
    let (mut bad, mut close) = (Vec::new(), Vec::new());
    for object in source.value.iter().filter(wanted) {
        let there = target.value.iter().find(|there| there.kind == object.kind && there.name == object.name);
        match there.map(|there| compare(object, there)).transpose()? {
            None => bad.push(format!("{} is missing", label(object))),
            Some(Likeness::Equal) => {}
            Some(Likeness::OtherDefiner) => close.push(format!("{} has another definer", label(object))),
            Some(Likeness::OtherText) if same_version => bad.push(format!("{} differs", label(object))),
            Some(Likeness::OtherText) => close.push(format!("{} reads differently in this version", label(object))),
        }
    }
    let remedy =
        "create them on the target from the source's SHOW CREATE; `leeward seed` creates those that are missing";
    Ok(if !bad.is_empty() {
        Outcome::fail(at, listed(&bad), remedy)
    } else if !close.is_empty() {
        let remedy = "see that the definers exist on the target and hold what the objects need";
        Outcome::warn(at, listed(&close), remedy)
    } else {
        Outcome::pass(at, format!("{} views and routines are equal", source.value.iter().filter(wanted).count()))
    })
}

enum Likeness {
    Equal,
    OtherDefiner,
    OtherText,
}

fn compare(source: &ObjectFacts, target: &ObjectFacts) -> Result<Likeness, Missing> {
    let (here, there) = (ddl(source, Side::Source)?, ddl(target, Side::Target)?);
    Ok(if without_definer(here) != without_definer(there) || source.sql_mode != target.sql_mode {
        Likeness::OtherText
    } else if source.definer != target.definer {
        Likeness::OtherDefiner
    } else {
        Likeness::Equal
    })
}

fn ddl(object: &ObjectFacts, side: Side) -> Result<&str, Missing> {
    match &object.ddl {
        Observed::Known(ddl) => Ok(ddl),
        Observed::Unknown(why) => {
            Err(Missing::new(format!("{} on the {side} could not be read: {why}", label(object))))
        }
    }
}

/// Takes the definer out and makes white space equal.
fn without_definer(ddl: &str) -> String {
    let text = ddl.split_whitespace().collect::<Vec<_>>().join(" ");
    let Some((head, rest)) = text.split_once("DEFINER=") else { return text };
    // The definer is quoted and may hold blanks; it ends at the first blank outside of its quotes.
    let mut inside = false;
    let end = rest.find(|c| {
        inside ^= c == '`';
        c == ' ' && !inside
    });
    end.map_or(text.clone(), |end| format!("{head}{}", rest[end..].trim_start()))
}

/// SCH-04: every trigger is kept aside, and none stands on the target, where it would run a second time.
pub(super) fn triggers_staged(facts: &ReadinessFacts) -> Answer {
    let (at, unstaged) = staged(facts, ObjectKind::Trigger, "TRIGGER", "triggers")?;
    let target = seen(&facts.target.objects, "the target's triggers")?;
    let live: Vec<&ObjectFacts> = target.value.iter().filter(|object| object.kind == ObjectKind::Trigger).collect();
    if !live.is_empty() {
        let names: Vec<String> = live.iter().map(|object| object.name.to_string()).collect();
        let drops: Vec<String> =
            live.iter().map(|object| format!("on the target: DROP TRIGGER {};", quoted_table(&object.name))).collect();
        let actual = format!("live on the target, and run for every row that is applied: {}", listed(&names));
        return Ok(Outcome::fail(at.min(target.at), actual, statements(&drops)));
    }
    Ok(verdict_on_staging(facts, at.min(target.at), ObjectKind::Trigger, unstaged))
}

/// SCH-05: every event is kept aside, and none is enabled on the target.
pub(super) fn events_staged(facts: &ReadinessFacts) -> Answer {
    let (at, unstaged) = staged(facts, ObjectKind::Event, "EVENT", "events")?;
    let target = seen(&facts.target.objects, "the target's events")?;
    let at = at.min(target.at);
    let events: Vec<&ObjectFacts> = target.value.iter().filter(|object| object.kind == ObjectKind::Event).collect();
    let disabled = |event: &ObjectFacts| event.status.to_ascii_uppercase().contains("DISABLED");
    let enabled: Vec<&&ObjectFacts> = events.iter().filter(|event| !disabled(event)).collect();
    if !enabled.is_empty() {
        let names: Vec<String> = enabled.iter().map(|event| event.name.to_string()).collect();
        let alters: Vec<String> = enabled
            .iter()
            .map(|event| format!("on the target: ALTER EVENT {} DISABLE;", quoted_table(&event.name)))
            .collect();
        return Ok(Outcome::fail(at, format!("enabled on the target: {}", listed(&names)), statements(&alters)));
    }
    let outcome = verdict_on_staging(facts, at, ObjectKind::Event, unstaged);
    if outcome.status != super::outcome::Status::Pass || events.is_empty() {
        return Ok(outcome);
    }
    let server = seen(&facts.target.server, "the target's variables")?;
    Ok(match server.value.variables.get("event_scheduler").map(|value| value.to_ascii_uppercase()) {
        Some(value) if value == "OFF" || value == "DISABLED" => outcome,
        value => Outcome::warn(
            at.min(server.at),
            format!(
                "{} events are on the target, all disabled; event_scheduler is {}",
                events.len(),
                value.as_deref().unwrap_or("not known")
            ),
            "set event_scheduler=OFF in the target's parameter group until a failover",
        ),
    })
}

/// Returns the objects of a kind on the source whose present DDL is not kept on the target.
fn staged(
    facts: &ReadinessFacts,
    kind: ObjectKind,
    privilege: &'static str,
    what: &str,
) -> Result<(NaiveDateTime, Vec<String>), Missing> {
    let source = seen(&facts.source.objects, &format!("the source's {what}"))?;
    let kept = seen(&facts.staged, "the objects kept in the control schema")?;
    let mut at = source.at.min(kept.at);
    for side in [Side::Source, Side::Target] {
        at = at.min(sees(facts, side, privilege, what)?);
    }
    let mut unstaged = Vec::new();
    for object in source.value.iter().filter(|object| object.kind == kind) {
        let ddl = ddl(object, Side::Source)?;
        let copy = kept.value.iter().find(|copy| copy.kind == kind && copy.name == object.name);
        match copy.map(|copy| copy.ddl.known()) {
            Some(Some(copy)) if without_definer(copy) == without_definer(ddl) => {}
            Some(Some(_)) => unstaged.push(format!("{} (an older form is kept)", object.name)),
            _ => unstaged.push(object.name.to_string()),
        }
    }
    Ok((at, unstaged))
}

fn verdict_on_staging(facts: &ReadinessFacts, at: NaiveDateTime, kind: ObjectKind, unstaged: Vec<String>) -> Outcome {
    let count = facts
        .source
        .objects
        .known()
        .map_or(0, |objects| objects.value.iter().filter(|object| object.kind == kind).count());
    match unstaged.is_empty() {
        true => Outcome::pass(at, format!("{count} kept aside, none active on the target")),
        false => Outcome::fail(
            at,
            format!("not kept aside, and lost with the source: {}", listed(&unstaged)),
            "let `leeward sync` run: it keeps their DDL in the control schema",
        ),
    }
}

/// SCH-04 where the servers replicate: every trigger is there with the same body. It runs for nothing that is applied, since
/// rows are replicated as rows.
pub(super) fn triggers_replicated(facts: &ReadinessFacts) -> Answer {
    let (at, unlike) = replicated(facts, ObjectKind::Trigger, "TRIGGER", "triggers", without_definer)?;
    Ok(match unlike.is_empty() {
        true => Outcome::pass(at, "every trigger of the source is on the target"),
        false => {
            Outcome::fail(at, format!("not on the target as on the source: {}", listed(&unlike)), MISSED_BY_REPLICA)
        }
    })
}

/// SCH-05 where the servers replicate: every event is there, and none is enabled before a promotion.
pub(super) fn events_replicated(facts: &ReadinessFacts) -> Answer {
    let (at, unlike) = replicated(facts, ObjectKind::Event, "EVENT", "events", without_state)?;
    let target = seen(&facts.target.objects, "the target's events")?;
    let events: Vec<&ObjectFacts> = target.value.iter().filter(|object| object.kind == ObjectKind::Event).collect();
    let disabled = |event: &ObjectFacts| event.status.to_ascii_uppercase().contains("DISABLED");
    let enabled: Vec<String> =
        events.iter().filter(|event| !disabled(event)).map(|event| event.name.to_string()).collect();
    Ok(if !enabled.is_empty() {
        let remedy = "on the target: ALTER EVENT … DISABLE ON SLAVE (MySQL: ON REPLICA), or its effects come twice";
        Outcome::fail(at, format!("enabled on the target: {}", listed(&enabled)), remedy)
    } else if !unlike.is_empty() {
        Outcome::fail(at, format!("not on the target as on the source: {}", listed(&unlike)), MISSED_BY_REPLICA)
    } else {
        let says =
            format!("{} events are there, none enabled; the runbook enables them after the promotion", events.len());
        Outcome::pass(at, says)
    })
}

const MISSED_BY_REPLICA: &str = "replication should have made them: look for filters, and for who changed them on the replica; make the replica anew";

/// Returns the objects of a kind on the source that the target lacks or has otherwise.
fn replicated(
    facts: &ReadinessFacts,
    kind: ObjectKind,
    privilege: &'static str,
    what: &str,
    plain: fn(&str) -> String,
) -> Result<(NaiveDateTime, Vec<String>), Missing> {
    let source = seen(&facts.source.objects, &format!("the source's {what}"))?;
    let target = seen(&facts.target.objects, &format!("the target's {what}"))?;
    let mut at = source.at.min(target.at);
    for side in [Side::Source, Side::Target] {
        at = at.min(sees(facts, side, privilege, what)?);
    }
    let mut unlike = Vec::new();
    for object in source.value.iter().filter(|object| object.kind == kind) {
        let there = target.value.iter().find(|there| there.kind == kind && there.name == object.name);
        match there {
            None => unlike.push(format!("{} (missing)", object.name)),
            Some(there) if plain(ddl(object, Side::Source)?) != plain(ddl(there, Side::Target)?) => {
                unlike.push(format!("{} (differs)", object.name));
            }
            Some(_) => {}
        }
    }
    Ok((at, unlike))
}

/// Takes out of an event's text whether it runs, which replication changes on purpose.
fn without_state(ddl: &str) -> String {
    let states = [" DISABLE ON SLAVE", " DISABLE ON REPLICA", " DISABLE", " ENABLE"];
    let text = without_definer(ddl);
    // It stands between the schedule and the body, or the comment before it.
    let (head, body) = text.split_once(" DO ").unwrap_or((&text, ""));
    let head = states.iter().fold(head.to_owned(), |head, state| head.replace(state, ""));
    format!("{head} DO {body}")
}

fn label(object: &ObjectFacts) -> String {
    let kind = match object.kind {
        ObjectKind::Function => "function",
        ObjectKind::Procedure => "procedure",
        ObjectKind::View => "view",
        ObjectKind::Trigger => "trigger",
        ObjectKind::Event => "event",
    };
    format!("{kind} {}", object.name)
}
