//! `IncidentStore`: the journal, the claims, the outbox and the incidents, in one transactional place.

mod outbox;
mod run;

use std::fmt::Debug;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

pub use outbox::{OutboxItem, OutboxState, Settlement};
pub use run::{
    Append, Appended, Basis, Claim, Heard, JournalEntry, KnownGood, Lease, NewIncident, NewRun, Opened,
    Renewed, RunFilter, RunState, RunSummary, Signal, SignalEntry, TakenOver,
};

use crate::error::Result;
use crate::model::{Incident, IncidentId, Period, RunId, Target, TimelineEvent, WorkerName};

/// Stores everything that must survive.
///
/// # Contract
/// A run owns its targets through a claim; the claim carries an epoch that rises with every takeover. Writing to a
/// run's journal takes the current epoch and the next sequence number, compared in the same transaction that writes.
/// A *new* run may claim a target only when no run is active on it; an expired lease lets another worker take over
/// the *same* run, never start a different one. Expiry is judged by the store's own clock.
/// What a method acknowledged survives the death of the process and, where the medium allows, of the machine.
/// An append whose answer was lost may have been written: read the journal again.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait IncidentStore: Debug + Send + Sync {
    /// Returns what this backend can do.
    fn capabilities(&self) -> StoreCapabilities;

    /// Opens a run: claims all its targets, writes the first journal entry, opens or joins the incident and writes
    /// postings and timeline, in one transaction.
    ///
    /// *Errors*: `AlreadyExists` when the run id was used, or the incident id for another incident; `Invalid` when
    /// no target is claimed, or one twice; `Full`, `Unavailable`, `Corrupt`.
    /// A target that is claimed is an answer ([`Opened::Busy`]), not an error.
    async fn open_run(&self, run: NewRun) -> Result<Opened>;

    /// Appends one entry, with everything that must be true with it, in one transaction.
    ///
    /// *Errors*: `NotFound` for an unknown run; `Full`, `Unavailable`.
    /// *Idempotency*: the sequence number is the key: an entry that is there with the same bytes and epoch answers
    /// [`Appended::Written`] again.
    async fn append(&self, append: Append) -> Result<Appended>;

    /// Extends the lease.
    ///
    /// *Errors*: `NotFound` for an unknown run; `Unavailable`.
    async fn renew(&self, run: &RunId, epoch: u64, ttl: Period) -> Result<Renewed>;

    /// Takes over a run that has no terminal entry, if its lease expired or is already held by `worker`.
    /// Raises the epoch, above `above` as well: 0, unless epochs of its targets are given out elsewhere too.
    ///
    /// *Errors*: `NotFound` for an unknown run; `Unavailable`.
    async fn take_over(&self, run: &RunId, worker: &WorkerName, ttl: Period, above: u64)
    -> Result<TakenOver>;

    /// Reads a journal, in order.
    ///
    /// *Errors*: `NotFound` for an unknown run; `Corrupt` naming the entry; `TooNew`.
    async fn journal(&self, run: &RunId, from: u64) -> Result<Vec<JournalEntry>>;

    /// Lists runs, oldest first.
    async fn runs(&self, filter: RunFilter) -> Result<Vec<RunSummary>>;

    /// Leaves a signal for whoever drives the run.
    ///
    /// *Errors*: `NotFound` for an unknown run; `Conflict` when the run has ended.
    /// *Idempotency*: a signal id that is there is not stored again.
    async fn signal(&self, run: &RunId, signal: SignalEntry) -> Result<()>;

    /// Reads the signals of runs that were left after those that are known, each run's in the order they were left. One
    /// call for all the runs that a process drives, once a second. A run that is not there has none.
    ///
    /// *Errors*: `Unavailable`.
    async fn signals(&self, known: &[Heard]) -> Result<Vec<(RunId, SignalEntry)>>;

    /// Leases postings to a destination that are due, oldest first, at most one per thread. A leased posting is
    /// not handed out again before `ttl`; then it comes back as [`OutboxState::Uncertain`]. A posting that was given
    /// up does not hold up the rest of its thread.
    async fn lease_outbox(&self, destination: &str, ttl: Period, limit: usize) -> Result<Vec<OutboxItem>>;

    /// Records what became of a posting, as it was leased. That it arrived is a fact, whoever says so; everything else
    /// counts only from whoever leased it last. A late word changes nothing, and is no error.
    ///
    /// *Errors*: `NotFound`.
    async fn settle_outbox(&self, item: &OutboxItem, settlement: Settlement) -> Result<()>;

    /// Lists postings that were not delivered: waiting, ambiguous or given up.
    async fn undelivered(&self) -> Result<Vec<OutboxItem>>;

    /// Reads an incident.
    ///
    /// *Errors*: `NotFound`.
    async fn incident(&self, id: &IncidentId) -> Result<Incident>;

    /// Reads the timeline of an incident, in the order of writing.
    ///
    /// *Errors*: `NotFound`.
    async fn timeline(&self, id: &IncidentId) -> Result<Vec<TimelineEvent>>;

    /// Reads what is known of releases on a target, the newest first, each artifact once: with what was written last.
    async fn known_good(&self, target: &Target, limit: usize) -> Result<Vec<KnownGood>>;
}

/// What a store can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreCapabilities {
    /// What an acknowledged write survives.
    pub durability: Durability,
    /// Who can share it.
    pub sharing: Sharing,
}

/// What an acknowledged write survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// Nothing: it is gone with the process.
    Process,
    /// The death of the machine.
    Machine,
}

/// Who can share a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sharing {
    /// Tasks of one process.
    Process,
    /// Processes of one host.
    Host,
    /// Any host.
    Network,
}
