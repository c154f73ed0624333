//! The suites of version control and store catch backends with a defect, by the case that is about it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use hotfix_core::Result;
use hotfix_core::memory::ManualClock;
use hotfix_core::model::{
    IdempotencyKey, Incident, IncidentId, ObjectId, Period, RefBatch, RunId, ServiceName, Stamp, Target,
    TimelineEvent, WorkerName,
};
use hotfix_core::port::{
    Append, Appended, Call, Composed, Heard, IncidentStore, JournalEntry, KnownGood, NewRun, Opened,
    OutboxItem, Probe, Recipe, Renewed, Reply, RunFilter, RunSummary, Seal, Settlement, SignalEntry,
    SourceFacts, SourceQuery, StoreCapabilities, TakenOver, VersionControl, VersionControlCapabilities,
};
use hotfix_testkit::conformance::{incident_store, version_control};

use crate::incident_store::Fixture as Stores;
use crate::version_control::Fixture as Repositories;

/// Moves the references of a batch one by one.
#[derive(Debug)]
struct OneByOne(Arc<dyn VersionControl>);

/// Stamps commits with the time of composing.
#[derive(Debug)]
struct Impatient(Arc<dyn VersionControl>, AtomicI64);

#[async_trait]
impl VersionControl for OneByOne {
    fn capabilities(&self) -> VersionControlCapabilities {
        self.0.capabilities()
    }
    async fn observe(&self, query: &SourceQuery) -> Result<SourceFacts> {
        self.0.observe(query).await
    }
    async fn read_file(&self, commit: &ObjectId, path: &str) -> Result<Option<String>> {
        self.0.read_file(commit, path).await
    }
    async fn compose(&self, recipe: &Recipe) -> Result<Vec<Composed>> {
        self.0.compose(recipe).await
    }
    async fn apply(&self, call: &Call, service: &ServiceName, batch: &RefBatch) -> Reply {
        let (last, first) = batch.updates.split_last().unwrap();
        for (number, update) in (1..).zip(first) {
            let elsewhere: ServiceName = "elsewhere".parse().unwrap();
            let key = format!("{}-{number}", call.key).parse().unwrap();
            let call = Call { key, stamp: Stamp::new(u64::MAX, call.stamp.seq * 10 + number), ..*call };
            self.0.apply(&call, &elsewhere, &RefBatch { updates: vec![update.clone()] }).await;
        }
        self.0.apply(call, service, &RefBatch { updates: vec![last.clone()] }).await
    }
    async fn seal(&self, service: &ServiceName, stamp: Stamp) -> Seal {
        self.0.seal(service, stamp).await
    }
    async fn probe(&self, service: &ServiceName, key: &IdempotencyKey) -> Probe {
        self.0.probe(service, key).await
    }
}

#[async_trait]
impl VersionControl for Impatient {
    fn capabilities(&self) -> VersionControlCapabilities {
        self.0.capabilities()
    }
    async fn observe(&self, query: &SourceQuery) -> Result<SourceFacts> {
        self.0.observe(query).await
    }
    async fn read_file(&self, commit: &ObjectId, path: &str) -> Result<Option<String>> {
        self.0.read_file(commit, path).await
    }
    async fn compose(&self, recipe: &Recipe) -> Result<Vec<Composed>> {
        let mut recipe = recipe.clone();
        let seconds = self.1.fetch_add(1, Ordering::Relaxed);
        recipe.at += Period::from_secs(seconds.unsigned_abs()).to_delta();
        self.0.compose(&recipe).await
    }
    async fn apply(&self, call: &Call, service: &ServiceName, batch: &RefBatch) -> Reply {
        self.0.apply(call, service, batch).await
    }
    async fn seal(&self, service: &ServiceName, stamp: Stamp) -> Seal {
        self.0.seal(service, stamp).await
    }
    async fn probe(&self, service: &ServiceName, key: &IdempotencyKey) -> Probe {
        self.0.probe(service, key).await
    }
}

#[tokio::test]
async fn a_batch_that_moves_one_by_one_and_a_clock_in_composing_are_caught() {
    let report = version_control::report(&Repositories { wrap: |inner| Arc::new(OneByOne(inner)) }).await;
    assert_eq!(report.broken(), ["batch::all_references_move_or_none"]);
    let wrap: fn(Arc<dyn VersionControl>) -> Arc<dyn VersionControl> =
        |inner| Arc::new(Impatient(inner, AtomicI64::new(0)));
    let report = version_control::report(&Repositories { wrap }).await;
    assert_eq!(
        report.broken(),
        ["compose::the_same_recipe_gives_the_same_ids", "file::the_same_write_gives_the_same_id"]
    );
}

#[derive(Debug, Clone, Copy)]
enum Defect {
    /// An append is written whoever sends it.
    AnyEpoch,
    /// An append is written under whatever number is next.
    AnyNumber,
    /// A posting can be taken again at once.
    NoLease,
    /// A reply does not learn of its root.
    Rootless,
    /// A takeover leaves the epoch as it was, so to say: the old one is renewed as well.
    RenewsAll,
    /// Epochs that were given out elsewhere are taken no notice of.
    OwnEpochs,
    /// Whoever had a posting once settles it.
    SettlesAll,
}

#[derive(Debug)]
struct Store(Arc<dyn IncidentStore>, Defect);

impl Store {
    async fn current(&self, run: &RunId) -> Option<RunSummary> {
        let runs = self.0.runs(RunFilter::All).await.unwrap();
        runs.into_iter().find(|summary| summary.run == *run)
    }
}

