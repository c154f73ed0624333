//! Faults in what takes a plan back.

use hotfix_core::model::{Effect, Period, RefName, Verb};
use hotfix_core::plan::{Undo, Violation};

use super::super::world::tag;
use super::{at, canary, faults, found, renumber, step_id, step_updates, updates};

#[test]
fn every_effect_is_taken_back_exactly_once() {
    for index in 0..canary().rollback.len() {
        let mut draft = canary();
        let undo = draft.rollback.remove(index);
        renumber(&mut draft);
        for step in undo.covers {
            found(draft.clone(), &Violation::NoUndo { step });
        }
    }
    let mut draft = canary();
    let forgotten = draft.rollback[0].covers.pop().unwrap();
    assert_eq!(faults(draft), [Violation::NoUndo { step: forgotten }]);

    let mut draft = canary();
    let step = draft.rollback[0].covers[0];
    let again = Undo { id: step_id(draft.steps.len() + draft.rollback.len()), ..draft.rollback[0].clone() };
    draft.budget.rollback = Period::from_hours(1);
    draft.rollback.push(again);
    found(draft, &Violation::SeveralUndos { step });

    let mut draft = canary();
    let (undo, step) = (draft.rollback[0].id, step_id(at(&draft, "production/shop: retire")));
    draft.rollback[0].covers.push(step);
    found(draft, &Violation::UndoTooLate { undo, step });

    let mut draft = canary();
    let step = step_id(at(&draft, "staging/shop: stage"));
    draft.rollback[0].covers.push(step);
    found(draft, &Violation::UndoElsewhere { undo, step });
}

#[test]
fn the_rollback_runs_backwards_and_leads_back() {
    let mut draft = canary();
    draft.rollback.swap(0, 1);
    renumber(&mut draft);
    found(draft.clone(), &Violation::UndoOrder { undo: draft.rollback[1].id });

    let mut draft = canary();
    let newer = draft.release.clone().unwrap();
    if let Effect::Workload { verb: Verb::Restore { snapshot }, .. } = &mut draft.rollback[0].effect {
        snapshot.release = newer;
    }
    let first = step_id(at(&draft, "production/shop: stage"));
    found(draft, &Violation::UndoLeaves { after: first, place: "production/shop".to_owned() });

    let mut draft = canary();
    let undo = draft.rollback[0].id;
    if let Effect::Workload { precondition, .. } = &mut draft.rollback[0].effect {
        precondition.live.pop();
    }
    let promoted = step_id(at(&draft, "production/shop: promote"));
    assert_eq!(faults(draft), [Violation::UndoBlocked { undo, after: promoted }]);

    let mut draft = canary();
    let other = step_updates(&mut draft.steps[1])[0].new.clone();
    let undo = draft.rollback.len() - 1;
    updates(&mut draft.rollback[undo].effect)[0].old = other;
    let undo = draft.rollback[undo].id;
    found(draft, &Violation::UndoBlocked { undo, after: step_id(0) });

    let mut draft = canary();
    let kept = updates(&mut draft.rollback[2].effect)[0].name.clone();
    let candidate = RefName::tag(&tag("v2.1.1-rc.1"));
    updates(&mut draft.rollback[2].effect)[0].name = candidate;
    found(draft, &Violation::UndoLeaves { after: step_id(0), place: kept.to_string() });
}
