//! A first stage that stops half-way: what it changed until then is taken back, although it was never applied.

use hotfix_core::execute::{Cause, Outcome};
use hotfix_core::request::Strategy;
use hotfix_k8s::{ReplicasTraffic, TargetConfig, Traffic, WorkloadKind};
use hotfix_testkit::cluster::{Disturbance, FaultProxy};
use hotfix_testkit::http::Recorded;
use serde_json::json;

use super::faults::status;
use super::pods::image;
use super::set::{self, PODS, SetShop};
use super::site::{Kind, config, deployer_with, is_patch, release};
use super::stage::{Stage, end, quick};

fn is_taken_back(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::RolledBack { cause: Cause::Step { .. }, left } if left.is_empty())
}

fn denied() -> Disturbance {
    Disturbance::Instead(status(403, "Forbidden", "the image is not signed"))
}

fn fills_the_copy(request: &Recorded) -> bool {
    is_patch(request, "/deployments/shop-hotfix") && request.text().contains("/spec/template")
}

/// The Service was pinned to the pods that it selects, so that the copy's get no traffic before their share. The next
/// rollout of its team would get none, either.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_was_pinned_for_a_copy_that_is_denied_selects_as_before() {
    let traffic = || Traffic::Replicas(ReplicasTraffic::default());
    let stage = Stage::open(traffic(), quick()).await;
    let shop = &stage.shop;
    let before = shop.read(Kind::Service, "shop").await["spec"].clone();
    let proxy = FaultProxy::start(&shop.user).await.expect("a proxy");
    let config = TargetConfig { traffic: traffic(), ..config(&shop.namespace) };
    let deployer = deployer_with(config, &shop.target, proxy.through(&shop.user));
    let engine = stage.builder("denied", quick()).deployer(deployer).build().expect("a complete engine");
    proxy.every(fills_the_copy, denied());

    let fix = release(shop.test_cluster, 2);
    let outcome = end(stage.deploy_by(&engine, &fix, Strategy::Canary).await).await;

    assert!(is_taken_back(&outcome), "{outcome}");
    let pinned = |patch: &String| patch.contains("/spec/selector/pod-template-hash");
    assert!(shop.patches().iter().any(pinned), "nothing was there to take back");
    let service = shop.read(Kind::Service, "shop").await;
    assert_eq!(service["spec"], before);
    assert_eq!(service["spec"]["selector"], json!({"app": "shop"}));
    let main = shop.read(Kind::Deployment, "shop").await;
    for (object, note) in [(&service, "hotfix.dev/share"), (&main, "hotfix.dev/replicas")] {
        assert_eq!(object["metadata"]["annotations"][note], json!(null), "{note}");
    }
    assert_eq!(main["spec"]["replicas"], 3);
    stage.until_home(&release(shop.test_cluster, 1)).await;
    assert_eq!(stage.load.stop().await.failed, 0);
}

/// The template is changed before pods are deleted, so every pod that ended by itself would come back as the fix.
#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_set_whose_pods_may_not_be_deleted_has_its_template_back() {
    let mut shop = SetShop::open(WorkloadKind::DaemonSet).await;
    let before = shop.read().await["spec"].clone();
    let proxy = FaultProxy::start(&shop.user).await.expect("a proxy");
    shop.deployer = set::deployer(&shop.namespace, WorkloadKind::DaemonSet, proxy.through(&shop.user));
    proxy.every(|request| request.method == "DELETE", denied());

    let fix = release(shop.cluster, 2);
    let outcome = end(shop.deploy(&fix, Strategy::Rolling, quick()).await).await;

    assert!(is_taken_back(&outcome), "{outcome}");
    let patched = proxy.happened();
    let filled = |request: &Recorded| request.method == "PATCH" && request.text().contains(image(&fix));
    assert!(patched.iter().any(|happened| filled(&happened.request)), "nothing was there to take back");
    let after = shop.read().await["spec"].clone();
    assert_eq!(
        (&after["template"], &after["updateStrategy"]),
        (&before["template"], &before["updateStrategy"])
    );
    assert_eq!(shop.running(&release(shop.cluster, 1)).await, (PODS, PODS));
}
