//! Situations in which other rollout controllers fail or hang, driven by the engine under real traffic.

use std::time::Duration;

use hotfix_core::execute::{Cause, Outcome};
use hotfix_core::model::{Artifact, Period};
use hotfix_core::port::Deployer;
use hotfix_core::request::Strategy;
use hotfix_engine::EngineError;
use hotfix_k8s::Traffic;
use hotfix_testkit::cluster::{Behaviour, End, Pull, Readiness, TestCluster};
use k8s_openapi::api::core::v1::Pod;
use kube::api::DeleteParams;
use serde_json::json;
use tokio::time::Instant;

use super::site::{Kind, deployment, pushed, release, slot, until};
use super::stage::{Stage, end, mesh, patient, quick, say};

/// How soon the traffic must leave what crashes, or what somebody calls off.
const SECONDS: Duration = Duration::from_secs(5);

/// A healthy canary: 10, 50, 100 %, then home to the Deployment that the team owns.
#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_canary_goes_live_comes_home_and_fails_no_request() {
    let stage = Stage::open(mesh(), quick()).await;
    let fix = release(stage.shop.test_cluster, 2);
    let outcome = end(stage.deploy(&fix, Strategy::Canary).await).await;
    assert_eq!(live(outcome), fix.artifact);
    stage.until_home(&fix).await;
    let report = stage.load.stop().await;
    say(&format_args!("{report:?}"));
    assert_eq!((report.failed, &report.failures), (0, &Vec::new()));
    assert!(report.by_version["1.0.2"] > 100, "{report:?}");
}

/// All new pods crash after the switch, so none is available: the traffic goes back at once, and no side is emptied
/// while it is selected.
#[tokio::test(flavor = "multi_thread")]
async fn a_side_that_crashes_after_the_switch_loses_the_traffic_before_its_pods() {
    let stage = Stage::open(Traffic::Service, patient()).await;
    let [old, bad] = [1, 2].map(|patch| release(stage.shop.test_cluster, patch));
    let run = stage.deploy(&bad, Strategy::BlueGreen).await;
    stage.until_share(100).await;
    stage.load.more(20).await;
    let took = crash_until_left(&stage, usize::MAX).await;
    let summary = verdict(end(run).await);
    stage.until_home(&old).await;

    let patches = stage.shop.patches();
    let at = |what: &str| {
        let found = patches.iter().enumerate().filter(|(_, patch)| patch.contains(what));
        found.map(|(at, _)| at).collect::<Vec<_>>()
    };
    let (switches, sizes) = (at("\"path\":\"/spec/selector/app\""), at("\"path\":\"/spec/replicas\""));
    let (there, back) = (switches[0], switches[1]);
    assert_eq!(switches.len(), 2, "{patches:?}");
    assert!(!sizes.iter().any(|size| (there..back).contains(size)), "{patches:?}");
    assert!(sizes.iter().any(|size| *size > back), "{patches:?}");
    assert!(took < SECONDS, "{took:?}");
    let report = stage.load.stop().await;
    say(&format_args!("left after {took:?}: {summary}; {} of {} failed", report.failed, report.sent));
}

/// One pod of the live side is not ready when a canary is called off: the traffic leaves the canary as soon as it would
/// otherwise.
#[tokio::test(flavor = "multi_thread")]
async fn an_unready_stable_pod_does_not_keep_the_traffic_on_the_canary() {
    let stage = Stage::open(mesh(), patient()).await;
    let [old, fix] = [1, 2].map(|patch| release(stage.shop.test_cluster, patch));
    let mut took = Vec::new();
    for stable in [Readiness::After(Period::default()), Readiness::Never] {
        let run = stage.deploy(&fix, Strategy::Canary).await;
        stage.until_share(10).await;
        let first = stage.pods("main").await.remove(0);
        first.behave(&Behaviour { readiness: stable, ..Behaviour::default() }).await.expect("it listens");
        let ready = if stable == Readiness::Never { 2 } else { 3 };
        until_ready(&stage, ready).await;
        let said = Instant::now();
        stage.engine.cancel(run.run(), "ada", "the wrong card is charged still").await.expect("a run");
        stage.until_share(0).await;
        took.push(said.elapsed());
        // Whether the old release is whole again is looked at afterwards.
        first.behave(&Behaviour::default()).await.expect("it listens");
        let outcome = end(run).await;
        assert!(
            matches!(&outcome, Outcome::RolledBack { cause: Cause::Cancelled { by, .. }, .. } if by == "ada"),
            "{outcome}"
        );
        stage.until_home(&old).await;
        until_ready(&stage, 3).await;
    }
    let report = stage.load.stop().await;
    say(&format_args!("left after {took:?}; {} of {} failed", report.failed, report.sent));
    assert!(took.iter().all(|took| *took < SECONDS), "{took:?}");
    assert_eq!((report.failed, &report.failures), (0, &Vec::new()));
}

