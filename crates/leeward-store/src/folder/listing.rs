//! The names in a folder, a page at a time.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::io::ErrorKind;
use std::path::Path;

use chrono::{DateTime, NaiveDateTime, Utc};
use leeward_core::fault::Fault;
use leeward_core::port::store::{Entry, ObjectName, PAGE_MAX, Page, Prefix};

use super::root::Root;
use super::trouble;

/// Folders within folders: as many as a name can have slashes, which is at most its length.
const DEPTH_MAX: usize = 350;

/// Returns the first names under a prefix after another. The whole folder is walked, and no more than a page is held.
pub fn list(root: &Root, under: &Prefix, after: Option<&ObjectName>) -> Result<Page, Fault> {
    let doing = format!("list {} in {}", under.as_str(), root.place());
    let mut page = Names { under, after, first: BTreeSet::new() };
    let above = under.as_str().rsplit_once('/').map_or("", |(folder, _)| folder);
    walk(&root.path().join(above), above, &mut page, 0).map_err(|error| trouble::fault(error, &doing))?;
    let has_more = page.first.len() > PAGE_MAX;
    let names: Vec<ObjectName> = page.first.into_iter().take(PAGE_MAX).collect();
    let next = names.last().filter(|_| has_more).cloned();
    let mut entries = Vec::with_capacity(names.len());
    for name in names {
        match std::fs::symlink_metadata(root.file(&name)) {
            Ok(facts) => entries.push(Entry { name, bytes: facts.len(), written_at: written_at(&facts) }),
            // Deleted meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(trouble::fault(error, &doing)),
        }
    }
    Ok(Page { entries, next })
}

fn written_at(facts: &Metadata) -> Option<NaiveDateTime> {
    Some(DateTime::<Utc>::from(facts.modified().ok()?).naive_utc())
}

/// The smallest names that were found, one more than a page holds.
struct Names<'a> {
    under: &'a Prefix,
    after: Option<&'a ObjectName>,
    first: BTreeSet<ObjectName>,
}

impl Names<'_> {
    fn take(&mut self, name: ObjectName) {
        let is_wanted = name.as_str().starts_with(self.under.as_str()) && self.after.is_none_or(|after| name > *after);
        if is_wanted {
            self.first.insert(name);
        }
        if self.first.len() > PAGE_MAX + 1 {
            self.first.pop_last();
        }
    }
}

/// Takes in every file below a folder. What cannot be an object's name is not one: links, and whatever starts with a dot.
fn walk(folder: &Path, name: &str, page: &mut Names<'_>, depth: usize) -> std::io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let Ok(segment) = entry.file_name().into_string() else { continue };
        let full = if name.is_empty() { segment } else { format!("{name}/{segment}") };
        let Ok(object) = ObjectName::new(full) else { continue };
        let kind = entry.file_type()?;
        if kind.is_dir() && depth < DEPTH_MAX {
            walk(&entry.path(), object.as_str(), page, depth + 1)?;
        } else if kind.is_file() {
            page.take(object);
        }
    }
    Ok(())
}
