//! Faults on the way to a store.

use std::sync::Arc;

use async_trait::async_trait;
use hotfix_core::Result;
use hotfix_core::model::{Incident, IncidentId, Period, RunId, Target, TimelineEvent, WorkerName};
use hotfix_core::port::{
    Append, Appended, Heard, IncidentStore, JournalEntry, KnownGood, NewRun, Opened, OutboxItem, Renewed,
    RunFilter, RunSummary, Settlement, SignalEntry, StoreCapabilities, TakenOver,
};

use super::{Faults, failure, through};

/// A store behind a bad network: an acknowledged write is written, a failed one may be.
#[derive(Debug, Clone)]
pub struct FaultyStore {
    inner: Arc<dyn IncidentStore>,
    faults: Faults,
}

impl FaultyStore {
    /// Wraps a backend.
    #[must_use]
    pub fn new(inner: Arc<dyn IncidentStore>, faults: Faults) -> Self {
        Self { inner, faults }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl IncidentStore for FaultyStore {
    fn capabilities(&self) -> StoreCapabilities {
        self.inner.capabilities()
    }

    async fn open_run(&self, run: NewRun) -> Result<Opened> {
        through!(self, OpenRun, |inner, run| inner.open_run(run), failure("store.open_run"))
    }

    async fn append(&self, append: Append) -> Result<Appended> {
        through!(self, Append, |inner, append| inner.append(append), failure("store.append"))
    }

    async fn renew(&self, run: &RunId, epoch: u64, ttl: Period) -> Result<Renewed> {
        through!(self, Renew, |inner, run, epoch, ttl| inner.renew(&run, epoch, ttl), failure("store.renew"))
    }

    async fn take_over(
        &self,
        run: &RunId,
        worker: &WorkerName,
        ttl: Period,
        above: u64,
    ) -> Result<TakenOver> {
        let failed = failure("store.take_over");
        through!(
            self,
            TakeOver,
            |inner, run, worker, ttl, above| inner.take_over(&run, &worker, ttl, above),
            failed
        )
    }

    async fn journal(&self, run: &RunId, from: u64) -> Result<Vec<JournalEntry>> {
        through!(self, Journal, |inner, run, from| inner.journal(&run, from), failure("store.journal"))
    }

    async fn runs(&self, filter: RunFilter) -> Result<Vec<RunSummary>> {
        through!(self, Runs, |inner, filter| inner.runs(filter), failure("store.runs"))
    }

    async fn signal(&self, run: &RunId, signal: SignalEntry) -> Result<()> {
        through!(self, Signal, |inner, run, signal| inner.signal(&run, signal), failure("store.signal"))
    }

    async fn signals(&self, known: &[Heard]) -> Result<Vec<(RunId, SignalEntry)>> {
        let known = known.to_vec();
        through!(self, Signals, |inner, known| inner.signals(&known), failure("store.signals"))
    }

    async fn lease_outbox(&self, destination: &str, ttl: Period, limit: usize) -> Result<Vec<OutboxItem>> {
        let (destination, failed) = (destination.to_owned(), failure("store.lease_outbox"));
        through!(
            self,
            LeaseOutbox,
            |inner, destination, ttl, limit| inner.lease_outbox(&destination, ttl, limit),
            failed
        )
    }

    async fn settle_outbox(&self, item: &OutboxItem, settlement: Settlement) -> Result<()> {
        let failed = failure("store.settle_outbox");
        through!(self, SettleOutbox, |inner, item, settlement| inner.settle_outbox(&item, settlement), failed)
    }

    async fn undelivered(&self) -> Result<Vec<OutboxItem>> {
        through!(self, Undelivered, |inner| inner.undelivered(), failure("store.undelivered"))
    }

    async fn incident(&self, id: &IncidentId) -> Result<Incident> {
        through!(self, Incident, |inner, id| inner.incident(&id), failure("store.incident"))
    }

    async fn timeline(&self, id: &IncidentId) -> Result<Vec<TimelineEvent>> {
        through!(self, Timeline, |inner, id| inner.timeline(&id), failure("store.timeline"))
    }

    async fn known_good(&self, target: &Target, limit: usize) -> Result<Vec<KnownGood>> {
        let failed = failure("store.known_good");
        through!(self, KnownGood, |inner, target, limit| inner.known_good(&target, limit), failed)
    }
}
