//! A store whose runs claim their targets on the cluster too, for services whose replicas each have a store of their own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use hotfix_core::model::{Fenced, Incident, IncidentId, Period, RunId, Target, TimelineEvent, WorkerName};
use hotfix_core::port::{
    Append, Appended, Claim, Heard, IncidentStore, JournalEntry, KnownGood, NewRun, Opened, OutboxItem,
    Renewed, RunFilter, RunState, RunSummary, Settlement, SignalEntry, StoreCapabilities, TakenOver,
};
use hotfix_core::{Error, ErrorKind, Result, RetryClass};

use super::claimant::{Claimant, LeaseTerm};
use super::connection::Leases;
use super::holding::{Claimed, Holding, Kept};
use super::note::{Note, Stage};
use super::survey::{Found, Look};

const OPEN: &str = "store.open_run";
const TAKE_OVER: &str = "store.take_over";
const RENEW: &str = "store.renew";
const APPEND: &str = "store.append";

/// How often Leases are looked at again because somebody was faster at one of them.
const TRIES: usize = 4;

/// How long the end of a run waits until its Leases are given back. Later they expire.
const FAREWELL: Duration = Duration::from_secs(2);

/// An [`IncidentStore`] whose runs hold a Lease for every target, so that runs of other stores keep off it.
///
/// For replicas on one cluster that have a store each: a file in the pod, or memory. Replicas that share a store need
/// none of this. Everything but the claims stays where it was: the journal of a run is in one store, so only a process
/// that has this store can resume it, and [`capabilities`](IncidentStore::capabilities) are those of the inner store.
///
/// # What it adds
/// - `open_run` claims the Leases of all targets first, in the order of their names, or none. A target that a run of
///   another store holds is [`Opened::Busy`] with the run, its holder and since when.
/// - Epochs rise over all stores: that of a run is above every one that a Lease of its targets ever had.
/// - `renew` renews the Leases too; a Lease that somebody else has is a lost claim.
/// - The last entry of a run is written only while its Leases are held, and gives them back.
///
/// # What is guaranteed
/// The fence of the target is what keeps two runs apart. No clock decides about safety: it decides when somebody tries.
/// A Lease that is not renewed can be claimed by another run only if nothing can be under way in its name: before its
/// run was opened, and when its last entry was about to be written. In between, what was sent can still arrive, and only
/// its own journal says what that is. So the run is resumed where its journal is; or, if that is gone for good, somebody
/// says so with [`Leases::release_orphan`], which raises the fences first.
///
/// Watches claim no Lease, because nothing is ever sent to what they claim.
#[derive(Debug, Clone)]
pub struct LeasedStore {
    inner: Arc<dyn IncidentStore>,
    leases: Leases,
    held: Arc<Mutex<BTreeMap<RunId, Slot>>>,
}

/// What a run holds. The lock orders a renewal and the end of the run.
type Slot = Arc<tokio::sync::Mutex<Option<Holding>>>;

/// What this store knows of a run.
enum Known {
    /// Nothing: it is in another store.
    Nothing,
    Open(RunSummary),
    Ended,
}

impl LeasedStore {
    /// Has the runs of a store claim their targets by Leases.
    #[must_use]
    pub fn new(inner: Arc<dyn IncidentStore>, leases: Leases) -> Self {
        Self { inner, leases, held: Arc::default() }
    }

    /// Returns the targets that have Leases, once each, in the order in which they are claimed.
    fn leased(&self, claims: &[Fenced]) -> BTreeMap<String, Fenced> {
        claims.iter().filter_map(|target| Some((self.leases.name_of(target)?, target.clone()))).collect()
    }

    async fn open_summary(&self, run: &RunId) -> Result<Option<RunSummary>> {
        let open = self.inner.runs(RunFilter::Open).await?;
        Ok(open.into_iter().find(|summary| summary.run == *run))
    }

    async fn known(&self, run: &RunId) -> Result<Known> {
        match self.inner.journal(run, u64::MAX).await {
            Ok(_) => Ok(self.open_summary(run).await?.map_or(Known::Ended, Known::Open)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Known::Nothing),
            Err(error) => Err(error),
        }
    }

