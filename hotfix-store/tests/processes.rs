//! Several stores on one file, in one process and in several.

use futures_util::future::join_all;
use hotfix_core::model::WorkerName;
use hotfix_core::port::{Appended, IncidentStore, Lease, Opened, TakenOver};

use crate::fixture::{Place, TTL, bodies, claim, end, entry, new_run, run, worker, write};

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_stores_wins_each_claim() {
    let place = Place::new();
    let stores = [place.open().await, place.open().await];
    for round in 0..50 {
        let target = format!("production/s{round}");
        let attempts = stores
            .iter()
            .enumerate()
            .map(|(n, store)| store.open_run(new_run(&format!("run-{round}-{n}"), &[&target])));
        let answers: Vec<_> = join_all(attempts).await.into_iter().map(Result::unwrap).collect();
        let winner = answers.iter().find_map(|answer| match answer {
            Opened::Claimed { lease, .. } => Some(&lease.run),
            Opened::Busy(_) => None,
        });
        let losers: Vec<_> = answers
            .iter()
            .filter_map(|answer| match answer {
                Opened::Busy(claim) => Some(&claim.run),
                Opened::Claimed { .. } => None,
            })
            .collect();
        assert_eq!(losers, [winner.unwrap()], "round {round}");
    }
}

#[tokio::test]
async fn a_store_notices_what_another_one_wrote() {
    let place = Place::new();
    let (ours, theirs) = (place.open().await, place.open().await);
    let old = claim(&ours, new_run("run-1", &["production/shop"])).await;
    write(&ours, entry(&old, 1, "ours")).await;
    let TakenOver::Owned(new) = theirs.take_over(&old.run, &worker("w1"), TTL, 0).await.unwrap() else {
        panic!("held by the same worker");
    };
    write(&theirs, entry(&new, 2, "theirs")).await;
    let stale = ours.append(entry(&old, 2, "stale")).await.unwrap();
    assert_eq!(stale, Appended::Lost { epoch: 2 });
    write(&ours, entry(&new, 3, "handed back")).await;
    let both = ["run-1 planned", "ours", "theirs", "handed back"];
    assert_eq!(bodies(&ours, &run("run-1")).await, both);
    assert_eq!(bodies(&theirs, &run("run-1")).await, both);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_busy_writers_share_the_file() {
    const EACH: u64 = 200;
    let place = Place::new();
    let stores = [place.open().await, place.open().await];
    let work = stores.iter().enumerate().map(|(n, store)| async move {
        let lease = claim(store, new_run(&format!("run-{n}"), &[&format!("production/s{n}")])).await;
        for seq in 1..EACH {
            write(store, entry(&lease, seq, &format!("{n}-{seq}"))).await;
        }
    });
    join_all(work).await;
    for n in 0..2 {
        let written = bodies(&stores[1 - n], &run(&format!("run-{n}"))).await;
        assert_eq!(written.len() as u64, EACH);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stores_that_create_one_file_at_once_all_open_it() {
    for _ in 0..10 {
        let place = Place::new();
        let stores = join_all((0..4).map(|_| place.open())).await;
        let lease = claim(&stores[0], new_run("run-1", &["production/shop"])).await;
        end(&stores[3], &lease, 1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_want_to_take_over_one_does() {
    let place = Place::new();
    let stores = [place.open().await, place.open().await];
    let old = claim(&stores[0], new_run("run-1", &["production/shop"])).await;
    place.clock.advance(TTL);
    let workers: Vec<WorkerName> = (2..10).map(|n| worker(&format!("w{n}"))).collect();
    let attempts =
        workers.iter().enumerate().map(|(n, worker)| stores[n % 2].take_over(&old.run, worker, TTL, 0));
    let answers: Vec<_> = join_all(attempts).await.into_iter().map(Result::unwrap).collect();
    let owned: Vec<&Lease> = answers
        .iter()
        .filter_map(|answer| match answer {
            TakenOver::Owned(lease) => Some(lease),
            _ => None,
        })
        .collect();
    assert_eq!(owned.len(), 1);
    assert_eq!(owned[0].epoch, 2);
}
