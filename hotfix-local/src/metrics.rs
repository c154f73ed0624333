//! `MetricsSource` from the proxy's own counters: every request counted once, at the moment it ended.

use std::sync::Arc;

use async_trait::async_trait;
use hotfix_core::model::Period;
use hotfix_core::port::{
    Clock, CounterSeries, History, HistoryQuery, Latency, MetricsCapabilities, MetricsQuery, MetricsSource,
    Scrape,
};
use hotfix_core::{Error, Result};

use crate::agent::SeriesReport;
use crate::client::AgentClient;
use crate::config::LocalConfig;
use crate::layout::Root;

/// Reads the counters of the proxies of this host.
///
/// There is one series per process, named by its token, and one per slot for the requests that none of its
/// instances could take.
#[derive(Debug, Clone)]
pub struct LocalMetrics {
    client: AgentClient,
    clock: Arc<dyn Clock>,
}

impl LocalMetrics {
    /// Reads from the agent of the state directory.
    #[must_use]
    pub fn new(config: LocalConfig, clock: Arc<dyn Clock>) -> Self {
        Self { client: AgentClient::new(Root::new(config.state)), clock }
    }
}

/// Counters are read at the moment they are asked for; anything is fine that gives requests time to happen.
const INTERVAL: Period = Period::from_millis(100);

#[async_trait]
impl MetricsSource for LocalMetrics {
    fn capabilities(&self) -> MetricsCapabilities {
        MetricsCapabilities { interval: INTERVAL, latency: Latency::Buckets }
    }

    async fn scrape(&self, query: &MetricsQuery) -> Result<Scrape> {
        let counted = self.client.counters(&query.target).await;
        let at = self.clock.now();
        let counted = counted.map_err(|error| error.into_port("metrics.scrape"))?;
        let wanted = counted.into_iter().filter(|series| query.slots.contains(&series.slot));
        // Exact up to 2^53 requests.
        let slow = |series: &SeriesReport| {
            let known = query.bounds.iter();
            known.filter_map(|bound| Some((*bound, series.counters.slower(*bound)? as f64))).collect()
        };
        let series = wanted.map(|series| CounterSeries {
            slow: slow(&series),
            requests: series.counters.requests as f64,
            errors: Some(series.counters.errors as f64),
            slot: series.slot,
            series: series.series,
            at,
            kind: None,
            running_since: None,
        });
        Ok(Scrape { series: series.collect(), warnings: Vec::new() })
    }

    async fn history(&self, query: &HistoryQuery) -> Result<History> {
        let past = self.client.history(query).await;
        past.map_err(|error: crate::LocalError| -> Error { error.into_port("metrics.history") })
    }
}
