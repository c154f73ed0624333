//! What the contract leaves open about the outbox: updates that replace each other, names, late words, restarts.

use hotfix_core::ErrorKind;
use hotfix_core::model::Period;
use hotfix_core::port::{
    Delivered, IncidentStore, Lease, OutboxItem, OutboxState, Posting, PostingKind, Settlement,
};
use hotfix_store::SqliteStore;

use crate::fixture::{Place, claim, entry, new_run, posting, write};

const TTL: Period = Period::from_secs(30);

fn receipt(id: &str) -> Delivered {
    Delivered { channel: "C1".to_owned(), id: id.to_owned() }
}

/// An open run with the postings queued in order.
async fn queue(store: &SqliteStore, postings: Vec<(&str, Posting)>) -> Lease {
    let lease = claim(store, new_run("run-1", &["production/shop"])).await;
    more(store, &lease, 1, postings).await;
    lease
}

async fn more(store: &SqliteStore, lease: &Lease, seq: u64, postings: Vec<(&str, Posting)>) {
    let mut append = entry(lease, seq, "tells");
    append.postings = postings.into_iter().map(|(to, posting)| (to.to_owned(), posting)).collect();
    write(store, append).await;
}

async fn lease(store: &SqliteStore) -> Vec<OutboxItem> {
    let mut items = store.lease_outbox("slack", TTL, 10).await.unwrap();
    items.extend(store.lease_outbox("mail", TTL, 10).await.unwrap());
    items.sort_by_key(|item| item.id);
    items
}

fn names(items: &[OutboxItem]) -> Vec<(&str, &str)> {
    items.iter().map(|item| (item.destination.as_str(), item.posting.dedup.as_str())).collect()
}

async fn deliver(store: &SqliteStore, item: &OutboxItem, id: &str) {
    store.settle_outbox(item, Settlement::Delivered(receipt(id))).await.unwrap();
}

#[tokio::test]
async fn no_more_is_handed_out_than_asked_for_oldest_first() {
    let place = Place::new();
    let store = place.open().await;
    let names_of: Vec<String> = (0..5).map(|n| format!("run-{n}")).collect();
    let roots = names_of.iter().map(|name| ("slack", posting(name, name, PostingKind::Root)));
    queue(&store, roots.collect()).await;
    assert_eq!(
        names(&store.lease_outbox("slack", TTL, 2).await.unwrap()),
        [("slack", "run-0"), ("slack", "run-1")]
    );
    assert_eq!(store.lease_outbox("slack", TTL, 0).await.unwrap(), []);
    assert_eq!(lease(&store).await.len(), 3);
}

#[tokio::test]
async fn a_lease_that_ran_out_comes_back_as_uncertain_and_blocks_its_thread() {
    let place = Place::new();
    let store = place.open().await;
    let root = posting("root", "run-1", PostingKind::Root);
    let reply = posting("reply", "run-1", PostingKind::Reply);
    queue(&store, vec![("slack", root), ("slack", reply)]).await;
    lease(&store).await;
    store.close().await;
    let store = place.open().await;
    assert_eq!(lease(&store).await, []);
    place.clock.advance(TTL);
    let again = lease(&store).await;
    assert_eq!(names(&again), [("slack", "root")]);
    assert_eq!((&again[0].state, again[0].attempts), (&OutboxState::Uncertain, 1));
    let after = Period::from_secs(5);
    let cause = "no answer".to_owned();
    store.settle_outbox(&again[0], Settlement::Uncertain { after, cause }).await.unwrap();
    assert_eq!(lease(&store).await, [], "not before its time");
    let pending = store.undelivered().await.unwrap();
    assert_eq!(names(&pending), [("slack", "root"), ("slack", "reply")]);
    assert_eq!(pending[0].state, OutboxState::Uncertain);
    assert_eq!(pending[1].state, OutboxState::Waiting);
    place.clock.advance(after);
    let look = lease(&store).await;
    assert_eq!((&look[0].state, look[0].attempts), (&OutboxState::Uncertain, 2));
    deliver(&store, &look[0], "found").await;
    assert_eq!(names(&lease(&store).await), [("slack", "reply")]);
}

#[tokio::test]
async fn a_newer_update_replaces_an_older_one_that_nobody_took() {
    let place = Place::new();
    let store = place.open().await;
    let of = |name: &str, kind| ("slack", posting(name, "run-1", kind));
    let postings = vec![
        of("root", PostingKind::Root),
        of("update 1", PostingKind::Update),
        of("reply", PostingKind::Reply),
        of("update 2", PostingKind::Update),
    ];
    let run = queue(&store, postings).await;
    let mut sent = Vec::new();
    while let [item] = lease(&store).await.as_slice() {
        sent.push(item.posting.dedup.clone());
        if item.posting.dedup == "update 2" {
            more(&store, &run, 2, vec![of("update 3", PostingKind::Update)]).await;
        }
        deliver(&store, item, "m").await;
    }
    assert_eq!(sent, ["root", "reply", "update 2", "update 3"], "an update in flight is not replaced");
}

#[tokio::test]
async fn updates_of_another_thread_or_destination_are_left_alone() {
    let place = Place::new();
    let store = place.open().await;
    let update = |name: &str, thread: &str| posting(name, thread, PostingKind::Update);
    let postings = vec![
        ("slack", update("a", "run-1")),
        ("mail", update("b", "run-1")),
        ("slack", update("c", "run-2")),
        ("slack", update("d", "run-1")),
    ];
    queue(&store, postings).await;
    assert_eq!(names(&lease(&store).await), [("mail", "b"), ("slack", "c"), ("slack", "d")]);
}

#[tokio::test]
async fn a_name_is_used_once_per_destination_for_ever() {
    let place = Place::new();
    let store = place.open().await;
    let root = || posting("root", "run-1", PostingKind::Root);
    let run = queue(&store, vec![("slack", root()), ("mail", root()), ("slack", root())]).await;
    let leased = lease(&store).await;
    assert_eq!(names(&leased), [("slack", "root"), ("mail", "root")]);
    deliver(&store, &leased[0], "m").await;
    more(&store, &run, 2, vec![("slack", root())]).await;
    assert_eq!(lease(&store).await, []);
}

#[tokio::test]
async fn a_late_word_does_not_undo_a_delivery() {
    let place = Place::new();
    let store = place.open().await;
    queue(&store, vec![("slack", posting("root", "run-1", PostingKind::Root))]).await;
    let item = lease(&store).await.remove(0);
    store.settle_outbox(&item, Settlement::Delivered(receipt("m1"))).await.unwrap();
    let (after, cause) = (Period::from_secs(0), "late".to_owned());
    for late in [
        Settlement::Retry { after, cause: cause.clone() },
        Settlement::Uncertain { after, cause: cause.clone() },
        Settlement::Dead { cause },
    ] {
        store.settle_outbox(&item, late).await.unwrap();
    }
    assert_eq!(lease(&store).await, []);
    assert_eq!(store.undelivered().await.unwrap(), []);
    let unknown = OutboxItem { id: item.id + 1, ..item };
    let error = store.settle_outbox(&unknown, Settlement::Delivered(receipt("m"))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}
