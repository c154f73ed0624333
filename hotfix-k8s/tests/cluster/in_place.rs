//! StatefulSets and DaemonSets: the contract, rollouts under traffic, and what their fence keeps out.

use std::num::NonZeroU16;
use std::sync::Arc;

use async_trait::async_trait;
use hotfix_core::communicate::{Progress, ProgressKind};
use hotfix_core::execute::Outcome;
use hotfix_core::model::{Precondition, Release, SlotName, Stamp, Verb};
use hotfix_core::policy::Settings;
use hotfix_core::port::{Conflict, Deployer, Probe, Reply, Seal};
use hotfix_core::request::Strategy;
use hotfix_k8s::WorkloadKind;
use hotfix_testkit::cluster::{
    AuditEvent, Behaviour, Disturbance, FaultProxy, Gateway, Load, LoadPlan, Readiness, TestCluster,
};
use hotfix_testkit::conformance::deployer::{self, DeployerFixture, DeployerSite};
use serde_json::json;
use tokio::sync::Mutex;

use super::pods::image;
use super::set::{PODS, SetShop};
use super::site::{call, is_patch, pushed, release, slot, until};
use super::stage::{end, follow, quick, say};

/// One shop per case, all kept until the last case is done.
struct Shops {
    kind: WorkloadKind,
    opened: Mutex<Vec<Arc<SetShop>>>,
}

fn unready(cluster: &TestCluster, patch: u8) -> Release {
    pushed(cluster, patch, &Behaviour { readiness: Readiness::Never, ..Behaviour::default() })
}

#[async_trait]
impl DeployerFixture for Shops {
    async fn site(&self) -> DeployerSite {
        let shop = Arc::new(SetShop::open(self.kind).await);
        self.opened.lock().await.push(Arc::clone(&shop));
        DeployerSite {
            deployer: Arc::new(shop.deployer.clone()),
            target: shop.target.clone(),
            live: release(shop.cluster, 1),
            next: release(shop.cluster, 2),
            never_ready: Some(unready(shop.cluster, 9)),
        }
    }

    async fn fail(&self, _site: &DeployerSite, slot: &SlotName) {
        let opened = self.opened.lock().await.last().map(Arc::clone);
        opened.expect("a case has begun").fail(slot).await;
    }
}

/// What a deployer cannot be asked whose slots share their pods: traffic follows the pods, and nothing pauses them.
pub(crate) const NOT_IN_PLACE: [&str; 6] = [
    "verbs::stage_fills_a_slot_and_sends_no_traffic",
    "verbs::pause_keeps_changes_out_until_resume",
    "traffic::shift_splits_the_traffic",
    "traffic::shift_moves_all_the_traffic",
    "traffic::a_split_is_refused_where_traffic_only_switches",
    "restore::a_pause_does_not_block_it",
];

