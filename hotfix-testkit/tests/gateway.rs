//! The gateway and the load, on a real API server with real pods.

use std::collections::BTreeMap;
use std::time::Duration;

use hotfix_core::model::Period;
use hotfix_testkit::cluster::{
    Behaviour, Counts, Gateway, Load, LoadPlan, Readiness, TestCluster, TestNamespace,
};
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use kube::runtime::wait::await_condition;
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(30);

/// A namespace with a gateway, and two versions of a service that run: version 1 behind the Service `shop`, version 2
/// behind the Service `shop-hotfix`.
struct Shop {
    cluster: &'static TestCluster,
    client: Client,
    namespace: TestNamespace,
    gateway: Gateway,
}

impl Shop {
    async fn open() -> Self {
        let cluster = TestCluster::shared().await.unwrap();
        cluster.install_istio().await.unwrap();
        cluster.install_gateway_api().await.unwrap();
        let namespace = cluster.namespace("gateway").await.unwrap();
        let client = cluster.client().unwrap();
        let gateway = Gateway::start(client.clone(), &namespace).await.unwrap();
        let shop = Self { cluster, client, namespace, gateway };
        for (name, version) in [("shop", "1"), ("shop-hotfix", "2")] {
            shop.put(json!({
                "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
                "spec": {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": "http"}]},
            }))
            .await;
            shop.deploy(name, version, &Behaviour::default()).await;
        }
        shop
    }

    /// Writes an object and waits until the gateway goes by it, if it is one that it reads.
    async fn put(&self, object: Value) -> DynamicObject {
        let (name, kind) = (object["metadata"]["name"].as_str().unwrap(), object["kind"].as_str().unwrap());
        let force = PatchParams::apply("test").force();
        let written = self.api(&object).patch(name, &force, &Patch::Apply(&object)).await.unwrap();
        if kind != "Deployment" {
            self.gateway.has_seen(kind, name, &written.resource_version().unwrap()).await;
        }
        written
    }

    fn api(&self, object: &Value) -> Api<DynamicObject> {
        let text = |field: &str| object[field].as_str().unwrap();
        let (group, version) = text("apiVersion").split_once('/').unwrap_or(("", text("apiVersion")));
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, text("kind")));
        Api::namespaced_with(self.client.clone(), &self.namespace, &kind)
    }

    /// Rolls a version out and waits until requests reach it.
    async fn deploy(&self, name: &str, version: &str, behaviour: &Behaviour) {
        let image = self.cluster.image(&format!("demo/shop:{version}"), behaviour).unwrap();
        let labels = json!({"app": name, "version": version, "tier": "web"});
        self.put(json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
            "spec": {"replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": {
                "metadata": {"labels": labels},
                "spec": {"terminationGracePeriodSeconds": 10, "containers": [{
                    "name": "shop", "image": image.as_str(), "ports": [{"name": "http", "containerPort": 8080}],
                    "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1},
                }]},
            }},
        }))
        .await;
        let deployments: Api<Deployment> = Api::namespaced(self.client.clone(), &self.namespace);
        let rolled_out = |deployment: Option<&Deployment>| {
            let (metadata, status) = deployment.map(|found| (&found.metadata, &found.status))?;
            let status = status.as_ref()?;
            let all = [status.replicas, status.updated_replicas, status.available_replicas] == [Some(2); 3];
            Some(all && status.observed_generation == metadata.generation)
        };
        let rolled_out =
            await_condition(deployments, name, |found: Option<&Deployment>| rolled_out(found) == Some(true));
        tokio::time::timeout(PATIENCE, rolled_out).await.unwrap().unwrap();
        self.gateway.has_endpoints(name, 2).await;
    }

    fn plan(&self, host: &str) -> LoadPlan {
        LoadPlan { per_second: 300, ..LoadPlan::to(self.gateway.address(), host) }
    }

    fn requests(&self) -> impl Fn(&str) -> u64 + use<> {
        let counts = self.gateway.counts();
        move |name| counts.get(name).copied().unwrap_or_default().requests
    }
}

fn virtual_service(http: Value) -> Value {
    json!({
        "apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": "shop"},
        "spec": {"hosts": ["shop"], "http": http},
    })
}

fn split(main: u8) -> Value {
    json!([
        {"destination": {"host": "shop"}, "weight": main},
        {"destination": {"host": "shop-hotfix"}, "weight": 100 - main},
    ])
}

#[tokio::test]
async fn weights_of_a_virtual_service_move_real_traffic_and_nothing_fails() {
    let shop = Shop::open().await;
    let testers = json!({
        "match": [{"headers": {"x-hotfix": {"exact": "1"}}}],
        "route": [{"destination": {"host": "shop-hotfix"}}],
    });
    let routes = |main: u8| virtual_service(json!([testers, {"route": split(main)}]));
    shop.put(routes(100)).await;
    let load = Load::start(shop.plan("shop"));
    load.more(50).await;
    assert_eq!(load.report().by_version.keys().collect::<Vec<_>>(), ["1"]);
    let headers = vec![("x-hotfix".to_owned(), "1".to_owned())];
    let tester = Load::start(LoadPlan { headers, per_second: 20, ..shop.plan("shop") });
    tester.more(5).await;
    let tester = tester.stop().await;
    assert_eq!((tester.failed, tester.by_version["2"]), (0, tester.sent));

    shop.put(routes(75)).await;
    let before = shop.requests();
    load.more(200).await;
    let after = shop.requests();
    let [main, hotfix] = ["shop", "shop-hotfix"].map(|name| after(name) - before(name));
    assert!(hotfix.abs_diff((main + hotfix) / 4) <= 1, "{hotfix} of {}", main + hotfix);

    shop.put(routes(0)).await;
    load.more(50).await;
    let report = load.stop().await;
    assert_eq!((report.failed, &report.failures), (0, &Vec::new()));
    assert_eq!(report.by_version.values().sum::<u64>(), report.sent);
}

