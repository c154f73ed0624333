//! The contract of the port, by each way of splitting the traffic, on our cluster or on the one that the environment
//! names.

use std::io::Write;
use std::sync::Arc;

use async_trait::async_trait;
use hotfix_core::model::{Artifact, ImageReference, Release, SlotName, TagName, Version};
use hotfix_k8s::{
    HttpRouteTraffic, IngressTraffic, ReplicasTraffic, TraefikServiceTraffic, Traffic, VirtualServiceTraffic,
};
use hotfix_testkit::cluster::{Gateway, ReadinessGate, SuiteImages, TestCluster};
use hotfix_testkit::conformance::deployer::{self, DeployerFixture, DeployerSite};
use k8s_openapi::api::core::v1::Pod;
use kube::core::{GroupVersionKind, TypeMeta};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::site::{Shop, app, service};
use super::subsets;

/// One shop per case, all kept until the last case is done.
struct Shops {
    cluster: &'static TestCluster,
    images: SuiteImages,
    gate: ReadinessGate,
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
    /// Nothing where the cluster is somebody else's and has no such routes, which is told.
    async fn along(traffic: Traffic, routes: Vec<Value>) -> Option<Self> {
        let cluster = TestCluster::shared().await.expect("a cluster");
        if cluster.is_own() {
            cluster.install_istio().await.expect("kinds of Istio");
            cluster.install_gateway_api().await.expect("kinds of the Gateway API");
            cluster.install_traefik().await.expect("a kind of Traefik");
        }
        let client = cluster.client().expect("a client");
        for route in &routes {
            let types: TypeMeta = serde_json::from_value(route.clone()).expect("a kind");
            let kind = GroupVersionKind::try_from(&types).expect("a kind");
            if let Err(missing) = kube::discovery::pinned_kind(&client, &kind).await {
                assert!(!cluster.is_own(), "{missing}");
                let TypeMeta { api_version, kind } = types;
                let told = format!(
                    "skipped, because the cluster has no {kind} of {api_version}: the contract by it"
                );
                // Past what keeps the output of a test that passes.
                writeln!(std::io::stderr(), "{told}").expect("somebody listens");
                return None;
            }
        }
        let images = cluster.suite_images().expect("images");
        let shut_out = images.never_ready.clone();
        let gate = ReadinessGate::start(client, move |pod| !runs(pod, &shut_out));
        let mut deployment = deployment(&images.live);
        gate.put_in(&mut deployment["spec"]["template"]);
        Some(Self { cluster, images, gate, deployment, traffic, routes, opened: Mutex::default() })
    }

    /// Runs every case.
    async fn keep_the_contract(shops: Option<Self>) {
        if let Some(shops) = shops {
            deployer::all(&shops).await;
        }
    }
}

fn runs(pod: &Pod, image: &ImageReference) -> bool {
    let mut containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    containers.any(|container| container.image.as_deref() == Some(image.as_str()))
}

/// Without a probe: what answers where depends on the image.
fn deployment(live: &ImageReference) -> Value {
    json!({
        "metadata": {"name": "shop", "labels": {"app": "shop", "app.kubernetes.io/version": "1.0.1"}},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "shop"}},
            "template": {
                "metadata": {"labels": {"app": "shop"}},
                "spec": {"terminationGracePeriodSeconds": 5, "containers": [{
                    "name": "web", "image": live.as_str(), "ports": [{"name": "http", "containerPort": 8080}],
                }]},
            },
        },
    })
}

fn release(patch: u8, image: &ImageReference) -> Release {
    Release {
        version: Version::new(1, 0, patch.into()),
        tag: TagName::new(format!("v1.0.{patch}")).expect("a tag"),
        artifact: Artifact::Image(image.clone()),
    }
}

#[async_trait]
impl DeployerFixture for Shops {
    async fn site(&self) -> DeployerSite {
        let shop = Shop::closed(self.cluster, self.traffic.clone(), &self.deployment, &self.routes).await;
        shop.adopt().await.expect("adopted");
        let gateway = Gateway::start(shop.client.clone(), &shop.namespace).await.expect("a gateway");
        let opened = Arc::new(Opened { shop, _gateway: gateway });
        self.opened.lock().await.push(Arc::clone(&opened));
        DeployerSite {
            deployer: Arc::new(opened.shop.deployer.clone()),
            target: opened.shop.target.clone(),
            live: release(1, &self.images.live),
            next: release(2, &self.images.next),
            never_ready: Some(release(9, &self.images.never_ready)),
        }
    }

    async fn fail(&self, _site: &DeployerSite, slot: &SlotName) {
        let opened = self.opened.lock().await.last().map(Arc::clone).expect("a case has begun");
        self.gate.close(&opened.shop.pods(app(slot)).await).await.expect("closed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deployer_keeps_its_contract_by_the_selector_of_a_service() {
    Shops::keep_the_contract(Shops::along(Traffic::Service, Vec::new()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deployer_keeps_its_contract_by_the_numbers_of_pods() {
    let traffic = Traffic::Replicas(ReplicasTraffic::default());
    Shops::keep_the_contract(Shops::along(traffic, Vec::new()).await).await;
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
    Shops::keep_the_contract(Shops::along(traffic, vec![service("shop-hotfix"), route]).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deployer_keeps_its_contract_by_subsets() {
    let shops = Shops::along(subsets::traffic(), subsets::routes()).await;
    let labelled = |shops: Shops| Shops { deployment: subsets::labelled(shops.deployment.clone()), ..shops };
    Shops::keep_the_contract(shops.map(labelled)).await;
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
    Shops::keep_the_contract(Shops::along(traffic, vec![service("shop-hotfix"), route]).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deployer_keeps_its_contract_by_a_canary_ingress() {
    let ingress = |name: &str, backend: &str, annotations: Value| {
        json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {"name": name, "annotations": annotations},
            // Nobody's class: what is tested is what is written, and a controller would refuse one host twice.
            "spec": {"ingressClassName": "hotfix-test", "rules": [{"host": "shop", "http": {"paths": [{
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
    Shops::keep_the_contract(Shops::along(Traffic::Ingress(IngressTraffic::default()), routes).await).await;
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
    Shops::keep_the_contract(Shops::along(traffic, vec![service("shop-hotfix"), route]).await).await;
}
