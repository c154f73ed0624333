//! Values at the edges of what a journal takes.

use hotfix_core::model::Period;
use hotfix_core::port::{Appended, Clock, IncidentStore, JournalEntry, Lease};

use crate::fixture::{Place, TTL, bodies, claim, entry, new_run, run, worker, write};

#[tokio::test]
async fn entries_keep_their_time_and_any_bytes() {
    let place = Place::new();
    let store = place.open().await;
    let t0 = place.clock.now();
    let lease = claim(&store, new_run("run-1", &["production/shop"])).await;
    place.clock.advance(Period::from_millis(1500));
    let large = format!("b\u{1f525}\0\n{}", "x".repeat(3_000_000));
    write(&store, entry(&lease, 1, &large)).await;
    let t1 = place.clock.now();
    let expected = [
        JournalEntry { seq: 0, epoch: 1, at: t0, body: "run-1 planned".into() },
        JournalEntry { seq: 1, epoch: 1, at: t1, body: large },
    ];
    assert!(store.journal(&run("run-1"), 0).await.unwrap() == expected);
    assert_eq!(store.journal(&run("run-1"), u64::MAX).await.unwrap(), []);
}

#[tokio::test]
async fn numbers_beyond_any_column_are_lost_like_other_wrong_ones() {
    let place = Place::new();
    let store = place.open().await;
    let lease = claim(&store, new_run("run-1", &["production/shop"])).await;
    let lost = Appended::Lost { epoch: 1 };
    assert_eq!(store.append(entry(&lease, u64::MAX, "far")).await.unwrap(), lost);
    let foreign = Lease { epoch: u64::MAX, ..lease };
    assert_eq!(store.append(entry(&foreign, 0, "run-1 planned")).await.unwrap(), lost);
    assert_eq!(store.append(entry(&foreign, 1, "x")).await.unwrap(), lost);
    assert_eq!(bodies(&store, &run("run-1")).await, ["run-1 planned"]);
}

#[tokio::test]
async fn what_the_old_owner_wrote_is_still_written_after_a_takeover() {
    let place = Place::new();
    let store = place.open().await;
    let lease = claim(&store, new_run("run-1", &["production/shop"])).await;
    write(&store, entry(&lease, 1, "a")).await;
    store.take_over(&run("run-1"), &worker("w1"), TTL, 0).await.unwrap();
    write(&store, entry(&lease, 1, "a")).await;
    assert_eq!(store.append(entry(&lease, 2, "b")).await.unwrap(), Appended::Lost { epoch: 2 });
}
