//! What a rollout does when something goes wrong, or somebody gets in its way: driven by the engine, on a real API
//! server with real pods, under traffic of which every request is counted. Many are situations in which other rollout
//! controllers fail or hang.

mod abort;
mod back;
mod broken;
mod canary;
mod evidence;
mod others;
mod preview;
mod rolling;
mod routes;
mod switch;

use std::time::Duration;

use hotfix_core::execute::{Cause, Outcome};
use hotfix_core::model::Artifact;
use hotfix_core::port::Deployer;
use hotfix_testkit::cluster::{Behaviour, Load, LoadReport};
use tokio::time::Instant;

use super::site::{slot, until};
use super::stage::Stage;

/// How soon the traffic must leave what crashes, or what somebody calls off.
const SECONDS: Duration = Duration::from_secs(5);

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

/// Waits until so many pods of the main Deployment can take traffic.
async fn until_ready(stage: &Stage, pods: u16) {
    until("so many pods are ready", || async {
        let workload = stage.shop.deployer.observe(&stage.shop.target).await.expect("a workload");
        workload.slot(&slot("main")).is_some_and(|held| held.ready == pods)
    })
    .await;
}

/// Returns why a run was rolled back by a verdict.
pub(crate) fn verdict(outcome: Outcome) -> String {
    match outcome {
        Outcome::RolledBack { cause: Cause::Verdict { summary, .. }, left } if left.is_empty() => summary,
        other => panic!("not rolled back by a verdict: {other}"),
    }
}

/// Returns what a run that succeeded left live.
pub(crate) fn live(outcome: Outcome) -> Artifact {
    match outcome {
        Outcome::Succeeded { release: Some(release) } => release.artifact,
        other => panic!("nothing went live: {other}"),
    }
}

/// The pods of the main Deployment, by name.
async fn main_pods(stage: &Stage) -> Vec<String> {
    let mut names: Vec<_> =
        stage.shop.pods("shop").await.into_iter().filter_map(|pod| pod.metadata.name).collect();
    names.sort_unstable();
    names
}

/// Has every pod that a slot has now answer so many requests of a hundred with an error.
async fn fail_requests(stage: &Stage, slot: &str, error_percent: u8) {
    for pod in stage.pods(slot).await {
        pod.behave(&Behaviour { error_percent, ..Behaviour::default() }).await.expect("it listens");
    }
}

/// Closes the shop after a while in which nobody may lose a request any more: the traffic has left what was bad.
async fn none_fails_any_more(load: Load) -> LoadReport {
    let before = load.report();
    load.more(100).await;
    let report = load.stop().await;
    assert_eq!(report.failed, before.failed, "{report:?}");
    report
}

/// Asserts that nothing failed but what a bad release answered itself.
fn only_its_own_errors(report: &LoadReport) {
    let by_the_route = report.failures.iter().find(|failure| !failure.starts_with("500"));
    assert_eq!(by_the_route, None, "{report:?}");
    let own = report.by_status.get(&500).copied().unwrap_or_default();
    assert_eq!(
        (report.failed, report.by_status.keys().all(|status| matches!(status, 200 | 500))),
        (own, true)
    );
}
