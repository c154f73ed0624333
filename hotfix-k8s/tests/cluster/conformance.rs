//! The contract of the port, by each way of splitting the traffic.

use std::sync::Arc;

use async_trait::async_trait;
use hotfix_core::model::SlotName;
use hotfix_k8s::{
    HttpRouteTraffic, IngressTraffic, ReplicasTraffic, TraefikServiceTraffic, Traffic, VirtualServiceTraffic,
};
use hotfix_testkit::cluster::{Behaviour, Gateway, Readiness, TestCluster};
use hotfix_testkit::conformance::deployer::{self, DeployerFixture, DeployerSite};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::site::{Shop, deployment, pushed, release, service};
use super::subsets;

/// One shop per case, all kept until the last case is done.
struct Shops {
    cluster: &'static TestCluster,
    deployment: Value,
    traffic: Traffic,
    routes: Vec<Value>,
    opened: Mutex<Vec<Arc<Opened>>>,
}

/// A shop, and a gateway that takes its routes up.
struct Opened {
    shop: Shop,
    _gateway: Gateway,
}

impl Shops {
    async fn along(traffic: Traffic, routes: Vec<Value>) -> Self {
        let cluster = TestCluster::shared().await.expect("a cluster");
        cluster.install_istio().await.expect("kinds of Istio");
        cluster.install_gateway_api().await.expect("kinds of the Gateway API");
        cluster.install_traefik().await.expect("a kind of Traefik");
        Self { cluster, deployment: deployment(cluster, 1), traffic, routes, opened: Mutex::default() }
    }
}

#[async_trait]
impl DeployerFixture for Shops {
    async fn site(&self) -> DeployerSite {
        let shop = Shop::closed(self.cluster, self.traffic.clone(), &self.deployment, &self.routes).await;
        shop.deployer.adopt(&shop.target).await.expect("adopted");
        let gateway = Gateway::start(shop.client.clone(), &shop.namespace).await.expect("a gateway");
        let opened = Arc::new(Opened { shop, _gateway: gateway });
        self.opened.lock().await.push(Arc::clone(&opened));
        DeployerSite {
            deployer: Arc::new(opened.shop.deployer.clone()),
            target: opened.shop.target.clone(),
            live: release(self.cluster, 1),
            next: release(self.cluster, 2),
            never_ready: {
                let behaviour = Behaviour { readiness: Readiness::Never, ..Behaviour::default() };
                Some(pushed(self.cluster, 9, &behaviour))
            },
        }
    }

    async fn fail(&self, _site: &DeployerSite, slot: &SlotName) {
        let opened = self.opened.lock().await.last().map(Arc::clone);
        opened.expect("a case has begun").shop.fail(slot).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deployer_keeps_its_contract_by_the_selector_of_a_service() {
    deployer::all(&Shops::along(Traffic::Service, Vec::new()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deployer_keeps_its_contract_by_the_numbers_of_pods() {
    let traffic = Traffic::Replicas(ReplicasTraffic::default());
    deployer::all(&Shops::along(traffic, Vec::new()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deployer_keeps_its_contract_by_a_virtual_service() {
    let route = json!({
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "shop"},
        "spec": {"hosts": ["shop"], "http": [{"route": [
            {"destination": {"host": "shop"}, "weight": 100},
            {"destination": {"host": "shop-hotfix"}, "weight": 0},
        ]}]},
    });
    let traffic = Traffic::VirtualService(VirtualServiceTraffic::default());
    deployer::all(&Shops::along(traffic, vec![service("shop-hotfix"), route]).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deployer_keeps_its_contract_by_subsets() {
    let shops = Shops::along(subsets::traffic(), subsets::routes()).await;
    let deployment = subsets::labelled(shops.deployment.clone());
    deployer::all(&Shops { deployment, ..shops }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deployer_keeps_its_contract_by_an_http_route() {
    let route = json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "shop"},
        "spec": {"parentRefs": [{"name": "front"}], "hostnames": ["shop"], "rules": [{"backendRefs": [
            {"name": "shop", "port": 80, "weight": 100},
            {"name": "shop-hotfix", "port": 80, "weight": 0},
        ]}]},
    });
    let traffic = Traffic::HttpRoute(HttpRouteTraffic::default());
    deployer::all(&Shops::along(traffic, vec![service("shop-hotfix"), route]).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deployer_keeps_its_contract_by_a_canary_ingress() {
    let ingress = |name: &str, backend: &str, annotations: Value| {
        json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {"name": name, "annotations": annotations},
            "spec": {"rules": [{"host": "shop", "http": {"paths": [{
                "path": "/", "pathType": "Prefix",
                "backend": {"service": {"name": backend, "port": {"number": 80}}},
            }]}}]},
        })
    };
    let canary = json!({
        "nginx.ingress.kubernetes.io/canary": "true",
        "nginx.ingress.kubernetes.io/canary-weight": "0",
    });
    let routes = vec![
        service("shop-hotfix"),
        ingress("shop", "shop", json!({})),
        ingress("shop-canary", "shop-hotfix", canary),
    ];
    deployer::all(&Shops::along(Traffic::Ingress(IngressTraffic::default()), routes).await).await;
}

/// Nobody serves by it here: what holds is what is written to the API server.
#[tokio::test(flavor = "multi_thread")]
async fn the_deployer_keeps_its_contract_by_a_traefik_service() {
    let route = json!({
        "apiVersion": "traefik.io/v1alpha1",
        "kind": "TraefikService",
        "metadata": {"name": "shop"},
        "spec": {"weighted": {"services": [
            {"name": "shop", "port": 80, "weight": 1},
            {"name": "shop-hotfix", "port": 80, "weight": 0},
        ]}},
    });
    let traffic = Traffic::TraefikService(TraefikServiceTraffic::default());
    deployer::all(&Shops::along(traffic, vec![service("shop-hotfix"), route]).await).await;
}
