//! What a cluster puts in the way of a change: policies and webhooks, finalizers, budgets.

use std::num::NonZeroU16;

use hotfix_core::ErrorKind;
use hotfix_core::model::{Precondition, Stamp, Verb};
use hotfix_core::port::{Ambiguity, Call, Deployer, Probe, Rejection, Reply, Seal};
use hotfix_testkit::cluster::TestCluster;
use kube::Api;
use kube::api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::site::{Kind, Shop, call, deployment, release, slot, until};

async fn stage(shop: &Shop, call: &Call) -> Reply {
    let release = release(shop.test_cluster, 2);
    let verb = Verb::Stage { slot: slot("hotfix"), release, replicas: NonZeroU16::MIN };
    shop.deployer.apply(call, &shop.target, &verb, &Precondition::default()).await
}

/// Something that admits or denies, in the way of one namespace; it is taken away at the end.
struct Admission {
    api: Api<DynamicObject>,
    name: String,
}

impl Admission {
    async fn put(shop: &Shop, kind: &str, spec: Value) -> Self {
        let gvk = GroupVersionKind::gvk("admissionregistration.k8s.io", "v1", kind);
        let api: Api<DynamicObject> = Api::all_with(shop.client.clone(), &ApiResource::from_gvk(&gvk));
        let name = format!("{}.hotfix.dev", shop.namespace);
        let mut object = spec;
        object["apiVersion"] = json!("admissionregistration.k8s.io/v1");
        object["kind"] = json!(kind);
        object["metadata"] = json!({"name": name});
        let object = serde_json::from_value(object).expect("an object");
        api.create(&PostParams::default(), &object).await.expect("created");
        Self { api, name }
    }

    async fn take_away(self) {
        self.api.delete(&self.name, &DeleteParams::default()).await.expect("deleted");
    }
}

/// Waits until the server asks whoever is in the way; it takes them up a little later.
async fn until_in_force(shop: &Shop) {
    let dry = PatchParams { dry_run: true, ..PatchParams::default() };
    let change = Patch::Merge(json!({"metadata": {"annotations": {"hotfix.dev/fence": "other"}}}));
    until("it is in force", || async {
        shop.api(Kind::Deployment).patch("shop-hotfix", &dry, &change).await.is_err()
    })
    .await;
}

fn here(shop: &Shop) -> Value {
    json!({"matchLabels": {"kubernetes.io/metadata.name": shop.namespace.name()}})
}

