//! Faults in what is staged, where traffic goes, and what is proven.

use hotfix_core::model::{Effect, Verb, Weights};
use hotfix_core::plan::{Action, Finding, Gate, Violation};
use hotfix_core::request::Strategy;

use super::super::world::{World, deploy, policy, production, slot, staging};
use super::{at, canary, faults, found, moved, publish, renumber, step_id, verb, without};

#[test]
fn traffic_goes_only_to_what_was_staged_and_seen_ready() {
    let draft = without(canary(), "production/shop: wait until green");
    let step = step_id(at(&draft, "production/shop: shift"));
    found(draft, &Violation::WeightToUnready { step, slot: slot("green") });

    let draft = without(canary(), "production/shop: stage");
    let step = step_id(at(&draft, "production/shop: wait until green"));
    let artifact = draft.release.as_ref().unwrap().artifact.id();
    found(draft, &Violation::GateOnOther { step, slot: slot("green"), artifact });

    let mut draft = canary();
    let (stage, shift) = (at(&draft, "production/shop: stage"), at(&draft, "production/shop: shift"));
    draft.steps.swap(stage, shift);
    renumber(&mut draft);
    found(draft, &Violation::WeightToUnready { step: step_id(stage), slot: slot("green") });

    let mut draft = canary();
    let red = Weights::split(slot("blue"), slot("red"), 10).unwrap();
    *verb(&mut draft.steps[shift]) = Verb::Shift { weights: red };
    found(draft, &Violation::WeightToUnready { step: step_id(shift), slot: slot("red") });
}

#[test]
fn nothing_is_replaced_under_traffic() {
    let mut draft = canary();
    let index = at(&draft, "production/shop: stage");
    if let Verb::Stage { slot: place, .. } = verb(&mut draft.steps[index]) {
        *place = slot("blue");
    }
    found(draft, &Violation::StageOverLive { step: step_id(index), slot: slot("blue") });

    let mut draft = World::shop().plan(&deploy(Some(Strategy::Rolling)), &policy()).into_draft();
    let stages: Vec<usize> = (0..draft.steps.len())
        .filter(|index| draft.steps[*index].action.to_string().starts_with("production/shop: stage"))
        .collect();
    let first = draft.steps[stages[0]].action.clone();
    draft.steps[stages[2]].action = first;
    found(draft, &Violation::StageUnderTraffic { step: step_id(stages[2]), slot: slot("green") });
}

#[test]
fn every_share_is_proven_on_exactly_that_artifact_before_the_next() {
    for (words, next, weight) in [
        ("judge green at 10 %", "green 25 %", 10),
        ("judge green at 50 %", "green 75 %", 50),
        ("judge green at 75 %", "shift traffic to green 100 %", 75),
    ] {
        let draft = without(canary(), words);
        let index = draft.steps.iter().position(|step| {
            let text = step.action.to_string();
            text.starts_with("production") && text.contains(next)
        });
        found(draft, &Violation::UnprovenShare { step: step_id(index.unwrap()), weight });
    }
    let draft = without(canary(), "judge green at 100 %");
    let promote = step_id(at(&draft, "production/shop: promote"));
    let publish = step_id(publish(&draft));
    let found_all = faults(draft);
    assert!(found_all.contains(&Violation::UnprovenShare { step: promote, weight: 100 }));
    assert!(found_all.contains(&Violation::PublishUnproven { step: publish }));
    assert!(found_all.contains(&Violation::EndsElsewhere { target: production() }));

    let mut draft = canary();
    let old = draft.baselines[1].snapshot.release.artifact.id();
    let index = at(&draft, "judge green at 25 %");
    if let Action::Gate(Gate::Verify { artifact, .. }) = &mut draft.steps[index].action {
        *artifact = old.clone();
    }
    let expected = Violation::GateOnOther { step: step_id(index), slot: slot("green"), artifact: old };
    found(draft, &expected);
}

