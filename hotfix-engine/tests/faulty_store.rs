//! A store that cannot write for a while, or whose journal was changed by somebody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use hotfix_core::memory::MemoryStore;
use hotfix_core::model::{Incident, IncidentId, Period, RunId, Target, TimelineEvent, WorkerName};
use hotfix_core::port::{
    Append, Appended, Heard, IncidentStore, JournalEntry, KnownGood, NewRun, Opened, OutboxItem, Renewed,
    RunFilter, RunSummary, Settlement, SignalEntry, StoreCapabilities, TakenOver,
};
use hotfix_core::{Error, ErrorKind, Result};

/// A reference store with one thing wrong.
#[derive(Debug, Clone)]
pub(crate) struct FaultyStore {
    inner: MemoryStore,
    /// How many appends still find the disk full.
    full: Arc<AtomicU32>,
    /// What became of each journal entry.
    rewrite: fn(JournalEntry) -> JournalEntry,
}

impl FaultyStore {
    pub(crate) fn new(inner: MemoryStore) -> Self {
        Self { inner, full: Arc::default(), rewrite: |entry| entry }
    }

    pub(crate) fn rewriting(mut self, rewrite: fn(JournalEntry) -> JournalEntry) -> Self {
        self.rewrite = rewrite;
        self
    }

    /// Lets the next appends fail.
    pub(crate) fn fill(&self, appends: u32) {
        self.full.store(appends, Ordering::SeqCst);
    }

    pub(crate) fn still_full(&self) -> u32 {
        self.full.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl IncidentStore for FaultyStore {
    fn capabilities(&self) -> StoreCapabilities {
        self.inner.capabilities()
    }

    async fn open_run(&self, run: NewRun) -> Result<Opened> {
        self.inner.open_run(run).await
    }

    async fn append(&self, append: Append) -> Result<Appended> {
        let full = self.full.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if full.is_ok() {
            return Err(Error::new(ErrorKind::Full, "store.append", "no space left on device"));
        }
        self.inner.append(append).await
    }

    async fn renew(&self, run: &RunId, epoch: u64, ttl: Period) -> Result<Renewed> {
        self.inner.renew(run, epoch, ttl).await
    }

    async fn take_over(
        &self,
        run: &RunId,
        worker: &WorkerName,
        ttl: Period,
        above: u64,
    ) -> Result<TakenOver> {
        self.inner.take_over(run, worker, ttl, above).await
    }

    async fn journal(&self, run: &RunId, from: u64) -> Result<Vec<JournalEntry>> {
        let entries = self.inner.journal(run, from).await?;
        Ok(entries.into_iter().map(self.rewrite).collect())
    }

    async fn runs(&self, filter: RunFilter) -> Result<Vec<RunSummary>> {
        self.inner.runs(filter).await
    }

    async fn signal(&self, run: &RunId, signal: SignalEntry) -> Result<()> {
        self.inner.signal(run, signal).await
    }

    async fn signals(&self, known: &[Heard]) -> Result<Vec<(RunId, SignalEntry)>> {
        self.inner.signals(known).await
    }

    async fn lease_outbox(&self, destination: &str, ttl: Period, limit: usize) -> Result<Vec<OutboxItem>> {
        self.inner.lease_outbox(destination, ttl, limit).await
    }

    async fn settle_outbox(&self, item: &OutboxItem, settlement: Settlement) -> Result<()> {
        self.inner.settle_outbox(item, settlement).await
    }

    async fn undelivered(&self) -> Result<Vec<OutboxItem>> {
        self.inner.undelivered().await
    }

    async fn incident(&self, id: &IncidentId) -> Result<Incident> {
        self.inner.incident(id).await
    }

    async fn timeline(&self, id: &IncidentId) -> Result<Vec<TimelineEvent>> {
        self.inner.timeline(id).await
    }

    async fn known_good(&self, target: &Target, limit: usize) -> Result<Vec<KnownGood>> {
        self.inner.known_good(target, limit).await
    }
}
