//! Journal records: what a run knows, in the order in which it became true.
//!
//! An [`Record::Intent`] is committed before the first byte of an effect is sent, its [`Record::Outcome`] when a reply
//! or a probe is definite. An intent without an outcome is *unknown*, never *not done*.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Outcome;
use crate::model::{Fenced, IdempotencyKey, RunId, Sample, Stamp, Timestamp, Verdict, WorkerName};
use crate::plan::{Plan, StepId};
use crate::port::{Ambiguity, Conflict, Receipt, Rejection, SignalEntry};

/// One entry of a run's journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "body")]
pub enum Record {
    /// Number 0, written with the claim: everything the run rests on.
    Planned(Box<Planned>),
    /// A worker took the run over.
    Takeover {
        /// Its epoch.
        epoch: u64,
        /// Who.
        worker: WorkerName,
    },
    /// An effect is about to be sent.
    Intent(Intent),
    /// What became of it.
    Outcome {
        /// The step.
        step: StepId,
        /// The stamp of the attempt.
        stamp: Stamp,
        /// What is known now.
        result: StepResult,
    },
    /// The fence of a target was raised, so that a negative probe can be trusted.
    Sealed {
        /// The step whose effect is unknown.
        step: StepId,
        /// The target.
        target: Fenced,
        /// The stamp it was raised to.
        stamp: Stamp,
    },
    /// A gate was opened.
    Opened {
        /// The gate.
        step: StepId,
        /// When.
        at: Timestamp,
        /// When it closes by itself, as a failure.
        deadline: Timestamp,
    },
    /// One look at the metrics of an open gate.
    Sampled {
        /// The gate.
        step: StepId,
        /// What was seen.
        sample: Sample,
    },
    /// What an open gate proved. Written once per gate, never changed.
    Verdict {
        /// The gate.
        step: StepId,
        /// The verdict.
        verdict: Verdict,
    },
    /// A signal was accepted.
    Signal {
        /// Its place among the signals of the run.
        index: u64,
        /// What was said, by whom and when.
        entry: SignalEntry,
    },
    /// A gate cannot decide and stays at its weight: a human should look.
    Held {
        /// The gate.
        step: StepId,
        /// Why.
        reason: String,
    },
    /// A target cannot be sealed or read. The claim stays until it can.
    Quarantined {
        /// The step whose effect is unknown.
        step: StepId,
        /// The target.
        target: Fenced,
        /// What was seen.
        cause: String,
    },
    /// The end. Nothing follows.
    Terminal(Outcome),
}

/// What a run rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    /// The run.
    pub run: RunId,
    /// The plan.
    pub plan: Plan,
    /// Who started it.
    pub worker: WorkerName,
    /// When.
    pub at: Timestamp,
}

/// An effect about to be sent: everything a stranger needs to find out what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Intent {
    /// The step.
    pub step: StepId,
    /// The stamp of this attempt.
    pub stamp: Stamp,
    /// The key, the same for all attempts.
    pub key: IdempotencyKey,
    /// Which attempt, from 1.
    pub attempt: u8,
    /// When the outcome of this attempt counts as unknown.
    pub until: Timestamp,
    /// When the step as a whole fails.
    pub deadline: Timestamp,
}

/// What is known of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "result")]
pub enum StepResult {
    /// It was applied.
    Applied {
        /// What it left.
        receipt: Receipt,
    },
    /// It was not applied and never will be; it is tried again.
    Retry {
        /// Why not.
        failure: Failure,
        /// Not before.
        not_before: Timestamp,
    },
    /// It was not applied and never will be; the step failed.
    Failed {
        /// Why not.
        failure: Failure,
    },
    /// The target holds something neither the plan nor its start explains. Nothing is overwritten.
    Drifted {
        /// What is there.
        found: String,
    },
}

/// Why an effect was not applied.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// The target refused it.
    Rejected(Rejection),
    /// The fence or the precondition stood in the way.
    Conflict(Conflict),
    /// Its outcome was unknown, until a seal and a probe showed that it was not applied.
    Unanswered(Ambiguity),
    /// The process that sent it ended, until a seal and a probe showed that it was not applied.
    Interrupted,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(rejection) => rejection.fmt(f),
            Self::Conflict(conflict) => conflict.fmt(f),
            Self::Unanswered(ambiguity) => write!(f, "not applied ({ambiguity})"),
            Self::Interrupted => f.write_str("not applied (the process that sent it ended)"),
        }
    }
}
