//! A process dies after it switched the sync of an owner off: what becomes of the sync.

use hotfix_core::model::{Precondition, Stamp, Verb};
use hotfix_core::port::{Call, Conflict, Deployer, Probe, Reply, Seal};
use hotfix_testkit::cluster::{Disturbance, FaultProxy};

use super::gitops::{Owned, is_change, is_pause, shift, stage};
use super::gitops_controller::Tool;
use super::site::{Shop, call, release};

/// A process is killed after it switched the sync off and before it changed anything.
async fn killed_after_the_pause(owned: &Owned, verb: &Verb) -> FaultProxy {
    let (proxy, deployer) = owned.behind_a_proxy().await;
    proxy.next(is_change, Disturbance::Hold);
    let (target, verb) = (owned.shop.target.clone(), verb.clone());
    let killed = tokio::spawn(async move {
        deployer.apply(&call("k1", 1), &target, &verb, &Precondition::default()).await
    });
    proxy.held(1).await;
    killed.abort();
    assert!(!owned.controller.is_on().await);
    proxy
}

/// Whoever takes over seals the target and finds nothing applied.
async fn taken_over(owned: &Owned) {
    let Shop { deployer, target, .. } = &owned.shop;
    assert!(matches!(deployer.seal(target, Stamp::new(2, 1)).await, Seal::Sealed(_)));
    assert_eq!(deployer.probe(target, &call("k1", 1).key).await, Probe::NotApplied);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_the_pause_and_the_change_is_gone_on_from() {
    let owned = Owned::open(Tool::ArgoCd).await;
    let (shop, snapshot) = (&owned.shop, owned.snapshot().await);
    let verb = stage("hotfix", &release(shop.test_cluster, 2));
    let proxy = killed_after_the_pause(&owned, &verb).await;
    taken_over(&owned).await;
    let after = |key: &str, seq| Call { stamp: Stamp::new(2, seq), ..call(key, seq) };
    for (call, verb) in [(after("k1", 2), &verb), (after("undo", 3), &Verb::Restore { snapshot })] {
        let reply = shop.deployer.apply(&call, &shop.target, verb, &Precondition::default()).await;
        assert!(matches!(reply, Reply::Applied(_)), "{reply:?}");
    }
    assert_eq!(proxy.release().await, [422], "the fence stands higher");
    assert!(owned.controller.is_as_made().await, "{}", owned.controller.owner().await);
    assert_eq!(owned.controller.reverts(), 0);
}

/// A run that is called off now has nothing to undo, so nobody would give it back later.
#[tokio::test(flavor = "multi_thread")]
async fn a_pause_before_a_change_that_never_came_is_given_back_by_the_seal() {
    let owned = Owned::open(Tool::ArgoCd).await;
    let verb = stage("hotfix", &release(owned.shop.test_cluster, 2));
    let proxy = killed_after_the_pause(&owned, &verb).await;
    taken_over(&owned).await;
    assert!(owned.controller.is_as_made().await, "{}", owned.controller.owner().await);
    assert_eq!(proxy.release().await, [422], "the fence stands higher");
    assert_eq!(owned.controller.reverts(), 0);
}

/// What was changed may not be taken back by the owner: its sync stays off for whoever goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_pause_with_a_change_outlives_every_takeover() {
    let owned = Owned::open(Tool::ArgoCd).await;
    let shop = &owned.shop;
    owned.apply(1, &stage("hotfix", &release(shop.test_cluster, 2))).await;
    let shift = shift("hotfix");
    for epoch in 2..4 {
        let seal = shop.deployer.seal(&shop.target, Stamp::new(epoch, 1)).await;
        assert!(matches!(seal, Seal::Sealed(_)), "{seal:?}");
        assert!(!owned.controller.is_on().await, "epoch {epoch}");
        let call = Call { stamp: Stamp::new(epoch, 2), ..call("k2", 2) };
        let (proxy, deployer) = owned.behind_a_proxy().await;
        proxy.next(is_change, Disturbance::Reset);
        deployer.apply(&call, &shop.target, &shift, &Precondition::default()).await;
    }
    assert_eq!(owned.controller.reverts(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_that_a_crash_left_behind_is_told_of_and_waits_for_whoever_takes_over() {
    let owned = Owned::open(Tool::ArgoCd).await;
    let verb = stage("hotfix", &release(owned.shop.test_cluster, 2));
    killed_after_the_pause(&owned, &verb).await;
    let said = owned.notices().await;
    assert!(said.len() == 1 && said[0].ends_with("if its process died, have it taken over"), "{said:?}");
    let error =
        owned.shop.deployer.resume_sync(&owned.shop.target).await.expect_err("what was held may come");
    assert!(error.to_string().contains("a run is under way at"), "{error}");
    assert!(!owned.controller.is_on().await);
    taken_over(&owned).await;
    assert!(owned.controller.is_as_made().await, "{}", owned.controller.owner().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_that_comes_late_meets_the_seal() {
    let owned = Owned::open(Tool::ArgoCd).await;
    let shop = &owned.shop;
    let (proxy, deployer) = owned.behind_a_proxy().await;
    proxy.next(is_pause, Disturbance::Hold);
    let (target, verb) = (shop.target.clone(), stage("hotfix", &release(shop.test_cluster, 2)));
    let late = tokio::spawn(async move {
        deployer.apply(&call("k1", 1), &target, &verb, &Precondition::default()).await
    });
    proxy.held(1).await;
    assert!(matches!(shop.deployer.seal(&shop.target, Stamp::new(2, 1)).await, Seal::Sealed(_)));
    assert_eq!(proxy.release().await, [422]);
    let reply = late.await.expect("it ends");
    assert_eq!(reply, Reply::Conflict(Conflict::Fenced { current: Stamp::new(2, 1) }));
    assert!(owned.controller.is_as_made().await, "{}", owned.controller.owner().await);
}
