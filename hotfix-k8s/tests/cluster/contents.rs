//! ConfigMaps and Secrets that change during a run hold again what they held when it is rolled back.

use std::num::NonZeroU16;

use hotfix_core::model::{Precondition, Stamp, Verb, WorkloadSnapshot};
use hotfix_core::port::{Deployer, Reply, Seal};
use hotfix_k8s::{Copies, KubernetesDeployer, TargetConfig, WorkloadKind};
use hotfix_testkit::cluster::{Disturbance, FaultProxy, Happened, TestCluster};
use hotfix_testkit::http::Recorded;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::faults::status;
use super::log::{listen, logged};
use super::restore::{apply, shift, stage};
use super::set::SetShop;
use super::site::{Kind, Shop, call, config, deployer_with, deployment, is_patch, release, slot, until};

const SECRETS: [&str; 4] =
    ["correct horse", "Y29ycmVjdCBob3JzZQ==", "battery staple", "YmF0dGVyeSBzdGFwbGU="];

async fn open(container: &Value, pod: &Value) -> Shop {
    open_with(container, pod, Copies::ConfigMapsAndSecrets).await
}

async fn open_with(container: &Value, pod: &Value, copies: Copies) -> Shop {
    let cluster = TestCluster::shared().await.expect("a cluster");
    let mut owned = deployment(cluster, 1);
    let spec = &mut owned["spec"]["template"]["spec"];
    spec.as_object_mut().expect("a spec").extend(pod.as_object().expect("fields").clone());
    let web = spec["containers"][0].as_object_mut().expect("a container");
    web.extend(container.as_object().expect("fields").clone());
    let shop = Shop::configured(cluster, |config| TargetConfig { copies, ..config }, &owned, &[]).await;
    shop.create(Kind::ConfigMap, &json!({"metadata": {"name": "flags"}, "data": {"LEVEL": "calm"}})).await;
    let secret = json!({"metadata": {"name": "keys"}, "stringData": {"TOKEN": SECRETS[0]}});
    shop.create(Kind::Secret, &secret).await;
    shop.adopt().await.expect("adopted");
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
    restore_by(&shop.deployer, shop, seq, snapshot).await
}

