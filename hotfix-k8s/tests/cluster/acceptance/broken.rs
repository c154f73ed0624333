//! Releases that never work: the old one, the new one, or both.

use std::cell::RefCell;

use hotfix_core::model::{Artifact, Period, Release};
use hotfix_core::plan::{Finding, Plan};
use hotfix_core::request::Strategy;
use hotfix_k8s::{ReplicasTraffic, Traffic};
use hotfix_testkit::cluster::{Behaviour, End, Pull, Readiness, TestCluster};
use k8s_openapi::api::core::v1::Pod;
use serde_json::json;

use super::super::site::{Kind, deployment, pushed, release, until};
use super::super::stage::{Stage, end, mesh, quick, say};
use super::{live, verdict};

/// What is live crashes again and again: that is why there is a fix, so it does not stand in its way.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_looping_live_release_does_not_block_a_good_fix() {
    does_not_block_a_good_fix(Traffic::Service, (Strategy::BlueGreen, Strategy::BlueGreen)).await;
}

/// Between two crashes there is something to share the traffic with, by weights.
#[tokio::test(flavor = "multi_thread")]
async fn a_live_release_that_is_up_now_and_then_does_not_block_a_canary_by_weights() {
    does_not_block_a_good_fix(mesh(), (Strategy::Canary, Strategy::Canary)).await;
}

/// The same by numbers of pods, where the live side never has the pods for long that it is to keep.
#[tokio::test(flavor = "multi_thread")]
async fn a_live_release_that_is_up_now_and_then_does_not_block_a_canary_by_pods() {
    let pods = Traffic::Replicas(ReplicasTraffic::default());
    does_not_block_a_good_fix(pods, (Strategy::Canary, Strategy::Canary)).await;
}

/// After a crash there is nothing, so the fix gets everything.
#[tokio::test(flavor = "multi_thread")]
async fn a_live_release_that_is_down_does_not_block_a_fix_that_was_to_be_a_canary() {
    does_not_block_a_good_fix(mesh(), (Strategy::Canary, Strategy::Direct)).await;
}

/// Deploys a good fix by the strategy that is planned instead of the one that was asked for.
async fn does_not_block_a_good_fix(traffic: Traffic, (asked, planned): (Strategy, Strategy)) {
    let (stage, _) = crash_looping(traffic).await;
    let fix = release(stage.shop.test_cluster, 2);
    let plan = until_planned(&stage, &fix, asked, |plan| {
        let is_it =
            |found: &Finding| matches!(found, Finding::Strategy { strategy, .. } if *strategy == planned);
        plan.report().findings.iter().any(is_it)
    })
    .await;
    let outcome = end(stage.engine.start(plan).await.expect("a free target")).await;
    assert_eq!(live(outcome), fix.artifact);
    stage.until_home(&fix).await;
    let before = stage.load.report();
    stage.load.more(100).await;
    let report = stage.load.stop().await;
    say(&format_args!("{} of {} failed", report.failed, report.sent));
    assert_eq!(report.failed, before.failed, "{report:?}");
}

/// Neither the live release nor the fix works: the fix goes, and the live one is left as it was.
#[tokio::test(flavor = "multi_thread")]
async fn a_bad_fix_for_a_bad_release_is_taken_back_and_the_release_stays_as_it_was() {
    let (stage, sick) = crash_looping(Traffic::Service).await;
    let before = stage.shop.read(Kind::Deployment, "shop").await["spec"].clone();
    let crash = Behaviour { end: End::Crash(Period::from_millis(200)), ..Behaviour::default() };
    let bad = pushed(stage.shop.test_cluster, 2, &crash);
    // Between two crashes all three are up for two seconds, and then a plan has nothing to tell.
    let plan =
        until_planned(&stage, &bad, Strategy::BlueGreen, |plan| plan.to_string().contains("of 3 instances"))
            .await;
    let run = stage.engine.start(plan).await.expect("a free target");
    let summary = verdict(end(run).await);
    assert!(summary.starts_with("fail: canary instance shop-hotfix-"), "{summary}");
    stage.until_home(&sick).await;
    let after = stage.shop.read(Kind::Deployment, "shop").await["spec"].clone();
    for field in ["replicas", "strategy", "selector"] {
        assert_eq!(after[field], before[field], "{field}");
    }
    assert_eq!(after["template"]["spec"], before["template"]["spec"]);
    let patches = stage.shop.patches();
    assert!(!patches.iter().any(|patch| patch.contains("\"path\":\"/spec/selector")), "{patches:?}");
    let report = stage.load.stop().await;
    say(&format_args!("{summary}; {} of {} failed, as before", report.failed, report.sent));
    assert_eq!(report.by_version.get("1.0.2"), None, "{report:?}");
}

