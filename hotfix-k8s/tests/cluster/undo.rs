//! A restore whose first patch is the switch back: what a seal, a crash, a copy and a second caller make of it, and that
//! nothing is read twice before it.

use hotfix_core::model::{Precondition, Stamp, Verb, Weights, WorkloadSnapshot};
use hotfix_core::port::{Ambiguity, Call, Conflict, Deployer, Probe, Rejection, Reply, Seal, Sealed};
use hotfix_k8s::{KubernetesDeployer, TargetConfig, Traffic};
use hotfix_testkit::cluster::{Disturbance, FaultProxy, Happened, TestCluster};
use kube::api::{DeleteParams, Patch, PatchParams, TypeMeta};
use serde_json::{Value, json};

use super::restore::{apply, shift, stage};
use super::site::{Kind, Shop, call, config, deployer_with, is_patch, slot, until, written};
use super::stage::{mesh, routes};

const SWITCH: &str = "/services/shop";
const EMPTIES: &str = "/deployments/shop-hotfix";

/// A shop whose fix has the traffic, and a second deployer behind a proxy that takes it back.
struct Scene {
    shop: Shop,
    proxy: FaultProxy,
    behind: KubernetesDeployer,
    snapshot: WorkloadSnapshot,
}

impl Scene {
    async fn shifted() -> Self {
        let shop = Shop::open(TestCluster::shared().await.expect("a cluster")).await;
        Self::taken_to(shop, Traffic::Service, &shift("hotfix")).await
    }

    /// The same with a quarter of the traffic, by the weights of a VirtualService.
    async fn weighed() -> Self {
        let cluster = TestCluster::shared().await.expect("a cluster");
        cluster.install_istio().await.expect("kinds of Istio");
        let shop = Shop::open_with(cluster, mesh(), &routes()).await;
        let weights = Weights::split(slot("main"), slot("hotfix"), 25).expect("percent");
        Self::taken_to(shop, mesh(), &Verb::Shift { weights }).await
    }

    async fn taken_to(shop: Shop, traffic: Traffic, shift: &Verb) -> Self {
        let snapshot = shop.deployer.snapshot(&shop.target).await.expect("a snapshot");
        stage(&shop, 1, 2, 1).await;
        apply(&shop, 2, shift).await;
        let proxy = FaultProxy::start(&shop.user).await.expect("a proxy");
        let config = TargetConfig { traffic, ..config(&shop.namespace) };
        let behind = deployer_with(config, &shop.target, proxy.through(&shop.user));
        // It has looked at the target before, as whoever deployed to it has.
        behind.observe(&shop.target).await.expect("a workload");
        Self { shop, proxy, behind, snapshot }
    }

    fn verb(&self) -> Verb {
        Verb::Restore { snapshot: self.snapshot.clone() }
    }

    async fn restore(&self, call: &Call) -> Reply {
        self.behind.apply(call, &self.shop.target, &self.verb(), &Precondition::default()).await
    }

    /// The same in a task of its own, while something is held.
    fn restoring(&self, call: &Call) -> tokio::task::JoinHandle<Reply> {
        let (behind, target) = (self.behind.clone(), self.shop.target.clone());
        let (call, verb) = (call.clone(), self.verb());
        tokio::spawn(async move { behind.apply(&call, &target, &verb, &Precondition::default()).await })
    }

    async fn seal(&self, seq: u32) -> Seal {
        self.shop.deployer.seal(&self.shop.target, Stamp::new(1, seq)).await
    }

    async fn probe(&self, call: &Call) -> Probe {
        self.shop.deployer.probe(&self.shop.target, &call.key).await
    }

    /// Which pods get the traffic, and how many the fix has.
    async fn held(&self) -> (Value, Value) {
        let service = self.shop.read(Kind::Service, "shop").await;
        let hotfix = self.shop.read(Kind::Deployment, "shop-hotfix").await;
        (service["spec"]["selector"]["app"].clone(), hotfix["spec"]["replicas"].clone())
    }

    /// Everything is as before the deploy, and the target knows the call.
    async fn is_back(&self, call: &Call) {
        assert_eq!(self.held().await, ("shop".into(), 0.into()));
        let workload = self.shop.deployer.observe(&self.shop.target).await.expect("a workload");
        assert_eq!((workload.live.as_ref(), workload.stamp), (Some(&slot("main")), call.stamp));
        let found = self.probe(call).await;
        assert!(matches!(found, Probe::Applied(_)), "{found:?}");
    }
}

fn fenced(seq: u32) -> Reply {
    Reply::Conflict(Conflict::Fenced { current: Stamp::new(1, seq) })
}