async fn restore_by(
    deployer: &KubernetesDeployer,
    shop: &Shop,
    seq: u32,
    snapshot: &WorkloadSnapshot,
) -> String {
    let verb = Verb::Restore { snapshot: snapshot.clone() };
    let call = call(&format!("k{seq}"), seq);
    match deployer.apply(&call, &shop.target, &verb, &Precondition::default()).await {
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

/// A shop whose fix has the traffic, and a second deployer behind a proxy that takes it back.
async fn behind(shop: &Shop) -> (FaultProxy, KubernetesDeployer) {
    let proxy = FaultProxy::start(&shop.user).await.expect("a proxy");
    let config = TargetConfig { copies: Copies::ConfigMapsAndSecrets, ..config(&shop.namespace) };
    let deployer = deployer_with(config, &shop.target, proxy.through(&shop.user));
    (proxy, deployer)
}

fn reads(request: &Recorded, path: &str) -> bool {
    request.method == "GET" && request.path.ends_with(path)
}

fn reads_flags(request: &Recorded) -> bool {
    reads(request, "/configmaps/flags")
}

/// The objects that were patched, and whether it was their template.
fn patched(happened: &[Happened]) -> Vec<(String, bool)> {
    let patches = happened.iter().map(|it| &it.request).filter(|request| request.method == "PATCH");
    let patched = patches.map(|request| {
        let name = request.path.rsplit('/').next().unwrap_or_default().to_owned();
        (name, String::from_utf8_lossy(&request.body).contains("\"/spec/template\""))
    });
    patched.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_keeps_no_switch_and_starts_no_pod_anew() {
    let shop = open(&by_env(), &json!({})).await;
    let (snapshot, running) = (snapshot(&shop).await, pods(&shop).await);
    let (proxy, deployer) = behind(&shop).await;
    // The Service, the mark of what is live unless it is there, the other side.
    let expected = ["shop", "shop", "shop-hotfix"].map(|name| (name.to_owned(), false));
    let forbidden = status(403, "Forbidden", "no");
    let busy = status(429, "TooManyRequests", "slow down").header("retry-after", "60");
    for (seq, answer, expected) in [(1, forbidden, &expected[..]), (4, busy, &expected[1..])] {
        stage(&shop, seq, 2, 1).await;
        apply(&shop, seq + 1, &shift("hotfix")).await;
        deployer.observe(&shop.target).await.expect("a workload");
        let seen = proxy.happened().len();
        proxy.every(reads_flags, Disturbance::Instead(answer));
        let said = restore_by(&deployer, &shop, seq + 2, &snapshot).await;
        proxy.clear();
        let told =
            format!("ConfigMap {}/flags may not hold what it held, nobody could see", &*shop.namespace);
        assert!(said.contains(&told), "{said}");
        assert_eq!(patched(&proxy.happened()[seen..]), expected, "the switch first, and no template");
    }
    assert_eq!(pods(&shop).await, running);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_traffic_moves_while_a_read_of_contents_hangs() {
    tokio::join!(moves_while_a_read_hangs(Knowledge::None), moves_while_a_read_hangs(Knowledge::OfTheRoute));
}

/// What a deployer has seen of a target before it takes something back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Knowledge {
    None,
    OfTheRoute,
}

async fn moves_while_a_read_hangs(knowledge: Knowledge) {
    let shop = open(&by_env(), &json!({})).await;
    let (before, snapshot) = (contents(&shop).await, snapshot(&shop).await);
    stage(&shop, 1, 2, 1).await;
    apply(&shop, 2, &shift("hotfix")).await;
    change(&shop).await;
    let (proxy, deployer) = behind(&shop).await;
    if knowledge == Knowledge::OfTheRoute {
        deployer.observe(&shop.target).await.expect("a workload");
    }
    let seen = proxy.happened().len();
    // The first read hangs; when the traffic has moved, there is another.
    proxy.next(reads_flags, Disturbance::Hold);
    let said = restore_by(&deployer, &shop, 3, &snapshot).await;
    let happened = proxy.happened().split_off(seen);
    let at = |is_it: &dyn Fn(&Recorded) -> bool| {
        let all = happened.iter().enumerate().filter(|(_, happened)| is_it(&happened.request));
        all.map(|(index, _)| index).collect::<Vec<_>>()
    };
    let (switch, looks) = (at(&|it| is_patch(it, "/services/shop"))[0], at(&reads_flags));
    assert_eq!(looks[0] > switch, knowledge == Knowledge::OfTheRoute, "{looks:?} around {switch}");
    assert!(looks[1] > switch, "{looks:?} around {switch}");
    assert!(at(&|it| is_patch(it, "/secrets/keys"))[0] > switch, "contents come after the traffic");
    assert_eq!(contents(&shop).await, before);
    let told = "holds again what it held; pods that read it when they started were not started anew";
    assert!(said.contains(&format!("ConfigMap {}/flags {told}", &*shop.namespace)), "{said}");
    assert_eq!(proxy.release().await, [200], "it hung until now");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_overtaken_puts_nothing_back() {
    let shop = open(&json!({}), &by_volume()).await;
    let snapshot = snapshot(&shop).await;
    change(&shop).await;
    let (proxy, deployer) = behind(&shop).await;
    let names_copy = |request: &Recorded| request.path.contains("/configmaps/shop-hotfix-");
    proxy.next(names_copy, Disturbance::Hold);
    let (call, target) = (call("k1", 1), shop.target.clone());
    let sleeping = tokio::spawn(async move {
        let verb = Verb::Restore { snapshot };
        deployer.apply(&call, &target, &verb, &Precondition::default()).await
    });
    proxy.held(1).await;
    // The target is claimed by now. Another ends the run, and then a human sets the flags.
    let seal = shop.deployer.seal(&shop.target, Stamp::new(1, 2)).await;
    assert!(matches!(seal, Seal::Sealed(_)), "{seal:?}");
    shop.edit(Kind::ConfigMap, "flags", &json!({"data": {"LEVEL": "by hand"}})).await;
    let theirs = contents(&shop).await[0].clone();
    assert_eq!(proxy.release().await, [200]);
    let reply = sleeping.await.expect("an answer");
    assert!(!matches!(reply, Reply::Applied(_)), "{reply:?}");
    assert_eq!(contents(&shop).await[0], theirs);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_and_has_no_copy_is_told() {
    let shop = open_with(&by_env(), &json!({}), Copies::Nothing).await;
    let (snapshot, running) = (snapshot(&shop).await, pods(&shop).await);
    change(&shop).await;
    let changed = contents(&shop).await;
    let said = restore(&shop, 1, &snapshot).await;
    for object in ["ConfigMap", "Secret"] {
        let name = if object == "Secret" { "keys" } else { "flags" };
        let told = format!(
            "{object} {}/{name} is not what it was when the snapshot was taken, and there is no copy of it",
            &*shop.namespace
        );
        assert!(said.contains(&told), "{said}");
    }
    assert_eq!((contents(&shop).await, pods(&shop).await), (changed, running));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_pods_of_a_stateful_set_read_is_told() {
    let shop = SetShop::unadopted(WorkloadKind::StatefulSet).await;
    let maps: Api<ConfigMap> = Api::namespaced(shop.client.clone(), &shop.namespace);
    let flags = json!({"metadata": {"name": "flags"}, "data": {"LEVEL": "calm"}});
    let flags = serde_json::from_value(flags).expect("a ConfigMap");
    maps.create(&PostParams::default(), &flags).await.expect("created");
    let volumes = json!([{"name": "flags", "configMap": {"name": "flags"}}]);
    shop.edit(&json!({"spec": {"template": {"spec": {"volumes": volumes}}}})).await;
    shop.deployer.adopt(&shop.target).await.expect("adopted");
    let snapshot = shop.deployer.snapshot(&shop.target).await.expect("a snapshot");
    let loud = Patch::Merge(json!({"data": {"LEVEL": "loud"}}));
    maps.patch("flags", &PatchParams::default(), &loud).await.expect("edited");
    let verb = Verb::Restore { snapshot };
    let reply = shop.deployer.apply(&call("k1", 1), &shop.target, &verb, &Precondition::default()).await;
    let Reply::Applied(receipt) = reply else { panic!("{reply:?}") };
    let told = format!(
        "ConfigMap {}/flags is not what it was when the snapshot was taken, and there is no copy of it",
        &*shop.namespace
    );
    assert!(receipt.0.contains(&told), "{receipt:?}");
}
