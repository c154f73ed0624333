//! A route that was written and that nobody has taken up.

use std::num::NonZeroU16;

use chrono::TimeDelta;
use hotfix_core::model::{Precondition, Stamp, Verb, Weights};
use hotfix_core::port::{Ambiguity, Call, Deployer, Probe, Rejection, Reply, Seal};
use hotfix_k8s::{HttpRouteTraffic, Traffic};
use hotfix_testkit::cluster::{Gateway, TestCluster};
use serde_json::json;

use super::site::{Kind, Shop, call, release, service, slot};

async fn apply(shop: &Shop, call: &Call, verb: &Verb) -> Reply {
    shop.deployer.apply(call, &shop.target, verb, &Precondition::default()).await
}

/// A shop behind a route of a Gateway, with a release staged.
async fn staged() -> (Shop, Gateway) {
    let cluster = TestCluster::shared().await.expect("a cluster");
    cluster.install_gateway_api().await.expect("kinds of the Gateway API");
    let to = |name: &str, weight: u8| json!({"name": name, "port": 80, "weight": weight});
    let route = json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "shop"},
        "spec": {"parentRefs": [{"name": "front"}], "hostnames": ["shop"], "rules": [
            {"backendRefs": [to("shop", 100), to("shop-hotfix", 0)]},
        ]},
    });
    let traffic = Traffic::HttpRoute(HttpRouteTraffic::default());
    let shop = Shop::open_with(cluster, traffic, &[service("shop-hotfix"), route]).await;
    let gateway = Gateway::start(shop.client.clone(), &shop.namespace).await.expect("a gateway");
    let stage = Verb::Stage { slot: slot("hotfix"), release: release(cluster, 2), replicas: NonZeroU16::MIN };
    applied(&shop, &call("stage", 1), &stage).await;
    shop.until_ready("hotfix").await;
    (shop, gateway)
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
