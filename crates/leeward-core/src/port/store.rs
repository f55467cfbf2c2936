//! Where dumps and snapshots are kept: objects under names, each written whole or not at all. A folder and a bucket answer it.
//!
//! "Not there" and "the condition is not met" are values; everything else is a [`Fault`], which tells the place without
//! credentials. Nothing here retries for the caller: a [`Fault`] that asks for it ([`crate::fault::Decision::Retry`]) was already
//! tried again as far as the answer knows how, and an upload that failed is begun anew.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::NaiveDateTime;

use crate::fault::{Fault, FaultKind};

/// Objects in a list's page. S3 hands out no more at once.
pub const PAGE_MAX: usize = 1000;

/// Bytes in a whole name: S3 takes 1024, of which the store's own prefix may use the rest.
const NAME_BYTES_MAX: usize = 700;

/// Bytes between two slashes: file systems take 255, of which a folder's temporary names use some.
const SEGMENT_BYTES_MAX: usize = 200;

/// Objects under names, each written whole or not at all.
#[async_trait]
pub trait ObjectStore: Send + Sync {
    /// Says where the objects are, as a person wrote it: `s3://bucket/prefix`, `file:///path`. Never holds credentials.
    fn place(&self) -> &str;

    /// Writes a small object from memory. An answer that was lost is settled: the store knows its own writes.
    async fn put(&self, name: &ObjectName, content: Bytes, condition: &Condition) -> Result<Stored, Fault>;

    /// Reads a whole object; nothing when there is none. One with more than `bytes_max` bytes is refused unread.
    async fn get(&self, name: &ObjectName, bytes_max: u64) -> Result<Option<Object>, Fault>;

    /// Opens an object for reading piece by piece; nothing when there is none.
    async fn read(&self, name: &ObjectName) -> Result<Option<Box<dyn Reading>>, Fault>;

    /// Lists at most [`PAGE_MAX`] objects whose names start with `under`, in the order of their bytes, after the name `after`.
    async fn list(&self, under: &Prefix, after: Option<&ObjectName>) -> Result<Page, Fault>;

    /// Takes an object away. One that is not there is no fault.
    async fn delete(&self, name: &ObjectName) -> Result<(), Fault>;

    /// Begins to write an object of any length.
    async fn begin(&self, name: &ObjectName) -> Result<Box<dyn Upload>, Fault>;
}

/// An object on its way into a store. Nobody sees it before [`Upload::finish`]; one that is dropped leaves nothing that can be
/// seen, and what it left behind otherwise is taken away as soon as the store can.
#[async_trait]
pub trait Upload: Send {
    /// Takes the next bytes. Memory stays bounded, so this may wait for the store. After a fault the upload can only be
    /// aborted or dropped.
    async fn write(&mut self, piece: Bytes) -> Result<(), Fault>;

    /// Makes the object seen, whole and durable. Where the condition is not met, nothing is left of it.
    async fn finish(self: Box<Self>, condition: &Condition) -> Result<Stored, Fault>;

    /// Gives the upload up and waits until nothing is left of it.
    async fn abort(self: Box<Self>) -> Result<(), Fault>;
}

/// An object that is being read.
#[async_trait]
pub trait Reading: Send {
    /// The object's length in bytes.
    fn bytes(&self) -> u64;

    /// Returns the next piece; nothing after the last one. That all [`Reading::bytes`] came has then been checked: an object
    /// that is cut short is a [`Fault`].
    async fn next(&mut self) -> Result<Option<Bytes>, Fault>;
}

/// What must be so for an object to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Nothing: whatever has the name is replaced.
    Always,
    /// Nothing has the name yet.
    IfAbsent,
    /// The name still holds what had this tag.
    IfMatch(Etag),
}

/// Whether an object was written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "an object may not have been written"]
pub enum Stored {
    /// It was, and this is its tag.
    Written(Etag),
    /// It was not, because something else has the name, or nothing has.
    ConditionNotMet,
}

/// What a store calls one content of one object. Tags of two stores cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Etag(String);

impl Etag {
    /// Takes what the store said.
    pub fn new(text: impl Into<String>) -> Self {
        Etag(text.into())
    }

    /// Returns it as the store said it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A whole object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// What it holds.
    pub content: Bytes,
    /// What the store calls this content.
    pub etag: Etag,
}

/// A part of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Objects in the order of their names' bytes.
    pub entries: Vec<Entry>,
    /// After which name the next page begins; nothing where this is the last one.
    pub next: Option<ObjectName>,
}

/// One object of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: ObjectName,
    /// Its length in bytes.
    pub bytes: u64,
    /// When it was written, by the store's clock (UTC); nothing where the store does not say.
    pub written_at: Option<NaiveDateTime>,
}

/// An object's name, relative to where the store begins. It can always be both a file's path and an S3 key, and never leads out
/// of the store: segments of ASCII letters, digits and `-_.=+~@,` between single slashes, none of which starts with a dot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName(String);

