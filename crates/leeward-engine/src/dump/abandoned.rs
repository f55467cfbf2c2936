//! Unfinished dumps that nobody goes on with are given up and taken away. A process that writes after all must not end with a dump
//! that lacks objects, so both sides go by one object, `begun/ID.json`: who takes a dump away deletes it before anything else and
//! then looks for a manifest; who finishes a dump writes its manifest and then looks for that object. Whatever comes between
//! what, one of them sees the other. What this module does not know is which dumps these are: see [`Unfinished::is_abandoned`].

use chrono::NaiveDateTime;
use leeward_core::dump::{DumpId, Unfinished, names};
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::port::store::{ObjectName, Prefix};
use serde_json::json;

use super::archive::Archive;

impl Archive {
    /// Returns what was begun and has no manifest, with the time of the last sign of life. Oldest first.
    pub async fn standing(&self) -> Result<Vec<Unfinished>, Fault> {
        let mut found = Vec::new();
        for begun in self.unfinished().await? {
            let written_at = self.last_written(&begun.id).await?;
            found.push(Unfinished::of(begun, written_at));
        }
        Ok(found)
    }

    /// Returns when the newest object of an unfinished dump was written; nothing where the store does not say so of all.
    async fn last_written(&self, id: &DumpId) -> Result<Option<NaiveDateTime>, Fault> {
        let begun = Prefix::new(names::begun(id)?.as_str())?;
        let mut newest = None;
        for under in [begun, names::chunks(id)?, names::kept(id)?] {
            for entry in self.list(&under).await? {
                let Some(written_at) = entry.written_at else { return Ok(None) };
                newest = newest.max(Some(written_at));
            }
        }
        Ok(newest)
    }

    /// Takes away what of a lane was begun and given up, and what an earlier call could not finish. Returns which dumps went.
    ///
    /// # Errors
    /// What keeps the store from being read or changed; the next call goes on.
    pub async fn remove_abandoned(&self, lane: &str, now: NaiveDateTime) -> Result<Vec<DumpId>, Fault> {
        let mut gone = Vec::new();
        for id in self.ids(names::LEAVING).await? {
            // Interrupted before it had begun to go, it is looked at anew: somebody may have gone on with it.
            if self.is_there(&names::begun(&id)?).await? {
                self.store.delete(&names::leaving(&id)?).await?;
            } else if self.leave(&id).await? {
                gone.push(id);
            }
        }
        for begun in self.standing().await?.into_iter().filter(|begun| begun.is_abandoned(lane, now)) {
            self.put_new(&names::leaving(&begun.id)?, &json!({})).await?;
            self.store.delete(&names::begun(&begun.id)?).await?;
            if self.leave(&begun.id).await? {
                gone.push(begun.id);
            }
        }
        Ok(gone)
    }

    /// Deletes the objects of a dump that is not begun any more, unless it was made whole meanwhile. Returns whether it went.
    async fn leave(&self, id: &DumpId) -> Result<bool, Fault> {
        let is_whole = self.whole_ids().await?.contains(id);
        if !is_whole {
            for under in [names::chunks(id)?, names::kept(id)?] {
                for entry in self.list(&under).await? {
                    self.store.delete(&entry.name).await?;
                }
            }
        }
        self.store.delete(&names::leaving(id)?).await?;
        Ok(!is_whole)
    }

    /// Looks, after its manifest was written, whether a dump was given up meanwhile: its manifest then goes, too.
    ///
    /// # Errors
    /// `Refused` for one that was given up.
    pub(super) async fn still_begun(&self, id: &DumpId) -> Result<(), Fault> {
        if self.is_there(&names::begun(id)?).await? {
            return Ok(());
        }
        self.remove(id).await?;
        let why = format!(
            "dump {id} at {} was taken away as one that nobody goes on with, although it was still being written: is the clock of \
             this machine or of the store wrong? Make it again",
            self.place()
        );
        Err(Fault::new(FaultKind::Refused(why), "make a dump whole"))
    }

    async fn is_there(&self, name: &ObjectName) -> Result<bool, Fault> {
        let entries = self.list(&Prefix::new(name.as_str())?).await?;
        Ok(entries.iter().any(|entry| entry.name == *name))
    }
}
