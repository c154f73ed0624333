//! What the services of pods count themselves, asked from each: metrics for tests in which nobody waits for a Prometheus.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use futures_util::future::join_all;
use hotfix_core::model::{Period, SlotName};
use hotfix_core::port::{
    CounterSeries, History, HistoryQuery, Latency, MetricsCapabilities, MetricsQuery, MetricsSource, Scrape,
};
use hotfix_core::{Error, ErrorKind, Result};
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, Client};

use super::super::clock;
use super::DemoPod;

/// A [`MetricsSource`] that asks the demo service of every pod of a slot for its counters. It knows no history and no
/// latency; of a pod that does not answer there is no series, as in any system that scrapes.
pub struct PodMetrics {
    pods: Api<Pod>,
    interval: Period,
    /// The label selector of the pods of each slot.
    selectors: BTreeMap<SlotName, String>,
}

impl fmt::Debug for PodMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { interval, selectors, .. } = self;
        f.debug_struct("PodMetrics")
            .field("interval", interval)
            .field("selectors", selectors)
            .finish_non_exhaustive()
    }
}

impl PodMetrics {
    /// Asks the pods of a namespace: those of each slot by their labels, such as `app=shop`, and not more often than the
    /// interval says.
    #[must_use]
    pub fn new(
        client: Client,
        namespace: &str,
        interval: Period,
        selectors: impl IntoIterator<Item = (SlotName, String)>,
    ) -> Self {
        Self {
            pods: Api::namespaced(client, namespace),
            interval,
            selectors: selectors.into_iter().collect(),
        }
    }

    async fn ask(slot: &SlotName, pod: &Pod) -> Option<CounterSeries> {
        let (200, page) = DemoPod::of(pod)?.get("/metrics").await.ok()? else { return None };
        let (requests, errors) = counters(&String::from_utf8_lossy(&page))?;
        Some(CounterSeries {
            slot: slot.clone(),
            series: pod.metadata.name.clone().unwrap_or_default(),
            kind: None,
            at: clock::exactly(),
            running_since: None,
            requests,
            errors: Some(errors),
            slow: BTreeMap::new(),
        })
    }
}

#[async_trait]
impl MetricsSource for PodMetrics {
    fn capabilities(&self) -> MetricsCapabilities {
        MetricsCapabilities { interval: self.interval, latency: Latency::Unknown }
    }

    async fn scrape(&self, query: &MetricsQuery) -> Result<Scrape> {
        let mut scrape = Scrape::default();
        for slot in &query.slots {
            let Some(selector) = self.selectors.get(slot) else { continue };
            let params = ListParams::default().labels(selector);
            let pods = self.pods.list(&params).await.map_err(|error| {
                Error::new(ErrorKind::Unavailable, "metrics.scrape", error.to_string())
                    .with("selector", selector)
            })?;
            let asked = join_all(pods.items.iter().map(|pod| Self::ask(slot, pod))).await;
            scrape.series.extend(asked.into_iter().flatten());
        }
        Ok(scrape)
    }

    async fn history(&self, _query: &HistoryQuery) -> Result<History> {
        Ok(History::default())
    }
}

/// Returns the requests and the errors of a page of metrics.
fn counters(page: &str) -> Option<(f64, f64)> {
    let series = page.lines().filter_map(|line| line.strip_prefix("http_requests_total{code=\""));
    let mut counted = (0.0, 0.0);
    for series in series {
        let (code, count) = series.split_once("\"} ")?;
        let count: f64 = count.parse().ok()?;
        counted.0 += count;
        counted.1 += if code.starts_with('5') { count } else { 0.0 };
    }
    Some(counted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_is_a_request_and_those_of_the_fives_are_errors() {
        let page = "# TYPE http_requests_total counter\nhttp_requests_total{code=\"200\"} 7\n\
                    http_requests_total{code=\"404\"} 1\nhttp_requests_total{code=\"503\"} 2\n\
                    http_request_duration_seconds_count{code=\"200\"} 7\n";
        assert_eq!(counters(page), Some((10.0, 2.0)));
        assert_eq!(counters("http_requests_total{code=\"200\"} many"), None);
        assert_eq!(counters(""), Some((0.0, 0.0)));
    }
}
