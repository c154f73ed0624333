//! ConfigMaps and Secrets that change during a run hold again what they held when it is rolled back.

use std::cell::RefCell;
use std::num::NonZeroU16;
use std::sync::Once;

use hotfix_core::model::{Precondition, Verb, WorkloadSnapshot};
use hotfix_core::port::{Deployer, Reply};
use hotfix_k8s::{Copies, TargetConfig};
use hotfix_testkit::cluster::TestCluster;
use kube::api::ListParams;
use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};

use super::site::{Kind, Shop, call, deployment, release, slot, until};

const SECRETS: [&str; 4] =
    ["correct horse", "Y29ycmVjdCBob3JzZQ==", "battery staple", "YmF0dGVyeSBzdGFwbGU="];

async fn open(container: &Value, pod: &Value) -> Shop {
    let cluster = TestCluster::shared().await.expect("a cluster");
    let mut owned = deployment(cluster, 1);
    let spec = &mut owned["spec"]["template"]["spec"];
    spec.as_object_mut().expect("a spec").extend(pod.as_object().expect("fields").clone());
    let web = spec["containers"][0].as_object_mut().expect("a container");
    web.extend(container.as_object().expect("fields").clone());
    let copies = Copies::ConfigMapsAndSecrets;
    let shop = Shop::configured(cluster, |config| TargetConfig { copies, ..config }, &owned, &[]).await;
    shop.create(Kind::ConfigMap, &json!({"metadata": {"name": "flags"}, "data": {"LEVEL": "calm"}})).await;
    let secret = json!({"metadata": {"name": "keys"}, "stringData": {"TOKEN": SECRETS[0]}});
    shop.create(Kind::Secret, &secret).await;
    shop.deployer.adopt(&shop.target).await.expect("adopted");
    shop
}

fn by_env() -> Value {
    json!({"envFrom": [
        {"configMapRef": {"name": "flags", "optional": true}}, {"secretRef": {"name": "keys", "optional": true}},
    ]})
}

/// The same as files, which change without a new pod.
fn by_volume() -> Value {
    json!({"volumes": [
        {"name": "flags", "configMap": {"name": "flags", "optional": true}},
        {"name": "keys", "secret": {"secretName": "keys", "optional": true}},
    ]})
}

async fn snapshot(shop: &Shop) -> WorkloadSnapshot {
    shop.deployer.snapshot(&shop.target).await.expect("a snapshot")
}

async fn contents(shop: &Shop) -> [Value; 2] {
    let mut found = [shop.read(Kind::ConfigMap, "flags").await, shop.read(Kind::Secret, "keys").await];
    found.each_mut().map(|object| json!([object["data"].take(), object["binaryData"].take()]))
}

/// Changes both as somebody else would, who also labels them.
async fn change(shop: &Shop) {
    let labels = json!({"labels": {"team": "checkout"}});
    let flags =
        json!({"metadata": labels, "data": {"LEVEL": "loud", "NEW": "1"}, "binaryData": {"x": "AA=="}});
    shop.edit(Kind::ConfigMap, "flags", &flags).await;
    let keys = json!({"metadata": labels, "stringData": {"TOKEN": SECRETS[2]}});
    shop.edit(Kind::Secret, "keys", &keys).await;
}

async fn restore(shop: &Shop, seq: u32, snapshot: &WorkloadSnapshot) -> String {
    let verb = Verb::Restore { snapshot: snapshot.clone() };
    let call = call(&format!("k{seq}"), seq);
    match shop.deployer.apply(&call, &shop.target, &verb, &Precondition::default()).await {
        Reply::Applied(receipt) => receipt.0,
        reply => panic!("{reply:?}"),
    }
}

async fn pods(shop: &Shop) -> Vec<Option<String>> {
    shop.pods("shop").await.into_iter().map(|pod| pod.metadata.uid).collect()
}

async fn copies(shop: &Shop, kind: Kind) -> Vec<Value> {
    let params = ListParams::default().labels("hotfix.dev/kept-for=shop");
    let found = shop.api(kind).list(&params).await.expect("a list").items;
    found.iter().map(|object| serde_json::to_value(object).expect("JSON")).collect()
}

