//! Traffic shared by the numbers of pods behind one Service, under real traffic.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hotfix_core::execute::{Cause, Outcome};
use hotfix_core::model::{Precondition, Verb, Weights};
use hotfix_core::port::{Deployer, Reply};
use hotfix_core::request::Strategy;
use hotfix_k8s::{Allowance, KubernetesDeployer, ReplicasTraffic, TargetConfig, Traffic};
use hotfix_testkit::cluster::{
    AuditEvent, Behaviour, DemoPod, Disturbance, FaultProxy, Gateway, Load, LoadPlan, Readiness, TestCluster,
};
use hotfix_testkit::http::Recorded;
use serde_json::json;

use super::counted::{Counted, count};
use super::site::{
    Kind, Shop, call, config, deployer_with, deployment, is_patch, pushed, release, slot, until,
};
use super::stage::{Stage, end, patient, quick, say};

/// With room for two pods more, and none may be missing.
fn strict() -> Traffic {
    let (max_surge, max_unavailable) = (Allowance::Pods(2), Allowance::Pods(0));
    Traffic::Replicas(ReplicasTraffic { max_surge, max_unavailable })
}

fn main(pods: u64) -> (String, u64) {
    ("shop".to_owned(), pods)
}

fn copy(pods: u64) -> (String, u64) {
    ("shop-hotfix".to_owned(), pods)
}

/// A shop of three pods with customers, and somebody who counts the pods that serve them.
struct Scene {
    shop: Shop,
    _gateway: Gateway,
    load: Load,
    counted: Counted,
    seq: u32,
}

impl Scene {
    async fn open(traffic: Traffic) -> Self {
        let cluster = TestCluster::shared().await.expect("a cluster");
        let shop = Shop::closed(cluster, traffic, &deployment(cluster, 3), &[]).await;
        shop.adopt().await.expect("adopted");
        let gateway = Gateway::start(shop.client.clone(), &shop.namespace).await.expect("a gateway");
        let load = Load::start(LoadPlan::to(gateway.address(), "shop"));
        let counted = count(&shop);
        Self { shop, _gateway: gateway, load, counted, seq: 0 }
    }

    async fn apply(&mut self, verb: Verb) {
        self.seq += 1;
        let call = call(&format!("k{}", self.seq), self.seq);
        let reply = self.shop.deployer.apply(&call, &self.shop.target, &verb, &Precondition::default()).await;
        assert!(matches!(reply, Reply::Applied(_)), "{verb}: {reply:?}");
    }

    /// A deployer of another process, and what that dies by.
    async fn mortal(&self) -> (FaultProxy, KubernetesDeployer) {
        let proxy = FaultProxy::start(&self.shop.user).await.expect("a proxy");
        let config = TargetConfig { traffic: strict(), ..config(&self.shop.namespace) };
        let mortal = deployer_with(config, &self.shop.target, proxy.through(&self.shop.user));
        (proxy, mortal)
    }

    async fn stage(&mut self, patch: u8, replicas: u16) {
        let release = release(self.shop.test_cluster, patch);
        let replicas = NonZeroU16::new(replicas).expect("some");
        self.apply(Verb::Stage { slot: slot("hotfix"), release, replicas }).await;
        self.shop.until_ready("hotfix").await;
    }

    async fn shift(&mut self, percent: u8) {
        let weights = Weights::split(slot("main"), slot("hotfix"), percent).expect("weights");
        self.apply(Verb::Shift { weights }).await;
    }

    /// The pods that both Deployments ask for: main, copy.
    async fn sizes(&self) -> (u64, u64) {
        let size = async |name: &str| {
            let found = self.shop.read(Kind::Deployment, name).await;
            found["spec"]["replicas"].as_u64().expect("a number")
        };
        (size("shop").await, size("shop-hotfix").await)
    }

    /// Every number of pods that the deployer wrote so far, with the Deployment.
    fn written(&self) -> Vec<(String, u64)> {
        let user = format!("system:serviceaccount:{}:hotfix", self.shop.namespace);
        let log = self.shop.test_cluster.audit_log_of(&self.shop.namespace).expect("a log").into_iter();
        let own = log.filter(|event| event.user == user && event.verb == "patch" && event.status == 200);
        let size = |event: AuditEvent| {
            let patch = event.request?;
            let mut changes = patch.as_array()?.iter();
            let size =
                changes.find(|change| change["op"] == "replace" && change["path"] == "/spec/replicas")?;
            Some((event.name?, size["value"].as_u64()?))
        };
        own.filter_map(size).collect()
    }

