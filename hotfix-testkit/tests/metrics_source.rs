//! The reference metrics source keeps the contract of its port, and its history follows the clock.

use std::sync::Arc;

use async_trait::async_trait;
use hotfix_core::ErrorKind;
use hotfix_core::memory::{ManualClock, MemoryMetrics};
use hotfix_core::model::{Period, SlotName};
use hotfix_core::port::{HistoryQuery, MetricsSource};
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
}

#[tokio::test]
async fn the_reference_metrics_source_keeps_every_case() {
    metrics_source::all(&Fixture::new(|inner| inner)).await;
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
    assert_eq!(site.source.history(&query(10)).await.unwrap(), [1, 0, 4, 2]);
    assert_eq!(site.source.history(&query(2)).await.unwrap(), [4, 2]);
    fixture.memory.lock().await.as_ref().unwrap().fail(ErrorKind::Timeout);
    assert_eq!(site.source.history(&query(2)).await.unwrap_err().kind(), ErrorKind::Timeout);
}
