//! The checker finds what it is there for: faults seeded into good plans, each with its violation.

mod order;
mod undoing;
mod weights;

use hotfix_core::model::{Effect, RefUpdate, Verb};
use hotfix_core::plan::{Action, OnFailure, Plan, PlanDraft, Step, StepId, Violation, check};
use hotfix_core::request::{RollbackTo, Strategy};

use super::world::{World, deploy, policy, rollback};

/// What was found in the plan, in order.
fn faults(draft: PlanDraft) -> Vec<Violation> {
    check(&Plan::assemble(draft).unwrap()).err().unwrap_or_default()
}

fn canary() -> PlanDraft {
    World::shop().plan(&deploy(Some(Strategy::Canary)), &policy()).into_draft()
}

fn going_back() -> PlanDraft {
    World::shop().plan(&rollback(RollbackTo::LastKnownGood), &policy()).into_draft()
}

#[track_caller]
fn found(draft: PlanDraft, expected: &Violation) {
    let faults = faults(draft);
    assert!(faults.contains(expected), "expected {expected:?}, found {faults:#?}");
}

/// Numbers the steps anew after some were removed or added; undos keep covering the same steps.
fn renumber(draft: &mut PlanDraft) {
    let old: Vec<StepId> = draft.steps.iter().map(|step| step.id).collect();
    let new = |id: &StepId| old.iter().position(|other| other == id).map(step_id);
    for undo in &mut draft.rollback {
        undo.covers = undo.covers.iter().filter_map(new).collect();
    }
    for (index, step) in draft.steps.iter_mut().enumerate() {
        step.id = step_id(index);
    }
    for (index, undo) in draft.rollback.iter_mut().enumerate() {
        undo.id = step_id(draft.steps.len() + index);
    }
}

fn step_id(index: usize) -> StepId {
    StepId(u16::try_from(index).unwrap())
}

/// The position of the nth step whose text contains the words.
fn at(draft: &PlanDraft, words: &str) -> usize {
    let position = draft.steps.iter().position(|step| step.action.to_string().contains(words));
    position.unwrap_or_else(|| panic!("no step says {words:?}"))
}

fn without(mut draft: PlanDraft, words: &str) -> PlanDraft {
    let index = at(&draft, words);
    draft.steps.remove(index);
    renumber(&mut draft);
    draft
}

/// The draft with the step at `from` taken to `to`, with the meaning of failure that the place has.
fn moved(mut draft: PlanDraft, from: usize, to: usize) -> PlanDraft {
    let mut step = draft.steps.remove(from);
    step.on_failure = draft.steps[to.min(draft.steps.len() - 1)].on_failure;
    draft.steps.insert(to, step);
    renumber(&mut draft);
    draft
}

fn verb(step: &mut Step) -> &mut Verb {
    match &mut step.action {
        Action::Effect(Effect::Workload { verb, .. }) => verb,
        other => panic!("{other} is no verb"),
    }
}

fn updates(effect: &mut Effect) -> &mut Vec<RefUpdate> {
    match effect {
        Effect::Source { batch, .. } => &mut batch.updates,
        Effect::Workload { .. } => panic!("{effect} moves no references"),
    }
}

fn step_updates(step: &mut Step) -> &mut Vec<RefUpdate> {
    match &mut step.action {
        Action::Effect(effect) => updates(effect),
        Action::Gate(gate) => panic!("{gate} is a gate"),
    }
}

fn publish(draft: &PlanDraft) -> usize {
    draft.steps.iter().position(|step| step.on_failure == OnFailure::Escalate).unwrap()
}

#[test]
fn good_plans_have_no_faults() {
    assert_eq!(faults(canary()), []);
    assert_eq!(faults(going_back()), []);
}