#[tokio::test]
async fn a_rolling_update_under_load_fails_no_request() {
    let shop = Shop::open().await;
    let load = Load::start(shop.plan("shop"));
    load.more(50).await;
    let slow_start = Readiness::After(Period::from_millis(300));
    shop.deploy("shop", "3", &Behaviour { readiness: slow_start, ..Behaviour::default() }).await;
    load.more(100).await;
    let report = load.stop().await;
    assert_eq!((report.failed, &report.failures), (0, &Vec::new()));
    assert!(report.by_version["3"] > 0, "{report:?}");
    assert_eq!(shop.gateway.counts()["shop"], Counts { requests: report.sent, failed: 0 });
}

#[tokio::test]
async fn failures_are_counted_where_they_happen() {
    let shop = Shop::open().await;
    let half = Behaviour { error_percent: 50, ..Behaviour::default() };
    shop.deploy("shop-hotfix", "4", &half).await;
    shop.put(virtual_service(json!([{"route": split(50)}]))).await;
    let load = Load::start(shop.plan("shop"));
    load.more(200).await;
    let report = load.stop().await;
    let counts = shop.gateway.counts();
    assert_eq!((counts["shop"].failed, counts["shop-hotfix"].failed), (0, report.failed));
    assert_eq!(report.by_status[&500], report.failed);
    assert!(report.failed.abs_diff(report.sent / 4) < report.sent / 20, "{report:?}");

    let nobody = Load::start(LoadPlan { per_second: 50, connections: 1, ..shop.plan("nobody") });
    nobody.more(3).await;
    let nobody = nobody.stop().await;
    assert_eq!(nobody.failures[0], "503 Service Unavailable: no pod is ready");
    assert_eq!(shop.gateway.counts()["nobody"], Counts { requests: nobody.sent, failed: nobody.sent });
}

#[tokio::test]
async fn subsets_of_one_service_are_told_apart_by_the_labels_of_pods() {
    let shop = Shop::open().await;
    shop.put(json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "all"},
        "spec": {"selector": {"tier": "web"}, "ports": [{"port": 80, "targetPort": "http"}]},
    }))
    .await;
    shop.gateway.has_endpoints("all", 4).await;
    shop.put(json!({
        "apiVersion": "networking.istio.io/v1", "kind": "DestinationRule", "metadata": {"name": "all"},
        "spec": {"host": "all", "subsets": [
            {"name": "one", "labels": {"version": "1"}}, {"name": "two", "labels": {"version": "2"}},
        ]},
    }))
    .await;
    let to = |subset: &str, weight: u8| json!({"destination": {"host": "all", "subset": subset}, "weight": weight});
    let mut object = virtual_service(json!([{"route": [to("one", 60), to("two", 40)]}]));
    object["spec"]["hosts"] = json!(["all"]);
    shop.put(object).await;
    let load = Load::start(shop.plan("all"));
    load.more(100).await;
    let report = load.stop().await;
    assert_eq!((report.failed, &report.failures), (0, &Vec::new()));
    let counts = shop.gateway.counts();
    let versions = BTreeMap::from([
        ("1".to_owned(), counts["all/one"].requests),
        ("2".to_owned(), counts["all/two"].requests),
    ]);
    assert_eq!(report.by_version, versions);
    assert!(versions["2"].abs_diff(report.sent * 2 / 5) <= 1, "{versions:?}");
}

#[tokio::test]
async fn an_http_route_says_when_it_is_in_force() {
    let shop = Shop::open().await;
    let route = |weight: u8| {
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "shop"},
            "spec": {"parentRefs": [{"name": "edge"}], "hostnames": ["shop.example.com"], "rules": [{"backendRefs": [
                {"name": "shop", "port": 80, "weight": 100 - weight},
                {"name": "shop-hotfix", "port": 80, "weight": weight},
            ]}]},
        })
    };
    shop.put(route(0)).await;
    let written = shop.put(route(100)).await;
    let generation = written.metadata.generation;
    let in_force = await_condition(shop.api(&route(0)), "shop", |route: Option<&DynamicObject>| {
        route.is_some_and(|route| {
            let said = route.data.pointer("/status/parents/0/conditions/0/observedGeneration");
            said.and_then(Value::as_i64) == generation
        })
    });
    tokio::time::timeout(PATIENCE, in_force).await.unwrap().unwrap();
    let load = Load::start(shop.plan("shop.example.com"));
    load.more(20).await;
    let report = load.stop().await;
    assert_eq!((report.failed, report.by_version["2"]), (0, report.sent));
}
