//! The contract of the port, case by case.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use hotfix_core::model::Period;
use hotfix_testkit::conformance::incident_store::{self, IncidentStoreFixture, StoreSite};

use crate::fixture::Place;

/// Gives each case a file of its own, and time by the clock of that file.
#[derive(Default)]
struct Sqlite {
    places: Mutex<Vec<Place>>,
}

#[async_trait]
impl IncidentStoreFixture for Sqlite {
    async fn site(&self) -> StoreSite {
        let place = Place::new();
        let site = StoreSite { store: Arc::new(place.open().await), second: Arc::new(place.open().await) };
        self.places.lock().unwrap().push(place);
        site
    }

    async fn pass(&self, _site: &StoreSite, period: Period) {
        let places = self.places.lock().unwrap();
        places.last().expect("a case has its site before it lets time pass").clock.advance(period);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_keeps_the_contract() {
    let report = incident_store::report(&Sqlite::default()).await;
    report.assert_kept();
    assert_eq!(report.skipped(), Vec::<&str>::new());
}
