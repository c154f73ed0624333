//! The contract of a store, kept by a store whose runs claim Leases: on files and in memory, as a user who may do
//! nothing but that.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use hotfix_core::memory::{ManualClock, MemoryStore};
use hotfix_core::model::{Fenced, Period};
use hotfix_core::port::{Durability, IncidentStore, Sharing, StoreCapabilities};
use hotfix_k8s::{LeaseConfig, LeasedStore, Leases, rights};
use hotfix_store::{SqliteOptions, SqliteStore};
use hotfix_testkit::cluster::{TestCluster, TestNamespace};
use hotfix_testkit::conformance::incident_store::{self, IncidentStoreFixture, StoreSite};
use k8s_openapi::api::rbac::v1::PolicyRule;
use tempfile::TempDir;

/// What the cases claim.
const TARGETS: [&str; 4] = ["production/shop", "staging/shop", "production/cart", "source/shop"];

/// What keeps the data.
#[derive(Debug, Clone, Copy)]
enum Inner {
    Memory,
    File,
}

/// One case: a namespace of its own, and the file if there is one.
struct Place {
    clock: ManualClock,
    _namespace: TestNamespace,
    _directory: TempDir,
}

struct Leased {
    cluster: &'static TestCluster,
    inner: Inner,
    places: Mutex<Vec<Place>>,
}

impl Leased {
    async fn of(inner: Inner) -> Self {
        let cluster = TestCluster::shared().await.expect("a cluster");
        Self { cluster, inner, places: Mutex::default() }
    }
}

/// What leads a user to the Leases of a namespace who may claim these targets, and do nothing else.
pub(crate) async fn claimant(cluster: &TestCluster, namespace: &str, targets: &[&str]) -> kube::Config {
    let admin = leases(namespace, cluster.config());
    let targets: Vec<Fenced> = targets.iter().map(|target| target.parse().expect("a target")).collect();
    let rules = serde_json::to_value(rights::rules(&[admin.feature(&targets)].into())).expect("JSON");
    let rules: Vec<PolicyRule> = serde_json::from_value(rules).expect("rules");
    cluster.user(namespace, "claimant", &rules).await.expect("a user")
}

/// The Leases as another process would have them.
pub(crate) fn leases(namespace: &str, cluster: kube::Config) -> Leases {
    let config = LeaseConfig { namespace: Some(namespace.to_owned()), ..LeaseConfig::default() };
    Leases::connect(config, cluster, Arc::new(hotfix_engine::SystemClock)).expect("a client")
}

#[async_trait]
impl IncidentStoreFixture for Leased {
    async fn site(&self) -> StoreSite {
        let namespace = self.cluster.namespace("leased").await.expect("a namespace");
        let user = claimant(self.cluster, &namespace, &TARGETS).await;
        let (clock, directory) = (ManualClock::default(), tempfile::tempdir().expect("a directory"));
        let memory = MemoryStore::new(Arc::new(clock.clone()));
        let handle = async || {
            let inner: Arc<dyn IncidentStore> = match self.inner {
                Inner::Memory => Arc::new(memory.clone()),
                Inner::File => {
                    let (path, options) = (directory.path().join("hotfix.db"), SqliteOptions::default());
                    let store = SqliteStore::open_with(path, Arc::new(clock.clone()), options).await;
                    Arc::new(store.expect("a store"))
                }
            };
            Arc::new(LeasedStore::new(inner, leases(&namespace, user.clone())))
        };
        let site = StoreSite { store: handle().await, second: handle().await };
        let place = Place { clock, _namespace: namespace, _directory: directory };
        self.places.lock().expect("no case panicked").push(place);
        site
    }

    async fn pass(&self, _site: &StoreSite, period: Period) {
        let places = self.places.lock().expect("no case panicked");
        places.last().expect("a case has its site before it lets time pass").clock.advance(period);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_in_memory_keeps_the_contract_with_leases() {
    let leased = Leased::of(Inner::Memory).await;
    incident_store::all(&leased).await;
    let capabilities = leased.site().await.store.capabilities();
    let expected = StoreCapabilities { durability: Durability::Process, sharing: Sharing::Process };
    assert_eq!(capabilities, expected, "a lease shares no journal");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_in_a_file_keeps_the_contract_with_leases() {
    let leased = Leased::of(Inner::File).await;
    let report = incident_store::report(&leased).await;
    report.assert_kept();
    assert_eq!(report.skipped(), Vec::<&str>::new());
}
