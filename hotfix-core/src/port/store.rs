//! `IncidentStore`: the journal, the claims, the outbox and the incidents, in one transactional place.

use std::fmt::Debug;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Delivered, Posting};
use crate::error::Result;
use crate::model::{
    Fenced, Incident, IncidentId, IssueKey, Period, Release, RunId, Severity, Target, TimelineEvent,
    Timestamp, WorkerName,
};

/// Stores everything that must survive.
///
/// # Contract
/// A run owns its targets through a claim; the claim carries an epoch that rises with every takeover. Writing to a
/// run's journal takes the current epoch and the next sequence number, compared in the same transaction that writes.
/// A *new* run may claim a target only when no run is active on it; an expired lease lets another worker take over
/// the *same* run, never start a different one. Expiry is judged by the store's own clock.
/// What a method acknowledged survives the death of the process and, where the medium allows, of the machine.
/// An append whose answer was lost may have been written: read the journal again.
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
    /// Raises the epoch.
    ///
    /// *Errors*: `NotFound` for an unknown run; `Unavailable`.
    async fn take_over(&self, run: &RunId, worker: &WorkerName, ttl: Period) -> Result<TakenOver>;

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

    /// Reads the signals of a run, in the order they were left, after the first `skip`.
    async fn signals(&self, run: &RunId, skip: u64) -> Result<Vec<SignalEntry>>;

    /// Leases postings that are due, oldest first, at most one per thread and destination. A leased posting is
    /// not handed out again before `ttl`.
    async fn lease_outbox(&self, ttl: Period, limit: usize) -> Result<Vec<OutboxItem>>;

    /// Records what became of a leased posting.
    ///
    /// *Errors*: `NotFound`.
    async fn settle_outbox(&self, id: u64, settlement: Settlement) -> Result<()>;

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

    /// Reads the releases that were proven healthy on a target, the last proof first, each artifact once.
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

/// A run to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRun {
    /// Its id.
    pub run: RunId,
    /// Who drives it.
    pub worker: WorkerName,
    /// What it claims, in order.
    pub claims: Vec<Fenced>,
    /// How long the lease lasts without renewal.
    pub ttl: Period,
    /// The incident to join, or to open when none is open for the issue.
    pub incident: NewIncident,
    /// The first journal entry.
    pub body: String,
    /// What happened, for people.
    pub timeline: Vec<TimelineEvent>,
    /// What to tell, one posting per destination. The incident id in each thread is replaced by that of the
    /// incident that was joined.
    pub postings: Vec<(String, Posting)>,
}

/// An incident to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewIncident {
    /// The id it gets if it is opened.
    pub id: IncidentId,
    /// The issue.
    pub issue: IssueKey,
    /// What is broken.
    pub title: String,
    /// How bad it is.
    pub severity: Severity,
}

/// The answer to [`IncidentStore::open_run`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// The run is open and owned.
    Claimed {
        /// The lease.
        lease: Lease,
        /// The incident it belongs to.
        incident: IncidentId,
    },
    /// Another run is active on a target. Nothing was written.
    Busy(Claim),
}

/// Ownership of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The run.
    pub run: RunId,
    /// The epoch.
    pub epoch: u64,
    /// When it ends unless renewed, by the store's clock.
    pub expires_at: Timestamp,
}

/// Who holds a target: everything a refused caller wants to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The target.
    pub target: Fenced,
    /// The run that is active on it.
    pub run: RunId,
    /// Who drives that run.
    pub holder: WorkerName,
    /// Since when.
    pub since: Timestamp,
    /// When its lease ends unless renewed.
    pub expires_at: Timestamp,
}

/// One append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Append {
    /// The run.
    pub run: RunId,
    /// The epoch the caller owns.
    pub epoch: u64,
    /// The sequence number: that of the last entry plus one.
    pub seq: u64,
    /// The entry.
    pub body: String,
    /// What happens to the run with this entry.
    pub state: RunState,
    /// What happened, for people.
    pub timeline: Vec<TimelineEvent>,
    /// What to tell, by destination.
    pub postings: Vec<(String, Posting)>,
    /// Releases proven healthy by this entry.
    pub known_good: Vec<KnownGood>,
}

/// A release that was proven healthy on a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownGood {
    /// The target.
    pub target: Target,
    /// The release.
    pub release: Release,
    /// When the proof was complete.
    pub at: Timestamp,
}

/// Where a run stands, as far as claims are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// It goes on.
    Active,
    /// It goes on, but a target cannot be sealed: a human is needed. The claims stay.
    Quarantined,
    /// It ended: the claims are released in the same transaction.
    Ended,
}

/// The answer to [`IncidentStore::append`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Appended {
    /// It is written.
    Written,
    /// The epoch or the sequence number is not the current one: somebody else owns the run. Nothing was written.
    Lost {
        /// The current epoch.
        epoch: u64,
    },
}

/// The answer to [`IncidentStore::renew`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewed {
    /// The lease lasts until then.
    Until(Timestamp),
    /// The epoch is not the current one, or the run ended.
    Lost {
        /// The current epoch.
        epoch: u64,
    },
}

/// The answer to [`IncidentStore::take_over`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TakenOver {
    /// The caller owns the run.
    Owned(Lease),
    /// Somebody else does.
    Busy(Claim),
    /// The run has ended.
    Ended,
}

/// One journal entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalEntry {
    /// Its number, from 0.
    pub seq: u64,
    /// The epoch of the owner that wrote it.
    pub epoch: u64,
    /// When it was written, by the store's clock.
    pub at: Timestamp,
    /// The entry as encoded by the execute stage.
    pub body: String,
}

/// Which runs to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunFilter {
    /// Those that have not ended.
    Open,
    /// All.
    All,
}

/// A run in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSummary {
    /// Its id.
    pub run: RunId,
    /// Where it stands.
    pub state: RunState,
    /// Who drives it.
    pub holder: WorkerName,
    /// The current epoch.
    pub epoch: u64,
    /// What it claims.
    pub claims: Vec<Fenced>,
    /// The incident it belongs to.
    pub incident: IncidentId,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When its lease ends unless renewed.
    pub expires_at: Timestamp,
    /// The number of journal entries.
    pub entries: u64,
}

/// A word to a running run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalEntry {
    /// Names it for ever.
    pub id: String,
    /// What it says.
    pub signal: Signal,
    /// Who says it.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// What can be said to a run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "signal")]
#[non_exhaustive]
pub enum Signal {
    /// Stop. Before any deploy the run ends cancelled; after one it rolls back.
    Cancel {
        /// Why.
        reason: String,
    },
}

/// One posting in the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxItem {
    /// Its number.
    pub id: u64,
    /// The destination.
    pub destination: String,
    /// The posting, with the root's receipt once there is one.
    pub posting: Posting,
    /// How often it was tried.
    pub attempts: u32,
    /// Where it stands.
    pub state: OutboxState,
}

/// Where a posting stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutboxState {
    /// It waits for its turn.
    Waiting,
    /// It was handed out, and the process that took it may have died: look before sending again.
    Uncertain,
    /// It was given up.
    Dead {
        /// Why.
        cause: String,
    },
}

/// What became of a posting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// It arrived.
    Delivered(Delivered),
    /// It did not arrive; try again after a while.
    Retry {
        /// When.
        after: Period,
        /// What was seen.
        cause: String,
    },
    /// It may have arrived: look, then decide.
    Uncertain {
        /// When to look.
        after: Period,
        /// What was seen.
        cause: String,
    },
    /// It is given up.
    Dead {
        /// Why.
        cause: String,
    },
}
