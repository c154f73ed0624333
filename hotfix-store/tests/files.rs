//! Which files are taken, which are refused and why.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use hotfix_core::ErrorKind;
use hotfix_core::memory::ManualClock;
use hotfix_core::port::{Appended, IncidentStore, RunFilter};
use hotfix_store::{SqliteOptions, SqliteStore};

use crate::fixture::{Place, bodies, claim, entry, new_run, run, write};

async fn refusal(path: &Path) -> hotfix_core::Error {
    SqliteStore::open(path, Arc::new(ManualClock::default())).await.unwrap_err()
}

#[tokio::test]
async fn the_database_is_for_its_owner_only() {
    let place = Place::new();
    let store = place.open().await;
    claim(&store, new_run("run-1", &["production/shop"])).await;
    for name in ["hotfix.db", "hotfix.db-wal", "hotfix.db-shm"] {
        let mode = fs::metadata(place.file(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    store.close().await;
    assert!(!place.file("hotfix.db-wal").exists(), "closing leaves one file");
}

#[tokio::test]
async fn another_programs_database_is_refused_and_left_as_it_is() {
    let place = Place::new();
    let foreign = place.stranger();
    foreign.execute_batch("CREATE TABLE songs (title TEXT); PRAGMA application_id = 7").unwrap();
    drop(foreign);
    let before = fs::read(place.path()).unwrap();
    let error = refusal(&place.path()).await;
    assert_eq!(
        error.to_string(),
        format!(
            "store.open: invalid: the file is another program's database (application id 0x7): name another path \
             (path={})",
            place.path().display()
        )
    );
    assert_eq!(fs::read(place.path()).unwrap(), before);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_corrupt() {
    let place = Place::new();
    fs::write(place.path(), "hello, this is a text file and not a database\n".repeat(100)).unwrap();
    let error = refusal(&place.path()).await;
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("the file is not a database: name another path"), "{error}");
}

#[tokio::test]
async fn an_empty_file_becomes_a_store() {
    let place = Place::new();
    fs::write(place.path(), "").unwrap();
    let store = place.open().await;
    assert_eq!(store.runs(RunFilter::All).await.unwrap(), []);
}

#[tokio::test]
async fn a_newer_schema_is_refused_at_opening() {
    let place = Place::new();
    place.open().await.close().await;
    place.stranger().execute_batch("PRAGMA user_version = 99").unwrap();
    let error = refusal(&place.path()).await;
    assert_eq!(
        error.to_string(),
        format!(
            "store.open: written by a newer version: the database has schema 99 and this version knows 1: update this \
             program (path={})",
            place.path().display()
        )
    );
}

#[tokio::test]
async fn a_schema_that_becomes_newer_while_open_stops_reads_and_writes() {
    let place = Place::new();
    let store = place.open().await;
    let lease = claim(&store, new_run("run-1", &["production/shop"])).await;
    place.stranger().execute_batch("PRAGMA user_version = 99").unwrap();
    let error = store.append(entry(&lease, 1, "x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooNew);
    let error = store.journal(&run("run-1"), 0).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooNew);
}

#[tokio::test]
async fn paths_that_cannot_hold_a_database_are_named() {
    let place = Place::new();
    let missing = place.file("no/such/directory/hotfix.db");
    for path in [missing.as_path(), Path::new("/"), Path::new("")] {
        let error = refusal(path).await;
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(error.context().any(|(name, _)| name == "path"), "{error}");
    }
}

#[tokio::test]
async fn a_directory_in_place_of_the_file_is_refused() {
    let place = Place::new();
    fs::create_dir(place.path()).unwrap();
    let error = refusal(&place.path()).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

#[tokio::test]
async fn a_copy_taken_while_open_holds_everything_acknowledged() {
    let place = Place::new();
    let store = place.open().await;
    let lease = claim(&store, new_run("run-1", &["production/shop"])).await;
    for seq in 1..50 {
        write(&store, entry(&lease, seq, &format!("entry {seq}"))).await;
    }
    let copy = Place::new();
    for name in ["hotfix.db", "hotfix.db-wal"] {
        fs::copy(place.file(name), copy.file(name)).unwrap();
    }
    let restored = copy.open().await;
    assert_eq!(bodies(&restored, &run("run-1")).await, bodies(&store, &run("run-1")).await);
    write(&restored, entry(&lease, 50, "goes on in the copy")).await;
    assert_eq!(store.journal(&run("run-1"), 50).await.unwrap(), [], "the original knows nothing of it");
}

#[tokio::test]
async fn a_write_ahead_log_cut_short_loses_whole_transactions_from_its_end() {
    let place = Place::new();
    let store = place.open().await;
    let lease = claim(&store, new_run("run-1", &["production/shop"])).await;
    for seq in 1..20 {
        write(&store, entry(&lease, seq, &format!("entry {seq}"))).await;
    }
    let whole = bodies(&store, &run("run-1")).await;
    let log = fs::read(place.file("hotfix.db-wal")).unwrap();
    let copy = Place::new();
    fs::copy(place.path(), copy.path()).unwrap();
    fs::write(copy.file("hotfix.db-wal"), &log[..log.len() - 10]).unwrap();
    let cut = copy.open().await;
    let kept = bodies(&cut, &run("run-1")).await;
    assert_eq!(kept, whole[..whole.len() - 1]);
    let next = kept.len() as u64;
    assert_eq!(cut.append(entry(&lease, next, "again")).await.unwrap(), Appended::Written);
}

#[tokio::test]
async fn options_out_of_range_are_refused() {
    let place = Place::new();
    let options = SqliteOptions { queue: 0, ..SqliteOptions::default() };
    let clock = Arc::new(place.clock.clone());
    let error = SqliteStore::open_with(place.path(), clock, options).await.unwrap_err();
    assert_eq!(error.to_string(), "store.open: invalid: option queue is 0: allowed are 1 to 65536");
    assert!(!place.path().exists());
}
