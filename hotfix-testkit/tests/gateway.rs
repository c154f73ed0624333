//! The gateway and the load, on a real API server, with scripted servers for pods.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use hotfix_testkit::cluster::{Counts, Gateway, Load, LoadPlan, TestCluster, TestNamespace};
use hotfix_testkit::http::{Answer, ScriptedServer};
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

/// A namespace with a gateway, a Service `shop` whose pod answers `v1`, and a Service `shop-hotfix` whose pod answers
/// `v2`.
struct Shop {
    client: Client,
    namespace: TestNamespace,
    pods: BTreeMap<&'static str, ScriptedServer>,
    gateway: Gateway,
}

impl Shop {
    async fn open() -> Self {
        let cluster = TestCluster::shared().await.unwrap();
        let namespace = cluster.namespace("gateway").await.unwrap();
        let client = cluster.client().unwrap();
        let gateway =
            Gateway::start(client.clone(), &namespace, |_, port| (Ipv4Addr::LOCALHOST, port).into())
                .await
                .unwrap();
        let mut shop = Self { client, namespace, pods: BTreeMap::new(), gateway };
        for (service, version) in [("shop", "v1"), ("shop-hotfix", "v2")] {
            shop.put(json!({
                "apiVersion": "v1", "kind": "Service", "metadata": {"name": service},
                "spec": {"ports": [{"port": 80}]},
            }))
            .await;
            shop.start_pod(service, version).await;
        }
        shop
    }

    /// Writes an object and waits until the gateway goes by it.
    async fn put(&self, object: Value) -> DynamicObject {
        let name = object["metadata"]["name"].as_str().unwrap();
        let force = PatchParams::apply("test").force();
        let kind = object["kind"].as_str().unwrap();
        let written = self.api(&object).patch(name, &force, &Patch::Apply(&object)).await.unwrap();
        self.gateway.has_seen(kind, name, &written.resource_version().unwrap()).await;
        written
    }

    fn api(&self, object: &Value) -> Api<DynamicObject> {
        let text = |field: &str| object[field].as_str().unwrap();
        let (group, version) = text("apiVersion").split_once('/').unwrap_or(("", text("apiVersion")));
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, text("kind")));
        Api::namespaced_with(self.client.clone(), &self.namespace, &kind)
    }

    /// Starts a pod, or another in its place, and leads its Service there.
    async fn start_pod(&mut self, service: &'static str, version: &str) {
        let pod = ScriptedServer::start().await;
        pod.otherwise(Answer::status(200).text(version.to_owned()));
        let slice = json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": format!("{service}-1"), "labels": {"kubernetes.io/service-name": service}},
            "endpoints": [{"addresses": ["10.9.0.1"], "conditions": {"ready": true}}],
            "ports": [{"name": "", "port": pod.address().port()}],
        });
        self.put(slice).await;
        self.pods.insert(service, pod);
    }

    fn load(&self, host: &str) -> Load {
        Load::start(LoadPlan { per_second: 400, ..LoadPlan::to(self.gateway.address(), host) })
    }

    fn ingress(&self, name: &str, annotations: Value) -> Value {
        json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": {"name": name, "annotations": annotations},
            "spec": {"rules": [{"host": "shop.example.com", "http": {"paths": [
                {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": name, "port": {"number": 80}}}}
            ]}}]},
        })
    }
}

fn canary(weight: &str) -> Value {
    json!({
        "nginx.ingress.kubernetes.io/canary": "true",
        "nginx.ingress.kubernetes.io/canary-weight": weight,
    })
}

#[tokio::test]
async fn weights_move_real_traffic_and_nothing_fails() {
    let shop = Shop::open().await;
    shop.put(shop.ingress("shop", json!({}))).await;
    shop.put(shop.ingress("shop-hotfix", canary("0"))).await;
    let load = shop.load("shop.example.com");
    load.more(50).await;
    assert_eq!(load.report().by_version.get("v2"), None);

    shop.put(shop.ingress("shop-hotfix", canary("25"))).await;
    let before = shop.gateway.counts();
    load.more(200).await;
    let after = shop.gateway.counts();
    let requests =
        |counts: &BTreeMap<String, Counts>, name| counts.get(name).copied().unwrap_or_default().requests;
    let [main, hotfix] = ["shop", "shop-hotfix"].map(|name| requests(&after, name) - requests(&before, name));
    assert!(hotfix.abs_diff((main + hotfix) / 4) <= 1, "{hotfix} of {}", main + hotfix);

    shop.put(shop.ingress("shop-hotfix", canary("100"))).await;
    load.more(50).await;
    let report = load.stop().await;
    assert_eq!((report.failed, report.failures.len()), (0, 0), "{report:?}");
    assert_eq!(report.by_version.values().sum::<u64>(), report.sent);
    assert_eq!(shop.gateway.counts()["shop-hotfix"], Counts { requests: report.by_version["v2"], failed: 0 });
}

#[tokio::test]
async fn a_pod_that_is_gone_fails_requests_until_another_is_there() {
    let mut shop = Shop::open().await;
    let load = shop.load("shop");
    load.more(50).await;
    assert_eq!(load.report().failed, 0);
    shop.pods.remove("shop");
    load.more(50).await;
    let down = load.report();
    assert!(down.failed > 0 && down.by_status[&502] == down.failed, "{down:?}");

    shop.start_pod("shop", "v1.1").await;
    load.more(20).await;
    let failed = load.report().failed;
    load.more(50).await;
    let report = load.stop().await;
    assert_eq!(report.failed, failed, "{report:?}");
    assert!(report.by_version["v1.1"] >= 50, "{report:?}");
    assert_eq!(shop.gateway.counts()["shop"], Counts { requests: report.sent, failed });
}

#[tokio::test]
async fn without_a_ready_pod_a_request_fails_by_name() {
    let shop = Shop::open().await;
    let load = Load::start(LoadPlan {
        per_second: 50,
        connections: 1,
        ..LoadPlan::to(shop.gateway.address(), "nobody")
    });
    load.more(3).await;
    let report = load.stop().await;
    assert_eq!(report.failures[0], "503 Service Unavailable: no pod is ready");
    assert_eq!(report.failed, report.sent);
    assert_eq!(shop.gateway.counts()["nobody"], Counts { requests: report.sent, failed: report.sent });
}
