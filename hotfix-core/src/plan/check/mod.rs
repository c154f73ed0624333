//! A second opinion: replays a finished plan on an abstract world and reports every rule that it breaks.
//!
//! Shares no code with the planner, on purpose: what the planner believes is not evidence. It knows nothing of policy,
//! repository or request details either, only of what is safe: see [`Violation`] for the rules.

mod order;
mod references;
mod undoing;
mod violation;
mod workloads;

use super::{Action, OnFailure, Plan, StepId};
use crate::model::{Effect, Target};
use crate::request::Goal;

pub use violation::Violation;

use references::References;
use workloads::Workloads;

/// Checks a plan.
///
/// # Errors
/// Every [`Violation`] that was found, in the order of the rules, then of the steps.
pub fn check(plan: &Plan) -> Result<(), Vec<Violation>> {
    let mut violations = Vec::new();
    order::check(plan, &mut violations);
    let worlds = replay(plan, &mut violations);
    if let Some(end) = worlds.last() {
        end.workloads.check_end(plan, &mut violations);
    }
    undoing::check(plan, &worlds, &mut violations);
    if violations.is_empty() { Ok(()) } else { Err(violations) }
}

/// The world as far as the plan tells about it.
#[derive(Debug, Clone)]
struct World {
    workloads: Workloads,
    references: References,
}

impl World {
    fn new(plan: &Plan) -> Self {
        Self { workloads: Workloads::new(plan), references: References::default() }
    }

    /// Changes the world as the effect does, and tells what is wrong with doing so.
    fn apply(&mut self, step: StepId, effect: &Effect, violations: &mut Vec<Violation>) {
        match effect {
            Effect::Workload { target, verb, precondition } => {
                self.workloads.apply(step, target, verb, precondition, violations);
            }
            Effect::Source { batch, .. } => self.references.apply(step, batch, violations),
        }
    }
}

/// Returns the world before the first step and after each.
fn replay(plan: &Plan, violations: &mut Vec<Violation>) -> Vec<World> {
    let mut world = World::new(plan);
    let mut worlds = vec![world.clone()];
    for step in plan.steps() {
        match &step.action {
            Action::Effect(effect) => {
                if let Effect::Source { batch, .. } = effect {
                    let proven = world.workloads.is_proven_live(plan);
                    references::check_publishing(plan, step, batch, proven, violations);
                }
                world.apply(step.id, effect, violations);
            }
            Action::Gate(gate) => world.workloads.pass(step.id, gate, violations),
        }
        worlds.push(world.clone());
    }
    worlds
}

/// Returns the workload that the plan is for: the last one that it deals with. What comes before it is rehearsal.
fn main_target(plan: &Plan) -> Option<&Target> {
    match &plan.request().goal {
        Goal::Rollback { target, .. } => return Some(target),
        Goal::Create { .. } | Goal::Watch { .. } => return None,
        Goal::Deploy { .. } => {}
    }
    let reversible = plan.steps().iter().filter(|step| step.on_failure == OnFailure::RollBack);
    let mut targets = reversible.filter_map(|step| match &step.action {
        Action::Gate(gate) => Some(gate.target()),
        Action::Effect(Effect::Workload { target, .. }) => Some(target),
        Action::Effect(Effect::Source { .. }) => None,
    });
    targets.next_back()
}