/// One of several pods of a canary crashes again and again at 50 %.
#[tokio::test(flavor = "multi_thread")]
async fn one_crash_looping_canary_pod_of_several_is_a_verdict_within_seconds() {
    let mut settings = patient();
    settings.rollout.canary_steps = vec![50, 100];
    let stage = Stage::open(mesh(), settings).await;
    let [old, bad] = [1, 2].map(|patch| release(stage.shop.test_cluster, patch));
    let run = stage.deploy(&bad, Strategy::Canary).await;
    stage.until_share(50).await;
    stage.load.more(20).await;
    assert!(stage.pods("hotfix").await.len() > 1);
    let took = crash_until_left(&stage, 1).await;
    let summary = verdict(end(run).await);
    stage.until_home(&old).await;
    assert!(took < SECONDS, "{took:?}");
    let report = stage.load.stop().await;
    say(&format_args!("left after {took:?}: {summary}; {} of {} failed", report.failed, report.sent));
}

/// What is live crashes again and again: that is why there is a fix, so it does not stand in its way.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_looping_live_release_does_not_block_a_good_fix() {
    let cluster = TestCluster::shared().await.expect("a cluster");
    let crash = Behaviour { end: End::Crash(Period::from_secs(2)), ..Behaviour::default() };
    let Artifact::Image(image) = pushed(cluster, 1, &crash).artifact else { unreachable!("it was pushed") };
    let mut sick = deployment(cluster, 3);
    sick["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image.as_str());
    let stage = Stage::with(&sick, Traffic::Service, quick()).await;
    until("all that is live crashes again and again", || async {
        let restarts =
            |pod: &Pod| pod.status.as_ref()?.container_statuses.as_ref()?.first().map(|it| it.restart_count);
        stage.shop.pods("shop").await.iter().all(|pod| restarts(pod) >= Some(2))
    })
    .await;
    let fix = release(cluster, 2);
    let outcome = end(stage.deploy(&fix, Strategy::BlueGreen).await).await;
    assert_eq!(live(outcome), fix.artifact);
    stage.until_home(&fix).await;
    let before = stage.load.report();
    stage.load.more(100).await;
    let report = stage.load.stop().await;
    say(&format_args!("{} of {} failed", report.failed, report.sent));
    assert_eq!(report.failed, before.failed, "{report:?}");
}

/// A second side that is never ready: the deadline takes it away again.
#[tokio::test(flavor = "multi_thread")]
async fn a_side_that_never_gets_ready_gets_no_traffic_and_goes() {
    never_serves(&Behaviour { readiness: Readiness::Never, ..Behaviour::default() }).await;
}

/// A second side whose image cannot be pulled.
#[tokio::test(flavor = "multi_thread")]
async fn a_side_whose_image_cannot_be_pulled_gets_no_traffic_and_goes() {
    let pull = Pull::Fails("manifest unknown".to_owned());
    never_serves(&Behaviour { pull, ..Behaviour::default() }).await;
}

/// Two engines at once: the second is told who holds the target, and writes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_is_refused_with_the_name_of_the_first_and_writes_nothing() {
    let stage = Stage::open(mesh(), quick()).await;
    let [first, second] = [2, 3].map(|patch| release(stage.shop.test_cluster, patch));
    let other = stage.other_engine("second", quick());
    let early = stage.plan(&other, &second, Strategy::Canary).await.expect("a plan");
    let run = stage.deploy(&first, Strategy::Canary).await;
    stage.until_share(10).await;
    match other.start(early).await {
        Err(EngineError::Busy(claim)) => {
            assert_eq!((claim.holder.as_str(), &claim.run), ("first", run.run()));
        }
        other => panic!("not refused: {other:?}"),
    }
    let late = stage.plan(&other, &second, Strategy::Canary).await.expect_err("refused").to_string();
    assert!(late.contains(&format!("held by run {} of first", run.run())), "{late}");
    let outcome = end(run).await;
    assert_eq!(live(outcome), first.artifact);
    stage.until_home(&first).await;
    let Artifact::Image(image) = &second.artifact else { unreachable!("it was pushed") };
    let patches = stage.shop.patches();
    assert!(!patches.iter().any(|patch| patch.contains(image.as_str())), "{patches:?}");
    assert_eq!(stage.load.stop().await.failed, 0);
}

