//! When to alert.

use std::collections::BTreeMap;

use hotfix_core::model::Period;
use serde::Deserialize;

/// When to alert about a release, and how.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlertsConfig {
    /// The share of requests that may end in an error after a release.
    pub error_ratio: f64,
    /// By how much the 95th percentile may be above what it was before the release.
    pub slower_than: f64,
    /// For how long either must last.
    pub lasting: Period,
    /// For how long before the release the response time is looked at to compare with.
    pub before: Period,
    /// The objective: the share of requests that should end well, over 30 days.
    pub objective: f64,
    /// With fewer requests per second nothing is said: one of two requests is no rate.
    pub least_traffic: f64,
    /// Labels of your own for every alert.
    pub labels: BTreeMap<String, String>,
    /// Where a person finds out what to do.
    pub runbook: Option<String>,
}

impl Default for AlertsConfig {
    /// 5 % errors, or half as slow again, for two minutes; 99.9 % of all requests.
    fn default() -> Self {
        Self {
            error_ratio: 0.05,
            slower_than: 1.5,
            lasting: Period::from_mins(2),
            before: Period::from_hours(1),
            objective: 0.999,
            least_traffic: 0.1,
            labels: BTreeMap::new(),
            runbook: None,
        }
    }
}
