//! A canary behind a VirtualService that somebody calls off: from the call to weight 0, by the engine and by Argo
//! Rollouts, also while a pod of the old release is not ready.

use std::time::Duration;

use hotfix_benches::Failure;
use hotfix_core::communicate::ProgressKind;
use hotfix_core::execute::Outcome;
use hotfix_core::request::Strategy;
use hotfix_engine::RunHandle;
use hotfix_testkit::cluster::{Behaviour, DemoPod, Readiness, TestCluster};

use super::argo::{Argo, PATIENCE, SHARE};
use super::deploy::deploy;
use super::seen::Seen;
use super::site::{Kind, Site, release, second_weight, slot};
use crate::compare::case::{Better, Case, Goal};
use crate::compare::clock::{Stopwatch, median_millis};
use crate::say;

const ROUNDS: usize = 8;

/// How often the peer is watched that leaves the traffic where it is.
const STUCK_ROUNDS: usize = 1;

pub(super) async fn measure(cluster: &TestCluster) -> Result<Vec<Case>, Failure> {
    let mut argo = Argo::open(cluster, 1).await?;
    let (mut ours, mut peer) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(abort(cluster, 0).await?);
        argo.shift().await?;
        peer.push(argo.abort().await?.ok_or_else(|| Failure::new("the peer does not abort"))?);
        argo.back().await?;
    }
    let (mut ours_sick, mut peer_sick) = (Vec::new(), Vec::new());
    for _ in 0..STUCK_ROUNDS {
        argo.shift().await?;
        argo.stable(1).await?;
        let left = argo.abort().await?;
        if left.is_none() {
            say(&format!(
                "compare k8s abort-with-an-unready-pod: argo-rollouts left {SHARE} % for {PATIENCE:?}"
            ));
        }
        peer_sick.push(left.unwrap_or(PATIENCE));
        argo.stable(0).await?;
        argo.back().await?;
    }
    for _ in 0..ROUNDS / 2 {
        ours_sick.push(abort(cluster, 1).await?);
    }
    let case = |name: &str, ours: &[Duration], peer: &[Duration]| Case {
        name: name.to_owned(),
        ours: median_millis(ours),
        peer: Some(median_millis(peer)),
        better: Better::Less,
        goal: Goal::Ratio(3.3),
    };
    Ok(vec![
        case("abort-to-weight-0/argo-rollouts", &ours, &peer),
        case("abort-to-weight-0-with-an-unready-pod/argo-rollouts", &ours_sick, &peer_sick),
    ])
}

/// Waits until the run stands at the gate behind the share, as the peer's rollout is waited for until it pauses: what
/// follows the write of a weight is at work for a while.
async fn until_judged(run: &mut RunHandle) -> Result<(), Failure> {
    while let Some(progress) = run.next().await {
        if let ProgressKind::Looked { .. } = progress?.kind {
            return Ok(());
        }
    }
    Err(Failure::new("the canary is not judged"))
}

/// Calls a canary off while so many pods of the old release are not ready, and returns how long the traffic stayed.
async fn abort(cluster: &TestCluster, unready: usize) -> Result<Duration, Failure> {
    let site = Site::meshed(cluster).await?;
    let mut split = Seen::follow(site.api(Kind::VirtualService), "shop");
    let next = release(cluster, 1, &Behaviour::default())?;
    let mut deploying = deploy(&site, &next, Strategy::Canary, |settings| {
        settings.rollout.canary_steps = vec![25, 100];
        let pace = &mut settings.judging.pace;
        (pace.quick_dwell, pace.min_dwell, pace.max_dwell, pace.alone_dwell) = (240, 240, 240, 240);
        pace.quiet_limit = 1_000;
    })
    .await?;
    split.until("the canary has its share", |split| second_weight(split) == Some(SHARE)).await?;
    until_judged(&mut deploying.run).await?;
    let mut healed = None;
    if unready > 0 {
        let pods = site.pods("app=shop").await?;
        let pod = pods.iter().find_map(DemoPod::of).ok_or_else(|| Failure::new("no pod"))?;
        pod.behave(&Behaviour { readiness: Readiness::Never, ..Behaviour::default() }).await?;
        let main = slot("main")?;
        site.until(|workload| workload.slot(&main).is_some_and(|held| held.ready == 1)).await?;
        healed = Some(pod);
    }
    let watch = Stopwatch::start();
    deploying.engine.cancel(deploying.run.run(), "ana@example.com", "the wrong card").await?;
    split.until("the canary has no traffic", |split| second_weight(split) == Some(0)).await?;
    let took = watch.passed();
    if let Some(pod) = healed {
        // Whether the old release is whole again is looked at afterwards.
        pod.behave(&Behaviour::default()).await?;
    }
    match deploying.run.outcome().await? {
        Outcome::RolledBack { .. } => Ok(took),
        other => Err(Failure::new(format!("the canary that was called off ended as {other}"))),
    }
}
