//! `Notifier`: tells people, and can neither delay nor fail anything else.

use std::fmt::Debug;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::Silencing;
use crate::error::Result;
use crate::model::{IncidentId, Message, Period, RunId};

/// Delivers messages to one destination.
///
/// # Contract
/// Called only by the outbox, never on the path of a deploy or a rollback. The outbox keeps the order within a
/// thread, waits for the root's receipt before replies, and calls again after a transient outcome. A notifier does
/// not retry by itself.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait Notifier: Debug + Send + Sync {
    /// Returns what this destination can do.
    fn capabilities(&self) -> NotifierCapabilities;

    /// Returns the destination's name in the outbox, such as `slack:incidents`. Stable across restarts, free of
    /// secrets.
    fn destination(&self) -> &str;

    /// Delivers one posting, once.
    ///
    /// *Errors*: in the outcome; every failure of the service is classified.
    /// *Idempotency*: `posting.dedup` names the posting for ever; a service that takes a key gets it.
    /// *Cancellation*: the outcome is ambiguous.
    async fn deliver(&self, posting: &Posting) -> DeliveryOutcome;

    /// Looks whether a posting with an ambiguous outcome arrived.
    ///
    /// *Errors*: `Unsupported` where the service cannot tell.
    async fn find(&self, posting: &Posting) -> Result<PostingProbe>;
}

/// What a destination can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotifierCapabilities {
    /// Whether a posting can be an answer to another one.
    pub threads: Offered,
    /// Whether a posting can be changed later.
    pub updates: Offered,
    /// Whether [`Notifier::find`] can tell.
    pub probe: Offered,
}

/// Whether something is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Offered {
    /// It is.
    Yes,
    /// It is not.
    No,
}

/// One message on its way to one destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posting {
    /// Names this posting for ever, at this destination.
    pub dedup: String,
    /// The thread: all postings of a run about an incident share one root.
    pub thread: ThreadKey,
    /// What to do.
    pub kind: PostingKind,
    /// The message.
    pub message: Message,
    /// What to do about alerts: only at a destination that is a [`Silencer`](super::Silencer), and always there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silencing: Option<Silencing>,
    /// The receipt of the thread's root, once it was delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<Delivered>,
}

/// Which conversation a posting belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ThreadKey {
    /// The incident.
    pub incident: IncidentId,
    /// The run.
    pub run: RunId,
}

/// What to do with a posting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PostingKind {
    /// Post the root of the thread.
    Root,
    /// Post below the root, or as a message of its own where threads are not offered.
    Reply,
    /// A reply that everybody in the place should see: the run entered another phase or ended.
    Broadcast,
    /// Change the root in place. Skipped where updates are not offered.
    Update,
}

/// What a destination returned about a delivered posting: enough to answer or change it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    /// The place, such as a channel id; empty where the service returns none.
    pub channel: String,
    /// The id within the place; empty where the service returns none.
    pub id: String,
}

/// What became of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// It arrived.
    Delivered(Delivered),
    /// The service asked to wait. It did not arrive.
    Throttled {
        /// How long to wait, if the service said.
        wait: Option<Period>,
    },
    /// It surely did not arrive and may later.
    Transient {
        /// What was seen.
        cause: String,
    },
    /// It may have arrived.
    Ambiguous {
        /// What was seen.
        cause: String,
    },
    /// It cannot arrive as it is.
    Permanent {
        /// The service's code.
        code: String,
    },
    /// The message it changes or answers is gone. Post a new root.
    RootGone,
}

/// Whether a posting arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PostingProbe {
    /// It did.
    Found(Delivered),
    /// It did not.
    Absent,
}
