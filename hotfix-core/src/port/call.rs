//! What every mutation takes and answers.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::{IdempotencyKey, Period, Stamp, Timestamp};

/// The context of one mutation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Names the intended effect. A target that applied this key before does not apply it again.
    pub key: IdempotencyKey,
    /// The fence: must be above every stamp the target accepted before.
    pub stamp: Stamp,
    /// When the caller stops waiting. A backend stops trying by then and answers what it knows.
    pub deadline: Timestamp,
}

/// The answer to a mutation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// It was applied, now or by an earlier call with the same key.
    Applied(Receipt),
    /// It was surely not applied and this request never will be.
    Rejected(Rejection),
    /// It was surely not applied: the fence or the precondition did not hold.
    Conflict(Conflict),
    /// It may have been applied, or may still be.
    Ambiguous(Ambiguity),
}

/// What an applied mutation leaves for people: one line, without secrets.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Receipt(pub String);

/// Why a mutation was refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "rejected")]
pub enum Rejection {
    /// The same request cannot succeed; the text names the value and the mend.
    Permanent {
        /// Why.
        reason: String,
    },
    /// The same request may succeed later.
    Busy {
        /// Why.
        reason: String,
        /// How long the other side asked to wait.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<Period>,
    },
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Permanent { reason } => write!(f, "refused: {reason}"),
            Self::Busy { reason, retry_after: Some(wait) } => write!(f, "busy for {wait}: {reason}"),
            Self::Busy { reason, retry_after: None } => write!(f, "busy: {reason}"),
        }
    }
}

/// What stood in the way of a mutation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "conflict")]
pub enum Conflict {
    /// The target accepted a stamp that is not below the one of the call.
    Fenced {
        /// The highest accepted stamp.
        current: Stamp,
    },
    /// The precondition does not hold.
    Drifted {
        /// What was expected.
        expected: String,
        /// What is there.
        found: String,
    },
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fenced { current } => write!(f, "the target has accepted stamp {current}"),
            Self::Drifted { expected, found } => write!(f, "expected {expected}, found {found}"),
        }
    }
}

/// Why the outcome of a mutation is not known.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "ambiguous")]
pub enum Ambiguity {
    /// No answer by the deadline.
    Timeout,
    /// The connection or the program ended after the request was sent.
    Interrupted {
        /// What was seen.
        cause: String,
    },
    /// The other side answered something that does not say.
    Unclear {
        /// What it answered.
        answer: String,
    },
}

impl fmt::Display for Ambiguity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("no answer in time"),
            Self::Interrupted { cause } => write!(f, "interrupted: {cause}"),
            Self::Unclear { answer } => write!(f, "unclear answer: {answer}"),
        }
    }
}

/// The answer to `seal`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seal {
    /// The fence stands at the new stamp (or stood there already by the same stamp).
    Sealed(Sealed),
    /// The target accepted a higher stamp: somebody else owns it now.
    Overtaken {
        /// The highest accepted stamp.
        current: Stamp,
    },
    /// The target could not be reached, or its answer was lost. Seal again.
    Unreachable {
        /// What was seen.
        cause: String,
    },
}

/// What a seal found.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sealed {
    /// The highest stamp that was accepted before.
    pub previous: Stamp,
}

/// The answer to `probe`. Only trusted as a negative after a seal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// The key was applied.
    Applied(Receipt),
    /// The key was not applied, and the target holds what it held before.
    NotApplied,
    /// The key was not applied, and the target holds something neither this key nor its precondition explains.
    Drifted {
        /// What is there.
        found: String,
    },
    /// The target could not be read.
    Unreadable {
        /// What was seen.
        cause: String,
    },
}
