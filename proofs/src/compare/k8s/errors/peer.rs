//! Argo Rollouts with an analysis of the canary's error rate: the same turn, until the canary has no traffic.

use std::time::Duration;

use hotfix_benches::Failure;
use hotfix_core::port::Clock as _;
use hotfix_engine::SystemClock;
use serde_json::{Value, json};

use super::scene::Scene;
use super::trial::{Trial, Turned};
use crate::compare::clock::Stopwatch;
use crate::compare::k8s::argo::{Argo, Shape};
use crate::compare::k8s::seen::LONG;

/// From which error rate on a measurement fails: the usual 95 % of success.
const LIMIT: f64 = 0.05;

/// The canary of a shop turns bad again and again, that long after it was seen to be healthy. Returns beside the trials
/// how many canaries were taken back before anything was wrong with them.
pub(super) async fn trials(
    scene: &Scene<'_>,
    failure_limit: u32,
    phases: &[Duration],
) -> Result<(Vec<Trial>, usize), Failure> {
    let shape = Shape {
        replicas: 1,
        canaries: 1,
        behaviour: Scene::usual(),
        analysis: Some(template(scene, failure_limit)),
    };
    let mut argo = Argo::shaped(scene.cluster, shape).await?;
    let customers = scene.customers(&argo.namespace).await?;
    let (mut trials, mut false_alarms) = (Vec::new(), 0);
    for number in 0.. {
        let Some(phase) = phases.get(trials.len()) else { break };
        // Fresh pods: what the last ones answered is in the window for a while.
        argo.renew(number);
        match trial(scene, &mut argo, *phase).await? {
            Some(turned) => trials.push(turned),
            None => false_alarms += 1,
        }
        if false_alarms > phases.len() {
            return Err(Failure::new("the peer takes back whatever it is given"));
        }
    }
    // The namespace says farewell to the server, for which nobody else here waits.
    tokio::task::spawn_blocking(move || drop((customers, argo))).await?;
    Ok((trials, false_alarms))
}

/// Returns nothing when the canary lost its share before anything was wrong with it.
async fn trial(scene: &Scene<'_>, argo: &mut Argo, phase: Duration) -> Result<Option<Trial>, Failure> {
    argo.shift().await?;
    let hash = argo.canary().await?;
    let canary = format!("namespace=\"{}\",rollouts_pod_template_hash=\"{hash}\"", argo.namespace.name());
    scene.until_known(&canary).await?;
    tokio::time::sleep(phase).await;
    if !argo.is_shifted().await? {
        argo.back().await?;
        return Ok(None);
    }
    let (at, watch) = (SystemClock.now(), Stopwatch::start());
    argo.behave(&Scene::bad()).await?;
    let took = argo.left(watch, LONG).await?;
    let took = took.ok_or_else(|| Failure::new("the peer leaves the bad canary its traffic"))?;
    let scrapes = scene.scrapes(&canary).await?;
    argo.back().await?;
    Ok(Some(Turned { at, took }.decided(&scrapes)))
}

/// Fails more than so many times before the canary is given up. A rate takes two samples; half an interval more makes
/// sure that there are two, and a longer window would only make it slower.
fn template(scene: &Scene<'_>, failure_limit: u32) -> Value {
    let canary = "namespace=\"{{args.namespace}}\",rollouts_pod_template_hash=\"{{args.hash}}\"";
    let window = scene.interval.as_millis() * 5 / 2;
    let rate = |status: &str| format!("sum(rate(http_requests_total{{{canary}{status}}}[{window}ms]))");
    let (failed, all) = (rate(",code=~\"5..\""), rate(""));
    // Nothing divided by nothing would be an error, after which it asks again only 10 s later.
    let query = format!("({failed} or vector(0)) / ({all} > 0 or vector(1))");
    json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisTemplate",
        "metadata": {"name": "errors"},
        "spec": {
            "args": [{"name": "hash"}, {"name": "namespace"}],
            "metrics": [{
                "name": "errors",
                "interval": format!("{}s", scene.interval.as_secs()),
                "failureLimit": failure_limit,
                "successCondition": format!("result[0] < {LIMIT}"),
                "provider": {"prometheus": {"address": scene.url(), "query": query}},
            }],
        },
    })
}
