//! How the embedder says where the numbers are: one word for a common convention, and what differs from it.

use std::fmt;

use serde::Deserialize;

use super::Convention;

/// Where the numbers of a workload are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrafficConfig {
    /// The names of metrics and labels.
    pub convention: Convention,
    /// Labels that differ from the convention's.
    pub labels: LabelsConfig,
    /// Queries of your own instead of the convention's metrics.
    pub queries: Option<QueriesConfig>,
}

/// Labels that differ from the convention's. What is `None` stays.
///
/// In values `${environment}`, `${service}` and, for `slot`, `${slot}` stand for the names of what is looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LabelsConfig {
    /// The label that tells environments apart. With an empty name there is none.
    pub environment: Option<LabelConfig>,
    /// The label that tells services apart. With an empty name there is none.
    pub service: Option<LabelConfig>,
    /// The label that tells the slots apart, which the deployer put on the instances.
    pub slot: Option<LabelConfig>,
    /// The label that holds how a request ended.
    pub status: Option<String>,
    /// The label that tells kinds of requests apart, such as `route` or `handler`, each of which is compared with itself:
    /// for rollouts in which a slot gets other requests than the other one. The 15 kinds with the most requests are told
    /// apart, and written to the journal with every look.
    pub kind: Option<String>,
    /// Labels that one request counter has and the latency histogram of the same instance has not: series that differ
    /// only in them are added up. Never name a label that tells instances apart.
    pub ignore: Option<Vec<String>>,
}

/// A label and the value it has.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelConfig {
    /// The label.
    pub name: String,
    /// The value.
    pub value: String,
}

impl LabelConfig {
    /// Builds one.
    #[must_use]
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

/// Queries of your own.
///
/// They give raw counters that rise: select them with a range, `x{…}[${window}]`, so that each sample comes with the
/// time of its scrape. Without a range the time of asking is taken for it. Placeholders, in strings only:
/// `${environment}`, `${service}`, `${slots}` (behind `=~`), and for latency `${bounds}` (behind `=~`, in `le`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueriesConfig {
    /// Counts all requests.
    pub requests: String,
    /// Counts the requests that ended in an error. Without it these are the series of `requests` whose status label
    /// begins with a 5.
    #[serde(default)]
    pub errors: Option<String>,
    /// Counts requests by how long they took, as classic (`…_bucket`) or native histograms, of the same instances and
    /// with the same labels as `requests`, but for status and [`LabelsConfig::ignore`].
    #[serde(default)]
    pub latency: Option<String>,
    /// What the histogram measures in.
    #[serde(default)]
    pub unit: Unit,
}

/// What a histogram measures in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Seconds.
    #[default]
    Seconds,
    /// Milliseconds.
    Milliseconds,
}

impl Unit {
    /// Returns how many of it a second has.
    pub(crate) const fn per_second(self) -> f64 {
        match self {
            Self::Seconds => 1.0,
            Self::Milliseconds => 1000.0,
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Seconds => "s",
            Self::Milliseconds => "ms",
        })
    }
}
