//! Faults in deadlines, snapshots, references, and where the point of no return lies.

use hotfix_core::model::Period;
use hotfix_core::plan::{OnFailure, Violation};

use super::super::world::{production, staging};
use super::{at, canary, faults, found, going_back, moved, publish, step_id, step_updates, without};

#[test]
fn every_step_has_time_and_the_budgets_hold_it() {
    let mut draft = canary();
    draft.steps[3].deadline = Period::from_secs(0);
    found(draft, &Violation::NoDeadline { step: step_id(3) });
    let mut draft = canary();
    let undo = draft.rollback[0].id;
    draft.rollback[0].deadline = Period::from_secs(0);
    found(draft, &Violation::NoDeadline { step: undo });

    let mut draft = canary();
    let (needed, budget) = (draft.budget.forward, Period::from_mins(1));
    draft.budget.forward = budget;
    assert_eq!(faults(draft), [Violation::ForwardBudget { needed, budget }]);
    let mut draft = canary();
    draft.budget.rollback = budget;
    assert_eq!(faults(draft), [Violation::RollbackBudget { needed: Period::from_mins(15), budget }]);
}

#[test]
fn the_point_of_no_return_lies_before_the_publication_and_nowhere_else() {
    let mut draft = canary();
    let last = draft.steps.len() - 1;
    draft.steps[last].on_failure = OnFailure::RollBack;
    found(draft, &Violation::ReturnAfterNoReturn { step: step_id(last) });

    let mut draft = canary();
    let publish = publish(&draft);
    draft.steps[publish - 1].on_failure = OnFailure::Escalate;
    found(draft, &Violation::NoReturnTooEarly { step: step_id(publish - 1) });

    let mut draft = canary();
    draft.steps[publish].on_failure = OnFailure::RollBack;
    found(draft, &Violation::PublishReversible { step: step_id(publish) });
}

#[test]
fn what_is_changed_has_a_snapshot() {
    let mut draft = canary();
    draft.baselines.retain(|baseline| baseline.target != staging());
    let step = step_id(at(&draft, "staging/shop: stage"));
    found(draft, &Violation::NoBaseline { step, target: staging() });
    let mut draft = canary();
    let again = draft.baselines[0].clone();
    draft.baselines.push(again);
    found(draft, &Violation::SeveralBaselines { target: staging() });
}

#[test]
fn references_move_once_from_what_they_hold_and_tags_never() {
    let publish = publish(&canary());
    let step = step_id(publish);
    let mut draft = canary();
    let update = step_updates(&mut draft.steps[publish])[0].clone();
    step_updates(&mut draft.steps[publish]).push(update.clone());
    found(draft, &Violation::DuplicateReference { step, name: update.name.clone() });

    let mut draft = canary();
    let batch = step_updates(&mut draft.steps[publish]);
    let release = batch[1].name.clone();
    batch[1].old = update.old.clone();
    found(draft, &Violation::TagMoved { step, name: release.clone() });
    let mut draft = canary();
    let batch = step_updates(&mut draft.steps[publish]);
    let id = batch[1].new.take();
    batch[1].old = id;
    found(draft, &Violation::TagMoved { step, name: release.clone() });

    let mut draft = canary();
    step_updates(&mut draft.steps[publish]).retain(|update| update.name.is_tag());
    found(draft, &Violation::TagWithoutMerge { step, name: release });

    let mut draft = canary();
    let last = draft.steps.len() - 1;
    let name = step_updates(&mut draft.steps[last])[0].name.clone();
    step_updates(&mut draft.steps[last])[0].old = update.new;
    found(draft, &Violation::ReferenceChain { step: step_id(last), name });

    let mut draft = canary();
    step_updates(&mut draft.steps[last]).clear();
    found(draft, &Violation::EmptyUpdate { step: step_id(last) });
}

#[test]
fn publishing_waits_for_the_proof() {
    let draft = canary();
    let (from, to) = (publish(&draft), at(&draft, "production/shop: shift"));
    let mut draft = moved(draft, from, to);
    draft.steps[to].on_failure = OnFailure::Escalate;
    found(draft, &Violation::PublishUnproven { step: step_id(to) });
}

#[test]
fn the_plan_ends_with_what_it_promises() {
    let mut draft = canary();
    draft.release = Some(draft.baselines[1].snapshot.release.clone());
    found(draft, &Violation::EndsElsewhere { target: production() });
    let draft = without(going_back(), "stays ready");
    found(draft, &Violation::EndsElsewhere { target: production() });
}
