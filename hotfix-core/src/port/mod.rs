//! The ports: what hotfix needs of the outside world, as traits.
//!
//! Every trait is object safe and used as `Arc<dyn …>`. A backend implements the required methods and nothing more:
//! there are no defaults that pretend success. The rules all of them share:
//!
//! - **Reads** return facts or an [`Error`](crate::Error).
//! - **Mutations** take a [`Call`] (key, stamp, deadline) and answer a [`Reply`]. There is no catch-all: a backend
//!   classifies each failure of its system. Whatever may have happened, or may still, is [`Reply::Ambiguous`].
//! - **Fence**: a mutation is accepted only with a stamp above every stamp its target accepted before, checked in
//!   the same atomic step as the precondition. `seal` raises the fence and changes nothing else; from its
//!   acknowledgement on, no older request can be applied. `probe` tells whether a key was applied.
//! - **Capabilities** are data. The planner refuses early what a backend cannot do; a backend never ignores an
//!   argument.
//! - **Cancellation**: dropping the future of a mutation leaves its outcome unknown, like a crash.

mod call;
mod check;
mod clock;
mod deployer;
mod fence;
mod metrics;
mod notifier;
mod routed;
mod silencer;
mod store;
mod version_control;

pub use call::{Ambiguity, Call, Conflict, Probe, Receipt, Rejection, Reply, Seal, Sealed};
pub use check::{Check, CheckReport, CheckScope, CheckSubject, LONGEST_LOOK};
pub use clock::{Clock, IdSource};
pub use deployer::{Deployer, DeployerCapabilities, Fence, TrafficSplit, WorkloadChange, WorkloadWatch};
pub use fence::seal;
pub use metrics::{
    CounterSeries, History, HistoryQuery, Latency, LatencyBucket, MetricsCapabilities, MetricsQuery,
    MetricsSource, Scrape,
};
pub use notifier::{
    Delivered, DeliveryOutcome, Notifier, NotifierCapabilities, Offered, Posting, PostingKind, PostingProbe,
    ThreadKey,
};
pub use routed::RoutedDeployer;
pub use silencer::{Silence, Silencer, Silencing};
pub use store::{
    Append, Appended, Basis, Claim, Durability, Heard, IncidentStore, JournalEntry, KnownGood, Lease,
    NewIncident, NewRun, Opened, OutboxItem, OutboxState, Renewed, RunFilter, RunState, RunSummary,
    Settlement, Sharing, Signal, SignalEntry, StoreCapabilities, TakenOver,
};
pub use version_control::{
    Atomicity, ChangedPath, Composed, ConflictKind, ConflictPath, DiffSize, FetchMode, Identity, Instruction,
    Point, Recipe, SourceFacts, SourceQuery, TagFact, VersionControl, VersionControlCapabilities,
};

/// A stream that can be stored and sent between tasks.
pub type BoxStream<T> = std::pin::Pin<Box<dyn futures_core::Stream<Item = T> + Send>>;

/// The mocks that are made of the traits, gathered for [`crate::mock`].
#[cfg(feature = "mock")]
pub(crate) mod mocks {
    pub use super::check::MockCheck;
    pub use super::clock::{MockClock, MockIdSource};
    pub use super::deployer::MockDeployer;
    pub use super::metrics::MockMetricsSource;
    pub use super::notifier::MockNotifier;
    pub use super::silencer::MockSilencer;
    pub use super::store::MockIncidentStore;
    pub use super::version_control::MockVersionControl;
}
