//! Customers of shops, and a real Prometheus that scrapes the pods of all of them at one interval.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use hotfix_benches::Failure;
use hotfix_core::model::{Period, Timestamp};
use hotfix_core::port::Clock as _;
use hotfix_engine::SystemClock;
use hotfix_metrics::{LabelConfig, LabelsConfig, Prometheus, PrometheusConfig, TrafficConfig};
use hotfix_testkit::cluster::{Behaviour, Gateway, Load, LoadPlan, PodScrape, TestCluster, TestNamespace};
use hotfix_testkit::monitoring::{PrometheusOptions, RealPrometheus};
use serde_json::json;
use tokio::time::timeout;

use super::super::seen::LONG;

/// Requests of the customers of a shop in a second, of which the canary gets a quarter.
pub(super) const CUSTOMERS: u32 = 60;

/// How many requests in a hundred fail while nothing is wrong, and from when the canary turns bad on.
const USUAL: u8 = 1;
const BAD: u8 = 40;

/// How many scrapes tell of requests at the canary before it turns bad.
const HEALTHY: usize = 2;

/// How long what a Prometheus saw of a canary is asked for.
const BACK: &str = "5m";

/// How often it is asked whether there is something.
const LOOK: Duration = Duration::from_millis(100);

pub(super) struct Scene<'a> {
    pub(super) cluster: &'a TestCluster,
    pub(super) interval: Duration,
    prometheus: RealPrometheus,
    reader: Prometheus,
}

/// Whoever asks for the shop of a namespace, and whoever scrapes its pods.
pub(super) struct Customers {
    _gateway: Gateway,
    _load: Load,
    _scrape: PodScrape,
}

/// One scrape of the canary.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scraped {
    pub(super) at: Timestamp,
    /// What it had answered by then.
    pub(super) requests: f64,
}

impl<'a> Scene<'a> {
    pub(super) async fn open(cluster: &'a TestCluster, interval: Duration) -> Result<Self, Failure> {
        let slot = |app: &str, slot: &str| json!({"source_labels": ["app"], "regex": app, "target_label": "slot", "replacement": slot});
        let relabel = vec![slot("shop", "main"), slot("shop-hotfix", "hotfix")];
        let options = PrometheusOptions { interval, relabel, ..PrometheusOptions::default() };
        let prometheus = RealPrometheus::start(&options).await?;
        let reader = source(&prometheus, interval, TrafficConfig::default())?;
        Ok(Self { cluster, interval, prometheus, reader })
    }

    /// How pods behave before one turns bad.
    pub(super) fn usual() -> Behaviour {
        Behaviour { error_percent: USUAL, ..Behaviour::default() }
    }

    /// How the canary behaves then.
    pub(super) fn bad() -> Behaviour {
        Behaviour { error_percent: BAD, ..Behaviour::default() }
    }

    pub(super) fn url(&self) -> String {
        self.prometheus.url()
    }

    /// The interval as the engine has it.
    pub(super) fn look(&self) -> Period {
        Period::from_millis(u64::try_from(self.interval.as_millis()).unwrap_or(u64::MAX))
    }

    /// Lets customers in.
    pub(super) async fn customers(&self, namespace: &TestNamespace) -> Result<Customers, Failure> {
        let gateway = Gateway::start(self.cluster.client()?, namespace).await?;
        let plan = LoadPlan { per_second: CUSTOMERS, ..LoadPlan::to(gateway.address(), "shop") };
        let load = Load::start(plan);
        let scrape = self.cluster.scrape_pods(namespace, &self.prometheus);
        Ok(Customers { _gateway: gateway, _load: load, _scrape: scrape })
    }

    /// The metrics of the shop in a namespace, as an embedder would give them to the engine.
    pub(super) fn metrics(&self, namespace: &str) -> Result<Prometheus, Failure> {
        let label = |name: &str, value: &str| Some(LabelConfig::new(name, value));
        let labels = LabelsConfig {
            environment: label("namespace", namespace),
            service: label("", ""),
            slot: label("slot", "${slot}"),
            ..LabelsConfig::default()
        };
        source(&self.prometheus, self.interval, TrafficConfig { labels, ..TrafficConfig::default() })
    }

    /// Waits until so many scrapes told of requests at the canary that nothing is wrong with.
    pub(super) async fn until_known(&self, canary: &str) -> Result<(), Failure> {
        let waiting = async {
            loop {
                let scrapes = self.scrapes(canary).await?;
                if scrapes.iter().filter(|scrape| scrape.requests > 0.0).count() >= HEALTHY {
                    return Ok(());
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        let late = |_| Failure::new(format!("the pods with {canary} are not scraped"));
        timeout(LONG, waiting).await.map_err(late)?
    }

    /// Returns the scrapes of the one pod that the labels select, oldest first.
    pub(super) async fn scrapes(&self, canary: &str) -> Result<Vec<Scraped>, Failure> {
        let query = format!("http_requests_total{{{canary}}}[{BACK}]");
        let answer = self.reader.query(&query, SystemClock.now()).await?;
        let mut by_time = BTreeMap::<i64, f64>::new();
        for sample in answer.series().flat_map(|series| series.samples()) {
            *by_time.entry(sample.at).or_default() += sample.value;
        }
        let scrape = |(at, requests)| Some(Scraped { at: DateTime::from_timestamp_millis(at)?, requests });
        Ok(by_time.into_iter().filter_map(scrape).collect())
    }
}

fn source(
    prometheus: &RealPrometheus,
    interval: Duration,
    traffic: TrafficConfig,
) -> Result<Prometheus, Failure> {
    let interval = Period::from_millis(u64::try_from(interval.as_millis())?);
    let config = PrometheusConfig { url: prometheus.url(), interval, traffic, ..PrometheusConfig::default() };
    Ok(Prometheus::new(&config, Arc::new(SystemClock))?)
}
