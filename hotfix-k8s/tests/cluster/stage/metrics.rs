//! What the pods count themselves, read from each, and what a monitoring system makes of that on a bad day.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use hotfix_core::port::{
    Clock, CounterSeries, History, HistoryQuery, Latency, MetricsCapabilities, MetricsQuery, MetricsSource,
    Scrape,
};
use hotfix_core::{Error, ErrorKind, Result};
use hotfix_engine::SystemClock;
use hotfix_testkit::cluster::DemoPod;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;

use super::super::site::{app, members};
use super::LOOK;

/// What one reading of the counters gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Telling {
    /// What the pods counted.
    Counts,
    /// No series at all.
    Nothing,
    /// Series whose values are not numbers.
    NotANumber,
    /// No answer.
    NoAnswer,
}

#[derive(Debug, Clone)]
pub(crate) struct PodMetrics {
    pods: Api<Pod>,
    /// What the next readings give, over and over again.
    turns: Arc<Mutex<VecDeque<Telling>>>,
}

impl PodMetrics {
    pub(super) fn of(pods: Api<Pod>) -> Self {
        Self { pods, turns: Arc::new(Mutex::new(VecDeque::from([Telling::Counts]))) }
    }

    /// Has the readings give this from now on, one after the other, and again from the start.
    pub(crate) fn tell(&self, turns: &[Telling]) {
        *self.turns.lock().expect("turns") = turns.iter().copied().collect();
    }

    fn turn(&self) -> Telling {
        let mut turns = self.turns.lock().expect("turns");
        turns.rotate_left(1);
        turns.back().copied().unwrap_or(Telling::Counts)
    }

    /// Reads every pod of a slot. What is down has no series, as in any system that scrapes.
    async fn read(&self, query: &MetricsQuery) -> Scrape {
        let mut scrape = Scrape::default();
        for slot in &query.slots {
            let params = ListParams::default().labels(members(app(slot)));
            for pod in self.pods.list(&params).await.expect("a list").items {
                let Some(demo) = DemoPod::of(&pod) else { continue };
                let Ok((200, page)) = demo.get("/metrics").await else { continue };
                let (requests, errors) = counters(&String::from_utf8_lossy(&page));
                scrape.series.push(CounterSeries {
                    slot: slot.clone(),
                    series: pod.metadata.name.unwrap_or_default(),
                    at: SystemClock.now(),
                    kind: None,
                    running_since: None,
                    requests,
                    errors: Some(errors),
                    slow: BTreeMap::new(),
                });
            }
        }
        scrape
    }
}

#[async_trait]
impl MetricsSource for PodMetrics {
    fn capabilities(&self) -> MetricsCapabilities {
        MetricsCapabilities { interval: LOOK, latency: Latency::Unknown }
    }

    async fn scrape(&self, query: &MetricsQuery) -> Result<Scrape> {
        match self.turn() {
            Telling::Counts => Ok(self.read(query).await),
            Telling::Nothing => Ok(Scrape::default()),
            Telling::NotANumber => {
                let mut scrape = self.read(query).await;
                scrape.series.iter_mut().for_each(|series| series.requests = f64::NAN);
                Ok(scrape)
            }
            Telling::NoAnswer => Err(Error::new(ErrorKind::Unavailable, "scrape", "connection refused")),
        }
    }

    async fn history(&self, _query: &HistoryQuery) -> Result<History> {
        Ok(History::default())
    }
}

/// Returns the requests and the errors of a page of metrics.
fn counters(page: &str) -> (f64, f64) {
    let series = page.lines().filter_map(|line| line.strip_prefix("http_requests_total{code=\""));
    series.fold((0.0, 0.0), |(requests, errors), series| {
        let (code, count) = series.split_once("\"} ").expect("a series");
        let count: f64 = count.parse().expect("a count");
        (requests + count, if code.starts_with('5') { errors + count } else { errors })
    })
}