async fn keeps_its_contract(kind: WorkloadKind) {
    let report = deployer::report(&Shops { kind, opened: Mutex::default() }).await;
    report.assert_kept();
    assert_eq!(report.skipped(), NOT_IN_PLACE);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deployer_keeps_its_contract_on_a_stateful_set() {
    keeps_its_contract(WorkloadKind::StatefulSet).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deployer_keeps_its_contract_on_a_daemon_set() {
    keeps_its_contract(WorkloadKind::DaemonSet).await;
}

pub(crate) fn one_by_one() -> Settings {
    let mut settings = quick();
    settings.rollout.rolling_batch = 1;
    settings
}

/// What the server's log tells of a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    /// The deployer asked for so many pods of the release.
    Asked(u16),
    /// One was made.
    Made,
}

fn story(shop: &SetShop, fix: &Release) -> Vec<Event> {
    let deployer = format!("system:serviceaccount:{}:hotfix", shop.namespace.name());
    let runs = |event: &AuditEvent| {
        event
            .request
            .as_ref()
            .is_some_and(|pod| pod.pointer("/spec/containers/0/image") == Some(&json!(image(fix))))
    };
    let log = shop.cluster.audit_log_of(&shop.namespace).expect("a log");
    let told =
        log.iter().filter_map(|event| match (event.verb.as_str(), event.resource.as_deref(), event.status) {
            ("create", Some("pods"), 201) if runs(event) => Some(Event::Made),
            ("patch", Some("statefulsets" | "daemonsets"), 200) if event.user == deployer => {
                let patch = event.request.as_ref()?.to_string();
                let (_, taken) = patch.rsplit_once("\\\"taken\\\":")?;
                taken.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok().map(Event::Asked)
            }
            _ => None,
        });
    told.collect()
}

/// Which instance was told as healthy, and of how many.
fn instance(progress: &Progress) -> Option<(u16, u16)> {
    match progress.kind {
        ProgressKind::InstanceReady { instance, of, .. } => Some((instance, of)),
        _ => None,
    }
}

/// A healthy release replaces pod by pod, and no pod is replaced before the ones before it were judged.
async fn is_rolled_one_by_one(kind: WorkloadKind) {
    let shop = SetShop::open(kind).await;
    let gateway = Gateway::start(shop.client.clone(), &shop.namespace).await.expect("a gateway");
    let load = Load::start(LoadPlan::to(gateway.address(), "shop"));
    let fix = release(shop.cluster, 2);
    let (told, outcome) = follow(shop.deploy(&fix, Strategy::Rolling, one_by_one()).await).await;
    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome:?}");
    let instances: Vec<_> = told.iter().filter_map(instance).collect();
    assert_eq!(instances, (1..=PODS).map(|pod| (pod, PODS)).collect::<Vec<_>>(), "each pod is told once");
    assert_eq!(shop.running(&fix).await, (PODS, PODS));
    let workload = shop.deployer.observe(&shop.target).await.expect("a workload");
    assert_eq!(workload.live, Some(slot("hotfix")));
    assert_eq!(workload.slot(&slot("main")), None);

    let (mut asked, mut made) = (0, 0);
    for event in story(&shop, &fix) {
        match event {
            Event::Made => made += 1,
            Event::Asked(count) => asked = count,
        }
        assert!(made <= asked, "{:?}", story(&shop, &fix));
    }
    assert_eq!(made, PODS);
    let strategy = &shop.read().await["spec"]["updateStrategy"];
    assert_eq!(strategy["type"], "RollingUpdate");
    let report = load.stop().await;
    say(&format_args!("{report:?}"));
    assert!(report.by_version["1.0.2"] > 100, "{report:?}");
    assert_eq!((report.failed, &report.failures), (0, &Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stateful_set_is_rolled_pod_by_pod() {
    is_rolled_one_by_one(WorkloadKind::StatefulSet).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_set_is_rolled_node_by_node() {
    is_rolled_one_by_one(WorkloadKind::DaemonSet).await;
}

/// A release that never becomes ready is taken back, and the pod that it is stuck in is replaced.
async fn is_taken_back(kind: WorkloadKind) {
    let shop = SetShop::open(kind).await;
    let (before, old, bad) = (shop.read().await, release(shop.cluster, 1), unready(shop.cluster, 9));
    let mut settings = one_by_one();
    settings.rollout.ready_deadline = hotfix_core::model::Period::from_secs(2);
    let outcome = end(shop.deploy(&bad, Strategy::Rolling, settings).await).await;
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome:?}");
    shop.until_ready(&old).await;
    let after = shop.read().await;
    for field in ["template", "updateStrategy", "replicas"] {
        assert_eq!(after["spec"][field], before["spec"][field], "{field}");
    }
    assert_eq!(story(&shop, &bad).iter().filter(|event| **event == Event::Made).count(), 1, "one batch");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_release_of_a_stateful_set_is_taken_back_with_its_stuck_pod() {
    is_taken_back(WorkloadKind::StatefulSet).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_release_of_a_daemon_set_is_taken_back_with_its_stuck_pod() {
    is_taken_back(WorkloadKind::DaemonSet).await;
}

/// A stage is held up on its way to the server while another worker seals: it changes nothing any more, whether it is
/// the patch of the object or the delete of a pod.
async fn late_request_is_refused(
    kind: WorkloadKind,
    late: fn(&hotfix_testkit::http::Recorded) -> bool,
    status: u16,
) {
    let shop = SetShop::open(kind).await;
    let proxy = FaultProxy::start(&shop.user).await.expect("a proxy");
    let slow = super::set::deployer(&shop.namespace, kind, proxy.through(&shop.user));
    let pods = |pods: Vec<k8s_openapi::api::core::v1::Pod>| {
        pods.into_iter().filter_map(|pod| pod.metadata.uid).collect::<std::collections::BTreeSet<_>>()
    };
    let before = pods(shop.pods().await);
    proxy.next(late, Disturbance::Hold);
    let held = call("late", 10);
    let (target, sent) = (shop.target.clone(), held.clone());
    let verb =
        Verb::Stage { slot: slot("hotfix"), release: release(shop.cluster, 2), replicas: NonZeroU16::MIN };
    let sending =
        tokio::spawn(async move { slow.apply(&sent, &target, &verb, &Precondition::default()).await });
    proxy.held(1).await;
    let seal = Stamp::new(1, 11);
    assert!(matches!(shop.deployer.seal(&shop.target, seal).await, Seal::Sealed(_)));
    assert_eq!(shop.deployer.probe(&shop.target, &held.key).await, Probe::NotApplied);
    assert_eq!(proxy.release().await, [status]);
    let answer = sending.await.expect("an answer");
    let fenced = Conflict::Fenced { current: seal };
    match answer {
        Reply::Conflict(conflict) => assert_eq!(conflict, fenced),
        // The object had been changed already when the delete was sent.
        Reply::Ambiguous(ambiguity) => {
            assert!(ambiguity.to_string().contains(&fenced.to_string()), "{ambiguity}")
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(pods(shop.pods().await), before, "no pod was replaced");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_of_a_stateful_set_that_arrives_after_the_seal_is_refused() {
    let patch = |request: &hotfix_testkit::http::Recorded| is_patch(request, "/statefulsets/shop");
    late_request_is_refused(WorkloadKind::StatefulSet, patch, 422).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delete_of_a_daemon_sets_pod_that_arrives_after_the_seal_is_refused() {
    let delete = |request: &hotfix_testkit::http::Recorded| request.method == "DELETE";
    late_request_is_refused(WorkloadKind::DaemonSet, delete, 409).await;
}

/// What somebody else rolls is refused with the mend.
#[tokio::test(flavor = "multi_thread")]
async fn a_rollout_of_somebody_else_is_refused() {
    let shop = SetShop::unadopted(WorkloadKind::StatefulSet).await;
    shop.edit(&json!({"spec": {"updateStrategy": {"rollingUpdate": {"partition": 2}}}})).await;
    let error = shop.deployer.adopt(&shop.target).await.expect_err("refused").to_string();
    assert!(error.contains("has 2 at /spec/updateStrategy/rollingUpdate/partition"), "{error}");
    shop.edit(&json!({"spec": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": null}}})).await;
    let error = shop.deployer.observe(&shop.target).await.expect_err("refused").to_string();
    assert!(error.contains("\"OnDelete\" at /spec/updateStrategy/type"), "{error}");
    until("nothing was written", || async { shop.read().await["metadata"]["annotations"].is_null() }).await;
}