#[test]
fn a_verdict_is_about_the_weight_and_the_side_that_are_there() {
    let index = at(&canary(), "judge green at 25 %");
    let expected = Violation::VerdictMisplaced { step: step_id(index), slot: slot("green") };
    let mut draft = canary();
    if let Action::Gate(Gate::Verify { weight, .. }) = &mut draft.steps[index].action {
        *weight = 50;
    }
    found(draft, &expected);
    let mut draft = canary();
    if let Action::Gate(Gate::Verify { baseline, .. }) = &mut draft.steps[index].action {
        *baseline = None;
    }
    found(draft, &expected);
    let mut draft = canary();
    if let Action::Gate(Gate::Verify { baseline, .. }) = &mut draft.steps[index].action {
        *baseline = Some(slot("red"));
    }
    found(draft, &expected);
}

#[test]
fn a_slot_is_promoted_with_all_traffic_and_retired_without_any() {
    let draft = canary();
    let (promote, all) = (at(&draft, "production/shop: promote"), at(&draft, "judge green at 75 %") + 1);
    found(
        moved(draft, promote, all),
        &Violation::PromoteBelowAll { step: step_id(all), slot: slot("green"), weight: 75 },
    );

    let mut draft = canary();
    let retire = at(&draft, "production/shop: retire");
    *verb(&mut draft.steps[retire]) = Verb::Retire { slot: slot("green") };
    let faults = faults(draft);
    assert!(faults.contains(&Violation::RetireLive { step: step_id(retire), slot: slot("green") }));
    let under = Violation::RetireUnderTraffic { step: step_id(retire), slot: slot("green"), weight: 100 };
    assert!(faults.contains(&under));

    let draft = canary();
    let early = at(&draft, "judge green at 50 %") + 1;
    let under = Violation::RetireUnderTraffic { step: step_id(early), slot: slot("blue"), weight: 50 };
    found(moved(draft, retire, early), &under);
}

#[test]
fn staging_comes_first_unless_the_report_says_why_not() {
    let mut draft = canary();
    draft.steps.retain(|step| !step.action.to_string().starts_with("staging/shop"));
    draft.rollback.retain(|undo| !undo.effect.to_string().starts_with("staging/shop"));
    draft.baselines.remove(0);
    renumber(&mut draft);
    let step = step_id(at(&draft, "production/shop: shift"));
    found(draft.clone(), &Violation::StagingNotFirst { step });
    let because = hotfix_core::plan::StagingSkipped::NoEnvironment;
    draft.report.findings.push(Finding::StagingSkipped { because });
    assert_eq!(faults(draft), []);

    let mut draft = canary();
    let old = draft.baselines[0].snapshot.release.artifact.id();
    for step in &mut draft.steps {
        if let Action::Gate(Gate::Ready { target, artifact, .. } | Gate::Soak { target, artifact, .. }) =
            &mut step.action
            && *target == staging()
        {
            *artifact = old.clone();
        }
    }
    let step = step_id(at(&draft, "production/shop: shift"));
    found(draft, &Violation::StagingNotFirst { step });
}

#[test]
fn verbs_say_what_must_be_live_and_it_can_be() {
    let mut draft = canary();
    let index = at(&draft, "production/shop: stage");
    if let Action::Effect(Effect::Workload { precondition, .. }) = &mut draft.steps[index].action {
        precondition.live.clear();
    }
    found(draft, &Violation::NoPrecondition { step: step_id(index) });

    let mut draft = canary();
    let new = draft.release.as_ref().unwrap().artifact.id();
    if let Action::Effect(Effect::Workload { precondition, .. }) = &mut draft.steps[index].action {
        precondition.live = vec![new];
    }
    found(draft, &Violation::PreconditionFails { step: step_id(index) });

    let mut draft = canary();
    let old = draft.baselines[1].snapshot.release.artifact.id();
    let index = at(&draft, "production/shop: shift");
    if let Action::Effect(Effect::Workload { precondition, .. }) = &mut draft.steps[index].action {
        precondition.holds = Some((slot("green"), old));
    }
    found(draft, &Violation::PreconditionFails { step: step_id(index) });
}
