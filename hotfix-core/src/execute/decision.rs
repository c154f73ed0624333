//! What a verdict and a word from outside mean for a run.

use super::{Cause, Course, Run, StepState};
use crate::model::{Verdict, VerdictOutcome};
use crate::plan::{Action, Gate, Step, StepId};
use crate::port::{Signal, SignalEntry};

impl Run {
    /// Closes a gate. Whatever is not a pass fails it.
    pub(super) fn decide(&mut self, step: StepId, verdict: &Verdict) {
        let gate = self.plan.step(step).map(|step| &step.action);
        let nobody_agreed = matches!(gate, Some(Action::Gate(Gate::Approval { .. })));
        // The release stays where it is, whether its watch saw anything or not.
        let needs_no_pass = matches!(gate, Some(Action::Gate(Gate::Watch { .. })));
        let passes = match verdict.outcome {
            VerdictOutcome::Pass => true,
            VerdictOutcome::Inconclusive => needs_no_pass,
            VerdictOutcome::Fail => false,
        };
        if passes {
            self.steps[usize::from(step.0)] = StepState::Passed;
            return;
        }
        let gate = std::mem::replace(&mut self.steps[usize::from(step.0)], StepState::Refused);
        let cause = if nobody_agreed {
            Cause::Cancelled { by: "the deadline".to_owned(), reason: "nobody agreed in time".to_owned() }
        } else {
            Cause::Verdict { step, summary: summary(verdict, gate) }
        };
        self.fail(step, cause);
    }

    /// Takes up what somebody says.
    pub(super) fn accept(&mut self, entry: &SignalEntry) {
        match &entry.signal {
            Signal::Cancel { reason } if self.course == Course::Forward && self.can_be_cancelled() => {
                self.course = Course::Back(Cause::Cancelled { by: entry.by.clone(), reason: reason.clone() });
                self.doubt_refusals();
            }
            Signal::Approve if self.course == Course::Forward => self.agree(),
            Signal::Hasten { .. } if self.course == Course::Forward => self.hasten(),
            Signal::Cancel { .. } | Signal::Approve | Signal::Hasten { .. } => {}
        }
    }

    /// A run that changes nothing can be ended at any time.
    fn can_be_cancelled(&self) -> bool {
        let is_gate = |step: &Step| matches!(step.action, Action::Gate(_));
        !self.is_past_return() || self.plan.steps().iter().all(is_gate)
    }

    /// Passes the next gate that waits for somebody's agreement, open or not: it may have been given a moment early.
    fn agree(&mut self) {
        let waits = |step: &&Step| {
            let state = &self.steps[usize::from(step.id.0)];
            let undecided = matches!(state, StepState::Pending | StepState::Open { .. });
            undecided && matches!(step.action, Action::Gate(Gate::Approval { .. }))
        };
        if let Some(gate) = self.plan.steps().iter().find(waits) {
            self.steps[usize::from(gate.id.0)] = StepState::Passed;
        }
    }

    /// Leaves out the shares of traffic on the way to all of it. What was sent is brought to its end first.
    fn hasten(&mut self) {
        let is_ahead = |step: StepId| {
            let state = &self.steps[usize::from(step.0)];
            matches!(state, StepState::Pending | StepState::Open { .. })
        };
        for step in self.plan.shares_ahead(is_ahead) {
            self.steps[usize::from(step.0)] = StepState::LeftOut;
        }
    }
}

/// Puts a verdict into a line. A deadline that passed while a human was waited for says nothing; why one was does.
fn summary(verdict: &Verdict, gate: StepState) -> String {
    match (verdict.outcome, gate) {
        (VerdictOutcome::Inconclusive, StepState::Open { held: Some(why), .. }) => {
            format!("{verdict}; {why}")
        }
        _ => verdict.to_string(),
    }
}
