//! The fence on the server: what a refused patch means, who wins a race, and what a late patch can still do.

use hotfix_core::model::{IdempotencyKey, Precondition, Stamp, Verb, Weights};
use hotfix_core::port::{Call, Conflict, Deployer, Probe, Rejection, Reply, Seal, Sealed};
use hotfix_testkit::cluster::{Disturbance, FaultProxy, TestCluster};
use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::json;

use super::site::{Kind, Shop, call, deployer, is_patch, release, slot};

fn stage(cluster: &TestCluster, patch: u8) -> Verb {
    Verb::Stage {
        slot: slot("hotfix"),
        release: release(cluster, patch),
        replicas: std::num::NonZeroU16::MIN,
    }
}

fn fenced(seq: u32) -> Reply {
    Reply::Conflict(Conflict::Fenced { current: Stamp::new(1, seq) })
}

async fn apply(shop: &Shop, call: &Call, verb: &Verb) -> Reply {
    shop.deployer.apply(call, &shop.target, verb, &Precondition::default()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_that_arrives_after_the_seal_is_refused() {
    let cluster = TestCluster::shared().await.expect("a cluster");
    let shop = Shop::open(cluster).await;
    let proxy = FaultProxy::start(&shop.user).await.expect("a proxy");
    let slow = deployer(&shop.namespace, &shop.target, proxy.through(&shop.user));
    for (round, held) in [(1, "/services/shop"), (2, "/deployments/shop-hotfix")] {
        let before = shop.read(Kind::Deployment, "shop-hotfix").await["spec"].clone();
        proxy.next(move |request| is_patch(request, held), Disturbance::Hold);
        let late = call("late", round * 10);
        let (target, verb) = (shop.target.clone(), stage(cluster, 2));
        let sender = slow.clone();
        let sent = late.clone();
        let sending =
            tokio::spawn(async move { sender.apply(&sent, &target, &verb, &Precondition::default()).await });
        proxy.held(1).await;

        let seal = Stamp::new(1, round * 10 + 1);
        let claimed = shop.deployer.observe(&shop.target).await.expect("a workload").stamp;
        assert_eq!(shop.deployer.seal(&shop.target, seal).await, Seal::Sealed(Sealed { previous: claimed }));
        assert_eq!(shop.deployer.probe(&shop.target, &late.key).await, Probe::NotApplied);
        assert_eq!(proxy.release().await, [422], "{held}");
        assert_eq!(sending.await.expect("an answer"), fenced(round * 10 + 1), "{held}");
        assert_eq!(shop.read(Kind::Deployment, "shop-hotfix").await["spec"], before, "{held}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_deployers_with_one_stamp_one_gets_further() {
    let cluster = TestCluster::shared().await.expect("a cluster");
    let shop = Shop::open(cluster).await;
    let other = deployer(&shop.namespace, &shop.target, shop.user.clone());
    for round in 1..=10 {
        let calls = ["one", "two"].map(|name| call(&format!("{name}-{round}"), round));
        let (patch, none) = (2 + u8::try_from(round).expect("few"), Precondition::default());
        let verbs = [stage(cluster, patch), Verb::Retire { slot: slot("hotfix") }];
        let (first, second) = tokio::join!(
            shop.deployer.apply(&calls[0], &shop.target, &verbs[0], &none),
            other.apply(&calls[1], &shop.target, &verbs[1], &none),
        );
        let winner = match (&first, &second) {
            (Reply::Applied(_), loser) if *loser == fenced(round) => 0,
            (loser, Reply::Applied(_)) if *loser == fenced(round) => 1,
            both => panic!("round {round}: {both:?}"),
        };
        let workload = shop.deployer.observe(&shop.target).await.expect("a workload");
        let held = workload.slot(&slot("hotfix")).map(|held| held.release.clone());
        assert_eq!(held, (winner == 0).then(|| release(cluster, patch)), "round {round}");
        let probe = shop.deployer.probe(&shop.target, &calls[1 - winner].key).await;
        assert_eq!(probe, Probe::NotApplied, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_changes_between_reading_and_writing_is_seen() {
    let cluster = TestCluster::shared().await.expect("a cluster");
    let shop = Shop::open(cluster).await;
    let proxy = FaultProxy::start(&shop.user).await.expect("a proxy");
    let slow = deployer(&shop.namespace, &shop.target, proxy.through(&shop.user));
    let shift = |to: &str| Verb::Shift { weights: Weights::all(slot(to)) };
    assert!(matches!(apply(&shop, &call("stage", 1), &stage(cluster, 2)).await, Reply::Applied(_)));
    shop.until_ready("hotfix").await;

    // The Service is switched by hand while the patch is on its way: the switch is planned anew and finds nothing to do.
    proxy.next(|request| is_patch(request, "/services/shop"), Disturbance::Hold);
    let (target, verb) = (shop.target.clone(), shift("hotfix"));
    let sender = slow.clone();
    let sending = tokio::spawn(async move {
        sender.apply(&call("shift", 2), &target, &verb, &Precondition::default()).await
    });
    proxy.held(1).await;
    shop.edit(Kind::Service, "shop", &json!({"spec": {"selector": {"app": "shop-hotfix"}}})).await;
    assert_eq!(proxy.release().await, [422]);
    assert!(matches!(sending.await.expect("an answer"), Reply::Applied(_)));

    // A selector that nobody here wrote is not overwritten.
    shop.edit(Kind::Service, "shop", &json!({"spec": {"selector": {"app": "other"}}})).await;
    let reply = apply(&shop, &call("back", 3), &shift("main")).await;
    let Reply::Rejected(Rejection::Permanent { reason }) = reply else { panic!("{reply:?}") };
    assert!(reason.contains("at /spec/selector/app is \"other\""), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admission_refusal_is_told_apart_from_a_failed_test() {
    let cluster = TestCluster::shared().await.expect("a cluster");
    let shop = Shop::open(cluster).await;
    let _policy = Policy::refuse_images(&shop).await;
    // It takes the server a moment to see the policy; each try has a release of its own.
    let mut seq = 0;
    let reason = loop {
        seq += 1;
        match apply(&shop, &call(&format!("stage-{seq}"), seq), &stage(cluster, 66)).await {
            Reply::Applied(_) => {
                seq += 1;
                let retire = Verb::Retire { slot: slot("hotfix") };
                let reply = apply(&shop, &call(&format!("retire-{seq}"), seq), &retire).await;
                assert!(matches!(reply, Reply::Applied(_)), "{reply:?}");
            }
            Reply::Rejected(Rejection::Permanent { reason }) => break reason,
            other => panic!("{other:?}"),
        }
        assert!(seq < 500, "the policy never came into force");
    };
    assert!(reason.starts_with("Deployment ") && reason.contains("HTTP 422 Invalid"), "{reason}");
    assert!(reason.contains("release 66 is not for this cluster"), "{reason}");
    let workload = shop.deployer.observe(&shop.target).await.expect("a workload");
    assert_eq!((workload.slot(&slot("hotfix")), workload.stamp), (None, Stamp::new(1, seq)));
    seq += 1;
    assert!(matches!(apply(&shop, &call("other", seq), &stage(cluster, 2)).await, Reply::Applied(_)));
}

/// A policy of the cluster that is removed with the test.
struct Policy {
    name: String,
    cluster: kube::Config,
}

impl Policy {
    async fn refuse_images(shop: &Shop) -> Self {
        let name = format!("refuse-{}", shop.namespace);
        let policy = json!({
            "metadata": {"name": name},
            "spec": {
                "matchConstraints": {
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": shop.namespace.name()}},
                    "resourceRules": [{
                        "apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["UPDATE"],
                        "resources": ["deployments"],
                    }],
                },
                "validations": [{
                    "expression": "object.spec.replicas == 0 || !object.spec.template.spec.containers[0].image.contains('1.0.66')",
                    "message": "release 66 is not for this cluster",
                }],
            },
        });
        let binding = json!({
            "metadata": {"name": name},
            "spec": {"policyName": name, "validationActions": ["Deny"]},
        });
        let done = PostParams::default();
        let policies: Api<ValidatingAdmissionPolicy> = Api::all(shop.client.clone());
        policies.create(&done, &serde_json::from_value(policy).expect("a policy")).await.expect("created");
        let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(shop.client.clone());
        bindings.create(&done, &serde_json::from_value(binding).expect("a binding")).await.expect("created");
        Self { name, cluster: shop.test_cluster.config() }
    }
}

impl Drop for Policy {
    /// It only concerns the namespace of its test, so nobody waits for its end.
    fn drop(&mut self) {
        let (name, cluster) = (self.name.clone(), self.cluster.clone());
        tokio::spawn(async move {
            let client = kube::Client::try_from(cluster)?;
            let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(client.clone());
            bindings.delete(&name, &DeleteParams::default()).await?;
            let policies: Api<ValidatingAdmissionPolicy> = Api::all(client);
            policies.delete(&name, &DeleteParams::default()).await.map(|_| ())
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_found_for_sixteen_effects_of_an_object() {
    let cluster = TestCluster::shared().await.expect("a cluster");
    let shop = Shop::open(cluster).await;
    let key = |seq: u32| IdempotencyKey::new(format!("pause-{seq}")).expect("a key");
    for seq in 1..=17 {
        let verb = if seq % 2 == 1 { Verb::Pause } else { Verb::Resume };
        let reply = apply(&shop, &call(key(seq).as_str(), seq), &verb).await;
        assert!(matches!(reply, Reply::Applied(_)), "{reply:?}");
    }
    assert_eq!(shop.deployer.probe(&shop.target, &key(1)).await, Probe::NotApplied, "forgotten");
    for seq in [2, 17] {
        let probe = shop.deployer.probe(&shop.target, &key(seq)).await;
        assert!(matches!(probe, Probe::Applied(_)), "{seq}: {probe:?}");
    }
    for name in ["shop", "shop-hotfix"] {
        assert_eq!(shop.read(Kind::Deployment, name).await["spec"]["paused"], true, "{name}");
    }
}