#[tokio::test]
async fn what_changed_is_restored_byte_for_byte_and_no_secret_is_told() {
    listen();
    let shop = open(&by_env(), &json!({})).await;
    let (before, snapshot) = (contents(&shop).await, snapshot(&shop).await);
    let running = pods(&shop).await;
    let release = release(shop.test_cluster, 2);
    let stage = Verb::Stage { slot: slot("hotfix"), release, replicas: NonZeroU16::MIN };
    shop.deployer.apply(&call("k1", 1), &shop.target, &stage, &Precondition::default()).await;
    change(&shop).await;
    let said = restore(&shop, 2, &snapshot).await;
    assert_eq!(contents(&shop).await, before);
    for (kind, name) in [(Kind::ConfigMap, "flags"), (Kind::Secret, "keys")] {
        assert_eq!(shop.read(kind, name).await["metadata"]["labels"], json!({"team": "checkout"}), "{name}");
        let [copy] = copies(&shop, kind).await.try_into().expect("one copy");
        assert_eq!(
            (&copy["immutable"], &copy["metadata"]["ownerReferences"][0]["name"]),
            (&json!(true), &json!("shop"))
        );
    }
    assert!(said.contains("ConfigMap") && said.contains("holds again what it held"), "{said}");
    until("the pods have read it anew", || async {
        let now = pods(&shop).await;
        now.len() == 1 && now != running
    })
    .await;
    let again = restore(&shop, 3, &snapshot).await;
    assert!(!again.contains("holds again"), "{again}");

    let told =
        [serde_json::to_string(&snapshot).expect("JSON"), said, format!("{:?}", shop.deployer), logged()];
    assert!(told[3].contains("hotfix"), "something is logged");
    for (told, secret) in told.iter().flat_map(|told| SECRETS.map(|secret| (told, secret))) {
        assert!(!told.contains(secret), "{secret} in {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_that_read_files_are_left_running() {
    let shop = open(&json!({}), &by_volume()).await;
    let (before, snapshot, running) = (contents(&shop).await, snapshot(&shop).await, pods(&shop).await);
    change(&shop).await;
    restore(&shop, 1, &snapshot).await;
    assert_eq!((contents(&shop).await, pods(&shop).await), (before, running));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deleted_is_made_again_and_a_lost_copy_keeps_no_rollback_from_its_end() {
    let shop = open(&by_env(), &json!({})).await;
    let (before, snapshot) = (contents(&shop).await, snapshot(&shop).await);
    shop.delete(Kind::ConfigMap, "flags").await;
    restore(&shop, 1, &snapshot).await;
    assert_eq!(contents(&shop).await, before);
    change(&shop).await;
    let [copy] = copies(&shop, Kind::Secret).await.try_into().expect("one copy");
    shop.delete(Kind::Secret, copy["metadata"]["name"].as_str().expect("a name")).await;
    let said = restore(&shop, 2, &snapshot).await;
    let expected = format!("Secret {}/keys does not hold what it held: Secret", shop.namespace);
    assert!(said.contains(&expected), "{said}");
    assert_eq!(contents(&shop).await[0], before[0]);
    assert_ne!(contents(&shop).await[1], before[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_ten_copies_are_kept() {
    let shop = open(&by_env(), &json!({})).await;
    for round in 0..12 {
        shop.edit(Kind::ConfigMap, "flags", &json!({"data": {"ROUND": round.to_string()}})).await;
        snapshot(&shop).await;
    }
    let last = snapshot(&shop).await;
    assert_eq!(
        (copies(&shop, Kind::ConfigMap).await.len(), copies(&shop, Kind::Secret).await.len()),
        (10, 1)
    );
    let before = contents(&shop).await;
    change(&shop).await;
    restore(&shop, 1, &last).await;
    assert_eq!(contents(&shop).await, before);
}

thread_local! {
    /// What was logged in this thread since somebody listens.
    static LOG: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Listens to everything that anybody logs in this thread from now on, of every level.
///
/// The subscriber is that of the whole process: whether one of a thread is asked at all about a place that logs depends on
/// what other threads do at the moment.
fn listen() {
    static LISTENING: Once = Once::new();
    LISTENING.call_once(|| tracing::subscriber::set_global_default(Log).expect("nobody else listens"));
    LOG.set(Some(String::new()));
}

/// Returns what was logged.
fn logged() -> String {
    LOG.take().expect("somebody listens")
}

struct Log;

impl Log {
    fn write(record: impl FnOnce(&mut Line<'_>)) {
        LOG.with_borrow_mut(|log| {
            if let Some(log) = log {
                record(&mut Line(log));
            }
        });
    }
}

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.push_str(&format!("{field}={value:?} "));
    }
}

impl Subscriber for Log {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, _: &Metadata<'_>) -> bool {
        LOG.with_borrow(Option::is_some)
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        Self::write(|line| span.record(line));
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        Self::write(|line| values.record(line));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        Self::write(|line| {
            line.0.push_str(event.metadata().target());
            event.record(line);
        });
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
