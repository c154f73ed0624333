//! A fix that crashes some time after it was ready: from the first status of a pod that shows it to the first write of
//! the undo, both by the server's own log.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use hotfix_benches::Failure;
use hotfix_benches::world::{Shop, policy, request};
use hotfix_core::execute::Outcome;
use hotfix_core::model::Period;
use hotfix_core::plan::Planned;
use hotfix_core::port::{
    History, HistoryQuery, Latency, MetricsCapabilities, MetricsQuery, MetricsSource, Scrape,
};
use hotfix_core::request::{Goal, Staging, Strategy};
use hotfix_engine::{Engine, SystemClock};
use hotfix_store::SqliteStore;
use hotfix_testkit::cluster::{AuditEvent, Behaviour, End, TestCluster};
use serde_json::Value;

use super::site::{Site, image, release};
use crate::compare::case::{Case, Figure};
use crate::compare::clock::median_millis;

const TRIALS: usize = 20;

/// How long each start of the bad release lasts: time enough to become ready and be switched to.
const UP: Period = Period::from_millis(2_500);

const LOOK: Period = Period::from_millis(250);

pub(super) async fn measure(cluster: &TestCluster) -> Result<Vec<Case>, Failure> {
    let mut times = Vec::with_capacity(TRIALS);
    for _ in 0..TRIALS {
        times.push(trial(cluster).await?);
    }
    times.sort();
    let slowest = Figure { value: times.last().map_or(0.0, |time| time.as_secs_f64() * 1e3), unit: "ms" };
    Ok(vec![
        Case::alone("crash-to-undo-accepted/p50", median_millis(&times), 50.0),
        Case::alone("crash-to-undo-accepted/slowest-of-20", slowest, 250.0),
    ])
}

/// Deploys a release that crashes, and returns how long the undo took to begin.
async fn trial(cluster: &TestCluster) -> Result<Duration, Failure> {
    let (site, folder) = (Site::open(cluster).await?, tempfile::tempdir()?);
    let bad = release(cluster, 9, &Behaviour { end: End::Crash(UP), ..Behaviour::default() })?;
    let store = SqliteStore::open(folder.path().join("hotfix.db"), Arc::new(SystemClock)).await?;
    let policy = policy(|settings| {
        settings.environments.staging = None;
        settings.rollout.preview_soak = Period::from_millis(10);
        settings.rollout.rollback_soak = Period::from_millis(10);
        settings.execution.look = LOOK;
    })?;
    let engine = Engine::builder()
        .version_control(Shop::open()?.source)
        .deployer(site.deployer.clone())
        .metrics(Silence)
        .store(store)
        .policy(policy)
        .build()?;
    let mut request = request()?;
    if let Goal::Deploy { image: wanted, strategy, staging, .. } = &mut request.goal {
        *wanted = Some(image(&bad)?.clone());
        *strategy = Some(Strategy::Direct);
        *staging = Staging::Skip;
    }
    let plan = match engine.plan(&request).await? {
        Planned::Plan(plan) => *plan,
        Planned::NothingToDo(nothing) => return Err(Failure::new(nothing.to_string())),
    };
    match engine.start(plan).await?.outcome().await? {
        Outcome::RolledBack { .. } => reaction(&site.log(cluster)?, &site.user_name()),
        other => Err(Failure::new(format!("the release that crashes ended as {other}"))),
    }
}

/// From the first status of a pod with a container that ended to the first write of the deployer after it.
fn reaction(log: &[AuditEvent], user: &str) -> Result<Duration, Failure> {
    let accepted = |event: &&AuditEvent| (200..300).contains(&event.status);
    let is_crash = |event: &&AuditEvent| {
        let text = event.request.as_ref().map(Value::to_string).unwrap_or_default();
        event.resource.as_deref() == Some("pods") && text.contains("\"exitCode\":1")
    };
    let crashed = log.iter().filter(accepted).filter(is_crash).filter_map(|event| answered(event).ok()).min();
    let crashed = crashed.ok_or_else(|| Failure::new("no crash in the server's log"))?;
    let writes = log.iter().filter(accepted).filter(|event| event.user == user && event.verb == "patch");
    let after = writes.filter_map(|event| answered(event).ok()).filter(|at| *at >= crashed).min();
    let after = after.ok_or_else(|| Failure::new("no write after the crash in the server's log"))?;
    Ok((after - crashed).to_std()?)
}

/// When the server had answered.
fn answered(event: &AuditEvent) -> Result<DateTime<Utc>, Failure> {
    let text = event.raw["stageTimestamp"].as_str().unwrap_or_default();
    Ok(DateTime::parse_from_rfc3339(text)?.to_utc())
}

/// Metrics without traffic.
#[derive(Debug)]
struct Silence;

#[async_trait]
impl MetricsSource for Silence {
    fn capabilities(&self) -> MetricsCapabilities {
        MetricsCapabilities { interval: LOOK, latency: Latency::Unknown }
    }

    async fn scrape(&self, _: &MetricsQuery) -> hotfix_core::Result<Scrape> {
        Ok(Scrape::default())
    }

    async fn history(&self, _: &HistoryQuery) -> hotfix_core::Result<History> {
        Ok(History::default())
    }
}
