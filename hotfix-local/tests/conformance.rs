//! The contracts of the ports, on real processes.

use std::sync::Arc;

use async_trait::async_trait;
use hotfix_core::model::{Period, SlotName, Verb, Weights};
use hotfix_local::Agent;
use hotfix_testkit::conformance::{deployer, metrics_source};
use hyper::StatusCode;
use tokio::sync::Mutex;

use super::host::{Host, slot};
use super::http::{self, Connection};

/// One host per case, all kept until the last case is done.
#[derive(Default)]
struct Hosts(Mutex<Vec<(Arc<Host>, Agent)>>);

impl Hosts {
    async fn serving(&self) -> Arc<Host> {
        let (host, agent) = Host::serving("v1").await;
        let host = Arc::new(host);
        self.0.lock().await.push((Arc::clone(&host), agent));
        host
    }

    /// The newest one; the cases run one after the other.
    async fn newest(&self) -> Arc<Host> {
        let hosts = self.0.lock().await;
        Arc::clone(&hosts.last().expect("a case has begun").0)
    }
}

#[async_trait]
impl deployer::DeployerFixture for Hosts {
    async fn site(&self) -> deployer::DeployerSite {
        let host = self.serving().await;
        deployer::DeployerSite {
            deployer: Arc::new(host.deployer.clone()),
            target: host.target.clone(),
            live: host.release("v1", &[]),
            next: host.release("v2", &[]),
            never_ready: Some(host.release("v3", &["never_ready=1"])),
        }
    }

    async fn fail(&self, _site: &deployer::DeployerSite, slot: &SlotName) {
        for address in self.newest().await.instances(slot) {
            assert_eq!(http::get(address, "/unready").await.0, StatusCode::OK);
        }
    }
}

#[async_trait]
impl metrics_source::MetricsSourceFixture for Hosts {
    async fn site(&self) -> metrics_source::MetricsSite {
        let host = self.serving().await;
        host.stage("green", &host.release("v2", &[])).await;
        host.ready("green").await;
        metrics_source::MetricsSite {
            source: Arc::new(host.metrics.clone()),
            target: host.target.clone(),
            busy: slot("green"),
            idle: slot("blue"),
        }
    }

    async fn serve(&self, _site: &metrics_source::MetricsSite, slot: &SlotName, requests: u32, errors: u32) {
        let host = self.newest().await;
        host.applied(&Verb::Shift { weights: Weights::all(slot.clone()) }).await;
        let mut connection = Connection::open(host.address().await).await;
        for number in 0..requests {
            let (path, status) = if number < errors { ("/fail", 500) } else { ("/", 200) };
            assert_eq!(connection.get(path).await.expect("an answer").0, status);
        }
    }

    async fn serve_slowly(
        &self,
        _site: &metrics_source::MetricsSite,
        slot: &SlotName,
        requests: u32,
        least: Period,
    ) {
        let host = self.newest().await;
        host.applied(&Verb::Shift { weights: Weights::all(slot.clone()) }).await;
        let mut connection = Connection::open(host.address().await).await;
        let path = format!("/take/{}", least.as_millis());
        for _ in 0..requests {
            assert_eq!(connection.get(&path).await.expect("an answer").0, StatusCode::OK);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deployer_keeps_its_contract() {
    deployer::all(&Hosts::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_source_keeps_its_contract() {
    metrics_source::all(&Hosts::default()).await;
}
