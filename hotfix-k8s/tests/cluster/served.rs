//! Endpoints that lag behind the pods: a side is given traffic only when the Service by which it is reached knows it.

use std::num::NonZeroU16;

use hotfix_core::model::{Precondition, Verb, Weights};
use hotfix_core::port::{Call, Deployer, Rejection, Reply};
use hotfix_k8s::{KubernetesDeployer, TargetConfig};
use hotfix_testkit::cluster::{Disturbance, FaultProxy, TestCluster};
use hotfix_testkit::http::{Answer, Recorded};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use kube::api::ListParams;
use serde_json::json;

use super::site::{Kind, Shop, call, config, deployer_with, is_patch, release, slot, until};
use super::stage::{mesh, routes};

/// Staged, ready, and behind a proxy.
struct Staged {
    shop: Shop,
    proxy: FaultProxy,
    deployer: KubernetesDeployer,
}

impl Staged {
    async fn open() -> Self {
        let cluster = TestCluster::shared().await.expect("a cluster");
        cluster.install_istio().await.expect("kinds of Istio");
        let shop = Shop::open_with(cluster, mesh(), &routes()).await;
        let (release, replicas) = (release(cluster, 2), NonZeroU16::MIN);
        let stage = Verb::Stage { slot: slot("hotfix"), release, replicas };
        let reply =
            shop.deployer.apply(&call("stage", 1), &shop.target, &stage, &Precondition::default()).await;
        assert!(matches!(reply, Reply::Applied(_)), "{reply:?}");
        shop.until_ready("hotfix").await;
        let proxy = FaultProxy::start(&shop.user).await.expect("a proxy");
        let config = TargetConfig { traffic: mesh(), ..config(&shop.namespace) };
        let deployer = deployer_with(config, &shop.target, proxy.through(&shop.user));
        Self { shop, proxy, deployer }
    }

    async fn shift(&self, call: &Call) -> Reply {
        let half = Weights::split(slot("main"), slot("hotfix"), 50).expect("a share");
        let shift = Verb::Shift { weights: half };
        self.deployer.apply(call, &self.shop.target, &shift, &Precondition::default()).await
    }

    fn happened(&self, is_it: impl Fn(&Recorded) -> bool) -> usize {
        self.proxy.happened().iter().filter(|happened| is_it(&happened.request)).count()
    }
}

fn looks(request: &Recorded) -> bool {
    request.method == "GET" && request.path.ends_with("/endpointslices")
}

fn splits(request: &Recorded) -> bool {
    is_patch(request, "/virtualservices/shop")
}

/// What the server says while its controllers have not got to the pod.
fn behind() -> Answer {
    let slice = json!({"endpoints": [{
        "addresses": ["10.0.0.1"], "conditions": {"ready": false},
        "targetRef": {"kind": "Pod", "name": "shop-hotfix-1-1"},
    }]});
    Answer::json(200, &json!({"kind": "EndpointSliceList", "metadata": {}, "items": [slice]}))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_waits_for_the_endpoints_of_its_side() {
    let staged = Staged::open().await;
    staged.proxy.every(looks, Disturbance::Instead(behind()));
    let call = call("shift", 2);
    let mut shifting = std::pin::pin!(staged.shift(&call));
    tokio::select! {
        reply = &mut shifting => panic!("not waited for: {reply:?}"),
        () = until("it has looked again", || async { staged.happened(looks) > 2 }) => {}
    }
    assert_eq!(staged.happened(splits), 0);
    staged.proxy.clear();
    let reply = shifting.await;
    assert!(matches!(reply, Reply::Applied(_)), "{reply:?}");
    assert_eq!(staged.happened(splits), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_side_that_gets_no_endpoints_is_given_no_traffic() {
    let staged = Staged::open().await;
    staged.proxy.every(looks, Disturbance::Instead(behind()));
    let reason = "no endpoint of Service shop-hotfix is a ready pod of the slot".to_owned();
    let busy = Reply::Rejected(Rejection::Busy { reason, retry_after: None });
    assert_eq!(staged.shift(&call("shift", 2)).await, busy);
    assert_eq!(staged.happened(splits), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_not_there_is_given_no_traffic() {
    let staged = Staged::open().await;
    let Shop { namespace, client, deployer, target, .. } = &staged.shop;
    staged.shop.delete(Kind::Service, "shop-hotfix").await;
    let slices: Api<EndpointSlice> = Api::namespaced(client.clone(), namespace);
    let of_copy = ListParams::default().labels("kubernetes.io/service-name=shop-hotfix");
    until("its endpoints are gone", || async {
        slices.list(&of_copy).await.expect("a list").items.is_empty()
    })
    .await;

    let missing = format!("Service {}/shop-hotfix does not exist", &**namespace);
    let reason = format!("{missing}; create it or correct the configuration");
    let refused = Reply::Rejected(Rejection::Permanent { reason: reason.clone() });
    assert_eq!(staged.shift(&call("shift", 2)).await, refused);
    assert_eq!(staged.happened(splits), 0);
    // Every plan says so before anything is done, and nobody is kept from going back.
    let notices = deployer.observe(target).await.expect("a workload").notices;
    assert!(notices.iter().any(|notice| notice.starts_with(&missing)), "{notices:?}");
    let refused = deployer.adopt(target).await.expect_err("it has no Service").to_string();
    assert!(refused.ends_with(&reason), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_not_read_endpoints_goes_by_the_pods() {
    let staged = Staged::open().await;
    let forbidden = json!({"kind": "Status", "status": "Failure", "code": 403, "reason": "Forbidden"});
    staged.proxy.every(looks, Disturbance::Instead(Answer::json(403, &forbidden)));
    let reply = staged.shift(&call("shift", 2)).await;
    assert!(matches!(reply, Reply::Applied(_)), "{reply:?}");
    assert_eq!(staged.happened(looks), 1);
}
