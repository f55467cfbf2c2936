//! A folder against the contract, and what only a folder can get wrong.

use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::*;
use crate::contract;

/// A store in a folder that is not there yet.
async fn folder() -> (TempDir, Folder) {
    let above = tempfile::tempdir().unwrap();
    let folder = Folder::open(&above.path().join("dumps/here")).await.unwrap();
    (above, folder)
}

macro_rules! keeps {
    ($($promise:ident),+ $(,)?) => {$(
        #[tokio::test]
        async fn $promise() {
            let (_above, folder) = folder().await;
            contract::$promise(&folder).await;
            assert_eq!(unfinished(&folder), 0, "something unfinished is left");
        }
    )+};
}

keeps!(
    an_object_comes_back_as_it_was_put,
    what_is_not_there_is_no_fault,
    conditions_are_kept,
    a_large_object_is_not_read_whole,
    an_upload_is_seen_when_it_is_finished,
    an_upload_that_is_not_finished_leaves_nothing,
    a_list_comes_by_pages,
);

fn unfinished(folder: &Folder) -> usize {
    let Ok(entries) = std::fs::read_dir(folder.root.path().join(".leeward")) else { return 0 };
    entries.filter(|entry| entry.as_ref().unwrap().path().extension().is_some()).count()
}

fn name(text: &str) -> ObjectName {
    ObjectName::new(text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_want_a_name_one_gets_it() {
    let (_above, folder) = folder().await;
    let racing: Vec<_> = (0..16)
        .map(|number: u8| {
            // Stores of their own, as processes have.
            let other = Folder { root: Arc::new(Root::new(folder.root.path())) };
            tokio::spawn(async move {
                other.put(&name("lock"), Bytes::from(vec![number]), &Condition::IfAbsent).await.unwrap()
            })
        })
        .collect();
    let mut winners = Vec::new();
    for (number, racer) in racing.into_iter().enumerate() {
        if matches!(racer.await.unwrap(), Stored::Written(_)) {
            winners.push(number as u8);
        }
    }
    let object = folder.get(&name("lock"), 10).await.unwrap().unwrap();
    assert_eq!(winners, object.content.to_vec());
}

#[tokio::test]
async fn what_a_crash_left_is_taken_away_and_what_is_being_written_is_not() {
    let (_above, folder) = folder().await;
    let mut running = folder.begin(&name("running")).await.unwrap();
    running.write("half".into()).await.unwrap();
    std::fs::write(folder.root.path().join(".leeward/0123.part"), "half").unwrap();
    assert_eq!(unfinished(&folder), 2);

    let next = Folder::open(folder.root.path()).await.unwrap();
    let _ = next.put(&name("a"), "".into(), &Condition::Always).await.unwrap();
    assert_eq!(unfinished(&folder), 1);
    assert!(matches!(running.finish(&Condition::IfAbsent).await.unwrap(), Stored::Written(_)));
}

#[tokio::test]
async fn files_are_for_the_user_of_the_process_alone() {
    let (above, folder) = folder().await;
    let _ = folder.put(&name("tables/a"), "".into(), &Condition::Always).await.unwrap();
    let mode = |path: &str| std::fs::metadata(above.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("dumps"), mode("dumps/here/tables"), mode("dumps/here/tables/a")), (0o700, 0o700, 0o600));
}

#[tokio::test]
async fn a_file_where_a_folder_should_be_is_named_with_a_way_out() {
    let above = tempfile::tempdir().unwrap();
    let file = above.path().join("file");
    std::fs::write(&file, "").unwrap();
    let fault = Folder::open(&file).await.unwrap_err();
    assert!(fault.to_string().contains("a file has the name of a folder"), "{fault}");

    let folder = Folder::open(above.path()).await.unwrap();
    let fault = folder.put(&name("file/inside"), "".into(), &Condition::Always).await.unwrap_err();
    assert!(fault.to_string().contains("a file has the name of a folder"), "{fault}");
    assert_eq!(unfinished(&folder), 0);
}

#[tokio::test]
async fn a_file_that_shrinks_while_it_is_read_is_no_whole_object() {
    let (_above, folder) = folder().await;
    let content = vec![7; PIECE_BYTES + 10];
    let _ = folder.put(&name("a"), content.into(), &Condition::Always).await.unwrap();
    let mut reading = folder.read(&name("a")).await.unwrap().unwrap();
    assert_eq!(reading.next().await.unwrap().unwrap().len(), PIECE_BYTES);
    let file = std::fs::OpenOptions::new().write(true).open(folder.root.path().join("a")).unwrap();
    file.set_len(PIECE_BYTES as u64 + 5).unwrap();
    let fault = reading.next().await.unwrap_err();
    assert!(fault.to_string().contains("changed while it was read"), "{fault}");
}

#[tokio::test]
async fn links_lead_nowhere() {
    let (above, folder) = folder().await;
    let _ = folder.put(&name("a"), "".into(), &Condition::Always).await.unwrap();
    std::os::unix::fs::symlink(above.path(), folder.root.path().join("link")).unwrap();
    std::os::unix::fs::symlink("a", folder.root.path().join("alias")).unwrap();
    let page = folder.list(&Prefix::default(), None).await.unwrap();
    assert_eq!(page.entries.len(), 1);
}
