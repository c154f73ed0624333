//! A fix that crashes some time after it was ready: from the first status of a pod that shows it to the first write of
//! the undo, both by the server's own log; and a canary of which one pod crashes, beside Argo Rollouts.

use std::num::NonZeroU16;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use hotfix_benches::Failure;
use hotfix_core::execute::Outcome;
use hotfix_core::model::Period;
use hotfix_core::request::Strategy;
use hotfix_testkit::cluster::{AuditEvent, Behaviour, End, TestCluster};
use serde_json::Value;

use super::argo::{Argo, PATIENCE};
use super::deploy::deploy;
use super::ended::end_one;
use super::site::{Kind, Site, release};
use super::standing::Standing;
use crate::compare::case::{Case, Figure};
use crate::compare::clock::median_millis;
use crate::say;

const TRIALS: usize = 100;

/// How many trials there are at a time, each in a shop of its own.
const AT_A_TIME: usize = 4;

/// How often one pod of a canary is ended.
const CANARY_TRIALS: usize = 5;

/// How often the peer is tried.
const PEER_TRIALS: usize = 5;

/// How long each start of the bad release lasts: time enough to become ready and be switched to.
const UP: Period = Period::from_millis(2_500);

pub(super) async fn measure(cluster: &TestCluster) -> Result<Vec<Case>, Failure> {
    let trials = stream::iter((0..TRIALS).map(|_| trial(cluster))).buffer_unordered(AT_A_TIME);
    let crashed: Vec<Crashed> = trials.try_collect().await?;
    // Once for all: reading it takes its time, in which nothing is to be measured.
    let log = cluster.audit_log()?;
    let times = crashed.iter().map(|crashed| crashed.reaction(&log)).collect::<Result<Vec<_>, _>>();
    let mut times = times?;
    times.sort();
    let millis = |time: &Duration| Figure { value: time.as_secs_f64() * 1e3, unit: "ms" };
    // Both are seen by a watch, which may tell of the pod and of the weight at once: that is no figure for a ratio.
    for (pods, peer_trials) in [(1, PEER_TRIALS), (4, 1)] {
        let Figure { value, unit } = canary(cluster, pods).await?;
        say(&format!(
            "crash-to-weight-0, one pod of {pods}: {value:.1} {unit} after the status was seen, {CANARY_TRIALS} trials"
        ));
        let Figure { value, unit } = peer(cluster, pods, peer_trials).await?;
        say(&format!(
            "crash-to-weight-0 of argo-rollouts, one pod of {pods}: {value:.1} {unit} after the status was seen, \
             {peer_trials} trials, given up after {PATIENCE:?}"
        ));
    }
    Ok(vec![
        Case::alone("crash-to-undo-accepted/p50", median_millis(&times), 50.0),
        Case::alone("crash-to-undo-accepted/p99", millis(&times[TRIALS - 2]), 250.0),
    ])
}

/// From the status of one pod of a canary of so many that ended to weight 0.
async fn canary(cluster: &TestCluster, pods: u16) -> Result<Figure, Failure> {
    let replicas = NonZeroU16::new(pods).ok_or_else(|| Failure::new("a canary without pods"))?;
    let mut times = Vec::with_capacity(CANARY_TRIALS);
    for _ in 0..CANARY_TRIALS {
        let site = Site::meshed_of(cluster, replicas, &Behaviour::default()).await?;
        let mut canary = Standing::on(cluster, site).await?;
        let all = canary.site.pods("app=shop-hotfix").await?;
        if all.len() != usize::from(pods) {
            return Err(Failure::new(format!("the canary has {} pods instead of {pods}", all.len())));
        }
        let watch = end_one(&all, canary.site.api(Kind::Pod)).await?;
        canary.left().await?;
        times.push(watch.passed());
        canary.rolled_back().await?;
    }
    Ok(median_millis(&times))
}

/// From the status of the peer's pod that ended to weight 0; [`PATIENCE`] when nothing happens for so long.
async fn peer(cluster: &TestCluster, canaries: u16, trials: usize) -> Result<Figure, Failure> {
    let mut argo = Argo::open(cluster, canaries).await?;
    let mut times = Vec::with_capacity(trials);
    for _ in 0..trials {
        argo.shift().await?;
        times.push(argo.crash().await?.unwrap_or(PATIENCE));
        argo.back().await?;
    }
    Ok(median_millis(&times))
}

/// Where a release crashed, and who undid it.
struct Crashed {
    namespace: String,
    user: String,
}

/// Deploys a release that crashes, until it is taken back.
async fn trial(cluster: &TestCluster) -> Result<Crashed, Failure> {
    let site = Site::open(cluster).await?;
    let bad = release(cluster, 9, &Behaviour { end: End::Crash(UP), ..Behaviour::default() })?;
    let deploying = deploy(&site, &bad, Strategy::Direct, |_| {}).await?;
    match deploying.run.outcome().await? {
        Outcome::RolledBack { .. } => {
            Ok(Crashed { namespace: site.namespace.name().to_owned(), user: site.user_name() })
        }
        other => Err(Failure::new(format!("the release that crashes ended as {other}"))),
    }
}

impl Crashed {
    /// From the first status of a pod with a container that ended to the first write of the deployer after it.
    fn reaction(&self, log: &[AuditEvent]) -> Result<Duration, Failure> {
        let accepted = |event: &&AuditEvent| {
            event.namespace.as_ref() == Some(&self.namespace) && (200..300).contains(&event.status)
        };
        let is_crash = |event: &&AuditEvent| {
            let text = event.request.as_ref().map(Value::to_string).unwrap_or_default();
            event.resource.as_deref() == Some("pods") && text.contains("\"exitCode\":1")
        };
        let crashes = log.iter().filter(accepted).filter(is_crash);
        let crashed = crashes.filter_map(|event| answered(event).ok()).min();
        let crashed = crashed.ok_or_else(|| Failure::new("no crash in the server's log"))?;
        let is_write = |event: &&AuditEvent| event.user == self.user && event.verb == "patch";
        let writes = log.iter().filter(accepted).filter(is_write);
        let after = writes.filter_map(|event| answered(event).ok()).filter(|at| *at >= crashed).min();
        let after = after.ok_or_else(|| Failure::new("no write after the crash in the server's log"))?;
        Ok((after - crashed).to_std()?)
    }
}

/// When the server had answered.
fn answered(event: &AuditEvent) -> Result<DateTime<Utc>, Failure> {
    let text = event.raw["stageTimestamp"].as_str().unwrap_or_default();
    Ok(DateTime::parse_from_rfc3339(text)?.to_utc())
}