/// A second side that is never ready: the deadline takes it away again.
#[tokio::test(flavor = "multi_thread")]
async fn a_side_that_never_gets_ready_gets_no_traffic_and_goes() {
    never_serves(&Behaviour { readiness: Readiness::Never, ..Behaviour::default() }, Strategy::BlueGreen)
        .await;
}

/// A second side whose image cannot be pulled.
#[tokio::test(flavor = "multi_thread")]
async fn a_side_whose_image_cannot_be_pulled_gets_no_traffic_and_goes() {
    let pull = Pull::Fails("manifest unknown".to_owned());
    never_serves(&Behaviour { pull, ..Behaviour::default() }, Strategy::BlueGreen).await;
}

/// The shortest way there is, past staging and without a preview, of something that crashes.
#[tokio::test(flavor = "multi_thread")]
async fn a_crashing_fix_that_skips_everything_gets_no_traffic_all_the_same() {
    let end = End::Crash(Period::default());
    let why = never_serves(&Behaviour { end, ..Behaviour::default() }, Strategy::Direct).await;
    assert!(why.starts_with("fail: canary instance shop-hotfix-"), "{why}");
}

/// Plans until the plan is like that: what there is to plan for changes with every crash.
async fn until_planned(stage: &Stage, fix: &Release, asked: Strategy, is_it: impl Fn(&Plan) -> bool) -> Plan {
    let found = RefCell::new(None);
    until("there is such a plan", || async {
        let plan = stage.plan(&stage.engine, fix, asked).await.expect("a plan");
        let is_found = is_it(&plan);
        *found.borrow_mut() = Some(plan);
        is_found
    })
    .await;
    found.into_inner().expect("a plan")
}

/// A shop whose only release crashes again and again, and that release.
async fn crash_looping(traffic: Traffic) -> (Stage, Release) {
    let cluster = TestCluster::shared().await.expect("a cluster");
    let crash = Behaviour { end: End::Crash(Period::from_secs(2)), ..Behaviour::default() };
    let sick = pushed(cluster, 1, &crash);
    let Artifact::Image(image) = &sick.artifact else { unreachable!("it was pushed") };
    let mut deployment = deployment(cluster, 3);
    deployment["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image.as_str());
    let stage = Stage::with(&deployment, traffic, quick()).await;
    until("all that is live crashes again and again", || async {
        let restarts =
            |pod: &Pod| pod.status.as_ref()?.container_statuses.as_ref()?.first().map(|it| it.restart_count);
        stage.shop.pods("shop").await.iter().all(|pod| restarts(pod) >= Some(2))
    })
    .await;
    (stage, sick)
}

/// Deploys something that never serves: it comes to nothing, and no request notices.
async fn never_serves(behaviour: &Behaviour, strategy: Strategy) -> String {
    let mut settings = quick();
    settings.rollout.ready_deadline = Period::from_secs(5);
    let stage = Stage::open(Traffic::Service, settings).await;
    let (old, bad) = (release(stage.shop.test_cluster, 1), pushed(stage.shop.test_cluster, 2, behaviour));
    let selector = stage.shop.read(Kind::Service, "shop").await["spec"]["selector"].clone();
    let summary = verdict(end(stage.deploy(&bad, strategy).await).await);
    stage.until_home(&old).await;
    assert_eq!(stage.shop.read(Kind::Service, "shop").await["spec"]["selector"], selector);
    let patches = stage.shop.patches();
    assert!(!patches.iter().any(|patch| patch.contains("\"path\":\"/spec/selector")), "{patches:?}");
    let report = stage.load.stop().await;
    say(&format_args!("{summary}; {} of {} failed", report.failed, report.sent));
    assert_eq!((report.failed, &report.failures), (0, &Vec::new()));
    assert_eq!(report.by_version.keys().collect::<Vec<_>>(), ["1.0.1"]);
    summary
}
