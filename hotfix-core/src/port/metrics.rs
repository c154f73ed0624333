//! `MetricsSource`: raw counters per slot, so that the judge sees every request once.

use std::fmt::Debug;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::model::{Period, SlotName, Target, Timestamp};

/// Reads what the traffic of a workload looks like.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait MetricsSource: Debug + Send + Sync {
    /// Returns what this backend can do.
    fn capabilities(&self) -> MetricsCapabilities;

    /// Reads the request and error counters of the slots at their newest scrape.
    ///
    /// Counters are raw: they rise from the start of the instance and drop to zero when it restarts. Rates or
    /// extrapolated increases must not be returned: they miss the first errors of a new instance.
    /// A slot without series is absent from the answer; that is a fact, not an error.
    ///
    /// *Errors*: any failure to read makes the scrape missing; nothing is ever filled in.
    /// *Cancellation*: leaves nothing.
    async fn scrape(&self, query: &MetricsQuery) -> Result<Scrape>;

    /// Reads the errors per scrape of the slot over the time before now, oldest first, for the dispersion of the
    /// error counts. An empty answer is fine: no history is known.
    ///
    /// *Errors*: as [`MetricsSource::scrape`].
    async fn history(&self, query: &HistoryQuery) -> Result<Vec<u64>>;
}

/// What a metrics source can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetricsCapabilities {
    /// How often new values appear.
    pub interval: Period,
}

/// Which counters to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricsQuery {
    /// The workload.
    pub target: Target,
    /// The slots.
    pub slots: Vec<SlotName>,
}

/// Which past to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryQuery {
    /// The workload.
    pub target: Target,
    /// The slot.
    pub slot: SlotName,
    /// The time between two points.
    pub interval: Period,
    /// How many points at the most.
    pub points: usize,
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
    /// When the values were true.
    pub at: Timestamp,
    /// Requests answered since the instance started.
    pub requests: f64,
    /// Requests answered with an error since then; `None`: no error series exists, which means none yet.
    pub errors: Option<f64>,
}