    /// Looks at all Leases; `Err` inside is who is in the way.
    async fn survey(
        &self,
        operation: &'static str,
        targets: &BTreeMap<String, Fenced>,
        is_ours: impl Fn(&Note) -> bool + Send + Sync,
    ) -> Result<Result<Vec<Found>, Claim>> {
        let mut all = Vec::with_capacity(targets.len());
        for (name, target) in targets {
            let found = match self.leases.look(operation, name).await? {
                Look::Held { found, hold, note, .. } if !is_ours(&note) => {
                    match self.known(&note.run).await? {
                        // It came to its end and not to giving the Lease back.
                        Known::Ended => found,
                        Known::Open(summary) => return Ok(Err(claim(&summary, target))),
                        Known::Nothing => {
                            return self.leases.claim(operation, name, target, &hold, note).map(Err);
                        }
                    }
                }
                look => look.into_found(),
            };
            all.push(found);
        }
        Ok(Ok(all))
    }

    async fn open_claimed(&self, run: NewRun, mut holding: Holding) -> Result<Opened> {
        let (id, above) = (run.run.clone(), holding.epoch() - 1);
        let opened = self.inner.open_run(NewRun { epoch_above: above, ..run }).await;
        let Ok(Opened::Claimed { lease, .. }) = &opened else {
            holding.give_back(&self.leases, OPEN).await;
            return opened;
        };
        holding.advance(|note| note.at(Stage::Driven));
        match holding.keep_under(&self.leases, OPEN, lease.epoch).await? {
            Kept::All => {
                self.remember(&id, holding);
                opened
            }
            Kept::Lost { .. } => {
                let lost = "the run was opened too slowly: another run has one of its targets by now; resume it later";
                let error = Error::new(ErrorKind::Conflict, OPEN, lost).with("run", id);
                Err(error.with_retry(RetryClass::Later))
            }
        }
    }

    /// Renews the Leases of a run that this store says is owned under that epoch.
    async fn keep(
        &self,
        operation: &'static str,
        run: &RunId,
        epoch: u64,
        change: impl FnOnce(&Note) -> Note + Send,
    ) -> Result<Kept> {
        let slot = self.slot(run);
        let mut slot = slot.lock().await;
        if slot.as_ref().is_none_or(|holding| holding.epoch() != epoch) {
            // Another handle claimed them, or the run has just ended.
            let Some(summary) = self.open_summary(run).await? else { return Ok(Kept::Lost { epoch }) };
            let names: Vec<String> = self.leased(&summary.claims).into_keys().collect();
            if names.is_empty() {
                return Ok(Kept::All);
            }
            *slot = match Holding::recall(&self.leases, operation, run, epoch, names).await? {
                Ok(holding) => Some(holding),
                Err(epoch) => return Ok(Kept::Lost { epoch }),
            };
        }
        let Some(holding) = slot.as_mut() else { return Ok(Kept::Lost { epoch }) };
        holding.advance(change);
        holding.keep(&self.leases, operation).await
    }

    async fn give_back(&self, run: &RunId) {
        let slot = self.slot(run);
        let holding = slot.lock().await.take();
        self.held().remove(run);
        if let Some(holding) = holding
            && tokio::time::timeout(FAREWELL, holding.give_back(&self.leases, APPEND)).await.is_err()
        {
            tracing::warn!(%run, "the leases of the run are not given back in time; they expire");
        }
    }

    fn remember(&self, run: &RunId, holding: Holding) {
        self.held().insert(run.clone(), Arc::new(tokio::sync::Mutex::new(Some(holding))));
    }