    /// Ends the traffic: no request failed, and never were there fewer pods with traffic, or more pods, than that.
    async fn end(self, fewest: usize, most: usize) {
        let seen = *self.counted.seen.borrow();
        let report = self.load.stop().await;
        say(&format_args!("{report:?}; {} to {} pods", seen.0, seen.1));
        assert_eq!((report.failed, &report.failures), (0, &Vec::new()));
        assert!(seen.0 >= fewest && seen.1 <= most, "{seen:?}");
    }

    /// Everything as it was before a first release was staged: nothing is noted, and the Service selects by its label.
    async fn is_plain(&self) {
        let service = self.shop.read(Kind::Service, "shop").await;
        assert_eq!(service["spec"]["selector"], json!({"app": "shop"}));
        let main = self.shop.read(Kind::Deployment, "shop").await;
        for (object, note) in [(&service, "hotfix.dev/share"), (&main, "hotfix.dev/replicas")] {
            assert_eq!(object["metadata"]["annotations"][note], json!(null));
        }
    }
}

/// Three pods, two may be more, none may be missing; the canary has all three and the old side none. Verification
/// fails: the old side comes to two first and the canary keeps its three until they are there; nobody notices.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_side_without_pods_is_brought_back_before_the_canary_goes() {
    let mut scene = Scene::open(strict()).await;
    let snapshot = scene.shop.deployer.snapshot(&scene.shop.target).await.expect("a snapshot");
    scene.stage(2, 3).await;
    scene.shift(100).await;
    scene.apply(Verb::Promote { slot: slot("hotfix") }).await;
    scene.apply(Verb::Retire { slot: slot("main") }).await;
    assert_eq!(scene.sizes().await, (0, 3));
    scene.load.more(50).await;
    let before = scene.written().len();
    scene.apply(Verb::Restore { snapshot }).await;
    let sizes = scene.written().split_off(before);
    assert_eq!(sizes, [main(2), copy(1), main(3), copy(0)]);
    scene.is_plain().await;
    scene.end(3, 5).await;
}

/// The same when the weight is cut to 0 before the old side was emptied: it has the two pods that there was room for.
#[tokio::test(flavor = "multi_thread")]
async fn a_weight_that_is_cut_leaves_no_customer_without_a_pod() {
    let mut scene = Scene::open(strict()).await;
    scene.stage(2, 3).await;
    scene.shift(100).await;
    assert_eq!(scene.sizes().await, (2, 3));
    scene.load.more(50).await;
    let before = scene.written().len();
    scene.shift(0).await;
    assert_eq!(scene.written().split_off(before), [copy(2), main(3)]);
    scene.apply(Verb::Retire { slot: slot("hotfix") }).await;
    scene.is_plain().await;
    scene.end(3, 5).await;
}

/// Where the old side was not made smaller, one patch of the Service moves all of the traffic, and no pod is waited for.
#[tokio::test(flavor = "multi_thread")]
async fn an_undo_is_one_patch_of_the_service_while_the_old_side_runs() {
    let mut scene = Scene::open(strict()).await;
    let snapshot = scene.shop.deployer.snapshot(&scene.shop.target).await.expect("a snapshot");
    scene.stage(2, 3).await;
    scene.shift(10).await;
    assert_eq!(scene.sizes().await, (3, 1));
    let stable = scene.shop.pods("shop").await.remove(0);
    let ill = Behaviour { readiness: Readiness::Never, ..Behaviour::default() };
    DemoPod::of(&stable).expect("a pod").behave(&ill).await.expect("it listens");
    until("a pod of the old side is not ready", || async {
        let workload = scene.shop.deployer.observe(&scene.shop.target).await.expect("a workload");
        workload.slot(&slot("main")).is_some_and(|held| held.ready == 2)
    })
    .await;
    let before = scene.shop.patches().len();
    scene.apply(Verb::Restore { snapshot }).await;
    let patches = scene.shop.patches().split_off(before);
    // The switch, the mark of what is live, the other slot; once it is empty, the Service is as it was.
    let at = |what: &str| patches.iter().position(|patch| patch.contains(what));
    assert_eq!(at("/spec/selector/pod-template-hash"), Some(0), "{patches:?}");
    assert_eq!(at("/spec/replicas"), Some(2), "{patches:?}");
    assert_eq!(patches.len(), 4, "{patches:?}");
    scene.is_plain().await;
    scene.end(2, 5).await;
}

