//! Whether the rollback leads back from everywhere: every effect covered once, in reverse order, applicable after
//! every step, and the world afterwards as it was.

use std::collections::BTreeMap;

use super::super::{Action, OnFailure, Plan, StepId, Undo};
use super::references::References;
use super::{Violation, World};
use crate::model::Effect;

pub(super) fn check(plan: &Plan, worlds: &[World], violations: &mut Vec<Violation>) {
    coverage(plan, violations);
    order(plan, violations);
    let reversible = plan.steps().iter().take_while(|step| step.on_failure == OnFailure::RollBack).count();
    let before = References::before(plan);
    for done in 1..=reversible {
        if let Some(world) = worlds.get(done) {
            let after = plan.steps()[done - 1].id;
            stop_after(plan, after, world.clone(), &before, violations);
        }
    }
}

fn coverage(plan: &Plan, violations: &mut Vec<Violation>) {
    let mut covered: BTreeMap<StepId, usize> = BTreeMap::new();
    for undo in plan.rollback() {
        for step in &undo.covers {
            *covered.entry(*step).or_default() += 1;
            let elsewhere = plan.effect(*step).is_none_or(|effect| effect.fenced() != undo.effect.fenced());
            if elsewhere {
                violations.push(Violation::UndoElsewhere { undo: undo.id, step: *step });
            }
            if plan.step(*step).is_none_or(|step| step.on_failure == OnFailure::Escalate) {
                violations.push(Violation::UndoTooLate { undo: undo.id, step: *step });
            }
        }
    }
    for step in plan.steps().iter().filter(|step| step.on_failure == OnFailure::RollBack) {
        let Action::Effect(effect) = &step.action else {
            continue;
        };
        match covered.get(&step.id).copied().unwrap_or(0) {
            0 if leaves_only_tags(effect) => {}
            0 => violations.push(Violation::NoUndo { step: step.id }),
            1 => {}
            _ => violations.push(Violation::SeveralUndos { step: step.id }),
        }
    }
}

/// Tags are evidence and stay.
fn leaves_only_tags(effect: &Effect) -> bool {
    match effect {
        Effect::Source { batch, .. } => batch.updates.iter().all(|update| update.name.is_tag()),
        Effect::Workload { .. } => false,
    }
}

fn order(plan: &Plan, violations: &mut Vec<Violation>) {
    let last = |undo: &Undo| undo.covers.iter().max().copied();
    for pair in plan.rollback().windows(2) {
        if last(&pair[0]) < last(&pair[1]) {
            violations.push(Violation::UndoOrder { undo: pair[1].id });
        }
    }
}

/// Takes back a plan that stopped after a step.
fn stop_after(
    plan: &Plan,
    after: StepId,
    mut world: World,
    before: &References,
    violations: &mut Vec<Violation>,
) {
    for undo in plan.rollback().iter().filter(|undo| undo.covers.iter().any(|step| *step <= after)) {
        let mut blocks = Vec::new();
        world.apply(undo.id, &undo.effect, &mut blocks);
        if !blocks.is_empty() {
            violations.push(Violation::UndoBlocked { undo: undo.id, after });
        }
    }
    let targets = world.workloads.not_restored(plan).into_iter().map(|target| target.to_string());
    let branches = world.references.moved_branches(before).into_iter().map(|name| name.to_string());
    violations.extend(targets.chain(branches).map(|place| Violation::UndoLeaves { after, place }));
}
