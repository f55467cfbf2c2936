//! Routines and views, created once the rows are there. Triggers and events stay stored until promotion (T28).

use leeward_core::fault::Fault;
use leeward_core::port::{DefinerKept, Servers};
use leeward_core::survey::{ObjectFacts, ObjectKind};

/// Returns whether an object is created by a seed.
pub fn is_seeded(object: &ObjectFacts) -> bool {
    !matches!(object.kind, ObjectKind::Trigger | ObjectKind::Event)
}

/// Creates routines and views; views may stand on each other, so rounds go on while one succeeds. Returns what a person
/// should know.
pub async fn create(servers: &dyn Servers, objects: &[ObjectFacts]) -> Result<Vec<String>, Fault> {
    // A connection of its own: one that was opened before the copy may have been idle for longer than servers allow.
    let mut shape = servers.shape().await?;
    let mut left: Vec<&ObjectFacts> = objects.iter().filter(|object| is_seeded(object)).collect();
    let mut replaced = Vec::new();
    loop {
        let before = left.len();
        let mut failed = Vec::new();
        for object in left {
            match shape.create_object(object).await {
                Ok(DefinerKept::Kept) => {}
                Ok(DefinerKept::Replaced) => replaced.push(object.name.to_string()),
                Err(fault) => failed.push((object, fault)),
            }
        }
        if failed.is_empty() || failed.len() == before {
            let note = |(object, fault): &(&ObjectFacts, Fault)| {
                format!("{:?} {} was not created: {fault}", object.kind, object.name)
            };
            let mut notes: Vec<String> = failed.iter().map(note).collect();
            if !replaced.is_empty() {
                notes.push(format!(
                    "{} routines and views run as Leeward's user, because the target refuses their definers: {}",
                    replaced.len(),
                    replaced.join(", ")
                ));
            }
            return Ok(notes);
        }
        left = failed.into_iter().map(|(object, _)| object).collect();
    }
}
