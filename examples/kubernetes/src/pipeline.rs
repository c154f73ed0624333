//! The engine of the shop: git, the cluster, Prometheus and one SQLite file.

use std::path::Path;
use std::sync::Arc;

use hotfix::git::{GitConfig, GitVersionControl};
use hotfix::metrics::{LabelConfig, LabelsConfig, Prometheus, PrometheusConfig, TrafficConfig};
use hotfix::model::{BranchName, JudgeSettings, Period};
use hotfix::policy::{Policy, Settings};
use hotfix::port::Clock;
use hotfix::store::SqliteStore;
use hotfix::{Engine, SystemClock};
use hotfix_examples::Failure;
use hotfix_examples::repository::Repository;
use hotfix_k8s::KubernetesDeployer;
use hotfix_testkit::monitoring::{PrometheusOptions, RealPrometheus};
use serde_json::json;

/// How often pods are scraped and looked at. Minutes pass in seconds here: in production it is 15 s.
const INTERVAL: Period = Period::from_millis(250);

/// Builds the engine.
pub(crate) async fn engine(
    home: &Path,
    deployer: KubernetesDeployer,
    prometheus: &RealPrometheus,
) -> Result<Engine, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let source = GitConfig {
        path: Repository::open(home).path().to_owned(),
        remote: Some("origin".to_owned()),
        ..GitConfig::default()
    };
    let none = || Some(LabelConfig::new("", ""));
    let labels = LabelsConfig {
        environment: none(),
        service: none(),
        slot: Some(LabelConfig::new("slot", "${slot}")),
        ..LabelsConfig::default()
    };
    let config = PrometheusConfig {
        url: prometheus.url(),
        interval: INTERVAL,
        traffic: TrafficConfig { labels, ..TrafficConfig::default() },
        ..PrometheusConfig::default()
    };
    let builder = Engine::builder()
        .version_control(GitVersionControl::new(source, Arc::clone(&clock))?)
        .deployer(deployer)
        .metrics(Prometheus::new(&config, Arc::clone(&clock))?)
        .store(SqliteStore::open(home.join("hotfix.db"), clock).await?)
        .policy(policy()?);
    Ok(builder.build()?)
}

/// Starts a Prometheus for the pods of the shop. Which slot a pod belongs to is told by its label `app`.
pub(crate) async fn prometheus() -> Result<RealPrometheus, Failure> {
    let slot = |app: &str, slot: &str| json!({"source_labels": ["app"], "regex": app, "target_label": "slot", "replacement": slot});
    let options = PrometheusOptions {
        interval: INTERVAL.to_duration(),
        relabel: vec![slot("shop", "main"), slot("shop-hotfix", "hotfix")],
        ..PrometheusOptions::default()
    };
    Ok(RealPrometheus::start(&options).await?)
}

/// A policy for an example that should end within a minute: looks several times a second, and a quick profile.
fn policy() -> Result<Policy, Failure> {
    let mut settings = Settings::default();
    settings.source.production = BranchName::new("production")?;
    settings.source.develop = Some(BranchName::new("develop")?);
    settings.environments.staging = None;
    settings.rollout.canary_steps = vec![10, 50, 100];
    settings.rollout.preview_soak = Period::from_secs(1);
    settings.rollout.rollback_soak = Period::from_secs(1);
    settings.rollout.verify_deadline = Period::from_secs(60);
    settings.execution.look = INTERVAL;
    settings.judging.judge = JudgeSettings::fast();
    settings.judging.pace.max_dwell = 12;
    settings.judging.pace.alone_dwell = 12;
    // Prometheus takes some seconds until it scrapes a pod for the first time.
    settings.judging.pace.quiet_limit = 40;
    // Nobody stays for the watch of two hours.
    settings.after_success.lasting = Period::default();
    Ok(Policy::new(settings)?)
}
