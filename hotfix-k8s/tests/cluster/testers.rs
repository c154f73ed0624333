//! Testers reach a staged release by a header, through the gateway, and customers do not.

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use hotfix_core::model::{Precondition, Release, Verb, Weights};
use hotfix_core::port::{Deployer, Reply};
use hotfix_k8s::{HttpRouteTraffic, Testers, Traffic, VirtualServiceTraffic};
use hotfix_testkit::cluster::{Behaviour, Gateway, Load, LoadPlan, Readiness, TestCluster};
use kube::Api;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use serde_json::{Value, json};

use super::site::{Shop, call, pushed, release, service, slot};

/// A shop whose traffic is split by an object, and its front.
struct Front {
    shop: Shop,
    gateway: Gateway,
    route: Api<DynamicObject>,
    kind: &'static str,
    seq: u32,
}

fn testers() -> Option<Testers> {
    Some(Testers::new("x-hotfix", "try").expect("a header"))
}

impl Front {
    async fn mesh() -> Self {
        let to = |host: &str, weight: u8| json!({"destination": {"host": host}, "weight": weight});
        let split = json!([to("shop", 100), to("shop-hotfix", 0)]);
        let route = json!({
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": {"name": "shop"},
            "spec": {"hosts": ["shop"], "http": [
                {"name": "docs", "match": [{"uri": {"prefix": "/docs"}}], "redirect": {"uri": "/"}},
                {"name": "pay", "match": [{"uri": {"prefix": "/pay"}}], "timeout": "3s", "route": split},
                {"route": split},
            ]},
        });
        let traffic = VirtualServiceTraffic { testers: testers(), ..VirtualServiceTraffic::default() };
        Self::open(Traffic::VirtualService(traffic), route, "VirtualService").await
    }

    async fn gateway_api() -> Self {
        let to = |name: &str, weight: u8| json!({"name": name, "port": 80, "weight": weight});
        let split = json!([to("shop", 100), to("shop-hotfix", 0)]);
        let under = |path: &str| json!([{"path": {"type": "PathPrefix", "value": path}}]);
        let redirect = json!([{"type": "RequestRedirect", "requestRedirect": {"statusCode": 302}}]);
        let route = json!({
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": {"name": "shop"},
            "spec": {"parentRefs": [{"name": "front"}], "hostnames": ["shop"], "rules": [
                {"name": "docs", "matches": under("/docs"), "filters": redirect},
                {"name": "pay", "matches": under("/pay"), "timeouts": {"request": "3s"}, "backendRefs": split},
                {"name": "all", "backendRefs": split},
            ]},
        });
        let rules = ["all", "pay"].map(str::to_owned).into();
        let traffic = HttpRouteTraffic { rules, testers: testers(), ..HttpRouteTraffic::default() };
        Self::open(Traffic::HttpRoute(traffic), route, "HTTPRoute").await
    }

    async fn open(traffic: Traffic, route: Value, kind: &'static str) -> Self {
        let cluster = TestCluster::shared().await.expect("a cluster");
        cluster.install_istio().await.expect("kinds of Istio");
        cluster.install_gateway_api().await.expect("kinds of the Gateway API");
        let resource: DynamicObject = serde_json::from_value(route.clone()).expect("an object");
        let named = GroupVersionKind::try_from(resource.types.as_ref().expect("a kind")).expect("a kind");
        let shop = Shop::open_with(cluster, traffic, &[service("shop-hotfix"), route]).await;
        let gateway = Gateway::start(shop.client.clone(), &shop.namespace).await.expect("a gateway");
        let resource = ApiResource::from_gvk(&named);
        let route = Api::namespaced_with(shop.client.clone(), &shop.namespace, &resource);
        Self { shop, gateway, route, kind, seq: 0 }
    }

    async fn apply(&mut self, verb: Verb) {
        self.seq += 1;
        let call = call(&format!("k{}", self.seq), self.seq);
        let reply = self.shop.deployer.apply(&call, &self.shop.target, &verb, &Precondition::default()).await;
        assert!(matches!(reply, Reply::Applied(_)), "{verb}: {reply:?}");
    }

