//! The shares of traffic that can be left out on the way to all of it.

use super::{Action, Gate, Plan, Step, StepId};
use crate::model::{Effect, SlotName, Target, Verb};

/// What a step has to do with a share of the traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Look,
    Shift,
    Stage,
    Ready,
}

impl Plan {
    /// Returns the steps that take a rollout through parts of the traffic to its next look at all of it, of those that
    /// are ahead: the looks at a share, the shifts to one, and the instances that are added for one. What the look at
    /// all of the traffic rests on stays.
    #[must_use]
    pub fn shares_ahead(&self, is_ahead: impl Fn(StepId) -> bool) -> Vec<StepId> {
        let ahead = || self.steps().iter().filter(|step| is_ahead(step.id));
        let whole = ahead().find_map(|step| match &step.action {
            Action::Gate(Gate::Verify { target, canary, weight: 100, .. }) => Some((step.id, target, canary)),
            _ => None,
        });
        let Some((whole, target, slot)) = whole else { return Vec::new() };
        let before = ahead().take_while(|step| step.id < whole);
        let parts: Vec<_> =
            before.filter_map(|step| Some((step.id, Part::of(step, target, slot)?))).collect();
        if !parts.iter().any(|(_, part)| *part == Part::Look) {
            return Vec::new();
        }
        let is_last = |id: StepId, part: Part| !parts.iter().any(|(other, its)| *its == part && *other > id);
        let left_out = parts.iter().filter(|(id, part)| match part {
            Part::Look | Part::Shift => true,
            Part::Stage | Part::Ready => !is_last(*id, *part),
        });
        left_out.map(|(id, _)| *id).collect()
    }
}

impl Part {
    fn of(step: &Step, of: &Target, of_slot: &SlotName) -> Option<Self> {
        match &step.action {
            Action::Gate(Gate::Verify { target, canary, weight, .. }) => {
                (target == of && canary == of_slot && *weight < 100).then_some(Self::Look)
            }
            Action::Gate(Gate::Ready { target, slot, .. }) => {
                (target == of && slot == of_slot).then_some(Self::Ready)
            }
            Action::Effect(Effect::Workload { target, verb, .. }) if target == of => match verb {
                Verb::Shift { weights } => (1..100).contains(&weights.of(of_slot)).then_some(Self::Shift),
                Verb::Stage { slot, .. } => (slot == of_slot).then_some(Self::Stage),
                _ => None,
            },
            Action::Gate(_) | Action::Effect(_) => None,
        }
    }
}
