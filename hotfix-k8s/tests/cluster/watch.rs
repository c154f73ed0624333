//! What a watch tells of real pods that fail, and how many watches there are.

use std::num::NonZeroU16;
use std::pin::Pin;
use std::time::Duration;

use chrono::DateTime;
use futures_util::StreamExt;
use hotfix_core::model::{Fault, Period, Precondition, Verb};
use hotfix_core::port::{Clock, Deployer, Reply, WorkloadChange, WorkloadWatch};
use hotfix_engine::SystemClock;
use hotfix_k8s::{EnvFrom, Overrides, TargetConfig};
use hotfix_testkit::cluster::{AuditEvent, Behaviour, End, Pull, Readiness, TestCluster};

use serde_json::json;

use super::site::{Kind, Shop, call, deployment, pushed, slot, until};

async fn stage(shop: &Shop, behaviour: &Behaviour) {
    let release = pushed(shop.test_cluster, 5, behaviour);
    let verb = Verb::Stage { slot: slot("hotfix"), release, replicas: NonZeroU16::MIN };
    let reply = shop.deployer.apply(&call("stage", 1), &shop.target, &verb, &Precondition::default()).await;
    assert!(matches!(reply, Reply::Applied(_)), "{reply:?}");
}

/// Waits for a fault of the hotfix slot.
async fn fault(watch: &mut WorkloadWatch, is_it: impl Fn(&Fault) -> bool) -> Fault {
    fault_of(watch, "hotfix", is_it).await
}

