//! Where Prometheus is and how to ask it.

use std::collections::BTreeMap;

use hotfix_core::model::Period;
use hotfix_http::{Auth, HttpConfig, SecretSource};
use serde::Deserialize;

use crate::traffic::TrafficConfig;

/// How to read from Prometheus, or from a server that speaks like one: Thanos, Mimir, Cortex, VictoriaMetrics.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PrometheusConfig {
    /// What stands before `/api/v1`. Plain HTTP to another host only without secrets.
    pub url: String,
    /// How it knows who is asking.
    pub auth: Auth,
    /// Headers of your own, such as `X-Scope-OrgID` for the tenant. Secrets.
    pub headers: BTreeMap<String, SecretSource>,
    /// How to reach it.
    pub http: HttpConfig,
    /// How many bytes an answer may have.
    pub answer_limit: usize,
    /// How often it scrapes the workload.
    pub interval: Period,
    /// How far back to look for samples; by default six intervals. What was missed for longer is still counted, but for
    /// restarts in between.
    pub window: Option<Period>,
    /// How much to look into the past instead of now. Samples come with their own time and count once, so nothing has
    /// to settle; it is for stores that take in samples late and out of order.
    pub settle: Period,
    /// Where the numbers are.
    pub traffic: TrafficConfig,
}

impl Default for PrometheusConfig {
    /// A server on this host that scrapes every 15 s.
    fn default() -> Self {
        Self {
            url: "http://127.0.0.1:9090".to_owned(),
            auth: Auth::None,
            headers: BTreeMap::new(),
            http: HttpConfig::default(),
            answer_limit: 32 * 1024 * 1024,
            interval: Period::from_secs(15),
            window: None,
            settle: Period::from_millis(0),
            traffic: TrafficConfig::default(),
        }
    }
}
