//! Postings in the store.

use serde::{Deserialize, Serialize};

use crate::model::Period;
use crate::port::{Delivered, Posting};

/// One posting in the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxItem {
    /// Its number.
    pub id: u64,
    /// The destination.
    pub destination: String,
    /// The posting, with the root's receipt once there is one.
    pub posting: Posting,
    /// How often it was handed out before. It differs from one lease to the next, so it tells who settles it late.
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
