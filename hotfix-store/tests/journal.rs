//! The journal: conditional, repeatable, in order; signals beside it.

use hotfix_core::ErrorKind;
use hotfix_core::model::Period;
use hotfix_core::port::{Appended, Clock, IncidentStore, JournalEntry, RunState, Signal, SignalEntry};

use crate::fixture::{Place, TTL, bodies, claim, end, entry, new_run, run, worker, write};

#[tokio::test]
async fn entries_come_back_with_their_epoch_and_time() {
    let place = Place::new();
    let store = place.open().await;
    let t0 = place.clock.now();
    let lease = claim(&store, new_run("run-1", &["production/shop"])).await;
    place.clock.advance(Period::from_millis(1500));
    write(&store, entry(&lease, 1, "b\u{1f525}\0\n")).await;
    let t1 = place.clock.now();
    let expected = [
        JournalEntry {
            seq: 0,
            epoch: 1,
            at: t0,
            body: "run-1 planned".into(),
        },
        JournalEntry {
            seq: 1,
            epoch: 1,
            at: t1,
            body: "b\u{1f525}\0\n".into(),
        },
    ];
    assert_eq!(store.journal(&run("run-1"), 0).await.unwrap(), expected);
    assert_eq!(store.journal(&run("run-1"), 1).await.unwrap(), expected[1..]);
    assert_eq!(store.journal(&run("run-1"), 2).await.unwrap(), []);
    assert_eq!(store.journal(&run("run-1"), u64::MAX).await.unwrap(), []);
}

#[tokio::test]
async fn the_same_entry_again_is_written_and_another_is_not() {
    let place = Place::new();
    let store = place.open().await;
    let lease = claim(&store, new_run("run-1", &["production/shop"])).await;
    write(&store, entry(&lease, 1, "a")).await;
    write(&store, entry(&lease, 1, "a")).await;
    write(&store, entry(&lease, 0, "run-1 planned")).await;
    let lost = Appended::Lost { epoch: 1 };
    assert_eq!(store.append(entry(&lease, 1, "b")).await.unwrap(), lost);
    assert_eq!(store.append(entry(&lease, 3, "gap")).await.unwrap(), lost);
    assert_eq!(store.append(entry(&lease, u64::MAX, "far")).await.unwrap(), lost);
    let mut foreign = entry(&lease, 1, "a");
    foreign.epoch = u64::MAX;
    assert_eq!(store.append(foreign).await.unwrap(), lost);
    assert_eq!(bodies(&store, &run("run-1")).await, ["run-1 planned", "a"]);
}

#[tokio::test]
async fn a_repeat_is_answered_after_a_takeover_and_after_the_end() {
    let place = Place::new();
    let store = place.open().await;
    let lease = claim(&store, new_run("run-1", &["production/shop"])).await;
    write(&store, entry(&lease, 1, "a")).await;
    store.take_over(&run("run-1"), &worker("w1"), TTL).await.unwrap();
    write(&store, entry(&lease, 1, "a")).await;
    let lease = hotfix_core::port::Lease { epoch: 2, ..lease };
    end(&store, &lease, 2).await;
    end(&store, &lease, 2).await;
    let late = store.append(entry(&lease, 3, "after the end")).await.unwrap();
    assert_eq!(late, Appended::Lost { epoch: 2 });
}

#[tokio::test]
async fn a_repeat_writes_its_companions_once() {
    let place = Place::new();
    let store = place.open().await;
    let lease = claim(&store, new_run("run-1", &["production/shop"])).await;
    let mut append = entry(&lease, 1, "a");
    append.timeline = vec![crate::incidents::event("run-1", "deployed", None)];
    append.state = RunState::Quarantined;
    write(&store, append.clone()).await;
    write(&store, append.clone()).await;
    let incident = crate::fixture::incident("inc-of-run-1");
    assert_eq!(store.timeline(&incident).await.unwrap(), append.timeline);
}

#[tokio::test]
async fn signals_are_left_once_and_read_in_order() {
    let place = Place::new();
    let store = place.open().await;
    let lease = claim(&store, new_run("run-1", &["production/shop"])).await;
    let signal = |id: &str| SignalEntry {
        id: id.to_owned(),
        signal: Signal::Cancel {
            reason: format!("reason of {id}"),
        },
        by: "ada".to_owned(),
        at: place.clock.now(),
    };
    for id in ["z", "a", "z"] {
        store.signal(&run("run-1"), signal(id)).await.unwrap();
    }
    assert_eq!(
        store.signals(&run("run-1"), 0).await.unwrap(),
        [signal("z"), signal("a")]
    );
    assert_eq!(store.signals(&run("run-1"), 1).await.unwrap(), [signal("a")]);
    assert_eq!(store.signals(&run("run-1"), 2).await.unwrap(), []);
    end(&store, &lease, 1).await;
    store.signal(&run("run-1"), signal("z")).await.unwrap();
    let error = store.signal(&run("run-1"), signal("late")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    let error = store.signal(&run("ghost"), signal("late")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}
