//! Every way in which the API server or the way to it can fail, against the answer that it must get, and what the
//! target holds afterwards. What the server can answer is in `answers`.

use std::num::NonZeroU16;
use std::pin::Pin;
use std::time::Duration;

use futures_util::StreamExt;
use hotfix_core::ErrorKind;
use hotfix_core::model::{Precondition, Stamp, Verb, WorkloadSnapshot};
use hotfix_core::port::{
    Ambiguity, Call, Conflict, Deployer, Probe, Rejection, Reply, Seal, Sealed, WorkloadChange, WorkloadWatch,
};
use hotfix_k8s::KubernetesDeployer;
use hotfix_testkit::cluster::{Disturbance, FaultProxy, TestCluster};
use hotfix_testkit::http::{Answer, Recorded};
use serde_json::json;

use super::site::{Kind, Shop, call, deployer, is_patch, release, slot};

pub(crate) struct Behind {
    pub(crate) shop: Shop,
    pub(crate) proxy: FaultProxy,
    pub(crate) deployer: KubernetesDeployer,
}

impl Behind {
    pub(crate) async fn open() -> Self {
        let shop = Shop::open(TestCluster::shared().await.expect("a cluster")).await;
        let proxy = FaultProxy::start(&shop.user).await.expect("a proxy");
        let deployer = deployer(&shop.namespace, &shop.target, proxy.through(&shop.user));
        Self { shop, proxy, deployer }
    }

    pub(crate) async fn stage(&self, call: &Call) -> Reply {
        stage_by(&self.deployer, &self.shop, call).await
    }

    /// Whether the hotfix slot holds something.
    async fn is_staged(&self) -> bool {
        let workload = self.shop.deployer.observe(&self.shop.target).await.expect("a workload");
        workload.slot(&slot("hotfix")).is_some()
    }
}

/// Has a deployer fill the empty slot of a shop.
pub(crate) async fn stage_by(deployer: &KubernetesDeployer, shop: &Shop, call: &Call) -> Reply {
    let release = release(shop.test_cluster, 2);
    let verb = Verb::Stage { slot: slot("hotfix"), release, replicas: NonZeroU16::MIN };
    deployer.apply(call, &shop.target, &verb, &Precondition::default()).await
}

pub(crate) fn status(code: u16, reason: &str, message: &str) -> Answer {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason,
        "message": message,
    });
    Answer::json(code, &body)
}

/// The patch that fills the slot.
pub(crate) fn fills(request: &Recorded) -> bool {
    is_patch(request, "/deployments/shop-hotfix")
}

/// The patch that claims the target.
fn claims(request: &Recorded) -> bool {
    is_patch(request, "/services/shop")
}