/// The owner scales the workload while an update is under way: both sides follow, and the share stays.
#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_change_during_an_update_change_both_sides() {
    let mut scene = Scene::open(strict()).await;
    scene.stage(2, 3).await;
    scene.shift(33).await;
    assert_eq!(scene.sizes().await, (2, 1));
    scene.shop.edit(Kind::Deployment, "shop", &json!({"spec": {"replicas": 6}})).await;
    scene.shift(33).await;
    assert_eq!(scene.sizes().await, (4, 2));
    scene.shift(100).await;
    assert_eq!(scene.sizes().await, (2, 6));
    scene.apply(Verb::Promote { slot: slot("hotfix") }).await;
    scene.apply(Verb::Retire { slot: slot("main") }).await;
    assert_eq!(scene.sizes().await, (0, 6));
    scene.end(3, 8).await;
}

/// Another release takes the place of the first one, and the owner scales the workload, in the same moment.
#[tokio::test(flavor = "multi_thread")]
async fn release_and_replicas_that_change_together_come_to_the_right_pods() {
    let mut scene = Scene::open(strict()).await;
    scene.stage(2, 3).await;
    scene.shift(33).await;
    scene.shift(0).await;
    let double = json!({"spec": {"replicas": 6}});
    tokio::join!(scene.shop.edit(Kind::Deployment, "shop", &double), async {
        let release = release(scene.shop.test_cluster, 3);
        let replicas = NonZeroU16::new(6).expect("some");
        let verb = Verb::Stage { slot: slot("hotfix"), release, replicas };
        let call = call("third", 100);
        let reply =
            scene.shop.deployer.apply(&call, &scene.shop.target, &verb, &Precondition::default()).await;
        assert!(matches!(reply, Reply::Applied(_)), "{reply:?}");
    });
    scene.seq = 100;
    scene.shop.until_ready("hotfix").await;
    scene.shift(50).await;
    assert_eq!(scene.sizes().await, (3, 3));
    scene.shift(100).await;
    assert_eq!(scene.sizes().await, (2, 6));
    let workload = scene.shop.deployer.observe(&scene.shop.target).await.expect("a workload");
    let held = workload.slot(&slot("hotfix")).expect("a release");
    assert_eq!((held.release.version.to_string(), held.ready), ("1.0.3".to_owned(), 6));
    // Eight, and one that the copy's Deployment has more while it replaces its own pods.
    scene.end(3, 9).await;
}

/// A process dies after each of the patches of a verb: the next attempt does the rest, and the allowances hold.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_left_half_done_is_finished_by_the_next_attempt() {
    let mut scene = Scene::open(strict()).await;
    let (proxy, mortal) = scene.mortal().await;
    let snapshot = scene.shop.deployer.snapshot(&scene.shop.target).await.expect("a snapshot");
    let shift = |percent| Verb::Shift {
        weights: Weights::split(slot("main"), slot("hotfix"), percent).expect("weights"),
    };
    for survived in 0..5 {
        let release = release(scene.shop.test_cluster, 2);
        let replicas = NonZeroU16::new(3).expect("some");
        let stage = Verb::Stage { slot: slot("hotfix"), release, replicas };
        for verb in [stage, shift(50), shift(100), shift(33), Verb::Restore { snapshot: snapshot.clone() }] {
            scene.seq += 1;
            let doomed = call(&format!("doomed{}", scene.seq), scene.seq);
            let patches = Arc::new(AtomicUsize::new(0));
            let is_last = move |request: &Recorded| {
                request.method == "PATCH" && patches.fetch_add(1, Ordering::Relaxed) == survived
            };
            proxy.next(is_last, Disturbance::LoseAnswer);
            // Whether it died depends on how many patches there were to send.
            let _died = mortal.apply(&doomed, &scene.shop.target, &verb, &Precondition::default()).await;
            proxy.clear();
            scene.apply(verb).await;
            until("all that is there is ready", || async {
                let workload = scene.shop.deployer.observe(&scene.shop.target).await.expect("a workload");
                workload.slots.values().flatten().all(|held| held.ready == held.replicas.get())
            })
            .await;
        }
        assert_eq!(scene.sizes().await, (3, 0));
        scene.is_plain().await;
    }
    scene.end(3, 5).await;
}

