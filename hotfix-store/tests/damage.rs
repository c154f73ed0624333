//! Damage done by hand or by a disk is named, never read as if it were nothing.

use std::fs;

use hotfix_core::ErrorKind;
use hotfix_core::port::{IncidentStore, Lease};
use hotfix_store::SqliteStore;

use crate::fixture::{Place, TTL, claim, entry, new_run, run, write};

/// A closed store whose run `run-1` has the entries 0 to 4, and whose `run-2` has as many.
async fn two_runs(place: &Place) -> [Lease; 2] {
    let store = place.open().await;
    let leases = [
        claim(&store, new_run("run-1", &["production/a"])).await,
        claim(&store, new_run("run-2", &["production/b"])).await,
    ];
    for seq in 1..5 {
        for lease in &leases {
            write(&store, entry(lease, seq, &format!("entry {seq}"))).await;
        }
    }
    store.close().await;
    leases
}

async fn corrupt_entry(store: &SqliteStore) -> Option<(String, String)> {
    let error = store.journal(&run("run-1"), 0).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    let value =
        |wanted: &str| error.context().find(|(name, _)| *name == wanted).map(|(_, value)| value.to_owned());
    Some((value("run")?, value("seq")?))
}

#[tokio::test]
async fn an_entry_changed_by_hand_is_named() {
    for (change, seq) in [
        ("UPDATE journal SET body = 'entry 2 ' WHERE run = 1 AND seq = 2", "2"),
        ("UPDATE journal SET body = 'x' WHERE run = 1 AND seq = 0", "0"),
        ("UPDATE journal SET epoch = 2 WHERE run = 1 AND seq = 4", "4"),
        ("UPDATE journal SET at = at + 1 WHERE run = 1 AND seq = 1", "1"),
        ("UPDATE journal SET at = -9223372036854775808 WHERE run = 1 AND seq = 1", "1"),
        ("UPDATE journal SET chain = x'00' WHERE run = 1 AND seq = 3", "3"),
        ("UPDATE journal SET chain = zeroblob(32) WHERE run = 1 AND seq = 3", "3"),
        ("DELETE FROM journal WHERE run = 1 AND seq = 2", "2"),
        ("DELETE FROM journal WHERE run = 1 AND seq = 0", "0"),
        ("DELETE FROM journal WHERE run = 1", "4"),
        ("UPDATE journal SET previous = previous - 1 WHERE run = 1 AND seq = 3", "2"),
        ("UPDATE run SET last = last - 1 WHERE number = 1", "4"),
        ("UPDATE run SET entries = 6 WHERE number = 1", "5"),
        (
            "UPDATE journal SET body = (SELECT body FROM journal WHERE run = 1 AND seq = 1) WHERE run = 1 AND seq = 3",
            "3",
        ),
        (
            "DELETE FROM journal WHERE run = 1 AND seq = 2;
             UPDATE journal SET seq = 2 WHERE run = 1 AND seq = 3;
             UPDATE journal SET seq = 3 WHERE run = 1 AND seq = 4;",
            "4",
        ),
        (
            "DELETE FROM journal WHERE run = 1;
             UPDATE journal SET run = 1 WHERE run = 2;",
            "4",
        ),
    ] {
        let place = Place::new();
        two_runs(&place).await;
        place.stranger().execute_batch(change).unwrap();
        let store = place.open().await;
        let named = corrupt_entry(&store).await;
        assert_eq!(named, Some(("run-1".to_owned(), seq.to_owned())), "{change}");
    }
}

#[tokio::test]
async fn the_journal_of_another_run_is_read_as_before() {
    let place = Place::new();
    two_runs(&place).await;
    place.stranger().execute_batch("UPDATE journal SET body = 'x' WHERE run = 1").unwrap();
    assert_eq!(place.open().await.journal(&run("run-2"), 0).await.unwrap().len(), 5);
}

#[tokio::test]
async fn reading_on_from_a_cursor_checks_what_it_reads() {
    let place = Place::new();
    two_runs(&place).await;
    let store = place.open().await;
    assert_eq!(store.journal(&run("run-1"), 3).await.unwrap().len(), 2);
    place.stranger().execute_batch("UPDATE journal SET body = 'x' WHERE run = 1 AND seq = 4").unwrap();
    let error = store.journal(&run("run-1"), 3).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}

#[tokio::test]
async fn entries_cut_off_the_end_are_missed() {
    let place = Place::new();
    let [lease, _] = two_runs(&place).await;
    place.stranger().execute_batch("DELETE FROM journal WHERE run = 1 AND seq >= 4").unwrap();
    let store = place.open().await;
    assert_eq!(corrupt_entry(&store).await, Some(("run-1".to_owned(), "4".to_owned())));
    let error = store.append(entry(&lease, 4, "x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}

#[tokio::test]
async fn values_that_cannot_be_read_are_corrupt_not_defaults() {
    let place = Place::new();
    let [lease, _] = two_runs(&place).await;
    place
        .stranger()
        .execute_batch("UPDATE run SET holder = 'not a worker'; UPDATE incident SET severity = 'P9';")
        .unwrap();
    let store = place.open().await;
    let error = store.runs(hotfix_core::port::RunFilter::All).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    let error = store.take_over(&lease.run, &crate::fixture::worker("w1"), TTL, 0).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    let error = store.incident(&crate::fixture::incident("inc-of-run-1")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
}

#[tokio::test]
async fn a_damaged_page_is_corrupt() {
    let place = Place::new();
    two_runs(&place).await;
    let mut bytes = fs::read(place.path()).unwrap();
    let pages = 4096..bytes.len();
    bytes[pages].fill(0xa5);
    fs::write(place.path(), bytes).unwrap();
    let store = place.open().await;
    let error = store.journal(&run("run-1"), 0).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
}
