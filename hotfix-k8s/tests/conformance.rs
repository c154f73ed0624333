//! The contract of the port, with the traffic switched by a Service.

use std::sync::Arc;

use async_trait::async_trait;
use hotfix_core::model::SlotName;
use hotfix_testkit::cluster::{Behaviour, Readiness, TestCluster};
use hotfix_testkit::conformance::deployer::{self, DeployerFixture, DeployerSite};
use tokio::sync::Mutex;

use super::site::{Shop, pushed, release};

/// One shop per case, all kept until the last case is done.
struct Shops {
    cluster: &'static TestCluster,
    opened: Mutex<Vec<Arc<Shop>>>,
}

#[async_trait]
impl DeployerFixture for Shops {
    async fn site(&self) -> DeployerSite {
        let shop = Arc::new(Shop::open(self.cluster).await);
        self.opened.lock().await.push(Arc::clone(&shop));
        DeployerSite {
            deployer: Arc::new(shop.deployer.clone()),
            target: shop.target.clone(),
            live: release(self.cluster, 1),
            next: release(self.cluster, 2),
            never_ready: {
                let behaviour = Behaviour { readiness: Readiness::Never, ..Behaviour::default() };
                Some(pushed(self.cluster, 9, &behaviour))
            },
        }
    }

    async fn fail(&self, _site: &DeployerSite, slot: &SlotName) {
        let shop = self.opened.lock().await.last().map(Arc::clone);
        shop.expect("a case has begun").fail(slot).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deployer_keeps_its_contract() {
    let cluster = TestCluster::shared().await.expect("a cluster");
    deployer::all(&Shops { cluster, opened: Mutex::default() }).await;
}