#[async_trait]
impl IncidentStore for Store {
    fn capabilities(&self) -> StoreCapabilities {
        self.0.capabilities()
    }
    async fn open_run(&self, run: NewRun) -> Result<Opened> {
        let epoch_above = if matches!(self.1, Defect::OwnEpochs) { 0 } else { run.epoch_above };
        self.0.open_run(NewRun { epoch_above, ..run }).await
    }
    async fn append(&self, mut append: Append) -> Result<Appended> {
        match (self.1, self.current(&append.run).await) {
            (Defect::AnyEpoch, Some(run)) => append.epoch = run.epoch,
            (Defect::AnyNumber, Some(run)) => append.seq = run.entries,
            _ => {}
        }
        self.0.append(append).await
    }
    async fn renew(&self, run: &RunId, epoch: u64, ttl: Period) -> Result<Renewed> {
        match (self.1, self.current(run).await) {
            (Defect::RenewsAll, Some(summary)) => self.0.renew(run, summary.epoch, ttl).await,
            _ => self.0.renew(run, epoch, ttl).await,
        }
    }
    async fn take_over(
        &self,
        run: &RunId,
        worker: &WorkerName,
        ttl: Period,
        above: u64,
    ) -> Result<TakenOver> {
        let above = if matches!(self.1, Defect::OwnEpochs) { 0 } else { above };
        self.0.take_over(run, worker, ttl, above).await
    }
    async fn journal(&self, run: &RunId, from: u64) -> Result<Vec<JournalEntry>> {
        self.0.journal(run, from).await
    }
    async fn runs(&self, filter: RunFilter) -> Result<Vec<RunSummary>> {
        self.0.runs(filter).await
    }
    async fn signal(&self, run: &RunId, signal: SignalEntry) -> Result<()> {
        self.0.signal(run, signal).await
    }
    async fn signals(&self, known: &[Heard]) -> Result<Vec<(RunId, SignalEntry)>> {
        self.0.signals(known).await
    }
    async fn lease_outbox(&self, destination: &str, ttl: Period, limit: usize) -> Result<Vec<OutboxItem>> {
        let ttl = if matches!(self.1, Defect::NoLease) { Period::from_millis(0) } else { ttl };
        let mut items = self.0.lease_outbox(destination, ttl, limit).await?;
        if matches!(self.1, Defect::Rootless) {
            items.iter_mut().for_each(|item| item.posting.root = None);
        }
        Ok(items)
    }
    async fn settle_outbox(&self, item: &OutboxItem, settlement: Settlement) -> Result<()> {
        let mut item = item.clone();
        if matches!(self.1, Defect::SettlesAll)
            && let Some(now) = self.0.undelivered().await?.into_iter().find(|now| now.id == item.id)
        {
            item.attempts = now.attempts - 1;
        }
        self.0.settle_outbox(&item, settlement).await
    }
    async fn undelivered(&self) -> Result<Vec<OutboxItem>> {
        self.0.undelivered().await
    }
    async fn incident(&self, id: &IncidentId) -> Result<Incident> {
        self.0.incident(id).await
    }
    async fn timeline(&self, id: &IncidentId) -> Result<Vec<TimelineEvent>> {
        self.0.timeline(id).await
    }
    async fn known_good(&self, target: &Target, limit: usize) -> Result<Vec<KnownGood>> {
        self.0.known_good(target, limit).await
    }
}

async fn broken(wrap: fn(Arc<dyn IncidentStore>) -> Arc<dyn IncidentStore>) -> Vec<&'static str> {
    incident_store::report(&Stores { clock: ManualClock::default(), wrap }).await.broken()
}

#[tokio::test]
async fn each_defect_of_a_store_breaks_the_cases_that_are_about_it() {
    assert_eq!(
        broken(|inner| Arc::new(Store(inner, Defect::AnyEpoch))).await,
        ["journal::only_the_current_epoch_writes"]
    );
    assert_eq!(
        broken(|inner| Arc::new(Store(inner, Defect::AnyNumber))).await,
        [
            "journal::only_the_next_number_is_written",
            "journal::a_repeated_entry_is_written_once",
            "journal::a_lost_append_leaves_nothing",
            "journal::of_two_appends_one_is_written",
        ]
    );
    assert_eq!(
        broken(|inner| Arc::new(Store(inner, Defect::NoLease))).await,
        [
            "outbox::the_root_goes_first_and_its_receipt_reaches_the_replies",
            "outbox::threads_and_destinations_do_not_wait_for_each_other",
            "outbox::a_leased_posting_is_not_handed_out_again",
            "outbox::who_lost_a_posting_does_not_settle_it",
            "outbox::the_limit_is_kept",
        ]
    );
    assert_eq!(
        broken(|inner| Arc::new(Store(inner, Defect::Rootless))).await,
        [
            "outbox::the_root_goes_first_and_its_receipt_reaches_the_replies",
            "outbox::threads_and_destinations_do_not_wait_for_each_other",
            "outbox::a_late_delivery_counts",
        ]
    );
    assert_eq!(
        broken(|inner| Arc::new(Store(inner, Defect::RenewsAll))).await,
        ["claims::only_the_owner_renews"]
    );
    assert_eq!(
        broken(|inner| Arc::new(Store(inner, Defect::OwnEpochs))).await,
        ["claims::an_epoch_that_was_given_out_elsewhere_is_exceeded"]
    );
    assert_eq!(
        broken(|inner| Arc::new(Store(inner, Defect::SettlesAll))).await,
        ["outbox::who_lost_a_posting_does_not_settle_it"]
    );
}
