//! A bad release and then a good one by routes that others own as well: customers notice nothing but the bad release's own
//! errors, and whatever is not a weight of ours stays as it was.

use hotfix_core::request::Strategy;
use hotfix_k8s::{HttpRouteTraffic, IngressTraffic, Traffic};
use hotfix_testkit::cluster::{Behaviour, TestCluster};
use kube::core::TypeMeta;
use serde_json::{Value, json};

use super::super::site::{Shop, deployment, pushed, release, service, written};
use super::super::stage::{Stage, end, quick, say};
use super::{live, only_its_own_errors, verdict};

/// A way to split the traffic by an object of others.
struct Road {
    traffic: Traffic,
    /// What there is beside the Deployment and its Service; the last is the route.
    objects: Vec<Value>,
    /// What the route is called in a path.
    plural: &'static str,
    /// Where it says what the main Deployment and the copy get; the first may be what is left.
    weights: [Option<&'static str>; 2],
}

#[tokio::test(flavor = "multi_thread")]
async fn an_http_route_takes_a_bad_release_back_and_a_good_one_live_and_is_else_untouched() {
    let to = |name: &str, weight: u8| {
        let filters =
            json!([{"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["x-debug"]}}]);
        json!({"group": "", "kind": "Service", "name": name, "port": 80, "weight": weight, "filters": filters})
    };
    let under = |path: &str| json!([{"path": {"type": "PathPrefix", "value": path}}]);
    let redirect = json!([{"type": "RequestRedirect", "requestRedirect": {"statusCode": 302}}]);
    let route = json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "shop", "labels": {"team": "edge"}, "annotations": {"edge/owner": "ada"}},
        "spec": {"parentRefs": [{"name": "front"}], "hostnames": ["shop"], "rules": [
            {"name": "docs", "matches": under("/docs"), "filters": redirect},
            {
                "name": "all", "matches": under("/"), "timeouts": {"request": "9s"},
                "backendRefs": [to("shop", 1), to("legacy", 0), to("shop-hotfix", 0)],
            },
        ]},
    });
    let road = Road {
        traffic: Traffic::HttpRoute(HttpRouteTraffic::default()),
        objects: vec![service("shop-hotfix"), route],
        plural: "httproutes",
        weights: [Some("/spec/rules/1/backendRefs/0/weight"), Some("/spec/rules/1/backendRefs/2/weight")],
    };
    takes_one_back_and_one_live(road).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_ingress_takes_a_bad_release_back_and_a_good_one_live_and_is_else_untouched() {
    let ingress = |name: &str, backend: &str, annotations: Value| {
        json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {"name": name, "labels": {"team": "edge"}, "annotations": annotations},
            "spec": {"rules": [{"host": "shop", "http": {"paths": [{
                "path": "/", "pathType": "Prefix",
                "backend": {"service": {"name": backend, "port": {"number": 80}}},
            }]}}]},
        })
    };
    let canary = json!({
        "edge/owner": "ada",
        "nginx.ingress.kubernetes.io/canary": "true",
        "nginx.ingress.kubernetes.io/canary-weight": "0",
        "nginx.ingress.kubernetes.io/proxy-read-timeout": "9",
    });
    let road = Road {
        traffic: Traffic::Ingress(IngressTraffic::default()),
        objects: vec![
            service("shop-hotfix"),
            ingress("shop", "shop", json!({})),
            ingress("shop-canary", "shop-hotfix", canary),
        ],
        plural: "ingresses",
        weights: [None, Some("/metadata/annotations/nginx.ingress.kubernetes.io~1canary-weight")],
    };
    takes_one_back_and_one_live(road).await;
}

async fn takes_one_back_and_one_live(road: Road) {
    let cluster = TestCluster::shared().await.expect("a cluster");
    cluster.install_gateway_api().await.expect("kinds of the Gateway API");
    let shop = Shop::closed(cluster, road.traffic.clone(), &deployment(cluster, 3), &road.objects).await;
    let before = road.of_others(&shop).await;
    let mut settings = quick();
    settings.rollout.canary_steps = vec![50, 100];
    let stage = Stage::around(shop, settings).await;
    let bad = pushed(cluster, 2, &Behaviour { error_percent: 50, ..Behaviour::default() });
    let [old, good] = [1, 3].map(|patch| release(cluster, patch));

    let why = verdict(end(stage.deploy(&bad, Strategy::Canary).await).await);
    stage.until_home(&old).await;
    let failed = stage.load.report().failed;
    assert_eq!(live(end(stage.deploy(&good, Strategy::Canary).await).await), good.artifact);
    stage.until_home(&good).await;

    assert_eq!(road.shares(&stage), [50, 0, 50, 100, 0]);
    road.writes_only_weights(&stage);
    assert_eq!(road.of_others(&stage.shop).await, before);
    let report = stage.load.stop().await;
    say(&format_args!("{why}; {} of {} failed", report.failed, report.sent));
    only_its_own_errors(&report);
    assert_eq!(report.failed, failed, "the good one, and both ways back, fail none: {report:?}");
    assert!(report.by_version["1.0.3"] > 50, "{report:?}");
}

impl Road {
    fn route(&self) -> &Value {
        self.objects.last().expect("a route")
    }

    /// The route as text, without what is ours and what the server keeps of it.
    async fn of_others(&self, shop: &Shop) -> String {
        let types: TypeMeta = serde_json::from_value(self.route().clone()).expect("a kind");
        let name = self.route()["metadata"]["name"].as_str().expect("a name");
        let found = shop.api_of(&types).get(name).await.expect("it exists");
        let mut found = serde_json::to_value(found).expect("JSON");
        for path in self.weights.into_iter().flatten() {
            *found.pointer_mut(path).expect("a weight") = Value::Null;
        }
        let annotations = found["metadata"]["annotations"].as_object_mut().expect("annotations");
        annotations.retain(|name, _| !name.starts_with("hotfix.dev/"));
        json!([found["metadata"]["labels"], found["metadata"]["annotations"], found["spec"]]).to_string()
    }

    /// Every share that the copy was given in turn, in percent, by the server's log.
    fn shares(&self, stage: &Stage) -> Vec<u64> {
        let path = self.weights[1].expect("a weight of the copy");
        let number = |value: Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
        let patches = stage.shop.patches_of(self.plural);
        patches.iter().filter_map(|patch| number(written(patch, path)?)).collect()
    }

    /// Nothing but weights and our own annotations was ever written.
    fn writes_only_weights(&self, stage: &Stage) {
        let patches = stage.shop.patches_of(self.plural);
        let written =
            patches.iter().filter_map(Value::as_array).flatten().filter(|change| change["op"] != "test");
        let mut paths: Vec<_> = written.filter_map(|change| change["path"].as_str()).collect();
        paths.sort_unstable();
        paths.dedup();
        let is_ours = |path: &&str| {
            path.starts_with("/metadata/annotations/hotfix.dev~1") || self.weights.contains(&Some(*path))
        };
        assert!(paths.iter().all(is_ours), "{paths:?}");
        assert_eq!(paths.len(), 1 + self.weights.into_iter().flatten().count(), "{paths:?}");
    }
}