async fn fault_of(watch: &mut WorkloadWatch, of: &str, is_it: impl Fn(&Fault) -> bool) -> Fault {
    let waiting = async {
        loop {
            match Pin::as_mut(watch).next().await.expect("it goes on").expect("it is whole") {
                WorkloadChange::Faulty { slot: found, fault } if found == slot(of) && is_it(&fault) => {
                    return fault;
                }
                _ => {}
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("it is told")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_loop_is_told_while_other_pods_are_well() {
    let cluster = TestCluster::shared().await.expect("a cluster");
    let shop = Shop::open(cluster).await;
    let mut watch = shop.deployer.watch(&shop.target).await.expect("a watch");
    stage(&shop, &Behaviour { end: End::Crash(Period::from_millis(10)), ..Behaviour::default() }).await;
    let found = fault(&mut watch, |fault| matches!(fault, Fault::CrashLoop { .. })).await;
    let Fault::CrashLoop { instance, restarts } = found else { unreachable!("it was asked for") };
    assert!(instance.starts_with("shop-hotfix-") && restarts > 0, "{instance} {restarts}");
    let workload = shop.deployer.observe(&shop.target).await.expect("a workload");
    assert!(workload.is_healthy(), "the live slot is well");
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_image_and_configuration_faults_are_told_apart() {
    let cluster = TestCluster::shared().await.expect("a cluster");
    let killed = Behaviour { end: End::OutOfMemory(Period::from_millis(300)), ..Behaviour::default() };
    let unpulled = Behaviour { pull: Pull::Fails("unauthorized".to_owned()), ..Behaviour::default() };
    for (behaviour, expected) in
        [(killed, "ended: OOMKilled"), (unpulled, "cannot fetch its image: ErrImagePull")]
    {
        let shop = Shop::open(cluster).await;
        let mut watch = shop.deployer.watch(&shop.target).await.expect("a watch");
        stage(&shop, &behaviour).await;
        fault(&mut watch, |fault| fault.to_string().contains(expected)).await;
    }
}

/// How long after the server had answered the write of a pod's status that says so a fault was told that was told just
/// now; nothing if it was told sooner than that.
async fn lag(shop: &Shop, fault: &Fault, reason: &str) -> Duration {
    let told = SystemClock.now();
    let Fault::CannotStart { instance, .. } = fault else { panic!("{fault} is not about a pod") };
    let says = |event: &AuditEvent| {
        let is_status = event.name.as_ref() == Some(instance) && event.uri.contains("/status");
        is_status && event.request.as_ref().is_some_and(|sent| sent.to_string().contains(reason))
    };
    let log = || shop.test_cluster.audit_log_of(&shop.namespace).expect("a log");
    until("the server has put it down", || async { log().iter().any(says) }).await;
    let written = log().iter().find(|event| says(event)).expect("it is there").raw["stageTimestamp"].clone();
    let written = DateTime::parse_from_rfc3339(written.as_str().expect("a time")).expect("a time");
    (told - written.to_utc()).to_std().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_that_cannot_start_are_told_within_a_second_of_the_server_having_it() {
    let cluster = TestCluster::shared().await.expect("a cluster");
    let overrides =
        Overrides { env_from: vec![EnvFrom::ConfigMap("nowhere".to_owned())], ..Overrides::default() };
    let configure = |config| TargetConfig { overrides, ..config };
    let shop = Shop::configured(cluster, configure, &deployment(cluster, 1), &[]).await;
    shop.adopt().await.expect("adopted");
    let mut watch = shop.deployer.watch(&shop.target).await.expect("a watch");

    stage(&shop, &Behaviour::default()).await;
    let unconfigured = fault(&mut watch, |fault| matches!(fault, Fault::CannotStart { .. })).await;
    let late = lag(&shop, &unconfigured, "CreateContainerConfigError").await;
    assert!(late < Duration::from_secs(1), "{late:?}");
    let unconfigured = unconfigured.to_string();
    assert!(unconfigured.contains(" cannot be started: CreateContainerConfigError"), "{unconfigured}");

    let nowhere = json!({"spec": {"template": {"spec": {"nodeSelector": {"zone": "nowhere"}}}}});
    shop.edit(Kind::Deployment, "shop", &nowhere).await;
    let unplaced = fault_of(&mut watch, "main", |fault| matches!(fault, Fault::CannotStart { .. })).await;
    let late = lag(&shop, &unplaced, "Unschedulable").await;
    assert!(late < Duration::from_secs(1), "{late:?}");
    assert!(unplaced.to_string().contains("nodes are available"), "{unplaced}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_that_a_quota_forbids_are_told() {
    let cluster = TestCluster::shared().await.expect("a cluster");
    let shop = Shop::open(cluster).await;
    let quota = serde_json::json!({"metadata": {"name": "few"}, "spec": {"hard": {"pods": "1"}}});
    shop.create(Kind::Quota, &quota).await;
    // Until then nobody may have heard of it.
    until("it counts", || async { shop.read(Kind::Quota, "few").await["status"]["used"]["pods"] == "1" })
        .await;
    let mut watch = shop.deployer.watch(&shop.target).await.expect("a watch");
    stage(&shop, &Behaviour::default()).await;
    let found = fault(&mut watch, |fault| matches!(fault, Fault::CannotStart { .. })).await.to_string();
    assert!(
        found.starts_with("shop-hotfix cannot be started: FailedCreate: ") && found.contains("few"),
        "{found}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_that_the_owner_set_is_told_when_it_has_passed() {
    let cluster = TestCluster::shared().await.expect("a cluster");
    let mut hasty = deployment(cluster, 1);
    hasty["spec"]["progressDeadlineSeconds"] = serde_json::json!(2);
    let shop = Shop::unadopted(cluster, &hasty).await;
    shop.adopt().await.expect("adopted");
    let mut watch = shop.deployer.watch(&shop.target).await.expect("a watch");
    stage(&shop, &Behaviour { readiness: Readiness::Never, ..Behaviour::default() }).await;
    let found = fault(&mut watch, |fault| matches!(fault, Fault::NeverReady { .. })).await.to_string();
    assert_eq!(found, "shop-hotfix was not ready within 2s");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_watches_are_two_for_the_server() {
    let cluster = TestCluster::shared().await.expect("a cluster");
    let shop = Shop::open(cluster).await;
    let mut watches = Vec::new();
    for _ in 0..100 {
        watches.push(shop.deployer.watch(&shop.target).await.expect("a watch"));
    }
    let first = Pin::as_mut(&mut watches[99]).next().await.expect("the present state").expect("whole");
    assert_eq!(first, WorkloadChange::Instances { slot: slot("main"), replicas: 1, ready: 1 });
    let namespace = shop.namespace.name();
    let log = cluster.audit_log_of(&shop.namespace).expect("a log");
    let asked = log.iter().filter(|event| {
        let user = format!("system:serviceaccount:{namespace}:hotfix");
        event.user == user && event.uri.contains("watch=true") && event.raw["stage"] == "ResponseStarted"
    });
    let mut resources: Vec<&str> = asked.filter_map(|event| event.resource.as_deref()).collect();
    resources.sort_unstable();
    assert_eq!(resources, ["deployments", "pods"]);
}
