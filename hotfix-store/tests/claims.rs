//! One run per target; a lease that can be taken over; epochs that only rise.

use hotfix_core::ErrorKind;
use hotfix_core::model::Period;
use hotfix_core::port::{
    Appended, Claim, Clock, IncidentStore, Lease, Opened, Renewed, RunFilter, RunState, TakenOver,
};

use crate::fixture::{Place, TTL, claim, end, entry, fenced, incident, new_run, run, worker};

#[tokio::test]
async fn a_second_run_learns_who_since_when_and_until_when() {
    let place = Place::new();
    let store = place.open().await;
    let since = place.clock.now();
    let lease = claim(&store, new_run("run-1", &["staging/shop", "production/shop"])).await;
    assert_eq!(
        lease,
        Lease {
            run: run("run-1"),
            epoch: 1,
            expires_at: since + TTL.to_delta()
        }
    );
    place.clock.advance(Period::from_secs(3));
    let refused = store
        .open_run(new_run("run-2", &["source/shop", "production/shop"]))
        .await
        .unwrap();
    assert_eq!(
        refused,
        Opened::Busy(Claim {
            target: fenced("production/shop"),
            run: run("run-1"),
            holder: worker("w1"),
            since,
            expires_at: since + TTL.to_delta(),
        })
    );
    let listed: Vec<_> = store
        .runs(RunFilter::All)
        .await
        .unwrap()
        .into_iter()
        .map(|run| run.run)
        .collect();
    assert_eq!(listed, [run("run-1")], "a refusal writes nothing");
    claim(&store, new_run("run-3", &["source/shop"])).await;
}

#[tokio::test]
async fn an_expired_lease_opens_the_run_to_others_and_the_target_to_nobody() {
    let place = Place::new();
    let store = place.open().await;
    claim(&store, new_run("run-1", &["production/shop"])).await;
    place.clock.advance(TTL);
    let other = store
        .open_run(new_run("run-2", &["production/shop"]))
        .await
        .unwrap();
    assert!(matches!(other, Opened::Busy(Claim { run: holder, .. }) if holder == run("run-1")));
    let taken = store.take_over(&run("run-1"), &worker("w2"), TTL).await.unwrap();
    let expires_at = place.clock.now() + TTL.to_delta();
    assert_eq!(
        taken,
        TakenOver::Owned(Lease {
            run: run("run-1"),
            epoch: 2,
            expires_at
        })
    );
}

#[tokio::test]
async fn a_living_lease_is_taken_over_by_its_own_worker_only() {
    let place = Place::new();
    let store = place.open().await;
    let lease = claim(&store, new_run("run-1", &["production/shop"])).await;
    let held = Claim {
        target: fenced("production/shop"),
        run: run("run-1"),
        holder: worker("w1"),
        since: place.clock.now(),
        expires_at: lease.expires_at,
    };
    let taken = store.take_over(&run("run-1"), &worker("w2"), TTL).await.unwrap();
    assert_eq!(taken, TakenOver::Busy(held));
    let taken = store.take_over(&run("run-1"), &worker("w1"), TTL).await.unwrap();
    assert_eq!(taken, TakenOver::Owned(Lease { epoch: 2, ..lease }));
}

#[tokio::test]
async fn who_lost_the_lease_can_neither_write_nor_renew() {
    let place = Place::new();
    let store = place.open().await;
    let old = claim(&store, new_run("run-1", &["production/shop"])).await;
    place.clock.advance(TTL);
    store.take_over(&run("run-1"), &worker("w2"), TTL).await.unwrap();
    let stale = store.append(entry(&old, 1, "late")).await.unwrap();
    assert_eq!(stale, Appended::Lost { epoch: 2 });
    let renewed = store.renew(&run("run-1"), old.epoch, TTL).await.unwrap();
    assert_eq!(renewed, Renewed::Lost { epoch: 2 });
    assert_eq!(store.journal(&run("run-1"), 0).await.unwrap().len(), 1);
}

#[tokio::test]
async fn renewal_moves_the_end_of_the_lease_and_stops_with_the_run() {
    let place = Place::new();
    let store = place.open().await;
    let lease = claim(&store, new_run("run-1", &["production/shop"])).await;
    place.clock.advance(Period::from_secs(10));
    let until = place.clock.now() + TTL.to_delta();
    let renewed = store.renew(&run("run-1"), lease.epoch, TTL).await.unwrap();
    assert_eq!(renewed, Renewed::Until(until));
    place.clock.advance(Period::from_secs(10));
    let taken = store.take_over(&run("run-1"), &worker("w2"), TTL).await.unwrap();
    assert!(matches!(taken, TakenOver::Busy(Claim { expires_at, .. }) if expires_at == until));
    end(&store, &lease, 1).await;
    let renewed = store.renew(&run("run-1"), lease.epoch, TTL).await.unwrap();
    assert_eq!(renewed, Renewed::Lost { epoch: 1 });
    let taken = store.take_over(&run("run-1"), &worker("w1"), TTL).await.unwrap();
    assert_eq!(taken, TakenOver::Ended);
}

