//! Stage 3: from a request, observed facts and a policy to a complete, printable plan.
//!
//! Everything here is synchronous and deterministic: the same input gives the same plan, byte for byte. The rollback
//! is computed before anything runs. What stands in the way is a list of [`Refusal`]s, all of them at once; what is
//! worth knowing is a list of [`Finding`]s. [`check`] is a second opinion on any plan and shares no code with the
//! rest.

mod admission;
mod check;
mod create;
mod deploy;
mod draft;
mod finding_text;
mod finished;
mod forward;
mod mermaid;
mod print;
mod refusal;
mod refusal_text;
mod report;
mod revert;
mod rollback;
mod safety;
mod shares;
mod step;
mod strategy;
mod watch;
mod wording;

use serde::{Deserialize, Serialize};

use crate::model::{RefName, Release, Target};
use crate::observe::Snapshot;
use crate::policy::Policy;
use crate::request::{Goal, Request};

pub use crate::policy::Execution;
pub use check::{Violation, check};
pub use finished::{Baseline, Budget, Judging, MalformedPlan, Plan, PlanDraft};
pub use mermaid::Mermaid;
pub use refusal::{IgnoredApproval, Refusal, Refused, Subject, WhyIgnored, Yields};
pub use report::{Finding, Level, Report, StagingSkipped, StrategyChoice};
pub use step::{Action, Gate, OnFailure, Step, StepId, Undo};

use safety::Facts;

/// Makes the plan of a request.
///
/// # Errors
/// [`Refused`] with everything that stands in the way, each with what to do about it.
pub fn plan(request: &Request, snapshot: &Snapshot, policy: &Policy) -> Result<Planned, Refused> {
    let facts = Facts { request, snapshot, policy };
    match &request.goal {
        Goal::Create { .. } => create::plan(facts),
        Goal::Deploy { .. } => deploy::plan(facts),
        Goal::Rollback { target, to, ask, .. } => revert::plan(facts, target, to, *ask),
        Goal::Watch { target, lasting } => watch::plan(facts, target, *lasting),
    }
}

/// What planning gave.
#[derive(Debug, Clone, PartialEq)]
pub enum Planned {
    /// This is to be done.
    Plan(Box<Plan>),
    /// The world is already as it was asked for.
    NothingToDo(NothingToDo),
}

/// Why nothing is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "nothing_to_do")]
#[non_exhaustive]
pub enum NothingToDo {
    /// The fix is live and published.
    #[error("nothing to do: {target} runs {release}, which has the fix, and it is merged and tagged")]
    FixIsLive {
        /// The workload.
        target: Target,
        /// What it runs.
        release: Release,
    },
    /// The release to go back to is live.
    #[error("nothing to do: {target} runs {release} already, with all the traffic")]
    ReleaseIsLive {
        /// The workload.
        target: Target,
        /// What it runs.
        release: Release,
    },
    /// The branch is there.
    #[error("nothing to do: branch {} exists and starts at the release", branch.short())]
    BranchExists {
        /// The branch.
        branch: RefName,
    },
}
