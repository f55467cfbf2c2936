//! What every store is held to. Each test wants an empty store and leaves what it wrote; it panics where a promise is broken.

use bytes::Bytes;
use chrono::{TimeDelta, Utc};
use leeward_core::fault::FaultKind;
use leeward_core::port::store::{
    Condition, Etag, ObjectName, ObjectStore, PAGE_MAX, Page, Prefix, Reading, Stored, Upload,
};

/// More than any object of these tests has.
const BYTES_MAX: u64 = 1 << 20;

/// How long ago, at most, an object of these tests was written; a machine under load takes its time, and a store's seconds are
/// whole ones. A time in another zone would be off by half an hour at least.
const WRITTEN_WITHIN: TimeDelta = TimeDelta::minutes(10);

/// Larger than two parts of any store, and no multiple of one.
const LARGE_BYTES: usize = 20_000_003;

/// An object that is put comes back whole, by pieces and in the list, and is gone when it is deleted.
pub async fn an_object_comes_back_as_it_was_put(store: &dyn ObjectStore) {
    for (text, content) in [("empty", &b""[..]), ("deep/er/one", b"\0\xff\r\n"), ("manifest.json", b"{}")] {
        let name = name(text);
        let etag = written(store.put(&name, Bytes::copy_from_slice(content), &Condition::Always).await.unwrap());
        let object = store.get(&name, BYTES_MAX).await.unwrap().expect("the object");
        assert_eq!((&object.content[..], &object.etag), (content, &etag), "{name}");
        let reading = store.read(&name).await.unwrap().expect("the object");
        assert_eq!(reading.bytes(), content.len() as u64, "{name}");
        assert_eq!(whole(reading).await, content, "{name}");
    }
    let listed = [entry("deep/er/one", 4), entry("empty", 0), entry("manifest.json", 2)];
    let page = store.list(&Prefix::default(), None).await.unwrap();
    assert_eq!(entries(&page), listed);
    for found in &page.entries {
        let age = Utc::now().naive_utc() - found.written_at.expect("the store says when it was written");
        assert!(age.abs() <= WRITTEN_WITHIN, "{} was written {age} ago", found.name);
    }

    store.delete(&name("deep/er/one")).await.unwrap();
    assert_eq!(entries(&store.list(&Prefix::default(), None).await.unwrap()), listed[1..]);
}

/// What is not there is a value, also where another object's name begins alike.
pub async fn what_is_not_there_is_no_fault(store: &dyn ObjectStore) {
    for absent in ["nothing", "deep/nothing"] {
        let name = name(absent);
        assert!(store.get(&name, BYTES_MAX).await.unwrap().is_none());
        assert!(store.read(&name).await.unwrap().is_none());
        store.delete(&name).await.unwrap();
    }
    let page = store.list(&Prefix::default(), None).await.unwrap();
    assert!(page.entries.is_empty() && page.next.is_none());

    put(store, "deep/nothing-else", "x").await;
    assert!(store.get(&name("deep/nothing"), BYTES_MAX).await.unwrap().is_none());
    assert!(store.get(&name("deep"), BYTES_MAX).await.unwrap().is_none());
    store.delete(&name("deep")).await.unwrap();
    assert_eq!(content(store, "deep/nothing-else").await.as_deref(), Some("x"));
}

/// A condition decides, and what it keeps from being written changes nothing.
pub async fn conditions_are_kept(store: &dyn ObjectStore) {
    let lock = name("lock");
    let first = written(store.put(&lock, "first".into(), &Condition::IfAbsent).await.unwrap());
    let again = store.put(&lock, "second".into(), &Condition::IfAbsent).await.unwrap();
    assert_eq!(again, Stored::ConditionNotMet);
    assert_eq!(content(store, "lock").await.as_deref(), Some("first"));

    let second = written(store.put(&lock, "second".into(), &Condition::IfMatch(first.clone())).await.unwrap());
    assert_ne!(second, first);
    let late = store.put(&lock, "third".into(), &Condition::IfMatch(first.clone())).await.unwrap();
    assert_eq!(late, Stored::ConditionNotMet);
    let absent = store.put(&name("other"), "third".into(), &Condition::IfMatch(first)).await.unwrap();
    assert_eq!(absent, Stored::ConditionNotMet);
    assert_eq!(content(store, "lock").await.as_deref(), Some("second"));
    assert_eq!(content(store, "other").await, None);

    put(store, "lock", "fourth").await;
    assert_eq!(content(store, "lock").await.as_deref(), Some("fourth"));
}

/// An object that is larger than the caller wants to hold is refused.
pub async fn a_large_object_is_not_read_whole(store: &dyn ObjectStore) {
    put(store, "manifest", "0123456789").await;
    assert!(store.get(&name("manifest"), 10).await.unwrap().is_some());
    let fault = store.get(&name("manifest"), 9).await.unwrap_err();
    assert!(matches!(&fault.kind, FaultKind::Refused(why) if why.contains("10 bytes")), "{fault}");
    assert!(fault.to_string().contains(store.place()), "{fault}");
}

