//! What is kept of views, routines, triggers and events, and how it differs from what is there now. Pure.
//!
//! Their DDL may be all that is left of them one day. So nothing is forgotten because it could not be seen: only what
//! the account would be shown, and is not, counts as gone.

use leeward_core::port::Event;
use leeward_core::server::Observed;
use leeward_core::survey::{ObjectFacts, ObjectKind};

/// Returns what is to be kept from now on. `is_hidden` tells of a kept object whether the account might not be shown it
/// although it is there.
pub fn brought_up_to_date(
    kept: &[ObjectFacts],
    seen: &[ObjectFacts],
    is_hidden: impl Fn(&ObjectFacts) -> bool,
) -> Vec<ObjectFacts> {
    let fresh = |object: &ObjectFacts| match (&object.ddl, find(kept, object)) {
        (Observed::Unknown(_), Some(known)) if known.ddl.known().is_some() => known.clone(),
        _ => object.clone(),
    };
    let unseen = kept.iter().filter(|object| find(seen, object).is_none() && is_hidden(object));
    let mut all: Vec<ObjectFacts> = seen.iter().map(fresh).chain(unseen.cloned()).collect();
    all.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
    all
}

/// Returns whether both hold the same, in whatever order.
pub fn same(one: &[ObjectFacts], other: &[ObjectFacts]) -> bool {
    one.len() == other.len() && one.iter().all(|object| find(other, object) == Some(object))
}

/// Tells what became of the source's objects since they were last kept, and what that means for the target.
pub fn drift(kept: &[ObjectFacts], fresh: &[ObjectFacts]) -> Vec<Event> {
    let mut events = Vec::new();
    for object in fresh {
        match find(kept, object) {
            None => events.push(event(object, "is new on the source")),
            Some(known) if known.ddl.known().is_some() && known != object => {
                events.push(event(object, "has changed on the source"));
            }
            // Its DDL can be read now, which was not so before.
            Some(_) => {}
        }
    }
    let gone = kept.iter().filter(|object| object.name.table != leeward_mysql::survey::HIDDEN);
    events.extend(gone.filter(|object| find(fresh, object).is_none()).map(|object| event(object, GONE)));
    events
}

const GONE: &str = "is gone on the source";

fn event(object: &ObjectFacts, what: &str) -> Event {
    let (kind, is_staged) = match object.kind {
        ObjectKind::Function => ("function", false),
        ObjectKind::Procedure => ("procedure", false),
        ObjectKind::View => ("view", false),
        ObjectKind::Trigger => ("trigger", true),
        ObjectKind::Event => ("event", true),
    };
    let meaning = match (is_staged, what == GONE) {
        (true, true) => "it is no longer kept for a failover",
        (true, false) => "its present form is kept for a failover",
        (false, true) => "the target still has it; drop it there if that was meant",
        (false, false) => "the target is left as it is; `leeward seed` brings it over",
    };
    Event { kind: "object_drift".to_owned(), table: None, text: format!("{kind} {} {what}: {meaning}", object.name) }
}

fn find<'a>(all: &'a [ObjectFacts], object: &ObjectFacts) -> Option<&'a ObjectFacts> {
    all.iter().find(|there| there.kind == object.kind && there.name == object.name)
}

#[cfg(test)]
mod tests {
    use leeward_core::name::TableName;

    use super::*;

    fn object(kind: ObjectKind, name: &str, ddl: &str) -> ObjectFacts {
        let ddl = match ddl {
            "" => Observed::Unknown("not shown".to_owned()),
            ddl => Observed::Known(ddl.to_owned()),
        };
        ObjectFacts {
            kind,
            name: TableName::new("shop", name),
            definer: String::new(),
            on_table: None,
            ddl,
            sql_mode: String::new(),
            status: String::new(),
        }
    }

    fn texts(events: &[Event]) -> Vec<&str> {
        events.iter().map(|event| event.text.as_str()).collect()
    }

    #[test]
    fn drift_is_told_once_and_says_what_it_means() {
        let kept = [object(ObjectKind::View, "v", "1"), object(ObjectKind::Trigger, "gone", "1")];
        let seen = [object(ObjectKind::View, "v", "2"), object(ObjectKind::Event, "new", "1")];
        let fresh = brought_up_to_date(&kept, &seen, |_| false);
        let told = drift(&kept, &fresh);
        assert_eq!(
            texts(&told),
            [
                "view shop.v has changed on the source: the target is left as it is; `leeward seed` brings it over",
                "event shop.new is new on the source: its present form is kept for a failover",
                "trigger shop.gone is gone on the source: it is no longer kept for a failover",
            ]
        );
        assert!(!same(&kept, &fresh) && drift(&fresh, &fresh).is_empty() && same(&fresh, &seen));
    }

    #[test]
    fn what_cannot_be_seen_is_not_forgotten() {
        let kept = [object(ObjectKind::Trigger, "t", "1"), object(ObjectKind::View, "v", "1")];
        // SHOW VIEW and TRIGGER were revoked: the view is listed without its text, the trigger not at all.
        let seen = [object(ObjectKind::View, "v", "")];
        let fresh = brought_up_to_date(&kept, &seen, |object| object.kind == ObjectKind::Trigger);
        assert!(same(&kept, &fresh) && drift(&kept, &fresh).is_empty(), "{fresh:?}");
        // What was never shown, or stands for what is hidden, is no drift once it is.
        let blind = [object(ObjectKind::View, "v", ""), object(ObjectKind::Trigger, "*", "")];
        let fresh = brought_up_to_date(&blind, &kept[1..], |_| false);
        assert!(drift(&blind, &fresh).is_empty() && same(&fresh, &kept[1..]));
    }
}
