//! The reference store keeps the contract of its port.

use std::sync::Arc;

use async_trait::async_trait;
use hotfix_core::memory::{ManualClock, MemoryStore};
use hotfix_core::model::Period;
use hotfix_core::port::IncidentStore;
use hotfix_testkit::conformance::incident_store::{self, IncidentStoreFixture, StoreSite};

/// Makes a memory store, seen through a wrapper.
pub(crate) struct Fixture {
    pub(crate) clock: ManualClock,
    pub(crate) wrap: fn(Arc<dyn IncidentStore>) -> Arc<dyn IncidentStore>,
}

#[async_trait]
impl IncidentStoreFixture for Fixture {
    async fn site(&self) -> StoreSite {
        let store = MemoryStore::new(Arc::new(self.clock.clone()));
        StoreSite { second: (self.wrap)(Arc::new(store.clone())), store: (self.wrap)(Arc::new(store)) }
    }

    async fn pass(&self, _: &StoreSite, period: Period) {
        self.clock.advance(period);
    }
}

#[tokio::test]
async fn the_reference_store_keeps_every_case() {
    incident_store::all(&Fixture { clock: ManualClock::default(), wrap: |inner| inner }).await;
}