#[tokio::test]
async fn epochs_rise_per_target_across_runs_and_restarts() {
    let place = Place::new();
    let store = place.open().await;
    let first = claim(&store, new_run("run-1", &["production/a"])).await;
    for _ in 0..3 {
        store.take_over(&run("run-1"), &worker("w1"), TTL).await.unwrap();
    }
    end(&store, &Lease { epoch: 4, ..first }, 1).await;
    let other = claim(&store, new_run("run-2", &["production/b"])).await;
    assert_eq!(other.epoch, 1);
    end(&store, &other, 1).await;
    store.close().await;
    let store = place.open().await;
    let both = claim(&store, new_run("run-3", &["production/b", "production/a"])).await;
    assert_eq!(both.epoch, 5, "above every epoch ever used on either target");
    end(&store, &both, 1).await;
    assert_eq!(claim(&store, new_run("run-4", &["production/b"])).await.epoch, 6);
}

#[tokio::test]
async fn a_run_id_is_used_once() {
    let place = Place::new();
    let store = place.open().await;
    let lease = claim(&store, new_run("run-1", &["production/shop"])).await;
    end(&store, &lease, 1).await;
    let error = store
        .open_run(new_run("run-1", &["production/shop"]))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "store.open_run: already exists: a run of this id was opened before: make a fresh id, or take the run over \
         (run=run-1)"
    );
}

#[tokio::test]
async fn a_run_without_targets_is_refused() {
    let place = Place::new();
    let error = place
        .open()
        .await
        .open_run(new_run("run-1", &[]))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn quarantine_keeps_the_claims_and_the_end_releases_them() {
    let place = Place::new();
    let store = place.open().await;
    let lease = claim(&store, new_run("run-1", &["production/shop"])).await;
    let mut quarantine = entry(&lease, 1, "cannot seal");
    quarantine.state = RunState::Quarantined;
    store.append(quarantine).await.unwrap();
    let open = store.runs(RunFilter::Open).await.unwrap();
    assert_eq!(open[0].state, RunState::Quarantined);
    let refused = store
        .open_run(new_run("run-2", &["production/shop"]))
        .await
        .unwrap();
    assert!(matches!(refused, Opened::Busy(_)));
    end(&store, &lease, 2).await;
    claim(&store, new_run("run-2", &["production/shop"])).await;
}

#[tokio::test]
async fn the_list_tells_everything_about_a_run() {
    let place = Place::new();
    let store = place.open().await;
    let opened_at = place.clock.now();
    let first = claim(&store, new_run("run-1", &["staging/shop", "production/shop"])).await;
    end(&store, &first, 1).await;
    let second = claim(&store, new_run("run-2", &["production/shop"])).await;
    let open = store.runs(RunFilter::Open).await.unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].run, second.run);
    let all = store.runs(RunFilter::All).await.unwrap();
    assert_eq!(all[1], open[0]);
    assert_eq!(
        all[0],
        hotfix_core::port::RunSummary {
            run: run("run-1"),
            state: RunState::Ended,
            holder: worker("w1"),
            epoch: 1,
            claims: vec![fenced("staging/shop"), fenced("production/shop")],
            incident: incident("inc-of-run-1"),
            opened_at,
            expires_at: first.expires_at,
            entries: 2,
        }
    );
}

#[tokio::test]
async fn an_unknown_run_is_not_found_by_any_call() {
    let place = Place::new();
    let store = place.open().await;
    let ghost = Lease {
        run: run("ghost"),
        epoch: 1,
        expires_at: place.clock.now(),
    };
    let kinds = [
        store.append(entry(&ghost, 0, "x")).await.unwrap_err().kind(),
        store.renew(&ghost.run, 1, TTL).await.unwrap_err().kind(),
        store
            .take_over(&ghost.run, &worker("w1"), TTL)
            .await
            .unwrap_err()
            .kind(),
        store.journal(&ghost.run, 0).await.unwrap_err().kind(),
        store.signals(&ghost.run, 0).await.unwrap_err().kind(),
    ];
    assert_eq!(kinds, [ErrorKind::NotFound; 5]);
}
