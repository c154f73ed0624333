//! The reference metrics source keeps the contract of its port, and its history follows the clock.

use std::sync::Arc;

use async_trait::async_trait;
use hotfix_core::ErrorKind;
use hotfix_core::memory::{ManualClock, MemoryMetrics};
use hotfix_core::model::{Period, SlotName};
use hotfix_core::port::{
    History, HistoryQuery, Latency, MetricsCapabilities, MetricsQuery, MetricsSource, Scrape,
};
use hotfix_testkit::conformance::metrics_source::{self, MetricsSite, MetricsSourceFixture};
use tokio::sync::Mutex;

/// Makes a memory source, seen through a wrapper.
pub(crate) struct Fixture {
    clock: ManualClock,
    memory: Mutex<Option<MemoryMetrics>>,
    wrap: fn(Arc<dyn MetricsSource>) -> Arc<dyn MetricsSource>,
}

impl Fixture {
    pub(crate) fn new(wrap: fn(Arc<dyn MetricsSource>) -> Arc<dyn MetricsSource>) -> Self {
        Self { clock: ManualClock::default(), memory: Mutex::default(), wrap }
    }
}

#[async_trait]
impl MetricsSourceFixture for Fixture {
    async fn site(&self) -> MetricsSite {
        let memory = MemoryMetrics::new(Arc::new(self.clock.clone()), Period::from_secs(15));
        *self.memory.lock().await = Some(memory.clone());
        MetricsSite {
            source: (self.wrap)(Arc::new(memory)),
            target: "production/shop".parse().unwrap(),
            busy: "blue".parse().unwrap(),
            idle: "green".parse().unwrap(),
        }
    }

    async fn serve(&self, site: &MetricsSite, slot: &SlotName, requests: u32, errors: u32) {
        let memory = self.memory.lock().await.clone().unwrap();
        memory.count(&site.target, slot, "pod-1", requests.into(), errors.into());
        self.clock.advance(Period::from_secs(15));
    }

    async fn serve_slowly(&self, site: &MetricsSite, slot: &SlotName, requests: u32, least: Period) {
        let memory = self.memory.lock().await.clone().unwrap();
        memory.count_slow(&site.target, slot, "pod-1", requests.into(), least);
        self.clock.advance(Period::from_secs(15));
    }
}

#[tokio::test]
async fn the_reference_metrics_source_keeps_every_case() {
    let report = metrics_source::report(&Fixture::new(|inner| inner)).await;
    report.assert_kept();
    assert_eq!(report.skipped(), ["cases::a_source_without_latencies_tells_none"]);
}

/// A source as one that counts no latencies, but says so or not.
#[derive(Debug)]
struct Untimed(Arc<dyn MetricsSource>, Latency);

#[async_trait]
impl MetricsSource for Untimed {
    fn capabilities(&self) -> MetricsCapabilities {
        MetricsCapabilities { latency: self.1, ..self.0.capabilities() }
    }

    async fn scrape(&self, query: &MetricsQuery) -> hotfix_core::Result<Scrape> {
        self.0.scrape(&MetricsQuery { bounds: Vec::new(), ..query.clone() }).await
    }

    async fn history(&self, query: &HistoryQuery) -> hotfix_core::Result<History> {
        Ok(History { latency: Vec::new(), ..self.0.history(query).await? })
    }
}

#[tokio::test]
async fn a_source_without_latencies_keeps_the_contract_when_it_says_so() {
    let honest = Fixture::new(|inner| Arc::new(Untimed(inner, Latency::Unknown)));
    let report = metrics_source::report(&honest).await;
    report.assert_kept();
    let about_latency = [
        "cases::slow_requests_are_counted_raw_at_every_known_bound",
        "cases::a_bound_that_cannot_be_counted_is_left_out",
        "cases::the_history_tells_how_slow_requests_were",
    ];
    assert_eq!(report.skipped(), about_latency);
    let boasting = Fixture::new(|inner| Arc::new(Untimed(inner, Latency::Buckets)));
    assert_eq!(metrics_source::report(&boasting).await.broken(), about_latency);
}

#[tokio::test]
async fn the_history_has_the_errors_of_each_whole_interval() {
    let fixture = Fixture::new(|inner| inner);
    let site = fixture.site().await;
    for errors in [1, 0, 4, 2] {
        fixture.serve(&site, &site.busy, 10, errors).await;
    }
    let query = |points| HistoryQuery {
        target: site.target.clone(),
        slot: site.busy.clone(),
        interval: Period::from_secs(15),
        points,
    };
    assert_eq!(site.source.history(&query(10)).await.unwrap().errors, [1, 0, 4, 2]);
    assert_eq!(site.source.history(&query(2)).await.unwrap().errors, [4, 2]);
    fixture.serve_slowly(&site, &site.busy, 7, Period::from_millis(250)).await;
    let latency = site.source.history(&query(3)).await.unwrap().latency;
    let at = |bound: &str| latency.iter().find(|bucket| bucket.bound.to_string() == bound).unwrap();
    assert_eq!((&at("100ms").slower, at("100ms").of), (&vec![0, 0, 7], 27));
    assert_eq!(at("250ms").slower, [0, 0, 0], "what takes as long as the bound is not slower");
    fixture.memory.lock().await.as_ref().unwrap().fail(ErrorKind::Timeout);
    assert_eq!(site.source.history(&query(2)).await.unwrap_err().kind(), ErrorKind::Timeout);
}