/// All pods of a canary are deleted while it gets traffic, and it is called off.
#[tokio::test(flavor = "multi_thread")]
async fn a_canary_whose_pods_are_all_deleted_is_undone_at_once() {
    let stage = Stage::open(mesh(), patient()).await;
    let [old, fix] = [1, 2].map(|patch| release(stage.shop.test_cluster, patch));
    let run = stage.deploy(&fix, Strategy::Canary).await;
    stage.until_share(10).await;
    for pod in stage.shop.pods("shop-hotfix").await {
        let name = pod.metadata.name.expect("a name");
        stage.shop.pod_api().delete(&name, &DeleteParams::default()).await.expect("deleted");
    }
    let said = Instant::now();
    stage.engine.cancel(run.run(), "ada", "the pods are gone").await.expect("a run");
    stage.until_share(0).await;
    let took = said.elapsed();
    let outcome = end(run).await;
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome}");
    stage.until_home(&old).await;
    assert!(took < SECONDS, "{took:?}");
    let before = stage.load.report();
    stage.load.more(100).await;
    let report = stage.load.stop().await;
    say(&format_args!("left after {took:?}; {} of {} failed", report.failed, report.sent));
    assert_eq!(report.failed, before.failed, "{report:?}");
}

/// Deploys something that never serves: it comes to nothing, and no request notices.
async fn never_serves(behaviour: &Behaviour) {
    let mut settings = quick();
    settings.rollout.ready_deadline = Period::from_secs(5);
    let stage = Stage::open(Traffic::Service, settings).await;
    let (old, bad) = (release(stage.shop.test_cluster, 1), pushed(stage.shop.test_cluster, 2, behaviour));
    let selector = stage.shop.read(Kind::Service, "shop").await["spec"]["selector"].clone();
    let summary = verdict(end(stage.deploy(&bad, Strategy::BlueGreen).await).await);
    stage.until_home(&old).await;
    assert_eq!(stage.shop.read(Kind::Service, "shop").await["spec"]["selector"], selector);
    let patches = stage.shop.patches();
    assert!(!patches.iter().any(|patch| patch.contains("\"path\":\"/spec/selector")), "{patches:?}");
    let report = stage.load.stop().await;
    say(&format_args!("{summary}; {} of {} failed", report.failed, report.sent));
    assert_eq!((report.failed, &report.failures), (0, &Vec::new()));
    assert_eq!(report.by_version.keys().collect::<Vec<_>>(), ["1.0.1"]);
}

/// Crashes so many pods of the copy whenever they are up, until the copy has no traffic, and returns how long that took.
async fn crash_until_left(stage: &Stage, pods: usize) -> Duration {
    let began = Instant::now();
    until("the copy has no traffic", || async {
        for pod in stage.pods("hotfix").await.into_iter().take(pods) {
            pod.crash().await;
        }
        stage.share_of_the_copy().await == 0
    })
    .await;
    began.elapsed()
}

async fn until_ready(stage: &Stage, pods: u16) {
    until("so many pods are ready", || async {
        let workload = stage.shop.deployer.observe(&stage.shop.target).await.expect("a workload");
        workload.slot(&slot("main")).is_some_and(|held| held.ready == pods)
    })
    .await;
}

fn verdict(outcome: Outcome) -> String {
    match outcome {
        Outcome::RolledBack { cause: Cause::Verdict { summary, .. }, left } if left.is_empty() => summary,
        other => panic!("not rolled back by a verdict: {other}"),
    }
}

/// Returns what a run that succeeded left live.
fn live(outcome: Outcome) -> Artifact {
    match outcome {
        Outcome::Succeeded { release: Some(release) } => release.artifact,
        other => panic!("nothing went live: {other}"),
    }
}
