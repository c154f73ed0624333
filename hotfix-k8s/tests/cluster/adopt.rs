//! What adopting a target makes, leaves and refuses.

use std::collections::BTreeSet;

use hotfix_core::ErrorKind;
use hotfix_core::model::{Rollout, Stamp, Weights};
use hotfix_core::port::Deployer;
use hotfix_testkit::cluster::TestCluster;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use super::site::{Kind, Shop, autoscaler, deployment, release, slot};

/// What an owner wrote, without what the server and this crate note about it.
fn written(object: &Value) -> (Value, Value) {
    (object["spec"].clone(), object["metadata"]["labels"].clone())
}

fn names(pods: &[Pod]) -> BTreeSet<Option<String>> {
    pods.iter().map(|pod| pod.metadata.name.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn adopting_makes_an_empty_copy_and_touches_nothing_else() {
    let cluster = TestCluster::shared().await.expect("a cluster");
    let shop = Shop::unadopted(cluster, &deployment(cluster, 2)).await;
    let main = shop.read(Kind::Deployment, "shop").await;
    let service = shop.read(Kind::Service, "shop").await;
    let pods = names(&shop.pods("shop").await);
    let before = shop.deployer.observe(&shop.target).await.expect("it can be observed before");
    assert_eq!((before.slot(&slot("hotfix")), before.stamp), (None, Stamp::ZERO));

    for _ in 0..2 {
        shop.adopt().await.expect("adopted");
    }
    let adopted = shop.read(Kind::Deployment, "shop").await;
    assert_eq!(written(&adopted), written(&main));
    assert_eq!(names(&shop.pods("shop").await), pods, "no rollout");
    assert_eq!(written(&shop.read(Kind::Service, "shop").await), written(&service));

    let copy = shop.read(Kind::Deployment, "shop-hotfix").await;
    let mut expected = main["spec"].clone();
    expected["replicas"] = json!(0);
    expected["selector"]["matchLabels"]["app"] = json!("shop-hotfix");
    expected["template"]["metadata"]["labels"]["app"] = json!("shop-hotfix");
    expected["template"]["metadata"]["labels"]["hotfix.dev/slot"] = json!("hotfix");
    assert_eq!(copy["spec"], expected);

    let workload = shop.deployer.observe(&shop.target).await.expect("a workload");
    assert_eq!(workload, before, "only the fence is new, and it stands at zero");
    assert_eq!(workload.live_state().map(|live| live.release.clone()), Some(release(cluster, 1)));
    assert_eq!(workload.weights, Some(Weights::all(slot("main"))));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_understood_or_not_ours_is_refused_before_anything_is_made() {
    let cluster = TestCluster::shared().await.expect("a cluster");
    let edits = [
        (
            Kind::Deployment,
            json!({"metadata": {"labels": {"argocd.argoproj.io/instance": "store"}}}),
            "belongs to Argo CD application store (by its label argocd.argoproj.io/instance)",
        ),
        (
            Kind::Service,
            json!({"metadata": {"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}}}),
            "belongs to Flux Kustomization apps (by its label kustomize.toolkit.fluxcd.io/name)",
        ),
        (
            Kind::Service,
            json!({"spec": {"selector": {"tier": "web"}}}),
            "its selector at /spec/selector/tier is \"web\"",
        ),
        (
            Kind::Deployment,
            json!({"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "shop/web:latest"}]}}}}),
            "the image shop/web:latest",
        ),
    ];
    for (kind, edit, expected) in edits {
        let shop = Shop::unadopted(cluster, &deployment(cluster, 1)).await;
        shop.edit(kind, "shop", &edit).await;
        let error = shop.adopt().await.expect_err(expected).to_string();
        assert!(
            error.starts_with("production/shop cannot be adopted: ") && error.contains(expected),
            "{error}"
        );
        assert!(
            shop.api(Kind::Deployment).get_opt("shop-hotfix").await.expect("read").is_none(),
            "{expected}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_appears_later_is_seen_when_the_target_is_observed() {
    let cluster = TestCluster::shared().await.expect("a cluster");
    let shop = Shop::open(cluster).await;
    shop.create(Kind::Autoscaler, &autoscaler("shop-scaler")).await;
    let error = shop.deployer.observe(&shop.target).await.expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let text = error.to_string();
    assert!(text.contains("HorizontalPodAutoscaler shop-scaler sets the replicas of Deployment"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_of_the_name_that_is_no_copy_is_left_alone() {
    let cluster = TestCluster::shared().await.expect("a cluster");
    let shop = Shop::unadopted(cluster, &deployment(cluster, 1)).await;
    let mut foreign = deployment(cluster, 0);
    foreign["metadata"]["name"] = json!("shop-hotfix");
    foreign["spec"]["selector"]["matchLabels"]["app"] = json!("shop-hotfix");
    foreign["spec"]["template"]["metadata"]["labels"]["app"] = json!("shop-hotfix");
    shop.create(Kind::Deployment, &foreign).await;
    let before = shop.read(Kind::Deployment, "shop-hotfix").await;
    let error = shop.adopt().await.expect_err("refused").to_string();
    assert!(error.contains("/shop-hotfix exists and is no copy of Deployment"), "{error}");
    assert_eq!(written(&shop.read(Kind::Deployment, "shop-hotfix").await), written(&before));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_somebody_paused_is_seen_as_paused() {
    let cluster = TestCluster::shared().await.expect("a cluster");
    let shop = Shop::open(cluster).await;
    shop.edit(Kind::Deployment, "shop", &json!({"spec": {"paused": true}})).await;
    let workload = shop.deployer.observe(&shop.target).await.expect("a workload");
    assert_eq!(workload.rollout, Rollout::Paused);
}
