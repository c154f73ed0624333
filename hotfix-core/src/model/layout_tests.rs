use super::*;
use crate::model::{Artifact, ObjectId, TagName, Version};

fn slot(name: &str) -> SlotName {
    SlotName::new(name).expect("a slot name")
}

fn release(digit: char) -> Release {
    let tree = ObjectId::new(digit.to_string().repeat(40)).expect("an id");
    Release {
        version: Version::new(2, 1, u64::from(digit)),
        tag: TagName::new(format!("v2.1.{digit}")).expect("a tag"),
        artifact: Artifact::Tree(tree),
    }
}

fn stage_verb(name: &str, digit: char) -> Verb {
    Verb::Stage { slot: slot(name), release: release(digit), replicas: NonZeroU16::MIN }
}

fn shift_verb(blue: u8) -> Verb {
    Verb::Shift { weights: Weights::split(slot("blue"), slot("green"), 100 - blue).expect("a split") }
}

fn restore_verb(name: &str, digit: char) -> Verb {
    let snapshot = WorkloadSnapshot {
        slot: slot(name),
        release: release(digit),
        replicas: NonZeroU16::MIN,
        backend: serde_json::Value::Null,
    };
    Verb::Restore { snapshot }
}

fn ready(slots: &[&str]) -> ReadyInstances {
    slots.iter().map(|name| (slot(name), 1)).collect()
}

fn empty() -> Layout {
    let slots = ["blue", "green"].map(|name| (slot(name), None)).into();
    Layout { slots, live: None, weights: None, rollout: Rollout::Active }
}

fn run(verbs: &[Verb], ready: &ReadyInstances) -> Layout {
    verbs.iter().fold(empty(), |layout, verb| layout.after(verb, ready).expect("accepted"))
}

/// Blue is live with release 0, green holds release 1 and `canary` percent of the traffic.
fn canary(canary: u8) -> Layout {
    let both = ready(&["blue", "green"]);
    let blue_live = [stage_verb("blue", '0'), shift_verb(100), Verb::Promote { slot: slot("blue") }];
    let mut verbs = blue_live.to_vec();
    verbs.extend([stage_verb("green", '1'), shift_verb(100 - canary)]);
    run(&verbs, &both)
}

#[test]
fn a_first_release_goes_live_by_stage_shift_promote() {
    let layout = run(
        &[stage_verb("blue", '0'), shift_verb(100), Verb::Promote { slot: slot("blue") }],
        &ready(&["blue"]),
    );
    assert_eq!((layout.live.clone(), layout.weight(&slot("blue"))), (Some(slot("blue")), 100));
    assert_eq!(layout.held(&slot("blue")).map(|held| held.release.clone()), Some(release('0')));
    assert_eq!(layout.held(&slot("green")), None);
}

#[test]
fn the_weight_rules_refuse_whoever_asks() {
    let both = ready(&["blue", "green"]);
    let none = ReadyInstances::new();
    let cases = [
        (
            canary(10),
            stage_verb("green", '2'),
            &both,
            VerbRefusal::HasTraffic { slot: slot("green"), percent: 10 },
        ),
        (canary(100), stage_verb("blue", '2'), &both, VerbRefusal::Live(slot("blue"))),
        (canary(0), shift_verb(90), &none, VerbRefusal::NoReadyInstance(slot("green"))),
        (canary(10), shift_verb(100), &ready(&["green"]), VerbRefusal::NoReadyInstance(slot("blue"))),
        (empty(), shift_verb(100), &both, VerbRefusal::Empty(slot("blue"))),
        (
            canary(99),
            Verb::Promote { slot: slot("green") },
            &both,
            VerbRefusal::NotAllTraffic { slot: slot("green"), percent: 99 },
        ),
        (
            canary(10),
            Verb::Retire { slot: slot("green") },
            &both,
            VerbRefusal::HasTraffic { slot: slot("green"), percent: 10 },
        ),
        (canary(100), Verb::Retire { slot: slot("blue") }, &both, VerbRefusal::Live(slot("blue"))),
        (
            empty(),
            Verb::Retire { slot: slot("red") },
            &both,
            VerbRefusal::UnknownSlot { slot: slot("red"), known: "blue, green".to_owned() },
        ),
    ];
    for (layout, verb, ready, refusal) in cases {
        assert_eq!(layout.after(&verb, ready), Err(refusal), "{verb}");
    }
}

#[test]
fn a_slot_in_use_grows_but_does_not_shrink() {
    let staged = |replicas| Verb::Stage {
        slot: slot("blue"),
        release: release('0'),
        replicas: NonZeroU16::new(replicas).expect("not zero"),
    };
    let grown = canary(10).after(&staged(3), &ReadyInstances::new()).expect("more is fine");
    let three = NonZeroU16::new(3).expect("not zero");
    assert_eq!(grown.held(&slot("blue")).map(|held| held.replicas), Some(three));
    let refusal = VerbRefusal::InUse { slot: slot("blue"), replicas: three };
    assert_eq!(grown.after(&staged(2), &ReadyInstances::new()), Err(refusal));
}

#[test]
fn a_hotfix_onto_a_broken_live_side_can_still_take_traffic() {
    let only_green = ready(&["green"]);
    let shifted = canary(10).after(&shift_verb(75), &only_green).expect("blue only loses traffic");
    assert_eq!(shifted.weight(&slot("green")), 25);
}

#[test]
fn a_verb_that_already_holds_changes_nothing() {
    let layout = canary(10);
    let both = ready(&["blue", "green"]);
    for verb in [stage_verb("green", '1'), stage_verb("blue", '0'), shift_verb(90), Verb::Resume] {
        assert_eq!(layout.after(&verb, &both), Ok(layout.clone()), "{verb}");
    }
}

#[test]
fn restore_is_accepted_with_no_ready_instance_and_while_paused() {
    let paused = canary(100).after(&Verb::Pause, &ReadyInstances::new()).expect("accepted");
    let refused = paused.after(&shift_verb(100), &ready(&["blue"]));
    assert_eq!(refused, Err(VerbRefusal::Paused(VerbName::Shift)));
    let restored = paused.after(&restore_verb("blue", '0'), &ReadyInstances::new()).expect("accepted");
    assert_eq!((restored.live.clone(), restored.weight(&slot("blue"))), (Some(slot("blue")), 100));
    assert_eq!(restored.held(&slot("green")), None);
    assert_eq!(restored.rollout, Rollout::Paused);
}

#[test]
fn preconditions_name_what_was_expected_and_found() {
    let layout = canary(10);
    let (old, new) = (release('0').artifact.id(), release('1').artifact.id());
    assert_eq!(layout.holds(&Precondition::default()), Ok(()));
    let live = |artifact: &ArtifactId| Precondition { live: vec![artifact.clone()], holds: None };
    assert_eq!(layout.holds(&live(&old)), Ok(()));
    let drift = Drift { expected: format!("live {new}"), found: format!("live {old}") };
    assert_eq!(layout.holds(&live(&new)), Err(drift));
    let green =
        |artifact: &ArtifactId| Precondition { live: vec![], holds: Some((slot("green"), artifact.clone())) };
    assert_eq!(layout.holds(&green(&new)), Ok(()));
    let drift = Drift { expected: format!("green {old}"), found: format!("green {new}") };
    assert_eq!(layout.holds(&green(&old)), Err(drift));
    let drift = Drift { expected: format!("live {old}"), found: "live nothing".to_owned() };
    assert_eq!(empty().holds(&live(&old)), Err(drift));
}
