//! Other forms than a manifest: what is written there goes live and comes back, by the owner that applies each.

use hotfix_core::model::{Precondition, Verb};
use hotfix_core::port::{Deployer, Reply};

use super::super::site::{call, release};
use super::form::{Form, KUSTOMIZATION, VALUES};
use super::shop::{GitShop, PODS, shift, stage};

/// A release goes live and is taken back, each by one commit that changes nothing but what names the image.
async fn goes_live_and_comes_back(form: &'static Form) {
    let shop = GitShop::of(form).await;
    let (old, fix) = (release(shop.cluster, 1), release(shop.cluster, 2));
    let before = shop.fleet.show(form.file);
    let snapshot = shop.deployer.snapshot(&shop.target).await.expect("a snapshot");
    shop.applied(1, &stage(&fix)).await;
    shop.file_names(&fix);
    shop.until_running(&fix, PODS).await;
    shop.until_ready("hotfix").await;
    shop.applied(2, &shift("hotfix")).await;

    let undo = Verb::Restore { snapshot };
    let either = Precondition { live: vec![old.artifact.id(), fix.artifact.id()], holds: None };
    let reply = shop.deployer.apply(&call("undo", 3), &shop.target, &undo, &either).await;
    assert!(matches!(reply, Reply::Applied(_)), "{reply:?}");
    shop.until_running(&old, PODS).await;
    assert_eq!(shop.fleet.show(form.file), before);
    let log = shop.fleet.log();
    let told: Vec<_> = log.iter().map(|told| (told.subject.as_str(), told.paths.as_slice())).collect();
    let file = [form.file.to_owned()];
    assert_eq!(
        told[1..],
        [("Put v1.0.2 on production/shop", &file[..]), ("Put v1.0.1 back on production/shop", &file)]
    );
    // Flux is asked with a word that it has not heard before, which is the name of the call.
    assert_eq!(shop.applier.asked(), ["k1@1.1", "undo@1.3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_of_a_kustomization_goes_live_and_comes_back() {
    goes_live_and_comes_back(&KUSTOMIZATION).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_a_chart_go_live_and_come_back() {
    goes_live_and_comes_back(&VALUES).await;
}
