//! All of the traffic at once from one side to the other, and back.

use hotfix_core::communicate::ProgressKind;
use hotfix_core::execute::{Cause, Outcome};
use hotfix_core::request::Strategy;
use hotfix_k8s::Traffic;
use tokio::time::Instant;

use super::super::site::{release, written};
use super::super::stage::{Stage, end, follow, patient, say};
use super::{
    SECONDS, crash_until_left, fail_requests, main_pods, none_fails_any_more, only_its_own_errors, verdict,
};

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
    let report = none_fails_any_more(stage.load).await;
    say(&format_args!("left after {took:?}: {summary}; {} of {} failed", report.failed, report.sent));
}

/// The new side works until it has all of the traffic, and then fails: the old side, which is warm still, takes over.
#[tokio::test(flavor = "multi_thread")]
async fn a_side_that_fails_after_the_switch_gives_way_to_the_one_that_is_warm() {
    let stage = Stage::open(Traffic::Service, patient()).await;
    let [old, bad] = [1, 2].map(|patch| release(stage.shop.test_cluster, patch));
    let pods = main_pods(&stage).await;
    let run = stage.deploy(&bad, Strategy::BlueGreen).await;
    stage.until_share(100).await;
    stage.load.more(20).await;
    let began = Instant::now();
    fail_requests(&stage, "hotfix", 60).await;
    stage.until_share(0).await;
    let took = began.elapsed();
    let summary = verdict(end(run).await);
    stage.until_home(&old).await;
    assert_eq!(main_pods(&stage).await, pods, "none was started");
    assert_eq!(switches(&stage), ["shop-hotfix", "shop"]);
    assert!(took < SECONDS, "{took:?}");
    let report = stage.load.stop().await;
    say(&format_args!("left after {took:?}: {summary}; {} of {} failed", report.failed, report.sent));
    only_its_own_errors(&report);
}

/// Going back while the old side is warm: one switch, no new pods, and nobody judges what was live before.
#[tokio::test(flavor = "multi_thread")]
async fn going_back_to_a_warm_side_is_one_switch_without_new_pods_or_a_new_verdict() {
    let stage = Stage::open(Traffic::Service, patient()).await;
    let [old, fix] = [1, 2].map(|patch| release(stage.shop.test_cluster, patch));
    let pods = main_pods(&stage).await;
    let run = stage.deploy(&fix, Strategy::BlueGreen).await;
    stage.until_share(100).await;
    let said = Instant::now();
    stage.engine.cancel(run.run(), "ada", "the wrong card is charged still").await.expect("a run");
    stage.until_share(0).await;
    let took = said.elapsed();
    let (all, outcome) = follow(run).await;
    assert!(matches!(outcome, Outcome::RolledBack { cause: Cause::Cancelled { .. }, .. }), "{outcome}");
    stage.until_home(&old).await;
    let after = all.into_iter().skip_while(|progress| !matches!(progress.kind, ProgressKind::Signalled(_)));
    let judged =
        |kind: &ProgressKind| matches!(kind, ProgressKind::Looked { .. } | ProgressKind::Decided { .. });
    let judged: Vec<_> = after.filter(|progress| judged(&progress.kind)).collect();
    assert_eq!(judged, []);
    assert_eq!(main_pods(&stage).await, pods, "none was started");
    assert_eq!(switches(&stage), ["shop-hotfix", "shop"]);
    assert!(took < SECONDS, "{took:?}");
    let report = stage.load.stop().await;
    say(&format_args!("left after {took:?}; {} of {} failed", report.failed, report.sent));
    assert_eq!((report.failed, &report.failures), (0, &Vec::new()));
}

/// What the Service was told to select, in turn.
fn switches(stage: &Stage) -> Vec<String> {
    let patches = stage.shop.patches_of("services");
    let selected = patches.iter().filter_map(|patch| written(patch, "/spec/selector/app"));
    selected.filter_map(|app| Some(app.as_str()?.to_owned())).collect()
}