fn updates() -> Value {
    json!([{"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["deployments"]}])
}

async fn is_empty(shop: &Shop) -> bool {
    shop.read(Kind::Deployment, "shop-hotfix").await["spec"]["replicas"] == 0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_denies_is_a_rejection_with_its_message_and_nothing_is_half_done() {
    let shop = Shop::open(TestCluster::shared().await.expect("a cluster")).await;
    let policy = json!({"spec": {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": updates(), "namespaceSelector": here(&shop)},
        "validations": [{"expression": "object.metadata.name != 'shop-hotfix'", "message": "no change on a Friday"}],
    }});
    let policy = Admission::put(&shop, "ValidatingAdmissionPolicy", policy).await;
    let binding = json!({"spec": {"policyName": policy.name, "validationActions": ["Deny"]}});
    let binding = Admission::put(&shop, "ValidatingAdmissionPolicyBinding", binding).await;
    until_in_force(&shop).await;
    let first = call("k1", 1);
    let reply = stage(&shop, &first).await;
    let Reply::Rejected(Rejection::Permanent { reason }) = &reply else { panic!("{reply:?}") };
    assert!(
        reason.contains("/shop-hotfix was not changed: ") && reason.contains("no change on a Friday"),
        "{reason}"
    );
    assert!(is_empty(&shop).await);
    assert_eq!(shop.deployer.probe(&shop.target, &first.key).await, Probe::NotApplied);
    binding.take_away().await;
    policy.take_away().await;
}

/// A server that takes connections and never says a word.
async fn silent(shop: &Shop, seconds: u8) -> (TcpListener, Admission) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let webhook = json!({"webhooks": [{
        "name": format!("{}.silent.hotfix.dev", shop.namespace),
        "clientConfig": {"url": format!("https://{address}/")},
        "rules": updates(),
        "namespaceSelector": here(shop),
        "matchConditions": [{"name": "copy", "expression": "object.metadata.name == 'shop-hotfix'"}],
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Fail",
        "timeoutSeconds": seconds,
    }]});
    let webhook = Admission::put(shop, "ValidatingWebhookConfiguration", webhook).await;
    until_in_force(shop).await;
    (listener, webhook)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_hangs_until_the_server_gives_up_is_busy_and_nothing_is_done() {
    let shop = Shop::open(TestCluster::shared().await.expect("a cluster")).await;
    let (_silent, webhook) = silent(&shop, 1).await;
    let first = call("k1", 1);
    let reply = stage(&shop, &first).await;
    let Reply::Rejected(Rejection::Busy { reason, .. }) = &reply else { panic!("{reply:?}") };
    assert!(reason.contains("failed calling webhook"), "{reason}");
    assert!(is_empty(&shop).await);
    webhook.take_away().await;
    until("it is tried again and goes through", || async {
        let mut again = call("k1", 1);
        let seal = shop.deployer.observe(&shop.target).await.expect("a workload").stamp;
        again.stamp = seal.next();
        matches!(stage(&shop, &again).await, Reply::Applied(_))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_hangs_longer_than_the_call_is_ambiguous_until_the_seal() {
    let shop = Shop::open(TestCluster::shared().await.expect("a cluster")).await;
    let (_silent, webhook) = silent(&shop, 5).await;
    let mut first = call("k1", 1);
    first.deadline -= chrono::TimeDelta::seconds(18);
    assert_eq!(stage(&shop, &first).await, Reply::Ambiguous(Ambiguity::Timeout));
    webhook.take_away().await;
    until("the target can be sealed", || async {
        matches!(shop.deployer.seal(&shop.target, Stamp::new(1, 2)).await, Seal::Sealed(_))
    })
    .await;
    assert_eq!(shop.deployer.probe(&shop.target, &first.key).await, Probe::NotApplied);
    assert!(is_empty(&shop).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_is_being_deleted_is_refused_with_the_mend() {
    let shop = Shop::open(TestCluster::shared().await.expect("a cluster")).await;
    let finalizer = |on: Value| json!({"metadata": {"finalizers": on}});
    shop.edit(Kind::Deployment, "shop-hotfix", &finalizer(json!(["hotfix.dev/test"]))).await;
    shop.api(Kind::Deployment).delete("shop-hotfix", &DeleteParams::default()).await.expect("deleted");
    let error = shop.deployer.observe(&shop.target).await.expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Conflict);
    let expected =
        "/shop-hotfix is being deleted and waits for its finalizers; create it again when it is gone";
    assert!(error.to_string().contains(expected), "{error}");
    let reply = stage(&shop, &call("k1", 1)).await;
    assert!(
        matches!(&reply, Reply::Rejected(Rejection::Permanent { reason }) if reason.ends_with(expected)),
        "{reply:?}"
    );
    shop.edit(Kind::Deployment, "shop-hotfix", &finalizer(json!(null))).await;
    until("it is gone", || async {
        shop.api(Kind::Deployment).get_opt("shop-hotfix").await.expect("read").is_none()
    })
    .await;
    shop.adopt().await.expect("made again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_that_protects_one_slot_only_is_told_of() {
    let cluster = TestCluster::shared().await.expect("a cluster");
    let shop = Shop::unadopted(cluster, &deployment(cluster, 1)).await;
    shop.adopt().await.expect("adopted");
    let budget = |name: &str, selector: Value| {
        json!({
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name},
            "spec": {"minAvailable": 1, "selector": selector},
        })
    };
    shop.create_any(&budget("both", json!({"matchLabels": {"team": "checkout"}}))).await;
    assert_eq!(shop.deployer.observe(&shop.target).await.expect("a workload").notices, [] as [String; 0]);
    shop.create_any(&budget("one", json!({"matchLabels": {"app": "shop"}}))).await;
    let notices = shop.deployer.observe(&shop.target).await.expect("a workload").notices;
    let expected = format!(
        "PodDisruptionBudget one protects the pods of Deployment {}/shop and not those of its copy; widen its \
         selector, or give the copy one of its own",
        shop.namespace
    );
    assert_eq!(notices, [expected]);
}
