//! What can be wrong with an instance, as seen by whoever runs it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Period;

/// A fact about one instance of a slot that no metric needs to confirm.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "fault")]
#[non_exhaustive]
pub enum Fault {
    /// It ended and was started again, several times in a short while.
    CrashLoop {
        /// The instance.
        instance: String,
        /// How often it was started again.
        restarts: u32,
    },
    /// It ended.
    Exited {
        /// The instance.
        instance: String,
        /// What the system says of the end, such as `exit status 1` or `killed by signal 9`.
        status: String,
    },
    /// What it should run cannot be fetched.
    ImagePull {
        /// The instance.
        instance: String,
        /// What the system says.
        reason: String,
    },
    /// It cannot be started at all.
    CannotStart {
        /// The instance.
        instance: String,
        /// What the system says.
        reason: String,
    },
    /// It was not ready in time.
    NeverReady {
        /// The instance.
        instance: String,
        /// How long it was given.
        after: Period,
    },
    /// It was ready and is not any more.
    ReadinessLost {
        /// The instance.
        instance: String,
        /// What its health check says.
        reason: String,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CrashLoop { instance, restarts } => {
                write!(f, "{instance} is in a crash loop ({restarts} restarts)")
            }
            Self::Exited { instance, status } => write!(f, "{instance} ended: {status}"),
            Self::ImagePull { instance, reason } => write!(f, "{instance} cannot fetch its image: {reason}"),
            Self::CannotStart { instance, reason } => write!(f, "{instance} cannot be started: {reason}"),
            Self::NeverReady { instance, after } => write!(f, "{instance} was not ready within {after}"),
            Self::ReadinessLost { instance, reason } => write!(f, "{instance} is no longer ready: {reason}"),
        }
    }
}
