//! The reference [`IncidentStore`]: one lock is its transaction.

mod books;
mod outbox;

use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use self::books::Books;
use super::lock;
use crate::error::Result;
use crate::model::{Incident, IncidentId, Period, RunId, Target, TimelineEvent, WorkerName};
use crate::port::{
    Append, Appended, Clock, Durability, Heard, IncidentStore, JournalEntry, KnownGood, NewRun, Opened,
    OutboxItem, Renewed, RunFilter, RunSummary, Settlement, Sharing, SignalEntry, StoreCapabilities,
    TakenOver,
};

/// A store that lives as long as the process.
///
/// Every method is one transaction under one lock. Leases and due times are judged by the clock it is given.
#[derive(Clone)]
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    books: Arc<Mutex<Books>>,
}

impl MemoryStore {
    /// Builds an empty store.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, books: Arc::default() }
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

#[async_trait]
impl IncidentStore for MemoryStore {
    fn capabilities(&self) -> StoreCapabilities {
        StoreCapabilities { durability: Durability::Process, sharing: Sharing::Process }
    }

    async fn open_run(&self, run: NewRun) -> Result<Opened> {
        lock(&self.books).open_run(run, self.clock.now())
    }

    async fn append(&self, append: Append) -> Result<Appended> {
        lock(&self.books).append(append, self.clock.now())
    }

    async fn renew(&self, run: &RunId, epoch: u64, ttl: Period) -> Result<Renewed> {
        lock(&self.books).renew(run, epoch, self.clock.now() + ttl.to_delta())
    }

    async fn take_over(
        &self,
        run: &RunId,
        worker: &WorkerName,
        ttl: Period,
        above: u64,
    ) -> Result<TakenOver> {
        lock(&self.books).take_over(run, worker, ttl, above, self.clock.now())
    }

    async fn journal(&self, run: &RunId, from: u64) -> Result<Vec<JournalEntry>> {
        let books = lock(&self.books);
        let entries = books.run("store.journal", run)?.journal.iter();
        Ok(entries.filter(|entry| entry.seq >= from).cloned().collect())
    }

    async fn runs(&self, filter: RunFilter) -> Result<Vec<RunSummary>> {
        Ok(lock(&self.books).summaries(filter))
    }

    async fn signal(&self, run: &RunId, signal: SignalEntry) -> Result<()> {
        lock(&self.books).signal(run, signal)
    }

    async fn signals(&self, known: &[Heard]) -> Result<Vec<(RunId, SignalEntry)>> {
        let books = lock(&self.books);
        let mut left = Vec::new();
        for Heard { run, signals: known } in known {
            let Ok(open) = books.run("store.signals", run) else { continue };
            let known = usize::try_from(*known).unwrap_or(usize::MAX);
            left.extend(open.signals.iter().skip(known).map(|signal| (run.clone(), signal.clone())));
        }
        Ok(left)
    }

    async fn lease_outbox(&self, destination: &str, ttl: Period, limit: usize) -> Result<Vec<OutboxItem>> {
        Ok(lock(&self.books).outbox.lease(destination, self.clock.now(), ttl, limit))
    }

    async fn settle_outbox(&self, item: &OutboxItem, settlement: Settlement) -> Result<()> {
        lock(&self.books).outbox.settle(item, settlement, self.clock.now())
    }

    async fn undelivered(&self) -> Result<Vec<OutboxItem>> {
        Ok(lock(&self.books).outbox.undelivered(self.clock.now()))
    }

    async fn incident(&self, id: &IncidentId) -> Result<Incident> {
        Ok(lock(&self.books).file("store.incident", id)?.incident.clone())
    }

    async fn timeline(&self, id: &IncidentId) -> Result<Vec<TimelineEvent>> {
        Ok(lock(&self.books).file("store.timeline", id)?.timeline.clone())
    }

    async fn known_good(&self, target: &Target, limit: usize) -> Result<Vec<KnownGood>> {
        let books = lock(&self.books);
        Ok(books.known_good.get(target).into_iter().flatten().take(limit).cloned().collect())
    }
}
