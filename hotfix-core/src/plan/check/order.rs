//! Deadlines, budgets, claims, snapshots, and where the point of no return lies.

use std::collections::BTreeSet;

use super::super::{Action, OnFailure, Plan, Step, StepId};
use super::{Violation, references};
use crate::model::{Effect, Period};
use crate::request::Goal;

pub(super) fn check(plan: &Plan, violations: &mut Vec<Violation>) {
    deadlines(plan, violations);
    claims(plan, violations);
    baselines(plan, violations);
    no_return(plan, violations);
}

fn deadlines(plan: &Plan, violations: &mut Vec<Violation>) {
    let forward: Vec<(StepId, Period)> = plan.steps().iter().map(|step| (step.id, step.deadline)).collect();
    let back: Vec<(StepId, Period)> = plan.rollback().iter().map(|undo| (undo.id, undo.deadline)).collect();
    let timeless = forward.iter().chain(&back).filter(|(_, period)| period.as_millis() == 0);
    violations.extend(timeless.map(|(step, _)| Violation::NoDeadline { step: *step }));
    let sum = |parts: &[(StepId, Period)]| {
        Period::from_millis(parts.iter().fold(0, |sum, (_, period)| sum.saturating_add(period.as_millis())))
    };
    let (needed, budget) = (sum(&forward), plan.budget().forward);
    if needed > budget {
        violations.push(Violation::ForwardBudget { needed, budget });
    }
    let (needed, budget) = (sum(&back), plan.budget().rollback);
    if needed > budget || budget.as_millis() == 0 {
        violations.push(Violation::RollbackBudget { needed, budget });
    }
}

fn effects(plan: &Plan) -> impl Iterator<Item = (StepId, &Effect)> {
    let forward = plan.steps().iter().filter_map(|step| match &step.action {
        Action::Effect(effect) => Some((step.id, effect)),
        Action::Gate(_) => None,
    });
    forward.chain(plan.rollback().iter().map(|undo| (undo.id, &undo.effect)))
}

fn claims(plan: &Plan, violations: &mut Vec<Violation>) {
    let claims: BTreeSet<_> = plan.claims().into_iter().collect();
    for (step, effect) in effects(plan) {
        let fenced = effect.fenced();
        if !claims.contains(&fenced) {
            violations.push(Violation::Unclaimed { step, fenced });
        }
    }
}

fn baselines(plan: &Plan, violations: &mut Vec<Violation>) {
    let mut kept = BTreeSet::new();
    for baseline in plan.baselines() {
        if !kept.insert(&baseline.target) {
            violations.push(Violation::SeveralBaselines { target: baseline.target.clone() });
        }
    }
    for (step, effect) in effects(plan) {
        if let Effect::Workload { target, .. } = effect
            && !kept.contains(target)
        {
            violations.push(Violation::NoBaseline { step, target: target.clone() });
        }
    }
}

fn no_return(plan: &Plan, violations: &mut Vec<Violation>) {
    let steps = plan.steps();
    let first = steps.iter().position(|step| step.on_failure == OnFailure::Escalate).unwrap_or(steps.len());
    let back = steps[first..].iter().filter(|step| step.on_failure == OnFailure::RollBack);
    violations.extend(back.map(|step| Violation::ReturnAfterNoReturn { step: step.id }));
    let publishes = |step: &Step| match &step.action {
        Action::Effect(Effect::Source { batch, .. }) => references::publishes(batch),
        _ => false,
    };
    if matches!(plan.request().goal, Goal::Deploy { .. }) {
        let published = steps.iter().position(publishes).unwrap_or(steps.len());
        if first < published {
            violations.push(Violation::NoReturnTooEarly { step: steps[first].id });
        }
    }
    let reversible = steps.iter().filter(|step| publishes(step) && step.on_failure == OnFailure::RollBack);
    violations.extend(reversible.map(|step| Violation::PublishReversible { step: step.id }));
}
