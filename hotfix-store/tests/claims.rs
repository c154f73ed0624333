//! What the contract leaves open about claims, and what must survive a restart.

use hotfix_core::ErrorKind;
use hotfix_core::port::{IncidentStore, Lease};

use crate::fixture::{Place, TTL, claim, end, fenced, new_run, run, worker};

#[tokio::test]
async fn epochs_rise_above_every_epoch_of_every_target_across_restarts() {
    let place = Place::new();
    let store = place.open().await;
    let first = claim(&store, new_run("run-1", &["production/a"])).await;
    for _ in 0..3 {
        store.take_over(&run("run-1"), &worker("w1"), TTL, 0).await.unwrap();
    }
    end(&store, &Lease { epoch: 4, ..first }, 1).await;
    let other = claim(&store, new_run("run-2", &["production/b"])).await;
    assert_eq!(other.epoch, 1);
    end(&store, &other, 1).await;
    store.close().await;
    let store = place.open().await;
    let both = claim(&store, new_run("run-3", &["production/b", "production/a"])).await;
    assert_eq!(both.epoch, 5);
    end(&store, &both, 1).await;
    assert_eq!(claim(&store, new_run("run-4", &["production/b"])).await.epoch, 6);
}

#[tokio::test]
async fn senseless_claims_are_named() {
    let place = Place::new();
    let store = place.open().await;
    let error = store.open_run(new_run("run-1", &["production/a", "production/a"])).await.unwrap_err();
    let expected = "store.open_run: invalid: a target is claimed twice: name it once (target=production/a)";
    assert_eq!(error.to_string(), expected);
    let error = store.open_run(new_run("run-1", &[])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let lease = claim(&store, new_run("run-1", &["production/a"])).await;
    assert_eq!(
        store.runs(hotfix_core::port::RunFilter::Open).await.unwrap()[0].claims,
        [fenced("production/a")]
    );
    end(&store, &lease, 1).await;
}
