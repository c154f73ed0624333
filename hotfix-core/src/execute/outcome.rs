//! How a run ends.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Failure;
use crate::model::{Fenced, Release};
use crate::plan::StepId;

/// The end of a run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Outcome {
    /// Everything was done.
    Succeeded {
        /// What is live now; `None` when the plan deployed nothing.
        release: Option<Release>,
    },
    /// Everything that was done was taken back.
    RolledBack {
        /// Why.
        cause: Cause,
        /// What could not be tidied up; the workloads are as they were.
        left: Vec<StepId>,
    },
    /// It was stopped before anything was deployed.
    Cancelled {
        /// Who stopped it.
        by: String,
        /// Why.
        reason: String,
        /// What could not be tidied up.
        left: Vec<StepId>,
    },
    /// A human must take over.
    Escalated {
        /// Why.
        cause: Cause,
        /// What is known of each target.
        known: Vec<Known>,
    },
}

/// Why a run did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "cause")]
pub enum Cause {
    /// A gate did not pass; its verdict is in the journal.
    Verdict {
        /// The gate.
        step: StepId,
        /// The verdict in one line.
        summary: String,
    },
    /// A step failed.
    Step {
        /// The step.
        step: StepId,
        /// Why.
        failure: Failure,
    },
    /// A target holds something foreign.
    Drift {
        /// The step that met it.
        step: StepId,
        /// What is there.
        found: String,
    },
    /// Somebody stopped the run.
    Cancelled {
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
}

/// What is known of a target when a human takes over.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Known {
    /// The target.
    pub target: Fenced,
    /// The last step that was applied to it.
    pub last_applied: Option<StepId>,
    /// What was found there, when it was not what the plan explains.
    pub found: Option<String>,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verdict { step, summary } => write!(f, "step {step}: {summary}"),
            Self::Step { step, failure } => write!(f, "step {step}: {failure}"),
            Self::Drift { step, found } => write!(f, "step {step} met something foreign: {found}"),
            Self::Cancelled { by, reason } => write!(f, "cancelled by {by}: {reason}"),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Succeeded { release: Some(release) } => {
                write!(f, "succeeded: {} ({release}) is live", release.version)
            }
            Self::Succeeded { release: None } => f.write_str("succeeded"),
            Self::RolledBack { cause, .. } => write!(f, "rolled back: {cause}"),
            Self::Cancelled { by, reason, .. } => {
                write!(f, "cancelled by {by} before anything was deployed: {reason}")
            }
            Self::Escalated { cause, .. } => write!(f, "escalated, a human must take over: {cause}"),
        }
    }
}
