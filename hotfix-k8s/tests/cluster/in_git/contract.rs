//! The contract of the port.

use std::sync::Arc;

use async_trait::async_trait;
use hotfix_core::model::SlotName;
use hotfix_testkit::cluster::{Behaviour, Readiness};
use hotfix_testkit::conformance::deployer::{self, DeployerFixture, DeployerSite};
use tokio::sync::Mutex;

use super::super::in_place::NOT_IN_PLACE;
use super::super::site::{pushed, release};
use super::shop::GitShop;

/// One shop per case, all kept until the last case is done.
#[derive(Default)]
struct Shops(Mutex<Vec<Arc<GitShop>>>);

#[async_trait]
impl DeployerFixture for Shops {
    async fn site(&self) -> DeployerSite {
        let shop = Arc::new(GitShop::open().await);
        self.0.lock().await.push(Arc::clone(&shop));
        let never = Behaviour { readiness: Readiness::Never, ..Behaviour::default() };
        DeployerSite {
            deployer: Arc::new(shop.deployer.clone()),
            target: shop.target.clone(),
            live: release(shop.cluster, 1),
            next: release(shop.cluster, 2),
            never_ready: Some(pushed(shop.cluster, 9, &never)),
        }
    }

    async fn fail(&self, _site: &DeployerSite, slot: &SlotName) {
        let opened = self.0.lock().await.last().map(Arc::clone);
        opened.expect("a case has begun").fail(slot).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deployer_keeps_its_contract_when_it_writes_git() {
    let report = deployer::report(&Shops::default()).await;
    report.assert_kept();
    assert_eq!(report.skipped(), NOT_IN_PLACE);
}
