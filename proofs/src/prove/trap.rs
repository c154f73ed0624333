//! Ports that kill their process at a chosen moment, and otherwise pass everything on.
//!
//! The engine is the production engine; only what it is given is wrapped.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use hotfix_core::Result;
use hotfix_core::execute::Record;
use hotfix_core::model::{
    IdempotencyKey, Incident, IncidentId, ObjectId, Period, Precondition, RefBatch, RunId, ServiceName,
    Stamp, Target, TimelineEvent, Verb, WorkerName, Workload, WorkloadSnapshot,
};
use hotfix_core::port::{
    Append, Appended, Call, Composed, Deployer, DeployerCapabilities, Heard, IncidentStore, JournalEntry,
    KnownGood, NewRun, Opened, OutboxItem, Probe, Recipe, Renewed, Reply, RunFilter, RunSummary, Seal,
    Settlement, SignalEntry, SourceFacts, SourceQuery, StoreCapabilities, TakenOver, VersionControl,
    VersionControlCapabilities, WorkloadWatch,
};

use tokio::sync::RwLock;

use super::kill::{Doing, How, KillPoint, Moment, When};

/// A commit takes some of these. Each step is killed in another part of its commits.
const PART_OF_A_COMMIT: Duration = Duration::from_micros(60);
/// How many.
const PARTS: u16 = 6;

/// Springs once, at its point.
#[derive(Debug, Default)]
pub(super) struct Trap {
    point: Option<KillPoint>,
    sprung: AtomicBool,
    /// Held shared by every write to the store and alone by a freeze: a process that is frozen within a transaction of
    /// SQLite would keep everybody else from writing until it wakes.
    writing: RwLock<()>,
}

impl Trap {
    pub(super) fn new(point: Option<KillPoint>) -> Arc<Self> {
        Arc::new(Self { point, ..Self::default() })
    }

    async fn reached(&self, doing: Doing, when: When) {
        if let Some(how) = self.springs(Moment { doing, when }) {
            let _nobody_writes = self.writing.write().await;
            how.strike();
        }
    }

    /// Does something, and strikes while another thread is at it if the point is there.
    async fn while_reaching<T>(&self, doing: Doing, begun: impl Future<Output = T>) -> T {
        let Some(how) = self.springs(Moment { doing, when: When::Within }) else { return begun.await };
        let part = doing.step().unwrap_or(PARTS / 2) % PARTS;
        let mut begun = pin!(begun);
        poll_fn(|context| {
            // This hands it to the thread that writes.
            let answer = begun.as_mut().poll(context);
            how.strike_after(PART_OF_A_COMMIT * u32::from(part));
            answer
        })
        .await
    }

    /// Commits something, with the point before it, within it or after it.
    async fn committing<T>(
        &self,
        doing: Option<Doing>,
        commit: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let Some(doing) = doing else {
            let _writing = self.writing.read().await;
            return commit.await;
        };
        self.reached(doing, When::Before).await;
        let writing = self.writing.read().await;
        let committed = self.while_reaching(doing, commit).await?;
        drop(writing);
        self.reached(doing, When::After).await;
        Ok(committed)
    }

    fn springs(&self, moment: Moment) -> Option<How> {
        let point = self.point.filter(|point| point.moment == moment)?;
        (!self.sprung.swap(true, Ordering::SeqCst)).then_some(point.how)
    }

    async fn applied(&self, key: &IdempotencyKey) {
        let step = key.as_str().rsplit(':').next().and_then(|step| step.parse().ok());
        if let Some(step) = step {
            self.reached(Doing::Answer(step), When::After).await;
        }
    }
}

/// A port behind a trap.
#[derive(Debug)]
pub(super) struct Trapped<P> {
    pub(super) inner: P,
    pub(super) trap: Arc<Trap>,
}

#[async_trait]
impl<P: IncidentStore> IncidentStore for Trapped<P> {
    fn capabilities(&self) -> StoreCapabilities {
        self.inner.capabilities()
    }

    async fn open_run(&self, run: NewRun) -> Result<Opened> {
        self.trap.committing(Some(Doing::Opening), self.inner.open_run(run)).await
    }

