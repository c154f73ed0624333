//! Objects that somebody else changes, pauses or deletes while a run is under way: told, and never overwritten.

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use hotfix_core::ErrorKind;
use hotfix_core::model::{Precondition, Rollout, Stamp, Verb, Weights};
use hotfix_core::port::{Conflict, Deployer, Rejection, Reply, Seal};
use hotfix_k8s::{EnvValue, Overrides, TargetConfig};
use hotfix_testkit::cluster::TestCluster;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::DeleteParams;
use serde_json::{Value, json};

use super::site::{Kind, Shop, call, config, deployer_with, release, slot, until};

async fn apply(shop: &Shop, seq: u32, verb: &Verb, precondition: &Precondition) -> Reply {
    shop.deployer.apply(&call(&format!("k{seq}"), seq), &shop.target, verb, precondition).await
}

fn stage(shop: &Shop, patch: u8) -> Verb {
    let release = release(shop.test_cluster, patch);
    Verb::Stage { slot: slot("hotfix"), release, replicas: NonZeroU16::MIN }
}

async fn staged() -> Shop {
    let shop = Shop::open(TestCluster::shared().await.expect("a cluster")).await;
    let reply = apply(&shop, 1, &stage(&shop, 2), &Precondition::default()).await;
    assert!(matches!(reply, Reply::Applied(_)), "{reply:?}");
    shop.until_ready("hotfix").await;
    shop
}

fn permanent(reply: Reply) -> String {
    match reply {
        Reply::Rejected(Rejection::Permanent { reason }) => reason,
        other => panic!("{other:?}"),
    }
}

/// A controller that has another opinion puts the old release back into the slot. What was staged is not there any more,
/// so it gets no traffic.
#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_a_controller_reverted_is_drift_and_gets_no_traffic() {
    gets_no_traffic_when(
        json!({"metadata": {"annotations": {"hotfix.dev/release": null}}, "spec": {"template": {
            "metadata": {"labels": {"hotfix.dev/artifact": null}},
        }}}),
    )
    .await;
}

/// One that applies its own fields alone leaves our annotation and our label, which then say what is not so.
#[tokio::test(flavor = "multi_thread")]
async fn a_release_of_which_the_image_alone_was_reverted_is_drift_and_gets_no_traffic() {
    gets_no_traffic_when(json!({"spec": {"template": {}}})).await;
}

/// Has the old image put back into the slot with whatever else is `reverted`.
async fn gets_no_traffic_when(mut reverted: Value) {
    let shop = staged().await;
    let before = shop.read(Kind::Deployment, "shop").await["spec"]["template"]["spec"].clone();
    reverted["spec"]["template"]["spec"] = before;
    shop.edit(Kind::Deployment, "shop-hotfix", &reverted).await;
    shop.until_ready("hotfix").await;
    let staged = release(shop.test_cluster, 2).artifact.id();
    let holds = Precondition { holds: Some((slot("hotfix"), staged)), ..Precondition::default() };
    let shift = Verb::Shift { weights: Weights::all(slot("hotfix")) };
    let reply = apply(&shop, 2, &shift, &holds).await;
    assert!(matches!(reply, Reply::Conflict(Conflict::Drifted { .. })), "{reply:?}");
    assert_eq!(shop.read(Kind::Service, "shop").await["spec"]["selector"]["app"], "shop");
}

/// Somebody pauses the Deployment: only a way back is taken, and that ends the pause.
#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_somebody_paused_takes_nothing_but_a_way_back() {
    let shop = staged().await;
    let snapshot = shop.deployer.snapshot(&shop.target).await.expect("a snapshot");
    shop.edit(Kind::Deployment, "shop", &json!({"spec": {"paused": true}})).await;
    let workload = shop.deployer.observe(&shop.target).await.expect("a workload");
    assert_eq!(workload.rollout, Rollout::Paused);
    let reason = permanent(apply(&shop, 2, &stage(&shop, 3), &Precondition::default()).await);
    assert!(reason.contains("paused"), "{reason}");
    let held = shop.deployer.observe(&shop.target).await.expect("a workload");
    assert_eq!(
        held.slot(&slot("hotfix")).map(|held| held.release.clone()),
        Some(release(shop.test_cluster, 2))
    );
    let restore = Verb::Restore { snapshot };
    let reply = apply(&shop, 3, &restore, &Precondition::default()).await;
    assert!(matches!(reply, Reply::Applied(_)), "{reply:?}");
    assert_eq!(shop.read(Kind::Deployment, "shop-hotfix").await["spec"]["replicas"], 0);
}

/// The namespace is deleted with everything in it: nothing is made anew, and the fence cannot be raised, so the run stays
/// open and loud.
#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_is_deleted_is_gone_and_nothing_is_made_anew() {
    let shop = staged().await;
    let namespaces: Api<Namespace> = Api::all(shop.client.clone());
    namespaces.delete(&shop.namespace, &DeleteParams::default()).await.expect("deleted");
    until("the Deployment is gone", || async {
        shop.api(Kind::Deployment).get_opt("shop").await.is_ok_and(|found| found.is_none())
    })
    .await;
    let gone =
        format!("Deployment {}/shop does not exist; create it or correct the configuration", shop.namespace);
    let reply = apply(&shop, 2, &stage(&shop, 3), &Precondition::default()).await;
    // The role goes with the namespace, and then nothing is allowed any more; the account too, and then nobody is known.
    let reason = permanent(reply);
    assert!(reason == gone || ["401", "403"].iter().any(|code| reason.contains(code)), "{reason}");
    let seal = shop.deployer.seal(&shop.target, Stamp::new(1, 3)).await;
    assert!(matches!(seal, Seal::Unreachable { .. }), "{seal:?}");
    let error = shop.deployer.observe(&shop.target).await.expect_err("it is gone");
    let kinds = [ErrorKind::NotFound, ErrorKind::Forbidden, ErrorKind::Unauthenticated];
    assert!(kinds.contains(&error.kind()), "{error}");
}

/// A body that the server finds invalid is refused for good, with what it says, and not taken for a failed test.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_the_server_finds_invalid_is_refused_for_good() {
    let shop = Shop::open(TestCluster::shared().await.expect("a cluster")).await;
    let odd = EnvValue::ConfigMap { name: "flags".to_owned(), key: "..level".to_owned() };
    let odd = BTreeMap::from([("LEVEL".to_owned(), odd)]);
    let overrides = Overrides { env: odd, ..Overrides::default() };
    let config = TargetConfig { overrides, ..config(&shop.namespace) };
    let deployer = deployer_with(config, &shop.target, shop.user.clone());
    let (call, anything) = (call("stage", 1), Precondition::default());
    let reason = permanent(deployer.apply(&call, &shop.target, &stage(&shop, 2), &anything).await);
    assert!(
        reason.starts_with(&format!(
            "Deployment {}/shop-hotfix was not changed: HTTP 422 Invalid",
            shop.namespace
        )),
        "{reason}"
    );
    assert!(reason.contains("..level"), "{reason}");
    let workload = shop.deployer.observe(&shop.target).await.expect("a workload");
    assert_eq!((workload.slot(&slot("hotfix")), workload.stamp), (None, Stamp::new(1, 1)));
}
