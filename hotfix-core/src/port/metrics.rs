//! `MetricsSource`: raw counters per slot, so that the judge sees every request once.

use std::collections::BTreeMap;
use std::fmt::Debug;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::model::{LatencyBound, Period, SlotName, Target, Timestamp};

/// Reads what the traffic of a workload looks like.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait MetricsSource: Debug + Send + Sync {
    /// Returns what this backend can do.
    fn capabilities(&self) -> MetricsCapabilities;

    /// Reads the request and error counters of the slots at their newest scrape, and with them the requests beyond each
    /// asked latency bound that it can count exactly.
    ///
    /// Counters are raw: they rise from the start of the instance and drop to zero when it restarts. Rates or
    /// extrapolated increases must not be returned: they miss the first errors of a new instance.
    /// A slot without series is absent from the answer; that is a fact, not an error.
    ///
    /// *Errors*: any failure to read makes the scrape missing; nothing is ever filled in.
    /// *Cancellation*: leaves nothing.
    async fn scrape(&self, query: &MetricsQuery) -> Result<Scrape>;

    /// Reads the past of the slot: what the judge is calibrated with. An empty answer is fine: no history is known.
    ///
    /// *Errors*: as [`MetricsSource::scrape`].
    async fn history(&self, query: &HistoryQuery) -> Result<History>;
}

/// What a metrics source can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetricsCapabilities {
    /// How often new values appear. Nobody looks more often: a side without new values would be one that does not answer.
    pub interval: Period,
    /// Whether it knows how long requests took.
    pub latency: Latency,
}

/// What a metrics source knows of how long requests take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Latency {
    /// Nothing: it answers no bound, and its history has no buckets.
    #[default]
    Unknown,
    /// How many took longer than each bound of a histogram.
    Buckets,
}

/// Which counters to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricsQuery {
    /// The workload.
    pub target: Target,
    /// The slots.
    pub slots: Vec<SlotName>,
    /// Which latency bounds to count the slower requests of.
    pub bounds: Vec<LatencyBound>,
}

/// Which past to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryQuery {
    /// The workload.
    pub target: Target,
    /// The slot.
    pub slot: SlotName,
    /// The time between two points; a source that has new values less often takes its own.
    pub interval: Period,
    /// How many points at the most.
    pub points: usize,
}

/// The past of one slot, in points of the asked interval, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct History {
    /// The errors of each point.
    pub errors: Vec<u64>,
    /// How long requests took, by ascending bound: one entry for each bound that [`MetricsSource::scrape`] can count
    /// exactly, without the unbounded one. Empty when the source knows no latencies.
    pub latency: Vec<LatencyBucket>,
}

/// The requests beyond one latency bound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyBucket {
    /// The bound.
    pub bound: LatencyBound,
    /// The requests of each point that took longer.
    pub slower: Vec<u64>,
    /// All requests of all points.
    pub of: u64,
}

/// One reading of all counters.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scrape {
    /// The series that were found.
    pub series: Vec<CounterSeries>,
    /// Anything the backend said about its own answer. A scrape with warnings counts as missing.
    pub warnings: Vec<String>,
}

/// The counters of one instance (and of one route, handler … of it).
#[derive(Debug, Clone, PartialEq)]
pub struct CounterSeries {
    /// The slot it belongs to.
    pub slot: SlotName,
    /// Tells this series from every other one of the slot, also after a restart.
    pub series: String,
    /// What kind of requests it counts, such as a route, where the source is to tell kinds apart. It should depend on what
    /// is asked and never on how that ended.
    pub kind: Option<String>,
    /// When the values were true.
    pub at: Timestamp,
    /// Since when the instance surely has not started anew; `None`: nobody knows. A counter that drops while it runs on
    /// is one of which a part is no longer told, and counts nothing.
    pub running_since: Option<Timestamp>,
    /// Requests answered since the instance started.
    pub requests: f64,
    /// Requests answered with an error since then; `None`: no error series exists, which means none yet.
    pub errors: Option<f64>,
    /// Requests since then that took longer than a bound, for each asked bound that the source can count exactly; not
    /// for others, and for none when it knows no latencies.
    pub slow: BTreeMap<LatencyBound, f64>,
}