    async fn append(&self, append: Append) -> Result<Appended> {
        let doing = match Record::decode(&append.body) {
            Ok(Record::Intent(intent)) => Some(Doing::Intent(intent.step.0)),
            Ok(Record::Outcome { step, .. }) => Some(Doing::Outcome(step.0)),
            Ok(Record::Verdict { step, .. }) => Some(Doing::Verdict(step.0)),
            Ok(Record::Terminal(_)) => Some(Doing::End),
            _ => None,
        };
        self.trap.committing(doing, self.inner.append(append)).await
    }

    async fn renew(&self, run: &RunId, epoch: u64, ttl: Period) -> Result<Renewed> {
        self.trap.committing(Some(Doing::Renewal), self.inner.renew(run, epoch, ttl)).await
    }

    async fn take_over(
        &self,
        run: &RunId,
        worker: &WorkerName,
        ttl: Period,
        above: u64,
    ) -> Result<TakenOver> {
        let _writing = self.trap.writing.read().await;
        self.inner.take_over(run, worker, ttl, above).await
    }

    async fn journal(&self, run: &RunId, from: u64) -> Result<Vec<JournalEntry>> {
        self.inner.journal(run, from).await
    }

    async fn runs(&self, filter: RunFilter) -> Result<Vec<RunSummary>> {
        self.inner.runs(filter).await
    }

    async fn signal(&self, run: &RunId, signal: SignalEntry) -> Result<()> {
        let _writing = self.trap.writing.read().await;
        self.inner.signal(run, signal).await
    }

    async fn signals(&self, known: &[Heard]) -> Result<Vec<(RunId, SignalEntry)>> {
        self.inner.signals(known).await
    }

    async fn lease_outbox(&self, destination: &str, ttl: Period, limit: usize) -> Result<Vec<OutboxItem>> {
        let _writing = self.trap.writing.read().await;
        self.inner.lease_outbox(destination, ttl, limit).await
    }

    async fn settle_outbox(&self, item: &OutboxItem, settlement: Settlement) -> Result<()> {
        let _writing = self.trap.writing.read().await;
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

#[async_trait]
impl<P: Deployer> Deployer for Trapped<P> {
    fn capabilities(&self, target: &Target) -> DeployerCapabilities {
        self.inner.capabilities(target)
    }

    async fn observe(&self, target: &Target) -> Result<Workload> {
        self.inner.observe(target).await
    }

    async fn watch(&self, target: &Target) -> Result<WorkloadWatch> {
        self.inner.watch(target).await
    }

    async fn snapshot(&self, target: &Target) -> Result<WorkloadSnapshot> {
        self.inner.snapshot(target).await
    }

    async fn apply(&self, call: &Call, target: &Target, verb: &Verb, precondition: &Precondition) -> Reply {
        let reply = self.inner.apply(call, target, verb, precondition).await;
        self.trap.applied(&call.key).await;
        reply
    }

    async fn seal(&self, target: &Target, stamp: Stamp) -> Seal {
        self.inner.seal(target, stamp).await
    }

    async fn probe(&self, target: &Target, key: &IdempotencyKey) -> Probe {
        self.inner.probe(target, key).await
    }
}

#[async_trait]
impl<P: VersionControl> VersionControl for Trapped<P> {
    fn capabilities(&self) -> VersionControlCapabilities {
        self.inner.capabilities()
    }

    async fn observe(&self, query: &SourceQuery) -> Result<SourceFacts> {
        self.inner.observe(query).await
    }

    async fn read_file(&self, commit: &ObjectId, path: &str) -> Result<Option<String>> {
        self.inner.read_file(commit, path).await
    }

    async fn compose(&self, recipe: &Recipe) -> Result<Vec<Composed>> {
        self.inner.compose(recipe).await
    }

    async fn apply(&self, call: &Call, service: &ServiceName, batch: &RefBatch) -> Reply {
        let reply = self.inner.apply(call, service, batch).await;
        self.trap.applied(&call.key).await;
        reply
    }

    async fn seal(&self, service: &ServiceName, stamp: Stamp) -> Seal {
        self.inner.seal(service, stamp).await
    }

    async fn probe(&self, service: &ServiceName, key: &IdempotencyKey) -> Probe {
        self.inner.probe(service, key).await
    }
}
