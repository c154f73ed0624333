//! What a snapshot keeps, and what a restore gives back, under traffic.

use std::num::NonZeroU16;

use hotfix_core::model::Period;
use hotfix_core::model::{Precondition, Stamp, Verb, Weights};
use hotfix_core::port::{Deployer, Reply};
use hotfix_testkit::cluster::{Behaviour, End, TestCluster};
use serde_json::json;

use super::site::{Kind, Shop, call, deployment, pushed, release, slot, until};
use super::traffic::Traffic;

pub(super) async fn apply(shop: &Shop, seq: u32, verb: &Verb) {
    let call = call(&format!("k{seq}"), seq);
    let reply = shop.deployer.apply(&call, &shop.target, verb, &Precondition::default()).await;
    assert!(matches!(reply, Reply::Applied(_)), "{verb}: {reply:?}");
}

pub(super) async fn stage(shop: &Shop, seq: u32, patch: u8, replicas: u16) {
    let replicas = NonZeroU16::new(replicas).expect("some");
    let release = release(shop.test_cluster, patch);
    apply(shop, seq, &Verb::Stage { slot: slot("hotfix"), release, replicas }).await;
    shop.until_ready("hotfix").await;
}

pub(super) fn shift(to: &str) -> Verb {
    Verb::Shift { weights: Weights::all(slot(to)) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_names_what_the_pods_refer_to_and_holds_no_secret() {
    let cluster = TestCluster::shared().await.expect("a cluster");
    let mut owned = deployment(cluster, 1);
    let container = &mut owned["spec"]["template"]["spec"]["containers"][0];
    container["envFrom"] = json!([
        {"configMapRef": {"name": "flags", "optional": true}},
        {"secretRef": {"name": "keys", "optional": true}},
        {"configMapRef": {"name": "absent", "optional": true}},
    ]);
    let shop = Shop::unadopted(cluster, &owned).await;
    shop.create(Kind::ConfigMap, &json!({"metadata": {"name": "flags"}, "data": {"LEVEL": "calm"}})).await;
    let secret = json!({"metadata": {"name": "keys"}, "stringData": {"TOKEN": "correct horse"}});
    shop.create(Kind::Secret, &secret).await;
    shop.adopt().await.expect("adopted");

    let first = shop.deployer.snapshot(&shop.target).await.expect("a snapshot");
    let hashes = &first.backend["hashes"];
    assert_eq!(hashes["ConfigMap/absent"], json!(null));
    for name in ["ConfigMap/flags", "Secret/keys"] {
        assert!(hashes[name].as_str().is_some_and(|hash| hash.starts_with("sha256:")), "{name}: {hashes}");
    }
    let text = serde_json::to_string(&first).expect("JSON");
    for secret in ["correct horse", "Y29ycmVjdCBob3JzZQ=="] {
        assert!(!text.contains(secret), "{text}");
    }
    shop.edit(Kind::Secret, "keys", &json!({"stringData": {"TOKEN": "battery staple"}})).await;
    let second = shop.deployer.snapshot(&shop.target).await.expect("a snapshot");
    assert_ne!(second.backend["hashes"]["Secret/keys"], hashes["Secret/keys"]);
    assert_eq!(second.backend["hashes"]["ConfigMap/flags"], hashes["ConfigMap/flags"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn restore_gives_the_template_back_and_leaves_what_others_wrote() {
    let cluster = TestCluster::shared().await.expect("a cluster");
    let shop = Shop::open(cluster).await;
    let snapshot = shop.deployer.snapshot(&shop.target).await.expect("a snapshot");
    let before = shop.read(Kind::Deployment, "shop").await["spec"].clone();
    // Promote the hotfix, put yet another release where the old one was, and have somebody else note something.
    stage(&shop, 1, 2, 1).await;
    apply(&shop, 2, &shift("hotfix")).await;
    apply(&shop, 3, &Verb::Promote { slot: slot("hotfix") }).await;
    apply(&shop, 4, &Verb::Retire { slot: slot("main") }).await;
    let third = Verb::Stage { slot: slot("main"), release: release(cluster, 3), replicas: NonZeroU16::MIN };
    apply(&shop, 5, &third).await;
    shop.edit(
        Kind::Deployment,
        "shop",
        &json!({"metadata": {"annotations": {"team.example/note": "hands off"}}}),
    )
    .await;

    apply(&shop, 6, &Verb::Restore { snapshot: snapshot.clone() }).await;
    shop.until_ready("main").await;
    let after = shop.read(Kind::Deployment, "shop").await;
    assert_eq!(after["spec"], before);
    assert_eq!(after["metadata"]["annotations"]["team.example/note"], "hands off");
    assert_eq!(shop.read(Kind::Deployment, "shop-hotfix").await["spec"]["replicas"], 0);
    let workload = shop.deployer.observe(&shop.target).await.expect("a workload");
    assert_eq!((workload.live, workload.stamp), (Some(slot("main")), Stamp::new(1, 6)));
    assert_eq!(shop.deployer.snapshot(&shop.target).await.expect("a snapshot"), snapshot);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_and_a_rollback_fail_no_request() {
    let cluster = TestCluster::shared().await.expect("a cluster");
    let shop = Shop::unadopted(cluster, &deployment(cluster, 2)).await;
    shop.adopt().await.expect("adopted");
    let snapshot = shop.deployer.snapshot(&shop.target).await.expect("a snapshot");
    stage(&shop, 1, 2, 2).await;
    let traffic = Traffic::start(&shop);
    traffic.reaches("1.0.1").await;
    apply(&shop, 2, &shift("hotfix")).await;
    traffic.reaches("1.0.2").await;
    apply(&shop, 3, &Verb::Restore { snapshot }).await;
    traffic.reaches("1.0.1").await;
    until("the pods of the hotfix are gone", || async { shop.pods("shop-hotfix").await.is_empty() }).await;
    let (answered, failed) = traffic.stop().await;
    assert!(answered > 100, "{answered}");
    assert_eq!(failed, [] as [String; 0], "of {answered}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_crashes_after_the_switch_is_left_while_it_is_still_selected() {
    let cluster = TestCluster::shared().await.expect("a cluster");
    let shop = Shop::open(cluster).await;
    let snapshot = shop.deployer.snapshot(&shop.target).await.expect("a snapshot");
    let crash = Behaviour { end: End::Crash(Period::from_millis(700)), ..Behaviour::default() };
    let bad = pushed(cluster, 7, &crash);
    apply(&shop, 1, &Verb::Stage { slot: slot("hotfix"), release: bad, replicas: NonZeroU16::MIN }).await;
    shop.until_ready("hotfix").await;
    apply(&shop, 2, &shift("hotfix")).await;
    until("every pod of the hotfix is down", || async {
        let workload = shop.deployer.observe(&shop.target).await.expect("a workload");
        workload.slot(&slot("hotfix")).is_some_and(|held| held.ready == 0)
    })
    .await;
    apply(&shop, 3, &Verb::Restore { snapshot }).await;
    assert_eq!(shop.read(Kind::Service, "shop").await["spec"]["selector"]["app"], "shop");
    // The copy was emptied after the selector had left it.
    let patches = shop.patches();
    let at = |what: &str| patches.iter().rposition(|patch| patch.contains(what)).expect(what);
    assert!(at("/spec/selector/app") < at("/spec/replicas"), "{patches:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_staged_right_after_a_rollback_has_pods_of_its_own() {
    let cluster = TestCluster::shared().await.expect("a cluster");
    let shop = Shop::open(cluster).await;
    let snapshot = shop.deployer.snapshot(&shop.target).await.expect("a snapshot");
    let mut last = Vec::new();
    for round in 0..5 {
        stage(&shop, 4 * round + 1, 2, 1).await;
        apply(&shop, 4 * round + 2, &shift("hotfix")).await;
        let running = shop.pods("shop-hotfix").await.into_iter().filter_map(|pod| pod.metadata.uid);
        let running: Vec<String> = running.filter(|uid| !last.contains(uid)).collect();
        assert_eq!(running.len(), 1, "round {round}");
        last.extend(running);
        apply(&shop, 4 * round + 3, &Verb::Restore { snapshot: snapshot.clone() }).await;
    }
}
