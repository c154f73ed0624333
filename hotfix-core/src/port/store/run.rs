//! Runs in the store: opening, owning, writing and listing them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::{
    Fenced, IncidentId, IssueKey, Period, Release, RunId, Severity, Target, TimelineEvent, Timestamp,
    WorkerName,
};
use crate::port::Posting;

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
    /// The epoch of the run is above this one: 0, unless epochs of its targets are given out elsewhere too.
    pub epoch_above: u64,
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

/// The answer to [`IncidentStore::open_run`](super::IncidentStore::open_run).
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
    /// What is known of releases with this entry, the newest last; it replaces what was known of the same artifact.
    pub known_good: Vec<KnownGood>,
}

/// What is known of a release on a target: whether it can be gone back to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownGood {
    /// The target.
    pub target: Target,
    /// The release.
    pub release: Release,
    /// Since when that is known.
    pub at: Timestamp,
    /// How it is known.
    #[serde(default)]
    pub basis: Basis,
}

/// What it is known from that a release is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// A run deployed it, and it passed.
    #[default]
    Proven,
    /// No run deployed it: it was live, and all of its instances were well, when a run that succeeded replaced it.
    Served,
    /// A run went back from it: whatever was known before, it is no longer good.
    Withdrawn,
}

impl Basis {
    /// Returns whether a run proved it.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        *self == Self::Proven
    }
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

/// The answer to [`IncidentStore::append`](super::IncidentStore::append).
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

/// The answer to [`IncidentStore::renew`](super::IncidentStore::renew).
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

/// The answer to [`IncidentStore::take_over`](super::IncidentStore::take_over).
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

/// How many signals of a run are known: those that were left first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The run.
    pub run: RunId,
    /// How many.
    pub signals: u64,
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
    /// Go on: whoever says so agrees to what the run asks for.
    Approve,
    /// Go to all of the traffic at once: the shares that were to come before are left out, the look at all of it stays.
    Hasten {
        /// Why.
        reason: String,
    },
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancel { reason } => write!(f, "cancel: {reason}"),
            Self::Approve => f.write_str("go on"),
            Self::Hasten { reason } => write!(f, "go to 100 % at once: {reason}"),
        }
    }
}
