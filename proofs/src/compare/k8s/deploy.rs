//! A run of the engine on a site: release 2.1.9 instead of what is live.

use std::sync::Arc;

use async_trait::async_trait;
use hotfix_benches::Failure;
use hotfix_benches::world::{Shop, policy, request};
use hotfix_core::model::{Period, Release};
use hotfix_core::plan::Planned;
use hotfix_core::policy::Settings;
use hotfix_core::port::{
    History, HistoryQuery, Latency, MetricsCapabilities, MetricsQuery, MetricsSource, Scrape,
};
use hotfix_core::request::{Goal, Staging, Strategy};
use hotfix_engine::{Engine, RunHandle, SystemClock};
use hotfix_store::SqliteStore;
use tempfile::TempDir;

use super::site::{Site, image};

const LOOK: Period = Period::from_millis(250);

/// A run, with the engine that drives it and what it writes down.
pub(super) struct Deploying {
    pub(super) engine: Engine,
    pub(super) run: RunHandle,
    _journal: TempDir,
}

/// Begins to deploy a release, with short gates and whatever is changed about them, and no metrics.
pub(super) async fn deploy(
    site: &Site,
    next: &Release,
    strategy: Strategy,
    change: impl FnOnce(&mut Settings),
) -> Result<Deploying, Failure> {
    deploy_seen_by(Silence, site, next, strategy, change).await
}

/// The same with metrics.
pub(super) async fn deploy_seen_by(
    metrics: impl MetricsSource + 'static,
    site: &Site,
    next: &Release,
    strategy: Strategy,
    change: impl FnOnce(&mut Settings),
) -> Result<Deploying, Failure> {
    let folder = tempfile::tempdir()?;
    let store = SqliteStore::open(folder.path().join("hotfix.db"), Arc::new(SystemClock)).await?;
    let policy = policy(|settings| {
        settings.environments.staging = None;
        settings.rollout.preview_soak = Period::from_millis(10);
        settings.rollout.rollback_soak = Period::from_millis(10);
        settings.execution.look = LOOK;
        change(settings);
    })?;
    let engine = Engine::builder()
        .version_control(Shop::open()?.source)
        .deployer(site.deployer.clone())
        .metrics(metrics)
        .store(store)
        .policy(policy)
        .build()?;
    let mut request = request()?;
    if let Goal::Deploy { image: wanted, strategy: wished, staging, .. } = &mut request.goal {
        *wanted = Some(image(next)?.clone());
        *wished = Some(strategy);
        *staging = Staging::Skip;
    }
    let plan = match engine.plan(&request).await? {
        Planned::Plan(plan) => *plan,
        Planned::NothingToDo(nothing) => return Err(Failure::new(nothing.to_string())),
    };
    let run = engine.start(plan).await?;
    Ok(Deploying { engine, run, _journal: folder })
}

/// Metrics without traffic.
#[derive(Debug)]
pub(super) struct Silence;

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