    async fn stage(&mut self, release: Release) {
        self.apply(Verb::Stage { slot: slot("hotfix"), release, replicas: NonZeroU16::MIN }).await;
    }

    async fn shift(&mut self, percent: u8) {
        let weights = Weights::split(slot("main"), slot("hotfix"), percent).expect("weights");
        self.apply(Verb::Shift { weights }).await;
    }

    /// What the route's owner wrote, byte for byte.
    async fn spec(&self) -> String {
        self.route.get("shop").await.expect("a route").data["spec"].to_string()
    }

    /// Which versions answer whoever asks with these headers, once the gateway goes by the route as it is.
    async fn answers(&self, path: &str, headers: &[(&str, &str)]) -> BTreeMap<String, u64> {
        let route = self.route.get("shop").await.expect("a route");
        let version = route.metadata.resource_version.expect("a version");
        self.gateway.has_seen(self.kind, "shop", &version).await;
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let headers = headers.iter().map(own).collect();
        let plan =
            LoadPlan { path: path.to_owned(), headers, ..LoadPlan::to(self.gateway.address(), "shop") };
        let load = Load::start(plan);
        load.more(20).await;
        let report = load.stop().await;
        assert_eq!((report.failed, &report.failures), (0, &Vec::new()));
        report.by_version
    }

    /// The only version that testers meet, and the only one that others do.
    async fn meet(&self, tester: &str, customer: &str) {
        for path in ["/", "/pay"] {
            let found = self.answers(path, &[("x-hotfix", "try")]).await;
            assert_eq!(found.keys().collect::<Vec<_>>(), [tester], "testers at {path}");
            for headers in [&[][..], &[("x-hotfix", "other")]] {
                let found = self.answers(path, headers).await;
                assert_eq!(
                    found.keys().collect::<Vec<_>>(),
                    [customer],
                    "customers at {path} with {headers:?}"
                );
            }
        }
    }
}

async fn staged_taken_back_and_gone_live(mut front: Front) {
    let cluster = front.shop.test_cluster;
    let (before, snapshot) =
        (front.spec().await, front.shop.deployer.snapshot(&front.shop.target).await.expect("a snapshot"));

    front.stage(release(cluster, 2)).await;
    front.meet("1.0.2", "1.0.1").await;
    front.apply(Verb::Restore { snapshot: snapshot.clone() }).await;
    assert_eq!(front.spec().await, before);
    front.meet("1.0.1", "1.0.1").await;

    front.stage(release(cluster, 3)).await;
    front.shift(50).await;
    let found = front.answers("/", &[("x-hotfix", "try")]).await;
    assert_eq!(found.keys().collect::<Vec<_>>(), ["1.0.3"]);
    front.shift(0).await;
    front.meet("1.0.3", "1.0.1").await;
    front.apply(Verb::Retire { slot: slot("hotfix") }).await;
    assert_eq!(front.spec().await, before);

    front.stage(release(cluster, 2)).await;
    front.shift(100).await;
    front.apply(Verb::Promote { slot: slot("hotfix") }).await;
    front.meet("1.0.2", "1.0.2").await;
    front.apply(Verb::Restore { snapshot }).await;
    assert_eq!(front.spec().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn testers_meet_what_is_staged_by_a_virtual_service() {
    staged_taken_back_and_gone_live(Front::mesh().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn testers_meet_what_is_staged_by_an_http_route() {
    staged_taken_back_and_gone_live(Front::gateway_api().await).await;
}

/// A slot without a ready pod answers nobody, so testers are not sent there.
#[tokio::test(flavor = "multi_thread")]
async fn testers_do_not_meet_a_slot_without_a_ready_pod() {
    let mut front = Front::mesh().await;
    let cluster = front.shop.test_cluster;
    let before = front.spec().await;
    front.stage(release(cluster, 2)).await;
    front.meet("1.0.2", "1.0.1").await;
    let never = Behaviour { readiness: Readiness::Never, ..Behaviour::default() };
    front.stage(pushed(cluster, 9, &never)).await;
    assert_eq!(front.spec().await, before);
    front.meet("1.0.1", "1.0.1").await;
}
