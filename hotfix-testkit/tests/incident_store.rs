//! The reference store keeps the contract of its port.

use std::sync::Arc;

use async_trait::async_trait;
use hotfix_core::memory::{ManualClock, MemoryStore};
use hotfix_core::model::Period;
use hotfix_testkit::conformance::incident_store::{self, IncidentStoreFixture, StoreSite};

struct Fixture(ManualClock);

#[async_trait]
impl IncidentStoreFixture for Fixture {
    async fn site(&self) -> StoreSite {
        let store = MemoryStore::new(Arc::new(self.0.clone()));
        StoreSite {
            second: Arc::new(store.clone()),
            store: Arc::new(store),
        }
    }

    async fn pass(&self, _: &StoreSite, period: Period) {
        self.0.advance(period);
    }
}

#[tokio::test]
async fn the_reference_store_keeps_every_case() {
    incident_store::all(&Fixture(ManualClock::default())).await;
}
