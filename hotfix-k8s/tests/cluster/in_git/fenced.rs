//! What the fence of the repository keeps out.

use std::sync::Arc;

use hotfix_core::model::{Precondition, Stamp};
use hotfix_core::port::{Conflict, Deployer, Probe, Reply, Seal};
use hotfix_k8s::KubernetesDeployer;
use hotfix_testkit::fault::{Faults, FaultyVersionControl, Mishap, Operation};

use super::super::site::{call, release, slot, until};
use super::shop::{GitShop, stage};

/// A deployer as another process has it, and what becomes of its next push.
fn unlucky(shop: &GitShop, mishap: Mishap) -> (KubernetesDeployer, Faults) {
    let faults = Faults::none();
    faults.add(Operation::Apply, mishap);
    let repository = FaultyVersionControl::new(shop.fleet.clone_for("second"), faults.clone());
    (shop.deployer_with(shop.user.clone(), Arc::new(repository)), faults)
}

/// Nothing on the Deployment could keep it out: the owner applies whatever is in git.
#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_arrives_after_the_seal_is_refused_by_the_repository() {
    let shop = GitShop::open().await;
    let (late, faults) = unlucky(&shop, Mishap::Held);
    let (sent, target, verb) = (call("late", 10), shop.target.clone(), stage(&release(shop.cluster, 2)));
    let key = sent.key.clone();
    let sending =
        tokio::spawn(async move { late.apply(&sent, &target, &verb, &Precondition::default()).await });
    until("it is on its way", || async { !faults.happened().is_empty() }).await;
    let seal = Stamp::new(1, 11);
    assert!(matches!(shop.deployer.seal(&shop.target, seal).await, Seal::Sealed(_)));
    assert_eq!(shop.deployer.probe(&shop.target, &key).await, Probe::NotApplied);
    assert_eq!(faults.release().await, 1);
    let reply = sending.await.expect("an answer");
    assert_eq!(reply, Reply::Conflict(Conflict::Fenced { current: seal }));

    assert_eq!(shop.fleet.log().len(), 1);
    shop.file_names(&release(shop.cluster, 1));
    let workload = shop.deployer.observe(&shop.target).await.expect("a workload");
    assert_eq!((workload.live.clone(), workload.slot(&slot("hotfix"))), (Some(slot("main")), None));
    assert_eq!(workload.stamp, seal);
}

/// A push whose answer is lost may have happened: the seal and the probe tell.
#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_happened_is_found_by_the_probe() {
    let shop = GitShop::open().await;
    let (cut, _faults) = unlucky(&shop, Mishap::ReplyLost);
    let sent = call("cut", 10);
    let verb = stage(&release(shop.cluster, 2));
    let reply = cut.apply(&sent, &shop.target, &verb, &Precondition::default()).await;
    assert!(matches!(reply, Reply::Ambiguous(_)), "{reply:?}");
    assert_eq!(shop.fleet.log().len(), 2);
    assert!(matches!(shop.deployer.seal(&shop.target, Stamp::new(1, 11)).await, Seal::Sealed(_)));
    assert!(matches!(shop.deployer.probe(&shop.target, &sent.key).await, Probe::Applied(_)));
    shop.until_ready("hotfix").await;
}