/// The requests before the first patch, which come in any order.
fn before_the_switch(happened: Vec<Happened>) -> Vec<String> {
    let requests = happened.into_iter().map(|happened| happened.request);
    let reads = requests.take_while(|request| request.method != "PATCH");
    let path = |path: &str| path.rsplit_once("/namespaces/").expect("namespaced").1.to_owned();
    let mut reads: Vec<_> = reads.map(|request| path(&request.path)).collect();
    reads.sort();
    reads
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_back_that_arrives_after_the_seal_is_refused() {
    let scene = Scene::shifted().await;
    scene.proxy.next(|request| is_patch(request, SWITCH), Disturbance::Hold);
    let late = call("restore", 3);
    let sending = scene.restoring(&late);
    scene.proxy.held(1).await;

    assert_eq!(scene.seal(4).await, Seal::Sealed(Sealed { previous: Stamp::new(1, 2) }));
    assert_eq!(scene.probe(&late).await, Probe::NotApplied);
    assert_eq!(scene.proxy.release().await, [422]);
    assert_eq!(sending.await.expect("an answer"), fenced(4));
    assert_eq!(scene.held().await, ("shop-hotfix".into(), 1.into()));

    let again = call("restore", 5);
    assert!(matches!(scene.restore(&again).await, Reply::Applied(_)));
    scene.is_back(&again).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_after_the_switch_back_is_found_and_brought_to_its_end() {
    let scene = Scene::shifted().await;
    scene.proxy.next(|request| is_patch(request, SWITCH), Disturbance::LoseAnswer);
    let first = call("restore", 3);
    let reply = scene.restore(&first).await;
    assert!(matches!(reply, Reply::Ambiguous(Ambiguity::Interrupted { .. })), "{reply:?}");
    // The customers are served; the target does not say that this was all.
    assert_eq!(scene.held().await, ("shop".into(), 1.into()));
    assert_eq!(scene.seal(4).await, Seal::Sealed(Sealed { previous: Stamp::new(1, 3) }));
    assert_eq!(scene.probe(&first).await, Probe::NotApplied);

    let again = call("restore", 5);
    assert!(matches!(scene.restore(&again).await, Reply::Applied(_)));
    scene.is_back(&again).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seal_between_the_switch_back_and_the_rest_leaves_it_half_done_and_known() {
    let scene = Scene::shifted().await;
    scene.proxy.next(|request| is_patch(request, EMPTIES), Disturbance::Hold);
    let first = call("restore", 3);
    let sending = scene.restoring(&first);
    scene.proxy.held(1).await;
    assert_eq!(scene.seal(4).await, Seal::Sealed(Sealed { previous: Stamp::new(1, 3) }));
    assert_eq!(scene.probe(&first).await, Probe::NotApplied);
    assert_eq!(scene.proxy.release().await, [422]);
    let reply = sending.await.expect("an answer");
    let Reply::Ambiguous(Ambiguity::Unclear { answer }) = &reply else { panic!("{reply:?}") };
    assert!(answer.starts_with("half done, then"), "{answer}");
    assert_eq!(scene.held().await, ("shop".into(), 1.into()));

    let again = call("restore", 5);
    assert!(matches!(scene.restore(&again).await, Reply::Applied(_)));
    scene.is_back(&again).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_the_switch_back_comes_to_nothing() {
    let scene = Scene::shifted().await;
    scene.proxy.next(|request| is_patch(request, SWITCH), Disturbance::Duplicate);
    let first = call("restore", 3);
    assert!(matches!(scene.restore(&first).await, Reply::Applied(_)));
    scene.proxy.held(1).await;
    // The fix is tried once more, and no seal is between.
    stage(&scene.shop, 4, 2, 1).await;
    apply(&scene.shop, 5, &shift("hotfix")).await;
    assert_eq!(scene.proxy.release().await, [422]);
    assert_eq!(scene.held().await, ("shop-hotfix".into(), 1.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_undo_and_a_pause_with_one_stamp_one_gets_further() {
    let scene = Scene::shifted().await;
    let shop = &scene.shop;
    let (restore, none) = (scene.verb(), Precondition::default());
    let [undo, pause] = ["undo", "pause"].map(|name| call(name, 3));
    let (undone, paused) = tokio::join!(
        scene.behind.apply(&undo, &shop.target, &restore, &none),
        shop.deployer.apply(&pause, &shop.target, &Verb::Pause, &none),
    );
    let is_paused = shop.read(Kind::Deployment, "shop").await["spec"]["paused"] == true;
    let (held, fenced) = (scene.held().await, fenced(3));
    match (&undone, &paused) {
        (Reply::Applied(_), loser) if *loser == fenced => {
            assert_eq!((held, is_paused), (("shop".into(), 0.into()), false));
        }
        (loser, Reply::Applied(_)) if *loser == fenced => {
            assert_eq!((held, is_paused), (("shop-hotfix".into(), 1.into()), true));
        }
        both => panic!("{both:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_serves_is_all_that_is_read_before_the_switch_back() {
    let scene = Scene::shifted().await;
    let seen = scene.proxy.happened().len();
    let undo = call("restore", 3);
    assert!(matches!(scene.restore(&undo).await, Reply::Applied(_)));
    scene.is_back(&undo).await;
    let happened = scene.proxy.happened().split_off(seen);
    let patches = happened.iter().filter(|happened| happened.request.method == "PATCH");
    let patched: Vec<&str> = patches.filter_map(|it| it.request.path.rsplit('/').next()).collect();
    assert_eq!(
        patched,
        ["shop", "shop", "shop-hotfix"],
        "the Service, the mark of what is live, the other side"
    );
    let pod = scene.shop.pods("shop").await.remove(0).metadata.name.expect("a name");
    let of = |rest: &str| format!("{}/{rest}", scene.shop.namespace);
    let expected = ["deployments/shop", &format!("pods/{pod}"), "services/shop"].map(of);
    assert_eq!(before_the_switch(happened), expected);
}

/// A canary that is called off: its share goes with the first patch, and nothing is listed before, nor is read what that
/// patch compares.
#[tokio::test(flavor = "multi_thread")]
async fn what_serves_is_all_that_is_read_before_the_weights_go_back() {
    let scene = Scene::weighed().await;
    let seen = scene.proxy.happened().len();
    assert!(matches!(scene.restore(&call("restore", 3)).await, Reply::Applied(_)));
    let happened = scene.proxy.happened().split_off(seen);
    let first = happened.iter().find(|happened| happened.request.method == "PATCH").expect("a patch");
    assert!(is_patch(&first.request, "/virtualservices/shop"), "{:?}", first.request.path);
    let patch = serde_json::from_slice(&first.request.body).expect("a patch");
    let weights = [0, 1].map(|place| written(&patch, &format!("/spec/http/0/route/{place}/weight")));
    assert_eq!(weights, [Some(100.into()), Some(0.into())]);
    let pod = scene.shop.pods("shop").await.remove(0).metadata.name.expect("a name");
    let of = |rest: &str| format!("{}/{rest}", scene.shop.namespace);
    let expected = ["deployments/shop", &format!("pods/{pod}"), "services/shop"];
    assert_eq!(before_the_switch(happened), expected.map(of));
}

/// Somebody puts a route of his own before ours, whose weights are the same: the server refuses what was made for the
/// places of before, and they are looked for.
#[tokio::test(flavor = "multi_thread")]
async fn weights_that_are_not_where_they_were_are_looked_for() {
    let scene = Scene::weighed().await;
    let (api_version, kind) = ("networking.istio.io/v1".to_owned(), "VirtualService".to_owned());
    let api = scene.shop.api_of(&TypeMeta { api_version, kind });
    let mut routes = api.get("shop").await.expect("it exists").data["spec"]["http"].clone();
    let ours = routes[0].clone();
    let foreign = json!({
        "match": [{"headers": {"tenant": {"exact": "acme"}}}],
        "route": [
            {"destination": {"host": "acme"}, "weight": 75},
            {"destination": {"host": "acme-next"}, "weight": 25},
        ],
    });
    routes.as_array_mut().expect("a list").insert(0, foreign.clone());
    let edit = Patch::Merge(json!({"spec": {"http": routes}}));
    api.patch("shop", &PatchParams::default(), &edit).await.expect("edited");

    let seen = scene.proxy.happened().len();
    let undo = call("restore", 3);
    assert!(matches!(scene.restore(&undo).await, Reply::Applied(_)));
    let after = api.get("shop").await.expect("it exists").data["spec"]["http"].clone();
    let mut expected = json!([foreign, ours]);
    (expected[1]["route"][0]["weight"], expected[1]["route"][1]["weight"]) = (100.into(), 0.into());
    assert_eq!(after, expected);
    assert!(matches!(scene.probe(&undo).await, Probe::Applied(_)));
    let happened = scene.proxy.happened().split_off(seen);
    let patches = happened.iter().filter(|it| is_patch(&it.request, "/virtualservices/shop"));
    let moves = patches.filter_map(|it| {
        let patch = serde_json::from_slice(&it.request.body).expect("a patch");
        [0, 1].into_iter().find(|at| written(&patch, &format!("/spec/http/{at}/route/0/weight")).is_some())
    });
    assert_eq!(moves.collect::<Vec<_>>(), [0, 1], "where it was, and where it is");
}

/// Somebody has the Service select by a label that no pod of the old release has: traffic that moved there would meet
/// nobody, so nothing is written.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_does_not_reach_the_old_release_is_not_switched_to_it() {
    let scene = Scene::shifted().await;
    let narrowed = json!({"spec": {"selector": {"track": "next"}}});
    scene.shop.edit(Kind::Service, "shop", &narrowed).await;
    let seen = scene.proxy.happened().len();
    let reply = scene.restore(&call("restore", 3)).await;
    let Reply::Rejected(Rejection::Permanent { reason }) = &reply else { panic!("{reply:?}") };
    assert!(reason.contains("/spec/selector/track"), "{reason}");
    let happened = scene.proxy.happened().split_off(seen);
    assert_eq!(happened.iter().filter(|it| it.request.method == "PATCH").count(), 0);
}

/// Another process has moved the traffic on since: it goes back from there.
#[tokio::test(flavor = "multi_thread")]
async fn traffic_that_somebody_else_moved_on_goes_back_from_where_it_is() {
    let scene = Scene::weighed().await;
    let weights = Weights::split(slot("main"), slot("hotfix"), 50).expect("percent");
    apply(&scene.shop, 3, &Verb::Shift { weights }).await;
    let undo = call("restore", 4);
    assert!(matches!(scene.restore(&undo).await, Reply::Applied(_)));
    let workload = scene.shop.deployer.observe(&scene.shop.target).await.expect("a workload");
    assert_eq!((workload.weights, workload.stamp), (Some(Weights::all(slot("main"))), undo.stamp));
    assert_eq!(workload.slots[&slot("hotfix")], None);
    // What was sealed since is not passed by what was seen before.
    let late = call("late", 5);
    assert_eq!(scene.seal(6).await, Seal::Sealed(Sealed { previous: undo.stamp }));
    assert_eq!(scene.restore(&late).await, fenced(6));
}

/// The pod that was ready is gone, or is not ready any more: the others are looked at.
#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_was_ready_is_not_taken_for_one_that_is() {
    let scene = Scene::shifted().await;
    let pod = scene.shop.pods("shop").await.remove(0).metadata.name.expect("a name");
    scene.shop.pod_api().delete(&pod, &DeleteParams::default()).await.expect("deleted");
    until("another is ready", || async {
        let workload = scene.shop.deployer.observe(&scene.shop.target).await.expect("a workload");
        let pods = scene.shop.pods("shop").await;
        workload.slot(&slot("main")).is_some_and(|held| held.ready == 1)
            && pods.iter().all(|it| it.metadata.name.as_ref() != Some(&pod))
    })
    .await;
    let undo = call("restore", 3);
    assert!(matches!(scene.restore(&undo).await, Reply::Applied(_)));
    scene.is_back(&undo).await;

    // Once more, with a side that has no ready pod at all: it gets one before it gets the traffic.
    stage(&scene.shop, 4, 2, 1).await;
    apply(&scene.shop, 5, &shift("hotfix")).await;
    scene.behind.observe(&scene.shop.target).await.expect("a workload");
    scene.shop.fail(&slot("main")).await;
    until("none is ready", || async {
        let workload = scene.shop.deployer.observe(&scene.shop.target).await.expect("a workload");
        workload.slot(&slot("main")).is_some_and(|held| held.ready == 0)
    })
    .await;
    let seen = scene.shop.patches().len();
    let undo = call("again", 6);
    assert!(matches!(scene.restore(&undo).await, Reply::Applied(_)));
    scene.is_back(&undo).await;
    let patches = scene.shop.patches().split_off(seen);
    let at = |what: &str| patches.iter().position(|patch| patch.contains(what)).expect(what);
    assert!(at("/spec/template") < at("/spec/selector/app"), "{patches:?}");
}

/// Somebody deletes what the traffic is on, and takes the fence off the route: it goes back all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_somebody_deletes_and_a_fence_that_is_gone_keep_no_undo_from_its_end() {
    let scene = Scene::shifted().await;
    let none = serde_json::json!({"metadata": {"annotations": {"hotfix.dev/fence": null}}});
    scene.shop.edit(Kind::Service, "shop", &none).await;
    scene.shop.delete(Kind::Deployment, "shop-hotfix").await;
    let late = call("late", 3);
    let undo = call("restore", 4);
    assert!(matches!(scene.restore(&undo).await, Reply::Applied(_)));
    let service = scene.shop.read(Kind::Service, "shop").await;
    assert_eq!(service["spec"]["selector"]["app"], "shop");
    assert!(matches!(scene.probe(&undo).await, Probe::Applied(_)));
    // Both objects that are left are fenced again.
    assert_eq!(scene.restore(&late).await, fenced(4));
    assert_eq!(scene.seal(5).await, Seal::Sealed(Sealed { previous: Stamp::new(1, 4) }));
    scene.shop.adopt().await.expect("adopted");
    stage(&scene.shop, 6, 2, 1).await;
}
