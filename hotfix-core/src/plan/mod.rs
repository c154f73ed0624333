//! Stage 3: from a request, observed facts and a policy to a complete, printable plan.
//!
//! Everything here is synchronous and deterministic: the same input gives the same plan, byte for byte. The rollback
//! is computed before anything runs.

mod execution;
mod finished;
mod report;
mod step;

pub use execution::Execution;
pub use finished::{Baseline, MalformedPlan, Plan, PlanDraft};
pub use report::{Finding, Report};
pub use step::{Action, Gate, OnFailure, Step, StepId, Undo};
