//! A canary behind a VirtualService that somebody calls off: from the call to weight 0, by the engine and by Argo
//! Rollouts, also while a pod of the old release is not ready.

use std::time::Duration;

use hotfix_benches::Failure;
use hotfix_testkit::cluster::{Behaviour, DemoPod, Readiness, TestCluster};

use super::argo::{Argo, PATIENCE, SHARE};
use super::deploy::Deploying;
use super::site::{Site, slot};
use super::standing::Standing;
use crate::compare::case::{Better, Case, Goal};
use crate::compare::clock::{Stopwatch, median_millis};
use crate::say;

const ROUNDS: usize = 24;

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

/// Calls a canary off while so many pods of the old release are not ready, and returns how long the traffic stayed.
async fn abort(cluster: &TestCluster, unready: usize) -> Result<Duration, Failure> {
    let mut canary = Standing::on(cluster, Site::meshed(cluster).await?).await?;
    let mut healed = None;
    if unready > 0 {
        let pods = canary.site.pods("app=shop").await?;
        let pod = pods.iter().find_map(DemoPod::of).ok_or_else(|| Failure::new("no pod"))?;
        pod.behave(&Behaviour { readiness: Readiness::Never, ..Behaviour::default() }).await?;
        let main = slot("main")?;
        canary.site.until(|workload| workload.slot(&main).is_some_and(|held| held.ready == 1)).await?;
        healed = Some(pod);
    }
    let watch = Stopwatch::start();
    let Deploying { engine, run, .. } = &canary.deploying;
    engine.cancel(run.run(), "ana@example.com", "the wrong card").await?;
    canary.left().await?;
    let took = watch.passed();
    if let Some(pod) = healed {
        // Whether the old release is whole again is looked at afterwards.
        pod.behave(&Behaviour::default()).await?;
    }
    canary.rolled_back().await?;
    Ok(took)
}
