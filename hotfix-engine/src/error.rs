//! What can keep an engine from planning, starting or driving a run.

use hotfix_core::execute::{CodecError, JournalError};
use hotfix_core::model::{InvalidValue, RunId};
use hotfix_core::plan::{Refused, Violation};
use hotfix_core::port::Claim;

/// An error of the engine. A run that fails is no error: it ends with an outcome.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// A backend is missing.
    #[error("the engine has no {0}; give it one with the builder")]
    Incomplete(&'static str),
    /// Two checks have the same name.
    #[error("two checks are called {check:?}; give each a name of its own")]
    SameName {
        /// The name.
        check: String,
    },
    /// A value that came from a backend or the embedder cannot exist.
    #[error(transparent)]
    Invalid(#[from] InvalidValue),
    /// A port failed.
    #[error(transparent)]
    Port(#[from] hotfix_core::Error),
    /// The request cannot be planned; the reasons say what to do.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The plan breaks a safety rule. Plans made by the planner never do.
    #[error("the plan is not safe: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Unsafe(Vec<Violation>),
    /// Another run is active on a target of the plan.
    #[error(
        "{} belongs to run {}, driven by {} since {}, whose lease lasts until {} unless renewed; follow it with \
         `watch {}`, or wait until it ends",
        .0.target, .0.run, .0.holder, .0.since.format("%Y-%m-%d %H:%M:%S UTC"),
        .0.expires_at.format("%H:%M:%S UTC"), .0.run
    )]
    Busy(Claim),
    /// Another worker drives the run.
    #[error(
        "run {} is driven by {} until {}; it can be taken over when that lease ends",
        .0.run, .0.holder, .0.expires_at.format("%H:%M:%S UTC")
    )]
    Driven(Claim),
    /// The run was taken over by another worker while this one drove it.
    #[error("run {run} was taken over by another worker; follow it with `watch {run}`")]
    TakenOver {
        /// The run.
        run: RunId,
    },
    /// There is no such run.
    #[error("there is no run {run}; `status` lists those there are")]
    Unknown {
        /// The run.
        run: RunId,
    },
    /// The run has ended.
    #[error("run {run} has ended")]
    Ended {
        /// The run.
        run: RunId,
    },
    /// A journal entry cannot be read.
    #[error("run {run}, journal entry {entry}: {source}")]
    Codec {
        /// The run.
        run: RunId,
        /// The entry.
        entry: u64,
        /// Why.
        source: CodecError,
    },
    /// A journal cannot be what a run wrote.
    #[error("run {run}: {source}")]
    Journal {
        /// The run.
        run: RunId,
        /// Why.
        source: JournalError,
    },
    /// The driver's task ended without a word: the runtime was shut down, or there is a defect.
    #[error("the driver of run {run} is gone; resume the run")]
    DriverGone {
        /// The run.
        run: RunId,
    },
}
