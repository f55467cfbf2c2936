//! The objects of dumps in a store: what is there, what is whole, what was begun.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use leeward_core::dump::{Begun, DUMP_FORMAT, DumpId, Kept, MANIFEST_BYTES_MAX, Manifest, Whole, names};
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::port::store::{Condition, Entry, ObjectName, ObjectStore, Prefix, Stored};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Bytes of the note on one chunk at most: two keys, which are 3072 bytes each at most, in hex.
const KEPT_BYTES_MAX: u64 = 64 << 10;

/// A store that holds dumps.
#[derive(Clone)]
pub struct Archive {
    pub(super) store: Arc<dyn ObjectStore>,
}

impl Archive {
    /// Takes a store for dumps.
    pub fn new(store: Arc<dyn ObjectStore>) -> Archive {
        Archive { store }
    }

    /// Returns the store.
    pub fn store(&self) -> &dyn ObjectStore {
        self.store.as_ref()
    }

    /// Says where it is.
    pub fn place(&self) -> &str {
        self.store.place()
    }

    /// Returns the ids of whole dumps, oldest first.
    pub async fn whole_ids(&self) -> Result<BTreeSet<DumpId>, Fault> {
        self.ids(names::MANIFESTS).await
    }

    pub(super) async fn ids(&self, under: &str) -> Result<BTreeSet<DumpId>, Fault> {
        let entries = self.list(&Prefix::new(under)?).await?;
        Ok(entries.iter().filter_map(|entry| names::id_in(&entry.name)).collect())
    }

    /// Returns what is to be known of whole dumps, oldest first.
    ///
    /// # Errors
    /// `Damaged` for a manifest that is not right.
    pub async fn whole(&self) -> Result<Vec<Whole>, Fault> {
        let mut found = Vec::new();
        for id in self.whole_ids().await? {
            // Taken away meanwhile, it is not whole any more.
            if let Some(manifest) = self.find(&id).await? {
                found.push(Whole::of(&manifest));
            }
        }
        Ok(found)
    }

    /// Returns a dump's manifest: that of the newest whole one, where none is named.
    ///
    /// # Errors
    /// `Refused` where there is none, `Damaged` for one that is not right.
    pub async fn manifest(&self, id: Option<&DumpId>) -> Result<Manifest, Fault> {
        let none = |what: String| {
            let why = format!(
                "{what} is at {}: a dump is whole once its manifest is written; `leeward snapshot list` shows what is there",
                self.place()
            );
            Fault::new(FaultKind::Refused(why), "find a dump")
        };
        let newest = match id {
            Some(id) => Some(id.clone()),
            None => self.whole_ids().await?.pop_last(),
        };
        let Some(id) = newest else { return Err(none("no whole dump".to_owned())) };
        self.find(&id).await?.ok_or_else(|| none(format!("no whole dump {id}")))
    }

    async fn find(&self, id: &DumpId) -> Result<Option<Manifest>, Fault> {
        let name = names::manifest(id)?;
        let Some(object) = self.store.get(&name, MANIFEST_BYTES_MAX).await? else { return Ok(None) };
        let manifest: Manifest = self.parse(&name, &object.content)?;
        let checked = match &manifest {
            other if other.id != *id => Err("it belongs to another dump".to_owned()),
            manifest => manifest.check(),
        };
        checked.map_err(|why| self.damaged(&name, &why))?;
        Ok(Some(manifest))
    }

    /// Reads a document, whose format is looked at first: another version's may lack what is asked for.
    fn parse<T: DeserializeOwned>(&self, name: &ObjectName, content: &[u8]) -> Result<T, Fault> {
        let value: serde_json::Value =
            serde_json::from_slice(content).map_err(|_| self.damaged(name, "it is not JSON"))?;
        let format = value.get("format").and_then(serde_json::Value::as_u64);
        if format.is_some() && format != Some(u64::from(DUMP_FORMAT)) {
            let why = format!(
                "{name} at {} was written by another version of Leeward: its format is {}, and this one reads {DUMP_FORMAT}",
                self.place(),
                format.unwrap_or_default()
            );
            return Err(Fault::new(FaultKind::Refused(why), "read a dump"));
        }
        serde_json::from_value(value)
            .map_err(|_| self.damaged(name, "it lacks something, or holds what is no part of it"))
    }

    /// Says that an object is not what it should be.
    pub fn damaged(&self, name: &ObjectName, why: &str) -> Fault {
        Fault::new(FaultKind::Damaged(format!("{name} at {} is damaged: {why}", self.place())), "read a dump")
    }

    /// Says that an object is not there.
    pub fn missing(&self, name: &ObjectName) -> Fault {
        let what = format!("{name} is missing at {}, and the dump's manifest names it", self.place());
        Fault::new(FaultKind::Damaged(what), "read a dump")
    }