    fn slot(&self, run: &RunId) -> Slot {
        Arc::clone(self.held().entry(run.clone()).or_default())
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<RunId, Slot>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl IncidentStore for LeasedStore {
    fn capabilities(&self) -> StoreCapabilities {
        self.inner.capabilities()
    }

    async fn open_run(&self, run: NewRun) -> Result<Opened> {
        let targets = self.leased(&run.claims);
        let is_used = !matches!(self.known(&run.run).await?, Known::Nothing);
        if targets.is_empty() || is_used {
            return self.inner.open_run(run).await;
        }
        // An earlier call of this run that was cut off before it reached the store.
        let is_ours = |note: &Note| note.run == run.run && note.stage == Stage::Opening;
        let mut missed = (String::new(), String::new());
        for _ in 0..TRIES {
            let found = match self.survey(OPEN, &targets, is_ours).await? {
                Ok(found) => found,
                Err(claim) => return Ok(Opened::Busy(claim)),
            };
            let above = found.iter().map(Found::epoch).max().unwrap_or(0).max(run.epoch_above);
            let claimant = self.claimant(&run.run, &run.worker, run.ttl, &targets, Stage::Opening);
            match Holding::claim(&self.leases, OPEN, claimant, &found, above).await? {
                Claimed::All(holding) => return self.open_claimed(run, holding).await,
                Claimed::Missed { name, said } => missed = (name, said),
            }
        }
        Err(self.leases.refused(OPEN, &missed.0, missed.1))
    }

    async fn append(&self, append: Append) -> Result<Appended> {
        if append.state != RunState::Ended {
            return self.inner.append(append).await;
        }
        let (run, epoch) = (append.run.clone(), append.epoch);
        let is_owner = self.open_summary(&run).await?.is_some_and(|summary| summary.epoch == epoch);
        // The last entry says how the target is, so the target must still be ours.
        if is_owner
            && let Kept::Lost { epoch } =
                self.keep(APPEND, &run, epoch, |note| note.at(Stage::Ending)).await?
        {
            return Ok(Appended::Lost { epoch });
        }
        let appended = self.inner.append(append).await?;
        if appended == Appended::Written {
            self.give_back(&run).await;
        }
        Ok(appended)
    }

    async fn renew(&self, run: &RunId, epoch: u64, ttl: Period) -> Result<Renewed> {
        let renewed = self.inner.renew(run, epoch, ttl).await?;
        if matches!(renewed, Renewed::Lost { .. }) {
            self.held().remove(run);
            return Ok(renewed);
        }
        Ok(match self.keep(RENEW, run, epoch, |note| note.at(Stage::Driven)).await? {
            Kept::All => renewed,
            Kept::Lost { epoch } => Renewed::Lost { epoch },
        })
    }

    async fn take_over(
        &self,
        run: &RunId,
        worker: &WorkerName,
        ttl: Period,
        above: u64,
    ) -> Result<TakenOver> {
        let claims = self.open_summary(run).await?.map(|summary| summary.claims).unwrap_or_default();
        let targets = self.leased(&claims);
        let mut missed = (String::new(), String::new());
        for _ in 0..TRIES {
            // The journal is here and nowhere else: who owns the run is for this store to say.
            let found = match self.survey(TAKE_OVER, &targets, |note| note.run == *run).await? {
                Ok(found) => found,
                Err(claim) => return Ok(TakenOver::Busy(claim)),
            };
            let above = found.iter().map(Found::epoch).max().unwrap_or(0).max(above);
            let taken = self.inner.take_over(run, worker, ttl, above).await?;
            let TakenOver::Owned(lease) = &taken else { return Ok(taken) };
            let claimant = self.claimant(run, worker, ttl, &targets, Stage::Driven);
            match Holding::claim(&self.leases, TAKE_OVER, claimant, &found, lease.epoch - 1).await? {
                Claimed::All(holding) => {
                    self.remember(run, holding);
                    return Ok(taken);
                }
                Claimed::Missed { name, said } => missed = (name, said),
            }
        }
        Err(self.leases.refused(TAKE_OVER, &missed.0, missed.1))
    }

    async fn journal(&self, run: &RunId, from: u64) -> Result<Vec<JournalEntry>> {
        self.inner.journal(run, from).await
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

impl LeasedStore {
    fn claimant(
        &self,
        run: &RunId,
        worker: &WorkerName,
        ttl: Period,
        targets: &BTreeMap<String, Fenced>,
        stage: Stage,
    ) -> Claimant {
        let claims = targets.values().cloned().collect();
        let note = Note { run: run.clone(), claims, since: self.leases.now(), stage, released: None };
        Claimant { holder: worker.as_str().to_owned(), lasts: LeaseTerm::of(ttl), note: Some(note) }
    }
}

fn claim(summary: &RunSummary, target: &Fenced) -> Claim {
    Claim {
        target: target.clone(),
        run: summary.run.clone(),
        holder: summary.holder.clone(),
        since: summary.opened_at,
        expires_at: summary.expires_at,
    }
}
