//! The contract of the port, kept by the real Prometheus scraping pages.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use hotfix_core::model::{Period, SlotName, Target};
use hotfix_testkit::conformance::metrics_source::{self, MetricsSite, MetricsSourceFixture};

use crate::stage::{Service, prometheus, requests, slot};

#[derive(Default)]
struct Fixture {
    services: Mutex<BTreeMap<Target, Service>>,
}

impl Fixture {
    async fn add(&self, site: &MetricsSite, name: &SlotName, codes: &[(u16, u32)], seconds: f64) {
        let service = self.services.lock().unwrap()[&site.target].clone();
        let mut total = 0.0;
        service.change(&format!("{name}-1"), |instance| {
            for (code, requests) in codes.iter().filter(|(_, requests)| *requests > 0) {
                instance.serve(*code, *requests, seconds);
            }
            total = instance.total();
        });
        service.until("the requests are counted", |scrape| requests(scrape, name.as_str()) == total).await;
    }
}

#[async_trait]
impl MetricsSourceFixture for Fixture {
    async fn site(&self) -> MetricsSite {
        let service = Service::new();
        let target = service.target.clone();
        self.services.lock().unwrap().insert(target.clone(), service);
        MetricsSite { source: Arc::new(prometheus()), target, busy: slot("blue"), idle: slot("green") }
    }

    async fn serve(&self, site: &MetricsSite, slot: &SlotName, requests: u32, errors: u32) {
        self.add(site, slot, &[(200, requests - errors), (500, errors)], 0.01).await;
    }

    async fn serve_slowly(&self, site: &MetricsSite, slot: &SlotName, requests: u32, least: Period) {
        self.add(site, slot, &[(200, requests)], least.to_duration().as_secs_f64()).await;
    }
}

#[tokio::test]
async fn prometheus_keeps_every_case() {
    let report = metrics_source::report(&Fixture::default()).await;
    report.assert_kept();
    assert_eq!(report.skipped(), ["cases::a_source_without_latencies_tells_none"]);
}