/// An upload is seen when it is finished and not before, whatever its length.
pub async fn an_upload_is_seen_when_it_is_finished(store: &dyn ObjectStore) {
    for bytes in [0, 10, LARGE_BYTES] {
        let (name, sent) = (name(&format!("chunk-{bytes}")), sample(bytes));
        let mut upload = store.begin(&name).await.unwrap();
        send(upload.as_mut(), &sent).await;
        assert!(store.read(&name).await.unwrap().is_none(), "{name}");
        written(upload.finish(&Condition::IfAbsent).await.unwrap());
        let reading = store.read(&name).await.unwrap().expect("the object");
        assert_eq!(reading.bytes(), bytes as u64);
        assert!(whole(reading).await == sent, "{name}");
    }
}

/// An upload that is given up, dropped or not wanted leaves nothing, and what has its name stays.
pub async fn an_upload_that_is_not_finished_leaves_nothing(store: &dyn ObjectStore) {
    for bytes in [10, LARGE_BYTES] {
        let sent = sample(bytes);
        let mut aborted = store.begin(&name("aborted")).await.unwrap();
        send(aborted.as_mut(), &sent).await;
        aborted.abort().await.unwrap();

        let mut dropped = store.begin(&name("dropped")).await.unwrap();
        send(dropped.as_mut(), &sent).await;
        drop(dropped);

        put(store, "taken", "mine").await;
        let mut late = store.begin(&name("taken")).await.unwrap();
        send(late.as_mut(), &sent).await;
        assert_eq!(late.finish(&Condition::IfAbsent).await.unwrap(), Stored::ConditionNotMet);

        assert_eq!(content(store, "taken").await.as_deref(), Some("mine"));
        assert_eq!(entries(&store.list(&Prefix::default(), None).await.unwrap()), [entry("taken", 4)]);
    }
}

/// A list is complete, in order, by pages, and of its prefix alone.
pub async fn a_list_comes_by_pages(store: &dyn ObjectStore) {
    for number in 0..PAGE_MAX + 5 {
        put(store, &format!("chunks/{number:05}"), "").await;
    }
    for near in ["chunks-not/00000", "chunk", "chunks/-", "zebra"] {
        put(store, near, "").await;
    }
    let under = Prefix::new("chunks/0").unwrap();
    let first = store.list(&under, None).await.unwrap();
    assert_eq!(first.entries.len(), PAGE_MAX);
    let next = first.next.expect("a next page");
    assert_eq!(first.entries.last().map(|entry| &entry.name), Some(&next));
    let second = store.list(&under, Some(&next)).await.unwrap();
    assert!(second.next.is_none());
    let listed: Vec<String> = first.entries.iter().chain(&second.entries).map(|entry| entry.name.to_string()).collect();
    let wanted: Vec<String> = (0..PAGE_MAX + 5).map(|number| format!("chunks/{number:05}")).collect();
    assert_eq!(listed, wanted);

    let folder = store.list(&Prefix::new("chunks-not/").unwrap(), None).await.unwrap();
    assert_eq!(entries(&folder), [entry("chunks-not/00000", 0)]);
    let after = store.list(&Prefix::default(), Some(&name("m"))).await.unwrap();
    assert_eq!(entries(&after), [entry("zebra", 0)]);
}

fn name(text: &str) -> ObjectName {
    ObjectName::new(text).unwrap()
}

fn entry(text: &str, bytes: u64) -> (ObjectName, u64) {
    (name(text), bytes)
}

/// Returns what a page holds, without the times.
fn entries(page: &Page) -> Vec<(ObjectName, u64)> {
    page.entries.iter().map(|entry| (entry.name.clone(), entry.bytes)).collect()
}

/// Bytes that do not repeat with the length of a part.
fn sample(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at % 251) as u8 ^ (at / 65_537) as u8).collect()
}

async fn send(upload: &mut dyn Upload, content: &[u8]) {
    for piece in content.chunks(100_000) {
        upload.write(Bytes::copy_from_slice(piece)).await.unwrap();
    }
}

async fn whole(mut reading: Box<dyn Reading>) -> Vec<u8> {
    let mut content = Vec::new();
    while let Some(piece) = reading.next().await.unwrap() {
        content.extend_from_slice(&piece);
    }
    content
}

async fn put(store: &dyn ObjectStore, text: &str, content: &str) -> Etag {
    let content = Bytes::copy_from_slice(content.as_bytes());
    written(store.put(&name(text), content, &Condition::Always).await.unwrap())
}

async fn content(store: &dyn ObjectStore, text: &str) -> Option<String> {
    let object = store.get(&name(text), BYTES_MAX).await.unwrap()?;
    Some(String::from_utf8(object.content.to_vec()).unwrap())
}

fn written(stored: Stored) -> Etag {
    match stored {
        Stored::Written(etag) => etag,
        Stored::ConditionNotMet => panic!("it was not written"),
    }
}