    /// Writes down that a dump has begun.
    pub async fn begin(&self, begun: &Begun) -> Result<(), Fault> {
        self.put_new(&names::begun(&begun.id)?, begun).await
    }

    /// Returns the dumps that were begun and have no manifest: killed, or still under way. Oldest first.
    pub async fn unfinished(&self) -> Result<Vec<Begun>, Fault> {
        let whole = self.whole_ids().await?;
        let mut found = Vec::new();
        for id in self.ids(names::BEGUN).await?.difference(&whole) {
            let name = names::begun(id)?;
            if let Some(object) = self.store.get(&name, MANIFEST_BYTES_MAX).await? {
                found.push(self.parse(&name, &object.content)?);
            }
        }
        Ok(found)
    }

    /// Notes that a chunk is in the store.
    pub async fn keep(&self, name: &ObjectName, kept: &Kept) -> Result<(), Fault> {
        self.put_new(name, kept).await
    }

    /// Returns the chunks of a dump that are noted and whose objects are there with their length.
    pub async fn kept(&self, id: &DumpId) -> Result<Vec<Kept>, Fault> {
        let there = self.sizes(id).await?;
        let mut found = Vec::new();
        for entry in self.list(&names::kept(id)?).await? {
            let Some(object) = self.store.get(&entry.name, KEPT_BYTES_MAX).await? else { continue };
            let kept: Kept = self.parse(&entry.name, &object.content)?;
            if there.get(kept.chunk.object.as_str()) == Some(&kept.chunk.stored_bytes) {
                found.push(kept);
            }
        }
        Ok(found)
    }

    /// Returns the lengths of a dump's chunks by name, those that no manifest names among them.
    pub async fn sizes(&self, id: &DumpId) -> Result<std::collections::HashMap<String, u64>, Fault> {
        let entries = self.list(&names::chunks(id)?).await?;
        Ok(entries.into_iter().map(|entry| (entry.name.as_str().to_owned(), entry.bytes)).collect())
    }

    /// Makes a dump whole: its manifest is the last object that is written. What was only needed to go on with it goes.
    ///
    /// # Errors
    /// `Refused` when another process that went on with the same dump has been faster, or one has given it up and taken it away.
    pub async fn publish(&self, manifest: &Manifest) -> Result<(), Fault> {
        self.put_new(&names::manifest(&manifest.id)?, manifest).await?;
        self.still_begun(&manifest.id).await?;
        // Best effort: notes that stay cost a little room, and go with the dump.
        if let Ok(notes) = self.list(&names::kept(&manifest.id)?).await {
            for note in notes {
                let _ = self.store.delete(&note.name).await;
            }
        }
        let _ = self.store.delete(&names::begun(&manifest.id)?).await;
        Ok(())
    }

    /// Takes a dump away, its manifest first: from then on nobody takes the rest for whole. Returns how many objects went.
    pub async fn remove(&self, id: &DumpId) -> Result<usize, Fault> {
        self.store.delete(&names::manifest(id)?).await?;
        let mut removed = 1;
        for under in [names::chunks(id)?, names::kept(id)?] {
            for entry in self.list(&under).await? {
                self.store.delete(&entry.name).await?;
                removed += 1;
            }
        }
        self.store.delete(&names::begun(id)?).await?;
        Ok(removed)
    }

    pub(super) async fn put_new(&self, name: &ObjectName, document: &impl Serialize) -> Result<(), Fault> {
        const DOING: &str = "write down what is in a dump";
        let content =
            serde_json::to_vec(document).map_err(|error| Fault::new(FaultKind::Unexpected, DOING).because(error))?;
        let content = Bytes::from(content);
        if let Stored::Written(_) = self.store.put(name, content.clone(), &Condition::IfAbsent).await? {
            return Ok(());
        }
        // Written by an earlier try, whose answer did not come.
        let there = self.store.get(name, MANIFEST_BYTES_MAX).await?;
        if there.is_some_and(|there| there.content == content) {
            return Ok(());
        }
        let why = format!("{name} is at {} already: another process has written it", self.place());
        Err(Fault::new(FaultKind::Refused(why), DOING))
    }

    /// Lists all objects under a prefix.
    pub(super) async fn list(&self, under: &Prefix) -> Result<Vec<Entry>, Fault> {
        let (mut found, mut after): (Vec<Entry>, Option<ObjectName>) = (Vec::new(), None);
        // Each page goes on after the last: names grow, so the loop ends with them.
        loop {
            let page = self.store.list(under, after.as_ref()).await?;
            found.extend(page.entries);
            match page.next {
                Some(next) if after.as_ref().is_none_or(|after| *after < next) => after = Some(next),
                _ => return Ok(found),
            }
        }
    }
}
