//! What attempts at a step may have left although the step was not applied.
//!
//! A verb of a deployer may be several writes, of which the last makes it applied. One that ended in between was not
//! applied, and yet something was changed. So the way back leads over workloads on which a verb was begun, not only over
//! those on which one was applied: to restore what is as it was does no harm. References move together or not at all.

use super::{Failure, Run, StepState};
use crate::plan::{StepId, Undo};
use crate::port::Conflict;

/// What attempts at a step may have left that were not applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trace {
    /// Nothing.
    None,
    /// Nothing: the target refused the last attempt as well.
    Refused,
    /// A part of what the step does.
    Possible,
}

impl Trace {
    /// What there may be when another attempt is about to be sent.
    pub(super) const fn before_another(self) -> Self {
        match self {
            Self::Possible => Self::Possible,
            Self::None | Self::Refused => Self::None,
        }
    }

    /// What there may be when an attempt was found not to be applied. What was refused stays refused when it is found out
    /// about once more because no other attempt follows.
    pub(super) const fn after(self, failure: &Failure) -> Self {
        match (self, failure) {
            (Self::Possible, _) => Self::Possible,
            (Self::Refused, _) => Self::Refused,
            (Self::None, Failure::Rejected(_) | Failure::Conflict(Conflict::Drifted { .. })) => Self::Refused,
            // A fence that stands at the stamp of the attempt was raised by the attempt itself.
            (
                Self::None,
                Failure::Conflict(Conflict::Fenced { .. }) | Failure::Unanswered(_) | Failure::Interrupted,
            ) => Self::Possible,
        }
    }
}

impl Run {
    /// Returns whether a step of the way back has something to take back: a step that it covers was applied, or changes a
    /// workload and may have been applied in part.
    #[must_use]
    pub fn is_due(&self, undo: &Undo) -> bool {
        undo.covers.iter().any(|step| self.has_left_something(*step))
    }

    fn has_left_something(&self, step: StepId) -> bool {
        let at = usize::from(step.0);
        let is_begun = self.is_workload(step) && self.traces.get(at) == Some(&Trace::Possible);
        is_begun || matches!(self.steps.get(at), Some(StepState::Applied { .. }))
    }
}
