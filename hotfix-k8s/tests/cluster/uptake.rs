//! A route that was written and that nobody has taken up.

use std::num::NonZeroU16;
use std::time::Duration;

use chrono::TimeDelta;
use hotfix_core::model::{Precondition, Stamp, Verb, Weights};
use hotfix_core::port::{Ambiguity, Call, Deployer, Probe, Receipt, Rejection, Reply, Seal};
use hotfix_k8s::{HttpRouteTraffic, Traffic};
use hotfix_testkit::cluster::{Gateway, TestCluster};
use kube::api::{Patch, PatchParams};
use kube::core::TypeMeta;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::site::{Kind, Shop, call, release, service, slot, until};

async fn apply(shop: &Shop, call: &Call, verb: &Verb) -> Reply {
    shop.deployer.apply(call, &shop.target, verb, &Precondition::default()).await
}

/// A shop behind a route of a Gateway, with a release staged.
async fn staged() -> (Shop, Gateway) {
    let shop = behind(&["front"]).await;
    let gateway = Gateway::start(shop.client.clone(), &shop.namespace).await.expect("a gateway");
    stage(&shop, 1).await;
    (shop, gateway)
}

/// A shop behind a route of these Gateways.
async fn behind(gateways: &[&str]) -> Shop {
    let cluster = TestCluster::shared().await.expect("a cluster");
    cluster.install_gateway_api().await.expect("kinds of the Gateway API");
    let to = |name: &str, weight: u8| json!({"name": name, "port": 80, "weight": weight});
    let parents: Vec<_> = gateways.iter().map(|name| json!({ "name": name })).collect();
    let route = json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "shop"},
        "spec": {"parentRefs": parents, "hostnames": ["shop"], "rules": [
            {"backendRefs": [to("shop", 100), to("shop-hotfix", 0)]},
        ]},
    });
    let traffic = Traffic::HttpRoute(HttpRouteTraffic::default());
    Shop::open_with(cluster, traffic, &[service("shop-hotfix"), route]).await
}

async fn stage(shop: &Shop, seq: u32) {
    let release = release(shop.test_cluster, 2);
    let stage = Verb::Stage { slot: slot("hotfix"), release, replicas: NonZeroU16::MIN };
    applied(shop, &call(&format!("stage{seq}"), seq), &stage).await;
    shop.until_ready("hotfix").await;
}

async fn applied(shop: &Shop, call: &Call, verb: &Verb) {
    let reply = apply(shop, call, verb).await;
    assert!(matches!(reply, Reply::Applied(_)), "{reply:?}");
}

fn soon(key: &str, seq: u32) -> Call {
    let call = call(key, seq);
    Call { deadline: call.deadline - TimeDelta::seconds(18), ..call }
}

/// The Gateway goes away, so nobody takes the shift up; its key says that it was written. What counts on the traffic
/// having moved is refused until it has.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_promoted_or_emptied_on_the_word_of_a_route_that_is_not_in_force() {
    let (shop, gateway) = staged().await;
    drop(gateway);

    let shift = soon("shift", 2);
    let reply = apply(&shop, &shift, &Verb::Shift { weights: Weights::all(slot("hotfix")) }).await;
    assert_eq!(reply, Reply::Ambiguous(Ambiguity::Timeout));
    let seal = shop.deployer.seal(&shop.target, Stamp::new(1, 3)).await;
    assert!(matches!(seal, Seal::Sealed(_)), "{seal:?}");
    let probe = shop.deployer.probe(&shop.target, &shift.key).await;
    assert!(matches!(probe, Probe::Applied(_)), "{probe:?}");

    let promote = Verb::Promote { slot: slot("hotfix") };
    let reason = format!(
        "HTTPRoute {}/shop is not in force, so nobody knows where the traffic is",
        shop.namespace.name()
    );
    let reply = apply(&shop, &soon("early", 4), &promote).await;
    assert_eq!(reply, Reply::Rejected(Rejection::Busy { reason, retry_after: None }));
    let workload = shop.deployer.observe(&shop.target).await.expect("a workload");
    assert_eq!(workload.live, Some(slot("main")));

    let _gateway = Gateway::start(shop.client.clone(), &shop.namespace).await.expect("a gateway");
    let reply = apply(&shop, &call("promote", 5), &promote).await;
    assert!(matches!(reply, Reply::Applied(_)), "{reply:?}");
    let retire = Verb::Retire { slot: slot("main") };
    let reply = apply(&shop, &call("retire", 6), &retire).await;
    assert!(matches!(reply, Reply::Applied(_)), "{reply:?}");
}

/// The Gateway goes away with the traffic on the fix. Until one has taken the way back up, customers are served by the
/// pods of the fix alone, so they stay.
#[tokio::test(flavor = "multi_thread")]
async fn an_undo_ends_no_pods_before_its_route_is_in_force() {
    let (shop, gateway) = staged().await;
    let snapshot = shop.deployer.snapshot(&shop.target).await.expect("a snapshot");
    applied(&shop, &call("shift", 2), &Verb::Shift { weights: Weights::all(slot("hotfix")) }).await;
    drop(gateway);

    let undo = Verb::Restore { snapshot };
    for seq in [3, 5] {
        let restore = soon("restore", seq);
        assert_eq!(apply(&shop, &restore, &undo).await, Reply::Ambiguous(Ambiguity::Timeout));
        let seal = shop.deployer.seal(&shop.target, Stamp::new(1, seq + 1)).await;
        assert!(matches!(seal, Seal::Sealed(_)), "{seal:?}");
        assert_eq!(shop.deployer.probe(&shop.target, &restore.key).await, Probe::NotApplied);
        assert_eq!(shop.read(Kind::Deployment, "shop-hotfix").await["spec"]["replicas"], 1);
    }
    let workload = shop.deployer.observe(&shop.target).await.expect("a workload");
    assert_eq!(workload.weights, Some(Weights::all(slot("main"))), "it was written");

    let _gateway = Gateway::start(shop.client.clone(), &shop.namespace).await.expect("a gateway");
    applied(&shop, &call("restore", 7), &undo).await;
    assert_eq!(shop.read(Kind::Deployment, "shop-hotfix").await["spec"]["replicas"], 0);
}

