//! Canaries that turn bad or are called off: the traffic leaves, whatever state the rest is in.

use std::time::Duration;

use hotfix_core::execute::{Cause, Outcome};
use hotfix_core::model::Period;
use hotfix_core::request::Strategy;
use hotfix_k8s::TargetConfig;
use hotfix_testkit::cluster::{Behaviour, Disturbance, FaultProxy, Readiness};
use hotfix_testkit::http::Answer;
use kube::api::DeleteParams;
use serde_json::json;
use tokio::time::Instant;

use super::super::site::{config, deployer_with, is_patch, release};
use super::super::stage::{Stage, end, mesh, patient, say};
use super::{
    SECONDS, crash_until_left, fail_requests, none_fails_any_more, only_its_own_errors, until_ready, verdict,
};

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
    let report = none_fails_any_more(stage.load).await;
    say(&format_args!("left after {took:?}; {} of {} failed", report.failed, report.sent));
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
    let report = none_fails_any_more(stage.load).await;
    say(&format_args!("left after {took:?}: {summary}; {} of {} failed", report.failed, report.sent));
}

/// The canary's requests fail while a pod of the live side is not ready: the evidence leads back all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_failing_canary_goes_back_although_a_stable_pod_is_not_ready() {
    let stage = Stage::open(mesh(), patient()).await;
    let [old, bad] = [1, 2].map(|patch| release(stage.shop.test_cluster, patch));
    let run = stage.deploy(&bad, Strategy::Canary).await;
    stage.until_share(10).await;
    let unready = stage.pods("main").await.remove(0);
    unready
        .behave(&Behaviour { readiness: Readiness::Never, ..Behaviour::default() })
        .await
        .expect("it listens");
    until_ready(&stage, 2).await;
    let began = Instant::now();
    fail_requests(&stage, "hotfix", 100).await;
    stage.until_share(0).await;
    let took = began.elapsed();
    unready.behave(&Behaviour::default()).await.expect("it listens");
    let summary = verdict(end(run).await);
    stage.until_home(&old).await;
    assert!(took < SECONDS, "{took:?}");
    let report = stage.load.stop().await;
    say(&format_args!("left after {took:?}: {summary}; {} of {} failed", report.failed, report.sent));
    only_its_own_errors(&report);
}

/// The server cannot settle who wrote first when the traffic is to go back: it is asked again at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_on_the_way_back_is_tried_again_at_once() {
    let stage = Stage::open(mesh(), patient()).await;
    let [old, fix] = [1, 2].map(|patch| release(stage.shop.test_cluster, patch));
    let proxy = FaultProxy::start(&stage.shop.user).await.expect("a port");
    let (shop, through) = (&stage.shop, proxy.through(&stage.shop.user));
    let config = TargetConfig { traffic: mesh(), ..config(&shop.namespace) };
    let deployer = deployer_with(config, &shop.target, through);
    let engine = stage.builder("second", patient()).deployer(deployer).build().expect("a complete engine");
    let run = stage.deploy_by(&engine, &fix, Strategy::Canary).await;
    stage.until_share(10).await;
    let before = proxy.happened().len();
    let conflict = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 409, "reason": "Conflict",
        "message": "the object has been modified; please apply your changes to the latest version and try again",
    });
    let route = "/virtualservices/shop";
    let conflict = Disturbance::Instead(Answer::json(409, &conflict));
    for _ in 0..2 {
        proxy.next(move |request| is_patch(request, route), conflict.clone());
    }
    let said = Instant::now();
    engine.cancel(run.run(), "ada", "the wrong card is charged still").await.expect("a run");
    stage.until_share(0).await;
    let took = said.elapsed();
    let outcome = end(run).await;
    assert!(matches!(outcome, Outcome::RolledBack { cause: Cause::Cancelled { .. }, .. }), "{outcome}");
    let happened = proxy.happened();
    let tries = happened[before..].iter().filter(|happened| is_patch(&happened.request, route));
    let refused: Vec<bool> = tries.map(|happened| happened.disturbance.is_some()).collect();
    assert_eq!(refused, [true, true, false]);
    stage.until_home(&old).await;
    assert!(took < Duration::from_secs(2), "{took:?}");
    let report = stage.load.stop().await;
    say(&format_args!("left after {took:?}; {} of {} failed", report.failed, report.sent));
    assert_eq!((report.failed, &report.failures), (0, &Vec::new()));
}
