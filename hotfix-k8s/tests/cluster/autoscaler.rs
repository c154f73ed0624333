//! An autoscaler that follows the live slot, scaled by the real controller.

use std::num::NonZeroU16;

use hotfix_core::model::{Precondition, Verb, Weights};
use hotfix_core::port::{Deployer, Reply};
use hotfix_k8s::{OnAutoscaler, TargetConfig};
use hotfix_testkit::cluster::TestCluster;
use serde_json::{Value, json};

use super::site::{Kind, Shop, autoscaler, call, deployment, release, slot, until};

async fn open() -> Shop {
    let cluster = TestCluster::shared().await.expect("a cluster");
    let on_autoscaler = OnAutoscaler::Follow { name: Some("shop-scaler".to_owned()) };
    let change = |config| TargetConfig { on_autoscaler, ..config };
    let shop = Shop::configured(cluster, change, &deployment(cluster, 2), &[]).await;
    shop.create(Kind::Autoscaler, &autoscaler("shop-scaler")).await;
    shop.adopt().await.expect("adopted");
    shop
}

async fn spec(shop: &Shop) -> Value {
    shop.read(Kind::Autoscaler, "shop-scaler").await["spec"].clone()
}

async fn size(shop: &Shop, name: &str) -> Value {
    shop.read(Kind::Deployment, name).await["spec"]["replicas"].clone()
}

async fn apply(shop: &Shop, seq: u32, verb: &Verb) {
    let call = call(&format!("k{seq}"), seq);
    let reply = shop.deployer.apply(&call, &shop.target, verb, &Precondition::default()).await;
    assert!(matches!(reply, Reply::Applied(_)), "{verb}: {reply:?}");
}

fn shift(to: &str) -> Verb {
    Verb::Shift { weights: Weights::all(slot(to)) }
}

fn promote(name: &str) -> Verb {
    Verb::Promote { slot: slot(name) }
}

async fn stage(shop: &Shop, seq: u32, name: &str, replicas: u16) {
    let replicas = NonZeroU16::new(replicas).expect("some");
    let release = release(shop.test_cluster, 2);
    apply(shop, seq, &Verb::Stage { slot: slot(name), release, replicas }).await;
    shop.until_ready(name).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_scales_whichever_slot_is_live_and_comes_home_as_it_was() {
    let shop = open().await;
    let before = spec(&shop).await;
    stage(&shop, 1, "hotfix", 2).await;
    apply(&shop, 2, &shift("hotfix")).await;
    let held = spec(&shop).await;
    assert_eq!((&held["scaleTargetRef"]["name"], &held["minReplicas"]), (&json!("shop"), &json!(2)));
    apply(&shop, 3, &promote("hotfix")).await;
    let moved = spec(&shop).await;
    assert_eq!((&moved["scaleTargetRef"]["name"], &moved["minReplicas"]), (&json!("shop-hotfix"), &json!(1)));
    // The real controller scales what it is told to.
    shop.edit(Kind::Autoscaler, "shop-scaler", &json!({"spec": {"minReplicas": 3}})).await;
    until("the copy is scaled", || async { size(&shop, "shop-hotfix").await == 3 }).await;
    assert_eq!(size(&shop, "shop").await, 2);
    shop.edit(Kind::Autoscaler, "shop-scaler", &json!({"spec": {"minReplicas": 1}})).await;
    stage(&shop, 4, "main", 2).await;
    assert_eq!(size(&shop, "shop").await, 3, "as many as are live");
    apply(&shop, 5, &shift("main")).await;
    apply(&shop, 6, &promote("main")).await;
    apply(&shop, 7, &Verb::Retire { slot: slot("hotfix") }).await;
    assert_eq!(spec(&shop).await, before);
    assert_eq!((size(&shop, "shop").await, size(&shop, "shop-hotfix").await), (json!(3), json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_scaled_during_a_run_is_scaled_on_both_sides_and_no_rollback_shrinks_it() {
    let shop = open().await;
    let (before, snapshot) =
        (spec(&shop).await, shop.deployer.snapshot(&shop.target).await.expect("a snapshot"));
    assert_eq!(snapshot.backend["autoscalers"], json!({"shop-scaler": {"min": 1, "max": 5}}));
    stage(&shop, 1, "hotfix", 2).await;
    shop.edit(Kind::Deployment, "shop", &json!({"spec": {"replicas": 4}})).await;
    apply(&shop, 2, &shift("hotfix")).await;
    assert_eq!(size(&shop, "shop-hotfix").await, 4);
    apply(&shop, 3, &promote("hotfix")).await;
    apply(&shop, 4, &Verb::Restore { snapshot }).await;
    assert_eq!(spec(&shop).await, before);
    assert_eq!((size(&shop, "shop").await, size(&shop, "shop-hotfix").await), (json!(4), json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bound_that_somebody_sets_during_a_run_stays() {
    let shop = open().await;
    let snapshot = shop.deployer.snapshot(&shop.target).await.expect("a snapshot");
    stage(&shop, 1, "hotfix", 2).await;
    apply(&shop, 2, &shift("hotfix")).await;
    shop.edit(Kind::Autoscaler, "shop-scaler", &json!({"spec": {"minReplicas": 3, "maxReplicas": 7}})).await;
    apply(&shop, 3, &Verb::Restore { snapshot }).await;
    let after = spec(&shop).await;
    assert_eq!((&after["minReplicas"], &after["maxReplicas"]), (&json!(3), &json!(7)));
}