/// Gateways that say of every generation of the shop's route what they think of it, and serve nobody.
struct Voices {
    refusing: watch::Sender<Vec<&'static str>>,
    speaking: JoinHandle<()>,
}

impl Drop for Voices {
    fn drop(&mut self) {
        self.speaking.abort();
    }
}

impl Voices {
    /// All accept the route but those.
    fn start(shop: &Shop, refusing: Vec<&'static str>) -> Self {
        let types =
            TypeMeta { api_version: "gateway.networking.k8s.io/v1".to_owned(), kind: "HTTPRoute".to_owned() };
        let routes = shop.api_of(&types);
        let (refusing, told) = watch::channel(refusing);
        let speaking = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_millis(25));
            loop {
                ticks.tick().await;
                let Ok(route) = routes.get("shop").await else { continue };
                let route = serde_json::to_value(route).expect("JSON");
                let status = verdicts(&route, &told.borrow());
                if route["status"] != status {
                    let patch = Patch::Merge(json!({ "status": status }));
                    let _conflict = routes.patch_status("shop", &PatchParams::default(), &patch).await;
                }
            }
        });
        Self { refusing, speaking }
    }
}

fn verdicts(route: &Value, refusing: &[&str]) -> Value {
    let parents = route["spec"]["parentRefs"].as_array().expect("parents");
    let said = |parent: &Value| {
        let refuses = refusing.iter().any(|name| parent["name"] == *name);
        let condition = |kind: &str| {
            let is_refused = refuses && kind == "Accepted";
            json!({
                "type": kind, "status": if is_refused { "False" } else { "True" },
                "reason": if is_refused { "NotAllowedByListeners" } else { kind },
                "message": "", "observedGeneration": route["metadata"]["generation"],
                "lastTransitionTime": route["metadata"]["creationTimestamp"],
            })
        };
        json!({
            "parentRef": parent, "controllerName": "example.com/gateway",
            "conditions": [condition("Accepted"), condition("ResolvedRefs")],
        })
    };
    json!({"parents": parents.iter().map(said).collect::<Vec<_>>()})
}

/// A second Gateway has never accepted the route. It serves nobody by it, so a plan warns of it, no shift counts as done,
/// and no undo waits for it. One that refuses from now on may still serve what it served before: then the pods stay.
#[tokio::test(flavor = "multi_thread")]
async fn an_undo_does_not_wait_for_a_gateway_that_refused_the_route_before() {
    let shop = behind(&["front", "old"]).await;
    let voices = Voices::start(&shop, vec!["old"]);
    let namespace = shop.namespace.name();
    let objection = format!("Gateway {namespace}/old says not Accepted: NotAllowedByListeners");
    until("the Gateways have spoken", || async {
        let workload = shop.deployer.observe(&shop.target).await.expect("a workload");
        let notice = format!(
            "HTTPRoute {namespace}/shop: {objection}; no share that is written there counts as given before that is mended"
        );
        workload.notices.contains(&notice)
    })
    .await;
    stage(&shop, 1).await;
    let snapshot = shop.deployer.snapshot(&shop.target).await.expect("a snapshot");
    let (undo, live) = (Verb::Restore { snapshot }, Verb::Shift { weights: Weights::all(slot("hotfix")) });
    let refused = |who: &str| {
        let answer = format!(
            "HTTPRoute {namespace}/shop was written and is refused: {who} says not Accepted: NotAllowedByListeners: "
        );
        Reply::Ambiguous(Ambiguity::Unclear { answer })
    };
    assert_eq!(apply(&shop, &call("shift", 2), &live).await, refused("old"));
    let reply = apply(&shop, &call("restore", 3), &undo).await;
    let Reply::Applied(Receipt(receipt)) = reply else { panic!("{reply:?}") };
    let said = format!("HTTPRoute {namespace}/shop: {objection}, as before the run, so nobody waited for it");
    assert!(receipt.contains(&said), "{receipt}");
    assert_eq!(shop.read(Kind::Deployment, "shop-hotfix").await["spec"]["replicas"], 0);

    stage(&shop, 4).await;
    assert_eq!(apply(&shop, &call("again", 5), &live).await, refused("old"));
    voices.refusing.send_replace(vec!["front", "old"]);
    assert_eq!(apply(&shop, &call("back", 6), &undo).await, refused("front"));
    assert_eq!(shop.read(Kind::Deployment, "shop-hotfix").await["spec"]["replicas"], 1);
    let workload = shop.deployer.observe(&shop.target).await.expect("a workload");
    assert_eq!(workload.weights, Some(Weights::all(slot("main"))), "it was written");
}