impl ObjectName {
    /// Checks a name.
    ///
    /// # Errors
    /// [`FaultKind::Refused`].
    pub fn new(name: impl Into<String>) -> Result<ObjectName, Fault> {
        let name = name.into();
        match name.len() <= NAME_BYTES_MAX && name.split('/').all(is_segment) {
            true => Ok(ObjectName(name)),
            false => Err(refused(&name)),
        }
    }

    /// Makes a name of texts that may hold anything, such as the names of tables: every byte that a segment cannot have is
    /// written as `~` and two hexadecimal digits, so different texts get different names.
    ///
    /// # Errors
    /// [`FaultKind::Refused`] for a text that is empty or too long.
    pub fn of(texts: &[&str]) -> Result<ObjectName, Fault> {
        let escaped: Vec<String> = texts.iter().map(|text| escape(text)).collect();
        ObjectName::new(escaped.join("/"))
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What names start with: whole segments, and then any part of one. The empty prefix is that of all names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prefix(String);

impl Prefix {
    /// Checks a prefix.
    ///
    /// # Errors
    /// [`FaultKind::Refused`].
    pub fn new(prefix: impl Into<String>) -> Result<Prefix, Fault> {
        let prefix = prefix.into();
        let (folders, rest) = prefix.rsplit_once('/').unwrap_or(("", prefix.as_str()));
        let has_folders = prefix.contains('/');
        let are_folders = !has_folders || folders.split('/').all(is_segment);
        match prefix.len() <= NAME_BYTES_MAX && are_folders && (rest.is_empty() || is_segment(rest)) {
            true => Ok(Prefix(prefix)),
            false => Err(refused(&prefix)),
        }
    }

    /// Returns the prefix.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Refuses an object that is larger than a caller wants to hold.
///
/// # Errors
/// [`FaultKind::Refused`].
pub fn hold_to(bytes: u64, bytes_max: u64, doing: &str) -> Result<(), Fault> {
    if bytes <= bytes_max {
        return Ok(());
    }
    let why = format!(
        "the object has {bytes} bytes, and none of its kind has more than {bytes_max}: is the place the right one?"
    );
    Err(Fault::new(FaultKind::Refused(why), doing))
}

fn refused(name: &str) -> Fault {
    let why = format!(
        "{name:?} cannot be an object's name: use ASCII letters, digits and -_.=+~@, between single slashes, no segment with a \
         dot in front, at most {NAME_BYTES_MAX} bytes and {SEGMENT_BYTES_MAX} in a segment"
    );
    Fault::new(FaultKind::Refused(why), "name an object")
}

fn is_segment(segment: &str) -> bool {
    let is_long = segment.is_empty() || segment.len() > SEGMENT_BYTES_MAX;
    !is_long && !segment.starts_with('.') && segment.bytes().all(is_plain)
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.=+~@,".contains(&byte)
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (at, byte) in text.bytes().enumerate() {
        let leads = at == 0 && byte == b'.';
        match is_plain(byte) && byte != b'~' && !leads {
            true => escaped.push(char::from(byte)),
            false => escaped.push_str(&format!("~{byte:02x}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_never_leads_out_of_its_store() {
        let too_long = "a".repeat(201);
        let much_too_long = vec!["a"; 400].join("/");
        for bad in
            ["", "/", "/a", "a/", "a//b", "..", "a/../b", ".hidden", "a/.b", "a b", "a\0", "ä", "a\\b", "a%2e", "~/\n"]
        {
            assert!(ObjectName::new(bad).is_err(), "{bad:?}");
        }
        assert!(ObjectName::new(too_long).is_err());
        assert!(ObjectName::new(much_too_long).is_err());
        for good in ["a", "manifest.json", "tables/shop.orders/000001.zst", "a..b", "~2e"] {
            assert_eq!(ObjectName::new(good).expect("a good name").as_str(), good);
        }
    }

    #[test]
    fn names_of_any_text_differ_as_the_texts_do() {
        let name = |texts: &[&str]| ObjectName::of(texts).expect("a name").as_str().to_owned();
        assert_eq!(name(&["shop", "orders"]), "shop/orders");
        assert_eq!(name(&["a/b", ".."]), "a~2fb/~2e.");
        assert_eq!(name(&["ö"]), "~c3~b6");
        assert_ne!(name(&["~2f"]), name(&["/"]));
        assert!(ObjectName::of(&["shop", ""]).is_err());
    }

    #[test]
    fn a_prefix_is_whole_segments_and_a_part_of_one() {
        for good in ["", "a", "a/", "a/b", "a/b/chunk-"] {
            assert_eq!(Prefix::new(good).expect("a good prefix").as_str(), good);
        }
        for bad in ["/", "/a", "../", "a//", "a/..", ".a"] {
            assert!(Prefix::new(bad).is_err(), "{bad:?}");
        }
    }
}