/// The same of a slot that is emptied. A run expects it to hold what it staged there, which it does not any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_was_left_half_retired_is_retired_by_the_next_attempt() {
    let mut scene = Scene::open(strict()).await;
    let (proxy, mortal) = scene.mortal().await;
    scene.stage(2, 3).await;
    scene.shift(33).await;
    scene.shift(0).await;
    let staged = release(scene.shop.test_cluster, 2).artifact.id();
    let expected = Precondition { live: Vec::new(), holds: Some((slot("hotfix"), staged)) };
    let retire = Verb::Retire { slot: slot("hotfix") };
    proxy.next(|request| is_patch(request, "/deployments/shop-hotfix"), Disturbance::LoseAnswer);
    let died = mortal.apply(&call("run:7", 100), &scene.shop.target, &retire, &expected).await;
    assert!(matches!(died, Reply::Ambiguous(_)), "{died:?}");
    assert_eq!(scene.sizes().await.1, 0);
    let again = scene.shop.deployer.apply(&call("run:7", 101), &scene.shop.target, &retire, &expected).await;
    assert!(matches!(again, Reply::Applied(_)), "{again:?}");
    assert_eq!(scene.sizes().await, (3, 0));
    scene.is_plain().await;
    scene.end(3, 5).await;
}

/// A healthy canary by the engine: 10, 50, 100 %, then home to the Deployment that the team owns.
#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_canary_by_pods_goes_live_comes_home_and_fails_no_request() {
    let stage = Stage::open(Traffic::Replicas(ReplicasTraffic::default()), quick()).await;
    let fix = release(stage.shop.test_cluster, 2);
    let outcome = end(stage.deploy(&fix, Strategy::Canary).await).await;
    assert!(
        matches!(&outcome, Outcome::Succeeded { release: Some(live) } if live.artifact == fix.artifact),
        "{outcome}"
    );
    stage.until_home(&fix).await;
    let service = stage.shop.read(Kind::Service, "shop").await;
    assert_eq!(service["spec"]["selector"], json!({"app": "shop"}));
    assert_eq!(stage.shop.read(Kind::Deployment, "shop").await["spec"]["replicas"], 3);
    let report = stage.load.stop().await;
    say(&format_args!("{report:?}"));
    assert_eq!((report.failed, &report.failures), (0, &Vec::new()));
    assert!(report.by_version["1.0.2"] > 100, "{report:?}");
}

/// A canary that answers with errors is taken back by a verdict, and all pods are as before.
#[tokio::test(flavor = "multi_thread")]
async fn a_bad_canary_by_pods_is_rolled_back() {
    let stage = Stage::open(Traffic::Replicas(ReplicasTraffic::default()), patient()).await;
    let cluster = stage.shop.test_cluster;
    let bad = pushed(cluster, 2, &Behaviour { error_percent: 40, ..Behaviour::default() });
    let outcome = end(stage.deploy(&bad, Strategy::Canary).await).await;
    assert!(
        matches!(&outcome, Outcome::RolledBack { cause: Cause::Verdict { .. }, left } if left.is_empty()),
        "{outcome}"
    );
    stage.until_home(&release(cluster, 1)).await;
    let service = stage.shop.read(Kind::Service, "shop").await;
    assert_eq!(service["spec"]["selector"], json!({"app": "shop"}));
    let before = stage.load.report();
    stage.load.more(100).await;
    let report = stage.load.stop().await;
    say(&format_args!("{outcome}: {} of {} failed", report.failed, report.sent));
    assert_eq!(report.failed, before.failed, "{report:?}");
    assert_eq!(report.by_status.keys().collect::<Vec<_>>(), [&200, &500], "{report:?}");
}