/// What came of filling the slot when something happened to the patch on its way: the answer, and whether it arrived,
/// which only the seal and the probe after it can tell.
async fn lost(disturbance: Disturbance) -> (Reply, Arrival) {
    let behind = Behind::open().await;
    behind.proxy.next(fills, disturbance);
    let call = call("stage", 1);
    let reply = behind.stage(&call).await;
    let seal = behind.deployer.seal(&behind.shop.target, Stamp::new(1, 2)).await;
    assert!(matches!(seal, Seal::Sealed(_)), "{seal:?}");
    let (staged, probe) =
        (behind.is_staged().await, behind.deployer.probe(&behind.shop.target, &call.key).await);
    match (staged, probe) {
        (true, Probe::Applied(_)) => (reply, Arrival::Arrived),
        (false, Probe::NotApplied) => (reply, Arrival::Lost),
        other => panic!("the probe does not say what is so: {other:?}"),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Arrival {
    Arrived,
    Lost,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_reset_before_the_answer_is_ambiguous() {
    let (reply, arrival) = lost(Disturbance::Reset).await;
    assert!(matches!(reply, Reply::Ambiguous(Ambiguity::Interrupted { .. })), "{reply:?}");
    assert_eq!(arrival, Arrival::Lost);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_reset_after_the_patch_was_applied_is_ambiguous() {
    let (reply, arrival) = lost(Disturbance::LoseAnswer).await;
    assert!(matches!(reply, Reply::Ambiguous(Ambiguity::Interrupted { .. })), "{reply:?}");
    assert_eq!(arrival, Arrival::Arrived);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_internal_error_after_the_patch_was_applied_is_ambiguous() {
    let error = status(500, "InternalError", "boom");
    let (reply, arrival) = lost(Disturbance::ReplaceAnswer(error)).await;
    let answer = "HTTP 500 InternalError: boom".to_owned();
    assert_eq!((reply, arrival), (Reply::Ambiguous(Ambiguity::Unclear { answer }), Arrival::Arrived));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_failed_leaves_nothing_half_done() {
    let behind = Behind::open().await;
    behind.proxy.next(fills, Disturbance::Instead(Answer::cut()));
    let first = call("stage", 1);
    assert!(matches!(behind.stage(&first).await, Reply::Ambiguous(Ambiguity::Interrupted { .. })));
    // The claim stands, so the same stamp is refused; the key with a newer one does the rest.
    let fenced = Reply::Conflict(Conflict::Fenced { current: Stamp::new(1, 1) });
    assert_eq!(behind.stage(&first).await, fenced);
    assert!(matches!(behind.stage(&call("stage", 2)).await, Reply::Applied(_)));
    assert!(behind.is_staged().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_of_the_store_is_settled_by_the_tests_of_the_patch() {
    let behind = Behind::open().await;
    let conflict = status(409, "Conflict", "the object has been modified");
    behind.proxy.next(claims, Disturbance::Instead(conflict.clone()));
    behind.proxy.next(fills, Disturbance::Instead(conflict));
    assert!(matches!(behind.stage(&call("stage", 1)).await, Reply::Applied(_)));
    let patches = behind.proxy.happened();
    assert_eq!(patches.iter().filter(|happened| happened.request.method == "PATCH").count(), 4);
}

/// Nothing was written, and nobody else wrote what was read: it may well be tried again.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_never_settles_who_wrote_first_is_busy() {
    let behind = Behind::open().await;
    behind.proxy.every(fills, Disturbance::Instead(status(409, "Conflict", "the object has been modified")));
    let reason =
        format!("Deployment {}/shop-hotfix is written by others all the time", &*behind.shop.namespace);
    let busy = Reply::Rejected(Rejection::Busy { reason, retry_after: None });
    assert_eq!(behind.stage(&call("stage", 1)).await, busy);
    let sent = behind.proxy.happened();
    assert_eq!(sent.iter().filter(|happened| fills(&happened.request)).count(), 5);
    behind.proxy.clear();
    assert!(!behind.is_staged().await);
    assert!(matches!(behind.stage(&call("stage", 2)).await, Reply::Applied(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_refused_is_tried_once_more() {
    let behind = Behind::open().await;
    behind.proxy.next(fills, Disturbance::Instead(status(401, "Unauthorized", "expired")));
    assert!(matches!(behind.stage(&call("stage", 1)).await, Reply::Applied(_)));
    behind.proxy.every(claims, Disturbance::Instead(status(401, "Unauthorized", "expired")));
    let reply = behind.stage(&call("again", 2)).await;
    let Reply::Rejected(Rejection::Permanent { reason }) = reply else { panic!("{reply:?}") };
    assert!(
        reason.contains("the credentials were not accepted") && reason.ends_with("renew them"),
        "{reason}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_after_the_deadline_is_ambiguous() {
    let behind = Behind::open().await;
    behind.proxy.next(fills, Disturbance::Hold);
    let mut call = call("stage", 1);
    call.deadline -= chrono::TimeDelta::seconds(18);
    assert_eq!(behind.stage(&call).await, Reply::Ambiguous(Ambiguity::Timeout));
    assert_eq!(behind.proxy.release().await, [200], "nobody sealed");
    let probe = behind.deployer.probe(&behind.shop.target, &call.key).await;
    assert!(matches!(probe, Probe::Applied(_)), "{probe:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_is_busy_and_unreadable() {
    let behind = Behind::open().await;
    let Behind { shop, proxy, deployer } = behind;
    let through = proxy.through(&shop.user);
    drop((proxy, deployer));
    let deployer = super::site::deployer(&shop.namespace, &shop.target, through);
    let call = call("stage", 1);
    let reply = stage_by(&deployer, &shop, &call).await;
    assert!(matches!(reply, Reply::Rejected(Rejection::Busy { .. })), "{reply:?}");
    let seal = deployer.seal(&shop.target, Stamp::new(1, 2)).await;
    assert!(matches!(seal, Seal::Unreachable { .. }), "{seal:?}");
    let probe = deployer.probe(&shop.target, &call.key).await;
    assert!(matches!(probe, Probe::Unreadable { .. }), "{probe:?}");
    let error = deployer.observe(&shop.target).await.expect_err("unreachable");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_come_from_the_store_and_never_from_a_cache() {
    let behind = Behind::open().await;
    behind.deployer.seal(&behind.shop.target, Stamp::new(1, 1)).await;
    behind.deployer.probe(&behind.shop.target, &call("stage", 1).key).await;
    behind.deployer.observe(&behind.shop.target).await.expect("a workload");
    let cached: Vec<String> = behind
        .proxy
        .happened()
        .into_iter()
        .filter(|happened| {
            happened.request.method == "GET" && happened.request.query.contains("resourceVersion")
        })
        .map(|happened| format!("{}?{}", happened.request.path, happened.request.query))
        .collect();
    assert_eq!(cached, [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_whose_connection_ends_is_tried_again() {
    let behind = Behind::open().await;
    for _ in 0..2 {
        let reads = |request: &Recorded| request.method == "GET" && request.path.ends_with("/services/shop");
        behind.proxy.next(reads, Disturbance::Instead(Answer::cut()));
    }
    behind.deployer.observe(&behind.shop.target).await.expect("a workload");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_was_made_anew_is_not_taken_for_the_adopted_one() {
    let behind = Behind::open().await;
    let before = behind.shop.read(Kind::Deployment, "shop-hotfix").await;
    behind.shop.delete(Kind::Deployment, "shop-hotfix").await;
    let reply = behind.stage(&call("stage", 1)).await;
    let Reply::Rejected(Rejection::Permanent { reason }) = reply else { panic!("{reply:?}") };
    assert!(reason.ends_with("was never adopted; adopt the target first"), "{reason}");
    behind.shop.adopt().await.expect("adopted");
    let after = behind.shop.read(Kind::Deployment, "shop-hotfix").await;
    assert_ne!(after["metadata"]["uid"], before["metadata"]["uid"]);
    assert!(matches!(behind.stage(&call("stage", 2)).await, Reply::Applied(_)));
}

/// Somebody deletes it while a patch is on its way, and applies what they had saved of it, annotations and all.
#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_was_made_anew_with_its_annotations_is_drift() {
    let behind = Behind::open().await;
    let before = behind.shop.read(Kind::Deployment, "shop-hotfix").await;
    behind.proxy.next(fills, Disturbance::Hold);
    let call = call("stage", 1);
    let remade = async {
        behind.proxy.held(1).await;
        behind.shop.delete(Kind::Deployment, "shop-hotfix").await;
        let mut saved = json!({"metadata": {"name": "shop-hotfix"}, "spec": before["spec"]});
        for field in ["labels", "annotations"] {
            saved["metadata"][field] = before["metadata"][field].clone();
        }
        behind.shop.create(Kind::Deployment, &saved).await;
        assert_eq!(behind.proxy.release().await, [422]);
        behind.shop.read(Kind::Deployment, "shop-hotfix").await["metadata"]["uid"].clone()
    };
    let (reply, uid) = tokio::join!(behind.stage(&call), remade);
    let drifted = Conflict::Drifted {
        expected: format!(
            "Deployment {}/shop-hotfix with uid {}",
            &*behind.shop.namespace, before["metadata"]["uid"]
        ),
        found: format!("one that was made anew, with uid {uid}"),
    };
    assert_eq!(reply, Reply::Conflict(drifted));
    assert!(!behind.is_staged().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fence_that_somebody_took_away_is_put_back_by_the_seal() {
    let behind = Behind::open().await;
    assert!(matches!(behind.stage(&call("stage", 1)).await, Reply::Applied(_)));
    let none = json!({"metadata": {"annotations": {"hotfix.dev/fence": null}}});
    for (kind, name) in [(Kind::Deployment, "shop"), (Kind::Service, "shop")] {
        behind.shop.edit(kind, name, &none).await;
    }
    let reply = behind.stage(&call("again", 2)).await;
    let Reply::Rejected(Rejection::Permanent { reason }) = reply else { panic!("{reply:?}") };
    assert!(reason.ends_with("was never adopted; adopt the target first"), "{reason}");
    let seal = behind.deployer.seal(&behind.shop.target, Stamp::new(1, 3)).await;
    assert_eq!(seal, Seal::Sealed(Sealed { previous: Stamp::new(1, 1) }));
    let fenced = Reply::Conflict(Conflict::Fenced { current: Stamp::new(1, 3) });
    assert_eq!(behind.stage(&call("late", 2)).await, fenced);
    assert!(matches!(behind.stage(&call("next", 4)).await, Reply::Applied(_)));
}

pub(crate) async fn instances(watch: &mut WorkloadWatch, expected: (u16, u16)) {
    let waiting = async {
        loop {
            let change = Pin::as_mut(watch).next().await.expect("it goes on").expect("it is whole");
            if let WorkloadChange::Instances { slot: found, replicas, ready } = change
                && found == slot("hotfix")
                && (replicas, ready) == expected
            {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("it is told");
}

pub(crate) fn is_watch(request: &Recorded) -> bool {
    request.query.contains("watch=true")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_survives_cuts_and_versions_that_are_gone() {
    let behind = Behind::open().await;
    let mut watch = behind.deployer.watch(&behind.shop.target).await.expect("a watch");
    assert!(matches!(behind.stage(&call("stage", 1)).await, Reply::Applied(_)));
    behind.proxy.cut_connections();
    instances(&mut watch, (1, 1)).await;

    let gone = json!({"type": "ERROR", "object": {
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 410, "reason": "Expired", "message": "too old",
    }});
    let line = format!("{gone}\n");
    for _ in 0..2 {
        behind.proxy.next(is_watch, Disturbance::Instead(Answer::status(200).text(line.clone())));
    }
    behind.proxy.cut_connections();
    // Not through the proxy: a patch on a connection that is cut is ambiguous, and rightly so.
    let (shop, retire) = (&behind.shop, Verb::Retire { slot: slot("hotfix") });
    let reply =
        shop.deployer.apply(&call("retire", 2), &shop.target, &retire, &Precondition::default()).await;
    assert!(matches!(reply, Reply::Applied(_)), "{reply:?}");
    instances(&mut watch, (0, 0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_may_not_be_ends_with_the_reason() {
    let behind = Behind::open().await;
    let mut watch = behind.deployer.watch(&behind.shop.target).await.expect("a watch");
    behind.proxy.every(is_watch, Disturbance::Instead(status(403, "Forbidden", "no more")));
    behind.proxy.cut_connections();
    let waiting = async {
        loop {
            match Pin::as_mut(&mut watch).next().await.expect("it ends with an error") {
                Ok(_) => {}
                Err(error) => return error,
            }
        }
    };
    let error = tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("it ends");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("no more"), "{error}");
    behind.proxy.clear();
    let again = behind.deployer.watch(&behind.shop.target).await;
    assert!(again.is_ok(), "a new watch is welcome");
}

/// What takes a change back goes on while those who only look rest for a minute.
async fn goes_back_while_looking_rests(behind: &Behind, snapshot: WorkloadSnapshot) {
    let restore = Verb::Restore { snapshot };
    let (target, first, anything) = (&behind.shop.target, call("restore-1", 1), Precondition::default());
    let undo = behind.deployer.apply(&first, target, &restore, &anything);
    let undone = tokio::time::timeout(Duration::from_secs(15), undo).await.expect("no minute of rest");
    assert!(matches!(undone, Reply::Applied(_)), "{undone:?}");
    let looked = tokio::time::timeout(Duration::from_secs(1), behind.deployer.observe(target)).await;
    assert!(looked.is_err(), "who only looks rests: {looked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_does_not_rest_with_those_who_only_look() {
    let behind = Behind::open().await;
    let Shop { deployer: beside, target, .. } = &behind.shop;
    let snapshot = beside.snapshot(target).await.expect("a snapshot");
    let looks = |request: &Recorded| request.method == "GET" && request.path.ends_with("/deployments/shop");
    let busy = status(429, "TooManyRequests", "slow down").header("retry-after", "60");
    behind.proxy.next(looks, Disturbance::Instead(busy));
    let error = behind.deployer.observe(target).await.expect_err("the server is busy");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    goes_back_while_looking_rests(&behind, snapshot).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_does_not_rest_with_the_lists_of_the_watches() {
    let behind = Behind::open().await;
    let Shop { deployer: beside, target, .. } = &behind.shop;
    let snapshot = beside.snapshot(target).await.expect("a snapshot");
    let lists = |request: &Recorded| request.method == "GET" && request.path.ends_with("/deployments");
    let busy = status(429, "TooManyRequests", "slow down").header("retry-after", "60");
    behind.proxy.every(lists, Disturbance::Instead(busy));
    let watch = behind.deployer.watch(target).await;
    assert!(watch.is_err(), "nothing can be listed");
    let listed = behind.proxy.happened().iter().filter(|happened| lists(&happened.request)).count();
    assert_eq!(listed, 1, "the list rests as well");
    goes_back_while_looking_rests(&behind, snapshot).await;
}
